-- Seals: a foundation's ledger as it was after an input. What entered the fold before one that is old enough is pruned
-- to guids; a resource is then folded again from its state in the seal.

CREATE TABLE seal (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    sequence      INTEGER NOT NULL,  -- number of the last input before it
    sealed_at     INTEGER NOT NULL,
    resources     INTEGER NOT NULL,  -- how many it holds
    digest        TEXT    NOT NULL,  -- SHA-256 of their states, hexadecimal
    pruned_at     INTEGER,           -- number of the last input when what entered the fold before it was pruned; null: it isn't
    PRIMARY KEY (foundation_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE seal_chunk (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    sequence      INTEGER NOT NULL,  -- of the seal
    first_id      INTEGER NOT NULL,  -- of the first resource in it
    states        BLOB    NOT NULL,  -- states of resources, JSON, one a line, by id (zstd)
    PRIMARY KEY (foundation_id, sequence, first_id)
) STRICT;

ALTER TABLE archive_chunk ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1));  -- 1: bodies hold guids only

-- Final lines stay, whatever the statement.
CREATE TRIGGER no_line_moves_into_a_final_invoice BEFORE UPDATE OF invoice_id ON invoice_line
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

-- Which invoices charge for an organization.
CREATE INDEX invoice_line_organization ON invoice_line (foundation, organization_guid);
