//! What the daemon is doing, for its pages and health checks: written by those who do it, read by the HTTP server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

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
        self.detail = detail;
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Board {
    foundations: Arc<Mutex<BTreeMap<String, FoundationStatus>>>,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, FoundationStatus>> {
        self.foundations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is told of a foundation.
    pub fn update(&self, foundation: &str, change: impl FnOnce(&mut FoundationStatus)) {
        change(self.lock().entry(foundation.to_owned()).or_default());
    }

    /// What is told of every foundation, by name.
    #[must_use]
    pub fn foundations(&self) -> BTreeMap<String, FoundationStatus> {
        self.lock().clone()
    }
}
