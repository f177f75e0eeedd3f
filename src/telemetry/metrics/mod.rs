//! Prometheus metrics: one registry, passed to whoever counts. Floating point is for display here, never for books.
//! A metric is one entry in the list below; its labels and their values are in `labels.rs`.

mod family;
mod foundation;
pub mod labels;
#[cfg(target_os = "linux")]
mod process;

use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{Encoder, GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};

use crate::domain::{Kind, Timestamp};
use family::Families;
use labels::CONNECTIONS;

pub use foundation::{FoundationMetrics, PageCounts};

/// How long Cloud Controller keeps usage events at least, in seconds: 31 days, by default.
pub const RETENTION_SECONDS: i64 = 31 * 86_400;

/// What a family of each kind is in Rust.
macro_rules! family {
    (gauge) => {
        IntGauge
    };
    (gauges) => {
        IntGaugeVec
    };
    (real_gauges) => {
        GaugeVec
    };
    (counters) => {
        IntCounterVec
    };
    (histograms) => {
        HistogramVec
    };
}

/// `field: kind "name" [labels] "help"` for each metric.
macro_rules! metrics {
    ($($field:ident: $kind:ident $name:literal [$($label:ident),*] $help:literal;)*) => {
        /// Every metric there is.
        #[derive(Clone, Debug)]
        pub struct Metrics {
            families: Families,
            $($field: family!($kind),)*
        }

        impl Metrics {
            fn register() -> Self {
                let mut families = Families::default();
                $(let $field = families.$kind($name, $help, &[$(labels::$label),*]);)*
                Self { families, $($field,)* }
            }
        }
    };
}

metrics! {
    build_info: gauges "build_info" [VERSION, RUST_VERSION]
        "Always 1; version and compiler of this program.";
    leader: gauges "leader" [DUTY]
        "1 while this process has the duty, else 0.";
    leader_epoch: gauges "leader_epoch" [DUTY]
        "Epoch of the duty's lease when this process last took it; writes with an older epoch are refused.";
    leader_transitions: counters "leader_transitions_total" [DUTY]
        "Times this process took the duty or lost it.";
    scope_ok: gauges "cc_scope_ok" [FOUNDATION]
        "1 if the token can read everything; otherwise Cloud Controller answers with empty lists.";
    token_expiry: gauges "cc_token_expiry_timestamp_seconds" [FOUNDATION]
        "When the UAA token expires, Unix time.";
    requests: counters "cc_requests_total" [FOUNDATION, ENDPOINT, OUTCOME]
        "Requests to Cloud Controller and UAA.";
    certificate_expiry: gauges "cc_certificate_expiry_timestamp_seconds" [FOUNDATION, SERVER]
        "When the TLS certificate of the API or of UAA expires, Unix time; 0 while none was seen.";
    request_duration: histograms "cc_request_duration_seconds" [FOUNDATION, ENDPOINT]
        "Time until the whole answer had arrived.";
    onboarding_state: gauges "onboarding_state" [FOUNDATION, STATE]
        "1 for the current state of the foundation's collection, else 0.";
    onboarding_strategy: gauges "onboarding_strategy_info" [FOUNDATION, STRATEGY]
        "1 for where the foundation's baseline comes from, else 0.";
    foreign_answer: gauges "cc_foreign_answer_since_timestamp_seconds" [FOUNDATION, ENDPOINT, ANSWER]
        "Since when a request has had the same answer, one that is neither Cloud Controller's nor UAA's own. Unix time; 0 while it has none.";
    baseline: gauges "baseline_timestamp_seconds" [FOUNDATION]
        "The billing epoch: nothing earlier is billed. Unix time; 0 before there is a baseline.";
    clock_skew: gauges "clock_skew_seconds" [FOUNDATION]
        "Seconds by which our clock is ahead of Cloud Controller's; below 0 it is behind.";
    known_until: gauges "known_until_timestamp_seconds" [FOUNDATION]
        "Both streams are read up to this time. Unix time; 0 before the first read.";
    rated_through: gauges "rated_through_timestamp_seconds" [FOUNDATION]
        "Usage is complete up to this time: the last sweep, less its window. Unix time; 0 before the first sweep.";
    checkpoint_created: gauges "checkpoint_event_created_timestamp_seconds" [FOUNDATION, STREAM]
        "created_at of the checkpoint, the event after which reading goes on. Unix time; 0 before there is one.";
    checkpoint_expiry: gauges "checkpoint_expiry_timestamp_seconds" [FOUNDATION, STREAM]
        "When Cloud Controller may prune the first event that isn't read. Unix time; 0 before the stream was read.";
    checkpoint_lost: gauges "checkpoint_lost" [FOUNDATION, STREAM]
        "1 while the checkpoint is lost, else 0.";
    held: gauges "foundation_held" [FOUNDATION, HOLD]
        "1 while the foundation is held for this reason, until somebody decides, else 0.";
    gaps: gauges "gaps" [FOUNDATION, STAGE]
        "Gaps, the periods whose usage events are lost, by stage: reading, settling, settled.";
    gap_seconds: counters "gap_seconds_total" [FOUNDATION, STREAM]
        "Seconds of stream history that are lost.";
    drift: gauges "reconciliation_drift_resources" [FOUNDATION, KIND, DRIFT]
        "Resources that differed from the ledger at the last look, and aren't settled yet.";
    repairs: counters "reconciliation_repairs_total" [FOUNDATION, STREAM, ACTION]
        "Resources settled by what runs.";
    checkpoint_lost_total: counters "checkpoint_lost_total" [FOUNDATION, STREAM]
        "Times a checkpoint was found to be lost.";
    events_waiting: gauges "cc_events_waiting" [FOUNDATION, STREAM]
        "Usage events that Cloud Controller had beyond those read, when it last gave some.";
    events_archived: counters "events_archived_total" [FOUNDATION, STREAM]
        "Usage events archived, each once.";
    events_duplicate: counters "events_duplicate_total" [FOUNDATION, STREAM]
        "Usage events read again and dropped; a healthy poll reads its checkpoint again.";
    events_late: counters "events_late_total" [FOUNDATION, STREAM]
        "Usage events that appeared late and were put at their place.";
    events_folded: counters "events_folded_total" [FOUNDATION, EVENT_STATE]
        "Usage events folded into the ledger, by state.";
    sweeps: counters "sweeps_total" [FOUNDATION]
        "Times the events behind both checkpoints were read again.";
    observations: counters "observations_total" [FOUNDATION]
        "Sizes read beside the streams: disk of processes and tasks, memory and disk of builds.";
    anomalies: counters "anomalies_total" [FOUNDATION, ANOMALY]
        "Odd input, by kind.";
    ledger_entries: counters "ledger_entries_total" [FOUNDATION, ENTRY_TYPE]
        "Ledger entries written.";
    metered_instances: counters "metered_instance_seconds_total" [FOUNDATION, KIND]
        "Instance-seconds of intervals that closed, before corrections.";
    metered_memory: counters "metered_memory_mib_seconds_total" [FOUNDATION, KIND]
        "MiB-seconds of memory of intervals that closed, before corrections.";
    metered_disk: counters "metered_disk_mib_seconds_total" [FOUNDATION, KIND]
        "MiB-seconds of disk of intervals that closed, before corrections.";
    open_intervals: gauges "open_intervals" [FOUNDATION, KIND]
        "Intervals that are open.";
    running_instances: gauges "running_instances" [FOUNDATION]
        "App instances that the ledger holds as running.";
    running_memory: gauges "running_memory_bytes" [FOUNDATION]
        "Memory of app instances that the ledger holds as running.";
    page_duration: histograms "page_duration_seconds" [FOUNDATION, STREAM]
        "Time to fold and commit one page of usage events.";
    collect_failures: counters "collect_failures_total" [FOUNDATION, FAILURE]
        "Cycles that ended in an error and are tried again.";
    task_restarts: counters "task_restarts_total" [FOUNDATION]
        "Times a foundation's task ended or panicked and was started again.";
    task_up: gauges "task_up" [FOUNDATION]
        "1 while the foundation's task lives, else 0.";
    job_last_success: gauges "last_success_timestamp_seconds" [JOB]
        "When a job last succeeded, Unix time; 0 before it did.";
    job_interval: gauges "job_interval_seconds" [JOB]
        "How often a job is to be done.";
    job_failures: counters "job_failures_total" [JOB]
        "Times a job failed.";
    job_duration: histograms "job_duration_seconds" [JOB]
        "How long a job took.";
    ready: gauge "ready" []
        "1 while all is well, as at /readyz: the database can be written and every foundation is collected.";
    rate_card_ok: gauge "rate_card_last_reload_successful" []
        "1 if the rate card was accepted when it was last read, 0 if it was refused.";
    rate_card_next: gauge "rate_card_next_effective_timestamp_seconds" []
        "When anything in the rate card next begins or ends, Unix time; 0 if nothing does.";
    rate_card_info: gauges "rate_card_info" [CARD_NAME, VERSION]
        "1 for the rate card in use.";
    unpriced_lines: gauges "unpriced_lines" [KIND]
        "Lines of draft invoices without a price.";
    accrued: real_gauges "accrued_amount" [CURRENCY]
        "Net sum of the draft invoices, in major units, for display.";
    accrued_estimated: real_gauges "accrued_estimated_amount" [CURRENCY]
        "Of the net sum of the draft invoices, what rests on estimated usage (gaps, wrong clocks, settled drift), in major units, for display.";
    invoiced: real_gauges "invoiced_amount" [CURRENCY, DOCUMENT]
        "Net sum of the final invoices and credit notes there are, in major units, for display.";
    invoices: gauges "invoices" [STATUS]
        "Invoices and credit notes by status.";
    invoice_differences: gauges "invoice_differences" [DIFFERENCE]
        "Final invoices whose period now costs more or less.";
    periods_overdue: gauge "periods_overdue" []
        "Months that are over, with their grace time, and have an invoice that isn't final.";
    chain_broken: gauges "ledger_chain_broken" [CHAIN]
        "1 if the hash chain was found broken when it was last verified, else 0.";
    chain_verified: gauges "ledger_chain_verified_timestamp_seconds" [CHAIN]
        "When the whole chain was last verified and found unbroken, Unix time; 0 before that.";
    chain_verified_links: gauges "ledger_chain_verified_links" [CHAIN]
        "Links of the chain that the verification under way, or the last one, has covered.";
    database_up: gauge "database_up" []
        "1 if the database answered when it was last asked, else 0; 0 before it was first reached.";
    database_answer: histograms "database_answer_seconds" []
        "Time until the database answered a short question, with the wait for a connection; asked every 15 s.";
    database_connections: gauges "database_connections" [CONNECTION]
        "Connections to the database.";
    database_retries: counters "database_retries_total" []
        "Times a write was tried again because another one was in its way.";
    schema_version: gauge "database_schema_version" []
        "Version of the database's schema; 0 before it was reached.";
    database_size: gauge "database_size_bytes" []
        "Size of the database on disk, with its log.";
    http_requests: counters "http_requests_total" [ROUTE, METHOD, CODE]
        "HTTP requests answered.";
    http_duration: histograms "http_request_duration_seconds" [ROUTE, METHOD]
        "Time to answer.";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own with every metric in it.
    #[must_use]
    pub fn new() -> Self {
        let metrics = Self::register();
        let program = [env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION")];
        metrics.build_info.with_label_values(&program).set(1);
        metrics.rate_card_is_good(true);
        metrics.families.begin(None);
        #[cfg(target_os = "linux")]
        let _ = metrics.registry().register(Box::new(process::Process::new()));
        metrics
    }

    const fn registry(&self) -> &Registry {
        &self.families.registry
    }

    /// The database answered after that time; or it didn't.
    pub fn database_answered(&self, took: Option<Duration>) {
        self.database_up.set(i64::from(took.is_some()));
        if let Some(took) = took {
            self.database_answer.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        }
    }

    /// Connections in use and idle.
    pub fn connections(&self, in_use: u32, idle: u32) {
        for (state, count) in CONNECTIONS.into_iter().zip([in_use, idle]) {
            self.database_connections.with_label_values(&[state]).set(count.into());
        }
    }

    /// Writes were tried again so many times since the process began.
    pub fn retried(&self, in_all: u64) {
        let counter = self.database_retries.with_label_values::<&str>(&[]);
        counter.inc_by(in_all.saturating_sub(counter.get()));
    }

    pub fn schema_version(&self, version: i64) {
        self.schema_version.set(version);
    }

    /// Months whose invoices should be final by now.
    pub fn periods_overdue(&self, count: usize) {
        self.periods_overdue.set(to_i64(count));
    }

    /// A hash chain that is to be verified.
    pub fn chain(&self, chain: &str) {
        self.families.begin(Some((labels::CHAIN, chain)));
    }

    /// So many links of a chain are verified.
    pub fn chain_verified(&self, chain: &str, links: u64) {
        self.chain_verified_links.with_label_values(&[chain]).set(links.cast_signed());
    }

    /// The verification of a chain came to its end at that time: unbroken, or not.
    pub fn chain_is(&self, chain: &str, broken: bool, now: Timestamp) {
        self.chain_broken.with_label_values(&[chain]).set(i64::from(broken));
        if !broken {
            self.chain_verified.with_label_values(&[chain]).set(now.unix());
        }
    }

    /// Another process verifies the chain.
    pub fn chain_is_anothers(&self, chain: &str) {
        for gauges in [&self.chain_broken, &self.chain_verified, &self.chain_verified_links] {
            gauges.with_label_values(&[chain]).set(0);
        }
    }

    /// Those of one foundation, all at zero.
    #[must_use]
    pub fn foundation(&self, name: &str) -> FoundationMetrics {
        self.families.begin(Some((labels::FOUNDATION, name)));
        FoundationMetrics::new(self, name)
    }

    /// Everything, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        text(&self.registry().gather())
    }

    /// As [`Metrics::render`], without sums of money: for who may know whether it works, and no more.
    #[must_use]
    pub fn render_without_money(&self) -> String {
        let mut families = self.registry().gather();
        families.retain(|family| !family.name().ends_with("_amount"));
        text(&families)
    }

    /// A duty that this process doesn't have yet.
    pub fn duty(&self, duty: &str) {
        self.families.begin(Some((labels::DUTY, duty)));
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

    /// A job is to be done so often.
    pub fn job_every(&self, job: &str, interval: Duration) {
        self.job_interval.with_label_values(&[job]).set(interval.as_secs().cast_signed());
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

    /// How many lines of the open drafts have no price, by kind.
    pub fn unpriced(&self, unpriced: impl Fn(Kind) -> usize) {
        for kind in Kind::ALL {
            self.unpriced_lines.with_label_values(&[kind.name()]).set(to_i64(unpriced(kind)));
        }
    }

    /// What the open drafts come to by currency, and how much of it rests on estimates.
    pub fn accrued<'c>(&self, sums: impl IntoIterator<Item = (&'c str, [f64; 2])>) {
        for gauges in [&self.accrued, &self.accrued_estimated] {
            gauges.reset();
        }
        for (currency, [net, estimated]) in sums {
            self.accrued.with_label_values(&[currency]).set(net);
            self.accrued_estimated.with_label_values(&[currency]).set(estimated);
        }
    }

    /// What the final documents come to, by currency and kind.
    pub fn invoiced<'c>(&self, sums: impl IntoIterator<Item = (&'c str, &'static str, f64)>) {
        self.invoiced.reset();
        for (currency, document, net) in sums {
            self.invoiced.with_label_values(&[currency, document]).set(net);
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

fn text(families: &[MetricFamily]) -> String {
    let mut text = Vec::new();
    // Writing into memory doesn't fail.
    let _ = TextEncoder::new().encode(families, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn to_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
