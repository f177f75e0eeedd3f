//! What goes into the store and comes out of it.

use std::collections::HashSet;

use crate::domain::{
    Anomaly, EventId, Gap, Guid, Kind, LedgerEntry, Place, ResourceKey, Settings, Strategy, Stream, Timestamp,
};
use crate::fold::{Resource, Sealed};
use crate::store::{ArchivedInput, GapProgress, Names, Settled, StoredBound};

/// A foundation as it stands; every write names the one it builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundationHead {
    pub id: i64,
    pub name: String,
    /// Fencing: a writer that holds an older one is refused.
    pub lease_epoch: u64,
    /// Number of the last archived input.
    pub last_sequence: u64,
    /// Number of the last ledger entry.
    pub last_entry: u64,
    /// Open intervals count up to here; `None` before anything was read.
    pub known_until: Option<Timestamp>,
    /// The last time both streams were read again for events that came late; `None` for imports.
    pub swept_until: Option<Timestamp>,
    /// Processes saved before this were looked at.
    pub observed_until: Option<Timestamp>,
    /// When everything that runs was last compared with the ledger.
    pub reconciled_at: Option<Timestamp>,
    /// When the last long sweep was done.
    pub swept_long_at: Option<Timestamp>,
    /// When somebody said that it is to be billed by Cloud Controller's clock, though ours differs.
    pub clock_accepted_at: Option<Timestamp>,
    /// Tailed from Cloud Controller, as opposed to imported only.
    pub collected: bool,
    /// Every settings input so far, with its sequence number.
    pub settings: Vec<(u64, Settings)>,
    /// Every gap so far, with the sequence number of the input that records it.
    pub gaps: Vec<(u64, Gap)>,
    pub app: StreamHead,
    pub service: StreamHead,
}

impl FoundationHead {
    /// The head of one stream.
    #[must_use]
    pub const fn stream(&self, stream: Stream) -> &StreamHead {
        match stream {
            Stream::App => &self.app,
            Stream::Service => &self.service,
        }
    }

    /// The head of one stream.
    pub const fn stream_mut(&mut self, stream: Stream) -> &mut StreamHead {
        match stream {
            Stream::App => &mut self.app,
            Stream::Service => &mut self.service,
        }
    }

    /// Usage is complete up to here: what was created earlier has had the window's time to appear, and was looked for.
    #[must_use]
    pub fn rated_through(&self, sweep_window_seconds: i64) -> Option<Timestamp> {
        let complete = if self.collected { self.swept_until.min(self.known_until) } else { self.imported_until() };
        complete.map(|complete| complete.plus(-sweep_window_seconds))
    }

    /// Imported usage is complete as far as both streams go, unless it was said to be complete to a later time.
    fn imported_until(&self) -> Option<Timestamp> {
        let newest = [self.app.agreeing_at, self.service.agreeing_at];
        let last = newest.into_iter().flatten().max();
        if self.known_until > last { self.known_until } else { newest.into_iter().flatten().min() }
    }

    /// The settings in force; the defaults before any were archived.
    #[must_use]
    pub fn current_settings(&self) -> Settings {
        self.settings.last().map(|(_, settings)| settings.clone()).unwrap_or_default()
    }
}

/// How far a stream is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHead {
    /// Ordinal of the event last in stream order; 0 before any.
    pub last_ordinal: u64,
    /// The earliest and latest `created_at` seen, wherever they stand in the stream.
    pub oldest_created_at: Option<Timestamp>,
    pub newest_created_at: Option<Timestamp>,
    /// The latest `created_at` that agrees with the stream's order: nothing is known further by an event.
    pub agreeing_at: Option<Timestamp>,
    /// The event after which we read on.
    pub checkpoint: Option<EventId>,
    /// The event before the checkpoint: polls ask after this one, so that a healthy answer holds the checkpoint.
    pub predecessor: Option<EventId>,
}

/// A resource from the store.
#[derive(Clone, Debug)]
pub struct LoadedResource {
    pub resource: Resource,
    /// Its net ledger entries, as deep as was asked for.
    pub entries: Vec<LedgerEntry>,
    /// Its state in the seal that its history begins with, if what was before is pruned; and the seal's sequence number.
    pub sealed: Option<(u64, Sealed)>,
    /// Its archived inputs in sequence, where its history was asked for.
    pub history: Vec<ArchivedInput>,
}

/// Of what a label is, and whether it is an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    Organization,
    Space,
    OrganizationAnnotation,
    SpaceAnnotation,
}

impl Owner {
    pub const ALL: [Self; 4] = [Self::Organization, Self::Space, Self::OrganizationAnnotation, Self::SpaceAnnotation];

    /// The word in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Space => "space",
            Self::OrganizationAnnotation => "organization_annotation",
            Self::SpaceAnnotation => "space_annotation",
        }
    }
}

/// Whether a write comes from a collector or an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageOrigin {
    Collector,
    Import,
}

/// Everything one page leads to.
#[derive(Clone, Debug)]
pub struct WriteSet {
    pub origin: PageOrigin,
    /// Numbered on from the head, in sequence.
    pub inputs: Vec<ArchivedInput>,
    /// Settings among them, by sequence number.
    pub settings: Vec<(u64, Settings)>,
    /// Places among them that are not at the end of their stream.
    pub late_places: Vec<(Stream, Place)>,
    /// Gaps among them, by sequence number.
    pub gaps: Vec<(u64, Gap)>,
    /// Bounds among them, by sequence number.
    pub bounds: Vec<(u64, StoredBound)>,
    /// How it moves a gap on.
    pub gap_progress: Option<GapProgress>,
    /// What reseeds told, by the sequence number of the gap in which it was lost.
    pub told_by_reseeds: Vec<(u64, Settled)>,
    /// Numbered on from the head, in order.
    pub entries: Vec<LedgerEntry>,
    pub anomalies: Vec<Anomaly>,
    /// Every resource an input touched, as it then is.
    pub resources: Vec<Resource>,
    /// Those among them whose disk is yet to be observed.
    pub to_observe: HashSet<ResourceKey>,
    /// Those whose disk can't be observed any more: they are gone.
    pub unobservable: Vec<ResourceKey>,
    pub names: Names,
    /// The streams as they then are.
    pub app: StreamHead,
    pub service: StreamHead,
    /// Number of the last entry, also if none was made.
    pub last_entry: u64,
    pub known_until: Option<Timestamp>,
    pub swept_until: Option<Timestamp>,
    pub observed_until: Option<Timestamp>,
    pub reconciled_at: Option<Timestamp>,
    pub swept_long_at: Option<Timestamp>,
}

impl WriteSet {
    /// Nothing, on top of `head`.
    #[must_use]
    pub fn new(origin: PageOrigin, head: &FoundationHead) -> Self {
        Self {
            origin,
            inputs: Vec::new(),
            settings: Vec::new(),
            late_places: Vec::new(),
            gaps: Vec::new(),
            bounds: Vec::new(),
            gap_progress: None,
            told_by_reseeds: Vec::new(),
            entries: Vec::new(),
            anomalies: Vec::new(),
            resources: Vec::new(),
            to_observe: HashSet::new(),
            unobservable: Vec::new(),
            names: Names::default(),
            app: head.app.clone(),
            service: head.service.clone(),
            last_entry: head.last_entry,
            known_until: head.known_until,
            swept_until: head.swept_until,
            observed_until: head.observed_until,
            reconciled_at: head.reconciled_at,
            swept_long_at: head.swept_long_at,
        }
    }

    /// The head of one stream, as it then is.
    pub const fn stream_mut(&mut self, stream: Stream) -> &mut StreamHead {
        match stream {
            Stream::App => &mut self.app,
            Stream::Service => &mut self.service,
        }
    }

    /// The head as it is once this is written on top of `head`.
    #[must_use]
    pub fn applied_to(&self, head: &FoundationHead) -> FoundationHead {
        let mut next = head.clone();
        next.last_sequence += self.inputs.len() as u64;
        next.last_entry = self.last_entry;
        next.known_until = self.known_until;
        next.swept_until = self.swept_until;
        next.observed_until = self.observed_until;
        next.reconciled_at = self.reconciled_at;
        next.swept_long_at = self.swept_long_at;
        next.collected |= self.origin == PageOrigin::Collector;
        next.settings.extend(self.settings.iter().cloned());
        next.gaps.extend(self.gaps.iter().cloned());
        next.app.clone_from(&self.app);
        next.service.clone_from(&self.service);
        next
    }
}

/// What is at a database URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet; it can be made.
    Nothing { location: String },
    /// A database with a schema; 0 if it has none yet. And what the migrations that it lacks are about.
    Schema { location: String, found: i64, known: i64, lacks: Vec<String> },
}

/// How far a foundation's onboarding has got; kept from its first request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onboarding {
    pub strategy: Strategy,
    /// Why this one, for people.
    pub reason: Option<String>,
    pub stage: OnboardingStage,
    pub app: Option<TakenSnapshot>,
    pub service: Option<TakenSnapshot>,
    pub begun_at: Timestamp,
    pub completed_at: Option<Timestamp>,
}

impl Onboarding {
    /// Nothing done yet.
    #[must_use]
    pub fn new(strategy: Strategy, reason: &str, begun_at: Timestamp) -> Self {
        let stage = match strategy {
            Strategy::Snapshot => OnboardingStage::Snapshots,
            Strategy::LiveLists | Strategy::KeptRecords => OnboardingStage::Baseline,
        };
        let reason = Some(reason.to_owned());
        Self { strategy, reason, stage, app: None, service: None, begun_at, completed_at: None }
    }

    /// The snapshot of one stream's resources.
    #[must_use]
    pub const fn snapshot(&self, stream: Stream) -> Option<&TakenSnapshot> {
        match stream {
            Stream::App => self.app.as_ref(),
            Stream::Service => self.service.as_ref(),
        }
    }

    /// The snapshot of one stream's resources.
    pub const fn snapshot_mut(&mut self, stream: Stream) -> &mut Option<TakenSnapshot> {
        match stream {
            Stream::App => &mut self.app,
            Stream::Service => &mut self.service,
        }
    }
}

/// What an onboarding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnboardingStage {
    /// Snapshots are requested and awaited.
    Snapshots,
    /// What they hold is archived.
    Baseline,
    /// The streams are read from before their checkpoints on.
    Replay,
    /// What the stream doesn't tell of (its records aren't kept) is taken from the lists of what there is.
    Complement,
    /// Both streams have been read to their end.
    Complete,
}

impl OnboardingStage {
    pub const ALL: [Self; 5] = [Self::Snapshots, Self::Baseline, Self::Replay, Self::Complement, Self::Complete];

    /// The word used in tables, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshots => "snapshots",
            Self::Baseline => "baseline",
            Self::Replay => "replay",
            Self::Complement => "complement",
            Self::Complete => "complete",
        }
    }
}

/// A usage snapshot that a foundation's baseline rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenSnapshot {
    pub guid: Guid,
    /// `None` while Cloud Controller makes it.
    pub completed_at: Option<Timestamp>,
    /// The newest event when it was taken, if there was any.
    pub checkpoint: Option<EventId>,
}

/// What a foundation's ledger holds open of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTotal {
    pub kind: Kind,
    pub intervals: i64,
    pub instances: i64,
    /// Of all instances.
    pub memory_mib: i64,
}

/// What usage is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageQuery {
    /// Grouped by these; by nothing if empty.
    pub by: Vec<GroupKey>,
    /// Only this foundation, or all.
    pub foundation: Option<String>,
    /// User-provided service instances count too.
    pub user_provided: bool,
}

/// What usage can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKey {
    Foundation,
    Kind,
    Organization,
    Space,
    App,
    Process,
    /// Of services only.
    ServiceInstance,
    Buildpack,
    ServicePlan,
}

/// Usage of spans, and what can't be added up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// In the order of the spans.
    pub of_spans: Vec<Vec<UsageRow>>,
    pub heads: Vec<FoundationHead>,
    /// Left out of all sums.
    pub absurd: Vec<Absurd>,
}

/// A resource that is said to have used more than can be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absurd {
    pub foundation: String,
    pub kind: Kind,
    pub guid: String,
    /// The resource's, or its app's.
    pub name: Option<String>,
}

/// One group's usage, in integers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRow {
    /// Guid (or word) and newest name per key asked for, in the order asked; `None` = unknown.
    pub keys: Vec<Option<UsageKeyed>>,
    pub instance_seconds: i64,
    pub memory_mib_seconds: i64,
    pub disk_mib_seconds: i64,
    /// Of the instance-seconds, those with an assumed length.
    pub estimated_instance_seconds: i64,
}

/// One group key's value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKeyed {
    pub value: String,
    pub name: Option<String>,
}

/// A database URL as it may be shown: without user, password and options.
pub(in crate::store) fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}"),
        None => format!("{scheme}://{rest}"),
    }
}
