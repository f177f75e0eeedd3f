-- Rate cards in use, invoices and their lines. Amounts are integers of the currency's smallest unit;
-- prices are decimal text, never summed. What is final never changes: triggers see to it.

-- A rate card's text, by its hash; every invoice names the one it was made with.
CREATE TABLE rate_card (
    hash       TEXT    PRIMARY KEY,  -- SHA-256 of the text, hexadecimal
    name       TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    body       TEXT    NOT NULL,     -- TOML
    first_used INTEGER NOT NULL
) STRICT;

-- The last number given in each series: 1, 2, 3 … without gaps.
CREATE TABLE invoice_series (
    name        TEXT    PRIMARY KEY,
    last_number INTEGER NOT NULL
) STRICT;

CREATE TABLE invoice (
    id             INTEGER PRIMARY KEY,
    status         TEXT    NOT NULL CHECK (status IN ('draft', 'final')),
    series         TEXT    REFERENCES invoice_series (name),
    series_number  INTEGER,
    number         TEXT    UNIQUE,   -- as printed: series and number
    account        TEXT    NOT NULL, -- foundation/organization guid
    account_name   TEXT,
    seller         TEXT,
    month          TEXT    NOT NULL, -- 2026-10
    period_start   INTEGER NOT NULL,
    period_end     INTEGER NOT NULL,
    time_zone      TEXT    NOT NULL, -- of the month
    currency       TEXT    NOT NULL,
    net            INTEGER NOT NULL, -- sum of the lines' amounts
    estimated      INTEGER NOT NULL, -- of net, what rests on estimated usage
    rate_card_hash TEXT    NOT NULL REFERENCES rate_card (hash),
    rated_through  INTEGER,          -- usage is complete up to here
    drafted_at     INTEGER NOT NULL,
    finalized_at   INTEGER,
    UNIQUE (series, series_number),
    CHECK ((status = 'final') = (number IS NOT NULL AND finalized_at IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX invoice_account_period ON invoice (account, period_start);

CREATE TABLE invoice_line (
    invoice_id             INTEGER NOT NULL REFERENCES invoice (id),
    position               INTEGER NOT NULL,  -- 1, 2, 3 …
    foundation             TEXT    NOT NULL,
    organization_guid      TEXT    NOT NULL,
    organization_name      TEXT,
    space_guid             TEXT    NOT NULL,
    space_name             TEXT,
    kind                   TEXT    NOT NULL,
    app_guid               TEXT,
    app_name               TEXT,
    service_instance_guid  TEXT,
    service_instance_name  TEXT,
    service_offering_guid  TEXT,
    service_offering_name  TEXT,
    service_plan_guid      TEXT,
    service_plan_name      TEXT,
    buildpack              TEXT,
    estimated              INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    started_at             INTEGER NOT NULL,  -- the part of the period the line is for
    ended_at               INTEGER NOT NULL,
    meter                  TEXT    NOT NULL,
    quantity               INTEGER NOT NULL,  -- instance-seconds or MiB-seconds
    unit_size              INTEGER NOT NULL,  -- how much of the quantity one price is for
    price                  TEXT,              -- null: no rate is for it
    amount                 INTEGER,
    rate                   TEXT,
    PRIMARY KEY (invoice_id, position),
    CHECK ((price IS NULL) = (amount IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER final_invoice_stays BEFORE UPDATE ON invoice WHEN old.status = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_invoice_remains BEFORE DELETE ON invoice WHEN old.status = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice is never deleted'); END;
CREATE TRIGGER final_line_stays BEFORE UPDATE ON invoice_line
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_line_remains BEFORE DELETE ON invoice_line
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_lines_are_all BEFORE INSERT ON invoice_line
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

-- For people: what each invoice charges for.
CREATE VIEW invoice_lines AS
SELECT
    invoice.number, invoice.status, invoice.account_name AS account, invoice.month, line.position,
    line.organization_name AS organization, line.space_name AS space, line.kind,
    coalesce(line.app_name, line.service_instance_name) AS name, line.buildpack,
    line.service_offering_name AS service_offering, line.service_plan_name AS service_plan,
    datetime(line.started_at, 'unixepoch') AS started_at, datetime(line.ended_at, 'unixepoch') AS ended_at,
    line.meter, line.quantity, line.unit_size, line.price, line.amount, invoice.currency, line.estimated
FROM invoice_line AS line
JOIN invoice ON invoice.id = line.invoice_id;
