//! One word is one thing: no two rooms have a type of the same name that others may use.

use std::collections::BTreeMap;

/// Rooms, and parts of them, that speak the words of others: the simulator and the wire types Cloud Controller's, commands
/// and the sections of the configuration those of what they are for, the API's types those of what they tell.
const SPEAK_FOR_OTHERS: [&str; 5] = ["simulator", "cli", "config", "cloud_controller/wire", "api"];

/// Names of `pub` types in a file.
fn types(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let named = |line: &str| {
        let words: Vec<&str> = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        match words[..] {
            ["pub", "struct" | "enum" | "trait" | "type", name, ..] => Some(name.to_owned()),
            _ => None,
        }
    };
    code.lines().filter_map(named).collect()
}

fn meanings(files: &[(String, String)]) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, text) in files {
        for name in types(text) {
            places.entry(name).or_default().push(path);
        }
    }
    places.retain(|_, places| places.len() > 1);
    places.into_iter().map(|(name, places)| format!("{name}: {}", places.join(", "))).collect()
}

#[test]
fn one_word_is_one_thing() {
    let root = super::root().join("src");
    let files: Vec<(String, String)> = super::files(&root, ".rs")
        .iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap().display().to_string();
            (path, std::fs::read_to_string(file).unwrap())
        })
        .filter(|(path, _)| !SPEAK_FOR_OTHERS.iter().any(|room| path.starts_with(room)))
        .collect();
    let wrong = meanings(&files);
    assert!(wrong.is_empty(), "one name, several types:\n{}", wrong.join("\n"));
}

#[test]
fn a_word_with_two_meanings_is_found() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let found = meanings(&[
        file("a.rs", "pub struct Piece;\nstruct Own;\npub(super) enum Near {}"),
        file("b.rs", "pub enum Piece { A }\npub struct Own;\npub enum Near {}"),
        file("c.rs", "#[cfg(test)]\npub struct Piece;"),
    ]);
    assert_eq!(found, ["Piece: a.rs, b.rs"]);
}
