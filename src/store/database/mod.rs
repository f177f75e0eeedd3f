//! The two databases behind one face: sessions that run statements and give rows.
//! Owns connections, transactions, how values are bound and read; knows no table.

mod connect;
mod fence;
mod field;
mod file;
mod hosts;
mod lock;
mod payload;
mod pooler;
mod postgres;
mod retry;
mod row;
mod server;
mod sql;
mod sqlite;
mod table;
mod trust;

pub use field::{Field, Json, Spelled, Word};
pub use file::Making;
pub use lock::CollectorLock;
pub use payload::{Columns, Payload, RowWriter, Type, json as column_json};
pub use postgres::PostgresOptions;
pub(super) use retry::again;
pub use retry::{Retry, retried};
pub use row::{Row, unexpected, zone_of};
pub use server::Server;
pub(super) use sql::values;
pub use sql::{Sql, Value};
pub use table::{Declared, Record, joined, length, numbered, numbered_length, taken_over, taken_over_length, utf8};
pub(super) use table::{record, table, take_over, text};

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Postgres, SqlSafeStr, SqlStr, Sqlite};

use super::{Found, StoreError};
use crate::domain::{Currency, Price, Timestamp};
use payload::{Array, Bound};

/// Which database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// An open database.
#[derive(Clone, Debug)]
pub enum Database {
    Sqlite(sqlite::SqliteDatabase),
    Postgres(postgres::PostgresDatabase),
}

impl Database {
    pub async fn open(url: &str, options: &PostgresOptions, making: Making) -> Result<Self, StoreError> {
        match dialect(url)? {
            Dialect::Sqlite => sqlite::SqliteDatabase::open(url, making).await.map(Self::Sqlite),
            Dialect::Postgres => postgres::PostgresDatabase::open(url, options, making).await.map(Self::Postgres),
        }
    }

    /// Says why a server can't be used the way it is reached, if so: through a pooler that hands connections from one
    /// client to another between two transactions.
    pub async fn look_for_pooler(url: &str, options: &PostgresOptions) -> Result<(), StoreError> {
        match dialect(url)? {
            Dialect::Sqlite => Ok(()),
            Dialect::Postgres => pooler::look(url, options).await,
        }
    }

    /// Whether a server is on another machine, and its certificate isn't verified.
    pub fn is_unverified(url: &str) -> bool {
        dialect(url).is_ok_and(|dialect| dialect == Dialect::Postgres)
            && hosts::Hosts::parse(url).is_ok_and(|hosts| hosts.is_unverified())
    }

    /// Whether the file is still there, and still the same.
    pub fn check_file(&self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(database) => database.check_file(),
            Self::Postgres(_) => Ok(()),
        }
    }

    pub async fn inspect(url: &str, options: &PostgresOptions) -> Result<Found, StoreError> {
        match dialect(url)? {
            Dialect::Sqlite => sqlite::inspect(url).await,
            Dialect::Postgres => postgres::inspect(url, options).await,
        }
    }

    /// The schema version this program brings a database to.
    pub fn newest_schema(&self) -> i64 {
        match self {
            Self::Sqlite(_) => newest(&sqlite::MIGRATIONS),
            Self::Postgres(_) => newest(&postgres::MIGRATIONS),
        }
    }

    /// Puts the log of a replaced file aside, so that it isn't applied to the other.
    pub fn set_log_aside(&self) {
        if let Self::Sqlite(database) = self {
            database.set_log_aside();
        }
    }

    /// A session that only reads: everything in it sees the book as it was at its first statement.
    pub async fn read(&self) -> Result<Session, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Session::Sqlite(database.read().await?)),
            Self::Postgres(database) => database.read().await.map(Session::Postgres),
        }
    }

    async fn begin_write(&self) -> Result<Session, StoreError> {
        match self {
            Self::Sqlite(database) => Ok(Session::Sqlite(database.write().await?)),
            Self::Postgres(database) => database.write().await.map(Session::Postgres),
        }
    }

    /// How many connections are in use, and how many idle.
    pub fn connections(&self) -> (u32, u32) {
        let of = |size: u32, idle: usize| {
            let idle = u32::try_from(idle).unwrap_or(size).min(size);
            (size - idle, idle)
        };
        match self {
            Self::Sqlite(database) => {
                let pools = database.pools().map(|pool| of(pool.size(), pool.num_idle()));
                pools.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
            }
            Self::Postgres(database) => of(database.pool().size(), database.pool().num_idle()),
        }
    }

    pub fn location(&self) -> String {
        match self {
            Self::Sqlite(database) => database.path().display().to_string(),
            Self::Postgres(database) => database.location().to_owned(),
        }
    }

    /// The host that is worked with, of a server.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(database) => Some(database.host()),
        }
    }

    /// Another host that accepts writes, too: it was the primary before a failover.
    pub fn rival(&self) -> Option<&str> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(database) => database.rival(),
        }
    }

    /// Which server the book is on; `None`: in a file, or the server doesn't tell.
    pub fn server(&self) -> Option<Server> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(database) => database.server(),
        }
    }

    /// How often the book was found on another server since the process began. Whatever was true before may not be there.
    pub fn generation(&self) -> u64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres(database) => database.generation(),
        }
    }

    /// Why no connection could be made when that was last tried, if it is so still.
    pub fn why_away(&self) -> Option<String> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(database) => database.why_away(),
        }
    }

    /// The same database, which isn't written to once the book is found on another server.
    #[must_use]
    pub fn as_it_is(&self) -> Self {
        match self {
            Self::Sqlite(_) => self.clone(),
            Self::Postgres(database) => Self::Postgres(database.as_it_is()),
        }
    }

    /// The file, where it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(database) => Some(database.path()),
            Self::Postgres(_) => None,
        }
    }

    /// The file that a URL names; `None`: a server.
    pub fn file_of(url: &str) -> Result<Option<PathBuf>, StoreError> {
        match dialect(url)? {
            Dialect::Sqlite => sqlite::file_of(url).map(Some),
            Dialect::Postgres => Ok(None),
        }
    }

    pub async fn copy(book: &Path, to: &Path) -> Result<(), StoreError> {
        sqlite::copy(book, to).await
    }

    pub async fn check_copy(path: &Path) -> Result<(), StoreError> {
        sqlite::check_copy(path).await
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite(database) => database.close().await,
            Self::Postgres(database) => database.close().await,
        }
    }
}

/// The schema version that migrations bring a database to.
fn newest(migrations: &Migrator) -> i64 {
    migrations.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// What a database of schema version `found` is to a program with these migrations.
/// Tables that a migration reads whole: since which version there is one, which version reads it, and its rows. Every other
/// migration takes a moment, however large the book is.
const READ_WHOLE: [(i64, i64, &str); 4] = [
    (2, 4, "SELECT count(*) FROM invoice_line"),
    (1, 6, "SELECT count(*) FROM ledger_entry"),
    (6, 7, "SELECT count(*) FROM label"),
    (1, 12, "SELECT count(*) FROM anomaly"),
];

/// Counts the rows that are read to bring a schema up to date.
fn read_whole(found: i64) -> impl Iterator<Item = &'static str> {
    READ_WHOLE.iter().filter(move |(since, by, _)| *since <= found && found < *by).map(|(_, _, count)| *count)
}

fn found(migrations: &Migrator, location: String, found: i64, rows: i64) -> Result<Found, StoreError> {
    let known = newest(migrations);
    if found > known {
        return Err(StoreError::NewerSchema { path: location, found, known });
    }
    let later = migrations.iter().filter(|migration| migration.version > found);
    let lacks = later.map(|migration| migration.description.to_string()).collect();
    Ok(Found::Schema { location, found, known, lacks, rows: rows.unsigned_abs() })
}

/// Why migrating failed; what the database itself refused is told by `refused`.
fn not_migrated(
    error: MigrateError,
    migrations: &Migrator,
    location: &str,
    refused: impl FnOnce(sqlx::Error) -> StoreError,
) -> StoreError {
    let path = location.to_owned();
    match error {
        MigrateError::VersionMissing(found) => StoreError::NewerSchema { path, found, known: newest(migrations) },
        MigrateError::VersionMismatch(found) => StoreError::OtherSchema { path, found },
        MigrateError::Execute(error) => refused(error),
        other => refused(sqlx::Error::Migrate(Box::new(other))),
    }
}

fn dialect(url: &str) -> Result<Dialect, StoreError> {
    if url.starts_with("sqlite:") {
        Ok(Dialect::Sqlite)
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        Ok(Dialect::Postgres)
    } else {
        Err(StoreError::UnknownUrl(super::types::without_secret(url)))
    }
}

/// A transaction of either database. Dropped without commit, it is undone.
#[derive(Debug)]
pub enum Session {
    Sqlite(sqlite::SqliteSession),
    Postgres(postgres::PostgresSession),
}

impl Session {
    pub const fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Of the database, when it began.
    pub const fn generation(&self) -> u64 {
        match self {
            Self::Sqlite(_) => 0,
            Self::Postgres(session) => session.generation(),
        }
    }

    /// An empty payload for this database.
    pub fn payload(&self, columns: Columns) -> Payload {
        Payload::new(self.dialect(), columns)
    }

    /// Rows without amounts, for this database.
    pub fn rows<R: Record>(&self, rows: impl IntoIterator<Item = R>) -> Payload {
        self.rows_of(rows, None)
    }

    /// Rows whose amounts are in `currency`, for this database.
    pub fn rows_in<R: Record>(&self, currency: Currency, rows: impl IntoIterator<Item = R>) -> Payload {
        self.rows_of(rows, Some(currency))
    }

    fn rows_of<R: Record>(&self, rows: impl IntoIterator<Item = R>, currency: Option<Currency>) -> Payload {
        let mut payload = self.payload(R::COLUMNS);
        for row in rows {
            row.write(payload.row(), currency);
        }
        payload
    }

    /// All rows.
    pub async fn all(&mut self, sql: Sql, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.fetch(SqlStr::from_static(sql.text(self.dialect())), values, None).await
    }

    /// The first row, if there is one.
    pub async fn maybe(&mut self, sql: Sql, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.all(sql, values).await?.into_iter().next())
    }

    /// The first row.
    pub async fn one(&mut self, sql: Sql, values: Vec<Value>) -> Result<Row, StoreError> {
        let row = self.maybe(sql, values).await?;
        row.ok_or_else(|| StoreError::Database(sqlx::Error::RowNotFound))
    }

    /// All rows of a statement over a payload.
    pub async fn all_of(&mut self, sql: Sql, values: Vec<Value>, rows: Payload) -> Result<Vec<Row>, StoreError> {
        let text = with_rows(sql.text(self.dialect()), &rows, values.len());
        self.fetch(text, values, Some(rows)).await
    }

    /// Runs a statement; gives how many rows it changed.
    pub async fn run(&mut self, sql: Sql, values: Vec<Value>) -> Result<u64, StoreError> {
        self.execute(SqlStr::from_static(sql.text(self.dialect())), values, None).await
    }

    /// Adds one row, with a statement such as a table's `ADD_ONE`; gives how many were added.
    pub async fn add(&mut self, sql: Sql, row: &impl Record) -> Result<u64, StoreError> {
        self.run(sql, row.values(None)).await
    }

    /// As [`Session::add`], where amounts are in `currency`.
    pub async fn add_in(&mut self, currency: Currency, sql: Sql, row: &impl Record) -> Result<u64, StoreError> {
        self.run(sql, row.values(Some(currency))).await
    }

    /// Runs a statement over a payload; without rows there is nothing to run.
    pub async fn run_of(&mut self, sql: Sql, values: Vec<Value>, rows: Payload) -> Result<u64, StoreError> {
        if rows.is_empty() { Ok(0) } else { self.run_of_all(sql, values, rows).await }
    }

    /// Runs a statement over a payload, also over an empty one.
    pub async fn run_of_all(&mut self, sql: Sql, values: Vec<Value>, rows: Payload) -> Result<u64, StoreError> {
        let text = with_rows(sql.text(self.dialect()), &rows, values.len());
        self.execute(text, values, Some(rows)).await
    }

    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(session) => session.commit().await,
            Self::Postgres(session) => session.commit().await,
        }
    }

    /// As [`Session::all`], with a text made of constants.
    pub async fn all_text(&mut self, text: String, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.fetch(AssertSqlSafe(text).into_sql_str(), values, None).await
    }

    /// As [`Session::run_of`] without values, with a text made of constants.
    pub async fn run_text_of(&mut self, text: &str, rows: Payload) -> Result<u64, StoreError> {
        if rows.is_empty() { Ok(0) } else { self.execute(with_rows(text, &rows, 0), Vec::new(), Some(rows)).await }
    }

    /// It may take its time between two statements, and for each.
    pub async fn may_rest(&mut self) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            self.all_text("SET LOCAL idle_in_transaction_session_timeout = 0".to_owned(), Vec::new()).await?;
        }
        Ok(())
    }

    /// After rows came with their ids: new ids go on from there. SQLite does so by itself.
    pub async fn number_on(&mut self, table: &str) -> Result<(), StoreError> {
        if self.dialect() == Dialect::Postgres {
            let text = format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 1), max(id) IS NOT NULL) FROM {table}"
            );
            self.all_text(text, Vec::new()).await?;
        }
        Ok(())
    }

    async fn fetch(&mut self, text: SqlStr, values: Vec<Value>, rows: Option<Payload>) -> Result<Vec<Row>, StoreError> {
        match self {
            Self::Sqlite(session) => {
                let rows = session.fetch_all(sqlite_query(text, values, rows)).await?;
                Ok(rows.into_iter().map(Row::Sqlite).collect())
            }
            Self::Postgres(session) => {
                let query = postgres_query(text, values, rows);
                let rows = session.fetch_all(query).await?;
                Ok(rows.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    async fn execute(&mut self, text: SqlStr, values: Vec<Value>, rows: Option<Payload>) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(session) => session.execute(sqlite_query(text, values, rows)).await,
            Self::Postgres(session) => session.execute(postgres_query(text, values, rows)).await,
        }
    }
}

fn with_rows(text: &str, rows: &Payload, values: usize) -> SqlStr {
    // Put together from constants: names of columns and numbers.
    AssertSqlSafe(text.replace("{rows}", &rows.subquery(values + 1))).into_sql_str()
}

fn sqlite_query(text: SqlStr, values: Vec<Value>, rows: Option<Payload>) -> Query<'static, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(text);
    for value in values {
        query = match value {
            Value::Integer(value) => query.bind(value),
            Value::Flag(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Time(value) => query.bind(value.map(Timestamp::unix)),
            Value::Price(value) => query.bind(value.map(|price| price.to_string())),
            Value::Amount(value, _) => query.bind(value.map(|amount| amount.0)),
        };
    }
    match rows.map(Payload::bound) {
        Some(Bound::Json(text)) => query.bind(text),
        _ => query,
    }
}

fn postgres_query(text: SqlStr, values: Vec<Value>, rows: Option<Payload>) -> Query<'static, Postgres, PgArguments> {
    let mut query = sqlx::query(text);
    for value in values {
        query = match value {
            Value::Integer(value) => query.bind(value),
            Value::Flag(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
            Value::Time(value) => query.bind(value.map(to_chrono)),
            Value::Price(value) => query.bind(value.map(Price::decimal)),
            Value::Amount(value, currency) => query.bind(value.map(|amount| amount.in_major_units(currency))),
        };
    }
    if let Some(Bound::Arrays(arrays)) = rows.map(Payload::bound) {
        for array in arrays {
            query = match array {
                Array::Integers(array) => query.bind(array),
                Array::Flags(array) => query.bind(array),
                Array::Texts(array) => query.bind(array),
                Array::Bytes(array) => query.bind(array),
                Array::Times(array) => query.bind(array),
                Array::Decimals(array) => query.bind(array),
            };
        }
    }
    query
}

fn to_chrono(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.unix(), 0).expect("times are between the years 1 and 9999")
}
