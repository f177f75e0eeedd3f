//! The hash chains, verified piece by piece in the background, again and again: who changed a row is found within a day.

use std::collections::BTreeSet;
use std::time::Duration;

use super::duties::{Duties, Held, VERIFICATION};
use crate::clock::{Clock, Stopwatch};
use crate::domain::FoundationHead;
use crate::store::{CHAIN_OF_AUDIT, Store, StoreError, VerifiedAudit, Verifying, chain_of_foundation, chain_of_series};
use crate::telemetry::Metrics;

/// Links verified in one transaction.
const PIECE: u32 = 20;
/// After a piece it rests for so many times as long as the piece took: the daemon has better things to do.
const RESTS: u32 = 4;
const SHORTEST_REST: Duration = Duration::from_millis(10);
/// Until the next try after a failure.
const AFTER_FAILURE: Duration = Duration::from_mins(1);

/// See the module.
pub(super) struct Verifier {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Metrics,
    pub duties: Duties,
    /// Between the end of one verification of everything and the next, in real time, whatever clock the foundations live by.
    pub interval: Duration,
}

impl Verifier {
    pub async fn run(self) {
        while let Some(held) = self.duties.wait_for(VERIFICATION).await {
            let mut chains = BTreeSet::new();
            while !held.over.is_cancelled() {
                let watch = Stopwatch::start();
                let verified = tokio::select! {
                    biased;
                    () = held.over.cancelled() => break,
                    verified = self.verify_all(&held, &mut chains) => verified,
                };
                self.metrics.job("verify", watch.elapsed(), verified.is_ok().then(|| self.clock.now()));
                let wait = match verified {
                    Ok(()) => self.interval,
                    Err(error) => {
                        tracing::warn!(task = "verify", "can't verify the hash chains now: {error}");
                        self.interval.min(AFTER_FAILURE)
                    }
                };
                Clock::System.sleep_unless_stopped(wait, &held.over).await;
            }
            // Another process tells of them now.
            for chain in chains {
                self.metrics.chain_is_anothers(&chain);
            }
        }
    }

    /// Verifies every chain once; notes which there are.
    async fn verify_all(&self, held: &Held, chains: &mut BTreeSet<String>) -> Result<(), StoreError> {
        let generation = self.store.generation();
        for head in self.store.foundations().await? {
            let chain = chain_of_foundation(&head.name);
            chains.insert(chain.clone());
            let found = self.verify_foundation(&head, &chain, held, generation).await?;
            self.tell(&chain, found);
        }
        let all_series = self.store.verify_invoices().await?;
        self.still(generation)?;
        for series in all_series {
            let chain = chain_of_series(&series.name);
            chains.insert(chain.clone());
            self.metrics.chain_verified(&chain, series.invoices);
            self.tell(&chain, series.broken);
        }
        chains.insert(CHAIN_OF_AUDIT.to_owned());
        let mut audit = VerifiedAudit::default();
        loop {
            let watch = Stopwatch::start();
            let is_more = self.store.verify_audit_piece(&mut audit).await?;
            self.still(generation)?;
            self.metrics.chain_verified(CHAIN_OF_AUDIT, audit.links);
            if !is_more {
                break;
            }
            self.rest(&watch, held).await;
        }
        self.tell(CHAIN_OF_AUDIT, audit.told());
        Ok(())
    }

    /// What of a foundation's chain is broken.
    async fn verify_foundation(
        &self,
        head: &FoundationHead,
        chain: &str,
        held: &Held,
        generation: u64,
    ) -> Result<Option<String>, StoreError> {
        let mut verifying = Verifying::default();
        while !verifying.is_over {
            let watch = Stopwatch::start();
            self.store.verify_on(head, &mut verifying, PIECE).await?;
            self.still(generation)?;
            self.metrics.chain_verified(chain, verifying.verified.links);
            self.rest(&watch, held).await;
        }
        Ok(verifying.verified.broken)
    }

    /// After a piece.
    async fn rest(&self, watch: &Stopwatch, held: &Held) {
        let rest = (watch.elapsed() * RESTS).max(SHORTEST_REST);
        Clock::System.sleep_unless_stopped(rest, &held.over).await;
    }

    /// On another server the links may not be those that were verified before: nothing can be said of them together.
    fn still(&self, generation: u64) -> Result<(), StoreError> {
        if self.store.generation() == generation { Ok(()) } else { Err(StoreError::Elsewhere(self.store.location())) }
    }

    fn tell(&self, chain: &str, found: Option<String>) {
        self.metrics.chain_is(chain, found.is_some(), self.clock.now());
        if let Some(found) = found {
            tracing::error!(
                task = "verify",
                chain,
                "the hash chain is broken: {found}\nhint: somebody changed the database; restore it from a backup made before \
                 that. `cf-billing ledger verify` shows every break"
            );
        }
    }
}
