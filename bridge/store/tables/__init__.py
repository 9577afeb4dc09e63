"""One file a table: its rows as values, its statements, its reads."""
