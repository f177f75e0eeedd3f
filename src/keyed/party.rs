//! A seller or buyer, read from its keys: the same rules whoever it is.

use super::Keyed;
use crate::domain::Party;

/// A seller or buyer of that name. Its keys begin with `prefix`.
#[must_use]
pub fn party(keyed: &Keyed<'_>, prefix: &str, name: String) -> Party {
    let line = |key: &str| keyed.text(&format!("{prefix}{key}"));
    let code = |key: &str| keyed.code(&format!("{prefix}{key}"));
    Party {
        name,
        address_lines: keyed.lines(&format!("{prefix}address")),
        postal_code: line("postal_code"),
        city: line("city"),
        region: line("region"),
        country: code("country"),
        vat_id: code("vat_id"),
        tax_number: line("tax_number"),
        registration: line("registration"),
        contact: line("contact"),
        email: code("email"),
        phone: line("phone"),
        electronic_address: keyed.electronic_address(&format!("{prefix}electronic_address")),
    }
}
