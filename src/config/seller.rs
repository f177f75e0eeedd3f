//! `[billing] seller…`: who issues the invoices, where to pay, and how documents look.

use std::path::PathBuf;

use crate::domain::Party;
use crate::domain::codes::Code;
use crate::keyed::{Key, Keyed, Problem, Takes, colour, key, party};

/// `[billing] seller…`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seller {
    /// Without a name, if there is none.
    pub party: Party,
    pub iban: Option<String>,
    pub bic: Option<String>,
    pub bank: Option<String>,
    pub logo: Option<PathBuf>,
    /// `#rrggbb`
    pub colour: Option<String>,
    /// What keeps invoices from being final, such as an IBAN that isn't valid. Usage is collected, and drafts are made.
    pub unfit: Vec<Problem>,
    /// What isn't wrong, but should be looked at.
    pub odd: Vec<Problem>,
}

/// Each may be empty, which is as if it were left out: environment variables can't be left out where the file has the key.
pub(super) const KEYS: [Key; 18] = [
    key("seller", Takes::Line, "Who issues the invoices: the legal name").or_empty(),
    key(
        "seller_address",
        Takes::TextLines(3),
        "The seller's street and house, one to three lines: `\"Main Street 1\\nBuilding 2\"`",
    )
    .or_empty(),
    key("seller_postal_code", Takes::Line, "The seller's postal code").or_empty(),
    key("seller_city", Takes::Line, "The seller's city").or_empty(),
    key("seller_region", Takes::Line, "The seller's state or province").or_empty(),
    key("seller_country", Takes::Code(Code::Country), "The seller's country, two letters: `DE`").or_empty(),
    key("seller_vat_id", Takes::Code(Code::VatId), "The seller's VAT id: `DE123456789`").or_empty(),
    key("seller_tax_number", Takes::Line, "The seller's number at the tax office").or_empty(),
    key("seller_registration", Takes::Line, "The seller's entry in a register of companies: `HRB 12345, Amtsgericht Berlin`")
        .or_empty(),
    key("seller_contact", Takes::Line, "Whom to ask about an invoice").or_empty(),
    key("seller_email", Takes::Code(Code::Email), "Their e-mail address").or_empty(),
    key("seller_phone", Takes::Line, "Their telephone number").or_empty(),
    key(
        "seller_electronic_address",
        Takes::Code(Code::ElectronicAddress),
        "The seller's address for e-invoices, `SCHEME:ID` of the EAS code list: `9930:DE123456789`, or `EM:billing@example.org`",
    )
    .or_empty(),
    key("seller_iban", Takes::Code(Code::Iban), "Where to pay: IBAN").or_empty(),
    key("seller_bic", Takes::Code(Code::Bic), "Where to pay: BIC").or_empty(),
    key("seller_bank", Takes::Line, "Where to pay: name of the bank").or_empty(),
    key("seller_logo", Takes::Form("path"), "A PNG, JPEG or SVG file, shown on documents").or_empty(),
    key("seller_colour", Takes::Form("colour"), "The colour of headings and lines of documents: `#1f4e79`").or_empty(),
];

impl Seller {
    pub(super) fn read(section: &Keyed<'_>) -> Self {
        let party = party(section, "seller_", section.text("seller").unwrap_or_default());
        let odd = party.foreign_vat_id().map(|(country, vat_id)| {
            let message = format!("the seller is in {country}, and its VAT id `{vat_id}` is of another country");
            let origin = section.reader.origin(section.at("seller_vat_id"));
            Problem::warning(origin, message, "that is fine if it is registered for VAT there")
        });
        Self {
            iban: section.code("seller_iban"),
            bic: section.code("seller_bic"),
            bank: section.text("seller_bank"),
            logo: section.path("seller_logo"),
            colour: section.form("seller_colour", colour),
            odd: odd.into_iter().collect(),
            party,
            unfit: section.reader.take_unfit(),
        }
    }
}
