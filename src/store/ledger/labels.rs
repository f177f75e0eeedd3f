//! Labels and annotations of organizations and spaces, as last read: prices and who pays may go by them.
//! Owns how they are kept; never decides what they mean.

use std::collections::BTreeMap;

use super::tables::LabelRow;
use crate::domain::{FoundationHead, Guid};
use crate::rate_card::Labels;
use crate::store::database::{Spelled, Sql, again, values};
use crate::store::{Owner, Store, StoreError};

/// Labels and annotations of a foundation's organizations and spaces: by owner, guid and key.
pub type LabelRows = BTreeMap<(Owner, Guid), Labels>;

impl Store {
    /// Puts a foundation's labels and annotations in the place of those that were there; nothing is written if they are the same.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Superseded`] if another collector took over.
    pub async fn put_labels(&self, foundation: &FoundationHead, labels: &LabelRows) -> Result<(), StoreError> {
        again!(self.try_put_labels(foundation, labels))
    }

    async fn try_put_labels(&self, foundation: &FoundationHead, labels: &LabelRows) -> Result<(), StoreError> {
        const HELD: Sql = Sql::new("UPDATE foundation SET name = name WHERE id = $1 AND lease_epoch = $2");
        const CLEAR: Sql = Sql::new("DELETE FROM label WHERE foundation_id = $1");
        const PUT: Sql = Sql::new(LabelRow::ADD);
        if self.labels(foundation).await? == *labels {
            return Ok(());
        }
        let mut session = self.database.write().await?;
        if session.run(HELD, values![foundation.id, foundation.lease_epoch]).await? != 1 {
            return Err(StoreError::Superseded(foundation.name.clone()));
        }
        session.run(CLEAR, values![foundation.id]).await?;
        let rows = labels.iter().flat_map(|((owner, guid), labels)| {
            labels.iter().map(|(key, value)| LabelRow {
                foundation_id: foundation.id,
                owner: Spelled(*owner),
                guid: guid.clone(),
                key: key.clone(),
                value: value.clone(),
            })
        });
        let rows = session.rows(rows);
        session.run_of(PUT, Vec::new(), rows).await?;
        session.commit().await
    }

    /// A foundation's labels and annotations.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn labels(&self, foundation: &FoundationHead) -> Result<LabelRows, StoreError> {
        const LABELS: Sql = Sql::new("SELECT owner, guid, key, value FROM label WHERE foundation_id = $1");
        let mut labels = LabelRows::new();
        for row in self.database.read().await?.all(LABELS, values![foundation.id]).await? {
            let Spelled(owner) = row.get("label.owner")?;
            let of = labels.entry((owner, row.get("label.guid")?)).or_default();
            of.insert(row.string("label.key")?, row.string("label.value")?);
        }
        Ok(labels)
    }
}
