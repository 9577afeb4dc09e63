"""The tables: their rows as values, their statements, their reads."""
