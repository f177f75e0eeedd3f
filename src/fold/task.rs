//! Tasks: the first beginning opens, the first ending ends, nothing reopens.

use super::{Opening, Resource, Step, lacking};
use crate::domain::usage_event::{TaskChange, TaskFact};
use crate::domain::{AnomalyKind, Footprint, MemorySource, Timestamp};

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
                None => self.ending_of_nothing(resource, created_at),
                Some(run) if fact.repaired && run.opening == Opening::WasRunning => self.void(resource, created_at),
                Some(_) => {
                    let at = self.effective(resource, created_at);
                    self.close(resource, at, false);
                }
            },
        }
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
        let (disk_mib, disk_source) = self.disk_at_opening(resource);
        let footprint = Footprint {
            instances: 1,
            memory_mib,
            memory_source: MemorySource::Event,
            disk_mib,
            disk_source,
            buildpack: None,
            service_plan: None,
            location: location.clone(),
        };
        let at = self.effective(resource, created_at);
        self.open(resource, opening, at, footprint);
    }
}
