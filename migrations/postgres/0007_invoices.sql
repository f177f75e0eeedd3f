-- What finance files: particulars, dates, credit notes, corrections, documents, what an invoice rests on.

-- Annotations beside labels.
ALTER TABLE label DROP CONSTRAINT label_owner_check;
ALTER TABLE label ADD CONSTRAINT label_owner_check
    CHECK (owner IN ('organization', 'space', 'organization_annotation', 'space_annotation'));
-- Books are read in the order of bytes, on every database.
ALTER TABLE label ALTER COLUMN owner TYPE text COLLATE "C", ALTER COLUMN guid TYPE text COLLATE "C",
    ALTER COLUMN key TYPE text COLLATE "C";

ALTER TABLE invoice ADD COLUMN kind text NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'credit_note'));
ALTER TABLE invoice ADD COLUMN in_review boolean NOT NULL DEFAULT false;
ALTER TABLE invoice ADD COLUMN issued_on text;
ALTER TABLE invoice ADD COLUMN due_on text;
ALTER TABLE invoice ADD COLUMN corrects text;
ALTER TABLE invoice ADD COLUMN reason text;
ALTER TABLE invoice ADD COLUMN replaces bigint NOT NULL DEFAULT 0;
ALTER TABLE invoice ADD COLUMN reopens boolean NOT NULL DEFAULT false;
ALTER TABLE invoice ADD COLUMN particulars text;
ALTER TABLE invoice ADD COLUMN tax_exemption text;
ALTER TABLE invoice ADD COLUMN previous_net numeric;
DROP INDEX invoice_account_period;
CREATE UNIQUE INDEX invoice_account_period ON invoice (account, period_start, replaces) WHERE kind = 'invoice';
CREATE INDEX invoice_corrects ON invoice (corrects) WHERE corrects IS NOT NULL;

ALTER TABLE invoice_line ADD COLUMN list_price numeric;
ALTER TABLE invoice_line ADD COLUMN discount numeric;
ALTER TABLE invoice_line ADD COLUMN days text;
ALTER TABLE invoice_line ADD COLUMN basis_row bigint;

-- What is charged or given back of final invoices, line by line.
CREATE TABLE invoice_correction (
    invoice_id bigint NOT NULL REFERENCES invoice (id),
    position bigint NOT NULL,
    number text NOT NULL,
    line bigint,
    month text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    what text NOT NULL,
    subject text,
    meter text,
    quantity bigint NOT NULL,
    unit_size bigint NOT NULL,
    price numeric,
    amount_before numeric NOT NULL,
    amount_after numeric NOT NULL,
    cause text NOT NULL CHECK (cause IN ('credited', 'usage', 'rate', 'shared', 'adjustment')),
    rate_card_hash text NOT NULL,
    PRIMARY KEY (invoice_id, position)
);
CREATE INDEX invoice_correction_number ON invoice_correction (number);

-- Whose usage of when an invoice charges for: what is here is charged to nobody else.
CREATE TABLE invoice_coverage (
    invoice_id bigint NOT NULL REFERENCES invoice (id),
    foundation text COLLATE "C" NOT NULL,
    organization_guid text COLLATE "C" NOT NULL,
    space_guid text COLLATE "C" NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    PRIMARY KEY (invoice_id, foundation, organization_guid, space_guid, started_at)
);

-- The ledger entries and open intervals that the lines of a final invoice rest on.
CREATE TABLE invoice_basis (
    invoice_id bigint PRIMARY KEY REFERENCES invoice (id),
    body bytea NOT NULL
);

-- Documents of final invoices, made once.
CREATE TABLE invoice_document (
    invoice_id bigint NOT NULL REFERENCES invoice (id),
    format text COLLATE "C" NOT NULL,
    renderer text NOT NULL,
    made_at timestamptz NOT NULL,
    sha256 text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (invoice_id, format)
);

-- What a final invoice's period costs now beside what was invoiced, as last computed.
CREATE TABLE invoice_recalculation (
    invoice_id bigint PRIMARY KEY REFERENCES invoice (id),
    computed_at timestamptz NOT NULL,
    rate_card_hash text NOT NULL REFERENCES rate_card (hash),
    pinned boolean NOT NULL,
    reason text,
    net numeric NOT NULL,
    body text NOT NULL
);

-- Accounts' months that somebody held back.
CREATE TABLE invoice_hold (
    account text COLLATE "C" NOT NULL,
    month text COLLATE "C" NOT NULL,
    held_at timestamptz NOT NULL,
    reason text NOT NULL,
    released_at timestamptz,
    release_reason text,
    PRIMARY KEY (account, month, held_at)
);

CREATE FUNCTION refuse_change_of_final_parts() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    invoice_of bigint := CASE WHEN TG_OP = 'INSERT' THEN new.invoice_id ELSE old.invoice_id END;
BEGIN
    IF (SELECT status FROM invoice WHERE id = invoice_of) = 'final' THEN
        RAISE EXCEPTION 'a final invoice never changes';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN old ELSE new END;
END $$;
CREATE TRIGGER final_corrections_stay BEFORE INSERT OR UPDATE OR DELETE ON invoice_correction
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_final_parts();
CREATE TRIGGER final_coverage_stays BEFORE INSERT OR UPDATE OR DELETE ON invoice_coverage
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_final_parts();
CREATE TRIGGER final_basis_stays BEFORE INSERT OR UPDATE OR DELETE ON invoice_basis
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_final_parts();
CREATE TRIGGER document_stays BEFORE UPDATE OR DELETE ON invoice_document
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a document never changes');
CREATE TRIGGER invoice_corrections_are_not_truncated BEFORE TRUNCATE ON invoice_correction
    EXECUTE FUNCTION refuse_change('invoices are never truncated');
CREATE TRIGGER invoice_coverage_is_not_truncated BEFORE TRUNCATE ON invoice_coverage
    EXECUTE FUNCTION refuse_change('invoices are never truncated');
CREATE TRIGGER invoice_basis_is_not_truncated BEFORE TRUNCATE ON invoice_basis
    EXECUTE FUNCTION refuse_change('invoices are never truncated');
CREATE TRIGGER documents_are_not_truncated BEFORE TRUNCATE ON invoice_document
    EXECUTE FUNCTION refuse_change('documents are never truncated');

DROP VIEW invoices;
CREATE VIEW invoices AS
SELECT
    invoice.number, invoice.kind, CASE WHEN invoice.in_review THEN 'in_review' ELSE invoice.status END AS status,
    invoice.account_name AS account, invoice.account AS account_id, invoice.month, invoice.period_start,
    invoice.period_end, invoice.time_zone, invoice.net, invoice.tax, invoice.net + coalesce(invoice.tax, 0) AS gross,
    invoice.estimated, invoice.currency, invoice.issued_on, invoice.due_on, invoice.corrects, invoice.reason,
    invoice.rated_through, invoice.drafted_at, invoice.finalized_at, rate_card.name AS rate_card,
    (SELECT count(*) FROM invoice_line AS line WHERE line.invoice_id = invoice.id) AS lines,
    (SELECT count(*) FROM invoice_line AS line WHERE line.invoice_id = invoice.id AND line.price IS NULL)
        AS unpriced_lines
FROM invoice
JOIN rate_card ON rate_card.hash = invoice.rate_card_hash;

CREATE VIEW invoice_corrections AS
SELECT
    invoice.number, invoice.status, invoice.kind, invoice.account_name AS account, correction.position,
    correction.number AS corrects, correction.line, correction.month, correction.what, correction.meter,
    correction.quantity, correction.unit_size, correction.price, correction.amount_before, correction.amount_after,
    correction.amount_after - correction.amount_before AS amount, invoice.currency, correction.cause
FROM invoice_correction AS correction
JOIN invoice ON invoice.id = correction.invoice_id;

COMMENT ON COLUMN label.owner IS 'organization or space; organization_annotation or space_annotation: an annotation of one.';
COMMENT ON COLUMN invoice.kind IS 'invoice or credit_note.';
COMMENT ON COLUMN invoice.in_review IS 'A draft whose period, grace time and last sweep are over: it changes no more by itself.';
COMMENT ON COLUMN invoice.issued_on IS 'Issue date in the billing time zone, yyyy-mm-dd; null of drafts and of what earlier versions made.';
COMMENT ON COLUMN invoice.due_on IS 'Until when to pay, yyyy-mm-dd; null where nothing is to be paid.';
COMMENT ON COLUMN invoice.corrects IS 'Of a credit note: the number of the invoice it is about.';
COMMENT ON COLUMN invoice.reason IS 'Of a credit note: why it was made, in words.';
COMMENT ON COLUMN invoice.replaces IS 'Id of the invoice, given back as a whole, in whose place this one is; 0: none.';
COMMENT ON COLUMN invoice.reopens IS 'A credit note after which the month is invoiced anew.';
COMMENT ON COLUMN invoice.particulars IS 'JSON: seller, buyer, terms of payment, language; null: made by an earlier version.';
COMMENT ON COLUMN invoice.tax_exemption IS 'Why there is no tax, in words.';
COMMENT ON COLUMN invoice.previous_net IS 'Net of the account''s invoice of the month before, which this one is compared with.';
COMMENT ON COLUMN invoice_line.list_price IS 'The price for everyone where another one was agreed on; null: the same, or there is none.';
COMMENT ON COLUMN invoice_line.discount IS 'Its share of discounts and of what a commitment covers, zero or less; null: nothing.';
COMMENT ON COLUMN invoice_line.days IS 'JSON: what was used on each day of the period; null: not known.';
COMMENT ON COLUMN invoice_line.basis_row IS 'Lines of the same row charge for parts of the same usage.';
COMMENT ON TABLE invoice_correction IS 'What is charged or given back of final invoices, line by line.';
COMMENT ON COLUMN invoice_correction.invoice_id IS 'The credit note, or the later invoice.';
COMMENT ON COLUMN invoice_correction.position IS '1, 2, 3 …';
COMMENT ON COLUMN invoice_correction.number IS 'The corrected invoice.';
COMMENT ON COLUMN invoice_correction.line IS 'Its line, from 1; null: none of its lines.';
COMMENT ON COLUMN invoice_correction.month IS 'Its month.';
COMMENT ON COLUMN invoice_correction.started_at IS 'When what is corrected was used: from here …';
COMMENT ON COLUMN invoice_correction.ended_at IS '… to here, exclusive.';
COMMENT ON COLUMN invoice_correction.what IS 'What it is for, in words.';
COMMENT ON COLUMN invoice_correction.subject IS 'JSON: what the line is for; null: of something beside the lines.';
COMMENT ON COLUMN invoice_correction.meter IS 'What was counted.';
COMMENT ON COLUMN invoice_correction.quantity IS 'Change of the quantity.';
COMMENT ON COLUMN invoice_correction.unit_size IS 'How much of the quantity one price is for.';
COMMENT ON COLUMN invoice_correction.price IS 'The price now.';
COMMENT ON COLUMN invoice_correction.amount_before IS 'Charged so far, with earlier corrections.';
COMMENT ON COLUMN invoice_correction.amount_after IS 'What it comes to now.';
COMMENT ON COLUMN invoice_correction.cause IS 'credited, usage, rate, shared or adjustment.';
COMMENT ON COLUMN invoice_correction.rate_card_hash IS 'What it comes to now is by this rate card.';
COMMENT ON TABLE invoice_coverage IS 'Whose usage of when an invoice charges for: what is here is charged to nobody else.';
COMMENT ON COLUMN invoice_coverage.invoice_id IS 'The invoice.';
COMMENT ON COLUMN invoice_coverage.foundation IS 'Name of the foundation.';
COMMENT ON COLUMN invoice_coverage.organization_guid IS 'The organization.';
COMMENT ON COLUMN invoice_coverage.space_guid IS 'The space.';
COMMENT ON COLUMN invoice_coverage.started_at IS 'Charged from here …';
COMMENT ON COLUMN invoice_coverage.ended_at IS '… to here, exclusive.';
COMMENT ON TABLE invoice_basis IS 'The ledger entries and open intervals that the lines of a final invoice rest on.';
COMMENT ON COLUMN invoice_basis.invoice_id IS 'The invoice.';
COMMENT ON COLUMN invoice_basis.body IS 'zstd, lines of JSON; `invoices explain` reads it.';
COMMENT ON TABLE invoice_document IS 'Documents of final invoices, made once.';
COMMENT ON COLUMN invoice_document.invoice_id IS 'The invoice or credit note.';
COMMENT ON COLUMN invoice_document.format IS 'html, pdf, csv, json, ubl or facturx.';
COMMENT ON COLUMN invoice_document.renderer IS 'Version of what made it.';
COMMENT ON COLUMN invoice_document.made_at IS 'When it was made.';
COMMENT ON COLUMN invoice_document.sha256 IS 'Of the body, hexadecimal.';
COMMENT ON COLUMN invoice_document.body IS 'The document.';
COMMENT ON TABLE invoice_recalculation IS 'What a final invoice''s period costs now beside what was invoiced, as last computed.';
COMMENT ON COLUMN invoice_recalculation.invoice_id IS 'The final invoice.';
COMMENT ON COLUMN invoice_recalculation.computed_at IS 'When it was computed.';
COMMENT ON COLUMN invoice_recalculation.rate_card_hash IS 'By which rate card.';
COMMENT ON COLUMN invoice_recalculation.pinned IS 'Somebody said that this card is the right one.';
COMMENT ON COLUMN invoice_recalculation.reason IS 'Why, in words.';
COMMENT ON COLUMN invoice_recalculation.net IS 'Would be added to what was invoiced; less than zero: given back.';
COMMENT ON COLUMN invoice_recalculation.body IS 'JSON: line by line.';
COMMENT ON TABLE invoice_hold IS 'Accounts'' months that somebody held back.';
COMMENT ON COLUMN invoice_hold.account IS 'The account.';
COMMENT ON COLUMN invoice_hold.month IS 'The month.';
COMMENT ON COLUMN invoice_hold.held_at IS 'When it was held.';
COMMENT ON COLUMN invoice_hold.reason IS 'Why it is held.';
COMMENT ON COLUMN invoice_hold.released_at IS 'When it was released; null: it is held.';
COMMENT ON COLUMN invoice_hold.release_reason IS 'Why it was released.';
COMMENT ON VIEW invoices IS 'For people: invoices and credit notes with their rate card and how many lines they have.';
COMMENT ON VIEW invoice_corrections IS 'For people: what each credit note or invoice corrects of earlier ones.';
