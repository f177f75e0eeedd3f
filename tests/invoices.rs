//! Invoices: right to the cent, blocked by what has no price, numbered without gaps, never changed.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dataset::{import, kept};
use crate::support::database;
use crate::support::month;
use crate::support::program::{Program, path};

const CARD: &str = r#"
name = "test"
currency = "EUR"
[[process]]
instance_hour = "0.0021"
memory_gib_hour = "0.0123456789"
disk_gib_hour = "0.0004"
[[process]]
buildpack = "java_buildpack"
memory_gib_hour = "0.02"
[[staging]]
memory_gib_hour = "0.5"
disk_gib_hour = "0.25"
[[task]]
memory_gib_hour = "1"
[[service]]
instance_hour = "0.05"
[[service]]
plan_guid = "P"
instance_hour = "1"
"#;

/// A JSON amount in cents.
fn cents(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    let (whole, fraction) = text.split_once('.').unwrap();
    assert_eq!(fraction.len(), 2, "{text}");
    format!("{whole}{fraction}").parse().unwrap()
}

/// Lines as `what meter quantity amount`.
fn lines(invoice: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (invoice["lines"].as_array().unwrap().iter())
        .map(|line| {
            let name = if line["app"].is_null() { &line["service_instance"]["name"] } else { &line["app"]["guid"] };
            let estimated = if line["estimated"] == true { " estimated" } else { "" };
            format!(
                "{} {} {} {} {} {}{estimated}",
                text(&line["kind"]),
                text(name),
                text(&line["buildpack"]),
                text(&line["meter"]),
                line["quantity"],
                text(&line["amount"])
            )
        })
        .collect()
}

fn show(program: &Program, invoice: &Value) -> Value {
    program.json(&["invoices", "show", &invoice["id"].to_string()])
}

#[test]
fn a_small_month_is_right_to_the_cent() {
    let program = Program::new();
    month::card(&program, CARD);
    month::import(
        &program,
        "10:00 p STARTED 512x2 app=a
         11:00 q STARTED 2048x1 app=b bp=java_buildpack
         12:00 a STAGING_STARTED
         12:10 a STAGING_STOPPED bp=go
         12:20 a STAGING_STARTED
         13:00 t TASK_STARTED 64x1 app=a
         13:30 t TASK_STOPPED
         10:00 s CREATED plan=P
         10:00 r CREATED plan=Q
         10:00 u CREATED user-provided
         14:00 p STOPPED app=a
         15:00 q STOPPED app=b",
        "30d00:00",
    );
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    let invoice = show(&program, &drafts[0]);
    // 2026-10-10 10:00 to the end of the month: 518 h.
    assert_eq!(
        lines(&invoice),
        [
            "process a - instance_hour 28800 0.02",                   // 8 h x 0.0021 = 0.0168
            "process a - memory_gib_hour 14745600 0.05",              // 4 GiB·h x 0.0123456789 = 0.0494
            "process a - disk_gib_hour 29491200 0.00",                // 8 GiB·h x 0.0004 = 0.0032
            "process b java_buildpack memory_gib_hour 29491200 0.16", // 8 GiB·h x 0.02
            "service r - instance_hour 1864800 25.90",                // 518 h x 0.05
            "service s - instance_hour 1864800 518.00",               // 518 h x 1
            "staging a - memory_gib_hour 921600 0.13 estimated",      // 15 min of the cap: 0.25 x 0.5 = 0.125
            "staging a - disk_gib_hour 5529600 0.38 estimated",       // 1.5 GiB·h x 0.25 = 0.375
            "staging a go memory_gib_hour 614400 0.08",               // 10 min: 0.1667 x 0.5
            "staging a go disk_gib_hour 3686400 0.25",                // 6 GiB x 10 min = 1 GiB·h x 0.25
            "task a - memory_gib_hour 115200 0.03",                   // 64 MiB x 30 min = 0.03125
        ]
    );
    let sum: i64 = invoice["lines"].as_array().unwrap().iter().map(|line| cents(&line["amount"])).sum();
    assert_eq!(cents(&invoice["net"]), sum);
    assert_eq!(invoice["net"], "545.00");
    assert_eq!(invoice["estimated"], "0.51");
    assert_eq!(invoice["account"], "f/o1");
}

#[test]
fn the_month_is_that_of_the_billing_time_zone() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    // Since 20 September; an October in Berlin has 745 hours.
    month::import(&program, "-20d00:00 p STARTED 512x1 app=a", "40d00:00");
    for (zone, hours) in [("UTC", 744), ("Europe/Berlin", 745), ("America/New_York", 744)] {
        let mut command =
            program.command(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml", "--format", "json"]);
        let run =
            crate::support::program::Run::from(command.env("CF_BILLING__BILLING__TIME_ZONE", zone).output().unwrap());
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let drafts: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(drafts[0]["net"], format!("{hours}.00"), "{zone}");
    }
}

#[test]
fn every_account_of_a_real_month_adds_up() {
    let program = Program::new();
    import(&program, &kept("small"), "5000");
    month::card(&program, CARD);
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    let drafts = drafts.as_array().unwrap();
    let truth: Value =
        serde_json::from_str(&std::fs::read_to_string(kept("small").join("truth-kind-org-buildpack.json")).unwrap())
            .unwrap();
    let orgs: BTreeSet<_> = truth.as_array().unwrap().iter().map(|row| row["org_guid"].as_str().unwrap()).collect();
    assert_eq!(drafts.len(), orgs.len());
    for draft in drafts {
        let invoice = show(&program, draft);
        let org = invoice["account"].as_str().unwrap().split_once('/').unwrap().1;
        let of_org = |row: &&Value| row["org_guid"] == org;
        // The quantities on the invoice are the truth's, whatever the lines.
        for (kind, key, meter) in [
            ("process", "memory_mib_seconds", "memory_gib_hour"),
            ("staging", "memory_mib_seconds", "memory_gib_hour"),
            ("task", "memory_mib_seconds", "memory_gib_hour"),
            ("service", "instance_seconds", "instance_hour"),
        ] {
            let true_rows = truth.as_array().unwrap().iter().filter(of_org).filter(|row| row["kind"] == kind);
            let truth: i64 = true_rows.map(|row| row[key].as_i64().unwrap()).sum();
            let billed = invoice["lines"].as_array().unwrap().iter();
            let billed = billed.filter(|line| line["kind"] == kind && line["meter"] == meter);
            assert_eq!(billed.map(|line| line["quantity"].as_i64().unwrap()).sum::<i64>(), truth, "{org} {kind}");
        }
        // Each amount is quantity x price / unit, half up, by integers of our own.
        let mut net = 0;
        for line in invoice["lines"].as_array().unwrap() {
            let price = line["price"].as_str().unwrap();
            let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
            let scaled: i128 = format!("{whole}{fraction}").parse().unwrap();
            let divisor =
                i128::from(line["unit_size"].as_i64().unwrap()) * 10_i128.pow(u32::try_from(fraction.len()).unwrap());
            let exact = i128::from(line["quantity"].as_i64().unwrap()) * scaled * 100;
            let expected = (exact * 2 + divisor) / (divisor * 2);
            assert_eq!(i128::from(cents(&line["amount"])), expected, "{line}");
            net += cents(&line["amount"]);
        }
        assert_eq!(cents(&invoice["net"]), net);
    }
}

#[test]
fn unpriced_usage_is_shown_and_keeps_an_invoice_from_being_final() {
    let program = Program::new();
    let rates = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nbuildpack = \"go\"\ninstance_hour = \"1\"\n";
    month::card(&program, rates);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a bp=go\n 01:00 p STOPPED\n 00:00 q STARTED 512x1 app=b\n 01:00 q STOPPED",
        "30d00:00",
    );
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
    let run = program.run(&finalize);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    insta::allow_duplicates! {
    insta::assert_snapshot!(run.stderr, @r"
    warning: card.toml:1:1: there is no `staging` rate: stagings will be unpriced
    hint: add a [[staging]] for everything, with prices or free = true
    warning: card.toml:1:1: there is no `task` rate: tasks will be unpriced
    hint: add a [[task]] for everything, with prices or free = true
    warning: card.toml:1:1: there is no `service` rate: service instances will be unpriced
    hint: add a [[service]] for everything, with prices or free = true
    warning: card.toml:3:1: every `process` rate is for a buildpack; docker apps and the like have none
    hint: add a [[process]] for everything, with prices or free = true
    error: f/o1: 1 line(s) of usage have no price, such as process b
    hint: to give unpriced usage a price, add a rate or `free = true`; `invoices show`, `invoices explain`, `gaps` and `anomalies` show more; to bill it as it is, add --accept unpriced:f/o1
    ");
    }
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    assert_eq!(drafts[0]["unpriced_lines"], 1);
    let shown = program.succeed(&["invoices", "show", "1"]).stdout;
    assert!(shown.contains("no price"), "{shown}");
    // Declared free, it is shown and blocks nothing.
    month::card(&program, &format!("{rates}[[process]]\nfree = true\n"));
    program.succeed(&finalize);
    let invoice = program.json(&["invoices", "show", "CF-000001"]);
    assert_eq!(lines(&invoice), ["process a go instance_hour 3600 1.00", "process b - instance_hour 3600 0.00"]);
}

#[test]
fn a_period_is_final_only_when_usage_is_complete_through_its_end() {
    let rates = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n";
    // The period ends 22 days after the script's day; the sweep window is an hour.
    for (through, code) in [("22d00:59:59", 1), ("22d01:00", 0)] {
        let program = Program::new();
        month::card(&program, rates);
        month::import(&program, "00:00 p STARTED 512x1 app=a", through);
        let run = program.run(&["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"]);
        assert_eq!(run.code, Some(code), "{through}: {}", run.stderr);
        assert_eq!(
            run.stderr.contains("usage is complete only up to 2026-10-31T23:59:59Z"),
            code == 1,
            "{}",
            run.stderr
        );
    }
}

/// All final numbers, as integers, in the order of the account.
fn numbers(program: &Program) -> Vec<i64> {
    let list = program.json(&["invoices", "list", "--status", "final"]);
    let number = |invoice: &Value| invoice["number"].as_str().unwrap().trim_start_matches("CF-").parse().unwrap();
    let mut numbers: Vec<i64> = list.as_array().unwrap().iter().map(number).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn numbers_have_no_gaps_whoever_asks_and_whatever_dies() {
    let program = Program::new();
    import(&program, &kept("small"), "5000");
    month::card(&program, CARD);
    let accept = month::accepted_estimates(&program);
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
    let finalize: Vec<&str> = finalize.into_iter().chain(accept.iter().map(String::as_str)).collect();
    // Two at once, killed again and again, each time a little later.
    for round in 0..6_u32 {
        let mut children = [program.spawn(&finalize), program.spawn(&finalize)];
        let before = numbers(&program).len();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while numbers(&program).len() == before && children.iter_mut().any(|child| child.try_wait().unwrap().is_none())
        {
            assert!(std::time::Instant::now() < deadline, "nothing was finalised within 30 s");
        }
        for mut child in children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let now = numbers(&program);
        assert_eq!(now, (1..=i64::try_from(now.len()).unwrap()).collect::<Vec<_>>(), "in round {round}");
    }
    program.succeed(&finalize);
    assert_eq!(numbers(&program), (1..=12).collect::<Vec<_>>());
    // Asking again changes nothing.
    let again = program.succeed(&finalize);
    assert_eq!(again.stderr.matches("final already").count(), 12, "{}", again.stderr);
    assert_eq!(numbers(&program), (1..=12).collect::<Vec<_>>());
}

#[test]
fn a_final_invoice_never_changes() {
    let program = Program::new();
    let card = format!("{CARD}[[minimum]]\namount = \"1\"\n[[tax]]\npercent = \"19\"\n");
    month::card(&program, &card);
    month::import(&program, "00:00 p STARTED 512x1 app=a\n 01:00 p STOPPED", "30d00:00");
    program.succeed(&["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"]);
    let before = program.json(&["invoices", "show", "CF-000001"]);
    // A late event, another price, a new draft: the final one stays as it was.
    let file = program.folder.path().join("app.jsonl");
    let events = std::fs::read_to_string(&file).unwrap();
    let (first, rest) = events.split_once('\n').unwrap();
    let late = first.replace("event-0", "late").replace("T00:00:00Z", "T00:30:00Z").replace("512", "4096");
    std::fs::write(&file, format!("{first}\n{late}\n{rest}")).unwrap();
    let imported = program.succeed(&["import", "--foundation", "f", "--app-events", path(&file)]);
    assert!(imported.stderr.contains(" 1 late"), "{}", imported.stderr);
    month::card(&program, &card.replace("0.0123456789", "9"));
    let refused = program.run(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    assert!(refused.stderr.contains("would be 9 instead of 0.0123456789 in 2026-10"), "{}", refused.stderr);
    month::card(&program, &format!("{card}[[process]]\nfrom = 2026-11-01\nmemory_gib_hour = \"9\"\n"));
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    assert_eq!(drafts, Value::Array(Vec::new()));
    assert_eq!(program.json(&["invoices", "show", "CF-000001"]), before);
    // Nor does the database let anybody change it.
    for statement in [
            "UPDATE invoice SET net = 0",
            "UPDATE invoice SET status = 'draft'",
            "DELETE FROM invoice",
            "UPDATE invoice_line SET amount = 0",
            "DELETE FROM invoice_line",
            "INSERT INTO invoice_line SELECT invoice_id, 99, foundation, organization_guid, organization_name, space_guid, space_name, kind,
                app_guid, app_name, service_instance_guid, service_instance_name, service_offering_guid, service_offering_name,
                service_plan_guid, service_plan_name, buildpack, estimated, started_at, ended_at, meter, quantity, unit_size,
                price, amount, rate, used, part, granularity, list_price, discount, days, basis_row FROM invoice_line LIMIT 1",
            "UPDATE invoice SET tax = 0",
            "UPDATE invoice_adjustment SET amount = 0",
            "DELETE FROM invoice_adjustment",
            "INSERT INTO invoice_adjustment (invoice_id, position, adjustment, name, amount) SELECT id, 9, 'minimum', 'x', 1 FROM invoice",
        ] {
        let error = database::execute(&program.database(), statement).unwrap_err().to_string();
        assert!(error.contains("a final invoice"), "{statement}: {error}");
    }
}

#[test]
fn drafts_follow_the_book_and_go_when_there_is_nothing_left() {
    let program = Program::new();
    month::card(&program, CARD);
    month::import(&program, "00:00 p WAS_RUNNING 512x1 app=a org=o2 space=s2\n 00:00 q STARTED 512x1", "1d00:00");
    let draft = ["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"];
    assert_eq!(program.json(&draft).as_array().unwrap().len(), 2);
    // The repaired ending voids all that o2 had.
    let file = program.folder.path().join("more.jsonl");
    let archived = std::fs::read_to_string(program.folder.path().join("app.jsonl")).unwrap();
    let mut lines: Vec<&str> = archived.lines().collect();
    let ending = lines[0].replace("event-0", "event-9");
    let ending = ending.replace(
        "\"current\":\"WAS_RUNNING\",\"previous\":null",
        "\"current\":\"STOPPED\",\"previous\":\"WAS_RUNNING\"",
    );
    let ending = ending.replace("T00:00:00Z", "T12:00:00Z");
    // Among those that are archived already: alone, nothing would say where it belongs.
    lines.insert(2, &ending);
    std::fs::write(&file, lines.join("\n")).unwrap();
    program.succeed(&["import", "--foundation", "f", "--app-events", path(&file)]);
    assert_eq!(program.json(&draft).as_array().unwrap().len(), 1);
    assert_eq!(program.json(&["invoices", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_month_is_invoiced_once_whatever_the_time_zone() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    month::import(&program, "00:00 p STARTED 512x1 app=a", "40d00:00");
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
    program.succeed(&finalize);
    let list = || program.json(&["invoices", "list"]);
    let before = list();
    for zone in ["America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago"] {
        let mut command = program.command(&finalize);
        let output = command.env("CF_BILLING__BILLING__TIME_ZONE", zone).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && said.contains("final already"), "{zone}: {said}");
        assert_eq!(list(), before, "{zone}");
    }
    // The next month is another one.
    let mut command = program.command(&["invoices", "draft", "--period", "2026-11", "--rates", "card.toml"]);
    assert!(command.env("CF_BILLING__BILLING__TIME_ZONE", "America/New_York").status().unwrap().success());
    assert_eq!(list().as_array().unwrap().len(), 2);
}

#[test]
fn imports_are_complete_as_far_as_both_streams_go_or_as_is_said() {
    let program = Program::new();
    month::card(
        &program,
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[service]]\ninstance_hour = \"1\"\n",
    );
    month::import(&program, "00:00 p STARTED 512x1 app=a\n00:00 s CREATED plan=A", "5d00:00");
    // One stream goes on, the other was cut.
    let later = r#"{"guid": "later", "created_at": "2026-12-01T00:00:00Z", "state": {"current": "DELETED"}, "service_instance": {"guid": "other", "name": "x", "type": "managed_service_instance"}}"#;
    std::fs::write(program.folder.path().join("later.json"), later).unwrap();
    program.succeed(&["import", "--foundation", "f", "--service-events", "later.json"]);
    let finalize = ["invoices", "finalize", "--period", "2026-10", "--rates", "card.toml"];
    let run = program.run(&finalize);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("usage is complete only up to 2026-10-14T23:00:00Z"), "{}", run.stderr);
    assert!(!run.stderr.contains("add rates"), "{}", run.stderr);
    program.succeed(&[
        "import",
        "--foundation",
        "f",
        "--service-events",
        "later.json",
        "--complete-until",
        "2026-12-02",
    ]);
    program.succeed(&finalize);
}

#[test]
fn invoicing_what_nobody_used_is_an_error() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    month::import(&program, "00:00 p STARTED 512x1 app=a", "40d00:00");
    for (command, more) in
        [("draft", ["--period", "2025-01"].as_slice()), ("finalize", &["--period", "2026-10", "--account", "nobody"])]
    {
        let run = program.run(&[&["invoices", command, "--rates", "card.toml"], more].concat());
        assert_eq!(run.code, Some(1), "{}", run.stderr);
        assert!(
            run.stderr.contains("error: nothing was used in ") && run.stderr.contains("\nhint: "),
            "{}",
            run.stderr
        );
    }
}

/// One customer in two foundations, whose organizations have the same names and guids there.
#[test]
fn an_account_of_several_foundations_gets_one_invoice() {
    let program = Program::new();
    month::card(&program, CARD);
    let script = "01:00 p STARTED 1024x1 bp=ruby\n02:00 q STARTED 1024x2 bp=ruby space=s2 org=o2\n\
                  03:00 q STOPPED 1024x2 space=s2 org=o2\n11:00 p STOPPED 1024x1";
    let other = "01:00 p STARTED 2048x1 bp=ruby\n11:00 p STOPPED 2048x1";
    month::import_into(&program, "eu1", script, "25d00:00");
    month::import_into(&program, "us1", other, "25d00:00");
    let base = ["--period", "2026-10", "--rates", "card.toml"];
    let draft = || program.json(&[&["invoices", "draft"][..], &base].concat());
    let nets = |drafts: &Value| -> std::collections::BTreeMap<String, i64> {
        let list = drafts.as_array().unwrap().iter();
        list.map(|draft| (draft["account"].as_str().unwrap().to_owned(), cents(&draft["net"]))).collect()
    };
    let apart = nets(&draft());
    assert_eq!(apart.keys().collect::<Vec<_>>(), ["eu1/o1", "eu1/o2", "us1/o1"]);
    assert_ne!(apart["eu1/o1"], apart["us1/o1"], "the same guid in another foundation is another organization");

    std::fs::write(
        program.folder.path().join("accounts.toml"),
        "[[account]]\nid = \"acme\"\nname = \"ACME\"\norganizations = [\"eu1/o1\", \"us1/o1\"]\n",
    )
    .unwrap();
    std::fs::write(program.folder.path().join("cf-billing.toml"), "[billing]\naccounts = \"accounts.toml\"\n").unwrap();
    let with = [&base[..], &["--config", "cf-billing.toml"]].concat();
    let drafts = program.json(&[&["invoices", "draft"][..], &with].concat());
    let together = nets(&drafts);
    assert_eq!(together.keys().collect::<Vec<_>>(), ["acme", "eu1/o2"]);
    assert_eq!(together["acme"], apart["eu1/o1"] + apart["us1/o1"]);
    let shown = show(&program, drafts.as_array().unwrap().iter().find(|draft| draft["account"] == "acme").unwrap());
    assert_eq!(shown["account_name"], "ACME");
    let foundations: BTreeSet<&str> =
        shown["lines"].as_array().unwrap().iter().map(|line| line["foundation"].as_str().unwrap()).collect();
    assert_eq!(foundations, BTreeSet::from(["eu1", "us1"]));

    // It is complete when usage is in both.
    program.succeed(&[&["invoices", "finalize", "--account", "acme"][..], &with].concat());
    // Whose usage is on a final invoice isn't charged for again when the accounts change.
    let later = nets(&draft());
    assert_eq!(later.keys().collect::<Vec<_>>(), ["eu1/o2"]);
    // And who joins an account whose invoice is final already pays for that month by himself.
    let both = "[[account]]\nid = \"acme\"\nname = \"ACME\"\norganizations = [\"eu1/o1\", \"us1/o1\", \"eu1/o2\"]\n";
    std::fs::write(program.folder.path().join("accounts.toml"), both).unwrap();
    let joined = nets(&program.json(&[&["invoices", "draft"][..], &with].concat()));
    assert_eq!(joined, later);
    let november = ["--period", "2026-11", "--rates", "card.toml", "--config", "cf-billing.toml"];
    month::import_into(&program, "eu1", "31d01:00 r STARTED 512x1\n31d02:00 r STOPPED 512x1", "60d00:00");
    let behind = program.run(&[&["invoices", "finalize", "--account", "acme"][..], &november].concat());
    assert_eq!(behind.code, Some(1), "{}", behind.stdout);
    assert!(behind.stderr.contains("usage is complete only up to 2026-11-03"), "us1 is behind: {}", behind.stderr);

    std::fs::write(program.folder.path().join("accounts.toml"), "[[account]]\nid = \"a\"\n").unwrap();
    let wrong = program.run(&[&["invoices", "draft"][..], &with].concat());
    assert!(wrong.code == Some(1) && wrong.stderr.contains("accounts.toml:1:1: `name` is missing"), "{}", wrong.stderr);
}

crate::on_postgres! {
    an_account_of_several_foundations_gets_one_invoice,
    a_small_month_is_right_to_the_cent,
    the_month_is_that_of_the_billing_time_zone,
    every_account_of_a_real_month_adds_up,
    unpriced_usage_is_shown_and_keeps_an_invoice_from_being_final,
    a_period_is_final_only_when_usage_is_complete_through_its_end,
    numbers_have_no_gaps_whoever_asks_and_whatever_dies,
    a_final_invoice_never_changes,
    drafts_follow_the_book_and_go_when_there_is_nothing_left,
    a_month_is_invoiced_once_whatever_the_time_zone,
    imports_are_complete_as_far_as_both_streams_go_or_as_is_said,
    invoicing_what_nobody_used_is_an_error,
}
