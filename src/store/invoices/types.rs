//! Invoices as they are kept.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::domain::{Amount, Currency, Guid, Kind, Month, Span, Timestamp};
use crate::invoicing::{Correction, Dates, Document, DraftNotes, Issued, PlaceLabels, Status};
use crate::store::StoredAccounts;

/// An invoice or credit note with what the book adds to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInvoice {
    pub id: i64,
    pub status: Status,
    /// Final ones only.
    pub number: Option<String>,
    pub drafted_at: Timestamp,
    pub finalized_at: Option<Timestamp>,
    /// `None`: a draft, or made final by an earlier version.
    pub dates: Option<Dates>,
    /// Why a draft is held.
    pub held: Option<String>,
    /// Of a final one: what its period costs now, less what was invoiced; `None`: the same, or not compared.
    pub difference: Option<Amount>,
    /// Lines without a price.
    pub unpriced_lines: usize,
    /// Row id of the invoice, given back as a whole, in whose place it is; 0: none.
    pub replaces: i64,
    /// Of a draft. What is known only while it is computed isn't among them.
    pub notes: DraftNotes,
    /// Without lines where only a list was asked for.
    pub document: Document,
}

impl StoredInvoice {
    /// By which people and the audit log name it: its number, or `draft ID`.
    #[must_use]
    pub fn title(&self) -> String {
        self.number.clone().unwrap_or_else(|| format!("draft {}", self.id))
    }

    /// Takes out what is for those who decide, and not for whom it is of.
    pub fn keep_what_is_told(&mut self) {
        self.held = None;
        self.difference = None;
        self.notes = DraftNotes::default();
    }

    /// What hash chains compare of it, once it is final.
    pub(super) fn canonical(&self, number: &str, finalized_at: Timestamp, basis: Option<&str>) -> String {
        let Self { dates, replaces, .. } = *self;
        self.document.canonical(&Issued { number, finalized_at, dates, basis, replaces })
    }
}

/// Which invoices to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoiceFilter {
    pub month: Option<Month>,
    pub status: Option<Status>,
    /// By its id.
    pub account: Option<String>,
}

/// The invoice that a page of a list ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before<'a> {
    Id(i64),
    Number(&'a str),
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
    pub time_zone: Tz,
    pub invoices: Vec<UsedBy>,
}

/// A final invoice that a card was used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedBy {
    pub number: String,
    pub account: String,
    pub used: BTreeSet<UsedFor>,
    /// SHA-256 of the card that it is compared by: a mended one, if there is one.
    pub compared_by: String,
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

/// An account that has a final invoice of a month, and usage that is on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoiced {
    pub account: String,
    pub account_name: Option<String>,
    /// By foundation; `None`: the invoice has no usage.
    pub organization: Option<(String, Guid)>,
    /// `None`: all of the organization's.
    pub space: Option<Guid>,
    pub span: Span,
    /// Labels by which it was priced; `None`: made by an earlier version, or without usage.
    pub labels: Option<PlaceLabels>,
}

/// What the next number of a series is, as long as no other process takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    pub series_number: i64,
    /// As printed.
    pub number: String,
    /// Digest of the invoice before it in its series; `None`: there is none, or it is an earlier version's.
    pub before: Option<String>,
    /// The newest date in the series, and the number that has it.
    pub newest: Option<(String, NaiveDate)>,
}

/// What an invoice becomes final with.
#[derive(Clone, Debug)]
pub struct Issuing<'a> {
    pub series: &'a Series,
    pub at: Timestamp,
    pub dates: Dates,
    /// What it rests on, packed; credit notes have none.
    pub basis: Option<Vec<u8>>,
    /// The accounts file that it was made with; `None`: there is none, or it is a credit note.
    pub accounts: Option<&'a StoredAccounts>,
    pub foreseen: Foreseen,
    /// Made for the number that is foreseen, and these dates.
    pub documents: Vec<RenderedDocument>,
}

/// A document that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedDocument {
    pub format: &'static str,
    /// Version of what made it.
    pub renderer: &'static str,
    pub bytes: Vec<u8>,
}

/// A document of a final invoice as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    pub renderer: String,
    pub made_at: Timestamp,
    /// Of the bytes, hexadecimal.
    pub sha256: String,
    pub bytes: Vec<u8>,
}

/// A final invoice, as it is compared with what its period costs now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalInvoice {
    pub id: i64,
    pub account: String,
    pub account_name: Option<String>,
    pub number: String,
    /// SHA-256 of the card to compare by.
    pub rate_card: String,
    /// Somebody said that this card is the right one.
    pub pinned: bool,
    pub reason: Option<String>,
    /// In which its month was cut.
    pub time_zone: Tz,
    /// The rules that it was made by.
    pub rules: u32,
    /// Net of the month's own usage, with what corrections of it charged or gave back since, but by decision.
    pub charged: Amount,
    /// How many corrections of it there are.
    pub corrections: usize,
    /// Something of it was given back by decision.
    pub is_given: bool,
}

/// What a final invoice was compared by, so that what came of it is kept only if nothing happened since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    pub invoice_id: i64,
    /// SHA-256 of the card.
    pub rate_card: String,
    /// How many corrections of it there were.
    pub corrections: usize,
}

/// What a final invoice's period costs now beside what was invoiced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recalculation {
    pub invoice_id: i64,
    pub number: String,
    pub account: String,
    pub month: Month,
    /// SHA-256 of the card by which it was computed.
    pub rate_card: String,
    /// Somebody said that this card is the right one.
    pub pinned: bool,
    pub reason: Option<String>,
    pub currency: Currency,
    /// Added to what was invoiced; less than zero: given back.
    pub net: Amount,
    pub corrections: Vec<Correction>,
}

/// What came of making an invoice final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finalized {
    /// Its number.
    Now(String),
    /// The account's invoice for the period was final before.
    Before,
    /// Another process took the number that was foreseen; nothing was changed.
    Overtaken,
}
