//! Finds a pooler that hands a server's connections from one client to another between transactions.
//! What is needed of a connection (its settings, its advisory locks, its prepared statements) gets lost behind one.

use sqlx::{Connection, Executor, PgConnection};

use super::connect::connected;
use super::hosts::Hosts;
use super::postgres::PostgresOptions;
use crate::store::StoreError;

/// Sets what nobody else sets, and tries whether it stays while another connection works.
pub(super) async fn look(url: &str, options: &PostgresOptions) -> Result<(), StoreError> {
    const MARK: &str = "SET lock_timeout = '12321ms'";
    let hosts = Hosts::parse(url)?;
    let location = hosts.location.clone();
    let pooled = |what: &str| StoreError::Pooled { location: location.clone(), what: what.to_owned() };
    let failed = |error: sqlx::Error| {
        let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
        match code.as_deref() {
            // Unknown, or known already: it was made on another connection of the server.
            Some("26000" | "42P05") => pooled("prepared statements get lost"),
            _ if error.to_string().contains("statement pooling") => pooled("transactions aren't allowed"),
            _ => StoreError::from(error),
        }
    };
    let chosen = hosts.connect(options.acquire_timeout, None).await?;
    let (connect, mut first) = (&hosts.host(chosen.index).options, chosen.connection);
    let mut second = connected(connect, &location, options.acquire_timeout).await?;
    let tried = async {
        first.execute(sqlx::raw_sql(MARK)).await?;
        let before = process(&mut first).await?;
        // A pooler lends what rests to whoever comes next.
        second.execute(sqlx::raw_sql("BEGIN")).await?;
        let other = process(&mut second).await?;
        let after = process(&mut first).await?;
        let setting: String = sqlx::query_scalar("SHOW lock_timeout").fetch_one(&mut first).await?;
        second.execute(sqlx::raw_sql("ROLLBACK")).await?;
        Ok((before, other, after, setting))
    };
    let (before, other, after, setting) = tried.await.map_err(failed)?;
    let _ = tokio::join!(first.close(), second.close());
    if other == before {
        return Err(pooled("two connections met one process of the server"));
    }
    if after != before {
        return Err(pooled("two statements of one connection met two processes of the server"));
    }
    if setting != "12321ms" {
        return Err(pooled("settings of a session don't stay"));
    }
    Ok(())
}

/// Which process of the server answers.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(connection).await
}
