//! From one numbered sequence of inputs to intervals, ledger entries and anomalies.
//! Total: never fails on data, never looks at a clock, and gives the same ledger whatever the page sizes.

mod bounds;
mod look;
mod process;
mod refold;
mod service;
mod settle;
mod staging;
mod state;
mod task;

use std::collections::HashMap;

use crate::domain::{
    Anomaly, AnomalyKind, Baseline, BaselineItem, Bound, BuildObservation, DiskObservation, Fact, FailedCreate,
    Finding, Footprint, Gap, Kind, LedgerEntry, Place, ResourceKey, RowObservation, Settings, Settlement, Stream,
    Timestamp, UsageEvent, is_too_large,
};

pub use look::last_told;
pub use state::{Known, OpenPiece, Opening, Resource, Run, SAME_SAVE_SECONDS, Sealed};

/// One input of the fold, as archived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// 1, 2, 3 … within the foundation, in the order folded.
    pub sequence: u64,
    /// When it reached us.
    pub received_at: Timestamp,
    /// An event's place in its stream; for anything else, the end of the stream at that time.
    pub place: Place,
    pub input: Input,
}

/// Everything that can change the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    Settings(Settings),
    Event(UsageEvent),
    Baseline(BaselineItem),
    Disk(DiskObservation),
    Build(BuildObservation),
    CreateFailed(FailedCreate),
    /// Changes no interval by itself: what is assumed for it are the settlements that follow.
    Gap(Gap),
    Settlement(Settlement),
    /// Stands at its event's place; says at which time that event counts.
    Bound(Bound),
    /// Changes no interval: what the row hides is told by others, or held until somebody accepts that.
    Row(RowObservation),
    /// Stands for the inputs before it when a resource is folded again; never archived.
    Sealed(Box<Sealed>),
}

impl Input {
    /// When it tells how its resource is, if it does: no look later reaches behind that.
    #[must_use]
    pub const fn told_at(&self) -> Option<Timestamp> {
        match self {
            Self::Event(event) => Some(event.created_at),
            Self::Settlement(Settlement { finding: Finding::Unsure, .. }) => None,
            Self::Settlement(settlement) if settlement.bounded => Some(settlement.observed_at),
            _ => None,
        }
    }

    /// The resource that the input touches.
    #[must_use]
    pub fn resource(&self) -> Option<ResourceKey> {
        match self {
            Self::Settings(_) | Self::Gap(_) | Self::Row(_) => None,
            Self::Event(event) => event.fact.resource(),
            Self::Baseline(item) => {
                let (kind, guid) = match &item.item {
                    Baseline::Process { process, .. } => (Kind::Process, process),
                    Baseline::Task { task, .. } => (Kind::Task, task),
                    Baseline::Service { service_instance, .. } => (Kind::Service, service_instance),
                };
                Some(ResourceKey { kind, guid: guid.clone() })
            }
            Self::Disk(observation) => Some(observation.resource.clone()),
            Self::CreateFailed(failed) => {
                Some(ResourceKey { kind: Kind::Service, guid: failed.service_instance.clone() })
            }
            Self::Build(observation) => Some(ResourceKey { kind: Kind::Staging, guid: observation.app.clone() }),
            Self::Settlement(settlement) => Some(settlement.resource.clone()),
            Self::Bound(bound) => bound.resource.clone(),
            Self::Sealed(sealed) => Some(sealed.resource.key.clone()),
        }
    }
}

/// What a resource must be loaded with before its next input can be folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Its state.
    State,
    /// And the net ledger entries of its open run.
    Run,
    /// And all its net ledger entries.
    Entries,
    /// And all its inputs, because one was found late.
    History,
}

/// What folding gave; emptied by [`Fold::take_outputs`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    pub entries: Vec<LedgerEntry>,
    pub anomalies: Vec<Anomaly>,
}

/// The fold of one foundation: settings in force, the resources loaded, and what came out.
///
/// The caller loads what [`Fold::lacking`] names, applies a page, then stores the outputs and the
/// touched resources together with the archived inputs.
#[derive(Clone, Debug)]
pub struct Fold {
    settings: Vec<(u64, Settings)>,
    gaps: Vec<(u64, Gap)>,
    resources: HashMap<ResourceKey, Resource>,
    outputs: Outputs,
    last_entry: u64,
    /// When events count whose own time isn't trusted, by resource and place.
    bounds: HashMap<(ResourceKey, Place), Timestamp>,
}

impl Fold {
    /// Begins after entry number `last_entry`, with every settings input so far (sequence, settings) in order.
    #[must_use]
    pub fn new(settings: Vec<(u64, Settings)>, last_entry: u64) -> Self {
        Self {
            settings,
            gaps: Vec::new(),
            resources: HashMap::new(),
            outputs: Outputs::default(),
            last_entry,
            bounds: HashMap::new(),
        }
    }

    /// With every gap so far (sequence, gap) in order: what a reseed is the first to tell of was lost with the last one.
    #[must_use]
    pub fn across(self, gaps: Vec<(u64, Gap)>) -> Self {
        Self { gaps, ..self }
    }

    /// The number of the last entry made.
    #[must_use]
    pub const fn last_entry(&self) -> u64 {
        self.last_entry
    }

    /// The settings in force now; the defaults before any were given.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings.last().map(|(_, settings)| settings.clone()).unwrap_or_default()
    }

    /// Hands over a resource loaded from the store, or a new one.
    pub fn provide(&mut self, resource: Resource) {
        self.resources.insert(resource.key.clone(), resource);
    }

    /// The resources loaded, as they now are.
    #[must_use]
    pub fn into_resources(self) -> Vec<Resource> {
        self.resources.into_values().collect()
    }

    /// A loaded resource.
    #[must_use]
    pub fn resource(&self, key: &ResourceKey) -> Option<&Resource> {
        self.resources.get(key)
    }

    /// What must be provided before `inputs` can be applied; call again after providing it, until it is empty.
    #[must_use]
    pub fn lacking(&self, inputs: &[Numbered]) -> HashMap<ResourceKey, Depth> {
        let mut lacking = HashMap::new();
        for numbered in inputs {
            let Some(key) = numbered.input.resource() else { continue };
            let needed = match self.resources.get(&key) {
                None => Depth::State,
                Some(resource) => match resource.needs(numbered) {
                    depth if depth <= resource.known.depth() => continue,
                    depth => depth,
                },
            };
            let entry = lacking.entry(key).or_insert(needed);
            *entry = needed.max(*entry);
        }
        lacking
    }

    /// Folds one input in.
    ///
    /// # Panics
    /// If what [`Fold::lacking`] names was not provided.
    pub fn apply(&mut self, numbered: &Numbered) {
        if let Input::Settings(settings) = &numbered.input {
            self.settings.push((numbered.sequence, settings.clone()));
            return;
        }
        if let Input::Gap(gap) = &numbered.input {
            self.gaps.push((numbered.sequence, gap.clone()));
            return;
        }
        let Some(key) = numbered.input.resource() else {
            self.note_without_resource(numbered);
            return;
        };
        let mut resource =
            self.resources.remove(&key).expect("every resource is provided before its inputs are applied");
        if let Input::Bound(bound) = &numbered.input {
            resource = self.bound(resource, numbered, bound);
        } else if numbered.place < resource.last_place {
            resource = self.refold(resource, numbered);
        } else {
            resource.last_place = numbered.place.clone();
            resource.last_sequence = numbered.sequence;
            resource.known.remember(numbered);
            // What is read beside the stream stands at an event's place, too.
            let bounded_to = match &numbered.input {
                Input::Event(_) => self.bounds.get(&(key.clone(), numbered.place.clone())).copied(),
                _ => None,
            };
            let settings = self.settings();
            let mut step = Step {
                sequence: numbered.sequence,
                received_at: numbered.received_at,
                settings: &settings,
                gaps: &self.gaps,
                bounded_to,
                outputs: &mut self.outputs,
                last_entry: &mut self.last_entry,
            };
            step.apply(&mut resource, &numbered.input);
        }
        self.resources.insert(key, resource);
    }

    /// Takes what came out since the last call.
    pub fn take_outputs(&mut self) -> Outputs {
        std::mem::take(&mut self.outputs)
    }

    fn note_without_resource(&mut self, numbered: &Numbered) {
        let event = match &numbered.input {
            Input::Event(event) => event,
            Input::Row(row) => return self.note_row(numbered.sequence, row),
            Input::Bound(bound) => return self.note_bound(numbered, bound),
            _ => return,
        };
        let (kind, detail) = match &event.fact {
            Fact::UnknownState(state) => (AnomalyKind::UnknownState, format!("state `{state}`")),
            Fact::Undecodable(reason) => (AnomalyKind::Undecodable, reason.clone()),
            _ => return,
        };
        // One whose time can't be read may be of any time.
        let at = event.created_at;
        if at > Timestamp::MIN && self.settings().billing_epoch.is_some_and(|epoch| at < epoch) {
            return;
        }
        self.outputs.anomalies.push(Anomaly { kind, sequence: numbered.sequence, resource: None, at, detail });
    }

    /// Also that it can be read again: the time until then is one in which it couldn't be.
    fn note_row(&mut self, sequence: u64, row: &RowObservation) {
        let of = format!("/v3/{}/{}", row.list.name(), row.guid);
        let detail = match &row.reason {
            Some(reason) => format!("the row of {of} can't be read: {reason}; what it is about counts as unchanged"),
            None => format!("the row of {of}, which couldn't be read, can be read again or is gone"),
        };
        let at = row.observed_at.max(self.settings().billing_epoch.unwrap_or(Timestamp::MIN));
        let kind = AnomalyKind::Undecodable;
        self.outputs.anomalies.push(Anomaly { kind, sequence, resource: row.resource(), at, detail });
    }
}

/// What an event lacks without which nothing can begin.
fn lacking(what: &str, members: &[(&str, bool)]) -> String {
    let missing = members.iter().filter(|(_, is_missing)| *is_missing).map(|(member, _)| format!("`{member}`"));
    format!("{what}, and {} is missing or null", missing.collect::<Vec<_>>().join(" and "))
}

/// Whether what runs is larger than any foundation.
fn runs_too_large(resource: &Resource) -> bool {
    resource.run.as_ref().is_some_and(|run| {
        let Footprint { instances, memory_mib, disk_mib, .. } = run.piece.footprint;
        is_too_large(instances.into(), memory_mib.into(), disk_mib.into())
    })
}

/// One input being folded into one resource.
struct Step<'fold> {
    sequence: u64,
    received_at: Timestamp,
    settings: &'fold Settings,
    gaps: &'fold [(u64, Gap)],
    /// The time at which an event counts whose own isn't trusted: what begins or ends with it is estimated.
    bounded_to: Option<Timestamp>,
    outputs: &'fold mut Outputs,
    last_entry: &'fold mut u64,
}

impl Step<'_> {
    fn apply(&mut self, resource: &mut Resource, input: &Input) {
        let was_too_large = runs_too_large(resource);
        match input {
            Input::Event(event) => {
                let at = self.bounded_to.unwrap_or(event.created_at);
                match &event.fact {
                    Fact::Process(fact) => self.process(resource, at, fact),
                    Fact::Task(fact) => self.task(resource, at, fact),
                    Fact::Staging(fact) => self.staging(resource, at, fact),
                    Fact::Service(fact) => self.service(resource, at, fact),
                    Fact::BuildpackSetByBuild | Fact::UnknownState(_) | Fact::Undecodable(_) => {}
                }
            }
            Input::Baseline(item) => self.baseline(resource, item),
            Input::Disk(observation) => self.disk(resource, observation),
            Input::Build(observation) => self.build(resource, observation),
            Input::CreateFailed(failed) => self.create_failed(resource, failed),
            Input::Settlement(settlement) => self.settle(resource, settlement),
            Input::Settings(_) | Input::Gap(_) | Input::Bound(_) | Input::Row(_) | Input::Sealed(_) => {}
        }
        resource.told_at = resource.told_at.max(self.bounded_to.or(input.told_at()));
        if !was_too_large && runs_too_large(resource) && self.follows(2) {
            self.too_large(resource);
        }
    }

    fn too_large(&mut self, resource: &Resource) {
        let Some(run) = &resource.run else { return };
        let Footprint { instances, memory_mib, disk_mib, .. } = run.piece.footprint;
        let detail = format!(
            "{instances} instance(s) of {memory_mib} MiB of memory and {disk_mib} MiB of disk, larger than any foundation"
        );
        self.anomaly(resource, AnomalyKind::TooLarge, run.piece.started_at, detail);
    }

    /// Whether the time of the event rests on its neighbours alone.
    const fn is_estimated(&self) -> bool {
        self.bounded_to.is_some()
    }

    fn epoch(&self) -> Timestamp {
        self.settings.billing_epoch.unwrap_or(Timestamp::MIN)
    }

    /// Whether the fold's rules of that number hold.
    const fn follows(&self, rules: u32) -> bool {
        self.settings.rules >= rules
    }

    /// The last gap of a stream that was found before this input.
    fn gap_before(&self, stream: Stream) -> Option<&Gap> {
        let before = |of: &&(u64, Gap)| of.0 < self.sequence && of.1.stream == stream;
        self.gaps.iter().rfind(before).map(|(_, gap)| gap)
    }

    /// Notes odd input; what lies before the epoch is nobody's concern.
    fn anomaly(&mut self, resource: &Resource, kind: AnomalyKind, at: Timestamp, detail: impl Into<String>) {
        if at < self.epoch() {
            return;
        }
        let resource = Some(resource.key.clone());
        self.outputs.anomalies.push(Anomaly { kind, sequence: self.sequence, resource, at, detail: detail.into() });
    }

    /// When an event takes effect: not before what is already in effect for its resource, nor before the epoch.
    fn effective(&mut self, resource: &Resource, created_at: Timestamp) -> Timestamp {
        let at = self.effective_before_epoch_too(resource, created_at);
        at.max(self.epoch())
    }

    fn effective_before_epoch_too(&mut self, resource: &Resource, created_at: Timestamp) -> Timestamp {
        let Some(latest) = resource.latest.filter(|latest| *latest > created_at) else { return created_at };
        self.anomaly(
            resource,
            AnomalyKind::TimeRanBackwards,
            created_at,
            format!("created at {created_at}, takes effect at {latest}"),
        );
        latest
    }
}
