-- The truth of what happened at this kiosk. Entries are only ever added.
-- Times are microseconds since 1970 (UTC), dates ISO 8601 text.

CREATE TABLE journal (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    origin      TEXT    NOT NULL, -- the incarnation in which the chain began
    incarnation TEXT    NOT NULL, -- of this file; part of every new key
    created     INTEGER NOT NULL,
    sum         BLOB    NOT NULL, -- over the columns above
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
    salt      BLOB,                -- keys the digest; fades with the patron, so that nobody can try patrons out
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
    card      TEXT    NOT NULL,
    hash      BLOB    NOT NULL     -- over the entry before and every field but patron and salt
) STRICT;

-- Deliveries that have not come to an end, and those that have. An entry in neither was confirmed
-- when it was written, because no library system was configured. Every change has a number of its
-- own, 1, 2, 3, …; sum is over the row, so that a damaged one shows.
CREATE TABLE queue (
    seq      INTEGER PRIMARY KEY REFERENCES entry (seq),
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    answer   TEXT    NOT NULL,
    change   INTEGER NOT NULL,
    sum      INTEGER NOT NULL
) STRICT;

CREATE TABLE delivered (
    seq      INTEGER PRIMARY KEY REFERENCES entry (seq),
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    since    INTEGER NOT NULL,
    answer   TEXT    NOT NULL,
    change   INTEGER NOT NULL,
    sum      INTEGER NOT NULL
) STRICT;
