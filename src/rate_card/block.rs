//! The blocks of a card: rates, allowances, discounts, minimums, commitments and taxes, each with when it applies and
//! where it stands.

use std::fmt;

use super::{Granularity, Matcher, Meter, Terms, Whom};
use crate::domain::{Amount, Kind, Price, Span, Timestamp};
use crate::keyed::FilePosition;

/// When something applies: `[from, to)`, where an open end is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Validity {
    /// `None`: always was.
    pub from: Option<Timestamp>,
    /// `None`: until something later takes over.
    pub to: Option<Timestamp>,
}

impl Validity {
    /// Whether `at` lies in it.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }

    /// The part of `span` in which it applies; `None` if there is none.
    #[must_use]
    pub fn within(self, span: Span) -> Option<Span> {
        let from = self.from.map_or(span.from, |from| from.max(span.from));
        let to = self.to.map_or(span.to, |to| to.min(span.to));
        (from < to).then_some(Span { from, to })
    }

    /// When one of several blocks for the same is in force: until a later of them takes over.
    pub(super) fn until_taken_over(self, same: impl Iterator<Item = Self>) -> Self {
        let next = same.filter(|other| other.from > self.from).filter_map(|other| other.from).min();
        Self { from: self.from, to: [self.to, next].into_iter().flatten().min() }
    }
}

/// Prices for what a matcher matches, from one instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    pub kind: Kind,
    pub matcher: Matcher,
    pub validity: Validity,
    pub terms: Terms,
    /// `None`: by the second, or as the rate that this derives from.
    pub granularity: Option<Granularity>,
    /// What each staging counts at least, in seconds.
    pub minimum_seconds: Option<i64>,
    pub place: FilePosition,
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.kind)?;
        if self.matcher != Matcher::any() {
            write!(formatter, ", {}", self.matcher)?;
        }
        match self.validity.from {
            Some(from) => write!(formatter, ", from {from}"),
            None => Ok(()),
        }
    }
}

/// Who gets an allowance once a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Per {
    Account,
    Organization,
}

/// So much of a meter's quantity for nothing, once a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    pub name: String,
    pub kind: Kind,
    pub meter: Meter,
    pub matcher: Matcher,
    pub validity: Validity,
    /// For a whole period, in the meter's quantity.
    pub quantity: i64,
    pub per: Per,
    pub place: FilePosition,
}

/// What is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// Of 100, more than 0.
    Percent(Price),
    /// A month.
    Amount(Amount),
}

/// A discount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discount {
    pub name: String,
    pub whom: Whom,
    /// `None`: of all kinds.
    pub kind: Option<Kind>,
    pub validity: Validity,
    pub off: Off,
    pub place: FilePosition,
}

/// What an account pays a month at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FloorKind {
    /// The invoice is filled up to it.
    Minimum,
    /// Paid in any case, and usage up to it is covered.
    Commitment,
}

impl FloorKind {
    /// The word in a card.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minimum => "minimum",
            Self::Commitment => "commitment",
        }
    }
}

/// A minimum charge or a commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Floor {
    pub floor: FloorKind,
    pub name: String,
    /// Everyone or one account.
    pub whom: Whom,
    pub validity: Validity,
    /// For a whole month.
    pub amount: Amount,
    pub place: FilePosition,
}

/// Which tax comes on top; prices are without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tax {
    pub validity: Validity,
    /// As on the invoice: `VAT`.
    pub name: String,
    /// EN 16931's letter (UNCL 5305): `S` standard, `Z` zero rated, `E` exempt, `AE` reverse charge, `O` outside.
    pub category: String,
    pub percent: Price,
    pub place: FilePosition,
}
