//! What an account gets: an invoice, or a credit note about one, and what both say.
//! Owns their shape; never computes an amount but their gross.

use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::{Adjustment, Correction, InvoiceLine, Particulars, TaxLine};
use crate::domain::{Amount, AmountOverflow, Currency, GapNote, Guid, Month, Span, Timestamp};
use crate::rate_card::Labels;

/// What a document is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DocumentKind {
    /// Charges for a period.
    #[default]
    Invoice,
    /// Gives back what one invoice charged: all amounts are zero or less.
    CreditNote,
}

impl DocumentKind {
    pub const ALL: [Self; 2] = [Self::Invoice, Self::CreditNote];

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::CreditNote => "credit_note",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What an invoice and a credit note both say. A credit note has account, period and parties of its invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    /// An account's id, or `foundation/organization-guid`.
    pub account: String,
    pub account_name: Option<String>,
    pub seller: Option<String>,
    pub month: Month,
    pub period: Span,
    pub time_zone: Tz,
    pub currency: Currency,
    /// Of a credit note everything it has; of an invoice what earlier ones charged too little, and what was given back of the
    /// one in whose place it is.
    pub corrections: Vec<Correction>,
    /// Who sends it to whom, and on what terms.
    pub particulars: Particulars,
    /// Sum of the lines', the adjustments' and the corrections' amounts.
    pub net: Amount,
    /// What comes on top; `None` if the card names no tax.
    pub tax: Option<TaxLine>,
    /// SHA-256 of the rate card's text.
    pub rate_card: String,
    /// Usage is complete up to here; `None` if nothing was ever read.
    pub rated_through: Option<Timestamp>,
    /// Number of the rules that it was made by: [`crate::rating::RULES`] then.
    pub rules: u32,
}

impl Common {
    /// What is to be paid: net and tax.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    pub fn gross(&self) -> Result<Amount, AmountOverflow> {
        self.net.plus(self.tax.as_ref().map_or(Amount::default(), |tax| tax.amount))
    }
}

/// What one account pays for one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoice {
    pub common: Common,
    pub lines: Vec<InvoiceLine>,
    /// Discounts, commitments and minimums, in the order in which they were applied.
    pub adjustments: Vec<Adjustment>,
    /// Of the net, what rests on estimated usage.
    pub estimated: Amount,
    /// Spans of history that can't be read any more and touch the period.
    pub gaps: Vec<GapNote>,
    /// What was accepted when it became final though it would have kept it a draft, in words.
    pub accepted: Vec<String>,
    /// Whose usage of when it charges for.
    pub coverage: Vec<Coverage>,
    /// The invoice, given back as a whole, in whose place it is.
    pub replaced: Option<Corrected>,
}

/// What is given back of one final invoice. Everything it gives back is a correction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreditNote {
    pub common: Common,
    /// The invoice that it is about.
    pub corrects: Corrected,
    /// Why it was made, in words.
    pub reason: String,
    /// The month is invoiced anew.
    pub reopens: bool,
}

/// A final invoice that a document names: that a credit note is about, or in whose place another is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrected {
    pub number: String,
    /// `None`: the invoice isn't in the book, and nothing tells when it was.
    pub issued_on: Option<NaiveDate>,
}

/// A space's usage of some time, charged to one account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coverage {
    pub foundation: String,
    pub organization: Guid,
    pub space: Guid,
    pub span: Span,
    /// Labels by which it was priced; `None`: made by an earlier version.
    pub labels: Option<PlaceLabels>,
}

/// Labels of a place that may decide a price.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PlaceLabels {
    pub organization: Labels,
    pub space: Labels,
}

/// An invoice or a credit note, for whoever keeps, renders or exports either: owned, or borrowed as a [`DocumentRef`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document<I = Invoice, N = CreditNote> {
    Invoice(I),
    CreditNote(N),
}

/// A borrowed [`Document`].
pub type DocumentRef<'a> = Document<&'a Invoice, &'a CreditNote>;

impl<I: Borrow<Invoice>, N: Borrow<CreditNote>> Document<I, N> {
    pub fn by_ref(&self) -> DocumentRef<'_> {
        match self {
            Self::Invoice(invoice) => Document::Invoice(invoice.borrow()),
            Self::CreditNote(note) => Document::CreditNote(note.borrow()),
        }
    }

    #[must_use]
    pub const fn kind(&self) -> DocumentKind {
        match self {
            Self::Invoice(_) => DocumentKind::Invoice,
            Self::CreditNote(_) => DocumentKind::CreditNote,
        }
    }

    /// `None`: it is a credit note.
    #[must_use]
    pub fn as_invoice(&self) -> Option<&Invoice> {
        if let Self::Invoice(invoice) = self { Some(invoice.borrow()) } else { None }
    }

    /// `None`: it is an invoice.
    #[must_use]
    pub fn as_credit_note(&self) -> Option<&CreditNote> {
        if let Self::CreditNote(note) = self { Some(note.borrow()) } else { None }
    }

    /// A credit note has none.
    #[must_use]
    pub fn lines(&self) -> &[InvoiceLine] {
        self.as_invoice().map_or(&[], |invoice| &invoice.lines)
    }

    /// A credit note has none.
    #[must_use]
    pub fn adjustments(&self) -> &[Adjustment] {
        self.as_invoice().map_or(&[], |invoice| &invoice.adjustments)
    }

    /// Of an invoice's net, what rests on estimated usage.
    #[must_use]
    pub fn estimated(&self) -> Amount {
        self.as_invoice().map_or(Amount::default(), |invoice| invoice.estimated)
    }

    /// What was accepted to make an invoice final, in words.
    #[must_use]
    pub fn accepted(&self) -> &[String] {
        self.as_invoice().map_or(&[], |invoice| &invoice.accepted)
    }

    /// Whose usage of when an invoice charges for.
    #[must_use]
    pub fn coverage(&self) -> &[Coverage] {
        self.as_invoice().map_or(&[], |invoice| &invoice.coverage)
    }

    /// Whether it is a credit note after which the month is invoiced anew.
    #[must_use]
    pub fn reopens(&self) -> bool {
        self.as_credit_note().is_some_and(|note| note.reopens)
    }
}

impl<I: Borrow<Invoice>, N: Borrow<CreditNote>> Deref for Document<I, N> {
    type Target = Common;

    fn deref(&self) -> &Common {
        match self {
            Self::Invoice(invoice) => &invoice.borrow().common,
            Self::CreditNote(note) => &note.borrow().common,
        }
    }
}

impl DerefMut for Document {
    fn deref_mut(&mut self) -> &mut Common {
        match self {
            Self::Invoice(invoice) => &mut invoice.common,
            Self::CreditNote(note) => &mut note.common,
        }
    }
}

impl From<Invoice> for Document {
    fn from(invoice: Invoice) -> Self {
        Self::Invoice(invoice)
    }
}

impl From<CreditNote> for Document {
    fn from(note: CreditNote) -> Self {
        Self::CreditNote(note)
    }
}

impl<'a> From<&'a Invoice> for DocumentRef<'a> {
    fn from(invoice: &'a Invoice) -> Self {
        Self::Invoice(invoice)
    }
}

impl<'a> From<&'a CreditNote> for DocumentRef<'a> {
    fn from(note: &'a CreditNote) -> Self {
        Self::CreditNote(note)
    }
}

impl<'a> From<&'a Document> for DocumentRef<'a> {
    fn from(document: &'a Document) -> Self {
        document.by_ref()
    }
}

/// An invoice is read as what both documents say, and its lines beside that.
impl Deref for Invoice {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl DerefMut for Invoice {
    fn deref_mut(&mut self) -> &mut Common {
        &mut self.common
    }
}

impl Deref for CreditNote {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl DerefMut for CreditNote {
    fn deref_mut(&mut self) -> &mut Common {
        &mut self.common
    }
}
