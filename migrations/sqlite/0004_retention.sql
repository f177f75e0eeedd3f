-- Seals: a foundation's ledger as it was after an input. What entered the fold before one that is old enough is pruned
-- to guids; a resource is then folded again from its state in the seal.

CREATE TABLE seal (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    sequence      INTEGER NOT NULL,  -- number of the last input before it
    sealed_at     INTEGER NOT NULL,
    resources     INTEGER NOT NULL,  -- how many it holds
    digest        TEXT    NOT NULL,  -- SHA-256 of their states, hexadecimal
    pruned        INTEGER NOT NULL CHECK (pruned IN (0, 1)),  -- 1: what entered the fold before it is pruned, or being pruned
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

-- Which invoices charge for an organization.
CREATE INDEX invoice_line_organization ON invoice_line (foundation, organization_guid);
