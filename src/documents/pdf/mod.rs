//! A view as PDF/A-3b, typeset by typst, with the e-invoice's XML attached where there is one.
//! Owns the letter's layout; never formats, adds or translates anything, and reads nothing from outside.

#[cfg(feature = "pdf")]
mod facturx;
#[cfg(feature = "pdf")]
mod letters;
#[cfg(feature = "pdf")]
mod world;

use super::view::View;
use super::{Branding, DocumentError};

/// The family that the text is set in. Pictures of a view name it, so that their labels look alike.
pub const FONT_FAMILY: &str = "Inter";

/// The document as PDF/A-3b; with `e_invoice` (Cross Industry Invoice, profile EN 16931) it is a Factur-X invoice.
///
/// Same values, same bytes. Characters that the fonts lack become `□`, but in the number and in amounts they are an
/// error: what is owed must never be guessed.
///
/// # Errors
/// [`DocumentError::WithoutPdf`] if this build has no typst; [`DocumentError::Failed`] for a logo that is no picture,
/// an amount that can't be printed, and what typst refuses.
#[cfg(feature = "pdf")]
pub fn render(view: &View, look: &Branding, e_invoice: Option<&[u8]>) -> Result<Vec<u8>, DocumentError> {
    let text = letters::printable(view).map_err(DocumentError::Failed)?;
    let made = world::typeset(&text, look.logo.as_ref(), e_invoice);
    let pdf = made.map_err(|problem| match &look.logo {
        // Whether the logo is at fault shows without it; reading messages of typst wouldn't last.
        Some(_) if world::typeset(&text, None, e_invoice).is_ok() => DocumentError::Failed(format!(
            "the logo can't be printed: {problem}\nhint: give a PNG or JPEG picture of 8 bits a channel in RGB or \
             grey, or an SVG that links to nothing"
        )),
        _ => DocumentError::Failed(problem),
    })?;
    match e_invoice {
        None => Ok(pdf),
        Some(_) => facturx::declare(&pdf).map_err(|problem| DocumentError::Failed(problem.to_string())),
    }
}

/// Says that this build can't.
///
/// # Errors
/// Always [`DocumentError::WithoutPdf`].
#[cfg(not(feature = "pdf"))]
pub fn render(_: &View, _: &Branding, _: Option<&[u8]>) -> Result<Vec<u8>, DocumentError> {
    Err(DocumentError::WithoutPdf)
}
