//! The ledger compared with everything that runs: after a gap, at intervals, and on demand.
//! Owns what counts as a difference and when it is settled; what a settlement does to an interval is the fold's business.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::baseline::note_names;
use super::bounds::Reseed;
use super::collector::{CollectError, Collector};
use super::inventory::{Inventory, Row};
use super::page::{Body, NewInput};
use crate::cloud_controller::{GUIDS_PER_REQUEST, NamedItem};
use crate::domain::{
    Baseline, DiskObservation, FailedCreate, Finding, Footprint, GapStage, Guid, Kind, ResourceKey, Settlement, Stream,
    Timestamp,
};
use crate::fold::{Depth, Piece, Resource, Run};
use crate::store::{GapProgress, Names, Onboarding, OnboardingStage, Settled, StoredDifference, StoredGap, Told};

/// Settlements committed in one transaction.
const BATCH: usize = 1000;

/// What a resource is kept as of which a look could say nothing.
const IN_FLIGHT: &str = "in_flight";

/// What sort of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It runs, and the ledger holds it as ended or doesn't know it.
    MissedStart,
    /// The ledger holds it open, and it doesn't run any more.
    MissedStop,
    /// Other instances, memory, plan, place or type.
    WrongFootprint,
    /// Another disk: no event tells of it.
    DiskChanged,
    /// A service instance whose creation failed.
    FailedCreate,
    /// A process that no event ever started, of an app that runs: as a rule a new process type that waits for a restart.
    NeverStarted,
    /// Whether it runs can't be read.
    Unsure,
}

impl Class {
    pub const ALL: [Self; 7] = [
        Self::MissedStart,
        Self::MissedStop,
        Self::WrongFootprint,
        Self::DiskChanged,
        Self::FailedCreate,
        Self::NeverStarted,
        Self::Unsure,
    ];

    /// The word used in tables, metrics and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissedStart => "missed_start",
            Self::MissedStop => "missed_stop",
            Self::WrongFootprint => "wrong_footprint",
            Self::DiskChanged => "disk_changed",
            Self::FailedCreate => "failed_create",
            Self::NeverStarted => "never_started",
            Self::Unsure => "unsure",
        }
    }
}

/// One resource of which the ledger and the lists say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub resource: ResourceKey,
    pub class: Class,
    /// What was found, for people; the same as long as the same is found.
    pub detail: String,
    /// It was settled now.
    pub repaired: bool,
    found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// Not running; since when, if its row is still there, and whether that is exact.
    Ended(Option<(Timestamp, bool)>),
    /// Running so; since when, if its row tells.
    Running(Box<NamedItem>, Option<Timestamp>),
    /// Another disk, or a type that no event told.
    Disk {
        disk_mib: u32,
        updated_at: Timestamp,
        process_type: Option<Arc<str>>,
    },
    FailedCreate,
    /// Perhaps running.
    Unsure,
    Nothing,
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    pub differences: Vec<Difference>,
    /// Resources that are open in the ledger or run.
    pub compared: usize,
    /// Those that changed while the lists were read: nothing is said of them.
    pub in_flight: usize,
    /// Which they are: this look doesn't agree with the ledger on them.
    in_flight_resources: Vec<ResourceKey>,
    /// What was assumed and is so: certain from this look on.
    confirmed: Vec<Difference>,
    /// Those that are there, of which a row can't be read: they count as unchanged.
    pub unreadable: usize,
    /// Stagings whose ending is overdue: they count to their cap, as estimated.
    pub overdue_stagings: usize,
}

/// What is settled at a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// What an earlier look found, too.
    Confirmed,
    /// Everything found, because an operator says so.
    All,
}

/// What a difference that is to be settled rests on.
#[derive(Clone, Copy, Debug)]
struct Ground {
    /// The last look that agreed, or the last caught-up poll before a gap; then, the resource's last event.
    certain_until: Timestamp,
    /// The first look that found it.
    found_at: Timestamp,
    observed_at: Timestamp,
    /// It came about where events were lost: from the first word of it it counts, if its row doesn't tell.
    in_gap: bool,
}

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
        let (mut bodies, mut names) = self.settlements(settling).await?;
        self.count_repairs(&settled, gap.stream);
        let progress = GapProgress {
            number: gap.number,
            stage: GapStage::Settling,
            settled: Settled::default(),
            settled_at: None,
        };
        let mut batches: Vec<Vec<Body>> = Vec::new();
        while bodies.len() > BATCH {
            let rest = bodies.split_off(BATCH);
            batches.push(std::mem::replace(&mut bodies, rest));
        }
        batches.push(bodies);
        let last = batches.len() - 1;
        for (number, bodies) in batches.into_iter().enumerate() {
            let mut page = self.page();
            page.inputs = self.inputs(bodies);
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
    async fn settlements(&self, settling: Vec<(&Difference, Ground)>) -> Result<(Vec<Body>, Names), CollectError> {
        let keys: Vec<ResourceKey> = settling.iter().map(|(difference, _)| difference.resource.clone()).collect();
        let last_told = self.last_told(&keys).await?;
        let (mut bodies, mut names) = (Vec::new(), Names::default());
        for (difference, ground) in settling {
            let told_at = last_told.get(&difference.resource).copied().unwrap_or(Timestamp::MIN);
            let certain_until = ground.certain_until.max(told_at.min(ground.observed_at));
            bodies.extend(difference.body(Ground { certain_until, ..ground }));
            if let Found::Running(named, _) = &difference.found {
                note_names(&mut names, named, &Told::beside(ground.observed_at));
            }
        }
        Ok((bodies, names))
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
        let (mut bodies, mut names) = self.settlements(settling).await?;
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
        while !bodies.is_empty() {
            let rest = bodies.split_off(bodies.len().min(BATCH));
            let mut page = self.page();
            page.inputs = self.inputs(std::mem::replace(&mut bodies, rest));
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

    fn inputs(&self, bodies: Vec<Body>) -> Vec<NewInput> {
        let input = |body: Body| {
            let stream = match &body {
                Body::Settlement(settlement) => settlement.resource.kind.stream(),
                Body::CreateFailed(_) => Stream::Service,
                _ => Stream::App,
            };
            NewInput { place: self.end_of(stream), body }
        };
        bodies.into_iter().map(input).collect()
    }
}

impl Difference {
    /// Whether an earlier look found the same.
    fn is(&self, before: &StoredDifference) -> bool {
        before.resource == self.resource && before.class == self.class.name() && before.detail == self.detail
    }

    /// Whether events, or its row, tell since when it differs, if that was after `from`: beginnings and endings are told, a
    /// plan migrated in bulk, or what somebody edited by hand, isn't.
    fn is_told_since(&self, from: Timestamp) -> bool {
        match (&self.found, self.class) {
            (Found::Running(_, told), Class::WrongFootprint) => told.is_some_and(|at| at > from),
            _ => true,
        }
    }

    /// What settles it; `None` if nothing is to be done.
    fn body(&self, ground: Ground) -> Option<Body> {
        let Ground { certain_until, found_at, observed_at, in_gap } = ground;
        let finding = match &self.found {
            Found::Ended(Some((at, true))) => Finding::Ended { at: *at, exact: true },
            Found::Ended(Some((at, false))) if !in_gap => Finding::Ended { at: (*at).min(found_at), exact: false },
            // What vanished unseen ended when it was last known to run.
            Found::Ended(_) => Finding::Ended { at: certain_until, exact: false },
            Found::Running(named, told) => {
                // No later than it was found; a row that was saved before what is known doesn't tell of it.
                let told = told.filter(|at| certain_until < *at && *at <= found_at);
                let told = told.filter(|_| !in_gap || self.class == Class::WrongFootprint);
                let since = told.unwrap_or(if in_gap { observed_at } else { certain_until });
                Finding::Running { item: named.item.clone(), since }
            }
            Found::Disk { disk_mib, updated_at, process_type } => {
                return Some(Body::Disk(DiskObservation {
                    resource: self.resource.clone(),
                    disk_mib: *disk_mib,
                    observed_at,
                    updated_at: *updated_at,
                    process_type: process_type.clone(),
                }));
            }
            Found::FailedCreate => {
                return Some(Body::CreateFailed(FailedCreate {
                    service_instance: self.resource.guid.clone(),
                    observed_at,
                }));
            }
            Found::Unsure => Finding::Unsure,
            Found::Nothing => return None,
        };
        let resource = self.resource.clone();
        Some(Body::Settlement(Settlement { resource, certain_until, observed_at, finding, bounded: true }))
    }
}

/// What a look comes after.
#[derive(Clone, Debug)]
enum After {
    /// Other looks: everything that began has its event.
    Looks,
    /// A gap, in which anything may have begun; with the reseed that the stream begins with, if it does.
    Gap(Option<Reseed>),
}

/// Compares what the lists show with what is tracked. What an input after `sequence` touched changed meanwhile.
fn compare(inventory: &Inventory, tracked: &HashMap<ResourceKey, Resource>, sequence: u64, after: &After) -> Look {
    let mut look = Look::default();
    let mut keys: Vec<&ResourceKey> = tracked.keys().filter(|key| key.kind != Kind::Staging).collect();
    keys.extend(inventory.running.keys().filter(|key| !tracked.contains_key(key)));
    keys.sort();
    for key in keys {
        let (resource, row) = (tracked.get(key), inventory.running.get(key));
        look.compared += 1;
        if resource.is_some_and(|resource| resource.last_sequence > sequence) {
            look.in_flight += 1;
            look.in_flight_resources.push(key.clone());
            continue;
        }
        if inventory.unclear.contains(key) {
            // This look says nothing of it, neither that it agrees.
            look.unreadable += 1;
            look.in_flight_resources.push(key.clone());
            continue;
        }
        let run = resource.and_then(|resource| resource.run.as_ref());
        let found = match (run, row) {
            (Some(run), Some(row)) => {
                let latest = resource.and_then(|resource| resource.latest).filter(|_| matches!(after, After::Gap(_)));
                let restarted = latest.is_some_and(|latest| row.updated_at > latest);
                differs(run, resource.and_then(|resource| resource.process_type.as_ref()), row, restarted)
            }
            (Some(_), None) if inventory.failed.contains(&key.guid) => {
                Some((Class::FailedCreate, "its creation failed".to_owned(), Found::FailedCreate))
            }
            (Some(run), None) if inventory.unsure.contains(key) => {
                let detail = "its app is stopped, and whether it runs can't be read".to_owned();
                // Once is enough.
                Some((Class::Unsure, detail, if run.piece.estimated { Found::Nothing } else { Found::Unsure }))
            }
            (Some(_), None) => {
                let stopped_at = inventory.stopped.get(key).map(|at| (*at, false));
                Some((Class::MissedStop, "held as running, doesn't run".to_owned(), Found::Ended(stopped_at)))
            }
            (None, Some(row)) => unknown(key, resource, row, after),
            (None, None) => None,
        };
        let difference =
            |(class, detail, found)| Difference { resource: key.clone(), class, detail, repaired: false, found };
        if let Some(found) = found {
            look.differences.push(difference(found));
        } else if let (Some(run @ Run { piece: Piece { estimated: true, .. }, .. }), Some(row)) = (run, row) {
            let found = Found::Running(Box::new(vouched(&run.piece.footprint, row)), None);
            look.confirmed.push(difference((Class::WrongFootprint, "as was assumed".to_owned(), found)));
        }
    }
    look
}

/// How what runs differs from what is held of it; `restarted`: it may have been, in a gap, with a buildpack that no event
/// tells.
fn differs(run: &Run, held_type: Option<&Arc<str>>, row: &Row, restarted: bool) -> Option<(Class, String, Found)> {
    let held = &run.piece.footprint;
    let item = &row.named.item;
    let mut differences = Vec::new();
    // A row tells of a change of what is its own; where an app is, is the app's.
    let mut told = None;
    let mut told_type = None;
    let mut taken = vouched(held, row);
    match &item.item {
        Baseline::Process { instances, memory_mib, process_type, buildpack, buildpack_assumed, .. } => {
            match (&held.buildpack, buildpack) {
                (None, Some(name)) => differences.push(format!("has buildpack {name}, held without")),
                (Some(was), Some(is)) if was != is && restarted && !buildpack_assumed => {
                    differences.push(format!("has buildpack {is}, held with {was}"));
                    told = Some(row.updated_at);
                    taken = row.named.clone();
                }
                _ => {}
            }
            if (held.instances, held.memory_mib) != (*instances, *memory_mib) {
                let was = format!("{} x {} MiB", held.instances, held.memory_mib);
                differences.push(format!("has {instances} x {memory_mib} MiB, held as {was}"));
                told = Some(row.updated_at);
            }
            match (held_type, process_type) {
                (Some(was), Some(is)) if was != is => differences.push(format!("is of type {is}, held as {was}")),
                (None, Some(is)) => told_type = Some(is.clone()),
                _ => {}
            }
        }
        Baseline::Task { memory_mib, .. } => {
            if held.memory_mib != *memory_mib {
                differences.push(format!("has {memory_mib} MiB, held as {} MiB", held.memory_mib));
            }
        }
        Baseline::Service { plan, .. } => {
            let name = |plan: &Option<Guid>| plan.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            if held.service_plan != *plan && plan.is_some() {
                differences.push(format!("has plan {}, held as plan {}", name(plan), name(&held.service_plan)));
                told = Some(row.updated_at);
            }
        }
    }
    if held.location != item.location {
        differences.push("is in another space".to_owned());
    }
    if !differences.is_empty() {
        return Some((Class::WrongFootprint, differences.join(", "), Found::Running(Box::new(taken), told)));
    }
    let disk_mib = row.disk_mib?;
    if disk_mib != held.disk_mib || told_type.is_some() {
        let mut details = Vec::new();
        if disk_mib != held.disk_mib {
            details.push(format!("has {disk_mib} MiB of disk, held as {} MiB", held.disk_mib));
        }
        details.extend(told_type.as_ref().map(|told| format!("is of type {told}, which no event told")));
        let found = Found::Disk { disk_mib, updated_at: row.updated_at, process_type: told_type };
        return Some((Class::DiskChanged, details.join(", "), found));
    }
    None
}

/// What is taken of the row of something tracked: its buildpack only where none is known. A list tells that of the app's
/// current droplet, or the one asked for, and what runs may be older than either: an event's word wins, unless events were
/// lost and the process was saved since.
fn vouched(held: &Footprint, row: &Row) -> NamedItem {
    let mut named = row.named.clone();
    if let (Baseline::Process { buildpack, .. }, Some(_)) = (&mut named.item.item, &held.buildpack) {
        *buildpack = None;
    }
    named
}

/// What to make of something that runs and isn't open.
fn unknown(key: &ResourceKey, resource: Option<&Resource>, row: &Row, after: &After) -> Option<(Class, String, Found)> {
    let ended = resource.is_some_and(|resource| resource.ended);
    let running = |told| Found::Running(Box::new(row.named.clone()), told);
    match &row.named.item.item {
        Baseline::Process { instances: 0, .. } => None,
        // A whole reseed names everything that is started.
        Baseline::Process { .. } if matches!(after, After::Gap(Some(reseed)) if reseed.is_silent_of(key, resource)) => {
            Some((Class::NeverStarted, "the reseed doesn't name it".to_owned(), Found::Nothing))
        }
        // An app that was stopped and runs again had a start. One that never began waits for its app's next start.
        Baseline::Process { .. } if !ended && matches!(after, After::Looks) => {
            Some((Class::NeverStarted, "no event ever started it".to_owned(), Found::Nothing))
        }
        Baseline::Process { .. } => {
            Some((Class::MissedStart, "runs, held as stopped".to_owned(), running(Some(row.updated_at))))
        }
        // Cloud Controller's database was set back: it is a new run, begun when it came back.
        Baseline::Task { .. } | Baseline::Service { .. } if ended => {
            Some((Class::MissedStart, format!("there is a {} that had ended", key.kind), running(None)))
        }
        Baseline::Task { .. } | Baseline::Service { .. } => {
            let detail = format!("there is a {} that isn't known", key.kind);
            Some((Class::MissedStart, detail, running(Some(row.created_at))))
        }
    }
}
