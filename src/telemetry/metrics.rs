//! Prometheus metrics: one registry, passed to whoever counts. Floating point is for display here, never for books.

use std::time::Duration;

use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::ForeignAnswer;
use crate::domain::{AnomalyKind, EntryType, Fact, GapStage, Kind, Stream, Timestamp};

/// How long Cloud Controller keeps usage events at least, in seconds: 31 days, by default.
pub const RETENTION_SECONDS: i64 = 31 * 86_400;

/// What a foundation's collection is doing.
pub const STATES: [&str; 10] =
    ["standby", "starting", "snapshots", "baseline", "replay", "complement", "live", "gap", "held", "failed"];

/// Why a foundation isn't collected until somebody decides.
pub const HOLDS: [&str; 2] = ["api_changed", "not_recognised"];

/// What is asked for, as in the path of the request.
pub const ENDPOINTS: [&str; 16] = [
    "root",
    "token",
    "app_usage_events",
    "service_usage_events",
    "app_usage_snapshots",
    "service_usage_snapshots",
    "jobs",
    "processes",
    "tasks",
    "apps",
    "builds",
    "droplets",
    "service_instances",
    "service_plans",
    "organizations",
    "spaces",
];

/// Work that is done at intervals.
pub const JOBS: [&str; 1] = ["draft"];

/// Every metric there is.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    leader: IntGaugeVec,
    leader_epoch: IntGaugeVec,
    leader_transitions: IntCounterVec,
    scope_ok: IntGaugeVec,
    token_expiry: IntGaugeVec,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    onboarding_state: IntGaugeVec,
    foreign_answer: IntGaugeVec,
    baseline: IntGaugeVec,
    known_until: IntGaugeVec,
    clock_skew: IntGaugeVec,
    rated_through: IntGaugeVec,
    checkpoint_created: IntGaugeVec,
    checkpoint_expiry: IntGaugeVec,
    checkpoint_lost: IntGaugeVec,
    checkpoint_lost_total: IntCounterVec,
    held: IntGaugeVec,
    gaps: IntGaugeVec,
    gap_seconds: IntCounterVec,
    drift: IntGaugeVec,
    repairs: IntCounterVec,
    events_archived: IntCounterVec,
    events_duplicate: IntCounterVec,
    events_late: IntCounterVec,
    events_folded: IntCounterVec,
    sweeps: IntCounterVec,
    observations: IntCounterVec,
    anomalies: IntCounterVec,
    ledger_entries: IntCounterVec,
    metered_instances: IntCounterVec,
    metered_memory: IntCounterVec,
    metered_disk: IntCounterVec,
    open_intervals: IntGaugeVec,
    running_instances: IntGaugeVec,
    running_memory: IntGaugeVec,
    page_duration: HistogramVec,
    collect_failures: IntCounterVec,
    task_restarts: IntCounterVec,
    task_up: IntGaugeVec,
    job_last_success: IntGaugeVec,
    job_failures: IntCounterVec,
    job_duration: HistogramVec,
    rate_card_ok: IntGauge,
    ready: IntGauge,
    rate_card_info: IntGaugeVec,
    rate_card_next: IntGauge,
    unpriced_lines: IntGaugeVec,
    accrued: GaugeVec,
    invoices: IntGaugeVec,
    invoice_differences: IntGaugeVec,
    database_size: IntGauge,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
}

const SECONDS: &[f64] = &[0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own with every metric in it.
    ///
    /// # Panics
    /// Never: names and labels are constants, registered once.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a list")]
    pub fn new() -> Self {
        let registry = Registry::new();
        let new = Families { registry: &registry };
        let metrics = Self {
            leader: new.gauges("leader", "1 while this process has the duty, else 0.", &["duty"]),
            leader_epoch: new.gauges(
                "leader_epoch",
                "Epoch of the duty's lease when this process last took it; writes under an older one are refused.",
                &["duty"],
            ),
            leader_transitions: new.counters(
                "leader_transitions_total",
                "Times this process took the duty or lost it.",
                &["duty"],
            ),
            scope_ok: new.gauges(
                "cc_scope_ok",
                "1 if the token reads everything; without, Cloud Controller answers with empty lists.",
                &["foundation"],
            ),
            token_expiry: new.gauges(
                "cc_token_expiry_timestamp_seconds",
                "When the UAA token expires, Unix time.",
                &["foundation"],
            ),
            requests: new.counters(
                "cc_requests_total",
                "Requests to Cloud Controller and UAA.",
                &["foundation", "endpoint", "outcome"],
            ),
            request_duration: new.histograms(
                "cc_request_duration_seconds",
                "Time until the whole answer was there.",
                &["foundation", "endpoint"],
            ),
            onboarding_state: new.gauges(
                "onboarding_state",
                "1 for what the foundation's collection is doing, else 0.",
                &["foundation", "state"],
            ),
            foreign_answer: new.gauges(
                "cc_foreign_answer_since_timestamp_seconds",
                "Since when a request has had the same answer, one that is neither Cloud Controller's nor UAA's own. Unix time; 0 while it has none.",
                &["foundation", "endpoint", "answer"],
            ),
            baseline: new.gauges(
                "baseline_timestamp_seconds",
                "The billing epoch: nothing earlier is billed. Unix time; 0 before there is a baseline.",
                &["foundation"],
            ),
            clock_skew: new.gauges(
                "clock_skew_seconds",
                "How far our clock is ahead of Cloud Controller's; below 0: behind.",
                &["foundation"],
            ),
            known_until: new.gauges(
                "known_until_timestamp_seconds",
                "Both streams are read up to here. Unix time; 0 before they were.",
                &["foundation"],
            ),
            rated_through: new.gauges(
                "rated_through_timestamp_seconds",
                "Usage is complete up to here: the last sweep, less its window. Unix time; 0 before there was one.",
                &["foundation"],
            ),
            checkpoint_created: new.gauges(
                "checkpoint_event_created_timestamp_seconds",
                "created_at of the event after which is read on. Unix time; 0 before there is one.",
                &["foundation", "stream"],
            ),
            checkpoint_expiry: new.gauges(
                "checkpoint_expiry_timestamp_seconds",
                "When Cloud Controller may prune the first event that isn't read. Unix time; 0 before the stream was read.",
                &["foundation", "stream"],
            ),
            checkpoint_lost: new.gauges(
                "checkpoint_lost",
                "1 while the checkpoint can't be read any more, else 0.",
                &["foundation", "stream"],
            ),
            held: new.gauges(
                "foundation_held",
                "1 while nothing is read or ended for that reason, until somebody decides, else 0.",
                &["foundation", "reason"],
            ),
            gaps: new.gauges(
                "gaps",
                "Spans of stream history that can't be read any more, by what is done about them: reading, settling, settled.",
                &["foundation", "stage"],
            ),
            gap_seconds: new.counters(
                "gap_seconds_total",
                "Seconds of stream history found to be unreadable.",
                &["foundation", "stream"],
            ),
            drift: new.gauges(
                "reconciliation_drift_resources",
                "Resources of which the lists said something else than the ledger at the last look, not settled yet.",
                &["foundation", "kind", "direction"],
            ),
            repairs: new.counters(
                "reconciliation_repairs_total",
                "Resources settled by what was found running.",
                &["foundation", "stream", "action"],
            ),
            checkpoint_lost_total: new.counters(
                "checkpoint_lost_total",
                "Times a checkpoint was found to be lost.",
                &["foundation", "stream"],
            ),
            events_archived: new.counters(
                "events_archived_total",
                "Usage events archived, each once.",
                &["foundation", "stream"],
            ),
            events_duplicate: new.counters(
                "events_duplicate_total",
                "Usage events read again and dropped; a healthy poll reads its checkpoint again.",
                &["foundation", "stream"],
            ),
            events_late: new.counters(
                "events_late_total",
                "Usage events found behind others and put at their place.",
                &["foundation", "stream"],
            ),
            events_folded: new.counters(
                "events_folded_total",
                "Usage events folded into the ledger, by state.",
                &["foundation", "state"],
            ),
            sweeps: new.counters(
                "sweeps_total",
                "Times the events behind both checkpoints were read again.",
                &["foundation"],
            ),
            observations: new.counters(
                "observations_total",
                "Sizes read beside the streams: disk of processes and tasks, memory and disk of builds.",
                &["foundation"],
            ),
            anomalies: new.counters(
                "anomalies_total",
                "Odd input, by what was odd.",
                &["foundation", "reason"],
            ),
            ledger_entries: new.counters(
                "ledger_entries_total",
                "Ledger entries written.",
                &["foundation", "type"],
            ),
            metered_instances: new.counters(
                "metered_instance_seconds_total",
                "Instance-seconds of intervals that closed, before corrections.",
                &["foundation", "kind"],
            ),
            metered_memory: new.counters(
                "metered_memory_mib_seconds_total",
                "MiB-seconds of memory of intervals that closed, before corrections.",
                &["foundation", "kind"],
            ),
            metered_disk: new.counters(
                "metered_disk_mib_seconds_total",
                "MiB-seconds of disk of intervals that closed, before corrections.",
                &["foundation", "kind"],
            ),
            open_intervals: new.gauges("open_intervals", "Intervals that are open.", &["foundation", "kind"]),
            running_instances: new.gauges(
                "running_instances",
                "App instances that the ledger holds as running.",
                &["foundation"],
            ),
            running_memory: new.gauges(
                "running_memory_bytes",
                "Memory of app instances that the ledger holds as running.",
                &["foundation"],
            ),
            page_duration: new.histograms(
                "page_duration_seconds",
                "Time to fold and commit one page of usage events.",
                &["foundation", "stream"],
            ),
            collect_failures: new.counters(
                "collect_failures_total",
                "Cycles that ended in an error and are tried again.",
                &["foundation", "reason"],
            ),
            task_restarts: new.counters(
                "task_restarts_total",
                "Times a foundation's task ended or panicked and was started again.",
                &["foundation"],
            ),
            task_up: new.gauges("task_up", "1 while the foundation's task lives, else 0.", &["foundation"]),
            job_last_success: new.gauges(
                "last_success_timestamp_seconds",
                "When a job last succeeded, Unix time; 0 before it did.",
                &["task"],
            ),
            job_failures: new.counters("job_failures_total", "Times a job failed.", &["task"]),
            job_duration: new.histograms("job_duration_seconds", "How long a job took.", &["task"]),
            ready: new.gauge(
                "ready",
                "1 while all is well, as /readyz says: the database answers and is written, every foundation is collected.",
            ),
            rate_card_ok: new.gauge(
                "rate_card_last_reload_successful",
                "1 if the rate card was accepted when it was last read, 0 if it was refused.",
            ),
            rate_card_next: new.gauge(
                "rate_card_next_effective_timestamp_seconds",
                "When anything in the rate card next begins or ends, Unix time; 0 if nothing does.",
            ),
            rate_card_info: new.gauges("rate_card_info", "1 for the rate card in use.", &["name", "version"]),
            unpriced_lines: new.gauges(
                "unpriced_lines",
                "Lines of draft invoices for which there is no price.",
                &["kind"],
            ),
            accrued: new.real_gauges(
                "accrued_amount",
                "Net sum of the draft invoices, in major units, for display.",
                &["currency"],
            ),
            invoices: new.gauges("invoices", "Invoices and credit notes by status.", &["status"]),
            invoice_differences: new.gauges(
                "invoice_differences",
                "Final invoices whose period costs more or less by now.",
                &["direction"],
            ),
            database_size: new.gauge("database_size_bytes", "Size of the database on disk, with its log."),
            http_requests: new.counters("http_requests_total", "HTTP requests answered.", &["route", "method", "code"]),
            http_duration: new.histograms("http_request_duration_seconds", "Time to answer.", &["route", "method"]),
            registry: registry.clone(),
        };
        let build = new.gauges("build_info", "1; what this program is.", &["version", "rust_version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION")]).set(1);
        metrics.begin_at_zero();
        #[cfg(target_os = "linux")]
        let _ = registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()));
        metrics
    }

    /// Label sets that are known from the start.
    fn begin_at_zero(&self) {
        self.rate_card_is_good(true);
        for job in JOBS {
            self.job_last_success.with_label_values(&[job]);
            self.job_failures.with_label_values(&[job]);
            self.job_duration.with_label_values(&[job]);
        }
        for kind in Kind::ALL {
            self.unpriced_lines.with_label_values(&[kind.name()]);
        }
        for status in ["draft", "in_review", "final"] {
            self.invoices.with_label_values(&[status]);
        }
        for direction in ["more", "less"] {
            self.invoice_differences.with_label_values(&[direction]);
        }
    }

    /// Those of one foundation, all at zero.
    #[must_use]
    pub fn foundation(&self, name: &str) -> FoundationMetrics {
        let of = FoundationMetrics { metrics: self.clone(), name: name.into() };
        for state in STATES {
            self.onboarding_state.with_label_values(&[name, state]);
        }
        for gauges in [
            &self.scope_ok,
            &self.token_expiry,
            &self.baseline,
            &self.known_until,
            &self.clock_skew,
            &self.rated_through,
            &self.running_instances,
            &self.running_memory,
            &self.task_up,
        ] {
            gauges.with_label_values(&[name]);
        }
        for counters in [&self.sweeps, &self.observations, &self.task_restarts] {
            counters.with_label_values(&[name]);
        }
        for stream in Stream::ALL.map(Stream::name) {
            for gauges in [&self.checkpoint_created, &self.checkpoint_expiry, &self.checkpoint_lost] {
                gauges.with_label_values(&[name, stream]);
            }
            for counters in
                [&self.checkpoint_lost_total, &self.events_archived, &self.events_duplicate, &self.events_late]
            {
                counters.with_label_values(&[name, stream]);
            }
            self.page_duration.with_label_values(&[name, stream]);
            self.gap_seconds.with_label_values(&[name, stream]);
            for action in REPAIRS {
                self.repairs.with_label_values(&[name, stream, action]);
            }
        }
        for reason in HOLDS {
            self.held.with_label_values(&[name, reason]);
        }
        for stage in GapStage::ALL.map(GapStage::name) {
            self.gaps.with_label_values(&[name, stage]);
        }
        for kind in Kind::ALL.map(Kind::name) {
            self.open_intervals.with_label_values(&[name, kind]);
            for direction in DIRECTIONS {
                self.drift.with_label_values(&[name, kind, direction]);
            }
            for counters in [&self.metered_instances, &self.metered_memory, &self.metered_disk] {
                counters.with_label_values(&[name, kind]);
            }
        }
        for state in Fact::STATES {
            self.events_folded.with_label_values(&[name, state]);
        }
        for kind in AnomalyKind::ALL {
            self.anomalies.with_label_values(&[name, kind.name()]);
        }
        for entry_type in EntryType::ALL {
            self.ledger_entries.with_label_values(&[name, entry_type.name()]);
        }
        for reason in FAILURES {
            self.collect_failures.with_label_values(&[name, reason]);
        }
        for endpoint in ENDPOINTS {
            self.request_duration.with_label_values(&[name, endpoint]);
            for answer in ForeignAnswer::ALL {
                self.foreign_answer.with_label_values(&[name, endpoint, answer.name()]);
            }
            for outcome in ["success", "timeout", "unreachable", "server_error"] {
                self.requests.with_label_values(&[name, endpoint, outcome]);
            }
        }
        of
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing into memory doesn't fail.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// A duty that this process doesn't have yet.
    pub fn duty(&self, duty: &str) {
        self.leader.with_label_values(&[duty]);
        self.leader_epoch.with_label_values(&[duty]);
        self.leader_transitions.with_label_values(&[duty]);
    }

    /// Whether all is well, as `/readyz` says.
    pub fn ready(&self, ready: bool) {
        self.ready.set(i64::from(ready));
    }

    /// This process took a duty under that epoch; or lost it.
    pub fn leads(&self, duty: &str, epoch: Option<u64>) {
        self.leader.with_label_values(&[duty]).set(i64::from(epoch.is_some()));
        if let Some(epoch) = epoch {
            self.leader_epoch.with_label_values(&[duty]).set(epoch.cast_signed());
        }
        self.leader_transitions.with_label_values(&[duty]).inc();
    }

    /// A job ended.
    pub fn job(&self, job: &str, took: Duration, succeeded_at: Option<Timestamp>) {
        self.job_duration.with_label_values(&[job]).observe(took.as_secs_f64());
        match succeeded_at {
            Some(at) => self.job_last_success.with_label_values(&[job]).set(at.unix()),
            None => self.job_failures.with_label_values(&[job]).inc(),
        }
    }

    /// Whether the configured rate card can be used.
    pub fn rate_card_is_good(&self, good: bool) {
        self.rate_card_ok.set(i64::from(good));
    }

    /// The rate card in use.
    pub fn rate_card(&self, name: &str, version: &str) {
        self.rate_card_info.reset();
        self.rate_card_info.with_label_values(&[name, version]).set(1);
    }

    /// When anything in the rate card next begins or ends.
    pub fn rate_card_next(&self, at: Option<Timestamp>) {
        self.rate_card_next.set(at.map_or(0, Timestamp::unix));
    }

    /// What the open drafts hold: lines without a price by kind, and sums by currency.
    pub fn drafts<'c>(&self, unpriced: impl Fn(Kind) -> usize, accrued: impl IntoIterator<Item = (&'c str, f64)>) {
        for kind in Kind::ALL {
            self.unpriced_lines.with_label_values(&[kind.name()]).set(to_i64(unpriced(kind)));
        }
        self.accrued.reset();
        for (currency, amount) in accrued {
            self.accrued.with_label_values(&[currency]).set(amount);
        }
    }

    /// How many final invoices' periods cost more, and how many less, by now.
    pub fn invoice_differences(&self, more: usize, less: usize) {
        self.invoice_differences.with_label_values(&["more"]).set(to_i64(more));
        self.invoice_differences.with_label_values(&["less"]).set(to_i64(less));
    }

    /// How many invoices there are, by status.
    pub fn invoices(&self, status: &str, count: usize) {
        self.invoices.with_label_values(&[status]).set(to_i64(count));
    }

    pub fn database_size(&self, bytes: u64) {
        self.database_size.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// An HTTP request was answered; `route` is the template.
    pub fn http(&self, route: &str, method: &str, code: u16, took: Duration) {
        self.http_requests.with_label_values(&[route, method, code.to_string().as_str()]).inc();
        self.http_duration.with_label_values(&[route, method]).observe(took.as_secs_f64());
    }
}

/// Why a cycle failed.
pub const FAILURES: [&str; 8] =
    ["api", "store", "superseded", "checkpoint_lost", "scope_lost", "clock_skew", "held", "refused"];

/// How what runs can differ from the ledger.
pub const DIRECTIONS: [&str; 3] = ["not_in_ledger", "only_in_ledger", "different"];

/// How the ledger can be settled by what runs.
pub const REPAIRS: [&str; 3] = ["ended", "begun", "changed"];

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
    /// A request was answered, or wasn't.
    pub fn request(&self, endpoint: &str, outcome: &str, took: Duration) {
        self.metrics.requests.with_label_values(&[&*self.name, endpoint, outcome]).inc();
        self.metrics.request_duration.with_label_values(&[&*self.name, endpoint]).observe(took.as_secs_f64());
    }

    /// A token was given: when it expires, and whether it reads everything.
    pub fn token(&self, expires_at: Timestamp, reads_everything: bool) {
        self.metrics.token_expiry.with_label_values(&[&self.name]).set(expires_at.unix());
        self.metrics.scope_ok.with_label_values(&[&self.name]).set(i64::from(reads_everything));
    }

    /// Since when a request has had the same answer of somebody else; `None`: it has none any more.
    pub fn foreign(&self, endpoint: &str, answer: ForeignAnswer, since: Option<Timestamp>) {
        let gauge = self.metrics.foreign_answer.with_label_values(&[&*self.name, endpoint, answer.name()]);
        gauge.set(since.map_or(0, Timestamp::unix));
    }

    /// There is no token to tell of.
    pub fn no_token(&self) {
        for gauges in [&self.metrics.token_expiry, &self.metrics.scope_ok] {
            gauges.with_label_values(&[&*self.name]).set(0);
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

    /// So many resources differ from the ledger, one of [`DIRECTIONS`].
    pub fn drift(&self, kind: Kind, direction: &str, count: usize) {
        self.metrics.drift.with_label_values(&[&*self.name, kind.name(), direction]).set(to_i64(count));
    }

    /// So many resources of a stream were settled by what was found running; one of [`REPAIRS`].
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

    /// One of [`FAILURES`].
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

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Makes and registers families, all named `cf_billing_…`.
struct Families<'a> {
    registry: &'a Registry,
}

const CONSTANT: &str = "names and labels are constants";

impl Families<'_> {
    fn add<F: prometheus::core::Collector + Clone + 'static>(&self, family: prometheus::Result<F>) -> F {
        let family = family.expect(CONSTANT);
        self.registry.register(Box::new(family.clone())).expect(CONSTANT);
        family
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), labels))
    }

    fn real_gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.add(GaugeVec::new(opts(name, help), labels))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(opts(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        let opts = HistogramOpts::from(opts(name, help)).buckets(SECONDS.to_vec());
        self.add(HistogramVec::new(opts, labels))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("cf_billing_{name}"), help)
}
