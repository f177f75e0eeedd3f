-- Which server numbers were issued on: one that takes over after a failover may lack the newest.

CREATE TABLE invoice_server (
    series      text COLLATE "C" PRIMARY KEY,
    cluster     text        NOT NULL,
    timeline    bigint      NOT NULL,
    synchronous boolean     NOT NULL,
    seen_at     timestamptz NOT NULL
);
COMMENT ON TABLE invoice_server IS 'The PostgreSQL server that numbers were last issued on; it stays behind when a book moves.';
COMMENT ON COLUMN invoice_server.series IS 'Series of the numbers; empty: any that has none yet.';
COMMENT ON COLUMN invoice_server.cluster IS 'System identifier of its cluster.';
COMMENT ON COLUMN invoice_server.timeline IS 'Its timeline; a failover or a restored backup begins a later one.';
COMMENT ON COLUMN invoice_server.synchronous IS 'A synchronous standby had what was committed.';
COMMENT ON COLUMN invoice_server.seen_at IS 'When that was.';
