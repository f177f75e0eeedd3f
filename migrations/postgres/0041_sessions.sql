-- Browsers that signed in.

CREATE TABLE session (
    digest       text COLLATE "C" PRIMARY KEY,
    who          text        NOT NULL,
    identities   text        NOT NULL,
    signed_in_at timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    family       text        NOT NULL,
    replaced_at  timestamptz
);
CREATE INDEX session_ends ON session (ends_at);
CREATE INDEX session_family ON session (family);
CREATE INDEX session_who ON session (who, signed_in_at);
COMMENT ON TABLE session IS 'Browsers that signed in; it stays behind when a book moves.';
COMMENT ON COLUMN session.digest IS 'SHA-256 of what the browser has.';
COMMENT ON COLUMN session.who IS 'Who signed in last in it.';
COMMENT ON COLUMN session.identities IS 'As whom it signed in.';
COMMENT ON COLUMN session.signed_in_at IS 'When it began, or somebody signed in in it, too.';
COMMENT ON COLUMN session.seen_at IS 'When it was last used, to the minute or so.';
COMMENT ON COLUMN session.ends_at IS 'When it ends, used or not.';
COMMENT ON COLUMN session.family IS 'Digest of the first secret that the browser had: the same after each sign-in.';
COMMENT ON COLUMN session.replaced_at IS 'When the browser was given another secret; null: this is the one it has.';
