//! Credit notes and differences: never more than was charged, never twice, each with its cause.

use serde_json::Value;

use super::{cents, configure, event_of, events, import_between, import_more, like, october, october_json, shown};
use crate::support::month;
use crate::support::program::{Program, Run};

const RATES: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[service]]\nfree = true\n[[task]]\nfree = true\n[[staging]]\nfree = true\n[[tax]]\npercent = \"19\"\n";

/// App a runs 10 hours, app b 5 hours, with the rest of the month known.
fn invoiced(card: &str) -> Program {
    let program = Program::new();
    month::card(&program, card);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a\n10:00 p STOPPED\n00:00 q STARTED 512x1 app=b\n05:00 q STOPPED",
        "80d00:00",
    );
    configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    october_json(&program, "finalize", &[]);
    program
}

fn credit(program: &Program, more: &[&str]) -> Run {
    program.run(
        &[&["invoices", "credit", "CF-000001", "--reason", "by mistake", "--config", "cf-billing.toml"], more].concat(),
    )
}

#[track_caller]
fn credited(program: &Program, more: &[&str]) -> Value {
    let run = credit(program, &[more, &["--format", "json"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let list: Value = serde_json::from_str(&run.stdout).unwrap();
    shown(program, list[0]["number"].as_str().unwrap())
}

/// The drafts of a month; none if there is nothing to charge.
#[track_caller]
fn draft(program: &Program, month: &str) -> Value {
    let run = program.run(&["invoices", "draft", "--period", month, "--config", "cf-billing.toml", "--format", "json"]);
    if run.stderr.contains("error: nothing was used in ") {
        return Value::Array(Vec::new());
    }
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// What a document corrects, as `what: before -> after, cause`.
fn corrections(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    (document["corrections"].as_array().unwrap().iter())
        .map(|one| {
            format!(
                "{} {}: {} -> {}, {}",
                text(&one["number"]),
                text(&one["what"]),
                text(&one["before"]),
                text(&one["after"]),
                text(&one["cause"])
            )
        })
        .collect()
}

#[test]
fn a_whole_invoice_is_given_back_to_the_cent() {
    let program = invoiced(RATES);
    let before = shown(&program, "CF-000001");
    assert_eq!((&before["net"], &before["gross"]), (&"15.00".into(), &"17.85".into()));
    let note = credited(&program, &["--whole"]);
    assert_eq!(note["number"], "CN-000001");
    assert_eq!(note["document"], "credit_note");
    assert_eq!((&note["net"], &note["gross"]), (&"-15.00".into(), &"-17.85".into()));
    assert_eq!(note["reason"], "by mistake");
    assert_eq!(note["corrects"]["number"], "CF-000001");
    assert_eq!(
        corrections(&note),
        ["CF-000001 process a: 10.00 -> 0.00, credited", "CF-000001 process b: 5.00 -> 0.00, credited"]
    );
    assert_eq!(shown(&program, "CF-000001")["net"], "15.00");
    let again = credit(&program, &["--whole"]);
    assert!(again.code == Some(1) && again.stderr.contains("nothing is left to give back"), "{}", again.stderr);
    let note =
        program.run(&["invoices", "credit", "CN-000001", "--whole", "--reason", "x", "--config", "cf-billing.toml"]);
    assert!(note.stderr.contains("is a credit note"), "{}", note.stderr);
    // The month stays closed, and what was waived isn't charged again.
    assert_eq!(draft(&program, "2026-10"), Value::Array(Vec::new()));
    assert_eq!(draft(&program, "2026-11"), Value::Array(Vec::new()));
}

#[test]
fn lines_are_given_back_as_far_as_there_is_something_left() {
    let program = invoiced(RATES);
    let note = credited(&program, &["--line", "1", "--amount", "2.50"]);
    assert_eq!((&note["net"], &note["gross"]), (&"-2.50".into(), &"-2.98".into()));
    for (more, told) in [
        (&["--line", "1", "--amount", "7.51"][..], "7.51 is more than the 7.50 left of line 1"),
        (&["--line", "3"], "CF-000001 has no line 3"),
        (&["--line", "0"], "CF-000001 has no line 0"),
        (&["--line", "2", "--line", "2"], "line 2 is named twice"),
    ] {
        let run = credit(&program, more);
        assert!(
            run.code == Some(1) && run.stderr.contains(told) && run.stderr.contains("hint: "),
            "{more:?}: {}",
            run.stderr
        );
    }
    for (more, told) in [
        (&["--line", "1", "--amount", "0"][..], "must be more than 0"),
        (&["--line", "1", "--amount", "0.001"], "EUR has 2 decimals"),
        (&["--line", "1", "--line", "2", "--amount", "1"], "--amount needs exactly one --line"),
        (&["--amount", "1"], "--line"),
    ] {
        let run = credit(&program, more);
        assert!(run.code == Some(2) && run.stderr.contains(told), "{more:?}: {}", run.stderr);
    }
    credited(&program, &["--line", "1", "--amount", "7.50"]);
    let run = credit(&program, &["--line", "1"]);
    assert!(run.stderr.contains("nothing is left to give back of line 1"), "{}", run.stderr);
    // The rest, with the rest of the tax.
    let last = credited(&program, &["--whole"]);
    assert_eq!(corrections(&last), ["CF-000001 process b: 5.00 -> 0.00, credited"]);
    let taxes: i64 = (1..=3).map(|note| cents(&shown(&program, &format!("CN-00000{note}"))["tax"]["amount"])).sum();
    assert_eq!(taxes, -285);
    let table = |number: &str| program.succeed(&["invoices", "show", number]).stdout;
    assert!(table("CF-000001").contains("Credit note CN-000001: net 2.50 EUR: by mistake\n"), "{}", table("CF-000001"));
    assert!(table("CN-000001").contains("Credited 2.98 EUR\n"), "{}", table("CN-000001"));
}

#[test]
fn an_invoice_given_back_to_be_made_anew_is_drafted_again() {
    let program = invoiced(RATES);
    let note = credited(&program, &["--reissue"]);
    assert_eq!(note["net"], "-15.00");
    let drafts = draft(&program, "2026-10");
    assert_eq!((&drafts[0]["net"], &drafts[0]["account"]), (&"15.00".into(), &"f/o1".into()));
    october_json(&program, "finalize", &["--config", "cf-billing.toml"]);
    let anew = shown(&program, "CF-000002");
    assert_eq!(anew["net"], "15.00");
    assert_eq!(draft(&program, "2026-10"), Value::Array(Vec::new()));
    let verified = program.succeed(&["ledger", "verify"]).stdout;
    assert!(verified.contains("invoices/CF") && verified.contains("invoices/CN"), "{verified}");
}

/// A late event: app a stopped at 12:00, not at 10:00; the first ending was another process's.
#[test]
fn late_usage_goes_on_the_next_invoice_and_names_its_cause() {
    let program = invoiced(RATES);
    // It ran from 20:00 to 22:00 once more, which was seen too late.
    let started = &events(&program)[0];
    let late = [like(started, "late-1", "20:00", None), like(started, "late-2", "22:00", Some("STOPPED"))];
    import_between(&program, &late);
    assert_eq!(draft(&program, "2026-10"), Value::Array(Vec::new()));
    assert_eq!(shown(&program, "CF-000001")["difference"], "2.00");
    // Where nothing else was used, the invoice has the correction alone.
    let drafts = draft(&program, "2026-11");
    assert_eq!(drafts[0]["net"], "2.00");
    let november = shown(&program, &drafts[0]["id"].to_string());
    assert_eq!(corrections(&november), ["CF-000001 process a: 10.00 -> 12.00, usage"]);
    assert_eq!(november["tax"]["amount"], "0.38");
    // It isn't on December's too, nor can it be given back.
    assert_eq!(draft(&program, "2026-12"), Value::Array(Vec::new()));
    let charged = credit(&program, &["--difference"]);
    assert!(
        charged.code == Some(0) && charged.stderr.contains("2.00 EUR more than was invoiced"),
        "{}",
        charged.stderr
    );
}

/// A usage event that ends a run earlier than was known.
#[test]
fn what_was_charged_too_much_is_credited_by_difference_once() {
    let program = invoiced(RATES);
    let late = like(&event_of(&program, "p", "STOPPED"), "late", "04:00", None);
    import_between(&program, &[late]);
    draft(&program, "2026-10");
    assert_eq!(shown(&program, "CF-000001")["difference"], "-6.00");
    let note = credited(&program, &["--difference"]);
    assert_eq!(corrections(&note), ["CF-000001 process a: 10.00 -> 4.00, usage"]);
    assert_eq!((&note["net"], &note["gross"]), (&"-6.00".into(), &"-7.14".into()));
    draft(&program, "2026-10");
    assert_eq!(shown(&program, "CF-000001")["difference"], Value::Null);
    let again = credit(&program, &["--difference"]);
    assert!(again.code == Some(1) && again.stderr.contains("costs what was invoiced"), "{}", again.stderr);
    // What is left of the line can still be given back, no more.
    let rest = credited(&program, &["--line", "1"]);
    assert_eq!(corrections(&rest), ["CF-000001 process a: 4.00 -> 0.00, credited"]);
}

#[test]
fn a_wrong_price_is_mended_by_a_fixed_card_that_the_correction_names() {
    for (price, net, expected) in [
        ("0.8", -300, "CF-000001 process a: 10.00 -> 8.00, rate"),
        ("1.2", 300, "CF-000001 process a: 10.00 -> 12.00, rate"),
    ] {
        let program = invoiced(RATES);
        let fixed = RATES.replace("instance_hour = \"1\"", &format!("instance_hour = \"{price}\""));
        std::fs::write(program.folder.path().join("fixed.toml"), &fixed).unwrap();
        // As the card in use it would be refused: it changes what is invoiced.
        let refused = october(&program, "draft", &["--rates", "fixed.toml"]);
        assert_ne!(refused.code, Some(0));
        let fix = ["--difference", "--rates", "fixed.toml"];
        let document = if net < 0 {
            credited(&program, &fix)
        } else {
            let run = credit(&program, &fix);
            assert_eq!(run.code, Some(0), "{}", run.stderr);
            // Drafting the month again doesn't forget which card is right.
            draft(&program, "2026-10");
            let drafts = draft(&program, "2026-11");
            shown(&program, &drafts[0]["id"].to_string())
        };
        assert_eq!(cents(&document["net"]), net);
        assert_eq!(corrections(&document)[0], expected);
        let version = document["corrections"][0]["rate_card_sha256"].as_str().unwrap().to_owned();
        assert_ne!(version, shown(&program, "CF-000001")["rate_card_sha256"].as_str().unwrap());
        // From now on the fixed card is the one that counts.
        if net < 0 {
            std::fs::copy(program.folder.path().join("fixed.toml"), program.folder.path().join("card.toml")).unwrap();
            draft(&program, "2026-10");
            assert_eq!(shown(&program, "CF-000001")["difference"], Value::Null);
        }
    }
}

/// An allowance of 10 hours: when b used more, a's share of it is smaller.
#[test]
fn a_line_moved_only_by_what_it_shares_says_so() {
    let card = format!(
        "{RATES}[[allowance]]\nname = \"free\"\nkind = \"process\"\nmeter = \"instance_hour\"\namount = \"10\"\n"
    );
    let program = invoiced(&card);
    assert_eq!(shown(&program, "CF-000001")["net"], "5.00");
    let started = &event_of(&program, "q", "STARTED");
    let late = [like(started, "late-1", "20:00", None), like(started, "late-2", "22:00", Some("STOPPED"))];
    import_between(&program, &late);
    draft(&program, "2026-10");
    let drafts = draft(&program, "2026-11");
    let november = shown(&program, &drafts[0]["id"].to_string());
    let told = corrections(&november);
    assert!(told.iter().any(|one| one.contains("process a") && one.ends_with(", shared")), "{told:?}");
    assert!(told.iter().any(|one| one.contains("process b") && one.ends_with(", usage")), "{told:?}");
    assert_eq!(november["net"], "2.00");
}

crate::on_postgres! {
    a_whole_invoice_is_given_back_to_the_cent,
    lines_are_given_back_as_far_as_there_is_something_left,
    an_invoice_given_back_to_be_made_anew_is_drafted_again,
    late_usage_goes_on_the_next_invoice_and_names_its_cause,
    what_was_charged_too_much_is_credited_by_difference_once,
    a_wrong_price_is_mended_by_a_fixed_card_that_the_correction_names,
}

/// Nothing is given back that a discount had taken off already.
#[test]
fn a_line_is_given_back_as_it_was_paid() {
    let card = format!("{RATES}[[discount]]\nname = \"half\"\npercent = \"50\"\n");
    let program = invoiced(&card);
    assert_eq!(shown(&program, "CF-000001")["net"], "7.50");
    let first = credited(&program, &["--line", "1"]);
    // Before is what is printed; what the discount takes off stays.
    assert_eq!(corrections(&first), ["CF-000001 process a: 10.00 -> 5.00, credited"]);
    let more = credit(&program, &["--line", "2", "--amount", "2.51"]);
    assert!(more.stderr.contains("2.51 is more than the 2.50 left of line 2"), "{}", more.stderr);
    let rest = credited(&program, &["--whole"]);
    assert_eq!(corrections(&rest), ["CF-000001 process b: 5.00 -> 2.50, credited"]);
    let taxes: i64 = (1..=2).map(|note| cents(&shown(&program, &format!("CN-00000{note}"))["tax"]["amount"])).sum();
    assert_eq!(taxes, -cents(&shown(&program, "CF-000001")["tax"]["amount"]));
    // The whole month was waived: that it turns out cheaper gives nothing more, and charges nothing.
    import_between(&program, &[like(&event_of(&program, "p", "STOPPED"), "late", "04:00", None)]);
    draft(&program, "2026-10");
    assert_eq!(shown(&program, "CF-000001")["difference"], Value::Null);
    assert_eq!(draft(&program, "2026-11"), Value::Array(Vec::new()));
}

/// Graduated prices: what a difference gave back is left of none of the lines.
#[test]
fn tiers_of_one_use_are_given_back_once() {
    let card = RATES.replace(
        "instance_hour = \"1\"",
        "instance_hour = { model = \"graduated\", tiers = [{ up_to = \"4\", price = \"2\" }, { price = \"1\" }] }",
    );
    let program = invoiced(&card);
    let net = cents(&shown(&program, "CF-000001")["net"]);
    let lines = shown(&program, "CF-000001")["lines"].as_array().unwrap().len();
    assert!(lines > 2, "{lines}");
    import_between(&program, &[like(&event_of(&program, "p", "STOPPED"), "late", "01:00", None)]);
    draft(&program, "2026-10");
    let mut given = cents(&credited(&program, &["--difference"])["net"]);
    for line in 1..=lines {
        let run = credit(&program, &["--line", &line.to_string(), "--format", "json"]);
        if run.code == Some(0) {
            let list: Value = serde_json::from_str(&run.stdout).unwrap();
            given += cents(&list[0]["net"]);
        }
    }
    // What b has more of the first tier since is on no line of its own.
    given += cents(&credited(&program, &["--whole"])["net"]);
    assert_eq!(given, -net);
    assert!(credit(&program, &["--whole"]).stderr.contains("nothing is left to give back"));
}

/// Of September, charged with October, then shown never to have run.
#[test]
fn what_was_charged_later_and_then_vanished_is_given_back() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "-20d00:00 p STARTED 512x1 app=a\n-20d10:00 p STOPPED", "80d00:00");
    configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let finalize =
        |month: &str| program.json(&["invoices", "finalize", "--period", month, "--config", "cf-billing.toml"]);
    assert_eq!(finalize("2026-09")[0]["net"], "10.00");
    let at = |guid: &str, time: &str, state: Option<&str>| {
        let event = like(&events(&program)[0], guid, time, state).replace("2026-10-10", "2026-09-20");
        event.replace("\"p\"", "\"z\"").replace("\"a\"", "\"c\"")
    };
    let late = [at("late-1", "20:00", None), at("late-2", "22:00", Some("STOPPED"))];
    import_between(&program, &late);
    draft(&program, "2026-09");
    assert_eq!(finalize("2026-10")[0]["net"], "2.00");
    let mut all = events(&program);
    all.splice(2..2, [late[0].clone(), at("late-3", "20:00", Some("STOPPED")), late[1].clone()]);
    import_more(&program, &all);
    draft(&program, "2026-09");
    assert_eq!(shown(&program, "CF-000001")["difference"], "-2.00");
    let note = credited(&program, &["--difference"]);
    assert_eq!(corrections(&note), ["CF-000001 process c: 2.00 -> 0.00, usage"]);
    draft(&program, "2026-09");
    assert_eq!(shown(&program, "CF-000001")["difference"], Value::Null);
}

/// What a later invoice charged for the month is given back with it, or it would be charged twice.
#[test]
fn a_month_that_is_invoiced_anew_costs_once_what_it_costs() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(&program, "-20d00:00 p STARTED 512x1 app=a\n-20d10:00 p STOPPED", "80d00:00");
    configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    let finalize = |month: &str| {
        cents(&program.json(&["invoices", "finalize", "--period", month, "--config", "cf-billing.toml"])[0]["net"])
    };
    let mut charged = finalize("2026-09");
    let at = |guid: &str, time: &str, state: Option<&str>| {
        like(&events(&program)[0], guid, time, state).replace("2026-10-10", "2026-09-20")
    };
    import_between(&program, &[at("late-1", "20:00", None), at("late-2", "22:00", Some("STOPPED"))]);
    draft(&program, "2026-09");
    charged += finalize("2026-10");
    assert_eq!(charged, 1200);
    charged += cents(&credited(&program, &["--reissue"])["net"]);
    assert_eq!(draft(&program, "2026-09")[0]["net"], "12.00");
    charged += finalize("2026-09");
    assert_eq!(charged, 1200);
    program.succeed(&["ledger", "verify"]);
}

#[test]
fn a_decision_about_a_card_outlives_a_small_credit() {
    let program = invoiced(RATES);
    let fixed = RATES.replace("instance_hour = \"1\"", "instance_hour = \"2\"");
    std::fs::write(program.folder.path().join("fixed.toml"), &fixed).unwrap();
    let run = credit(&program, &["--difference", "--rates", "fixed.toml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    credited(&program, &["--line", "2", "--amount", "0.10"]);
    draft(&program, "2026-10");
    assert_eq!(shown(&program, "CF-000001")["difference"], "15.00");
    // Both cards may be in use: the old one, and the one that the invoice is compared by.
    std::fs::copy(program.folder.path().join("fixed.toml"), program.folder.path().join("card.toml")).unwrap();
    let drafts = draft(&program, "2026-11");
    assert_eq!(drafts[0]["net"], "15.00");
    // A third one may not.
    month::card(&program, &RATES.replace("instance_hour = \"1\"", "instance_hour = \"3\""));
    let refused = october(&program, "draft", &[]);
    assert!(refused.stderr.contains("would be 3 instead of 1"), "{}", refused.stderr);
}

#[test]
fn a_card_that_changes_nothing_for_an_invoice_is_taken_note_of() {
    let program = invoiced(RATES);
    let fixed = RATES.replace("[[service]]\nfree = true", "[[service]]\ninstance_hour = \"5\"");
    std::fs::write(program.folder.path().join("fixed.toml"), &fixed).unwrap();
    let run = credit(&program, &["--difference", "--rates", "fixed.toml"]);
    assert!(run.code == Some(0) && run.stderr.contains("costs the same with that card"), "{}", run.stderr);
    let without = credit(&program, &["--difference"]);
    assert!(without.code == Some(1) && without.stderr.contains("costs what was invoiced"), "{}", without.stderr);
}

#[test]
fn what_was_given_back_to_be_made_anew_is_not_compared_any_more() {
    let program = invoiced(RATES);
    credited(&program, &["--reissue"]);
    let run = credit(&program, &["--difference", "--rates", "card.toml"]);
    assert!(run.code == Some(1) && run.stderr.contains("given back to be reissued"), "{}", run.stderr);
    // Only a number names what is given back, and something must be said of how much.
    let by_id = program.run(&["invoices", "credit", "1", "--whole", "--reason", "x", "--config", "cf-billing.toml"]);
    assert!(by_id.code == Some(1) && by_id.stderr.contains("no final invoice `1`"), "{}", by_id.stderr);
    let nothing = credit(&program, &[]);
    assert!(nothing.code == Some(2) && nothing.stderr.contains("nothing to give back was named"), "{}", nothing.stderr);
}

/// Cents of many small credits never come to more tax than was charged.
#[test]
fn the_tax_of_small_credits_adds_up() {
    let program = invoiced(RATES);
    let mut taxes = 0;
    for _ in 0..12 {
        taxes += cents(&credited(&program, &["--line", "1", "--amount", "0.03"])["tax"]["amount"]);
    }
    // 19 % of 0.36 is 0.07, not 12 times 0.01.
    assert_eq!(taxes, -7);
    taxes += cents(&credited(&program, &["--whole"])["tax"]["amount"]);
    assert_eq!(taxes, -285);
}

/// As the lines stand on the invoice, which is by name, not by guid.
#[test]
fn corrections_are_in_the_order_of_the_lines() {
    let program = Program::new();
    month::card(&program, RATES);
    month::import(
        &program,
        "00:00 p STARTED 512x1 app=a name=zebra\n10:00 p STOPPED app=a name=zebra\n\
         00:00 q STARTED 512x1 app=b name=ant\n05:00 q STOPPED app=b name=ant",
        "80d00:00",
    );
    configure(&program, "[billing]\nrates = \"card.toml\"\ngrace = \"0s\"\n");
    october_json(&program, "finalize", &[]);
    let fixed = RATES.replace("instance_hour = \"1\"", "instance_hour = \"0.8\"");
    std::fs::write(program.folder.path().join("fixed.toml"), &fixed).unwrap();
    let note = credited(&program, &["--difference", "--rates", "fixed.toml"]);
    let wanted = ["CF-000001 process ant: 5.00 -> 4.00, rate", "CF-000001 process zebra: 10.00 -> 8.00, rate"];
    assert_eq!(corrections(&note), wanted);
}
