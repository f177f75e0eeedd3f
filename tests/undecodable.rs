//! Records that can't be read keep the invoices of their months from being final until somebody accepts that by name.

use serde_json::Value;

use crate::support::month;
use crate::support::program::{Program, Run, path};

/// A book of these app events, complete through November.
fn book(program: &Program, events: &[Value]) -> Run {
    month::card(program, month::INSTANCE_HOURS);
    let file = program.folder.path().join("events.jsonl");
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    let until = ["--complete-until", "2025-12-02T00:00:00Z"];
    program.succeed(&[&["import", "--foundation", "eu1", "--app-events", path(&file)], &until[..]].concat())
}

fn finalize(program: &Program, month: &str, more: &[&str]) -> Run {
    let config = "[billing]\ngrace = \"0s\"\n";
    std::fs::write(program.folder.path().join("cf-billing.toml"), config).unwrap();
    let with = ["invoices", "finalize", "--period", month, "--rates", "card.toml", "--config", "cf-billing.toml"];
    program.run(&[&with, more].concat())
}

fn started() -> Value {
    month::event("e1", "2025-09-05T00:00:00Z", "STARTED", "p1")
}

#[test]
fn an_event_without_an_organization_holds_its_month_and_no_other() {
    let program = Program::new();
    let mut without = month::event("e2", "2025-10-31T23:59:59Z", "STARTED", "p2");
    without["organization"]["guid"] = Value::Null;
    let run = book(&program, &[started(), without]);
    assert!(run.stderr.contains("`space or organization` is missing or null"), "{}", run.stderr);
    assert!(run.stderr.contains("undecodable:eu1"), "{}", run.stderr);

    for (month, code) in [("2025-09", 0), ("2025-10", 1), ("2025-11", 0)] {
        let run = finalize(&program, month, &[]);
        assert_eq!(run.code, Some(code), "{month}: {}", run.stderr);
        if code == 1 {
            let said = "1 record(s) of eu1, of 2025-10-31T23:59:59Z, can't be read";
            assert!(run.stderr.contains(said) && run.stderr.contains("--accept undecodable:eu1"), "{}", run.stderr);
        }
    }
    let draft =
        program.succeed(&["invoices", "draft", "--period", "2025-10", "--rates", "card.toml", "--format", "json"]);
    let drafts: Value = serde_json::from_str(&draft.stdout).unwrap();
    let shown = program.succeed(&["invoices", "show", &drafts[0]["id"].to_string()]);
    assert!(shown.stdout.contains("can't be read"), "{}", shown.stdout);

    let run = finalize(&program, "2025-10", &["--accept", "undecodable:eu1"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let listed = program.json(&["invoices", "list", "--status", "final"]);
    let number = listed.as_array().unwrap().iter().find(|one| one["month"] == "2025-10").unwrap()["number"].clone();
    let shown = program.succeed(&["invoices", "show", number.as_str().unwrap()]);
    assert!(shown.stdout.contains("Accepted: 1 record(s) of eu1"), "{}", shown.stdout);
    // What is between the provider and Cloud Controller is in no document.
    for format in ["html", "ubl"] {
        let run = program.run(&["invoices", "export", number.as_str().unwrap(), "--format", format, "--out", "-"]);
        assert!(!run.stdout.contains("undecodable"), "{}", run.stdout);
    }
}

#[test]
fn a_record_without_a_readable_time_holds_the_months_between_its_neighbours() {
    let mut undated = month::event("e3", "then", "STARTED", "p2");
    undated["guid"] = "e3".into();
    let november = |guid: &str, at: &str| month::event(guid, at, "STARTED", "p3");
    // Between October and November; then with everything after it in October.
    for (events, held) in [
        (
            vec![
                started(),
                month::event("e2", "2025-10-20T00:00:00Z", "STARTED", "p4"),
                undated.clone(),
                november("e4", "2025-11-02T00:00:00Z"),
            ],
            vec!["2025-10", "2025-11"],
        ),
        (
            vec![
                started(),
                month::event("e2", "2025-10-20T00:00:00Z", "STARTED", "p4"),
                undated.clone(),
                november("e4", "2025-10-31T23:59:59Z"),
            ],
            vec!["2025-10"],
        ),
        // Nothing follows: whatever is read after it is yet to tell.
        (
            vec![started(), month::event("e2", "2025-10-20T00:00:00Z", "STARTED", "p4"), undated.clone()],
            vec!["2025-10", "2025-11"],
        ),
    ] {
        let program = Program::new();
        book(&program, &events);
        for month in ["2025-09", "2025-10", "2025-11"] {
            let run = finalize(&program, month, &[]);
            assert_eq!(run.code, Some(i32::from(held.contains(&month))), "{month}: {}", run.stderr);
        }
        let run = finalize(&program, "2025-10", &["--accept", "undecodable:eu1"]);
        assert_eq!(run.code, Some(0), "{}", run.stderr);
    }
}

#[test]
fn anomalies_are_listed_with_the_record_as_it_was_received() {
    let program = Program::new();
    let mut undated = month::event("e2", "then", "STARTED", "p2");
    undated["app"]["name"] = "what is it".into();
    let mut unknown = month::event("e3", "2025-10-21T00:00:00Z", "EXPLODED", "p2");
    unknown["guid"] = "e3".into();
    book(&program, &[started(), undated, unknown]);
    let listed = program.json(&["anomalies", "--foundation", "eu1", "--kind", "undecodable"]);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["at"], Value::Null);
    assert!(listed[0]["record"].as_str().unwrap().contains("what is it"), "{listed:?}");
    let table = program.succeed(&["anomalies"]).stdout;
    assert!(table.contains("unknown_state") && table.contains("unreadable"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let wrong = program.run(&["anomalies", "--kind", "odd"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("hint: use one of unknown_state"), "{}", wrong.stderr);
    // A state that nobody knows is told of, and holds nothing.
    let run = finalize(&program, "2025-10", &["--accept", "undecodable:eu1"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}
