//! Each unit at the price of the tier that it lies in. A tier's end is inclusive: the unit that reaches it is still in it.

use super::{Charged, Unit, sum};
use crate::domain::share;
use crate::rate_card::Tier;
use crate::rating::{Part, RatingError};

/// Each tier's quantity, shared out over what earlier tiers left of each line: in proportion, and never more than it has.
pub(super) fn charge(tiers: &[Tier], weights: &[i64], unit: Unit) -> Result<Vec<Vec<Charged>>, RatingError> {
    let total = sum(weights)?;
    let mut left = weights.to_vec();
    let mut charged = vec![Vec::new(); weights.len()];
    let mut begun = 0;
    for (position, tier) in tiers.iter().enumerate() {
        let end = tier.up_to.map_or(total, |up_to| up_to.min(total));
        if end <= begun {
            continue;
        }
        for (line, quantity) in share(end - begun, &left)?.into_iter().enumerate() {
            left[line] -= quantity;
            let part = Part::Tier(position + 1);
            charged[line].push(Charged { part, quantity, price: tier.price, unit_size: unit.size, share: None });
        }
        begun = end;
    }
    Ok(charged)
}

#[cfg(test)]
mod tests {
    use super::super::table::{check, tiers};
    use crate::rate_card::Model;

    #[test]
    fn each_unit_costs_what_its_tier_says() {
        let tiers = tiers(&[(Some(10), "3"), (Some(20), "2"), (None, "1")]);
        check(
            &Model::Graduated(tiers),
            &[
                (&[0], &[""]),
                // Up to 10, inclusive.
                (&[10], &["tier 1 10 x 3"]),
                (&[11], &["tier 1 10 x 3, tier 2 1 x 2"]),
                (&[25], &["tier 1 10 x 3, tier 2 10 x 2, tier 3 5 x 1"]),
                // 10 of 20 in the first tier, in proportion to 15 and 5: 7.5 and 2.5, so 8 and 2, the larger remainder first.
                (&[15, 5], &["tier 1 8 x 3, tier 2 7 x 2", "tier 1 2 x 3, tier 2 3 x 2"]),
            ],
        );
    }
}
