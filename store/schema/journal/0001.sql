-- The truth of what happened at this kiosk. Entries are only ever added.
-- Times are microseconds since 1970 (UTC), dates ISO 8601 text.

CREATE TABLE journal (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    incarnation TEXT    NOT NULL, -- of this file; part of every key
    secret      BLOB    NOT NULL, -- keys the digests of patrons
    created     INTEGER NOT NULL,
    proofs      INTEGER NOT NULL  -- writes made only to see whether the disk takes them
) STRICT;

CREATE TABLE entry (
    seq       INTEGER PRIMARY KEY, -- 1, 2, 3, … without a gap
    key       TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    at        INTEGER NOT NULL,    -- wall clock
    boot      TEXT    NOT NULL,
    boottime  INTEGER NOT NULL,    -- microseconds of CLOCK_BOOTTIME
    clock     TEXT    NOT NULL,
    session   INTEGER NOT NULL,
    role      TEXT    NOT NULL,
    patron    TEXT,                -- NULL: nobody known (digest NULL too), or faded
    digest    BLOB,                -- of the patron; stays
    item      TEXT    NOT NULL,
    title     TEXT    NOT NULL,
    due       TEXT    NOT NULL,
    renewals  INTEGER NOT NULL,
    outcome   TEXT    NOT NULL,
    policy    TEXT    NOT NULL,
    grade     TEXT    NOT NULL,
    item_type TEXT    NOT NULL,
    class     TEXT    NOT NULL,
    hash      BLOB    NOT NULL     -- over the entry before and every field but the patron
) STRICT;

-- Deliveries under way, and those that have come to an end. An entry in neither was confirmed
-- when it was written, because no library system was configured.
CREATE TABLE queue (
    seq      INTEGER PRIMARY KEY REFERENCES entry (seq),
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    answer   TEXT    NOT NULL
) STRICT;

CREATE TABLE delivered (
    seq      INTEGER PRIMARY KEY REFERENCES entry (seq),
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    answer   TEXT    NOT NULL
) STRICT;
