//! Tasks: the first beginning opens, the first ending ends, nothing reopens.

use super::{Opening, Resource, Step, lacking};
use crate::domain::usage_event::{TaskChange, TaskFact};
use crate::domain::{AnomalyKind, Footprint, Location, MemorySource, Stream, Timestamp};

impl Step<'_> {
    pub(super) fn task(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &TaskFact) {
        if resource.app.is_none() {
            resource.app.clone_from(&fact.app);
        }
        match fact.change {
            TaskChange::Started | TaskChange::WasRunning => {
                let began = fact.change == TaskChange::Started;
                if resource.run.is_none() && !resource.ended {
                    self.open_task(resource, created_at, fact);
                } else if began && !self.beginning_of_baseline(resource, created_at) {
                    let detail = if resource.ended { "the task had ended" } else { "the task runs already" };
                    self.anomaly(resource, AnomalyKind::IgnoredBeginning, created_at, detail);
                }
            }
            TaskChange::Stopped => match &resource.run {
                None if self.ran_at_the_epoch(resource, created_at, fact) => {
                    self.bill_from_the_epoch(resource, created_at, fact);
                }
                None => self.ending_of_nothing(resource, created_at),
                Some(run) if fact.repaired && run.opening == Opening::WasRunning => self.void(resource, created_at),
                Some(_) => {
                    let at = self.effective(resource, created_at);
                    self.close(resource, at, false);
                }
            },
        }
    }

    /// Whether an ending is all there is of a task that ran at the epoch: no snapshot holds tasks, and it was over when those
    /// that run were listed. Its beginning would have been read if it were younger than the epoch, unless it was lost.
    fn ran_at_the_epoch(&self, resource: &Resource, created_at: Timestamp, fact: &TaskFact) -> bool {
        let unlisted = self.settings.unlisted_tasks_until.is_some_and(|until| created_at <= until);
        let since_epoch = self.settings.billing_epoch.is_some_and(|epoch| created_at > epoch);
        let ran = fact.was_running && !fact.repaired && !resource.ended;
        self.follows(1) && unlisted && since_epoch && ran && self.gap_before(Stream::App).is_none()
    }

    fn bill_from_the_epoch(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &TaskFact) {
        let (Some(memory_mib), Some(location)) = (fact.memory_mib, &fact.location) else {
            self.ending_of_nothing(resource, created_at);
            return;
        };
        let epoch = self.epoch();
        let detail = format!("ended at {created_at}, began before {epoch}, counts from then");
        self.anomaly(resource, AnomalyKind::StartUnknown, created_at, detail);
        let footprint = self.task_footprint(resource, memory_mib, location);
        self.open(resource, Opening::FirstSight, epoch, footprint);
        self.close(resource, created_at, false);
    }

    fn open_task(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &TaskFact) {
        let (Some(memory_mib), Some(location)) = (fact.memory_mib, &fact.location) else {
            let detail = lacking(
                "a task begins",
                &[
                    ("memory_in_mb_per_instance", fact.memory_mib.is_none()),
                    ("space or organization", fact.location.is_none()),
                ],
            );
            self.anomaly(resource, AnomalyKind::Undecodable, created_at, detail);
            return;
        };
        let opening = if fact.change == TaskChange::Started { Opening::Beginning } else { Opening::WasRunning };
        if opening == Opening::WasRunning {
            let detail = format!("began before {created_at}, counts from then");
            self.anomaly(resource, AnomalyKind::StartUnknown, created_at, detail);
        }
        let footprint = self.task_footprint(resource, memory_mib, location);
        let at = self.effective(resource, created_at);
        self.open(resource, opening, at, footprint);
    }

    fn task_footprint(&self, resource: &Resource, memory_mib: u32, location: &Location) -> Footprint {
        let (disk_mib, disk_source) = self.disk_at_opening(resource);
        Footprint {
            instances: 1,
            memory_mib,
            memory_source: MemorySource::Event,
            disk_mib,
            disk_source,
            buildpack: None,
            service_plan: None,
            location: location.clone(),
        }
    }
}
