//! Which PostgreSQL server the book is on, as it tells itself: its cluster, and the timeline that rises with every failover
//! and every restored backup. Owns what was seen of that since the process began.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{PgConnection, Row};

/// A server's identity. A standby that takes over has the same cluster and a later timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// PostgreSQL's system identifier.
    pub cluster: String,
    pub timeline: u32,
}

impl Server {
    /// Another one of the same cluster has taken over from this one.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.timeline < other.timeline
    }
}

/// What a connection leads to.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// A standby, or told to be read-only.
    pub reads_only: bool,
    /// `None`: it doesn't tell.
    pub server: Option<Server>,
}

impl State {
    pub async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        const READS_ONLY: &str = "SELECT current_setting('transaction_read_only')";
        // The control file's own timeline lags behind a promotion; that of what is written now doesn't.
        const ALL: &str = "SELECT current_setting('transaction_read_only'),
                (SELECT system_identifier::text FROM pg_control_system()),
                CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END";
        match sqlx::raw_sql(ALL).fetch_one(&mut *connection).await {
            Ok(row) => {
                let cluster: Option<String> = row.try_get(1)?;
                let timeline: Option<String> = row.try_get(2)?;
                let timeline = timeline.and_then(|text| u32::from_str_radix(&text, 16).ok());
                let server = cluster.zip(timeline).map(|(cluster, timeline)| Server { cluster, timeline });
                Ok(Self { reads_only: is_on(row.try_get(0)?), server })
            }
            // Some services keep these functions from their users.
            Err(sqlx::Error::Database(_)) => {
                let row = sqlx::raw_sql(READS_ONLY).fetch_one(connection).await?;
                Ok(Self { reads_only: is_on(row.try_get(0)?), server: None })
            }
            Err(error) => Err(error),
        }
    }
}

fn is_on(setting: &str) -> bool {
    setting == "on"
}

/// What connections have told so far; shared by a pool and its sessions.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    server: Option<Server>,
    /// How often another server was met.
    generation: u64,
}

/// What a new connection's server is to those before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    Same,
    /// Another one has taken over from that one.
    Other(Server),
    /// It was the primary before a failover, and is back without having noticed: nothing may be written there.
    Former(Server),
}

impl Known {
    pub fn meet(&self, server: &Server) -> Met {
        let mut seen = self.seen();
        match seen.server.replace(server.clone()) {
            None => Met::Same,
            Some(before) if before == *server => Met::Same,
            Some(before) if server.is_before(&before) => {
                seen.server = Some(before.clone());
                Met::Former(before)
            }
            Some(before) => {
                seen.generation += 1;
                Met::Other(before)
            }
        }
    }

    pub fn server(&self) -> Option<Server> {
        self.seen().server.clone()
    }

    pub fn generation(&self) -> u64 {
        self.seen().generation
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Met, Server};

    fn server(cluster: &str, timeline: u32) -> Server {
        Server { cluster: cluster.to_owned(), timeline }
    }

    #[test]
    fn a_later_timeline_takes_over_and_an_earlier_one_is_refused() {
        let known = Known::default();
        for (met, how, generation) in [
            (server("a", 1), Met::Same, 0),
            (server("a", 1), Met::Same, 0),
            (server("a", 2), Met::Other(server("a", 1)), 1),
            (server("a", 1), Met::Former(server("a", 2)), 1),
            (server("a", 2), Met::Same, 1),
            (server("b", 1), Met::Other(server("a", 2)), 2),
            (server("b", 1), Met::Same, 2),
        ] {
            assert_eq!(known.meet(&met), how);
            assert_eq!(known.generation(), generation);
        }
        assert_eq!(known.server(), Some(server("b", 1)));
    }
}
