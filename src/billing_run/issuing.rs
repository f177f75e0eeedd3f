//! Invoices become final, with their documents; documents of final ones are made once and kept.

use chrono::Days;
use chrono_tz::Tz;

use super::rate::By;
use super::{BillingError, BillingRun, Sender};
use crate::clock::Clock;
use crate::documents::{self, DocumentError, Format, Issue, Look, Subject};
use crate::domain::period::date_of;
use crate::domain::{Amount, Month, Timestamp};
use crate::invoicing::{Blocker, Dates, Invoice, Status};
use crate::store::{Finalized, Issuing, RenderedDocument, Series, Store, StoreError, StoredInvoice};

/// What came of finalising one account's invoice.
#[derive(Debug)]
pub struct Outcome {
    pub account: String,
    pub account_name: Option<String>,
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

/// What a credit note becomes final with.
pub(super) fn credit_issuing(series: &Series, at: Timestamp, zone: Tz) -> Issuing<'_> {
    Issuing { series, at, dates: Dates { issued_on: date_of(at, zone), due_on: None }, basis: None }
}

/// Makes what is configured of a document that becomes final, once its number is known. What an e-invoice lacks keeps it from being one, and
/// nothing else.
pub(super) fn rendered<'a>(
    invoice: &'a Invoice,
    drafted_at: Timestamp,
    look: &'a Look,
    formats: &'a [Format],
) -> impl Fn(&Issue) -> Result<Vec<RenderedDocument>, DocumentError> + Send + Sync + 'a {
    move |issue| {
        let subject = Subject { invoice, issue: Some(issue), drafted_at, look };
        let mut made = Vec::with_capacity(formats.len());
        for format in formats {
            match documents::make(*format, &subject) {
                Ok(bytes) => {
                    made.push(RenderedDocument { format: format.name(), renderer: documents::RENDERER, bytes });
                }
                Err(DocumentError::Lacking(_) | DocumentError::WithoutPdf) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}

impl BillingRun<'_> {
    /// Computes a month's invoices and makes those final that nothing keeps from it but what is accepted
    /// ([`Blocker::acceptance`]), each under the next number. `progress` is told how many of how many are done.
    ///
    /// # Errors
    /// [`BillingError`]; invoices made final before it stay so, and finalising again goes on.
    /// [`BillingError::NothingToAccept`] before any is, if something accepted keeps no invoice from being final.
    pub async fn finalize(
        &self,
        month: Month,
        account: Option<&str>,
        accept: &[String],
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Vec<Outcome>, BillingError> {
        self.card.keeps_what_is_invoiced(self.store).await?;
        let holds = self.store.holds(month).await?;
        let finals: Vec<String> = self.store.finals(month).await?.into_iter().map(|one| one.account).collect();
        let mut computed = Vec::new();
        let mut acceptable: Vec<String> = Vec::new();
        for one in self.rate(&[By::now(self.card)], month, account, true).await? {
            let Some(invoice) = one.invoices.into_iter().next().flatten() else { continue };
            let review = self.review(holds.get(&invoice.account).cloned());
            let mut blockers = invoice.blockers(&review);
            acceptable.extend(blockers.iter().filter_map(|blocker| blocker.acceptance(&invoice.account)));
            if finals.contains(&invoice.account) {
                // Accepted before, perhaps: the same command goes on where it stopped.
                blockers.clear();
            }
            computed.push((invoice, one.basis, blockers));
        }
        if let Some(what) = accept.iter().find(|what| !acceptable.contains(what)) {
            return Err(BillingError::NothingToAccept { what: what.clone(), month });
        }
        let all = computed.len();
        let mut outcomes = Vec::with_capacity(all);
        for (done, (mut invoice, basis, blockers)) in computed.into_iter().enumerate() {
            let is_accepted =
                |blocker: &Blocker| blocker.acceptance(&invoice.account).is_some_and(|what| accept.contains(&what));
            let (accepted, blockers): (Vec<Blocker>, Vec<Blocker>) = blockers.into_iter().partition(is_accepted);
            invoice.accepted = accepted.iter().map(ToString::to_string).collect();
            let result = if blockers.is_empty() {
                self.issue(&invoice, basis).await?
            } else {
                FinalizeResult::Blocked(blockers)
            };
            outcomes.push(Outcome { account: invoice.account, account_name: invoice.account_name, result });
            progress(done + 1, all);
        }
        Ok(outcomes)
    }

    async fn issue(&self, invoice: &Invoice, basis: Option<Vec<u8>>) -> Result<FinalizeResult, BillingError> {
        let at = self.clock.now();
        let issued_on = date_of(at, self.zone);
        let is_due = invoice.gross()? > Amount::default();
        let due_on = issued_on.checked_add_days(Days::new(u64::from(invoice.particulars.payment.days)));
        let dates = Dates { issued_on, due_on: due_on.filter(|_| is_due) };
        let issuing = Issuing { series: &self.series, at, dates, basis };
        let render = rendered(invoice, at, &self.sender.look, &self.documents);
        match self.store.finalize(&self.card.stored, invoice, &issuing, &render).await {
            Ok(Finalized::Now(number)) => Ok(FinalizeResult::Numbered(number)),
            Ok(Finalized::Before) => Ok(FinalizeResult::Before),
            // Held since it was looked at.
            Err(StoreError::Held { reason, .. }) => Ok(FinalizeResult::Blocked(vec![Blocker::Held { reason }])),
            Err(StoreError::Document(error)) => Err(BillingError::Document { number: invoice.account.clone(), error }),
            Err(error) => Err(error.into()),
        }
    }
}

/// The bytes of a stored invoice in a format: of a final one those that were made first, whenever that was; of a draft
/// made anew.
///
/// # Errors
/// [`BillingError`].
pub async fn document(
    store: &Store,
    clock: &Clock,
    sender: &Sender,
    stored: &StoredInvoice,
    format: Format,
) -> Result<Vec<u8>, BillingError> {
    let named = stored.number.clone().unwrap_or_else(|| stored.id.to_string());
    let failed = |error: DocumentError| BillingError::Document { number: named.clone(), error };
    let issue = issue_of(stored);
    let subject = subject_of(stored, issue.as_ref(), &sender.look);
    let kept = format.kept_as();
    if format != kept {
        documents::check(format, &subject).map_err(failed)?;
    }
    if stored.status == Status::Final
        && let Some(document) = store.document(stored.id, kept.name()).await?
    {
        return Ok(document.bytes);
    }
    let bytes = documents::make(format, &subject).map_err(failed)?;
    if stored.status != Status::Final || issue.is_none() {
        return Ok(bytes);
    }
    let made = RenderedDocument { format: kept.name(), renderer: documents::RENDERER, bytes };
    Ok(store.keep_document(stored.id, &made, clock.now()).await?.bytes)
}

/// What documents are made of; `issue` as [`issue_of`] has it.
#[must_use]
pub const fn subject_of<'a>(stored: &'a StoredInvoice, issue: Option<&'a Issue>, look: &'a Look) -> Subject<'a> {
    Subject { invoice: &stored.invoice, issue, drafted_at: stored.drafted_at, look }
}

/// Number and dates of a final invoice; of earlier versions' the day on which it became final.
#[must_use]
pub fn issue_of(stored: &StoredInvoice) -> Option<Issue> {
    let number = stored.number.clone()?;
    let zone = stored.invoice.time_zone.parse().unwrap_or(Tz::UTC);
    let finalized = || stored.finalized_at.map(|at| Dates { issued_on: date_of(at, zone), due_on: None });
    let Dates { issued_on, due_on } = stored.dates.or_else(finalized)?;
    Some(Issue { number, issued_on, due_on })
}
