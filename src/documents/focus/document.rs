//! What all rows of a document share, and those of what it has beside its lines.
//! Owns who gets what of an amount that isn't a line's; never the amounts.

use chrono_tz::Tz;

use super::column::{Cell, Column, FocusRow, QUANTITY};
use super::exact::Exact;
use super::name::{self, PLATFORM};
use super::{DocumentError, ToRender, failed};
use crate::domain::period::{days, start_of_day};
use crate::domain::{Amount, Month, Rounding, Span};
use crate::invoicing::{Adjustment, AdjustmentType, Correction, DocumentKind, DocumentRef, TaxLine};

/// Who is named where no seller is configured.
const NOBODY: &str = "Cloud Foundry";

/// What takes a document's rows.
pub(super) type Emit<'e> = &'e mut dyn FnMut(FocusRow) -> Result<(), DocumentError>;

/// What the rows so far come to.
#[derive(Debug)]
pub(super) struct Sums {
    pub billed: Exact,
    /// But for purchases, which are in the rows they cover.
    list: Exact,
    contracted: Exact,
}

impl Default for Sums {
    fn default() -> Self {
        Self { billed: Exact::ZERO, list: Exact::ZERO, contracted: Exact::ZERO }
    }
}

impl Sums {
    pub fn add(&mut self, row: &FocusRow) -> Result<(), DocumentError> {
        let of = |column| match row.get(column) {
            Cell::Decimal(number) => *number,
            _ => Exact::ZERO,
        };
        self.billed = self.billed.plus(of(Column::BilledCost)).map_err(failed)?;
        if *row.get(Column::ChargeCategory) != Cell::from("Purchase") {
            self.list = self.list.plus(of(Column::ListCost)).map_err(failed)?;
            self.contracted = self.contracted.plus(of(Column::ContractedCost)).map_err(failed)?;
        }
        Ok(())
    }
}

/// The period that a document is of: an invoice's month is closed when it is credited, so a credit note is of the month in
/// which it is issued.
fn billing_period(subject: &ToRender<'_>, zone: Tz) -> Span {
    let issued = subject.issue.filter(|_| subject.document.kind() == DocumentKind::CreditNote);
    let issued = issued.and_then(|issue| start_of_day(issue.issued_on, zone));
    issued.map_or(subject.document.period, |at| Month::of(at, zone).span(zone))
}

/// What all rows of a document share.
pub(super) struct Document<'a> {
    pub source: DocumentRef<'a>,
    /// Of the period, in the billing time zone.
    pub days: Vec<Span>,
    base: FocusRow,
}

impl<'a> Document<'a> {
    pub fn new(subject: &ToRender<'a>) -> Self {
        let document = subject.document;
        let zone = document.time_zone;
        let particulars = &document.particulars;
        let filled = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let seller = filled(&particulars.seller.name).or_else(|| document.seller.clone());
        let seller = seller.as_deref().unwrap_or(NOBODY);
        let mut base = FocusRow::empty();
        base.set(Column::BillingAccountId, &*document.account);
        base.set(Column::BillingAccountName, document.account_name.clone().or_else(|| filled(&particulars.buyer.name)));
        base.set(Column::BillingAccountType, "Billing Account");
        base.set(Column::BillingCurrency, document.currency.code());
        let period = billing_period(subject, zone);
        base.set(Column::BillingPeriodStart, period.from);
        base.set(Column::BillingPeriodEnd, period.to);
        base.set(Column::InvoiceId, subject.issue.map(|issue| issue.number.clone()));
        for column in [Column::InvoiceIssuerName, Column::ProviderName, Column::PublisherName] {
            base.set(column, seller);
        }
        base.set(Column::DocumentKind, document.kind().name());
        base.set(Column::DocumentStatus, if subject.issue.is_some() { "final" } else { "draft" });
        base.set(Column::CostCentre, particulars.cost_centre.clone());
        base.set(Column::PurchaseOrder, particulars.purchase_order.clone());
        base.set(Column::RateCard, &*document.rate_card);
        base.set(Column::Estimated, false);
        base.set(Column::Unpriced, false);
        Self { source: document, days: days(document.period, zone), base }
    }

    pub fn money(&self, amount: Amount) -> Exact {
        Exact::amount(amount, self.source.currency)
    }

    /// A row of a charge, for a span.
    pub fn row(&self, category: &str, frequency: &str, description: impl Into<Cell>, span: Span) -> FocusRow {
        let mut row = self.base.clone();
        row.set(Column::ChargeCategory, category);
        row.set(Column::ChargeFrequency, frequency);
        row.set(Column::ChargeDescription, description);
        row.set(Column::ChargePeriodStart, span.from);
        row.set(Column::ChargePeriodEnd, span.to);
        row
    }

    /// A row of what belongs to the account as a whole.
    fn general(&self, category: &str, frequency: &str, description: &str, amount: Exact) -> FocusRow {
        let mut row = self.row(category, frequency, description, self.source.period);
        row.set(Column::ServiceName, PLATFORM.name);
        row.set(Column::ServiceCategory, PLATFORM.category);
        row.set(Column::ServiceSubcategory, PLATFORM.subcategory);
        for column in [Column::BilledCost, Column::EffectiveCost, Column::ListCost, Column::ContractedCost] {
            row.set(column, amount);
        }
        row
    }

    pub fn adjustments(&self, of: AdjustmentType) -> impl Iterator<Item = &Adjustment> {
        self.source.adjustments().iter().filter(move |one| one.adjustment == of)
    }

    fn total(&self, of: AdjustmentType) -> Result<Amount, DocumentError> {
        self.adjustments(of).try_fold(Amount::default(), |sum, one| sum.plus(one.amount)).map_err(failed)
    }

    /// What a commitment covers, zero or more.
    pub fn covered(&self) -> Result<Amount, DocumentError> {
        Ok(Amount(-self.total(AdjustmentType::Covered)?.0))
    }

    /// What was taken off lines, zero or less.
    pub fn shared_out(&self) -> Result<Amount, DocumentError> {
        (self.source.lines().iter()).try_fold(Amount::default(), |sum, line| sum.plus(line.discount)).map_err(failed)
    }

    /// How an account's commitment of some name is known.
    pub fn set_commitment(&self, row: &mut FocusRow, name: &str, quantity: Exact, status: Option<&str>) {
        row.set(Column::CommitmentDiscountCategory, "Spend");
        row.set(Column::CommitmentDiscountId, format!("{}/commitment/{name}", self.source.account));
        row.set(Column::CommitmentDiscountName, name);
        row.set(Column::CommitmentDiscountType, "Monthly Commitment");
        row.set(Column::CommitmentDiscountQuantity, quantity);
        row.set(Column::CommitmentDiscountUnit, self.source.currency.code());
        row.set(Column::CommitmentDiscountStatus, status);
    }

    /// Rows of adjustments that aren't on the lines' rows.
    pub fn beside_lines(&self, emit: Emit<'_>) -> Result<(), DocumentError> {
        let covered = self.covered()?;
        for commitment in self.adjustments(AdjustmentType::Commitment) {
            emit(self.purchase(commitment)?)?;
            let unused = Amount(commitment.amount.0 - covered.0);
            if unused != Amount::default() {
                emit(self.unused(commitment, unused)?)?;
            }
        }
        for minimum in self.adjustments(AdjustmentType::Minimum) {
            let mut row = self.general("Adjustment", "Recurring", &minimum.name, self.money(minimum.amount));
            row.set(Column::Adjustment, minimum.adjustment.name());
            emit(row)?;
        }
        // Lines of invoices that were made before shares were kept have none.
        let taken_off = self.total(AdjustmentType::Discount)?.plus(Amount(-covered.0)).map_err(failed)?;
        let left = Amount(taken_off.0 - self.shared_out()?.0);
        if left != Amount::default() {
            let names = self.discount_names().unwrap_or_default();
            let mut row = self.general("Adjustment", "Recurring", &format!("Discounts: {names}"), self.money(left));
            row.set(Column::Adjustment, AdjustmentType::Discount.name());
            row.set(Column::DiscountNames, names);
            let not_told = covered.0 - self.covered_on_lines()?.0;
            row.set(Column::EffectiveCost, self.money(Amount(left.0 + not_told)));
            emit(row)?;
        }
        Ok(())
    }

    /// Of what a commitment covers, what lines tell of.
    pub fn covered_on_lines(&self) -> Result<Amount, DocumentError> {
        Ok(Amount(self.covered()?.0.min(-self.shared_out()?.0)))
    }

    pub fn discount_names(&self) -> Option<String> {
        let names: Vec<&str> = self.adjustments(AdjustmentType::Discount).map(|one| &*one.name).collect();
        (!names.is_empty()).then(|| names.join("; "))
    }

    /// A commitment is bought: so many units of currency, at one each, which the rows it covers cost.
    fn purchase(&self, commitment: &Adjustment) -> Result<FocusRow, DocumentError> {
        let amount = self.money(commitment.amount);
        let mut row = self.general("Purchase", "Recurring", &commitment.name, amount);
        row.set(Column::EffectiveCost, Exact::ZERO);
        self.price_commitment(&mut row, &commitment.name, amount)?;
        row.set(Column::PricingCategory, "Standard");
        self.set_commitment(&mut row, &commitment.name, amount, None);
        Ok(row)
    }

    /// What of a commitment covers nothing.
    fn unused(&self, commitment: &Adjustment, unused: Amount) -> Result<FocusRow, DocumentError> {
        let amount = self.money(unused);
        let description = format!("{}, unused", commitment.name);
        let mut row = self.general("Usage", "Recurring", &description, amount);
        row.set(Column::BilledCost, Exact::ZERO);
        self.price_commitment(&mut row, &commitment.name, amount)?;
        row.set(Column::PricingCategory, "Committed");
        self.set_commitment(&mut row, &commitment.name, amount, Some("Unused"));
        Ok(row)
    }

    fn price_commitment(&self, row: &mut FocusRow, name: &str, amount: Exact) -> Result<(), DocumentError> {
        let currency = self.source.currency.code();
        row.set(Column::Adjustment, AdjustmentType::Commitment.name());
        row.set(Column::ResourceId, format!("{}/commitment/{name}", self.source.account));
        row.set(Column::ResourceName, name);
        row.set(Column::ResourceType, "Commitment");
        row.set(Column::SkuId, "commitment");
        row.set(Column::SkuMeter, "Commitment");
        row.set(Column::SkuPriceId, format!("commitment/{currency}"));
        set_prices(row, Exact::ONE, Exact::ONE, amount, currency)
    }

    /// A correction of what is invoiced: in this document's period, for the time it is about.
    pub fn correction(&self, correction: &Correction) -> Result<FocusRow, DocumentError> {
        let amount = self.money(correction.amount().map_err(failed)?);
        let description = format!("Correction of {}: {}", correction.number, correction.what);
        let category = if correction.key.is_some() { "Usage" } else { "Adjustment" };
        let mut row = self.general(category, "One-Time", &description, amount);
        row.set(Column::ChargePeriodStart, correction.span.from);
        row.set(Column::ChargePeriodEnd, correction.span.to);
        row.set(Column::ChargeClass, "Correction");
        row.set(Column::CorrectedInvoiceId, &*correction.number);
        row.set(Column::CorrectedLine, correction.line.map(integer).transpose()?);
        row.set(Column::CorrectionCause, correction.cause.name());
        if let Some(key) = &correction.key {
            name::identify(&mut row, key);
        }
        if let (Some(key), Some(meter)) = (&correction.key, correction.meter) {
            let is_package = meter.constant_unit().is_some_and(|unit| unit != correction.unit_size);
            let quantity = quotient(i128::from(correction.quantity), 1, i128::from(correction.unit_size))?;
            row.set(Column::SkuId, name::sku(key, meter));
            row.set(Column::SkuMeter, name::meter(meter));
            row.set(Column::PricingQuantity, Exact::new(quantity, QUANTITY));
            row.set(Column::PricingUnit, name::pricing_unit(meter, is_package));
            row.set(Column::ContractedUnitPrice, correction.price.map(Exact::from));
        }
        Ok(row)
    }

    /// Tax on everything. List and contracted costs have theirs, as FOCUS wants it, rounded to [`QUANTITY`] digits.
    pub fn tax(&self, tax: &TaxLine, sums: &Sums) -> Result<FocusRow, DocumentError> {
        let frequency = if self.source.kind() == DocumentKind::CreditNote { "One-Time" } else { "Recurring" };
        let description = format!("{} {} %", tax.name, tax.percent);
        let mut row = self.general("Tax", frequency, &description, self.money(tax.amount));
        for (column, on) in [(Column::ListCost, sums.list), (Column::ContractedCost, sums.contracted)] {
            let product = on.times(Exact::from(tax.percent)).map_err(failed)?;
            row.set(column, product.rounded_hundredth(QUANTITY).map_err(failed)?);
        }
        if let Some(note) = self.source.as_credit_note() {
            row.set(Column::ChargeClass, "Correction");
            row.set(Column::CorrectedInvoiceId, note.corrects.number.clone());
        }
        row.set(Column::TaxName, &*tax.name);
        row.set(Column::TaxCategory, &*tax.category);
        row.set(Column::TaxPercent, Exact::from(tax.percent));
        Ok(row)
    }
}

/// Prices, a quantity, and the costs that they come to.
pub(super) fn set_prices(
    row: &mut FocusRow,
    list: Exact,
    contracted: Exact,
    quantity: Exact,
    unit: &str,
) -> Result<(), DocumentError> {
    row.set(Column::ListUnitPrice, list);
    row.set(Column::ListCost, list.times(quantity).map_err(failed)?);
    row.set(Column::ContractedUnitPrice, contracted);
    row.set(Column::ContractedCost, contracted.times(quantity).map_err(failed)?);
    row.set(Column::PricingQuantity, quantity);
    row.set(Column::PricingUnit, unit);
    Ok(())
}

/// A position, counted from one, as a cell.
pub(super) fn integer(number: usize) -> Result<Cell, DocumentError> {
    i64::try_from(number).map(Cell::Integer).map_err(failed)
}

/// `quantity` × `numerator` ÷ `denominator`, in units of 10^-[`QUANTITY`].
pub(super) fn quotient(quantity: i128, numerator: i128, denominator: i128) -> Result<i128, DocumentError> {
    let dividend = quantity.checked_mul(numerator).and_then(|product| product.checked_mul(10_i128.pow(QUANTITY)));
    let dividend = dividend.ok_or_else(|| failed("a quantity is too large"))?;
    Ok(Rounding::HalfUp.divide(dividend, denominator.max(1)))
}
