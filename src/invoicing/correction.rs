//! What a credit note or a later invoice changes of a final one, line by line.

use std::sync::Arc;

use crate::domain::{Amount, AmountOverflow, Month, Price, Span};
use crate::rate_card::Meter;
use crate::rating::LineKey;

/// Why a line of a final invoice is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CorrectionCause {
    /// Given back, whatever was used: the document says why.
    Credited,
    /// Usage became known, or was corrected, after the invoice was final.
    Usage,
    /// Another version of the rate card is used for the period.
    Rate,
    /// The line's own usage and price are the same: it moved with a tier, volume or allowance that it shares.
    Shared,
    /// A discount, minimum or commitment, computed anew from the lines.
    Adjustment,
}

impl CorrectionCause {
    pub const ALL: [Self; 5] = [Self::Credited, Self::Usage, Self::Rate, Self::Shared, Self::Adjustment];

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Usage => "usage",
            Self::Rate => "rate",
            Self::Shared => "shared",
            Self::Adjustment => "adjustment",
        }
    }

    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Credited => "given back",
            Self::Usage => "usage that became known, or was corrected, later",
            Self::Rate => "another version of the rate card",
            Self::Shared => "moved only by a tier, volume or allowance that it shares",
            Self::Adjustment => "computed anew from the lines",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// A change of what a final invoice charged for one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The invoice.
    pub number: String,
    /// Its line, from 1; `None`: it has none for this, or it is something beside the lines.
    pub line: Option<usize>,
    /// The invoice's month.
    pub month: Month,
    /// When what is corrected was used.
    pub span: Span,
    /// What it is for, in words.
    pub what: String,
    /// `None`: of something beside the lines.
    pub key: Option<Arc<LineKey>>,
    pub meter: Option<Meter>,
    /// Change of the line's quantity, in instance·s, MiB·s or stagings; 0 if only its price or amount changes.
    pub quantity: i64,
    pub unit_size: i64,
    /// The price now.
    pub price: Option<Price>,
    /// Charged so far, with earlier corrections.
    pub before: Amount,
    /// What it comes to now.
    pub after: Amount,
    pub cause: CorrectionCause,
    /// SHA-256 of the rate card by which it comes to that.
    pub rate_card: String,
}

impl Correction {
    /// What is charged (or, below zero, given back) by it.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    pub fn amount(&self) -> Result<Amount, AmountOverflow> {
        self.after.0.checked_sub(self.before.0).map(Amount).ok_or(AmountOverflow)
    }
}

/// What corrections come to, without tax.
///
/// # Errors
/// [`AmountOverflow`].
pub fn net_of<'a>(corrections: impl IntoIterator<Item = &'a Correction>) -> Result<Amount, AmountOverflow> {
    corrections.into_iter().try_fold(Amount::default(), |net, correction| net.plus(correction.amount()?))
}
