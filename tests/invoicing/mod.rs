//! The life of an invoice: drafts, review, holds, acceptances, final, credit notes, differences, documents, explained.

mod absurd;
mod afterwards;
mod corrections;
mod cost;
mod documents;
mod explain;
mod final_once;
mod fit;
mod forecast;
mod laws;
mod life;
mod moves;
mod numbers;
mod restored;
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
    let file = crate::support::program::path(&file);
    program.succeed(&["import", "--foundation", "f", "--app-events", file, "--read-at", "2100-01-01T00:00:00Z"]);
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

/// The imported event that brought a process into a state.
fn event_of(program: &Program, process: &str, state: &str) -> String {
    let is = |line: &String| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["process"]["guid"] == process && event["state"]["current"] == state
    };
    events(program).into_iter().find(is).unwrap()
}

/// Imports the app events once more, with others between them, where their times are.
fn import_between(program: &Program, others: &[String]) {
    let mut all = events(program);
    all.extend_from_slice(others);
    let time = |line: &String| serde_json::from_str::<Value>(line).unwrap()["created_at"].as_str().unwrap().to_owned();
    all.sort_by_key(time);
    import_more(program, &all);
}
