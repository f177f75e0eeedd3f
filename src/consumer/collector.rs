//! The collector of one foundation: onboards it, then reads what is new, cycle after cycle.
//! Owns what one cycle is and what is held between two; never waits, and never decides what an event means.

use std::collections::{BTreeMap, HashSet};

use tokio_util::sync::CancellationToken;

use super::compare::{Look, Repair};
use super::held::Held;
use super::page::{NewInput, Page, PageReport, commit};
use super::strategy::choose_strategy;
use crate::clock::Clock;
use crate::cloud_controller::{ApiError, Client};
use crate::domain::{
    EventId, FoundationHead, GapReason, Guid, Kind, Place, RowList, RowObservation, Settings, Strategy, Stream,
    Timestamp,
};
use crate::fold::Input;
use crate::store::{LabelRows, Onboarding, OnboardingStage, PageOrigin, Store, StoreError, StoredGap};
use crate::telemetry::Reporter;

/// How often it is looked whether there is something to seal or prune, in seconds.
const RETAIN_INTERVAL_SECONDS: i64 = 86_400;
/// A seal is followed by the next after this long, in seconds.
const SEAL_INTERVAL_SECONDS: i64 = 14 * 86_400;

/// What is to be collected, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name in the book.
    pub foundation: String,
    /// Of the fold; the epoch is found at onboarding.
    pub settings: Settings,
    /// Where its baseline comes from; `None`: from the best there is.
    pub onboarding: Option<Strategy>,
    /// Bill from this instant, if it is later than the baseline; kept records: from this instant.
    pub billing_from: Option<Timestamp>,
    /// How long after its time an event may still appear, in seconds.
    pub sweep_window_seconds: i64,
    /// Seconds between two sweeps.
    pub sweep_interval_seconds: i64,
    /// After this many seconds a snapshot that isn't complete is given up for an older one that is.
    pub snapshot_patience_seconds: i64,
    /// Seconds between two looks at which processes were changed.
    pub observe_interval_seconds: i64,
    /// Seconds between two comparisons of the ledger with everything that runs.
    pub reconcile_interval_seconds: i64,
    /// After so many seconds raw events are pruned; `None`: they stay.
    pub keep_events_seconds: Option<i64>,
}

/// What one cycle came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// Onboarding can't go on yet, and why.
    Waiting(String),
    /// Both streams were read to their end.
    CaughtUp(Caught),
}

/// Rows that couldn't be read when they were last looked at.
pub(super) type Unreadable = BTreeMap<(RowList, Guid), Noted>;

/// What was noted of a row.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    pub last: RowObservation,
    /// When it was first noted that it can't be read.
    pub since: Timestamp,
}

/// How much a cycle read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// New events archived.
    pub events: usize,
    /// Those among them placed behind others.
    pub late: usize,
    pub entries: usize,
    pub anomalies: usize,
    /// Disk observations archived.
    pub observations: usize,
    /// Resources settled by what runs.
    pub settled: usize,
}

/// Why a cycle ended before its end. What it committed stays; the next goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "the checkpoint of the {stream} events, {}, is gone\n\
         hint: the events were purged or pruned; reading begins again at the first event that is left",
        .checkpoint.as_ref().map_or_else(|| "before the first".to_owned(), |event| format!("{} of {}", event.guid, event.created_at))
    )]
    CheckpointLost { stream: Stream, checkpoint: Option<EventId>, reason: GapReason },
    #[error(
        "Cloud Controller no longer shows any {stream} events, not even the checkpoint, {guid} of {created_at}\n\
         hint: give the client cloud_controller.admin_read_only or cloud_controller.global_auditor again; nothing was changed, and reading goes on at the checkpoint",
        guid = .checkpoint.guid, created_at = .checkpoint.created_at
    )]
    ScopeLost { stream: Stream, checkpoint: EventId },
    #[error(
        "foundation `{0}` was imported, not collected: nothing is known of what ran before its first event\n\
         hint: collect it under another name, or into another database"
    )]
    Imported(String),
    #[error(
        "the {stream} snapshot {guid} {what}\n\
         hint: collect into a fresh database, so that a new snapshot is requested"
    )]
    SnapshotUnusable { stream: Stream, guid: Guid, what: String },
    #[error(
        "the events up to the lists of {listed_at} aren't read yet: usage is known until {}",
        .known_until.map_or_else(|| "no time".to_owned(), |at| at.to_string())
    )]
    NotRead { listed_at: Timestamp, known_until: Option<Timestamp> },
    #[error(
        "billing of `{foundation}` hasn't begun: our clock says {ours}, Cloud Controller's says {theirs}, {apart} s apart\n\
         hint: set the wrong clock; if Cloud Controller's is right, `cf-billing foundations accept-clock {foundation}`, or set billing_from",
        apart = .ours.seconds_since(*.theirs).abs()
    )]
    ClockSkew { foundation: String, ours: Timestamp, theirs: Timestamp },
    #[error(transparent)]
    Held(#[from] Held),
    #[error("stopped")]
    Stopped,
}

/// See the module.
#[derive(Debug)]
pub struct Collector {
    pub(super) store: Store,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) plan: Plan,
    stop: CancellationToken,
    pub(super) head: FoundationHead,
    /// Where its tokens come from, as the book has it.
    uaa: Option<String>,
    /// Organizations that have no name to be read.
    pub(super) gone_organizations: HashSet<Guid>,
    /// When all organizations' names were last read.
    pub(super) named_at: Option<Timestamp>,
    /// When labels were last read.
    pub(super) labelled_at: Option<Timestamp>,
    /// As they were then.
    pub(super) labels: Option<LabelRows>,
    pub(super) caught: Caught,
    pub(super) reporter: Reporter,
    /// When it was last looked whether there is something to prune.
    retained_at: Option<Timestamp>,
    /// What is open was counted since the start.
    counted: bool,
    /// It was found to be the foundation that the book knows.
    pub(super) recognised: bool,
    /// The foundation's gaps.
    pub(super) gaps: Vec<StoredGap>,
    /// Rows that couldn't be read when last looked at; `None`: to be looked up.
    pub(super) unreadable: Option<Unreadable>,
}

impl Collector {
    /// A collector that goes on where the store says; nothing is asked for yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn new(
        store: Store,
        client: Client,
        clock: Clock,
        plan: Plan,
        stop: CancellationToken,
        reporter: Reporter,
    ) -> Result<Self, StoreError> {
        let head = store.foundation(&plan.foundation).await?;
        let uaa = store.uaa(&head).await?;
        // Under another address nothing is sent before somebody says that it is right; and then its own UAA is.
        let pinned = store.pin(&head).await?.and_then(|pin| pin.api);
        if let Some(uaa) = uaa.as_ref().filter(|_| pinned.is_none_or(|api| api == client.api())) {
            client.pin_uaa(uaa.clone());
        }
        Ok(Self {
            uaa,
            store,
            client,
            clock,
            plan,
            stop,
            head,
            gone_organizations: HashSet::new(),
            named_at: None,
            labelled_at: None,
            labels: None,
            caught: Caught::default(),
            reporter,
            retained_at: None,
            counted: false,
            recognised: false,
            gaps: Vec::new(),
            unreadable: None,
        })
    }

    /// Goes as far as it can without waiting: onboards, reads both streams to their end, observes what no event tells.
    ///
    /// # Errors
    /// [`CollectError`]. The next cycle goes on from what was committed.
    pub async fn cycle(&mut self) -> Result<Cycle, CollectError> {
        self.caught = Caught::default();
        self.head = self.store.foundation(&self.plan.foundation).await?;
        if self.head.last_sequence > 0 && !self.head.collected {
            return Err(CollectError::Imported(self.head.name.clone()));
        }
        let begun = self.store.onboarding(&self.head).await?;
        if begun.is_none_or(|onboarding| onboarding.stage != OnboardingStage::Complete) {
            // Nothing that is read shows yet whose it is: each cycle makes sure.
            self.recognised = false;
        }
        // How far the book is, whatever answers, and whether anything does.
        self.report();
        self.recognise().await?;
        let mut onboarding = self.onboarding().await?;
        self.keep_uaa().await?;
        self.reporter.state(state(onboarding.stage));
        self.reporter.metrics.strategy(Some(onboarding.strategy));
        self.report();
        if let Some(waiting) = self.onboard(&mut onboarding).await? {
            return Ok(Cycle::Waiting(waiting));
        }
        self.keep_settings().await?;
        self.load_gaps().await?;
        let changed = self.look().await?;
        // One stream that can't be read doesn't keep the other from being read.
        let app = self.read_over_gaps(Stream::App, &onboarding).await;
        let service = self.read_over_gaps(Stream::Service, &onboarding).await;
        let (app, service) = (app?, service?);
        self.keep_uaa().await?;
        self.observe(changed, app, app.min(service)).await?;
        self.sweep(&onboarding).await?;
        if onboarding.stage == OnboardingStage::Replay && onboarding.strategy == Strategy::KeptRecords {
            self.enter(&mut onboarding, OnboardingStage::Complement).await?;
        }
        if onboarding.stage == OnboardingStage::Complement {
            self.take_complement().await?;
        }
        self.settle_gaps(&onboarding).await?;
        self.reconcile_if_due(&onboarding).await?;
        self.retain().await?;
        if onboarding.stage != OnboardingStage::Complete {
            onboarding.stage = OnboardingStage::Complete;
            onboarding.completed_at = Some(self.measured());
            self.store.put_onboarding(&self.head, &onboarding).await?;
            tracing::info!(foundation = %self.head.name, "onboarding is complete");
        }
        self.reporter.state(state(onboarding.stage));
        self.count_open().await?;
        self.report_skew();
        Ok(Cycle::CaughtUp(self.caught))
    }

    /// Reads both streams to their end, then compares the ledger with everything that runs, and settles what `repair` says.
    /// `None` while the foundation isn't onboarded.
    ///
    /// # Errors
    /// [`CollectError`].
    pub async fn look_now(&mut self, repair: Repair) -> Result<Option<Look>, CollectError> {
        if let Cycle::Waiting(_) = self.cycle().await? {
            return Ok(None);
        }
        let onboarding = self.onboarding().await?;
        self.reconcile(&onboarding, repair).await.map(Some)
    }

    /// Once a day: seals the ledger if the last seal is old, and prunes what is older than it is to be kept.
    async fn retain(&mut self) -> Result<(), CollectError> {
        let Some(keep) = self.plan.keep_events_seconds else { return Ok(()) };
        let now = self.clock.now();
        if self.retained_at.is_some_and(|at| now.seconds_since(at) < RETAIN_INTERVAL_SECONDS) {
            return Ok(());
        }
        self.retained_at = Some(now);
        let seals = self.store.seals(&self.head).await?;
        if seals.last().is_none_or(|seal| now.seconds_since(seal.sealed_at) >= SEAL_INTERVAL_SECONDS) {
            self.store.seal(&self.head, now).await?;
            tracing::info!(foundation = %self.head.name, sequence = self.head.last_sequence, "the ledger is sealed");
        }
        let pruned = self.store.prune(&self.head, now.plus(-keep)).await?;
        if pruned > 0 {
            tracing::info!(foundation = %self.head.name, inputs = pruned, "old events are pruned to their guids");
        }
        Ok(())
    }

    /// Tells how far it is.
    fn report(&self) {
        let epoch = self.head.current_settings().billing_epoch;
        let rated_through = self.head.rated_through(self.plan.sweep_window_seconds);
        self.reporter.progress(epoch, &self.head.progress, rated_through);
    }

    /// Counts what is open, if that may have changed.
    async fn count_open(&mut self) -> Result<(), StoreError> {
        if self.counted && self.caught == Caught::default() {
            return Ok(());
        }
        let totals = self.store.open_totals(&self.head).await?;
        let of = |kind: Kind| totals.iter().find(|total| total.kind == kind);
        let processes = of(Kind::Process);
        self.reporter.metrics.open(
            |kind| of(kind).map_or(0, |total| total.intervals),
            processes.map_or(0, |total| total.instances),
            processes.map_or(0, |total| total.memory_mib),
        );
        self.counted = true;
        Ok(())
    }

    async fn onboarding(&self) -> Result<Onboarding, CollectError> {
        if self.head.last_sequence > 0 && !self.head.collected {
            return Err(CollectError::Imported(self.head.name.clone()));
        }
        if let Some(onboarding) = self.store.onboarding(&self.head).await? {
            // While nothing is taken, another way may be configured: where snapshots can't be read for good.
            let another = self.plan.onboarding.is_some_and(|configured| configured != onboarding.strategy);
            if !another || onboarding.stage != OnboardingStage::Snapshots {
                return Ok(onboarding);
            }
        }
        let (strategy, reason) = self.ask(choose_strategy(&self.client, self.plan.onboarding)).await?;
        tracing::info!(foundation = %self.head.name, strategy = strategy.name(), "onboarding: {reason}");
        let onboarding = Onboarding::new(strategy, &reason, self.client.last_date());
        self.store.put_onboarding(&self.head, &onboarding).await?;
        Ok(onboarding)
    }

    /// Keeps where tokens came from: the next start holds on to it.
    async fn keep_uaa(&mut self) -> Result<(), CollectError> {
        let Some(used) = self.client.uaa_in_use().await.filter(|used| self.uaa.as_ref() != Some(used)) else {
            return Ok(());
        };
        if let Some(before) = &self.uaa {
            tracing::warn!(foundation = %self.head.name, "tokens now come from {used}, as configured; before, from {before}");
        }
        self.store.put_uaa(&self.head, &used).await?;
        self.uaa = Some(used);
        Ok(())
    }

    /// Archives the configured settings of the fold where they differ from those in force.
    async fn keep_settings(&mut self) -> Result<(), CollectError> {
        let current = self.head.current_settings();
        let wanted = Settings {
            billing_epoch: current.billing_epoch,
            unlisted_tasks_until: current.unlisted_tasks_until,
            ..self.plan.settings.clone()
        };
        if wanted == current {
            return Ok(());
        }
        self.put_settings(wanted).await
    }

    pub(super) async fn put_settings(&mut self, settings: Settings) -> Result<(), CollectError> {
        let mut page = self.page();
        page.inputs = vec![NewInput::own(Place::default(), Input::Settings(settings))];
        self.commit(None, page).await?;
        Ok(())
    }

    /// Cancelled when it is to stop.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// An empty page on top of what is committed.
    pub(super) fn page(&self) -> Page {
        Page::new(PageOrigin::Collector, self.clock.now(), &self.head)
    }

    /// Commits a page, of a stream's events if one is named; never cancelled.
    pub(super) async fn commit(&mut self, stream: Option<Stream>, page: Page) -> Result<PageReport, CollectError> {
        let report = commit(&self.store, &self.head, page).await?;
        self.head = report.head.clone();
        self.caught.late += report.late;
        self.caught.entries += report.entries;
        self.caught.anomalies += report.anomalies;
        self.reporter.metrics.committed(stream, &report.counts);
        self.reporter.committed();
        self.report();
        Ok(report)
    }

    /// Waits for an answer, or until it is to stop.
    pub(super) async fn ask<T>(
        &self,
        answer: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<T, CollectError> {
        unless_stopped(&self.stop, answer).await
    }
}

/// As [`Collector::ask`], while the collector is busy with something else.
pub(super) async fn unless_stopped<T>(
    stop: &CancellationToken,
    answer: impl Future<Output = Result<T, ApiError>> + Send,
) -> Result<T, CollectError> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(CollectError::Stopped),
        answer = answer => Ok(answer?),
    }
}

/// The word for a stage that metrics and pages use.
const fn state(stage: OnboardingStage) -> &'static str {
    match stage {
        OnboardingStage::Complete => "live",
        stage => stage.name(),
    }
}
