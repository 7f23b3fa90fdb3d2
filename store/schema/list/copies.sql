-- The copies of the last file. Every row ends with a sum over its other columns. The indexes are made when
-- all rows are there.
CREATE TABLE copies (
    barcode     TEXT    NOT NULL,
    title_id    TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    author      TEXT    NOT NULL,
    call_number TEXT    NOT NULL,
    circ_type   TEXT    NOT NULL,
    site        TEXT    NOT NULL, -- '' this one
    status      TEXT    NOT NULL,
    sum         INTEGER NOT NULL
) STRICT;
CREATE INDEX copies_barcode ON copies (barcode);
CREATE INDEX copies_title ON copies (title_id);
