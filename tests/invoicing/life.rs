//! From draft to review to final: what passes with time, what somebody must accept by name, what is held.

use serde_json::Value;

use super::{configure, october, october_json, shown};
use crate::support::database::execute;
use crate::support::month;
use crate::support::program::Program;

const RATES: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[staging]]\nmemory_gib_hour = \"1\"\n\
                     [[task]]\nfree = true\n[[service]]\nfree = true\n";

#[test]
fn drafts_are_in_review_once_usage_is_complete_and_the_grace_time_is_over() {
    // The period ends 22 days after the script's day; the sweep window is an hour.
    for (through, grace, status) in [
        ("22d00:59:59", "0s", "draft"),
        ("22d01:00", "0s", "in_review"),
        ("22d01:00", "92d", "draft"),
        ("40d00:00", "1s", "in_review"),
    ] {
        let program = Program::new();
        month::card(&program, RATES);
        month::import(&program, "00:00 p STARTED 512x1 app=a", through);
        let with = configure(&program, &format!("[billing]\ngrace = \"{grace}\"\n"));
        let drafts = october_json(&program, "draft", &with);
        assert_eq!(drafts[0]["status"], status, "{through} {grace}");
        let listed = program.json(&["invoices", "list", "--status", status]);
        assert_eq!(listed.as_array().unwrap().len(), 1);
        let run = october(&program, "finalize", &with);
        assert_eq!(run.code, Some(i32::from(status == "draft")), "{through} {grace}: {}", run.stderr);
        if grace == "92d" {
            assert!(run.stderr.contains("the grace time lasts until 2027-02-01T00:00:00Z"), "{}", run.stderr);
        }
    }
}

/// Months are cut in the billing time zone, so what is said of them is in that zone, too.
#[test]
fn what_keeps_an_invoice_from_being_final_is_told_in_the_billing_time_zone() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "00:00 p STARTED 512x1 app=a", "14d23:00");
    let with = configure(&program, "[billing]\ntime_zone = \"Europe/Berlin\"\ngrace = \"92d\"\n");
    october(&program, "draft", &with);
    let run = october(&program, "finalize", &with);
    // Known until 23:00 UTC on the 24th, less the sweep window; Berlin left summer time on the 25th.
    for told in [
        "usage is complete only up to 2026-10-25T00:00:00+02:00; the period ends at 2026-11-01T00:00:00+01:00",
        "the grace time lasts until 2027-02-01T00:00:00+01:00",
    ] {
        assert!(run.stderr.contains(told), "{told} is not in\n{}", run.stderr);
    }
    let shown = program.succeed(&["invoices", "show", "1"]).stdout;
    assert!(shown.contains("2026-10-01T00:00:00+02:00 to 2026-11-01T00:00:00+01:00"), "{shown}");
}

#[test]
fn what_is_held_stays_a_draft_until_it_is_released() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "00:00 p STARTED 512x1 app=a\n00:00 q STARTED 512x1 app=b org=o2 space=s2", "40d00:00");
    october_json(&program, "draft", &[]);
    let hold = ["invoices", "hold", "--period", "2026-10", "--account", "f/o1", "--reason", "usage is disputed"];
    program.succeed(&hold);
    let again = program.run(&hold);
    assert!(again.code == Some(1) && again.stderr.contains("is already held"), "{}", again.stderr);
    // It stays held when drafts are made anew.
    october_json(&program, "draft", &[]);
    let held = shown(&program, "1");
    assert_eq!(held["held"], "usage is disputed");
    let run = october(&program, "finalize", &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("f/o1: it is held: usage is disputed"), "{}", run.stderr);
    assert_eq!(program.json(&["invoices", "list", "--status", "final"])[0]["account"], "f/o2");
    let release = ["invoices", "release", "--period", "2026-10", "--account", "f/o1", "--reason", "agreed"];
    program.succeed(&release);
    let again = program.run(&release);
    assert!(again.code == Some(1) && again.stderr.contains("isn't held"), "{}", again.stderr);
    october_json(&program, "finalize", &[]);
    assert_eq!(program.json(&["invoices", "list", "--status", "final"]).as_array().unwrap().len(), 2);
    // What is final can't be held, nor can what isn't there.
    for (account, told) in [("f/o1", "is already final"), ("nobody", "there is no draft of `nobody`")] {
        let run = program.run(&["invoices", "hold", "--period", "2026-10", "--account", account, "--reason", "x"]);
        assert!(run.code == Some(1) && run.stderr.contains(told) && run.stderr.contains("hint: "), "{}", run.stderr);
    }
    let silent = program.run(&["invoices", "hold", "--period", "2026-10", "--account", "f/o1", "--reason", " "]);
    assert_eq!(silent.code, Some(2), "{}", silent.stderr);
}

#[test]
fn estimates_and_what_has_no_price_are_accepted_by_name() {
    let program = Program::new();
    month::card(
        &program,
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nbuildpack = \"go\"\ninstance_hour = \"1\"\n[[staging]]\nmemory_gib_hour = \"1\"\n",
    );
    // The staging's ending is lost; q has no price.
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a bp=go\n01:00 p STOPPED\n00:00 a STAGING_STARTED\n\
         00:00 q STARTED 512x1 app=b\n01:00 q STOPPED",
        "40d00:00",
    );
    let run = october(&program, "finalize", &[]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("add --accept estimated:f/o1 --accept unpriced:f/o1"), "{}", run.stderr);
    for accept in ["estimated:f/o1", "unpriced:f/o1"] {
        let run = october(&program, "finalize", &["--accept", accept]);
        assert_eq!(run.code, Some(1), "{}", run.stderr);
    }
    let wrong = october(&program, "finalize", &["--accept", "estimated:f/o2"]);
    assert!(
        wrong.stderr.contains("`estimated:f/o2` doesn't keep any invoice of 2026-10 from being final"),
        "{}",
        wrong.stderr
    );
    october_json(&program, "finalize", &["--accept", "estimated:f/o1", "--accept", "unpriced:f/o1"]);
    let invoice = shown(&program, "CF-000001");
    let accepted: Vec<&str> = invoice["accepted"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(
        accepted,
        ["1 line(s) of usage have no price, such as process b", "0.25 EUR of it rests on estimated usage"]
    );
    assert_eq!(invoice["unpriced_lines"], 1);
    assert_eq!(invoice["net"], "1.25");
}

#[test]
fn acceptances_may_stand_in_a_file() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "00:00 a STAGING_STARTED\n00:00 b STAGING_STARTED org=o2 space=s2", "40d00:00");
    let names = "# agreed on 3 November\nestimated:f/o1\n\nestimated:f/o2\n";
    std::fs::write(program.folder.path().join("accepted.txt"), names).unwrap();
    let finals = october_json(&program, "finalize", &["--accept-from", "accepted.txt"]);
    assert_eq!(finals.as_array().unwrap().len(), 2);
    let run = october(&program, "finalize", &["--accept-from", "nothing.txt"]);
    assert!(run.code == Some(2) && run.stderr.contains("nothing.txt"), "{}", run.stderr);
}

/// October has 16 hours; so many times that and a bit more must be accepted.
#[test]
fn an_invoice_far_above_the_month_before_is_accepted_by_name() {
    for (hours, factor, blocked) in
        [(48, "3", false), (49, "3", true), (49, "0", false), (32, "2", false), (33, "2", true)]
    {
        let program = Program::new();
        month::card(&program, RATES);
        let script = format!(
            "00:00 p STARTED 512x1 app=a\n16:00 p STOPPED\n25d00:00 q STARTED 512x1 app=a\n{} q STOPPED",
            if hours < 48 { format!("26d{:02}:00", hours - 24) } else { format!("27d{:02}:00", hours - 48) }
        );
        month::import(&program, &script, "80d00:00");
        let with = configure(&program, &format!("[billing]\ngrace = \"0s\"\njump_factor = {factor}\n"));
        october_json(&program, "finalize", &with);
        let november = |more: &[&str]| {
            let base = ["invoices", "finalize", "--period", "2026-11", "--rates", "card.toml"];
            program.run(&[&base[..], &with, more].concat())
        };
        // This November isn't over yet.
        let told = november(&[]).stderr;
        let jump = format!("{hours}.00 EUR is more than {factor} times the 16.00 of the month before");
        assert_eq!(told.contains(&jump), blocked, "{hours} {factor}: {told}");
        assert_eq!(told.contains("--accept jump:f/o1"), blocked, "{told}");
    }
}

#[test]
fn a_draft_tells_what_keeps_it_from_being_final() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "00:00 a STAGING_STARTED", "1d00:00");
    october_json(&program, "draft", &[]);
    let draft = shown(&program, "1");
    let blockers: Vec<&Value> = draft["blockers"].as_array().unwrap().iter().collect();
    assert_eq!(blockers.len(), 2, "{blockers:?}");
    let table = program.succeed(&["invoices", "show", "1"]).stdout;
    assert!(table.contains("Not final: usage is complete only up to"), "{table}");
    assert!(table.contains("Not final: 0.25 EUR of it rests on estimated usage"), "{table}");
}

/// A time zone that this program doesn't know isn't taken for another.
#[test]
fn an_invoice_of_an_unknown_time_zone_is_an_error_that_names_it() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED", "5d00:00");
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\n");
    let drafts = october_json(&program, "draft", &with);
    let id = drafts[0]["id"].to_string();
    execute(&program.database(), "UPDATE invoice SET time_zone = 'Europe/Atlantis'").unwrap();
    let run = program.run(&["invoices", "show", &id]);
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("invoice.time_zone") && run.stderr.contains("Europe/Atlantis"), "{}", run.stderr);
}

crate::on_postgres! {
    drafts_are_in_review_once_usage_is_complete_and_the_grace_time_is_over,
    what_is_held_stays_a_draft_until_it_is_released,
    an_invoice_of_an_unknown_time_zone_is_an_error_that_names_it,
    estimates_and_what_has_no_price_are_accepted_by_name,
}
