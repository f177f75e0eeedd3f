-- Who collects what, for how long; usage by day; and a ledger that can only grow.

-- A duty that one process at a time has: collecting a foundation, drafting invoices. On SQLite a lock of the
-- file keeps others away; the row shows who has it.
CREATE TABLE lease (
    duty       TEXT    PRIMARY KEY,          -- foundation/NAME, or drafts
    epoch      INTEGER NOT NULL DEFAULT 0,   -- how often it changed hands: who comes with an older one is refused
    holder     TEXT,                         -- the replica; null: nobody
    taken_at   INTEGER,
    expires_at INTEGER                       -- free for others from then on
) STRICT;

-- The processes that share the duties.
CREATE TABLE replica (
    name       TEXT    PRIMARY KEY,          -- host, process and a random part
    started_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL              -- counts as gone from then on
) STRICT;

-- When the name was the name: events of both streams name spaces.
ALTER TABLE space ADD COLUMN named_at INTEGER;

CREATE TRIGGER ledger_entry_stays BEFORE UPDATE ON ledger_entry
BEGIN SELECT raise(ABORT, 'a ledger entry never changes'); END;
CREATE TRIGGER ledger_entry_remains BEFORE DELETE ON ledger_entry
BEGIN SELECT raise(ABORT, 'a ledger entry is never deleted'); END;

-- For people: use by day (UTC), closed intervals only, in integers.
CREATE VIEW usage_by_day AS
WITH RECURSIVE piece AS (
    SELECT entry.foundation_id, entry.number, entry.started_at - entry.started_at % 86400 AS day
    FROM ledger_entry AS entry
    WHERE entry.ended_at > entry.started_at
    UNION ALL
    SELECT piece.foundation_id, piece.number, piece.day + 86400
    FROM piece
    JOIN ledger_entry AS entry ON entry.foundation_id = piece.foundation_id AND entry.number = piece.number
    WHERE piece.day + 86400 < entry.ended_at
)
SELECT
    date(piece.day, 'unixepoch') AS day,
    foundation.name AS foundation,
    CASE entry.kind WHEN 1 THEN 'process' WHEN 2 THEN 'service' WHEN 3 THEN 'staging' ELSE 'task' END AS kind,
    organization.guid AS organization_guid, organization.name AS organization,
    space.guid AS space_guid, space.name AS space,
    app.guid AS app_guid, app.name AS app,
    buildpack.name AS buildpack,
    service_plan.guid AS service_plan_guid, service_plan.name AS service_plan,
    entry.estimated,
    sum((CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
        * (min(entry.ended_at, piece.day + 86400) - max(entry.started_at, piece.day)) * entry.instances)
        AS instance_seconds,
    sum((CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
        * (min(entry.ended_at, piece.day + 86400) - max(entry.started_at, piece.day)) * entry.instances
        * entry.memory_mib) AS memory_mib_seconds,
    sum((CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
        * (min(entry.ended_at, piece.day + 86400) - max(entry.started_at, piece.day)) * entry.instances
        * entry.disk_mib) AS disk_mib_seconds
FROM piece
JOIN ledger_entry AS entry ON entry.foundation_id = piece.foundation_id AND entry.number = piece.number
JOIN foundation ON foundation.id = entry.foundation_id
JOIN organization ON organization.id = entry.organization_id
JOIN space ON space.id = entry.space_id
LEFT JOIN app ON app.id = entry.app_id
LEFT JOIN buildpack ON buildpack.id = entry.buildpack_id
LEFT JOIN service_plan ON service_plan.id = entry.service_plan_id
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13
HAVING sum((CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
    * (min(entry.ended_at, piece.day + 86400) - max(entry.started_at, piece.day))) <> 0;
