//! The file, and the environment's variables over it: as tables of texts that know where they come from.

use std::collections::BTreeMap;

use config::{Config, File, FileFormat};

use crate::domain::text::did_you_mean;
use crate::keyed::{At, Entry, Key, Keyed, Problem, Reader, Takes, TomlTable, TomlValue, Written};

/// Begins the name of every environment variable that overrides a key.
const PREFIX: &str = "CF_BILLING__";

/// Settings of both layers.
pub(super) struct Layers {
    sections: BTreeMap<&'static str, TomlTable>,
    lists: BTreeMap<&'static str, Vec<TomlTable>>,
}

impl Layers {
    /// A section; empty if neither layer has it.
    pub fn section(&self, name: &str) -> &TomlTable {
        self.sections.get(name).expect("every section is layered")
    }

    /// The sections of a list, in the order of the file.
    pub fn list(&self, name: &str) -> &[TomlTable] {
        self.lists.get(name).expect("every list is layered")
    }
}

/// A list of tables in the file, each of which is overridden by its name.
struct Named<'r> {
    section: &'static str,
    tables: Vec<Keyed<'r>>,
    names: Vec<String>,
}

/// Layers the environment over a file, whose text is `text`.
pub(super) fn layered(
    file: &Keyed<'_>,
    sections: &[Key],
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Layers {
    let reader = file.reader;
    let lists: Vec<Named<'_>> = sections
        .iter()
        .filter(|section| matches!(section.takes, Takes::Tables(_)))
        .map(|section| {
            let tables = file.tables(section.name);
            tables.iter().for_each(single_values);
            let names = tables.iter().map(|keyed| written(keyed.table, "name").to_owned()).collect();
            Named { section: section.name, tables, names }
        })
        .collect();
    let mut overridden: BTreeMap<String, String> = BTreeMap::new();
    let mut builder = Config::builder().add_source(File::from_str(text, FileFormat::Toml));
    for (variable, value) in environment {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let Some(path) = path_of(reader, sections, &lists, &variable, rest) else { continue };
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
    let mut layers = Layers { sections: BTreeMap::new(), lists: BTreeMap::new() };
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
                let list = lists.iter().find(|list| list.section == section.name);
                let tables = list.into_iter().flat_map(|list| &list.tables).enumerate();
                let layered = tables
                    .map(|(index, keyed)| layer(&format!("{}[{index}]", section.name), keys(), Some(keyed.table)))
                    .collect();
                layers.lists.insert(section.name, layered);
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
fn path_of(reader: &Reader<'_>, sections: &[Key], lists: &[Named<'_>], variable: &str, rest: &str) -> Option<String> {
    let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
    let is_key = |section: &str, name: &str| {
        sections.iter().filter(|known| known.name == section).flat_map(keys_of).any(|known| known == name)
    };
    let list = lists.iter().find(|list| parts.first().is_some_and(|section| section == list.section));
    match (&parts[..], list) {
        ([section, name], None) if is_key(section, name) => Some(format!("{section}.{name}")),
        ([section, of, name], Some(list)) if is_key(section, name) => {
            let index = list.names.iter().position(|known| variable_part(known) == *of);
            if index.is_none() {
                let message = format!("no {section} `{of}` is configured");
                let hint = match &list.names[..] {
                    [] => format!("add it to the file: [[{section}]]"),
                    names => format!("{section}s are: {}", names.join(", ")),
                };
                reader.error(&At::Variable(variable.to_owned()), message, hint);
            }
            index.map(|index| format!("{section}[{index}].{name}"))
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
    let is_list = matches!(section.takes, Takes::Tables(_));
    let of = if is_list { format!("{}__NAME", section.name) } else { section.name.to_owned() };
    keys_of(section).iter().map(|name| format!("{PREFIX}{of}__{name}").to_uppercase()).collect()
}

/// A name as part of an environment variable's, in lower case.
fn variable_part(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }).collect()
}
