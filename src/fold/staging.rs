//! Stagings: builds of one app, one after another. Only the app's next staging event decides one.

use super::{Opening, Resource, SAME_SAVE_SECONDS, Step, lacking};
use crate::domain::usage_event::{StagingChange, StagingFact};
use crate::domain::{AnomalyKind, BuildObservation, Cause, DiskSource, Footprint, Interval, MemorySource, Timestamp};

/// What Cloud Controller says of every staging, whatever it really got.
const EVENT_MEMORY_MIB: u32 = 1024;

impl Step<'_> {
    pub(super) fn staging(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &StagingFact) {
        if resource.app.is_none() {
            resource.app = Some(fact.app.clone());
        }
        match fact.change {
            StagingChange::Started => self.staging_started(resource, created_at, fact),
            StagingChange::Stopped => self.staging_stopped(resource, created_at, fact),
        }
    }

    fn staging_started(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &StagingFact) {
        let Some(location) = &fact.location else {
            let detail = lacking("a staging begins", &[("space or organization", true)]);
            self.anomaly(resource, AnomalyKind::Undecodable, created_at, detail);
            return;
        };
        // Unlike all else, a staging begun before the epoch isn't billed at all: its true start must be kept.
        let at = self.effective_before_epoch_too(resource, created_at);
        self.lose_staging(resource, created_at, at);
        let footprint = Footprint {
            instances: 1,
            memory_mib: fact.memory_mib.unwrap_or(EVENT_MEMORY_MIB),
            memory_source: MemorySource::Event,
            disk_mib: self.settings.staging_disk_mib,
            disk_source: DiskSource::Default,
            buildpack: fact.buildpack.clone(),
            service_plan: None,
            location: location.clone(),
        };
        self.open(resource, Opening::Beginning, at, footprint);
        let epoch = self.epoch();
        if let Some(run) = &mut resource.run {
            run.billed = at >= epoch;
        }
    }

    fn staging_stopped(&mut self, resource: &mut Resource, created_at: Timestamp, fact: &StagingFact) {
        let Some(run) = &mut resource.run else {
            self.ending_of_nothing(resource, created_at);
            return;
        };
        if created_at.seconds_since(run.piece.started_at) > self.settings.staging_lost_after_seconds {
            self.lose_staging(resource, created_at, Timestamp::MAX);
            return;
        }
        if let Some(buildpack) = &fact.buildpack {
            run.piece.footprint.buildpack = Some(buildpack.clone());
        }
        let at = self.effective_before_epoch_too(resource, created_at);
        self.close(resource, at, false);
    }

    /// The size of the build whose staging began when it did: the open one, or one that ended, by correction.
    pub(super) fn build(&mut self, resource: &mut Resource, observation: &BuildObservation) {
        let apart = |started_at: Timestamp| started_at.seconds_since(observation.created_at).abs();
        let observed = |footprint: &Footprint| Footprint {
            memory_mib: observation.memory_mib,
            memory_source: MemorySource::Build,
            disk_mib: observation.disk_mib,
            disk_source: DiskSource::Observed,
            ..footprint.clone()
        };
        let is_unknown = |footprint: &Footprint| footprint.memory_source == MemorySource::Event;
        // Two builds of an app may begin within two seconds: the nearest is meant.
        let ended = resource.known.entries().iter().map(|entry| &entry.interval);
        let ended = ended.filter(|interval| is_unknown(&interval.footprint)).map(|interval| apart(interval.started_at));
        let open = resource.run.as_ref().filter(|run| is_unknown(&run.piece.footprint));
        let open = open.map(|run| apart(run.piece.started_at));
        let Some(nearest) = ended.chain(open).min().filter(|apart| *apart <= SAME_SAVE_SECONDS) else { return };
        if let Some(run) = resource.run.as_mut().filter(|_| open == Some(nearest)) {
            run.piece.footprint = observed(&run.piece.footprint);
            return;
        }
        self.correct(resource, Cause::Observation, |interval| {
            let meant = is_unknown(&interval.footprint) && apart(interval.started_at) == nearest;
            meant.then(|| Some(Interval { footprint: observed(&interval.footprint), ..interval.clone() }))
        });
    }

    /// Ends the open staging without a usable ending: at its cap, or at `next` if that is sooner.
    fn lose_staging(&mut self, resource: &mut Resource, created_at: Timestamp, next: Timestamp) {
        let Some(run) = &resource.run else { return };
        let started_at = run.piece.started_at;
        let at = started_at.plus(self.settings.staging_cap_seconds).min(next);
        self.close(resource, at, true);
        let detail = format!("begun at {started_at}, counts to {at}");
        self.anomaly(resource, AnomalyKind::StagingEndLost, created_at, detail);
    }
}
