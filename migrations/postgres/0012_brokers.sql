-- Two brokers may each have an offering of one name: which broker an offering is of, newest told.

ALTER TABLE service_offering ADD COLUMN broker_guid text COLLATE "C";
ALTER TABLE service_offering ADD COLUMN broker_name text COLLATE "C";
ALTER TABLE service_offering ADD COLUMN broker_at timestamptz;
ALTER TABLE service_offering ADD COLUMN broker_place text COLLATE "C";

COMMENT ON COLUMN service_offering.broker_guid IS 'Guid of the service broker that it is of; null: no event told it.';
COMMENT ON COLUMN service_offering.broker_name IS 'Name of the service broker, as it was told with the guid.';
COMMENT ON COLUMN service_offering.broker_at IS 'When the broker was told.';
COMMENT ON COLUMN service_offering.broker_place IS 'Where the broker was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';

-- Records that can't be read are looked up whenever their months are invoiced.
CREATE INDEX anomaly_kind ON anomaly (kind, at);
