//! What a look at everything that runs showed, where the ledger held something else, as versions before `bounded` archived
//! it: such books come out as they were. Owns what is assumed for a time that nobody saw; it is marked as estimated.

use super::{Opening, Resource, Step};
use crate::domain::{
    AnomalyKind, Baseline, BaselineItem, DiskSource, Finding, Footprint, Kind, MemorySource, Settlement, Timestamp,
};

impl Step<'_> {
    pub(super) fn settle(&mut self, resource: &mut Resource, settlement: &Settlement) {
        if settlement.bounded {
            self.settle_within(resource, settlement);
            return;
        }
        match &settlement.finding {
            Finding::Ended { at, exact } => self.settle_ended(resource, settlement, *at, *exact),
            Finding::Running { item, since } => self.settle_running(resource, settlement, item, *since),
            Finding::Unsure => {}
        }
    }

    fn settle_ended(&mut self, resource: &mut Resource, settlement: &Settlement, at: Timestamp, exact: bool) {
        let Some(run) = &resource.run else { return };
        let held = run.piece.started_at;
        let at = at.max(resource.latest.unwrap_or(Timestamp::MIN)).max(self.epoch());
        self.close(resource, at, !exact);
        let assumed = if exact { "" } else { ", as is assumed" };
        let detail = format!("held as running since {held}, not found running, ended at {at}{assumed}");
        self.anomaly(resource, AnomalyKind::Settled, settlement.observed_at, detail);
    }

    fn settle_running(
        &mut self,
        resource: &mut Resource,
        settlement: &Settlement,
        item: &BaselineItem,
        since: Timestamp,
    ) {
        let floor = resource.latest.unwrap_or(Timestamp::MIN).max(self.epoch());
        let since = since.max(floor);
        let Some(run) = &resource.run else {
            if resource.ended && resource.key.kind != Kind::Process {
                return; // nothing that ended reopens
            }
            let footprint = self.footprint_of(resource, item);
            self.open(resource, Opening::Baseline, since, footprint);
            if let Some(run) = &mut resource.run {
                run.piece.estimated = true;
            }
            let detail = format!("found running, counts from {since}, as is assumed");
            self.anomaly(resource, AnomalyKind::Settled, settlement.observed_at, detail);
            return;
        };
        let now = run.piece.footprint.clone();
        let next = found_footprint(&now, item);
        if next == now {
            return;
        }
        // What was held is certain up to there, and assumed from there to the change.
        let certain_until = settlement.certain_until.max(floor);
        if certain_until < since {
            self.assume_from(resource, certain_until);
        }
        self.split(resource, since, next);
        if let Some(run) = &mut resource.run {
            run.piece.estimated = since < settlement.observed_at;
        }
        let detail = format!("found with another footprint, counts from {since}, as is assumed");
        self.anomaly(resource, AnomalyKind::Settled, settlement.observed_at, detail);
    }

    /// A reseed at `at` is the first word of a change whose own event was purged: it happened in the gap, and what was held
    /// is assumed from the gap's beginning on, or from what was last told of the resource after it.
    pub(super) fn told_by_reseed(&mut self, resource: &mut Resource, created_at: Timestamp, at: Timestamp) {
        if !self.follows(1) {
            return;
        }
        let Some(from) = self.gap_before(resource.key.kind.stream()).map(|gap| gap.from) else { return };
        let floor = resource.latest.unwrap_or(Timestamp::MIN).max(self.epoch());
        let certain_until = from.max(floor);
        if certain_until < at {
            self.assume_from(resource, certain_until);
        }
        let detail =
            format!("the reseed tells another footprint, what was held is assumed from {certain_until} to {at}");
        self.anomaly(resource, AnomalyKind::ToldByReseed, created_at, detail);
    }

    /// What is held is certain up to there, and assumed from there on.
    fn assume_from(&mut self, resource: &mut Resource, certain_until: Timestamp) {
        let Some(footprint) = resource.run.as_ref().map(|run| run.piece.footprint.clone()) else { return };
        self.split(resource, certain_until, footprint);
        if let Some(run) = &mut resource.run {
            run.piece.estimated = true;
        }
    }

    /// The footprint of something that isn't tracked; notes what is known of the resource.
    pub(super) fn footprint_of(&self, resource: &mut Resource, item: &BaselineItem) -> Footprint {
        let (default_disk, default_source) = self.disk_at_opening(resource);
        let mut footprint = Footprint::without_sizes(item.location.clone());
        match &item.item {
            Baseline::Process { process_type, app, instances, memory_mib, buildpack, .. } => {
                resource.app = Some(app.clone());
                if resource.process_type.is_none() {
                    resource.process_type.clone_from(process_type);
                }
                (footprint.instances, footprint.memory_mib) = (*instances, *memory_mib);
                footprint.memory_source = MemorySource::Event;
                (footprint.disk_mib, footprint.disk_source) = (default_disk, default_source);
                footprint.buildpack.clone_from(buildpack);
            }
            Baseline::Task { app, memory_mib, disk_mib, .. } => {
                resource.app = Some(app.clone());
                footprint.memory_mib = *memory_mib;
                footprint.memory_source = MemorySource::Event;
                (footprint.disk_mib, footprint.disk_source) =
                    disk_mib.map_or((default_disk, default_source), |disk_mib| (disk_mib, DiskSource::Observed));
                resource.disk_mib = disk_mib.or(resource.disk_mib);
            }
            Baseline::Service { user_provided, plan, .. } => {
                resource.user_provided = *user_provided;
                footprint.service_plan.clone_from(plan);
            }
        }
        footprint
    }
}

/// The footprint of something tracked, as found: sizes, plan and place. Never its buildpack: a list tells that of the
/// current droplet, which may not be the one that runs. Disk is observed by itself.
fn found_footprint(now: &Footprint, item: &BaselineItem) -> Footprint {
    let mut next = Footprint { location: item.location.clone(), ..now.clone() };
    match &item.item {
        Baseline::Process { instances, memory_mib, buildpack, .. } => {
            (next.instances, next.memory_mib) = (*instances, *memory_mib);
            if now.buildpack.is_none() {
                next.buildpack.clone_from(&now.buildpack.clone().or_else(|| buildpack.clone()));
            }
            // A change of disk alone is an observation's business; beside another change its time isn't known.
        }
        Baseline::Task { memory_mib, .. } => next.memory_mib = *memory_mib,
        Baseline::Service { plan, .. } => next.service_plan = plan.clone().or(now.service_plan.clone()),
    }
    next
}
