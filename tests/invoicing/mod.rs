//! The life of an invoice: drafts, review, holds, acceptances, final, credit notes, differences, documents, explained.

mod corrections;
mod documents;
mod explain;
mod final_once;
mod life;
mod moves;
mod whole;

use serde_json::Value;

use crate::support::program::{Program, Run};

/// Runs `invoices …` for October with the card in the folder.
fn october(program: &Program, command: &str, more: &[&str]) -> Run {
    program.run(&[&["invoices", command, "--period", "2026-10", "--rates", "card.toml"], more].concat())
}

/// As [`october`], and it must succeed; its JSON.
#[track_caller]
fn october_json(program: &Program, command: &str, more: &[&str]) -> Value {
    program.json(&[&["invoices", command, "--period", "2026-10", "--rates", "card.toml"], more].concat())
}

/// Writes a configuration beside the database and gives the arguments that name it.
fn configure(program: &Program, text: &str) -> [&'static str; 2] {
    std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
    ["--config", "cf-billing.toml"]
}

/// A JSON amount in cents.
#[track_caller]
fn cents(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("{value} is no amount"));
    let (whole, fraction) = text.split_once('.').unwrap();
    assert_eq!(fraction.len(), 2, "{text}");
    format!("{whole}{fraction}").parse().unwrap()
}

fn shown(program: &Program, reference: &str) -> Value {
    program.json(&["invoices", "show", reference])
}

/// Imports one more event file of app events, given as changed copies of the first event.
fn import_more(program: &Program, lines: &[String]) {
    let file = program.folder.path().join("more.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    program.succeed(&["import", "--foundation", "f", "--app-events", crate::support::program::path(&file)]);
}

/// An event as another: with this guid, at this time of the script's day, and in this state if one is given.
fn like(event: &str, guid: &str, time: &str, state: Option<&str>) -> String {
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["guid"] = guid.into();
    event["created_at"] = format!("2026-10-10T{time}:00Z").into();
    if let Some(state) = state {
        event["state"]["current"] = state.into();
    }
    event.to_string()
}

/// The imported app events, a line each.
fn events(program: &Program) -> Vec<String> {
    let text = std::fs::read_to_string(program.folder.path().join("app.jsonl")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Imports the app events once more, with others between them: these before that position.
fn import_between(program: &Program, position: usize, others: &[String]) {
    let mut all = events(program);
    all.splice(position..position, others.iter().cloned());
    import_more(program, &all);
}
