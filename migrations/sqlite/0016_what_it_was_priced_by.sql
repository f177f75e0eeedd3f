-- What a final invoice was priced by, beside its card: late usage of its month is priced by the same.

ALTER TABLE invoice ADD COLUMN rules INTEGER NOT NULL DEFAULT 1;  -- number of the rules of rating and invoicing that it was made by
ALTER TABLE invoice ADD COLUMN accounts_hash TEXT;                -- SHA-256 of the accounts file; null: there was none, or an earlier version made it
ALTER TABLE invoice_coverage ADD COLUMN labels TEXT;              -- JSON: labels and annotations of the place; null: an earlier version made it

-- Accounts files that final invoices were made with: whose usage is that is learned late, is by them.
CREATE TABLE accounts_file (
    hash    TEXT    NOT NULL PRIMARY KEY,  -- SHA-256 of its text
    kept_at INTEGER NOT NULL,
    body    TEXT    NOT NULL               -- TOML
) STRICT, WITHOUT ROWID;

-- How far the ledger is in what final months were compared with: what came since may concern them.
CREATE TABLE compared_through (
    foundation_id INTEGER NOT NULL PRIMARY KEY REFERENCES foundation (id),
    entry         INTEGER NOT NULL,  -- number of its last ledger entry then
    sequence      INTEGER NOT NULL   -- of its last archived input then
) STRICT;

-- Months of which something was credited since: they are compared once more.
CREATE TABLE to_compare (
    month TEXT    NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
