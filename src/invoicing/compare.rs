//! What a final invoice's period costs now beside what was charged for it so far, line by line, each with its cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Correction, CorrectionCause, DocumentKind, Invoice, net_of};
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
pub(super) struct Subject {
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
    pub(super) fn new(key: &LineKey, meter: Meter) -> Self {
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

impl Subject {
    /// For people, where no line is at hand.
    pub(super) fn words(&self) -> String {
        let guid = self.app.as_ref().or(self.service_instance.as_ref());
        format!("{} {}, {}", self.kind, guid.map(ToString::to_string).unwrap_or_default(), self.meter)
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
        side.span = side.span.hull(line.span);
    }
    Ok(sides)
}

/// How many packages all lines fill together says nothing about one line's price.
fn part_of(part: &Part) -> Part {
    if let Part::Packages(_) = part { Part::Packages(0) } else { part.clone() }
}

/// A subject's past corrections, but those by decision.
#[derive(Clone, Debug)]
struct Past {
    amount: Amount,
    quantity: i64,
    /// The newest of them.
    last: Correction,
}

/// Adds up past corrections by what tells them apart.
fn summed<K: Ord>(of: impl Iterator<Item = (K, Correction)>) -> Result<BTreeMap<K, Past>, AmountOverflow> {
    let mut sums: BTreeMap<K, Past> = BTreeMap::new();
    for (key, correction) in of {
        let amount = correction.amount()?;
        match sums.get_mut(&key) {
            Some(past) => {
                past.amount = past.amount.plus(amount)?;
                past.quantity = past.quantity.saturating_add(correction.quantity);
                past.last = correction;
            }
            None => {
                sums.insert(key, Past { amount, quantity: correction.quantity, last: correction });
            }
        }
    }
    Ok(sums)
}

/// What there is to be charged or given back of `invoiced`, whose number is `number`, now that its period comes to
/// `now`; `past` is what was corrected of it before. What was given back by decision isn't charged again; as far as it
/// covers what turns out cheaper, nothing more is given back.
///
/// # Errors
/// [`AmountOverflow`].
pub fn compare(
    number: &str,
    invoiced: &Invoice,
    past: &[PastCorrection],
    now: &Invoice,
) -> Result<Vec<Correction>, AmountOverflow> {
    let by_decision = |correction: &&Correction| correction.cause == CorrectionCause::Credited;
    let all = || past.iter().map(|past| &past.correction);
    let mut corrections = of_lines(number, invoiced, all().filter(|one| !by_decision(one)), now)?;
    corrections.extend(beside_lines(number, invoiced, all().filter(|one| !by_decision(one)), now)?);
    let (total, given) = (net_of(&corrections)?, net_of(all().filter(by_decision))?);
    if total >= Amount::default() || given >= Amount::default() {
        return Ok(corrections);
    }
    let absorbed = Amount(total.0.max(given.0).checked_neg().ok_or(AmountOverflow)?);
    if absorbed.0 == -total.0 {
        return Ok(Vec::new());
    }
    corrections.push(Correction {
        number: number.to_owned(),
        line: None,
        month: invoiced.month,
        span: invoiced.period,
        what: "given back before".to_owned(),
        key: None,
        meter: None,
        quantity: 0,
        unit_size: 1,
        price: None,
        before: Amount::default(),
        after: absorbed,
        cause: CorrectionCause::Credited,
        rate_card: now.rate_card.clone(),
    });
    Ok(corrections)
}

fn of_lines<'a>(
    number: &str,
    invoiced: &Invoice,
    past: impl Iterator<Item = &'a Correction>,
    now: &Invoice,
) -> Result<Vec<Correction>, AmountOverflow> {
    let (before, after) = (sides(invoiced)?, sides(now)?);
    let keyed = past.filter_map(|one| Some((Subject::new(one.key.as_ref()?, one.meter?), one.clone())));
    let past = summed(keyed)?;
    let subjects: BTreeSet<&Subject> = before.keys().chain(after.keys()).chain(past.keys()).collect();
    let mut corrections = Vec::new();
    for subject in subjects {
        let (was, is, past) = (before.get(subject), after.get(subject), past.get(subject));
        let charged = was.map_or(Amount::default(), |side| side.amount);
        let charged = charged.plus(past.map_or(Amount::default(), |past| past.amount))?;
        let comes_to = is.map_or(Amount::default(), |side| side.amount);
        if charged == comes_to {
            continue;
        }
        let was_used = was.map_or(0, |side| side.quantity).saturating_add(past.map_or(0, |past| past.quantity));
        let quantity = is.map_or(0, |side| side.quantity).saturating_sub(was_used);
        let one_price = is.map(|side| &side.prices).filter(|prices| prices.len() == 1);
        // What vanished again is known from its corrections alone.
        let (key, what, span, unit_size) = match (was.or(is), past) {
            (Some(side), _) => (side.key.clone(), side.what.clone(), side.span, side.unit_size),
            (None, Some(Past { last, .. })) => {
                let Some(key) = &last.key else { continue };
                (key.clone(), last.what.clone(), last.span, last.unit_size)
            }
            (None, None) => continue,
        };
        corrections.push(Correction {
            number: number.to_owned(),
            line: was.map(|side| side.line),
            month: invoiced.month,
            span,
            what,
            key: Some(key),
            meter: Some(subject.meter),
            quantity,
            unit_size,
            price: one_price.and_then(|prices| prices.first()).and_then(|(_, price)| *price),
            before: charged,
            after: comes_to,
            cause: cause(was, is, quantity, now.rate_card != invoiced.rate_card),
            rate_card: now.rate_card.clone(),
        });
    }
    // As the lines stand on the invoice; what is new comes last.
    corrections.sort_by_key(|correction| correction.line.unwrap_or(usize::MAX));
    Ok(corrections)
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

/// Discounts, commitments and minimums, by name.
fn beside_lines<'a>(
    number: &str,
    invoiced: &Invoice,
    past: impl Iterator<Item = &'a Correction>,
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
    let past = summed(past.filter(|one| one.key.is_none()).map(|one| (one.what.clone(), one.clone())))?;
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).chain(past.keys()).collect();
    let mut corrections = Vec::new();
    for name in names {
        let comes_to = after.get(name).copied().unwrap_or_default();
        let charged = before.get(name).copied().unwrap_or_default();
        let charged = charged.plus(past.get(name).map_or(Amount::default(), |past| past.amount))?;
        if charged != comes_to {
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
                after: comes_to,
                cause: CorrectionCause::Adjustment,
                rate_card: now.rate_card.clone(),
            });
        }
    }
    Ok(corrections)
}
