//! E-invoices of EN 16931, in UBL 2.1 (Peppol BIS Billing 3.0) and in CII (Factur-X, profile EN 16931).
//! Owns what they need and how it is written; both syntaxes are written of one model, so that they say the same.

mod cii;
mod codes;
mod lacking;
mod lines;
mod model;
mod parts;
mod price;
mod ubl;
mod words;
mod xml;

use super::{DocumentError, Lacking, ToRender};

/// In which an e-invoice is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// UBL 2.1, an invoice or credit note of Peppol BIS Billing 3.0.
    Ubl,
    /// UN/CEFACT Cross Industry Invoice, profile EN 16931 of Factur-X and ZUGFeRD.
    Cii,
}

/// An e-invoice as UBL.
///
/// # Errors
/// What it lacks, all at once; a draft lacks its number. Or that the invoice doesn't add up.
pub fn ubl(subject: &ToRender<'_>) -> Result<Vec<u8>, DocumentError> {
    written(ubl::write(&model::document(subject, Syntax::Ubl)?))
}

/// An e-invoice as CII: what Factur-X and ZUGFeRD have in their PDF.
///
/// # Errors
/// What it lacks, all at once; a draft lacks its number. Or that the invoice doesn't add up.
pub fn cii(subject: &ToRender<'_>) -> Result<Vec<u8>, DocumentError> {
    written(cii::write(&model::document(subject, Syntax::Cii)?))
}

/// What an invoice, or a draft, lacks to be an e-invoice once it is final; empty if nothing.
#[must_use]
pub fn lacking(subject: &ToRender<'_>, syntax: Syntax) -> Vec<Lacking> {
    lacking::lacking(subject, syntax)
}

/// As [`lacking`], of what doesn't depend on what was used: parties, tax and payment.
#[must_use]
pub fn lacking_of_terms(subject: &ToRender<'_>, syntax: Syntax) -> Vec<Lacking> {
    lacking::lacking_of_terms(subject, syntax)
}

fn written(result: std::io::Result<Vec<u8>>) -> Result<Vec<u8>, DocumentError> {
    result.map_err(|error| DocumentError::Failed(format!("XML: {error}")))
}
