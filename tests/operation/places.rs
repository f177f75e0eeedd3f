//! Where files are looked for, and whose they are.

use std::path::Path;

use crate::support::database::{self, Kind};
use crate::support::month;
use crate::support::program::{Program, path};

/// A service has its own working folder: what stands in a configuration counts from the configuration's.
#[test]
fn relative_paths_count_from_the_configurations_folder() {
    let program = Program::new();
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED", "80d00:00");
    let folder = program.folder.path().join("etc");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("card.toml"), month::INSTANCE_HOURS).unwrap();
    std::fs::write(folder.join("cf-billing.toml"), "[billing]\nrates = \"card.toml\"\n").unwrap();
    let draft = ["invoices", "draft", "--period", "2026-10", "--config", "etc/cf-billing.toml"];
    program.succeed(&draft);
    // Of the environment it counts from where the command runs.
    let mut command = program.command(&draft);
    let output = command.env("CF_BILLING__BILLING__RATES", "card.toml").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("card.toml"), "{said}");
    let mut command = program.command(&draft);
    let output = command.env("CF_BILLING__BILLING__RATES", "etc/card.toml").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// systemd shows a credential to the service alone: whoever only reads the book doesn't need it.
#[test]
fn a_secret_that_cant_be_read_stops_who_needs_it() {
    let program = Program::new();
    let text = "[[foundation]]\nname = \"eu1\"\napi = \"http://127.0.0.1:1\"\nclient_id = \"x\"\nclient_secret_file = \"away\"\n";
    std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
    program.succeed(&["ledger", "init", "--config", "cf-billing.toml"]);
    program.succeed(&["ledger", "verify", "--config", "cf-billing.toml"]);
    program.succeed(&["invoices", "list", "--config", "cf-billing.toml"]);
    for command in [&["run"][..], &["check"], &["snapshots", "request"]] {
        let run = program.run(&[command, &["--config", "cf-billing.toml"]].concat());
        let said = [run.stdout, run.stderr].concat();
        assert!(run.code != Some(0) && said.contains("can't read `away`: "), "{command:?}: {said}");
        assert!(said.contains("hint: give the path of a file that holds the secret"), "{command:?}: {said}");
    }
}

/// The platform throws an app's disk away at every restart, and with it what shows that numbers were issued.
#[test]
fn nothing_is_issued_in_an_app_without_a_place_for_marks() {
    let program = database::with(Kind::Postgres, Program::new);
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED", "80d00:00");
    month::card(&program, month::INSTANCE_HOURS);
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
    let in_app = |marks: Option<&str>| {
        let mut command = program.command(&finalize);
        command.env("VCAP_APPLICATION", "{}").envs(marks.map(|marks| ("CF_BILLING__BILLING__MARKS", marks)));
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = in_app(None);
    assert!(code == Some(1) && said.contains("[billing] marks"), "{said}");
    let (code, said) = in_app(Some("marks"));
    assert_eq!(code, Some(0), "{said}");
}

/// As root in a service's folder: its files would be root's, and the service could never open them.
#[test]
fn root_makes_no_book_in_somebody_elses_folder() {
    if std::fs::metadata("/proc/self").map(|me| std::os::unix::fs::MetadataExt::uid(&me)).ok() != Some(0) {
        return;
    }
    let program = Program::unprepared();
    let folder = program.folder.path().join("state");
    std::fs::create_dir(&folder).unwrap();
    let init = |uid: u32, book: &Path| {
        std::os::unix::fs::chown(&folder, Some(uid), None).unwrap();
        program.run(&["ledger", "init", "--database", &format!("sqlite://{}", path(book))])
    };
    let book = folder.join("book.db");
    let refused = init(65_534, &book);
    assert!(refused.code == Some(1) && refused.stderr.contains("belongs to the user 65534"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: ") && !book.exists(), "{}", refused.stderr);
    assert_eq!(init(0, &book).code, Some(0));
    // A book that is there may be read by root all the same.
    std::os::unix::fs::chown(&folder, Some(65_534), None).unwrap();
    program.succeed(&["ledger", "verify", "--database", &format!("sqlite://{}", path(&book))]);
}
