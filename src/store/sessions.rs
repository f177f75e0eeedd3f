//! Sessions of pages, by the digest of what the browser has: whoever reads the book can't take one over.

use sha2::{Digest, Sha256};

use super::database::{Json, Record, Session, Sql, again, table, text, values};
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
        /// Digest of the first secret that the browser had: the same after each sign-in.
        family: String,
        /// When the browser was given another secret; null: this is the one it has.
        replaced_at: Option<Timestamp>,
    }
}

impl SessionRow {
    fn session(self) -> WebSession {
        WebSession { identities: self.identities.0, seen_at: self.seen_at, ends_at: self.ends_at }
    }
}

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Not used for so many seconds, it has ended.
    pub idle_seconds: i64,
    /// After so many seconds in any case.
    pub longest_seconds: i64,
}

/// Sessions that somebody has at once, with those that were replaced: the oldest ends when there is one more.
const OF_SOMEBODY: i64 = 32;

fn digest(secret: &str) -> String {
    hexadecimal(&Sha256::digest(secret))
}

impl Store {
    /// The session of a browser that has this secret, whether it goes on or not, and when the browser was given another secret.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, secret: &str) -> Result<Option<(WebSession, Option<Timestamp>)>, StoreError> {
        let mut session = self.database.read().await?;
        let row = find(&mut session, secret).await?;
        Ok(row.map(|row| {
            let replaced_at = row.replaced_at;
            (row.session(), replaced_at)
        }))
    }

    /// Begins a session in which somebody has signed in: too, if the browser's session goes on, else alone. Whatever it was, the
    /// browser has another secret from now on. Forgets those that have ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_session(
        &self,
        secret: &str,
        signed_in: &Identity,
        before: Option<&str>,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Result<WebSession, StoreError> {
        again!(self.try_begin_session(secret, signed_in, before, limits, now))
    }

    async fn try_begin_session(
        &self,
        secret: &str,
        signed_in: &Identity,
        before: Option<&str>,
        limits: SessionLimits,
        now: Timestamp,
    ) -> Result<WebSession, StoreError> {
        const ENDED: Sql = Sql::new("DELETE FROM session WHERE ends_at <= $1 OR seen_at <= $2");
        // One at a time: a session that goes on in two tabs is one session.
        const REPLACED: Sql = Sql::new("UPDATE session SET replaced_at = $2 WHERE digest = $1 AND replaced_at IS NULL");
        const BEGIN: Sql = Sql::new(SessionRow::ADD_ONE);
        const TOO_MANY: Sql = Sql::new(
            "DELETE FROM session WHERE who = $1 AND digest NOT IN (
                 SELECT digest FROM session WHERE who = $1
                 ORDER BY replaced_at IS NOT NULL, signed_in_at DESC, digest LIMIT $2
             )",
        );
        let SessionLimits { idle_seconds, longest_seconds } = limits;
        let mut writing = self.database.write().await?;
        writing.run(ENDED, values![now, now.plus(-idle_seconds)]).await?;
        let mut old = None;
        if let Some(before) = before
            && writing.run(REPLACED, values![digest(before), now]).await? > 0
        {
            old = find(&mut writing, before).await?;
        }
        let family = old.as_ref().map_or_else(|| digest(secret), |old| old.family.clone());
        let old = old.map(SessionRow::session).filter(|old| old.goes_on(now, idle_seconds));
        let session = WebSession::with(old, signed_in.clone(), now, longest_seconds);
        let who = signed_in.name();
        let row = SessionRow {
            digest: digest(secret),
            who: who.clone(),
            identities: Json(session.identities.clone()),
            signed_in_at: now,
            seen_at: now,
            ends_at: session.ends_at,
            family,
            replaced_at: None,
        };
        writing.run(TOO_MANY, values![who, OF_SOMEBODY - 1]).await?;
        writing.run(BEGIN, row.values(None)).await?;
        writing.commit().await?;
        Ok(session)
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

    /// Ends a session, whichever secret of it this is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(&self, secret: &str) -> Result<(), StoreError> {
        again!(self.try_end_session(secret))
    }

    async fn try_end_session(&self, secret: &str) -> Result<(), StoreError> {
        const END: Sql = Sql::new("DELETE FROM session WHERE family IN (SELECT family FROM session WHERE digest = $1)");
        let mut writing = self.database.write().await?;
        writing.run(END, values![digest(secret)]).await?;
        writing.commit().await
    }
}

async fn find(session: &mut Session, secret: &str) -> Result<Option<SessionRow>, StoreError> {
    const FIND: Sql = Sql::new(text!["SELECT ", SessionRow::LIST, " FROM session WHERE digest = $1"]);
    session.maybe(FIND, values![digest(secret)]).await?.map(|row| SessionRow::read(&row)).transpose()
}
