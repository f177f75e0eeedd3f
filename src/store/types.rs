//! What goes into the store and comes out of it.

use std::collections::HashSet;
use std::ops::{Deref, DerefMut};

use crate::domain::{
    Anomaly, EventId, FoundationHead, Gap, Guid, Kind, LedgerEntry, Place, Progress, ResourceKey, Settings, Strategy,
    Stream, Timestamp,
};
use crate::fold::{Resource, Sealed};
use crate::store::{ArchivedInput, GapProgress, Names, Settled, StoredBound};

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
    /// Number of the last entry, also if none was made.
    pub last_entry: u64,
    /// How far the foundation is then collected.
    pub progress: Progress,
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
            last_entry: head.last_entry,
            progress: head.progress.clone(),
        }
    }

    /// The head as it is once this is written on top of `head`.
    #[must_use]
    pub fn applied_to(&self, head: &FoundationHead) -> FoundationHead {
        let mut next = head.clone();
        next.last_sequence += self.inputs.len() as u64;
        next.last_entry = self.last_entry;
        next.progress.clone_from(&self.progress);
        next.collected |= self.origin == PageOrigin::Collector;
        next.settings.extend(self.settings.iter().cloned());
        next.gaps.extend(self.gaps.iter().cloned());
        next
    }
}

impl Deref for WriteSet {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}

impl DerefMut for WriteSet {
    fn deref_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

/// What is at a database URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet; it can be made.
    Nothing { location: String },
    /// A database with a schema; 0 if it has none yet. And what the migrations that it lacks are about, and how many rows they
    /// read.
    Schema { location: String, found: i64, known: i64, lacks: Vec<String>, rows: u64 },
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
    let (before, options) = rest.split_once('?').unwrap_or((rest, ""));
    match before.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}"),
        // A password with a `?` in it, perhaps.
        None if options.contains('@') => format!("{scheme}://***"),
        None => format!("{scheme}://{before}"),
    }
}
