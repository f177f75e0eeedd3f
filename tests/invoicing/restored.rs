//! A database restored from a backup re-issues nothing: what was issued is marked outside it, and is brought back or
//! recorded as lost before numbers go on.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{configure, shown};
use crate::support::month;
use crate::support::program::{Program, Run, path};

const ACCOUNTS: &str = "[[account]]\nid = \"k1\"\nname = \"K1\"\norganizations = [\"f/o1\"]\n\
                        [[account]]\nid = \"k2\"\nname = \"K2\"\norganizations = [\"f/o2\"]\n\
                        [[account]]\nid = \"k3\"\nname = \"K3\"\norganizations = [\"f/o3\"]\n\
                        [[account]]\nid = \"k4\"\nname = \"K4\"\norganizations = [\"f/o4\"]\n";

const CARD: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nbuildpack = \"go\"\ninstance_hour = \"1\"\n\
                    [[process]]\ninstance_hour = \"2\"\n[[tax]]\npercent = \"19\"\n";

/// A book in which CF-000001 is in a backup; CF-000002, CF-000003 and CN-000001 came after it, and are exported.
struct Books {
    issued: Program,
    restored: Program,
    out: PathBuf,
    marks: tempfile::TempDir,
}

fn prepare(program: &Program, marks: &Path) {
    month::card(program, CARD);
    fs::write(program.folder.path().join("accounts.toml"), ACCOUNTS).unwrap();
    let text = format!(
        "[billing]\nrates = \"card.toml\"\naccounts = \"accounts.toml\"\ngrace = \"0s\"\nseller = \"Seller\"\nmarks = \"{}\"\n",
        path(marks)
    );
    configure(program, &text);
}

fn run(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[arguments, &["--config", "cf-billing.toml"]].concat())
}

#[track_caller]
fn succeed(program: &Program, arguments: &[&str]) -> Run {
    program.succeed(&[arguments, &["--config", "cf-billing.toml"]].concat())
}

fn finalize(program: &Program, account: &str) -> Run {
    run(program, &["invoices", "finalize", "--period", "2026-10", "--account", account])
}

fn export(program: &Program, out: &Path) {
    for format in ["json", "html", "csv"] {
        succeed(program, &["invoices", "export", "--period", "2026-10", "--format", format, "--out", path(out)]);
    }
}

impl Books {
    fn new() -> Self {
        let marks = tempfile::tempdir().unwrap();
        let issued = Program::new();
        month::import(
            &issued,
            "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n\
             00:00 q STARTED 512x2 app=b org=o2 space=s2 bp=go\n05:00 q STOPPED\n01:00 q2 STARTED 512x1 app=b2 org=o2 space=s2\n02:00 q2 STOPPED\n\
             00:00 r STARTED 512x1 app=c org=o3 space=s3\n01:00 r STOPPED\n\
             00:00 t STARTED 512x1 app=d org=o4 space=s4\n03:00 t STOPPED",
            "80d00:00",
        );
        prepare(&issued, marks.path());
        assert_eq!(finalize(&issued, "k1").code, Some(0));
        let backup = issued.folder.path().join("backup.jsonl");
        succeed(&issued, &["ledger", "export", "--out", path(&backup)]);
        for account in ["k2", "k3"] {
            assert_eq!(finalize(&issued, account).code, Some(0));
        }
        let credit = ["invoices", "credit", "CF-000002", "--line", "1", "--amount", "1", "--reason", "goodwill"];
        succeed(&issued, &credit);
        let out = issued.folder.path().join("out");
        export(&issued, &out);

        let restored = Program::unprepared();
        prepare(&restored, marks.path());
        succeed(&restored, &["ledger", "import", path(&backup)]);
        Self { issued, restored, out, marks }
    }

    #[track_caller]
    fn refuses(&self, missing: &str) {
        let refused = finalize(&self.restored, "k4");
        let told = format!("the database is older than what was issued: numbers {missing} of series CF are missing");
        assert!(refused.code == Some(1) && refused.stderr.contains(&told), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: ") && refused.stderr.contains("invoices adopt"), "{}", refused.stderr);
        let credit = ["invoices", "credit", "CF-000001", "--whole", "--reason", "x"];
        let refused = run(&self.restored, &credit);
        assert!(refused.stderr.contains("numbers CN-000001 to CN-000001 of series CN"), "{}", refused.stderr);
    }
}

/// The last link of each series.
fn links(program: &Program) -> Vec<Value> {
    let verified = program.json(&["ledger", "verify"]);
    let all = verified.as_array().unwrap().iter();
    all.filter(|one| one["chain"].as_str().unwrap().starts_with("invoices/")).cloned().collect()
}

fn finals(program: &Program) -> Vec<Value> {
    let list = program.json(&["invoices", "list", "--status", "final"]);
    let mut finals: Vec<Value> = list.as_array().unwrap().clone();
    for one in &mut finals {
        let document = shown(program, one["number"].as_str().unwrap());
        // Ids are each book's own.
        one["id"] = Value::Null;
        one["lines"] = document["lines"].clone();
        one["corrections"] = document["corrections"].clone();
        one["tax"] = document["tax"].clone();
        one["particulars"] = document["particulars"].clone();
    }
    finals.sort_by_key(|one| one["number"].as_str().unwrap().to_owned());
    finals
}

#[test]
fn a_restored_book_gets_back_what_was_issued_byte_for_byte_and_goes_on() {
    let books = Books::new();
    let restored = &books.restored;
    books.refuses("CF-000002 to CF-000003");
    // Without a number's JSON what comes before it is brought back, and the rest is told.
    let kept = fs::read(books.out.join("CF-000003.json")).unwrap();
    fs::remove_file(books.out.join("CF-000003.json")).unwrap();
    let part = run(restored, &["invoices", "adopt", path(&books.out)]);
    assert!(
        part.code == Some(1) && part.stderr.contains("CF-000002 is brought back, with 3 document(s)"),
        "{}",
        part.stderr
    );
    assert!(part.stderr.contains("CF-000003.json is missing in "), "{}", part.stderr);
    assert!(part.stderr.contains("`invoices lost 3..3 --reason …`"), "{}", part.stderr);
    let refused = finalize(restored, "k4");
    assert!(refused.stderr.contains("numbers CF-000003 to CF-000003"), "{}", refused.stderr);
    // A file that was changed isn't what was issued.
    let text = String::from_utf8(kept.clone()).unwrap();
    fs::write(books.out.join("CF-000003.json"), text.replacen("\"K3\"", "\"K4\"", 1)).unwrap();
    let changed = run(restored, &["invoices", "adopt", path(&books.out)]);
    let told = "can't bring CF-000003 back: the json document isn't the one that was issued";
    assert!(changed.code == Some(1) && changed.stderr.contains(told), "{}", changed.stderr);

    fs::write(books.out.join("CF-000003.json"), &kept).unwrap();
    succeed(restored, &["invoices", "adopt", path(&books.out)]);
    assert_eq!(links(restored), links(&books.issued), "the chain is the one that was");
    assert_eq!(finals(restored), finals(&books.issued));
    let again = restored.folder.path().join("again");
    export(restored, &again);
    for entry in fs::read_dir(&books.out).unwrap() {
        let file = entry.unwrap().file_name();
        assert_eq!(fs::read(again.join(&file)).unwrap(), fs::read(books.out.join(&file)).unwrap(), "{file:?}");
    }
    // Twice is nothing.
    assert!(succeed(restored, &["invoices", "adopt", path(&books.out)]).stderr.contains("0 brought back"));
    // What was brought back costs what it did, and is credited like any other.
    succeed(restored, &["invoices", "draft", "--period", "2026-10"]);
    assert_eq!(shown(restored, "CF-000002")["difference"], Value::Null);
    assert_eq!(finalize(restored, "k4").code, Some(0));
    assert_eq!(shown(restored, "CF-000004")["account"], "k4");
    let credit = ["invoices", "credit", "CF-000002", "--whole", "--reason", "x"];
    succeed(restored, &credit);
    assert_eq!(shown(restored, "CN-000002")["net"], "-11.00", "12.00, and 1.00 was given");
    succeed(restored, &["ledger", "verify"]);
    // The other book is behind now.
    let refused = finalize(&books.issued, "k4");
    assert!(refused.stderr.contains("numbers CF-000004 to CF-000004"), "{}", refused.stderr);
}

#[test]
fn what_cant_be_brought_back_is_recorded_as_lost_before_numbers_go_on() {
    let books = Books::new();
    let restored = &books.restored;
    let lost = |numbers: &str, more: &[&str]| {
        run(restored, &[&["invoices", "lost", numbers, "--reason", "the disk failed"][..], more].concat())
    };
    for numbers in ["1..3", "3..3", "2..4", "4..4"] {
        let refused = lost(numbers, &[]);
        let told = format!("`{numbers}` can't be recorded as lost: CF-000002 to CF-000003 is missing");
        assert!(refused.code == Some(1) && refused.stderr.contains(&told), "{}", refused.stderr);
    }
    for numbers in ["3..2", "0..1", "CF-000002"] {
        assert_eq!(lost(numbers, &[]).code, Some(2), "{numbers}");
    }
    assert_eq!(lost("2", &[]).code, Some(0));
    let refused = finalize(restored, "k4");
    assert!(refused.stderr.contains("numbers CF-000003 to CF-000003"), "{}", refused.stderr);
    // One that is found after all comes after one that isn't.
    let part = run(restored, &["invoices", "adopt", path(&books.out)]);
    assert!(part.stderr.contains("CF-000003 is brought back"), "{}", part.stderr);
    assert!(part.stderr.contains("CN-000001 is brought back"), "also about one that is lost: {}", part.stderr);
    let nothing = lost("2", &["--series", "CN"]);
    assert!(nothing.stderr.contains("`2..2` can't be recorded as lost: no number is missing"), "{}", nothing.stderr);
    assert_eq!(finalize(restored, "k4").code, Some(0));
    assert_eq!(shown(restored, "CF-000004")["account"], "k4");
    let verified = succeed(restored, &["ledger", "verify"]);
    assert!(verified.stderr.contains("invoices/CF: 1 number(s) were recorded as lost"), "{}", verified.stderr);
    // What it billed is billed once more, under a number of its own.
    assert_eq!(finalize(restored, "k2").code, Some(0));
    assert_eq!(shown(restored, "CF-000005")["account"], "k2");
}

/// The disk with the marks is lost, too: nothing tells what was issued, and the files still bring it back.
#[test]
fn what_was_issued_comes_back_from_its_files_alone() {
    let books = Books::new();
    let restored = &books.restored;
    let marks = restored.folder.path().join("new/marks");
    prepare(restored, &marks);
    let adopted = succeed(restored, &["invoices", "adopt", path(&books.out)]);
    assert!(adopted.stderr.contains("3 brought back"), "{}", adopted.stderr);
    let net = |book: &Program| finals(book).iter().map(|one| one["net"].clone()).collect::<Vec<_>>();
    assert_eq!(net(restored), net(&books.issued));
    assert_eq!(finalize(restored, "k4").code, Some(0));
    assert_eq!(shown(restored, "CF-000004")["account"], "k4");
    succeed(restored, &["ledger", "verify"]);
    assert_eq!(fs::read_dir(&marks).unwrap().count(), 1, "from here on it is marked");
}

fn marks_of(books: &Books) -> PathBuf {
    fs::read_dir(books.marks.path()).unwrap().next().unwrap().unwrap().path()
}

/// Killed between mark and commit: nothing of it has left, as documents leave behind the second line only.
#[test]
fn a_number_that_was_begun_and_not_committed_is_used_again() {
    let books = Books::new();
    let file = marks_of(&books);
    let text = fs::read_to_string(&file).unwrap();
    let third: Value = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .find(|mark: &Value| mark["series"] == "CF" && mark["number"] == 3 && mark["issued"] == true)
        .unwrap();
    let begun = |number: i64, before: &Value| {
        let mark = json!({"series": "CF", "number": number, "issued": false, "before": before, "digest": "00"});
        fs::write(&file, format!("{text}{mark}\n")).unwrap();
    };
    // Two ahead: the one between was issued.
    begun(5, &json!("11"));
    let refused = finalize(&books.issued, "k4");
    assert!(refused.stderr.contains("numbers CF-000004 to CF-000004 of series CF are missing"), "{}", refused.stderr);
    // One ahead of another book.
    begun(4, &json!("11"));
    let refused = finalize(&books.issued, "k4");
    assert!(refused.stderr.contains("CF-000004 in the database isn't what was issued"), "{}", refused.stderr);
    // One ahead of this one.
    begun(4, &third["digest"]);
    let run = finalize(&books.issued, "k4");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(
        run.stderr.contains("CF-000004 was begun but never committed: none of its documents left"),
        "it is told: {}",
        run.stderr
    );
    assert_eq!(shown(&books.issued, "CF-000004")["account"], "k4");
    // And what was issued one ahead is missing.
    let text = fs::read_to_string(&file).unwrap();
    let mark = json!({"series": "CN", "number": 2, "issued": true, "before": null, "digest": "00"});
    fs::write(&file, format!("{text}{mark}\n")).unwrap();
    let refused = self::run(&books.issued, &["invoices", "credit", "CF-000001", "--whole", "--reason", "x"]);
    assert!(refused.stderr.contains("numbers CN-000002 to CN-000002 of series CN"), "{}", refused.stderr);
}

/// A copy of the file, put back: the marks are beside it.
#[test]
fn an_sqlite_file_that_was_put_back_is_noticed_without_any_setting() {
    let program = Program::new();
    month::card(&program, month::INSTANCE_HOURS);
    month::import(&program, "00:00 p STARTED 512x1 app=a\n00:00 q STARTED 512x1 app=b org=o2 space=s2", "80d00:00");
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let finalize = |account: &str| {
        program.run(&[&["invoices", "finalize", "--period", "2026-10", "--account", account][..], &with].concat())
    };
    let file = program.folder.path().join("book.db");
    let copy = fs::read(&file).unwrap();
    assert_eq!(finalize("f/o1").code, Some(0));
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(program.folder.path().join(format!("book.db{ending}")));
    }
    fs::write(&file, copy).unwrap();
    let refused = finalize("f/o2");
    let told = "numbers CF-000001 to CF-000001 of series CF are missing";
    assert!(refused.code == Some(1) && refused.stderr.contains(told), "{}", refused.stderr);
}

/// A shared database has nothing beside it, and a service without a home no folder of its own.
#[test]
fn nothing_is_issued_without_a_place_for_marks() {
    crate::support::database::on_postgres(|| {
        let program = Program::new();
        month::card(&program, month::INSTANCE_HOURS);
        month::import(&program, "00:00 p STARTED 512x1 app=a\n01:00 p STOPPED", "80d00:00");
        let without_home =
            |arguments: &[&str]| Run::from(program.command(arguments).env_remove("HOME").output().unwrap());
        let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
        let told = "there is no place outside the database to mark issued numbers";
        let refused = without_home(&finalize);
        assert!(refused.code == Some(1) && refused.stderr.contains(told), "{}", refused.stderr);
        assert!(without_home(&["check"]).stdout.contains(told));
        let issued = program.run(&finalize);
        assert_eq!(issued.code, Some(0), "{}", issued.stderr);
        // What was made can be read without.
        assert_eq!(without_home(&["invoices", "show", "CF-000001"]).code, Some(0));
    });
}

crate::on_postgres! {
    a_restored_book_gets_back_what_was_issued_byte_for_byte_and_goes_on,
    what_cant_be_brought_back_is_recorded_as_lost_before_numbers_go_on,
}
