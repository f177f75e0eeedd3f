-- Names are facts: each has its time and its place in its stream, so that the order of arrival says nothing.
-- What has none is older than everything that has.

ALTER TABLE organization ADD COLUMN named_at INTEGER;  -- when the name was told
ALTER TABLE organization ADD COLUMN named_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE app ADD COLUMN named_at INTEGER;  -- when the name was told
ALTER TABLE app ADD COLUMN named_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE service_offering ADD COLUMN named_at INTEGER;  -- when the name was told
ALTER TABLE service_offering ADD COLUMN named_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE service_plan ADD COLUMN named_at INTEGER;  -- when the name was told
ALTER TABLE service_plan ADD COLUMN named_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE service_plan ADD COLUMN offering_at INTEGER;  -- when the offering was told
ALTER TABLE service_plan ADD COLUMN offering_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE resource ADD COLUMN named_at INTEGER;  -- when the name was told
ALTER TABLE resource ADD COLUMN named_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE buildpack ADD COLUMN guid_at INTEGER;  -- when the guid was told
ALTER TABLE buildpack ADD COLUMN guid_place TEXT;  -- where in its stream: ordinal and fraction, hexadecimal; null: beside the streams
ALTER TABLE space ADD COLUMN named_place TEXT;  -- always null: events of both streams name spaces
