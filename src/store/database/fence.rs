//! A program never writes into a schema that it doesn't know: while a newer one brings the schema up to date, older ones
//! wait, and after that they write nothing more.

use super::{Database, Dialect, Session, Sql, values};
use crate::store::StoreError;

/// Held by whoever changes the schema; shared by whoever writes.
pub(super) const LOCK: i64 = 0x6366_6269_6c6c;

impl Database {
    /// A session whose writes all happen with [`Session::commit`], or not at all.
    pub async fn write(&self) -> Result<Session, StoreError> {
        const SHARE: Sql = Sql::new("SELECT pg_advisory_xact_lock_shared($1)");
        // A statement of its own: it sees what was committed while the lock was waited for.
        const VERSION: Sql = Sql::new("SELECT max(version) AS version FROM _sqlx_migrations");
        let mut session = self.begin_write().await?;
        if session.dialect() == Dialect::Postgres {
            session.all(SHARE, values![LOCK]).await?;
        }
        let (found, known) = (session.one(VERSION, Vec::new()).await?.integer("version")?, self.newest_schema());
        if found > known {
            return Err(StoreError::Outdated { path: self.location(), found, known });
        }
        Ok(session)
    }
}
