-- Which PostgreSQL server numbers were issued on; there is none of a file.

CREATE TABLE invoice_server (
    series      TEXT PRIMARY KEY,
    cluster     TEXT    NOT NULL,
    timeline    INTEGER NOT NULL,
    synchronous INTEGER NOT NULL CHECK (synchronous IN (0, 1)),
    seen_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
