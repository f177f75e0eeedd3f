//! What the fold remembers of one resource, and how a run opens, changes and closes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Depth, Input, Numbered, Step};
use crate::domain::usage_event::{ProcessChange, TaskChange};
use crate::domain::{
    Cause, DiskObservation, DiskSource, EntryType, Fact, Footprint, Guid, Interval, Kind, LedgerEntry, Place,
    ResourceKey, Timestamp,
};

/// An event has the time at which its transaction began, the row it is about the time at which it was saved.
pub const SAME_SAVE_SECONDS: i64 = 2;

/// One resource, tracked for ever: what ended must stay ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    pub key: ResourceKey,
    /// The app of a process, task or staging.
    pub app: Option<Guid>,
    /// `web`, `worker` … of a process, once known.
    pub process_type: Option<Arc<str>>,
    /// A user-provided service instance: free unless a rate says otherwise.
    pub user_provided: bool,
    /// The latest beginning, split or ending in effect, across runs. Nothing takes effect before it.
    pub latest: Option<Timestamp>,
    /// The open run.
    pub run: Option<Run>,
    /// It has ended at least once.
    pub ended: bool,
    /// The disk last observed, in MiB per instance.
    pub disk_mib: Option<u32>,
    /// Place of the input last in stream order.
    pub last_place: Place,
    /// Sequence number of the input last folded; 0 before any. The archive chains a resource's inputs by it.
    pub last_sequence: u64,
    /// When something last told of it, of what was folded since it was loaded: a look reaches no further back. Never stored,
    /// because a look knows of what came before it; only an event found late and put before the look is news to it.
    #[serde(skip)]
    pub told_at: Option<Timestamp>,
    /// What else is loaded; never stored.
    #[serde(skip)]
    pub known: Known,
}

/// One resource from its opening to its ending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Sequence number of the input that opened it.
    pub id: u64,
    pub opening: Opening,
    /// A run opened by the baseline: no event has touched it yet.
    pub unconfirmed: bool,
    /// False for a staging begun before the billing epoch: it isn't billed.
    pub billed: bool,
    /// The open interval.
    pub piece: OpenPiece,
}

/// How a run came to be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Opening {
    /// Its own beginning was seen.
    Beginning,
    /// A later event was the first sign of it, or a reseed confirmed it.
    FirstSight,
    /// A `WAS_RUNNING` or `TASK_WAS_RUNNING`; a repaired ending voids it.
    WasRunning,
    /// The baseline holds it.
    Baseline,
}

/// An interval that hasn't closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPiece {
    pub started_at: Timestamp,
    /// Sequence number of the input that began it.
    pub opened_by: u64,
    pub footprint: Footprint,
    /// When it began, or that it went on, is assumed.
    #[serde(default)]
    pub estimated: bool,
}

/// How much of a resource's past is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Its state only.
    #[default]
    State,
    /// The net entries of its open run.
    Run(Vec<LedgerEntry>),
    /// All its net entries.
    Entries(Vec<LedgerEntry>),
    /// All its net entries and all its inputs in the order folded.
    History(Vec<LedgerEntry>, Vec<Numbered>),
}

impl Known {
    pub(super) const fn depth(&self) -> Depth {
        match self {
            Self::State => Depth::State,
            Self::Run(_) => Depth::Run,
            Self::Entries(_) => Depth::Entries,
            Self::History(..) => Depth::History,
        }
    }

    pub(super) fn remember(&mut self, numbered: &Numbered) {
        if let Self::History(_, inputs) = self {
            inputs.push(numbered.clone());
        }
    }

    /// The entries that are loaded.
    pub(super) const fn entries(&self) -> &[LedgerEntry] {
        match self {
            Self::State => &[],
            Self::Run(entries) | Self::Entries(entries) | Self::History(entries, _) => entries.as_slice(),
        }
    }

    pub(super) const fn entries_mut(&mut self) -> Option<&mut Vec<LedgerEntry>> {
        match self {
            Self::State => None,
            Self::Run(entries) | Self::Entries(entries) | Self::History(entries, _) => Some(entries),
        }
    }
}

/// A resource as it was when its foundation's ledger was sealed: it stands for the inputs before it, which may be pruned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub resource: Resource,
    /// Its net ledger entries at that time.
    pub entries: Vec<LedgerEntry>,
}

impl Resource {
    /// A resource no input has touched.
    #[must_use]
    pub fn new(key: ResourceKey) -> Self {
        Self {
            key,
            app: None,
            process_type: None,
            user_provided: false,
            latest: None,
            run: None,
            ended: false,
            disk_mib: None,
            last_place: Place::default(),
            last_sequence: 0,
            told_at: None,
            known: Known::History(Vec::new(), Vec::new()),
        }
    }

    /// How deep the resource must be loaded for `numbered` to be folded.
    pub(super) fn needs(&self, numbered: &Numbered) -> Depth {
        // Only what was found late stands between two numbers.
        if numbered.place < self.last_place || !numbered.place.fraction().is_empty() {
            return Depth::History;
        }
        let open_without_buildpack = self.run.as_ref().is_some_and(|run| run.piece.footprint.buildpack.is_none());
        let voidable = self.run.as_ref().is_some_and(|run| run.opening == Opening::WasRunning);
        let unconfirmed = self.run.as_ref().is_some_and(|run| run.unconfirmed);
        match &numbered.input {
            Input::Event(event) => match &event.fact {
                Fact::Process(fact) if fact.change == ProcessChange::BuildpackSet && open_without_buildpack => {
                    Depth::Run
                }
                Fact::Process(fact) if fact.change == ProcessChange::Started && unconfirmed => Depth::Run,
                Fact::Process(fact) if fact.change == ProcessChange::Stopped && fact.repaired && voidable => Depth::Run,
                Fact::Task(fact) if fact.change == TaskChange::Stopped && fact.repaired && voidable => Depth::Run,
                _ => Depth::State,
            },
            Input::Disk(_) if self.disk_mib.is_none() => Depth::Entries,
            Input::Build(_) => Depth::Entries,
            Input::CreateFailed(_) if self.run.is_some() => Depth::Run,
            Input::Settlement(settlement) if settlement.bounded && self.run.is_some() => Depth::Run,
            Input::Disk(_)
            | Input::CreateFailed(_)
            | Input::Baseline(_)
            | Input::Settings(_)
            | Input::Gap(_)
            | Input::Row(_)
            | Input::Settlement(_)
            | Input::Sealed(_) => Depth::State,
            // Whether its event was folded already shows its history.
            Input::Bound(_) => Depth::History,
        }
    }
}

impl Step<'_> {
    /// Opens a run at `at`.
    pub(super) fn open(&mut self, resource: &mut Resource, opening: Opening, at: Timestamp, footprint: Footprint) {
        let piece = OpenPiece { started_at: at, opened_by: self.sequence, footprint, estimated: self.is_estimated() };
        let unconfirmed = opening == Opening::Baseline;
        resource.run = Some(Run { id: self.sequence, opening, unconfirmed, billed: true, piece });
        resource.latest = Some(at);
        if resource.known.depth() <= Depth::Run {
            resource.known = Known::Run(Vec::new());
        }
    }

    /// Ends the open interval at `at` and begins the next with `footprint`.
    pub(super) fn split(&mut self, resource: &mut Resource, at: Timestamp, footprint: Footprint) {
        let Some(run) = &mut resource.run else { return };
        let estimated = self.is_estimated();
        let next = OpenPiece { started_at: at, opened_by: self.sequence, footprint, estimated };
        let piece = std::mem::replace(&mut run.piece, next);
        let (id, billed) = (run.id, run.billed);
        resource.latest = Some(at);
        if billed {
            self.append(resource, id, piece, at, estimated);
        }
    }

    /// Ends the open run at `at`.
    pub(super) fn close(&mut self, resource: &mut Resource, at: Timestamp, estimated: bool) {
        let Some(run) = resource.run.take() else { return };
        resource.latest = Some(at);
        resource.ended = true;
        if run.billed {
            self.append(resource, run.id, run.piece, at, estimated || self.is_estimated());
        }
    }

    /// Makes an interval permanent. One of no length is dropped, but a task or a staging
    /// that took no whole second still happened.
    fn append(&mut self, resource: &mut Resource, run: u64, piece: OpenPiece, ended_at: Timestamp, estimated: bool) {
        let counted = matches!(resource.key.kind, Kind::Task | Kind::Staging);
        if ended_at == piece.started_at && !counted {
            return;
        }
        let interval = Interval {
            resource: resource.key.clone(),
            run,
            started_at: piece.started_at,
            ended_at,
            footprint: piece.footprint,
            estimated: estimated || piece.estimated,
            opened_by: piece.opened_by,
            closed_by: self.sequence,
        };
        let entry = self.entry(EntryType::Usage, None, Cause::Closed, interval);
        if let Some(entries) = resource.known.entries_mut() {
            entries.push(entry);
        }
    }

    pub(super) fn entry(
        &mut self,
        entry_type: EntryType,
        corrects: Option<u64>,
        cause: Cause,
        interval: Interval,
    ) -> LedgerEntry {
        *self.last_entry += 1;
        let entry = LedgerEntry {
            number: *self.last_entry,
            entry_type,
            corrects,
            cause,
            sequence: self.sequence,
            known_at: self.received_at,
            interval,
        };
        self.outputs.entries.push(entry.clone());
        entry
    }

    /// Corrects the loaded net entries of `resource`: `revise` gives, for each, what its interval should
    /// have been (`Some(None)`: it should not be), or `None` where it stands.
    pub(super) fn correct(
        &mut self,
        resource: &mut Resource,
        cause: Cause,
        revise: impl Fn(&Interval) -> Option<Option<Interval>>,
    ) {
        let Some(entries) = resource.known.entries_mut() else { return };
        let mut net = Vec::with_capacity(entries.len());
        for entry in entries.drain(..) {
            let Some(revised) = revise(&entry.interval) else {
                net.push(entry);
                continue;
            };
            let corrected = entry.number;
            self.entry(EntryType::Reversal, Some(corrected), cause, entry.interval);
            if let Some(interval) = revised {
                net.push(self.entry(EntryType::Replacement, Some(corrected), cause, interval));
            }
        }
        *entries = net;
    }

    /// The disk of a footprint that opens now, and where it is known from.
    pub(super) fn disk_at_opening(&self, resource: &Resource) -> (u32, DiskSource) {
        match resource.disk_mib {
            Some(disk_mib) => (disk_mib, DiskSource::Assumed),
            None => (self.settings.default_disk_mib, DiskSource::Default),
        }
    }

    /// An observation holds back to the row's last save, and to the footprint's start where that was the
    /// last save; time never observed takes it as assumed.
    pub(super) fn disk(&mut self, resource: &mut Resource, observation: &DiskObservation) {
        let disk_mib = observation.disk_mib;
        if resource.process_type.is_none() {
            resource.process_type.clone_from(&observation.process_type);
        }
        if resource.disk_mib.replace(disk_mib).is_none() {
            self.correct(resource, Cause::Observation, |interval| {
                let footprint = &interval.footprint;
                if footprint.disk_source != DiskSource::Default || footprint.disk_mib == disk_mib {
                    return None;
                }
                let footprint = Footprint { disk_mib, disk_source: DiskSource::Assumed, ..footprint.clone() };
                Some(Some(Interval { footprint, ..interval.clone() }))
            });
        }
        let Some(run) = &mut resource.run else { return };
        let piece = &mut run.piece;
        let held_since_start = observation.updated_at <= piece.started_at.plus(SAME_SAVE_SECONDS);
        if held_since_start || piece.footprint.disk_source == DiskSource::Default {
            piece.footprint.disk_mib = disk_mib;
            piece.footprint.disk_source = if held_since_start { DiskSource::Observed } else { DiskSource::Assumed };
        } else if piece.footprint.disk_mib != disk_mib {
            let footprint = Footprint { disk_mib, disk_source: DiskSource::Observed, ..piece.footprint.clone() };
            let at = observation
                .updated_at
                .min(observation.observed_at)
                .max(resource.latest.unwrap_or(Timestamp::MIN))
                .max(self.epoch());
            self.split(resource, at, footprint);
        }
    }
}
