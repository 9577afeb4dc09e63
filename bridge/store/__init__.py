"""The database: units of work committed whole, on SQLite or PostgreSQL (design, sections 3 and 6)."""
