//! What applies to totals of a period: allowances, tiers, volumes and packages, shared out over the lines in
//! proportion to their quantities.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::applied::{Applied, Parts};
use super::price::{Charged, Unit, charge, price_of, sum};
use super::{LineKey, LineUse, Part, RatedLine, RatingError};
use crate::domain::{Guid, Kind, Overflow, Price, Rounding, Span, share};
use crate::rate_card::{Allowance, Matcher, Meter, Model, Per, RateCard};

/// What is to be summed.
pub(super) struct Sum<'a> {
    pub card: &'a RateCard,
    pub period: Span,
    pub applied: &'a [Applied],
}

/// One quantity of one line.
struct RatedRow {
    key: Arc<LineKey>,
    applied: usize,
    meter: Meter,
    quantity: i64,
    used: i64,
    span: Span,
    days: Vec<i64>,
    number: usize,
    /// What an allowance takes of it.
    allowed: i64,
    charged: Vec<Charged>,
}

impl RatedRow {
    const fn left(&self) -> i64 {
        self.quantity - self.allowed
    }
}

/// Who has an allowance: its position, and the organization where each has its own.
type Holder = (usize, Option<(String, Guid)>);

/// Whose total a tier counts: one account's usage of one rate, whichever of its dated blocks is in force. A rate that
/// changes the prices of several others counts for each of them by itself, as it would be without it.
type Family<'a> = (Kind, Vec<&'a Matcher>, Meter);

impl Sum<'_> {
    pub fn lines(&self, parts: &Parts) -> Result<Vec<RatedLine>, RatingError> {
        let mut rows: Vec<RatedRow> = (parts.iter())
            .map(|((key, applied, meter), part)| RatedRow {
                key: key.clone(),
                applied: *applied,
                meter: *meter,
                quantity: part.quantity,
                used: part.used,
                span: part.span,
                days: part.days.clone(),
                number: part.row,
                allowed: 0,
                charged: Vec::new(),
            })
            .collect();
        // Ties go by resource, then by the rest of what tells rows apart.
        let order = |row: &RatedRow| {
            let applied = &self.applied[row.applied];
            (
                row.key.resource().cloned(),
                row.key.clone(),
                row.meter,
                row.span,
                applied.rate.clone(),
                applied.discounts.clone(),
            )
        };
        rows.sort_by_cached_key(order);
        self.take_allowances(&mut rows)?;
        self.apply_models(&mut rows)?;
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows {
            self.emit(row, &mut lines)?;
        }
        lines.sort_by(|one: &RatedLine, two| {
            (&one.key, one.meter, one.span.from, &one.rate, &one.part).cmp(&(
                &two.key,
                two.meter,
                two.span.from,
                &two.rate,
                &two.part,
            ))
        });
        Ok(lines)
    }

    fn take_allowances(&self, rows: &mut [RatedRow]) -> Result<(), RatingError> {
        let mut shares: BTreeMap<Holder, Vec<usize>> = BTreeMap::new();
        for (position, row) in rows.iter().enumerate() {
            let allowances = &self.applied[row.applied].allowances;
            if let Some((_, allowance)) = allowances.iter().find(|(meter, _)| *meter == row.meter) {
                let organization = (self.card.allowances[*allowance].per == Per::Organization)
                    .then(|| (row.key.foundation.clone(), row.key.organization.guid.clone()));
                shares.entry((*allowance, organization)).or_default().push(position);
            }
        }
        for ((allowance, _), positions) in shares {
            let weights: Vec<i64> = positions.iter().map(|position| rows[*position].quantity).collect();
            let total = sum(&weights)?;
            let taken = self.in_period(&self.card.allowances[allowance])?.min(total);
            for (position, share) in positions.iter().zip(share(taken, &weights)?) {
                rows[*position].allowed = share;
            }
        }
        Ok(())
    }

    /// How much of an allowance a period has: by the seconds in which it is in force.
    fn in_period(&self, allowance: &Allowance) -> Result<i64, Overflow> {
        let within = self.card.allowance_validity(allowance).within(self.period);
        let seconds = within.map_or(0, Span::seconds);
        let product = i128::from(allowance.quantity).checked_mul(i128::from(seconds)).ok_or(Overflow)?;
        let quantity = Rounding::HalfUp.divide(product, i128::from(self.period.seconds()));
        i64::try_from(quantity).map_err(|_| Overflow)
    }

    fn apply_models(&self, rows: &mut [RatedRow]) -> Result<(), RatingError> {
        let mut families: BTreeMap<Family<'_>, Vec<usize>> = BTreeMap::new();
        for (position, row) in rows.iter().enumerate() {
            let chain = &self.applied[row.applied].charges.chain;
            let matchers = chain.iter().map(|rate| &self.card.rates[*rate].matcher).collect();
            families.entry((row.key.kind, matchers, row.meter)).or_default().push(position);
        }
        for ((.., meter), positions) in families {
            let unit =
                Unit { size: meter.unit_size(self.period), currency: self.card.currency, rounding: self.card.rounding };
            let mut models: Vec<Model> = Vec::new();
            for position in &positions {
                let model = self.model(&rows[*position]);
                if !models.contains(&model) {
                    models.push(model);
                }
            }
            let weights: Vec<i64> = positions.iter().map(|position| rows[*position].left()).collect();
            for model in models {
                // The total is the whole period's, whichever block is in force when.
                let charged = charge(&model, &weights, unit)?;
                for (position, charged) in positions.iter().zip(charged) {
                    if self.model(&rows[*position]) == model {
                        rows[*position].charged = charged;
                    }
                }
            }
        }
        Ok(())
    }

    fn model(&self, row: &RatedRow) -> Model {
        let prices = &self.applied[row.applied].charges.prices;
        let model = prices.iter().find(|(meter, _)| *meter == row.meter).map(|(_, model)| model.clone());
        model.unwrap_or(Model::Flat(Price::ZERO))
    }

    fn emit(&self, row: RatedRow, lines: &mut Vec<RatedLine>) -> Result<(), RatingError> {
        let applied = &self.applied[row.applied];
        let nothing = Charged {
            part: Part::Whole,
            quantity: 0,
            price: Price::ZERO,
            unit_size: row.meter.unit_size(self.period),
            share: None,
        };
        let mut charged: Vec<Charged> = Vec::new();
        if row.allowed > 0 {
            let allowances = applied.allowances.iter().find(|(meter, _)| *meter == row.meter);
            let name =
                allowances.map_or_else(String::new, |(_, position)| self.card.allowances[*position].name.clone());
            charged.push(Charged { part: Part::Allowance(name), quantity: row.allowed, ..nothing.clone() });
        }
        let price = row.charged.first().map_or(Price::ZERO, |charged| charged.price);
        charged.extend(row.charged.into_iter().filter(|charged| charged.quantity != 0));
        if charged.is_empty() && row.used != 0 {
            // Rounded away, and shown all the same.
            charged.push(Charged { price, ..nothing });
        }
        let quantities: Vec<i64> = charged.iter().map(|charged| charged.quantity).collect();
        let list = applied.list.iter().find(|(meter, _)| *meter == row.meter).map(|(_, model)| model);
        for (charged, used) in charged.into_iter().zip(share(row.used, &quantities)?) {
            lines.push(RatedLine {
                list_price: list.and_then(|list| price_of(list, &charged.part)),
                line: LineUse {
                    key: row.key.clone(),
                    meter: row.meter,
                    quantity: charged.quantity,
                    used,
                    unit_size: charged.unit_size,
                    part: charged.part,
                    span: row.span,
                    days: share_days(used, row.used, &row.days)?,
                    row: row.number,
                },
                price: charged.price,
                share: charged.share,
                rate: applied.rate.clone(),
                granularity: applied.charges.granularity,
                discounts: applied.discounts.clone(),
            });
        }
        Ok(())
    }
}

/// What of a row's days is a part of its use.
fn share_days(part: i64, whole: i64, days: &[i64]) -> Result<Vec<i64>, Overflow> {
    if part == whole { Ok(days.to_vec()) } else { share(part, days) }
}
