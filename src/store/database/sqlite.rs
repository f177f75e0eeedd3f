//! SQLite: one file in WAL mode, one writer connection, readers beside it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use super::file::{self, BookFile, Making};
use super::lock;
use super::trust::Trust;
use crate::store::{Found, StoreError, files};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const READERS: u32 = 4;

/// See the module.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    file: BookFile,
    writer: SqlitePool,
    readers: SqlitePool,
    trust: Trust,
}

impl SqliteDatabase {
    pub async fn open(url: &str, making: Making) -> Result<Self, StoreError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//").to_owned();
        let open_error = |error: &sqlx::Error| {
            let (reason, hint) = why_not_open(error);
            StoreError::Open { path: path.clone(), reason, hint }
        };
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| open_error(&error))?
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let book = options.get_filename().to_owned();
        let opening = lock::opening(&book).await;
        if is_none_yet(&inspect(url).await?) {
            file::may_make(&book, making)?;
        }
        // Readers leave the journal as the writer has it: asking for a mode takes locks that reading doesn't.
        let writing = (options.clone())
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Keeps the log small after a burst, so that it doesn't count as the database's size.
            .pragma("journal_size_limit", "16777216");
        files::prepare_database(&book);
        let making = writing.clone().create_if_missing(true);
        let mut connection = making.connect().await.map_err(|error| open_error(&error))?;
        let migrated = MIGRATIONS.run(&mut connection).await;
        migrated.map_err(|error| super::not_migrated(error, &MIGRATIONS, &path, |error| open_error(&error)))?;
        let trust = Trust::default();
        // Connections made later never make a file.
        let (writer, readers) = (pool(1, &trust), pool(READERS, &trust).connect_lazy_with(options));
        let writer = writer.connect_with(writing).await.map_err(|error| open_error(&error))?;
        // The last one to close a book tidies its log; it is open by now.
        connection.close().await?;
        file::expect(&book);
        drop(opening);
        Ok(Self { file: BookFile::opened(&book), writer, readers, trust })
    }

    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub fn check_file(&self) -> Result<(), StoreError> {
        self.file.check()
    }

    pub fn set_log_aside(&self) {
        self.file.set_log_aside();
    }

    pub const fn pools(&self) -> [&SqlitePool; 2] {
        [&self.writer, &self.readers]
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub async fn read(&self) -> Result<SqliteSession, StoreError> {
        self.begin(&self.readers, "BEGIN").await
    }

    /// Takes the write lock at once, so that it never fails half-way for want of it.
    pub async fn write(&self) -> Result<SqliteSession, StoreError> {
        self.begin(&self.writer, "BEGIN IMMEDIATE").await
    }

    async fn begin(&self, pool: &SqlitePool, statement: &'static str) -> Result<SqliteSession, StoreError> {
        self.file.check()?;
        let transaction = pool.begin_with(statement).await.inspect_err(|error| self.trust.note(error))?;
        Ok(SqliteSession { transaction, file: self.file.clone(), trust: self.trust.clone() })
    }
}

/// The file that a URL names.
pub(super) fn file_of(url: &str) -> Result<PathBuf, StoreError> {
    let options = SqliteConnectOptions::from_str(url).map_err(|error| StoreError::Open {
        path: url.to_owned(),
        reason: error.to_string(),
        hint: "give sqlite:///path/to/file.db",
    })?;
    Ok(options.get_filename().to_owned())
}

/// Copies a book as it is at one moment into a new file.
pub(super) async fn copy(book: &Path, to: &Path) -> Result<(), StoreError> {
    const COPY: &str = "VACUUM INTO ?1";
    let failed = |reason: String| StoreError::Open {
        path: to.display().to_string(),
        reason,
        hint: "give a folder that can be written, on a disk with room for the whole book",
    };
    drop(files::create_own(to).map_err(|error| failed(error.to_string()))?);
    let options = SqliteConnectOptions::new().filename(book).create_if_missing(false).busy_timeout(BUSY_TIMEOUT);
    let mut connection = options.connect().await?;
    let copied = sqlx::query(COPY).bind(to.to_string_lossy()).execute(&mut connection).await;
    connection.close().await?;
    copied.map(|_| ()).map_err(|error| failed(error.to_string()))
}

/// Looks through all of a file that nobody uses yet.
pub(super) async fn check_copy(path: &Path) -> Result<(), StoreError> {
    const CHECK: &str = "PRAGMA integrity_check(1)";
    let damaged = |reason: String| StoreError::DamagedCopy { path: path.display().to_string(), reason };
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(false).read_only(true).immutable(true);
    let mut connection = options.connect().await.map_err(|error| damaged(error.to_string()))?;
    let told: Result<String, _> = sqlx::query_scalar(CHECK).fetch_one(&mut connection).await;
    connection.close().await?;
    match told {
        Ok(told) if told == "ok" => Ok(()),
        Ok(told) => Err(damaged(told)),
        Err(error) => Err(damaged(error.to_string())),
    }
}

/// A pool that gives no connection out that may be wedged: one whose transaction couldn't be ended, or that was there when
/// something went wrong.
fn pool(connections: u32, trust: &Trust) -> SqlitePoolOptions {
    let (before, after) = (trust.clone(), trust.clone());
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .before_acquire(move |_, meta| {
            let trusted = before.has(meta.age);
            Box::pin(async move { Ok(trusted) })
        })
        .after_release(move |connection, meta| {
            let trusted = after.has(meta.age);
            Box::pin(async move {
                // What was dropped is undone first.
                connection.ping().await?;
                Ok(trusted && !connection.is_in_transaction())
            })
        })
}

/// A transaction on the file as it was opened.
#[derive(Debug)]
pub struct SqliteSession {
    transaction: Transaction<'static, Sqlite>,
    file: BookFile,
    trust: Trust,
}

impl SqliteSession {
    pub(super) async fn fetch_all(
        &mut self,
        query: Query<'static, Sqlite, SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let rows = query.fetch_all(&mut *self.transaction).await;
        Ok(rows.inspect_err(|error| self.trust.note(error))?)
    }

    pub(super) async fn execute(&mut self, query: Query<'static, Sqlite, SqliteArguments>) -> Result<u64, StoreError> {
        let done = query.execute(&mut *self.transaction).await;
        Ok(done.inspect_err(|error| self.trust.note(error))?.rows_affected())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        let Self { transaction, file, trust } = self;
        // What goes to a file that nobody can see isn't committed.
        file.check()?;
        Ok(transaction.commit().await.inspect_err(|error| trust.note(error))?)
    }
}

const fn is_none_yet(found: &Found) -> bool {
    matches!(found, Found::Nothing { .. } | Found::Schema { found: 0, .. })
}

pub async fn inspect(url: &str) -> Result<Found, StoreError> {
    const TABLE: &str = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    const VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let location = url.trim_start_matches("sqlite:").trim_start_matches("//").to_owned();
    let open_error = |error: sqlx::Error| {
        let (reason, hint) = why_not_open(&error);
        StoreError::Open { path: location.clone(), reason, hint }
    };
    let options = SqliteConnectOptions::from_str(url).map_err(open_error)?.read_only(true);
    let file = options.get_filename().to_owned();
    if !file.exists() {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            let reason = "the folder doesn't exist".to_owned();
            return Err(StoreError::Open { path: location, reason, hint: "the folder must exist and be writable" });
        }
        return Ok(Found::Nothing { location });
    }
    lock::refuse_another_name(&file)?;
    let mut connection = options.connect().await.map_err(open_error)?;
    let tables: i64 = sqlx::query_scalar(TABLE).fetch_one(&mut connection).await.map_err(open_error)?;
    let found = match tables {
        0 => 0,
        _ => sqlx::query_scalar(VERSION).fetch_one(&mut connection).await.map_err(open_error)?,
    };
    let mut rows = 0;
    for count in super::read_whole(found) {
        rows += sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await?;
    }
    connection.close().await?;
    super::found(&MIGRATIONS, location, found, rows)
}

fn why_not_open(error: &sqlx::Error) -> (String, &'static str) {
    let sqlx::Error::Database(database) = error else {
        return (error.to_string(), "give a path, such as sqlite:///var/lib/cf-billing/cf-billing.db");
    };
    let hint = match database.code().as_deref() {
        Some("26") => "the file isn't an SQLite database; give another path",
        Some("11") => "the file is damaged; restore it from a backup",
        Some("8" | "264" | "520" | "776" | "1032" | "1544") => {
            "the file or its folder is read-only; change its permissions or give another path"
        }
        Some("13") => "the disk is full; make room",
        _ => "the folder must exist and be writable",
    };
    (database.message().to_owned(), hint)
}
