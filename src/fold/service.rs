//! Service instances: created, moved to another plan or space, deleted; nothing reopens.

use super::{Opening, Resource, Step, lacking};
use crate::domain::usage_event::{ServiceChange, ServiceFact};
use crate::domain::{AnomalyKind, Cause, FailedCreate, Footprint, Timestamp};

impl Step<'_> {
    pub(super) fn service(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ServiceFact) {
        if fact.change == ServiceChange::Deleted {
            if resource.run.is_none() {
                self.ending_of_nothing(resource, created_at);
            } else {
                let at = self.effective(resource, created_at);
                self.close(resource, at, false);
            }
        } else if resource.ended && resource.run.is_none() {
            let detail = "the service instance had been deleted";
            self.anomaly(resource, AnomalyKind::IgnoredBeginning, created_at, detail);
        } else if resource.run.is_none() {
            self.open_service(resource, created_at, fact);
        } else {
            match fact.change {
                // A reseed confirms what is there: its time is no beginning, and what it tells is what is.
                ServiceChange::Created if fact.reseeded => self.service_updated(resource, created_at, fact),
                ServiceChange::Created => {
                    self.beginning_of_baseline(resource, created_at);
                }
                ServiceChange::Updated => self.service_updated(resource, created_at, fact),
                ServiceChange::WasRunning | ServiceChange::Deleted => {}
            }
        }
    }

    /// What was never made isn't billed, by correction of entries already made; and it can't be updated or deleted later.
    pub(super) fn create_failed(&mut self, resource: &mut Resource, failed: &FailedCreate) {
        let Some(run) = resource.run.take() else { return };
        resource.ended = true;
        self.correct(resource, Cause::Observation, |interval| (interval.run == run.id).then_some(None));
        let detail = format!("held since {}, its creation had failed", run.piece.started_at);
        self.anomaly(resource, AnomalyKind::RunVoided, failed.observed_at, detail);
    }

    fn open_service(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ServiceFact) {
        let Some(location) = &fact.location else {
            let detail = lacking("a service instance begins", &[("space or organization", true)]);
            self.anomaly(resource, AnomalyKind::Undecodable, created_at, detail);
            return;
        };
        resource.user_provided = fact.user_provided;
        let opening = match fact.change {
            ServiceChange::Created if !fact.reseeded => Opening::Beginning,
            ServiceChange::WasRunning => Opening::WasRunning,
            ServiceChange::Created | ServiceChange::Updated | ServiceChange::Deleted => Opening::FirstSight,
        };
        if opening != Opening::Beginning {
            let detail = format!("began before {created_at}, counts from then");
            self.anomaly(resource, AnomalyKind::StartUnknown, created_at, detail);
        }
        let footprint = Footprint { service_plan: fact.plan.clone(), ..Footprint::without_sizes(location.clone()) };
        let at = self.effective(resource, created_at);
        self.open(resource, opening, at, footprint);
    }

    fn service_updated(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &ServiceFact) {
        let Some(run) = &mut resource.run else { return };
        run.unconfirmed = false;
        let mut next = run.piece.footprint.clone();
        if let Some(location) = &fact.location {
            next.location = location.clone();
        }
        if let Some(plan) = &fact.plan {
            next.service_plan = Some(plan.clone());
        }
        if next != run.piece.footprint {
            let at = self.effective(resource, created_at);
            if fact.reseeded {
                self.told_by_reseed(resource, created_at, at);
            }
            self.split(resource, at, next);
        }
    }
}
