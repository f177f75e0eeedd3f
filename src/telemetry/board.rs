//! What the daemon is doing, for its pages and health checks: written by those who do it, read by the HTTP server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;

use super::Health;
use crate::clock::Stopwatch;
use crate::domain::Timestamp;

/// One foundation's collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FoundationStatus {
    /// As in the metric `cf_billing_onboarding_state`.
    pub state: &'static str,
    /// Its task lives.
    pub alive: bool,
    /// What it waits for, or the error it met last, if that isn't over.
    pub detail: Option<String>,
    /// Since when there is something to tell in `detail`.
    pub since: Option<Timestamp>,
    /// When it was told last.
    pub last: Option<Timestamp>,
    pub known_until: Option<Timestamp>,
    pub billing_epoch: Option<Timestamp>,
    pub app_checkpoint: Option<Timestamp>,
    pub service_checkpoint: Option<Timestamp>,
}

impl Default for FoundationStatus {
    fn default() -> Self {
        Self {
            state: "starting",
            alive: true,
            detail: None,
            since: None,
            last: None,
            known_until: None,
            billing_epoch: None,
            app_checkpoint: None,
            service_checkpoint: None,
        }
    }
}

impl FoundationStatus {
    /// Tells something, or that there is nothing to tell any more.
    pub fn tell(&mut self, detail: Option<String>, now: Timestamp) {
        if detail.is_none() {
            self.since = None;
        } else if self.detail.is_none() {
            self.since = Some(now);
        }
        self.last = detail.is_some().then_some(now);
        self.detail = detail;
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Board {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    foundations: BTreeMap<String, (FoundationStatus, Health)>,
    /// Why the database can't be written, and since when.
    not_written: Option<(String, Stopwatch)>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is told of a foundation.
    pub fn update(&self, foundation: &str, change: impl FnOnce(&mut FoundationStatus)) {
        change(&mut self.lock().foundations.entry(foundation.to_owned()).or_default().0);
    }

    /// What is told of every foundation, by name.
    #[must_use]
    pub fn foundations(&self) -> BTreeMap<String, FoundationStatus> {
        self.lock().foundations.iter().map(|(name, (status, _))| (name.clone(), status.clone())).collect()
    }

    /// Notes what shows whether a foundation is collected.
    pub fn note(&self, foundation: &str, change: impl FnOnce(&mut Health)) {
        change(&mut self.lock().foundations.entry(foundation.to_owned()).or_default().1);
    }

    /// Notes what the book says of a foundation that another process collects.
    pub fn looked_up(&self, foundation: &str, known_until: Option<Timestamp>) {
        self.note(foundation, |health| health.looked_up(known_until));
    }

    /// How a foundation's collection does.
    #[must_use]
    pub fn health(&self, foundation: &str) -> Health {
        self.lock().foundations.get(foundation).map(|(_, health)| *health).unwrap_or_default()
    }

    /// The database was written, or couldn't be, for that reason.
    pub fn writes(&self, failed: Option<String>) {
        let mut inner = self.lock();
        inner.not_written = failed.map(|reason| {
            let since = inner.not_written.take().map_or_else(Stopwatch::start, |(_, since)| since);
            (reason, since)
        });
    }

    /// Why the database couldn't be written, if it couldn't for at least that long.
    #[must_use]
    pub fn not_written_for(&self, limit: Duration) -> Option<String> {
        let inner = self.lock();
        let (reason, since) = inner.not_written.as_ref()?;
        (since.elapsed() >= limit).then(|| reason.clone())
    }
}
