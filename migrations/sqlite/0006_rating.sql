-- What rate cards of the second kind need: guids of buildpacks, labels, parts of lines, adjustments and tax.

ALTER TABLE buildpack ADD COLUMN guid TEXT;  -- the newest seen with that name; null for custom URLs

-- What a resource used from a time on.
DROP INDEX ledger_entry_resource;
CREATE INDEX ledger_entry_resource ON ledger_entry (resource_id, ended_at);

-- Labels of organizations and spaces, as last read.
CREATE TABLE label (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    owner         TEXT    NOT NULL CHECK (owner IN ('organization', 'space')),
    guid          TEXT    NOT NULL,  -- of the organization or space
    key           TEXT    NOT NULL,
    value         TEXT    NOT NULL,
    PRIMARY KEY (foundation_id, owner, guid, key)
) STRICT, WITHOUT ROWID;

-- The tax on net; null where the rate card names none.
ALTER TABLE invoice ADD COLUMN tax_name     TEXT;
ALTER TABLE invoice ADD COLUMN tax_category TEXT;     -- EN 16931: S, Z, E, AE, K, G or O
ALTER TABLE invoice ADD COLUMN tax_percent  TEXT;     -- a decimal
ALTER TABLE invoice ADD COLUMN tax          INTEGER;

ALTER TABLE invoice_line ADD COLUMN used        INTEGER;  -- the quantity before lengths were rounded; null: the same
ALTER TABLE invoice_line ADD COLUMN part        TEXT NOT NULL DEFAULT 'whole';  -- whole, allowance NAME, tier N, packages N
ALTER TABLE invoice_line ADD COLUMN granularity TEXT;     -- how lengths were rounded; null: by the second

-- Discounts, commitments and minimums, in the order in which they were applied.
CREATE TABLE invoice_adjustment (
    invoice_id INTEGER NOT NULL REFERENCES invoice (id),
    position   INTEGER NOT NULL,  -- 1, 2, 3 …
    adjustment TEXT    NOT NULL CHECK (adjustment IN ('discount', 'commitment', 'covered', 'minimum')),
    name       TEXT    NOT NULL,
    basis      INTEGER,           -- what it is computed from
    percent    TEXT,              -- a decimal
    amount     INTEGER NOT NULL,  -- less than zero if it is taken off
    PRIMARY KEY (invoice_id, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER final_adjustment_stays BEFORE UPDATE ON invoice_adjustment
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_adjustment_remains BEFORE DELETE ON invoice_adjustment
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_adjustments_are_all BEFORE INSERT ON invoice_adjustment
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

DROP VIEW invoice_lines;
CREATE VIEW invoice_lines AS
SELECT
    invoice.number, invoice.status, invoice.account_name AS account, invoice.month, line.position,
    line.organization_name AS organization, line.space_name AS space, line.kind,
    coalesce(line.app_name, line.service_instance_name) AS name, line.buildpack,
    line.service_offering_name AS service_offering, line.service_plan_name AS service_plan,
    datetime(line.started_at, 'unixepoch') AS started_at, datetime(line.ended_at, 'unixepoch') AS ended_at,
    line.meter, line.part, coalesce(line.used, line.quantity) AS used, line.quantity, line.unit_size, line.price,
    line.amount, invoice.currency, line.estimated
FROM invoice_line AS line
JOIN invoice ON invoice.id = line.invoice_id;
