//! The UAA that a foundation's tokens come from, as it was used: what its secret may be sent to again.

use crate::domain::FoundationHead;
use crate::store::database::{Sql, values};
use crate::store::{Store, StoreError};

impl Store {
    /// Scheme, host and port of the UAA in use; `None` before a token was got, and in books of earlier versions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn uaa(&self, foundation: &FoundationHead) -> Result<Option<String>, StoreError> {
        const UAA: Sql = Sql::new("SELECT uaa FROM foundation WHERE id = $1");
        match self.database.read().await?.maybe(UAA, values![foundation.id]).await? {
            Some(row) => row.maybe_string("foundation.uaa"),
            None => Ok(None),
        }
    }

    /// Keeps which UAA is in use.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn put_uaa(&self, foundation: &FoundationHead, uaa: &str) -> Result<(), StoreError> {
        const PUT: Sql = Sql::new("UPDATE foundation SET uaa = $2 WHERE id = $1");
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        session.run(PUT, values![foundation.id, uaa]).await?;
        session.commit().await
    }
}
