//! How far the ledger is in what final months were compared with, and since when what came later matters.

use super::tables::AccountsRow;
use crate::store::database::{Session, Sql, again, text, values};
use crate::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{FoundationHead, Month, Timestamp};
use crate::invoicing::CreditNote;

/// From when on usage may be another than final months were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Nothing,
    Since(Timestamp),
    /// They never were.
    Everything,
}

/// By which accounts file final invoices were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountsOf {
    /// Earlier versions didn't keep it.
    Unknown,
    /// There was none: each organization was an account of its own.
    Nobody,
    /// Its text.
    File(String),
}

/// Whose final invoices of a month were made by one accounts file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeBy {
    pub file: AccountsOf,
    pub accounts: BTreeSet<String>,
}

/// An accounts file as it was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAccounts {
    /// SHA-256 of its text, hexadecimal.
    pub hash: String,
    pub text: String,
}

/// Keeps the accounts file that an invoice is made final with.
pub(super) async fn put_accounts(
    session: &mut Session,
    accounts: &StoredAccounts,
    at: Timestamp,
) -> Result<(), StoreError> {
    const PUT: Sql = Sql::new(text![AccountsRow::ADD_ONE, " ON CONFLICT (hash) DO NOTHING"]);
    let row = AccountsRow { hash: accounts.hash.clone(), kept_at: at, body: accounts.text.clone() };
    session.add(PUT, &row).await?;
    Ok(())
}

impl Store {
    /// By which accounts files a month's final invoices were made that weren't given back to be made anew, and whose; the
    /// file that was used first comes first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn accounts_of(&self, month: Month) -> Result<Vec<MadeBy>, StoreError> {
        const MADE: Sql = Sql::new(
            "SELECT invoice.account, invoice.accounts_hash, invoice.rules
             FROM invoice
             WHERE invoice.month = $1 AND invoice.status = 'final' AND invoice.kind = 'invoice'
                 AND NOT EXISTS (SELECT 1 FROM invoice AS note WHERE note.corrects = invoice.number AND note.reopens)
             ORDER BY invoice.finalized_at, invoice.id",
        );
        const FILES: Sql = Sql::new(
            "SELECT hash, body FROM accounts_file
             WHERE hash IN (SELECT accounts_hash FROM invoice WHERE month = $1 AND status = 'final')",
        );
        let mut session = self.database.read().await?;
        let mut files = BTreeMap::new();
        for row in session.all(FILES, values![month.to_string()]).await? {
            files.insert(row.string("accounts_file.hash")?, row.string("accounts_file.body")?);
        }
        let mut all: Vec<MadeBy> = Vec::new();
        for row in session.all(MADE, values![month.to_string()]).await? {
            let file = match row.maybe_string("invoice.accounts_hash")?.and_then(|hash| files.get(&hash).cloned()) {
                Some(text) => AccountsOf::File(text),
                None if row.get::<u32>("invoice.rules")? < 2 => AccountsOf::Unknown,
                None => AccountsOf::Nobody,
            };
            let account = row.string("invoice.account")?;
            if let Some(made) = all.iter_mut().find(|made| made.file == file) {
                made.accounts.insert(account);
            } else {
                all.push(MadeBy { file, accounts: BTreeSet::from([account]) });
            }
        }
        Ok(all)
    }

    /// Since when usage of these foundations may be another than final months were compared with last. What goes on
    /// as it did, and ends now, changes nothing before its end.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn changed_since_compared(&self, heads: &[FoundationHead]) -> Result<Changed, StoreError> {
        const THROUGH: Sql = Sql::new("SELECT entry, sequence FROM compared_through WHERE foundation_id = $1");
        const ENTRIES: Sql = Sql::new(
            "SELECT min(CASE WHEN entry_type = 1 AND opened_by <= $3 THEN ended_at ELSE started_at END) AS since
             FROM ledger_entry WHERE foundation_id = $1 AND number > $2",
        );
        const OPEN: Sql =
            Sql::new("SELECT min(started_at) AS since FROM open_interval WHERE foundation_id = $1 AND opened_by > $2");
        let mut session = self.database.read().await?;
        let mut changed = Changed::Nothing;
        for head in heads {
            let Some(row) = session.maybe(THROUGH, values![head.id]).await? else {
                if head.last_sequence > 0 {
                    return Ok(Changed::Everything);
                }
                continue;
            };
            let (entry, sequence) = (row.integer("compared_through.entry")?, row.integer("compared_through.sequence")?);
            let entries = session.one(ENTRIES, values![head.id, entry, sequence]).await?.maybe_time("since")?;
            let open = session.one(OPEN, values![head.id, sequence]).await?.maybe_time("since")?;
            for at in [entries, open].into_iter().flatten() {
                changed = match changed {
                    Changed::Since(since) => Changed::Since(since.min(at)),
                    _ => Changed::Since(at),
                };
            }
        }
        Ok(changed)
    }

    /// Notes that all final months were compared with the book as these heads have it, these among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_compared(&self, heads: &[FoundationHead], again: &[Month]) -> Result<(), StoreError> {
        again!(self.try_put_compared(heads, again))
    }

    async fn try_put_compared(&self, heads: &[FoundationHead], again: &[Month]) -> Result<(), StoreError> {
        const DONE: Sql = Sql::new("DELETE FROM to_compare WHERE month = $1");
        const PUT: Sql = Sql::new(
            "INSERT INTO compared_through (foundation_id, entry, sequence) VALUES ($1, $2, $3)
             ON CONFLICT (foundation_id) DO UPDATE SET entry = excluded.entry, sequence = excluded.sequence
             WHERE compared_through.sequence < excluded.sequence",
        );
        let mut session = self.invoicing().await?;
        for head in heads {
            let values = values![head.id, head.last_entry.cast_signed(), head.last_sequence.cast_signed()];
            session.run(PUT, values).await?;
        }
        for month in again {
            session.run(DONE, values![month.to_string()]).await?;
        }
        session.commit().await
    }

    /// Months of which something was credited since they were compared.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn months_to_compare(&self) -> Result<Vec<Month>, StoreError> {
        const MONTHS: Sql = Sql::new("SELECT month FROM to_compare ORDER BY month");
        let rows = self.database.read().await?.all(MONTHS, Vec::new()).await?;
        rows.iter().map(|row| row.get("to_compare.month")).collect()
    }

    /// The months before one that have final invoices, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn final_months_before(&self, month: Month) -> Result<Vec<Month>, StoreError> {
        const MONTHS: Sql = Sql::new(
            "SELECT DISTINCT month FROM invoice WHERE status = 'final' AND kind = 'invoice' AND month < $1 ORDER BY month",
        );
        let rows = self.database.read().await?.all(MONTHS, values![month.to_string()]).await?;
        rows.iter().map(|row| row.get("invoice.month")).collect()
    }
}

/// Has the months that a credit note is about compared once more, whatever becomes known.
pub(super) async fn compare_again(session: &mut Session, note: &CreditNote) -> Result<(), StoreError> {
    const AGAIN: Sql = Sql::new("INSERT INTO to_compare (month) VALUES ($1) ON CONFLICT (month) DO NOTHING");
    let months: BTreeSet<Month> = note.corrections.iter().map(|one| one.month).chain([note.month]).collect();
    for month in months {
        session.run(AGAIN, values![month.to_string()]).await?;
    }
    Ok(())
}
