-- Names are facts: each has its time and its place in its stream, so that the order of arrival says nothing.
-- What has none is older than everything that has.

ALTER TABLE organization ADD COLUMN named_at timestamptz;
ALTER TABLE organization ADD COLUMN named_place text COLLATE "C";
ALTER TABLE app ADD COLUMN named_at timestamptz;
ALTER TABLE app ADD COLUMN named_place text COLLATE "C";
ALTER TABLE service_offering ADD COLUMN named_at timestamptz;
ALTER TABLE service_offering ADD COLUMN named_place text COLLATE "C";
ALTER TABLE service_plan ADD COLUMN named_at timestamptz;
ALTER TABLE service_plan ADD COLUMN named_place text COLLATE "C";
ALTER TABLE service_plan ADD COLUMN offering_at timestamptz;
ALTER TABLE service_plan ADD COLUMN offering_place text COLLATE "C";
ALTER TABLE resource ADD COLUMN named_at timestamptz;
ALTER TABLE resource ADD COLUMN named_place text COLLATE "C";
ALTER TABLE buildpack ADD COLUMN guid_at timestamptz;
ALTER TABLE buildpack ADD COLUMN guid_place text COLLATE "C";
ALTER TABLE space ADD COLUMN named_place text COLLATE "C";

COMMENT ON COLUMN organization.named_at IS 'When the name was told; null: before this was noted.';
COMMENT ON COLUMN organization.named_place IS 'Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN app.named_at IS 'When the name was told; null: before this was noted.';
COMMENT ON COLUMN app.named_place IS 'Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN service_offering.named_at IS 'When the name was told; null: before this was noted.';
COMMENT ON COLUMN service_offering.named_place IS 'Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN service_plan.named_at IS 'When the name was told; null: before this was noted.';
COMMENT ON COLUMN service_plan.named_place IS 'Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN service_plan.offering_at IS 'When the offering was told; null: before this was noted.';
COMMENT ON COLUMN service_plan.offering_place IS 'Where the offering was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN resource.named_at IS 'When the name was told; null: before this was noted.';
COMMENT ON COLUMN resource.named_place IS 'Where the name was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN buildpack.guid_at IS 'When the guid was told; null: before this was noted.';
COMMENT ON COLUMN buildpack.guid_place IS 'Where the guid was told in its stream: ordinal and fraction, hexadecimal; null: beside the streams.';
COMMENT ON COLUMN space.named_place IS 'Always null: events of both streams name spaces.';
