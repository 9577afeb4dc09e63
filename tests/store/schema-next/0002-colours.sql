-- Things have a colour and boxes.

ALTER TABLE thing ADD COLUMN colour TEXT;

CREATE TABLE box (
    thing_id BYTES NOT NULL PRIMARY KEY REFERENCES thing (thing_id)
);

INSERT INTO box (thing_id) SELECT thing_id FROM thing;

UPDATE thing SET colour = 'grey' WHERE colour IS NULL;
