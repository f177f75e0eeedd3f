-- Numbers that a restored book lacked: what was recorded as lost, and what was brought back from its documents.

CREATE TABLE invoice_lost (
    series       TEXT    NOT NULL REFERENCES invoice_series (name),
    first_number INTEGER NOT NULL,
    last_number  INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    recorded_at  INTEGER NOT NULL,
    PRIMARY KEY (series, first_number)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER lost_stays BEFORE UPDATE ON invoice_lost
BEGIN SELECT raise(ABORT, 'what was recorded as lost stays so'); END;
CREATE TRIGGER lost_remains BEFORE DELETE ON invoice_lost
BEGIN SELECT raise(ABORT, 'what was recorded as lost stays so'); END;

CREATE TABLE invoice_adopted (
    invoice_id INTEGER PRIMARY KEY REFERENCES invoice (id),
    before     TEXT,             -- digest of the one before it; null: it was the first
    adopted_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER adopted_stays BEFORE UPDATE ON invoice_adopted
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER adopted_remains BEFORE DELETE ON invoice_adopted
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
