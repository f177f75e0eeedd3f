//! One connection to a PostgreSQL server, made in time, or why it can't be.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, PgConnection};

use crate::store::StoreError;

const CERTIFICATE: &str =
    "the server's certificate must be known here, and be of the host's name; or set sslmode in the URL";

pub(super) async fn connected(
    connect: &PgConnectOptions,
    location: &str,
    limit: Duration,
) -> Result<PgConnection, StoreError> {
    match tokio::time::timeout(limit, connect.connect()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(open_error(location, &error)),
        Err(_) => Err(StoreError::Away {
            path: location.to_owned(),
            reason: format!("no answer within {} s", limit.as_secs()),
            hint: "is it running, and reachable from here?",
        }),
    }
}

/// Why no connection could be made. Away: it may come back; anything else is for people to mend.
pub(super) fn open_error(location: &str, error: &sqlx::Error) -> StoreError {
    let path = location.to_owned();
    let sqlx::Error::Database(database) = error else {
        let hint = match error {
            sqlx::Error::Tls(_) => CERTIFICATE,
            // What its certificate isn't good for is found while it is spoken to.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => CERTIFICATE,
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
