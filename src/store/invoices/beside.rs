//! What stands beside invoices: documents, what a final invoice rests on, holds, and differences.

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::cards::{card_to_compare_by, put_card, read_card};
use super::read::{corrections_from_text, corrections_of, standing_correction};
use super::tables::{DocumentRow, HoldRow, RecalculationRow};
use super::write::corrections_text;
use crate::domain::text::hexadecimal;
use crate::domain::{Act, Deed, Month, Timestamp};
use crate::invoicing::Status;
use crate::store::database::{Row, Session, Spelled, Sql, again, record, text, unexpected, values};
use crate::store::{
    Compared, FinalInvoice, Recalculation, RenderedDocument, Store, StoreError, StoredCard, StoredDocument,
};

pub(super) async fn put_document(
    session: &mut Session,
    invoice_id: i64,
    document: &RenderedDocument,
    at: Timestamp,
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(text![DocumentRow::ADD_ONE, " ON CONFLICT DO NOTHING"]);
    let row = DocumentRow {
        invoice_id,
        format: document.format.to_owned(),
        renderer: document.renderer.to_owned(),
        made_at: at,
        sha256: hexadecimal(&Sha256::digest(&document.bytes)),
        body: document.bytes.clone(),
    };
    session.add(PUT, &row).await?;
    Ok(())
}

/// Puts what an invoice's period costs now in the place of what was kept.
async fn replace(
    session: &mut Session,
    invoice_id: i64,
    recalculation: Option<&Recalculation>,
    at: Timestamp,
) -> Result<(), StoreError> {
    const CLEAR: Sql = Sql::new("DELETE FROM invoice_recalculation WHERE invoice_id = $1");
    const PUT: Sql = Sql::new(RecalculationRow::ADD_ONE);
    session.run(CLEAR, values![invoice_id]).await?;
    if let Some(recalculation) = recalculation {
        let row = RecalculationRow {
            invoice_id,
            computed_at: at,
            rate_card_hash: recalculation.rate_card.clone(),
            pinned: recalculation.pinned,
            reason: recalculation.reason.clone(),
            net: recalculation.net,
            body: corrections_text(recalculation),
        };
        session.add_in(recalculation.currency, PUT, &row).await?;
    }
    Ok(())
}

fn read_document(row: &Row, bytes: Vec<u8>) -> Result<StoredDocument, StoreError> {
    Ok(StoredDocument {
        renderer: row.string("invoice_document.renderer")?,
        made_at: row.time("invoice_document.made_at")?,
        sha256: row.string("invoice_document.sha256")?,
        bytes,
    })
}

impl Store {
    /// The document of a final invoice in a format, if it was made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document(&self, invoice_id: i64, format: &str) -> Result<Option<StoredDocument>, StoreError> {
        const DOCUMENT: Sql = Sql::new(
            "SELECT renderer, made_at, sha256, body FROM invoice_document WHERE invoice_id = $1 AND format = $2",
        );
        let row = self.database.read().await?.maybe(DOCUMENT, values![invoice_id, format]).await?;
        row.map(|row| read_document(&row, row.bytes("invoice_document.body")?)).transpose()
    }

    /// The documents of a final invoice that were made, without their bytes: format, and how many bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn documents(&self, invoice_id: i64) -> Result<Vec<(String, u64, StoredDocument)>, StoreError> {
        const DOCUMENTS: Sql = Sql::new(
            "SELECT format, renderer, made_at, sha256, length(body) AS bytes
             FROM invoice_document WHERE invoice_id = $1 ORDER BY format",
        );
        let rows = self.database.read().await?.all(DOCUMENTS, values![invoice_id]).await?;
        let document = |row: &Row| {
            let stored = read_document(row, Vec::new())?;
            Ok((row.string("invoice_document.format")?, row.number("bytes")?, stored))
        };
        rows.iter().map(document).collect()
    }

    /// The invoice whose document has that SHA-256, and its format.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn document_by_hash(&self, sha256: &str) -> Result<Option<(String, String)>, StoreError> {
        const BY_HASH: Sql = Sql::new(
            "SELECT invoice.number, document.format
             FROM invoice_document AS document JOIN invoice ON invoice.id = document.invoice_id
             WHERE document.sha256 = $1 LIMIT 1",
        );
        let row = self.database.read().await?.maybe(BY_HASH, values![sha256]).await?;
        row.map(|row| Ok((row.string("invoice.number")?, row.string("invoice_document.format")?))).transpose()
    }

    /// Keeps a document of a final invoice; if another process was first, its own stays. Gives what is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_document(
        &self,
        invoice_id: i64,
        document: &RenderedDocument,
        at: Timestamp,
    ) -> Result<StoredDocument, StoreError> {
        again!(self.try_keep_document(invoice_id, document, at))?;
        let kept = self.document(invoice_id, document.format).await?;
        kept.ok_or_else(|| unexpected("invoice_document", document.format))
    }

    async fn try_keep_document(
        &self,
        invoice_id: i64,
        document: &RenderedDocument,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut session = self.database.write().await?;
        put_document(&mut session, invoice_id, document, at).await?;
        session.commit().await
    }

    /// How many documents an invoice has, and the format of the first that doesn't fit its hash.
    pub(super) async fn verify_documents(&self, invoice_id: i64) -> Result<(u64, Option<String>), StoreError> {
        const FORMATS: Sql = Sql::new("SELECT format FROM invoice_document WHERE invoice_id = $1 ORDER BY format");
        let rows = self.database.read().await?.all(FORMATS, values![invoice_id]).await?;
        for row in &rows {
            let format = row.text("invoice_document.format")?;
            let document = self.document(invoice_id, format).await?;
            let fits = document.is_some_and(|one| hexadecimal(&Sha256::digest(&one.bytes)) == one.sha256);
            if !fits {
                return Ok((0, Some(format.to_owned())));
            }
        }
        Ok((rows.len() as u64, None))
    }

    /// What a final invoice rests on, packed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice_basis(&self, invoice_id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        const BASIS: Sql = Sql::new("SELECT body FROM invoice_basis WHERE invoice_id = $1");
        let row = self.database.read().await?.maybe(BASIS, values![invoice_id]).await?;
        row.map(|row| row.bytes("invoice_basis.body")).transpose()
    }

    /// Holds an account's month back, so that it doesn't become final; `false` if it is held already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hold(&self, account: &str, month: Month, reason: &str, at: Timestamp) -> Result<bool, StoreError> {
        again!(self.try_hold(account, month, reason, at))
    }

    async fn try_hold(&self, account: &str, month: Month, reason: &str, at: Timestamp) -> Result<bool, StoreError> {
        const HELD: Sql =
            Sql::new("SELECT 1 FROM invoice_hold WHERE account = $1 AND month = $2 AND released_at IS NULL");
        const LATEST: Sql =
            Sql::new("SELECT max(held_at) AS latest FROM invoice_hold WHERE account = $1 AND month = $2");
        const HOLD: Sql = Sql::new(HoldRow::ADD_ONE);
        let mut session = self.invoicing().await?;
        if session.maybe(HELD, values![account, month.to_string()]).await?.is_some() {
            return Ok(false);
        }
        // Held, released and held again within a second.
        let latest = session.one(LATEST, values![account, month.to_string()]).await?.maybe_time("latest")?;
        let at = latest.map_or(at, |latest| at.max(latest.plus(1)));
        let (account, reason) = (account.to_owned(), reason.to_owned());
        let hold = HoldRow { account, month, held_at: at, reason, released_at: None, release_reason: None };
        session.add(HOLD, &hold).await?;
        let after = json!({ "reason": hold.reason });
        let subject = format!("{} {month}", hold.account);
        let act = Act { deed: Deed::MonthHeld, subject, before: None, after: Some(after) };
        self.note(&mut session, &[act], at).await?;
        session.commit().await?;
        Ok(true)
    }

    /// Releases what was held; `false` if nothing is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release(&self, account: &str, month: Month, reason: &str, at: Timestamp) -> Result<bool, StoreError> {
        again!(self.try_release(account, month, reason, at))
    }

    async fn try_release(&self, account: &str, month: Month, reason: &str, at: Timestamp) -> Result<bool, StoreError> {
        const RELEASE: Sql = Sql::new(
            "UPDATE invoice_hold SET released_at = $3, release_reason = $4
             WHERE account = $1 AND month = $2 AND released_at IS NULL
             RETURNING reason",
        );
        let mut session = self.invoicing().await?;
        let released = session.all(RELEASE, values![account, month.to_string(), at, reason]).await?;
        if let Some(row) = released.first() {
            let before = Some(json!({ "reason": row.string("invoice_hold.reason")? }));
            let (subject, after) = (format!("{account} {month}"), Some(json!({ "reason": reason })));
            self.note(&mut session, &[Act { deed: Deed::MonthReleased, subject, before, after }], at).await?;
        }
        session.commit().await?;
        Ok(!released.is_empty())
    }

    /// Keeps what some final invoices' periods cost now, in the place of what was kept. What was corrected, given back
    /// to be made anew, or pinned to another card since it was compared stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_recalculations(
        &self,
        compared: &[Compared],
        recalculations: &[Recalculation],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        if compared.is_empty() {
            return Ok(());
        }
        again!(self.try_put_recalculations(compared, recalculations, at))
    }

    async fn try_put_recalculations(
        &self,
        compared: &[Compared],
        recalculations: &[Recalculation],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const STANDING: Sql = Sql::new(concat!(
            "SELECT invoice.id, pending.rate_card_hash, pending.pinned,
                    (SELECT count(*) FROM invoice_correction AS correction JOIN invoice AS document
                         ON document.id = correction.invoice_id
                     WHERE correction.number = invoice.number AND ",
            standing_correction!(),
            ") AS corrections
             FROM {rows} AS ours
             JOIN invoice ON invoice.id = ours.invoice_id
             LEFT JOIN invoice_recalculation AS pending ON pending.invoice_id = invoice.id
             WHERE NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
                 AND (pending.invoice_id IS NOT NULL OR ours.differs)",
        ));
        let mut session = self.invoicing().await?;
        record! { struct Ours { invoice_id: i64, differs: bool } }
        let ours = |Compared { invoice_id, .. }: &Compared| {
            let differs = recalculations.iter().any(|recalculation| recalculation.invoice_id == *invoice_id);
            Ours { invoice_id: *invoice_id, differs }
        };
        let payload = session.rows(compared.iter().map(ours));
        for row in session.all_of(STANDING, Vec::new(), payload).await? {
            let id = row.integer("id")?;
            let Some(of) = compared.iter().find(|of| of.invoice_id == id) else { continue };
            let pinned = row.maybe_text("rate_card_hash")?.is_some() && row.flag("pinned")?;
            let other_pin = pinned && row.maybe_text("rate_card_hash")? != Some(&of.rate_card);
            if other_pin || row.get::<usize>("corrections")? != of.corrections {
                continue;
            }
            let now = recalculations.iter().find(|recalculation| recalculation.invoice_id == id);
            replace(&mut session, id, now, at).await?;
        }
        self.check_lease(&mut session).await?;
        session.commit().await
    }

    /// Keeps what a final invoice's period costs by a card that somebody said is the right one.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Corrected`] if it was corrected since it was compared.
    pub async fn pin_recalculation(
        &self,
        card: &StoredCard,
        recalculation: &Recalculation,
        corrections: usize,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        again!(self.try_pin_recalculation(card, recalculation, corrections, at))
    }

    async fn try_pin_recalculation(
        &self,
        card: &StoredCard,
        recalculation: &Recalculation,
        corrections: usize,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut session = self.invoicing().await?;
        if corrections_of(&mut session, &recalculation.number).await?.len() != corrections {
            return Err(StoreError::Corrected(recalculation.number.clone()));
        }
        put_card(&mut session, card, at).await?;
        replace(&mut session, recalculation.invoice_id, Some(recalculation), at).await?;
        let after = Some(json!({ "card": card.hash, "reason": recalculation.reason }));
        let subject = recalculation.number.clone();
        self.note(&mut session, &[Act { deed: Deed::InvoiceRepriced, subject, before: None, after }], at).await?;
        session.commit().await
    }

    /// Which accounts' months are held, with the reasons.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn holds(&self, month: Month) -> Result<HashMap<String, String>, StoreError> {
        const HELD: Sql = Sql::new("SELECT account, reason FROM invoice_hold WHERE month = $1 AND released_at IS NULL");
        let rows = self.database.read().await?.all(HELD, values![month.to_string()]).await?;
        rows.iter().map(|row| Ok((row.string("invoice_hold.account")?, row.string("invoice_hold.reason")?))).collect()
    }

    /// The months that an account has an invoice of, and whether that is final and wasn't given back to be made anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn months_of(&self, account: &str) -> Result<BTreeMap<Month, bool>, StoreError> {
        const MONTHS: Sql = Sql::new(
            "SELECT month, status FROM invoice
             WHERE account = $1 AND kind = 'invoice'
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)",
        );
        let rows = self.database.read().await?.all(MONTHS, values![account]).await?;
        let mut months = BTreeMap::new();
        for row in rows {
            let Spelled(status): Spelled<Status> = row.get("invoice.status")?;
            *months.entry(row.get("invoice.month")?).or_default() |= status == Status::Final;
        }
        Ok(months)
    }

    /// The newest number, by account, of a month's final invoices that were given back to be made anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reopened(&self, month: Month) -> Result<HashMap<String, String>, StoreError> {
        const REOPENED: Sql = Sql::new(
            "SELECT account, number FROM invoice
             WHERE month = $1 AND status = 'final' AND kind = 'invoice'
                 AND EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             ORDER BY id",
        );
        let rows = self.database.read().await?.all(REOPENED, values![month.to_string()]).await?;
        rows.iter().map(|row| Ok((row.string("invoice.account")?, row.string("invoice.number")?))).collect()
    }

    /// A month's final invoices that weren't given back to be made anew: id, account, number, and the card by which
    /// they are to be compared: the newest that a correction names, or their own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finals(&self, month: Month) -> Result<Vec<FinalInvoice>, StoreError> {
        const FINALS: Sql = Sql::new(concat!(
            "SELECT invoice.id, invoice.account, invoice.number, invoice.account_name,
                    ",
            card_to_compare_by!(),
            " AS card,
                    (SELECT count(*) FROM invoice_recalculation AS pending
                     WHERE pending.invoice_id = invoice.id AND pending.pinned) AS pinned,
                    (SELECT pending.reason FROM invoice_recalculation AS pending
                     WHERE pending.invoice_id = invoice.id) AS reason,
                    invoice.time_zone, invoice.currency, invoice.rules,
                    invoice.net
                        - coalesce((SELECT sum(carried.amount_after - carried.amount_before)
                                    FROM invoice_correction AS carried WHERE carried.invoice_id = invoice.id), 0)
                        + coalesce((SELECT sum(correction.amount_after - correction.amount_before)
                                    FROM invoice_correction AS correction JOIN invoice AS document
                                        ON document.id = correction.invoice_id
                                    WHERE correction.number = invoice.number AND correction.cause <> 'credited' AND ",
            standing_correction!(),
            "), 0)
                        AS charged,
                    (SELECT count(*) FROM invoice_correction AS correction JOIN invoice AS document
                         ON document.id = correction.invoice_id
                     WHERE correction.number = invoice.number AND ",
            standing_correction!(),
            ") AS corrections,
                    (SELECT count(*) FROM invoice_correction AS correction JOIN invoice AS document
                         ON document.id = correction.invoice_id
                     WHERE (correction.number = invoice.number OR document.id = invoice.id)
                         AND correction.cause = 'credited' AND ",
            standing_correction!(),
            ") AS given
             FROM invoice
             WHERE invoice.month = $1 AND invoice.status = 'final' AND invoice.kind = 'invoice'
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             ORDER BY invoice.id",
        ));
        let rows = self.database.read().await?.all(FINALS, values![month.to_string()]).await?;
        let read = |row: &Row| {
            Ok(FinalInvoice {
                id: row.integer("invoice.id")?,
                account: row.string("invoice.account")?,
                number: row.string("invoice.number")?,
                account_name: row.maybe_string("invoice.account_name")?,
                rate_card: row.string("card")?,
                pinned: row.integer("pinned")? > 0,
                reason: row.maybe_string("invoice_recalculation.reason")?,
                time_zone: row.zone("invoice.time_zone")?,
                rules: row.get("invoice.rules")?,
                charged: row.get_in("charged", row.get("invoice.currency")?)?,
                corrections: row.get("corrections")?,
                is_given: row.integer("given")? > 0,
            })
        };
        rows.iter().map(read).collect()
    }

    /// A rate card that was used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn card(&self, hash: &str) -> Result<Option<StoredCard>, StoreError> {
        const CARD: Sql = Sql::new("SELECT hash, name, currency, body FROM rate_card WHERE hash = $1");
        let row = self.database.read().await?.maybe(CARD, values![hash]).await?;
        row.map(|row| read_card(&row)).transpose()
    }

    /// What final invoices' periods cost now, where that is something else.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recalculations(&self) -> Result<Vec<Recalculation>, StoreError> {
        const ALL: Sql = Sql::new(
            "SELECT pending.invoice_id, pending.rate_card_hash, pending.pinned, pending.reason, pending.net, pending.body,
                    invoice.number, invoice.account, invoice.month, invoice.currency
             FROM invoice_recalculation AS pending JOIN invoice ON invoice.id = pending.invoice_id
             WHERE NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             ORDER BY invoice.account, invoice.month",
        );
        let rows = self.database.read().await?.all(ALL, Vec::new()).await?;
        let read = |row: &Row| {
            let currency = row.get("invoice.currency")?;
            Ok(Recalculation {
                invoice_id: row.integer("invoice_recalculation.invoice_id")?,
                number: row.string("invoice.number")?,
                account: row.string("invoice.account")?,
                month: row.get("invoice.month")?,
                rate_card: row.string("invoice_recalculation.rate_card_hash")?,
                pinned: row.flag("invoice_recalculation.pinned")?,
                reason: row.maybe_string("invoice_recalculation.reason")?,
                currency,
                net: row.get_in("invoice_recalculation.net", currency)?,
                corrections: corrections_from_text(row.text("invoice_recalculation.body")?)?,
            })
        };
        rows.iter().map(read).collect()
    }
}
