//! Load usage, rate it, make invoices, save them: one view of the book per run.

mod card;

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{AmountOverflow, Guid, Kind, Month, Overflow, Span, Timestamp};
use crate::invoicing::{Blocker, Header, Invoice, invoice};
use crate::rating::{LineKey, Named, Quantities, UsageItem, cuts, rate};
use crate::store::{
    Finalized, FoundationHead, GroupKey, Keyed, Series, Store, StoreError, StoredInvoice, UsageQuery, UsageRow,
};

pub use card::{Card, CardError};

/// What a billing run can't do.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a sum of usage exceeds 2^63 - 1")]
    Quantity(#[from] Overflow),
    #[error(transparent)]
    Amount(#[from] AmountOverflow),
}

/// Makes the invoices of months.
#[derive(Debug)]
pub struct BillingRun<'a> {
    pub store: &'a Store,
    pub clock: &'a Clock,
    pub card: &'a Card,
    pub zone: Tz,
    pub seller: Option<String>,
    pub series: Series,
    /// How long after its time usage may still come, in seconds.
    pub sweep_window_seconds: i64,
}

/// What came of finalising one account's invoice.
#[derive(Debug)]
pub struct Outcome {
    pub invoice: Invoice,
    pub result: FinalizeResult,
}

/// See [`Outcome`].
#[derive(Debug, PartialEq, Eq)]
pub enum FinalizeResult {
    Numbered(String),
    /// It was final before; nothing changed.
    Before,
    Blocked(Vec<Blocker>),
}

/// What one account used, in each of a period's spans.
type Usage = Vec<(Span, Vec<UsageItem>)>;

/// What usage is grouped by for invoices; the order of [`Keys`].
const BY: [GroupKey; 10] = [
    GroupKey::Foundation,
    GroupKey::Organization,
    GroupKey::Space,
    GroupKey::Kind,
    GroupKey::App,
    GroupKey::ServiceInstance,
    GroupKey::ServiceOffering,
    GroupKey::ServicePlan,
    GroupKey::Buildpack,
    GroupKey::Estimated,
];

impl<'a> BillingRun<'a> {
    /// As configured.
    #[must_use]
    pub fn new(configuration: &Configuration, store: &'a Store, clock: &'a Clock, card: &'a Card) -> Self {
        Self {
            store,
            clock,
            card,
            zone: configuration.billing.time_zone,
            seller: configuration.billing.seller.clone(),
            series: Series { name: configuration.billing.invoice_series.clone() },
            sweep_window_seconds: configuration.collection.sweep_window_seconds,
        }
    }

    /// The invoices of a month as they now are; of one account (or its name), or of all with any usage.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn compute(&self, month: Month, account: Option<&str>) -> Result<Vec<Invoice>, BillingError> {
        let period = month.span(self.zone);
        let spans = cuts(period, &self.card.rates.edges());
        let query = UsageQuery { by: BY.to_vec(), foundation: None, user_provided: false };
        let (of_spans, heads) = self.store.usage(&query, &spans).await?;
        let mut accounts: BTreeMap<(String, Named), Usage> = BTreeMap::new();
        for (span, rows) in spans.into_iter().zip(of_spans) {
            for row in rows {
                let item = item(row)?;
                let spans = accounts.entry((item.key.foundation.clone(), item.key.organization.clone())).or_default();
                match spans.last_mut() {
                    Some((last, items)) if *last == span => items.push(item),
                    _ => spans.push((span, vec![item])),
                }
            }
        }
        let mut invoices = Vec::new();
        for ((foundation, organization), usage) in accounts {
            let name = format!("{foundation}/{}", organization.guid);
            if account.is_some_and(|account| account != name && Some(account) != organization.name.as_deref()) {
                continue;
            }
            let header = Header {
                account: name,
                account_name: organization.name.clone(),
                seller: self.seller.clone(),
                month,
                period,
                time_zone: self.zone.name().to_owned(),
                rate_card: self.card.stored.hash.clone(),
                rated_through: self.rated_through(&heads, &foundation),
            };
            invoices.push(invoice(header, &self.card.rates, &rate(&self.card.rates, period, &usage)?)?);
        }
        Ok(invoices)
    }

    /// Usage of the foundation is complete up to here.
    fn rated_through(&self, heads: &[FoundationHead], foundation: &str) -> Option<Timestamp> {
        let head = heads.iter().find(|head| head.name == foundation)?;
        head.rated_through(self.sweep_window_seconds)
    }

    /// Computes a month's invoices and keeps them as drafts. Those that are final stay, and are left out.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn draft(&self, month: Month, account: Option<&str>) -> Result<Vec<StoredInvoice>, BillingError> {
        let invoices = self.compute(month, account).await?;
        let all_of = account.is_none().then_some(month);
        Ok(self.store.put_drafts(&self.card.stored, &invoices, all_of, self.clock.now()).await?)
    }

    /// Computes a month's invoices and makes those final that nothing keeps from it, each under the next number.
    ///
    /// # Errors
    /// [`BillingError`]; invoices made final before it stay so, and finalising again goes on.
    pub async fn finalize(&self, month: Month, account: Option<&str>) -> Result<Vec<Outcome>, BillingError> {
        let mut outcomes = Vec::new();
        for invoice in self.compute(month, account).await? {
            let blockers = invoice.blockers();
            let result = if blockers.is_empty() {
                let at = self.clock.now();
                match self.store.finalize(&self.card.stored, &invoice, &self.series, at).await? {
                    Finalized::Now(number) => FinalizeResult::Numbered(number),
                    Finalized::Before => FinalizeResult::Before,
                }
            } else {
                FinalizeResult::Blocked(blockers)
            };
            outcomes.push(Outcome { invoice, result });
        }
        Ok(outcomes)
    }
}

/// A row of usage, as rating takes it.
fn item(row: UsageRow) -> Result<UsageItem, StoreError> {
    let missing = || StoreError::Unexpected { place: "usage", value: "a row without its keys".to_owned() };
    let kind = BY.iter().position(|key| *key == GroupKey::Kind).and_then(|position| row.kind(position));
    let keys: [Option<Keyed>; BY.len()] = row.keys.try_into().map_err(|_| missing())?;
    let [foundation, organization, space, _, app, instance, offering, plan, buildpack, estimated] = keys;
    let named = |keyed: Keyed| Named { name: keyed.name, guid: Guid::new(&keyed.value) };
    let kind = kind.ok_or_else(missing)?;
    Ok(UsageItem {
        key: LineKey {
            foundation: foundation.ok_or_else(missing)?.value,
            organization: organization.map(named).ok_or_else(missing)?,
            space: space.map(named).ok_or_else(missing)?,
            kind,
            app: app.map(named),
            service_instance: instance.map(named),
            service_offering: offering.map(named),
            service_plan: plan.map(named).filter(|_| kind == Kind::Service),
            buildpack: buildpack.map(|keyed| keyed.value),
            estimated: estimated.is_some_and(|keyed| keyed.value == "true"),
        },
        quantities: Quantities {
            instance_seconds: row.instance_seconds,
            memory_mib_seconds: row.memory_mib_seconds,
            disk_mib_seconds: row.disk_mib_seconds,
        },
    })
}
