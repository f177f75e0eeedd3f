//! Resources, open intervals and ledger entries, from rows to domain values.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::SqliteStore;
use super::archive::history;
use super::codes::Code;
use super::payload::Payload;
use crate::domain::ledger_entry::net;
use crate::domain::{
    Cause, DiskSource, EntryType, Footprint, Guid, Interval, Kind, LedgerEntry, Location, MemorySource, Place,
    ResourceKey, Timestamp,
};
use crate::fold::{Depth, Known, Opening, Piece, Resource, Run};
use crate::store::{FoundationHead, LoadedResource, StoreError};

/// Columns of a resource and its open interval, from the tables given.
macro_rules! select_resource {
    ($rest:literal) => {
        concat!(
            "SELECT resource.id, resource.kind, resource.guid, app.guid, resource.process_type,
                    resource.user_provided, resource.latest, resource.ended, resource.disk_mib,
                    resource.last_ordinal, resource.last_fraction, resource.last_sequence,
                    run.run, run.opening, run.unconfirmed, run.billed, run.started_at, run.opened_by,
                    run.instances, run.memory_mib, run.memory_source, run.disk_mib, run.disk_source,
                    buildpack.name, service_plan.guid, organization.guid, space.guid
             ",
            $rest,
            "
             LEFT JOIN app ON app.id = resource.app_id
             LEFT JOIN buildpack ON buildpack.id = run.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = run.service_plan_id
             LEFT JOIN organization ON organization.id = run.organization_id
             LEFT JOIN space ON space.id = run.space_id"
        )
    };
}

/// Columns of a ledger entry, from the tables and under the conditions given.
macro_rules! select_entry {
    ($from:literal, $where:literal) => {
        concat!(
            "SELECT entry.number, entry.entry_type, entry.corrects, entry.cause, entry.sequence, entry.known_at,
                    entry.kind, resource.guid, entry.run, entry.started_at, entry.ended_at,
                    entry.instances, entry.memory_mib, entry.memory_source, entry.disk_mib, entry.disk_source,
                    buildpack.name, service_plan.guid, organization.guid, space.guid,
                    entry.estimated, entry.opened_by, entry.closed_by
             ",
            $from,
            "
             JOIN organization ON organization.id = entry.organization_id
             JOIN space ON space.id = entry.space_id
             LEFT JOIN buildpack ON buildpack.id = entry.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = entry.service_plan_id
             ",
            $where
        )
    };
}
impl SqliteStore {
    pub async fn load(
        &self,
        foundation: &FoundationHead,
        wanted: &HashMap<ResourceKey, Depth>,
    ) -> Result<Vec<LoadedResource>, StoreError> {
        const RESOURCES: &str = select_resource!(
            "FROM json_each(?2) AS wanted
             CROSS JOIN resource ON resource.foundation_id = ?1
                 AND resource.kind = wanted.value ->> 0 AND resource.guid = wanted.value ->> 1
             LEFT JOIN open_interval AS run ON run.resource_id = resource.id"
        );
        let mut payload = Payload::default();
        for key in wanted.keys() {
            payload.row().integer(key.kind.code()).text(Some(&key.guid.to_string()));
        }
        let mut transaction = self.readers.begin().await?;
        let rows = sqlx::query(RESOURCES).bind(foundation.id).bind(payload.finish());
        let mut loaded = Vec::with_capacity(wanted.len());
        let mut chunks = HashMap::new();
        for row in rows.fetch_all(&mut *transaction).await? {
            let id: i64 = row.try_get(0)?;
            let resource = read_resource(&row)?;
            let depth = wanted.get(&resource.key).copied().unwrap_or(Depth::State);
            let mut entries = Vec::new();
            let mut inputs = Vec::new();
            if depth >= Depth::Run {
                let run = if depth == Depth::Run { resource.run.as_ref().map(|run| run.id) } else { None };
                entries = entries_of(&mut transaction, id, run).await?;
            }
            if depth == Depth::History {
                inputs = history(&mut transaction, foundation.id, resource.last_sequence, &mut chunks).await?;
            }
            loaded.push(LoadedResource { resource, entries, history: inputs });
        }
        Ok(loaded)
    }

    pub async fn open_resources(&self, foundation: &FoundationHead) -> Result<Vec<LoadedResource>, StoreError> {
        const OPEN: &str = select_resource!(
            "FROM open_interval AS run
             JOIN resource ON resource.id = run.resource_id AND run.foundation_id = ?1"
        );
        let rows = sqlx::query(OPEN).bind(foundation.id).fetch_all(&self.readers).await?;
        let mut loaded = Vec::with_capacity(rows.len());
        for row in &rows {
            loaded.push(LoadedResource { resource: read_resource(row)?, entries: Vec::new(), history: Vec::new() });
        }
        loaded.sort_by(|one, two| one.resource.key.cmp(&two.resource.key));
        Ok(loaded)
    }

    pub async fn ledger_entries(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        const ENTRIES: &str = select_entry!(
            "FROM ledger_entry AS entry JOIN resource ON resource.id = entry.resource_id",
            "WHERE entry.foundation_id = ?1 AND entry.number >= ?2 ORDER BY entry.number LIMIT ?3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = sqlx::query(ENTRIES).bind(foundation.id).bind(first.cast_signed()).bind(limit);
        rows.fetch_all(&self.readers).await?.iter().map(read_entry).collect()
    }
}

/// The net entries of a resource: all, or those of one run.
async fn entries_of(
    connection: &mut SqliteConnection,
    resource_id: i64,
    run: Option<u64>,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: &str = select_entry!(
        "FROM ledger_entry AS entry JOIN resource ON resource.id = entry.resource_id",
        "WHERE entry.resource_id = ?1 AND (?2 IS NULL OR entry.run = ?2) ORDER BY entry.number"
    );
    let rows = sqlx::query(ENTRIES).bind(resource_id).bind(run.map(u64::cast_signed));
    let entries: Result<Vec<_>, _> = rows.fetch_all(connection).await?.iter().map(read_entry).collect();
    Ok(net(entries?))
}

fn read_entry(row: &SqliteRow) -> Result<LedgerEntry, StoreError> {
    let number = |column: usize| -> Result<u64, StoreError> { Ok(row.try_get::<i64, _>(column)?.cast_unsigned()) };
    let time = |column: usize| -> Result<Timestamp, StoreError> { Ok(Timestamp::from_unix(row.try_get(column)?)) };
    Ok(LedgerEntry {
        number: number(0)?,
        entry_type: EntryType::of(row.try_get(1)?)?,
        corrects: row.try_get::<Option<i64>, _>(2)?.map(i64::cast_unsigned),
        cause: Cause::of(row.try_get(3)?)?,
        sequence: number(4)?,
        known_at: time(5)?,
        interval: Interval {
            resource: ResourceKey { kind: Kind::of(row.try_get(6)?)?, guid: Guid::new(row.try_get(7)?) },
            run: number(8)?,
            started_at: time(9)?,
            ended_at: time(10)?,
            footprint: read_footprint(row, 11)?,
            estimated: row.try_get(20)?,
            opened_by: number(21)?,
            closed_by: number(22)?,
        },
    })
}

/// Nine columns from `first`: instances, memory and disk with their sources, buildpack, plan, organization, space.
fn read_footprint(row: &SqliteRow, first: usize) -> Result<Footprint, StoreError> {
    Ok(Footprint {
        instances: row.try_get(first)?,
        memory_mib: row.try_get(first + 1)?,
        memory_source: MemorySource::of(row.try_get(first + 2)?)?,
        disk_mib: row.try_get(first + 3)?,
        disk_source: DiskSource::of(row.try_get(first + 4)?)?,
        buildpack: row.try_get::<Option<&str>, _>(first + 5)?.map(Arc::from),
        service_plan: row.try_get::<Option<&str>, _>(first + 6)?.map(Guid::new),
        location: Location {
            organization: Guid::new(row.try_get(first + 7)?),
            space: Guid::new(row.try_get(first + 8)?),
        },
    })
}

fn read_resource(row: &SqliteRow) -> Result<Resource, StoreError> {
    let number = |column: usize| -> Result<u64, StoreError> { Ok(row.try_get::<i64, _>(column)?.cast_unsigned()) };
    let run = match row.try_get::<Option<i64>, _>(12)? {
        None => None,
        Some(id) => Some(Run {
            id: id.cast_unsigned(),
            opening: Opening::of(row.try_get(13)?)?,
            unconfirmed: row.try_get(14)?,
            billed: row.try_get(15)?,
            piece: Piece {
                started_at: Timestamp::from_unix(row.try_get(16)?),
                opened_by: number(17)?,
                footprint: read_footprint(row, 18)?,
            },
        }),
    };
    let fraction: Option<Vec<u8>> = row.try_get(10)?;
    Ok(Resource {
        key: ResourceKey { kind: Kind::of(row.try_get(1)?)?, guid: Guid::new(row.try_get(2)?) },
        app: row.try_get::<Option<&str>, _>(3)?.map(Guid::new),
        process_type: row.try_get::<Option<&str>, _>(4)?.map(Arc::from),
        user_provided: row.try_get(5)?,
        latest: row.try_get::<Option<i64>, _>(6)?.map(Timestamp::from_unix),
        run,
        ended: row.try_get(7)?,
        disk_mib: row.try_get(8)?,
        last_place: Place::from_parts(number(9)?, fraction.unwrap_or_default()),
        last_sequence: number(11)?,
        known: Known::State,
    })
}
