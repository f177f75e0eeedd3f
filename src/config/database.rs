//! `[database]`: where everything is kept.

use std::time::Duration;

use super::Secret;
use super::secret::{default_database, secret};
use crate::keyed::{Key, Keyed, Problem, Takes, key};

/// `[database]`
#[derive(Clone, Debug)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`
    pub url: Secret,
    /// PostgreSQL: connections at most.
    pub connections: u32,
    /// PostgreSQL: to get a connection.
    pub acquire_timeout: Duration,
    /// PostgreSQL: for one statement.
    pub statement_timeout: Duration,
    /// A replica that wasn't heard of for this long loses its duties.
    pub lease: Duration,
    /// Between two verifications of the hash chains by the daemon.
    pub verify_interval: Duration,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key(
            "url",
            Takes::Secret,
            "`sqlite:///path/to/file.db`, or `postgres://user:password@host:5432/database` (PostgreSQL 15 or later). Left out: `cf-billing.db` in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/cf-billing` or `~/.local/state/cf-billing`",
        ),
        key(
            "connections",
            Takes::Whole { min: 2, max: 1000 },
            "PostgreSQL: how many connections each replica uses at most",
        )
        .or("10"),
        key(
            "acquire_timeout",
            Takes::Duration { min_ms: 100, max_ms: 600_000 },
            "PostgreSQL: how long it may take to get a connection",
        )
        .or("10s"),
        key(
            "statement_timeout",
            Takes::Duration { min_ms: 100, max_ms: 3_600_000 },
            "PostgreSQL: how long a statement may run or wait for a lock; 5 s later its connection counts as lost",
        )
        .or("30s"),
        key(
            "lease",
            Takes::Duration { min_ms: 500, max_ms: 600_000 },
            "PostgreSQL: a replica that hasn't reported for this long loses its foundations to the others",
        )
        .or("10s"),
        key(
            "verify_interval",
            Takes::Duration { min_ms: 1_000, max_ms: 2_592_000_000 },
            "The daemon verifies all hash chains piece by piece, rests this long, and begins again",
        )
        .or("6h"),
    ]
}

impl Database {
    pub(super) fn read(section: &Keyed<'_>, warnings: &mut Vec<Problem>) -> Option<Self> {
        let is_given = section.has("url") || section.has("url_file");
        let url = if is_given { secret(section, "url", warnings) } else { default_database(section) };
        let connections = section.whole("connections");
        let (acquire_timeout, statement_timeout) =
            (section.duration("acquire_timeout"), section.duration("statement_timeout"));
        let lease = section.duration("lease");
        let verify_interval = section.duration("verify_interval");
        Some(Self {
            url: url?,
            connections: connections?,
            acquire_timeout: acquire_timeout?,
            statement_timeout: statement_timeout?,
            lease: lease?,
            verify_interval: verify_interval?,
        })
    }
}
