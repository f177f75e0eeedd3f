//! PostgreSQL: a pool of connections, each bounded in how long it waits for anything.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions, PgRow, PgSslMode};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Transaction};

use super::file::Making;
use super::trust::Trust;
use crate::store::{Found, StoreError};

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// A transaction of a process that was paused, or cut off, ends on the server after this long: nothing of it is
/// written, and its locks are free.
const IDLE_MILLISECONDS: &str = "5000";

/// How long a process waits for another one's migration.
const MIGRATING_MILLISECONDS: u64 = 60_000;

/// The oldest major version whose features are used and that tests run on.
const OLDEST_MAJOR: u32 = 15;
/// A connection that rested so long is asked whether it still is good before it is used.
const RESTED: Duration = Duration::from_secs(1);
/// What the network may add to a statement's own limit.
const NETWORK: Duration = Duration::from_secs(5);
/// How long a connection may take to say that it still is good.
const PING: Duration = Duration::from_secs(2);

/// How many connections, and how long each thing may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresOptions {
    /// Connections at most.
    pub connections: u32,
    /// To get a connection, a new one if need be.
    pub acquire_timeout: Duration,
    /// For one statement, and for waiting for a lock in it.
    pub statement_timeout: Duration,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { connections: 10, acquire_timeout: Duration::from_secs(10), statement_timeout: Duration::from_secs(30) }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct PostgresDatabase {
    pool: PgPool,
    patience: Patience,
}

/// How long an answer is waited for, and of whom.
#[derive(Clone, Debug)]
struct Patience {
    location: String,
    /// After this time without an answer a connection counts as lost.
    limit: Duration,
    trust: Trust,
}

impl Patience {
    fn wait<'a, T>(
        &'a self,
        answer: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + 'a {
        // Held by pointer: it is large, and so would be whoever waits.
        let answer = tokio::time::timeout(self.limit, Box::pin(answer));
        async move {
            match answer.await {
                Ok(answer) => Ok(answer.inspect_err(|error| self.trust.note(error))?),
                Err(_) => Err(StoreError::Silent { location: self.location.clone(), seconds: self.limit.as_secs() }),
            }
        }
    }
}

impl PostgresDatabase {
    pub async fn open(url: &str, options: &PostgresOptions, making: Making) -> Result<Self, StoreError> {
        let (connect, location) = connect_options(url)?;
        prepare(&connect, &location, options, making).await?;
        let milliseconds = options.statement_timeout.as_millis();
        // Not as parameters of the connection: poolers refuse those. Compiling a page's statements takes longer than
        // running them.
        let settings = format!(
            "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds};
             SET idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}; SET jit = off"
        );
        let trust = Trust::default();
        let (before, after) = (trust.clone(), trust.clone());
        let pool = PgPoolOptions::new()
            .max_connections(options.connections)
            .acquire_timeout(options.acquire_timeout)
            .max_lifetime(Duration::from_mins(30))
            .idle_timeout(Duration::from_mins(5))
            // Both pings are bounded: a connection that was cut without a word would never answer.
            .test_before_acquire(false)
            .before_acquire(move |connection, meta| {
                let trusted = before.has(meta.age);
                Box::pin(async move { Ok(trusted && (meta.idle_for < RESTED || is_good(connection).await)) })
            })
            .after_release(move |connection, meta| {
                let trusted = after.has(meta.age);
                Box::pin(
                    async move { if is_good(connection).await { Ok(trusted) } else { Err(sqlx::Error::PoolTimedOut) } },
                )
            })
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { connection.execute(sqlx::raw_sql(settings)).await.map(|_| ()) })
            })
            .connect_lazy_with(connect);
        Ok(Self { pool, patience: Patience { location, limit: options.statement_timeout + NETWORK, trust } })
    }

    pub fn location(&self) -> &str {
        &self.patience.location
    }

    pub const fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub async fn read(&self) -> Result<PostgresSession, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    pub async fn write(&self) -> Result<PostgresSession, StoreError> {
        self.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await
    }

    async fn begin(&self, statement: &'static str) -> Result<PostgresSession, StoreError> {
        let transaction = self.patience.wait(self.pool.begin_with(statement)).await?;
        Ok(PostgresSession { transaction, patience: self.patience.clone() })
    }
}

async fn is_good(connection: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(PING, connection.ping()).await, Ok(Ok(())))
}

/// A transaction whose statements end in time, whatever becomes of the network.
#[derive(Debug)]
pub struct PostgresSession {
    transaction: Transaction<'static, Postgres>,
    patience: Patience,
}

impl PostgresSession {
    pub(super) async fn fetch_all(
        &mut self,
        query: Query<'static, Postgres, PgArguments>,
    ) -> Result<Vec<PgRow>, StoreError> {
        self.patience.wait(query.fetch_all(&mut *self.transaction)).await
    }

    pub(super) async fn execute(&mut self, query: Query<'static, Postgres, PgArguments>) -> Result<u64, StoreError> {
        Ok(self.patience.wait(query.execute(&mut *self.transaction)).await?.rows_affected())
    }

    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.patience.wait(self.transaction.commit()).await
    }
}

pub(super) fn connect_options(url: &str) -> Result<(PgConnectOptions, String), StoreError> {
    let shown = crate::store::types::without_secret(url);
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Open {
        path: shown.clone(),
        reason: error.to_string(),
        hint: "give postgres://user:password@host:5432/database",
    })?;
    // Poolers refuse the digits of floats, which nothing here is.
    let options = options.application_name("cf-billing").extra_float_digits(None).disable_statement_logging();
    Ok((options, shown))
}

/// Whether somebody on the way could read what is sent, or stand in for the server: it is on another machine, and its
/// certificate isn't verified.
pub(super) fn is_unverified(url: &str) -> bool {
    PgConnectOptions::from_str(url).is_ok_and(|options| {
        let is_here = options.get_socket().is_some() || matches!(options.get_host(), "localhost" | "127.0.0.1" | "::1");
        !is_here && !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull)
    })
}

/// Brings the schema up to date; one process at a time does, whoever else starts.
async fn prepare(
    connect: &PgConnectOptions,
    location: &str,
    options: &PostgresOptions,
    making: Making,
) -> Result<(), StoreError> {
    let mut connection = connected(connect, location, options).await?;
    check_server(&mut connection, location)?;
    if making == Making::Never && schema(&mut connection).await? == 0 {
        return Err(StoreError::NoBook(location.to_owned()));
    }
    // A process that was paused while it migrates must not hang every other for ever.
    let waiting = AssertSqlSafe(format!("SET lock_timeout = {MIGRATING_MILLISECONDS}"));
    connection.execute(sqlx::raw_sql(waiting)).await.map_err(|error| open_error(location, &error))?;
    // An older schema is left as it is until it is this process's turn; migrating may take long. Whoever writes meanwhile is
    // waited for, and waits.
    if schema(&mut connection).await? < super::newest(&MIGRATIONS) {
        let lock = sqlx::query("SELECT pg_advisory_lock($1)").bind(super::fence::LOCK);
        lock.execute(&mut connection).await.map_err(|error| open_error(location, &error))?;
    }
    let migrated = MIGRATIONS.run(&mut connection).await;
    let _ = connection.close().await;
    migrated.map_err(|error| {
        super::not_migrated(error, &MIGRATIONS, location, |error| match error {
            sqlx::Error::Migrate(_) => StoreError::Database(error),
            error => open_error(location, &error),
        })
    })
}

pub(super) async fn connected(
    connect: &PgConnectOptions,
    location: &str,
    options: &PostgresOptions,
) -> Result<PgConnection, StoreError> {
    match tokio::time::timeout(options.acquire_timeout, connect.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(open_error(location, &error)),
        Err(_) => Err(StoreError::Away {
            path: location.to_owned(),
            reason: format!("no answer within {} s", options.acquire_timeout.as_secs()),
            hint: "is it running, and reachable from here?",
        }),
    }
}

fn check_server(connection: &mut PgConnection, location: &str) -> Result<(), StoreError> {
    let major = connection.server_version_num().unwrap_or_default() / 10_000;
    if major < OLDEST_MAJOR {
        return Err(StoreError::Open {
            path: location.to_owned(),
            reason: format!("it is PostgreSQL {major}"),
            hint: "PostgreSQL 15 or later is needed",
        });
    }
    Ok(())
}

pub async fn inspect(url: &str, options: &PostgresOptions) -> Result<Found, StoreError> {
    let (connect, location) = connect_options(url)?;
    let mut connection = connected(&connect, &location, options).await?;
    check_server(&mut connection, &location)?;
    let found = schema(&mut connection).await?;
    let _ = connection.close().await;
    super::found(&MIGRATIONS, location, found)
}

/// The schema version; 0 if there is none.
async fn schema(connection: &mut PgConnection) -> Result<i64, StoreError> {
    const TABLE: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let has_schema: bool = sqlx::query_scalar(TABLE).fetch_one(&mut *connection).await?;
    Ok(if has_schema { sqlx::query_scalar(VERSION).fetch_one(connection).await? } else { 0 })
}

/// Why no connection could be made. Away: it may come back; anything else is for people to mend.
fn open_error(location: &str, error: &sqlx::Error) -> StoreError {
    let path = location.to_owned();
    let sqlx::Error::Database(database) = error else {
        let hint = match error {
            sqlx::Error::Tls(_) => "the server's certificate must be known here; or set sslmode in the URL",
            _ => "is it running, and reachable from here?",
        };
        return StoreError::Away { path, reason: error.to_string(), hint };
    };
    let hint = match database.code().as_deref() {
        Some("28P01" | "28000") => "user or password are wrong, or pg_hba.conf doesn't let this host in",
        Some("3D000") => "make it first: CREATE DATABASE …",
        Some("55P03") => "another process brings its schema up to date, or was paused while it did",
        _ if database.message().contains("startup parameter") => {
            "a pooler stands before it: name the parameter in its ignore_startup_parameters, or connect to PostgreSQL directly"
        }
        Some("42501") => "the user must own the database, or be allowed to make tables in its schema",
        Some(code) if code.starts_with("57P") || code.starts_with("53") => "it is starting, stopping or full",
        _ => "the server's log may say more",
    };
    StoreError::Away { path, reason: database.message().to_owned(), hint }
}

#[cfg(test)]
mod tests {
    use super::is_unverified;

    #[test]
    fn a_server_elsewhere_must_show_its_certificate() {
        for (url, unverified) in [
            ("postgres://me@db.example.org/book?sslmode=verify-full", false),
            ("postgres://me@db.example.org/book?sslmode=verify-ca", true),
            ("postgres://me@db.example.org/book?sslmode=require", true),
            ("postgres://me@db.example.org/book?sslmode=disable", true),
            ("postgres://me@192.0.2.1/book?sslmode=disable", true),
            ("postgres://me@localhost/book?sslmode=disable", false),
            ("postgres://me@127.0.0.1/book?sslmode=disable", false),
            ("postgres://me@localhost/book?sslmode=disable&host=/run/postgresql", false),
        ] {
            assert_eq!(is_unverified(url), unverified, "{url}");
        }
    }
}
