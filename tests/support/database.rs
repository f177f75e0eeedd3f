//! The database a test works on: SQLite, or one of its own on the server that `tests/run` starts.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cf_billing::store::Store;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

thread_local! {
    static KIND: Cell<Kind> = const { Cell::new(Kind::Sqlite) };
}

/// Which database this test works on.
pub fn kind() -> Kind {
    KIND.get()
}

/// Which database a URL names.
pub fn kind_of(url: &str) -> Kind {
    if url.starts_with("sqlite:") { Kind::Sqlite } else { Kind::Postgres }
}

/// Runs a test on PostgreSQL.
pub fn on_postgres(test: fn()) {
    KIND.set(Kind::Postgres);
    test();
}

/// What is made by `make`, on that kind of database.
pub fn with<T>(kind: Kind, make: impl FnOnce() -> T) -> T {
    let before = KIND.replace(kind);
    let made = make();
    KIND.set(before);
    made
}

/// The given tests of this module, once more on PostgreSQL.
#[macro_export]
macro_rules! on_postgres {
    ($($test:ident),* $(,)?) => {
        mod on_postgres {
            $(#[test] fn $test() { $crate::support::database::on_postgres(super::$test); })*
        }
    };
}

/// A database of its own; dropped with it.
pub struct OwnDatabase {
    name: String,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl OwnDatabase {
    /// With the schema in it: copied from a template made once.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<String> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let template = Self::empty();
            let url = template.url();
            run(|| async move { Store::open(&url).await.unwrap().close().await });
            let name = template.name.clone();
            // Lives as long as the server.
            std::mem::forget(template);
            name
        });
        Self::create(&format!(" TEMPLATE {template}"))
    }

    /// Without a schema.
    pub fn empty() -> Self {
        Self::create("")
    }

    fn create(rest: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cf_billing_{}_{number}", std::process::id());
        on_server(&format!("CREATE DATABASE {name}{rest}"));
        Self { name }
    }

    pub fn url(&self) -> String {
        let server = server();
        let (base, options) = server.split_once('?').unwrap_or((&server, ""));
        format!("{}/{}?{options}", base.trim_end_matches('/'), self.name)
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        on_server(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// The server's URL, without a database.
pub fn server() -> String {
    std::env::var("CF_BILLING_TEST_POSTGRES").expect(
        "CF_BILLING_TEST_POSTGRES is not set: run tests/run, which starts a server, or give postgres://user@host?options",
    )
}

/// Runs a statement on the server, in no database of a test.
fn on_server(statement: &str) {
    let server = server();
    let (base, options) = server.split_once('?').unwrap_or((&server, ""));
    execute(&format!("{}/postgres?{options}", base.trim_end_matches('/')), statement).unwrap();
}

/// Runs a statement on the database at `url`, beside the program.
pub fn execute(url: &str, statement: &str) -> Result<(), sqlx::Error> {
    run(|| async {
        let statement = AssertSqlSafe(statement);
        if url.starts_with("sqlite:") {
            let mut connection = SqliteConnection::connect(url).await?;
            connection.execute(statement).await?;
            connection.close().await
        } else {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute(statement).await?;
            connection.close().await
        }
    })
}

/// What a query gives, as one text.
pub async fn text_of(url: &str, query: &'static str) -> String {
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
    }
}

/// Runs it on a thread of its own: a test may have a runtime already.
pub fn run<T: Send, F: Future<Output = T>>(make: impl FnOnce() -> F + Send) -> T {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(make())
        });
        running.join().unwrap()
    })
}
