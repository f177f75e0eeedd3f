//! Writes what an invoice is made of, many rows in one statement.

use super::line::LineRow;
use super::parts::{AdjustmentRow, CorrectionRow, CoverageRow};
use crate::invoicing::{Correction, DocumentRef};
use crate::store::database::{Session, Sql, values};
use crate::store::{Recalculation, StoreError};

/// Writes everything that a document is made of but its own row.
pub(super) async fn put_parts(session: &mut Session, id: i64, document: DocumentRef<'_>) -> Result<(), StoreError> {
    const LINES: Sql = Sql::new(LineRow::ADD);
    const ADJUSTMENTS: Sql = Sql::new(AdjustmentRow::ADD);
    const CORRECTIONS: Sql = Sql::new(CorrectionRow::ADD);
    const COVERAGE: Sql = Sql::new(CoverageRow::ADD);
    let currency = document.currency;
    let lines = (1..).zip(document.lines()).map(|(position, line)| LineRow::of(id, position, line));
    let adjustments = (1..).zip(document.adjustments()).map(|(position, one)| AdjustmentRow::of(id, position, one));
    let corrections = (1..).zip(&document.corrections).map(|(position, one)| CorrectionRow::of(id, position, one));
    let coverage = document.coverage().iter().map(|one| CoverageRow::of(id, one));
    let written = [
        (LINES, session.rows_in(currency, lines)),
        (ADJUSTMENTS, session.rows_in(currency, adjustments)),
        (CORRECTIONS, session.rows_in(currency, corrections)),
        (COVERAGE, session.rows(coverage)),
    ];
    for (statement, rows) in written {
        session.run_of(statement, Vec::new(), rows).await?;
    }
    Ok(())
}

/// Removes everything that a draft is made of but its own row.
pub(super) async fn remove_parts(session: &mut Session, id: i64) -> Result<(), StoreError> {
    const LINES: Sql = Sql::new("DELETE FROM invoice_line WHERE invoice_id = $1");
    const ADJUSTMENTS: Sql = Sql::new("DELETE FROM invoice_adjustment WHERE invoice_id = $1");
    const CORRECTIONS: Sql = Sql::new("DELETE FROM invoice_correction WHERE invoice_id = $1");
    const COVERAGE: Sql = Sql::new("DELETE FROM invoice_coverage WHERE invoice_id = $1");
    for statement in [LINES, ADJUSTMENTS, CORRECTIONS, COVERAGE] {
        session.run(statement, values![id]).await?;
    }
    Ok(())
}

/// Corrections as text, as they are kept before they are on a document.
pub(super) fn corrections_text(recalculation: &Recalculation) -> String {
    let corrections: Vec<serde_json::Value> = recalculation.corrections.iter().map(correction_json).collect();
    serde_json::Value::Array(corrections).to_string()
}

fn correction_json(correction: &Correction) -> serde_json::Value {
    serde_json::json!({
        "number": correction.number,
        "line": correction.line,
        "month": correction.month.to_string(),
        "from": correction.span.from,
        "to": correction.span.to,
        "what": correction.what,
        "subject": correction.key.as_deref(),
        "meter": correction.meter.map(crate::rate_card::Meter::name),
        "quantity": correction.quantity,
        "unit_size": correction.unit_size,
        "price": correction.price,
        "before": correction.before.0,
        "after": correction.after.0,
        "cause": correction.cause.name(),
        "rate_card": correction.rate_card,
    })
}
