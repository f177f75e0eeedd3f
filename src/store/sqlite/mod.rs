//! The embedded store: one `SQLite` file in WAL mode, one writer connection, readers beside it.

mod archive;
mod codes;
mod commit;
mod dimensions;
mod invoices;
mod load;
mod lock;
mod onboarding;
mod payload;
mod usage;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lru::LruCache;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, SqliteConnection, Transaction};

use super::{Found, FoundationHead, StoreError, StreamHead};
use crate::domain::{EventId, Guid, Place, Settings, Stream, Timestamp};
use dimensions::Dimensions;
pub use lock::CollectorLock;

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// How long a writer waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
const READERS: u32 = 4;
/// Chunks whose identities stay in memory: some 128,000 inputs, 4 MB.
const CACHED_CHUNKS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

type Identities = std::collections::HashMap<(u8, i64, u64), Place>;
/// By foundation, first and last sequence number of the chunk.
type IdentityCache = LruCache<(i64, u64, u64), Arc<Identities>>;

/// See the module.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    path: PathBuf,
    writer: SqlitePool,
    readers: SqlitePool,
    dimensions: Arc<Mutex<Dimensions>>,
    identities: Arc<Mutex<IdentityCache>>,
}

impl SqliteStore {
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
        migrate(&writer, &path).await.map_err(|error| match error {
            StoreError::Database(error) => open_error(&error),
            other => other,
        })?;
        drop(opening);
        let readers = pool(READERS).connect_lazy_with(options);
        Ok(Self {
            path: file,
            writer,
            readers,
            dimensions: Arc::default(),
            identities: Arc::new(Mutex::new(LruCache::new(CACHED_CHUNKS))),
        })
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
        let known = newest_schema();
        if found > known {
            return Err(StoreError::NewerSchema { path: location, found, known });
        }
        Ok(Found::Schema { location, found, known })
    }

    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    pub fn size_bytes(&self) -> u64 {
        let size = |ending: &str| {
            let mut name = self.path.as_os_str().to_owned();
            name.push(ending);
            std::fs::metadata(name).map_or(0, |file| file.len())
        };
        size("") + size("-wal")
    }

    pub fn location(&self) -> String {
        self.path.display().to_string()
    }

    pub fn collector_lock(&self) -> Result<CollectorLock, StoreError> {
        CollectorLock::take(&self.path)
    }

    /// A write transaction: takes the write lock at once, so that it never fails half-way for want of it.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub async fn foundation(&self, name: &str) -> Result<FoundationHead, StoreError> {
        if let Some(head) = self.read_heads(Some(name)).await?.pop() {
            return Ok(head);
        }
        const ADD: &str = "INSERT INTO foundation (name) VALUES (?1) ON CONFLICT DO NOTHING";
        const ADD_STREAMS: &str = "
            INSERT INTO stream (foundation_id, name)
            SELECT foundation.id, word.column1
            FROM foundation, (VALUES ('app'), ('service')) AS word
            WHERE foundation.name = ?1
            ON CONFLICT DO NOTHING";
        let mut transaction = self.begin().await?;
        sqlx::query(ADD).bind(name).execute(&mut *transaction).await?;
        sqlx::query(ADD_STREAMS).bind(name).execute(&mut *transaction).await?;
        transaction.commit().await?;
        let added = self.read_heads(Some(name)).await?.pop();
        added.ok_or_else(|| StoreError::Unexpected { place: "foundation", value: name.to_owned() })
    }

    pub async fn foundations(&self) -> Result<Vec<FoundationHead>, StoreError> {
        self.read_heads(None).await
    }

    async fn read_heads(&self, name: Option<&str>) -> Result<Vec<FoundationHead>, StoreError> {
        let mut transaction = self.readers.begin().await?;
        read_foundations(&mut transaction, name).await
    }

    pub async fn anomaly_counts(&self, foundation: &FoundationHead) -> Result<Vec<(String, u64)>, StoreError> {
        const COUNT: &str = "
            SELECT kind, count(*) FROM anomaly WHERE foundation_id = ?1 GROUP BY kind ORDER BY kind";
        let rows = sqlx::query(COUNT).bind(foundation.id).fetch_all(&self.readers).await?;
        (rows.into_iter()).map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned()))).collect()
    }
}

/// Foundations as they stand in one view of the database: one by name, or all.
async fn read_foundations(
    connection: &mut SqliteConnection,
    name: Option<&str>,
) -> Result<Vec<FoundationHead>, StoreError> {
    const FOUNDATIONS: &str = "
        SELECT id, name, lease_epoch, last_sequence, last_entry, known_until, collected, observed_until,
               swept_until
        FROM foundation
        WHERE ?1 IS NULL OR name = ?1
        ORDER BY name";
    const STREAMS: &str = "
        SELECT name, last_ordinal, oldest_created_at, newest_created_at, checkpoint_guid, checkpoint_created_at,
               predecessor_guid, predecessor_created_at
        FROM stream
        WHERE foundation_id = ?1";
    const SETTINGS: &str = "
        SELECT sequence, settings FROM fold_settings WHERE foundation_id = ?1 ORDER BY sequence";
    let mut heads = Vec::new();
    for row in sqlx::query(FOUNDATIONS).bind(name).fetch_all(&mut *connection).await? {
        let id: i64 = row.try_get(0)?;
        let mut head = FoundationHead {
            id,
            name: row.try_get(1)?,
            lease_epoch: row.try_get::<i64, _>(2)?.cast_unsigned(),
            last_sequence: row.try_get::<i64, _>(3)?.cast_unsigned(),
            last_entry: row.try_get::<i64, _>(4)?.cast_unsigned(),
            known_until: row.try_get::<Option<i64>, _>(5)?.map(Timestamp::from_unix),
            collected: row.try_get(6)?,
            observed_until: row.try_get::<Option<i64>, _>(7)?.map(Timestamp::from_unix),
            swept_until: row.try_get::<Option<i64>, _>(8)?.map(Timestamp::from_unix),
            settings: Vec::new(),
            app: StreamHead::default(),
            service: StreamHead::default(),
        };
        for row in sqlx::query(STREAMS).bind(id).fetch_all(&mut *connection).await? {
            let stream = if row.try_get::<String, _>(0)? == "app" { Stream::App } else { Stream::Service };
            *head.stream_mut(stream) = StreamHead {
                last_ordinal: row.try_get::<i64, _>(1)?.cast_unsigned(),
                oldest_created_at: row.try_get::<Option<i64>, _>(2)?.map(Timestamp::from_unix),
                newest_created_at: row.try_get::<Option<i64>, _>(3)?.map(Timestamp::from_unix),
                checkpoint: event_id(row.try_get(4)?, row.try_get(5)?),
                predecessor: event_id(row.try_get(6)?, row.try_get(7)?),
            };
        }
        for row in sqlx::query(SETTINGS).bind(id).fetch_all(&mut *connection).await? {
            let text: String = row.try_get(1)?;
            let settings: Settings = serde_json::from_str(&text)
                .map_err(|_| StoreError::Unexpected { place: "fold_settings.settings", value: text })?;
            head.settings.push((row.try_get::<i64, _>(0)?.cast_unsigned(), settings));
        }
        heads.push(head);
    }
    Ok(heads)
}

fn event_id(guid: Option<String>, created_at: Option<i64>) -> Option<EventId> {
    Some(EventId { guid: Guid::new(&guid?), created_at: Timestamp::from_unix(created_at?) })
}

/// The schema version this program brings a database to.
fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default()
}

async fn migrate(writer: &SqlitePool, path: &str) -> Result<(), StoreError> {
    MIGRATIONS.run(writer).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::VersionMissing(found) => {
            StoreError::NewerSchema { path: path.to_owned(), found, known: newest_schema() }
        }
        sqlx::migrate::MigrateError::VersionMismatch(found) => StoreError::OtherSchema { path: path.to_owned(), found },
        sqlx::migrate::MigrateError::Execute(error) => StoreError::Database(error),
        other => StoreError::Database(sqlx::Error::Migrate(Box::new(other))),
    })
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
