-- What a final invoice was priced by, beside its card: late usage of its month is priced by the same.

ALTER TABLE invoice ADD COLUMN rules integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN invoice.rules IS 'number of the rules of rating and invoicing that it was made by';
ALTER TABLE invoice ADD COLUMN accounts_hash text COLLATE "C";
COMMENT ON COLUMN invoice.accounts_hash IS 'SHA-256 of the accounts file; null: there was none, or an earlier version made it';
ALTER TABLE invoice_coverage ADD COLUMN labels text;
COMMENT ON COLUMN invoice_coverage.labels IS 'JSON: labels and annotations of the place; null: an earlier version made it';

-- Accounts files that final invoices were made with: whose usage is that is learned late, is by them.
CREATE TABLE accounts_file (
    hash    text COLLATE "C" NOT NULL PRIMARY KEY,
    kept_at timestamptz NOT NULL,
    body    text        NOT NULL
);
COMMENT ON TABLE accounts_file IS 'Accounts files that final invoices were made with: whose usage is that is learned late, is by them.';
COMMENT ON COLUMN accounts_file.hash IS 'SHA-256 of its text';
COMMENT ON COLUMN accounts_file.kept_at IS 'when it was first used';
COMMENT ON COLUMN accounts_file.body IS 'Its text, TOML.';

-- How far the ledger is in what final months were compared with: what came since may concern them.
CREATE TABLE compared_through (
    foundation_id bigint NOT NULL PRIMARY KEY REFERENCES foundation (id),
    entry         bigint NOT NULL,
    sequence      bigint NOT NULL
);
COMMENT ON TABLE compared_through IS 'How far the ledger is in what final months were compared with: what came since may concern them.';
COMMENT ON COLUMN compared_through.foundation_id IS 'The foundation.';
COMMENT ON COLUMN compared_through.entry IS 'Number of its last ledger entry then.';
COMMENT ON COLUMN compared_through.sequence IS 'Number of its last archived input then.';

-- Months of which something was credited since: they are compared once more.
CREATE TABLE to_compare (
    month text COLLATE "C" NOT NULL PRIMARY KEY
);
COMMENT ON TABLE to_compare IS 'Months of which something was credited since they were compared: they are compared once more.';
COMMENT ON COLUMN to_compare.month IS 'The month, yyyy-mm.';
