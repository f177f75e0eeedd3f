//! Sessions of pages, by the digest of what the browser has: whoever reads the book can't take one over.

use sha2::{Digest, Sha256};

use super::database::{Json, Record, Sql, again, table, values};
use super::{Store, StoreError};
use crate::access::{Identity, WebSession};
use crate::domain::Timestamp;
use crate::domain::text::hexadecimal;

table! {
    /// Browsers that signed in; it stays behind when a book moves.
    pub(in crate::store) struct SessionRow: "session"[1] {
        /// SHA-256 of what the browser has.
        digest: String,
        /// Who signed in last in it.
        who: String,
        /// As whom it signed in.
        identities: Json<Vec<Identity>>,
        /// When it began, or somebody signed in in it, too.
        signed_in_at: Timestamp,
        /// When it was last used, to the minute or so.
        seen_at: Timestamp,
        /// When it ends, used or not.
        ends_at: Timestamp,
    }
}

/// Sessions that somebody has at once: the oldest ends when there is one more.
const OF_SOMEBODY: i64 = 16;

fn digest(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret))
}

impl Store {
    /// The session of a browser that has this secret, whether it goes on or not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, secret: &str) -> Result<Option<WebSession>, StoreError> {
        const FIND: Sql = Sql::new("SELECT * FROM session WHERE digest = $1");
        let row = self.database.read().await?.maybe(FIND, values![digest(secret)]).await?;
        row.map(|row| {
            let row = SessionRow::read(&row)?;
            Ok(WebSession { identities: row.identities.0, seen_at: row.seen_at, ends_at: row.ends_at })
        })
        .transpose()
    }

    /// Begins a session in place of the one that the browser had, and forgets those that have ended: unused for so many seconds,
    /// or over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_session(
        &self,
        secret: &str,
        session: &WebSession,
        instead_of: Option<&str>,
        idle_seconds: i64,
    ) -> Result<(), StoreError> {
        again!(self.try_begin_session(secret, session, instead_of, idle_seconds))
    }

    async fn try_begin_session(
        &self,
        secret: &str,
        session: &WebSession,
        instead_of: Option<&str>,
        idle_seconds: i64,
    ) -> Result<(), StoreError> {
        const ENDED: Sql = Sql::new("DELETE FROM session WHERE ends_at <= $1 OR seen_at <= $2");
        const BEFORE: Sql = Sql::new("DELETE FROM session WHERE digest = $1");
        const BEGIN: Sql = Sql::new(SessionRow::ADD_ONE);
        const TOO_MANY: Sql = Sql::new(
            "DELETE FROM session WHERE who = $1 AND digest NOT IN (
                 SELECT digest FROM session WHERE who = $1 ORDER BY signed_in_at DESC, digest LIMIT $2
             )",
        );
        let now = session.seen_at;
        let who = session.identities.last().map(Identity::name).unwrap_or_default();
        let row = SessionRow {
            digest: digest(secret),
            who: who.clone(),
            identities: Json(session.identities.clone()),
            signed_in_at: now,
            seen_at: now,
            ends_at: session.ends_at,
        };
        let mut writing = self.database.write().await?;
        writing.run(ENDED, values![now, now.plus(-idle_seconds)]).await?;
        if let Some(before) = instead_of {
            writing.run(BEFORE, values![digest(before)]).await?;
        }
        writing.run(TOO_MANY, values![who, OF_SOMEBODY - 1]).await?;
        writing.run(BEGIN, row.values(None)).await?;
        writing.commit().await
    }

    /// Notes that a session is used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session_seen(&self, secret: &str, now: Timestamp) -> Result<(), StoreError> {
        const SEEN: Sql = Sql::new("UPDATE session SET seen_at = $2 WHERE digest = $1 AND seen_at < $2");
        let mut writing = self.database.write().await?;
        writing.run(SEEN, values![digest(secret), now]).await?;
        writing.commit().await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(&self, secret: &str) -> Result<(), StoreError> {
        again!(self.try_end_session(secret))
    }

    async fn try_end_session(&self, secret: &str) -> Result<(), StoreError> {
        const END: Sql = Sql::new("DELETE FROM session WHERE digest = $1");
        let mut writing = self.database.write().await?;
        writing.run(END, values![digest(secret)]).await?;
        writing.commit().await
    }
}
