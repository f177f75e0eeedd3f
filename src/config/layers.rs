//! The file, and the environment's variables over it: as tables of texts that know where they come from.

use std::collections::BTreeMap;

use config::{Config, File, FileFormat};

use crate::domain::text::did_you_mean;
use crate::keyed::{At, Entry, Key, Keyed, Problem, Reader, Takes, TomlTable, TomlValue, Written};

/// Begins the name of every environment variable that overrides a key.
const PREFIX: &str = "CF_BILLING__";

/// The list of tables of which each is overridden by its name.
const NAMED: &str = "foundation";

/// Settings of both layers.
pub(super) struct Layers {
    sections: BTreeMap<&'static str, TomlTable>,
    pub foundations: Vec<TomlTable>,
}

impl Layers {
    /// A section; empty if neither layer has it.
    pub fn section(&self, name: &str) -> &TomlTable {
        self.sections.get(name).expect("every section is layered")
    }
}

/// Layers the environment over a file, whose text is `text`.
pub(super) fn layered(
    file: &Keyed<'_>,
    sections: &[Key],
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Layers {
    let reader = file.reader;
    let foundations = file.tables(NAMED);
    for foundation in &foundations {
        single_values(foundation);
    }
    let names: Vec<&str> = foundations.iter().map(|foundation| written(foundation.table, "name")).collect();
    let mut overridden: BTreeMap<String, String> = BTreeMap::new();
    let mut builder = Config::builder().add_source(File::from_str(text, FileFormat::Toml));
    for (variable, value) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let Some(path) = path_of(reader, sections, &names, &variable, rest) else { continue };
        overridden.insert(path.clone(), variable.clone());
        builder = match builder.set_override(&path, value) {
            Ok(builder) => builder,
            // It takes the old one with it; nothing is used then.
            Err(error) => {
                reader.error(&At::Variable(variable), error.to_string(), "give it another value");
                Config::builder()
            }
        };
    }
    let merged = builder.build().unwrap_or_else(|error| {
        reader.error(&At::Nowhere, format!("the configuration can't be read: {error}"), "write it as plain TOML");
        Config::default()
    });
    let layer = |path: &str, keys: Vec<Key>, table: Option<&TomlTable>| -> TomlTable {
        let mut layered = TomlTable::empty(table.map_or(At::Nowhere, |table| table.at.clone()));
        for name in keys.iter().flat_map(names_of) {
            let full = format!("{path}.{name}");
            let Ok(text) = merged.get_string(&full) else { continue };
            let at = match overridden.get(&full) {
                Some(variable) => At::Variable(variable.clone()),
                None => table.and_then(|table| table.get(&name)).map_or(At::Nowhere, |value| value.at.clone()),
            };
            let value = TomlValue { at: at.clone(), written: Written::Layered(text) };
            layered.entries.push(Entry { name, at, value });
        }
        layered
    };
    let mut layers = Layers { sections: BTreeMap::new(), foundations: Vec::new() };
    for section in sections {
        match section.takes {
            Takes::Table(keys) => {
                let in_file = file.sub_table(section.name);
                in_file.iter().for_each(single_values);
                layers
                    .sections
                    .insert(section.name, layer(section.name, keys(), in_file.as_ref().map(|keyed| keyed.table)));
            }
            Takes::Tables(keys) => {
                for (index, foundation) in foundations.iter().enumerate() {
                    layers.foundations.push(layer(&format!("{NAMED}[{index}]"), keys(), Some(foundation.table)));
                }
            }
            _ => unreachable!("`{}` is neither a section nor a list of sections", section.name),
        }
    }
    layers
}

/// A text in the file; empty, if there is none.
fn written<'t>(table: &'t TomlTable, name: &str) -> &'t str {
    match table.get(name).map(|value| &value.written) {
        Some(Written::Text(text)) => text,
        _ => "",
    }
}

/// Notes each value that is a list or a table.
fn single_values(section: &Keyed<'_>) {
    for entry in &section.table.entries {
        if matches!(entry.value.written, Written::List(_) | Written::Table(_)) {
            let message = format!("`{}` is not a single value", entry.name);
            section.reader.add(Problem {
                hint: None,
                ..Problem::error(section.reader.origin(&entry.at), message, String::new())
            });
        }
    }
}

/// A key's names: a secret is also given by a file.
fn names_of(key: &Key) -> Vec<String> {
    let mut names = vec![key.name.to_owned()];
    if matches!(key.takes, Takes::Secret) {
        names.push(format!("{}_file", key.name));
    }
    names
}

/// What a variable overrides, by its path in the merged configuration; what it can't override is noted.
fn path_of(reader: &Reader<'_>, sections: &[Key], named: &[&str], variable: &str, rest: &str) -> Option<String> {
    let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
    let is_key = |section: &str, name: &str| {
        sections.iter().filter(|known| known.name == section).flat_map(keys_of).any(|known| known == name)
    };
    match &parts[..] {
        [section, name] if section != NAMED && is_key(section, name) => Some(format!("{section}.{name}")),
        [section, foundation, name] if section == NAMED && is_key(section, name) => {
            let index = named.iter().position(|known| variable_part(known) == *foundation);
            if index.is_none() {
                let message = format!("no foundation `{foundation}` is configured");
                let hint = format!("foundations are: {}", named.join(", "));
                reader.error(&At::Variable(variable.to_owned()), message, hint);
            }
            index.map(|index| format!("{NAMED}[{index}].{name}"))
        }
        _ => {
            let known: Vec<String> = sections.iter().flat_map(variables_of).collect();
            let hint = did_you_mean(variable, known.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| format!("variables are called {PREFIX}SECTION__KEY"));
            reader.error(&At::Variable(variable.to_owned()), "there is no such key", hint);
            None
        }
    }
}

fn keys_of(section: &Key) -> Vec<String> {
    match section.takes {
        Takes::Table(keys) | Takes::Tables(keys) => keys().iter().flat_map(names_of).collect(),
        _ => Vec::new(),
    }
}

/// The names of a section's variables.
fn variables_of(section: &Key) -> Vec<String> {
    let of = if section.name == NAMED { format!("{NAMED}__NAME") } else { section.name.to_owned() };
    keys_of(section).iter().map(|name| format!("{PREFIX}{of}__{name}").to_uppercase()).collect()
}

/// A foundation's name as part of an environment variable's, in lower case.
fn variable_part(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }).collect()
}
