//! Processes: opened, scaled, moved and stopped, by process guid.

use super::{OpenPiece, Opening, Resource, Step, lacking};
use crate::domain::usage_event::{ProcessChange, ProcessFact};
use crate::domain::{
    AnomalyKind, Baseline, BaselineItem, Cause, DiskSource, Footprint, Interval, MemorySource, Timestamp,
};

impl Step<'_> {
    pub(super) fn process(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ProcessFact) {
        if resource.app.is_none() {
            resource.app.clone_from(&fact.app);
        }
        match fact.change {
            ProcessChange::Started => self.process_started(resource, created_at, fact),
            // A backfill says only that it runs: its time is no beginning.
            ProcessChange::WasRunning => match &mut resource.run {
                Some(run) => run.unconfirmed = false,
                None => self.open_process(resource, created_at, fact),
            },
            ProcessChange::Stopped => self.process_stopped(resource, created_at, fact),
            ProcessChange::BuildpackSet => self.buildpack_set(resource, created_at, fact),
        }
    }

    fn process_started(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ProcessFact) {
        if let (Some(process_type), false) = (&fact.process_type, fact.reseeded) {
            resource.process_type = Some(process_type.clone());
        }
        let Some(run) = &mut resource.run else {
            self.open_process(resource, created_at, fact);
            return;
        };
        let unconfirmed = std::mem::replace(&mut run.unconfirmed, false);
        let now = &run.piece.footprint;
        let mut next = now.clone();
        // Null never overwrites a known value, and a known buildpack changes by a new run or a
        // BUILDPACK_SET only: a deployment scales the old process down under the new droplet's name.
        // A reseed names the current droplet too, so it counts for the size it tells alone.
        next.instances = fact.instances.unwrap_or(now.instances);
        next.memory_mib = fact.memory_mib.unwrap_or(now.memory_mib);
        if let Some(location) = &fact.location {
            next.location = location.clone();
        }
        if now.buildpack.is_none() && !fact.reseeded {
            next.buildpack.clone_from(&fact.buildpack);
        }
        let (id, started_at) = (run.id, run.piece.started_at);
        let told_again = fact.was_started && self.follows(1);
        if unconfirmed && !fact.reseeded && !told_again && created_at > started_at && next == *now {
            // It ran when the baseline was taken, or so a list made believe, and starts again: it stopped in between,
            // unseen, or never ran. A sweep that finds the stop gives back the time before it. Where it was started
            // before, nothing stopped: `production` of the V2 API tells what runs once more, as it was.
            let estimated = self.bounded_to.is_some();
            run.piece = OpenPiece { started_at: created_at, opened_by: self.sequence, footprint: next, estimated };
            resource.latest = Some(created_at);
            self.correct(resource, Cause::RepairedEnding, |interval| (interval.run == id).then_some(None));
            let detail = format!("held as running since {started_at}, started again at {created_at}");
            self.anomaly(resource, AnomalyKind::MissedEnding, created_at, detail);
            return;
        }
        if next == *now {
            return;
        }
        if next.disk_source == DiskSource::Observed {
            // Memory and disk scaled in one call are one event that doesn't tell: assumed until observed again.
            next.disk_source = DiskSource::Assumed;
        }
        let at = self.effective(resource, created_at);
        if fact.reseeded {
            self.told_by_reseed(resource, created_at, at);
        }
        self.split(resource, at, next);
    }

    fn open_process(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ProcessFact) {
        if resource.process_type.is_none() {
            resource.process_type.clone_from(&fact.process_type);
        }
        let (Some(instances), Some(memory_mib), Some(location)) = (fact.instances, fact.memory_mib, &fact.location)
        else {
            let detail = lacking(
                "a process begins",
                &[
                    ("instance_count", fact.instances.is_none()),
                    ("memory_in_mb_per_instance", fact.memory_mib.is_none()),
                    ("space or organization", fact.location.is_none()),
                ],
            );
            self.anomaly(resource, AnomalyKind::Undecodable, created_at, detail);
            return;
        };
        let opening = match fact.change {
            ProcessChange::WasRunning => Opening::WasRunning,
            _ if fact.reseeded || (fact.was_started && !resource.ended) => Opening::FirstSight,
            _ => Opening::Beginning,
        };
        if opening != Opening::Beginning {
            let detail = format!("began before {created_at}, counts from then");
            self.anomaly(resource, AnomalyKind::StartUnknown, created_at, detail);
        }
        let (disk_mib, disk_source) = self.disk_at_opening(resource);
        let footprint = Footprint {
            instances,
            memory_mib,
            memory_source: MemorySource::Event,
            disk_mib,
            disk_source,
            buildpack: fact.buildpack.clone(),
            service_plan: None,
            location: location.clone(),
        };
        let at = self.effective(resource, created_at);
        self.open(resource, opening, at, footprint);
    }

    fn process_stopped(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ProcessFact) {
        let Some(run) = &resource.run else {
            self.ending_of_nothing(resource, created_at);
            return;
        };
        if fact.repaired && run.opening == Opening::WasRunning {
            self.void(resource, created_at);
            return;
        }
        let at = self.effective(resource, created_at);
        self.close(resource, at, false);
    }

    /// The V2 push starts a process before staging knows the buildpack: then it is known from the run's start.
    fn buildpack_set(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ProcessFact) {
        let (Some(run), Some(name)) = (&mut resource.run, &fact.buildpack) else { return };
        run.unconfirmed = false;
        match &run.piece.footprint.buildpack {
            Some(known) if known == name => {}
            Some(_) => {
                let footprint = Footprint { buildpack: Some(name.clone()), ..run.piece.footprint.clone() };
                let at = self.effective(resource, created_at);
                self.split(resource, at, footprint);
            }
            None => {
                run.piece.footprint.buildpack = Some(name.clone());
                let id = run.id;
                self.correct(resource, Cause::BuildpackSet, |interval| {
                    if interval.run != id {
                        return None;
                    }
                    let footprint = Footprint { buildpack: Some(name.clone()), ..interval.footprint.clone() };
                    Some(Some(Interval { footprint, ..interval.clone() }))
                });
            }
        }
    }

    /// A repaired ending: when the run that `WAS_RUNNING` opened truly ended is unknown, so none of it is billed.
    pub(super) fn void(&mut self, resource: &mut Resource, created_at: Timestamp) {
        let Some(run) = resource.run.take() else { return };
        resource.ended = true;
        self.correct(resource, Cause::RepairedEnding, |interval| (interval.run == run.id).then_some(None));
        let detail = format!("held as running since {}, its true end is unknown", run.piece.started_at);
        self.anomaly(resource, AnomalyKind::RunVoided, created_at, detail);
    }

    pub(super) fn ending_of_nothing(&mut self, resource: &Resource, created_at: Timestamp) {
        let (kind, detail) = if resource.ended {
            (AnomalyKind::DuplicateEnding, "it had ended already")
        } else {
            (AnomalyKind::OrphanEnding, "its beginning was never seen")
        };
        self.anomaly(resource, kind, created_at, detail);
    }

    /// A baseline item begins at the epoch; what is tracked already keeps what is known of it.
    pub(super) fn baseline(&mut self, resource: &mut Resource, item: &BaselineItem) {
        if resource.run.is_some() {
            return;
        }
        let mut at = self.epoch().max(resource.latest.unwrap_or(Timestamp::MIN));
        match &item.item {
            // Nothing that ended reopens.
            Baseline::Task { .. } | Baseline::Service { .. } if resource.ended => return,
            Baseline::Task { created_at, .. } => at = at.max(*created_at),
            Baseline::Process { .. } | Baseline::Service { .. } => {}
        }
        let footprint = self.footprint_of(resource, item);
        self.open(resource, Opening::Baseline, at, footprint);
        if let Baseline::Process { buildpack: Some(name), buildpack_assumed: true, .. } = &item.item {
            let detail = format!("the buildpack `{name}` is assumed, until its next start tells it");
            self.anomaly(resource, AnomalyKind::BuildpackAssumed, at, detail);
        }
    }

    /// The true beginning of something the baseline holds: it can't have run before.
    pub(super) fn beginning_of_baseline(&mut self, resource: &mut Resource, created_at: Timestamp) -> bool {
        let epoch = self.epoch();
        let Some(run) = &mut resource.run else { return false };
        if !std::mem::replace(&mut run.unconfirmed, false) {
            return false;
        }
        let at = created_at.max(epoch);
        run.piece.started_at = at;
        run.piece.estimated |= self.bounded_to.is_some();
        resource.latest = Some(at);
        true
    }
}
