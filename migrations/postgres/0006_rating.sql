-- What rate cards of the second kind need: guids of buildpacks, labels, parts of lines, adjustments and tax.

ALTER TABLE buildpack ADD COLUMN guid text;

-- What a resource used from a time on.
DROP INDEX ledger_entry_resource;
CREATE INDEX ledger_entry_resource ON ledger_entry (resource_id, ended_at);

CREATE TABLE label (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    owner text NOT NULL CHECK (owner IN ('organization', 'space')),
    guid text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (foundation_id, owner, guid, key)
);

ALTER TABLE invoice ADD COLUMN tax_name text;
ALTER TABLE invoice ADD COLUMN tax_category text;
ALTER TABLE invoice ADD COLUMN tax_percent numeric;
ALTER TABLE invoice ADD COLUMN tax numeric;

ALTER TABLE invoice_line ADD COLUMN used bigint;
ALTER TABLE invoice_line ADD COLUMN part text NOT NULL DEFAULT 'whole';
ALTER TABLE invoice_line ADD COLUMN granularity text;

CREATE TABLE invoice_adjustment (
    invoice_id bigint NOT NULL REFERENCES invoice (id),
    position bigint NOT NULL,
    adjustment text NOT NULL CHECK (adjustment IN ('discount', 'commitment', 'covered', 'minimum')),
    name text NOT NULL,
    basis numeric,
    percent numeric,
    amount numeric NOT NULL,
    PRIMARY KEY (invoice_id, position)
);

CREATE FUNCTION refuse_change_of_final_adjustments() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    adjusted invoice_adjustment := CASE WHEN TG_OP = 'INSERT' THEN new ELSE old END;
BEGIN
    IF (SELECT status FROM invoice WHERE id = adjusted.invoice_id) = 'final' THEN
        RAISE EXCEPTION 'a final invoice never changes';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN old ELSE new END;
END $$;
CREATE TRIGGER final_adjustments_stay BEFORE INSERT OR UPDATE OR DELETE ON invoice_adjustment
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_final_adjustments();
CREATE TRIGGER invoice_adjustments_are_not_truncated BEFORE TRUNCATE ON invoice_adjustment
    EXECUTE FUNCTION refuse_change('invoices are never truncated');

DROP VIEW invoice_lines;
CREATE VIEW invoice_lines AS
SELECT
    invoice.number, invoice.status, invoice.account_name AS account, invoice.month, line.position,
    line.organization_name AS organization, line.space_name AS space, line.kind,
    coalesce(line.app_name, line.service_instance_name) AS name, line.buildpack,
    line.service_offering_name AS service_offering, line.service_plan_name AS service_plan,
    line.started_at, line.ended_at,
    line.meter, line.part, coalesce(line.used, line.quantity) AS used, line.quantity, line.unit_size, line.price,
    line.amount, invoice.currency, line.estimated
FROM invoice_line AS line
JOIN invoice ON invoice.id = line.invoice_id;

COMMENT ON COLUMN buildpack.guid IS 'The newest guid seen with that name; null for custom URLs.';
COMMENT ON TABLE label IS 'Labels of organizations and spaces, as last read.';
COMMENT ON COLUMN label.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN label.owner IS 'organization or space.';
COMMENT ON COLUMN label.guid IS 'Of the organization or space.';
COMMENT ON COLUMN label.key IS 'The label''s key, with its prefix if it has one.';
COMMENT ON COLUMN label.value IS 'The label''s value.';
COMMENT ON COLUMN invoice.tax_name IS 'The tax on net, such as VAT; null where the rate card names none.';
COMMENT ON COLUMN invoice.tax_category IS 'Its category in EN 16931: S, Z, E, AE, K, G or O.';
COMMENT ON COLUMN invoice.tax_percent IS 'Its percentage.';
COMMENT ON COLUMN invoice.tax IS 'Its amount, beside net.';
COMMENT ON COLUMN invoice_line.used IS 'The quantity before lengths were rounded; null: the same.';
COMMENT ON COLUMN invoice_line.part IS 'What part of the usage it charges for: whole, allowance NAME, tier N or packages N.';
COMMENT ON COLUMN invoice_line.granularity IS 'How lengths were rounded; null: by the second.';
COMMENT ON TABLE invoice_adjustment IS 'Discounts, commitments and minimums of an invoice, in the order in which they were applied.';
COMMENT ON COLUMN invoice_adjustment.invoice_id IS 'Invoice it is on.';
COMMENT ON COLUMN invoice_adjustment.position IS '1, 2, 3 …';
COMMENT ON COLUMN invoice_adjustment.adjustment IS 'discount, commitment, covered or minimum.';
COMMENT ON COLUMN invoice_adjustment.name IS 'As the rate card names it.';
COMMENT ON COLUMN invoice_adjustment.basis IS 'What it is computed from.';
COMMENT ON COLUMN invoice_adjustment.percent IS 'Of that; null if it is an amount.';
COMMENT ON COLUMN invoice_adjustment.amount IS 'Added to net; less than zero if it is taken off.';
COMMENT ON VIEW invoice_lines IS 'For people: what each invoice charges for.';
