//! What a look showed where the ledger held something else, within what is known: nothing before the look's lower bound
//! changes, and all time since is assumed, up to the look. Owns which time takes what was found.

use super::bounds::in_force;
use super::{Input, Numbered, Opening, Resource, Step};
use crate::domain::{
    AnomalyKind, Baseline, BaselineItem, Cause, EntryType, Finding, Footprint, Interval, Kind, Settlement, Timestamp,
};

/// Since when all is assumed, and until when.
#[derive(Clone, Copy)]
struct Bounds {
    from: Timestamp,
    look: Timestamp,
}

/// What becomes of the time of a run.
struct Revised<'found> {
    /// From here on it is assumed.
    from: Timestamp,
    /// From here on it had what was found; `None`: it kept what was held.
    found: Option<(Timestamp, &'found BaselineItem)>,
    /// It ended here; `None`: it runs on.
    end: Option<Timestamp>,
}

/// When something last told of the resource of these inputs, an event or a look that settled it: an event by the time at
/// which it counts.
#[must_use]
pub fn last_told(inputs: &[Numbered]) -> Option<Timestamp> {
    let bounded = in_force(inputs);
    let told_at = |numbered: &Numbered| match &numbered.input {
        Input::Event(_) => bounded.get(&numbered.place).copied().or(numbered.input.told_at()),
        other => other.told_at(),
    };
    inputs.iter().filter_map(told_at).max()
}

impl Step<'_> {
    pub(super) fn settle_within(&mut self, resource: &mut Resource, settlement: &Settlement) {
        let bounds = self.bounds(resource, settlement);
        match &settlement.finding {
            Finding::Ended { at, exact } => self.found_ended(resource, bounds, *at, *exact),
            Finding::Running { item, since } if resource.run.is_some() => {
                self.found_other(resource, bounds, item, *since);
            }
            Finding::Running { item, since } => self.found_running(resource, bounds, item, *since),
            Finding::Unsure => self.unsure(resource, bounds),
        }
    }

    /// The latest of the last look that agreed, the last event, the run's beginning or the ending before it, and the epoch.
    fn bounds(&self, resource: &Resource, settlement: &Settlement) -> Bounds {
        let begun = match &resource.run {
            Some(run) => {
                let of_run = resource.known.entries().iter().filter(|entry| entry.interval.run == run.id);
                of_run.map(|entry| entry.interval.started_at).min().unwrap_or(run.piece.started_at)
            }
            None => resource.latest.unwrap_or(Timestamp::MIN),
        };
        let told_at = resource.told_at.unwrap_or(Timestamp::MIN).min(settlement.observed_at);
        let from = settlement.certain_until.max(told_at).max(begun).max(self.epoch());
        Bounds { from, look: settlement.observed_at.max(from) }
    }

    fn found_ended(&mut self, resource: &mut Resource, bounds: Bounds, at: Timestamp, exact: bool) {
        let Some(run) = &resource.run else { return };
        let held = run.piece.started_at;
        let exact = exact && at >= bounds.from;
        let at = at.clamp(bounds.from, bounds.look);
        let from = if exact { at } else { bounds.from };
        self.revise(resource, &Revised { from, found: None, end: Some(at) });
        if resource.run.as_ref().is_some_and(|run| run.piece.started_at > at) {
            // What was split after its end, by disk observed of a row that was still there.
            resource.run = None;
            (resource.latest, resource.ended) = (Some(at), true);
        } else {
            self.close(resource, at, !exact);
        }
        let assumed = if exact { "" } else { ", as is assumed" };
        let detail = format!("held as running since {held}, not found running, ended at {at}{assumed}");
        self.anomaly(resource, AnomalyKind::Settled, bounds.look, detail);
    }

    fn found_other(&mut self, resource: &mut Resource, bounds: Bounds, item: &BaselineItem, since: Timestamp) {
        self.take_buildpack(resource, item);
        let Some(run) = &resource.run else { return };
        let same = as_found(&run.piece.footprint, item) == run.piece.footprint;
        // What began with this look stays marked until another has seen it.
        let was_assumed = run.piece.estimated && run.piece.started_at < bounds.look;
        let type_told = take_type(resource, item);
        if same && !was_assumed {
            if let Some(detail) = type_told {
                self.anomaly(resource, AnomalyKind::Settled, bounds.look, detail);
            }
            return;
        }
        if !same {
            let since = since.clamp(bounds.from, bounds.look);
            self.revise(resource, &Revised { from: bounds.from, found: Some((since, item)), end: None });
            let detail = format!("found with another footprint, counts from {since}, as is assumed");
            self.anomaly(resource, AnomalyKind::Settled, bounds.look, detail);
        }
        self.certain_from(resource, bounds.look);
    }

    fn found_running(&mut self, resource: &mut Resource, bounds: Bounds, item: &BaselineItem, since: Timestamp) {
        let since = since.clamp(bounds.from, bounds.look);
        let again = resource.ended && resource.key.kind != Kind::Process;
        let footprint = self.footprint_of(resource, item);
        self.open(resource, Opening::Baseline, since, footprint);
        if let Some(run) = &mut resource.run {
            run.piece.estimated = true;
            // Its true beginning, told later, would reach behind what is counted in two pieces from here.
            run.unconfirmed &= since == bounds.look || resource.key.kind == Kind::Process;
        }
        if since < bounds.look {
            self.certain_from(resource, bounds.look);
        }
        let found = if again { "had ended, found again" } else { "found running" };
        let detail = format!("{found}, counts from {since}, as is assumed");
        self.anomaly(resource, AnomalyKind::Settled, bounds.look, detail);
    }

    fn unsure(&mut self, resource: &mut Resource, bounds: Bounds) {
        if resource.run.as_ref().is_none_or(|run| run.piece.estimated) {
            return;
        }
        self.revise(resource, &Revised { from: bounds.from, found: None, end: None });
        let detail = format!("whether it runs can't be read: assumed since {}", bounds.from);
        self.anomaly(resource, AnomalyKind::Settled, bounds.look, detail);
    }

    /// What runs at a look is certain from there.
    fn certain_from(&mut self, resource: &mut Resource, look: Timestamp) {
        let Some(run) = &mut resource.run else { return };
        if run.piece.started_at < look && run.piece.estimated {
            let footprint = run.piece.footprint.clone();
            self.split(resource, look, footprint);
        } else {
            run.piece.estimated = false;
        }
    }

    /// A buildpack where none is known: of the whole run, as a `BUILDPACK_SET` would tell it, which was lost.
    fn take_buildpack(&mut self, resource: &mut Resource, item: &BaselineItem) {
        let Baseline::Process { buildpack: Some(name), .. } = &item.item else { return };
        let Some(run) = resource.run.as_mut().filter(|run| run.piece.footprint.buildpack.is_none()) else { return };
        run.piece.footprint.buildpack = Some(name.clone());
        let id = run.id;
        self.correct(resource, Cause::Observation, |interval| {
            if interval.run != id || interval.footprint.buildpack.is_some() {
                return None;
            }
            let footprint = Footprint { buildpack: Some(name.clone()), ..interval.footprint.clone() };
            Some(Some(Interval { footprint, ..interval.clone() }))
        });
    }

    /// Revises the open run: entries made already by corrections, and what is open.
    fn revise(&mut self, resource: &mut Resource, revised: &Revised<'_>) {
        let Some(run) = &resource.run else { return };
        let id = run.id;
        self.revise_entries(resource, id, revised);
        let Some(run) = &mut resource.run else { return };
        let piece = &mut run.piece;
        let found_at = revised.found.map(|(since, _)| since);
        let end = revised.end.unwrap_or(Timestamp::MAX);
        if piece.started_at >= end {
            return;
        }
        if piece.started_at < revised.from && revised.from < end && found_at != Some(revised.from) {
            let footprint = piece.footprint.clone();
            self.split(resource, revised.from, footprint);
        }
        let Some(run) = &mut resource.run else { return };
        run.piece.estimated |= run.piece.started_at >= revised.from;
        let Some((since, item)) = revised.found else { return };
        let next = as_found(&run.piece.footprint, item);
        if run.piece.started_at < since {
            self.split(resource, since, next);
            if let Some(run) = &mut resource.run {
                run.piece.estimated = true;
            }
        } else {
            run.piece.footprint = next;
        }
    }

    fn revise_entries(&mut self, resource: &mut Resource, run: u64, revised: &Revised<'_>) {
        let Some(entries) = resource.known.entries_mut() else { return };
        let mut net = Vec::with_capacity(entries.len());
        for entry in entries.drain(..) {
            let parts = if entry.interval.run == run { self.parts(&entry.interval, revised) } else { None };
            let Some(parts) = parts else {
                net.push(entry);
                continue;
            };
            let corrected = entry.number;
            self.entry(EntryType::Reversal, Some(corrected), Cause::Observation, entry.interval);
            for (at, interval) in parts.into_iter().enumerate() {
                let (entry_type, corrects) =
                    if at == 0 { (EntryType::Replacement, Some(corrected)) } else { (EntryType::Usage, None) };
                net.push(self.entry(entry_type, corrects, Cause::Observation, interval));
            }
        }
        net.sort_by_key(|entry| entry.number);
        *entries = net;
    }

    /// What an interval should be in pieces; `None` if it stands.
    fn parts(&self, interval: &Interval, revised: &Revised<'_>) -> Option<Vec<Interval>> {
        let (started_at, ended_at) = (interval.started_at, interval.ended_at);
        let end = revised.end.unwrap_or(Timestamp::MAX);
        let since = revised.found.map_or(Timestamp::MAX, |(since, _)| since);
        let mut edges = vec![started_at, ended_at];
        edges.extend([revised.from, since, end].into_iter().filter(|at| started_at < *at && *at < ended_at));
        edges.sort_unstable();
        edges.dedup();
        let part = |from: Timestamp, to: Timestamp| {
            let footprint = match revised.found {
                Some((_, item)) if from >= since => as_found(&interval.footprint, item),
                _ => interval.footprint.clone(),
            };
            Interval {
                started_at: from,
                ended_at: to,
                footprint,
                estimated: interval.estimated || from >= revised.from,
                opened_by: if from == started_at { interval.opened_by } else { self.sequence },
                closed_by: if to == ended_at { interval.closed_by } else { self.sequence },
                ..interval.clone()
            }
        };
        let kept = edges.windows(2).filter(|pair| pair[0] < end);
        let parts: Vec<Interval> = kept.map(|pair| part(pair[0], pair[1])).collect();
        (parts != [interval.clone()]).then_some(parts)
    }
}

/// The type a row tells; gives what to say where another was held.
fn take_type(resource: &mut Resource, item: &BaselineItem) -> Option<String> {
    let Baseline::Process { process_type: Some(told), .. } = &item.item else { return None };
    let held = resource.process_type.replace(told.clone());
    held.filter(|held| held != told).map(|held| format!("is of type `{told}`, held as `{held}`"))
}

/// The footprint of something tracked, as found: sizes, plan and place, and its buildpack where the look vouches for one.
/// Disk is observed by itself.
fn as_found(held: &Footprint, item: &BaselineItem) -> Footprint {
    let mut next = Footprint { location: item.location.clone(), ..held.clone() };
    match &item.item {
        Baseline::Process { instances, memory_mib, buildpack, .. } => {
            (next.instances, next.memory_mib) = (*instances, *memory_mib);
            next.buildpack = buildpack.clone().or(next.buildpack);
        }
        Baseline::Task { memory_mib, .. } => next.memory_mib = *memory_mib,
        Baseline::Service { plan, .. } => next.service_plan = plan.clone().or(next.service_plan),
    }
    next
}
