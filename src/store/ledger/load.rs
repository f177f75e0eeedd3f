//! Loads resources as deep as the fold asks for: state, entries, history.

use std::collections::HashMap;
use std::sync::Arc;

use super::rows::{
    FoundEntry, FoundResource, FoundRun, entries_of, read_entry, read_resource, select_entry, select_resource,
};
use super::seals::{pruned_seals, sealed_state};
use crate::domain::{FoundationHead, Guid, Kind, LedgerEntry, ResourceKey};
use crate::fold::{Depth, Resource, Sealed};
use crate::store::archive::chunks::history;
use crate::store::database::{Row, Session, Sql, record, text, values};
use crate::store::{ArchivedInput, InputKind, LoadedResource, OpenTotal, Store, StoreError};

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
             LEFT JOIN open_interval ON open_interval.resource_id = resource.id",
            "WHERE resource.foundation_id = $1 AND resource.kind = wanted.kind AND resource.guid = wanted.guid"
        );
        record! { struct Wanted { kind: Kind, guid: Guid } }
        let mut session = self.database.read().await?;
        let payload = session.rows(wanted.keys().map(|key| Wanted { kind: key.kind, guid: key.guid.clone() }));
        let mut loaded = Vec::with_capacity(wanted.len());
        let mut chunks = HashMap::new();
        let is_deep = wanted.values().any(|depth| *depth == Depth::History);
        let seals = if is_deep { pruned_seals(&mut session, foundation).await? } else { Vec::new() };
        for row in session.all_of(RESOURCES, values![foundation.id], payload).await? {
            let (id, resource) = read_resource(&row)?;
            let depth = wanted.get(&resource.key).copied().unwrap_or(Depth::State);
            let mut entries = Vec::new();
            let mut inputs = Vec::new();
            let mut state = None;
            if depth >= Depth::Run {
                let run = if depth == Depth::Run { resource.run.as_ref().map(|run| run.id) } else { None };
                entries = entries_of(&mut session, id, run, None).await?;
            }
            if depth == Depth::History {
                (state, inputs) = past(&mut session, foundation, id, &resource, &seals, &mut chunks).await?;
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
            "FROM open_interval
             JOIN resource ON resource.id = open_interval.resource_id",
            "WHERE open_interval.foundation_id = $1"
        );
        let rows = self.database.read().await?.all(OPEN, values![foundation.id]).await?;
        let mut loaded = Vec::with_capacity(rows.len());
        for row in &rows {
            let (_, resource) = read_resource(row)?;
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
            "SELECT kind, count(*) AS intervals, sum(instances) AS instances,
                    CAST(CASE WHEN sum(1.0 * instances * memory_mib) < 9e18
                              THEN sum(1.0 * instances * memory_mib) ELSE 9e18 END AS bigint) AS memory_mib
             FROM open_interval
             WHERE foundation_id = $1
             GROUP BY kind",
        );
        let rows = self.database.read().await?.all(TOTALS, values![foundation.id]).await?;
        let total = |row: &Row| -> Result<OpenTotal, StoreError> {
            Ok(OpenTotal {
                kind: row.get("open_interval.kind")?,
                intervals: row.integer("intervals")?,
                instances: row.integer("instances")?,
                memory_mib: row.integer("memory_mib")?,
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
        const ENTRIES: Sql = select_entry!(
            "WHERE ledger_entry.foundation_id = $1 AND ledger_entry.number >= $2 ORDER BY ledger_entry.number LIMIT $3"
        );
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
    id: i64,
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
        let sealed = sealed_state(session, foundation, id, *seal).await?;
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
