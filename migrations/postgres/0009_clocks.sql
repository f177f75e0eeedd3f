-- Times that the order of a stream doesn't bear out, and what they are taken for.

ALTER TABLE stream ADD COLUMN agreeing_at timestamptz;
UPDATE stream SET agreeing_at = newest_created_at;

CREATE TABLE clock_bound (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    stream text NOT NULL CHECK (stream IN ('app', 'service')),
    ordinal bigint NOT NULL,
    fraction bytea NOT NULL,
    event_guid text NOT NULL,
    created_at timestamptz NOT NULL,
    counts_at timestamptz,
    provisional boolean NOT NULL,
    kind smallint,
    resource_guid text,
    sequence bigint NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (foundation_id, stream, ordinal, fraction)
);

ALTER TABLE foundation ADD COLUMN clock_accepted_at timestamptz;

COMMENT ON COLUMN stream.agreeing_at IS 'The latest time of an event that agrees with its stream: how far imported usage is known rests on it alone.';
COMMENT ON TABLE clock_bound IS 'Events whose own time isn''t trusted, because it contradicts the order of their stream.';
COMMENT ON COLUMN clock_bound.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN clock_bound.stream IS 'app or service.';
COMMENT ON COLUMN clock_bound.ordinal IS 'Its place in the stream: the number of the event, or of the one before it.';
COMMENT ON COLUMN clock_bound.fraction IS 'Its place between two numbers, if it was found late.';
COMMENT ON COLUMN clock_bound.event_guid IS 'Of the event.';
COMMENT ON COLUMN clock_bound.created_at IS 'The time that it states.';
COMMENT ON COLUMN clock_bound.counts_at IS 'The time that it is taken for; null: its own after all.';
COMMENT ON COLUMN clock_bound.provisional IS 'Whether nothing after it in the stream tells yet.';
COMMENT ON COLUMN clock_bound.kind IS '1 process, 2 service, 3 staging, 4 task; null: it touches none.';
COMMENT ON COLUMN clock_bound.resource_guid IS 'Of the resource that it touches.';
COMMENT ON COLUMN clock_bound.sequence IS 'Number of the input that says so.';
COMMENT ON COLUMN clock_bound.number IS 'Of the span of such events that it belongs to: 1, 2, 3 … within the foundation.';
COMMENT ON COLUMN foundation.clock_accepted_at IS 'When somebody said that the foundation is to be billed though its clock and ours differ.';
