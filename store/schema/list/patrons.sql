-- The patrons of the last file. Every row ends with a sum over its other columns. The indexes are made when
-- all rows are there.
CREATE TABLE patrons (
    barcode     TEXT    NOT NULL,
    name        TEXT    NOT NULL, -- nickname or first name
    type        TEXT    NOT NULL,
    grade       TEXT    NOT NULL,
    homeroom    TEXT    NOT NULL,
    language    TEXT    NOT NULL,
    inactive    INTEGER NOT NULL,
    expires     TEXT    NOT NULL, -- date; '' never
    district_id TEXT    NOT NULL,
    card        TEXT    NOT NULL, -- keyed digest of a card chip's number; '' none
    pin         TEXT    NOT NULL, -- keyed digest of the PIN; '' none
    sum         INTEGER NOT NULL
) STRICT;
CREATE INDEX patrons_barcode ON patrons (barcode);
CREATE INDEX patrons_card ON patrons (card) WHERE card <> '';
