//! Invoices as they are kept.

use std::collections::BTreeSet;

use crate::domain::{Guid, Kind, Month, Span, Timestamp};
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
    pub invoices: Vec<UsedBy>,
}

/// A final invoice that a card was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBy {
    pub number: String,
    pub account: String,
    pub used: BTreeSet<UsedFor>,
}

/// What a line of an invoice tells of what decided its rate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedFor {
    pub kind: Kind,
    pub foundation: String,
    pub organization: String,
    pub organization_name: Option<String>,
    pub buildpack: Option<String>,
    pub plan: Option<String>,
    pub plan_name: Option<String>,
    pub offering_name: Option<String>,
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

/// An account that has a final invoice of a month, and an organization whose usage is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoiced {
    /// By foundation; `None`: the invoice has no usage.
    pub organization: Option<(String, Guid)>,
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
