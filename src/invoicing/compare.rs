//! What a final invoice's period costs now beside what was charged for it so far, line by line, each with its cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Correction, CorrectionCause, DocumentKind, Invoice};
use crate::domain::{Amount, AmountOverflow, Guid, Kind, Price, Span};
use crate::rate_card::Meter;
use crate::rating::{LineKey, Part};

/// A correction of an invoice that is final already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCorrection {
    /// Number of the document that it is on.
    pub document: String,
    pub kind: DocumentKind,
    pub correction: Correction,
}

/// What tells lines apart whatever they are called now: guids, and what is counted. Tiers and prices don't.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    foundation: String,
    organization: Guid,
    space: Guid,
    kind: Kind,
    app: Option<Guid>,
    service_instance: Option<Guid>,
    service_plan: Option<Guid>,
    buildpack: Option<String>,
    estimated: bool,
    meter: Meter,
}

impl Subject {
    fn new(key: &LineKey, meter: Meter) -> Self {
        let guid = |named: &Option<crate::rating::Named>| named.as_ref().map(|named| named.guid.clone());
        Self {
            foundation: key.foundation.clone(),
            organization: key.organization.guid.clone(),
            space: key.space.guid.clone(),
            kind: key.kind,
            app: guid(&key.app),
            service_instance: guid(&key.service_instance),
            service_plan: guid(&key.service_plan),
            buildpack: key.buildpack.clone(),
            estimated: key.estimated,
            meter,
        }
    }
}

/// One subject's lines of an invoice, together.
#[derive(Clone, Debug)]
struct Side {
    amount: Amount,
    quantity: i64,
    unit_size: i64,
    prices: BTreeSet<(Part, Option<Price>)>,
    /// The first line, from 1.
    line: usize,
    key: Arc<LineKey>,
    what: String,
    span: Span,
}

fn sides(invoice: &Invoice) -> Result<BTreeMap<Subject, Side>, AmountOverflow> {
    let mut sides: BTreeMap<Subject, Side> = BTreeMap::new();
    for (position, line) in (1..).zip(&invoice.lines) {
        let side = sides.entry(Subject::new(&line.key, line.meter)).or_insert_with(|| Side {
            amount: Amount::default(),
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
        side.quantity = side.quantity.saturating_add(line.quantity);
        side.prices.insert((part_of(&line.part), charge.map(|charge| charge.price)));
        side.span = Span { from: side.span.from.min(line.span.from), to: side.span.to.max(line.span.to) };
    }
    Ok(sides)
}

/// How many packages all lines fill together says nothing about one line's price.
fn part_of(part: &Part) -> Part {
    if let Part::Packages(_) = part { Part::Packages(0) } else { part.clone() }
}

/// Sums of a subject's past corrections.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    /// By comparisons such as this one.
    compared: Amount,
    /// Given back whatever was used; zero or less.
    credited: Amount,
    quantity: i64,
}

impl Past {
    fn add(&mut self, correction: &Correction) -> Result<(), AmountOverflow> {
        let amount = correction.amount()?;
        if correction.cause == CorrectionCause::Credited {
            self.credited = self.credited.plus(amount)?;
        } else {
            self.compared = self.compared.plus(amount)?;
            self.quantity = self.quantity.saturating_add(correction.quantity);
        }
        Ok(())
    }

    /// What is charged so far, so that what was given back by hand isn't given back once more.
    fn before(&self, invoiced: Amount, now: Amount) -> Result<Amount, AmountOverflow> {
        let before = invoiced.plus(self.compared)?;
        let (change, credited) = (now.0.saturating_sub(before.0), self.credited.0);
        if change < 0 && credited < 0 {
            let left = change.saturating_sub(credited).min(0);
            return now.0.checked_sub(left).map(Amount).ok_or(AmountOverflow);
        }
        Ok(before)
    }
}

/// What there is to be charged or given back of `invoiced`, whose number is `number`, now that its period comes to
/// `now`; `past` is what was corrected of it before.
///
/// # Errors
/// [`AmountOverflow`].
pub fn compare(
    number: &str,
    invoiced: &Invoice,
    past: &[PastCorrection],
    now: &Invoice,
) -> Result<Vec<Correction>, AmountOverflow> {
    let (before, after) = (sides(invoiced)?, sides(now)?);
    let mut of_lines: BTreeMap<Subject, Past> = BTreeMap::new();
    let mut beside: BTreeMap<String, Past> = BTreeMap::new();
    for PastCorrection { correction, .. } in past {
        match (&correction.key, correction.meter) {
            (Some(key), Some(meter)) => of_lines.entry(Subject::new(key, meter)).or_default().add(correction)?,
            _ => beside.entry(correction.what.clone()).or_default().add(correction)?,
        }
    }
    let mut corrections = Vec::new();
    let subjects: BTreeSet<&Subject> = before.keys().chain(after.keys()).chain(of_lines.keys()).collect();
    for subject in subjects {
        let (was, is) = (before.get(subject), after.get(subject));
        let past = of_lines.get(subject).copied().unwrap_or_default();
        let Some(shown) = was.or(is) else { continue };
        let invoiced_amount = was.map_or(Amount::default(), |side| side.amount);
        let now_amount = is.map_or(Amount::default(), |side| side.amount);
        let before_amount = past.before(invoiced_amount, now_amount)?;
        if before_amount == now_amount {
            continue;
        }
        let quantity_before = was.map_or(0, |side| side.quantity).saturating_add(past.quantity);
        let quantity = is.map_or(0, |side| side.quantity).saturating_sub(quantity_before);
        let prices = |side: Option<&Side>| side.map(|side| side.prices.clone()).unwrap_or_default();
        let other_card = now.rate_card != invoiced.rate_card;
        let cause = if other_card && was.is_some() && is.is_some() && prices(was) != prices(is) {
            CorrectionCause::Rate
        } else if quantity != 0 {
            CorrectionCause::Usage
        } else if other_card {
            CorrectionCause::Rate
        } else {
            CorrectionCause::Shared
        };
        let one_price = is.map(|side| &side.prices).filter(|prices| prices.len() == 1);
        corrections.push(Correction {
            number: number.to_owned(),
            line: was.map(|side| side.line),
            month: invoiced.month,
            span: shown.span,
            what: shown.what.clone(),
            key: Some(shown.key.clone()),
            meter: Some(subject.meter),
            quantity,
            unit_size: shown.unit_size,
            price: one_price.and_then(|prices| prices.first()).and_then(|(_, price)| *price),
            before: before_amount,
            after: now_amount,
            cause,
            rate_card: now.rate_card.clone(),
        });
    }
    corrections.extend(beside_lines(number, invoiced, &beside, now)?);
    Ok(corrections)
}

/// Discounts, commitments and minimums, by name.
fn beside_lines(
    number: &str,
    invoiced: &Invoice,
    past: &BTreeMap<String, Past>,
    now: &Invoice,
) -> Result<Vec<Correction>, AmountOverflow> {
    let by_name = |invoice: &Invoice| -> Result<BTreeMap<String, Amount>, AmountOverflow> {
        let mut amounts: BTreeMap<String, Amount> = BTreeMap::new();
        for adjustment in &invoice.adjustments {
            let total = amounts.entry(adjustment.name.clone()).or_default();
            *total = total.plus(adjustment.amount)?;
        }
        Ok(amounts)
    };
    let (before, after) = (by_name(invoiced)?, by_name(now)?);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let mut corrections = Vec::new();
    for name in names {
        let now_amount = after.get(name).copied().unwrap_or_default();
        let past = past.get(name).copied().unwrap_or_default();
        // What a credit note took back of a discount is charged again: it absorbs nothing.
        let charged = before.get(name).copied().unwrap_or_default().plus(past.compared)?;
        if charged != now_amount {
            corrections.push(Correction {
                number: number.to_owned(),
                line: None,
                month: invoiced.month,
                span: invoiced.period,
                what: name.clone(),
                key: None,
                meter: None,
                quantity: 0,
                unit_size: 1,
                price: None,
                before: charged,
                after: now_amount,
                cause: CorrectionCause::Adjustment,
                rate_card: now.rate_card.clone(),
            });
        }
    }
    Ok(corrections)
}
