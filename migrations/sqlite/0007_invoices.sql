-- What finance files: particulars, dates, credit notes, corrections, documents, what an invoice rests on.

-- Annotations beside labels.
CREATE TABLE label_new (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    owner         TEXT    NOT NULL
        CHECK (owner IN ('organization', 'space', 'organization_annotation', 'space_annotation')),
    guid          TEXT    NOT NULL,
    key           TEXT    NOT NULL,
    value         TEXT    NOT NULL,
    PRIMARY KEY (foundation_id, owner, guid, key)
) STRICT, WITHOUT ROWID;
INSERT INTO label_new (foundation_id, owner, guid, key, value)
SELECT foundation_id, owner, guid, key, value FROM label;
DROP TABLE label;
ALTER TABLE label_new RENAME TO label;

ALTER TABLE invoice ADD COLUMN kind TEXT NOT NULL DEFAULT 'invoice' CHECK (kind IN ('invoice', 'credit_note'));
ALTER TABLE invoice ADD COLUMN in_review INTEGER NOT NULL DEFAULT 0 CHECK (in_review IN (0, 1));  -- 1: a draft that won't change by itself any more
ALTER TABLE invoice ADD COLUMN issued_on     TEXT;     -- a date in the billing time zone
ALTER TABLE invoice ADD COLUMN due_on        TEXT;     -- a date; null: nothing is to be paid
ALTER TABLE invoice ADD COLUMN corrects      TEXT;     -- of a credit note: the number of the invoice
ALTER TABLE invoice ADD COLUMN reason        TEXT;     -- of a credit note: why, in words
ALTER TABLE invoice ADD COLUMN replaces      INTEGER NOT NULL DEFAULT 0;  -- id of the invoice, given back as a whole, in whose place it is; 0: none
ALTER TABLE invoice ADD COLUMN reopens INTEGER NOT NULL DEFAULT 0 CHECK (reopens IN (0, 1));  -- 1: a credit note after which the month is invoiced anew
ALTER TABLE invoice ADD COLUMN particulars   TEXT;     -- JSON: seller, buyer, terms, language; null: made by an earlier version
ALTER TABLE invoice ADD COLUMN tax_exemption TEXT;     -- why there is no tax, in words
ALTER TABLE invoice ADD COLUMN previous_net  INTEGER;  -- net of the account's invoice of the month before
DROP INDEX invoice_account_period;
CREATE UNIQUE INDEX invoice_account_period ON invoice (account, period_start, replaces) WHERE kind = 'invoice';
CREATE INDEX invoice_corrects ON invoice (corrects) WHERE corrects IS NOT NULL;

ALTER TABLE invoice_line ADD COLUMN list_price TEXT;     -- a decimal: the price for everyone; null: the same, or none
ALTER TABLE invoice_line ADD COLUMN discount   INTEGER;  -- its share of discounts and of what a commitment covers; null: nothing
ALTER TABLE invoice_line ADD COLUMN days       TEXT;     -- JSON: used on each day of the period; null: not known
ALTER TABLE invoice_line ADD COLUMN basis_row  INTEGER;  -- lines of the same row charge for parts of the same usage

-- What is charged or given back of final invoices, line by line.
CREATE TABLE invoice_correction (
    invoice_id     INTEGER NOT NULL REFERENCES invoice (id),  -- the credit note, or the later invoice
    position       INTEGER NOT NULL,  -- 1, 2, 3 …
    number         TEXT    NOT NULL,  -- the corrected invoice
    line           INTEGER,           -- its line, from 1; null: none of its lines
    month          TEXT    NOT NULL,
    started_at     INTEGER NOT NULL,  -- when what is corrected was used
    ended_at       INTEGER NOT NULL,
    what           TEXT    NOT NULL,  -- in words
    subject        TEXT,              -- JSON: what the line is for; null: of something beside the lines
    meter          TEXT,
    quantity       INTEGER NOT NULL,  -- change of the quantity
    unit_size      INTEGER NOT NULL,
    price          TEXT,              -- a decimal
    amount_before  INTEGER NOT NULL,  -- charged so far
    amount_after   INTEGER NOT NULL,  -- what it comes to now
    cause          TEXT    NOT NULL CHECK (cause IN ('credited', 'usage', 'rate', 'shared', 'adjustment')),
    rate_card_hash TEXT    NOT NULL,  -- what it comes to now is by this card
    PRIMARY KEY (invoice_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX invoice_correction_number ON invoice_correction (number);
CREATE TRIGGER final_correction_stays BEFORE UPDATE ON invoice_correction
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_correction_remains BEFORE DELETE ON invoice_correction
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_corrections_are_all BEFORE INSERT ON invoice_correction
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

-- Whose usage of when an invoice charges for: what is here is charged to nobody else.
CREATE TABLE invoice_coverage (
    invoice_id        INTEGER NOT NULL REFERENCES invoice (id),
    foundation        TEXT    NOT NULL,
    organization_guid TEXT    NOT NULL,
    space_guid        TEXT    NOT NULL,
    started_at        INTEGER NOT NULL,
    ended_at          INTEGER NOT NULL,
    PRIMARY KEY (invoice_id, foundation, organization_guid, space_guid, started_at)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER final_coverage_stays BEFORE UPDATE ON invoice_coverage
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_coverage_is_all BEFORE INSERT ON invoice_coverage
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_coverage_remains BEFORE DELETE ON invoice_coverage
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

-- The ledger entries and open intervals that the lines of a final invoice rest on.
CREATE TABLE invoice_basis (
    invoice_id INTEGER PRIMARY KEY REFERENCES invoice (id),
    body       BLOB NOT NULL  -- zstd, lines of JSON
) STRICT;
CREATE TRIGGER final_basis_stays BEFORE UPDATE ON invoice_basis
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_basis_is_all BEFORE INSERT ON invoice_basis
WHEN (SELECT status FROM invoice WHERE id = new.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;
CREATE TRIGGER final_basis_remains BEFORE DELETE ON invoice_basis
WHEN (SELECT status FROM invoice WHERE id = old.invoice_id) = 'final'
BEGIN SELECT raise(ABORT, 'a final invoice never changes'); END;

-- Documents of final invoices, made once.
CREATE TABLE invoice_document (
    invoice_id INTEGER NOT NULL REFERENCES invoice (id),
    format     TEXT    NOT NULL,  -- html, pdf, csv, json, ubl, facturx
    renderer   TEXT    NOT NULL,  -- version of what made it
    made_at    INTEGER NOT NULL,
    sha256     TEXT    NOT NULL,  -- hexadecimal
    body       BLOB    NOT NULL,
    PRIMARY KEY (invoice_id, format)
) STRICT;
CREATE TRIGGER document_stays BEFORE UPDATE ON invoice_document
BEGIN SELECT raise(ABORT, 'a document never changes'); END;
CREATE TRIGGER document_remains BEFORE DELETE ON invoice_document
BEGIN SELECT raise(ABORT, 'a document is never deleted'); END;

-- What a final invoice's period costs now beside what was invoiced, as last computed.
CREATE TABLE invoice_recalculation (
    invoice_id     INTEGER PRIMARY KEY REFERENCES invoice (id),
    computed_at    INTEGER NOT NULL,
    rate_card_hash TEXT    NOT NULL REFERENCES rate_card (hash),
    pinned         INTEGER NOT NULL CHECK (pinned IN (0, 1)),  -- 1: somebody said that this card is the right one
    reason         TEXT,
    net            INTEGER NOT NULL,  -- added to what was invoiced
    body           TEXT    NOT NULL   -- JSON: line by line
) STRICT;

-- Accounts' months that somebody held back.
CREATE TABLE invoice_hold (
    account        TEXT    NOT NULL,
    month          TEXT    NOT NULL,
    held_at        INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    released_at    INTEGER,
    release_reason TEXT,
    PRIMARY KEY (account, month, held_at)
) STRICT, WITHOUT ROWID;

CREATE VIEW invoice_corrections AS
SELECT
    invoice.number, invoice.status, invoice.kind, invoice.account_name AS account, correction.position,
    correction.number AS corrects, correction.line, correction.month, correction.what, correction.meter,
    correction.quantity, correction.unit_size, correction.price, correction.amount_before, correction.amount_after,
    correction.amount_after - correction.amount_before AS amount, invoice.currency, correction.cause
FROM invoice_correction AS correction
JOIN invoice ON invoice.id = correction.invoice_id;
