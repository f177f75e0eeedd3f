//! Replicas of two versions on one database: who doesn't know its schema writes nothing, says so, and is replaced while the
//! others go on.

use std::time::{Duration, Instant};

use sqlx::{Connection, Executor, PgConnection};

use super::plant::{Plant, execute};
use crate::support::background::{Background, eventually, get};
use crate::support::database::{self, Kind, kind, run};
use crate::support::program::Program;

/// A later version brings the schema up to date.
const UPGRADE: [&str; 2] = [
    "ALTER TABLE foundation ADD COLUMN later TEXT",
    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '', 0)",
];
/// And it is taken back.
const ROLLBACK: [&str; 2] =
    ["DELETE FROM _sqlx_migrations WHERE version = 9999", "ALTER TABLE foundation DROP COLUMN later"];

/// How far the book is.
fn progress(plant: &Plant) -> String {
    let query = "SELECT last_sequence || '/' || known_until FROM foundation";
    run(|| async { database::text_of(&plant.database, query).await })
}

fn status(url: &str, path: &str) -> (u16, String) {
    let answer = get(&format!("{url}{path}"));
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

/// Takes some 15 s: leases run out, and it is watched for three seconds that nothing is written.
#[test]
fn a_version_that_does_not_know_the_schema_writes_nothing_and_goes_on_once_it_does() {
    let program = Program::new();
    let database = program.database();
    let mut plant = Plant::new(program, database, 60);
    plant.set("CF_BILLING__DATABASE__LEASE", "1s");
    plant.start(&[]);
    plant.onboarded();
    let others: Vec<Background> = if kind() == Kind::Postgres {
        let start = |name| Background::spawn(&plant.program, name, &mut plant.command(&["run"]));
        vec![start("second.log"), start("third.log")]
    } else {
        Vec::new()
    };
    for other in &others {
        other.says("sharing the work with other replicas");
    }
    for statement in UPGRADE {
        execute(&plant.database, statement);
    }
    let urls: Vec<String> = others.iter().map(Background::url).chain([plant.url.clone()]).collect();
    for url in &urls {
        let words = "to schema 9999 by a newer cf-billing";
        let is_told = || {
            let (code, body) = status(url, "/readyz");
            (code == 503 && body.contains(words)).then_some(())
        };
        eventually(|| format!("{:?}\n{}", status(url, "/readyz"), plant.log()), is_told);
        assert_eq!((status(url, "/healthz").0, status(url, "/servez").0), (200, 200));
    }
    // By now each knows; the foundation works on.
    let before = progress(&plant);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(progress(&plant), before, "{}", plant.log());
    let draft = plant.command(&["invoices", "draft", "--period", "2026-01"]).output().unwrap();
    let said = String::from_utf8_lossy(&draft.stderr).into_owned();
    assert!(!draft.status.success() && said.contains("9999") && said.contains("hint: "), "{said}");

    for statement in ROLLBACK {
        execute(&plant.database, statement);
    }
    plant.until_ready();
    plant.check_truth();
    let verified = plant.command(&["ledger", "verify"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

/// While a later version changes the schema, nobody writes; who waited goes on.
#[test]
fn writes_wait_while_the_schema_is_changed() {
    let mut plant = Plant::new(database::with(Kind::Postgres, Program::new), String::new(), 61);
    plant.database = plant.program.database();
    plant.start(&[]);
    plant.onboarded();
    run(|| async {
        let mut connection = PgConnection::connect(&plant.database).await.unwrap();
        connection.execute("BEGIN; SELECT pg_advisory_xact_lock(109291388890220)").await.unwrap();
        let before = progress(&plant);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(progress(&plant), before, "{}", plant.log());
        connection.execute("COMMIT").await.unwrap();
    });
    plant.until_ready();
    plant.check_truth();
}

crate::on_postgres! {
    a_version_that_does_not_know_the_schema_writes_nothing_and_goes_on_once_it_does,
}

/// `tests/long upgrade` gives the program of a later version, whose schema has a step more.
#[test]
fn replicas_are_replaced_one_after_another() {
    let Some(later) = std::env::var_os("CF_BILLING_LATER") else { return };
    let program = database::with(Kind::Postgres, Program::new);
    let database = program.database();
    let mut plant = Plant::new(program, database, 62);
    plant.set("CF_BILLING__DATABASE__LEASE", "2s");
    plant.start(&[]);
    plant.onboarded();
    let start = |plant: &Plant, name: &str| Background::spawn(&plant.program, name, &mut plant.command(&["run"]));
    let mut others = [start(&plant, "second.log"), start(&plant, "third.log")];
    for other in &others {
        other.says("sharing the work");
    }
    plant.check_truth();

    let begun = Instant::now();
    plant.binary = Some(later);
    for (number, other) in others.iter_mut().enumerate() {
        *other = start(&plant, &format!("later-{number}.log"));
        other.says("sharing the work");
        println!("replica {number} of the later version shares the work after {:?}", begun.elapsed());
        let before = progress(&plant);
        let moved = || (progress(&plant) != before).then_some(());
        eventually(|| [plant.log(), other.log()].join("\n---\n"), moved);
        println!("and something was committed after {:?}", begun.elapsed());
    }
    // The last one that doesn't know the schema stood by.
    assert!(plant.log().contains("by a newer cf-billing"), "{}", plant.log());
    let (code, log) = plant.end("TERM");
    assert_eq!(code, Some(0), "{log}");
    plant.start(&[]);
    plant.until_ready();
    println!("all are replaced after {:?}", begun.elapsed());
    plant.check_truth();
}
