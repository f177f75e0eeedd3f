//! Where what runs differed from the ledger at the last look.

use crate::domain::{Guid, Kind, ResourceKey, Timestamp};
use crate::store::codes::Code;
use crate::store::database::{Columns, Row, Sql, Type, values};
use crate::store::{FoundationHead, Store, StoreError};

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
        const DIFFERENCES: Sql = Sql::new(
            "SELECT kind, guid, class, detail, certain_until, found_at, seen_at
             FROM difference
             WHERE foundation_id = $1
             ORDER BY kind, guid",
        );
        let rows = self.database.read().await?.all(DIFFERENCES, values![foundation.id]).await?;
        let read = |row: &Row| -> Result<StoredDifference, StoreError> {
            Ok(StoredDifference {
                resource: ResourceKey { kind: Kind::of(row.integer(0)?)?, guid: Guid::new(row.text(1)?) },
                class: row.text(2)?.to_owned(),
                detail: row.text(3)?.to_owned(),
                certain_until: row.maybe_time(4)?,
                found_at: row.time(5)?,
                seen_at: row.time(6)?,
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
        const PUT: Sql = Sql::new(
            "INSERT INTO difference (foundation_id, kind, guid, class, detail, certain_until, found_at, seen_at)
             SELECT $1, kind, guid, class, detail, certain_until, found_at, seen_at FROM {rows} AS new",
        );
        const COLUMNS: Columns = &[
            ("kind", Type::Integer),
            ("guid", Type::Text),
            ("class", Type::Text),
            ("detail", Type::Text),
            ("certain_until", Type::Time),
            ("found_at", Type::Time),
            ("seen_at", Type::Time),
        ];
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        session.run(REMOVE, values![foundation.id]).await?;
        let mut payload = session.payload(COLUMNS);
        for difference in differences {
            (payload.row())
                .integer(difference.resource.kind.code())
                .text(Some(&difference.resource.guid.to_string()))
                .text(Some(&difference.class))
                .text(Some(&difference.detail))
                .time(difference.certain_until)
                .time(difference.found_at)
                .time(difference.seen_at);
        }
        session.run_of(PUT, values![foundation.id], payload).await?;
        session.commit().await
    }
}
