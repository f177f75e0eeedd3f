//! A document of any format: which of them is made of what.
//! Owns the order of steps; never what a format says.

use super::einvoice::{Syntax, cii, lacking, ubl};
use super::{DocumentError, Format, ToRender, compose, csv, html, json, pdf};

/// The bytes of a document.
///
/// # Errors
/// [`DocumentError`].
pub fn make(format: Format, subject: &ToRender<'_>) -> Result<Vec<u8>, DocumentError> {
    match format {
        Format::Html => Ok(html::render(&compose::compose(subject)?, subject.look).into_bytes()),
        Format::Csv => csv::file(subject).map(String::into_bytes),
        Format::Json => {
            let text = serde_json::to_string_pretty(&json::document(subject)?);
            text.map(|text| (text + "\n").into_bytes()).map_err(|error| DocumentError::Failed(error.to_string()))
        }
        Format::Ubl => ubl(subject),
        Format::Pdf => {
            // What an e-invoice lacks, paper doesn't.
            let attached = match cii(subject) {
                Ok(xml) => Some(xml),
                Err(DocumentError::Lacking(_)) => None,
                Err(error) => return Err(error),
            };
            pdf::render(&compose::compose(subject)?, subject.look, attached.as_deref())
        }
        Format::Facturx => {
            let attached = cii(subject)?;
            pdf::render(&compose::compose(subject)?, subject.look, Some(&attached))
        }
    }
}

/// Whether a document that is kept as another format is what was asked for.
///
/// # Errors
/// [`DocumentError::Lacking`] if it can't have been made as such.
pub fn check(format: Format, subject: &ToRender<'_>) -> Result<(), DocumentError> {
    if format != Format::Facturx {
        return Ok(());
    }
    let lacking = lacking(subject, Syntax::Cii);
    if lacking.is_empty() { Ok(()) } else { Err(DocumentError::Lacking(lacking)) }
}
