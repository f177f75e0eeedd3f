//! A small month with everything that has a price, as files to import.

use std::fmt::Write;

use cf_billing::cloud_controller::decode;
use cf_billing::domain::Stream;

use super::program::{Program, path};
use super::script::{Line, parse};

/// A card by which an instance hour of a process costs 1, and nothing else anything.
pub const INSTANCE_HOURS: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[staging]]\nfree = true\n\
     [[task]]\nfree = true\n[[service]]\nfree = true\n";

/// A usage event of a process with one instance of 1024 MiB, as Cloud Controller sends it.
pub fn event(guid: &str, at: &str, state: &str, process: &str) -> serde_json::Value {
    serde_json::json!({
        "guid": guid, "created_at": at, "state": {"current": state, "previous": "STOPPED"},
        "app": {"guid": "a", "name": "a"}, "process": {"guid": process, "type": "web"},
        "space": {"guid": "s1", "name": "s1"}, "organization": {"guid": "o1"}, "buildpack": {"guid": null, "name": null},
        "task": {"guid": null, "name": null}, "memory_in_mb_per_instance": {"current": 1024},
        "instance_count": {"current": 1},
    })
}

/// Writes a script's events as two files and imports them into foundation `f`; `through` is the time until
/// which events are known (a last event of no consequence).
pub fn import(program: &Program, script: &str, through: &str) {
    import_into(program, "f", script, through);
}

/// As [`import`], into a foundation of that name.
pub fn import_into(program: &Program, foundation: &str, script: &str, through: &str) {
    let script = format!("{script}\n{through} marker STOPPED\n{through} marker-service DELETED");
    let (mut app, mut service) = (String::new(), String::new());
    let mut events: Vec<_> = parse(&script)
        .into_iter()
        .filter_map(|line| match line {
            Line::Event { stream, raw, .. } => Some((decode(stream, &raw).event.created_at, stream, raw)),
            _ => None,
        })
        .collect();
    // Scripts tell of one process after the other; a stream is in the order of time.
    events.sort_by_key(|(created_at, ..)| *created_at);
    for (_, stream, raw) in events {
        let file = if stream == Stream::App { &mut app } else { &mut service };
        writeln!(file, "{raw}").unwrap();
    }
    let files = (program.folder.path().join("app.jsonl"), program.folder.path().join("service.jsonl"));
    std::fs::write(&files.0, &app).unwrap();
    std::fs::write(&files.1, &service).unwrap();
    // Whenever the test runs, its month is over.
    let read_at = ["--read-at", "2100-01-01T00:00:00Z"];
    let mut arguments = vec!["import", "--foundation", foundation, "--app-events", path(&files.0)];
    arguments.extend(read_at);
    if !service.is_empty() {
        arguments.extend(["--service-events", path(&files.1)]);
    }
    program.succeed(&arguments);
}

/// Writes a rate card into the program's folder.
pub fn card(program: &Program, text: &str) {
    std::fs::write(program.folder.path().join("card.toml"), text).unwrap();
}

/// What is to be said to have October's invoices final though some of their usage is estimated.
pub fn accepted_estimates(program: &Program) -> Vec<String> {
    accepted_estimates_of(program, "2026-10", "card.toml")
}

/// As [`accepted_estimates`], of another month and card.
pub fn accepted_estimates_of(program: &Program, month: &str, card: &str) -> Vec<String> {
    let drafts = program.json(&["invoices", "draft", "--period", month, "--rates", card]);
    let estimated = drafts.as_array().unwrap().iter().filter(|draft| draft["estimated"] != "0.00");
    estimated.map(|draft| format!("--accept=estimated:{}", draft["account"].as_str().unwrap())).collect()
}
