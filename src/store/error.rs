//! What can go wrong with the database, for people.

use super::archive::Damaged;

/// A failure of the store. Nothing of the attempted write remains.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("`{0}` is not a database this program knows\nhint: use sqlite:///path/to/file.db")]
    UnknownUrl(String),
    #[error("can't open the database `{path}`: {reason}\nhint: {hint}")]
    Open { path: String, reason: String, hint: &'static str },
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
        "foundation `{0}` was written by another process meanwhile; nothing was changed\n\
         hint: let only one collector run on a database at a time"
    )]
    Superseded(String),
    #[error(
        "another cf-billing collects into `{0}` already\n\
         hint: stop it first; commands such as `usage` and `invoices` may run beside it"
    )]
    Collected(String),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("a sum of usage exceeds 2^63 - 1\nhint: ask for a shorter span")]
    Overflow,
    #[error(
        "the database refused: {0}\nhint: nothing was changed; if it stays so, check the file, its disk and its permissions"
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

/// `SQLITE_FULL`; and writing, syncing, growing a file or its shared memory that failed.
const FULL: [&str; 5] = ["13", "778", "1034", "1546", "4874"];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            if database.code().is_some_and(|code| FULL.contains(&&*code)) {
                return Self::Full(error);
            }
            if database.message().contains("integer overflow") {
                return Self::Overflow;
            }
        }
        Self::Database(error)
    }
}
