//! Resources, open intervals and ledger entries, from rows to domain values.

use std::collections::HashMap;
use std::sync::Arc;

use super::chunks::history;
use super::codes::Code;
use super::database::{Columns, Row, Session, Sql, Type, values};
use super::retention::{pruned_seals, sealed_state};
use super::{ArchivedInput, FoundationHead, InputKind, LoadedResource, OpenTotal, Store, StoreError};
use crate::domain::ledger_entry::net;
use crate::domain::{
    Cause, DiskSource, EntryType, Footprint, Guid, Interval, Kind, LedgerEntry, Location, MemorySource, Place,
    ResourceKey,
};
use crate::fold::{Depth, Known, Opening, Piece, Resource, Run, Sealed};

/// Columns of a resource and its open interval, from the tables and under the conditions given.
macro_rules! select_resource {
    ($from:literal, $where:literal) => {
        Sql::new(concat!(
            "SELECT resource.id, resource.kind, resource.guid, app.guid, resource.process_type,
                    resource.user_provided, resource.latest, resource.ended, resource.disk_mib,
                    resource.last_ordinal, resource.last_fraction, resource.last_sequence,
                    run.run, run.opening, run.unconfirmed, run.billed, run.started_at, run.opened_by,
                    run.instances, run.memory_mib, run.memory_source, run.disk_mib, run.disk_source,
                    buildpack.name, service_plan.guid, organization.guid, space.guid, run.estimated
             ",
            $from,
            "
             LEFT JOIN app ON app.id = resource.app_id
             LEFT JOIN buildpack ON buildpack.id = run.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = run.service_plan_id
             LEFT JOIN organization ON organization.id = run.organization_id
             LEFT JOIN space ON space.id = run.space_id
             ",
            $where
        ))
    };
}

pub(super) use select_resource;

/// Columns of a ledger entry, under the conditions given.
macro_rules! select_entry {
    ($where:literal) => {
        Sql::new(concat!(
            "SELECT entry.number, entry.entry_type, entry.corrects, entry.cause, entry.sequence, entry.known_at,
                    entry.kind, resource.guid, entry.run, entry.started_at, entry.ended_at,
                    entry.instances, entry.memory_mib, entry.memory_source, entry.disk_mib, entry.disk_source,
                    buildpack.name, service_plan.guid, organization.guid, space.guid,
                    entry.estimated, entry.opened_by, entry.closed_by
             FROM ledger_entry AS entry
             JOIN resource ON resource.id = entry.resource_id
             JOIN organization ON organization.id = entry.organization_id
             JOIN space ON space.id = entry.space_id
             LEFT JOIN buildpack ON buildpack.id = entry.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = entry.service_plan_id
             ",
            $where
        ))
    };
}

pub(super) use select_entry;

impl Store {
    /// Resources with what else was asked for; those never seen are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(
        &self,
        foundation: &FoundationHead,
        wanted: &HashMap<ResourceKey, Depth>,
    ) -> Result<Vec<LoadedResource>, StoreError> {
        const RESOURCES: Sql = select_resource!(
            // SQLite keeps the order of a CROSS JOIN: what is wanted leads.
            "FROM {rows} AS wanted
             CROSS JOIN resource
             LEFT JOIN open_interval AS run ON run.resource_id = resource.id",
            "WHERE resource.foundation_id = $1 AND resource.kind = wanted.kind AND resource.guid = wanted.guid"
        );
        const COLUMNS: Columns = &[("kind", Type::Integer), ("guid", Type::Text)];
        let mut session = self.database.read().await?;
        let mut payload = session.payload(COLUMNS);
        for key in wanted.keys() {
            payload.row().integer(key.kind.code()).text(Some(&key.guid.to_string()));
        }
        let mut loaded = Vec::with_capacity(wanted.len());
        let mut chunks = HashMap::new();
        let is_deep = wanted.values().any(|depth| *depth == Depth::History);
        let seals = if is_deep { pruned_seals(&mut session, foundation).await? } else { Vec::new() };
        for row in session.all_of(RESOURCES, values![foundation.id], payload).await? {
            let resource = read_resource(&row)?;
            let depth = wanted.get(&resource.key).copied().unwrap_or(Depth::State);
            let mut entries = Vec::new();
            let mut inputs = Vec::new();
            let mut state = None;
            if depth >= Depth::Run {
                let run = if depth == Depth::Run { resource.run.as_ref().map(|run| run.id) } else { None };
                entries = entries_of(&mut session, row.integer(0)?, run, None).await?;
            }
            if depth == Depth::History {
                (state, inputs) = past(&mut session, foundation, &row, &resource, &seals, &mut chunks).await?;
            }
            loaded.push(LoadedResource { resource, sealed: state, entries, history: inputs });
        }
        Ok(loaded)
    }

    /// Every resource with an open run.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_resources(&self, foundation: &FoundationHead) -> Result<Vec<LoadedResource>, StoreError> {
        const OPEN: Sql = select_resource!(
            "FROM open_interval AS run
             JOIN resource ON resource.id = run.resource_id",
            "WHERE run.foundation_id = $1"
        );
        let rows = self.database.read().await?.all(OPEN, values![foundation.id]).await?;
        let mut loaded = Vec::with_capacity(rows.len());
        for row in &rows {
            let resource = read_resource(row)?;
            loaded.push(LoadedResource { resource, sealed: None, entries: Vec::new(), history: Vec::new() });
        }
        loaded.sort_by(|one, two| one.resource.key.cmp(&two.resource.key));
        Ok(loaded)
    }

    /// What is open, by kind; of memory at most 9 × 10^18 MiB, however absurd an app is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_totals(&self, foundation: &FoundationHead) -> Result<Vec<OpenTotal>, StoreError> {
        const TOTALS: Sql = Sql::new(
            "SELECT kind, count(*), sum(instances),
                    CAST(CASE WHEN sum(1.0 * instances * memory_mib) < 9e18
                              THEN sum(1.0 * instances * memory_mib) ELSE 9e18 END AS bigint)
             FROM open_interval
             WHERE foundation_id = $1
             GROUP BY kind",
        );
        let rows = self.database.read().await?.all(TOTALS, values![foundation.id]).await?;
        let total = |row: &Row| -> Result<OpenTotal, StoreError> {
            Ok(OpenTotal {
                kind: Kind::of(row.integer(0)?)?,
                intervals: row.integer(1)?,
                instances: row.integer(2)?,
                memory_mib: row.integer(3)?,
            })
        };
        rows.iter().map(total).collect()
    }

    /// Ledger entries numbered from `first` on, at most `limit`, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_entries(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        const ENTRIES: Sql =
            select_entry!("WHERE entry.foundation_id = $1 AND entry.number >= $2 ORDER BY entry.number LIMIT $3");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.database.read().await?.all(ENTRIES, values![foundation.id, first, limit]).await?;
        rows.iter().map(read_entry).collect()
    }
}

/// What a resource is folded again from: its state in the newest seal that holds all of it, with the inputs after; or all
/// its inputs.
async fn past(
    session: &mut Session,
    foundation: &FoundationHead,
    row: &Row,
    resource: &Resource,
    seals: &[(u64, u64)],
    chunks: &mut HashMap<u64, Arc<Vec<ArchivedInput>>>,
) -> Result<(Option<(u64, Sealed)>, Vec<ArchivedInput>), StoreError> {
    let mut inputs: Vec<ArchivedInput> = Vec::new();
    let mut next = resource.last_sequence;
    for (seal, pruned_at) in seals {
        let (mut part, before) = history(session, foundation.id, next, *seal, chunks).await?;
        part.append(&mut inputs);
        (inputs, next) = (part, before);
        if next == 0 {
            return Ok((None, inputs));
        }
        let sealed = sealed_state(session, foundation, row.integer(0)?, *seal).await?;
        // Found behind the seal before it was pruned: the state lacks it, and everything before was kept.
        let place = &sealed.resource.last_place;
        let is_behind =
            |input: &ArchivedInput| input.place < *place || input.kind == InputKind::Bound && input.place == *place;
        let lacks = |input: &ArchivedInput| input.sequence <= *pruned_at && is_behind(input);
        if !inputs.iter().any(lacks) {
            return Ok((Some((*seal, sealed)), inputs));
        }
    }
    let (mut part, _) = history(session, foundation.id, next, 0, chunks).await?;
    part.append(&mut inputs);
    Ok((None, part))
}

/// The net entries of a resource: all, or those of one run; as of now, or after an input.
pub(super) async fn entries_of(
    session: &mut Session,
    resource_id: i64,
    run: Option<u64>,
    until: Option<u64>,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: Sql = select_entry!(
        "WHERE entry.resource_id = $1 AND ($2 IS NULL OR entry.run = $2) AND ($3 IS NULL OR entry.sequence <= $3)
         ORDER BY entry.number"
    );
    let rows =
        session.all(ENTRIES, values![resource_id, run.map(u64::cast_signed), until.map(u64::cast_signed)]).await?;
    let entries: Result<Vec<_>, _> = rows.iter().map(read_entry).collect();
    Ok(net(entries?))
}

/// All entries of a resource after an input, taken back or not.
pub(super) async fn all_entries_of(
    session: &mut Session,
    resource_id: i64,
    until: u64,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: Sql = select_entry!("WHERE entry.resource_id = $1 AND entry.sequence <= $2 ORDER BY entry.number");
    session.all(ENTRIES, values![resource_id, until]).await?.iter().map(read_entry).collect()
}

pub(super) fn read_entry(row: &Row) -> Result<LedgerEntry, StoreError> {
    Ok(LedgerEntry {
        number: row.number(0)?,
        entry_type: EntryType::of(row.integer(1)?)?,
        corrects: row.maybe_integer(2)?.map(i64::cast_unsigned),
        cause: Cause::of(row.integer(3)?)?,
        sequence: row.number(4)?,
        known_at: row.time(5)?,
        interval: Interval {
            resource: ResourceKey { kind: Kind::of(row.integer(6)?)?, guid: Guid::new(row.text(7)?) },
            run: row.number(8)?,
            started_at: row.time(9)?,
            ended_at: row.time(10)?,
            footprint: read_footprint(row, 11)?,
            estimated: row.flag(20)?,
            opened_by: row.number(21)?,
            closed_by: row.number(22)?,
        },
    })
}

/// Nine columns from `first`: instances, memory and disk with their sources, buildpack, plan, organization, space.
fn read_footprint(row: &Row, first: usize) -> Result<Footprint, StoreError> {
    Ok(Footprint {
        instances: row.small(first)?,
        memory_mib: row.small(first + 1)?,
        memory_source: MemorySource::of(row.integer(first + 2)?)?,
        disk_mib: row.small(first + 3)?,
        disk_source: DiskSource::of(row.integer(first + 4)?)?,
        buildpack: row.maybe_text(first + 5)?.map(Arc::from),
        service_plan: row.maybe_text(first + 6)?.map(Guid::new),
        location: Location { organization: Guid::new(row.text(first + 7)?), space: Guid::new(row.text(first + 8)?) },
    })
}

pub(super) fn read_resource(row: &Row) -> Result<Resource, StoreError> {
    let run = match row.maybe_integer(12)? {
        None => None,
        Some(id) => Some(Run {
            id: id.cast_unsigned(),
            opening: Opening::of(row.integer(13)?)?,
            unconfirmed: row.flag(14)?,
            billed: row.flag(15)?,
            piece: Piece {
                started_at: row.time(16)?,
                opened_by: row.number(17)?,
                footprint: read_footprint(row, 18)?,
                estimated: row.flag(27)?,
            },
        }),
    };
    let disk_mib = row.maybe_integer(8)?.map(u32::try_from).transpose();
    Ok(Resource {
        key: ResourceKey { kind: Kind::of(row.integer(1)?)?, guid: Guid::new(row.text(2)?) },
        app: row.maybe_text(3)?.map(Guid::new),
        process_type: row.maybe_text(4)?.map(Arc::from),
        user_provided: row.flag(5)?,
        latest: row.maybe_time(6)?,
        run,
        ended: row.flag(7)?,
        disk_mib: disk_mib
            .map_err(|error| StoreError::Unexpected { place: "resource.disk_mib", value: error.to_string() })?,
        last_place: Place::from_parts(row.number(9)?, row.bytes(10)?.unwrap_or_default()),
        told_at: None,
        last_sequence: row.number(11)?,
        known: Known::State,
    })
}
