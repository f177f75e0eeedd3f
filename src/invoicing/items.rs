//! What documents say of one final invoice's month so far, item by item: what the invoice charged, what was corrected
//! since, what was given back by decision. Owns that reckoning; what an item should come to is decided elsewhere.

use std::collections::BTreeMap;

use super::{Adjustment, AdjustmentType, Correction, CorrectionCause, Invoice, InvoiceLine, PastCorrection};
use crate::domain::{Amount, AmountOverflow, Guid, Kind};
use crate::rate_card::Meter;
use crate::rating::LineKey;

/// As earlier versions called what absorbed a line that had turned out cheaper than what was given back of others.
const ABSORBED: &str = "given back before";

/// What tells lines apart whatever they are called now: guids, and what is counted. Tiers and prices don't.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineIdentity {
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

impl LineIdentity {
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

impl LineIdentity {
    /// What is counted.
    pub(super) const fn meter(&self) -> Meter {
        self.meter
    }

    /// For people, where no line is at hand.
    pub(super) fn words(&self) -> String {
        let guid = self.app.as_ref().or(self.service_instance.as_ref());
        format!("{} {}, {}", self.kind, guid.map(ToString::to_string).unwrap_or_default(), self.meter)
    }
}

/// On which side of zero something beside the lines is: a commitment and the usage that it covers have one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// A commitment or minimum: zero or more.
    Added,
    /// A discount, or usage that a commitment covers: zero or less.
    TakenOff,
}

impl Side {
    const fn of(adjustment: AdjustmentType) -> Self {
        match adjustment {
            AdjustmentType::Commitment | AdjustmentType::Minimum => Self::Added,
            AdjustmentType::Discount | AdjustmentType::Covered => Self::TakenOff,
        }
    }
}

/// What an amount of an invoice is for, whatever it is called now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    /// The lines of one use.
    Line(LineIdentity),
    /// A discount, commitment, what it covers, or a minimum.
    Beside(String, Side),
}

impl Item {
    /// What a correction is of.
    pub fn of(correction: &Correction) -> Self {
        let side = match (correction.before.0.signum(), correction.cause) {
            (1, _) => Side::Added,
            (-1, _) => Side::TakenOff,
            // Of nothing, only earlier versions gave something back: a commitment, told with what it covered.
            (_, CorrectionCause::Credited) => Side::Added,
            _ if correction.after < Amount::default() => Side::TakenOff,
            _ => Side::Added,
        };
        match (&correction.key, correction.meter) {
            (Some(key), Some(meter)) => Self::Line(LineIdentity::new(key, meter)),
            _ => Self::Beside(correction.what.clone(), side),
        }
    }

    /// An adjustment.
    pub fn beside(adjustment: &Adjustment) -> Self {
        Self::Beside(adjustment.name.clone(), Side::of(adjustment.adjustment))
    }

    /// What its documents are to come to: what it costs now less what was given back of it, never beyond zero from its own
    /// side; of a line never less than what is taken off it elsewhere (`least`, zero or more).
    pub fn due(&self, cost: Amount, given: Amount, least: Amount) -> Result<Amount, AmountOverflow> {
        let left = cost.plus(given)?;
        let zero = Amount::default();
        Ok(match self {
            Self::Line(_) if cost >= zero => left.max(least.min(cost)),
            Self::Beside(_, Side::Added) => left.max(zero),
            Self::Line(_) | Self::Beside(_, Side::TakenOff) => left.min(zero),
        })
    }
}

/// What documents say of one item.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// By the invoice.
    pub charged: Amount,
    /// The shares of what is taken off that its lines have; zero or less.
    pub share: Amount,
    /// By corrections since, but those by decision, on whatever document.
    pub corrected: Amount,
    /// Their changes of its quantity.
    pub corrected_quantity: i64,
    /// By decision, on whatever document.
    pub given: Amount,
    /// By everything on later invoices, and on credit notes about those: of `corrected` and `given`.
    pub later: Amount,
    /// What absorbed it, in documents of earlier versions.
    pub absorbed: Amount,
    /// The newest correction of it.
    pub last: Option<Correction>,
}

impl Standing {
    /// What it was known to cost when it was last charged or corrected.
    pub fn cost(&self) -> Result<Amount, AmountOverflow> {
        self.charged.plus(self.corrected)
    }

    /// What all documents together come to.
    pub fn documents(&self) -> Result<Amount, AmountOverflow> {
        self.cost()?.plus(self.given)?.plus(self.absorbed)
    }

    /// What the invoice and its credit notes come to.
    pub fn without_later(&self) -> Result<Amount, AmountOverflow> {
        self.documents()?.plus(Amount(-self.later.0))
    }
}

/// Every item of an invoice, or of what corrected it.
#[derive(Clone, Debug, Default)]
pub(super) struct Items(pub BTreeMap<Item, Standing>);

impl Items {
    /// Of an invoice and what was corrected of it; what is about another invoice's month is left out.
    pub fn new(number: &str, invoice: &Invoice, past: &[PastCorrection]) -> Result<Self, AmountOverflow> {
        let mut items = Self::default();
        for line in &invoice.lines {
            let standing = items.0.entry(Item::Line(LineIdentity::new(&line.key, line.meter))).or_default();
            let amount = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
            standing.charged = standing.charged.plus(amount)?;
            standing.share = standing.share.plus(line.discount)?;
        }
        for adjustment in &invoice.adjustments {
            let standing = items.0.entry(Item::beside(adjustment)).or_default();
            standing.charged = standing.charged.plus(adjustment.amount)?;
        }
        // What was given back of the invoice in whose place it is.
        for kept in invoice.corrections.iter().filter(|one| one.cause == CorrectionCause::Credited) {
            let standing = items.0.entry(Item::of(kept)).or_default();
            standing.given = standing.given.plus(kept.amount()?)?;
        }
        let mut absorbed = Amount::default();
        for past in past.iter().filter(|past| past.correction.number == number) {
            let correction = &past.correction;
            let amount = correction.amount()?;
            if correction.key.is_none() && correction.cause == CorrectionCause::Credited && correction.what == ABSORBED
            {
                absorbed = absorbed.plus(amount)?;
                continue;
            }
            let standing = items.0.entry(Item::of(correction)).or_default();
            if correction.cause == CorrectionCause::Credited {
                standing.given = standing.given.plus(amount)?;
            } else {
                standing.corrected = standing.corrected.plus(amount)?;
                standing.corrected_quantity = standing.corrected_quantity.saturating_add(correction.quantity);
            }
            if past.about.as_deref() != Some(number) {
                standing.later = standing.later.plus(amount)?;
            }
            standing.last = Some(correction.clone());
        }
        items.spread(absorbed)?;
        Ok(items)
    }

    /// What was given back of something that only words tell, as earlier versions did of lines and of carried corrections.
    pub fn given_by_words(&self, words: &str) -> Result<Amount, AmountOverflow> {
        let told = |(item, _): &(&Item, &Standing)| matches!(item, Item::Beside(name, _) if name == words);
        self.0.iter().filter(told).try_fold(Amount::default(), |sum, (_, standing)| sum.plus(standing.given))
    }

    /// Earlier versions absorbed as a whole what a line went below zero by.
    fn spread(&mut self, mut absorbed: Amount) -> Result<(), AmountOverflow> {
        for standing in self.0.values_mut() {
            let below = standing.documents()?;
            if below < Amount::default() && standing.charged >= Amount::default() {
                standing.absorbed = Amount((-below.0).min(absorbed.0));
                absorbed = absorbed.plus(Amount(-standing.absorbed.0))?;
            }
        }
        Ok(())
    }
}

/// What was given back by decision of one item of an invoice.
#[derive(Clone, Debug)]
pub struct Given {
    item: Item,
    /// Below zero of a line.
    amount: Amount,
    /// The newest correction that did.
    last: Correction,
}

/// What was given back by decision of an invoice that was given back to be made anew, but by that. It stays given back on the
/// invoice in its place.
///
/// # Errors
/// [`AmountOverflow`].
pub fn given_before(number: &str, invoice: &Invoice, past: &[PastCorrection]) -> Result<Vec<Given>, AmountOverflow> {
    let before: Vec<PastCorrection> = past.iter().filter(|past| !past.reopens).cloned().collect();
    let kept = invoice.corrections.iter().filter(|one| one.cause == CorrectionCause::Credited);
    let told = before.iter().map(|past| &past.correction).filter(|one| one.cause == CorrectionCause::Credited);
    let told: Vec<&Correction> = kept.chain(told).collect();
    let mut given = Vec::new();
    for (item, standing) in Items::new(number, invoice, &before)?.0 {
        let last = told.iter().rev().find(|one| Item::of(one) == item);
        if let Some(last) = last.filter(|_| standing.given != Amount::default()) {
            let last = Correction { number: number.to_owned(), quantity: 0, ..(*last).clone() };
            given.push(Given { item, amount: standing.given, last });
        }
    }
    Ok(given)
}

/// What stays given back on the invoice in the other's place: of each line and adjustment as much as it now costs, at most.
pub(super) fn kept(
    given: &[Given],
    lines: &[InvoiceLine],
    adjustments: &[Adjustment],
) -> Result<Vec<Correction>, AmountOverflow> {
    let mut kept = Vec::new();
    for one in given {
        let (mut cost, mut least) = (Amount::default(), Amount::default());
        match &one.item {
            Item::Line(subject) => {
                for line in lines.iter().filter(|line| LineIdentity::new(&line.key, line.meter) == *subject) {
                    cost = cost.plus(line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount))?;
                    least = least.plus(Amount(-line.discount.0))?;
                }
            }
            beside @ Item::Beside(..) => {
                for adjustment in adjustments.iter().filter(|adjustment| Item::beside(adjustment) == *beside) {
                    cost = cost.plus(adjustment.amount)?;
                }
            }
        }
        let after = one.item.due(cost, one.amount, least)?;
        if after != cost {
            kept.push(Correction { before: cost, after, ..one.last.clone() });
        }
    }
    Ok(kept)
}
