//! JSON Schemas as editors of TOML use them.

use std::path::Path;

use serde_json::Value;

use super::generated;
use super::program::Program;

/// The schema that a command prints. It is kept in a file; `CF_BILLING_WRITE_DOCS=1` writes that anew.
#[track_caller]
pub fn kept(command: &[&str], file: &Path) -> Value {
    let printed = Program::without_database().succeed(command).stdout;
    generated::file(file, &printed);
    serde_json::from_str(&printed).unwrap()
}

/// A TOML text as editors check it: dates are texts.
pub fn as_json(text: &str) -> Value {
    fn plain(value: toml::Value) -> Value {
        match value {
            toml::Value::Datetime(time) => Value::String(time.to_string()),
            toml::Value::Array(all) => all.into_iter().map(plain).collect(),
            toml::Value::Table(all) => all.into_iter().map(|(key, value)| (key, plain(value))).collect(),
            other => serde_json::to_value(other).unwrap(),
        }
    }
    plain(toml::Value::Table(text.parse().unwrap()))
}

/// What editors would underline.
pub fn errors(schema: &Value, text: &str) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(&as_json(text)).map(|error| error.to_string()).collect()
}
