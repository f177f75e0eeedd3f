//! Leases: duties that one process at a time has. Each time a duty changes hands its epoch rises, and every write
//! names the epoch it is made under, so that a former holder that wakes up late can't write even once. Times are the
//! database's: replicas' clocks needn't agree.

pub(super) mod tables;

use std::time::Duration;

use crate::store::database::{Session, Sql, again, values};
use crate::store::{Store, StoreError};

/// A duty that was taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// `foundation/NAME`, or `drafts`.
    pub duty: String,
    /// How often it has changed hands.
    pub epoch: u64,
}

/// A duty as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyState {
    pub lease: Lease,
    /// Who holds it, if the lease hasn't run out.
    pub holder: Option<String>,
    /// It ran out, or was given up, this many seconds ago; `None` if it is held.
    pub free_for_seconds: Option<i64>,
}

impl Lease {
    /// The duty of collecting a foundation.
    #[must_use]
    pub fn duty_of(foundation: &str) -> String {
        format!("{FOUNDATION}{foundation}")
    }

    /// The foundation it is the duty of collecting.
    #[must_use]
    pub fn foundation(&self) -> Option<&str> {
        self.duty.strip_prefix(FOUNDATION)
    }
}

const FOUNDATION: &str = "foundation/";

impl Store {
    /// The same store, whose writes count only as long as the lease is held, and the book stays on its server.
    #[must_use]
    pub fn under(&self, lease: Lease) -> Self {
        Self { lease: Some(lease.into()), database: self.database.as_it_is(), ..self.clone() }
    }

    /// Several processes may collect into it, each under leases.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.database.file().is_none()
    }

    /// Says that the replica lives, for that long; gives the names of all that do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report_replica(&self, name: &str, lives: Duration) -> Result<Vec<String>, StoreError> {
        again!(self.try_report(name, lives))
    }

    async fn try_report(&self, name: &str, lives: Duration) -> Result<Vec<String>, StoreError> {
        const REPORT: Sql = Sql::each(
            "INSERT INTO replica (name, started_at, expires_at) VALUES ($1, unixepoch(), unixepoch() + ($2 + 500) / 1000)
             ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at",
            "INSERT INTO replica (name, started_at, expires_at)
             VALUES ($1, now(), now() + $2 * interval '1 millisecond')
             ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at",
        );
        const GONE: Sql = Sql::each(
            "DELETE FROM replica WHERE expires_at <= unixepoch()",
            "DELETE FROM replica WHERE expires_at <= now()",
        );
        const LIVING: Sql = Sql::new("SELECT name FROM replica ORDER BY name");
        let mut session = self.database.write().await?;
        session.run(REPORT, values![name, milliseconds(lives)]).await?;
        session.run(GONE, Vec::new()).await?;
        let living = session.all(LIVING, Vec::new()).await?;
        session.commit().await?;
        living.iter().map(|row| row.string("replica.name")).collect()
    }

    /// Forgets a replica that ends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_replica(&self, name: &str) -> Result<(), StoreError> {
        const FORGET: Sql = Sql::new("DELETE FROM replica WHERE name = $1");
        let mut session = self.database.write().await?;
        session.run(FORGET, values![name]).await?;
        session.commit().await
    }

    /// All duties that were ever taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn duties(&self) -> Result<Vec<DutyState>, StoreError> {
        const DUTIES: Sql = Sql::each(
            "SELECT duty, epoch, holder, unixepoch() - expires_at AS free_for FROM lease ORDER BY duty",
            "SELECT duty, epoch, holder, floor(extract(epoch FROM now() - expires_at))::bigint AS free_for
             FROM lease ORDER BY duty",
        );
        let rows = self.database.read().await?.all(DUTIES, Vec::new()).await?;
        let mut duties = Vec::with_capacity(rows.len());
        for row in rows {
            let free_for = row.maybe_integer("free_for")?.filter(|seconds| *seconds >= 0);
            let holder = row.maybe_string("lease.holder")?.filter(|_| free_for.is_none());
            let lease = Lease { duty: row.string("lease.duty")?, epoch: row.number("lease.epoch")? };
            duties.push(DutyState { lease, holder, free_for_seconds: free_for });
        }
        Ok(duties)
    }

    /// Takes a duty that nobody has, or whose lease ran out. `None`: another has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_lease(&self, duty: &str, holder: &str, length: Duration) -> Result<Option<Lease>, StoreError> {
        self.take(duty, holder, length, false).await
    }

    /// Takes a duty from whoever has it: on a file, whose lock keeps others away, that one is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_lease_over(
        &self,
        duty: &str,
        holder: &str,
        length: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.take(duty, holder, length, true).await
    }

    async fn take(&self, duty: &str, holder: &str, length: Duration, over: bool) -> Result<Option<Lease>, StoreError> {
        const TAKE: Sql = Sql::each(
            "INSERT INTO lease (duty, epoch, holder, taken_at, expires_at)
             VALUES ($1, 1, $2, unixepoch(), unixepoch() + ($3 + 500) / 1000)
             ON CONFLICT (duty) DO UPDATE SET
                 epoch = lease.epoch + 1, holder = excluded.holder, taken_at = excluded.taken_at,
                 expires_at = excluded.expires_at
             WHERE $4 OR lease.holder IS NULL OR lease.expires_at <= unixepoch()
             RETURNING epoch",
            "INSERT INTO lease (duty, epoch, holder, taken_at, expires_at)
             VALUES ($1, 1, $2, now(), now() + $3 * interval '1 millisecond')
             ON CONFLICT (duty) DO UPDATE SET
                 epoch = lease.epoch + 1, holder = excluded.holder, taken_at = excluded.taken_at,
                 expires_at = excluded.expires_at
             WHERE $4 OR lease.holder IS NULL OR lease.expires_at <= now()
             RETURNING epoch",
        );
        // Waits for what the former holder is committing; what it comes with later is refused.
        const FENCE: Sql = Sql::new("UPDATE foundation SET lease_epoch = $2 WHERE name = $1");
        let mut session = self.database.write().await?;
        let Some(row) = session.maybe(TAKE, values![duty, holder, milliseconds(length), over]).await? else {
            return Ok(None);
        };
        let lease = Lease { duty: duty.to_owned(), epoch: row.number("lease.epoch")? };
        if let Some(foundation) = lease.foundation() {
            session.run(FENCE, values![foundation, lease.epoch]).await?;
        }
        session.commit().await?;
        Ok(Some(lease))
    }

    /// Holds what the replica holds for that long from now; gives what it still has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn renew_leases(&self, holder: &str, length: Duration) -> Result<Vec<Lease>, StoreError> {
        const RENEW: Sql = Sql::each(
            "UPDATE lease SET expires_at = unixepoch() + ($2 + 500) / 1000 WHERE holder = $1 RETURNING duty, epoch",
            "UPDATE lease SET expires_at = now() + $2 * interval '1 millisecond'
             WHERE holder = $1
             RETURNING duty, epoch",
        );
        let mut session = self.database.write().await?;
        let rows = session.all(RENEW, values![holder, milliseconds(length)]).await?;
        session.commit().await?;
        rows.iter()
            .map(|row| Ok(Lease { duty: row.string("lease.duty")?, epoch: row.number("lease.epoch")? }))
            .collect()
    }

    /// Gives a duty up: another can take it at once.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_up_lease(&self, lease: &Lease, holder: &str) -> Result<(), StoreError> {
        const GIVE_UP: Sql = Sql::each(
            "UPDATE lease SET holder = NULL, expires_at = unixepoch() WHERE duty = $1 AND epoch = $2 AND holder = $3",
            "UPDATE lease SET holder = NULL, expires_at = now() WHERE duty = $1 AND epoch = $2 AND holder = $3",
        );
        let mut session = self.database.write().await?;
        session.run(GIVE_UP, values![&lease.duty, lease.epoch, holder]).await?;
        session.commit().await
    }

    /// Refuses if the lease this store writes under has changed hands; until the session ends it can't.
    pub(in crate::store) async fn check_lease(&self, session: &mut Session) -> Result<(), StoreError> {
        const CHECK: Sql = Sql::each(
            "SELECT 1 FROM lease WHERE duty = $1 AND epoch = $2",
            "SELECT 1 FROM lease WHERE duty = $1 AND epoch = $2 FOR SHARE",
        );
        let Some(lease) = &self.lease else { return Ok(()) };
        match session.maybe(CHECK, values![&lease.duty, lease.epoch]).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Superseded(lease.duty.clone())),
        }
    }

    /// The epoch that a foundation's writes are made under: that of the lease, or the one it was read with.
    pub(in crate::store) fn epoch(&self, read: u64) -> u64 {
        self.lease.as_ref().filter(|lease| lease.foundation().is_some()).map_or(read, |lease| lease.epoch)
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
