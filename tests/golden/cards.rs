//! Hashes of rate cards, by which invoices name them, and what the cards say.
//!
//! A card is named by the hash of its text. So a card that uses no new key keeps its hash, whatever keys come.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{check, folder};
use crate::support::program::{Program, path};

/// The cards that use every key: of 0.2.0, then a folder `every-key-…` for those that came later.
fn with_every_key() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let named = entries.map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), file));
    let mut cards: Vec<(String, PathBuf)> = named.filter(|(name, _)| name.starts_with("every-key")).collect();
    cards.sort();
    cards
}

/// Every card in rates/, then those that use every key.
fn cards() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
    let mut cards: Vec<(String, PathBuf)> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
        .map(|file| (format!("rates/{}", file.file_name().unwrap().to_str().unwrap()), file))
        .collect();
    cards.sort();
    cards.extend(with_every_key());
    cards
}

/// Before, on and after the dates in them.
const INSTANTS: [&str; 3] = ["2026-05-01T00:00:00Z", "2026-10-15T11:37:00Z", "2028-01-01T00:00:00Z"];

#[test]
fn cards_keep_their_hashes_and_what_they_say() {
    let program = Program::without_database();
    let mut text = String::new();
    for (name, file) in cards() {
        for at in INSTANTS {
            let shown = program.json(&["rates", "show", "--card", path(&file), "--at", at]);
            if at == INSTANTS[0] {
                let of = |key: &str| shown[key].as_str().unwrap().to_owned();
                writeln!(text, "{name} sha256 {} {} {}", of("sha256"), of("currency"), of("rounding")).unwrap();
            }
            for line in shown["in_force"].as_array().unwrap() {
                let told = ["what", "whom", "key", "value", "from", "to"].map(|key| match &line[key] {
                    Value::String(told) => told.clone(),
                    told => told.to_string(),
                });
                writeln!(text, "{name} {at} | {}", told.join(" | ")).unwrap();
            }
        }
    }
    check("cards.txt", &text);
}

/// What the schema names: `process`, `process.memory_gib_hour`, `price.tiers` …
fn keys_of_schema(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    for (name, of) in schema["properties"].as_object().into_iter().flatten() {
        keys.insert(format!("{path}{name}"));
        keys_of_schema(of, &format!("{path}{name}."), keys);
    }
    keys_of_schema_below(&schema["items"], path, keys);
    for one in schema["anyOf"].as_array().into_iter().flatten() {
        keys_of_schema_below(one, path, keys);
    }
    for (name, of) in schema["definitions"].as_object().into_iter().flatten() {
        keys_of_schema(of, &format!("{name}."), keys);
    }
}

fn keys_of_schema_below(schema: &Value, path: &str, keys: &mut BTreeSet<String>) {
    if schema.is_object() {
        keys_of_schema(schema, path, keys);
    }
}

/// What a card uses, in the same words; a price's keys are found under `price`.
fn keys_of_card(value: &toml::Value, path: &str, keys: &mut BTreeSet<String>) {
    match value {
        toml::Value::Table(table) => {
            let is_price = table.contains_key("model");
            let path = if is_price { "price." } else { path };
            for (name, of) in table {
                keys.insert(format!("{path}{name}"));
                keys_of_card(of, &format!("{path}{name}."), keys);
            }
        }
        toml::Value::Array(all) => all.iter().for_each(|one| keys_of_card(one, path, keys)),
        _ => {}
    }
}

/// A new key belongs into a new golden card, in a folder `every-key-…`: those that are there keep their hashes.
#[test]
fn golden_cards_have_every_key() {
    let program = Program::without_database();
    let schema: Value = serde_json::from_str(&program.succeed(&["rates", "schema"]).stdout).unwrap();
    let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
    keys_of_schema(&schema, "", &mut known);
    let files = with_every_key().into_iter().flat_map(|(_, folder)| std::fs::read_dir(folder).unwrap());
    for file in files {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        keys_of_card(&text.parse::<toml::Table>().unwrap().into(), "", &mut used);
    }
    let unused: Vec<&String> = known.difference(&used).collect();
    assert_eq!(unused, Vec::<&String>::new(), "keys that no golden card uses");
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "keys that the schema doesn't know");
}
