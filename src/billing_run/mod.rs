//! Load usage, rate it, make invoices, save them: one view of the book per run.

mod card;

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;

use crate::accounts::{Accounts, AccountsProblem};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{AmountOverflow, Guid, Kind, Month, Overflow, Span, Timestamp};
use crate::invoicing::{Blocker, Header, Invoice, invoice};
use crate::rating::{LineKey, Named, Quantities, UsageItem, cuts, rate};
use crate::store::{
    Finalized, FoundationHead, GroupKey, Invoiced, Keyed, Series, Store, StoreError, StoredInvoice, UsageQuery,
    UsageRow,
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
    #[error("can't read the accounts `{file}`: {reason}\nhint: set [billing] accounts to a TOML file")]
    AccountsUnread { file: String, reason: String },
    #[error(
        "`{what}` keeps no invoice of {month} from being final\nhint: `invoices finalize` without --accept names what does, and what to say"
    )]
    NothingToAccept { what: String, month: Month },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Accounts(Vec<AccountsProblem>),
}

/// Makes the invoices of months.
#[derive(Debug)]
pub struct BillingRun<'a> {
    pub store: &'a Store,
    pub clock: &'a Clock,
    pub card: &'a Card,
    pub zone: Tz,
    pub seller: Option<String>,
    pub accounts: Accounts,
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

/// Who gets an invoice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Payer {
    /// An account's id, or `foundation/organization-guid`.
    account: String,
    name: Option<String>,
    foundations: Vec<String>,
}

/// Who is charged for a month already, by final invoices.
#[derive(Debug, Default)]
struct Paid {
    /// By account.
    payers: HashMap<String, Payer>,
    /// Account by foundation and organization.
    accounts: HashMap<(String, Guid), String>,
}

impl Paid {
    fn new(invoiced: Vec<Invoiced>) -> Self {
        let mut paid = Self::default();
        for Invoiced { foundation, organization, account, account_name } in invoiced {
            let payer = paid.payers.entry(account.clone());
            let new = || Payer { account: account.clone(), name: account_name, foundations: Vec::new() };
            let foundations = &mut payer.or_insert_with(new).foundations;
            if !foundations.contains(&foundation) {
                foundations.push(foundation.clone());
            }
            paid.accounts.insert((foundation, organization), account);
        }
        paid
    }

    fn of(&self, key: &LineKey) -> Option<&Payer> {
        let account = self.accounts.get(&(key.foundation.clone(), key.organization.guid.clone()))?;
        self.payers.get(account)
    }
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
    ///
    /// # Errors
    /// [`BillingError`] if the accounts can't be used.
    pub fn new(
        configuration: &Configuration,
        store: &'a Store,
        clock: &'a Clock,
        card: &'a Card,
    ) -> Result<Self, BillingError> {
        Ok(Self {
            store,
            clock,
            card,
            zone: configuration.billing.time_zone,
            seller: configuration.billing.seller.clone(),
            accounts: accounts(configuration)?,
            series: Series { name: configuration.billing.invoice_series.clone() },
            sweep_window_seconds: configuration.collection.sweep_window_seconds,
        })
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
        let gaps = self.store.gaps(None).await?;
        let paid = Paid::new(self.store.invoiced(month).await?);
        let mut accounts: BTreeMap<Payer, Usage> = BTreeMap::new();
        for (span, rows) in spans.into_iter().zip(of_spans) {
            for row in rows {
                let item = item(row)?;
                let spans = accounts.entry(self.payer(&item.key, &paid)).or_default();
                match spans.last_mut() {
                    Some((last, items)) if *last == span => items.push(item),
                    _ => spans.push((span, vec![item])),
                }
            }
        }
        let mut invoices = Vec::new();
        for (payer, usage) in accounts {
            if account.is_some_and(|account| account != payer.account && Some(account) != payer.name.as_deref()) {
                continue;
            }
            let of_payer = gaps.iter().filter(|gap| payer.foundations.contains(&gap.foundation));
            let header = Header {
                gaps: of_payer.filter_map(|gap| gap.note(period)).collect(),
                rated_through: self.rated_through(&heads, &payer),
                account: payer.account,
                account_name: payer.name,
                seller: self.seller.clone(),
                month,
                period,
                time_zone: self.zone.name().to_owned(),
                rate_card: self.card.stored.hash.clone(),
            };
            invoices.push(invoice(header, &self.card.rates, &rate(&self.card.rates, period, &usage)?)?);
        }
        Ok(invoices)
    }

    /// Who pays for a line's usage: who did, if it is invoiced; else an account that can still be charged, or the
    /// organization itself. So what the accounts file says later bills nothing twice, and nothing to nobody.
    fn payer(&self, key: &LineKey, paid: &Paid) -> Payer {
        let organization = &key.organization;
        if let Some(payer) = paid.of(key) {
            return payer.clone();
        }
        let account = self.accounts.of(&key.foundation, &organization.guid, organization.name.as_deref());
        match account.filter(|account| !paid.payers.contains_key(&account.id)) {
            Some(account) => Payer {
                account: account.id.clone(),
                name: Some(account.name.clone()),
                foundations: account.foundations.clone(),
            },
            None => Payer {
                account: format!("{}/{}", key.foundation, organization.guid),
                name: organization.name.clone(),
                foundations: vec![key.foundation.clone()],
            },
        }
    }

    /// Usage in all foundations of the payer is complete up to here.
    fn rated_through(&self, heads: &[FoundationHead], payer: &Payer) -> Option<Timestamp> {
        let through = |foundation: &String| {
            let head = heads.iter().find(|head| head.name == *foundation)?;
            head.rated_through(self.sweep_window_seconds)
        };
        payer.foundations.iter().map(through).min().flatten()
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

    /// Computes a month's invoices and makes those final that nothing keeps from it but what is accepted
    /// ([`Blocker::acceptance`]), each under the next number.
    ///
    /// # Errors
    /// [`BillingError`]; invoices made final before it stay so, and finalising again goes on.
    /// [`BillingError::NothingToAccept`] before any is, if something accepted keeps no invoice from being final.
    pub async fn finalize(
        &self,
        month: Month,
        account: Option<&str>,
        accept: &[String],
    ) -> Result<Vec<Outcome>, BillingError> {
        let mut outcomes = Vec::new();
        let invoices = self.compute(month, account).await?;
        let acceptable: Vec<String> =
            invoices.iter().flat_map(Invoice::blockers).filter_map(|blocker| blocker.acceptance()).collect();
        if let Some(what) = accept.iter().find(|what| !acceptable.contains(what)) {
            return Err(BillingError::NothingToAccept { what: what.clone(), month });
        }
        for mut invoice in invoices {
            let is_accepted = |blocker: &Blocker| blocker.acceptance().is_some_and(|what| accept.contains(&what));
            let (accepted, blockers): (Vec<Blocker>, Vec<Blocker>) =
                invoice.blockers().into_iter().partition(is_accepted);
            invoice.accepted = accepted.iter().map(ToString::to_string).collect();
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

/// The configured accounts; none if no file is configured.
///
/// # Errors
/// [`BillingError`] if it can't be read, or is wrong.
pub fn accounts(configuration: &Configuration) -> Result<Accounts, BillingError> {
    let Some(file) = &configuration.billing.accounts else { return Ok(Accounts::default()) };
    let name = file.display().to_string();
    let unread = |error: std::io::Error| BillingError::AccountsUnread { file: name.clone(), reason: error.to_string() };
    let text = std::fs::read_to_string(file).map_err(unread)?;
    Accounts::parse(&name, &text).map_err(BillingError::Accounts)
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
