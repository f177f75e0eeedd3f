//! Load usage, rate it, make invoices, save them: one view of the book per run.

mod card;

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;

use crate::accounts::{Account, Accounts, AccountsProblem, Whereabouts};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{AmountOverflow, Guid, Month, Span, Timestamp};
use crate::invoicing::{Blocker, Header, Invoice, Particulars, invoice};
use crate::rate_card::Whom;
use crate::rating::{LineKey, Piece, Rater, RatingError, UsageKey};
use crate::store::{Finalized, FoundationHead, Invoiced, Series, Store, StoreError, StoredInvoice};

pub use card::{Card, CardError, hash_of, read_text};

/// What a billing run can't do.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rating(#[from] RatingError),
    #[error(transparent)]
    Card(#[from] CardError),
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

impl Payer {
    fn of(account: &Account) -> Self {
        Self { account: account.id.clone(), name: Some(account.name.clone()), foundations: account.foundations.clone() }
    }
}

/// A resource's pieces by who pays for them; what nobody is asked for pays is left out.
fn by_payer(
    pieces: Vec<Piece>,
    payers: &mut HashMap<(String, Guid, Guid), Option<Payer>>,
    find: impl Fn(&UsageKey) -> Option<Payer>,
) -> Vec<(Payer, Vec<Piece>)> {
    let mut split: Vec<(Payer, Vec<Piece>)> = Vec::new();
    for piece in pieces {
        let line = &piece.key.line;
        let place = (line.foundation.clone(), line.organization.guid.clone(), line.space.guid.clone());
        let payer = payers.entry(place).or_insert_with(|| find(&piece.key));
        let Some(payer) = payer else { continue };
        match split.iter_mut().find(|(known, _)| known == payer) {
            Some((_, pieces)) => pieces.push(piece),
            None => split.push((payer.clone(), vec![piece])),
        }
    }
    split
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
        for Invoiced { organization, account, account_name } in invoiced {
            let payer = paid.payers.entry(account.clone());
            let new = || Payer { account: account.clone(), name: account_name, foundations: Vec::new() };
            let foundations = &mut payer.or_insert_with(new).foundations;
            let Some((foundation, organization)) = organization else { continue };
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
        let mut of_cards = self.compute_with(&[self.card], month, account).await?;
        Ok(of_cards.pop().unwrap_or_default())
    }

    /// The invoices of a month by each of several cards, from one view of the book.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn compute_with(
        &self,
        cards: &[&Card],
        month: Month,
        account: Option<&str>,
    ) -> Result<Vec<Vec<Invoice>>, BillingError> {
        let period = month.span(self.zone);
        let user_provided = cards.iter().any(|card| card.rates.prices_user_provided());
        let mut pieces = self.store.pieces(period, user_provided).await?;
        let gaps = self.store.gaps(None).await?;
        let paid = Paid::new(self.store.invoiced(month).await?);
        let wanted = |payer: &Payer| {
            account.is_none_or(|account| account == payer.account || Some(account) == payer.name.as_deref())
        };
        let mut payers: HashMap<(String, Guid, Guid), Option<Payer>> = HashMap::new();
        let mut raters: BTreeMap<Payer, Vec<Rater<'_>>> = BTreeMap::new();
        let begin = |payer: &Payer| -> Vec<Rater<'_>> {
            cards.iter().map(|card| Rater::new(&card.rates, &payer.account, period, self.zone)).collect()
        };
        while let Some(resources) = pieces.more().await? {
            for resource in resources {
                // Who moved with it pays each their part.
                for (payer, pieces) in
                    by_payer(resource, &mut payers, |key| Some(self.payer(key, &paid, period)).filter(wanted))
                {
                    let raters = raters.entry(payer).or_insert_with_key(begin);
                    for rater in raters {
                        rater.add(&pieces)?;
                    }
                }
            }
        }
        // Who committed to pay does, also without usage.
        let committed: Vec<Payer> = self.committed(cards, &paid).filter(wanted).collect();
        for payer in &committed {
            raters.entry(payer.clone()).or_insert_with_key(begin);
        }
        let mut invoices: Vec<Vec<Invoice>> = vec![Vec::new(); cards.len()];
        for (payer, raters) in raters {
            let is_committed = committed.contains(&payer);
            let of_payer = gaps.iter().filter(|gap| payer.foundations.contains(&gap.foundation));
            let header = Header {
                gaps: of_payer.filter_map(|gap| gap.note(period)).collect(),
                rated_through: self.rated_through(&pieces.heads, &payer),
                account: payer.account,
                account_name: payer.name,
                seller: self.seller.clone(),
                month,
                period,
                time_zone: self.zone.name().to_owned(),
                rate_card: String::new(),
                particulars: Particulars::default(),
                tax: None,
                corrections: Vec::new(),
            };
            for ((card, rater), invoices) in cards.iter().zip(raters).zip(&mut invoices) {
                let header = Header { rate_card: card.stored.hash.clone(), ..header.clone() };
                let invoice = invoice(header, &card.rates, &rater.finish()?)?;
                // A minimum for everyone is for everyone who used something.
                if !invoice.lines.is_empty() || is_committed && !invoice.adjustments.is_empty() {
                    invoices.push(invoice);
                }
            }
        }
        Ok(invoices)
    }

    /// The configured accounts that a card has a commitment or minimum for.
    fn committed<'all>(&'all self, cards: &'all [&Card], paid: &'all Paid) -> impl Iterator<Item = Payer> + 'all {
        let floors = cards.iter().flat_map(|card| &card.rates.floors);
        let named = floors.filter_map(|floor| match &floor.whom {
            Whom::Account(account) => self.accounts.get(account),
            _ => None,
        });
        named.filter(|account| !paid.payers.contains_key(&account.id)).map(Payer::of)
    }

    /// Who pays for a line's usage: who did, if it is invoiced; else an account that can still be charged, or the
    /// organization itself. So what the accounts file says later bills nothing twice, and nothing to nobody.
    fn payer(&self, usage: &UsageKey, paid: &Paid, period: Span) -> Payer {
        let key = &*usage.line;
        let organization = &key.organization;
        if let Some(payer) = paid.of(key) {
            return payer.clone();
        }
        let owners = self.accounts.owners(&Whereabouts::from(usage), period);
        let account = owners.first().and_then(|(_, account)| *account);
        match account.filter(|account| !paid.payers.contains_key(&account.id)) {
            Some(account) => Payer::of(account),
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
        self.card.keeps_what_is_invoiced(self.store).await?;
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
        self.card.keeps_what_is_invoiced(self.store).await?;
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
    Accounts::parse(&name, &text, configuration.billing.time_zone).map_err(BillingError::Accounts)
}
