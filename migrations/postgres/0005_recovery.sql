-- What was lost and what is done about it: gaps in streams, looks at what runs, hash chains.

ALTER TABLE onboarding DROP CONSTRAINT onboarding_strategy_check;
ALTER TABLE onboarding ADD CONSTRAINT onboarding_strategy_check
    CHECK (strategy IN ('snapshot', 'kept_records', 'live_lists'));
ALTER TABLE onboarding DROP CONSTRAINT onboarding_stage_check;
ALTER TABLE onboarding ADD CONSTRAINT onboarding_stage_check
    CHECK (stage IN ('snapshots', 'baseline', 'replay', 'complement', 'complete'));
ALTER TABLE onboarding ADD COLUMN reason text;

ALTER TABLE open_interval ADD COLUMN estimated boolean NOT NULL DEFAULT false;

ALTER TABLE foundation ADD COLUMN reconciled_at timestamptz;
ALTER TABLE foundation ADD COLUMN swept_long_at timestamptz;
ALTER TABLE foundation ADD COLUMN chained_from bigint NOT NULL DEFAULT 0;
ALTER TABLE foundation ADD COLUMN chained_entry bigint NOT NULL DEFAULT 0;

CREATE TABLE gap (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    number bigint NOT NULL,
    stream text NOT NULL CHECK (stream IN ('app', 'service')),
    reason text NOT NULL,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    checkpoint_guid text,
    checkpoint_created_at timestamptz,
    found_at timestamptz NOT NULL,
    sequence bigint NOT NULL,
    stage text NOT NULL CHECK (stage IN ('reading', 'settling', 'settled')),
    settled_at timestamptz,
    ended bigint NOT NULL DEFAULT 0,
    begun bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (foundation_id, number)
);

CREATE TABLE difference (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    kind smallint NOT NULL,
    guid text COLLATE "C" NOT NULL,
    class text NOT NULL,
    detail text NOT NULL,
    certain_until timestamptz,
    found_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (foundation_id, kind, guid)
);

CREATE TABLE ledger_link (
    foundation_id bigint NOT NULL REFERENCES foundation (id),
    last_sequence bigint NOT NULL,
    last_entry bigint NOT NULL,
    inputs_digest bytea NOT NULL,
    entries_digest bytea NOT NULL,
    digest bytea NOT NULL,
    PRIMARY KEY (foundation_id, last_sequence)
);
CREATE TRIGGER ledger_link_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_link
    EXECUTE FUNCTION refuse_change('a link of the hash chain never changes');

ALTER TABLE invoice ADD COLUMN accepted text;
ALTER TABLE invoice ADD COLUMN digest text;

COMMENT ON COLUMN onboarding.strategy IS 'How the baseline was taken: snapshot, kept_records or live_lists.';
COMMENT ON COLUMN onboarding.reason IS 'Why in this way.';
COMMENT ON COLUMN onboarding.stage IS 'snapshots, baseline, replay, complement or complete.';
COMMENT ON COLUMN open_interval.estimated IS 'Whether it is assumed when it began.';
COMMENT ON COLUMN foundation.reconciled_at IS 'When everything that runs was last compared with the ledger.';
COMMENT ON COLUMN foundation.swept_long_at IS 'When the last long sweep of both streams was done.';
COMMENT ON COLUMN foundation.chained_from IS 'Inputs before the hash chain: written by an earlier version.';
COMMENT ON COLUMN foundation.chained_entry IS 'Ledger entries before the hash chain.';
COMMENT ON TABLE gap IS 'Spans of stream history that can''t be read any more; what is assumed for them is estimated.';
COMMENT ON COLUMN gap.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN gap.number IS '1, 2, 3 … within the foundation.';
COMMENT ON COLUMN gap.stream IS 'app or service.';
COMMENT ON COLUMN gap.reason IS 'How it was lost: checkpoint_gone or reseeded.';
COMMENT ON COLUMN gap.began_at IS 'The last time the stream was read to its end.';
COMMENT ON COLUMN gap.ended_at IS 'When the first event was created that could be read again; null: not known yet.';
COMMENT ON COLUMN gap.checkpoint_guid IS 'The checkpoint that was lost.';
COMMENT ON COLUMN gap.checkpoint_created_at IS 'Its time.';
COMMENT ON COLUMN gap.found_at IS 'When it was found.';
COMMENT ON COLUMN gap.sequence IS 'Number of the input that records it.';
COMMENT ON COLUMN gap.stage IS 'reading: the stream is read again; settling: what runs is to be looked at; settled.';
COMMENT ON COLUMN gap.settled_at IS 'When the ledger was settled.';
COMMENT ON COLUMN gap.ended IS 'How many resources had vanished.';
COMMENT ON COLUMN gap.begun IS 'How many resources had appeared.';
COMMENT ON COLUMN gap.changed IS 'How many resources had another footprint.';
COMMENT ON TABLE difference IS 'Where what runs differed from the ledger at the last look; settled when a later look finds the same.';
COMMENT ON COLUMN difference.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN difference.kind IS '1 process, 2 service, 3 staging, 4 task.';
COMMENT ON COLUMN difference.guid IS 'Of the resource.';
COMMENT ON COLUMN difference.class IS 'What sort of difference.';
COMMENT ON COLUMN difference.detail IS 'What was found, for people.';
COMMENT ON COLUMN difference.certain_until IS 'When a look last agreed with the ledger.';
COMMENT ON COLUMN difference.found_at IS 'At the first look that found it.';
COMMENT ON COLUMN difference.seen_at IS 'At the last look.';
COMMENT ON TABLE ledger_link IS 'A hash chain over everything that entered the fold and everything it gave: a link a page.';
COMMENT ON COLUMN ledger_link.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN ledger_link.last_sequence IS 'Of the inputs it covers: those after the link before.';
COMMENT ON COLUMN ledger_link.last_entry IS 'Of the ledger entries it covers.';
COMMENT ON COLUMN ledger_link.inputs_digest IS 'SHA-256 of the inputs.';
COMMENT ON COLUMN ledger_link.entries_digest IS 'SHA-256 of the entries in canonical form.';
COMMENT ON COLUMN ledger_link.digest IS 'SHA-256 of the link before and both.';
COMMENT ON COLUMN invoice.accepted IS 'What was accepted when it became final though it would have kept it a draft, JSON.';
COMMENT ON COLUMN invoice.digest IS 'SHA-256 of the invoice and of the one before it in its series, hexadecimal.';
