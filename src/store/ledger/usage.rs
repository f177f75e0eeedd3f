//! Usage in a span: ledger entries and open intervals, cut at its edges, summed in integers.

use super::foundations::read_foundations;
use crate::domain::{FoundationHead, Kind, Span};
use crate::store::database::{Row, Sql, values};
use crate::store::{Absurd, GroupKey, Store, StoreError, UsageKeyed, UsageQuery, UsageRow, Used};

/// Grouped by flags, so that it stays one statement: what isn't asked for is null in every row.
/// The pieces differ in how times are compared and subtracted.
macro_rules! usage {
    ($but:expr, $($pieces:tt)*) => {
        concat!(
            "
    WITH piece AS (
",
            $($pieces)*,
            "
    ),
    grouped AS (
        SELECT CASE WHEN $5 THEN piece.foundation_id END AS foundation_id,
               CASE WHEN $6 THEN piece.kind END AS kind,
               CASE WHEN $7 THEN piece.organization_id END AS organization_id,
               CASE WHEN $8 THEN piece.space_id END AS space_id,
               CASE WHEN $9 THEN piece.app_id END AS app_id,
               CASE WHEN $10 AND piece.kind = 1 OR $11 AND piece.kind = 2 THEN piece.resource_id END AS resource_id,
               CASE WHEN $12 THEN piece.buildpack_id END AS buildpack_id,
               CASE WHEN $13 THEN piece.service_plan_id END AS service_plan_id,
               sum(piece.seconds * piece.instances) AS instance_seconds,
               sum(piece.seconds * piece.instances * piece.memory_mib) AS memory_mib_seconds,
               sum(piece.seconds * piece.instances * piece.disk_mib) AS disk_mib_seconds,
               sum(CASE WHEN piece.estimated THEN piece.seconds * piece.instances ELSE 0 END)
                   AS estimated_instance_seconds
        FROM piece
        JOIN foundation ON foundation.id = piece.foundation_id
        JOIN resource ON resource.id = piece.resource_id
        WHERE ($3 IS NULL OR foundation.name = $3) AND ($4 OR NOT resource.user_provided) ",
            $but,
            "
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    )
    SELECT foundation.name AS foundation, grouped.kind,
           organization.guid AS organization_guid, organization.name AS organization,
           space.guid AS space_guid, space.name AS space,
           app.guid AS app_guid, app.name AS app,
           resource.guid AS resource_guid, resource.name AS resource,
           buildpack.name AS buildpack, service_plan.guid AS service_plan_guid, service_plan.name AS service_plan,
           instance_seconds, memory_mib_seconds, disk_mib_seconds, estimated_instance_seconds
    FROM grouped
    LEFT JOIN foundation ON foundation.id = grouped.foundation_id
    LEFT JOIN organization ON organization.id = grouped.organization_id
    LEFT JOIN space ON space.id = grouped.space_id
    LEFT JOIN app ON app.id = grouped.app_id
    LEFT JOIN resource ON resource.id = grouped.resource_id
    LEFT JOIN buildpack ON buildpack.id = grouped.buildpack_id
    LEFT JOIN service_plan ON service_plan.id = grouped.service_plan_id
    WHERE instance_seconds <> 0 OR memory_mib_seconds <> 0 OR disk_mib_seconds <> 0
        OR estimated_instance_seconds <> 0"
        )
    };
}

macro_rules! sqlite_pieces {
    () => {
        "
        SELECT entry.foundation_id, entry.resource_id, entry.kind, entry.organization_id, entry.space_id,
               entry.app_id, entry.buildpack_id, entry.service_plan_id, entry.instances, entry.memory_mib,
               entry.disk_mib, entry.estimated,
               (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
                   * (min(entry.ended_at, $2) - max(entry.started_at, $1)) AS seconds
        FROM ledger_entry AS entry
        WHERE entry.ended_at > $1 AND entry.started_at < $2
        UNION ALL
        SELECT run.foundation_id, run.resource_id, run.kind, run.organization_id, run.space_id,
               run.app_id, run.buildpack_id, run.service_plan_id, run.instances, run.memory_mib,
               run.disk_mib, (run.counts_until IS NOT NULL OR run.estimated),
               min($2, foundation.known_until, coalesce(run.counts_until, $2)) - max(run.started_at, $1)
        FROM open_interval AS run
        JOIN foundation ON foundation.id = run.foundation_id
        WHERE run.billed AND min($2, foundation.known_until, coalesce(run.counts_until, $2)) > max(run.started_at, $1)"
    };
}

macro_rules! postgres_pieces {
    () => {
        "
        SELECT entry.foundation_id, entry.resource_id, entry.kind, entry.organization_id, entry.space_id,
               entry.app_id, entry.buildpack_id, entry.service_plan_id, entry.instances, entry.memory_mib,
               entry.disk_mib, entry.estimated,
               (CASE entry.entry_type WHEN 2 THEN -1 ELSE 1 END)
                   * extract(epoch FROM least(entry.ended_at, $2) - greatest(entry.started_at, $1))::bigint AS seconds
        FROM ledger_entry AS entry
        WHERE entry.ended_at > $1 AND entry.started_at < $2
        UNION ALL
        SELECT run.foundation_id, run.resource_id, run.kind, run.organization_id, run.space_id,
               run.app_id, run.buildpack_id, run.service_plan_id, run.instances, run.memory_mib,
               run.disk_mib, (run.counts_until IS NOT NULL OR run.estimated),
               extract(epoch FROM least($2, foundation.known_until, run.counts_until)
                   - greatest(run.started_at, $1))::bigint
        FROM open_interval AS run
        JOIN foundation ON foundation.id = run.foundation_id AND foundation.known_until IS NOT NULL
        WHERE run.billed AND least($2, foundation.known_until, run.counts_until) > greatest(run.started_at, $1)"
    };
}

/// Of one resource in one span, in MiB·s, instance·s: 38 PiB for a month. So many of them that less than a hundred come to
/// more than an integer holds.
macro_rules! is_absurd {
    () => {
        "sum(abs(1.0 * piece.seconds) * piece.instances
             * CASE WHEN piece.memory_mib > piece.disk_mib THEN piece.memory_mib ELSE piece.disk_mib END) > 1e17
         OR sum(abs(1.0 * piece.seconds) * piece.instances) > 1e17"
    };
}

macro_rules! without_absurd {
    () => {
        concat!(
            "AND piece.resource_id NOT IN
                 (SELECT piece.resource_id FROM piece GROUP BY piece.resource_id HAVING ",
            is_absurd!(),
            ")"
        )
    };
}

macro_rules! absurd {
    ($($pieces:tt)*) => {
        concat!(
            "
    WITH piece AS (
",
            $($pieces)*,
            "
    )
    SELECT foundation.name AS foundation, resource.kind, resource.guid, coalesce(resource.name, max(app.name)) AS name
    FROM piece
    JOIN foundation ON foundation.id = piece.foundation_id
    JOIN resource ON resource.id = piece.resource_id
    LEFT JOIN app ON app.id = piece.app_id
    WHERE ($3 IS NULL OR foundation.name = $3) AND ($4 OR NOT resource.user_provided)
    GROUP BY foundation.name, resource.kind, resource.guid, resource.name
    HAVING ",
            is_absurd!(),
            "
    ORDER BY foundation.name, resource.kind, resource.guid"
        )
    };
}

const USAGE: Sql = Sql::each(usage!("", sqlite_pieces!()), usage!("", postgres_pieces!()));
const USAGE_WITHOUT_ABSURD: Sql =
    Sql::each(usage!(without_absurd!(), sqlite_pieces!()), usage!(without_absurd!(), postgres_pieces!()));
const ABSURD: Sql = Sql::each(absurd!(sqlite_pieces!()), absurd!(postgres_pieces!()));

impl Store {
    /// Usage in each of several spans of time, grouped, in integers, and the foundations as they stood: all in
    /// one view of the book. A resource that used more than an integer holds is left out, and named.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Overflow`] if the sums of sane resources exceed an integer.
    pub async fn usage(&self, query: &UsageQuery, spans: &[Span]) -> Result<Used, StoreError> {
        match self.usage_by(USAGE, query, spans).await {
            Ok((of_spans, heads)) => Ok(Used { of_spans, heads, absurd: Vec::new() }),
            // Slower: what one resource used that can't be is left out of sums, and told.
            Err(StoreError::Overflow) => {
                let absurd = self.absurd(query, spans).await?;
                if absurd.is_empty() {
                    return Err(StoreError::Overflow);
                }
                let (of_spans, heads) = self.usage_by(USAGE_WITHOUT_ABSURD, query, spans).await?;
                Ok(Used { of_spans, heads, absurd })
            }
            Err(error) => Err(error),
        }
    }

    /// Resources that are said to have used more in a span than anything can.
    async fn absurd(&self, query: &UsageQuery, spans: &[Span]) -> Result<Vec<Absurd>, StoreError> {
        let mut session = self.database.read().await?;
        let mut absurd: Vec<Absurd> = Vec::new();
        for span in spans {
            let values = values![span.from, span.to, query.foundation.as_deref(), query.user_provided];
            for row in session.all(ABSURD, values).await? {
                let found = Absurd {
                    foundation: row.string("foundation")?,
                    kind: row.get("resource.kind")?,
                    guid: row.string("resource.guid")?,
                    name: row.maybe_string("name")?,
                };
                if !absurd.contains(&found) {
                    absurd.push(found);
                }
            }
        }
        Ok(absurd)
    }

    async fn usage_by(
        &self,
        statement: Sql,
        query: &UsageQuery,
        spans: &[Span],
    ) -> Result<(Vec<Vec<UsageRow>>, Vec<FoundationHead>), StoreError> {
        let by = |key| query.by.contains(&key);
        let mut session = self.database.read().await?;
        let mut of_spans = Vec::with_capacity(spans.len());
        for span in spans {
            let values = values![
                span.from,
                span.to,
                query.foundation.as_deref(),
                query.user_provided,
                by(GroupKey::Foundation),
                by(GroupKey::Kind),
                by(GroupKey::Organization),
                by(GroupKey::Space),
                by(GroupKey::App),
                by(GroupKey::Process),
                by(GroupKey::ServiceInstance),
                by(GroupKey::Buildpack),
                by(GroupKey::ServicePlan),
            ];
            let rows = session.all(statement, values).await?;
            let read: Result<Vec<_>, _> = rows.iter().map(|row| read_usage(row, &query.by)).collect();
            let mut read = read?;
            read.sort_by(|one, two| one.keys.cmp(&two.keys));
            of_spans.push(read);
        }
        let heads = read_foundations(&mut session, query.foundation.as_deref()).await?;
        Ok((of_spans, heads))
    }
}

fn read_usage(row: &Row, by: &[GroupKey]) -> Result<UsageRow, StoreError> {
    // On SQLite a sum that is too large comes as a real number.
    let quantity = |column: &'static str| row.integer(column).map_err(|_| StoreError::Overflow);
    let mut keys = Vec::with_capacity(by.len());
    for key in by {
        keys.push(read_key(row, *key)?);
    }
    Ok(UsageRow {
        keys,
        instance_seconds: quantity("instance_seconds")?,
        memory_mib_seconds: quantity("memory_mib_seconds")?,
        disk_mib_seconds: quantity("disk_mib_seconds")?,
        estimated_instance_seconds: quantity("estimated_instance_seconds")?,
    })
}

fn read_key(row: &Row, key: GroupKey) -> Result<Option<UsageKeyed>, StoreError> {
    let (value, name) = match key {
        GroupKey::Foundation => ("foundation", None),
        GroupKey::Organization => ("organization_guid", Some("organization")),
        GroupKey::Space => ("space_guid", Some("space")),
        GroupKey::App => ("app_guid", Some("app")),
        GroupKey::Process | GroupKey::ServiceInstance => ("resource_guid", Some("resource")),
        GroupKey::Buildpack => ("buildpack", None),
        GroupKey::ServicePlan => ("service_plan_guid", Some("service_plan")),
        GroupKey::Kind => {
            let kind = row.get::<Option<Kind>>("kind")?;
            return Ok(kind.map(|kind| UsageKeyed { value: kind.name().to_owned(), name: None }));
        }
    };
    let value = row.maybe_string(value)?;
    let name = name.map(|name| row.maybe_string(name)).transpose()?.flatten();
    Ok(value.map(|value| UsageKeyed { value, name }))
}
