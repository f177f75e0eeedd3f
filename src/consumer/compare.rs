//! A look at everything that runs, compared with the ledger: what differs, and what settles it. Asks nobody.
//! Owns what counts as a difference; what a settlement does to an interval is the fold's business.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::inventory::{Inventory, RunningRow};
use crate::cloud_controller::NamedItem;
use crate::domain::{
    Baseline, DiskObservation, FailedCreate, Finding, Footprint, Guid, Kind, ResourceKey, Settlement, Timestamp,
};
use crate::fold::{Input, OpenPiece, Resource, Run};
use crate::store::StoredDifference;

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
    pub(super) found: Found,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
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
    pub(super) in_flight_resources: Vec<ResourceKey>,
    /// What was assumed and is so: certain from this look on.
    pub(super) confirmed: Vec<Difference>,
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
pub(super) struct Ground {
    /// The last look that agreed, or the last caught-up poll before a gap; then, the resource's last event.
    pub certain_until: Timestamp,
    /// The first look that found it.
    pub found_at: Timestamp,
    pub observed_at: Timestamp,
    /// It came about where events were lost: from the first word of it it counts, if its row doesn't tell.
    pub in_gap: bool,
}

/// What a purge and reseed told of what ran then: one event for each process that was started.
#[derive(Clone, Debug)]
pub(super) struct Reseed {
    pub processes: HashSet<Guid>,
    pub created_at: Timestamp,
}

impl Reseed {
    /// Whether it shows that something doesn't run: it isn't named, and nothing happened to it since, as far as its state
    /// tells.
    pub fn is_silent_of(&self, key: &ResourceKey, resource: Option<&Resource>) -> bool {
        let touched = |resource: &Resource| resource.latest.is_some_and(|latest| latest >= self.created_at);
        !self.processes.contains(&key.guid) && !resource.is_some_and(touched)
    }

    /// When it was made.
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }
}

impl Difference {
    /// Whether an earlier look found the same.
    pub(super) fn is(&self, before: &StoredDifference) -> bool {
        before.resource == self.resource && before.class == self.class.name() && before.detail == self.detail
    }

    /// Whether events, or its row, tell since when it differs, if that was after `from`: beginnings and endings are told, a
    /// plan migrated in bulk, or what somebody edited by hand, isn't.
    pub(super) fn is_told_since(&self, from: Timestamp) -> bool {
        match (&self.found, self.class) {
            (Found::Running(_, told), Class::WrongFootprint) => told.is_some_and(|at| at > from),
            _ => true,
        }
    }

    /// What settles it; `None` if nothing is to be done.
    pub(super) fn input(&self, ground: Ground) -> Option<Input> {
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
                return Some(Input::Disk(DiskObservation {
                    resource: self.resource.clone(),
                    disk_mib: *disk_mib,
                    observed_at,
                    updated_at: *updated_at,
                    process_type: process_type.clone(),
                }));
            }
            Found::FailedCreate => {
                return Some(Input::CreateFailed(FailedCreate {
                    service_instance: self.resource.guid.clone(),
                    observed_at,
                }));
            }
            Found::Unsure => Finding::Unsure,
            Found::Nothing => return None,
        };
        let resource = self.resource.clone();
        Some(Input::Settlement(Settlement { resource, certain_until, observed_at, finding, bounded: true }))
    }
}

/// What a look comes after.
#[derive(Clone, Debug)]
pub(super) enum After {
    /// Other looks: everything that began has its event.
    Looks,
    /// A gap, in which anything may have begun; with the reseed that the stream begins with, if it does.
    Gap(Option<Reseed>),
}

/// Compares what the lists show with what is tracked. What an input after `sequence` touched changed meanwhile.
pub(super) fn compare(
    inventory: &Inventory,
    tracked: &HashMap<ResourceKey, Resource>,
    sequence: u64,
    after: &After,
) -> Look {
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
        } else if let (Some(run @ Run { piece: OpenPiece { estimated: true, .. }, .. }), Some(row)) = (run, row) {
            let found = Found::Running(Box::new(vouched(&run.piece.footprint, row)), None);
            look.confirmed.push(difference((Class::WrongFootprint, "as was assumed".to_owned(), found)));
        }
    }
    look
}

/// How what runs differs from what is held of it; `restarted`: it may have been, in a gap, with a buildpack that no event
/// tells.
fn differs(
    run: &Run,
    held_type: Option<&Arc<str>>,
    row: &RunningRow,
    restarted: bool,
) -> Option<(Class, String, Found)> {
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
fn vouched(held: &Footprint, row: &RunningRow) -> NamedItem {
    let mut named = row.named.clone();
    if let (Baseline::Process { buildpack, .. }, Some(_)) = (&mut named.item.item, &held.buildpack) {
        *buildpack = None;
    }
    named
}

/// What to make of something that runs and isn't open.
fn unknown(
    key: &ResourceKey,
    resource: Option<&Resource>,
    row: &RunningRow,
    after: &After,
) -> Option<(Class, String, Found)> {
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
