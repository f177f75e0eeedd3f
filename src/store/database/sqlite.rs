//! SQLite: one file in WAL mode, one writer connection, readers beside it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use crate::store::{Found, StoreError, lock};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const READERS: u32 = 4;

/// See the module.
#[derive(Clone, Debug)]
pub struct SqliteDatabase {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteDatabase {
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//").to_owned();
        let open_error = |error: &sqlx::Error| {
            let (reason, hint) = why_not_open(error);
            StoreError::Open { path: path.clone(), reason, hint }
        };
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| open_error(&error))?
            .create_if_missing(true)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        // Readers leave the journal as the writer has it: asking for a mode takes locks that reading doesn't.
        let writing = (options.clone())
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Keeps the log small after a burst, so that it doesn't count as the database's size.
            .pragma("journal_size_limit", "16777216");
        let file = options.get_filename().to_owned();
        let opening = lock::opening(&file).await;
        let pool = |connections| SqlitePoolOptions::new().max_connections(connections).idle_timeout(None);
        let writer = pool(1).connect_with(writing).await.map_err(|error| open_error(&error))?;
        let migrated = MIGRATIONS.run(&writer).await;
        migrated.map_err(|error| super::not_migrated(error, &MIGRATIONS, &path, |error| open_error(&error)))?;
        drop(opening);
        let readers = pool(READERS).connect_lazy_with(options);
        Ok(Self { path: file, writer, readers })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub async fn read(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.readers.begin().await?)
    }

    /// Takes the write lock at once, so that it never fails half-way for want of it.
    pub async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }
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
    let mut connection = options.connect().await.map_err(open_error)?;
    let tables: i64 = sqlx::query_scalar(TABLE).fetch_one(&mut connection).await.map_err(open_error)?;
    let found = match tables {
        0 => 0,
        _ => sqlx::query_scalar(VERSION).fetch_one(&mut connection).await.map_err(open_error)?,
    };
    connection.close().await?;
    super::found(&MIGRATIONS, location, found)
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
