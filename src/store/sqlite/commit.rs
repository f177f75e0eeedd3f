//! One page, one transaction: everything a page led to, or nothing.

use std::collections::HashMap;

use sqlx::SqliteConnection;

use super::codes::Code;
use super::dimensions::{Table, Wanted};
use super::payload::{Payload, RowWriter};
use super::{SqliteStore, archive};
use crate::domain::{Footprint, Guid, Kind, ResourceKey, Stream, Timestamp};
use crate::fold::Resource;
use crate::store::{FoundationHead, NameOf, Origin, StoreError, StreamHead, WriteSet};

type Ids = HashMap<(Table, Guid), i64>;

impl SqliteStore {
    pub async fn commit(&self, foundation: &FoundationHead, write: &WriteSet) -> Result<(), StoreError> {
        let result = self.try_commit(foundation, write).await;
        if result.is_err() {
            self.dimensions.lock().expect("never poisoned").forget();
        }
        result
    }

    async fn try_commit(&self, foundation: &FoundationHead, write: &WriteSet) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        advance(connection, foundation, write).await?;
        archive::append(connection, foundation, &write.inputs).await?;

        let mut dimensions = std::mem::take(&mut *self.dimensions.lock().expect("never poisoned"));
        let ids = dimensions.ids(connection, foundation.id, &named(write)).await?;
        dimensions.link_plans(connection, foundation.id, &write.names.offerings, &ids).await?;

        let resources = put_resources(connection, foundation.id, write, &ids).await?;
        put_open_intervals(connection, foundation, write, &ids, &resources).await?;
        put_entries(connection, foundation.id, write, &ids, &resources).await?;
        put_anomalies(connection, foundation.id, write).await?;
        put_settings_and_places(connection, foundation.id, write).await?;
        settle_observations(connection, foundation.id, write).await?;
        transaction.commit().await?;
        *self.dimensions.lock().expect("never poisoned") = dimensions;
        Ok(())
    }
}

/// Moves the foundation and its streams on, if they still are where the writer believes.
async fn advance(
    connection: &mut SqliteConnection,
    foundation: &FoundationHead,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const FOUNDATION: &str = "
        UPDATE foundation
        SET last_sequence = ?4, last_entry = ?5, known_until = ?6, collected = max(collected, ?7),
            observed_until = ?8, swept_until = ?9
        WHERE id = ?1 AND last_sequence = ?2 AND lease_epoch = ?3";
    const STREAM: &str = "
        UPDATE stream
        SET last_ordinal = ?3, oldest_created_at = ?4, newest_created_at = ?5, checkpoint_guid = ?6,
            checkpoint_created_at = ?7, predecessor_guid = ?8, predecessor_created_at = ?9
        WHERE foundation_id = ?1 AND name = ?2";
    let last_sequence = foundation.last_sequence + write.inputs.len() as u64;
    let moved = sqlx::query(FOUNDATION)
        .bind(foundation.id)
        .bind(foundation.last_sequence.cast_signed())
        .bind(foundation.lease_epoch.cast_signed())
        .bind(last_sequence.cast_signed())
        .bind(write.last_entry.cast_signed())
        .bind(write.known_until.map(Timestamp::unix))
        .bind(write.origin == Origin::Collector)
        .bind(write.observed_until.map(Timestamp::unix))
        .bind(write.swept_until.map(Timestamp::unix))
        .execute(&mut *connection)
        .await?;
    if moved.rows_affected() != 1 {
        return Err(StoreError::Superseded(foundation.name.clone()));
    }
    for (stream, head) in [(Stream::App, &write.app), (Stream::Service, &write.service)] {
        let StreamHead { last_ordinal, oldest_created_at, newest_created_at, checkpoint, predecessor } = head;
        sqlx::query(STREAM)
            .bind(foundation.id)
            .bind(stream.name())
            .bind(last_ordinal.cast_signed())
            .bind(oldest_created_at.map(Timestamp::unix))
            .bind(newest_created_at.map(Timestamp::unix))
            .bind(checkpoint.as_ref().map(|event| event.guid.to_string()))
            .bind(checkpoint.as_ref().map(|event| event.created_at.unix()))
            .bind(predecessor.as_ref().map(|event| event.guid.to_string()))
            .bind(predecessor.as_ref().map(|event| event.created_at.unix()))
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Every guid the page's rows point to, with the newest name where the page has one.
fn named(write: &WriteSet) -> Wanted<'_> {
    let mut wanted = Wanted::new();
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
    for (plan, offering) in &write.names.offerings {
        wanted.entry((Table::ServicePlan, plan.clone())).or_default();
        wanted.entry((Table::ServiceOffering, offering.clone())).or_default();
    }
    for (of, name) in &write.names.names {
        let key = match of {
            NameOf::Organization(guid) => (Table::Organization, guid.clone()),
            NameOf::Space(guid) => (Table::Space, guid.clone()),
            NameOf::App(guid) => (Table::App, guid.clone()),
            NameOf::ServicePlan(guid) => (Table::ServicePlan, guid.clone()),
            NameOf::ServiceOffering(guid) => (Table::ServiceOffering, guid.clone()),
            NameOf::Resource(_) => continue,
        };
        wanted.insert(key, Some(name.as_str()));
    }
    wanted
}

fn id_of(ids: &Ids, table: Table, guid: Option<&Guid>) -> Option<i64> {
    guid.and_then(|guid| ids.get(&(table, guid.clone())).copied())
}

async fn put_resources(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
) -> Result<HashMap<ResourceKey, i64>, StoreError> {
    const PUT: &str = "
        INSERT INTO resource
            (foundation_id, kind, guid, name, app_id, process_type, user_provided, latest, ended, disk_mib,
             last_ordinal, last_fraction, last_sequence, to_observe)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, unhex(value ->> 10), value ->> 11, value ->> 12
        FROM json_each(?2)
        WHERE true
        ON CONFLICT (foundation_id, kind, guid) DO UPDATE SET
            name = coalesce(excluded.name, name), app_id = excluded.app_id, process_type = excluded.process_type,
            user_provided = excluded.user_provided, latest = excluded.latest, ended = excluded.ended,
            disk_mib = excluded.disk_mib, last_ordinal = excluded.last_ordinal,
            last_fraction = excluded.last_fraction, last_sequence = excluded.last_sequence,
            to_observe = excluded.to_observe
        RETURNING kind, guid, id";
    let mut payload = Payload::default();
    for resource in &write.resources {
        let name = write.names.names.get(&NameOf::Resource(resource.key.clone()));
        (payload.row())
            .integer(resource.key.kind.code())
            .text(Some(&resource.key.guid.to_string()))
            .text(name.map(String::as_str))
            .integer(id_of(ids, Table::App, resource.app.as_ref()))
            .text(resource.process_type.as_deref())
            .integer(i64::from(resource.user_provided))
            .integer(resource.latest.map(Timestamp::unix))
            .integer(i64::from(resource.ended))
            .integer(resource.disk_mib.map(i64::from))
            .number(resource.last_place.ordinal)
            .bytes(resource.last_place.fraction())
            .number(resource.last_sequence)
            .integer(i64::from(write.to_observe.contains(&resource.key)));
    }
    let mut resources = HashMap::with_capacity(write.resources.len());
    if payload.is_empty() {
        return Ok(resources);
    }
    let rows = sqlx::query_as::<_, (i64, String, i64)>(PUT).bind(foundation_id).bind(payload.finish());
    for (kind, guid, id) in rows.fetch_all(connection).await? {
        resources.insert(ResourceKey { kind: Kind::of(kind)?, guid: Guid::new(&guid) }, id);
    }
    Ok(resources)
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
    connection: &mut SqliteConnection,
    foundation: &FoundationHead,
    write: &WriteSet,
    ids: &Ids,
    resources: &HashMap<ResourceKey, i64>,
) -> Result<(), StoreError> {
    const REMOVE: &str = "
        DELETE FROM open_interval WHERE resource_id IN (SELECT value ->> 0 FROM json_each(?1))";
    const PUT: &str = "
        INSERT OR REPLACE INTO open_interval
            (foundation_id, resource_id, kind, run, opening, unconfirmed, billed, started_at, counts_until,
             opened_by, instances, memory_mib, memory_source, disk_mib, disk_source, buildpack_id,
             service_plan_id, organization_id, space_id, app_id)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
               value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18
        FROM json_each(?2)";
    let (mut closed, mut open) = (Payload::default(), Payload::default());
    let settings = write.settings.last().map(|(_, settings)| settings.clone());
    let cap = settings.unwrap_or_else(|| foundation.current_settings()).staging_cap_seconds;
    for resource in &write.resources {
        let id = resource_id(resources, resource);
        let Some(run) = &resource.run else {
            closed.row().integer(id);
            continue;
        };
        let capped = resource.key.kind == Kind::Staging;
        let row = (open.row())
            .integer(id)
            .integer(resource.key.kind.code())
            .number(run.id)
            .integer(run.opening.code())
            .integer(i64::from(run.unconfirmed))
            .integer(i64::from(run.billed))
            .integer(run.piece.started_at.unix())
            .integer(capped.then(|| run.piece.started_at.plus(cap).unix()))
            .number(run.piece.opened_by);
        put_footprint(row, &run.piece.footprint, ids).integer(id_of(ids, Table::App, resource.app.as_ref()));
    }
    if !closed.is_empty() {
        sqlx::query(REMOVE).bind(closed.finish()).execute(&mut *connection).await?;
    }
    if !open.is_empty() {
        sqlx::query(PUT).bind(foundation.id).bind(open.finish()).execute(&mut *connection).await?;
    }
    Ok(())
}

fn resource_id(resources: &HashMap<ResourceKey, i64>, resource: &Resource) -> Option<i64> {
    resources.get(&resource.key).copied()
}

async fn put_entries(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
    resources: &HashMap<ResourceKey, i64>,
) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO ledger_entry
            (foundation_id, number, entry_type, corrects, cause, sequence, known_at, resource_id, kind, run,
             started_at, ended_at, estimated, opened_by, closed_by, app_id, instances, memory_mib, memory_source,
             disk_mib, disk_source, buildpack_id, service_plan_id, organization_id, space_id)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6,
               value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13,
               value ->> 14, value ->> 15, value ->> 16, value ->> 17, value ->> 18, value ->> 19, value ->> 20,
               value ->> 21, value ->> 22, value ->> 23
        FROM json_each(?2)";
    let apps: HashMap<&ResourceKey, Option<i64>> = (write.resources.iter())
        .map(|resource| (&resource.key, id_of(ids, Table::App, resource.app.as_ref())))
        .collect();
    let mut payload = Payload::default();
    for entry in &write.entries {
        let interval = &entry.interval;
        let row = (payload.row())
            .number(entry.number)
            .integer(entry.entry_type.code())
            .integer(entry.corrects.map(u64::cast_signed))
            .integer(entry.cause.code())
            .number(entry.sequence)
            .integer(entry.known_at.unix())
            .integer(resources.get(&interval.resource).copied())
            .integer(interval.resource.kind.code())
            .number(interval.run)
            .integer(interval.started_at.unix())
            .integer(interval.ended_at.unix())
            .integer(i64::from(interval.estimated))
            .number(interval.opened_by)
            .number(interval.closed_by)
            .integer(apps.get(&interval.resource).copied().flatten());
        put_footprint(row, &interval.footprint, ids);
    }
    if !payload.is_empty() {
        sqlx::query(PUT).bind(foundation_id).bind(payload.finish()).execute(connection).await?;
    }
    Ok(())
}

async fn put_anomalies(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const PUT: &str = "
        INSERT INTO anomaly (foundation_id, sequence, position, kind, at, resource_kind, resource_guid, detail)
        SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
        FROM json_each(?2)";
    let mut payload = Payload::default();
    let mut positions: HashMap<u64, u64> = HashMap::new();
    for anomaly in &write.anomalies {
        let position = positions.entry(anomaly.sequence).or_default();
        (payload.row())
            .number(anomaly.sequence)
            .number(*position)
            .text(Some(anomaly.kind.name()))
            .integer(anomaly.at.unix())
            .integer(anomaly.resource.as_ref().map(|key| key.kind.code()))
            .text(anomaly.resource.as_ref().map(|key| key.guid.to_string()).as_deref())
            .text(Some(&anomaly.detail));
        *position += 1;
    }
    if !payload.is_empty() {
        sqlx::query(PUT).bind(foundation_id).bind(payload.finish()).execute(connection).await?;
    }
    Ok(())
}

async fn put_settings_and_places(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const SETTINGS: &str = "INSERT INTO fold_settings (foundation_id, sequence, settings) VALUES (?1, ?2, ?3)";
    const PLACE: &str = "
        INSERT INTO late_place (foundation_id, stream, ordinal, fraction) VALUES (?1, ?2, ?3, ?4)";
    for (sequence, settings) in &write.settings {
        let text = serde_json::to_string(settings).expect("settings are plain values");
        let bind = sqlx::query(SETTINGS).bind(foundation_id).bind(sequence.cast_signed()).bind(text);
        bind.execute(&mut *connection).await?;
    }
    for (stream, place) in &write.late_places {
        sqlx::query(PLACE)
            .bind(foundation_id)
            .bind(stream.name())
            .bind(place.ordinal.cast_signed())
            .bind(place.fraction())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// What is gone needn't be looked for again.
async fn settle_observations(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const SETTLE: &str = "
        UPDATE resource SET to_observe = 0
        FROM json_each(?2) AS gone
        WHERE foundation_id = ?1 AND kind = gone.value ->> 0 AND guid = gone.value ->> 1";
    let mut payload = Payload::default();
    for key in &write.unobservable {
        payload.row().integer(key.kind.code()).text(Some(&key.guid.to_string()));
    }
    if !payload.is_empty() {
        sqlx::query(SETTLE).bind(foundation_id).bind(payload.finish()).execute(connection).await?;
    }
    Ok(())
}
