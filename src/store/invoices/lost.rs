//! A book beside the marks of what was issued: one restored from a backup lacks numbers. They are brought back from their
//! documents, or recorded as lost; only then numbers go on.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::beside::put_document;
use super::cards::put_card;
use super::draft::{Put, put_draft, put_row};
use super::issue::{last_of, put_final};
use super::marks::Mark;
use super::tables::{AdoptedRow, LostRow};
use super::write::put_parts;
use crate::domain::text::hexadecimal;
use crate::domain::{Act, Deed, Timestamp};
use crate::invoicing::{Dates, Document, Draft, DraftNotes};
use crate::store::RenderedDocument;
use crate::store::database::{Session, Sql, values};
use crate::store::{Series, Store, StoreError, StoredCard};

/// An invoice or credit note that is brought back from its documents.
#[derive(Clone, Debug)]
pub struct Adopted {
    pub series: Series,
    /// In its series, from 1.
    pub series_number: i64,
    pub document: Document,
    pub dates: Dates,
    pub finalized_at: Timestamp,
    /// Its card, if the book doesn't have it.
    pub card: Option<StoredCard>,
    /// What its mark says; `None`: there is none.
    pub mark: Option<Mark>,
    pub documents: Vec<RenderedDocument>,
}

/// How far a series goes in the book, and by its marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesState {
    /// The last number in the book, with those recorded as lost.
    pub last_number: i64,
    /// The last number that documents may have left of.
    pub issued: i64,
}

impl Store {
    /// How far a series goes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn series_state(&self, series: &Series) -> Result<SeriesState, StoreError> {
        let mut session = self.database.read().await?;
        let (last_number, _) = last_of(&mut session, series).await?;
        let newest = self.marks.as_ref().map(|marks| marks.newest(&series.name)).transpose()?.flatten();
        let issued = newest.map_or(0, |mark| if mark.issued { mark.number } else { mark.number - 1 });
        Ok(SeriesState { last_number, issued })
    }

    /// The names of all series that have a number, or a mark of one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn series_names(&self) -> Result<Vec<String>, StoreError> {
        const NAMES: Sql = Sql::new("SELECT name FROM invoice_series ORDER BY name");
        let rows = self.database.read().await?.all(NAMES, Vec::new()).await?;
        let mut names = rows.iter().map(|row| row.string("invoice_series.name")).collect::<Result<Vec<_>, _>>()?;
        if let Some(marks) = &self.marks {
            names.extend(marks.all()?.into_keys().map(|(series, _)| series));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The mark of a number, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Marks`].
    pub fn marks(&self) -> Result<std::collections::HashMap<(String, i64), Mark>, StoreError> {
        self.marks.as_ref().map_or_else(|| Ok(std::collections::HashMap::new()), |marks| marks.all())
    }

    /// Refuses a book that lacks what was issued, or has something else under a number.
    pub(super) async fn check_marks(&self, session: &mut Session, series: &Series) -> Result<(), StoreError> {
        const DIGEST: Sql = Sql::new("SELECT digest FROM invoice WHERE series = $1 AND series_number = $2");
        self.can_mark()?;
        let Some(mark) = self.marks.as_ref().map(|marks| marks.newest(&series.name)).transpose()?.flatten() else {
            return Ok(());
        };
        let (last_number, last_digest) = last_of(session, series).await?;
        let other = || StoreError::OtherThanIssued { number: series.number(mark.number) };
        if mark.number <= last_number {
            let row = session.maybe(DIGEST, values![&series.name, mark.number]).await?;
            return match row {
                // Somebody recorded it as lost.
                None => Ok(()),
                Some(row) if !mark.issued || row.maybe_text("invoice.digest")? == Some(&mark.digest) => Ok(()),
                Some(_) => Err(other()),
            };
        }
        let last = if mark.issued { mark.number } else { mark.number - 1 };
        if last > last_number {
            let (first, last) = (series.number(last_number + 1), series.number(last));
            return Err(StoreError::OlderThanIssued { series: series.name.clone(), first, last });
        }
        // It was begun and never committed, so nothing of it has left: its number is used again.
        if mark.before == last_digest { Ok(()) } else { Err(other()) }
    }

    /// Whether there is a place for marks of what is issued, where there must be.
    ///
    /// # Errors
    /// [`StoreError::NoMarks`].
    pub fn can_mark(&self) -> Result<(), StoreError> {
        if self.must_mark && self.marks.is_none() { Err(StoreError::NoMarks) } else { Ok(()) }
    }

    /// Where it is marked what was issued, for people.
    #[must_use]
    pub fn marks_location(&self) -> Option<String> {
        self.marks.as_ref().map(|marks| marks.location())
    }

    /// The next number, if a process died between its mark and its commit.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begun(&self, series: &Series) -> Result<Option<String>, StoreError> {
        let Some(mark) = self.marks.as_ref().map(|marks| marks.newest(&series.name)).transpose()?.flatten() else {
            return Ok(None);
        };
        let (last_number, _) = last_of(&mut self.database.read().await?, series).await?;
        Ok((!mark.issued && mark.number == last_number + 1).then(|| series.number(mark.number)))
    }

    /// Writes down that a number is about to be committed.
    pub(super) fn begin_mark(&self, mark: &Mark) -> Result<(), StoreError> {
        self.marks.as_ref().map_or(Ok(()), |marks| marks.add(mark))
    }

    /// Writes down what was committed, before anything of it leaves: also what a process that died had no time to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_marks(&self) -> Result<(), StoreError> {
        self.settle(false).await
    }

    /// As [`Store::settle_marks`]; whether the newest commit was acknowledged is known.
    pub(super) async fn settle(&self, acknowledged: bool) -> Result<(), StoreError> {
        const DIGEST: Sql = Sql::new("SELECT 1 FROM invoice WHERE series = $1 AND series_number = $2 AND digest = $3");
        const NAMES: Sql = Sql::new("SELECT name FROM invoice_series ORDER BY name");
        let Some(marks) = &self.marks else { return Ok(()) };
        let mut session = self.database.read().await?;
        for row in session.all(NAMES, Vec::new()).await? {
            let series = row.text("invoice_series.name")?;
            let Some(mark) = marks.newest(series)?.filter(|mark| !mark.issued) else { continue };
            if session.maybe(DIGEST, values![series, mark.number, &mark.digest]).await?.is_some() {
                if !acknowledged {
                    // Its commit may be in the book, and not on a standby yet.
                    self.wait_for_all().await?;
                }
                marks.add(&Mark { issued: true, ..mark })?;
            }
        }
        Ok(())
    }

    /// Records numbers as lost: what was issued under them isn't in the book, and never will be. The first must be the
    /// next one of the series, the last at most the last that was issued.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::NotMissing`].
    pub async fn record_lost(
        &self,
        series: &Series,
        (first, last): (i64, i64),
        reason: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        const RECORD: Sql = Sql::new(LostRow::ADD_ONE);
        let issued = self.series_state(series).await?.issued;
        let mut session = self.invoicing().await?;
        let (last_number, _) = last_of(&mut session, series).await?;
        if first != last_number + 1 || last < first || last > issued {
            let missing = if issued > last_number {
                format!("{} to {}", series.number(last_number + 1), series.number(issued))
            } else {
                "no number".to_owned()
            };
            return Err(StoreError::NotMissing { asked: format!("{first}..{last}"), missing });
        }
        advance(&mut session, series, last).await?;
        let lost = LostRow {
            series: series.name.clone(),
            first_number: first,
            last_number: last,
            reason: reason.to_owned(),
            recorded_at: at,
        };
        session.add(RECORD, &lost).await?;
        let subject = format!("{} to {}", series.number(first), series.number(last));
        let after = Some(json!({ "reason": reason }));
        self.note(&mut session, &[Act { deed: Deed::NumbersLost, subject, before: None, after }], at).await?;
        session.commit().await
    }

    /// Brings an invoice or credit note back: the next number of its series, with its documents byte for byte, and its
    /// link of the chain as its mark has it.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::NotAdopted`] if it isn't what was issued.
    pub async fn adopt_invoice(&self, adopted: &Adopted, at: Timestamp) -> Result<(), StoreError> {
        const ADOPTED: Sql = Sql::new(AdoptedRow::ADD_ONE);
        const SETTLED: Sql = Sql::new(
            "DELETE FROM invoice_recalculation
             WHERE invoice_id = (SELECT id FROM invoice WHERE number = $1 AND kind = 'invoice')",
        );
        const LOST: Sql = Sql::new("SELECT 1 FROM invoice_lost WHERE series = $1 AND last_number = $2");
        let Adopted { series, series_number, document, dates, finalized_at, card, mark, documents } = adopted;
        let number = series.number(*series_number);
        let not = |why: &str| StoreError::NotAdopted { number: number.clone(), why: why.to_owned() };
        let mut session = self.invoicing().await?;
        let (last_number, last_digest) = last_of(&mut session, series).await?;
        if last_number + 1 != *series_number {
            return Err(not("it isn't the next number of its series"));
        }
        let after_lost = session.maybe(LOST, values![&series.name, last_number]).await?.is_some();
        let of_format: BTreeMap<&str, String> =
            documents.iter().map(|one| (one.format, hexadecimal(&Sha256::digest(&one.bytes)))).collect();
        let (before, digest) = match mark {
            Some(mark) => {
                let is_as_issued = |(format, sha256): (&&str, &String)| {
                    mark.documents.get(*format).is_none_or(|issued| issued == sha256)
                };
                if let Some((format, _)) = of_format.iter().find(|one| !is_as_issued(*one)) {
                    return Err(not(&format!("the {format} document isn't the one that was issued")));
                }
                if mark.before != last_digest && !after_lost {
                    return Err(not("what was issued before it isn't what the book has"));
                }
                (mark.before.clone(), mark.digest.clone())
            }
            // Without a mark its link is over its document.
            None => (last_digest.clone(), adopted_digest(last_digest.as_deref(), &of_format)),
        };
        if let Some(card) = card {
            put_card(&mut session, card, at).await?;
        }
        let Some(id) = put_document_rows(&mut session, document, *finalized_at).await? else {
            return Err(not("the account has another final invoice of its month"));
        };
        let corrected = document.corrections.iter().map(|one| one.number.as_str());
        for number in corrected.chain(document.as_credit_note().map(|note| note.corrects.number.as_str())) {
            session.run(SETTLED, values![number]).await?;
        }
        advance(&mut session, series, *series_number).await?;
        session.add(ADOPTED, &AdoptedRow { invoice_id: id, before: before.clone(), adopted_at: at }).await?;
        let act = Act { deed: Deed::InvoiceAdopted, subject: number.clone(), before: None, after: None };
        self.note(&mut session, &[act], at).await?;
        let named = (series, *series_number, number.as_str());
        put_final(&mut session, id, named, document.accepted(), *dates, *finalized_at, &digest).await?;
        for made in documents {
            put_document(&mut session, id, made, *finalized_at).await?;
        }
        session.commit().await?;
        if let (None, Some(marks)) = (mark, &self.marks) {
            marks.add(&Mark {
                series: series.name.clone(),
                number: *series_number,
                issued: true,
                before,
                digest,
                documents: of_format.into_iter().map(|(format, sha256)| (format.to_owned(), sha256)).collect(),
                reopens: document.reopens(),
                accepted: document.accepted().to_vec(),
                rules: document.rules,
            })?;
        }
        Ok(())
    }
}

/// Writes a document as if it weren't final yet; `None`: the account has another final invoice of its month.
async fn put_document_rows(
    session: &mut Session,
    document: &Document,
    at: Timestamp,
) -> Result<Option<i64>, StoreError> {
    let notes = DraftNotes::default();
    match document {
        Document::Invoice(invoice) => {
            let put = put_draft(session, &Draft { invoice: invoice.clone(), notes }, at).await?;
            Ok(put.map(|Put { id, .. }| id))
        }
        Document::CreditNote(_) => {
            let id = put_row(session, document.by_ref(), &notes, None, 0, at).await?;
            put_parts(session, id, document.by_ref()).await?;
            Ok(Some(id))
        }
    }
}

/// The link of what was brought back without a mark: over the one before it, and its documents.
pub(super) fn adopted_digest(before: Option<&str>, of_format: &BTreeMap<&str, String>) -> String {
    let json = of_format.get("json").map_or("", String::as_str);
    hexadecimal(&Sha256::new().chain_update(before.unwrap_or_default()).chain_update(json).finalize())
}

/// A series goes on behind a number.
pub(super) async fn advance(session: &mut Session, series: &Series, number: i64) -> Result<(), StoreError> {
    const ADVANCE: Sql = Sql::new(
        "INSERT INTO invoice_series (name, last_number) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET last_number = excluded.last_number",
    );
    session.run(ADVANCE, values![&series.name, number]).await?;
    Ok(())
}
