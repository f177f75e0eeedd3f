//! The drafts of this month and the last, computed at intervals, so that what lacks a price is seen in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::cards::Cards;
use super::duties::{DRAFTS, Duties, Held};
use crate::billing_run::{BillingError, BillingRun, Card};
use crate::clock::{Clock, Stopwatch};
use crate::config::Configuration;
use crate::domain::{Amount, Currency, Month};
use crate::invoicing::{Document, DocumentKind, Status};
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
            self.metrics.unpriced(|_| 0);
            self.metrics.accrued([]);
            self.metrics.invoiced([]);
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
            if status == Status::Final {
                self.tell_invoiced(&invoices);
            } else {
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
        self.metrics.unpriced(unpriced);
        let of = |amount: fn(&Document) -> Amount| {
            sums(drafts.iter().map(|draft| (draft.document.currency, amount(&draft.document))))
        };
        let (net, estimated) = (of(|document| document.net), of(Document::estimated));
        let both = net.iter().map(|(code, net)| (*code, [*net, estimated.get(code).copied().unwrap_or_default()]));
        self.metrics.accrued(both);
        let count: usize = lines().count();
        if count > 0 {
            tracing::warn!(lines = count, "usage without a price: add rates, or `free = true`");
        }
    }

    fn tell_invoiced(&self, invoices: &[StoredInvoice]) {
        let of = |kind: DocumentKind| {
            let documents = invoices.iter().map(|one| &one.document).filter(move |document| document.kind() == kind);
            let sums = sums(documents.map(|document| (document.currency, document.net)));
            sums.into_iter().map(move |(code, net)| (code, kind.name(), net))
        };
        self.metrics.invoiced(DocumentKind::ALL.into_iter().flat_map(of));
    }
}

/// Sums by currency in major units. For display: a gauge is a float.
fn sums(amounts: impl Iterator<Item = (Currency, Amount)>) -> BTreeMap<&'static str, f64> {
    let mut sums: BTreeMap<&'static str, (Currency, i64)> = BTreeMap::new();
    for (currency, amount) in amounts {
        let sum = &mut sums.entry(currency.code()).or_insert((currency, 0)).1;
        *sum = sum.saturating_add(amount.0);
    }
    let shown = |(currency, sum)| Amount(sum).in_major_units(currency).to_string().parse().unwrap_or_default();
    sums.into_iter().map(|(code, sum)| (code, shown(sum))).collect()
}
