-- By what a foundation is known: where it was collected from, and who said that it may be from somewhere else.

CREATE TABLE foundation_identity (
    foundation_id      INTEGER PRIMARY KEY REFERENCES foundation (id),
    api                TEXT,              -- where it is collected from; null: not known, a book of an earlier version
    issuer             TEXT,              -- who issued its tokens, as last seen; null: they don't say
    links              TEXT,              -- JSON: where its API points to, as last seen
    pinned_at          INTEGER NOT NULL,  -- when any of these last changed
    -- Guids of rows up to these are another foundation's, which was collected under this name before.
    after_organization INTEGER NOT NULL DEFAULT 0,
    after_space        INTEGER NOT NULL DEFAULT 0,
    after_resource     INTEGER NOT NULL DEFAULT 0,
    adopted_at         INTEGER,           -- when somebody last said that it may be collected from there
    adopted_by         TEXT,              -- their name on the machine
    adopting           INTEGER NOT NULL DEFAULT 0 CHECK (adopting IN (0, 1)),  -- 1: whatever answers next is taken for it
    held_since         INTEGER,           -- collecting holds since then; null: it doesn't
    held_reason        TEXT,
    held_detail        TEXT               -- in words
) STRICT;
