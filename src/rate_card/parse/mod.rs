//! Reads a card's TOML; reports all problems at once, each with its place and a hint.

mod beside;
mod rate;
mod values;
mod whose;

use chrono_tz::Tz;

use super::keys::{self, Block};
use super::{Allowance, Discount, Floor, FloorKind, Rate, RateCard, Tax, Validity, check};
use crate::domain::{Currency, Rounding};
use crate::keyed::{FilePosition, Keyed, Problem, Reader, Severity, sort};

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
        let reader = Reader::new(&file.name, &file.text);
        let read = read_file(&reader, zone);
        problems.extend(reader.take_problems());
        whole &= read.is_some();
        if let Some(read) = read {
            match &mut card {
                None => card = Some(read),
                Some(card) => card.add(read, &mut problems),
            }
        }
    }
    if files.is_empty() {
        let place = FilePosition { file: "rates".to_owned(), ..FilePosition::nowhere() };
        let hint = "give a TOML file, or a folder of them".to_owned();
        problems.push(Problem::at(&place, Severity::Error, "there is no rate card".to_owned(), hint));
    }
    let card = card.map(|read| read.card(&mut problems));
    if let Some(card) = card.as_ref().filter(|_| whole) {
        problems.extend(check::between(card));
    }
    sort(&mut problems);
    (card, problems)
}

/// What a file says; `None` for what it should say and doesn't.
struct Read {
    place: FilePosition,
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
                let hint = format!("all files of a folder are one card: use the same {what}, or separate folders");
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

/// Reads one file; `None`: it isn't TOML.
fn read_file(reader: &Reader<'_>, zone: Tz) -> Option<Read> {
    let table = reader.document("[[process]] and so on")?;
    let file = Keyed::new(reader, &table, keys::file(), "", zone);
    let top = BlockReader { keyed: file.clone(), top: Validity::default(), currency: None };
    let mut read = Read {
        place: reader.file_position(&table.at),
        has_blocks: Block::ALL.iter().any(|block| file.has(block.name())),
        name: file.text("name"),
        currency: file.currency("currency"),
        rounding: file.word("rounding").and_then(Rounding::from_name),
        taxes: Vec::new(),
        rates: Vec::new(),
        allowances: Vec::new(),
        discounts: Vec::new(),
        floors: Vec::new(),
    };
    let top = top.validity();
    for block in Block::ALL {
        for keyed in file.tables(block.name()) {
            BlockReader { keyed, top, currency: read.currency }.read(block, &mut read);
        }
    }
    // In the order of the text, whatever the kinds.
    read.rates.sort_by(|one, two| one.place.cmp(&two.place));
    read.floors.sort_by(|one, two| one.place.cmp(&two.place));
    Some(read)
}

/// A block that is being read.
struct BlockReader<'r> {
    keyed: Keyed<'r>,
    /// What the file says for blocks that don't.
    top: Validity,
    currency: Option<Currency>,
}

impl BlockReader<'_> {
    fn place(&self) -> FilePosition {
        self.keyed.reader.file_position(&self.keyed.table.at)
    }

    fn read(&self, block: Block, read: &mut Read) {
        match block {
            Block::Rate(kind) => read.rates.extend(self.rate(kind)),
            Block::Allowance => read.allowances.extend(self.allowance()),
            Block::Discount => read.discounts.extend(self.discount()),
            Block::Minimum => read.floors.extend(self.floor(FloorKind::Minimum)),
            Block::Commitment => read.floors.extend(self.floor(FloorKind::Commitment)),
            Block::Tax => read.taxes.extend(self.tax()),
        }
    }

    /// When it applies: as it says, else as its file does.
    fn validity(&self) -> Validity {
        let (from, to) = (self.keyed.time("from"), self.keyed.time("to"));
        let validity = Validity { from: from.or(self.top.from), to: to.or(self.top.to) };
        if let Validity { from: Some(begins), to: Some(ends) } = validity
            && ends <= begins
        {
            let of = |own: bool| if own { "it" } else { "its file" };
            let message =
                format!("{} ends at {ends}, not after {} begins at {begins}", of(to.is_some()), of(from.is_some()));
            let key = if self.keyed.has("to") { "to" } else { "from" };
            self.keyed.error(key, message, "`to` is the first instant at which it no longer applies");
            return Validity { from: validity.from, to: None };
        }
        validity
    }
}
