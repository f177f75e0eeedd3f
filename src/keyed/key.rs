//! A key: its name, what it takes, what holds without it, and what it means.

use crate::domain::codes::Code;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Text, as it is written; not empty.
    Text,
    /// Text for documents: one line, without spaces around it and without control characters.
    Line,
    /// Text for documents that may have several lines.
    LongText,
    /// Text for documents of so many lines at most.
    TextLines(usize),
    /// A list of so many such lines at most, at least one.
    Lines(usize),
    /// A code of a list that others keep.
    Code(Code),
    /// One line in a form of its own, which is told so.
    Form(&'static str),
    /// A list of such.
    Forms(&'static str),
    /// Text that is never shown; also as `<key>_file`, the path of a file that holds it.
    Secret,
    /// `true`; for anything else, the key is left out.
    True,
    /// A whole number from `min` to `max`.
    Whole { min: i64, max: i64 },
    /// A quoted decimal that isn't negative.
    Decimal,
    /// A duration in whole seconds: `15m`.
    Seconds { min: i64, max: i64 },
    /// A duration to the millisecond: `250ms`.
    Duration { min_ms: u64, max_ms: u64 },
    /// A TOML date or time, or the same as text. A date is midnight in the billing time zone.
    Time,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A list of some of these, each once.
    Choices(&'static [&'static str]),
    /// A text of some of these, with commas between them.
    Words(&'static [&'static str]),
    /// A table with these keys.
    Table(fn() -> Vec<Key>),
    /// A table with at least one of these keys.
    SomeOf(fn() -> Vec<Key>),
    /// A list of tables with these keys.
    Tables(fn() -> Vec<Key>),
    /// What the file's schema defines by this name.
    Defined(&'static str),
}

/// What holds where a key is left out.
#[derive(Clone, Copy, Debug)]
pub enum Absent {
    /// It mustn't be.
    Required,
    /// Nothing.
    Nothing,
    /// Nothing, as if it is empty.
    NothingOrEmpty,
    /// The same as if this were written.
    Value(&'static str),
    /// Something that is told so.
    Means(&'static str),
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub takes: Takes,
    pub absent: Absent,
    /// What it means, for people.
    pub about: &'static str,
}

/// A key that may be left out, and means nothing then.
#[must_use]
pub const fn key(name: &'static str, takes: Takes, about: &'static str) -> Key {
    Key { name, takes, absent: Absent::Nothing, about }
}

impl Key {
    /// As this, but it must be given.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { absent: Absent::Required, ..self }
    }

    /// As this, but left out it counts as if `value` were written.
    #[must_use]
    pub const fn or(self, value: &'static str) -> Self {
        Self { absent: Absent::Value(value), ..self }
    }

    /// As this, and an empty text is the same as none.
    #[must_use]
    pub const fn or_empty(self) -> Self {
        Self { absent: Absent::NothingOrEmpty, ..self }
    }

    /// As this, but what holds without it is told so.
    #[must_use]
    pub const fn means(self, words: &'static str) -> Self {
        Self { absent: Absent::Means(words), ..self }
    }

    /// How it may be written, for hints: `payment_days = 60`.
    #[must_use]
    pub fn sample(&self) -> String {
        let name = self.name;
        match self.takes {
            Takes::Table(keys) | Takes::SomeOf(keys) => {
                let keys = keys();
                let first = keys.iter().find(|key| matches!(key.absent, Absent::Required)).or(keys.first());
                format!("{name} = {{ {} }}", first.map(Self::sample).unwrap_or_default())
            }
            Takes::Tables(_) => format!("[[{name}]]"),
            Takes::Secret => format!("{name}_file = \"…\""),
            Takes::Choice(words) => format!("{name} = {}", or_list(words, "\"")),
            _ => format!("{name} = {}", self.sample_value()),
        }
    }

    fn sample_value(&self) -> String {
        match self.takes {
            Takes::True => "true".to_owned(),
            Takes::Code(code) => format!("\"{}\"", code.example()),
            Takes::Whole { min, max } => min.max(max.min(60)).to_string(),
            Takes::Decimal | Takes::Defined(_) => "\"1\"".to_owned(),
            Takes::Seconds { .. } | Takes::Duration { .. } => "\"15m\"".to_owned(),
            Takes::Time => "2026-10-01".to_owned(),
            Takes::Choices(words) => format!("[\"{}\"]", words.first().copied().unwrap_or_default()),
            Takes::Lines(_) | Takes::Forms(_) => "[\"…\"]".to_owned(),
            _ => "\"…\"".to_owned(),
        }
    }
}

/// `a`, `b` or `c`, each between two such marks.
pub(super) fn or_list(words: &[&str], mark: &str) -> String {
    let marked: Vec<String> = words.iter().map(|word| format!("{mark}{word}{mark}")).collect();
    match marked.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}
