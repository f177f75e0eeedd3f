//! A small month with everything that has a price, as files to import.

use std::fmt::Write;

use super::program::{Program, path};
use super::script::{Line, parse};

/// Writes a script's events as two files and imports them into foundation `f`; `through` is the time until
/// which events are known (a last event of no consequence).
pub fn import(program: &Program, script: &str, through: &str) {
    import_into(program, "f", script, through);
}

/// As [`import`], into a foundation of that name.
pub fn import_into(program: &Program, foundation: &str, script: &str, through: &str) {
    let script = format!("{script}\n{through} marker STOPPED\n{through} marker-service DELETED");
    let (mut app, mut service) = (String::new(), String::new());
    for line in parse(&script) {
        if let Line::Event { stream, raw, .. } = line {
            let file = if stream == cf_billing::domain::Stream::App { &mut app } else { &mut service };
            writeln!(file, "{raw}").unwrap();
        }
    }
    let files = (program.folder.path().join("app.jsonl"), program.folder.path().join("service.jsonl"));
    std::fs::write(&files.0, &app).unwrap();
    std::fs::write(&files.1, &service).unwrap();
    let mut arguments = vec!["import", "--foundation", foundation, "--app-events", path(&files.0)];
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
