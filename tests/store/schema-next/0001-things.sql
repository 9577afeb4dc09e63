-- A table of each type, and one that points to it.

CREATE TABLE thing (
    thing_id BYTES NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    weight REAL,
    body BYTES
);

CREATE UNIQUE INDEX thing_by_name ON thing (name);

-- What was ever seen; a comment with a :colon; and a semicolon.
CREATE TABLE seen (
    thing_id BYTES NOT NULL PRIMARY KEY
);

CREATE TABLE owner (
    name TEXT NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL CHECK (epoch >= 0)
);
