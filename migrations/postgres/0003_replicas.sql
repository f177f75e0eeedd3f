-- Who collects what, for how long; usage by day; a ledger that can only grow; and what everything means.

CREATE TABLE lease (
    duty text COLLATE "C" PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    holder text,
    taken_at timestamptz,
    expires_at timestamptz
);

CREATE TABLE replica (
    name text PRIMARY KEY,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);

ALTER TABLE space ADD COLUMN named_at timestamptz;

CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_change('a ledger entry never changes');
CREATE TRIGGER ledger_is_not_truncated BEFORE TRUNCATE ON ledger_entry
    EXECUTE FUNCTION refuse_change('the ledger is never truncated');

CREATE VIEW usage_by_day AS
SELECT
    piece.day,
    foundation.name AS foundation,
    CASE piece.kind WHEN 1 THEN 'process' WHEN 2 THEN 'service' WHEN 3 THEN 'staging' ELSE 'task' END AS kind,
    organization.guid AS organization_guid, organization.name AS organization,
    space.guid AS space_guid, space.name AS space,
    app.guid AS app_guid, app.name AS app,
    buildpack.name AS buildpack,
    service_plan.guid AS service_plan_guid, service_plan.name AS service_plan,
    piece.estimated,
    sum(piece.seconds * piece.instances)::bigint AS instance_seconds,
    sum(piece.seconds * piece.instances * piece.memory_mib)::bigint AS memory_mib_seconds,
    sum(piece.seconds * piece.instances * piece.disk_mib)::bigint AS disk_mib_seconds,
    round(sum(piece.seconds * piece.instances) / 3600, 6) AS instance_hours,
    round(sum(piece.seconds * piece.instances * piece.memory_mib) / 3686400, 6) AS memory_gib_hours,
    round(sum(piece.seconds * piece.instances * piece.disk_mib) / 3686400, 6) AS disk_gib_hours
FROM (
    SELECT
        entry.*,
        start_of.day::date AS day,
        (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
            * extract(epoch FROM least(entry.ended_at, (start_of.day + interval '1 day') AT TIME ZONE 'UTC')
                - greatest(entry.started_at, start_of.day AT TIME ZONE 'UTC'))::bigint AS seconds
    FROM ledger_entry AS entry
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', entry.started_at AT TIME ZONE 'UTC'),
        date_trunc('day', (entry.ended_at - interval '1 second') AT TIME ZONE 'UTC'),
        interval '1 day'
    ) AS start_of (day)
    WHERE entry.ended_at > entry.started_at
) AS piece
JOIN foundation ON foundation.id = piece.foundation_id
JOIN organization ON organization.id = piece.organization_id
JOIN space ON space.id = piece.space_id
LEFT JOIN app ON app.id = piece.app_id
LEFT JOIN buildpack ON buildpack.id = piece.buildpack_id
LEFT JOIN service_plan ON service_plan.id = piece.service_plan_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
HAVING sum(piece.seconds) <> 0;

CREATE VIEW invoices AS
SELECT
    invoice.number, invoice.status, invoice.account_name AS account, invoice.account AS account_id, invoice.month,
    invoice.period_start, invoice.period_end, invoice.time_zone, invoice.net, invoice.estimated, invoice.currency,
    invoice.rated_through, invoice.drafted_at, invoice.finalized_at, rate_card.name AS rate_card,
    (SELECT count(*) FROM invoice_line AS line WHERE line.invoice_id = invoice.id) AS lines,
    (SELECT count(*) FROM invoice_line AS line WHERE line.invoice_id = invoice.id AND line.price IS NULL)
        AS unpriced_lines
FROM invoice
JOIN rate_card ON rate_card.hash = invoice.rate_card_hash;

-- What everything means.
COMMENT ON TABLE foundation IS 'One Cloud Foundry installation with one Cloud Controller.';
COMMENT ON COLUMN foundation.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN foundation.name IS 'As configured.';
COMMENT ON COLUMN foundation.lease_epoch IS 'Fencing: a writer that holds an older epoch is refused.';
COMMENT ON COLUMN foundation.last_sequence IS 'Number of the last archived input.';
COMMENT ON COLUMN foundation.last_entry IS 'Number of the last ledger entry.';
COMMENT ON COLUMN foundation.known_until IS 'Open intervals count up to here; null before anything was read.';
COMMENT ON COLUMN foundation.swept_until IS 'The last time both streams were read again for events that came late; null for imports.';
COMMENT ON COLUMN foundation.observed_until IS 'Processes saved before this were looked at.';
COMMENT ON COLUMN foundation.collected IS 'Tailed from Cloud Controller, as opposed to imported only.';
COMMENT ON TABLE stream IS 'How far each of a foundation''s two usage event streams is read.';
COMMENT ON COLUMN stream.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN stream.name IS 'app or service.';
COMMENT ON COLUMN stream.last_ordinal IS 'Ordinal of the event last in stream order; 0 before any.';
COMMENT ON COLUMN stream.oldest_created_at IS 'The earliest created_at seen, wherever it stands.';
COMMENT ON COLUMN stream.newest_created_at IS 'The latest created_at seen, wherever it stands.';
COMMENT ON COLUMN stream.checkpoint_guid IS 'The event after which reading goes on.';
COMMENT ON COLUMN stream.checkpoint_created_at IS 'When it was created: guids repeat after a reseed.';
COMMENT ON COLUMN stream.predecessor_guid IS 'The event before the checkpoint: polls ask after this one, so that a healthy answer holds the checkpoint.';
COMMENT ON COLUMN stream.predecessor_created_at IS 'When it was created.';
COMMENT ON TABLE onboarding IS 'How a foundation came to be billed: its baseline and the checkpoints that are tied to it.';
COMMENT ON COLUMN onboarding.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN onboarding.strategy IS 'Where the baseline came from.';
COMMENT ON COLUMN onboarding.stage IS 'snapshots: requested and awaited; baseline: being archived; replay: the streams are read from before their checkpoints; complete.';
COMMENT ON COLUMN onboarding.begun_at IS 'When it was first tried.';
COMMENT ON COLUMN onboarding.completed_at IS 'When both streams had been read to their end.';
COMMENT ON TABLE onboarding_snapshot IS 'The usage snapshots that a baseline rests on: kept from the moment they are requested.';
COMMENT ON COLUMN onboarding_snapshot.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN onboarding_snapshot.stream IS 'Whose resources it holds: app or service.';
COMMENT ON COLUMN onboarding_snapshot.guid IS 'Of the snapshot, in Cloud Controller.';
COMMENT ON COLUMN onboarding_snapshot.completed_at IS 'Null while Cloud Controller makes it.';
COMMENT ON COLUMN onboarding_snapshot.checkpoint_guid IS 'The newest event at that time; null if there was none.';
COMMENT ON COLUMN onboarding_snapshot.checkpoint_created_at IS 'When that event was created.';
COMMENT ON TABLE archive_chunk IS 'The archive: everything that entered the fold, as received, in the order folded, compressed.';
COMMENT ON COLUMN archive_chunk.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN archive_chunk.first_sequence IS 'Number of its first input.';
COMMENT ON COLUMN archive_chunk.last_sequence IS 'Number of its last input.';
COMMENT ON COLUMN archive_chunk.min_created_at IS 'The earliest created_at of its events.';
COMMENT ON COLUMN archive_chunk.max_created_at IS 'The latest created_at of its events.';
COMMENT ON COLUMN archive_chunk.directory IS 'Per input: kind, times, place in its stream, identity, length (zstd).';
COMMENT ON COLUMN archive_chunk.bodies IS 'The inputs themselves, JSON, one a line (zstd).';
COMMENT ON TABLE late_place IS 'Places of events found late, between two that were numbered before.';
COMMENT ON COLUMN late_place.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN late_place.stream IS 'app or service.';
COMMENT ON COLUMN late_place.ordinal IS 'Of the event it comes after.';
COMMENT ON COLUMN late_place.fraction IS 'Orders what comes after the same event; compared as bytes.';
COMMENT ON TABLE fold_settings IS 'The settings that change what the fold gives, since when.';
COMMENT ON COLUMN fold_settings.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN fold_settings.sequence IS 'In force for inputs after this one.';
COMMENT ON COLUMN fold_settings.settings IS 'JSON.';
COMMENT ON TABLE organization IS 'Organizations. A name is the newest seen; what was deleted keeps its last one.';
COMMENT ON COLUMN organization.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN organization.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN organization.guid IS 'In Cloud Controller.';
COMMENT ON COLUMN organization.name IS 'No event names it: from snapshots and the API; null until then.';
COMMENT ON TABLE space IS 'Spaces, with the newest name seen.';
COMMENT ON COLUMN space.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN space.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN space.guid IS 'In Cloud Controller.';
COMMENT ON COLUMN space.name IS 'Newest seen.';
COMMENT ON COLUMN space.named_at IS 'When it was the name: events of both streams name spaces.';
COMMENT ON TABLE app IS 'Apps, with the newest name seen.';
COMMENT ON COLUMN app.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN app.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN app.guid IS 'In Cloud Controller.';
COMMENT ON COLUMN app.name IS 'Newest seen.';
COMMENT ON TABLE buildpack IS 'Buildpacks by name.';
COMMENT ON COLUMN buildpack.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN buildpack.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN buildpack.name IS 'Or the obfuscated URL of a custom one.';
COMMENT ON TABLE service_offering IS 'Service offerings, with the newest name seen.';
COMMENT ON COLUMN service_offering.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN service_offering.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN service_offering.guid IS 'In Cloud Controller.';
COMMENT ON COLUMN service_offering.name IS 'Newest seen.';
COMMENT ON TABLE service_plan IS 'Service plans, with the newest name seen.';
COMMENT ON COLUMN service_plan.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN service_plan.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN service_plan.guid IS 'In Cloud Controller.';
COMMENT ON COLUMN service_plan.name IS 'Newest seen.';
COMMENT ON COLUMN service_plan.service_offering_id IS 'The offering it is of.';
COMMENT ON TABLE resource IS 'What is billed by time, tracked for ever: what ended must stay ended.';
COMMENT ON COLUMN resource.id IS 'Stands for it in other tables.';
COMMENT ON COLUMN resource.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN resource.kind IS '1 process, 2 service, 3 staging, 4 task.';
COMMENT ON COLUMN resource.guid IS 'Of the process, task or service instance; for stagings of the app.';
COMMENT ON COLUMN resource.name IS 'Of a task or service instance.';
COMMENT ON COLUMN resource.app_id IS 'Its app; null for services.';
COMMENT ON COLUMN resource.process_type IS 'web, worker …; null if it isn''t a process.';
COMMENT ON COLUMN resource.user_provided IS 'A user-provided service instance.';
COMMENT ON COLUMN resource.latest IS 'The latest beginning, split or ending in effect.';
COMMENT ON COLUMN resource.ended IS 'Whether it ended for good.';
COMMENT ON COLUMN resource.disk_mib IS 'Disk per instance, last observed; null before.';
COMMENT ON COLUMN resource.last_ordinal IS 'Place of its input last in stream order.';
COMMENT ON COLUMN resource.last_fraction IS 'The rest of that place, if that event came late.';
COMMENT ON COLUMN resource.last_sequence IS 'Number of its input last folded.';
COMMENT ON COLUMN resource.to_observe IS 'Its disk is yet to be read from the API.';
COMMENT ON TABLE open_interval IS 'Intervals that haven''t closed, one a resource at most.';
COMMENT ON COLUMN open_interval.resource_id IS 'Resource it is of.';
COMMENT ON COLUMN open_interval.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN open_interval.kind IS 'As of the resource.';
COMMENT ON COLUMN open_interval.run IS 'Number of the input that opened the run.';
COMMENT ON COLUMN open_interval.opening IS '1 beginning, 2 first sight, 3 was running, 4 baseline.';
COMMENT ON COLUMN open_interval.unconfirmed IS 'Nothing but the sight of it speaks for it.';
COMMENT ON COLUMN open_interval.billed IS 'Whether it counts.';
COMMENT ON COLUMN open_interval.started_at IS 'Begin of the interval.';
COMMENT ON COLUMN open_interval.counts_until IS 'For stagings: start and cap; what counts of it is estimated.';
COMMENT ON COLUMN open_interval.opened_by IS 'Number of the input that began it.';
COMMENT ON COLUMN open_interval.instances IS 'Instances asked for.';
COMMENT ON COLUMN open_interval.memory_mib IS 'MiB per instance.';
COMMENT ON COLUMN open_interval.memory_source IS '0 none, 1 event, 2 build.';
COMMENT ON COLUMN open_interval.disk_mib IS 'MiB per instance.';
COMMENT ON COLUMN open_interval.disk_source IS '0 none, 1 observed, 2 assumed, 3 default.';
COMMENT ON COLUMN open_interval.buildpack_id IS 'Buildpack; null where unknown or none.';
COMMENT ON COLUMN open_interval.service_plan_id IS 'Service plan; null if it isn''t a service.';
COMMENT ON COLUMN open_interval.organization_id IS 'Organization it is billed to.';
COMMENT ON COLUMN open_interval.space_id IS 'Space it is in.';
COMMENT ON COLUMN open_interval.app_id IS 'App; null for services.';
COMMENT ON TABLE ledger_entry IS 'The ledger: append-only. Net use is usage and replacements, less reversals.';
COMMENT ON COLUMN ledger_entry.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN ledger_entry.number IS '1, 2, 3 … within the foundation.';
COMMENT ON COLUMN ledger_entry.entry_type IS '1 usage, 2 reversal, 3 replacement.';
COMMENT ON COLUMN ledger_entry.corrects IS 'Number of the entry it takes back or replaces.';
COMMENT ON COLUMN ledger_entry.cause IS '1 closed, 2 buildpack set, 3 repaired ending, 4 observation, 5 late event.';
COMMENT ON COLUMN ledger_entry.sequence IS 'Number of the input that led to it.';
COMMENT ON COLUMN ledger_entry.known_at IS 'When that input reached us.';
COMMENT ON COLUMN ledger_entry.resource_id IS 'Resource it is of.';
COMMENT ON COLUMN ledger_entry.kind IS 'As of the resource.';
COMMENT ON COLUMN ledger_entry.run IS 'Number of the input that opened the run.';
COMMENT ON COLUMN ledger_entry.started_at IS 'Begin of the interval, inclusive.';
COMMENT ON COLUMN ledger_entry.ended_at IS 'End of the interval, exclusive.';
COMMENT ON COLUMN ledger_entry.instances IS 'Instances asked for.';
COMMENT ON COLUMN ledger_entry.memory_mib IS 'MiB per instance.';
COMMENT ON COLUMN ledger_entry.memory_source IS '0 none, 1 event, 2 build.';
COMMENT ON COLUMN ledger_entry.disk_mib IS 'MiB per instance.';
COMMENT ON COLUMN ledger_entry.disk_source IS '0 none, 1 observed, 2 assumed, 3 default.';
COMMENT ON COLUMN ledger_entry.buildpack_id IS 'Buildpack; null where unknown or none.';
COMMENT ON COLUMN ledger_entry.service_plan_id IS 'Service plan; null if it isn''t a service.';
COMMENT ON COLUMN ledger_entry.organization_id IS 'Organization it is billed to.';
COMMENT ON COLUMN ledger_entry.space_id IS 'Space it is in.';
COMMENT ON COLUMN ledger_entry.app_id IS 'App; null for services.';
COMMENT ON COLUMN ledger_entry.estimated IS 'Whether its length is assumed.';
COMMENT ON COLUMN ledger_entry.opened_by IS 'Number of the input that began the interval.';
COMMENT ON COLUMN ledger_entry.closed_by IS 'Number of the input that ended it.';
COMMENT ON TABLE anomaly IS 'Odd input, with what was assumed.';
COMMENT ON COLUMN anomaly.foundation_id IS 'Foundation it is of.';
COMMENT ON COLUMN anomaly.sequence IS 'Number of the input.';
COMMENT ON COLUMN anomaly.position IS 'Among the anomalies of that input.';
COMMENT ON COLUMN anomaly.kind IS 'What is odd, in a word.';
COMMENT ON COLUMN anomaly.at IS 'The time it is about.';
COMMENT ON COLUMN anomaly.resource_kind IS '1 process, 2 service, 3 staging, 4 task.';
COMMENT ON COLUMN anomaly.resource_guid IS 'Of the resource it is about.';
COMMENT ON COLUMN anomaly.detail IS 'For people.';
COMMENT ON TABLE rate_card IS 'Rate cards in use, whole; every invoice names the one it was made with.';
COMMENT ON COLUMN rate_card.hash IS 'SHA-256 of the text, hexadecimal.';
COMMENT ON COLUMN rate_card.name IS 'As in the card.';
COMMENT ON COLUMN rate_card.currency IS 'ISO 4217.';
COMMENT ON COLUMN rate_card.body IS 'The card, TOML.';
COMMENT ON COLUMN rate_card.first_used IS 'When an invoice was first made with it.';
COMMENT ON TABLE invoice_series IS 'The last number given in each series: 1, 2, 3 … without gaps.';
COMMENT ON COLUMN invoice_series.name IS 'As in the invoice''s number.';
COMMENT ON COLUMN invoice_series.last_number IS 'The last number given.';
COMMENT ON TABLE invoice IS 'Invoices: drafts, replaced as usage grows, and final ones, which never change.';
COMMENT ON COLUMN invoice.id IS 'Names a draft.';
COMMENT ON COLUMN invoice.status IS 'draft or final.';
COMMENT ON COLUMN invoice.series IS 'Of its number.';
COMMENT ON COLUMN invoice.series_number IS '1, 2, 3 … without gaps.';
COMMENT ON COLUMN invoice.number IS 'As printed: series and number.';
COMMENT ON COLUMN invoice.account IS 'foundation/organization guid.';
COMMENT ON COLUMN invoice.account_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice.seller IS 'Who sends it.';
COMMENT ON COLUMN invoice.month IS '2026-10.';
COMMENT ON COLUMN invoice.period_start IS 'Begin of the month in its time zone, inclusive.';
COMMENT ON COLUMN invoice.period_end IS 'Its end, exclusive.';
COMMENT ON COLUMN invoice.time_zone IS 'Of the month.';
COMMENT ON COLUMN invoice.currency IS 'ISO 4217.';
COMMENT ON COLUMN invoice.net IS 'Sum of the lines'' amounts, in the currency''s major unit.';
COMMENT ON COLUMN invoice.estimated IS 'Of net, what rests on estimated usage.';
COMMENT ON COLUMN invoice.rate_card_hash IS 'The card it was made with.';
COMMENT ON COLUMN invoice.rated_through IS 'Usage is complete up to here.';
COMMENT ON COLUMN invoice.drafted_at IS 'When it was computed.';
COMMENT ON COLUMN invoice.finalized_at IS 'When it became final.';
COMMENT ON TABLE invoice_line IS 'What an invoice charges for.';
COMMENT ON COLUMN invoice_line.invoice_id IS 'Invoice it is of.';
COMMENT ON COLUMN invoice_line.position IS '1, 2, 3 …';
COMMENT ON COLUMN invoice_line.foundation IS 'Where the usage was.';
COMMENT ON COLUMN invoice_line.organization_guid IS 'In Cloud Controller.';
COMMENT ON COLUMN invoice_line.organization_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.space_guid IS 'In Cloud Controller.';
COMMENT ON COLUMN invoice_line.space_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.kind IS 'process, service, staging or task.';
COMMENT ON COLUMN invoice_line.app_guid IS 'Null for services.';
COMMENT ON COLUMN invoice_line.app_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.service_instance_guid IS 'Null if it isn''t a service.';
COMMENT ON COLUMN invoice_line.service_instance_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.service_offering_guid IS 'Null if it isn''t a service.';
COMMENT ON COLUMN invoice_line.service_offering_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.service_plan_guid IS 'Null if it isn''t a service.';
COMMENT ON COLUMN invoice_line.service_plan_name IS 'As it was when drafted.';
COMMENT ON COLUMN invoice_line.buildpack IS 'Name, or the obfuscated URL of a custom one.';
COMMENT ON COLUMN invoice_line.estimated IS 'Whether the usage''s length is assumed.';
COMMENT ON COLUMN invoice_line.started_at IS 'Begin of the part of the period the line is for.';
COMMENT ON COLUMN invoice_line.ended_at IS 'Its end.';
COMMENT ON COLUMN invoice_line.meter IS 'What is measured: instance_hour, memory_gib_hour, disk_gib_hour …';
COMMENT ON COLUMN invoice_line.quantity IS 'Instance-seconds or MiB-seconds.';
COMMENT ON COLUMN invoice_line.unit_size IS 'How much of the quantity one price is for.';
COMMENT ON COLUMN invoice_line.price IS 'Per unit, in the currency''s major unit; null: no rate is for it.';
COMMENT ON COLUMN invoice_line.amount IS 'Quantity times price, rounded once, in the currency''s major unit.';
COMMENT ON COLUMN invoice_line.rate IS 'The rate in the card.';
COMMENT ON TABLE lease IS 'A duty that one replica at a time has: collecting a foundation, drafting invoices.';
COMMENT ON COLUMN lease.duty IS 'foundation/NAME, or drafts.';
COMMENT ON COLUMN lease.epoch IS 'How often it changed hands: who comes with an older one is refused.';
COMMENT ON COLUMN lease.holder IS 'The replica that has it; null: nobody.';
COMMENT ON COLUMN lease.taken_at IS 'When that replica took it.';
COMMENT ON COLUMN lease.expires_at IS 'Free for others from then on; renewed while the holder lives.';
COMMENT ON TABLE replica IS 'The processes that share the duties.';
COMMENT ON COLUMN replica.name IS 'Host, process and a random part.';
COMMENT ON COLUMN replica.started_at IS 'When it first reported.';
COMMENT ON COLUMN replica.expires_at IS 'Counts as gone from then on.';
COMMENT ON VIEW ledger IS 'For people: ledger entries with names and words. Quantities of a reversal are negative.';
COMMENT ON VIEW invoice_lines IS 'For people: what each invoice charges for.';
COMMENT ON VIEW invoices IS 'For people: invoices with their rate card and how many lines they have.';
COMMENT ON VIEW usage_by_day IS 'For people: use by day (UTC), of closed intervals; what still runs is missing until it closes. Corrections are in it.';
