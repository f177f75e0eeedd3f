-- Times that the order of a stream doesn't bear out, and what they are taken for.

-- The latest time of an event that agrees with its stream: how far imported usage is known rests on it alone.
ALTER TABLE stream ADD COLUMN agreeing_at INTEGER;
UPDATE stream SET agreeing_at = newest_created_at;

-- Events whose own time isn't trusted.
CREATE TABLE clock_bound (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    stream        TEXT    NOT NULL CHECK (stream IN ('app', 'service')),
    ordinal       INTEGER NOT NULL,  -- its place in the stream
    fraction      BLOB    NOT NULL,
    event_guid    TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,  -- the time that it states
    counts_at     INTEGER,           -- the time that it is taken for; null: its own after all
    provisional   INTEGER NOT NULL CHECK (provisional IN (0, 1)),  -- 1: nothing after it in the stream tells yet
    kind          INTEGER,           -- of the resource that it touches, if any
    resource_guid TEXT,
    sequence      INTEGER NOT NULL,  -- of the input that says so
    number        INTEGER NOT NULL,  -- of the span of such events that it belongs to: 1, 2, 3 … within the foundation
    PRIMARY KEY (foundation_id, stream, ordinal, fraction)
) STRICT, WITHOUT ROWID;

-- A clock that somebody looked at before the foundation is billed by it.
ALTER TABLE foundation ADD COLUMN clock_accepted_at INTEGER;
