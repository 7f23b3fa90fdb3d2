-- What is decided from: the last snapshot of the library system with the journal's entries applied.
-- It can be deleted at any time. Every row ends with a sum over its other columns. Times are microseconds since 1970 (UTC), 0 for unknown; dates ISO 8601 text.
--
-- An import builds a table of the same columns and indexes beside the live one and renames it. The
-- number at the end of an index's name is that of the import, so that both can stand side by side.

CREATE TABLE applied (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT    NOT NULL, -- of the journal
    seq    INTEGER NOT NULL, -- of the last entry that is applied here
    sum    INTEGER NOT NULL
) STRICT;

CREATE TABLE imports (
    kind  TEXT PRIMARY KEY,
    runs  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    rows  INTEGER NOT NULL,
    kept  INTEGER NOT NULL,
    bad   INTEGER NOT NULL,
    file  TEXT    NOT NULL, -- names the snapshot that was kept of it
    sum   INTEGER NOT NULL
) STRICT;

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
    sum         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX patrons_barcode_0 ON patrons (barcode);
CREATE INDEX patrons_card_0 ON patrons (card) WHERE card <> '';

CREATE TABLE cards (
    card   TEXT    NOT NULL, -- keyed digest of a card chip's number
    patron TEXT    NOT NULL,
    sum    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX cards_card_0 ON cards (card);

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
CREATE UNIQUE INDEX copies_barcode_0 ON copies (barcode);
CREATE INDEX copies_title_0 ON copies (title_id);

CREATE TABLE loans (
    item     TEXT    NOT NULL,
    patron   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    due      TEXT    NOT NULL, -- date, or date-time with offset
    renewals INTEGER NOT NULL,
    sum      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX loans_item_0 ON loans (item);
CREATE INDEX loans_patron_0 ON loans (patron, due);

-- The journal marks holds instead of changing them for good, each with the number of the entry that
-- did it. So the state before any entry can be told, and applying entries again changes nothing.
CREATE TABLE holds (
    patron   TEXT    NOT NULL,
    title_id TEXT    NOT NULL,
    wanted   TEXT    NOT NULL,           -- the copy that the file names; '' any copy of the title
    item     TEXT    NOT NULL,           -- the copy it is for now: as wanted, or the one that waits
    placed   INTEGER NOT NULL,
    site     TEXT    NOT NULL,           -- pickup site; '' this one
    ready    INTEGER NOT NULL,
    ready_by INTEGER NOT NULL,           -- the entry that made it ready; 0 the file did, or nobody
    taken_by INTEGER NOT NULL,           -- the loan that fulfilled it; 0 open
    sum      INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX holds_patron_0 ON holds (patron, title_id, wanted);
CREATE INDEX holds_title_0 ON holds (title_id, item);
CREATE INDEX holds_item_0 ON holds (item);

CREATE TABLE charges (
    patron TEXT    NOT NULL,
    amount INTEGER NOT NULL, -- minor units
    sum    INTEGER NOT NULL
) STRICT;
CREATE INDEX charges_patron_0 ON charges (patron, amount);

-- What is still to be done to the tags of an item; never imported.
CREATE TABLE tags (
    item TEXT    NOT NULL,
    wish TEXT    NOT NULL, -- set or clear
    sum  INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tags_item ON tags (item);
