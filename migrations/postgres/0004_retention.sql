-- Seals: a foundation's ledger as it was after an input. What entered the fold before one that is old enough is pruned
-- to guids; a resource is then folded again from its state in the seal.

CREATE TABLE seal (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    sequence bigint NOT NULL,
    sealed_at timestamptz NOT NULL,
    resources bigint NOT NULL,
    digest text NOT NULL,
    pruned_at bigint,
    PRIMARY KEY (foundation_id, sequence)
);

CREATE TABLE seal_chunk (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    sequence bigint NOT NULL,
    first_id bigint NOT NULL,
    states bytea NOT NULL,
    PRIMARY KEY (foundation_id, sequence, first_id)
);

ALTER TABLE archive_chunk ADD COLUMN pruned boolean NOT NULL DEFAULT false;

COMMENT ON TABLE seal IS 'A foundation''s ledger as it was after an input, with a hash: what entered the fold before may be pruned.';
COMMENT ON COLUMN seal.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN seal.sequence IS 'Number of the last input before it.';
COMMENT ON COLUMN seal.sealed_at IS 'When it was made.';
COMMENT ON COLUMN seal.resources IS 'How many resources it holds.';
COMMENT ON COLUMN seal.digest IS 'SHA-256 of their states, hexadecimal.';
COMMENT ON COLUMN seal.pruned_at IS 'Number of the last input when what entered the fold before it was pruned; null: it isn''t.';
COMMENT ON TABLE seal_chunk IS 'States of resources in a seal.';
COMMENT ON COLUMN seal_chunk.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN seal_chunk.sequence IS 'Of the seal.';
COMMENT ON COLUMN seal_chunk.first_id IS 'Of the first resource in it.';
COMMENT ON COLUMN seal_chunk.states IS 'States of resources, JSON, one a line, by id (zstd).';
COMMENT ON COLUMN archive_chunk.pruned IS 'Its bodies hold guids only.';

-- Final lines stay, whatever the statement.
CREATE TRIGGER invoice_lines_are_not_truncated BEFORE TRUNCATE ON invoice_line
    EXECUTE FUNCTION refuse_change('a final invoice never changes');
CREATE FUNCTION refuse_line_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final' THEN
        RAISE EXCEPTION 'a final invoice never changes';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER no_line_moves_into_a_final_invoice BEFORE UPDATE OF invoice_id ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION refuse_line_moved();

-- Which invoices charge for an organization.
CREATE INDEX invoice_line_organization ON invoice_line (foundation, organization_guid);
