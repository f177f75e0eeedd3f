-- Who did what, or opened which document.

CREATE TABLE audit_entry (
    number  INTEGER PRIMARY KEY CHECK (number > 0),
    batch   INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    way     TEXT    NOT NULL,  -- api, page, command
    origin  TEXT,
    request TEXT,
    deed    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    before  TEXT,
    after   TEXT
) STRICT;

CREATE TABLE audit_link (
    batch       INTEGER PRIMARY KEY CHECK (batch > 0),
    last_number INTEGER NOT NULL,
    link        TEXT    NOT NULL
) STRICT;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log never changes'); END;
CREATE TRIGGER audit_entry_remains BEFORE DELETE ON audit_entry
BEGIN SELECT RAISE(ABORT, 'the audit log never changes'); END;
CREATE TRIGGER audit_link_stays BEFORE UPDATE ON audit_link
BEGIN SELECT RAISE(ABORT, 'the audit log never changes'); END;
CREATE TRIGGER audit_link_remains BEFORE DELETE ON audit_link
BEGIN SELECT RAISE(ABORT, 'the audit log never changes'); END;
