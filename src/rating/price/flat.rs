//! The same price for every unit.

use super::{Charged, Unit, alike};
use crate::domain::Price;
use crate::rating::Part;

pub(super) fn charge(price: Price, weights: &[i64], unit: Unit) -> Vec<Vec<Charged>> {
    alike(&Part::Whole, price, weights, unit)
}

#[cfg(test)]
mod tests {
    use super::super::table::check;
    use crate::rate_card::Model;

    #[test]
    fn every_unit_costs_the_same() {
        check(
            &Model::Flat("0.5".parse().unwrap()),
            &[(&[], &[]), (&[0], &["whole 0 x 0.5"]), (&[1, 1_000_000], &["whole 1 x 0.5", "whole 1000000 x 0.5"])],
        );
    }
}
