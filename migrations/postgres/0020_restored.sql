-- Numbers that a restored book lacked: what was recorded as lost, and what was brought back from its documents.

CREATE TABLE invoice_lost (
    series       text COLLATE "C" NOT NULL REFERENCES invoice_series (name),
    first_number bigint      NOT NULL,
    last_number  bigint      NOT NULL,
    reason       text        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (series, first_number)
);
CREATE TRIGGER lost_stays BEFORE UPDATE OR DELETE ON invoice_lost
    FOR EACH ROW EXECUTE FUNCTION refuse_change('what was recorded as lost stays so');
COMMENT ON TABLE invoice_lost IS 'Numbers that were issued and are in no book any more.';
COMMENT ON COLUMN invoice_lost.series IS 'Series they are of.';
COMMENT ON COLUMN invoice_lost.first_number IS 'The first of them.';
COMMENT ON COLUMN invoice_lost.last_number IS 'The last of them.';
COMMENT ON COLUMN invoice_lost.reason IS 'Why, as somebody wrote it.';
COMMENT ON COLUMN invoice_lost.recorded_at IS 'When somebody said so.';

CREATE TABLE invoice_adopted (
    invoice_id bigint PRIMARY KEY REFERENCES invoice (id),
    before     text,
    adopted_at timestamptz NOT NULL
);
CREATE TRIGGER adopted_stays BEFORE UPDATE OR DELETE ON invoice_adopted
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a final invoice never changes');
COMMENT ON TABLE invoice_adopted IS 'Final invoices that were brought back from their documents into a restored book.';
COMMENT ON COLUMN invoice_adopted.invoice_id IS 'Invoice or credit note.';
COMMENT ON COLUMN invoice_adopted.before IS 'Digest of the one before it in its series; null: it was the first.';
COMMENT ON COLUMN invoice_adopted.adopted_at IS 'When it was brought back.';
