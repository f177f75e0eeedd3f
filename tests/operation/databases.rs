//! PostgreSQL with a full disk, read-only, silent, or behind a pooler.

use tokio::runtime::Runtime;

use super::plant::{Plant, execute};
use crate::support::background::{get, text};
use crate::support::cluster::server_owner;
use crate::support::database::{self, Kind};
use crate::support::disk::{Disk, tool};
use crate::support::pooler::Pooler;
use crate::support::program::Program;
use crate::support::proxy::{Network, Proxy};

fn on_postgres() -> Program {
    database::with(Kind::Postgres, Program::new)
}

/// The plant's database, as its name.
fn name(url: &str) -> &str {
    url.split('?').next().unwrap().rsplit('/').next().unwrap()
}

/// The database `postgres` of the same server.
fn beside(url: &str) -> String {
    url.replace(&format!("/{}", name(url)), "/postgres")
}

#[test]
fn a_full_disk_of_the_server_is_told_and_outlived() {
    let disk = Disk::new(64);
    tool("chown", &[&server_owner().to_string(), disk.path().to_str().unwrap()]);
    let program = on_postgres();
    let database = program.database();
    let space = format!("{}_space", name(&database));
    let other = beside(&database);
    execute(&other, &format!("CREATE TABLESPACE {space} LOCATION '{}'", disk.path().display()));
    execute(&other, &format!("ALTER DATABASE {} SET TABLESPACE {space}", name(&database)));
    let mut plant = Plant::new(program, database, 21);
    plant.start(&[]);
    plant.onboarded();
    disk.fill();
    plant.until_not_ready("disk is full or failing");
    disk.free();
    plant.until_ready();
    plant.check_truth();
    assert_eq!(plant.end("TERM").0, Some(0));
    execute(&other, &format!("ALTER DATABASE {} SET TABLESPACE pg_default", name(&plant.database)));
    execute(&other, &format!("DROP TABLESPACE {space}"));
}

/// Connections that were made meanwhile are read-only for as long as they live: none is used again.
#[test]
fn a_read_only_server_is_told_and_outlived() {
    let program = on_postgres();
    let database = program.database();
    let mut plant = Plant::new(program, database, 22);
    plant.start(&[]);
    plant.onboarded();
    let (own, other) = (name(&plant.database), beside(&plant.database));
    execute(&other, &format!("ALTER DATABASE {own} SET default_transaction_read_only = on"));
    let all = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{own}'");
    execute(&other, &all);
    plant.until_not_ready("read-only");
    assert!(plant.serves(), "it can be read all the same");
    execute(&other, &format!("ALTER DATABASE {own} RESET default_transaction_read_only"));
    plant.until_ready();
    plant.check_truth();
}

#[test]
fn a_silent_database_is_told_in_time() {
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy::new(&runtime);
    let program = on_postgres();
    let database = proxy.through(&program.database());
    let mut plant = Plant::new(program, database, 23);
    plant.set("CF_BILLING__DATABASE__STATEMENT_TIMEOUT", "2s");
    plant.start(&[]);
    plant.onboarded();
    proxy.set(Network::Silent);
    plant.until_not_ready("not answered");
    assert!(!plant.serves());
    assert_eq!(text(&format!("{}/healthz", plant.url)), "alive\n");
    assert_eq!(get(&format!("{}/metrics", plant.url)).status(), 200);
    proxy.set(Network::Whole);
    plant.until_ready();
    assert!(plant.serves());
}

/// A byte at a time, so that no answer ever ends: neither is waited for without end.
#[test]
fn a_slow_database_is_told_in_time() {
    let runtime = Runtime::new().unwrap();
    let proxy = Proxy::new(&runtime);
    let program = on_postgres();
    let database = proxy.through(&program.database());
    let mut plant = Plant::new(program, database, 25);
    plant.set("CF_BILLING__DATABASE__STATEMENT_TIMEOUT", "2s");
    plant.start(&[]);
    plant.onboarded();
    proxy.set(Network::Slow);
    plant.until_not_ready("not answered");
    assert!(!plant.serves());
    proxy.set(Network::Whole);
    plant.until_ready();
    plant.check_truth();
}

/// Told in one line, before anything is collected; with sessions of its own the daemon works as without.
#[test]
fn a_pooler_that_mixes_sessions_is_named_and_one_that_does_not_is_fine() {
    let program = on_postgres();
    let database = program.database();
    let mixing = Pooler::before_server("transaction");
    let mut plant = Plant::new(program, String::new(), 24);
    plant.database = mixing.through(&database);
    let output = plant.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("through a pooler") && said.contains("hint: use session pooling"), "{said}");

    // Nor is anything collected through it.
    let output = plant.command(&["run"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("through a pooler"), "{said}");

    let keeping = Pooler::before_server("session");
    plant.database = keeping.through(&database);
    let output = plant.command(&["check"]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains("pooler") && said.contains("schema"), "{said}");
    plant.start(&[]);
    plant.onboarded();
    plant.check_truth();
    assert_eq!(plant.end("TERM").0, Some(0));
}
