//! What a final invoice's period costs now beside what was charged for it so far, line by line, each with its cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::items::{Item, Items, LineIdentity, Standing};
use super::{Correction, CorrectionCause, Invoice};
use crate::domain::{Amount, AmountOverflow, Price, Span};
use crate::rating::{LineKey, Part};

/// A correction of an invoice that is final already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCorrection {
    /// Number of the document that it is on.
    pub document: String,
    /// Of a credit note: the invoice that it is about. `None`: the document is an invoice.
    pub about: Option<String>,
    /// Of a credit note: the month is invoiced anew.
    pub reopens: bool,
    pub correction: Correction,
}

/// One subject's lines of an invoice, together.
#[derive(Clone, Debug)]
struct Side {
    amount: Amount,
    /// Its share of what is taken off; zero or less.
    share: Amount,
    quantity: i64,
    unit_size: i64,
    prices: BTreeSet<(Part, Option<Price>)>,
    /// The first line, from 1.
    line: usize,
    key: Arc<LineKey>,
    what: String,
    span: Span,
}

fn sides(invoice: &Invoice) -> Result<BTreeMap<LineIdentity, Side>, AmountOverflow> {
    let mut sides: BTreeMap<LineIdentity, Side> = BTreeMap::new();
    for (position, line) in (1..).zip(&invoice.lines) {
        let side = sides.entry(LineIdentity::new(&line.key, line.meter)).or_insert_with(|| Side {
            amount: Amount::default(),
            share: Amount::default(),
            quantity: 0,
            unit_size: line.unit_size,
            prices: BTreeSet::new(),
            line: position,
            key: line.key.clone(),
            what: line.what(),
            span: line.span,
        });
        let charge = line.charge.as_ref();
        side.amount = side.amount.plus(charge.map_or(Amount::default(), |charge| charge.amount))?;
        side.share = side.share.plus(line.discount)?;
        side.quantity = side.quantity.saturating_add(line.quantity);
        side.prices.insert((part_of(&line.part), charge.map(|charge| charge.price)));
        side.span = side.span.hull(line.span);
    }
    Ok(sides)
}

/// How many packages all lines fill together says nothing about one line's price.
fn part_of(part: &Part) -> Part {
    if let Part::Packages(_) = part { Part::Packages(0) } else { part.clone() }
}

/// What there is to be charged or given back of `invoiced`, whose number is `number`, now that its period comes to
/// `now`; `past` is what was corrected of it before. Each line's documents are to come to what it costs now less what was
/// given back of it by decision, and never go beyond zero; so with each discount, commitment and minimum.
///
/// # Errors
/// [`AmountOverflow`].
pub fn compare(
    number: &str,
    invoiced: &Invoice,
    past: &[PastCorrection],
    now: &Invoice,
) -> Result<Vec<Correction>, AmountOverflow> {
    let items = Items::new(number, invoiced, past)?;
    let (before, after) = (sides(invoiced)?, sides(now)?);
    let adjustments = adjustments(now)?;
    let mut all: BTreeSet<Item> = items.0.keys().cloned().collect();
    all.extend(after.keys().cloned().map(Item::Line));
    all.extend(adjustments.keys().cloned());
    let nothing = Standing::default();
    let mut corrections = Vec::new();
    for item in &all {
        let standing = items.0.get(item).unwrap_or(&nothing);
        let (cost, least) = match item {
            Item::Line(subject) => {
                after.get(subject).map_or_else(Default::default, |is| (is.amount, Amount(-is.share.0)))
            }
            Item::Beside(..) => (adjustments.get(item).copied().unwrap_or_default(), Amount::default()),
        };
        let (documents, due) = (standing.documents()?, item.due(cost, standing.given, least)?);
        // Nothing became known of it: what earlier versions did stays.
        if documents == due || cost == standing.cost()? && is_beyond_zero(documents, cost) {
            continue;
        }
        let change = Change { number, invoiced, now, standing, before: documents, after: due };
        corrections.extend(match item {
            Item::Line(subject) => change.of_line(subject, before.get(subject), after.get(subject)),
            Item::Beside(name, _) => Some(change.beside(name)),
        });
    }
    retain_what_moves_money(&mut corrections)?;
    // As the lines stand on the invoice; what is new comes last, then what isn't a line.
    corrections.sort_by_key(|one| (one.key.is_none(), one.line.unwrap_or(usize::MAX)));
    Ok(corrections)
}

/// Whether documents are on the other side of zero than what they are for.
const fn is_beyond_zero(documents: Amount, cost: Amount) -> bool {
    if cost.0 >= 0 { documents.0 < 0 } else { documents.0 > 0 }
}

/// Earlier versions told a commitment and what it covers as one: what only parts them is no correction.
fn retain_what_moves_money(corrections: &mut Vec<Correction>) -> Result<(), AmountOverflow> {
    let mut beside: BTreeMap<String, Amount> = BTreeMap::new();
    for one in corrections.iter().filter(|one| one.key.is_none()) {
        let total = beside.entry(one.what.clone()).or_default();
        *total = total.plus(one.amount()?)?;
    }
    corrections.retain(|one| one.key.is_some() || beside.get(&one.what) != Some(&Amount::default()));
    Ok(())
}

/// What discounts, commitments and minimums come to.
fn adjustments(invoice: &Invoice) -> Result<BTreeMap<Item, Amount>, AmountOverflow> {
    let mut amounts: BTreeMap<Item, Amount> = BTreeMap::new();
    for adjustment in &invoice.adjustments {
        let total = amounts.entry(Item::beside(adjustment)).or_default();
        *total = total.plus(adjustment.amount)?;
    }
    Ok(amounts)
}

/// One item's documents come to `before`, and are to come to `after`.
struct Change<'a> {
    number: &'a str,
    invoiced: &'a Invoice,
    now: &'a Invoice,
    standing: &'a Standing,
    before: Amount,
    after: Amount,
}

impl Change<'_> {
    fn of_line(&self, subject: &LineIdentity, was: Option<&Side>, is: Option<&Side>) -> Option<Correction> {
        let was_used = was.map_or(0, |side| side.quantity).saturating_add(self.standing.corrected_quantity);
        let quantity = is.map_or(0, |side| side.quantity).saturating_sub(was_used);
        let one_price = is.map(|side| &side.prices).filter(|prices| prices.len() == 1);
        // What vanished again is known from its corrections alone.
        let (key, what, span, unit_size) = match (was.or(is), &self.standing.last) {
            (Some(side), _) => (side.key.clone(), side.what.clone(), side.span, side.unit_size),
            (None, Some(last)) => (last.key.clone()?, last.what.clone(), last.span, last.unit_size),
            (None, None) => return None,
        };
        Some(Correction {
            line: was.map(|side| side.line),
            span,
            what,
            key: Some(key),
            meter: Some(subject.meter()),
            quantity,
            unit_size,
            price: one_price.and_then(|prices| prices.first()).and_then(|(_, price)| *price),
            cause: cause(was, is, quantity, self.now.rate_card != self.invoiced.rate_card),
            ..self.beside("")
        })
    }

    fn beside(&self, name: &str) -> Correction {
        Correction {
            number: self.number.to_owned(),
            line: None,
            month: self.invoiced.month,
            span: self.invoiced.period,
            what: name.to_owned(),
            key: None,
            meter: None,
            quantity: 0,
            unit_size: 1,
            price: None,
            before: self.before,
            after: self.after,
            cause: CorrectionCause::Adjustment,
            rate_card: self.now.rate_card.clone(),
        }
    }
}

/// Why a line comes to something else.
fn cause(was: Option<&Side>, is: Option<&Side>, quantity: i64, other_card: bool) -> CorrectionCause {
    let reprices = was.zip(is).is_some_and(|(was, is)| was.prices != is.prices);
    if other_card && (reprices || quantity == 0) {
        CorrectionCause::Rate
    } else if quantity != 0 {
        CorrectionCause::Usage
    } else {
        CorrectionCause::Shared
    }
}
