//! Where what runs differed from the ledger at the last look.

use super::tables::DifferenceRow;
use crate::domain::{FoundationHead, ResourceKey, Timestamp};
use crate::store::database::{Record, Row, Sql, text, values};
use crate::store::{Store, StoreError};

/// A difference that isn't settled yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDifference {
    pub resource: ResourceKey,
    pub class: String,
    /// What was found, for people; the same as long as the same is found.
    pub detail: String,
    /// When a look last agreed with the ledger; `None`: none did.
    pub certain_until: Option<Timestamp>,
    /// At the first look that found it.
    pub found_at: Timestamp,
    /// At the last.
    pub seen_at: Timestamp,
}

impl Store {
    /// The differences found at the last look that aren't settled.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn differences(&self, foundation: &FoundationHead) -> Result<Vec<StoredDifference>, StoreError> {
        const DIFFERENCES: Sql = Sql::new(text![
            "SELECT ",
            DifferenceRow::LIST,
            " FROM difference WHERE foundation_id = $1 ORDER BY kind, guid"
        ]);
        let rows = self.database.read().await?.all(DIFFERENCES, values![foundation.id]).await?;
        let read = |row: &Row| -> Result<StoredDifference, StoreError> {
            let row = DifferenceRow::read(row)?;
            Ok(StoredDifference {
                resource: ResourceKey { kind: row.kind, guid: row.guid },
                class: row.class,
                detail: row.detail,
                certain_until: row.certain_until,
                found_at: row.found_at,
                seen_at: row.seen_at,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Keeps these differences, and no others.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn put_differences(
        &self,
        foundation: &FoundationHead,
        differences: &[StoredDifference],
    ) -> Result<(), StoreError> {
        const REMOVE: Sql = Sql::new("DELETE FROM difference WHERE foundation_id = $1");
        const PUT: Sql = Sql::new(DifferenceRow::ADD);
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        session.run(REMOVE, values![foundation.id]).await?;
        let row = |difference: &StoredDifference| DifferenceRow {
            foundation_id: foundation.id,
            kind: difference.resource.kind,
            guid: difference.resource.guid.clone(),
            class: difference.class.clone(),
            detail: difference.detail.clone(),
            certain_until: difference.certain_until,
            found_at: difference.found_at,
            seen_at: difference.seen_at,
        };
        let rows = session.rows(differences.iter().map(row));
        session.run_of(PUT, Vec::new(), rows).await?;
        session.commit().await
    }
}
