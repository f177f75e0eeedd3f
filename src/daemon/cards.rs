//! The rate card in use: read anew on SIGHUP and when its files change, whole or not at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::billing_run::{Card, CardError, hash_of, read_text};
use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::Metrics;

/// How often it is looked whether its files changed. Their text is compared: a mounted volume tells of no change.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// See the module.
pub(super) struct Cards {
    pub path: PathBuf,
    pub zone: Tz,
    pub store: Store,
    pub clock: Clock,
    pub metrics: Metrics,
    pub stop: CancellationToken,
    /// The card in use; `None` until one could be used.
    pub used: watch::Sender<Option<Arc<Card>>>,
    /// What was looked at last, and decided on: its hash, or why it can't be read.
    pub seen: Option<String>,
    /// The hash at the last look: what somebody is just writing is another at the next.
    pub last: Option<String>,
}

impl Cards {
    /// Looks again and again, until told to stop.
    pub async fn run(mut self) {
        let mut hangup = signal(SignalKind::hangup()).ok();
        if hangup.is_none() {
            tracing::warn!("can't listen for SIGHUP; the rate card is still read again when its files change");
        }
        loop {
            self.look(false).await;
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = told(&mut hangup) => {
                    tracing::info!("SIGHUP: the rate card is read again");
                    self.seen = None;
                    self.look(true).await;
                }
                // In real time, whatever clock the foundations live by: files are changed by people.
                () = Clock::System.sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// Takes the card as it now is on disk, if it changed and can be used; one that is being written only once two
    /// looks find the same, unless it is wanted at once.
    pub async fn look(&mut self, at_once: bool) {
        let text = match read_text(&self.path) {
            Ok(text) => text,
            Err(error) => {
                let reason = error.to_string();
                if self.seen.as_ref() != Some(&reason) {
                    self.refuse(&error);
                    self.seen = Some(reason);
                }
                return;
            }
        };
        let hash = hash_of(&text);
        let is_whole = at_once || self.last.as_ref() == Some(&hash);
        self.last = Some(hash.clone());
        if self.seen.as_ref() != Some(&hash) && is_whole && self.decide(text).await {
            self.seen = Some(hash);
        }
        let next = self.used.borrow().as_ref().and_then(|card| card.rates.next_edge(self.clock.now()));
        self.metrics.rate_card_next(next);
    }

    /// Accepts or refuses; false if that can't be decided now.
    async fn decide(&self, text: String) -> bool {
        let name = self.path.display().to_string();
        let card = match Card::parse(&name, text, self.zone) {
            Ok(card) => card,
            Err(problems) => {
                self.refuse(&CardError::Wrong(problems));
                return true;
            }
        };
        match card.keeps_what_is_invoiced(&self.store).await {
            Ok(()) => {}
            Err(CardError::Store(error)) => {
                tracing::warn!(task = "rates", "can't compare the rate card with what is invoiced yet: {error}");
                return false;
            }
            Err(error) => {
                self.refuse(&error);
                return true;
            }
        }
        for warning in &card.warnings {
            tracing::warn!(task = "rates", "{warning}");
        }
        let version = card.stored.hash.get(..12).unwrap_or_default().to_owned();
        tracing::info!(task = "rates", name = card.stored.name, version, "rate card in use");
        self.metrics.rate_card_is_good(true);
        self.metrics.rate_card(&card.stored.name, &version);
        self.used.send_replace(Some(Arc::new(card)));
        true
    }

    fn refuse(&self, error: &CardError) {
        self.metrics.rate_card_is_good(false);
        match error {
            CardError::Wrong(problems) | CardError::Past(problems) => {
                for problem in problems {
                    tracing::error!(task = "rates", "{problem}");
                }
            }
            error => tracing::error!(task = "rates", "{error}"),
        }
        let kept = self.used.borrow().as_ref().map(|card| card.stored.hash.get(..12).unwrap_or_default().to_owned());
        if let Some(version) = kept {
            tracing::error!(task = "rates", version, "the new rate card is refused; the one before stays in use");
        } else {
            tracing::error!(task = "rates", "there is no usable rate card; drafts aren't computed");
        }
    }
}

/// Once told to read again; never, if that can't be heard.
async fn told(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
