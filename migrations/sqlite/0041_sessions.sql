-- Browsers that signed in.

CREATE TABLE session (
    digest       TEXT PRIMARY KEY,
    who          TEXT    NOT NULL,
    identities   TEXT    NOT NULL,
    signed_in_at INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    family       TEXT    NOT NULL,
    replaced_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX session_ends ON session (ends_at);
CREATE INDEX session_family ON session (family);
CREATE INDEX session_who ON session (who, signed_in_at);
