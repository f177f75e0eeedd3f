//! The audit log: who did what, or opened which document, and from where.

use std::fmt;

use serde_json::Value;

use super::Timestamp;

/// By which way somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Api,
    Page,
    Command,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Api, Self::Page, Self::Command];

    /// Its word in the book.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Page => "page",
            Self::Command => "command",
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A document was read.
    DocumentOpened,
    /// An account's month was kept from becoming final.
    MonthHeld,
    /// A hold was ended.
    MonthReleased,
    InvoiceFinalized,
    InvoiceCredited,
    /// Another card was said to be the right one for what a final invoice is compared with.
    InvoiceRepriced,
    /// A document was brought back into a restored book.
    InvoiceAdopted,
    /// Numbers were recorded as lost.
    NumbersLost,
    /// Numbers go on above one that was used elsewhere.
    NumbersSkipped,
}

impl Deed {
    pub const ALL: [Self; 9] = [
        Self::DocumentOpened,
        Self::MonthHeld,
        Self::MonthReleased,
        Self::InvoiceFinalized,
        Self::InvoiceCredited,
        Self::InvoiceRepriced,
        Self::InvoiceAdopted,
        Self::NumbersLost,
        Self::NumbersSkipped,
    ];

    /// Its word in the book.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DocumentOpened => "document_opened",
            Self::MonthHeld => "month_held",
            Self::MonthReleased => "month_released",
            Self::InvoiceFinalized => "invoice_finalized",
            Self::InvoiceCredited => "invoice_credited",
            Self::InvoiceRepriced => "invoice_repriced",
            Self::InvoiceAdopted => "invoice_adopted",
            Self::NumbersLost => "numbers_lost",
            Self::NumbersSkipped => "numbers_skipped",
        }
    }

    /// The one of that word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.name() == name)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Somebody who acts, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The token's name, `ISSUER/SUBJECT`, or the user of a command.
    pub who: String,
    pub way: Way,
    /// The address that it came from, or the host of a command.
    pub origin: Option<String>,
    /// The request's id, as in the daemon's log.
    pub request: Option<String>,
}

/// What somebody does, to what.
#[derive(Clone, Debug, PartialEq)]
pub struct Act {
    pub deed: Deed,
    /// An invoice's number, or `ACCOUNT MONTH`.
    pub subject: String,
    /// What it was before; `None`: there was nothing.
    pub before: Option<Value>,
    /// What it is since.
    pub after: Option<Value>,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// 1, 2, 3 …
    pub number: u64,
    pub at: Timestamp,
    pub actor: Actor,
    pub act: Act,
}
