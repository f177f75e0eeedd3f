//! Credit notes: what is given back of a final invoice, never more than was charged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::adjust::percentage;
use super::items::LineIdentity;
use super::items::{Item, Items, Standing};
use super::{
    Adjustment, AdjustmentType, Common, Corrected, Correction, CorrectionCause, CreditNote, Invoice, InvoiceLine,
    PastCorrection, TaxLine, net_of,
};
use crate::domain::{Amount, AmountOverflow, Rounding};
use crate::rating::LineKey;

/// What is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credit {
    /// All that is left of it.
    Whole,
    /// All that is left of it, and what later invoices charged for its period: the month is invoiced anew.
    Anew,
    /// Lines, from 1; each with how much of it, or all that is left.
    Lines(Vec<(usize, Option<Amount>)>),
}

/// Why something can't be given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    #[error("{number} has no line {line}\nhint: it has {lines} lines of usage; `invoices show {number}` numbers them")]
    NoSuchLine { number: String, line: usize, lines: usize },
    #[error("line {line} is named twice\nhint: name each line once")]
    Twice { line: usize },
    #[error(
        "nothing was charged for line {line} of {number}\nhint: `invoices show {number}` shows what each line costs"
    )]
    NothingCharged { number: String, line: usize },
    #[error(
        "nothing is left to give back of line {line} of {number}\nhint: `invoices show {number}` names its credit notes"
    )]
    NothingLeft { number: String, line: usize },
    #[error(
        "{asked} is more than the {left} left of line {line} of {number}\nhint: give less, or leave --amount out for all of it"
    )]
    TooMuch { number: String, line: usize, asked: String, left: String },
    #[error(
        "{asked} is more than the {left} left of {number}\nhint: a discount or an earlier credit note took the rest; give less with --amount"
    )]
    MoreThanLeft { number: String, asked: String, left: String },
    #[error("nothing is left to give back of {number}\nhint: `invoices show {number}` names its credit notes")]
    NothingAtAll { number: String },
    #[error("{number} is a credit note\nhint: name an invoice; a credit note itself isn't corrected")]
    NotAnInvoice { number: String },
    #[error(
        "the corrections of {number} come to {net}, which is not below zero\nhint: what was charged too little goes on the account's next invoice by itself"
    )]
    NotLess { number: String, net: String },
    #[error(transparent)]
    Overflow(#[from] AmountOverflow),
}

/// What a credit note says beside its corrections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteHeader {
    pub corrects: Corrected,
    pub reason: String,
    /// The month is invoiced anew.
    pub reopens: bool,
}

/// What earlier credit notes of the same invoice came to: net and tax, zero or less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Credited {
    pub net: Amount,
    pub tax: Amount,
}

/// What was corrected of an invoice's month, and of what it charges of other months.
#[derive(Clone, Debug, Default)]
pub struct Corrections {
    /// Of its own month, on whatever document.
    pub own: Vec<PastCorrection>,
    /// On its credit notes, of what it carries of other invoices.
    pub carried: Vec<PastCorrection>,
    /// Invoices given back to be made anew, with all that later ones carried of them.
    pub reopened: BTreeSet<String>,
}

impl Corrections {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.own.len() + self.carried.len()
    }
}

/// The corrections that give back what `credit` says of `invoice`.
///
/// # Errors
/// [`CreditError`].
pub fn credit(
    number: &str,
    invoice: &Invoice,
    past: &Corrections,
    credit: &Credit,
) -> Result<Vec<Correction>, CreditError> {
    let mut left = Left::new(number, invoice, past, *credit == Credit::Anew)?;
    let corrections = match credit {
        Credit::Lines(lines) => some_lines(&mut left, lines)?,
        Credit::Whole | Credit::Anew => {
            let mut all = Vec::new();
            for position in 1..=invoice.lines.len() {
                let off = left.of(position)?;
                all.push(left.take(position, off)?);
            }
            all.extend(left.rest()?);
            all.retain(|correction| correction.before != correction.after);
            all
        }
    };
    let is_something = corrections.iter().any(|correction| correction.before != correction.after);
    // What was for nothing, or waived, can be made anew all the same.
    if is_something || *credit == Credit::Anew {
        Ok(corrections)
    } else {
        Err(CreditError::NothingAtAll { number: number.to_owned() })
    }
}

/// What is left of an invoice to be given back: of each line, of all lines of one use together, and of the rest.
struct Left<'a> {
    number: &'a str,
    invoice: &'a Invoice,
    past: &'a Corrections,
    items: Items,
    /// Also what later invoices charged for its month.
    anew: bool,
    /// Lines have their share of what is taken off, so that giving one back gives no more than was paid for it.
    shared: bool,
    /// Lines of each use.
    lines: BTreeMap<LineIdentity, usize>,
    /// By decision before, by line.
    given: BTreeMap<usize, Amount>,
    /// By this credit note.
    taken: BTreeMap<LineIdentity, Amount>,
}

/// Of two amounts the one nearer to zero; zero if it lies between them.
const fn nearer(one: Amount, other: Amount) -> Amount {
    match (one.0 >= 0, other.0 >= 0) {
        (true, true) => Amount(if one.0 < other.0 { one.0 } else { other.0 }),
        (false, false) => Amount(if one.0 > other.0 { one.0 } else { other.0 }),
        _ => Amount(0),
    }
}

impl<'a> Left<'a> {
    fn new(number: &'a str, invoice: &'a Invoice, past: &'a Corrections, anew: bool) -> Result<Self, AmountOverflow> {
        let shares = invoice.lines.iter().try_fold(Amount::default(), |sum, line| sum.plus(line.discount))?;
        let taken = invoice.adjustments.iter().filter(|one| is_shared(one.adjustment));
        let taken = taken.map(|one| one.amount).try_fold(Amount::default(), Amount::plus)?;
        let mut lines = BTreeMap::new();
        for line in &invoice.lines {
            *lines.entry(LineIdentity::new(&line.key, line.meter)).or_default() += 1;
        }
        let mut given: BTreeMap<usize, Amount> = BTreeMap::new();
        let by_decision = past.own.iter().filter(|past| past.correction.cause == CorrectionCause::Credited);
        for correction in by_decision.map(|past| &past.correction) {
            if let Some(line) = correction.line {
                let given = given.entry(line).or_default();
                *given = given.plus(correction.amount()?)?;
            }
        }
        let items = Items::new(number, invoice, &past.own)?;
        let taken_now = BTreeMap::new();
        Ok(Self { number, invoice, past, items, anew, shared: shares == taken, lines, given, taken: taken_now })
    }

    /// What is left of something: what its documents come to, and no more than the invoice itself charged.
    fn of_standing(&self, standing: &Standing) -> Result<Amount, AmountOverflow> {
        let all = standing.documents()?;
        if self.anew { Ok(all) } else { Ok(nearer(standing.without_later()?, all)) }
    }

    /// What is left of all lines of one use, with their share of what was taken off.
    fn of_subject(&self, subject: &LineIdentity) -> Result<Amount, AmountOverflow> {
        let Some(standing) = self.items.0.get(&Item::Line(subject.clone())) else { return Ok(Amount::default()) };
        let share = if self.shared { standing.share } else { Amount::default() };
        let taken = self.taken.get(subject).copied().unwrap_or_default();
        self.of_standing(standing)?.plus(share)?.plus(Amount(-taken.0))
    }

    /// What is left of a line, from 1; zero or more.
    fn of(&self, position: usize) -> Result<Amount, AmountOverflow> {
        let line = &self.invoice.lines[position - 1];
        let share = if self.shared { line.discount } else { Amount::default() };
        let own = charged(line).plus(share)?.plus(self.given.get(&position).copied().unwrap_or_default())?;
        let of_subject = self.of_subject(&LineIdentity::new(&line.key, line.meter))?;
        Ok(own.min(of_subject).max(Amount::default()))
    }

    /// Takes so much off a line.
    fn take(&mut self, position: usize, off: Amount) -> Result<Correction, AmountOverflow> {
        let line = &self.invoice.lines[position - 1];
        let subject = LineIdentity::new(&line.key, line.meter);
        // As it is printed, less what was given back of it.
        let printed = charged(line).plus(self.given.get(&position).copied().unwrap_or_default())?;
        let before = match self.items.0.get(&Item::Line(subject.clone())) {
            Some(standing) if self.lines.get(&subject) == Some(&1) => standing.documents()?,
            _ => printed,
        };
        let taken = self.taken.entry(subject).or_default();
        *taken = taken.plus(off)?;
        let after = before.plus(Amount(-off.0))?;
        let whole = before == charged(line) && after == Amount::default();
        Ok(Correction {
            line: Some(position),
            span: line.span,
            what: line.what(),
            key: Some(line.key.clone()),
            meter: Some(line.meter),
            quantity: if whole { -line.quantity } else { 0 },
            unit_size: line.unit_size,
            price: line.charge.as_ref().map(|charge| charge.price),
            ..self.item(String::new(), before, after)
        })
    }

    /// What is charged beside the lines, each as if all of it were given back.
    fn rest(&self) -> Result<Vec<Correction>, AmountOverflow> {
        let mut rest = Vec::new();
        for (item, standing) in &self.items.0 {
            match item {
                beside @ Item::Beside(name, _) => {
                    // What a whole credit note of an earlier version gave back is told by words alone.
                    if self.is_told_elsewhere(name) {
                        continue;
                    }
                    // What the lines have their shares of, is given back with them.
                    let with_lines =
                        |one: &&Adjustment| self.shared && Item::beside(one) == *beside && is_shared(one.adjustment);
                    let shared = self.invoice.adjustments.iter().filter(with_lines).map(|one| one.amount);
                    let of_lines = shared.into_iter().try_fold(Amount::default(), Amount::plus)?;
                    let left = self.of_standing(standing)?.plus(Amount(-of_lines.0))?;
                    rest.push(self.item(
                        name.clone(),
                        standing.documents()?,
                        standing.documents()?.plus(Amount(-left.0))?,
                    ));
                }
                Item::Line(subject) => {
                    // What its lines don't have: it was charged later, or they have several.
                    let told = self.items.given_by_words(&subject.words())?;
                    let left = self.of_subject(subject)?.plus(told)?;
                    let (key, what) = self.named(subject, standing);
                    rest.push(Correction {
                        key,
                        meter: Some(subject.meter()),
                        ..self.item(what, left, Amount::default())
                    });
                }
            }
        }
        rest.extend(self.carried()?);
        Ok(rest)
    }

    /// Whether an item only repeats what another one has: names that earlier versions gave what they gave back.
    fn is_told_elsewhere(&self, name: &str) -> bool {
        let of_line = |item: &Item| matches!(item, Item::Line(subject) if subject.words() == name);
        let of_carried = |one: &Correction| format!("{}: {}", one.number, one.what) == name;
        self.items.0.keys().any(of_line) || self.invoice.corrections.iter().any(of_carried)
    }

    /// The key and the words of a use.
    fn named(&self, subject: &LineIdentity, standing: &Standing) -> (Option<Arc<LineKey>>, String) {
        let line = self.invoice.lines.iter().find(|line| LineIdentity::new(&line.key, line.meter) == *subject);
        match (line, &standing.last) {
            (Some(line), _) => (Some(line.key.clone()), line.what()),
            (None, Some(last)) => (last.key.clone(), last.what.clone()),
            (None, None) => (None, subject.words()),
        }
    }

    /// What it charges of other invoices' months: given back of those, unless they were given back with it.
    fn carried(&self) -> Result<Vec<Correction>, AmountOverflow> {
        let mut left: BTreeMap<(String, Item), (Amount, Correction)> = BTreeMap::new();
        let carried = self.invoice.corrections.iter().filter(|one| one.cause != CorrectionCause::Credited);
        for one in carried.filter(|one| !self.past.reopened.contains(&one.number)) {
            let of =
                left.entry((one.number.clone(), Item::of(one))).or_insert_with(|| (Amount::default(), one.clone()));
            let told = self.items.given_by_words(&format!("{}: {}", one.number, one.what))?;
            of.0 = of.0.plus(one.amount()?)?.plus(told)?;
        }
        for past in &self.past.carried {
            let correction = &past.correction;
            if let Some(of) = left.get_mut(&(correction.number.clone(), Item::of(correction))) {
                of.0 = of.0.plus(correction.amount()?)?;
            }
        }
        let given = |(amount, of): (Amount, Correction)| {
            let (before, after) = (of.after, of.after.plus(Amount(-amount.0))?);
            Ok(Correction { quantity: 0, before, after, cause: CorrectionCause::Credited, ..of })
        };
        left.into_values().map(given).collect()
    }

    /// Something beside the lines.
    fn item(&self, what: String, before: Amount, after: Amount) -> Correction {
        Correction {
            number: self.number.to_owned(),
            line: None,
            month: self.invoice.month,
            span: self.invoice.period,
            what,
            key: None,
            meter: None,
            quantity: 0,
            unit_size: 1,
            price: None,
            before,
            after,
            cause: CorrectionCause::Credited,
            rate_card: self.invoice.rate_card.clone(),
        }
    }
}

fn charged(line: &InvoiceLine) -> Amount {
    line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount)
}

/// Whether lines have their share of an adjustment.
const fn is_shared(adjustment: AdjustmentType) -> bool {
    matches!(adjustment, AdjustmentType::Discount | AdjustmentType::Covered)
}

fn some_lines(left: &mut Left<'_>, lines: &[(usize, Option<Amount>)]) -> Result<Vec<Correction>, CreditError> {
    let (number, invoice) = (left.number, left.invoice);
    let mut corrections: Vec<Correction> = Vec::new();
    for (position, asked) in lines {
        if *position == 0 || *position > invoice.lines.len() {
            let lines = invoice.lines.len();
            return Err(CreditError::NoSuchLine { number: number.to_owned(), line: *position, lines });
        }
        if corrections.iter().any(|correction| correction.line == Some(*position)) {
            return Err(CreditError::Twice { line: *position });
        }
        if charged(&invoice.lines[position - 1]) == Amount::default() {
            return Err(CreditError::NothingCharged { number: number.to_owned(), line: *position });
        }
        let of_line_left = left.of(*position)?;
        if of_line_left == Amount::default() {
            return Err(CreditError::NothingLeft { number: number.to_owned(), line: *position });
        }
        let off = asked.unwrap_or(of_line_left);
        if off > of_line_left || off <= Amount::default() {
            let shown = |amount: Amount| amount.in_major_units(invoice.currency).to_string();
            return Err(CreditError::TooMuch {
                number: number.to_owned(),
                line: *position,
                asked: shown(off),
                left: shown(of_line_left),
            });
        }
        corrections.push(left.take(*position, off)?);
    }
    Ok(corrections)
}

/// The credit note about `invoice` that has these corrections. `credited` is what earlier ones came to: the last one
/// gives back the tax that is left.
///
/// # Errors
/// [`CreditError::NotLess`] if there is nothing to give back.
pub fn credit_note(
    invoice: &Invoice,
    header: NoteHeader,
    corrections: Vec<Correction>,
    credited: Credited,
    rate_card: String,
) -> Result<CreditNote, CreditError> {
    let net = net_of(&corrections)?;
    let gives_nothing = if header.reopens { net > Amount::default() } else { net >= Amount::default() };
    if gives_nothing {
        let net = net.in_major_units(invoice.currency).to_string();
        return Err(CreditError::NotLess { number: header.corrects.number, net });
    }
    // Of all that was given back so far, less what was given back of it: cents don't add up.
    let tax = match &invoice.tax {
        None => None,
        Some(tax) => {
            let so_far = credited.net.plus(net)?;
            let of_all = if invoice.net.plus(so_far)? == Amount::default() {
                Amount(-tax.amount.0)
            } else {
                percentage(so_far, tax.percent, Rounding::HalfUp)?
            };
            Some(TaxLine { amount: of_all.plus(Amount(-credited.tax.0))?, ..tax.clone() })
        }
    };
    let NoteHeader { corrects, reason, reopens } = header;
    let common = Common { corrections, net, tax, rate_card, ..invoice.common.clone() };
    Ok(CreditNote { common, corrects, reason, reopens })
}
