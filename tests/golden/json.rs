//! Members of what commands print with `--format json`: names and types. What values mean is held by other tests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{book, check, everything};
use crate::support::background::{configure, get, run, simulate};
use crate::support::program::{Program, path};

/// Types by path: `[].lines[].price` is text, or null.
type Shape = BTreeMap<String, BTreeSet<&'static str>>;

fn add(shape: &mut Shape, path: &str, value: &Value) {
    let of = match value {
        Value::Null => "null",
        Value::Bool(_) => "flag",
        Value::Number(number) if number.is_f64() => "fraction",
        Value::Number(_) => "integer",
        Value::String(_) => "text",
        Value::Array(all) => {
            for one in all {
                add(shape, &format!("{path}[]"), one);
            }
            "list"
        }
        Value::Object(members) => {
            for (name, member) in members {
                // Names of foundations, labels and the like.
                let name = if MAPS.iter().any(|map| path.ends_with(map)) { "*" } else { name };
                add(shape, &format!("{path}.{name}"), member);
            }
            "object"
        }
    };
    shape.entry(path.to_owned()).or_default().insert(of);
}

/// Objects whose members are named by data.
const MAPS: [&str; 4] = [".foundations", ".organization_labels", ".space_labels", ".labels"];

/// Gathers shapes by command.
#[derive(Default)]
struct Shapes(BTreeMap<String, Shape>);

impl Shapes {
    fn add(&mut self, command: &str, value: &Value) {
        add(self.0.entry(command.to_owned()).or_default(), "", value);
    }

    /// Runs a command; the words before the first that begins with `-` or has a digit name it.
    fn run(&mut self, program: &Program, arguments: &[&str]) {
        let told = program.run(&[arguments, &["--format", "json"]].concat());
        let value = serde_json::from_str(&told.stdout)
            .unwrap_or_else(|error| panic!("{}: {error}\n{}{}", arguments.join(" "), told.stdout, told.stderr));
        let is_name = |word: &&&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
        let name: Vec<&str> =
            arguments.iter().take_while(|word| !word.starts_with("--")).filter(is_name).copied().collect();
        self.add(&name.join(" "), &value);
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (command, shape) in &self.0 {
            for (path, types) in shape {
                let types: Vec<&str> = types.iter().copied().collect();
                text += &format!("{command}: {} {}\n", if path.is_empty() { "." } else { path }, types.join("|"));
            }
        }
        text
    }
}

const CARD: &str = "every-key";

/// What reads the golden book, and then what changes a copy of it.
fn of_the_book(shapes: &mut Shapes) {
    let program = book::open();
    let card = super::folder().join(CARD);
    let card = path(&card);
    let standard = "rates/standard.toml";
    let standard = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(standard);
    let usage = ["usage", "--from", "2026-07-01", "--to", "2026-11-01"];
    for arguments in [
        &["anomalies"][..],
        &["clocks"],
        &["foundations", "list"],
        &["gaps"],
        &["invoices", "list"],
        &["ledger", "verify"],
        &["rates", "check", card],
        &["rates", "show", "--card", card, "--at", "2026-11-01"],
        &["rates", "diff", card, path(&standard)],
        &["rates", "what-if", "--period", "2026-09", "--card", card, "--rates", path(&standard)],
        &usage,
        &[&usage[..], &["--by", "kind,org,space,app,process,buildpack,plan", "--names"]].concat(),
    ] {
        shapes.run(&program, arguments);
    }
    let list = program.json(&["invoices", "list"]);
    for invoice in list.as_array().unwrap() {
        let id = invoice["id"].to_string();
        shapes.run(&program, &["invoices", "show", &id]);
        if invoice["document"] == "invoice" && invoice["status"] == "final" {
            shapes.run(&program, &["invoices", "explain", &id, "--line", "1"]);
        }
    }
    let marks = tempfile::tempdir().unwrap();
    everything::configure(&program, marks.path());
    shapes.run(&program, &["invoices", "draft", "--period", "2026-10", "--config", "cf-billing.toml"]);
    let credit = ["invoices", "credit", "CF-000001", "--whole", "--reason", "golden", "--config", "cf-billing.toml"];
    shapes.run(&program, &credit);
    let finalize =
        ["invoices", "finalize", "--period", "2026-10", "--account", "exemple", "--config", "cf-billing.toml"];
    shapes.run(&program, &finalize);
}

/// What asks a foundation.
fn of_a_foundation(shapes: &mut Shapes) {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    let accounts = "[[account]]\nid = \"one\"\nname = \"One\"\norganizations = [\"sim/org-0\"]\n";
    std::fs::write(program.folder.path().join("accounts.toml"), accounts).unwrap();
    std::fs::copy("rates/standard.toml", program.folder.path().join("rates.toml")).unwrap();
    configure(&program, &api, "[billing]\nrates = \"rates.toml\"\naccounts = \"accounts.toml\"\n");
    let (daemon, url) = run(&program);
    daemon.says("onboarding is complete");
    let ready = get(&format!("{url}/readyz"));
    shapes.add("GET /readyz", &serde_json::from_slice(ready.body()).unwrap());
    drop(daemon);
    for arguments in [
        &["check", "--config", "cf-billing.toml"][..],
        &["accounts", "check", "accounts.toml", "--config", "cf-billing.toml"],
        &["accounts", "list", "--config", "cf-billing.toml"],
        &["reconcile", "--config", "cf-billing.toml"],
        &["snapshots", "request", "--config", "cf-billing.toml"],
        &["snapshots", "list", "--config", "cf-billing.toml"],
    ] {
        shapes.run(&program, arguments);
    }
    let list = program.json(&["snapshots", "list", "--config", "cf-billing.toml"]);
    let guid = list[0]["guid"].as_str().unwrap();
    shapes.run(&program, &["snapshots", "show", guid, "--config", "cf-billing.toml"]);
}

#[test]
fn json_keeps_its_members() {
    let mut shapes = Shapes::default();
    of_the_book(&mut shapes);
    of_a_foundation(&mut shapes);
    check("json.txt", &shapes.text());
}
