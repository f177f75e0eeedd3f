-- What was lost and what is done about it: gaps in streams, looks at what runs, hash chains.

-- How a foundation came to be billed: more ways than by snapshots.
CREATE TABLE onboarding_new (
    foundation_id INTEGER PRIMARY KEY REFERENCES foundation (id),
    strategy      TEXT    NOT NULL CHECK (strategy IN ('snapshot', 'kept_records', 'live_lists')),
    stage         TEXT    NOT NULL CHECK (stage IN ('snapshots', 'baseline', 'replay', 'complement', 'complete')),
    begun_at      INTEGER NOT NULL,
    completed_at  INTEGER,           -- when both streams had been read to their end
    reason        TEXT               -- why in this way
) STRICT;
INSERT INTO onboarding_new (foundation_id, strategy, stage, begun_at, completed_at)
SELECT foundation_id, strategy, stage, begun_at, completed_at FROM onboarding;
DROP TABLE onboarding;
ALTER TABLE onboarding_new RENAME TO onboarding;

ALTER TABLE open_interval ADD COLUMN estimated INTEGER NOT NULL DEFAULT 0 CHECK (estimated IN (0, 1));  -- 1: when it began is assumed

-- When everything that runs was last compared with the ledger.
ALTER TABLE foundation ADD COLUMN reconciled_at INTEGER;
-- When the last long sweep of both streams was done.
ALTER TABLE foundation ADD COLUMN swept_long_at INTEGER;

-- Inputs and entries before the hash chain: written by an earlier version.
ALTER TABLE foundation ADD COLUMN chained_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE foundation ADD COLUMN chained_entry INTEGER NOT NULL DEFAULT 0;

-- Spans of stream history that can't be read any more.
CREATE TABLE gap (
    foundation_id         INTEGER NOT NULL REFERENCES foundation (id),
    number                INTEGER NOT NULL,  -- 1, 2, 3 … within the foundation
    stream                TEXT    NOT NULL CHECK (stream IN ('app', 'service')),
    reason                TEXT    NOT NULL,
    began_at              INTEGER NOT NULL,  -- the last time the stream was read to its end
    ended_at              INTEGER,           -- when the first event was created that could be read again; null: not known yet
    checkpoint_guid       TEXT,              -- the checkpoint that was lost
    checkpoint_created_at INTEGER,
    found_at              INTEGER NOT NULL,
    sequence              INTEGER NOT NULL,  -- of the input that records it
    stage                 TEXT    NOT NULL CHECK (stage IN ('reading', 'settling', 'settled')),
    settled_at            INTEGER,
    ended                 INTEGER NOT NULL DEFAULT 0,  -- resources that had vanished
    begun                 INTEGER NOT NULL DEFAULT 0,  -- resources that had appeared
    changed               INTEGER NOT NULL DEFAULT 0,  -- resources found with another footprint
    PRIMARY KEY (foundation_id, number)
) STRICT, WITHOUT ROWID;

-- Where what runs differed from the ledger at the last look; settled when a later look finds the same.
CREATE TABLE difference (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    kind          INTEGER NOT NULL,
    guid          TEXT    NOT NULL,
    class         TEXT    NOT NULL,
    detail        TEXT    NOT NULL,  -- what was found, for people
    certain_until INTEGER,           -- when a look last agreed with the ledger
    found_at      INTEGER NOT NULL,  -- at the first look that found it
    seen_at       INTEGER NOT NULL,  -- at the last
    PRIMARY KEY (foundation_id, kind, guid)
) STRICT, WITHOUT ROWID;

-- A hash chain over everything that entered the fold and everything it gave: a link a page.
CREATE TABLE ledger_link (
    foundation_id  INTEGER NOT NULL REFERENCES foundation (id),
    last_sequence  INTEGER NOT NULL,  -- of the inputs it covers: those after the link before
    last_entry     INTEGER NOT NULL,  -- of the entries it covers
    inputs_digest  BLOB    NOT NULL,  -- SHA-256
    entries_digest BLOB    NOT NULL,
    digest         BLOB    NOT NULL,  -- of the link before and both
    PRIMARY KEY (foundation_id, last_sequence)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ledger_link_stays BEFORE UPDATE ON ledger_link
BEGIN SELECT raise(ABORT, 'a link of the hash chain never changes'); END;
CREATE TRIGGER ledger_link_remains BEFORE DELETE ON ledger_link
BEGIN SELECT raise(ABORT, 'a link of the hash chain is never deleted'); END;

-- What was accepted when an invoice became final, and its place in its series' hash chain.
ALTER TABLE invoice ADD COLUMN accepted TEXT;  -- JSON: what would have kept it a draft, in words
ALTER TABLE invoice ADD COLUMN digest   TEXT;  -- SHA-256 of it and of the invoice before it in its series, hexadecimal
