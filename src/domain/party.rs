//! A seller or buyer, and the bank account to pay to: one kind of thing, whoever it is.

use serde::{Deserialize, Serialize};

use super::codes;

/// A seller or buyer, as EN 16931 wants it named. Whatever is `None` isn't printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Party {
    /// The legal name (BT-27, BT-44).
    pub name: String,
    /// Street and what comes with it, a line each; three at most (BT-35, BT-36, BT-162).
    pub address_lines: Vec<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
    /// State or province.
    pub region: Option<String>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    /// With its country's letters: `DE123456789`.
    pub vat_id: Option<String>,
    /// A number of the tax office's own, where there is no VAT id.
    pub tax_number: Option<String>,
    /// In a register of companies: `HRB 12345`.
    pub registration: Option<String>,
    /// A person or department.
    pub contact: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// Where e-invoices go.
    pub electronic_address: Option<ElectronicAddress>,
}

impl Party {
    /// The country and the VAT id, if that is another country's: lawful, but seldom meant.
    #[must_use]
    pub fn foreign_vat_id(&self) -> Option<(&str, &str)> {
        let (country, vat_id) = (self.country.as_deref()?, self.vat_id.as_deref()?);
        let are_codes = codes::is_country(country) && codes::vat_id(vat_id).is_ok();
        (are_codes && !codes::vat_id_is_of(vat_id, country)).then_some((country, vat_id))
    }
}

/// An address on an e-invoice network (BT-34, BT-49): a scheme of the EAS list, and the id in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ElectronicAddress {
    /// `0088`, `9930`, `EM` …
    pub scheme: String,
    pub id: String,
}
