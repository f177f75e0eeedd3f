//! The drafts of this month and the last, computed at intervals, so that what lacks a price is seen in time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cards::Cards;
use super::duties::{DRAFTS, Duties, Held};
use crate::billing_run::{BillingError, BillingRun, Card};
use crate::clock::{Clock, Stopwatch};
use crate::config::Configuration;
use crate::domain::{Amount, Month};
use crate::invoicing::Status;
use crate::rate_card::names_of_several;
use crate::store::{InvoiceFilter, Store, StoreError, StoredInvoice};
use crate::telemetry::Metrics;

/// How often it is looked whether anything was collected yet.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Until the next try where there was nothing to draft, or it failed.
const AFTER_NOTHING: Duration = Duration::from_mins(1);

/// See the module.
pub(super) struct Drafting {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Metrics,
    pub configuration: Arc<Configuration>,
    pub stop: CancellationToken,
    pub duties: Duties,
}

#[derive(Debug, thiserror::Error)]
enum DraftError {
    #[error(transparent)]
    Billing(#[from] BillingError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Drafting {
    pub async fn run(self) {
        let Some(rates) = self.configuration.billing.rates.clone() else {
            self.stop.cancelled().await;
            return;
        };
        let used = watch::Sender::new(None);
        let mut card = used.subscribe();
        let mut cards = Cards {
            path: rates,
            zone: self.configuration.billing.time_zone,
            store: self.store.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.clone(),
            used,
            seen: None,
            last: None,
        };
        cards.look(true).await;
        tokio::join!(cards.run(), self.draft_on_duty(&mut card));
    }

    async fn draft_on_duty(&self, card: &mut watch::Receiver<Option<Arc<Card>>>) {
        while let Some(held) = self.duties.wait_for(DRAFTS).await {
            self.draft_while(&held, card).await;
            // Another process tells of them now.
            self.metrics.drafts(|_| 0, []);
            for status in Status::ALL {
                self.metrics.invoices(status.name(), 0);
            }
            self.metrics.invoice_differences(0, 0);
            self.metrics.periods_overdue(0);
        }
    }

    /// As long as it is this process's duty.
    async fn draft_while(&self, held: &Held, card: &mut watch::Receiver<Option<Arc<Card>>>) {
        let store = self.store.under(held.lease.clone());
        while !held.over.is_cancelled() {
            let used = card.borrow_and_update().clone();
            let Some(used) = used else {
                self.clock.sleep_unless_stopped(FIRST_WAIT, &held.over).await;
                continue;
            };
            if !self.anything_collected().await {
                self.clock.sleep_unless_stopped(FIRST_WAIT, &held.over).await;
                continue;
            }
            let watch = Stopwatch::start();
            // Given up half-way, nothing of it is written.
            let drafted = tokio::select! {
                biased;
                () = held.over.cancelled() => return,
                drafted = self.draft(&store, &used) => drafted,
            };
            self.metrics.job("draft", watch.elapsed(), drafted.is_ok().then(|| self.clock.now()));
            // What has just begun to be collected is drafted soon again.
            let soon = !matches!(drafted, Ok(count) if count > 0);
            match drafted {
                Ok(count) => tracing::info!(task = "draft", drafts = count, "drafts computed"),
                Err(error) => {
                    tracing::error!(task = "draft", "{error}");
                    if matches!(&error, DraftError::Store(error) if error.is_superseded()) {
                        held.doubt();
                    }
                }
            }
            let interval = self.configuration.billing.draft_interval;
            let wait = if soon { interval.min(AFTER_NOTHING) } else { interval };
            // Another card is another draft.
            tokio::select! {
                _ = self.clock.sleep_unless_stopped(wait, &held.over) => {}
                Ok(()) = card.changed() => {}
            }
        }
    }

    async fn anything_collected(&self) -> bool {
        let foundations = self.store.foundations().await;
        foundations.is_ok_and(|foundations| foundations.iter().any(|head| head.known_until.is_some()))
    }

    /// Computes the drafts; gives how many there are.
    async fn draft(&self, store: &Store, card: &Card) -> Result<usize, DraftError> {
        let run = BillingRun::new(&self.configuration, store, &self.clock, card)?;
        let this = Month::of(self.clock.now(), self.configuration.billing.time_zone);
        let mut drafts = Vec::new();
        for month in [this.previous(), this] {
            let drafted = run.draft(month, None).await?;
            for account in drafted.uncountable {
                tracing::error!(task = "draft", %month, "too much usage to count; nothing of it is charged: {account}");
            }
            drafts.extend(drafted.invoices);
        }
        self.tell(&drafts);
        for problem in names_of_several(&card.rates, &self.store.seen().await?) {
            tracing::warn!(task = "draft", "{problem}");
        }
        let mut overdue = BTreeSet::new();
        for status in Status::ALL {
            let filter = InvoiceFilter { status: Some(status), ..InvoiceFilter::default() };
            let invoices = self.store.invoices(&filter).await?;
            self.metrics.invoices(status.name(), invoices.len());
            if status != Status::Final {
                overdue.extend(invoices.iter().map(|one| one.document.month).filter(|month| self.is_overdue(*month)));
            }
        }
        self.metrics.periods_overdue(overdue.len());
        let differences = self.store.recalculations().await?;
        let less = differences.iter().filter(|one| one.net < Amount::default()).count();
        self.metrics.invoice_differences(differences.len() - less, less);
        Ok(drafts.len())
    }

    /// Whether invoices of a month should be final by now.
    fn is_overdue(&self, month: Month) -> bool {
        let over = month.span(self.configuration.billing.time_zone).to;
        over.plus(self.configuration.billing.grace_seconds) < self.clock.now()
    }

    fn tell(&self, drafts: &[StoredInvoice]) {
        let lines = || drafts.iter().flat_map(|draft| draft.document.lines()).filter(|line| line.charge.is_none());
        let unpriced = |kind| lines().filter(|line| line.key.kind == kind).count();
        let currencies: BTreeSet<_> = drafts.iter().map(|draft| draft.document.currency.code().to_owned()).collect();
        let sum = |code: &str| {
            let of = drafts.iter().map(|draft| &draft.document).filter(|invoice| invoice.currency.code() == code);
            let amounts = of.clone().fold(0_i64, |sum, invoice| sum.saturating_add(invoice.net.0));
            let currency = of.map(|invoice| invoice.currency).next();
            // For display: a gauge is a float.
            currency.and_then(|currency| Amount(amounts).in_major_units(currency).to_string().parse().ok())
        };
        let accrued: Vec<(&str, f64)> =
            currencies.iter().filter_map(|code| Some((code.as_str(), sum(code)?))).collect();
        self.metrics.drafts(unpriced, accrued);
        let count: usize = lines().count();
        if count > 0 {
            tracing::warn!(lines = count, "usage without a price: add rates, or `free = true`");
        }
    }
}
