-- Patrons and copies have files of their own from here on (schema/list); they are loaded again from
-- the snapshots that are kept.
DROP TABLE IF EXISTS beside_patrons;
DROP TABLE IF EXISTS behind_patrons;
DROP TABLE IF EXISTS beside_copies;
DROP TABLE IF EXISTS behind_copies;
DROP TABLE patrons;
DROP TABLE copies;
DELETE FROM imports WHERE kind IN ('patrons', 'copies');

-- How many wrong PINs a patron has typed since the last right one, or the last file of patrons.
CREATE TABLE tries (
    patron TEXT    NOT NULL,
    n      INTEGER NOT NULL,
    sum    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tries_patron ON tries (patron);
