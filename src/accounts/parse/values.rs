//! Single values: texts, lists, words, numbers, times; each is right, or told.

use chrono::NaiveDate;
use toml::de::{DeTable, DeValue};

use super::super::keys::{Key, TERMS, Takes};
use super::{Parser, Value};
use crate::domain::period::start_of_day;
use crate::domain::text::did_you_mean;
use crate::domain::{Price, Timestamp};

/// The words that a key takes.
fn words_of(key: &str) -> &'static [&'static str] {
    let takes = TERMS.iter().find(|known: &&Key| known.name == key).map(|known| known.takes);
    match takes {
        Some(Takes::Choice(words) | Takes::Choices(words)) => words,
        _ => &[],
    }
}

impl<'a> Parser<'a> {
    /// Text of a key, if it is there.
    pub(super) fn text(&mut self, table: &DeTable<'a>, key: &str) -> Option<String> {
        self.text_of(key, table.get(key)?)
    }

    /// Text of one line.
    pub(super) fn text_of(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
        let text = self.long_text(key, value)?;
        if text.contains('\n') {
            self.error(&value.span(), format!("`{key}` has more than one line"), "write it on one");
            return None;
        }
        Some(text)
    }

    /// Text that documents can carry: without what no font shows and no XML takes.
    pub(super) fn long_text(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.error(&value.span(), format!("`{key}` is not text"), format!("write {key} = \"…\""));
            return None;
        };
        let text = text.trim().replace("\r\n", "\n");
        if text.is_empty() {
            self.error(&value.span(), format!("`{key}` is empty"), "give it a text, or leave the key out");
            return None;
        }
        if let Some(letter) = text.chars().find(|letter| letter.is_control() && *letter != '\n') {
            let what = format!("`{key}` has the control character {}", letter.escape_unicode());
            self.error(&value.span(), what, "remove it: a document can't show it");
            return None;
        }
        Some(text)
    }

    /// A list of so many texts at most, at least one.
    pub(super) fn lines(&mut self, table: &DeTable<'a>, key: &str, most: usize) -> Vec<String> {
        let Some(value) = table.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.error(&value.span(), format!("`{key}` is not a list"), format!("write {key} = [\"…\"]"));
            return Vec::new();
        };
        if items.is_empty() || items.len() > most {
            let what = format!("`{key}` has {} lines, not 1 to {most}", items.len());
            self.error(&value.span(), what, "e-invoices have room for so many; leave the key out if there is none");
        }
        items.iter().filter_map(|item| self.text_of(key, item)).collect()
    }

    /// One of the words that a key takes.
    pub(super) fn choice(&mut self, table: &DeTable<'a>, key: &str) -> Option<String> {
        let value = table.get(key)?;
        self.word(key, value)
    }

    fn word(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
        let text = self.text_of(key, value)?;
        let words = words_of(key);
        if words.contains(&text.as_str()) {
            return Some(text);
        }
        let same = words.iter().find(|word| word.eq_ignore_ascii_case(&text));
        let same = same.map(|word| format!("write {word}"));
        // Of codes of a letter or two, each is near each other.
        let near = || did_you_mean(&text, words.iter().copied().filter(|word| word.len() > 2));
        let hint = same.or_else(near).unwrap_or_else(|| format!("it is one of {}", words.join(", ")));
        self.error(&value.span(), format!("`{key}`: `{text}` is none of its words"), hint);
        None
    }

    /// Some of the words that a key takes, each once.
    pub(super) fn choices(&mut self, table: &DeTable<'a>, key: &str) -> Option<Vec<String>> {
        let value = table.get(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.error(&value.span(), format!("`{key}` is not a list"), format!("write {key} = [\"…\"]"));
            return None;
        };
        let mut words: Vec<String> = Vec::new();
        for item in items {
            let Some(word) = self.word(key, item) else { continue };
            if words.contains(&word) {
                self.error(&item.span(), format!("`{key}` has `{word}` twice"), "once is enough: remove one");
            }
            words.push(word);
        }
        Some(words)
    }

    pub(super) fn whole(&mut self, table: &DeTable<'a>, key: &str, max: u32) -> Option<u32> {
        let value = table.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(integer) => u32::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| *number <= max);
        if number.is_none() {
            let written = self.text.get(value.span()).unwrap_or_default().to_owned();
            let what = format!("`{key}`: `{written}` is not a whole number from 0 to {max}");
            self.error(&value.span(), what, format!("without quotes, such as {key} = 14"));
        }
        number
    }

    /// A quoted decimal.
    pub(super) fn decimal(&mut self, table: &DeTable<'a>, key: &str) -> Option<Price> {
        let value = table.get(key)?;
        let DeValue::String(text) = value.get_ref() else {
            let written = self.text.get(value.span()).unwrap_or_default().to_owned();
            let plain = !written.is_empty() && written.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let quoted = if plain { written.as_str() } else { "19" };
            let hint = format!("quote it, so that it stays exact: {key} = \"{quoted}\"");
            self.error(&value.span(), format!("`{key}`: `{written}` is not a quoted decimal"), hint);
            return None;
        };
        match text.parse() {
            Ok(decimal) => Some(decimal),
            Err(error) => {
                let hint = "digits and a point, no sign, no comma, no exponent";
                self.error(&value.span(), format!("`{key}`: {error}"), hint);
                None
            }
        }
    }

    pub(super) fn time(&mut self, table: &DeTable<'a>, key: &str) -> Option<Timestamp> {
        let value = table.get(key)?;
        let written = match value.get_ref() {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => self.text.get(value.span()).unwrap_or_default().to_owned(),
        };
        let date = written.parse::<NaiveDate>().ok().and_then(|date| start_of_day(date, self.zone));
        let time = date.or_else(|| Timestamp::parse(&written).ok());
        if time.is_none() {
            let hint = format!(
                "write a date ({key} = 2026-10-01, midnight in {}) or a time with its offset ({key} = 2026-10-15T13:37:00+02:00)",
                self.zone
            );
            self.error(&value.span(), format!("`{key}`: `{written}` is no instant"), hint);
        }
        time
    }
}
