//! Load usage, rate it, make invoices, save them: one view of the book per run.

mod basis;
mod card;
mod correcting;
mod explain;
mod forecast;
mod issuing;
mod logo;
mod meant;
mod numbered;
mod payers;
mod previous;
mod rate;
mod seller;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;
use chrono_tz::Tz;
use rate::{By, Computed};

use crate::access::{OfOrganization, OrganizationPayer, Reach};
use crate::accounts::{Accounts, Whereabouts};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::{DocumentError, Format};
use crate::domain::text::{NotText, text_of};
use crate::domain::{Amount, AmountOverflow, Month, Span, Timestamp};
use crate::invoicing::{CreditError, Draft, Invoice, Review};
use crate::keyed::Problem;
use crate::rating::RatingError;
use crate::store::{
    Changed, Compared, FinalInvoice, Recalculation, Series, Store, StoreError, StoredAccounts, StoredInvoice,
};

pub use card::{Card, CardError, hash_of, read_text};
pub use correcting::{CorrectionRequest, CreditOutcome};
pub use explain::{Explained, ExplainedLine, InputOrigin, Step, Use, card_of, explain, resource_word};
pub use forecast::{Forecast, ForecastLine, forecast};
pub use issuing::{FinalizeResult, Outcome, Renderer, document, subject_of};
pub use meant::Meant;
pub use numbered::issue_of;
pub use seller::Sender;

/// What a billing run can't do.
#[derive(Debug, thiserror::Error)]
pub enum BillingError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rating(#[from] RatingError),
    #[error(transparent)]
    Card(#[from] CardError),
    #[error("no rate card is configured\nhint: set [billing] rates")]
    NoCard,
    #[error("the invoice's rate card isn't kept\nhint: restore the database from a backup")]
    CardGone,
    #[error(transparent)]
    Amount(#[from] AmountOverflow),
    #[error("can't read the accounts `{file}`: {reason}\nhint: {hint}")]
    AccountsUnread { file: String, reason: String, hint: &'static str },
    #[error(
        "`{what}` doesn't keep any invoice of {month} from being final\nhint: `invoices finalize` without --accept says what does, and what to accept"
    )]
    NothingToAccept { what: String, month: Month },
    #[error(
        "`{date}` is before {issued_on}, the date of the invoice that is credited\nhint: a credit note is never dated before its invoice; if the clock is right, give --issue-date {issued_on}"
    )]
    BeforeItsInvoice { date: NaiveDate, issued_on: NaiveDate },
    #[error(
        "`{date}` is before {last_day}, the last day of what is billed\nhint: give a date from {last_day} on with --issue-date"
    )]
    BeforePeriodEnd { date: NaiveDate, last_day: NaiveDate },
    #[error(
        "`{date}` is after {latest}, the latest possible date\nhint: a date after today is possible only if an earlier number already has it; leave --issue-date out to use today's date"
    )]
    AfterToday { date: NaiveDate, latest: NaiveDate },
    #[error("{}: {error}", .number)]
    Document { number: String, error: DocumentError },
    #[error(transparent)]
    Credit(#[from] CreditError),
    #[error(
        "account `{account}` has the currency {wanted}, but the rate card has {card}\nhint: nothing is converted: remove the account's currency, or use another rate card"
    )]
    Currency { account: String, wanted: String, card: String },
    #[error(
        "`{name}` is the name of several accounts: {}\nhint: say which one by its id, such as --account {}",
        .ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "), .ids.first().map_or("ID", String::as_str)
    )]
    SeveralAccounts { name: String, ids: Vec<String> },
    /// What is wrong with the seller, each with what to do about it: no invoice can be final.
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
    #[error("{0}\nhint: `cf-billing usage` shows what used so much; nothing was changed")]
    Uncountable(String),
    #[error("there is no invoice `{0}`\nhint: `cf-billing invoices list` shows numbers and ids")]
    NoInvoice(String),
    #[error("`{invoice}` has no line {line}\nhint: it has {lines} lines of usage; `invoices show` numbers them")]
    NoLine { invoice: String, line: usize, lines: usize },
    #[error(
        "draft `{0}` has nothing to bill any more\nhint: run `invoices draft`; `invoices list` shows what there is"
    )]
    DraftGone(String),
    #[error(
        "{what}: the invoice says {printed}, but the steps come to {comes_to}\nhint: this is a defect, please report it; nothing was changed"
    )]
    Unexplained { what: String, printed: String, comes_to: String },
    #[error(
        "`{0}` is a draft\nhint: only final invoices are corrected; a draft is computed again whenever usage, rates or accounts change"
    )]
    NotFinal(String),
    #[error(
        "{number} costs what was invoiced\nhint: there is no difference; to give something back anyway, use --line or --whole"
    )]
    NoDifference { number: String },
    #[error("{number} was given back to be reissued\nhint: correct the invoice in its place; `invoices list` shows it")]
    Reopened { number: String },
    #[error(
        "{number} was made in the time zone {zone}\nhint: its lines can be compared only under the same [billing] time_zone"
    )]
    OtherZone { number: String, zone: String },
    #[error(
        "with that card {number} has {now}, but it was invoiced with {before}\nhint: to correct a wrong tax, reissue the invoice: fix the card, then `cf-billing invoices credit {number} --reissue --reason …` and `invoices finalize`"
    )]
    OtherTax { number: String, before: String, now: String },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Accounts(Vec<Problem>),
}

/// What came of drafting a month.
#[derive(Debug)]
pub struct Drafted {
    pub invoices: Vec<StoredInvoice>,
    /// Accounts whose usage or amounts exceed what can be counted, each with what: of these there is a draft without lines,
    /// or a final invoice that wasn't compared.
    pub uncountable: Vec<String>,
}

/// Makes the invoices of months.
#[derive(Debug)]
pub struct BillingRun<'a> {
    pub store: &'a Store,
    pub clock: &'a Clock,
    pub card: &'a Card,
    pub zone: Tz,
    pub sender: Sender,
    pub accounts: Accounts,
    /// The text they are from.
    pub accounts_file: Option<StoredAccounts>,
    pub series: Series,
    pub credit_note_series: Series,
    /// How long after its time usage may still come, in seconds.
    pub sweep_window_seconds: i64,
    pub grace_seconds: i64,
    pub jump_factor: Option<u32>,
    /// What is made of each invoice that becomes final.
    pub documents: Vec<Format>,
    pub renderer: Renderer,
    /// The date of what becomes final; `None`: today.
    pub issue_date: Option<NaiveDate>,
    /// As if what runs now went on until the month's end: for what is only looked at.
    goes_on: bool,
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
        let (accounts, accounts_file) = accounts_with_text(configuration)?;
        Ok(Self {
            store,
            clock,
            card,
            zone: configuration.billing.time_zone,
            sender: Sender::new(&configuration.billing),
            accounts,
            accounts_file,
            series: Series { name: configuration.billing.invoice_series.clone() },
            credit_note_series: Series { name: configuration.billing.credit_note_series.clone() },
            sweep_window_seconds: configuration.collection.sweep_window_seconds,
            grace_seconds: configuration.billing.grace_seconds,
            jump_factor: configuration.billing.jump_factor,
            documents: configuration.billing.documents.clone(),
            renderer: Renderer::default(),
            issue_date: None,
            goes_on: false,
        })
    }

    /// The invoices of a month as they now are; of one account (or its name), or of all with any usage.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn compute(&self, month: Month, account: Option<&str>) -> Result<Vec<Draft>, BillingError> {
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
    ) -> Result<Vec<Vec<Draft>>, BillingError> {
        let mut drafts: Vec<Vec<Draft>> = vec![Vec::new(); cards.len()];
        let meant = self.meant(account, month).await?;
        let bys: Vec<By<'_>> = cards.iter().map(|card| By::now(card)).collect();
        for computed in self.rate(&bys, month, meant.as_ref(), false).await? {
            for (draft, drafts) in computed.drafts.into_iter().zip(&mut drafts) {
                drafts.extend(draft);
            }
        }
        Ok(drafts)
    }

    /// What an account's invoice is looked at with.
    #[must_use]
    pub fn review(&self, held: Option<String>) -> Review {
        Review { now: self.clock.now(), grace_seconds: self.grace_seconds, jump_factor: self.jump_factor, held }
    }

    /// Computes a month's invoices and keeps them as drafts. Those that are final stay, and are left out; what their
    /// period costs now is compared with what was invoiced.
    ///
    /// # Errors
    /// [`BillingError`].
    pub async fn draft(&self, month: Month, account: Option<&str>) -> Result<Drafted, BillingError> {
        self.card.keeps_what_is_invoiced(self.store).await?;
        let meant = self.meant(account, month).await?;
        let mut uncountable = self.compare_earlier(month).await?;
        let wanted = |invoice: &FinalInvoice| {
            let name = invoice.account_name.as_deref();
            meant.as_ref().is_none_or(|meant| meant.may_be_called(&invoice.account, name))
        };
        let finals: Vec<FinalInvoice> = self.store.finals(month).await?.into_iter().filter(wanted).collect();
        let accounts: Vec<String> = finals.iter().map(|invoice| invoice.account.clone()).collect();
        // Cut elsewhere, a month can't be compared line by line.
        let finals: Vec<FinalInvoice> = finals.into_iter().filter(|invoice| invoice.time_zone == self.zone).collect();
        let used = self.cards_of(&finals).await?;
        let bys = self.bys(&finals, &used);
        let holds = self.store.holds(month).await?;
        let (mut drafts, mut of_finals, mut uncounted) = (Vec::new(), Vec::new(), Vec::new());
        for computed in self.rate(&bys, month, meant.as_ref(), false).await? {
            uncountable.extend(computed.uncountable());
            match finals.iter().find(|invoice| invoice.account == computed.account) {
                Some(_) if computed.uncountable().is_some() => uncounted.push(computed.account),
                Some(invoice) => of_finals.push((invoice, computed.invoices())),
                None if accounts.contains(&computed.account) => {}
                None => drafts.extend(computed.drafts.into_iter().next().flatten()),
            }
        }
        for draft in &mut drafts {
            draft.notes.in_review = draft.is_ripe(&self.review(holds.get(&draft.invoice.account).cloned()));
        }
        // By a name that was another's, or isn't any more: what it used says nothing of these invoices.
        let by_id = |invoice: &FinalInvoice| account.is_none_or(|account| account == invoice.account);
        let of_finals: Vec<(i64, Vec<Option<Invoice>>)> =
            of_finals.into_iter().map(|(of, invoices)| (of.id, invoices)).collect();
        let was_computed = |invoice: &FinalInvoice| of_finals.iter().any(|(of, _)| *of == invoice.id);
        let finals: Vec<FinalInvoice> =
            finals.iter().filter(|invoice| by_id(invoice) || was_computed(invoice)).cloned().collect();
        // What can't be counted isn't compared: that would give everything back.
        let finals: Vec<FinalInvoice> =
            finals.into_iter().filter(|invoice| !uncounted.contains(&invoice.account)).collect();
        self.keep_differences(&finals, &bys, of_finals).await?;
        let now = self.clock.now();
        let all_of = account.is_none().then_some(month);
        let invoices = self.store.put_drafts(&self.card.stored, &drafts, all_of, now).await?;
        Ok(Drafted { invoices, uncountable })
    }

    /// Compares final months before `month` with what they cost now, as far as something became known since they were:
    /// whatever is drafted, and in which order, corrections come with the next invoice. Gives what can't be counted.
    pub(super) async fn compare_earlier(&self, month: Month) -> Result<Vec<String>, BillingError> {
        let heads = self.store.foundations().await?;
        let changed = self.store.changed_since_compared(&heads).await?;
        let again: Vec<Month> = self.store.months_to_compare().await?.into_iter().filter(|of| *of < month).collect();
        let mut uncountable = Vec::new();
        if changed == Changed::Nothing && again.is_empty() {
            return Ok(uncountable);
        }
        for earlier in self.store.final_months_before(month).await? {
            let concerns = match changed {
                Changed::Nothing => false,
                Changed::Since(at) => at < earlier.span(self.zone).to,
                Changed::Everything => true,
            };
            if concerns || again.contains(&earlier) {
                uncountable.extend(self.compare_month(earlier).await?);
            }
        }
        self.store.put_compared(&heads, &again).await?;
        Ok(uncountable)
    }

    /// Compares a month's final invoices with what they cost now. Gives what can't be counted.
    async fn compare_month(&self, month: Month) -> Result<Vec<String>, BillingError> {
        let mut finals = self.store.finals(month).await?;
        // Cut elsewhere, a month can't be compared line by line.
        finals.retain(|invoice| invoice.time_zone == self.zone);
        if finals.is_empty() {
            return Ok(Vec::new());
        }
        let used = self.cards_of(&finals).await?;
        let bys = self.bys(&finals, &used);
        let computed = self.rate(&bys, month, None, false).await?;
        let is_of_finals = |one: &&Computed| finals.iter().any(|invoice| invoice.account == one.account);
        let uncountable = computed.iter().filter(is_of_finals).filter_map(Computed::uncountable).collect();
        finals.retain(|invoice| {
            !computed.iter().any(|one| one.account == invoice.account && one.uncountable().is_some())
        });
        let of = |account: &str| finals.iter().find(|invoice| invoice.account == account);
        let of_finals = computed.into_iter().filter_map(|one| Some((of(&one.account)?.id, one.invoices()))).collect();
        self.keep_differences(&finals, &bys, of_finals).await?;
        Ok(uncountable)
    }

    /// Keeps what some final invoices' months cost now, where it is something else than was invoiced.
    async fn keep_differences(
        &self,
        finals: &[FinalInvoice],
        bys: &[By<'_>],
        of_finals: Vec<(i64, Vec<Option<Invoice>>)>,
    ) -> Result<(), BillingError> {
        let recalculations = self.recalculate(finals, bys, of_finals).await?;
        let compared: Vec<Compared> = (finals.iter())
            .map(|invoice| Compared {
                invoice_id: invoice.id,
                rate_card: invoice.rate_card.clone(),
                corrections: invoice.corrections,
            })
            .collect();
        Ok(self.store.put_recalculations(&compared, &recalculations, self.clock.now()).await?)
    }

    /// What is to be charged with `month`'s invoices of what earlier ones charged too little, each with the invoice that
    /// it is of.
    async fn pending(&self, month: Month) -> Result<Vec<(Recalculation, StoredInvoice)>, BillingError> {
        let last = Month::of(self.clock.now(), self.zone).previous();
        let mut pending = Vec::new();
        for recalculation in self.store.recalculations().await? {
            if recalculation.net <= Amount::default() || recalculation.month >= month {
                continue;
            }
            // With the first month that is still open: one that has a draft, or is drafted by itself.
            let months = self.store.months_of(&recalculation.account).await?;
            let is_passed = |next: Month| match months.get(&next) {
                Some(is_final) => *is_final,
                None => next < last,
            };
            let mut next = recalculation.month.next();
            while next < month && is_passed(next) {
                next = next.next();
            }
            if next != month || months.get(&month) == Some(&true) {
                continue;
            }
            if let Some(stored) = self.store.invoice(&recalculation.invoice_id.to_string()).await? {
                pending.push((recalculation, stored));
            }
        }
        Ok(pending)
    }
}

/// The configured accounts; none if no file is configured.
///
/// # Errors
/// [`BillingError`] if it can't be read, or is wrong.
pub fn accounts(configuration: &Configuration) -> Result<Accounts, BillingError> {
    Ok(accounts_with_text(configuration)?.0)
}

fn accounts_with_text(configuration: &Configuration) -> Result<(Accounts, Option<StoredAccounts>), BillingError> {
    let Some(file) = &configuration.billing.accounts else { return Ok((Accounts::default(), None)) };
    let (accounts, text) = read_accounts(file, configuration.billing.time_zone)?;
    Ok((accounts, Some(StoredAccounts { hash: hash_of(&text), text })))
}

/// Whose organizations are when, of those that somebody's roles open.
///
/// # Errors
/// [`StoreError`].
pub async fn organization_payers(
    store: &Store,
    accounts: &Accounts,
    reach: &[Reach],
) -> Result<Vec<OrganizationPayer>, StoreError> {
    // Before there were Cloud Foundry and after the last date that a database knows.
    let always = Span { from: Timestamp::from_unix(0), to: Timestamp::from_unix(253_402_300_799) };
    let organizations = reach.iter().flat_map(|reach| {
        reach.organizations.iter().map(|(guid, seen)| ((reach.foundation.clone(), guid.clone()), *seen))
    });
    let organizations: BTreeMap<(String, String), OfOrganization> = organizations.collect();
    let mut payers = Vec::new();
    for place in store.organizations_seen(&organizations.keys().cloned().collect()).await? {
        let of = (place.foundation.clone(), place.organization.guid.to_string());
        let Some(seen) = organizations.get(&of).copied() else { continue };
        let own = accounts.own(&place.foundation, &place.organization).id;
        for (span, owner) in accounts.owners(&Whereabouts::from(&place), always) {
            let account = owner.map_or_else(|| own.clone(), |owner| owner.id.clone());
            let (foundation, organization) = of.clone();
            payers.push(OrganizationPayer { account, foundation, organization, span, seen, person: 0 });
        }
    }
    Ok(payers)
}

/// The accounts of a file; dates in it are midnights in `zone`.
///
/// # Errors
/// [`BillingError::AccountsUnread`], [`BillingError::Accounts`].
pub fn accounts_of(file: &Path, zone: Tz) -> Result<Accounts, BillingError> {
    Ok(read_accounts(file, zone)?.0)
}

/// The accounts of a file, and its text.
fn read_accounts(file: &Path, zone: Tz) -> Result<(Accounts, String), BillingError> {
    let name = file.display().to_string();
    let unread = |reason: String, hint| BillingError::AccountsUnread { file: name.clone(), reason, hint };
    let bytes = std::fs::read(file).map_err(|error| {
        let hint = card::unread_hint(&error, "set [billing] accounts to a TOML file, or give one");
        unread(error.to_string(), hint)
    })?;
    let text = text_of(bytes).map_err(|error| unread(error.to_string(), NotText::HINT))?;
    let accounts = Accounts::parse(&name, &text, zone).map_err(BillingError::Accounts)?;
    Ok((accounts, text))
}
