//! Credit notes: what is given back of a final invoice, never more than was charged.

use super::adjust::percentage;
use super::{Corrected, Correction, CorrectionCause, DocumentKind, Invoice, PastCorrection, TaxLine};
use crate::domain::{Amount, AmountOverflow, Rounding};

/// What is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credit {
    /// All that is left of it.
    Whole,
    /// Lines, from 1; each with how much of it, or all that is left.
    Lines(Vec<(usize, Option<Amount>)>),
}

/// Why something can't be given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditError {
    #[error("{number} has no line {line}\nhint: it has lines 1 to {lines}; `invoices show {number}` shows them")]
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
    let notes: Vec<&Correction> =
        past.iter().filter(|past| past.kind == DocumentKind::CreditNote).map(|past| &past.correction).collect();
    let corrections = match credit {
        Credit::Lines(lines) => some_lines(number, invoice, &notes, lines)?,
        Credit::Whole => {
            let mut all = Vec::new();
            for (position, line) in (1..).zip(&invoice.lines) {
                let charged = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
                let left = left_of(charged, &notes, |note| note.line == Some(position))?;
                all.push(of_line(number, invoice, position, charged, left, Amount::default()));
            }
            for item in beside(number, invoice)? {
                let same = |note: &Correction| note.line.is_none() && note.what == item.what;
                let before = left_of(item.before, &notes, same)?;
                all.push(Correction { before, ..item });
            }
            all.retain(|correction| correction.before != correction.after);
            all
        }
    };
    let is_something = corrections.iter().any(|correction| correction.before != correction.after);
    if is_something { Ok(corrections) } else { Err(CreditError::NothingAtAll { number: number.to_owned() }) }
}

fn some_lines(
    number: &str,
    invoice: &Invoice,
    notes: &[&Correction],
    lines: &[(usize, Option<Amount>)],
) -> Result<Vec<Correction>, CreditError> {
    let mut corrections: Vec<Correction> = Vec::new();
    for (position, asked) in lines {
        let line = position.checked_sub(1).and_then(|index| invoice.lines.get(index)).ok_or_else(|| {
            CreditError::NoSuchLine { number: number.to_owned(), line: *position, lines: invoice.lines.len() }
        })?;
        if corrections.iter().any(|correction| correction.line == Some(*position)) {
            return Err(CreditError::Twice { line: *position });
        }
        let charged = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
        let left = left_of(charged, notes, |note| note.line == Some(*position))?;
        if left <= Amount::default() {
            return Err(CreditError::NothingLeft { number: number.to_owned(), line: *position });
        }
        let off = asked.unwrap_or(left);
        if off > left || off <= Amount::default() {
            let shown = |amount: Amount| amount.in_major_units(invoice.currency).to_string();
            return Err(CreditError::TooMuch {
                number: number.to_owned(),
                line: *position,
                asked: shown(off),
                left: shown(left),
            });
        }
        corrections.push(of_line(number, invoice, *position, charged, left, Amount(left.0 - off.0)));
    }
    Ok(corrections)
}

/// What is left of something that was charged, after earlier credit notes.
fn left_of(
    charged: Amount,
    notes: &[&Correction],
    same: impl Fn(&Correction) -> bool,
) -> Result<Amount, AmountOverflow> {
    notes.iter().filter(|note| same(note)).try_fold(charged, |left, note| left.plus(note.amount()?))
}

fn of_line(
    number: &str,
    invoice: &Invoice,
    position: usize,
    charged: Amount,
    before: Amount,
    after: Amount,
) -> Correction {
    let line = &invoice.lines[position - 1];
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

/// What an invoice charges beside its lines, each as if all of it were given back.
fn beside(number: &str, invoice: &Invoice) -> Result<Vec<Correction>, AmountOverflow> {
    let item = |what: String, amount: Amount| Correction {
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
        before: amount,
        after: Amount::default(),
        cause: CorrectionCause::Credited,
        rate_card: invoice.rate_card.clone(),
    };
    let mut items: Vec<Correction> = Vec::new();
    let mut add = |what: String, amount: Amount| -> Result<(), AmountOverflow> {
        if let Some(known) = items.iter_mut().find(|known| known.what == what) {
            known.before = known.before.plus(amount)?;
        } else {
            items.push(item(what, amount));
        }
        Ok(())
    };
    for adjustment in &invoice.adjustments {
        add(adjustment.name.clone(), adjustment.amount)?;
    }
    for correction in &invoice.corrections {
        add(format!("{}: {}", correction.number, correction.what), correction.amount()?)?;
    }
    Ok(items)
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
    let mut net = Amount::default();
    for correction in &corrections {
        net = net.plus(correction.amount()?)?;
    }
    if net >= Amount::default() {
        let net = net.in_major_units(invoice.currency).to_string();
        return Err(CreditError::NotLess { number: header.corrects.number, net });
    }
    let tax = match &invoice.tax {
        None => None,
        Some(tax) => {
            let amount = if invoice.net.plus(credited.net)?.plus(net)? == Amount::default() {
                Amount(-tax.amount.plus(credited.tax)?.0)
            } else {
                percentage(net, tax.percent, Rounding::HalfUp)?
            };
            Some(TaxLine { amount, ..tax.clone() })
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
        accepted: Vec::new(),
        coverage: Vec::new(),
        previous_net: None,
        in_review: false,
        replaces: 0,
        reopens: header.reopens,
        ..invoice.clone()
    })
}
