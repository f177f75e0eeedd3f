//! What the whole and its lines have in common: days, what is added or taken off, and the sign of a credit note.

use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;

use crate::domain::period::date_of;
use crate::domain::{Amount, AmountOverflow, Span, Timestamp};
use crate::invoicing::{DocumentKind, DocumentRef};

/// Days, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Days {
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Days {
    /// Those that a span touches.
    pub(super) fn of(span: Span, zone: Tz) -> Self {
        let first = date_of(span.from, zone);
        let last_second = Timestamp::from_unix(span.to.unix() - 1);
        Self { first, last: date_of(last_second, zone).max(first) }
    }

    pub(super) fn holds(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// An allowance, or a charge, on the whole.
#[derive(Debug)]
pub(super) struct Adjusted {
    pub is_charge: bool,
    /// Not negative.
    pub amount: Amount,
    /// Basis and percentage, if they come to the amount (PEPPOL-EN16931-R040).
    pub share: Option<(Amount, Decimal)>,
    pub reason: String,
    /// Of UNCL 5189.
    pub code: Option<&'static str>,
}

/// The sign that amounts get: those of a credit note are negative in the book.
pub(super) fn signed(document: DocumentRef<'_>, amount: Amount) -> Result<Amount, AmountOverflow> {
    match document.kind() {
        DocumentKind::Invoice => Ok(amount),
        DocumentKind::CreditNote => amount.0.checked_neg().map(Amount).ok_or(AmountOverflow),
    }
}
