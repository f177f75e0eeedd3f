//! Invoices become final, with their documents; documents of final ones are made once and kept.

use std::fmt;
use std::sync::Arc;

use chrono::{Days, NaiveDate};

use super::numbered::issue_of;
use super::rate::By;
use super::{BillingError, BillingRun, Sender};
use crate::clock::Clock;
use crate::documents::{self, Branding, DocumentError, Format, Issue, ToRender};
use crate::domain::period::date_of;
use crate::domain::{Amount, Month, Timestamp};
use crate::invoicing::{Blocker, Common, Dates, Document, DocumentKind, DocumentRef, Draft, Status};
use crate::store::{Finalized, Foreseen, Issuing, RenderedDocument, Series, Store, StoreError, StoredInvoice};

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
    /// It alone can't be final now; why, in words.
    Refused(String),
}

/// Makes the bytes of a document of one format.
type Make = dyn Fn(Format, &ToRender<'_>) -> Result<Vec<u8>, DocumentError> + Send + Sync;

/// What makes documents of what becomes final: this program, unless a test puts another in its place.
#[derive(Clone)]
pub struct Renderer(pub Arc<Make>);

impl Default for Renderer {
    fn default() -> Self {
        Self(Arc::new(documents::make))
    }
}

impl fmt::Debug for Renderer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Renderer")
    }
}

/// What makes a document final in the transaction: it is made once more if its number was taken meanwhile.
pub(super) struct Making<'a> {
    pub series: &'a Series,
    pub document: DocumentRef<'a>,
    /// No earlier date is right, whatever was asked for.
    pub not_before: NotBefore,
    pub basis: Option<Vec<u8>>,
}

/// The first date that a document may have.
pub(super) enum NotBefore {
    /// The last day of what an invoice bills; told only of a date that somebody gave: nothing is final before it anyway.
    PeriodEnd(NaiveDate),
    /// The date of the invoice that a credit note is about.
    Invoice(NaiveDate),
}

impl BillingRun<'_> {
    /// Computes a month's invoices and makes those final that nothing keeps from it but what is accepted
    /// ([`Blocker::acceptance`]), each under the next number. `progress` is told how many of how many are done.
    ///
    /// # Errors
    /// [`BillingError`]; invoices made final before it stay so, and finalising again goes on.
    /// [`BillingError::Unfit`] before any is, if the seller's data or logo is wrong;
    /// [`BillingError::NothingToAccept`] likewise, if something accepted keeps no invoice from being final.
    pub async fn finalize(
        &self,
        month: Month,
        account: Option<&str>,
        accept: &[String],
        mut progress: impl FnMut(usize, usize),
    ) -> Result<Vec<Outcome>, BillingError> {
        self.card.keeps_what_is_invoiced(self.store).await?;
        let unfit = self.sender.unfit();
        if !unfit.is_empty() {
            return Err(BillingError::Unfit(unfit));
        }
        self.compare_earlier(month).await?;
        let holds = self.store.holds(month).await?;
        let finals: Vec<String> = self.store.finals(month).await?.into_iter().map(|one| one.account).collect();
        let mut computed = Vec::new();
        let mut acceptable: Vec<String> = Vec::new();
        let meant = self.meant(account, month).await?;
        for one in self.rate(&[By::now(self.card)], month, meant.as_ref(), true).await? {
            let Some(draft) = one.drafts.into_iter().next().flatten() else { continue };
            let account = &draft.invoice.account;
            let review = self.review(holds.get(account).cloned());
            let mut blockers = draft.blockers(&review);
            acceptable.extend(blockers.iter().filter_map(|blocker| blocker.acceptance(account)));
            // Accepted before, perhaps: the same command goes on where it stopped.
            let is_final = finals.contains(account);
            if is_final {
                blockers.clear();
            } else {
                let account = self.accounts.get(account);
                let unfit = account.into_iter().flat_map(|account| &account.unfit);
                blockers.extend(unfit.map(|problem| Blocker::Unfit { problem: problem.to_string() }));
            }
            computed.push((draft, one.basis, blockers, is_final));
        }
        if let Some(what) = accept.iter().find(|what| !acceptable.contains(what)) {
            return Err(BillingError::NothingToAccept { what: what.clone(), month });
        }
        let all = computed.len();
        // Before any is: the same date is for all.
        if computed.iter().any(|(_, _, _, is_final)| !is_final) {
            let last_day = NotBefore::PeriodEnd(date_of(month.span(self.zone).to.plus(-1), self.zone));
            let foreseen = self.store.foresee(&self.series).await?;
            self.issue_date(&self.series, &foreseen, &last_day, date_of(self.clock.now(), self.zone))?;
        }
        let mut outcomes = Vec::with_capacity(all);
        for (done, (mut draft, basis, blockers, is_final)) in computed.into_iter().enumerate() {
            let is_accepted = |blocker: &Blocker| {
                blocker.acceptance(&draft.invoice.account).is_some_and(|what| accept.contains(&what))
            };
            let (accepted, blockers): (Vec<Blocker>, Vec<Blocker>) = blockers.into_iter().partition(is_accepted);
            draft.invoice.accepted = accepted.iter().map(|blocker| blocker.words(self.zone)).collect();
            let result = if is_final {
                FinalizeResult::Before
            } else if blockers.is_empty() {
                self.issue(&draft, basis).await?
            } else {
                FinalizeResult::Blocked(blockers)
            };
            let Common { account, account_name, .. } = draft.invoice.common;
            outcomes.push(Outcome { account, account_name, result });
            progress(done + 1, all);
        }
        if meant.is_none() {
            // What the file had given to others when it was drafted would stand beside what is final.
            let accounts: Vec<String> = outcomes.iter().map(|outcome| outcome.account.clone()).collect();
            self.store.keep_drafts_of(month, &accounts).await?;
        }
        Ok(outcomes)
    }

    async fn issue(&self, draft: &Draft, basis: Option<Vec<u8>>) -> Result<FinalizeResult, BillingError> {
        let document = Document::Invoice(&draft.invoice);
        let last_day = date_of(document.period.to.plus(-1), self.zone);
        let not_before = NotBefore::PeriodEnd(last_day);
        let making = Making { series: &self.series, document, not_before, basis };
        let finalize = async |issuing: Issuing<'_>| self.store.finalize(&self.card.stored, draft, &issuing).await;
        match self.make_final(making, finalize).await {
            Ok(Some(number)) => Ok(FinalizeResult::Numbered(number)),
            Ok(None) => Ok(FinalizeResult::Before),
            // Held since it was looked at.
            Err(BillingError::Store(StoreError::Held { reason, .. })) => {
                Ok(FinalizeResult::Blocked(vec![Blocker::Held { reason }]))
            }
            // What is wrong with one keeps no other from being final.
            Err(
                error @ (BillingError::Document { .. }
                | BillingError::Store(StoreError::Corrected(_) | StoreError::InvoicedElsewhere { .. })),
            ) => Ok(FinalizeResult::Refused(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Makes the documents for the number that comes next, then the transaction that takes them; both again if another
    /// process was faster. Nothing is locked while documents are made. `None`: it was final before.
    pub(super) async fn make_final(
        &self,
        making: Making<'_>,
        take: impl AsyncFn(Issuing<'_>) -> Result<Finalized, StoreError>,
    ) -> Result<Option<String>, BillingError> {
        // Nothing is made without the logo that is configured.
        let look = self.sender.look()?;
        let Making { series, document, not_before, basis } = making;
        let is_due = document.kind() == DocumentKind::Invoice && document.gross()? > Amount::default();
        let days = Days::new(u64::from(document.particulars.payment.days));
        loop {
            let at = self.clock.now();
            let foreseen = self.store.foresee(series).await?;
            let issued_on = self.issue_date(series, &foreseen, &not_before, date_of(at, self.zone))?;
            let due_on = issued_on.checked_add_days(days).filter(|_| is_due);
            let issue = Issue { number: foreseen.number.clone(), issued_on, due_on };
            let documents = self.rendered(document, look, at, &issue).map_err(|error| BillingError::Document {
                number: document.account_name.clone().unwrap_or_else(|| document.account.clone()),
                error,
            })?;
            let dates = Dates { issued_on, due_on };
            let accounts = self.accounts_file.as_ref();
            let issuing = Issuing { series, at, dates, basis: basis.clone(), accounts, foreseen, documents };
            match take(issuing).await? {
                Finalized::Now(number) => return Ok(Some(number)),
                Finalized::Before => return Ok(None),
                Finalized::Overtaken => {}
            }
        }
    }

    /// The date of what comes next in a series: today, or the one that somebody gave.
    fn issue_date(
        &self,
        series: &Series,
        foreseen: &Foreseen,
        not_before: &NotBefore,
        today: NaiveDate,
    ) -> Result<NaiveDate, BillingError> {
        let date = self.issue_date.unwrap_or(today);
        let mut latest = today;
        if let Some((number, newest)) = &foreseen.newest {
            latest = latest.max(*newest);
            if date < *newest {
                let (series, number) = (series.name.clone(), number.clone());
                return Err(StoreError::DateBehind { series, number, newest: *newest, wanted: date }.into());
            }
        }
        match not_before {
            NotBefore::Invoice(issued_on) => {
                latest = latest.max(*issued_on);
                if date < *issued_on {
                    return Err(BillingError::BeforeItsInvoice { date, issued_on: *issued_on });
                }
            }
            NotBefore::PeriodEnd(last_day) => {
                if self.issue_date.is_some() && date < *last_day {
                    return Err(BillingError::BeforePeriodEnd { date, last_day: *last_day });
                }
            }
        }
        if self.issue_date.is_some() && date > latest {
            return Err(BillingError::AfterToday { date, latest });
        }
        Ok(date)
    }

    /// Makes what is configured of a document that becomes final. What an e-invoice lacks keeps it from being one, and
    /// nothing else.
    fn rendered(
        &self,
        document: DocumentRef<'_>,
        look: &Branding,
        drafted_at: Timestamp,
        issue: &Issue,
    ) -> Result<Vec<RenderedDocument>, DocumentError> {
        let subject = ToRender { document, issue: Some(issue), in_review: false, drafted_at, look };
        let mut made = Vec::with_capacity(self.documents.len());
        for format in &self.documents {
            match (self.renderer.0)(*format, &subject) {
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
    // A look without the logo does to find what is kept, and not to make anything.
    let subject = subject_of(stored, issue.as_ref(), sender.look_for_data());
    let kept = format.kept_as();
    if format != kept {
        documents::check(format, &subject).map_err(failed)?;
    }
    if stored.status == Status::Final {
        // Nothing of it leaves before it is written down that it may have.
        store.settle_marks().await?;
    }
    if stored.status == Status::Final
        && let Some(document) = store.document(stored.id, kept.name()).await?
    {
        return Ok(document.bytes);
    }
    if matches!(kept, Format::Html | Format::Pdf) {
        sender.look()?;
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
pub fn subject_of<'a>(stored: &'a StoredInvoice, issue: Option<&'a Issue>, look: &'a Branding) -> ToRender<'a> {
    let in_review = stored.notes.in_review;
    ToRender { document: stored.document.by_ref(), issue, in_review, drafted_at: stored.drafted_at, look }
}
