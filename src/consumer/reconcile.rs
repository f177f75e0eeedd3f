//! The ledger compared with everything that runs: after a gap, at intervals, and on demand.
//! Owns what counts as a difference and when it is settled; what a settlement does to an interval is the fold's business.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use super::collector::{CollectError, Collector};
use super::inventory::{Inventory, Row};
use super::page::{Body, NewInput};
use crate::cloud_controller::GUIDS_PER_REQUEST;
use crate::domain::{
    Baseline, BaselineItem, DiskObservation, FailedCreate, Finding, Footprint, GapStage, Guid, Kind, ResourceKey,
    Settlement, Stream, Timestamp,
};
use crate::fold::{Depth, Resource};
use crate::store::{GapProgress, Onboarding, OnboardingStage, Settled, StoredDifference, StoredGap};

/// Settlements committed in one transaction.
const BATCH: usize = 1000;

/// What sort of difference it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It runs, and the ledger holds it as ended or doesn't know it.
    MissedStart,
    /// The ledger holds it open, and it doesn't run any more.
    MissedStop,
    /// Other instances, memory, plan or place.
    WrongFootprint,
    /// Another disk: no event tells of it.
    DiskChanged,
    /// A service instance whose creation failed.
    FailedCreate,
    /// A process that no event ever started, of an app that runs: as a rule a new process type that waits for a restart.
    NeverStarted,
}

impl Class {
    pub const ALL: [Self; 6] = [
        Self::MissedStart,
        Self::MissedStop,
        Self::WrongFootprint,
        Self::DiskChanged,
        Self::FailedCreate,
        Self::NeverStarted,
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
    /// Running so since then at the latest.
    Running(BaselineItem, Timestamp),
    Disk {
        disk_mib: u32,
        updated_at: Timestamp,
    },
    FailedCreate,
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

impl Collector {
    /// Settles what is left open by gaps that are read over.
    pub(super) async fn settle_gaps(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        let gaps = self.unsettled();
        if gaps.is_empty() {
            return Ok(());
        }
        let (mut look, observed_at) = self.look_at_everything(onboarding, true).await?;
        for gap in gaps {
            let of_stream = |difference: &&mut Difference| difference.resource.kind.stream() == gap.stream;
            let differences: Vec<&mut Difference> = look.differences.iter_mut().filter(of_stream).collect();
            self.settle_gap(&gap, differences, observed_at).await?;
        }
        self.load_gaps().await
    }

    async fn settle_gap(
        &mut self,
        gap: &StoredGap,
        differences: Vec<&mut Difference>,
        observed_at: Timestamp,
    ) -> Result<(), CollectError> {
        let (mut bodies, mut settled) = (Vec::new(), Settled::default());
        for difference in differences {
            match difference.found {
                Found::Ended(_) => settled.ended += 1,
                Found::Running(..) if difference.class == Class::WrongFootprint => settled.changed += 1,
                Found::Running(..) => settled.begun += 1,
                Found::Disk { .. } | Found::FailedCreate | Found::Nothing => {}
            }
            // What vanished unseen ended when we last looked; what appeared unseen begins now.
            let body = match &difference.found {
                Found::Ended(Some((at, true))) => Some(Finding::Ended { at: *at, exact: true }),
                Found::Ended(_) => Some(Finding::Ended { at: gap.from, exact: false }),
                Found::Running(item, _) => Some(Finding::Running { item: item.clone(), since: observed_at }),
                _ => None,
            };
            let body = match body {
                Some(finding) => Some(settlement(difference, gap.from, observed_at, finding)),
                None => difference.body(gap.from, observed_at),
            };
            bodies.extend(body);
            difference.repaired = true;
        }
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

    /// Compares the ledger with what runs, if it is time to.
    pub(super) async fn reconcile_if_due(&mut self, onboarding: &Onboarding) -> Result<(), CollectError> {
        if onboarding.stage != OnboardingStage::Complete {
            return Ok(());
        }
        let last = self.head.reconciled_at.or(onboarding.completed_at);
        let interval = self.plan.reconcile_interval_seconds;
        if last.is_some_and(|last| self.clock.now().seconds_since(last) < interval) {
            return Ok(());
        }
        // It is not what bills; a list that can't be read now is read at the next cycle.
        let look = self.reconcile(onboarding, Repair::Confirmed).await;
        self.tolerate("what runs", look).map(|_| ())
    }

    /// Compares the ledger with what runs, and settles what is confirmed.
    pub(super) async fn reconcile(&mut self, onboarding: &Onboarding, repair: Repair) -> Result<Look, CollectError> {
        let (mut look, observed_at) = self.look_at_everything(onboarding, false).await?;
        let stored = self.store.differences(&self.head).await?;
        let before: HashMap<&ResourceKey, &StoredDifference> =
            stored.iter().map(|difference| (&difference.resource, difference)).collect();
        let mut bodies = Vec::new();
        let mut left = Vec::new();
        let mut settled: BTreeMap<Stream, Settled> = BTreeMap::new();
        for difference in &mut look.differences {
            let same = before
                .get(&difference.resource)
                .filter(|before| before.class == difference.class.name() && before.detail == difference.detail);
            let certain_until = same.map_or(self.head.reconciled_at, |before| before.certain_until);
            let found_at = same.map_or(observed_at, |before| before.found_at);
            // Read beside the stream anyway, these need nobody's word.
            let plain = matches!(difference.found, Found::Disk { .. } | Found::FailedCreate);
            let confirmed = observed_at.seconds_since(found_at) >= self.plan.sweep_interval_seconds;
            let is_settled = plain || repair == Repair::All || (same.is_some() && confirmed);
            let body = difference.body(certain_until.unwrap_or(Timestamp::MIN), observed_at);
            if let Some(body) = body.filter(|_| is_settled) {
                bodies.push(body);
                difference.repaired = true;
                let counts = settled.entry(difference.resource.kind.stream()).or_default();
                match difference.class {
                    Class::MissedStart => counts.begun += 1,
                    Class::MissedStop => counts.ended += 1,
                    Class::WrongFootprint => counts.changed += 1,
                    Class::DiskChanged | Class::FailedCreate | Class::NeverStarted => {}
                }
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
        for (stream, counts) in settled {
            self.count_repairs(&counts, stream);
        }
        while !bodies.is_empty() {
            let rest = bodies.split_off(bodies.len().min(BATCH));
            let mut page = self.page();
            page.inputs = self.inputs(std::mem::replace(&mut bodies, rest));
            self.commit(None, page).await?;
        }
        self.store.put_differences(&self.head, &left).await?;
        let mut page = self.page();
        page.reconciled_at = page.reconciled_at.max(Some(observed_at));
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
        self.compare(&inventory, sequence, false).await.map(Some)
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
            never_started, in_flight = look.in_flight, overdue_stagings = look.overdue_stagings,
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

    /// Reads the lists, then the streams to their end again, and compares; also when the last list had been read.
    async fn look_at_everything(
        &mut self,
        onboarding: &Onboarding,
        after_gap: bool,
    ) -> Result<(Look, Timestamp), CollectError> {
        let sequence = self.head.last_sequence;
        let inventory = self.inventory().await?;
        // What was done while the lists were read is in the streams by now, and says itself what it is.
        for stream in Stream::ALL {
            self.read(stream, onboarding).await?;
        }
        let look = self.compare(&inventory, sequence, after_gap).await?;
        Ok((look, inventory.ended_at))
    }

    async fn compare(&self, inventory: &Inventory, sequence: u64, after_gap: bool) -> Result<Look, CollectError> {
        let tracked = self.tracked(inventory).await?;
        let mut look = compare(inventory, &tracked, sequence, after_gap);
        self.look_closer(&mut look, inventory.begun_at).await?;
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
            let rows = self.ask(self.client.processes(guids)).await?.value;
            there.extend(rows.into_iter().map(|row| ResourceKey { kind: Kind::Process, guid: row.guid }));
        }
        for guids in services.chunks(GUIDS_PER_REQUEST) {
            let rows = self.ask(self.client.service_instances(guids)).await?.value;
            there.extend(rows.into_iter().map(|row| ResourceKey { kind: Kind::Service, guid: row.guid }));
        }
        for guids in tasks.chunks(GUIDS_PER_REQUEST) {
            for row in self.ask(self.client.tasks(guids)).await?.value {
                let key = ResourceKey { kind: Kind::Task, guid: row.guid };
                if ["SUCCEEDED", "FAILED"].contains(&row.state.as_str()) && row.updated_at < begun_at {
                    done.insert(key, row.updated_at);
                } else {
                    there.insert(key);
                }
            }
        }
        let before = look.differences.len();
        look.differences
            .retain(|difference| difference.found != Found::Ended(None) || !there.contains(&difference.resource));
        look.in_flight += before - look.differences.len();
        for difference in &mut look.differences {
            if let Some(at) = done.get(&difference.resource) {
                difference.found = Found::Ended(Some((*at, true)));
            }
        }
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

fn settlement(difference: &Difference, certain_until: Timestamp, observed_at: Timestamp, finding: Finding) -> Body {
    Body::Settlement(Settlement { resource: difference.resource.clone(), certain_until, observed_at, finding })
}

impl Difference {
    /// What settles it, where no gap says more; `None` if nothing is to be done.
    fn body(&self, certain_until: Timestamp, observed_at: Timestamp) -> Option<Body> {
        let finding = match &self.found {
            Found::Ended(None) => Finding::Ended { at: certain_until, exact: false },
            Found::Ended(Some((at, exact))) => Finding::Ended { at: *at, exact: *exact },
            Found::Running(item, since) => Finding::Running { item: item.clone(), since: *since },
            Found::Disk { disk_mib, updated_at } => {
                return Some(Body::Disk(DiskObservation {
                    resource: self.resource.clone(),
                    disk_mib: *disk_mib,
                    observed_at,
                    updated_at: *updated_at,
                }));
            }
            Found::FailedCreate => {
                return Some(Body::CreateFailed(FailedCreate {
                    service_instance: self.resource.guid.clone(),
                    observed_at,
                }));
            }
            Found::Nothing => return None,
        };
        Some(settlement(self, certain_until, observed_at, finding))
    }
}

/// Compares what the lists show with what is tracked. What an input after `sequence` touched changed meanwhile.
/// `after_gap`: what is unknown may have begun in it.
fn compare(inventory: &Inventory, tracked: &HashMap<ResourceKey, Resource>, sequence: u64, after_gap: bool) -> Look {
    let mut look = Look::default();
    let mut keys: Vec<&ResourceKey> = tracked.keys().filter(|key| key.kind != Kind::Staging).collect();
    keys.extend(inventory.running.keys().filter(|key| !tracked.contains_key(key)));
    keys.sort();
    for key in keys {
        let (resource, row) = (tracked.get(key), inventory.running.get(key));
        look.compared += 1;
        if resource.is_some_and(|resource| resource.last_sequence > sequence) {
            look.in_flight += 1;
            continue;
        }
        let run = resource.and_then(|resource| resource.run.as_ref());
        let found = match (run, row) {
            (Some(run), Some(row)) => differs(&run.piece.footprint, row),
            (Some(_), None) if inventory.failed.contains(&key.guid) => {
                Some((Class::FailedCreate, "its creation failed".to_owned(), Found::FailedCreate))
            }
            (Some(_), None) => {
                let stopped_at = inventory.stopped.get(key).map(|at| (*at, false));
                Some((Class::MissedStop, "held as running, doesn't run".to_owned(), Found::Ended(stopped_at)))
            }
            (None, Some(row)) => unknown(key, resource, row, after_gap),
            (None, None) => None,
        };
        if let Some((class, detail, found)) = found {
            look.differences.push(Difference { resource: key.clone(), class, detail, repaired: false, found });
        }
    }
    look
}

/// How what runs differs from what is held of it.
fn differs(held: &Footprint, row: &Row) -> Option<(Class, String, Found)> {
    let item = &row.named.item;
    let (same, told, was) = match &item.item {
        Baseline::Process { instances, memory_mib, .. } => (
            held.instances == *instances && held.memory_mib == *memory_mib,
            format!("{instances} x {memory_mib} MiB"),
            format!("{} x {} MiB", held.instances, held.memory_mib),
        ),
        Baseline::Task { memory_mib, .. } => {
            (held.memory_mib == *memory_mib, format!("{memory_mib} MiB"), format!("{} MiB", held.memory_mib))
        }
        Baseline::Service { plan, .. } => {
            let name = |plan: &Option<Guid>| plan.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            (held.service_plan == *plan, format!("plan {}", name(plan)), format!("plan {}", name(&held.service_plan)))
        }
    };
    if !same || held.location != item.location {
        let place = if held.location == item.location { "" } else { ", in another space" };
        let detail = format!("has {told}{place}, held as {was}");
        return Some((Class::WrongFootprint, detail, Found::Running(item.clone(), row.updated_at)));
    }
    let disk_mib = row.disk_mib.filter(|disk_mib| *disk_mib != held.disk_mib)?;
    let detail = format!("has {disk_mib} MiB of disk, held as {} MiB", held.disk_mib);
    Some((Class::DiskChanged, detail, Found::Disk { disk_mib, updated_at: row.updated_at }))
}

/// What to make of something that runs and isn't open.
fn unknown(
    key: &ResourceKey,
    resource: Option<&Resource>,
    row: &Row,
    after_gap: bool,
) -> Option<(Class, String, Found)> {
    let item = row.named.item.clone();
    let ended = resource.is_some_and(|resource| resource.ended);
    match &item.item {
        Baseline::Process { instances: 0, .. } => None,
        // An app that was stopped and runs again had a start. One that never began waits for its app's next start.
        Baseline::Process { .. } if !ended && !after_gap => {
            Some((Class::NeverStarted, "no event ever started it".to_owned(), Found::Nothing))
        }
        Baseline::Process { .. } => {
            Some((Class::MissedStart, "runs, held as stopped".to_owned(), Found::Running(item, row.updated_at)))
        }
        // Nothing that ended reopens.
        Baseline::Task { .. } | Baseline::Service { .. } if ended => None,
        Baseline::Task { .. } | Baseline::Service { .. } => {
            let detail = format!("there is a {} that isn't known", key.kind);
            Some((Class::MissedStart, detail, Found::Running(item, row.created_at)))
        }
    }
}
