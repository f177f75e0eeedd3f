//! What an account's invoice has beside its lines: discounts, commitments, a minimum, and tax, in that order.

use super::{Header, InvoiceLine};
use crate::domain::{Amount, AmountOverflow, Price, Rounding, Span, share};
use crate::rate_card::{Discount, Floor, FloorKind, Off, RateCard, Validity, Whom};
use crate::rating::RatedLine;

/// What an adjustment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdjustmentType {
    /// Taken off.
    Discount,
    /// Paid in any case.
    Commitment,
    /// Usage that a commitment covers, taken off.
    Covered,
    /// What fills an invoice up to its minimum.
    Minimum,
}

impl AdjustmentType {
    pub const ALL: [Self; 4] = [Self::Discount, Self::Commitment, Self::Covered, Self::Minimum];

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discount => "discount",
            Self::Commitment => "commitment",
            Self::Covered => "covered",
            Self::Minimum => "minimum",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|adjustment| adjustment.name() == name)
    }
}

/// Something added to an invoice's lines, or taken off them, as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adjustment {
    pub adjustment: AdjustmentType,
    /// As its card names it.
    pub name: String,
    /// What it is computed from: the list amount of a discount in percent, what is covered, what is filled up.
    pub basis: Option<Amount>,
    pub percent: Option<Price>,
    /// Less than zero if it is taken off.
    pub amount: Amount,
}

/// The tax on an invoice's net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxLine {
    pub name: String,
    /// EN 16931's letter.
    pub category: String,
    pub percent: Price,
    pub amount: Amount,
    /// Why there is none, in words (BT-120), with a category that asks for it.
    pub exemption_reason: Option<String>,
}

impl TaxLine {
    /// Whether two invoices have the same tax, whatever it comes to.
    #[must_use]
    pub fn is_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => one.category == other.category && one.percent == other.percent,
            _ => false,
        }
    }

    /// `VAT 19 % (S)`
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} {} % ({})", self.name, self.percent, self.category)
    }
}

/// An account's tax, where it isn't the card's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTax {
    /// EN 16931's letter.
    pub category: String,
    /// `None`: the card's, with category `S`; zero with any other.
    pub percent: Option<Price>,
    pub exemption_reason: Option<String>,
}

const fn negative(amount: Amount) -> Amount {
    Amount(-amount.0)
}

/// `amount` × `percent` ÷ 100, rounded once.
pub(super) fn percentage(amount: Amount, percent: Price, rounding: Rounding) -> Result<Amount, AmountOverflow> {
    let dividend = i128::from(amount.0).checked_mul(percent.mantissa()).ok_or(AmountOverflow)?;
    let divisor = 10_i128.checked_pow(percent.scale() + 2).ok_or(AmountOverflow)?;
    i64::try_from(rounding.divide(dividend, divisor)).map(Amount).map_err(|_| AmountOverflow)
}

/// Everything beside the lines, whose amounts come to `net`. `rated` are the lines as rated, with their amounts;
/// `lines` are the same ones, then those without a price: each gets its share of what is taken off.
pub(super) fn adjustments(
    card: &RateCard,
    header: &Header,
    mut net: Amount,
    rated: &[RatedLine],
    amounts: &[Amount],
    lines: &mut [InvoiceLine],
) -> Result<Vec<Adjustment>, AmountOverflow> {
    let mut adjustments = Vec::new();
    let mut discounts: Vec<(usize, &Discount)> = card.discounts.iter().enumerate().collect();
    // Whatever the order of files; those in percent first, each on the list amounts.
    discounts.sort_by_key(|(_, discount)| (matches!(discount.off, Off::Amount(_)), &discount.name, &discount.whom));
    for (position, discount) in discounts {
        let has = |line: usize| rated[line].discounts.contains(&position);
        let (basis, percent, off) = match discount.off {
            Off::Percent(percent) => {
                let with = (0..rated.len()).filter(|line| has(*line)).map(|line| amounts[line]);
                let list = with.into_iter().try_fold(Amount::default(), Amount::plus)?;
                (Some(list), Some(percent), percentage(list, percent, card.rounding)?)
            }
            Off::Amount(amount) => {
                let for_us = is_for(&discount.whom, &header.account);
                let off = if for_us {
                    prorated(&[(card.discount_validity(discount), amount)], header.period)?
                } else {
                    Amount::default()
                };
                (None, None, off)
            }
        };
        // Never more than there is to pay.
        let off = off.min(net).max(Amount::default());
        if off != Amount::default() {
            net = net.plus(negative(off))?;
            let left = take_off(lines, rated, off, |line| percent.is_none() || has(line))?;
            take_off(lines, rated, left, |_| true)?;
            adjustments.push(Adjustment {
                adjustment: AdjustmentType::Discount,
                name: discount.name.clone(),
                basis,
                percent,
                amount: negative(off),
            });
        }
    }
    let used = !lines.is_empty();
    if let Some((name, commitment)) = floor(card, FloorKind::Commitment, header, used)? {
        let covered = net.min(commitment);
        adjustments.push(Adjustment {
            adjustment: AdjustmentType::Commitment,
            name: name.clone(),
            basis: None,
            percent: None,
            amount: commitment,
        });
        if covered > Amount::default() {
            take_off(lines, rated, covered, |_| true)?;
            adjustments.push(Adjustment {
                adjustment: AdjustmentType::Covered,
                name,
                basis: Some(net),
                percent: None,
                amount: negative(covered),
            });
        }
        net = net.plus(commitment)?.plus(negative(covered))?;
    }
    if let Some((name, minimum)) = floor(card, FloorKind::Minimum, header, used)?
        && minimum > net
    {
        adjustments.push(Adjustment {
            adjustment: AdjustmentType::Minimum,
            name,
            basis: Some(net),
            percent: None,
            amount: minimum.plus(negative(net))?,
        });
    }
    Ok(adjustments)
}

/// Shares `off` out over what is left of some lines, ties by resource; gives what is more than there is left of them.
fn take_off(
    lines: &mut [InvoiceLine],
    rated: &[RatedLine],
    off: Amount,
    of: impl Fn(usize) -> bool,
) -> Result<Amount, AmountOverflow> {
    if off == Amount::default() {
        return Ok(off);
    }
    let mut some: Vec<usize> = (0..rated.len()).filter(|line| of(*line)).collect();
    some.sort_by_key(|line| rated[*line].key.resource());
    let left = |line: &InvoiceLine| line.charge.as_ref().map_or(0, |charge| charge.amount.0) + line.discount.0;
    let weights: Vec<i64> = some.iter().map(|line| left(&lines[*line]).max(0)).collect();
    let total = weights.iter().try_fold(0_i64, |sum, weight| sum.checked_add(*weight)).ok_or(AmountOverflow)?;
    let taken = off.0.min(total);
    let shares = share(taken, &weights).map_err(|_| AmountOverflow)?;
    for (line, share) in some.into_iter().zip(shares) {
        lines[line].discount = lines[line].discount.plus(Amount(-share))?;
    }
    Ok(Amount(off.0 - taken))
}

fn is_for(whom: &Whom, account: &str) -> bool {
    match whom {
        Whom::Everyone => true,
        Whom::Account(wanted) => wanted == account,
        _ => false,
    }
}

/// Amounts of whole months, each by the seconds of the period in which it holds; rounded once.
fn prorated(amounts: &[(Validity, Amount)], period: Span) -> Result<Amount, AmountOverflow> {
    let mut dividend = 0_i128;
    for (validity, amount) in amounts {
        let seconds = validity.within(period).map_or(0, Span::seconds);
        let product = i128::from(amount.0).checked_mul(i128::from(seconds)).ok_or(AmountOverflow)?;
        dividend = dividend.checked_add(product).ok_or(AmountOverflow)?;
    }
    let amount = Rounding::HalfUp.divide(dividend, i128::from(period.seconds().max(1)));
    i64::try_from(amount).map(Amount).map_err(|_| AmountOverflow)
}

/// The commitment or minimum of an account in a period: its own before everyone's, a later block before an earlier. One for
/// everyone is for everyone who used anything.
fn floor(
    card: &RateCard,
    of: FloorKind,
    header: &Header,
    used: bool,
) -> Result<Option<(String, Amount)>, AmountOverflow> {
    let reaches = |floor: &&Floor| used || header.rules < 2 || floor.whom != Whom::Everyone;
    let ours = |floor: &&Floor| floor.floor == of && is_for(&floor.whom, &header.account) && reaches(floor);
    let mut edges = vec![header.period.from, header.period.to];
    let validities = card.floors.iter().filter(ours).map(|floor| floor.validity);
    edges.extend(validities.flat_map(|validity| [validity.from, validity.to]).flatten());
    edges.retain(|edge| header.period.from <= *edge && *edge <= header.period.to);
    edges.sort_unstable();
    edges.dedup();
    let mut held: Vec<(Validity, Amount)> = Vec::new();
    let mut name = None;
    for pair in edges.windows(2) {
        let at = pair[0];
        let in_force = card.floors.iter().filter(ours).filter(|floor| card.floor_validity(floor).holds(at));
        if let Some(floor) = in_force.max_by_key(|floor| &floor.whom) {
            held.push((Validity { from: Some(pair[0]), to: Some(pair[1]) }, floor.amount));
            name = Some(floor.name.clone());
        }
    }
    let Some(name) = name else { return Ok(None) };
    Ok(Some((name, prorated(&held, header.period)?)))
}

/// The tax on `net`, the account's own or the card's: computed once, rounded half up, as EN 16931 has it.
pub(super) fn tax(
    card: &RateCard,
    own: Option<&AccountTax>,
    period: Span,
    net: Amount,
) -> Result<Option<TaxLine>, AmountOverflow> {
    let of_card = card.tax_of(period);
    let (category, percent, exemption_reason) = match (own, of_card) {
        (None, None) => return Ok(None),
        (None, Some(tax)) => (tax.category.clone(), tax.percent, None),
        (Some(own), of_card) => {
            let standard = of_card.filter(|tax| tax.category == own.category).map_or(Price::ZERO, |tax| tax.percent);
            (own.category.clone(), own.percent.unwrap_or(standard), own.exemption_reason.clone())
        }
    };
    let name = of_card.map_or_else(|| "VAT".to_owned(), |tax| tax.name.clone());
    let amount = percentage(net, percent, Rounding::HalfUp)?;
    Ok(Some(TaxLine { name, category, percent, amount, exemption_reason }))
}
