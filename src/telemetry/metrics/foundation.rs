//! The metrics of one foundation.

use std::time::Duration;

use prometheus::IntGaugeVec;

use super::labels::{DIRECTIONS, HOLDS, SERVERS, STATES};
use super::{Metrics, RETENTION_SECONDS, to_i64};
use crate::domain::{AnomalyKind, Endpoint, EntryType, GapStage, Kind, Strategy, Stream, Timestamp};
use crate::telemetry::ForeignAnswer;

/// The metrics of one foundation.
#[derive(Clone, Debug)]
pub struct FoundationMetrics {
    metrics: Metrics,
    name: std::sync::Arc<str>,
}

/// What a page came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageCounts {
    pub archived: u64,
    pub late: u64,
    /// By state.
    pub states: Vec<(&'static str, u64)>,
    pub anomalies: Vec<(AnomalyKind, u64)>,
    pub entries: Vec<(EntryType, u64)>,
    /// Instance·s, MiB·s of memory and of disk of the intervals that closed.
    pub metered: Vec<(Kind, [i64; 3])>,
}

impl FoundationMetrics {
    pub(super) fn new(metrics: &Metrics, name: &str) -> Self {
        Self { metrics: metrics.clone(), name: name.into() }
    }

    /// A request was answered, or wasn't.
    pub fn request(&self, endpoint: Endpoint, outcome: &str, took: Duration) {
        self.metrics.requests.with_label_values(&[&*self.name, endpoint.name(), outcome]).inc();
        self.metrics.request_duration.with_label_values(&[&*self.name, endpoint.name()]).observe(took.as_secs_f64());
    }

    /// A server, one of [`super::labels::SERVERS`], showed a certificate that expires then.
    pub fn certificate(&self, server: &str, expires_at: Timestamp) {
        self.metrics.certificate_expiry.with_label_values(&[&*self.name, server]).set(expires_at.unix());
    }

    /// A token was given: when it expires, and whether it reads everything.
    pub fn token(&self, expires_at: Timestamp, reads_everything: bool) {
        self.metrics.token_expiry.with_label_values(&[&self.name]).set(expires_at.unix());
        self.metrics.scope_ok.with_label_values(&[&self.name]).set(i64::from(reads_everything));
    }

    /// Since when a request has had the same answer of somebody else; `None`: it has none any more.
    pub fn foreign(&self, endpoint: Endpoint, answer: ForeignAnswer, since: Option<Timestamp>) {
        let gauge = self.metrics.foreign_answer.with_label_values(&[&*self.name, endpoint.name(), answer.name()]);
        gauge.set(since.map_or(0, Timestamp::unix));
    }

    /// Another process collects it: what this one saw of Cloud Controller is nothing to tell any more.
    pub fn stands_by(&self) {
        let metrics = &self.metrics;
        for gauges in [&metrics.token_expiry, &metrics.scope_ok, &metrics.clock_skew] {
            gauges.with_label_values(&[&*self.name]).set(0);
        }
        for server in SERVERS {
            metrics.certificate_expiry.with_label_values(&[&*self.name, server]).set(0);
        }
        for stage in GapStage::ALL {
            self.gaps(stage, 0);
        }
        for (kind, direction) in Kind::ALL.into_iter().flat_map(|kind| DIRECTIONS.map(|direction| (kind, direction))) {
            self.drift(kind, direction, 0);
        }
        for (endpoint, answer) in
            Endpoint::ALL.into_iter().flat_map(|endpoint| ForeignAnswer::ALL.map(|answer| (endpoint, answer)))
        {
            self.foreign(endpoint, answer, None);
        }
        self.open(|_| 0, 0, 0);
        self.held(None);
        self.strategy(None);
        for stream in Stream::ALL {
            self.waiting(stream, 0);
            self.checkpoint_lost(stream, false);
        }
    }

    /// One of [`STATES`].
    pub fn state(&self, state: &str) {
        for known in STATES {
            let value = i64::from(known == state);
            self.metrics.onboarding_state.with_label_values(&[&*self.name, known]).set(value);
        }
    }

    /// How far it is collected.
    pub fn progress(&self, epoch: Option<Timestamp>, known_until: Option<Timestamp>, rated_through: Option<Timestamp>) {
        let set = |gauges: &IntGaugeVec, at: Option<Timestamp>| {
            gauges.with_label_values(&[&*self.name]).set(at.map_or(0, Timestamp::unix));
        };
        set(&self.metrics.baseline, epoch);
        set(&self.metrics.known_until, known_until);
        set(&self.metrics.rated_through, rated_through);
    }

    /// Where its baseline comes from; `None`: another process knows.
    pub fn strategy(&self, strategy: Option<Strategy>) {
        for known in Strategy::ALL {
            let value = i64::from(strategy == Some(known));
            self.metrics.onboarding_strategy.with_label_values(&[&*self.name, known.name()]).set(value);
        }
    }

    /// Cloud Controller has so many events of a stream beyond those that were read.
    pub fn waiting(&self, stream: Stream, events: u64) {
        self.metrics.events_waiting.with_label_values(&[&*self.name, stream.name()]).set(events.cast_signed());
    }

    /// How far our clock is ahead of Cloud Controller's, in seconds.
    pub fn clock_skew(&self, seconds: i64) {
        self.metrics.clock_skew.with_label_values(&[&*self.name]).set(seconds);
    }

    /// A stream's checkpoint, and until when the stream is read.
    pub fn stream(&self, stream: Stream, checkpoint: Option<Timestamp>, read_until: Option<Timestamp>) {
        let labels = [&*self.name, stream.name()];
        let unix = |at: Option<Timestamp>| at.map_or(0, Timestamp::unix);
        self.metrics.checkpoint_created.with_label_values(&labels).set(unix(checkpoint));
        let expiry = read_until.map(|until| until.plus(RETENTION_SECONDS));
        self.metrics.checkpoint_expiry.with_label_values(&labels).set(unix(expiry));
    }

    /// Whether a stream's checkpoint is lost; counted when it becomes so.
    pub fn checkpoint_lost(&self, stream: Stream, lost: bool) {
        let labels = [&*self.name, stream.name()];
        let gauge = self.metrics.checkpoint_lost.with_label_values(&labels);
        if lost && gauge.get() == 0 {
            self.metrics.checkpoint_lost_total.with_label_values(&labels).inc();
        }
        gauge.set(i64::from(lost));
    }

    /// Why it isn't collected, one of [`HOLDS`]; `None`: it is.
    pub fn held(&self, reason: Option<&str>) {
        for known in HOLDS {
            self.metrics.held.with_label_values(&[&*self.name, known]).set(i64::from(reason == Some(known)));
        }
    }

    /// A gap was found in a stream.
    pub fn gap(&self, stream: Stream, seconds: i64) {
        let counter = self.metrics.gap_seconds.with_label_values(&[&*self.name, stream.name()]);
        counter.inc_by(u64::try_from(seconds).unwrap_or_default());
    }

    /// How many gaps there are at a stage.
    pub fn gaps(&self, stage: GapStage, count: usize) {
        self.metrics.gaps.with_label_values(&[&*self.name, stage.name()]).set(to_i64(count));
    }

    /// So many resources differ from the ledger, one of [`super::labels::DIRECTIONS`].
    pub fn drift(&self, kind: Kind, direction: &str, count: usize) {
        self.metrics.drift.with_label_values(&[&*self.name, kind.name(), direction]).set(to_i64(count));
    }

    /// So many resources of a stream were settled by what was found running; one of [`super::labels::REPAIRS`].
    pub fn repaired(&self, stream: Stream, action: &str, count: u64) {
        self.metrics.repairs.with_label_values(&[&*self.name, stream.name(), action]).inc_by(count);
    }

    /// So many events were read again.
    pub fn duplicates(&self, stream: Stream, count: usize) {
        self.metrics.events_duplicate.with_label_values(&[&*self.name, stream.name()]).inc_by(count as u64);
    }

    /// How long it took to fold and commit a page.
    pub fn page(&self, stream: Stream, took: Duration) {
        let labels = [&*self.name, stream.name()];
        self.metrics.page_duration.with_label_values(&labels).observe(took.as_secs_f64());
    }

    /// What a commit came to; `stream` for events.
    pub fn committed(&self, stream: Option<Stream>, counts: &PageCounts) {
        let (metrics, name) = (&self.metrics, &*self.name);
        if let Some(stream) = stream {
            let labels = [name, stream.name()];
            metrics.events_archived.with_label_values(&labels).inc_by(counts.archived);
            metrics.events_late.with_label_values(&labels).inc_by(counts.late);
        }
        for (state, count) in &counts.states {
            metrics.events_folded.with_label_values(&[name, state]).inc_by(*count);
        }
        for (kind, count) in &counts.anomalies {
            metrics.anomalies.with_label_values(&[name, kind.name()]).inc_by(*count);
        }
        for (entry_type, count) in &counts.entries {
            metrics.ledger_entries.with_label_values(&[name, entry_type.name()]).inc_by(*count);
        }
        for (kind, sums) in &counts.metered {
            let labels = [name, kind.name()];
            let of = [&metrics.metered_instances, &metrics.metered_memory, &metrics.metered_disk];
            for (counters, sum) in of.into_iter().zip(sums) {
                counters.with_label_values(&labels).inc_by(u64::try_from(*sum).unwrap_or_default());
            }
        }
    }

    /// A sweep of both streams has come to its end.
    pub fn swept(&self) {
        self.metrics.sweeps.with_label_values(&[&self.name]).inc();
    }

    pub fn observations(&self, count: usize) {
        self.metrics.observations.with_label_values(&[&self.name]).inc_by(count as u64);
    }

    /// What the ledger holds open: by kind, and of processes the instances and their memory.
    pub fn open(&self, intervals: impl Fn(Kind) -> i64, instances: i64, memory_mib: i64) {
        for kind in Kind::ALL {
            self.metrics.open_intervals.with_label_values(&[&*self.name, kind.name()]).set(intervals(kind));
        }
        self.metrics.running_instances.with_label_values(&[&self.name]).set(instances);
        self.metrics.running_memory.with_label_values(&[&self.name]).set(memory_mib.saturating_mul(1 << 20));
    }

    /// One of [`super::labels::FAILURES`].
    pub fn failed(&self, reason: &str) {
        self.metrics.collect_failures.with_label_values(&[&*self.name, reason]).inc();
    }

    pub fn restarted(&self) {
        self.metrics.task_restarts.with_label_values(&[&self.name]).inc();
    }

    pub fn up(&self, up: bool) {
        self.metrics.task_up.with_label_values(&[&self.name]).set(i64::from(up));
    }
}
