//! Reads a card's TOML; reports all problems at once, each with its place and a hint.

mod beside;
mod rate;
mod values;
mod whose;

use std::ops::Range;

use chrono_tz::Tz;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Block, Key};
use super::{Allowance, Discount, Floor, FloorKind, Place, Problem, Rate, RateCard, Severity, Tax, Validity, check};
use crate::domain::text::{Position, did_you_mean, position};
use crate::domain::{Currency, Rounding};

/// One file of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFile {
    /// Names it in problems.
    pub name: String,
    pub text: String,
}

/// Reads a card from all its files, in whatever order; dates are midnights in `zone`.
///
/// Gives the card unless there are errors, and every problem found, in the order of the text.
#[must_use]
pub fn parse(files: &[CardFile], zone: Tz) -> (Option<RateCard>, Vec<Problem>) {
    let (card, problems) = read(files, zone);
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    (card.filter(|_| !refused), problems)
}

/// As [`parse`], but gives what could be understood also where there are errors: to look for more of them.
#[must_use]
pub fn read(files: &[CardFile], zone: Tz) -> (Option<RateCard>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut card: Option<Read> = None;
    let mut files: Vec<&CardFile> = files.iter().collect();
    files.sort_by(|one, two| one.name.cmp(&two.name));
    // What half a file doesn't say isn't missing from the others.
    let mut whole = true;
    for file in &files {
        let mut parser = Parser {
            file: &file.name,
            text: &file.text,
            zone,
            problems: Vec::new(),
            top: Validity::default(),
            has_unknown_key: false,
        };
        let read = parser.file();
        problems.extend(parser.problems);
        whole &= read.is_some();
        if let Some(read) = read {
            match &mut card {
                None => card = Some(read),
                Some(card) => card.add(read, &mut problems),
            }
        }
    }
    if files.is_empty() {
        let place = Place { file: "rates".to_owned(), line: 1, column: 1 };
        let hint = "give a TOML file, or a folder of them".to_owned();
        problems.push(Problem::at(&place, Severity::Error, "there is no rate card".to_owned(), hint));
    }
    let card = card.map(|read| read.card(&mut problems));
    if let Some(card) = card.as_ref().filter(|_| whole) {
        problems.extend(check::between(card));
    }
    problems.sort_by(|one, two| (&one.file, one.position).cmp(&(&two.file, two.position)));
    (card, problems)
}

/// What a file says; `None` for what it should say and doesn't.
struct Read {
    place: Place,
    /// It has blocks, right or wrong.
    has_blocks: bool,
    name: Option<String>,
    currency: Option<Currency>,
    rounding: Option<Rounding>,
    taxes: Vec<Tax>,
    rates: Vec<Rate>,
    allowances: Vec<Allowance>,
    discounts: Vec<Discount>,
    floors: Vec<Floor>,
}

impl Read {
    /// Adds another file of the same card.
    fn add(&mut self, other: Self, problems: &mut Vec<Problem>) {
        let mut differs = |what: &str, ours: Option<String>, theirs: Option<String>| {
            if let (Some(ours), Some(theirs)) = (&ours, &theirs)
                && ours != theirs
            {
                let message = format!("`{theirs}` is another {what} than `{ours}` in {}", self.place.file);
                let hint = format!("all files of a folder are one card: give them one {what}, or folders of their own");
                problems.push(Problem::at(&other.place, Severity::Error, message, hint));
            }
        };
        differs("name", self.name.clone(), other.name.clone());
        let code = |currency: Option<Currency>| currency.map(|currency| currency.code().to_owned());
        differs("currency", code(self.currency), code(other.currency));
        let rule = |rounding: Option<Rounding>| rounding.map(|rounding| rounding.name().to_owned());
        differs("rounding", rule(self.rounding), rule(other.rounding));
        self.rounding = self.rounding.or(other.rounding);
        self.taxes.extend(other.taxes);
        self.has_blocks |= other.has_blocks;
        self.rates.extend(other.rates);
        self.allowances.extend(other.allowances);
        self.discounts.extend(other.discounts);
        self.floors.extend(other.floors);
    }

    /// A card, also if a problem keeps it from being used: what is wrong between its blocks is to be found.
    fn card(self, problems: &mut Vec<Problem>) -> RateCard {
        if self.rates.is_empty() && (!self.has_blocks || problems.is_empty()) {
            let (message, hint) = ("the card has no rates".to_owned(), "begin with [[process]]".to_owned());
            problems.push(Problem::at(&self.place, Severity::Error, message, hint));
        }
        RateCard {
            name: self.name.unwrap_or_default(),
            currency: self.currency.unwrap_or(Currency::EUR),
            rounding: self.rounding.unwrap_or_default(),
            rates: self.rates,
            allowances: self.allowances,
            discounts: self.discounts,
            floors: self.floors,
            taxes: self.taxes,
        }
    }
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    zone: Tz,
    problems: Vec<Problem>,
    /// What the file says for blocks that don't.
    top: Validity,
    /// So does the block that is being read.
    has_unknown_key: bool,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The names of keys, for hints.
fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

impl<'a> Parser<'a> {
    fn place(&self, offset: usize) -> Place {
        let Position { line, column } = position(self.text, offset);
        Place { file: self.file.to_owned(), line, column }
    }

    fn error(&mut self, span: &Range<usize>, message: impl Into<String>, hint: &str) {
        let place = self.place(span.start);
        self.problems.push(Problem::at(&place, Severity::Error, message.into(), hint.to_owned()));
    }

    fn file(&mut self) -> Option<Read> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(&span, error.message(), "TOML: [[process]] and so on, then key = \"value\", a line each");
        }
        if !self.problems.is_empty() {
            // What follows would be guessed from half a file.
            return None;
        }
        let table = table.into_inner();
        let known: Vec<&str> =
            keys::TOP.iter().map(|key| key.name).chain(Block::ALL.iter().map(|block| block.name())).collect();
        for (key, _) in &table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                let hint = near.unwrap_or_else(|| format!("a card has: {}", known.join(", ")));
                self.error(&key.span(), format!("unknown key `{name}`"), &hint);
            }
        }
        self.top = self.validity(&table, 0..0);
        let name = self.required_text(&table, "name");
        let currency = self.currency(&table);
        let rounding = self.choice(&table, "rounding", keys::TOP).and_then(|name| Rounding::from_name(&name));
        let mut read = Read {
            place: self.place(0),
            has_blocks: Block::ALL.iter().any(|block| table.contains_key(block.name())),
            name,
            currency,
            rounding,
            taxes: Vec::new(),
            rates: Vec::new(),
            allowances: Vec::new(),
            discounts: Vec::new(),
            floors: Vec::new(),
        };
        for block in Block::ALL {
            let Some(value) = table.get(block.name()) else { continue };
            let DeValue::Array(items) = value.get_ref() else {
                let span = table.get_key_value(block.name()).map_or(0..0, |(key, _)| key.span());
                self.not_a_list(block, &span);
                continue;
            };
            for item in items {
                self.block(block, item, &mut read);
            }
        }
        // In the order of the text, whatever the kinds.
        read.rates.sort_by(|one, two| one.place.cmp(&two.place));
        read.floors.sort_by(|one, two| one.place.cmp(&two.place));
        Some(read)
    }

    fn not_a_list(&mut self, block: Block, span: &Range<usize>) {
        let (name, hint) = (block.name(), format!("write [[{}]]", block.name()));
        self.error(span, format!("`{name}` is not a list"), &hint);
    }

    fn block(&mut self, block: Block, item: &Value<'a>, read: &mut Read) {
        let DeValue::Table(table) = item.get_ref() else {
            self.not_a_list(block, &item.span());
            return;
        };
        let before = self.problems.len();
        self.unknown_keys(table, &block.keys(), &format!("`{}`", block.name()));
        self.has_unknown_key = self.problems.len() > before;
        let place = self.place(item.span().start);
        match block {
            Block::Rate(kind) => read.rates.extend(self.rate(kind, table, item, place)),
            Block::Allowance => read.allowances.extend(self.allowance(table, item, place)),
            Block::Discount => read.discounts.extend(self.discount(table, item, place, read.currency)),
            Block::Minimum => read.floors.extend(self.floor(FloorKind::Minimum, table, item, place, read.currency)),
            Block::Commitment => {
                read.floors.extend(self.floor(FloorKind::Commitment, table, item, place, read.currency));
            }
            Block::Tax => read.taxes.extend(self.tax(table, item, place)),
        }
    }

    fn unknown_keys(&mut self, table: &DeTable<'a>, known: &[Key], of: &str) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|key| key.name == name) {
                let near = did_you_mean(name, known.iter().map(|key| key.name));
                let hint = near.unwrap_or_else(|| format!("{of} has: {}", names(known)));
                self.error(&key.span(), format!("unknown key `{name}` in {of}"), &hint);
            }
        }
    }

    fn currency(&mut self, table: &DeTable<'a>) -> Option<Currency> {
        let code = self.required_text(table, "currency")?;
        let currency = Currency::from_code(&code);
        if currency.is_none() {
            let span = table.get("currency").map_or(0..0, Spanned::span);
            let upper = Currency::from_code(&code.to_uppercase());
            let hint =
                upper.map_or_else(|| "use an ISO 4217 code such as EUR".to_owned(), |code| format!("write {code}"));
            self.error(&span, format!("`{code}` is not a currency"), &hint);
        }
        currency
    }

    fn required_text(&mut self, table: &DeTable<'a>, key: &str) -> Option<String> {
        let Some(value) = table.get(key) else {
            let example = if key == "currency" { "EUR" } else { "standard" };
            let hint = format!("write {key} = \"{example}\"");
            self.error(&(0..0), format!("`{key}` is missing"), &hint);
            return None;
        };
        self.text(key, value)
    }

    /// When a block applies: as it says, else as its file does.
    fn validity(&mut self, table: &DeTable<'a>, whole: Range<usize>) -> Validity {
        let from = table.get("from").and_then(|value| self.time("from", value));
        let to = table.get("to").and_then(|value| self.time("to", value));
        let validity = Validity { from: from.or(self.top.from), to: to.or(self.top.to) };
        if let Validity { from: Some(begins), to: Some(ends) } = validity
            && ends <= begins
        {
            let span = table.get("to").or(table.get("from")).map_or(whole, Spanned::span);
            let of = |own: bool| if own { "it" } else { "its file" };
            let message =
                format!("{} ends at {ends}, not after {} begins at {begins}", of(to.is_some()), of(from.is_some()));
            self.error(&span, message, "`to` is the first instant at which it no longer applies");
            return Validity { from: validity.from, to: None };
        }
        validity
    }
}
