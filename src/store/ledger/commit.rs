//! One page, one transaction: everything a page led to, or nothing.

use std::collections::HashMap;

use super::bounds::put_bounds;
use super::chain;
use super::dimensions::{self, Table, Wanted, newer, take_newer};
use super::gaps::{count_told, move_gap, put_gaps};
use super::tables::{AnomalyRow, EntryRow, OpenRow, ResourceRow, SettingsRow};
use crate::domain::{Footprint, FoundationHead, Guid, Kind, ResourceKey, Stream, StreamHead};
use crate::fold::Resource;
use crate::store::archive::chunks;
use crate::store::archive::tables::LatePlaceRow;
use crate::store::database::{Json, Session, Spelled, Sql, again, record, take_over, text, unexpected, values};
use crate::store::{NameOf, PageOrigin, Store, StoreError, WriteSet};

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
        let generation = session.generation();
        advance(&mut session, foundation, self.epoch(foundation.lease_epoch), write).await?;
        chunks::append(&mut session, foundation, &write.inputs).await?;

        let mut dimensions = self.dimensions.lock().expect("never poisoned").take(foundation, generation);
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
        self.dimensions.lock().expect("never poisoned").put(foundation, generation, dimensions);
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
        write.origin == PageOrigin::Collector,
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

/// The id of a place, which every footprint has.
fn place_id(ids: &Ids, table: Table, guid: &Guid) -> Result<i64, StoreError> {
    id_of(ids, table, Some(guid)).ok_or_else(|| unexpected("a footprint's place", &guid.to_string()))
}

async fn put_resources(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
) -> Result<HashMap<ResourceKey, i64>, StoreError> {
    macro_rules! put {
        ($collation:literal) => {
            text![
                ResourceRow::ADD_NEW,
                " ON CONFLICT (foundation_id, kind, guid) DO UPDATE SET ",
                take_newer!("excluded", "resource", $collation),
                ", ",
                take_over!(
                    ResourceRow,
                    except ["id", "foundation_id", "kind", "guid", "name", "named_at", "named_place"]
                ),
                " RETURNING kind, guid, id"
            ]
        };
    }
    const PUT: Sql = Sql::each(put!(""), put!(" COLLATE \"C\""));
    let row = |resource: &Resource| {
        let name = write.names.names.get(&NameOf::Resource(resource.key.clone()));
        let fraction = resource.last_place.fraction();
        ResourceRow {
            id: 0,
            foundation_id,
            kind: resource.key.kind,
            guid: resource.key.guid.clone(),
            name: name.map(|named| named.value.clone()),
            app_id: id_of(ids, Table::App, resource.app.as_ref()),
            process_type: resource.process_type.clone(),
            user_provided: resource.user_provided,
            latest: resource.latest,
            ended: resource.ended,
            disk_mib: resource.disk_mib,
            last_ordinal: resource.last_place.ordinal,
            last_fraction: (!fraction.is_empty()).then(|| fraction.to_vec()),
            last_sequence: resource.last_sequence,
            to_observe: write.to_observe.contains(&resource.key),
            named_at: name.and_then(|named| named.told.at),
            named_place: name.and_then(|named| named.told.place_text()),
        }
    };
    let rows = session.rows(write.resources.iter().map(row));
    let mut resources = HashMap::with_capacity(write.resources.len());
    if rows.is_empty() {
        return Ok(resources);
    }
    for row in session.all_of(PUT, Vec::new(), rows).await? {
        let key = ResourceKey { kind: row.get("resource.kind")?, guid: row.get("resource.guid")? };
        resources.insert(key, row.integer("resource.id")?);
    }
    Ok(resources)
}

/// A row with a footprint: the columns given, and those of the footprint.
macro_rules! with_footprint {
    ($Row:ident { $($column:ident: $value:expr),* $(,)? }, $footprint:expr, $ids:expr) => {{
        let (footprint, ids): (&Footprint, &Ids) = ($footprint, $ids);
        let buildpack = footprint.buildpack.as_deref().map(Guid::new);
        $Row {
            $($column: $value,)*
            instances: footprint.instances,
            memory_mib: footprint.memory_mib,
            memory_source: footprint.memory_source,
            disk_mib: footprint.disk_mib,
            disk_source: footprint.disk_source,
            buildpack_id: id_of(ids, Table::Buildpack, buildpack.as_ref()),
            service_plan_id: id_of(ids, Table::ServicePlan, footprint.service_plan.as_ref()),
            organization_id: place_id(ids, Table::Organization, &footprint.location.organization)?,
            space_id: place_id(ids, Table::Space, &footprint.location.space)?,
        }
    }};
}

/// The id of a resource that was just written.
fn resource_id(resources: &HashMap<ResourceKey, i64>, key: &ResourceKey) -> Result<i64, StoreError> {
    resources.get(key).copied().ok_or_else(|| unexpected("resource.guid", &key.guid.to_string()))
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
    const PUT: Sql = Sql::new(text![
        OpenRow::ADD,
        " ON CONFLICT (resource_id) DO UPDATE SET ",
        take_over!(OpenRow, except ["resource_id", "foundation_id", "kind"]),
    ]);
    record! { struct Closed { resource_id: i64 } }
    let (mut closed, mut open) = (Vec::new(), Vec::new());
    let settings = write.settings.last().map(|(_, settings)| settings.clone());
    let cap = settings.unwrap_or_else(|| foundation.current_settings()).staging_cap_seconds;
    for resource in &write.resources {
        let resource_id = resource_id(resources, &resource.key)?;
        let Some(run) = &resource.run else {
            closed.push(Closed { resource_id });
            continue;
        };
        let is_capped = resource.key.kind == Kind::Staging;
        let row = with_footprint!(
            OpenRow {
                resource_id: resource_id,
                foundation_id: foundation.id,
                kind: resource.key.kind,
                run: run.id,
                opening: run.opening,
                unconfirmed: run.unconfirmed,
                billed: run.billed,
                started_at: run.piece.started_at,
                counts_until: is_capped.then(|| run.piece.started_at.plus(cap)),
                opened_by: run.piece.opened_by,
                app_id: id_of(ids, Table::App, resource.app.as_ref()),
                estimated: run.piece.estimated,
            },
            &run.piece.footprint,
            ids
        );
        open.push(row);
    }
    let (closed, open) = (session.rows(closed), session.rows(open));
    session.run_of(REMOVE, Vec::new(), closed).await?;
    session.run_of(PUT, Vec::new(), open).await?;
    Ok(())
}

async fn put_entries(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
    ids: &Ids,
    resources: &HashMap<ResourceKey, i64>,
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(EntryRow::ADD);
    let apps: HashMap<&ResourceKey, Option<i64>> = (write.resources.iter())
        .map(|resource| (&resource.key, id_of(ids, Table::App, resource.app.as_ref())))
        .collect();
    let mut rows = Vec::with_capacity(write.entries.len());
    for entry in &write.entries {
        let interval = &entry.interval;
        let row = with_footprint!(
            EntryRow {
                foundation_id: foundation_id,
                number: entry.number,
                entry_type: entry.entry_type,
                corrects: entry.corrects,
                cause: entry.cause,
                sequence: entry.sequence,
                known_at: entry.known_at,
                resource_id: resource_id(resources, &interval.resource)?,
                kind: interval.resource.kind,
                run: interval.run,
                started_at: interval.started_at,
                ended_at: interval.ended_at,
                app_id: apps.get(&interval.resource).copied().flatten(),
                estimated: interval.estimated,
                opened_by: interval.opened_by,
                closed_by: interval.closed_by,
            },
            &interval.footprint,
            ids
        );
        rows.push(row);
    }
    let rows = session.rows(rows);
    session.run_of(PUT, Vec::new(), rows).await?;
    Ok(())
}

async fn put_anomalies(session: &mut Session, foundation_id: i64, write: &WriteSet) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(AnomalyRow::ADD);
    let mut positions: HashMap<u64, u64> = HashMap::new();
    let rows = write.anomalies.iter().map(|anomaly| {
        let next = positions.entry(anomaly.sequence).or_default();
        let position = *next;
        *next += 1;
        AnomalyRow {
            foundation_id,
            sequence: anomaly.sequence,
            position,
            kind: Spelled(anomaly.kind),
            at: anomaly.at,
            resource_kind: anomaly.resource.as_ref().map(|key| key.kind),
            resource_guid: anomaly.resource.as_ref().map(|key| key.guid.clone()),
            detail: anomaly.detail.clone(),
        }
    });
    let rows = session.rows(rows);
    session.run_of(PUT, Vec::new(), rows).await?;
    Ok(())
}

async fn put_settings_and_places(
    session: &mut Session,
    foundation_id: i64,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const SETTINGS: Sql = Sql::new(SettingsRow::ADD_ONE);
    const PLACES: Sql = Sql::new(LatePlaceRow::ADD);
    for (sequence, settings) in &write.settings {
        let row = SettingsRow { foundation_id, sequence: *sequence, settings: Json(settings.clone()) };
        session.add(SETTINGS, &row).await?;
    }
    let rows = write.late_places.iter().map(|(stream, place)| LatePlaceRow {
        foundation_id,
        stream: Spelled(*stream),
        ordinal: place.ordinal,
        fraction: place.fraction().to_vec(),
    });
    let rows = session.rows(rows);
    session.run_of(PLACES, Vec::new(), rows).await?;
    Ok(())
}

/// What is gone needn't be looked for again.
async fn settle_observations(session: &mut Session, foundation_id: i64, write: &WriteSet) -> Result<(), StoreError> {
    const SETTLE: Sql = Sql::new(
        "UPDATE resource SET to_observe = false
         FROM {rows} AS gone
         WHERE resource.foundation_id = $1 AND resource.kind = gone.kind AND resource.guid = gone.guid",
    );
    record! { struct Gone { kind: Kind, guid: Guid } }
    let gone = session.rows(write.unobservable.iter().map(|key| Gone { kind: key.kind, guid: key.guid.clone() }));
    session.run_of(SETTLE, values![foundation_id], gone).await?;
    Ok(())
}
