//! PostgreSQL: a pool of connections, each bounded in how long it waits for anything.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgArguments, PgPool, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Postgres, Transaction};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::connect::open_error;
use super::file::Making;
use super::hosts::{Chosen, Hosts};
use super::server::{Known, Met, Server, State};
use super::trust::Trust;
use crate::clock::{Clock, Stopwatch};
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
/// After so long without a connection, the primary is looked for among the hosts: sooner than whoever renews leases gives up.
const LOOK_AFTER: Duration = Duration::from_millis(200);
/// How long a look may take that finds none.
const LOOK: Duration = Duration::from_secs(3);
/// From a look in vain to the next one.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    primary: Primary,
    /// Writes only while the book stays where it was: see [`PostgresDatabase::as_it_is`].
    only: Option<u64>,
}

/// Which of the hosts is worked with.
#[derive(Clone, Debug)]
struct Primary {
    hosts: Arc<Hosts>,
    index: Arc<AtomicUsize>,
    known: Known,
    /// Held by whoever looks for it: since it was last looked for in vain.
    looked: Arc<tokio::sync::Mutex<Option<Stopwatch>>>,
    looking: Arc<Mutex<JoinSet<()>>>,
    /// Why the last look found none, until a connection is made.
    away: Arc<Mutex<Option<String>>>,
    /// When it was opened: another host that accepts writes, too.
    rival: Option<Arc<str>>,
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
        let hosts = Hosts::parse(url)?;
        let chosen = hosts.connect(options.acquire_timeout, None).await?;
        let (index, known, rival) = (chosen.index, Known::default(), chosen.rival.as_deref().map(Arc::from));
        chosen.server.as_ref().map(|server| known.meet(server));
        prepare(chosen, &hosts.location, making).await?;
        let trust = Trust::default();
        let hosts = Arc::new(hosts);
        let pool = pool(&hosts, options, &known, &trust).connect_lazy_with(hosts.host(index).options.clone());
        let patience = Patience { location: hosts.location.clone(), limit: options.statement_timeout + NETWORK, trust };
        let (index, looked, looking) = (Arc::new(index.into()), Arc::default(), Arc::default());
        let primary = Primary { hosts, index, known, looked, looking, away: Arc::default(), rival };
        Ok(Self { pool, patience, primary, only: None })
    }

    pub fn location(&self) -> &str {
        &self.patience.location
    }

    /// The host that is worked with.
    pub fn host(&self) -> &str {
        &self.primary.hosts.host(self.primary.index.load(Ordering::SeqCst)).name
    }

    /// Another host that accepts writes, too: it was the primary before a failover.
    pub fn rival(&self) -> Option<&str> {
        self.primary.rival.as_deref()
    }

    /// Which server the book is on; `None`: it doesn't tell.
    pub fn server(&self) -> Option<Server> {
        self.primary.known.server()
    }

    /// How often the book was found on another server.
    pub fn generation(&self) -> u64 {
        self.primary.known.generation()
    }

    /// The same database, which is written to only until the book is found on another server: what is in memory by then
    /// may be more than that server has.
    #[must_use]
    pub fn as_it_is(&self) -> Self {
        Self { only: Some(self.generation()), ..self.clone() }
    }

    /// Why no server could be reached when one was last looked for, if it is so still.
    pub fn why_away(&self) -> Option<String> {
        self.away().clone()
    }

    fn away(&self) -> MutexGuard<'_, Option<String>> {
        self.primary.away.lock().unwrap_or_else(PoisonError::into_inner)
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
        let session = self.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        match self.only {
            Some(generation) if generation != session.generation => {
                Err(StoreError::Elsewhere(self.location().to_owned()))
            }
            _ => Ok(session),
        }
    }

    async fn begin(&self, statement: &'static str) -> Result<PostgresSession, StoreError> {
        loop {
            let generation = self.generation();
            let transaction = self.patience.wait(self.begin_on_primary(statement)).await?;
            self.away().take();
            // Else nothing tells on which of the two servers it is.
            if generation == self.generation() {
                return Ok(PostgresSession { transaction, patience: self.patience.clone(), generation });
            }
        }
    }

    /// Looks for the primary where the host that was it fails, or keeps waiting; of one host, for why that is.
    async fn begin_on_primary(&self, statement: &'static str) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        let first = tokio::select! {
            biased;
            began = self.pool.begin_with(statement) => Some(began),
            () = self.primary_moves() => None,
        };
        match first {
            Some(Ok(transaction)) => Ok(transaction),
            Some(Err(error)) if !self.primary_moved().await => Err(error),
            _ => self.pool.begin_with(statement).await,
        }
    }

    /// Looks for the primary, again and again, until it is another than before.
    async fn primary_moves(&self) {
        loop {
            Clock::System.sleep(LOOK_AFTER).await;
            if self.primary_moved().await {
                return;
            }
        }
    }

    /// Looks for the primary; gives whether it is another than before. The look goes on if whoever waits for it gives up.
    async fn primary_moved(&self) -> bool {
        let (database, (tell, told)) = (self.clone(), oneshot::channel());
        {
            let mut looking = self.primary.looking.lock().unwrap_or_else(PoisonError::into_inner);
            while looking.try_join_next().is_some() {}
            looking.spawn(async move {
                let _ = tell.send(database.look_for_primary().await);
            });
        }
        told.await.unwrap_or_default()
    }

    /// Asks all hosts which one accepts writes; gives whether that is another than before.
    async fn look_for_primary(&self) -> bool {
        let Primary { hosts, index, looked, .. } = &self.primary;
        let before = index.load(Ordering::SeqCst);
        let mut looked = looked.lock().await;
        if index.load(Ordering::SeqCst) != before {
            // Somebody else found it meanwhile.
            return true;
        }
        if looked.is_some_and(|since| since.elapsed() < LOOK_AGAIN) {
            return false;
        }
        let found = hosts.connect(LOOK, self.server().as_ref()).await;
        *looked = Some(Stopwatch::start());
        let Chosen { index: now, connection, .. } = match found {
            Ok(chosen) => {
                self.away().take();
                chosen
            }
            Err(error) => {
                *self.away() = Some(error.to_string());
                return false;
            }
        };
        let _ = connection.close().await;
        if now == before {
            return false;
        }
        tracing::warn!("the database is at {} now, after {}", hosts.host(now).name, hosts.host(before).name);
        index.store(now, Ordering::SeqCst);
        self.pool.set_connect_options(hosts.host(now).options.clone());
        self.patience.trust.lose();
        true
    }
}

/// The pool's options: what a connection is told when it is made, and which of them may be used again.
fn pool(hosts: &Arc<Hosts>, options: &PostgresOptions, known: &Known, trust: &Trust) -> PgPoolOptions {
    let milliseconds = options.statement_timeout.as_millis();
    // Not as parameters of the connection: poolers refuse those. Compiling a page's statements takes longer than
    // running them.
    let settings = format!(
        "SET statement_timeout = {milliseconds}; SET lock_timeout = {milliseconds};
         SET idle_in_transaction_session_timeout = {IDLE_MILLISECONDS}; SET jit = off"
    );
    let (before, after) = (trust.clone(), trust.clone());
    let (hosts, known, trust, limit) = (hosts.clone(), known.clone(), trust.clone(), options.acquire_timeout / 2);
    PgPoolOptions::new()
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
            let (hosts, known, trust) = (hosts.clone(), known.clone(), trust.clone());
            Box::pin(async move {
                let met = async {
                    connection.execute(sqlx::raw_sql(settings)).await?;
                    let state = State::ask(connection).await?;
                    not_succeeded(&state, &hosts, &known, limit).await?;
                    recognize(&state, hosts.must_write(), &known, &trust)
                };
                met.await.inspect_err(|error| tracing::debug!("a new connection isn't used: {error}"))
            })
        })
}

/// A process that slept through a failover knows nothing of it, and the former primary may be back: the other hosts are
/// asked, unless the connection leads to a newer server than any before.
async fn not_succeeded(state: &State, hosts: &Hosts, known: &Known, limit: Duration) -> Result<(), sqlx::Error> {
    let Some(server) = state.server.as_ref().filter(|_| hosts.must_write() && !state.reads_only) else { return Ok(()) };
    if known.server().is_some_and(|before| before.is_before(server)) {
        return Ok(());
    }
    match hosts.successor(server, limit).await {
        Some(_) => Err(sqlx::Error::Protocol("another host took over from it".to_owned())),
        None => Ok(()),
    }
}

/// Whether a new connection leads to where the book is. If that is another server than before, what is known of the earlier
/// one is no longer so.
fn recognize(state: &State, must_write: bool, known: &Known, trust: &Trust) -> Result<(), sqlx::Error> {
    if must_write && state.reads_only {
        return Err(sqlx::Error::Protocol("it is a standby, or read-only".to_owned()));
    }
    let Some(server) = &state.server else { return Ok(()) };
    match known.meet(server) {
        Met::Same => Ok(()),
        Met::Other(before) => {
            tracing::warn!(
                timeline = server.timeline,
                before = before.timeline,
                "the database is on another server now: a failover, or a restored backup. What it has is read anew"
            );
            trust.lose();
            Ok(())
        }
        Met::Former(newest) => {
            tracing::error!(
                timeline = server.timeline, newest = newest.timeline,
                "a server that was the primary before a failover accepts writes again; it isn't written to
                 hint: stop it, and make it a standby of the new primary; after a restored backup, start the daemon again"
            );
            Err(sqlx::Error::Protocol("it was the primary before a failover".to_owned()))
        }
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
    generation: u64,
}

impl PostgresSession {
    /// See [`PostgresDatabase::generation`].
    pub const fn generation(&self) -> u64 {
        self.generation
    }

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

/// Brings the schema up to date; one process at a time does, whoever else starts.
async fn prepare(chosen: Chosen, location: &str, making: Making) -> Result<(), StoreError> {
    let mut connection = chosen.connection;
    check_server(&mut connection, location)?;
    let found = schema(&mut connection).await?;
    if making == Making::Never && found == 0 {
        return Err(StoreError::NoBook(location.to_owned()));
    }
    // A process that was paused while it migrates must not hang every other for ever.
    let waiting = AssertSqlSafe(format!("SET lock_timeout = {MIGRATING_MILLISECONDS}"));
    connection.execute(sqlx::raw_sql(waiting)).await.map_err(|error| open_error(location, &error))?;
    // An older schema is left as it is until it is this process's turn; migrating may take long. Whoever writes meanwhile is
    // waited for, and waits.
    if found < super::newest(&MIGRATIONS) {
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
    let hosts = Hosts::parse(url)?;
    let Chosen { mut connection, .. } = hosts.connect(options.acquire_timeout, None).await?;
    check_server(&mut connection, &hosts.location)?;
    let found = schema(&mut connection).await?;
    let mut rows = 0;
    for count in super::read_whole(found) {
        rows += sqlx::query_scalar::<_, i64>(count).fetch_one(&mut connection).await?;
    }
    let _ = connection.close().await;
    super::found(&MIGRATIONS, hosts.location, found, rows)
}

/// The schema version; 0 if there is none.
async fn schema(connection: &mut PgConnection) -> Result<i64, StoreError> {
    const TABLE: &str = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
    const VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations";
    let has_schema: bool = sqlx::query_scalar(TABLE).fetch_one(&mut *connection).await?;
    Ok(if has_schema { sqlx::query_scalar(VERSION).fetch_one(connection).await? } else { 0 })
}
