//! A document as rows: what it has beside its lines, and that all of it comes to what is to be paid.
//! Owns their order and that sum.

use super::column::{Cell, Column, FocusRow};
use super::document::{Document, Emit, Sums};
use super::line::Lines;
use super::{DocumentError, ToRender, failed};

/// Gives all rows of a document, in its order: lines, what is beside them, corrections, tax.
pub(super) fn each(subject: &ToRender<'_>, emit: Emit<'_>) -> Result<(), DocumentError> {
    let document = Document::new(subject);
    let mut sums = Sums::default();
    let mut counted = |row: FocusRow| {
        sums.add(&row)?;
        emit(complete(row)?)
    };
    Lines::new(&document)?.each(&mut counted)?;
    document.beside_lines(&mut counted)?;
    for correction in &document.source.corrections {
        counted(document.correction(correction)?)?;
    }
    if let Some(tax) = &document.source.tax {
        let row = document.tax(tax, &sums)?;
        sums.add(&row)?;
        emit(complete(row)?)?;
    }
    let gross = document.money(document.source.gross().map_err(failed)?);
    if sums.billed == gross {
        Ok(())
    } else {
        Err(failed(format!("the FOCUS rows come to `{}`, and the document to `{gross}`", sums.billed)))
    }
}

/// Prices and bills are in one currency. Refuses a row that lacks what every row has.
fn complete(mut row: FocusRow) -> Result<FocusRow, DocumentError> {
    for (column, of) in [
        (Column::PricingCurrency, Column::BillingCurrency),
        (Column::PricingCurrencyContractedUnitPrice, Column::ContractedUnitPrice),
        (Column::PricingCurrencyEffectiveCost, Column::EffectiveCost),
        (Column::PricingCurrencyListUnitPrice, Column::ListUnitPrice),
    ] {
        row.set(column, row.get(of).clone());
    }
    let missing = Column::ALL.iter().find(|column| !column.is_nullable() && *row.get(**column) == Cell::Null);
    match missing {
        Some(column) => Err(failed(format!("a row has no `{}`", column.name()))),
        None => Ok(row),
    }
}
