//! Whether final invoices and their documents are as they were made: hash chains, computed again.

use sha2::{Digest, Sha256};

use super::issue::invoice_digest;
use crate::domain::text::hexadecimal;
use crate::store::database::{Sql, values};
use crate::store::{Store, StoreError};

/// What the chain of a series of invoices or credit notes is called.
#[must_use]
pub fn chain_of_series(name: &str) -> String {
    format!("invoices/{name}")
}

/// What verifying the hash chain of a series of invoices came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSeries {
    pub name: String,
    /// In the chain.
    pub invoices: u64,
    /// Before it begins: they were made final by an earlier version.
    pub before: u64,
    /// Numbers that were recorded as lost.
    pub lost: u64,
    /// The last number of the series in the chain.
    pub through: u64,
    /// The last digest, hexadecimal.
    pub digest: String,
    /// Documents whose hash was compared.
    pub documents: u64,
    /// The first place that isn't as it was written.
    pub broken: Option<String>,
}

impl Store {
    /// Computes the hash chain of every series again from what is kept, and names the first break of each.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_invoices(&self) -> Result<Vec<VerifiedSeries>, StoreError> {
        const SERIES: Sql = Sql::new("SELECT name, last_number FROM invoice_series ORDER BY name");
        let rows = self.database.read().await?.all(SERIES, Vec::new()).await?;
        let mut verified = Vec::with_capacity(rows.len());
        for row in rows {
            verified.push(
                self.verify_series(row.text("invoice_series.name")?, row.integer("invoice_series.last_number")?)
                    .await?,
            );
        }
        Ok(verified)
    }

    async fn verify_series(&self, name: &str, last_number: i64) -> Result<VerifiedSeries, StoreError> {
        const DIGEST: Sql = Sql::new("SELECT number, digest FROM invoice WHERE series = $1 AND series_number = $2");
        let (invoices, digest) = (0, String::new());
        let mut verified = VerifiedSeries {
            name: name.to_owned(),
            invoices,
            before: 0,
            lost: 0,
            through: 0,
            digest,
            documents: 0,
            broken: None,
        };
        let mut is_after_lost = false;
        for series_number in 1..=last_number {
            let row = self.database.read().await?.maybe(DIGEST, values![name, series_number]).await?;
            let Some(row) = row else {
                if self.is_lost(name, series_number).await? {
                    verified.lost += 1;
                    is_after_lost = true;
                    continue;
                }
                verified.broken = Some(format!("invoice {series_number} is missing"));
                return Ok(verified);
            };
            let (number, kept) = (row.text("invoice.number")?, row.maybe_string("invoice.digest")?);
            let Some(kept) = kept else {
                if verified.invoices > 0 {
                    verified.broken = Some(format!("invoice {number} has no digest"));
                    return Ok(verified);
                }
                verified.before += 1;
                continue;
            };
            let stored = self.invoice(number).await?;
            let mut again = None;
            if let Some(stored) = stored
                && let Some(at) = stored.finalized_at
            {
                let basis = self.invoice_basis(stored.id).await?.map(|basis| hexadecimal(&Sha256::digest(basis)));
                let before = (!verified.digest.is_empty()).then_some(verified.digest.as_str());
                again = match self.adopted_before(stored.id).await? {
                    // All of it isn't known any more; its link was marked, or is over its document.
                    Some(link) if is_after_lost || link.as_deref() == before => Some(kept.clone()),
                    Some(_) => None,
                    None => {
                        let canonical = stored.canonical(number, at, basis.as_deref());
                        Some(invoice_digest(before, &canonical))
                    }
                };
                let (documents, changed) = self.verify_documents(stored.id).await?;
                verified.documents += documents;
                if let Some(format) = changed {
                    verified.broken = Some(format!("the {format} document of {number} isn't as it was made"));
                    return Ok(verified);
                }
            }
            if again.as_deref() != Some(&kept) {
                verified.broken = Some(format!("invoice {number} isn't as it was made final"));
                return Ok(verified);
            }
            verified.invoices += 1;
            verified.through = series_number.cast_unsigned();
            verified.digest = kept;
            is_after_lost = false;
        }
        Ok(verified)
    }

    /// The link of a final invoice, hexadecimal; `None` if there is no such invoice, or it has none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice_link(&self, series: &str, series_number: u64) -> Result<Option<String>, StoreError> {
        const LINK: Sql = Sql::new("SELECT digest FROM invoice WHERE series = $1 AND series_number = $2");
        let row = self.database.read().await?.maybe(LINK, values![series, series_number]).await?;
        Ok(row.map(|row| row.maybe_string("invoice.digest")).transpose()?.flatten())
    }

    async fn is_lost(&self, series: &str, series_number: i64) -> Result<bool, StoreError> {
        const LOST: Sql = Sql::new(
            "SELECT 1 FROM invoice_lost WHERE series = $1 AND first_number <= $2 AND last_number >= $2 LIMIT 1",
        );
        Ok(self.database.read().await?.maybe(LOST, values![series, series_number]).await?.is_some())
    }

    /// Of what was brought back from its documents: the digest of the one before it.
    async fn adopted_before(&self, invoice_id: i64) -> Result<Option<Option<String>>, StoreError> {
        const ADOPTED: Sql = Sql::new("SELECT before FROM invoice_adopted WHERE invoice_id = $1");
        let row = self.database.read().await?.maybe(ADOPTED, values![invoice_id]).await?;
        row.map(|row| row.maybe_string("invoice_adopted.before")).transpose()
    }
}
