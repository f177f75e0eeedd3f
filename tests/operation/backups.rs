//! Backups, made while the daemon runs, and restored.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::plant::Plant;
use crate::support::background::Background;
use crate::support::database::{self, Kind};
use crate::support::disk::tool;
use crate::support::month;
use crate::support::program::{Program, Run, path};

fn running(seed: u64) -> Plant {
    let plant = Plant::running(seed);
    std::fs::create_dir(plant.program.folder.path().join("backup")).unwrap();
    plant
}

fn run(plant: &Plant, arguments: &[&str]) -> Run {
    Run::from(plant.command(arguments).output().unwrap())
}

#[track_caller]
fn succeed(plant: &Plant, arguments: &[&str]) -> Run {
    let run = run(plant, arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}\n{}{}", run.stdout, run.stderr);
    run
}

/// Names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Puts the book away with what is beside it, but for the marks.
fn lose(plant: &Plant) -> PathBuf {
    let folder = plant.program.folder.path();
    let away = folder.join("away");
    std::fs::create_dir(&away).unwrap();
    for name in
        names(folder).into_iter().filter(|name| ["book.db", "book.db-wal", "book.db-shm"].contains(&name.as_str()))
    {
        std::fs::rename(folder.join(&name), away.join(&name)).unwrap();
    }
    away
}

/// The book goes on while it is copied; what was used after the backup is collected again.
#[test]
fn a_book_is_backed_up_while_the_daemon_runs_and_restored() {
    let mut plant = running(61);
    let backup = plant.program.folder.path().join("backup");
    std::fs::write(backup.join("book-notes.txt"), "somebody's").unwrap();
    let said = succeed(&plant, &["ledger", "backup", "--out", "backup"]).stderr;
    assert!(said.contains("SHA-256 of the book "), "{said}");
    let made = names(&backup);
    assert_eq!(made.len(), 2, "{made:?}");
    let first = made[0].clone();
    let mode = std::fs::metadata(backup.join(&first)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let log = plant.log();
    let log = log.split_once("onboarding is complete").unwrap().1;
    assert!(!log.contains(" WARN ") && !log.contains("ERROR"), "{log}");
    assert_eq!(plant.end("TERM").0, Some(0));

    let file = format!("backup/{first}");
    let refused = run(&plant, &["ledger", "restore", &file]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("is there already\nhint: stop the daemon, and move the old book away"),
        "{}",
        refused.stderr
    );
    lose(&plant);
    // A log of another book would be applied to this one.
    let log = plant.program.folder.path().join("book.db-wal");
    std::fs::write(&log, "").unwrap();
    assert!(run(&plant, &["ledger", "restore", &file]).stderr.contains("book.db-wal is there already"));
    std::fs::remove_file(&log).unwrap();
    let said = succeed(&plant, &["ledger", "restore", &file]).stderr;
    assert!(said.contains("restored; SHA-256 "), "{said}");
    succeed(&plant, &["ledger", "verify"]);
    plant.start(&["--no-create"]);
    plant.until_ready();
    plant.check_truth();
}

/// The newest stay; what isn't a backup of this book stays, too.
#[test]
fn only_the_newest_backups_are_kept() {
    let plant = running(62);
    let backup = plant.program.folder.path().join("backup");
    let others = ["book-20200101T000000Z.db.zst.part", "other-20200101T000000Z.db.zst", "book-2020.db.zst"];
    let old = ["book-20200101T000000Z.db.zst", "book-20210101T000000Z.db.zst", "book-20220101T000000Z.db.zst"];
    for name in others.iter().chain(&old) {
        std::fs::write(backup.join(name), "").unwrap();
    }
    let said = succeed(&plant, &["ledger", "backup", "--out", "backup", "--keep", "2"]).stderr;
    assert!(said.contains("book-20200101T000000Z.db.zst is deleted"), "{said}");
    let left = names(&backup);
    assert_eq!(left.len(), 5, "{left:?}");
    assert!(others.iter().chain(&old[2..]).all(|name| left.contains(&(*name).to_owned())), "{left:?}");
    for (keep, code) in [("0", 2), ("1", 0), ("10000", 0), ("10001", 2)] {
        // A name for each second: the one before may be of the same.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(run(&plant, &["ledger", "backup", "--out", "backup", "--keep", keep]).code, Some(code), "{keep}");
    }
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let mut plant = running(63);
    let folder = plant.program.folder.path().to_owned();
    let said = succeed(&plant, &["ledger", "backup", "--out", "backup"]).stderr;
    let digest = said.split("SHA-256 of the book ").nth(1).unwrap().split_whitespace().next().unwrap();
    let name = names(&folder.join("backup"))[0].clone();
    assert_eq!(plant.end("TERM").0, Some(0));
    lose(&plant);
    let before = names(&folder);
    let whole = std::fs::read(folder.join("backup").join(&name)).unwrap();
    let damaged = |bytes: &[u8]| {
        std::fs::write(folder.join("damaged"), bytes).unwrap();
        let run = run(&plant, &["ledger", "restore", "damaged"]);
        std::fs::remove_file(folder.join("damaged")).unwrap();
        assert_eq!((run.code, names(&folder)), (Some(1), before.clone()), "{}", run.stderr);
        assert!(run.stderr.contains("hint: "), "{}", run.stderr);
    };
    damaged(&whole[..whole.len() - 1]);
    damaged(&[]);
    let mut refused = 0;
    for part in 0..40 {
        let mut changed = whole.clone();
        changed[whole.len() * part / 40] ^= 1 << (part % 8);
        std::fs::write(folder.join("damaged"), changed).unwrap();
        let run = run(&plant, &["ledger", "restore", "damaged"]);
        std::fs::remove_file(folder.join("damaged")).unwrap();
        // A few bits say nothing: they fill up a byte, or choose which of two equal texts is copied.
        if run.code == Some(0) {
            assert!(run.stderr.contains(digest), "{part}: {}", run.stderr);
            std::fs::remove_file(folder.join("book.db")).unwrap();
        }
        assert_eq!(names(&folder), before, "{part}: {}", run.stderr);
        refused += u32::from(run.code == Some(1));
    }
    assert!(refused >= 30, "{refused} of 40");
    // Compressed as it should be, and no book.
    damaged(&zstd::encode_all(&b"not a database, whatever its name says"[..], 3).unwrap());
}

#[test]
fn where_there_is_nothing_to_back_up_it_says_what_to_do() {
    let program = database::with(Kind::Postgres, Program::new);
    let folder = program.folder.path();
    std::fs::create_dir(folder.join("backup")).unwrap();
    let run = program.run(&["ledger", "backup", "--out", "backup"]);
    assert!(run.code == Some(1) && run.stderr.contains("hint: use pg_dump"), "{}", run.stderr);
    let run = program.run(&["ledger", "restore", "some.db.zst"]);
    assert!(run.code == Some(1) && run.stderr.contains("hint: use pg_dump"), "{}", run.stderr);
    let program = Program::new();
    let run = program.run(&["ledger", "backup", "--out", "nowhere"]);
    assert!(run.code == Some(1) && run.stderr.contains("there is no database at "), "{}", run.stderr);
}

/// PostgreSQL by its own tools, as docs/operations.md says: a dump while the daemon runs, restored into another database.
#[test]
fn a_dump_of_postgresql_is_restored() {
    let program = database::with(Kind::Postgres, Program::new);
    let empty = database::with(Kind::Postgres, Program::unprepared);
    let url = program.database();
    let mut plant = Plant::new(program, url, 64);
    plant.start(&[]);
    plant.onboarded();
    let dump = plant.program.folder.path().join("book.dump");
    let dump = dump.to_str().unwrap();
    tool("pg_dump", &["--format=custom", "--file", dump, &plant.database]);
    assert_eq!(plant.end("TERM").0, Some(0));
    plant.database = empty.database();
    tool("pg_restore", &["--dbname", &plant.database, "--no-owner", dump]);
    succeed(&plant, &["ledger", "verify"]);
    plant.start(&["--no-create"]);
    plant.until_ready();
    plant.check_truth();
}

const BILLING: &str = "[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\ngrace = \"0s\"\nseller = \"Seller\"\nmarks = \"marks\"\n";
const ACCOUNTS: &str = "[[account]]\nid = \"k1\"\nname = \"K1\"\norganizations = [\"f/o1\"]\n\
                        [[account]]\nid = \"k2\"\nname = \"K2\"\norganizations = [\"f/o2\"]\n\
                        [[account]]\nid = \"k3\"\nname = \"K3\"\norganizations = [\"f/o3\"]\n";

/// The worst moment: a dump of before an invoice was issued is put in place while three replicas work. What was collected
/// since is collected again, and no number is issued twice. 15 s: the truth is written every ten.
#[test]
fn a_dump_is_restored_under_three_running_replicas() {
    let program = database::with(Kind::Postgres, Program::new);
    let october = "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n00:00 q STARTED 512x2 app=b org=o2 space=s2\n05:00 q STOPPED\n\
                   00:00 r STARTED 512x1 app=c org=o3 space=s3\n01:00 r STOPPED";
    month::import(&program, october, "80d00:00");
    let url = program.database();
    let mut plant = Plant::new(program, url, 65);
    plant.set("CF_BILLING__DATABASE__LEASE", "1s");
    let folder = plant.program.folder.path().to_owned();
    month::card(&plant.program, month::INSTANCE_HOURS);
    std::fs::write(folder.join("accounts.toml"), ACCOUNTS).unwrap();
    let file = folder.join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n{BILLING}")).unwrap();
    plant.start(&[]);
    plant.onboarded();
    let start = |name| Background::spawn(&plant.program, name, &mut plant.command(&["run"]));
    let others = [start("second.log"), start("third.log")];
    for other in &others {
        other.says("sharing the work");
    }
    let finalize = |account: &str| run(&plant, &["invoices", "finalize", "--period", "2026-10", "--account", account]);
    let issue = |account: &str| assert_eq!(finalize(account).code, Some(0), "{}", finalize(account).stderr);
    issue("k1");
    let dump = folder.join("book.dump");
    tool("pg_dump", &["--format=custom", "--file", path(&dump), &plant.database]);
    issue("k2");
    succeed(&plant, &["invoices", "export", "--period", "2026-10", "--format", "json", "--out", "out"]);
    let restore = ["--clean", "--if-exists", "--single-transaction", "--no-owner", "--dbname", &plant.database];
    tool("pg_restore", &[&restore[..], &[path(&dump)]].concat());

    let refused = finalize("k3");
    assert!(
        refused.code == Some(1) && refused.stderr.contains("numbers CF-000002 to CF-000002 of series CF are missing"),
        "{}",
        refused.stderr
    );
    succeed(&plant, &["invoices", "adopt", "out"]);
    issue("k3");
    let finals: Value =
        serde_json::from_str(&succeed(&plant, &["invoices", "list", "--status", "final", "--format", "json"]).stdout)
            .unwrap();
    let mut numbers: Vec<(&str, &str)> = finals
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["number"].as_str().unwrap(), one["account"].as_str().unwrap()))
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [("CF-000001", "k1"), ("CF-000002", "k2"), ("CF-000003", "k3")]);
    plant.until_ready();
    plant.check_truth();
    succeed(&plant, &["ledger", "verify"]);
    drop(others);
}
