//! Where the book is: which host and server, and which standbys have what is committed.

use super::database::{Server, Sql};
use super::{Store, StoreError};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub host: String,
    /// Another host of the URL that accepts writes, too: it was the primary before a failover.
    pub rival: Option<String>,
    /// `None`: it doesn't tell.
    pub server: Option<Server>,
    /// Commits wait for a synchronous standby.
    pub waits: bool,
    /// `None`: there are some, and this user may not see more.
    pub standbys: Option<Vec<Standby>>,
}

/// A server that receives what is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standby {
    pub name: String,
    /// It has what is committed, before the commit is confirmed.
    pub synchronous: bool,
}

impl Store {
    /// Where the book is; `None`: in a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn standing(&self) -> Result<Option<Standing>, StoreError> {
        const WAITS: Sql = Sql::new("SELECT current_setting('synchronous_standby_names') <> '' AS waits");
        // `quorum`: any of several, as many as are asked for.
        const STANDBYS: Sql = Sql::new(
            "SELECT coalesce(nullif(application_name, ''), host(client_addr), pid::text) AS name, state,
                    sync_state IN ('sync', 'quorum') AS synchronous
             FROM pg_stat_replication
             WHERE state IS NULL OR state IN ('streaming', 'catchup')
             ORDER BY name",
        );
        let Some(host) = self.database.host() else { return Ok(None) };
        let mut session = self.database.read().await?;
        let waits = session.one(WAITS, Vec::new()).await?.flag("waits")?;
        let mut standbys = Some(Vec::new());
        for row in session.all(STANDBYS, Vec::new()).await? {
            if row.maybe_text("state")?.is_none() {
                standbys = None;
            } else if let Some(standbys) = &mut standbys {
                standbys.push(Standby { name: row.string("name")?, synchronous: row.flag("synchronous")? });
            }
        }
        let (host, rival) = (host.to_owned(), self.database.rival().map(str::to_owned));
        Ok(Some(Standing { host, rival, server: self.database.server(), waits, standbys }))
    }
}
