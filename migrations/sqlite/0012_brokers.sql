-- Two brokers may each have an offering of one name: which broker an offering is of, newest told.

ALTER TABLE service_offering ADD COLUMN broker_guid TEXT;   -- null: no event told it
ALTER TABLE service_offering ADD COLUMN broker_name TEXT;   -- as it was told with the guid
ALTER TABLE service_offering ADD COLUMN broker_at INTEGER;  -- when the broker was told
ALTER TABLE service_offering ADD COLUMN broker_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams

-- Records that can't be read are looked up whenever their months are invoiced.
CREATE INDEX anomaly_kind ON anomaly (kind, at);
