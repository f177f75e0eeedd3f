//! Makes invoices and credit notes final: number, digest, what they rest on and their documents, in one transaction, so
//! that wherever the process dies there is no gap, no repeat and no half document. Documents come made, for the number
//! that was foreseen; the transaction takes them only if that is still the next one.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::beside::put_document;
use super::cards::put_card;
use super::compared::{compare_again, put_accounts};
use super::draft::{Put, held, put_draft, put_row};
use super::known::refuse_other_edges;
use super::marks::Mark;
use super::read::corrections;
use super::tables::BasisRow;
use super::write::put_parts;
use crate::domain::period::date_of;
use crate::domain::text::hexadecimal;
use crate::domain::{Act, Amount, Deed, Timestamp};
use crate::invoicing::{CorrectionCause, CreditNote, Dates, Document, DocumentRef, Draft, DraftNotes, Issued};
use crate::store::database::{Session, Sql, again, values};
use crate::store::{Finalized, Foreseen, Issuing, Series, Store, StoreError, StoredCard};

impl Store {
    /// The next number of a series, and what it follows. Nothing is reserved: another process may take it first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foresee(&self, series: &Series) -> Result<Foreseen, StoreError> {
        let mut session = self.database.read().await?;
        self.check_marks(&mut session, series).await?;
        self.check_server(&mut session, series).await?;
        let (last_number, before) = last_of(&mut session, series).await?;
        let newest = newest_of(&mut session, series).await?;
        let series_number = last_number + 1;
        Ok(Foreseen { series_number, number: series.number(series_number), before, newest })
    }

    /// Makes an invoice final under the number that was foreseen, in one transaction: no gap and no repeat, wherever the
    /// process dies. [`Finalized::Overtaken`] if that number was taken meanwhile: nothing was changed then.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Held`] if somebody held it meanwhile, [`StoreError::Corrected`] if what it
    /// corrects was corrected meanwhile.
    pub async fn finalize(
        &self,
        card: &StoredCard,
        draft: &Draft,
        issuing: &Issuing<'_>,
    ) -> Result<Finalized, StoreError> {
        again!(self.try_finalize(card, draft, issuing))
    }

    async fn try_finalize(
        &self,
        card: &StoredCard,
        draft: &Draft,
        issuing: &Issuing<'_>,
    ) -> Result<Finalized, StoreError> {
        const CARRIED: Sql = Sql::new(
            "DELETE FROM invoice_recalculation
             WHERE invoice_id = (SELECT id FROM invoice WHERE number = $1 AND kind = 'invoice')
             RETURNING net",
        );
        const MADE_WITH: Sql = Sql::new("UPDATE invoice SET accounts_hash = $2 WHERE id = $1");
        let mut session = self.invoicing().await?;
        put_card(&mut session, card, issuing.at).await?;
        let invoice = &draft.invoice;
        let put = put_draft(&mut session, draft, issuing.at).await?;
        let Some(Put { id, replaces }) = put else { return Ok(Finalized::Before) };
        if let Some(reason) = held(&mut session, invoice).await? {
            return Err(StoreError::Held {
                account: invoice.account.clone(),
                month: invoice.month.to_string(),
                reason,
            });
        }
        refuse_other_edges(&mut session, invoice).await?;
        // What was given back of the invoice in whose place it is, is no difference.
        let carried = invoice.corrections.iter().filter(|one| one.cause != CorrectionCause::Credited);
        let mut carried: Vec<&str> = carried.map(|one| one.number.as_str()).collect();
        carried.dedup();
        for number in carried {
            let of = invoice.corrections.iter().filter(|one| one.number == number);
            let total: i64 = of.map(|one| one.after.0.saturating_sub(one.before.0)).fold(0, i64::saturating_add);
            let row = session.maybe(CARRIED, values![number]).await?;
            let kept =
                row.map(|row| row.get_in::<Amount>("invoice_recalculation.net", invoice.currency)).transpose()?;
            if kept.map(|kept| kept.0) != Some(total) {
                return Err(StoreError::Corrected(number.to_owned()));
            }
        }
        if let Some(accounts) = issuing.accounts {
            put_accounts(&mut session, accounts, issuing.at).await?;
            session.run(MADE_WITH, values![id, &accounts.hash]).await?;
        }
        self.note_issued(&mut session, Deed::InvoiceFinalized, Document::Invoice(invoice), issuing).await?;
        if !self.finish(&mut session, (id, replaces), Document::Invoice(invoice), issuing).await? {
            return Ok(Finalized::Overtaken);
        }
        session.commit().await?;
        self.issued().await;
        Ok(Finalized::Now(issuing.foreseen.number.clone()))
    }

    /// Writes into the audit log that a document was issued.
    async fn note_issued(
        &self,
        session: &mut Session,
        deed: Deed,
        document: DocumentRef<'_>,
        issuing: &Issuing<'_>,
    ) -> Result<(), StoreError> {
        let mut after = json!({
            "account": document.account, "month": document.month.to_string(), "currency": document.currency.code(),
            "net": document.net.in_major_units(document.currency).to_string(), "accepted": document.accepted(),
        });
        if let Some(note) = document.as_credit_note() {
            after["corrects"] = note.corrects.number.clone().into();
            after["reason"] = note.reason.clone().into();
            after["reopens"] = note.reopens.into();
        }
        let subject = issuing.foreseen.number.clone();
        self.note(session, &[Act { deed, subject, before: None, after: Some(after) }], issuing.at).await
    }

    /// Makes a credit note, final at once, under the number that was foreseen. `expected` is how many corrections of its
    /// invoice it rests on.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Corrected`] if there are others by now.
    pub async fn credit(
        &self,
        card: &StoredCard,
        note: &CreditNote,
        expected: usize,
        issuing: &Issuing<'_>,
    ) -> Result<Finalized, StoreError> {
        again!(self.try_credit(card, note, expected, issuing))
    }

    async fn try_credit(
        &self,
        card: &StoredCard,
        note: &CreditNote,
        expected: usize,
        issuing: &Issuing<'_>,
    ) -> Result<Finalized, StoreError> {
        // What somebody said is the right card stays so, unless it is what is settled.
        const SETTLED: Sql = Sql::new(
            "DELETE FROM invoice_recalculation
             WHERE (NOT pinned OR $2) AND invoice_id = (SELECT id FROM invoice WHERE number = $1 AND kind = 'invoice')",
        );
        let corrected = note.corrects.number.as_str();
        let mut session = self.invoicing().await?;
        if corrections(&mut session, corrected).await?.count() != expected {
            return Err(StoreError::Corrected(corrected.to_owned()));
        }
        put_card(&mut session, card, issuing.at).await?;
        let document = Document::CreditNote(note);
        let id = put_row(&mut session, document, &DraftNotes::default(), None, 0, issuing.at).await?;
        put_parts(&mut session, id, document).await?;
        let by_decision = note.corrections.iter().all(|one| one.cause == CorrectionCause::Credited);
        compare_again(&mut session, note).await?;
        session.run(SETTLED, values![corrected, !by_decision || note.reopens]).await?;
        self.note_issued(&mut session, Deed::InvoiceCredited, document, issuing).await?;
        if !self.finish(&mut session, (id, 0), document, issuing).await? {
            return Ok(Finalized::Overtaken);
        }
        session.commit().await?;
        self.issued().await;
        Ok(Finalized::Now(issuing.foreseen.number.clone()))
    }

    /// `false`: what was foreseen isn't so any more.
    async fn finish(
        &self,
        session: &mut Session,
        (id, replaces): (i64, i64),
        document: DocumentRef<'_>,
        issuing: &Issuing<'_>,
    ) -> Result<bool, StoreError> {
        const NEXT: Sql = Sql::new(
            "INSERT INTO invoice_series (name, last_number) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET last_number = invoice_series.last_number + 1
             RETURNING last_number",
        );
        const BASIS: Sql = Sql::new(BasisRow::ADD_ONE);
        let Issuing { series, at, dates, basis, foreseen, documents, .. } = issuing;
        let Foreseen { series_number, number, before, .. } = foreseen;
        self.check_marks(session, series).await?;
        self.check_server(session, series).await?;
        let (last_number, last_digest) = last_of(session, series).await?;
        if last_number + 1 != *series_number || last_digest != *before {
            return Ok(false);
        }
        session.one(NEXT, values![&series.name]).await?;
        if let Some(basis) = basis {
            session.add(BASIS, &BasisRow { invoice_id: id, body: basis.clone() }).await?;
        }
        let basis = basis.as_ref().map(|basis| hexadecimal(&Sha256::digest(basis)));
        let canonical = document.canonical(&Issued {
            number,
            finalized_at: *at,
            dates: Some(*dates),
            basis: basis.as_deref(),
            replaces,
        });
        let digest = invoice_digest(before.as_deref(), &canonical);
        put_final(session, id, (series, *series_number, number), document.accepted(), *dates, *at, &digest).await?;
        let mut of_format = BTreeMap::new();
        for made in documents {
            put_document(session, id, made, *at).await?;
            of_format.insert(made.format.to_owned(), hexadecimal(&Sha256::digest(&made.bytes)));
        }
        self.check_lease(session).await?;
        let synchronous = self.wait_for_standby(session).await?;
        self.issue_here(session, series, synchronous, *at).await?;
        // Last before the commit, which may still fail.
        self.begin_mark(&Mark {
            series: series.name.clone(),
            number: *series_number,
            issued: false,
            before: before.clone(),
            digest,
            documents: of_format,
            reopens: document.reopens(),
            accepted: document.accepted().to_vec(),
            rules: document.rules,
        })?;
        Ok(true)
    }

    /// After a commit: what is final may leave once that is written down. What can't be, is by whoever exports it.
    async fn issued(&self) {
        if let Err(error) = self.settle(true).await {
            tracing::warn!("a final invoice isn't marked as issued yet: {error}");
        }
    }
}

/// Makes a draft final under a number.
pub(super) async fn put_final(
    session: &mut Session,
    id: i64,
    (series, series_number, number): (&Series, i64, &str),
    accepted: &[String],
    dates: Dates,
    at: Timestamp,
    digest: &str,
) -> Result<(), StoreError> {
    const FINAL: Sql = Sql::new(
        "UPDATE invoice SET status = 'final', in_review = $10, series = $2, series_number = $3, number = $4,
                            finalized_at = $5, accepted = $6, digest = $7, issued_on = $8, due_on = $9
         WHERE id = $1",
    );
    let accepted = (!accepted.is_empty()).then(|| serde_json::to_string(accepted).expect("texts are plain values"));
    let values = values![
        id,
        &series.name,
        series_number,
        number,
        at,
        accepted,
        digest,
        dates.issued_on.to_string(),
        dates.due_on.map(|due_on| due_on.to_string()),
        false,
    ];
    session.run(FINAL, values).await?;
    Ok(())
}

/// The last number of a series, 0 before any, and the digest of the last one that the book has.
pub(super) async fn last_of(session: &mut Session, series: &Series) -> Result<(i64, Option<String>), StoreError> {
    const LAST: Sql = Sql::new(
        "SELECT series.last_number,
                (SELECT invoice.digest FROM invoice
                 WHERE invoice.series = series.name AND invoice.series_number <= series.last_number
                 ORDER BY invoice.series_number DESC LIMIT 1) AS digest
         FROM invoice_series AS series
         WHERE series.name = $1",
    );
    match session.maybe(LAST, values![&series.name]).await? {
        None => Ok((0, None)),
        Some(row) => Ok((row.integer("invoice_series.last_number")?, row.maybe_string("invoice.digest")?)),
    }
}

/// The newest date of a series, with the last number that has it.
async fn newest_of(session: &mut Session, series: &Series) -> Result<Option<(String, NaiveDate)>, StoreError> {
    const NEWEST: Sql = Sql::new(
        "SELECT number, issued_on, finalized_at, time_zone FROM invoice
         WHERE series = $1 AND status = 'final'
         ORDER BY coalesce(issued_on, '') DESC, series_number DESC
         LIMIT 1",
    );
    let Some(row) = session.maybe(NEWEST, values![&series.name]).await? else { return Ok(None) };
    let date = if let Some(date) = row.get::<Option<NaiveDate>>("invoice.issued_on")? {
        date
    } else {
        // Of an earlier version's invoices: the day on which it became final.
        let zone = row.zone("invoice.time_zone")?;
        date_of(row.time("invoice.finalized_at")?, zone)
    };
    Ok(Some((row.string("invoice.number")?, date)))
}

pub(super) fn invoice_digest(before: Option<&str>, canonical: &str) -> String {
    let hash = Sha256::new().chain_update(before.unwrap_or_default()).chain_update(canonical);
    hexadecimal(&hash.finalize())
}
