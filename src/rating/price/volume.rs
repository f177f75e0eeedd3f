//! All units at the price of the tier that their total lies in. A tier's end is inclusive.

use super::{Charged, Unit, alike, sum};
use crate::domain::{Overflow, Price};
use crate::rate_card::Tier;
use crate::rating::Part;

pub(super) fn charge(tiers: &[Tier], weights: &[i64], unit: Unit) -> Result<Vec<Vec<Charged>>, Overflow> {
    let total = sum(weights)?;
    let reached = tiers.iter().position(|tier| tier.up_to.is_none_or(|up_to| total <= up_to));
    let tier = reached.unwrap_or(tiers.len().saturating_sub(1));
    let price = tiers.get(tier).map_or(Price::ZERO, |tier| tier.price);
    Ok(alike(&Part::Tier(tier + 1), price, weights, unit))
}

#[cfg(test)]
mod tests {
    use super::super::table::{check, tiers};
    use crate::rate_card::Model;

    #[test]
    fn the_total_decides_the_price_of_all() {
        let tiers = tiers(&[(Some(10), "3"), (Some(20), "2"), (None, "1")]);
        check(
            &Model::Volume(tiers),
            &[
                (&[0], &["tier 1 0 x 3"]),
                // Up to 10, inclusive.
                (&[10], &["tier 1 10 x 3"]),
                (&[11], &["tier 2 11 x 2"]),
                (&[10, 10], &["tier 2 10 x 2", "tier 2 10 x 2"]),
                (&[10, 11], &["tier 3 10 x 1", "tier 3 11 x 1"]),
            ],
        );
    }
}
