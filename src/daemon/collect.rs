//! One foundation's task: cycle, wait, cycle, for ever.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Member;
use super::backoff::Backoff;
use super::duties::{Duties, Held};
use super::standing::Standing;
use crate::clock::Clock;
use crate::consumer::{CollectError, Collector, Cycle};
use crate::store::{Lease, Store};
use crate::telemetry::Reporter;

/// Whatever the other side asks for: its rate limit is reset every hour.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Whatever the database had: it costs nobody anything to ask it again, and it is to be noticed soon that it is well.
const LONGEST_FOR_THE_STORE: Duration = Duration::from_secs(15);

/// See the module.
pub(super) struct Collecting {
    pub store: Store,
    pub clock: Clock,
    pub member: Member,
    pub poll_interval: Duration,
    pub stop: CancellationToken,
    pub duties: Duties,
    /// Before the first cycle.
    pub first_wait: Option<Duration>,
    pub reporter: Reporter,
}

impl Collecting {
    pub async fn run(self) {
        let mut backoff = Backoff::default();
        if let Some(wait) = self.first_wait {
            self.clock.sleep_unless_stopped(wait, &self.stop).await;
        }
        self.reporter.alive(true);
        if self.store.is_shared() && self.first_wait.is_none() {
            self.reporter.stands_by();
        }
        let duty = Lease::duty_of(&self.member.plan.foundation);
        while let Some(held) = self.duties.wait_for(&duty).await {
            self.reporter.state("starting");
            Box::pin(self.collect(&held, &mut backoff)).await;
            if !self.stop.is_cancelled() {
                self.reporter.stands_by();
            }
        }
    }

    /// Cycle after cycle, as long as it is this process's duty.
    async fn collect(&self, held: &Held, backoff: &mut Backoff) {
        let mut collector = None;
        let mut waiting_for = None;
        let mut standing = Standing::default();
        while !held.over.is_cancelled() {
            self.reporter.begins();
            let cycle = match &mut collector {
                Some(collector) => Collector::cycle(collector).await,
                None => match self.collector(held).await {
                    Ok(new) => collector.insert(new).cycle().await,
                    Err(error) => Err(error),
                },
            };
            let wait = match cycle {
                Ok(cycle) => {
                    standing.over(&self.reporter);
                    self.tell(&cycle, &mut waiting_for, backoff.failures());
                    backoff.reset();
                    self.poll_interval
                }
                Err(CollectError::Stopped) => return,
                Err(CollectError::Store(error)) if error.is_superseded() => {
                    let foundation = &self.member.plan.foundation;
                    tracing::warn!(%foundation, epoch = held.lease.epoch, "a write was refused: {error}");
                    self.reporter.metrics.failed("superseded");
                    held.doubt();
                    return;
                }
                Err(error) => self.failed(&error, backoff, &mut standing),
            };
            self.clock.sleep_unless_stopped(wait, &held.over).await;
        }
    }

    async fn collector(&self, held: &Held) -> Result<Collector, CollectError> {
        let Member { plan, client } = self.member.clone();
        let (store, clock, stop) = (self.store.under(held.lease.clone()), self.clock.clone(), held.over.clone());
        Ok(Collector::new(store, client, clock, plan, stop, self.reporter.clone()).await?)
    }

    fn tell(&self, cycle: &Cycle, waiting_for: &mut Option<String>, failures: u32) {
        let foundation = &self.member.plan.foundation;
        self.reporter.went_well();
        if failures > 0 {
            tracing::info!(%foundation, failures, "collecting again");
        }
        match cycle {
            Cycle::Waiting(what) => {
                self.reporter.tell(Some(format!("waiting: {what}")), self.clock.now());
                if waiting_for.as_ref() != Some(what) {
                    tracing::info!(%foundation, "waiting: {what}");
                    *waiting_for = Some(what.clone());
                }
            }
            Cycle::CaughtUp(caught) => {
                self.reporter.tell(None, self.clock.now());
                *waiting_for = None;
                if caught.events > 0 {
                    tracing::info!(
                        %foundation, events = caught.events, late = caught.late, entries = caught.entries,
                        anomalies = caught.anomalies, observations = caught.observations, "caught up"
                    );
                }
            }
        }
    }

    /// Logs a failure; gives how long to wait before the next try.
    fn failed(&self, error: &CollectError, backoff: &mut Backoff, standing: &mut Standing) -> Duration {
        let asked = if let CollectError::Api(error) = error { error.retry_after() } else { None };
        let wait = backoff.next_wait().max(asked.unwrap_or_default().min(LONGEST_RETRY_AFTER));
        let is_ours = matches!(error, CollectError::Store(_));
        let wait = if is_ours { wait.min(LONGEST_FOR_THE_STORE) } else { wait };
        let now = self.clock.now();
        let told = match error {
            CollectError::Api(error) => standing.failed(error, self.member.plan.onboarding, now, &self.reporter),
            error => {
                standing.over(&self.reporter);
                error.to_string()
            }
        };
        self.reporter.tell(Some(told.clone()), now);
        self.reporter.failed();
        let reason = match error {
            CollectError::Api(_) | CollectError::NotRead { .. } | CollectError::Stopped => "api",
            CollectError::Store(_) => "store",
            CollectError::CheckpointLost { stream, .. } => {
                self.reporter.metrics.checkpoint_lost(*stream, true);
                self.reporter.state("failed");
                "checkpoint_lost"
            }
            CollectError::ClockSkew { .. } => {
                self.reporter.state("failed");
                "clock_skew"
            }
            CollectError::ScopeLost { .. } => {
                self.reporter.state("failed");
                "scope_lost"
            }
            CollectError::Held(_) => {
                self.reporter.state("held");
                "held"
            }
            CollectError::Imported(_) | CollectError::SnapshotUnusable { .. } => {
                self.reporter.state("failed");
                "refused"
            }
        };
        self.reporter.metrics.failed(reason);
        tracing::error!(
            foundation = %self.member.plan.foundation, retry_in_seconds = wait.as_secs().max(1), "{told}"
        );
        wait
    }
}
