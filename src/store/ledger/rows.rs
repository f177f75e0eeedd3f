//! Resources, open intervals and ledger entries: which columns they are read from, and how.

use std::sync::Arc;

use crate::domain::ledger_entry::net;
use crate::domain::{
    Cause, DiskSource, EntryType, Footprint, Guid, Interval, Kind, LedgerEntry, Location, MemorySource, Place,
    ResourceKey,
};
use crate::fold::{Known, Opening, Piece, Resource, Run};
use crate::store::StoreError;
use crate::store::codes::Code;
use crate::store::database::{Row, Session, Sql, values};

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

pub(in crate::store) use select_resource;

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

pub(in crate::store) use select_entry;

/// The net entries of a resource: all, or those of one run; as of now, or after an input.
pub(in crate::store) async fn entries_of(
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
pub(in crate::store) async fn all_entries_of(
    session: &mut Session,
    resource_id: i64,
    until: u64,
) -> Result<Vec<LedgerEntry>, StoreError> {
    const ENTRIES: Sql = select_entry!("WHERE entry.resource_id = $1 AND entry.sequence <= $2 ORDER BY entry.number");
    session.all(ENTRIES, values![resource_id, until]).await?.iter().map(read_entry).collect()
}

pub(in crate::store) fn read_entry(row: &Row) -> Result<LedgerEntry, StoreError> {
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

pub(in crate::store) fn read_resource(row: &Row) -> Result<Resource, StoreError> {
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
