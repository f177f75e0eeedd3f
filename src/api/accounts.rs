//! An account, as programs read it: what it owns when, and its terms.

use serde::Serialize;
use utoipa::ToSchema;

use super::row::{Tabular, or_empty};
use crate::accounts::{self, Target};
use crate::domain::{self, Currency, Price, Timestamp};
use crate::invoicing::AccountTax;

/// An account of the accounts file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Account {
    /// Its id.
    pub account: String,
    pub name: String,
    /// Where what it owns is.
    pub foundations: Vec<String>,
    pub owns: Vec<Owned>,
    pub buyer: Party,
    #[schema(required)]
    pub purchase_order: Option<String>,
    #[schema(required)]
    pub cost_centre: Option<String>,
    #[schema(required)]
    pub buyer_reference: Option<String>,
    /// ISO 4217; null: the rate card's.
    #[schema(required)]
    pub currency: Option<&'static str>,
    pub payment_days: u32,
    #[schema(required)]
    pub payment_terms: Option<String>,
    /// Null: the rate card's.
    #[schema(required)]
    pub tax: Option<Tax>,
    /// `en`, `de` or `fr`
    pub language: &'static str,
    /// By what its documents are grouped.
    pub group_by: Vec<&'static str>,
    /// What its e-invoices need and it doesn't have.
    pub lacks_for_e_invoice: Vec<&'static str>,
}

/// Something that is an account's, for a time or always: one of organization, space and label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Owned {
    pub foundation: String,
    /// `FOUNDATION/ORGANIZATION`, by name or guid.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub organization: Option<String>,
    /// `FOUNDATION/ORGANIZATION/SPACE`, by names or guids.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub space: Option<String>,
    /// `FOUNDATION: KEY = VALUE`, of organizations and spaces that have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// Null: always before `to`.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub from: Option<Timestamp>,
    /// Exclusive; null: until it is changed.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub to: Option<Timestamp>,
    /// Of the accounts file; for staff alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub line: Option<usize>,
}

/// Who gets the invoices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Party {
    pub legal_name: String,
    pub address: Vec<String>,
    #[schema(required)]
    pub postal_code: Option<String>,
    #[schema(required)]
    pub city: Option<String>,
    #[schema(required)]
    pub region: Option<String>,
    /// ISO 3166-1, two letters.
    #[schema(required)]
    pub country: Option<String>,
    #[schema(required)]
    pub vat_id: Option<String>,
    #[schema(required)]
    pub tax_number: Option<String>,
    #[schema(required)]
    pub registration: Option<String>,
    #[schema(required)]
    pub contact: Option<String>,
    #[schema(required)]
    pub email: Option<String>,
    #[schema(required)]
    pub phone: Option<String>,
    /// `SCHEME:ID`
    #[schema(required)]
    pub electronic_address: Option<String>,
}

/// A tax of an account's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tax {
    /// EN 16931's letter.
    pub category: String,
    /// Null: the rate card's.
    #[schema(value_type = Option<String>, required)]
    pub percent: Option<Price>,
    #[schema(required)]
    pub exemption_reason: Option<String>,
}

impl Account {
    /// For staff with the lines of the accounts file.
    #[must_use]
    pub fn new(account: &accounts::Account, is_staff: bool) -> Self {
        let particulars = &account.particulars;
        Self {
            account: account.id.clone(),
            name: account.name.clone(),
            foundations: account.foundations.clone(),
            owns: account.owns.iter().map(|owned| Owned::new(owned, is_staff)).collect(),
            buyer: Party::from(&particulars.buyer),
            purchase_order: particulars.purchase_order.clone(),
            cost_centre: particulars.cost_centre.clone(),
            buyer_reference: particulars.buyer_reference.clone(),
            currency: account.currency.map(Currency::code),
            payment_days: particulars.payment.days,
            payment_terms: particulars.payment.terms.clone(),
            tax: account.tax.as_ref().map(Tax::from),
            language: particulars.language.code(),
            group_by: particulars.group_by.iter().map(|by| by.name()).collect(),
            lacks_for_e_invoice: account.lacks_for_e_invoice(),
        }
    }
}

impl Owned {
    fn new(owned: &accounts::Owned, is_staff: bool) -> Self {
        let text = owned.to_string();
        let (organization, space, label) = match owned.target {
            Target::Organization(_) => (Some(text), None, None),
            Target::Space(_) => (None, Some(text), None),
            Target::Label { .. } => (None, None, Some(text)),
        };
        Self {
            foundation: owned.foundation.clone(),
            organization,
            space,
            label,
            from: owned.validity.from,
            to: owned.validity.to,
            line: is_staff.then_some(owned.position.line),
        }
    }
}

impl From<&domain::Party> for Party {
    fn from(party: &domain::Party) -> Self {
        let address = party.electronic_address.as_ref();
        Self {
            legal_name: party.name.clone(),
            address: party.address_lines.clone(),
            postal_code: party.postal_code.clone(),
            city: party.city.clone(),
            region: party.region.clone(),
            country: party.country.clone(),
            vat_id: party.vat_id.clone(),
            tax_number: party.tax_number.clone(),
            registration: party.registration.clone(),
            contact: party.contact.clone(),
            email: party.email.clone(),
            phone: party.phone.clone(),
            electronic_address: address.map(|address| format!("{}:{}", address.scheme, address.id)),
        }
    }
}

/// Something that an account owns, as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow(Vec<String>);

impl Account {
    /// A row for each thing that it owns.
    pub fn rows(&self) -> impl Iterator<Item = AccountRow> {
        let tax = self.tax.as_ref().map(Tax::in_words);
        self.owns.iter().map(move |owned| {
            let (what, owns) = match (&owned.organization, &owned.space, &owned.label) {
                (Some(text), ..) => ("organization", text),
                (_, Some(text), _) => ("space", text),
                (.., Some(text)) => ("label", text),
                (None, None, None) => ("", &owned.foundation),
            };
            AccountRow(vec![
                self.account.clone(),
                self.name.clone(),
                what.to_owned(),
                owns.clone(),
                or_empty(owned.from),
                or_empty(owned.to),
                or_empty(self.currency),
                or_empty(tax.as_ref()),
                self.language.to_owned(),
                self.payment_days.to_string(),
            ])
        })
    }
}

impl From<&AccountTax> for Tax {
    fn from(tax: &AccountTax) -> Self {
        Self { category: tax.category.clone(), percent: tax.percent, exemption_reason: tax.exemption_reason.clone() }
    }
}

impl Tax {
    /// In a word or two.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (self.percent, self.category.as_str()) {
            (Some(percent), category) => format!("{category} {percent} %"),
            (None, "S") => "S, the card's %".to_owned(),
            (None, category) => category.to_owned(),
        }
    }
}

impl Tabular for AccountRow {
    const HEADER: &'static [&'static str] =
        &["account", "name", "owns", "what", "from", "to", "currency", "tax", "language", "payment_days"];

    fn cells(&self) -> Vec<String> {
        self.0.clone()
    }
}
