//! Invoices as they are kept.

use std::collections::BTreeSet;

use crate::domain::{Guid, Month, Span, Timestamp};
use crate::invoicing::{Invoice, Status};

/// An invoice with what the book adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInvoice {
    pub id: i64,
    pub status: Status,
    /// Final ones only.
    pub number: Option<String>,
    pub drafted_at: Timestamp,
    pub finalized_at: Option<Timestamp>,
    /// Lines without a price.
    pub unpriced_lines: usize,
    /// Without lines where only a list was asked for.
    pub invoice: Invoice,
}

/// Which invoices to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    pub month: Option<Month>,
    pub status: Option<Status>,
    /// Account, or its name.
    pub account: Option<String>,
}

/// A rate card's text, kept for good once an invoice was made with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCard {
    /// SHA-256 of the text, hexadecimal.
    pub hash: String,
    pub name: String,
    pub currency: String,
    pub text: String,
}

/// A rate card that final invoices of a month were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedCard {
    pub card: StoredCard,
    pub month: Month,
    pub period: Span,
    pub time_zone: String,
    /// Accounts that have such an invoice.
    pub accounts: BTreeSet<String>,
    /// Organizations on them: foundation, guid and name.
    pub organizations: BTreeSet<(String, String, Option<String>)>,
    /// The first one's number.
    pub number: String,
    pub invoices: usize,
}

/// Where the numbers of final invoices come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub name: String,
}

impl Series {
    /// The number as printed: `CF-000001`.
    #[must_use]
    pub fn number(&self, number: i64) -> String {
        format!("{}-{number:06}", self.name)
    }
}

/// An organization whose usage of a month is on a final invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoiced {
    pub foundation: String,
    pub organization: Guid,
    pub account: String,
    pub account_name: Option<String>,
}

/// What came of making an invoice final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finalized {
    /// Its number.
    Now(String),
    /// The account's invoice for the period was final before.
    Before,
}
