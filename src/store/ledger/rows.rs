//! Resources, open intervals and ledger entries: which columns they are read from, and how.

use std::sync::Arc;

use crate::domain::ledger_entry::net;
use crate::domain::{
    Cause, DiskSource, EntryType, Footprint, Guid, Interval, Kind, LedgerEntry, Location, MemorySource, Place,
    ResourceKey, Timestamp,
};
use crate::fold::{Known, OpenPiece, Opening, Resource, Run};
use crate::store::StoreError;
use crate::store::database::{Record, Row, Session, Sql, record, text, values};

record! {
    /// A ledger entry, with the guids that its row has ids of.
    pub(in crate::store) struct FoundEntry {
        number: u64 = "ledger_entry.number",
        entry_type: EntryType = "ledger_entry.entry_type",
        corrects: Option<u64> = "ledger_entry.corrects",
        cause: Cause = "ledger_entry.cause",
        sequence: u64 = "ledger_entry.sequence",
        known_at: Timestamp = "ledger_entry.known_at",
        kind: Kind = "ledger_entry.kind",
        guid: Guid = "resource.guid",
        run: u64 = "ledger_entry.run",
        started_at: Timestamp = "ledger_entry.started_at",
        ended_at: Timestamp = "ledger_entry.ended_at",
        instances: u32 = "ledger_entry.instances",
        memory_mib: u32 = "ledger_entry.memory_mib",
        memory_source: MemorySource = "ledger_entry.memory_source",
        disk_mib: u32 = "ledger_entry.disk_mib",
        disk_source: DiskSource = "ledger_entry.disk_source",
        buildpack: Option<Arc<str>> = "buildpack.name",
        service_plan: Option<Guid> = "service_plan.guid",
        organization: Guid = "organization.guid",
        space: Guid = "space.guid",
        estimated: bool = "ledger_entry.estimated",
        opened_by: u64 = "ledger_entry.opened_by",
        closed_by: u64 = "ledger_entry.closed_by",
    }
}

record! {
    /// A resource.
    pub(in crate::store) struct FoundResource {
        id: i64 = "resource.id",
        kind: Kind = "resource.kind",
        guid: Guid = "resource.guid",
        app: Option<Guid> = "app.guid",
        process_type: Option<Arc<str>> = "resource.process_type",
        user_provided: bool = "resource.user_provided",
        latest: Option<Timestamp> = "resource.latest",
        ended: bool = "resource.ended",
        observed_disk_mib: Option<u32> = "resource.disk_mib",
        last_ordinal: u64 = "resource.last_ordinal",
        last_fraction: Option<Vec<u8>> = "resource.last_fraction",
        last_sequence: u64 = "resource.last_sequence",
    }
}

record! {
    /// Its open interval, where it has one.
    pub(in crate::store) struct FoundRun {
        run: u64 = "open_interval.run",
        opening: Opening = "open_interval.opening",
        unconfirmed: bool = "open_interval.unconfirmed",
        billed: bool = "open_interval.billed",
        started_at: Timestamp = "open_interval.started_at",
        opened_by: u64 = "open_interval.opened_by",
        instances: u32 = "open_interval.instances",
        memory_mib: u32 = "open_interval.memory_mib",
        memory_source: MemorySource = "open_interval.memory_source",
        disk_mib: u32 = "open_interval.disk_mib",
        disk_source: DiskSource = "open_interval.disk_source",
        buildpack: Option<Arc<str>> = "buildpack.name",
        service_plan: Option<Guid> = "service_plan.guid",
        organization: Guid = "organization.guid",
        space: Guid = "space.guid",
        estimated: bool = "open_interval.estimated",
    }
}

/// Resources with their open intervals, from the tables and under the conditions given.
macro_rules! select_resource {
    ($from:literal, $where:literal) => {
        Sql::new(text![
            "SELECT ",
            FoundResource::LIST,
            ", ",
            FoundRun::LIST,
            " ",
            $from,
            "
             LEFT JOIN app ON app.id = resource.app_id
             LEFT JOIN buildpack ON buildpack.id = open_interval.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = open_interval.service_plan_id
             LEFT JOIN organization ON organization.id = open_interval.organization_id
             LEFT JOIN space ON space.id = open_interval.space_id
             ",
            $where
        ])
    };
}

pub(in crate::store) use select_resource;

/// Ledger entries, under the conditions given.
macro_rules! select_entry {
    ($where:literal) => {
        Sql::new(text![
            "SELECT ",
            FoundEntry::LIST,
            " FROM ledger_entry
             JOIN resource ON resource.id = ledger_entry.resource_id
             JOIN organization ON organization.id = ledger_entry.organization_id
             JOIN space ON space.id = ledger_entry.space_id
             LEFT JOIN buildpack ON buildpack.id = ledger_entry.buildpack_id
             LEFT JOIN service_plan ON service_plan.id = ledger_entry.service_plan_id
             ",
            $where
        ])
    };
}

pub(in crate::store) use select_entry;

/// The net entries of a resource: all, or those of one run; as of now, or after an input.
pub(in crate::store) async fn entries_of(
    session: &mut Session,
    resource_id: i64,
    run: Option<u64>,
    until: Option<u64>,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: Sql = select_entry!(
        "WHERE ledger_entry.resource_id = $1 AND ($2 IS NULL OR ledger_entry.run = $2) AND ($3 IS NULL OR ledger_entry.sequence <= $3)
         ORDER BY ledger_entry.number"
    );
    let rows =
        session.all(ENTRIES, values![resource_id, run.map(u64::cast_signed), until.map(u64::cast_signed)]).await?;
    let entries: Result<Vec<_>, _> = rows.iter().map(read_entry).collect();
    Ok(net(entries?))
}

/// All entries of a resource after an input, taken back or not.
pub(in crate::store) async fn all_entries_of(
    session: &mut Session,
    resource_id: i64,
    until: u64,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: Sql = select_entry!(
        "WHERE ledger_entry.resource_id = $1 AND ledger_entry.sequence <= $2 ORDER BY ledger_entry.number"
    );
    session.all(ENTRIES, values![resource_id, until]).await?.iter().map(read_entry).collect()
}

/// The footprint of a row that has one.
macro_rules! footprint {
    ($row:ident) => {
        Footprint {
            instances: $row.instances,
            memory_mib: $row.memory_mib,
            memory_source: $row.memory_source,
            disk_mib: $row.disk_mib,
            disk_source: $row.disk_source,
            buildpack: $row.buildpack,
            service_plan: $row.service_plan,
            location: Location { organization: $row.organization, space: $row.space },
        }
    };
}

pub(in crate::store) fn read_entry(row: &Row) -> Result<LedgerEntry, StoreError> {
    let row = FoundEntry::read(row)?;
    Ok(LedgerEntry {
        number: row.number,
        entry_type: row.entry_type,
        corrects: row.corrects,
        cause: row.cause,
        sequence: row.sequence,
        known_at: row.known_at,
        interval: Interval {
            resource: ResourceKey { kind: row.kind, guid: row.guid },
            run: row.run,
            started_at: row.started_at,
            ended_at: row.ended_at,
            footprint: footprint!(row),
            estimated: row.estimated,
            opened_by: row.opened_by,
            closed_by: row.closed_by,
        },
    })
}

/// A resource with its open run, and its row's id.
pub(in crate::store) fn read_resource(row: &Row) -> Result<(i64, Resource), StoreError> {
    let run = if row.maybe_integer("open_interval.run")?.is_some() { Some(read_run(row)?) } else { None };
    let row = FoundResource::read(row)?;
    let resource = Resource {
        key: ResourceKey { kind: row.kind, guid: row.guid },
        app: row.app,
        process_type: row.process_type,
        user_provided: row.user_provided,
        latest: row.latest,
        run,
        ended: row.ended,
        disk_mib: row.observed_disk_mib,
        last_place: Place::from_parts(row.last_ordinal, row.last_fraction.unwrap_or_default()),
        told_at: None,
        last_sequence: row.last_sequence,
        known: Known::State,
    };
    Ok((row.id, resource))
}

fn read_run(row: &Row) -> Result<Run, StoreError> {
    let row = FoundRun::read(row)?;
    Ok(Run {
        id: row.run,
        opening: row.opening,
        unconfirmed: row.unconfirmed,
        billed: row.billed,
        piece: OpenPiece {
            started_at: row.started_at,
            opened_by: row.opened_by,
            footprint: footprint!(row),
            estimated: row.estimated,
        },
    })
}
