//! A TOML text as tables of values that know where they stand, and the problems found in it.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{FilePosition, Origin, Problem, sort};
use crate::domain::text::Position;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// These bytes of the text.
    Bytes(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// Nothing that was written.
    Nowhere,
}

/// A value.
#[derive(Clone, Debug)]
pub struct TomlValue {
    pub at: At,
    pub written: Written,
}

/// What is written there.
#[derive(Clone, Debug)]
pub enum Written {
    Text(String),
    /// `None`: of more than 64 bits.
    Integer(Option<i64>),
    Float,
    Boolean(bool),
    /// A date or time.
    Time(String),
    List(Vec<TomlValue>),
    Table(TomlTable),
    /// Of layered settings: a text that stands for whatever its key takes, since environment variables have no types.
    Layered(String),
}

/// Keys and values in the order of the text.
#[derive(Clone, Debug)]
pub struct TomlTable {
    pub at: At,
    pub entries: Vec<Entry>,
}

/// A key as it is written, and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: String,
    pub at: At,
    pub value: TomlValue,
}

impl TomlTable {
    /// A table without a key.
    #[must_use]
    pub const fn empty(at: At) -> Self {
        Self { at, entries: Vec::new() }
    }

    /// The key of that name, with its value.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The value of the key of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&TomlValue> {
        self.entry(name).map(|entry| &entry.value)
    }
}

/// Reads one text, and collects what is wrong with it.
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    /// Where they stand: large files have many places to tell.
    newlines: Vec<usize>,
    problems: RefCell<Vec<Problem>>,
    unfit: RefCell<Vec<Problem>>,
}

impl<'a> Reader<'a> {
    /// `file` names the text in problems; empty: there is no file.
    #[must_use]
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let newlines = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { file, text, newlines, problems: RefCell::default(), unfit: RefCell::default() }
    }

    /// The whole text; `None`: it isn't TOML, which is told, and nothing else is: it would be guessed from half a file.
    /// `example` is what such a text looks like, for the hint.
    #[must_use]
    pub fn document(&self, example: &str) -> Option<TomlTable> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let at = At::Bytes(error.span().unwrap_or(0..0));
            self.error(&at, error.message(), format!("TOML: {example}, then key = \"value\", a line each"));
        }
        errors.is_empty().then(|| table_of(0..0, table.get_ref()))
    }

    /// Where something stands, for a problem.
    #[must_use]
    pub fn origin(&self, at: &At) -> Origin {
        match at {
            At::Bytes(_) => Origin::At(self.file_position(at)),
            At::Variable(name) => Origin::Variable(name.clone()),
            At::Nowhere if self.file.is_empty() => Origin::Nowhere,
            At::Nowhere => Origin::File(self.file.to_owned()),
        }
    }

    /// Where something begins in the text; what isn't in it, at its beginning.
    #[must_use]
    pub fn position(&self, at: &At) -> Position {
        let offset = if let At::Bytes(span) = at { span.start } else { 0 };
        let lines = self.newlines.partition_point(|newline| *newline < offset);
        let begins = lines.checked_sub(1).map_or(0, |last| self.newlines[last] + 1);
        let column = 1 + self.text.get(begins..offset).map_or(0, |before| before.chars().count());
        Position { line: 1 + lines, column }
    }

    /// The folder of the file.
    pub(super) fn folder(&self) -> &Path {
        Path::new(self.file).parent().unwrap_or(Path::new(""))
    }

    /// Where something begins, with the file.
    #[must_use]
    pub fn file_position(&self, at: &At) -> FilePosition {
        FilePosition::new(self.file, self.position(at))
    }

    /// A value as it is written in the text.
    #[must_use]
    pub fn written<'v>(&'v self, value: &'v TomlValue) -> &'v str {
        match (&value.written, &value.at) {
            (Written::Text(text) | Written::Layered(text), _) => text,
            (_, At::Bytes(span)) => self.text.get(span.clone()).unwrap_or_default(),
            _ => "",
        }
    }

    /// Notes something that is wrong.
    pub fn error(&self, at: &At, message: impl Into<String>, hint: impl Into<String>) {
        self.add(Problem::error(self.origin(at), message, hint));
    }

    /// Notes a problem.
    pub fn add(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Notes what only keeps invoices from being final: usage is collected, and drafts are made all the same.
    pub(super) fn unfit(&self, at: &At, message: impl Into<String>, hint: impl Into<String>) {
        self.unfit.borrow_mut().push(Problem::error(self.origin(at), message, hint));
    }

    /// How many problems were found so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.problems.borrow().len()
    }

    /// What was found, in the order of the text; nothing is left.
    #[must_use]
    pub fn take_problems(&self) -> Vec<Problem> {
        sorted(self.problems.take())
    }

    /// What keeps invoices from being final, in the order of the text; nothing is left.
    #[must_use]
    pub fn take_unfit(&self) -> Vec<Problem> {
        sorted(self.unfit.take())
    }
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    sort(&mut problems);
    problems
}

fn table_of(span: Range<usize>, table: &DeTable<'_>) -> TomlTable {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            name: key.get_ref().to_string(),
            at: At::Bytes(key.span()),
            value: value_of(value),
        })
        .collect();
    entries.sort_by_key(|entry| if let At::Bytes(span) = &entry.at { span.start } else { 0 });
    TomlTable { at: At::Bytes(span), entries }
}

fn value_of(value: &Spanned<DeValue<'_>>) -> TomlValue {
    let written = match value.get_ref() {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Integer(integer) => Written::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()),
        DeValue::Float(_) => Written::Float,
        DeValue::Boolean(truth) => Written::Boolean(*truth),
        DeValue::Datetime(time) => Written::Time(time.to_string()),
        DeValue::Array(items) => Written::List(items.iter().map(value_of).collect()),
        DeValue::Table(table) => Written::Table(table_of(value.span(), table)),
    };
    TomlValue { at: At::Bytes(value.span()), written }
}
