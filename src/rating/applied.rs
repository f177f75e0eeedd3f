//! What some usage is charged by, and what of it one line used.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::LineKey;
use crate::domain::Span;
use crate::rate_card::{Charges, Meter, Model};

/// What some usage is charged by: prices, and what may be taken off.
#[derive(Clone, Debug)]
pub(super) struct Applied {
    pub charges: Charges,
    /// Position of the allowance of each meter that has one.
    pub allowances: Vec<(Meter, usize)>,
    /// Positions of discounts in percent.
    pub discounts: Arc<[usize]>,
    /// The rate, as its card has it.
    pub rate: Arc<str>,
    /// The prices if nothing were agreed on, where they are others.
    pub list: Vec<(Meter, Model)>,
}

impl Applied {
    /// Whether usage may be summed with what has the other's terms: list prices are told, not charged.
    pub fn charges_alike(&self, other: &Self) -> bool {
        self.charges == other.charges
            && self.allowances == other.allowances
            && self.discounts == other.discounts
            && self.rate == other.rate
    }
}

/// What one line used, before and after lengths were rounded.
#[derive(Clone, Debug)]
pub(super) struct LineUse {
    pub quantity: i64,
    pub used: i64,
    pub span: Span,
    /// Of `used`, on each day of the period.
    pub days: Vec<i64>,
    pub row: usize,
}

/// By line, position of what applies, and meter.
pub(super) type Parts = BTreeMap<(Arc<LineKey>, usize, Meter), LineUse>;
