//! An invoice line as rows: one for each day with use, and apart what a commitment covers.
//! Owns how a line's amount and quantity are shared out over them; never what they come to.

use std::collections::HashMap;

use super::column::{Column, FocusRow, QUANTITY};
use super::document::{Document, Emit, integer, quotient, set_prices};
use super::exact::Exact;
use super::{DocumentError, failed, name};
use crate::domain::{Amount, Span, share};
use crate::invoicing::{AdjustmentType, Charge, InvoiceLine};
use crate::rate_card::Meter;
use crate::rating::Part;

/// What tells prices of packages apart, as far as lines say: how many were begun, the rate, their size, the meter.
type PackageKey<'a> = (i64, &'a str, i64, Meter);

/// All lines of a document.
pub(super) struct Lines<'a> {
    document: &'a Document<'a>,
    /// The quantity of all lines that share packages.
    packages: HashMap<PackageKey<'a>, i128>,
    /// What the commitment covers of each line.
    covered: Vec<i64>,
    /// Its name.
    commitment: Option<&'a str>,
    discount_names: Option<String>,
}

/// What of a line is charged alike: what a commitment covers, or what it doesn't.
#[derive(Clone, Copy)]
struct Portion {
    /// To be paid.
    billed: i64,
    /// Paid by the commitment.
    covered: i64,
    /// Taken off by discounts: zero or less.
    discount: i64,
    quantity: i64,
    used: i64,
}

/// A running quantity: each row has the difference of two rounded sums, so that rows come to the line's quantity.
struct Running {
    numerator: i128,
    denominator: i128,
    sum: i128,
    printed: i128,
}

impl Running {
    const fn new(numerator: i128, denominator: i128) -> Self {
        Self { numerator, denominator, sum: 0, printed: 0 }
    }

    fn next(&mut self, quantity: i64) -> Result<Exact, DocumentError> {
        self.sum += i128::from(quantity);
        let now = quotient(self.sum, self.numerator, self.denominator)?;
        let difference = now - self.printed;
        self.printed = now;
        Ok(Exact::new(difference, QUANTITY))
    }
}

impl<'a> Lines<'a> {
    pub fn new(document: &'a Document<'a>) -> Result<Self, DocumentError> {
        let lines = document.source.lines();
        let mut packages: HashMap<PackageKey<'a>, i128> = HashMap::new();
        for line in lines {
            if let Some(key) = package(line) {
                *packages.entry(key).or_default() += i128::from(line.quantity);
            }
        }
        // A line tells how much it lost, not to what: the commitment covers in proportion.
        let lost: Vec<i64> = lines.iter().map(|line| -line.discount.0).collect();
        let covered = share(document.covered_on_lines()?.0, &lost).map_err(failed)?;
        let commitment = document.adjustments(AdjustmentType::Covered).next().map(|one| &*one.name);
        Ok(Self { document, packages, covered, commitment, discount_names: document.discount_names() })
    }

    pub fn each(&self, emit: Emit<'_>) -> Result<(), DocumentError> {
        for (position, line) in self.document.source.lines().iter().enumerate() {
            let template = self.template(position, line)?;
            match &line.charge {
                Some(charge) => self.charged(position, line, charge, &template, emit)?,
                None => emit(unpriced(line, template)?)?,
            }
        }
        Ok(())
    }

    /// What all rows of a line share.
    fn template(&self, position: usize, line: &InvoiceLine) -> Result<FocusRow, DocumentError> {
        let mut description = format!("{}, {}", line.what(), line.meter.unit());
        match &line.part {
            Part::Whole => {}
            Part::Allowance(name) => description = format!("{description}, {name}"),
            part => description = format!("{description}, {part}"),
        }
        let mut row = self.document.row("Usage", "Usage-Based", description, line.span);
        name::identify(&mut row, &line.key);
        row.set(Column::SkuId, name::sku(&line.key, line.meter));
        row.set(Column::SkuMeter, name::meter(line.meter));
        row.set(Column::InvoiceLine, integer(position + 1)?);
        row.set(Column::Granularity, line.granularity.clone());
        Ok(row)
    }

    fn charged(
        &self,
        position: usize,
        line: &InvoiceLine,
        charge: &Charge,
        template: &FocusRow,
        emit: Emit<'_>,
    ) -> Result<(), DocumentError> {
        let (contracted, list) = (charge.price, charge.list_price.unwrap_or(charge.price));
        let part = name::part(&line.part, line.unit_size, line.meter);
        let mut template = template.clone();
        let sku = name::sku(&line.key, line.meter);
        template.set(Column::SkuPriceId, format!("{sku}/{part}/{}", list.decimal().normalize()));
        template.set(
            Column::SkuPriceDetails,
            serde_json::json!({"x_Meter": line.meter.name(), "x_Part": part}).to_string(),
        );
        template.set(Column::Rate, &*charge.rate);
        let unit = name::pricing_unit(line.meter, matches!(line.part, Part::Packages(_)));
        let (consumed_unit, consumed_size) = name::consumed_unit(line.meter);
        template.set(Column::ConsumedUnit, consumed_unit);
        let (numerator, denominator) = self.fraction(line);
        let mut priced = Running::new(numerator, denominator);
        let mut consumed = Running::new(1, i128::from(consumed_size));
        for portion in portions(line, charge, self.covered[position])? {
            let days = portion.by_day(line, &self.document.days)?;
            for (span, day) in days {
                let mut row = template.clone();
                row.set(Column::ChargePeriodStart, span.from);
                row.set(Column::ChargePeriodEnd, span.to);
                let quantity = priced.next(day.quantity)?;
                set_prices(&mut row, list.into(), contracted.into(), quantity, unit)?;
                row.set(Column::ConsumedQuantity, consumed.next(day.used)?);
                self.set_costs(&mut row, portion, day);
                emit(row)?;
            }
        }
        Ok(())
    }

    fn set_costs(&self, row: &mut FocusRow, portion: Portion, day: Portion) {
        let money = |amount: i64| self.document.money(Amount(amount));
        row.set(Column::BilledCost, money(day.billed));
        row.set(Column::EffectiveCost, money(day.billed + day.covered));
        row.set(Column::PricingCategory, "Standard");
        if portion.covered != 0
            && let Some(name) = self.commitment
        {
            row.set(Column::PricingCategory, "Committed");
            self.document.set_commitment(row, name, money(day.covered), Some("Used"));
        }
        if portion.discount != 0 {
            row.set(Column::DiscountAmount, money(day.discount));
            row.set(Column::DiscountNames, self.discount_names.clone());
        }
    }

    /// What a line's quantity is to be multiplied by to have what its price is for. Of packages that is its share of
    /// those that were begun, where the lines that share them can be told; else as much of one as it used.
    fn fraction(&self, line: &InvoiceLine) -> (i128, i128) {
        let size = i128::from(line.unit_size.max(1));
        let shared = package(line).and_then(|key| Some((i128::from(key.0), *self.packages.get(&key)?)));
        match shared {
            Some((packages, total)) if total > 0 && (total + size - 1) / size == packages => (packages, total),
            _ => (1, size),
        }
    }
}

fn package(line: &InvoiceLine) -> Option<PackageKey<'_>> {
    match (&line.part, &line.charge) {
        (Part::Packages(packages), Some(charge)) => Some((*packages, &*charge.rate, line.unit_size, line.meter)),
        _ => None,
    }
}

/// Usage without a price, in drafts only: it costs nothing yet.
fn unpriced(line: &InvoiceLine, mut row: FocusRow) -> Result<FocusRow, DocumentError> {
    for column in [Column::BilledCost, Column::EffectiveCost, Column::ListCost, Column::ContractedCost] {
        row.set(column, Exact::ZERO);
    }
    let (unit, size) = name::consumed_unit(line.meter);
    row.set(Column::ConsumedQuantity, Running::new(1, i128::from(size)).next(line.used)?);
    row.set(Column::ConsumedUnit, unit);
    row.set(Column::Unpriced, true);
    Ok(row)
}

/// A discount is of a whole row: what a commitment covers of a line is a portion by itself.
fn portions(line: &InvoiceLine, charge: &Charge, covered: i64) -> Result<Vec<Portion>, DocumentError> {
    let billed = charge.amount.plus(line.discount).map_err(failed)?.0;
    let whole =
        Portion { billed, covered, discount: line.discount.0 + covered, quantity: line.quantity, used: line.used };
    if billed <= 0 || covered == 0 {
        return Ok(vec![whole]);
    }
    let both = |total: i64| share(total, &[covered, billed]).map_err(failed);
    let (discounts, quantities, used) = (both(whole.discount)?, both(whole.quantity)?, both(whole.used)?);
    let portion = |position: usize, billed, covered| Portion {
        billed,
        covered,
        discount: discounts[position],
        quantity: quantities[position],
        used: used[position],
    };
    Ok(vec![portion(0, 0, covered), portion(1, billed, 0)])
}

impl Portion {
    /// Shared out over the days with use, each with its time; all in one over the line's span if they aren't known.
    fn by_day(self, line: &InvoiceLine, days: &[Span]) -> Result<Vec<(Span, Self)>, DocumentError> {
        let used: Vec<(Span, i64)> = if line.days.len() == days.len() {
            days.iter().copied().zip(line.days.iter().copied()).filter(|(_, used)| *used > 0).collect()
        } else {
            Vec::new()
        };
        if used.is_empty() {
            return Ok(vec![(line.span, self)]);
        }
        let weights: Vec<i64> = used.iter().map(|(_, used)| *used).collect();
        let shared = |total: i64| share(total, &weights).map_err(failed);
        let (billed, covered, discount) = (shared(self.billed)?, shared(self.covered)?, shared(self.discount)?);
        let (quantity, amounts) = (shared(self.quantity)?, shared(self.used)?);
        let row = |(position, (day, _)): (usize, &(Span, i64))| {
            let portion = Self {
                billed: billed[position],
                covered: covered[position],
                discount: discount[position],
                quantity: quantity[position],
                used: amounts[position],
            };
            (within(*day, line.span), portion)
        };
        Ok(used.iter().enumerate().map(row).collect())
    }
}

/// The part of a day in which a line's terms hold; the day if they don't, as with lengths rounded up beyond it.
fn within(day: Span, span: Span) -> Span {
    let part = day.within(span);
    if part.from < part.to { part } else { day }
}
