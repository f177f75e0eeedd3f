//! Keys for documentation.

use std::fmt::Write;
use std::time::Duration;

use super::key::{Absent, Key, Takes};
use super::values;

/// A table of keys, as a reference shows it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its heading, such as `` `[[account]]` ``.
    pub heading: String,
    pub about: &'static str,
    pub keys: Vec<Key>,
}

/// Tables of keys in Markdown, each with a heading of the third level.
#[must_use]
pub fn reference(tables: &[Described]) -> String {
    let mut text = String::new();
    for table in tables {
        let about = if table.about.is_empty() { String::new() } else { format!("{}.\n\n", table.about) };
        write!(text, "### {}\n\n{about}{}\n", table.heading, key_table(&table.keys))
            .expect("writing to a String never fails");
    }
    text
}

/// One table of keys in Markdown. Lists of tables have a table of their own.
fn key_table(keys: &[Key]) -> String {
    let mut text = "| key | takes | left out | meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for key in keys.iter().filter(|key| !matches!(key.takes, Takes::Tables(_))) {
        let left_out = match key.absent {
            Absent::Required => "required".to_owned(),
            Absent::Nothing | Absent::NothingOrEmpty => String::new(),
            Absent::Value(value) => format!("`{value}`"),
            Absent::Means(words) => words.to_owned(),
        };
        writeln!(text, "| `{}` | {} | {left_out} | {} |", key.name, told(key.takes), key.about)
            .expect("writing to a String never fails");
    }
    text
}

/// What a key takes, for people.
fn told(takes: Takes) -> String {
    let quoted = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    match takes {
        Takes::Text | Takes::Line => "text".to_owned(),
        Takes::LongText => "text, also of several lines".to_owned(),
        Takes::TextLines(most) => format!("text of 1 to {most} lines"),
        Takes::Lines(most) => format!("list of 1 to {most} texts"),
        Takes::Code(code) => code.about().to_owned(),
        Takes::Form(form) => form.to_owned(),
        Takes::Forms(form) => format!("list of {form}"),
        Takes::Secret => "secret, or `_file`".to_owned(),
        Takes::True => "`true`".to_owned(),
        Takes::Whole { min, max } => format!("whole number, {min} to {max}"),
        Takes::Decimal => "quoted decimal".to_owned(),
        Takes::Seconds { min, max } => {
            let (min, max) = (values::span(values::of_seconds(min)), values::span(values::of_seconds(max)));
            format!("duration in whole seconds, {min} to {max}")
        }
        Takes::Duration { min_ms, max_ms } => {
            let (min, max) = (Duration::from_millis(min_ms), Duration::from_millis(max_ms));
            format!("duration, {} to {}", values::span(min), values::span(max))
        }
        Takes::Time => "date or time".to_owned(),
        Takes::Choice(words) => quoted(words),
        Takes::Choices(words) => format!("list of {}", quoted(words)),
        Takes::Words(words) => format!("{}, with commas between them", quoted(words)),
        Takes::Table(_) | Takes::SomeOf(_) | Takes::Tables(_) => "table".to_owned(),
        Takes::Defined(name) => name.to_owned(),
    }
}
