//! What can go wrong with the database, for people.

use super::archive::Damaged;
use crate::documents::DocumentError;

/// A failure of the store. Nothing of the attempted write remains.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(
        "`{0}` is not a database this program knows\nhint: use sqlite:///path/to/file.db or postgres://user@host/database"
    )]
    UnknownUrl(String),
    #[error("can't open the database `{path}`: {reason}\nhint: {hint}")]
    Open { path: String, reason: String, hint: &'static str },
    #[error("can't reach the database `{path}`: {reason}\nhint: {hint}")]
    Away { path: String, reason: String, hint: &'static str },
    #[error(
        "the database `{location}` has not answered for {seconds} s\nhint: nothing was changed, unless the answer to a commit was lost; what was written is looked up before anything is written again"
    )]
    Silent { location: String, seconds: u64 },
    #[error(
        "the database `{path}` has schema version {found}, this program knows up to {known}\n\
         hint: it was written by a newer cf-billing; install that version or a later one"
    )]
    NewerSchema { path: String, found: i64, known: i64 },
    #[error(
        "the database `{path}` was made by an unreleased cf-billing whose schema {found} was another\n\
         hint: no data of unreleased versions is taken over; give another path"
    )]
    OtherSchema { path: String, found: i64 },
    #[error(
        "`{0}` was taken over or written by another process meanwhile; nothing was changed\n\
         hint: the process that has it goes on; an import is to be run while no other process writes"
    )]
    Superseded(String),
    #[error(
        "another cf-billing collects into `{0}` already\n\
         hint: stop it first; commands such as `usage` and `invoices` may run beside it"
    )]
    Collected(String),
    #[error(
        "usage of organization {organization} in {month} is on invoice {number} of account `{account}` already, which is final\n\
         hint: it was made final meanwhile; try again"
    )]
    InvoicedElsewhere { organization: String, month: String, number: String, account: String },
    #[error(
        "invoice {0} was corrected, or compared anew, by another process meanwhile; nothing was changed\n\
         hint: look at it again with `invoices show {0}`, and try again"
    )]
    Corrected(String),
    #[error("{month} of account `{account}` is held: {reason}\nhint: `invoices release` lets it go on")]
    Held { account: String, month: String, reason: String },
    #[error(transparent)]
    Document(#[from] DocumentError),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("a sum of usage exceeds 2^63 - 1\nhint: ask for a shorter span")]
    Overflow,
    #[error(
        "the database refused: {0}\nhint: nothing was changed; if it stays so, check the database, its disk and its permissions"
    )]
    Database(#[source] sqlx::Error),
    #[error(
        "the database can't be written, because its disk is full or failing: {0}\nhint: make room; nothing was changed, and the same command goes on where it stopped"
    )]
    Full(#[source] sqlx::Error),
    #[error(
        "the database holds `{value}` in {place}, which this program doesn't know\nhint: restore the database from a backup"
    )]
    Unexpected { place: &'static str, value: String },
}

impl StoreError {
    /// The database doesn't answer now, and may do so later.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. } | Self::Silent { .. })
    }

    /// Another write got in the way, and the same attempt may succeed now: serialisation failure, deadlock.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("40001" | "40P01")))
    }
}

/// PostgreSQL: disk full. `SQLITE_FULL`; and writing, syncing, growing a file or its shared memory that failed.
const FULL: [&str; 6] = ["53100", "13", "778", "1034", "1546", "4874"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            if database.code().is_some_and(|code| FULL.contains(&&*code)) {
                return Self::Full(error);
            }
            // PostgreSQL: numeric value out of range.
            if database.message().contains("integer overflow") || database.code().as_deref() == Some("22003") {
                return Self::Overflow;
            }
        }
        Self::Database(error)
    }
}
