//! So much for each package begun of the total. Exactly one package's size is one package; one unit more begins another.

use super::{Charged, Unit, alike, sum};
use crate::domain::money::amount;
use crate::domain::{Amount, Price, share};
use crate::rating::{Part, RatingError};

pub(super) fn charge(size: i64, price: Price, weights: &[i64], unit: Unit) -> Result<Vec<Vec<Charged>>, RatingError> {
    let total = sum(weights)?;
    let packages = total / size + i64::from(total % size > 0);
    let all = amount(packages, price, 1, unit.currency, unit.rounding)?;
    let mut charged = alike(&Part::Packages(packages), price, weights, unit);
    for (charged, share) in charged.iter_mut().flatten().zip(share(all.0, weights)?) {
        charged.unit_size = size;
        charged.share = Some(Amount(share));
    }
    Ok(charged)
}

#[cfg(test)]
mod tests {
    use super::super::table::check;
    use crate::rate_card::Model;

    #[test]
    fn a_package_begun_is_paid() {
        check(
            &Model::Package { size: 100, price: "2".parse().unwrap() },
            &[
                (&[0], &["packages 0 0 x 2 = 0"]),
                (&[1], &["packages 1 1 x 2 = 200"]),
                // A full package is one.
                (&[100], &["packages 1 100 x 2 = 200"]),
                (&[101], &["packages 2 101 x 2 = 400"]),
                // Two packages of 4.00 in all, shared out by quantity.
                (&[150, 50], &["packages 2 150 x 2 = 300", "packages 2 50 x 2 = 100"]),
            ],
        );
    }
}
