-- One account's absurd usage stops only its own invoice.

ALTER TABLE invoice ADD COLUMN uncountable TEXT;  -- of a draft without lines: why its usage can't be counted; null: it can
