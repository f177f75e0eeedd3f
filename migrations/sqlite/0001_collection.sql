-- What is collected: foundations, the archive of everything that entered the fold, the state of each
-- resource, and the ledger. Times are Unix seconds (UTC), spans are [started_at, ended_at).
-- Codes are small integers; the views at the end spell them out.

-- One Cloud Foundry installation with one Cloud Controller.
CREATE TABLE foundation (
    id             INTEGER PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    lease_epoch    INTEGER NOT NULL DEFAULT 0,  -- fencing: a writer with another epoch is refused
    last_sequence  INTEGER NOT NULL DEFAULT 0,  -- of the inputs archived
    last_entry     INTEGER NOT NULL DEFAULT 0,  -- of the ledger entries made
    known_until    INTEGER,                     -- open intervals count up to here
    swept_until    INTEGER,                     -- the last time both streams were read again for late events
    observed_until INTEGER,                     -- processes saved before this were looked at
    collected      INTEGER NOT NULL DEFAULT 0 CHECK (collected IN (0, 1))  -- 1: tailed; 0: imported only
) STRICT;

-- How far each of a foundation's two usage event streams is read.
CREATE TABLE stream (
    foundation_id          INTEGER NOT NULL REFERENCES foundation (id),
    name                   TEXT    NOT NULL CHECK (name IN ('app', 'service')),
    last_ordinal           INTEGER NOT NULL DEFAULT 0,  -- of the event last in stream order
    oldest_created_at      INTEGER,                     -- the earliest and latest created_at seen,
    newest_created_at      INTEGER,                     -- wherever they stand
    checkpoint_guid        TEXT,                        -- the event after which we read on
    checkpoint_created_at  INTEGER,
    predecessor_guid       TEXT,                        -- the event before it: polls ask after this one
    predecessor_created_at INTEGER,
    PRIMARY KEY (foundation_id, name)
) STRICT, WITHOUT ROWID;

-- How a foundation came to be billed: its baseline and the checkpoints that are tied to it.
CREATE TABLE onboarding (
    foundation_id INTEGER PRIMARY KEY REFERENCES foundation (id),
    strategy      TEXT    NOT NULL CHECK (strategy IN ('snapshot')),
    stage         TEXT    NOT NULL CHECK (stage IN ('snapshots', 'baseline', 'replay', 'complete')),
    begun_at      INTEGER NOT NULL,
    completed_at  INTEGER            -- when both streams had been read to their end
) STRICT;

-- The usage snapshots it takes, or took: kept from the moment they are requested.
CREATE TABLE onboarding_snapshot (
    foundation_id         INTEGER NOT NULL REFERENCES foundation (id),
    stream                TEXT    NOT NULL CHECK (stream IN ('app', 'service')),
    guid                  TEXT    NOT NULL,
    completed_at          INTEGER,   -- null while Cloud Controller makes it
    checkpoint_guid       TEXT,      -- the newest event at that time; null if there was none
    checkpoint_created_at INTEGER,
    PRIMARY KEY (foundation_id, stream)
) STRICT, WITHOUT ROWID;

-- The archive: everything that entered the fold, as received, in the order folded.
CREATE TABLE archive_chunk (
    foundation_id  INTEGER NOT NULL REFERENCES foundation (id),
    first_sequence INTEGER NOT NULL,
    last_sequence  INTEGER NOT NULL,
    min_created_at INTEGER,            -- of the events in it
    max_created_at INTEGER,
    directory      BLOB    NOT NULL,   -- per input: kind, times, place in its stream, identity, length (zstd)
    bodies         BLOB    NOT NULL,   -- the inputs themselves, JSON, one a line (zstd)
    PRIMARY KEY (foundation_id, first_sequence)
) STRICT;
CREATE INDEX archive_chunk_created_at ON archive_chunk (foundation_id, max_created_at, min_created_at);

-- Places of events found late, between two that were numbered before.
CREATE TABLE late_place (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    stream        TEXT    NOT NULL CHECK (stream IN ('app', 'service')),
    ordinal       INTEGER NOT NULL,
    fraction      BLOB    NOT NULL,
    PRIMARY KEY (foundation_id, stream, ordinal, fraction)
) STRICT, WITHOUT ROWID;

-- The settings that change what the fold gives, since when.
CREATE TABLE fold_settings (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    sequence      INTEGER NOT NULL,  -- in force for inputs after this one
    settings      TEXT    NOT NULL,  -- JSON
    PRIMARY KEY (foundation_id, sequence)
) STRICT, WITHOUT ROWID;

-- Names and guids, once. A name is the newest seen; what was deleted keeps its last one.
CREATE TABLE organization (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    guid          TEXT    NOT NULL,
    name          TEXT,              -- no event names it: from snapshots and the API
    UNIQUE (foundation_id, guid)
) STRICT;
CREATE TABLE space (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    guid          TEXT    NOT NULL,
    name          TEXT,
    UNIQUE (foundation_id, guid)
) STRICT;
CREATE TABLE app (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    guid          TEXT    NOT NULL,
    name          TEXT,
    UNIQUE (foundation_id, guid)
) STRICT;
CREATE TABLE buildpack (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    name          TEXT    NOT NULL,  -- or the obfuscated URL of a custom one
    UNIQUE (foundation_id, name)
) STRICT;
CREATE TABLE service_offering (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    guid          TEXT    NOT NULL,
    name          TEXT,
    UNIQUE (foundation_id, guid)
) STRICT;
CREATE TABLE service_plan (
    id                  INTEGER PRIMARY KEY,
    foundation_id       INTEGER NOT NULL REFERENCES foundation (id),
    guid                TEXT    NOT NULL,
    name                TEXT,
    service_offering_id INTEGER REFERENCES service_offering (id),
    UNIQUE (foundation_id, guid)
) STRICT;

-- What is billed by time, tracked for ever: what ended must stay ended.
CREATE TABLE resource (
    id            INTEGER PRIMARY KEY,
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    kind          INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 4),  -- 1 process, 2 service, 3 staging, 4 task
    guid          TEXT    NOT NULL,            -- of the process, task or service instance; stagings: of the app
    name          TEXT,                        -- of a task or service instance
    app_id        INTEGER REFERENCES app (id),
    process_type  TEXT,
    user_provided INTEGER NOT NULL CHECK (user_provided IN (0, 1)),
    latest        INTEGER,                     -- the latest beginning, split or ending in effect
    ended         INTEGER NOT NULL CHECK (ended IN (0, 1)),
    disk_mib      INTEGER,                     -- last observed
    last_ordinal  INTEGER NOT NULL,            -- place of its input last in stream order
    last_fraction BLOB,
    last_sequence INTEGER NOT NULL,            -- its input last folded
    to_observe    INTEGER NOT NULL CHECK (to_observe IN (0, 1)),  -- its disk is yet to be read from the API
    UNIQUE (foundation_id, kind, guid)
) STRICT;
CREATE INDEX resource_to_observe ON resource (foundation_id) WHERE to_observe = 1;

-- Intervals that haven't closed, one a resource at most.
CREATE TABLE open_interval (
    resource_id     INTEGER PRIMARY KEY REFERENCES resource (id),
    foundation_id   INTEGER NOT NULL REFERENCES foundation (id),
    kind            INTEGER NOT NULL,
    run             INTEGER NOT NULL,          -- sequence of the input that opened the run
    opening         INTEGER NOT NULL CHECK (opening BETWEEN 1 AND 4),  -- 1 beginning, 2 first sight, 3 was running, 4 baseline
    unconfirmed     INTEGER NOT NULL CHECK (unconfirmed IN (0, 1)),
    billed          INTEGER NOT NULL CHECK (billed IN (0, 1)),
    started_at      INTEGER NOT NULL,
    counts_until    INTEGER,                   -- stagings: start + cap; counted as estimated
    opened_by       INTEGER NOT NULL,          -- sequence of the input that began it
    instances       INTEGER NOT NULL,
    memory_mib      INTEGER NOT NULL,          -- per instance
    memory_source   INTEGER NOT NULL CHECK (memory_source BETWEEN 0 AND 2),  -- 0 none, 1 event, 2 build
    disk_mib        INTEGER NOT NULL,          -- per instance
    disk_source     INTEGER NOT NULL CHECK (disk_source BETWEEN 0 AND 3),    -- 0 none, 1 observed, 2 assumed, 3 default
    buildpack_id    INTEGER REFERENCES buildpack (id),
    service_plan_id INTEGER REFERENCES service_plan (id),
    organization_id INTEGER NOT NULL REFERENCES organization (id),
    space_id        INTEGER NOT NULL REFERENCES space (id),
    app_id          INTEGER REFERENCES app (id)
) STRICT;

-- The ledger: append-only. Net use is usage and replacements, less reversals.
CREATE TABLE ledger_entry (
    foundation_id   INTEGER NOT NULL REFERENCES foundation (id),
    number          INTEGER NOT NULL,          -- 1, 2, 3 … within the foundation
    entry_type      INTEGER NOT NULL CHECK (entry_type BETWEEN 1 AND 3),  -- 1 usage, 2 reversal, 3 replacement
    corrects        INTEGER,                   -- number of the entry it takes back or replaces
    cause           INTEGER NOT NULL CHECK (cause BETWEEN 1 AND 5),  -- 1 closed, 2 buildpack set, 3 repaired ending, 4 observation, 5 late event
    sequence        INTEGER NOT NULL,          -- of the input that led to it
    known_at        INTEGER NOT NULL,          -- when that input reached us
    resource_id     INTEGER NOT NULL REFERENCES resource (id),
    kind            INTEGER NOT NULL,
    run             INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL CHECK (ended_at >= started_at),
    instances       INTEGER NOT NULL,
    memory_mib      INTEGER NOT NULL,
    memory_source   INTEGER NOT NULL,
    disk_mib        INTEGER NOT NULL,
    disk_source     INTEGER NOT NULL,
    buildpack_id    INTEGER REFERENCES buildpack (id),
    service_plan_id INTEGER REFERENCES service_plan (id),
    organization_id INTEGER NOT NULL REFERENCES organization (id),
    space_id        INTEGER NOT NULL REFERENCES space (id),
    app_id          INTEGER REFERENCES app (id),
    estimated       INTEGER NOT NULL CHECK (estimated IN (0, 1)),
    opened_by       INTEGER NOT NULL,
    closed_by       INTEGER NOT NULL,
    PRIMARY KEY (foundation_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entry_ended_at ON ledger_entry (foundation_id, ended_at);
CREATE INDEX ledger_entry_resource ON ledger_entry (resource_id);

-- Odd input, with what was assumed.
CREATE TABLE anomaly (
    foundation_id INTEGER NOT NULL REFERENCES foundation (id),
    sequence      INTEGER NOT NULL,  -- of the input
    position      INTEGER NOT NULL,  -- among the anomalies of that input
    kind          TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    resource_kind INTEGER,
    resource_guid TEXT,
    detail        TEXT    NOT NULL,
    PRIMARY KEY (foundation_id, sequence, position)
) STRICT, WITHOUT ROWID;

-- For people: ledger entries with names and words. Quantities of a reversal are negative.
CREATE VIEW ledger AS
SELECT
    foundation.name AS foundation,
    entry.number,
    CASE entry.entry_type WHEN 1 THEN 'usage' WHEN 2 THEN 'reversal' ELSE 'replacement' END AS entry_type,
    entry.corrects,
    CASE entry.cause WHEN 1 THEN 'closed' WHEN 2 THEN 'buildpack_set' WHEN 3 THEN 'repaired_ending'
        WHEN 4 THEN 'observation' ELSE 'late_event' END AS cause,
    datetime(entry.known_at, 'unixepoch') AS known_at,
    CASE entry.kind WHEN 1 THEN 'process' WHEN 2 THEN 'service' WHEN 3 THEN 'staging' ELSE 'task' END AS kind,
    resource.guid AS resource_guid,
    organization.guid AS organization_guid, organization.name AS organization,
    space.guid AS space_guid, space.name AS space,
    app.guid AS app_guid, app.name AS app,
    resource.process_type,
    resource.name AS resource,
    buildpack.name AS buildpack,
    service_plan.guid AS service_plan_guid, service_plan.name AS service_plan,
    datetime(entry.started_at, 'unixepoch') AS started_at,
    datetime(entry.ended_at, 'unixepoch') AS ended_at,
    entry.instances, entry.memory_mib, entry.disk_mib,
    entry.estimated,
    (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END) * (entry.ended_at - entry.started_at) * entry.instances
        AS instance_seconds,
    (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END) * (entry.ended_at - entry.started_at) * entry.instances
        * entry.memory_mib AS memory_mib_seconds,
    (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END) * (entry.ended_at - entry.started_at) * entry.instances
        * entry.disk_mib AS disk_mib_seconds
FROM ledger_entry AS entry
JOIN foundation ON foundation.id = entry.foundation_id
JOIN resource ON resource.id = entry.resource_id
JOIN organization ON organization.id = entry.organization_id
JOIN space ON space.id = entry.space_id
LEFT JOIN app ON app.id = entry.app_id
LEFT JOIN buildpack ON buildpack.id = entry.buildpack_id
LEFT JOIN service_plan ON service_plan.id = entry.service_plan_id;
