//! Drafts: replaced as often as wanted, never a final invoice.

use super::cards::put_card;
use super::parts::CoverageRow;
use super::row::InvoiceRow;
use super::write::{put_parts, remove_parts};
use crate::domain::{Month, Timestamp};
use crate::invoicing::{Document, DocumentRef, Draft, DraftNotes, Invoice, Status};
use crate::store::database::{Dialect, Session, Spelled, Sql, again, record, text, unexpected, values};
use crate::store::{Store, StoreError, StoredCard, StoredInvoice};

impl Store {
    /// Writes drafts in the place of those that were there; gives those written. An account whose invoice for the
    /// period is final keeps it. If they are all there are of a month, its other drafts go.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_drafts(
        &self,
        card: &StoredCard,
        drafts: &[Draft],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        again!(self.try_put_drafts(card, drafts, all_of, drafted_at))
    }

    async fn try_put_drafts(
        &self,
        card: &StoredCard,
        drafts: &[Draft],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        let mut session = self.invoicing().await?;
        if let Some(month) = all_of {
            let kept = drafts.iter().map(|draft| draft.invoice.account.clone());
            remove_drafts(&mut session, month, kept.collect()).await?;
        }
        put_card(&mut session, card, drafted_at).await?;
        let mut stored = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let Draft { invoice, notes } = draft;
            if let Some(Put { id, replaces }) = put_draft(&mut session, draft, drafted_at).await? {
                stored.push(StoredInvoice {
                    id,
                    status: if notes.in_review { Status::Review } else { Status::Draft },
                    number: None,
                    drafted_at,
                    finalized_at: None,
                    dates: None,
                    held: held(&mut session, invoice).await?,
                    difference: None,
                    replaces,
                    notes: notes.clone(),
                    unpriced_lines: invoice.lines.iter().filter(|line| line.charge.is_none()).count(),
                    document: Document::Invoice(invoice.clone()),
                });
            }
        }
        // Last, for a short time: while the lease's row is held it can't be renewed.
        self.check_lease(&mut session).await?;
        session.commit().await?;
        Ok(stored)
    }

    /// Removes a month's drafts of all accounts but these, whose usage is no longer theirs.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_drafts_of(&self, month: Month, accounts: &[String]) -> Result<(), StoreError> {
        again!(self.try_keep_drafts_of(month, accounts))
    }

    async fn try_keep_drafts_of(&self, month: Month, accounts: &[String]) -> Result<(), StoreError> {
        let mut session = self.invoicing().await?;
        remove_drafts(&mut session, month, accounts.to_vec()).await?;
        self.check_lease(&mut session).await?;
        session.commit().await
    }

    /// A session in which no other process writes invoices: what it finds stays so until it commits.
    pub(super) async fn invoicing(&self) -> Result<Session, StoreError> {
        const ALONE: Sql = Sql::new("LOCK TABLE invoice IN SHARE ROW EXCLUSIVE MODE");
        let mut session = self.database.write().await?;
        if session.dialect() == Dialect::Postgres {
            session.run(ALONE, Vec::new()).await?;
        }
        Ok(session)
    }
}

/// Why an account's month is held, if it is.
pub(super) async fn held(session: &mut Session, invoice: &Invoice) -> Result<Option<String>, StoreError> {
    const HELD: Sql =
        Sql::new("SELECT reason FROM invoice_hold WHERE account = $1 AND month = $2 AND released_at IS NULL");
    let row = session.maybe(HELD, values![&invoice.account, invoice.month.to_string()]).await?;
    row.map(|row| row.string("invoice_hold.reason")).transpose()
}

/// Removes a month's drafts of all but some accounts: the others now have no usage.
async fn remove_drafts(session: &mut Session, month: Month, kept: Vec<String>) -> Result<(), StoreError> {
    const GONE: Sql = Sql::new(
        "SELECT id FROM invoice WHERE status = 'draft' AND month = $1
             AND account NOT IN (SELECT account FROM {rows} AS kept)",
    );
    record! { struct Kept { account: String } }
    let payload = session.rows(kept.into_iter().map(|account| Kept { account }));
    for row in session.all_of(GONE, values![month.to_string()], payload).await? {
        remove(session, row.integer("id")?).await?;
    }
    Ok(())
}

async fn remove(session: &mut Session, id: i64) -> Result<(), StoreError> {
    const REMOVE: Sql = Sql::new("DELETE FROM invoice WHERE id = $1");
    remove_parts(session, id).await?;
    session.run(REMOVE, values![id]).await?;
    Ok(())
}

/// Two time zones begin a month at most this far apart.
const DAYS_APART_SECONDS: i64 = 2 * 86_400;

/// A draft as it was written.
pub(super) struct Put {
    pub id: i64,
    /// The invoice in whose place it is; 0: none.
    pub replaces: i64,
}

/// Writes a draft in the place of the one that was there. `None`: the account's invoice is final.
pub(super) async fn put_draft(session: &mut Session, draft: &Draft, at: Timestamp) -> Result<Option<Put>, StoreError> {
    // Under another time zone the same month begins and ends at other instants.
    const OVERLAPPING: Sql = Sql::new(
        "SELECT id, status, period_start,
                EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens) AS reopened
         FROM invoice
         WHERE account = $1 AND kind = 'invoice' AND period_start < $3 AND period_end > $2
         ORDER BY id",
    );
    let invoice = &draft.invoice;
    let (mut same, mut replaces) = (None, 0);
    for row in session.all(OVERLAPPING, values![&invoice.account, invoice.period.from, invoice.period.to]).await? {
        // What neighbours share at their edge under another time zone is a day at most: not the same month.
        let start = row.time("period_start")?;
        if start.seconds_since(invoice.period.from).abs() > DAYS_APART_SECONDS {
            continue;
        }
        let id = row.integer("id")?;
        let Spelled(status): Spelled<Status> = row.get("invoice.status")?;
        if status == Status::Final {
            if !row.flag("reopened")? {
                return Ok(None);
            }
            replaces = id;
            continue;
        }
        if start == invoice.period.from {
            remove_parts(session, id).await?;
            same = Some(id);
        } else {
            remove(session, id).await?;
        }
    }
    refuse_twice(session, invoice).await?;
    let document = Document::Invoice(invoice);
    let id = put_row(session, document, &draft.notes, same, replaces, at).await?;
    put_parts(session, id, document).await?;
    Ok(Some(Put { id, replaces }))
}

/// Writes the document's own row, as a draft: in the place of `same`, if there is one.
pub(super) async fn put_row(
    session: &mut Session,
    document: DocumentRef<'_>,
    notes: &DraftNotes,
    same: Option<i64>,
    replaces: i64,
    at: Timestamp,
) -> Result<i64, StoreError> {
    const ADD: Sql = Sql::new(text![InvoiceRow::ADD_NEW, " RETURNING id"]);
    const CHANGE: Sql = Sql::new(InvoiceRow::CHANGE);
    let row = session.rows_in(document.currency, [InvoiceRow::of(document, notes, same, replaces, at)]);
    let Some(id) = same else {
        let added = session.all_of(ADD, Vec::new(), row).await?;
        return added.first().ok_or_else(|| unexpected("invoice.id", "none"))?.integer("invoice.id");
    };
    session.run_of(CHANGE, Vec::new(), row).await?;
    Ok(id)
}

/// Refuses usage that a final invoice of another account charged for: what was whose was changed meanwhile.
async fn refuse_twice(session: &mut Session, invoice: &Invoice) -> Result<(), StoreError> {
    // What earlier versions made final charges for its organizations as a whole.
    const ELSEWHERE: Sql = Sql::new(
        "SELECT invoice.number, invoice.account, ours.organization_guid
         FROM {rows} AS ours
         JOIN invoice ON invoice.status = 'final' AND invoice.kind = 'invoice' AND invoice.month = $1
             AND invoice.account <> $2
         WHERE NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             AND (EXISTS (SELECT 1 FROM invoice_coverage AS covered
                          WHERE covered.invoice_id = invoice.id AND covered.foundation = ours.foundation
                              AND covered.organization_guid = ours.organization_guid
                              AND covered.space_guid = ours.space_guid
                              AND covered.started_at < ours.ended_at AND covered.ended_at > ours.started_at)
                  OR invoice.issued_on IS NULL
                      AND EXISTS (SELECT 1 FROM invoice_line AS line
                                  WHERE line.invoice_id = invoice.id AND line.foundation = ours.foundation
                                      AND line.organization_guid = ours.organization_guid))
         LIMIT 1",
    );
    let payload = session.rows(invoice.coverage.iter().map(|one| CoverageRow::of(0, one)));
    if payload.is_empty() {
        return Ok(());
    }
    let month = invoice.month.to_string();
    match session.all_of(ELSEWHERE, values![&month, &invoice.account], payload).await?.first() {
        None => Ok(()),
        Some(row) => Err(StoreError::InvoicedElsewhere {
            organization: row.string("organization_guid")?,
            month,
            number: row.string("invoice.number")?,
            account: row.string("invoice.account")?,
        }),
    }
}
