//! What a month costs is what its documents come to, whatever was corrected when.

use serde_json::Value;

use crate::on_postgres;
use crate::support::customers::{self, account};
use crate::support::month;
use crate::support::program::Program;

on_postgres!(
    what_a_later_invoice_corrected_and_was_given_back_is_a_correction,
    drafts_of_others_do_not_stand_beside_what_is_final
);

const CONFIGURED: [&str; 2] = ["--config", "cf-billing.toml"];

/// `part amount` of each row, and the sum of the nets of the month's documents.
fn costs(program: &Program, month: &str) -> (Vec<String>, String) {
    let rows = program.json(&[&["cost", "--period", month, "--by", "account"], &CONFIGURED[..]].concat());
    let told = |row: &Value| format!("{} {}", row["part"].as_str().unwrap(), row["amount"].as_str().unwrap());
    let documents = program.json(&["invoices", "list", "--period", month]);
    let nets = documents.as_array().unwrap().iter().map(|document| document["net"].as_str().unwrap());
    let cents: i64 = nets.map(|net| net.replace('.', "").parse::<i64>().unwrap()).sum();
    (rows.as_array().unwrap().iter().map(told).collect(), format!("{:.2}", rust_decimal::Decimal::new(cents, 2)))
}

/// A month that is final costs what its invoices say, also where it was drafted before the accounts file said whose it is.
#[test]
fn drafts_of_others_do_not_stand_beside_what_is_final() {
    let program = Program::new();
    let one = account("one", "Erste GmbH", "DE136695976", "[[account.owns]]\norganization = \"f/o1\"");
    customers::used_by_two(&program, customers::CONFIGURATION, &one);
    let drafts = program.json(&["invoices", "draft", "--period", "2026-10", "--rates", "card.toml"]);
    assert_eq!(drafts.as_array().unwrap().len(), 2, "of `f/o1` and `f/o2`");
    // One account alone leaves the others as they are.
    let finalize = ["invoices", "finalize", "--period", "2026-10"];
    program.succeed(&[&finalize[..], &["--account", "one"], &CONFIGURED[..]].concat());
    let amounts = || costs(&program, "2026-10").0;
    assert_eq!(amounts(), ["usage 10.00", "usage 5.00", "usage 10.00"]);
    let accepted = ["--accept=estimated:f/o2"];
    let estimated = drafts[1]["estimated"] != "0.00";
    program.succeed(&[&finalize[..], if estimated { &accepted[..] } else { &[] }, &CONFIGURED[..]].concat());
    assert_eq!(amounts(), ["usage 5.00", "usage 10.00"]);
}

#[test]
fn what_a_later_invoice_corrected_and_was_given_back_is_a_correction() {
    let program = Program::new();
    month::card(&program, customers::CARD);
    let dearer = customers::CARD.replace("instance_hour = \"1\"", "instance_hour = \"1.1\"");
    std::fs::write(program.folder.path().join("dearer.toml"), dearer).unwrap();
    let events = [
        ("e1", "2026-09-01T00:00:00Z", "STARTED"),
        ("e2", "2026-09-01T10:00:00Z", "STOPPED"),
        ("e3", "2026-10-01T02:00:00Z", "STARTED"),
        ("e4", "2026-10-01T07:00:00Z", "STOPPED"),
    ];
    let mut lines: String =
        events.map(|(guid, at, state)| format!("{}\n", month::event(guid, at, state, "p"))).concat();
    // Until when usage is known.
    lines.push_str(&month::event("e5", "2026-12-20T00:00:00Z", "STOPPED", "marker").to_string());
    std::fs::write(program.folder.path().join("app.jsonl"), lines).unwrap();
    program.succeed(&["import", "--foundation", "f", "--app-events", "app.jsonl", "--read-at", "2100-01-01T00:00:00Z"]);
    let one = account("one", "Erste GmbH", "DE136695976", "[[account.owns]]\norganization = \"f/o1\"");
    customers::write(&program, customers::CONFIGURATION, &one);
    let run = |arguments: &[&str]| program.succeed(&[arguments, &CONFIGURED[..]].concat());
    run(&["invoices", "finalize", "--period", "2026-09"]);
    assert_eq!(costs(&program, "2026-09"), (vec!["usage 10.00".to_owned()], "10.00".to_owned()));
    // By the right card September cost 1 more: it is on October's invoice.
    run(&["invoices", "credit", "CF-000001", "--difference", "--rates", "dearer.toml", "--reason", "a wrong price"]);
    run(&["invoices", "finalize", "--period", "2026-10"]);
    let october = (vec!["usage 5.00".to_owned(), "corrections 1.00".to_owned()], "6.00".to_owned());
    assert_eq!(costs(&program, "2026-10"), october);
    // Given back with what October charged of it, and made anew: 10 + 5 + 1 - 11 + 10.
    run(&["invoices", "credit", "CF-000001", "--reissue", "--reason", "the wrong buyer"]);
    assert_eq!(costs(&program, "2026-09"), (vec!["corrections -1.00".to_owned()], "-1.00".to_owned()));
    run(&["invoices", "draft", "--period", "2026-09"]);
    let september = (vec!["usage 10.00".to_owned(), "corrections -1.00".to_owned()], "9.00".to_owned());
    assert_eq!(costs(&program, "2026-09"), september);
    assert_eq!(costs(&program, "2026-10"), october);
}
