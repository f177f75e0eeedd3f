//! What an invoice is made of beside its lines, in its tables: adjustments, corrections, what it covers.

use std::sync::Arc;

use crate::domain::{Amount, Currency, Guid, Month, Price, Span, Timestamp};
use crate::invoicing::{Adjustment, AdjustmentType, Correction, CorrectionCause, Coverage, PlaceLabels};
use crate::rate_card::Meter;
use crate::rating::LineKey;
use crate::store::StoreError;
use crate::store::database::{Json, Record, Row, Spelled, table};

table! {
    /// Discounts, commitments and minimums of an invoice, in the order in which they were applied.
    pub(in crate::store) struct AdjustmentRow: "invoice_adjustment"[2] in "(SELECT currency FROM invoice WHERE invoice.id = invoice_adjustment.invoice_id)" {
        /// Invoice it is on.
        invoice_id: i64,
        /// 1, 2, 3 …
        position: i64,
        /// discount, commitment, covered or minimum.
        adjustment: Spelled<AdjustmentType>,
        /// As the rate card names it.
        name: String,
        /// What it is computed from.
        basis: Option<Amount>,
        /// Of that; null if it is an amount.
        percent: Option<Price>,
        /// Added to net; less than zero if it is taken off.
        amount: Amount,
    }
}

impl AdjustmentRow {
    /// An adjustment of the invoice of that id; `position` from 1.
    pub(super) fn of(invoice_id: i64, position: i64, adjustment: &Adjustment) -> Self {
        Self {
            invoice_id,
            position,
            adjustment: Spelled(adjustment.adjustment),
            name: adjustment.name.clone(),
            basis: adjustment.basis,
            percent: adjustment.percent,
            amount: adjustment.amount,
        }
    }

    /// The adjustment of a row.
    pub(super) fn read_adjustment(row: &Row, currency: Currency) -> Result<Adjustment, StoreError> {
        let Self { adjustment, name, basis, percent, amount, .. } = Self::read_in(row, currency)?;
        Ok(Adjustment { adjustment: adjustment.0, name, basis, percent, amount })
    }
}

table! {
    /// What is charged or given back of final invoices, line by line.
    pub(in crate::store) struct CorrectionRow: "invoice_correction"[2] in "(SELECT currency FROM invoice WHERE invoice.id = invoice_correction.invoice_id)" {
        /// The credit note, or the later invoice.
        invoice_id: i64,
        /// 1, 2, 3 …
        position: i64,
        /// The corrected invoice.
        number: String,
        /// Its line, from 1; null: none of its lines.
        line: Option<usize>,
        /// Its month.
        month: Month,
        /// When what is corrected was used: from here …
        started_at: Timestamp,
        /// … to here, exclusive.
        ended_at: Timestamp,
        /// What it is for, in words.
        what: String,
        /// JSON: what the line is for; null: of something beside the lines.
        subject: Option<Json<Arc<LineKey>>>,
        /// What was counted.
        meter: Option<Spelled<Meter>>,
        /// Change of the quantity.
        quantity: i64,
        /// How much of the quantity one price is for.
        unit_size: i64,
        /// The price now.
        price: Option<Price>,
        /// Charged so far, with earlier corrections.
        amount_before: Amount,
        /// What it comes to now.
        amount_after: Amount,
        /// credited, usage, rate, shared or adjustment.
        cause: Spelled<CorrectionCause>,
        /// What it comes to now is by this rate card.
        rate_card_hash: String,
    }
}

impl CorrectionRow {
    /// A correction on the document of that id; `position` from 1.
    pub(super) fn of(invoice_id: i64, position: i64, correction: &Correction) -> Self {
        Self {
            invoice_id,
            position,
            number: correction.number.clone(),
            line: correction.line,
            month: correction.month,
            started_at: correction.span.from,
            ended_at: correction.span.to,
            what: correction.what.clone(),
            subject: correction.key.clone().map(Json),
            meter: correction.meter.map(Spelled),
            quantity: correction.quantity,
            unit_size: correction.unit_size,
            price: correction.price,
            amount_before: correction.before,
            amount_after: correction.after,
            cause: Spelled(correction.cause),
            rate_card_hash: correction.rate_card.clone(),
        }
    }

    /// The correction of a row.
    pub(super) fn read_correction(row: &Row, currency: Currency) -> Result<Correction, StoreError> {
        let row = Self::read_in(row, currency)?;
        Ok(Correction {
            number: row.number,
            line: row.line,
            month: row.month,
            span: Span { from: row.started_at, to: row.ended_at },
            what: row.what,
            key: row.subject.map(|key| key.0),
            meter: row.meter.map(|meter| meter.0),
            quantity: row.quantity,
            unit_size: row.unit_size,
            price: row.price,
            before: row.amount_before,
            after: row.amount_after,
            cause: row.cause.0,
            rate_card: row.rate_card_hash,
        })
    }
}

table! {
    /// Whose usage of when an invoice charges for: what is here is charged to nobody else.
    pub(in crate::store) struct CoverageRow: "invoice_coverage"[5] {
        /// The invoice.
        invoice_id: i64,
        /// Name of the foundation.
        foundation: String,
        /// The organization.
        organization_guid: Guid,
        /// The space.
        space_guid: Guid,
        /// Charged from here …
        started_at: Timestamp,
        /// … to here, exclusive.
        ended_at: Timestamp,
        /// JSON: labels and annotations of the place; null: an earlier version made it
        labels: Option<Json<PlaceLabels>>,
    }
}

impl CoverageRow {
    /// What the invoice of that id covers.
    pub(super) fn of(invoice_id: i64, coverage: &Coverage) -> Self {
        Self {
            invoice_id,
            foundation: coverage.foundation.clone(),
            organization_guid: coverage.organization.clone(),
            space_guid: coverage.space.clone(),
            started_at: coverage.span.from,
            ended_at: coverage.span.to,
            labels: coverage.labels.clone().map(Json),
        }
    }

    /// What a row says is covered.
    pub(super) fn read_coverage(row: &Row) -> Result<Coverage, StoreError> {
        let row = Self::read(row)?;
        Ok(Coverage {
            foundation: row.foundation,
            organization: row.organization_guid,
            space: row.space_guid,
            span: Span { from: row.started_at, to: row.ended_at },
            labels: row.labels.map(|labels| labels.0),
        })
    }
}
