//! The file of an SQLite book: full, moved, deleted, replaced, reached by another name, missing where it is expected.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cf_billing::store::{Lease, Store};

use super::plant::{Mount, Plant};
use crate::support::background::{eventually, get, text};
use crate::support::database::run;
use crate::support::disk::Disk;
use crate::support::program::Program;

fn book(plant: &Plant) -> PathBuf {
    PathBuf::from(plant.database.trim_start_matches("sqlite://"))
}

/// 15 s: the truth is written every ten.
#[test]
fn a_full_disk_is_told_and_outlived() {
    let disk = Disk::new(24);
    let database = format!("sqlite://{}", disk.path().join("book.db").display());
    let mut plant = Plant::new(Program::new(), database, 7);
    plant.start(&[]);
    plant.onboarded();
    for _ in 0..2 {
        disk.fill();
        plant.until_not_ready("disk is full or failing");
        assert!(plant.serves(), "it can be read all the same");
        disk.free();
        plant.until_ready();
    }
    plant.check_truth();
    assert_eq!(plant.end("TERM").0, Some(0));
}

#[test]
fn a_file_that_was_moved_is_waited_for() {
    let plant = Plant::running(8);
    let (here, away) = (book(&plant), plant.program.folder.path().join("moved.db"));
    std::fs::rename(&here, &away).unwrap();
    plant.until_not_ready("moved or deleted");
    assert!(!plant.serves());
    assert!(text(&format!("{}/", plant.url)).contains("moved or deleted"));
    assert!(!here.exists(), "no new book is made");
    std::fs::rename(&away, &here).unwrap();
    plant.until_ready();
    assert!(plant.serves());
    plant.check_truth();
}

#[test]
fn a_deleted_file_is_told_and_no_new_book_is_begun() {
    let mut plant = Plant::running(9);
    let here = book(&plant);
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", here.display()));
    }
    plant.until_not_ready("moved or deleted");
    plant.end("TERM");
    assert!(!here.exists());
    // Nor by the next start, nor by another command.
    for arguments in [&["run"][..], &["run", "--no-create"], &["usage", "--from", "2026-01-01", "--to", "2027-01-01"]] {
        let output = plant.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("hint: ") && !here.exists(), "{arguments:?}: {said}");
    }
    let said = String::from_utf8(plant.command(&["run"]).output().unwrap().stderr).unwrap();
    assert!(said.contains("book.db.expected` says") && said.contains("`cf-billing run --init`"), "{said}");
    // Without that, a log that is left of it tells.
    let (log, marker) = (format!("{}-wal", here.display()), format!("{}.expected", here.display()));
    std::fs::rename(&marker, &log).unwrap();
    let said = String::from_utf8(plant.command(&["run"]).output().unwrap().stderr).unwrap();
    assert!(said.contains("book.db-wal` says") && !here.exists(), "{said}");
    std::fs::rename(&log, &marker).unwrap();
    // An empty file is no book either.
    std::fs::write(&here, "").unwrap();
    let said = String::from_utf8(plant.command(&["run"]).output().unwrap().stderr).unwrap();
    assert!(said.contains("book.db.expected` says"), "{said}");
    plant.start(&["--init"]);
    plant.onboarded();
}

#[test]
fn another_file_in_its_place_ends_the_daemon() {
    let mut plant = Plant::running(10);
    let (here, other) = (book(&plant), plant.program.folder.path().join("other.db"));
    run(|| async { Store::open(&format!("sqlite://{}", other.display())).await.unwrap().close().await });
    std::fs::rename(&other, &here).unwrap();
    let (code, log) = plant.ends();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("was replaced by another file") && log.contains("hint: "), "{log}");
    // What was there then is left as it is.
    let store = run(|| async { Store::open(&plant.database).await.unwrap() });
    assert_eq!(run(|| async { store.foundations().await.unwrap().len() }), 0);
}

/// A second daemon on that file ends at once.
#[track_caller]
fn refused(plant: &Plant, file: &Path) {
    let mut second = plant.command(&["run"]);
    second.env("CF_BILLING__DATABASE__URL", format!("sqlite://{}", file.display()));
    let output = second.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}: {said}", file.display());
    assert!(said.contains("another cf-billing collects into") || said.contains("another name"), "{said}");
}

/// A hard link, a symbolic link and a mount of the folder are the same book.
#[test]
fn another_name_of_the_file_is_no_way_around_its_lock() {
    let plant = Plant::running(11);
    let here = book(&plant);
    let folder = plant.program.folder.path();
    let mounted = Mount::of(folder);
    refused(&plant, &mounted.path().join("book.db"));
    let (linked, symbolic, other) = (folder.join("linked.db"), folder.join("symbolic.db"), folder.join("other"));
    std::fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(&here, &symbolic).unwrap();
    std::fs::hard_link(&here, &linked).unwrap();
    std::fs::hard_link(&here, other.join("book.db")).unwrap();
    for name in [&symbolic, &linked, &other.join("book.db")] {
        refused(&plant, name);
        assert!(!PathBuf::from(format!("{}-wal", linked.display())).exists(), "no second log of the same book");
    }
    plant.until_ready();
}

#[test]
fn a_book_is_made_only_where_that_was_said() {
    let plant = Plant::new(Program::new(), String::new(), 12);
    let folder = plant.program.folder.path().join("new");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("book.db");
    let run = |options: &[&str], more: &[(&str, &str)]| {
        let mut command = plant.command(&[&["run"], options].concat());
        command.env("CF_BILLING__DATABASE__URL", format!("sqlite://{}", file.display()));
        command.envs(more.iter().copied());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = run(&["--no-create"], &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no book in") && said.contains("hint: ") && !file.exists(), "{said}");
    let (code, said) = run(&["--no-create", "--init"], &[]);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = run(&[], &[("VCAP_APPLICATION", "{}")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("SQLite can't be used") && said.contains("PostgreSQL") && !file.exists(), "{said}");
}

/// Another process that got around the lock has the foundation: the daemon doesn't claim it, and takes it back.
#[test]
fn a_superseded_writer_gives_up_and_takes_over_again() {
    let mut plant = Plant::new(Program::new(), String::new(), 13);
    plant.database = plant.program.database();
    plant.set("CF_BILLING__DATABASE__LEASE", "2s");
    plant.start(&[]);
    plant.onboarded();
    let leads = |value: u8| {
        text(&format!("{}/metrics", plant.url))
            .contains(&format!("cf_billing_leader{{duty=\"foundation/sim\"}} {value}\n"))
    };
    assert!(leads(1));
    let url = plant.database.clone();
    let (store, lease) = run(|| async {
        let store = Store::open(&url).await.unwrap();
        let lease = store.take_lease_over(&Lease::duty_of("sim"), "other", Duration::from_mins(1)).await.unwrap();
        (store, lease.unwrap())
    });
    eventually(|| plant.log(), || leads(0).then_some(()));
    assert!(text(&format!("{}/", plant.url)).contains(">standby<"));
    assert_eq!(get(&format!("{}/servez", plant.url)).status(), 200);
    // Nobody collects it: that is told before the other's lease runs out.
    plant.until_not_ready("another process collects it");
    run(|| async { store.give_up_lease(&lease, "other").await.unwrap() });
    eventually(|| plant.log(), || leads(1).then_some(()));
    plant.until_ready();
    plant.check_truth();
}
