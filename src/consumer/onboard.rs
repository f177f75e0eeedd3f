//! From nothing to a baseline: both snapshots, or the lists of what there is, or the kept records; and the epoch.
//! Owns which snapshot is taken; every step is stored before the next, so that a restart goes on.

use std::collections::HashMap;

use super::baseline::{baseline_inputs, stream_of};
use super::collector::{CollectError, Collector};
use super::inventory::{Inventory, NamedSpaces, running_task};
use super::page::NewInput;
use super::strategy::choose_strategy;
use crate::cloud_controller::{
    ApiError, Chunk, ErrorKind, GUIDS_PER_REQUEST, NamedItem, Requested, Snapshot, UnreadableRow,
};
use crate::domain::{EventId, Guid, Kind, Place, ResourceKey, Settings, Strategy, Stream, Timestamp};
use crate::fold::{Depth, Input, Opening, Resource};
use crate::store::{Onboarding, OnboardingStage, TakenSnapshot};

impl Collector {
    /// Takes the onboarding as far as reading the streams; gives what it waits for if it can't get there yet.
    pub(super) async fn onboard(&mut self, onboarding: &mut Onboarding) -> Result<Option<String>, CollectError> {
        if onboarding.stage <= OnboardingStage::Baseline {
            self.refuse_skew().await?;
        }
        if onboarding.stage == OnboardingStage::Snapshots {
            let mut waiting = None;
            for stream in Stream::ALL {
                waiting = waiting.or(match self.take_snapshot(onboarding, stream).await {
                    Err(CollectError::Api(error)) if self.is_without_snapshots(&error) => {
                        return self.choose_again(onboarding).await.map(Some);
                    }
                    taken => taken?,
                });
            }
            if waiting.is_some() {
                return Ok(waiting);
            }
            self.begin_at_epoch(onboarding).await?;
            self.enter(onboarding, OnboardingStage::Baseline).await?;
        }
        if onboarding.stage == OnboardingStage::Baseline {
            match onboarding.strategy {
                Strategy::Snapshot => {
                    for stream in Stream::ALL {
                        self.take_chunks(onboarding, stream).await?;
                    }
                    self.take_running_tasks().await?;
                }
                Strategy::LiveLists => self.take_lists().await?,
                // The stream itself is the baseline; what came before the epoch tells what runs then.
                Strategy::KeptRecords => {
                    // Not when onboarding was begun: the clocks may have had to agree first, and what was kept then may be gone.
                    self.ask(self.client.newest_event(Stream::App)).await?;
                    let now = Some(self.client.last_date());
                    let begun = self.head.current_settings().billing_epoch;
                    self.begin_at(begun.or(self.plan.billing_from).or(now)).await?;
                }
            }
            self.enter(onboarding, OnboardingStage::Replay).await?;
        }
        Ok(None)
    }

    /// Cloud Controller was found to have snapshots, and has none now.
    fn is_without_snapshots(&self, error: &ApiError) -> bool {
        error.kind == ErrorKind::NoRoute && self.plan.onboarding.is_none()
    }

    async fn choose_again(&self, onboarding: &mut Onboarding) -> Result<String, CollectError> {
        let (strategy, reason) = self.ask(choose_strategy(&self.client, None)).await?;
        *onboarding = Onboarding::new(strategy, &reason, self.client.last_date());
        self.store.put_onboarding(&self.head, onboarding).await?;
        Ok(format!("Cloud Controller no longer has usage snapshots; the baseline will be taken by {}", strategy.name()))
    }

    pub(super) async fn enter(&self, onboarding: &mut Onboarding, stage: OnboardingStage) -> Result<(), CollectError> {
        onboarding.stage = stage;
        self.store.put_onboarding(&self.head, onboarding).await?;
        self.reporter.state(stage.name());
        tracing::info!(foundation = %self.head.name, stage = stage.name(), "onboarding");
        Ok(())
    }

    /// One step towards a complete snapshot of `stream`; gives what it waits for.
    async fn take_snapshot(&self, onboarding: &mut Onboarding, stream: Stream) -> Result<Option<String>, CollectError> {
        let Some(taken) = onboarding.snapshot(stream).cloned() else {
            return self.request_snapshot(onboarding, stream).await;
        };
        if taken.completed_at.is_some() {
            // The other stream's may have taken long.
            if self.is_readable(stream, taken.checkpoint.as_ref()).await? {
                return Ok(None);
            }
            self.keep(onboarding, stream, None).await?;
            return Ok(Some(checkpoint_gone(stream, &taken.guid)));
        }
        let Some(snapshot) = self.ask(self.client.snapshot(stream, &taken.guid)).await? else {
            self.keep(onboarding, stream, None).await?;
            return Ok(Some(format!("the {stream} snapshot {} is gone; another will be requested", taken.guid)));
        };
        if snapshot.completed_at.is_some() {
            return self.accept(onboarding, stream, &snapshot).await;
        }
        let age = self.client.last_date().seconds_since(snapshot.created_at);
        if age <= self.plan.snapshot_patience_seconds {
            return Ok(Some(format!("Cloud Controller is making the {stream} snapshot {}", taken.guid)));
        }
        let why = format!("the {stream} snapshot {} was not completed in time", taken.guid);
        self.take_newest(onboarding, stream, why).await
    }

    async fn request_snapshot(
        &self,
        onboarding: &mut Onboarding,
        stream: Stream,
    ) -> Result<Option<String>, CollectError> {
        let guid = match self.ask(self.client.request_snapshot(stream)).await? {
            Requested::Snapshot(guid) => guid,
            Requested::NotAllowed => {
                let why = format!("the client may not request {stream} snapshots (that needs cloud_controller.admin)");
                return self.take_newest(onboarding, stream, why).await;
            }
            Requested::InProgress => {
                let snapshots = self.ask(self.client.snapshots(stream)).await?;
                let unfinished = snapshots.into_iter().rev().find(|snapshot| snapshot.completed_at.is_none());
                match unfinished {
                    Some(snapshot) => snapshot.guid,
                    None => return Ok(Some(format!("another {stream} snapshot has just been completed"))),
                }
            }
        };
        tracing::info!(foundation = %self.head.name, %stream, snapshot = %guid, "awaiting a snapshot");
        let waiting = format!("Cloud Controller is making the {stream} snapshot {guid}");
        self.keep(onboarding, stream, Some(TakenSnapshot { guid, completed_at: None, checkpoint: None })).await?;
        Ok(Some(waiting))
    }

    /// Takes the newest completed snapshot whose checkpoint can still be read.
    async fn take_newest(
        &self,
        onboarding: &mut Onboarding,
        stream: Stream,
        why: String,
    ) -> Result<Option<String>, CollectError> {
        let mut snapshots = self.ask(self.client.snapshots(stream)).await?;
        snapshots.sort_by_key(|snapshot| snapshot.completed_at);
        for snapshot in snapshots.into_iter().rev().filter(|snapshot| snapshot.completed_at.is_some()) {
            if self.is_readable(stream, snapshot.checkpoint().as_ref()).await? {
                tracing::warn!(
                    foundation = %self.head.name, %stream, snapshot = %snapshot.guid,
                    "using an earlier snapshot: {why}"
                );
                self.take(onboarding, stream, &snapshot).await?;
                return Ok(None);
            }
        }
        Ok(Some(format!("{why}, and there is no completed one whose checkpoint can still be read")))
    }

    /// Takes a completed snapshot, unless its checkpoint is gone already.
    async fn accept(
        &self,
        onboarding: &mut Onboarding,
        stream: Stream,
        snapshot: &Snapshot,
    ) -> Result<Option<String>, CollectError> {
        if !self.is_readable(stream, snapshot.checkpoint().as_ref()).await? {
            self.keep(onboarding, stream, None).await?;
            return Ok(Some(checkpoint_gone(stream, &snapshot.guid)));
        }
        self.take(onboarding, stream, snapshot).await?;
        Ok(None)
    }

    /// Takes a completed snapshot whose checkpoint was found to be there.
    async fn take(&self, onboarding: &mut Onboarding, stream: Stream, snapshot: &Snapshot) -> Result<(), CollectError> {
        let taken = TakenSnapshot {
            guid: snapshot.guid.clone(),
            completed_at: snapshot.completed_at,
            checkpoint: snapshot.checkpoint(),
        };
        self.keep(onboarding, stream, Some(taken)).await
    }

    /// Whether that event is still the one it was. Before the first event there is nothing to be read.
    pub(super) async fn is_readable(&self, stream: Stream, checkpoint: Option<&EventId>) -> Result<bool, CollectError> {
        let Some(checkpoint) = checkpoint else { return Ok(true) };
        let event = self.ask(self.client.event(stream, &checkpoint.guid)).await?;
        Ok(event.is_some_and(|decoded| decoded.event.created_at == checkpoint.created_at))
    }

    async fn keep(
        &self,
        onboarding: &mut Onboarding,
        stream: Stream,
        snapshot: Option<TakenSnapshot>,
    ) -> Result<(), CollectError> {
        *onboarding.snapshot_mut(stream) = snapshot;
        Ok(self.store.put_onboarding(&self.head, onboarding).await?)
    }

    /// The foundation is billed from the later completion, or from a later configured instant.
    async fn begin_at_epoch(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        let completed = Stream::ALL.into_iter().filter_map(|stream| onboarding.snapshot(stream)?.completed_at);
        self.begin_at(completed.max().max(self.plan.billing_from)).await
    }

    async fn begin_at(&mut self, epoch: Option<Timestamp>) -> Result<(), CollectError> {
        let settings = Settings { billing_epoch: epoch, ..self.plan.settings.clone() };
        if self.head.current_settings() != settings || self.head.settings.is_empty() {
            self.put_settings(settings).await?;
        }
        Ok(())
    }

    /// Archives the items of a snapshot, page by page; those that are archived already are skipped.
    async fn take_chunks(&mut self, onboarding: &Onboarding, stream: Stream) -> Result<(), CollectError> {
        let Some(taken) = onboarding.snapshot(stream) else { return Ok(()) };
        let unusable = |what: String| CollectError::SnapshotUnusable { stream, guid: taken.guid.clone(), what };
        let snapshot = self.ask(self.client.snapshot(stream, &taken.guid)).await?;
        let snapshot = snapshot.ok_or_else(|| unusable("was deleted before all of it was read".to_owned()))?;
        let mut chunks = 0;
        for page in 1.. {
            let (found, more) = self.ask(self.client.chunks(stream, &taken.guid, page)).await?;
            chunks += found.len() as u64;
            let unreadable: Vec<UnreadableRow> = found.iter().flat_map(Chunk::unreadable).collect();
            self.note_unreadable(&unreadable, self.client.last_date(), true).await?;
            let items = found.into_iter().flat_map(Chunk::into_items).filter(|named| stream_of(named) == stream);
            self.take_items(stream, items.collect(), snapshot.completed_at).await?;
            // More than there are is wrong already.
            if !more || chunks > snapshot.summary.chunk_count {
                break;
            }
        }
        if chunks != snapshot.summary.chunk_count {
            return Err(unusable(format!("has {chunks} chunks instead of {}", snapshot.summary.chunk_count)));
        }
        Ok(())
    }

    /// Archives those items that aren't. `read_at`: when they were as they are; `None`: now.
    async fn take_items(
        &mut self,
        stream: Stream,
        items: Vec<NamedItem>,
        read_at: Option<Timestamp>,
    ) -> Result<(), CollectError> {
        let epoch = self.head.current_settings().billing_epoch.unwrap_or(Timestamp::MIN);
        let read_at = read_at.unwrap_or_else(|| self.client.last_date());
        let (inputs, names) = baseline_inputs(&self.store, &self.head, stream, epoch, read_at, items).await?;
        if inputs.is_empty() {
            return Ok(());
        }
        let mut page = self.page();
        (page.inputs, page.names) = (inputs, names);
        self.commit(None, page).await?;
        Ok(())
    }

    /// Tasks are in no snapshot: those that run now.
    async fn take_running_tasks(&mut self) -> Result<(), CollectError> {
        let tasks = self.ask(self.client.running_tasks()).await?;
        self.note_unreadable(&tasks.unreadable, self.client.last_date(), true).await?;
        for tasks in tasks.rows.chunks(GUIDS_PER_REQUEST) {
            let apps: Vec<Guid> = tasks.iter().filter_map(|task| task.relationships.guid().cloned()).collect();
            let listed = self.ask(self.client.apps(&apps)).await?;
            self.note_unreadable(&listed.unreadable, self.client.last_date(), true).await?;
            let mut places = NamedSpaces::default();
            places.add(&listed.spaces, &listed.organizations);
            let mut items = Vec::with_capacity(tasks.len());
            for task in tasks {
                // An app that is gone took its tasks with it.
                let Some(app) = listed.rows.iter().find(|app| Some(&app.guid) == task.relationships.guid()) else {
                    continue;
                };
                let Some(place) = app.relationships.space.guid().and_then(|space| places.of(space)) else { continue };
                let item = running_task(task, app.guid.clone());
                items.push(NamedItem { app: Some(app.name.clone()), ..place.named(item) });
            }
            self.take_items(Stream::App, items, None).await?;
        }
        // Of those that ended before, only the endings tell.
        let settings = Settings { unlisted_tasks_until: Some(self.client.last_date()), ..self.head.current_settings() };
        self.put_settings(settings).await
    }

    /// Takes what the lists show as the baseline: read twice, because a row deleted meanwhile hides another. The foundation
    /// is billed from when the last list had been read, or from a later configured instant. Epoch and items are one
    /// transaction: taken up again later, the lists would show what began after the epoch, too.
    async fn take_lists(&mut self) -> Result<(), CollectError> {
        if self.head.current_settings().billing_epoch.is_some() {
            return Ok(());
        }
        let first = self.inventory().await?;
        let inventory = first.and(self.inventory().await?);
        let epoch = self.plan.billing_from.map_or(inventory.ended_at, |from| from.max(inventory.ended_at));
        let mut page = self.page();
        let settings = Settings { billing_epoch: Some(epoch), ..self.plan.settings.clone() };
        page.inputs = vec![NewInput::own(Place::default(), Input::Settings(settings))];
        for stream in Stream::ALL {
            let items = inventory.of_stream(stream);
            let read_at = inventory.ended_at;
            let (inputs, names) = baseline_inputs(&self.store, &self.head, stream, epoch, read_at, items).await?;
            page.inputs.extend(inputs);
            page.names.add(names);
        }
        page.inputs.extend(self.unreadable_to_note(&inventory.unreadable, inventory.ended_at, true).await?);
        self.commit(None, page).await?;
        self.unreadable = None;
        Ok(())
    }

    /// Archives what an inventory shows running and isn't archived yet.
    async fn take_inventory(&mut self, inventory: &Inventory) -> Result<(), CollectError> {
        for stream in Stream::ALL {
            for items in inventory.of_stream(stream).chunks(ITEMS_PER_PAGE) {
                self.take_items(stream, items.to_vec(), Some(inventory.ended_at)).await?;
            }
        }
        Ok(())
    }

    /// What runs and the stream doesn't tell of, because its records weren't kept from the beginning.
    pub(super) async fn take_complement(&mut self) -> Result<(), CollectError> {
        let mut inventory = self.inventory().await?;
        self.note_unreadable(&inventory.unreadable, inventory.ended_at, true).await?;
        // A backfill names every process that is started: one that the records don't name waits for its first start, whatever
        // the lists make believe. Where nothing was backfilled, what began before records were kept is in the lists alone.
        let is_backfilled = |resource: &Resource| {
            let opening = resource.run.as_ref().map(|run| run.opening);
            resource.key.kind == Kind::Process && opening == Some(Opening::WasRunning)
        };
        let open = self.store.open_resources(&self.head).await?;
        if open.iter().any(|loaded| is_backfilled(&loaded.resource)) {
            inventory.running.retain(|key, _| key.kind != Kind::Process);
        }
        let wanted: HashMap<ResourceKey, Depth> =
            inventory.running.keys().map(|key| (key.clone(), Depth::State)).collect();
        for loaded in self.store.load(&self.head, &wanted).await? {
            inventory.running.remove(&loaded.resource.key);
        }
        // What was made later has its beginning in the stream, or never began.
        let epoch = self.head.current_settings().billing_epoch.unwrap_or(Timestamp::MAX);
        inventory.running.retain(|_, row| row.created_at <= epoch);
        self.take_inventory(&inventory).await
    }
}

/// Baseline items archived in one transaction.
const ITEMS_PER_PAGE: usize = 1000;

fn checkpoint_gone(stream: Stream, guid: &Guid) -> String {
    format!("the checkpoint of the {stream} snapshot {guid} is gone; another will be requested")
}
