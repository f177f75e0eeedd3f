//! Rows of lists that can't be read: told once, again every day while they stay so, and when they can be read again.
//! What such a row hid from the baseline is billed from the epoch once it can be read. Owns what is noted when; what counts
//! as unreadable is the client's business.

use std::collections::{BTreeSet, HashMap};

use super::baseline::{baseline_inputs, note_names, stream_of};
use super::collector::{CollectError, Collector, Noted, Unreadable};
use super::inventory::{Inventory, RunningRow};
use super::page::NewInput;
use crate::cloud_controller::{NamedItem, UnreadableRow};
use crate::domain::{
    AnomalyKind, Baseline, Finding, Guid, Kind, Place, ResourceKey, RowList, RowObservation, Settlement, Stream,
    Timestamp,
};
use crate::fold::{Depth, Input};
use crate::store::{AnomalyFilter, InputKind, Names, Told};

/// What stays unreadable is noted again after this long, so that every month it touches is held.
const NOTED_EVERY_SECONDS: i64 = 86_400;
/// Anomalies looked through at a start; more are of no row.
const MOST_ANOMALIES: usize = 1_000_000;

impl Collector {
    /// What is to be archived of rows that can't be read now: those that are new, say something else than before, or were
    /// last noted a day ago.
    pub(super) async fn unreadable_to_note(
        &mut self,
        seen: &[UnreadableRow],
        observed_at: Timestamp,
        at_baseline: bool,
    ) -> Result<Vec<NewInput>, CollectError> {
        if seen.is_empty() {
            return Ok(Vec::new());
        }
        let known = self.known_unreadable().await?;
        let mut noted = BTreeSet::new();
        let mut inputs = Vec::new();
        for row in seen {
            if !noted.insert((row.list, row.guid.clone())) {
                continue;
            }
            let before = known.get(&(row.list, row.guid.clone()));
            let is_known = before.is_some_and(|before| {
                before.last.reason.as_deref() == Some(row.reason.as_str())
                    && observed_at.seconds_since(before.last.observed_at) < NOTED_EVERY_SECONDS
                    && before.last.at_baseline >= at_baseline
            });
            if !is_known {
                inputs.push(self.of_row(RowObservation {
                    list: row.list,
                    guid: row.guid.clone(),
                    reason: Some(row.reason.clone()),
                    at_baseline: at_baseline || before.is_some_and(|before| before.last.at_baseline),
                    observed_at,
                }));
            }
        }
        Ok(inputs)
    }

    /// Archives what is new of rows that can't be read.
    pub(super) async fn note_unreadable(
        &mut self,
        seen: &[UnreadableRow],
        observed_at: Timestamp,
        at_baseline: bool,
    ) -> Result<(), CollectError> {
        let inputs = self.unreadable_to_note(seen, observed_at, at_baseline).await?;
        if inputs.is_empty() {
            return Ok(());
        }
        for row in seen {
            tracing::warn!(
                foundation = %self.head.name, list = row.list.name(), row = %row.guid,
                "a row can't be read: {}; it counts as present and unchanged", row.reason
            );
        }
        let mut page = self.page();
        page.inputs = inputs;
        self.commit(None, page).await?;
        self.unreadable = None;
        Ok(())
    }

    /// Notes what an inventory couldn't read, and bills what can be read again and ran when the baseline was taken.
    pub(super) async fn note_inventory(&mut self, inventory: &Inventory) -> Result<(), CollectError> {
        self.note_unreadable(&inventory.unreadable, inventory.ended_at, false).await?;
        let known = self.known_unreadable().await?;
        let is_unreadable = |(list, guid): &(RowList, Guid)| {
            inventory.unreadable.iter().any(|row| row.list == *list && row.guid == *guid)
        };
        let readable: Unreadable = (known.iter())
            // Builds are in no inventory.
            .filter(|(row, _)| row.0 != RowList::Builds && !is_unreadable(row))
            .map(|(row, before)| (row.clone(), before.clone()))
            .collect();
        if readable.is_empty() {
            return Ok(());
        }
        self.complete_baseline(inventory, &readable).await?;
        let mut page = self.page();
        page.inputs = (readable.into_values())
            .map(|before| self.of_row(RowObservation { reason: None, observed_at: inventory.ended_at, ..before.last }))
            .collect();
        self.commit(None, page).await?;
        self.unreadable = None;
        Ok(())
    }

    /// Takes into the baseline what runs, was there at the epoch, and couldn't be read then: nothing else tells of it. And
    /// settles a process that couldn't be read when a gap was settled, as it would have been then.
    async fn complete_baseline(&mut self, inventory: &Inventory, readable: &Unreadable) -> Result<(), CollectError> {
        let epoch = self.head.current_settings().billing_epoch.unwrap_or(Timestamp::MIN);
        let hid = |key: &ResourceKey, row: &RunningRow| {
            rows_of(key, &row.named).into_iter().any(|row| readable.contains_key(&row))
        };
        let found: Vec<(&ResourceKey, &RunningRow)> =
            inventory.running.iter().filter(|(key, row)| hid(key, row) && !inventory.unclear.contains(*key)).collect();
        let wanted: HashMap<ResourceKey, Depth> = found.iter().map(|(key, _)| ((*key).clone(), Depth::State)).collect();
        let tracked: BTreeSet<ResourceKey> =
            self.store.load(&self.head, &wanted).await?.into_iter().map(|loaded| loaded.resource.key).collect();
        let was_hidden = |key: &ResourceKey, row: &RunningRow| {
            let of_baseline = |row: &(RowList, Guid)| readable.get(row).is_some_and(|before| before.last.at_baseline);
            row.created_at <= epoch && !tracked.contains(key) && rows_of(key, &row.named).iter().any(of_baseline)
        };
        let told = Told::beside(inventory.ended_at);
        let mut names = Names::default();
        for (_, row) in &found {
            note_names(&mut names, &row.named, &told);
        }
        let hidden: Vec<NamedItem> =
            found.iter().filter(|(key, row)| was_hidden(key, row)).map(|(_, row)| row.named.clone()).collect();
        let mut page = self.page();
        for stream in Stream::ALL {
            let items = hidden.iter().filter(|named| stream_of(named) == stream).cloned().collect();
            let (inputs, of_items) =
                baseline_inputs(&self.store, &self.head, stream, epoch, inventory.ended_at, items).await?;
            page.inputs.extend(inputs);
            names.add(of_items);
        }
        let hidden_in_gap = |key: &ResourceKey, row: &RunningRow| {
            let noted =
                rows_of(key, &row.named).into_iter().filter_map(|row| readable.get(&row)).map(|noted| noted.since);
            let since = noted.min()?;
            let settled = self.gaps.iter().filter(|gap| gap.stream == key.kind.stream());
            settled
                .filter(|gap| gap.settled_at.is_some_and(|settled_at| since <= settled_at))
                .max_by_key(|gap| gap.number)
        };
        for (key, row) in found {
            // Only of a process no later look believes that it began: its start is among what was lost.
            let may_have_begun = key.kind == Kind::Process && !tracked.contains(key) && !was_hidden(key, row);
            let Some(gap) = hidden_in_gap(key, row).filter(|_| may_have_begun) else { continue };
            let since = gap.settled_at.unwrap_or(inventory.ended_at).max(row.created_at);
            let settlement = Settlement {
                resource: key.clone(),
                certain_until: gap.from,
                observed_at: inventory.ended_at,
                finding: Finding::Running { item: row.named.item.clone(), since },
                bounded: true,
            };
            page.inputs.push(NewInput::own(self.end_of(key.kind.stream()), Input::Settlement(settlement)));
        }
        page.names = names;
        self.commit(None, page).await?;
        Ok(())
    }

    fn of_row(&self, row: RowObservation) -> NewInput {
        let stream = match row.list {
            RowList::ServiceInstances | RowList::ServicePlans | RowList::ServiceOfferings => Stream::Service,
            _ => Stream::App,
        };
        NewInput::own(Place::at(self.head.stream(stream).last_ordinal), Input::Row(row))
    }

    /// As the archive tells it.
    async fn known_unreadable(&mut self) -> Result<Unreadable, CollectError> {
        if let Some(known) = &self.unreadable {
            return Ok(known.clone());
        }
        let filter = AnomalyFilter {
            foundation: Some(self.head.name.clone()),
            kind: Some(AnomalyKind::Undecodable),
            span: None,
        };
        let (anomalies, _) = self.store.anomalies(&filter, MOST_ANOMALIES).await?;
        let sequences = anomalies.into_iter().map(|anomaly| anomaly.sequence).collect();
        let mut inputs: Vec<_> = self.store.inputs_at(&self.head, &sequences).await?.into_values().collect();
        inputs.sort_by_key(|input| input.sequence);
        let mut known = Unreadable::new();
        for input in inputs.into_iter().filter(|input| input.kind == InputKind::Row) {
            // What a later version wrote otherwise is noted anew.
            let Ok(row) = serde_json::from_str::<RowObservation>(&input.body) else { continue };
            let of = (row.list, row.guid.clone());
            match &row.reason {
                Some(_) => {
                    let since = known.get(&of).map_or(row.observed_at, |before| before.since);
                    known.insert(of, Noted { last: row, since });
                }
                None => {
                    known.remove(&of);
                }
            }
        }
        self.unreadable = Some(known.clone());
        Ok(known)
    }
}

/// The rows without which a resource isn't understood.
fn rows_of(key: &ResourceKey, named: &NamedItem) -> Vec<(RowList, Guid)> {
    let own = match key.kind {
        Kind::Process => RowList::Processes,
        Kind::Task => RowList::Tasks,
        Kind::Service | Kind::Staging => RowList::ServiceInstances,
    };
    let mut rows = vec![(own, key.guid.clone()), (RowList::Spaces, named.item.location.space.clone())];
    rows.push((RowList::Organizations, named.item.location.organization.clone()));
    match &named.item.item {
        Baseline::Process { app, .. } | Baseline::Task { app, .. } => rows.push((RowList::Apps, app.clone())),
        Baseline::Service { plan, .. } => {
            rows.extend(plan.iter().map(|plan| (RowList::ServicePlans, plan.clone())));
            let offering = named.service_offering.as_ref().map(|(guid, _)| (RowList::ServiceOfferings, guid.clone()));
            rows.extend(offering);
        }
    }
    rows
}
