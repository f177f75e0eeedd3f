//! One page, one transaction: everything a page led to, or nothing.

use std::collections::HashMap;

use super::bounds::put_bounds;
use super::chain;
use super::dimensions::{self, Table, Wanted, newer, take_newer};
use super::gaps::{count_told, move_gap, put_gaps};
use crate::domain::{Footprint, Guid, Kind, ResourceKey, Stream};
use crate::store::archive::chunks;
use crate::store::codes::Code;
use crate::store::database::{Columns, RowWriter, Session, Sql, Type, again, values};
use crate::store::{FoundationHead, NameOf, Origin, Store, StoreError, StreamHead, WriteSet};

type Ids = HashMap<(Table, Guid), i64>;

impl Store {
    /// Writes what one page led to: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn commit(&self, foundation: &FoundationHead, write: &WriteSet) -> Result<(), StoreError> {
        again!(self.try_commit(foundation, write))
    }

    async fn try_commit(&self, foundation: &FoundationHead, write: &WriteSet) -> Result<(), StoreError> {
        let mut session = self.database.write().await?;
        advance(&mut session, foundation, self.epoch(foundation.lease_epoch), write).await?;
        chunks::append(&mut session, foundation, &write.inputs).await?;

        let mut dimensions = self.dimensions.lock().expect("never poisoned").take(foundation);
        let ids = dimensions.ids(&mut session, foundation.id, &named(write)).await?;
        dimensions.link_plans(&mut session, &write.names.offerings, &ids).await?;
        dimensions.note_buildpacks(&mut session, foundation.id, &write.names.buildpacks).await?;
        dimensions.note_brokers(&mut session, &write.names.brokers, &ids).await?;

        let resources = put_resources(&mut session, foundation.id, write, &ids).await?;
        put_open_intervals(&mut session, foundation, write, &ids, &resources).await?;
        put_entries(&mut session, foundation.id, write, &ids, &resources).await?;
        put_anomalies(&mut session, foundation.id, write).await?;
        put_settings_and_places(&mut session, foundation.id, write).await?;
        settle_observations(&mut session, foundation.id, write).await?;
        put_gaps(&mut session, foundation, &write.gaps).await?;
        count_told(&mut session, foundation, &write.told_by_reseeds).await?;
        put_bounds(&mut session, foundation, &write.bounds).await?;
        if let Some(progress) = &write.gap_progress {
            move_gap(&mut session, foundation, progress).await?;
        }
        chain::append(&mut session, foundation, write).await?;
        session.commit().await?;
        self.dimensions.lock().expect("never poisoned").put(foundation, dimensions);
        Ok(())
    }
}

/// Moves the foundation and its streams on, if they still are where the writer believes.
async fn advance(
    session: &mut Session,
    foundation: &FoundationHead,
    epoch: u64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const FOUNDATION: Sql = Sql::new(
        "UPDATE foundation
         SET last_sequence = $4, last_entry = $5, known_until = $6, collected = (collected OR $7),
             observed_until = $8, swept_until = $9, reconciled_at = $10, swept_long_at = $11
         WHERE id = $1 AND last_sequence = $2 AND lease_epoch = $3",
    );
    const STREAM: Sql = Sql::new(
        "UPDATE stream
         SET last_ordinal = $3, oldest_created_at = $4, newest_created_at = $5, checkpoint_guid = $6,
             checkpoint_created_at = $7, predecessor_guid = $8, predecessor_created_at = $9, agreeing_at = $10
         WHERE foundation_id = $1 AND name = $2",
    );
    let values = values![
        foundation.id,
        foundation.last_sequence,
        epoch,
        foundation.last_sequence + write.inputs.len() as u64,
        write.last_entry,
        write.known_until,
        write.origin == Origin::Collector,
        write.observed_until,
        write.swept_until,
        write.reconciled_at,
        write.swept_long_at,
    ];
    if session.run(FOUNDATION, values).await? != 1 {
        return Err(StoreError::Superseded(foundation.name.clone()));
    }
    for (stream, head) in [(Stream::App, &write.app), (Stream::Service, &write.service)] {
        let StreamHead { last_ordinal, oldest_created_at, newest_created_at, agreeing_at, checkpoint, predecessor } =
            head;
        let values = values![
            foundation.id,
            stream.name(),
            *last_ordinal,
            *oldest_created_at,
            *newest_created_at,
            checkpoint.as_ref().map(|event| event.guid.to_string()),
            checkpoint.as_ref().map(|event| event.created_at),
            predecessor.as_ref().map(|event| event.guid.to_string()),
            predecessor.as_ref().map(|event| event.created_at),
            *agreeing_at,
        ];
        session.run(STREAM, values).await?;
    }
    Ok(())
}

/// Every guid the page's rows point to, with the newest name where the page has one.
fn named(write: &WriteSet) -> Wanted<'_> {
    let mut wanted = dimensions::wanted(&write.names);
    let intervals = write.entries.iter().map(|entry| &entry.interval.footprint);
    let open = write.resources.iter().filter_map(|resource| resource.run.as_ref()).map(|run| &run.piece.footprint);
    for footprint in intervals.chain(open) {
        wanted.entry((Table::Organization, footprint.location.organization.clone())).or_default();
        wanted.entry((Table::Space, footprint.location.space.clone())).or_default();
        if let Some(buildpack) = &footprint.buildpack {
            wanted.entry((Table::Buildpack, Guid::new(buildpack))).or_default();
        }
        if let Some(plan) = &footprint.service_plan {
            wanted.entry((Table::ServicePlan, plan.clone())).or_default();
        }
    }
    for app in write.resources.iter().filter_map(|resource| resource.app.as_ref()) {
        wanted.entry((Table::App, app.clone())).or_default();
    }
    wanted
}

fn id_of(ids: &Ids, table: Table, guid: Option<&Guid>) -> Option<i64> {
    guid.and_then(|guid| ids.get(&(table, guid.clone())).copied())
}

async fn put_resources(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
) -> Result<HashMap<ResourceKey, i64>, StoreError> {
    macro_rules! put {
        ($collation:literal) => {
            concat!(
                "INSERT INTO resource
                     (foundation_id, kind, guid, name, named_at, named_place, app_id, process_type, user_provided,
                      latest, ended, disk_mib, last_ordinal, last_fraction, last_sequence, to_observe)
                 SELECT $1, kind, guid, name, named_at, named_place, app_id, process_type, user_provided,
                        latest, ended, disk_mib, last_ordinal, last_fraction, last_sequence, to_observe
                 FROM {rows} AS new
                 WHERE true
                 ON CONFLICT (foundation_id, kind, guid) DO UPDATE SET ",
                take_newer!("excluded", "resource", $collation),
                ",   app_id = excluded.app_id,
                     process_type = excluded.process_type, user_provided = excluded.user_provided,
                     latest = excluded.latest, ended = excluded.ended, disk_mib = excluded.disk_mib,
                     last_ordinal = excluded.last_ordinal, last_fraction = excluded.last_fraction,
                     last_sequence = excluded.last_sequence, to_observe = excluded.to_observe
                 RETURNING kind, guid, id"
            )
        };
    }
    const PUT: Sql = Sql::each(put!(""), put!(" COLLATE \"C\""));
    const COLUMNS: Columns = &[
        ("kind", Type::Integer),
        ("guid", Type::Text),
        ("name", Type::Text),
        ("named_at", Type::Time),
        ("named_place", Type::Text),
        ("app_id", Type::Integer),
        ("process_type", Type::Text),
        ("user_provided", Type::Flag),
        ("latest", Type::Time),
        ("ended", Type::Flag),
        ("disk_mib", Type::Integer),
        ("last_ordinal", Type::Integer),
        ("last_fraction", Type::Bytes),
        ("last_sequence", Type::Integer),
        ("to_observe", Type::Flag),
    ];
    let mut payload = session.payload(COLUMNS);
    for resource in &write.resources {
        let name = write.names.names.get(&NameOf::Resource(resource.key.clone()));
        (payload.row())
            .integer(resource.key.kind.code())
            .text(Some(&resource.key.guid.to_string()))
            .text(name.map(|named| named.value.as_str()))
            .time(name.and_then(|named| named.told.at))
            .text(name.and_then(|named| named.told.place_text()).as_deref())
            .integer(id_of(ids, Table::App, resource.app.as_ref()))
            .text(resource.process_type.as_deref())
            .flag(resource.user_provided)
            .time(resource.latest)
            .flag(resource.ended)
            .integer(resource.disk_mib.map(i64::from))
            .number(resource.last_place.ordinal)
            .bytes(resource.last_place.fraction())
            .number(resource.last_sequence)
            .flag(write.to_observe.contains(&resource.key));
    }
    let mut resources = HashMap::with_capacity(write.resources.len());
    if payload.is_empty() {
        return Ok(resources);
    }
    for row in session.all_of(PUT, values![foundation_id], payload).await? {
        let key = ResourceKey { kind: Kind::of(row.integer(0)?)?, guid: Guid::new(row.text(1)?) };
        resources.insert(key, row.integer(2)?);
    }
    Ok(resources)
}

/// The columns of a footprint follow the given ones.
macro_rules! with_footprint {
    ($($column:expr),* $(,)?) => {
        &[
            $($column,)*
            ("instances", Type::Integer),
            ("memory_mib", Type::Integer),
            ("memory_source", Type::Integer),
            ("disk_mib", Type::Integer),
            ("disk_source", Type::Integer),
            ("buildpack_id", Type::Integer),
            ("service_plan_id", Type::Integer),
            ("organization_id", Type::Integer),
            ("space_id", Type::Integer),
        ]
    };
}

fn put_footprint<'row>(row: RowWriter<'row>, footprint: &Footprint, ids: &Ids) -> RowWriter<'row> {
    let buildpack = footprint.buildpack.as_deref().map(Guid::new);
    row.integer(i64::from(footprint.instances))
        .integer(i64::from(footprint.memory_mib))
        .integer(footprint.memory_source.code())
        .integer(i64::from(footprint.disk_mib))
        .integer(footprint.disk_source.code())
        .integer(id_of(ids, Table::Buildpack, buildpack.as_ref()))
        .integer(id_of(ids, Table::ServicePlan, footprint.service_plan.as_ref()))
        .integer(id_of(ids, Table::Organization, Some(&footprint.location.organization)))
        .integer(id_of(ids, Table::Space, Some(&footprint.location.space)))
}

async fn put_open_intervals(
    session: &mut Session,
    foundation: &FoundationHead,
    write: &WriteSet,
    ids: &Ids,
    resources: &HashMap<ResourceKey, i64>,
) -> Result<(), StoreError> {
    const REMOVE: Sql =
        Sql::new("DELETE FROM open_interval WHERE resource_id IN (SELECT resource_id FROM {rows} AS closed)");
    const PUT: Sql = Sql::new(
        "INSERT INTO open_interval
             (foundation_id, resource_id, kind, run, opening, unconfirmed, billed, started_at, counts_until,
              opened_by, app_id, instances, memory_mib, memory_source, disk_mib, disk_source, buildpack_id,
              service_plan_id, organization_id, space_id, estimated)
         SELECT $1, resource_id, kind, run, opening, unconfirmed, billed, started_at, counts_until,
                opened_by, app_id, instances, memory_mib, memory_source, disk_mib, disk_source, buildpack_id,
                service_plan_id, organization_id, space_id, estimated
         FROM {rows} AS new
         WHERE true
         ON CONFLICT (resource_id) DO UPDATE SET
             run = excluded.run, opening = excluded.opening, unconfirmed = excluded.unconfirmed,
             billed = excluded.billed, started_at = excluded.started_at, counts_until = excluded.counts_until,
             opened_by = excluded.opened_by, app_id = excluded.app_id, instances = excluded.instances,
             memory_mib = excluded.memory_mib, memory_source = excluded.memory_source, disk_mib = excluded.disk_mib,
             disk_source = excluded.disk_source, buildpack_id = excluded.buildpack_id,
             service_plan_id = excluded.service_plan_id, organization_id = excluded.organization_id,
             space_id = excluded.space_id, estimated = excluded.estimated",
    );
    const COLUMNS: Columns = with_footprint![
        ("estimated", Type::Flag),
        ("resource_id", Type::Integer),
        ("kind", Type::Integer),
        ("run", Type::Integer),
        ("opening", Type::Integer),
        ("unconfirmed", Type::Flag),
        ("billed", Type::Flag),
        ("started_at", Type::Time),
        ("counts_until", Type::Time),
        ("opened_by", Type::Integer),
        ("app_id", Type::Integer),
    ];
    let mut closed = session.payload(&[("resource_id", Type::Integer)]);
    let mut open = session.payload(COLUMNS);
    let settings = write.settings.last().map(|(_, settings)| settings.clone());
    let cap = settings.unwrap_or_else(|| foundation.current_settings()).staging_cap_seconds;
    for resource in &write.resources {
        let id = resources.get(&resource.key).copied();
        let Some(run) = &resource.run else {
            closed.row().integer(id);
            continue;
        };
        let capped = resource.key.kind == Kind::Staging;
        let row = (open.row())
            .flag(run.piece.estimated)
            .integer(id)
            .integer(resource.key.kind.code())
            .number(run.id)
            .integer(run.opening.code())
            .flag(run.unconfirmed)
            .flag(run.billed)
            .time(run.piece.started_at)
            .time(capped.then(|| run.piece.started_at.plus(cap)))
            .number(run.piece.opened_by)
            .integer(id_of(ids, Table::App, resource.app.as_ref()));
        put_footprint(row, &run.piece.footprint, ids);
    }
    session.run_of(REMOVE, Vec::new(), closed).await?;
    session.run_of(PUT, values![foundation.id], open).await?;
    Ok(())
}

async fn put_entries(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
    resources: &HashMap<ResourceKey, i64>,
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO ledger_entry
             (foundation_id, number, entry_type, corrects, cause, sequence, known_at, resource_id, kind, run,
              started_at, ended_at, estimated, opened_by, closed_by, app_id, instances, memory_mib, memory_source,
              disk_mib, disk_source, buildpack_id, service_plan_id, organization_id, space_id)
         SELECT $1, number, entry_type, corrects, cause, sequence, known_at, resource_id, kind, run,
                started_at, ended_at, estimated, opened_by, closed_by, app_id, instances, memory_mib, memory_source,
                disk_mib, disk_source, buildpack_id, service_plan_id, organization_id, space_id
         FROM {rows} AS new",
    );
    const COLUMNS: Columns = with_footprint![
        ("number", Type::Integer),
        ("entry_type", Type::Integer),
        ("corrects", Type::Integer),
        ("cause", Type::Integer),
        ("sequence", Type::Integer),
        ("known_at", Type::Time),
        ("resource_id", Type::Integer),
        ("kind", Type::Integer),
        ("run", Type::Integer),
        ("started_at", Type::Time),
        ("ended_at", Type::Time),
        ("estimated", Type::Flag),
        ("opened_by", Type::Integer),
        ("closed_by", Type::Integer),
        ("app_id", Type::Integer),
    ];
    let apps: HashMap<&ResourceKey, Option<i64>> = (write.resources.iter())
        .map(|resource| (&resource.key, id_of(ids, Table::App, resource.app.as_ref())))
        .collect();
    let mut payload = session.payload(COLUMNS);
    for entry in &write.entries {
        let interval = &entry.interval;
        let row = (payload.row())
            .number(entry.number)
            .integer(entry.entry_type.code())
            .integer(entry.corrects.map(u64::cast_signed))
            .integer(entry.cause.code())
            .number(entry.sequence)
            .time(entry.known_at)
            .integer(resources.get(&interval.resource).copied())
            .integer(interval.resource.kind.code())
            .number(interval.run)
            .time(interval.started_at)
            .time(interval.ended_at)
            .flag(interval.estimated)
            .number(interval.opened_by)
            .number(interval.closed_by)
            .integer(apps.get(&interval.resource).copied().flatten());
        put_footprint(row, &interval.footprint, ids);
    }
    session.run_of(PUT, values![foundation_id], payload).await?;
    Ok(())
}

async fn put_anomalies(session: &mut Session, foundation_id: i64, write: &WriteSet) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(
        "INSERT INTO anomaly (foundation_id, sequence, position, kind, at, resource_kind, resource_guid, detail)
         SELECT $1, sequence, position, kind, at, resource_kind, resource_guid, detail FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[
        ("sequence", Type::Integer),
        ("position", Type::Integer),
        ("kind", Type::Text),
        ("at", Type::Time),
        ("resource_kind", Type::Integer),
        ("resource_guid", Type::Text),
        ("detail", Type::Text),
    ];
    let mut payload = session.payload(COLUMNS);
    let mut positions: HashMap<u64, u64> = HashMap::new();
    for anomaly in &write.anomalies {
        let position = positions.entry(anomaly.sequence).or_default();
        (payload.row())
            .number(anomaly.sequence)
            .number(*position)
            .text(Some(anomaly.kind.name()))
            .time(anomaly.at)
            .integer(anomaly.resource.as_ref().map(|key| key.kind.code()))
            .text(anomaly.resource.as_ref().map(|key| key.guid.to_string()).as_deref())
            .text(Some(&anomaly.detail));
        *position += 1;
    }
    session.run_of(PUT, values![foundation_id], payload).await?;
    Ok(())
}

async fn put_settings_and_places(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const SETTINGS: Sql = Sql::new("INSERT INTO fold_settings (foundation_id, sequence, settings) VALUES ($1, $2, $3)");
    const PLACES: Sql = Sql::new(
        "INSERT INTO late_place (foundation_id, stream, ordinal, fraction)
         SELECT $1, stream, ordinal, fraction FROM {rows} AS new",
    );
    const COLUMNS: Columns = &[("stream", Type::Text), ("ordinal", Type::Integer), ("fraction", Type::Bytes)];
    for (sequence, settings) in &write.settings {
        let text = serde_json::to_string(settings).expect("settings are plain values");
        session.run(SETTINGS, values![foundation_id, *sequence, text]).await?;
    }
    let mut payload = session.payload(COLUMNS);
    for (stream, place) in &write.late_places {
        payload.row().text(Some(stream.name())).number(place.ordinal).bytes(place.fraction());
    }
    session.run_of(PLACES, values![foundation_id], payload).await?;
    Ok(())
}

/// What is gone needn't be looked for again.
async fn settle_observations(session: &mut Session, foundation_id: i64, write: &WriteSet) -> Result<(), StoreError> {
    const SETTLE: Sql = Sql::new(
        "UPDATE resource SET to_observe = false
         FROM {rows} AS gone
         WHERE resource.foundation_id = $1 AND resource.kind = gone.kind AND resource.guid = gone.guid",
    );
    let mut payload = session.payload(&[("kind", Type::Integer), ("guid", Type::Text)]);
    for key in &write.unobservable {
        payload.row().integer(key.kind.code()).text(Some(&key.guid.to_string()));
    }
    session.run_of(SETTLE, values![foundation_id], payload).await?;
    Ok(())
}
