//! Credit notes: what is given back of a final invoice, never more than was charged.

use std::collections::BTreeMap;

use super::adjust::percentage;
use super::compare::Subject;
use super::{
    AdjustmentType, Corrected, Correction, CorrectionCause, DocumentKind, Invoice, InvoiceLine, PastCorrection,
    TaxLine, net_of,
};
use crate::domain::{Amount, AmountOverflow, Rounding};

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
        "nothing is left to give back of line {line} of {number}\nhint: `invoices show {number}` names its credit notes"
    )]
    NothingLeft { number: String, line: usize },
    #[error(
        "{asked} is more than the {left} left of line {line} of {number}\nhint: give less, or leave --amount out for all of it"
    )]
    TooMuch { number: String, line: usize, asked: String, left: String },
    #[error(
        "{asked} is more than the {left} left of {number}\nhint: a discount, or a credit note before, has taken the rest; give less with --amount"
    )]
    MoreThanLeft { number: String, asked: String, left: String },
    #[error("nothing is left to give back of {number}\nhint: `invoices show {number}` names its credit notes")]
    NothingAtAll { number: String },
    #[error(
        "{number} is a credit note\nhint: a credit note is corrected by the next invoice, or by crediting less; name an invoice"
    )]
    NotAnInvoice { number: String },
    #[error(
        "the corrections of {number} come to {net}, which is not less than zero\nhint: what was charged too little goes on the account's next invoice by itself"
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

/// The corrections that give back what `credit` says of `invoice`.
///
/// # Errors
/// [`CreditError`].
pub fn credit(
    number: &str,
    invoice: &Invoice,
    past: &[PastCorrection],
    credit: &Credit,
) -> Result<Vec<Correction>, CreditError> {
    if invoice.kind != DocumentKind::Invoice {
        return Err(CreditError::NotAnInvoice { number: number.to_owned() });
    }
    let mut left = Left::new(invoice, past)?;
    let corrections = match credit {
        Credit::Lines(lines) => some_lines(number, invoice, &mut left, lines)?,
        Credit::Whole | Credit::Anew => {
            let mut all = Vec::new();
            for position in 1..=invoice.lines.len() {
                let before = left.take(invoice, position)?;
                all.push(of_line(number, invoice, position, before, Amount::default()));
            }
            all.extend(left.rest(number, invoice, *credit == Credit::Anew)?);
            all.retain(|correction| correction.before != correction.after);
            all
        }
    };
    let is_something = corrections.iter().any(|correction| correction.before != correction.after);
    if is_something { Ok(corrections) } else { Err(CreditError::NothingAtAll { number: number.to_owned() }) }
}

/// What is left of an invoice to be given back: of each line, of all lines of one subject together, and of the rest.
struct Left<'a> {
    past: &'a [PastCorrection],
    /// Lines have their share of what is taken off, so that giving one back gives no more than was paid for it.
    shared: bool,
    subjects: BTreeMap<Subject, Amount>,
    /// By decision, by line.
    given: BTreeMap<usize, Amount>,
}

impl<'a> Left<'a> {
    fn new(invoice: &Invoice, past: &'a [PastCorrection]) -> Result<Self, AmountOverflow> {
        let shares = invoice.lines.iter().try_fold(Amount::default(), |sum, line| sum.plus(line.discount))?;
        let taken = invoice.adjustments.iter().filter(|one| is_shared(one.adjustment));
        let taken = taken.map(|one| one.amount).try_fold(Amount::default(), Amount::plus)?;
        let mut left = Self { past, shared: shares == taken, subjects: BTreeMap::new(), given: BTreeMap::new() };
        for line in &invoice.lines {
            let charged = left.charged(line)?;
            let total = left.subjects.entry(Subject::new(&line.key, line.meter)).or_default();
            *total = total.plus(charged)?;
        }
        for past in past.iter().filter(|past| past.kind == DocumentKind::CreditNote) {
            let note = &past.correction;
            if let (Some(key), Some(meter)) = (&note.key, note.meter) {
                let total = left.subjects.entry(Subject::new(key, meter)).or_default();
                *total = total.plus(note.amount()?)?;
            }
            if let (Some(line), CorrectionCause::Credited) = (note.line, note.cause) {
                let given = left.given.entry(line).or_default();
                *given = given.plus(note.amount()?)?;
            }
        }
        Ok(left)
    }

    /// What was charged for a line, with its share of what was taken off.
    fn charged(&self, line: &InvoiceLine) -> Result<Amount, AmountOverflow> {
        let amount = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
        if self.shared { amount.plus(line.discount) } else { Ok(amount) }
    }

    /// What is left of a line, from 1; zero or more.
    fn of(&self, invoice: &Invoice, position: usize) -> Result<Amount, AmountOverflow> {
        let line = &invoice.lines[position - 1];
        let own = self.charged(line)?.plus(self.given.get(&position).copied().unwrap_or_default())?;
        let subject = self.subjects.get(&Subject::new(&line.key, line.meter)).copied().unwrap_or_default();
        Ok(own.min(subject).max(Amount::default()))
    }

    /// Takes all that is left of a line.
    fn take(&mut self, invoice: &Invoice, position: usize) -> Result<Amount, AmountOverflow> {
        let left = self.of(invoice, position)?;
        self.take_off(invoice, position, left)?;
        Ok(left)
    }

    fn take_off(&mut self, invoice: &Invoice, position: usize, off: Amount) -> Result<(), AmountOverflow> {
        let line = &invoice.lines[position - 1];
        let subject = self.subjects.entry(Subject::new(&line.key, line.meter)).or_default();
        *subject = subject.plus(Amount(-off.0))?;
        Ok(())
    }

    /// What is charged beside the lines, each as if all of it were given back; `anew`: also by later invoices.
    fn rest(&self, number: &str, invoice: &Invoice, anew: bool) -> Result<Vec<Correction>, AmountOverflow> {
        let mut items: BTreeMap<String, Amount> = BTreeMap::new();
        let mut add = |what: String, amount: Amount| -> Result<(), AmountOverflow> {
            let known = items.entry(what).or_default();
            *known = known.plus(amount)?;
            Ok(())
        };
        for adjustment in invoice.adjustments.iter().filter(|one| !(self.shared && is_shared(one.adjustment))) {
            add(adjustment.name.clone(), adjustment.amount)?;
        }
        for correction in &invoice.corrections {
            add(format!("{}: {}", correction.number, correction.what), correction.amount()?)?;
        }
        for past in self.past {
            let (correction, of_note) = (&past.correction, past.kind == DocumentKind::CreditNote);
            if of_note && correction.key.is_none() {
                add(correction.what.clone(), correction.amount()?)?;
            } else if anew && !of_note {
                add(format!("{}: {}", past.document, correction.what), correction.amount()?)?;
            }
        }
        // What credit notes changed of what the invoice has no line for, or more than its line had.
        for (subject, left) in &self.subjects {
            if *left != Amount::default() {
                add(subject.words(), *left)?;
            }
        }
        let item = |(what, before): (String, Amount)| Correction {
            number: number.to_owned(),
            line: None,
            month: invoice.month,
            span: invoice.period,
            what,
            key: None,
            meter: None,
            quantity: 0,
            unit_size: 1,
            price: None,
            before,
            after: Amount::default(),
            cause: CorrectionCause::Credited,
            rate_card: invoice.rate_card.clone(),
        };
        Ok(items.into_iter().map(item).collect())
    }
}

/// Whether lines have their share of an adjustment.
const fn is_shared(adjustment: AdjustmentType) -> bool {
    matches!(adjustment, AdjustmentType::Discount | AdjustmentType::Covered)
}

fn some_lines(
    number: &str,
    invoice: &Invoice,
    left: &mut Left<'_>,
    lines: &[(usize, Option<Amount>)],
) -> Result<Vec<Correction>, CreditError> {
    let mut corrections: Vec<Correction> = Vec::new();
    for (position, asked) in lines {
        if *position == 0 || *position > invoice.lines.len() {
            let lines = invoice.lines.len();
            return Err(CreditError::NoSuchLine { number: number.to_owned(), line: *position, lines });
        }
        if corrections.iter().any(|correction| correction.line == Some(*position)) {
            return Err(CreditError::Twice { line: *position });
        }
        let of_line_left = left.of(invoice, *position)?;
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
        left.take_off(invoice, *position, off)?;
        corrections.push(of_line(number, invoice, *position, of_line_left, Amount(of_line_left.0 - off.0)));
    }
    Ok(corrections)
}

fn of_line(number: &str, invoice: &Invoice, position: usize, before: Amount, after: Amount) -> Correction {
    let line = &invoice.lines[position - 1];
    let charged = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
    let whole = before == charged && after == Amount::default();
    Correction {
        number: number.to_owned(),
        line: Some(position),
        month: invoice.month,
        span: line.span,
        what: line.what(),
        key: Some(line.key.clone()),
        meter: Some(line.meter),
        quantity: if whole { -line.quantity } else { 0 },
        unit_size: line.unit_size,
        price: line.charge.as_ref().map(|charge| charge.price),
        before,
        after,
        cause: CorrectionCause::Credited,
        rate_card: invoice.rate_card.clone(),
    }
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
) -> Result<Invoice, CreditError> {
    let net = net_of(&corrections)?;
    if net >= Amount::default() {
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
    Ok(Invoice {
        kind: DocumentKind::CreditNote,
        lines: Vec::new(),
        adjustments: Vec::new(),
        corrections,
        corrects: Some(header.corrects),
        reason: Some(header.reason),
        net,
        tax,
        estimated: Amount::default(),
        rate_card,
        gaps: Vec::new(),
        undecodable: Vec::new(),
        clocks: Vec::new(),
        accepted: Vec::new(),
        coverage: Vec::new(),
        previous_net: None,
        in_review: false,
        replaces: 0,
        reopens: header.reopens,
        taxed_otherwise: false,
        ..invoice.clone()
    })
}
