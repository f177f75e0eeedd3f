//! Every cent explained: steps that add up to what is printed, down to the events.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::{cents, configure, event_of, import_between, like, october_json, shown};
use crate::support::month;
use crate::support::program::Program;

const CARD: &str = r#"
name = "everything"
currency = "EUR"
[[process]]
instance_hour = "0.0021"
memory_gib_hour = { model = "graduated", tiers = [{ up_to = "50", price = "0.0123456789" }, { price = "0.01" }] }
[[process]]
buildpack = "go"
memory_gib_hour = "0.02"
granularity = { unit = "hour", round = "up", per = "interval" }
[[staging]]
memory_gib_hour = "0.5"
disk_gib_hour = "0.25"
per_staging = "0.01"
minimum_seconds = 60
[[task]]
memory_gib_hour = { model = "package", size = "1", price = "0.5" }
[[service]]
month = "25"
[[allowance]]
name = "first 20 GiB-hours"
kind = "process"
meter = "memory_gib_hour"
amount = "20"
[[discount]]
name = "partner"
percent = "7.5"
[[minimum]]
name = "base"
amount = "40"
[[tax]]
percent = "19"
"#;

/// A month of random use, from a seed.
fn script(seed: u64) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut lines: Vec<(u32, String)> = Vec::new();
    let at = |minute: u32| format!("{}d{:02}:{:02}", minute / 1440, minute / 60 % 24, minute % 60);
    for number in 0..random.random_range(3..9_u32) {
        let begins = random.random_range(0..20 * 1440);
        let ends = begins + random.random_range(1..4000);
        let (app, org) = (number % 4, number % 2 + 1);
        let place = format!("app=a{app} org=o{org} space=s{org}");
        let (memory, instances) = (128 << random.random_range(0..5_u32), random.random_range(1..4_u32));
        let buildpack = ["", " bp=go", " bp=ruby"][random.random_range(0..3_usize)];
        match random.random_range(0..4_u32) {
            0 => {
                lines.push((begins, format!("s{number} CREATED plan=A org=o{org} space=s{org}")));
                lines.push((ends, format!("s{number} DELETED plan=A org=o{org} space=s{org}")));
            }
            1 => {
                lines.push((begins, format!("t{number} TASK_STARTED {memory}x1 {place}")));
                lines.push((ends, format!("t{number} TASK_STOPPED {place}")));
            }
            2 => {
                lines.push((begins, format!("b{number} STAGING_STARTED org=o{org} space=s{org}")));
                if random.random_bool(0.8) {
                    let short = begins + random.random_range(0..14);
                    lines.push((short, format!("b{number} STAGING_STOPPED bp=go org=o{org} space=s{org}")));
                }
            }
            _ => {
                lines.push((begins, format!("p{number} STARTED {memory}x{instances} {place}{buildpack}")));
                let middle = begins + (ends - begins) / 2;
                let more = instances + 1;
                lines.push((middle, format!("p{number} STARTED {memory}x{more} {place}{buildpack}")));
                if random.random_bool(0.8) {
                    lines.push((ends, format!("p{number} STOPPED {memory}x{more} {place}{buildpack}")));
                }
            }
        }
    }
    lines.push((0, "first STARTED 64x1 app=first org=o1 space=s1".to_owned()));
    lines.sort_by_key(|(minute, _)| *minute);
    lines.iter().map(|(minute, line)| format!("{} {line}\n", at(*minute))).collect()
}

/// The amount at the end of a step: `12.34 EUR`.
fn amount_of(step: &Value) -> i64 {
    let text = step["result"].as_str().unwrap().strip_suffix(" EUR").unwrap();
    cents(&Value::from(text))
}

/// Σ lines + adjustments + tax = what is to be paid = Σ FOCUS rows = what the steps of explain come to.
#[test]
fn every_sum_is_the_same_in_random_months() {
    for seed in 1..=8_u64 {
        println!("seed {seed}");
        let program = Program::new();
        month::card(&program, CARD);
        month::import(&program, &script(seed), "80d00:00");
        let with = configure(&program, "[billing]\nrates = \"card.toml\"\nseller = \"Seller\"\n");
        let drafts = october_json(&program, "draft", &with);
        let accept: Vec<String> = (drafts.as_array().unwrap().iter())
            .filter(|draft| draft["estimated"] != "0.00")
            .map(|draft| format!("--accept=estimated:{}", draft["account"].as_str().unwrap()))
            .collect();
        let accept: Vec<&str> = accept.iter().map(String::as_str).collect();
        let finals = october_json(&program, "finalize", &[&accept[..], &with].concat());
        for invoice in finals.as_array().unwrap() {
            let number = invoice["number"].as_str().unwrap();
            let invoice = shown(&program, number);
            let lines = invoice["lines"].as_array().unwrap();
            let of_lines: i64 = lines.iter().map(|line| cents(&line["amount"])).sum();
            let adjustments: i64 =
                invoice["adjustments"].as_array().unwrap().iter().map(|one| cents(&one["amount"])).sum();
            let tax = cents(&invoice["tax"]["amount"]);
            assert_eq!(cents(&invoice["net"]), of_lines + adjustments, "{number}");
            assert_eq!(cents(&invoice["gross"]), of_lines + adjustments + tax, "{number}");
            explained(&program, number, lines, cents(&invoice["gross"]));
            let out = program.folder.path().join("focus");
            program.succeed(&["invoices", "export", number, "--format", "focus", "--out", out.to_str().unwrap()]);
            let text = std::fs::read_to_string(out.join(format!("focus-{number}.csv"))).unwrap();
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let column = reader.headers().unwrap().iter().position(|name| name == "BilledCost").unwrap();
            let billed: rust_decimal::Decimal =
                reader.records().map(|row| row.unwrap()[column].parse::<rust_decimal::Decimal>().unwrap()).sum();
            assert_eq!(
                (billed * rust_decimal::Decimal::ONE_HUNDRED).normalize().to_string(),
                cents(&invoice["gross"]).to_string(),
                "{number}"
            );
        }
    }
}

fn explained(program: &Program, number: &str, lines: &[Value], gross: i64) {
    let mut command = vec!["invoices".to_owned(), "explain".to_owned(), number.to_owned()];
    command.extend((1..=lines.len()).map(|line| format!("--line={line}")));
    let explained = program.json(&command.iter().map(String::as_str).collect::<Vec<_>>());
    let steps = explained["steps"].as_array().unwrap();
    let (last, before) = steps.split_last().unwrap();
    assert_eq!((last["what"].as_str(), amount_of(last)), (Some("to pay"), gross));
    let parts: i64 = before.iter().filter(|step| step["what"] != "net").map(amount_of).sum();
    assert_eq!(parts, gross, "{number}: {steps:?}");
    let mut sum = 0;
    for (line, printed) in explained["lines"].as_array().unwrap().iter().zip(lines) {
        let last = line["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(amount_of(last), cents(&printed["amount"]), "{line}");
        sum += amount_of(last);
        // Seconds × instances × size are what was used, use by use.
        let uses = line["uses"].as_array().unwrap();
        assert!(!uses.is_empty(), "{line}");
        for one in uses {
            if line["meter"] != "per_staging" {
                let product = ["seconds", "instances", "size"].map(|name| one[name].as_i64().unwrap());
                assert_eq!(product.iter().product::<i64>(), one["used"].as_i64().unwrap(), "{one}");
            }
            assert_eq!(one["began"]["what"], "usage event");
            assert!(one["began"]["guid"].as_str().unwrap().starts_with("event-"), "{one}");
            assert_eq!(one["ledger_entry"].is_null(), one["ended"].is_null(), "{one}");
        }
    }
    assert_eq!(sum, amount_of(&steps[0]));
}

#[test]
fn what_became_known_later_doesn_t_change_what_a_final_invoice_rests_on() {
    let program = Program::new();
    month::card(&program, CARD);
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED", "80d00:00");
    configure(&program, "[billing]\nrates = \"card.toml\"\n");
    october_json(&program, "finalize", &[]);
    let explain = || program.json(&["invoices", "explain", "CF-000001", "--line", "1", "--config", "cf-billing.toml"]);
    let before = explain();
    let guids: BTreeSet<&str> = (before["lines"][0]["uses"].as_array().unwrap().iter())
        .flat_map(|one| [&one["began"]["guid"], &one["ended"]["guid"]])
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(guids.len(), 2, "{guids:?}");
    let late = like(&event_of(&program, "p", "STOPPED"), "late", "04:00", None);
    import_between(&program, &[late]);
    assert_eq!(explain(), before);
    let usage = program.json(&["usage", "--from", "2026-10-01", "--to", "2026-11-01"]);
    assert_eq!(usage[0]["instance_seconds"], 4 * 3600);
    let wrong = program.run(&["invoices", "explain", "CF-000001", "--line", "99", "--config", "cf-billing.toml"]);
    assert!(wrong.code == Some(1) && wrong.stderr.contains("has no line 99"), "{}", wrong.stderr);
}

#[test]
fn what_has_no_price_is_explained_as_such() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nbuildpack = \"go\"\ninstance_hour = \"1\"\n");
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a bp=go\n01:00 p STOPPED\n00:00 q STARTED 512x1 app=b\n05:00 q STOPPED",
        "80d00:00",
    );
    configure(&program, "[billing]\nrates = \"card.toml\"\n");
    october_json(&program, "finalize", &["--accept", "unpriced:f/o1"]);
    let lines = ["--line", "1", "--line", "2", "--config", "cf-billing.toml"];
    let explained = program.json(&[&["invoices", "explain", "CF-000001"][..], &lines].concat());
    let last = |line: usize| explained["lines"][line]["steps"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last(0)["result"], &last(1)["result"]), (&"1.00 EUR".into(), &"nothing is charged".into()));
}

#[test]
fn drafts_are_explained_as_they_are() {
    let program = Program::new();
    month::card(&program, CARD);
    month::import(&program, "00:00 p STARTED 512x1 app=a", "5d00:00");
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\n");
    let drafts = october_json(&program, "draft", &with);
    let id = drafts[0]["id"].to_string();
    let explained = program.json(&["invoices", "explain", &id, "--line", "1", "--config", "cf-billing.toml"]);
    assert_eq!(explained["lines"][0]["uses"][0]["ledger_entry"], Value::Null);
    let table = program.succeed(&["invoices", "explain", &id, "--line", "1", "--config", "cf-billing.toml"]).stdout;
    assert!(table.contains("open") && table.contains("event-"), "{table}");
    assert!(!table.contains("have changed since"), "{table}");
}

/// In a month that goes on, a draft is behind as soon as it is made.
#[test]
fn a_draft_whose_usage_went_on_is_explained_as_it_is_now() {
    let program = Program::new();
    month::card(&program, "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n");
    month::import(&program, "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED", "5d00:00");
    let with = configure(&program, "[billing]\nrates = \"card.toml\"\n");
    let drafts = october_json(&program, "draft", &with);
    let id = drafts[0]["id"].to_string();
    let explain = ["invoices", "explain", &id, "--line", "1", "--config", "cf-billing.toml"];
    let explained = program.json(&explain);
    assert_eq!((&explained["changed"], &explained["steps"][0]["result"]), (&false.into(), &"10.00 EUR".into()));
    import_between(&program, &[like(&event_of(&program, "p", "STOPPED"), "late", "04:00", None)]);
    let explained = program.json(&explain);
    assert_eq!((&explained["changed"], &explained["steps"][0]["result"]), (&true.into(), &"4.00 EUR".into()));
    assert_eq!(explained["lines"][0]["uses"][0]["seconds"], 4 * 3600);
    let table = program.succeed(&explain).stdout;
    assert!(table.contains("have changed since it was drafted. This is how it is now."), "{table}");
    // The draft itself is as it was.
    assert_eq!(shown(&program, &id)["net"], "10.00");
}

crate::on_postgres! {
    what_became_known_later_doesn_t_change_what_a_final_invoice_rests_on,
    drafts_are_explained_as_they_are,
    a_draft_whose_usage_went_on_is_explained_as_it_is_now,
}
