//! What can go wrong with the database, for people.

use chrono::NaiveDate;

use crate::store::archive::pack::Damaged;

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
        "the database `{location}` has not answered for {seconds} s\nhint: nothing was changed, unless the answer to a commit was lost; that is checked before anything is written again"
    )]
    Silent { location: String, seconds: u64 },
    #[error(
        "the database `{path}` has schema version {found}, this program knows up to {known}\n\
         hint: it was written by a newer cf-billing; install that version or a later one"
    )]
    NewerSchema { path: String, found: i64, known: i64 },
    #[error(
        "the database `{path}` was brought to schema {found} by a newer cf-billing while this one ran; this one knows {known} and \
         writes nothing more\n\
         hint: update this replica, too"
    )]
    Outdated { path: String, found: i64, known: i64 },
    #[error(
        "root would make `{path}` in `{folder}`, which belongs to the user {uid}: that user couldn't write it\n\
         hint: run this as that user: sudo -u '#{uid}' cf-billing …"
    )]
    Foreign { path: String, folder: String, uid: u32 },
    #[error(
        "the database `{path}` was made by an unreleased cf-billing whose schema {found} was another\n\
         hint: databases of unreleased versions can't be used; give another path"
    )]
    OtherSchema { path: String, found: i64 },
    #[error(
        "`{0}` was taken over or written by another process meanwhile; nothing was changed\n\
         hint: the other process goes on; run an import while no other process writes"
    )]
    Superseded(String),
    #[error(
        "the database `{0}` is on another server now, after a failover or a restored backup; nothing was changed\n\
         hint: what was in memory is dropped, and it goes on from what that server has"
    )]
    Elsewhere(String),
    #[error(
        "another cf-billing collects into `{0}` already\n\
         hint: stop it first; commands such as `usage` and `invoices` can run beside it"
    )]
    Collected(String),
    #[error(
        "the database file `{0}` is gone: it was moved or deleted; nothing was changed\n\
         hint: put the same file back to go on; if it is lost, restore it from a backup and start again"
    )]
    Gone(String),
    #[error(
        "the database file `{0}` was replaced by another file; nothing is written to either\n\
         hint: start again to work with the new file; stop the daemon before you restore an SQLite book"
    )]
    Replaced(String),
    #[error(
        "there is no book in `{path}`, but `{witness}` says that one is expected there\n\
         hint: put the file back, or restore it from a backup; only if it is lost for good, begin a new one with `cf-billing run --init`"
    )]
    Expected { path: String, witness: String },
    #[error(
        "there is no book in `{0}`, and --no-create forbids to make one\n\
         hint: check the place (path, mounted disk, name of the database); the first time, `cf-billing ledger init` makes the book"
    )]
    NoBook(String),
    #[error(
        "`{0}` is another name (a hard link) of a file that a running cf-billing collects into\n\
         hint: use the daemon's name for it: under two names SQLite would make two books of one file, and destroy both"
    )]
    AnotherName(String),
    #[error(
        "the database `{location}` is reached through a pooler that hands connections on between transactions: {what}\n\
         hint: use session pooling (PgBouncer: pool_mode = session) or connect to PostgreSQL directly"
    )]
    Pooled { location: String, what: String },
    #[error(
        "PostgreSQL makes its own backups\n\
         hint: use pg_dump or continuous archiving (PITR); docs/operations.md says how, and what to back up besides"
    )]
    ServerBacksUp,
    /// A copy of an SQLite book that SQLite finds damaged.
    #[error("the copy `{path}` is damaged: {reason}\nhint: the book or the disk is damaged; use another backup")]
    DamagedCopy { path: String, reason: String },
    #[error(
        "the database is read-only: {told}\n\
         hint: it is a standby, default_transaction_read_only is on, or the file or disk is read-only; nothing was changed, and it goes on once it is writable",
        told = told(.0)
    )]
    ReadOnly(#[source] sqlx::Error),
    #[error(
        "usage of organization {organization} in {month} is on invoice {number} of account `{account}` already, which is final\n\
         hint: it was made final meanwhile; try again"
    )]
    InvoicedElsewhere { organization: String, month: String, number: String, account: String },
    #[error(
        "invoice {0} was corrected, or compared anew, by another process meanwhile; nothing was changed\n\
         hint: look at it with `invoices show {0}`, then try again"
    )]
    Corrected(String),
    #[error(
        "{month} begins or ends elsewhere in `{zone}` than {of} does in `{other}`, in which {number} is invoiced: hours between them would be billed twice or never\n\
         hint: set [billing] time_zone back to `{other}`; a book keeps the zone of what is final, and another zone may begin only after a month without invoices, or in a new book"
    )]
    OtherEdges { month: String, zone: String, of: String, other: String, number: String },
    #[error(
        "`{wanted}` is before {newest}, the date of {number}, the newest of series {series}\n\
         hint: a later number never has an earlier date: if the clock is right, give --issue-date {newest}, or begin a new series ([billing] invoice_series, credit_note_series)"
    )]
    DateBehind { series: String, number: String, newest: NaiveDate, wanted: NaiveDate },
    #[error(
        "can't read or write `{path}`, which marks what was issued: {reason}\n\
         hint: nothing became final; make its folder writable, or set [billing] marks to another"
    )]
    Marks { path: String, reason: String },
    #[error(
        "there is no place outside the database to mark issued numbers, so a restored backup would go unnoticed\n\
         hint: nothing became final; set [billing] marks to a folder that outlives this host, or HOME"
    )]
    NoMarks,
    #[error(
        "the database is older than what was issued: numbers {first} to {last} of series {series} are missing\n\
         hint: it was restored from a backup: bring them back from exported files with `cf-billing invoices adopt DIR`, or record them as lost with `cf-billing invoices lost`; see docs/invoices.md"
    )]
    OlderThanIssued { series: String, first: String, last: String },
    #[error(
        "the database is on another server (timeline {now}) than when {last} was issued (timeline {before}): a failover, or a restored \
         backup, may have lost numbers of series {series}\n\
         hint: find the last number of {series} that anybody got, in exported files, mails or the accounting, and give it once: \
         --above N. If that is more than {number}, look for its files first: `cf-billing invoices adopt DIR` brings them back; \
         see docs/invoices.md"
    )]
    MovedSinceIssued { series: String, last: String, number: i64, before: String, now: String },
    #[error(
        "`--above {asked}` is behind {last}, which is in the database\n\
         hint: give the last number of the series that was used anywhere"
    )]
    NotAbove { asked: i64, last: String },
    #[error(
        "`--above {asked}` would leave out {skipped} numbers after {last}\n\
         hint: check the number; at most {most} can be left out at once"
    )]
    TooFarAbove { asked: i64, last: String, skipped: i64, most: i64 },
    #[error(
        "{number} in the database isn't what was issued under that number\n\
         hint: check that this is the right database, and its newest backup; a new book needs its own folder ([billing] marks), or another series"
    )]
    OtherThanIssued { number: String },
    #[error(
        "`{asked}` can't be recorded as lost: {missing} is missing\n\
         hint: begin with the first missing number, and go at most to the last that was issued"
    )]
    NotMissing { asked: String, missing: String },
    #[error(
        "can't bring {number} back: {why}\nhint: nothing was changed; `cf-billing invoices lost` records what can't be brought back"
    )]
    NotAdopted { number: String, why: String },
    #[error("{month} of account `{account}` is held: {reason}\nhint: `invoices release` ends the hold")]
    Held { account: String, month: String, reason: String },
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error("a sum of usage exceeds 2^63 - 1\nhint: ask for a shorter span")]
    Overflow,
    #[error(
        "the database refused: {told}\nhint: nothing was changed; if it happens again, check the database, its disk and its permissions",
        told = told(.0)
    )]
    Database(#[source] sqlx::Error),
    #[error(
        "the database doesn't let cf-billing in: {told}\nhint: user or password are wrong, or pg_hba.conf doesn't let this host in; the URL is read at the start: restart after you correct it",
        told = told(.0)
    )]
    Login(#[source] sqlx::Error),
    #[error(
        "can't write to the database, because its disk is full or failing: {told}\nhint: make room; nothing was changed, and the same command goes on where it stopped",
        told = told(.0)
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

    /// The same question may be answered later, once the database is reached, has a place for it, or can be written to again.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        self.is_away()
            || matches!(
                self,
                Self::Login(_)
                    | Self::Full(_)
                    | Self::ReadOnly(_)
                    | Self::Superseded(_)
                    | Self::Elsewhere(_)
                    | Self::Gone(_)
                    | Self::Replaced(_)
                    | Self::Marks { .. }
                    | Self::Database(sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_))
            )
    }

    /// Another process has taken over, or the book is on another server: what is in memory isn't what the book has.
    #[must_use]
    pub const fn is_superseded(&self) -> bool {
        matches!(self, Self::Superseded(_) | Self::Elsewhere(_))
    }

    /// Another write got in the way, and the same attempt may succeed now: serialisation failure, deadlock.
    pub(in crate::store) fn is_conflict(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::Database(error))
            if matches!(error.code().as_deref(), Some("40001" | "40P01")))
    }
}

/// PostgreSQL: disk full. `SQLITE_FULL`; and writing, syncing, growing a file or its shared memory that failed.
const FULL: [&str; 6] = ["53100", "13", "778", "1034", "1546", "4874"];

/// PostgreSQL: read-only transaction. `SQLITE_READONLY` and its kinds.
const READ_ONLY: [&str; 7] = ["25006", "8", "264", "520", "776", "1032", "1544"];

/// PostgreSQL: a wrong password, or nobody who may come in.
const LOGIN: [&str; 2] = ["28P01", "28000"];

/// What the database itself said, without where in its own source that is.
fn told(error: &sqlx::Error) -> String {
    let Some(database) = error.as_database_error() else { return error.to_string() };
    match database.code() {
        Some(code) => format!("{} (code {code})", database.message()),
        None => database.message().to_owned(),
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(database) = &error {
            // What a new connection to a server with a full disk may get has no code of its own (XX000).
            let is_full = database.message().starts_with("could not write init file");
            if is_full || database.code().is_some_and(|code| FULL.contains(&&*code)) {
                return Self::Full(error);
            }
            if database.code().is_some_and(|code| READ_ONLY.contains(&&*code)) {
                return Self::ReadOnly(error);
            }
            if database.code().is_some_and(|code| LOGIN.contains(&&*code)) {
                return Self::Login(error);
            }
            // PostgreSQL: numeric value out of range.
            if database.message().contains("integer overflow") || database.code().as_deref() == Some("22003") {
                return Self::Overflow;
            }
        }
        Self::Database(error)
    }
}
