//! A table that is read by the keys that it may have: each value is right, or what is wrong with it is noted.

use std::borrow::Cow;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use chrono_tz::Tz;

use super::document::{At, Reader, TomlTable, TomlValue, Written};
use super::key::{Absent, Key, Takes};
use super::values;
use crate::domain::codes::{self, Wrong};
use crate::domain::money::NotAPrice;
use crate::domain::text::did_you_mean;
use crate::domain::{Currency, ElectronicAddress, Price, Timestamp};

/// A table and its keys. What is wrong goes to its reader; a method gives `None` for what is wrong, missing or left out.
#[derive(Clone, Debug)]
pub struct Keyed<'r> {
    pub reader: &'r Reader<'r>,
    pub table: &'r TomlTable,
    keys: Rc<[Key]>,
    /// What it is, as in `[[account.owns]]`; empty: the file.
    name: String,
    has_unknown_key: bool,
    /// Where its dates are midnights.
    pub zone: Tz,
}

impl<'r> Keyed<'r> {
    /// Notes every key that it can't have.
    #[must_use]
    pub fn new(reader: &'r Reader<'r>, table: &'r TomlTable, keys: Vec<Key>, name: &str, zone: Tz) -> Self {
        let keys: Rc<[Key]> = keys.into();
        let mut keyed = Self { reader, table, keys, name: name.to_owned(), has_unknown_key: false, zone };
        for entry in &table.entries {
            if keyed.find(&entry.name).is_none() {
                keyed.unknown(&entry.name, &entry.at, &entry.value);
                keyed.has_unknown_key = true;
            }
        }
        keyed
    }

    fn unknown(&self, name: &str, at: &At, value: &TomlValue) {
        let is_section = self.name.is_empty()
            && match &value.written {
                Written::Table(_) => true,
                Written::List(items) => items.iter().any(|item| matches!(item.written, Written::Table(_))),
                _ => false,
            };
        let what = if is_section { "section" } else { "key" };
        let within = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
        let known = || self.keys.iter().map(|key| key.name);
        let hint = did_you_mean(name, known()).unwrap_or_else(|| {
            let of = if self.name.is_empty() { "the file".to_owned() } else { format!("`{}`", self.name) };
            format!("{of} has: {}", known().collect::<Vec<_>>().join(", "))
        });
        self.reader.error(at, format!("unknown {what} `{name}`{within}"), hint);
    }

    /// Whether it has a key that it can't have. What is misspelt isn't missing.
    #[must_use]
    pub const fn has_unknown_key(&self) -> bool {
        self.has_unknown_key
    }

    fn find(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| {
            key.name == name || matches!(key.takes, Takes::Secret) && name.strip_suffix("_file") == Some(key.name)
        })
    }

    fn key(&self, name: &str) -> Key {
        *self.find(name).unwrap_or_else(|| panic!("`{}` has no key `{name}`", self.name))
    }

    /// Whether a key is written; never one that it can't have.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some() && self.table.get(name).is_some()
    }

    /// Where a key's value stands, or else the table.
    #[must_use]
    pub fn at(&self, name: &str) -> &At {
        self.table.get(name).map_or(&self.table.at, |value| &value.at)
    }

    /// Where a key stands, or else the table.
    #[must_use]
    pub fn key_at(&self, name: &str) -> &At {
        self.table.entry(name).map_or(&self.table.at, |entry| &entry.at)
    }

    /// Notes that something is wrong with a key's value.
    pub fn error(&self, name: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.error(self.at(name), message, hint);
    }

    /// Notes that something is wrong with the table.
    pub fn error_here(&self, message: impl Into<String>, hint: impl Into<String>) {
        self.reader.error(&self.table.at, message, hint);
    }

    fn wrong(&self, name: &str, value: &TomlValue, wrong: &Wrong) {
        self.reader.error(&value.at, format!("`{name}`: {}", wrong.what), wrong.hint(name));
    }

    /// What is written, or else what counts as if it were; that a key is missing is noted.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<Cow<'r, TomlValue>> {
        if let Some(value) = self.table.get(name) {
            return Some(Cow::Borrowed(value));
        }
        let key = self.key(name);
        match key.absent {
            Absent::Value(text) => {
                let written = Written::Layered(text.to_owned());
                Some(Cow::Owned(TomlValue { at: self.table.at.clone(), written }))
            }
            Absent::Required => {
                self.missing(name);
                None
            }
            Absent::Nothing | Absent::NothingOrEmpty | Absent::Means(_) => None,
        }
    }

    /// Notes that a key is missing.
    pub fn missing(&self, name: &str) {
        let key = self.key(name);
        let within = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
        let about = if key.about.is_empty() { String::new() } else { format!(" ({})", key.about) };
        self.error_here(format!("`{name}` is missing{within}"), format!("write {}{about}", key.sample()));
    }

    /// Text of whatever form its key takes.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        self.text_of(name, &value)
    }

    fn text_of(&self, name: &str, value: &TomlValue) -> Option<String> {
        let key = self.key(name);
        let (Written::Text(text) | Written::Layered(text)) = &value.written else {
            self.reader.error(&value.at, format!("`{name}` is not text"), format!("write {name} = \"…\""));
            return None;
        };
        if text.trim().is_empty() {
            let counts = matches!(key.absent, Absent::NothingOrEmpty) && matches!(value.written, Written::Layered(_));
            if !counts {
                let hint = "give it a text, or leave the key out";
                self.reader.error(&value.at, format!("`{name}` is empty"), hint);
            }
            return None;
        }
        let is_printed = matches!(
            key.takes,
            Takes::Line
                | Takes::LongText
                | Takes::TextLines(_)
                | Takes::Lines(_)
                | Takes::Code(_)
                | Takes::Choice(_)
                | Takes::Choices(_)
                | Takes::Form(_)
                | Takes::Forms(_)
        );
        if !is_printed {
            return Some(text.clone());
        }
        let text = text.trim().replace("\r\n", "\n");
        if let Some(letter) = text.chars().find(|letter| letter.is_control() && *letter != '\n') {
            let message = format!("`{name}` has the control character {}", letter.escape_unicode());
            self.reader.error(&value.at, message, "remove it: a document can't show it");
            return None;
        }
        if !matches!(key.takes, Takes::LongText | Takes::TextLines(_)) && text.contains('\n') {
            self.reader.error(&value.at, format!("`{name}` has more than one line"), "write it on one line");
            return None;
        }
        Some(text)
    }

    /// A path. A relative one counts from the folder of the file that it stands in; one of the environment from the working
    /// folder.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let path = self.text(name).map(PathBuf::from)?;
        Some(match self.at(name) {
            At::Bytes(_) => self.reader.folder().join(path),
            At::Variable(_) | At::Nowhere => path,
        })
    }

    /// Text in a form of its own.
    pub fn form<T>(&self, name: &str, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let value = self.value(name)?;
        let text = self.text_of(name, &value)?;
        self.told(name, &value, parse(&text))
    }

    fn told<T>(&self, name: &str, value: &TomlValue, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.wrong(name, value, &wrong)).ok()
    }

    /// A list of texts, or the lines of one.
    #[must_use]
    pub fn lines(&self, name: &str) -> Vec<String> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let (lines, count, most): (Vec<String>, usize, usize) = match self.key(name).takes {
            Takes::Lines(most) => {
                let Some(items) = self.items(name, &value) else { return Vec::new() };
                (items.iter().filter_map(|item| self.text_of(name, item)).collect(), items.len(), most)
            }
            Takes::TextLines(most) => {
                let Some(text) = self.text_of(name, &value) else { return Vec::new() };
                let lines = text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty());
                let lines: Vec<String> = lines.collect();
                let count = lines.len();
                (lines, count, most)
            }
            _ => unreachable!("`{name}` takes no lines"),
        };
        if count == 0 || count > most {
            let message = format!("`{name}` has {count} lines, not 1 to {most}");
            let hint = format!("e-invoices have room for {most}; leave the key out if there are none");
            self.reader.error(&value.at, message, hint);
        }
        lines
    }

    fn items<'v>(&self, name: &str, value: &'v TomlValue) -> Option<&'v [TomlValue]> {
        if let Written::List(items) = &value.written {
            return Some(items);
        }
        let told = if let Takes::Forms(form) = self.key(name).takes { format!(": {form}") } else { String::new() };
        self.reader.error(&value.at, format!("`{name}` is not a list"), format!("write {name} = [\"…\"]{told}"));
        None
    }

    /// Each text of a list, with where it stands.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<(String, At)> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let items = self.items(name, &value).unwrap_or_default();
        items.iter().filter_map(|item| Some((self.text_of(name, item)?, item.at.clone()))).collect()
    }

    /// The word of a choice.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&'static str> {
        let Takes::Choice(words) = self.key(name).takes else { unreachable!("`{name}` takes no word") };
        let value = self.value(name)?;
        let text = self.text_of(name, &value)?;
        self.told(name, &value, values::word(&text, words))
    }

    /// The words of a list or of a text.
    #[must_use]
    pub fn words(&self, name: &str) -> Option<Vec<&'static str>> {
        let value = self.value(name)?;
        match self.key(name).takes {
            Takes::Choices(words) => {
                let mut given = Vec::new();
                for item in self.items(name, &value)? {
                    let Some(text) = self.text_of(name, item) else { continue };
                    let Some(word) = self.told(name, item, values::word(&text, words)) else { continue };
                    if given.contains(&word) {
                        let message = format!("`{name}` has `{word}` twice");
                        self.reader.error(&item.at, message, "once is enough: remove one");
                    }
                    given.push(word);
                }
                Some(given)
            }
            Takes::Words(words) => {
                let (Written::Text(text) | Written::Layered(text)) = &value.written else {
                    self.error(name, format!("`{name}` is not text"), format!("write {name} = \"…\""));
                    return None;
                };
                self.told(name, &value, values::words(text, words))
            }
            _ => unreachable!("`{name}` takes no words"),
        }
    }

    /// A whole number.
    #[must_use]
    pub fn whole<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        let Takes::Whole { min, max } = self.key(name).takes else { unreachable!("`{name}` takes no number") };
        let value = self.value(name)?;
        let number = match &value.written {
            Written::Integer(number) => *number,
            Written::Layered(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (min..=max).contains(number)).and_then(|number| T::try_from(number).ok());
        if number.is_none() {
            let quoted = matches!(value.written, Written::Text(_));
            let written = self.reader.written(&value);
            let written = if quoted { format!("\"{written}\"") } else { written.to_owned() };
            let message = format!("`{name}`: `{written}` is not a whole number from {min} to {max}");
            let hint = format!("write it without quotes, such as {}", self.key(name).sample());
            self.reader.error(&value.at, message, hint);
        }
        number
    }

    /// A quoted decimal.
    #[must_use]
    pub fn decimal(&self, name: &str) -> Option<Price> {
        let value = self.value(name)?;
        match &value.written {
            Written::Text(text) | Written::Layered(text) => {
                let wrong = |error: NotAPrice| {
                    let form = match error {
                        NotAPrice::NotANumber(_) => "digits and a point, no sign, no comma, no exponent",
                        NotAPrice::Negative(_) => "it can't be less than 0",
                        NotAPrice::TooFine(_) => "round it: so many decimals are kept",
                        NotAPrice::TooLarge(_) => "is it of one unit?",
                    };
                    Wrong::new(error.to_string(), form)
                };
                self.told(name, &value, text.parse().map_err(wrong))
            }
            Written::Float | Written::Integer(_) => {
                let written = self.reader.written(&value);
                let is_plain = written.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
                let quoted = if is_plain { written } else { "0.01" };
                let hint = format!("quote it, so that it stays exact: {name} = \"{quoted}\"");
                let message = format!("`{name}` is the number {written}, not a quoted decimal");
                self.reader.error(&value.at, message, hint);
                None
            }
            _ => {
                let hint = format!("write {name} = \"0.01\"");
                self.reader.error(&value.at, format!("`{name}` is not a quoted decimal"), hint);
                None
            }
        }
    }

    /// A duration in whole seconds.
    #[must_use]
    pub fn seconds(&self, name: &str) -> Option<i64> {
        let Takes::Seconds { min, max } = self.key(name).takes else { unreachable!("`{name}` takes no seconds") };
        self.form(name, |text| values::seconds(text, min, max))
    }

    /// A duration.
    #[must_use]
    pub fn duration(&self, name: &str) -> Option<Duration> {
        let Takes::Duration { min_ms, max_ms } = self.key(name).takes else {
            unreachable!("`{name}` takes no duration")
        };
        self.form(name, |text| values::duration(text, min_ms, max_ms))
    }

    /// A date or time.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        let value = self.value(name)?;
        let text = match &value.written {
            Written::Time(text) => text.as_str(),
            _ => self.reader.written(&value),
        };
        self.told(name, &value, values::time(text, self.zone))
    }

    /// `true`, or it is wrong.
    #[must_use]
    pub fn is_true(&self, name: &str) -> Option<()> {
        let value = self.value(name)?;
        let is_true = matches!(value.written, Written::Boolean(true));
        if !is_true {
            let hint = format!("leave it out, or write {name} = true");
            self.reader.error(&value.at, format!("`{name}` is not true"), hint);
        }
        is_true.then_some(())
    }

    /// A currency by its code.
    #[must_use]
    pub fn currency(&self, name: &str) -> Option<Currency> {
        self.form(name, codes::currency)
    }

    /// A code, as it is written. One that isn't valid keeps invoices from being final, and nothing else.
    #[must_use]
    pub fn code(&self, name: &str) -> Option<String> {
        let Takes::Code(code) = self.key(name).takes else { unreachable!("`{name}` takes no code") };
        let value = self.value(name)?;
        let text = code.plain(&self.text_of(name, &value)?);
        if let Err(wrong) = code.check(&text) {
            self.reader.unfit(&value.at, format!("`{name}`: {}", wrong.what), wrong.hint(name));
        }
        Some(text)
    }

    /// An electronic address; one that isn't valid is none, and keeps invoices from being final.
    #[must_use]
    pub fn electronic_address(&self, name: &str) -> Option<ElectronicAddress> {
        let text = self.code(name)?;
        let (scheme, id) = codes::scheme_and_id(&text).ok()?;
        Some(ElectronicAddress { scheme: scheme.to_owned(), id: id.to_owned() })
    }

    /// The table that a key has.
    #[must_use]
    pub fn sub_table(&self, name: &str) -> Option<Self> {
        let (Takes::Table(keys) | Takes::SomeOf(keys)) = self.key(name).takes else {
            unreachable!("`{name}` takes no table")
        };
        let entry = self.table.entry(name)?;
        let Written::Table(table) = &entry.value.written else {
            let sample = if self.name.is_empty() { format!("[{name}]") } else { self.key(name).sample() };
            self.reader.error(&entry.value.at, format!("`{name}` is not a table"), format!("write {sample}"));
            return None;
        };
        Some(self.child(name, table, keys()))
    }

    /// Each table of a list.
    #[must_use]
    pub fn tables(&self, name: &str) -> Vec<Self> {
        let Takes::Tables(keys) = self.key(name).takes else { unreachable!("`{name}` takes no tables") };
        let Some(entry) = self.table.entry(name) else { return Vec::new() };
        let hint = || format!("write [[{}]]", self.full_name(name));
        let Written::List(items) = &entry.value.written else {
            self.reader.error(&entry.at, format!("`{name}` is not a list of tables"), hint());
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(items.len());
        for item in items {
            match &item.written {
                Written::Table(table) => tables.push(self.child(name, table, keys())),
                _ => self.reader.error(&item.at, format!("`{name}` is not a list of tables"), hint()),
            }
        }
        tables
    }

    /// A table within this one, read by keys of its own.
    #[must_use]
    pub fn child(&self, name: &str, table: &'r TomlTable, keys: Vec<Key>) -> Self {
        Self::new(self.reader, table, keys, &self.full_name(name), self.zone)
    }

    fn full_name(&self, name: &str) -> String {
        if self.name.is_empty() { name.to_owned() } else { format!("{}.{name}", self.name) }
    }
}
