-- One account's absurd usage stops only its own invoice.

ALTER TABLE invoice ADD COLUMN uncountable text;
COMMENT ON COLUMN invoice.uncountable IS 'of a draft without lines: why its usage can''t be counted; null: it can';
