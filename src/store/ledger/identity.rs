//! By what a foundation is known: what was pinned of it, the guids that tell it from others, and what holds it.
//! Owns rows; what they prove is decided where it is collected.

use crate::domain::{FoundationHead, Guid, Kind, Timestamp};
use crate::store::codes::ColumnCode;
use crate::store::database::{Session, Sql, values};
use crate::store::{Store, StoreError};

/// What is kept of where a foundation was collected from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The configured address it is collected from; `None`: nothing was ever found there.
    pub api: Option<String>,
    /// Who issued its tokens.
    pub issuer: Option<String>,
    /// JSON: where its API points to.
    pub links: Option<String>,
    pub pinned_at: Timestamp,
    /// When somebody last said that it may be collected from there, and who.
    pub adopted_at: Option<Timestamp>,
    pub adopted_by: Option<String>,
    /// Whatever answers next is taken for it.
    pub adopting: bool,
    /// What keeps it from being collected.
    pub held: Option<Hold>,
}

/// Why a foundation isn't collected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub since: Timestamp,
    /// A word for metrics.
    pub reason: String,
    /// For people; may end in a line `hint: …`.
    pub detail: String,
}

/// Guids that a book knows of a foundation; some of each kind are enough to tell it from every other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownGuids {
    pub organizations: Vec<Guid>,
    pub spaces: Vec<Guid>,
    /// Held as running.
    pub processes: Vec<Guid>,
    pub services: Vec<Guid>,
    pub tasks: Vec<Guid>,
}

impl KnownGuids {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.organizations.len() + self.spaces.len() + self.processes.len() + self.services.len() + self.tasks.len()
    }

    /// The book knows nothing of it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Store {
    /// What is pinned of a foundation; `None` before anything was, and in books of earlier versions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pin(&self, foundation: &FoundationHead) -> Result<Option<Pin>, StoreError> {
        const PIN: Sql = Sql::new(
            "SELECT api, issuer, links, pinned_at, adopted_at, adopted_by, adopting, held_since, held_reason, held_detail
             FROM foundation_identity
             WHERE foundation_id = $1",
        );
        let Some(row) = self.database.read().await?.maybe(PIN, values![foundation.id]).await? else { return Ok(None) };
        let held = match row.maybe_time("foundation_identity.held_since")? {
            Some(since) => Some(Hold {
                since,
                reason: row.string("foundation_identity.held_reason")?,
                detail: row.string("foundation_identity.held_detail")?,
            }),
            None => None,
        };
        Ok(Some(Pin {
            api: row.maybe_string("foundation_identity.api")?,
            issuer: row.maybe_string("foundation_identity.issuer")?,
            links: row.maybe_string("foundation_identity.links")?,
            pinned_at: row.time("foundation_identity.pinned_at")?,
            adopted_at: row.maybe_time("foundation_identity.adopted_at")?,
            adopted_by: row.maybe_string("foundation_identity.adopted_by")?,
            adopting: row.flag("foundation_identity.adopting")?,
            held,
        }))
    }

    /// Pins where a foundation is collected from, once it is known to be that one; nothing holds it any more.
    /// `anew`: what was known before is another foundation's.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn put_pin(
        &self,
        foundation: &FoundationHead,
        (api, issuer, links): (&str, Option<&str>, Option<&str>),
        now: Timestamp,
        anew: bool,
    ) -> Result<(), StoreError> {
        const PUT: Sql = Sql::new(
            "INSERT INTO foundation_identity (foundation_id, api, issuer, links, pinned_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (foundation_id) DO UPDATE SET
                 api = excluded.api, issuer = excluded.issuer, links = excluded.links, pinned_at = excluded.pinned_at,
                 held_since = NULL, held_reason = NULL, held_detail = NULL",
        );
        const ANEW: Sql = Sql::new(
            "UPDATE foundation_identity SET
                 after_organization = (SELECT coalesce(max(id), 0) FROM organization WHERE foundation_id = $1),
                 after_space = (SELECT coalesce(max(id), 0) FROM space WHERE foundation_id = $1),
                 after_resource = (SELECT coalesce(max(id), 0) FROM resource WHERE foundation_id = $1)
             WHERE foundation_id = $1",
        );
        const ADOPTED: Sql = Sql::each(
            "UPDATE foundation_identity SET adopting = 0 WHERE foundation_id = $1",
            "UPDATE foundation_identity SET adopting = false WHERE foundation_id = $1",
        );
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        session.run(PUT, values![foundation.id, api, issuer, links, now]).await?;
        if anew {
            session.run(ANEW, values![foundation.id]).await?;
        }
        session.run(ADOPTED, values![foundation.id]).await?;
        session.commit().await
    }

    /// Keeps why a foundation isn't collected.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn hold_foundation(&self, foundation: &FoundationHead, hold: &Hold) -> Result<(), StoreError> {
        const HOLD: Sql = Sql::new(
            "INSERT INTO foundation_identity (foundation_id, pinned_at, held_since, held_reason, held_detail)
             VALUES ($1, $2, $2, $3, $4)
             ON CONFLICT (foundation_id) DO UPDATE SET
                 held_since = coalesce(foundation_identity.held_since, excluded.held_since),
                 held_reason = excluded.held_reason, held_detail = excluded.held_detail",
        );
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        session.run(HOLD, values![foundation.id, hold.since, &hold.reason, &hold.detail]).await?;
        session.commit().await
    }

    /// Somebody says that a foundation may be collected from `api`, whatever answers there. A daemon that holds it goes
    /// on by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adopt(
        &self,
        foundation: &FoundationHead,
        api: &str,
        by: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        const ADOPT: Sql = Sql::each(
            "INSERT INTO foundation_identity (foundation_id, api, pinned_at, adopted_at, adopted_by, adopting)
             VALUES ($1, $2, $3, $3, $4, 1)
             ON CONFLICT (foundation_id) DO UPDATE SET
                 api = excluded.api, pinned_at = excluded.pinned_at, adopted_at = excluded.adopted_at,
                 adopted_by = excluded.adopted_by, adopting = excluded.adopting",
            "INSERT INTO foundation_identity (foundation_id, api, pinned_at, adopted_at, adopted_by, adopting)
             VALUES ($1, $2, $3, $3, $4, true)
             ON CONFLICT (foundation_id) DO UPDATE SET
                 api = excluded.api, pinned_at = excluded.pinned_at, adopted_at = excluded.adopted_at,
                 adopted_by = excluded.adopted_by, adopting = excluded.adopting",
        );
        // It has a UAA of its own.
        const MOVED: Sql = Sql::new(
            "UPDATE foundation SET uaa = NULL
             WHERE id = $1 AND (SELECT api FROM foundation_identity WHERE foundation_id = $1) <> $2",
        );
        let mut session = self.database.write().await?;
        session.run(MOVED, values![foundation.id, api]).await?;
        session.run(ADOPT, values![foundation.id, api, now, by]).await?;
        session.commit().await
    }

    /// Guids by which a foundation can be told from every other: the newest and the oldest organizations, the newest
    /// spaces and some of what is held as running. What was collected under its name from another foundation before isn't
    /// among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known_guids(&self, foundation: &FoundationHead) -> Result<KnownGuids, StoreError> {
        const NEWEST_ORGANIZATIONS: Sql = Sql::new(
            "SELECT guid FROM organization
             WHERE foundation_id = $1 AND id > coalesce(
                 (SELECT after_organization FROM foundation_identity WHERE foundation_id = $1), 0)
             ORDER BY id DESC LIMIT 200",
        );
        const OLDEST_ORGANIZATIONS: Sql = Sql::new(
            "SELECT guid FROM organization
             WHERE foundation_id = $1 AND id > coalesce(
                 (SELECT after_organization FROM foundation_identity WHERE foundation_id = $1), 0)
             ORDER BY id LIMIT 200",
        );
        const SPACES: Sql = Sql::new(
            "SELECT guid FROM space
             WHERE foundation_id = $1 AND id > coalesce(
                 (SELECT after_space FROM foundation_identity WHERE foundation_id = $1), 0)
             ORDER BY id DESC LIMIT 200",
        );
        const RUNNING: Sql = Sql::new(
            "SELECT resource.guid
             FROM open_interval AS run
             JOIN resource ON resource.id = run.resource_id
             WHERE run.foundation_id = $1 AND run.kind = $2 AND resource.id > coalesce(
                 (SELECT after_resource FROM foundation_identity WHERE foundation_id = $1), 0)
             ORDER BY resource.id DESC LIMIT 100",
        );
        let mut session = self.database.read().await?;
        let mut organizations = guids(&mut session, NEWEST_ORGANIZATIONS, values![foundation.id]).await?;
        for guid in guids(&mut session, OLDEST_ORGANIZATIONS, values![foundation.id]).await? {
            if !organizations.contains(&guid) {
                organizations.push(guid);
            }
        }
        Ok(KnownGuids {
            organizations,
            spaces: guids(&mut session, SPACES, values![foundation.id]).await?,
            processes: guids(&mut session, RUNNING, values![foundation.id, Kind::Process.code()]).await?,
            services: guids(&mut session, RUNNING, values![foundation.id, Kind::Service.code()]).await?,
            tasks: guids(&mut session, RUNNING, values![foundation.id, Kind::Task.code()]).await?,
        })
    }
}

async fn guids(
    session: &mut Session,
    sql: Sql,
    values: Vec<crate::store::database::Value>,
) -> Result<Vec<Guid>, StoreError> {
    let rows = session.all(sql, values).await?;
    rows.iter().map(|row| row.get("guid")).collect()
}
