//! What a total costs by each model of price, shared out over the quantities that it is the total of. A file a model.

mod flat;
mod graduated;
mod package;
mod volume;

use super::{Part, RatingError};
use crate::domain::{Amount, Currency, Overflow, Price, Rounding};
use crate::rate_card::Model;

/// What a part of a quantity is charged as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Charged {
    pub part: Part,
    pub quantity: i64,
    pub price: Price,
    /// How much of the quantity one price is for.
    pub unit_size: i64,
    /// Its share of an amount that is all quantities' together.
    pub share: Option<Amount>,
}

/// In what a price is one: how much of the quantity it is for, and how amounts are rounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub size: i64,
    pub currency: Currency,
    pub rounding: Rounding,
}

/// What each of the quantities in `weights` is charged as, by the model that their total has.
///
/// # Errors
/// [`RatingError`]: a total or an amount past its type.
pub(super) fn charge(model: &Model, weights: &[i64], unit: Unit) -> Result<Vec<Vec<Charged>>, RatingError> {
    Ok(match model {
        Model::Flat(price) => flat::charge(*price, weights, unit),
        Model::Volume(tiers) => volume::charge(tiers, weights, unit)?,
        Model::Graduated(tiers) => graduated::charge(tiers, weights, unit)?,
        Model::Package { size, price } => package::charge(*size, *price, weights, unit)?,
    })
}

/// A model's price of a part of the usage; `None` if it has no such part.
pub(super) fn price_of(model: &Model, part: &Part) -> Option<Price> {
    match (model, part) {
        (Model::Flat(price), Part::Whole) | (Model::Package { price, .. }, Part::Packages(_)) => Some(*price),
        (Model::Graduated(tiers) | Model::Volume(tiers), Part::Tier(tier)) => {
            tiers.get(tier.checked_sub(1)?).map(|tier| tier.price)
        }
        _ => None,
    }
}

/// Every quantity as a whole, at one price.
fn alike(part: &Part, price: Price, weights: &[i64], unit: Unit) -> Vec<Vec<Charged>> {
    let whole = |quantity: &i64| {
        vec![Charged { part: part.clone(), quantity: *quantity, price, unit_size: unit.size, share: None }]
    };
    weights.iter().map(whole).collect()
}

pub(super) fn sum(quantities: &[i64]) -> Result<i64, Overflow> {
    quantities.iter().try_fold(0_i64, |sum, quantity| sum.checked_add(*quantity)).ok_or(Overflow)
}

#[cfg(test)]
mod table {
    //! How the tables of the models' tests are written: `part quantity x price`, a comma between parts of one quantity.

    use super::{Charged, Unit, charge};
    use crate::domain::{Currency, Rounding};
    use crate::rate_card::{Model, Tier};

    fn told(charged: &[Charged]) -> String {
        let one = |one: &Charged| {
            let share = one.share.map_or_else(String::new, |share| format!(" = {}", share.0));
            format!("{} {} x {}{share}", one.part, one.quantity, one.price)
        };
        charged.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    pub fn tiers(tiers: &[(Option<i64>, &str)]) -> Vec<Tier> {
        tiers.iter().map(|(up_to, price)| Tier { up_to: *up_to, price: price.parse().unwrap() }).collect()
    }

    /// Quantities, and what each is charged as.
    #[track_caller]
    pub fn check(model: &Model, rows: &[(&[i64], &[&str])]) {
        let unit = Unit { size: 1, currency: Currency::EUR, rounding: Rounding::HalfUp };
        for (weights, expected) in rows {
            let charged: Vec<String> = charge(model, weights, unit).unwrap().iter().map(|one| told(one)).collect();
            assert_eq!(charged, *expected, "{weights:?}");
        }
    }
}
