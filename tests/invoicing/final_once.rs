//! Killing the process anywhere while a hundred invoices become final leaves no gap, no double and no half document.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Connection, Row};

use super::configure;
use crate::support::database::{self, Kind};
use crate::support::month;
use crate::support::program::Program;

const ACCOUNTS: usize = 100;

/// Format, hash and body of every document, by the number of its invoice.
fn documents(url: &str) -> Vec<(String, String, String, Vec<u8>)> {
    const ALL: &str = "SELECT invoice.number, document.format, document.sha256, document.body
                       FROM invoice_document AS document JOIN invoice ON invoice.id = document.invoice_id";
    database::run(|| async {
        macro_rules! read {
            ($connection:ty) => {{
                let mut connection = <$connection>::connect(url).await.unwrap();
                let rows = sqlx::query(ALL).fetch_all(&mut connection).await.unwrap();
                rows.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect()
            }};
        }
        if database::kind_of(url) == Kind::Sqlite { read!(sqlx::SqliteConnection) } else { read!(sqlx::PgConnection) }
    })
}

fn numbers(program: &Program) -> Vec<String> {
    let list = program.json(&["invoices", "list", "--status", "final"]);
    let mut numbers: Vec<String> =
        list.as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap().to_owned()).collect();
    numbers.sort();
    numbers
}

fn check(program: &Program, round: u32) -> usize {
    let finals = numbers(program);
    let expected: Vec<String> = (1..=finals.len()).map(|number| format!("CF-{number:06}")).collect();
    assert_eq!(finals, expected, "after kill {round}");
    let documents = documents(&program.database());
    let mut formats: BTreeSet<(String, String)> = BTreeSet::new();
    for (number, format, sha256, body) in documents {
        let digest: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sha256, "{format} of {number}");
        assert!(body.len() > 200, "{format} of {number}");
        formats.insert((number, format));
    }
    let wanted: BTreeSet<(String, String)> = (finals.iter())
        .flat_map(|number| ["html", "pdf", "csv", "json"].map(|format| (number.clone(), format.to_owned())))
        .collect();
    assert_eq!(formats, wanted, "after kill {round}");
    finals.len()
}

/// Takes more than 20 s: a hundred PDFs are made by a program without optimisation.
#[test]
fn a_hundred_invoices_become_final_once_wherever_it_is_killed() {
    let program = Program::with_all_documents();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    let mut script = String::new();
    for number in 0..ACCOUNTS {
        writeln!(script, "00:{:02} p{number} STARTED 512x1 app=a{number} org=o{number} space=s{number}", number % 60)
            .unwrap();
    }
    // In order of time.
    let mut lines: Vec<&str> = script.lines().collect();
    lines.sort_by_key(|line| line[..5].to_owned());
    month::import(&program, &lines.join("\n"), "80d00:00");
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\nseller = \"Seller\"\n");
    let finalize = [&["invoices", "finalize", "--period", "2026-10"][..], &with].concat();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut before = 0;
    for round in 0..12_u32 {
        let mut child = program.spawn(&finalize);
        // Some way into it: when one more is final, and a moment of chance more.
        let deadline = Instant::now() + Duration::from_secs(30);
        while numbers(&program).len() == before && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "nothing became final within 30 s");
        }
        for _ in 0..random.random_range(0..40_000_u32) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        before = check(&program, round);
    }
    assert!(before < ACCOUNTS, "the kills came too late to prove anything");
    program.succeed(&finalize);
    assert_eq!(check(&program, 99), ACCOUNTS);
    let accounts: BTreeSet<String> = (program.json(&["invoices", "list"]).as_array().unwrap().iter())
        .map(|one: &Value| one["account"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(accounts.len(), ACCOUNTS);
    program.succeed(&["ledger", "verify"]);
}

crate::on_postgres! {
    a_hundred_invoices_become_final_once_wherever_it_is_killed,
}
