//! One absurd resource, or an amount past its type's range, stops its own account's invoice, and nothing else.

use serde_json::Value;

use super::{october, october_json, shown};
use crate::support::month;
use crate::support::program::Program;

const RATES: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"1\"\n[[service]]\nfree = true\n[[task]]\nfree = true\n[[staging]]\nfree = true\n";

/// As large as Cloud Controller's columns are.
const MOST: &str = "2147483647x2147483647";

fn accounts(listed: &Value) -> Vec<&str> {
    listed.as_array().unwrap().iter().map(|one| one["account"].as_str().unwrap()).collect()
}

/// Drafts, holds, makes final and shows with an account that can't be counted, which is named.
fn only_its_own_is_stopped(program: &Program, told: &str) {
    for _ in 0..2 {
        let run = october(program, "draft", &["--format", "json"]);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(run.stderr.contains("error: f/o1: ") && run.stderr.contains(told), "{}", run.stderr);
        let drafts: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(accounts(&drafts), ["f/o1", "f/o2"]);
        assert_eq!((&drafts[0]["net"], &drafts[1]["net"]), (&"0.00".into(), &"10.00".into()));
    }
    let id = program.json(&["invoices", "list"])[0]["id"].to_string();
    let draft = shown(program, &id);
    let blockers: Vec<&str> = draft["blockers"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert!(blockers.len() == 1 && blockers[0].contains(told), "{blockers:?}");
    assert!(program.succeed(&["invoices", "show", &id]).stdout.contains(told));
    program.succeed(&["invoices", "hold", "--period", "2026-10", "--account", "f/o1", "--reason", "odd"]);
    program.succeed(&["invoices", "release", "--period", "2026-10", "--account", "f/o1", "--reason", "told"]);
    // There is nothing that accepts it.
    let run = october(program, "finalize", &["--accept", "unpriced:f/o1"]);
    assert!(
        run.code == Some(1) && run.stderr.contains("doesn't keep any invoice of 2026-10 from being final"),
        "{}",
        run.stderr
    );
    let run = october(program, "finalize", &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("f/o1: ") && run.stderr.contains(told), "{}", run.stderr);
    let finals = program.json(&["invoices", "list", "--status", "final"]);
    assert_eq!((accounts(&finals), &finals[0]["net"]), (vec!["f/o2"], &"10.00".into()));
}

fn usage(program: &Program) -> (Option<i32>, Value, String) {
    let span = ["usage", "--from", "2026-10-01", "--to", "2026-11-01", "--by", "org"];
    let run = program.run(&[&span[..], &["--format", "json"]].concat());
    (run.code, serde_json::from_str(&run.stdout).unwrap(), run.stderr)
}

#[test]
fn an_absurd_app_stops_its_own_accounts_invoice_alone() {
    let program = Program::new();
    month::card(&program, RATES);
    let script = format!(
        "00:00 p STARTED {MOST} app=a\n10:00 p STOPPED {MOST}\n00:00 r STARTED 1024x1 app=c\n01:00 r STOPPED\n\
         00:00 q STARTED 1024x1 app=b org=o2 space=s2\n10:00 q STOPPED"
    );
    month::import(&program, &script, "80d00:00");
    only_its_own_is_stopped(&program, "2147483647 instance(s) of 2147483647 MiB of memory");
    // What can be counted is.
    let (code, rows, told) = usage(&program);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("f process") && told.contains("(p) used more than can be counted"), "{told}");
    let memory: Vec<(&str, i64)> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["org_guid"].as_str().unwrap(), row["memory_mib_seconds"].as_i64().unwrap()))
        .collect();
    assert_eq!(memory, [("o1", 3_600 * 1024), ("o2", 36_000 * 1024)]);
}

#[test]
fn an_amount_past_its_range_stops_its_own_accounts_invoice_alone() {
    let program = Program::new();
    let dear = "[[process]]\nbuildpack = \"dear\"\nmemory_gib_hour = \"999999999\"\n";
    month::card(&program, &format!("{RATES}{dear}"));
    // 10 h of 2^31 - 1 GiB at a thousand million are 2 × 10^19, and cents go up to 9 × 10^16.
    let script = "00:00 p STARTED 1024x2147483647 app=a bp=dear\n10:00 p STOPPED\n\
                  00:00 q STARTED 1024x1 app=b org=o2 space=s2\n10:00 q STOPPED";
    month::import(&program, script, "80d00:00");
    only_its_own_is_stopped(&program, "an amount exceeds 2^63 - 1");
    let (code, rows, told) = usage(&program);
    assert_eq!((code, rows.as_array().unwrap().len()), (Some(0), 2), "{told}");
}

/// What can be counted, but no foundation can run, is charged once somebody says so; no other account waits for it.
#[test]
fn an_app_larger_than_any_foundation_waits_for_a_decision() {
    let program = Program::new();
    month::card(&program, RATES);
    let script = "00:00 p STARTED 1024x2147483648 app=a\n10:00 p STOPPED\n00:00 r STARTED 1x1000000 app=r org=o3 space=s3\n\
                  10:00 r STOPPED\n00:00 q STARTED 1024x1 app=b org=o2 space=s2\n10:00 q STOPPED";
    month::import(&program, script, "80d00:00");
    let anomalies = program.json(&["anomalies", "--kind", "too_large"]);
    assert_eq!(
        (anomalies.as_array().map(Vec::len), &anomalies[0]["resource_guid"]),
        (Some(1), &"p".into()),
        "{anomalies}"
    );
    let run = october(&program, "finalize", &[]);
    assert_eq!(run.code, Some(1));
    let told = "f/o1: larger than any foundation is process `a` (p) in f/o1/s1-name: 2147483648 instance(s) of 1024 MiB of \
                memory and 1024 MiB of disk from 2026-10-10T00:00:00Z to 2026-10-10T10:00:00Z\n";
    assert!(run.stderr.contains(told) && run.stderr.contains("--accept size:f/o1"), "{}", run.stderr);
    let finals = program.json(&["invoices", "list", "--status", "final"]);
    assert_eq!(accounts(&finals), ["f/o2", "f/o3"]);
    let net = &october_json(&program, "finalize", &["--accept", "size:f/o1"])[0]["net"];
    // 2 147 483 648 GiB for 10 h at 1 a GiB·h.
    assert_eq!(net, "21474836480.00");
}

/// Just below the limit it is an invoice like any other.
#[test]
fn what_can_just_be_counted_is_charged() {
    let program = Program::new();
    month::card(&program, &RATES.replace("\"1\"", "\"0.000001\""));
    let script = "00:00 p STARTED 1024x2147483647 app=a\n10:00 p STOPPED";
    month::import(&program, script, "80d00:00");
    // 2 147 483 647 × 10 GiB·h × 0.000001.
    assert_eq!(october_json(&program, "draft", &[])[0]["net"], "21474.84");
    assert_eq!(usage(&program).0, Some(0));
}

/// Usage that becomes absurd once its month is final changes nothing of what was invoiced, and is told.
#[test]
fn late_absurd_usage_gives_nothing_of_a_final_month_back() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "00:00 p STARTED 1024x1 app=a\n10:00 p STOPPED", "80d00:00");
    october_json(&program, "finalize", &[]);
    let event = |guid: &str, time: &str, state: &str| {
        let mut event = month::event(guid, &format!("2026-10-10T{time}:00Z"), state, "late");
        event["organization"]["guid"] = "o1".into();
        for key in ["memory_in_mb_per_instance", "instance_count"] {
            event[key]["current"] = 2_147_483_647_i64.into();
        }
        event.to_string()
    };
    // Their neighbours show where they belong.
    let archived = std::fs::read_to_string(program.folder.path().join("app.jsonl")).unwrap();
    let mut lines: Vec<String> = archived.lines().map(str::to_owned).collect();
    lines.insert(2, event("l2", "20:00", "STOPPED"));
    lines.insert(1, event("l1", "02:00", "STARTED"));
    super::import_more(&program, &lines);
    let run = october(&program, "draft", &[]);
    assert!(run.code == Some(1) && run.stderr.contains("2147483647 instance(s)"), "{}", run.stderr);
    let listed = program.json(&["invoices", "list"]);
    assert_eq!((&listed[0]["net"], &listed[0]["difference"]), (&"10.00".into(), &Value::Null));
    let credit =
        program.run(&["invoices", "credit", "CF-000001", "--difference", "--reason", "late", "--rates", "card.toml"]);
    assert!(credit.code == Some(1) && credit.stderr.contains("2147483647 instance(s)"), "{}", credit.stderr);
}

crate::on_postgres! {
    an_absurd_app_stops_its_own_accounts_invoice_alone,
    an_amount_past_its_range_stops_its_own_accounts_invoice_alone,
    an_app_larger_than_any_foundation_waits_for_a_decision,
}
