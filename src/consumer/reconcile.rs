//! The ledger compared with everything that runs: after a gap, at intervals, and on demand.
//! Owns what is asked for and when a difference is settled; what counts as one is `compare`'s.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::baseline::note_names;
use super::collector::{CollectError, Collector};
use super::compare::{After, Class, Difference, Found, Ground, Look, Repair, Reseed, compare};
use super::inventory::Inventory;
use super::page::NewInput;
use crate::cloud_controller::GUIDS_PER_REQUEST;
use crate::domain::{GapStage, Guid, Kind, ResourceKey, Stream, Timestamp};
use crate::fold::{Depth, Input, Resource};
use crate::store::{GapProgress, Names, Onboarding, OnboardingStage, Settled, StoredDifference, StoredGap, Told};

/// Settlements committed in one transaction.
const BATCH: usize = 1000;

/// What a resource is kept as of which a look could say nothing.
const IN_FLIGHT: &str = "in_flight";

impl Collector {
    /// Settles what is left open by gaps that are read over.
    pub(super) async fn settle_gaps(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        let gaps = self.unsettled();
        if gaps.is_empty() {
            return Ok(());
        }
        self.make_sure().await?;
        let of_apps = gaps.iter().any(|gap| gap.stream == Stream::App);
        let reseed = if of_apps { self.reseed().await? } else { None };
        let (mut look, _, observed_at) = self.look_at_everything(onboarding, &After::Gap(reseed)).await?;
        let stored = self.store.differences(&self.head).await?;
        for gap in gaps {
            let of_stream = |difference: &&mut Difference| difference.resource.kind.stream() == gap.stream;
            let differences: Vec<&mut Difference> = look.differences.iter_mut().filter(of_stream).collect();
            self.settle_gap(&gap, differences, &stored, observed_at).await?;
        }
        self.load_gaps().await
    }

    async fn settle_gap(
        &mut self,
        gap: &StoredGap,
        differences: Vec<&mut Difference>,
        stored: &[StoredDifference],
        observed_at: Timestamp,
    ) -> Result<(), CollectError> {
        let mut settled = Settled::default();
        let mut settling = Vec::new();
        for difference in differences {
            match difference.found {
                Found::Ended(_) => settled.ended += 1,
                Found::Running(..) if difference.class == Class::WrongFootprint => settled.changed += 1,
                Found::Running(..) => settled.begun += 1,
                Found::Disk { .. } | Found::FailedCreate | Found::Unsure | Found::Nothing => {}
            }
            difference.repaired = true;
            // What a look had found before the gap isn't the gap's.
            let before = stored.iter().find(|before| difference.is(before));
            // What events tell is certain up to the gap; what they don't, and no row tells of, up to the last look.
            let looked = self.head.reconciled_at;
            let by_events = Some(gap.from.max(looked.unwrap_or(gap.from)));
            let agreed = before.map_or(if difference.is_told_since(gap.from) { by_events } else { looked }, |before| {
                before.certain_until
            });
            settling.push((
                &*difference,
                Ground {
                    certain_until: agreed.unwrap_or(Timestamp::MIN),
                    found_at: before.map_or(observed_at, |before| before.found_at),
                    observed_at,
                    in_gap: before.is_none(),
                },
            ));
        }
        let (mut inputs, mut names) = self.settlements(settling).await?;
        self.count_repairs(&settled, gap.stream);
        let progress = GapProgress {
            number: gap.number,
            stage: GapStage::Settling,
            settled: Settled::default(),
            settled_at: None,
        };
        let mut batches: Vec<Vec<Input>> = Vec::new();
        while inputs.len() > BATCH {
            let rest = inputs.split_off(BATCH);
            batches.push(std::mem::replace(&mut inputs, rest));
        }
        batches.push(inputs);
        let last = batches.len() - 1;
        for (number, inputs) in batches.into_iter().enumerate() {
            let mut page = self.page();
            page.inputs = self.inputs(inputs);
            // With the first of them: none is priced under a guid alone.
            page.names = std::mem::take(&mut names);
            page.gap_progress = Some(progress);
            if number == last {
                page.gap_progress =
                    Some(GapProgress { stage: GapStage::Settled, settled, settled_at: Some(observed_at), ..progress });
            }
            self.commit(None, page).await?;
        }
        let Settled { ended, begun, changed } = settled;
        tracing::warn!(
            foundation = %self.head.name, stream = %gap.stream, gap = gap.number, from = %gap.from, ended, begun, changed,
            "the gap is settled; what was assumed is estimated"
        );
        Ok(())
    }

    /// What settles differences, each within what is known of its resource, and the names it brings.
    async fn settlements(&self, settling: Vec<(&Difference, Ground)>) -> Result<(Vec<Input>, Names), CollectError> {
        let keys: Vec<ResourceKey> = settling.iter().map(|(difference, _)| difference.resource.clone()).collect();
        let last_told = self.last_told(&keys).await?;
        let (mut inputs, mut names) = (Vec::new(), Names::default());
        for (difference, ground) in settling {
            let told_at = last_told.get(&difference.resource).copied().unwrap_or(Timestamp::MIN);
            let certain_until = ground.certain_until.max(told_at.min(ground.observed_at));
            inputs.extend(difference.input(Ground { certain_until, ..ground }));
            if let Found::Running(named, _) = &difference.found {
                note_names(&mut names, named, &Told::beside(ground.observed_at));
            }
        }
        Ok((inputs, names))
    }

    /// Compares the ledger with what runs, if it is time to.
    pub(super) async fn reconcile_if_due(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        if onboarding.stage != OnboardingStage::Complete {
            return Ok(());
        }
        let last = self.head.reconciled_at.or(onboarding.completed_at);
        let interval = self.plan.reconcile_interval_seconds;
        let now = self.client.last_date();
        // A look that lies in the future was made by a clock that was wrong.
        if last.is_some_and(|last| now.seconds_since(last).abs() < interval) {
            return Ok(());
        }
        // It is not what bills; a list that can't be read now is read at the next cycle.
        let look = self.reconcile(onboarding, Repair::Confirmed).await;
        self.tolerate("what runs", look).map(|_| ())
    }

    /// Compares the ledger with what runs, and settles what is confirmed.
    pub(super) async fn reconcile(&mut self, onboarding: &Onboarding, repair: Repair) -> Result<Look, CollectError> {
        self.make_sure().await?;
        let (mut look, begun_at, observed_at) = self.look_at_everything(onboarding, &After::Looks).await?;
        let stored = self.store.differences(&self.head).await?;
        let before: HashMap<&ResourceKey, &StoredDifference> =
            stored.iter().map(|difference| (&difference.resource, difference)).collect();
        // A look that found something else, or nothing, of a resource didn't agree with the ledger on it.
        let agreed = |key: &ResourceKey| before.get(key).map_or(self.head.reconciled_at, |before| before.certain_until);
        let mut settling = Vec::new();
        let mut left = Vec::new();
        let mut settled: BTreeMap<Stream, Settled> = BTreeMap::new();
        for difference in &mut look.differences {
            let same = before.get(&difference.resource).filter(|before| difference.is(before));
            let certain_until = agreed(&difference.resource);
            let found_at = same.map_or(observed_at, |before| before.found_at);
            // Read beside the stream anyway, these need nobody's word.
            let plain = matches!(difference.found, Found::Disk { .. } | Found::FailedCreate | Found::Unsure);
            let confirmed = observed_at.seconds_since(found_at) >= self.plan.sweep_interval_seconds;
            let is_settled = plain || repair == Repair::All || (same.is_some() && confirmed);
            let ground =
                Ground { certain_until: certain_until.unwrap_or(Timestamp::MIN), found_at, observed_at, in_gap: false };
            if is_settled && difference.found != Found::Nothing {
                difference.repaired = true;
                let counts = settled.entry(difference.resource.kind.stream()).or_default();
                match difference.class {
                    Class::MissedStart => counts.begun += 1,
                    Class::MissedStop => counts.ended += 1,
                    Class::WrongFootprint => counts.changed += 1,
                    Class::DiskChanged | Class::FailedCreate | Class::NeverStarted | Class::Unsure => {}
                }
                settling.push((&*difference, ground));
            }
            if difference.repaired && difference.class != Class::Unsure {
                continue;
            }
            left.push(StoredDifference {
                resource: difference.resource.clone(),
                class: difference.class.name().to_owned(),
                detail: difference.detail.clone(),
                certain_until,
                found_at,
                seen_at: observed_at,
            });
        }
        settling.extend(look.confirmed.iter().map(|confirmed| {
            let ground = Ground { certain_until: Timestamp::MIN, found_at: observed_at, observed_at, in_gap: false };
            (confirmed, ground)
        }));
        let (mut inputs, mut names) = self.settlements(settling).await?;
        left.extend(look.in_flight_resources.iter().map(|resource| StoredDifference {
            resource: resource.clone(),
            class: IN_FLIGHT.to_owned(),
            detail: "it changed while the lists were read".to_owned(),
            certain_until: agreed(resource),
            found_at: observed_at,
            seen_at: observed_at,
        }));
        for (stream, counts) in settled {
            self.count_repairs(&counts, stream);
        }
        while !inputs.is_empty() {
            let rest = inputs.split_off(inputs.len().min(BATCH));
            let mut page = self.page();
            page.inputs = self.inputs(std::mem::replace(&mut inputs, rest));
            page.names = std::mem::take(&mut names);
            self.commit(None, page).await?;
        }
        self.store.put_differences(&self.head, &left).await?;
        let mut page = self.page();
        // A list may have been read as early as this.
        page.reconciled_at = Some(begun_at.min(observed_at));
        self.commit(None, page).await?;
        self.tell(&look);
        Ok(look)
    }

    /// Compares beside another process that collects: once that has read as far as the lists tell. Nothing is settled.
    /// `None` while the foundation isn't onboarded.
    ///
    /// # Errors
    /// [`CollectError::NotRead`] if the other hasn't read that far after so many seconds.
    pub async fn look_beside(&mut self, patience_seconds: i64) -> Result<Option<Look>, CollectError> {
        const STEP: Duration = Duration::from_millis(500);
        self.head = self.store.foundation(&self.plan.foundation).await?;
        let onboarding = self.store.onboarding(&self.head).await?;
        if onboarding.is_none_or(|onboarding| onboarding.stage != OnboardingStage::Complete) {
            return Ok(None);
        }
        if let Some(held) = self.judge().await?.held {
            return Err(held.into());
        }
        let sequence = self.head.last_sequence;
        let inventory = self.inventory().await?;
        let until = self.clock.now().plus(patience_seconds);
        loop {
            self.head = self.store.foundation(&self.plan.foundation).await?;
            if self.head.known_until >= Some(inventory.ended_at) {
                break;
            }
            if self.clock.now() > until {
                return Err(CollectError::NotRead {
                    listed_at: inventory.ended_at,
                    known_until: self.head.known_until,
                });
            }
            self.clock.sleep(STEP).await;
        }
        self.compare(inventory, sequence, &After::Looks).await.map(Some)
    }

    fn tell(&self, look: &Look) {
        let left = |class: Class, kind: Kind| {
            let is_left = |difference: &&Difference| {
                difference.class == class && difference.resource.kind == kind && !difference.repaired
            };
            look.differences.iter().filter(is_left).count()
        };
        for kind in [Kind::Process, Kind::Service, Kind::Task] {
            self.reporter.metrics.drift(kind, "not_in_ledger", left(Class::MissedStart, kind));
            self.reporter.metrics.drift(kind, "only_in_ledger", left(Class::MissedStop, kind));
            self.reporter.metrics.drift(kind, "different", left(Class::WrongFootprint, kind));
        }
        let repaired = look.differences.iter().filter(|difference| difference.repaired).count();
        let never_started =
            look.differences.iter().filter(|difference| difference.class == Class::NeverStarted).count();
        tracing::info!(
            foundation = %self.head.name, compared = look.compared, differences = look.differences.len(), repaired,
            never_started, in_flight = look.in_flight, unreadable = look.unreadable, overdue_stagings = look.overdue_stagings,
            "the ledger was compared with what runs"
        );
    }

    fn count_repairs(&mut self, settled: &Settled, stream: Stream) {
        self.caught.settled += usize::try_from(settled.total()).unwrap_or(usize::MAX);
        let metrics = &self.reporter.metrics;
        metrics.repaired(stream, "ended", settled.ended);
        metrics.repaired(stream, "begun", settled.begun);
        metrics.repaired(stream, "changed", settled.changed);
    }

    /// Reads the lists, then the streams to their end again, and compares; also when the first list was begun and the last
    /// had been read.
    async fn look_at_everything(
        &mut self,
        onboarding: &Onboarding,
        after: &After,
    ) -> Result<(Look, Timestamp, Timestamp), CollectError> {
        let sequence = self.head.last_sequence;
        let inventory = self.inventory().await?;
        // What was done while the lists were read is in the streams by now, and says itself what it is.
        for stream in Stream::ALL {
            self.read(stream, onboarding).await?;
        }
        self.note_inventory(&inventory).await?;
        let (begun_at, ended_at) = (inventory.begun_at, inventory.ended_at);
        let look = self.compare(inventory, sequence, after).await?;
        Ok((look, begun_at, ended_at))
    }

    async fn compare(&self, mut inventory: Inventory, sequence: u64, after: &After) -> Result<Look, CollectError> {
        let tracked = self.tracked(&inventory).await?;
        self.ask_diego(&mut inventory, &tracked).await?;
        let mut look = compare(&inventory, &tracked, sequence, after);
        self.look_closer(&mut look, inventory.begun_at).await?;
        if let After::Gap(Some(reseed)) = after {
            self.believe_reseed(&mut look, reseed, &inventory, &tracked, sequence).await?;
        }
        let settings = self.head.current_settings();
        let overdue = |resource: &&Resource| {
            let started_at = resource.run.as_ref().map(|run| run.piece.started_at);
            let is_old = |at: Timestamp| inventory.ended_at.seconds_since(at) > settings.staging_lost_after_seconds;
            resource.key.kind == Kind::Staging && started_at.is_some_and(is_old)
        };
        look.overdue_stagings = tracked.values().filter(overdue).count();
        Ok(look)
    }

    /// What the ledger holds open, and what it knows of anything that runs.
    async fn tracked(&self, inventory: &Inventory) -> Result<HashMap<ResourceKey, Resource>, CollectError> {
        let open = self.store.open_resources(&self.head).await?;
        let mut tracked: HashMap<ResourceKey, Resource> =
            open.into_iter().map(|loaded| (loaded.resource.key.clone(), loaded.resource)).collect();
        let others: Vec<&ResourceKey> = inventory.running.keys().filter(|key| !tracked.contains_key(key)).collect();
        let mut loaded = Vec::new();
        for keys in others.chunks(BATCH) {
            let wanted = keys.iter().map(|key| ((*key).clone(), Depth::State)).collect();
            loaded.extend(self.store.load(&self.head, &wanted).await?);
        }
        tracked.extend(loaded.into_iter().map(|loaded| (loaded.resource.key.clone(), loaded.resource)));
        Ok(tracked)
    }

    /// What is missing from the lists is asked for by its guid: a row deleted while a list is read hides another; and a
    /// task that is done says when.
    async fn look_closer(&self, look: &mut Look, begun_at: Timestamp) -> Result<(), CollectError> {
        let missing = |kind: Kind| -> Vec<Guid> {
            let is_missing =
                |difference: &&Difference| difference.resource.kind == kind && difference.found == Found::Ended(None);
            look.differences.iter().filter(is_missing).map(|difference| difference.resource.guid.clone()).collect()
        };
        let (processes, services, tasks) = (missing(Kind::Process), missing(Kind::Service), missing(Kind::Task));
        let mut there: HashSet<ResourceKey> = HashSet::new();
        let mut done: HashMap<ResourceKey, Timestamp> = HashMap::new();
        for guids in processes.chunks(GUIDS_PER_REQUEST) {
            let listed = self.ask(self.client.processes(guids)).await?.value;
            let found = guids.iter().filter(|guid| listed.has(guid));
            there.extend(found.map(|guid| ResourceKey { kind: Kind::Process, guid: guid.clone() }));
        }
        for guids in services.chunks(GUIDS_PER_REQUEST) {
            let listed = self.ask(self.client.service_instances(guids)).await?.value;
            let found = guids.iter().filter(|guid| listed.has(guid));
            there.extend(found.map(|guid| ResourceKey { kind: Kind::Service, guid: guid.clone() }));
        }
        for guids in tasks.chunks(GUIDS_PER_REQUEST) {
            let listed = self.ask(self.client.tasks(guids)).await?.value;
            let unreadable = guids.iter().filter(|guid| listed.is_unreadable(guid));
            there.extend(unreadable.map(|guid| ResourceKey { kind: Kind::Task, guid: guid.clone() }));
            for row in listed.rows {
                let key = ResourceKey { kind: Kind::Task, guid: row.guid };
                if ["SUCCEEDED", "FAILED"].contains(&row.state.as_str()) && row.updated_at < begun_at {
                    done.insert(key, row.updated_at);
                } else {
                    there.insert(key);
                }
            }
        }
        let before = look.differences.len();
        let in_flight =
            |difference: &Difference| difference.found == Found::Ended(None) && there.contains(&difference.resource);
        let unclear = look.differences.iter().filter(|difference| in_flight(difference));
        look.in_flight_resources.extend(unclear.map(|difference| difference.resource.clone()));
        look.differences.retain(|difference| !in_flight(difference));
        look.in_flight += before - look.differences.len();
        for difference in &mut look.differences {
            if let Some(at) = done.get(&difference.resource) {
                difference.found = Found::Ended(Some((*at, true)));
            }
        }
        Ok(())
    }

    /// A whole reseed names every process that is started: one that is held as running, and of which neither it nor
    /// anything since says so, doesn't run, whatever the lists make believe of its app.
    async fn believe_reseed(
        &self,
        look: &mut Look,
        reseed: &Reseed,
        inventory: &Inventory,
        tracked: &HashMap<ResourceKey, Resource>,
        sequence: u64,
    ) -> Result<(), CollectError> {
        let silent = |(key, resource): &(&ResourceKey, &Resource)| {
            let runs = key.kind == Kind::Process && resource.run.is_some() && inventory.running.contains_key(key);
            runs && resource.last_sequence <= sequence && reseed.is_silent_of(key, Some(resource))
        };
        let mut keys: Vec<ResourceKey> = tracked.iter().filter(silent).map(|(key, _)| key.clone()).collect();
        let last = self.last_told(&keys).await?;
        keys.retain(|key| last.get(key).is_none_or(|at| *at < reseed.created_at()));
        look.differences.retain(|difference| !keys.contains(&difference.resource));
        look.differences.extend(keys.into_iter().map(|resource| Difference {
            resource,
            class: Class::MissedStop,
            detail: "held as running, the reseed doesn't name it".to_owned(),
            repaired: false,
            found: Found::Ended(None),
        }));
        look.differences.sort_by(|one, two| one.resource.cmp(&two.resource));
        Ok(())
    }

    /// At the ends of their streams.
    fn inputs(&self, inputs: Vec<Input>) -> Vec<NewInput> {
        let stream = |input: &Input| input.resource().map_or(Stream::App, |key| key.kind.stream());
        inputs.into_iter().map(|input| NewInput::own(self.end_of(stream(&input)), input)).collect()
    }
}
