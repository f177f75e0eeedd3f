//! Tax categories (UNCL 5305), and which percentages they can have.

use rust_decimal::Decimal;

use super::Wrong;
use crate::domain::Price;

/// Those of EN 16931: S standard, Z zero rated, E exempt, AE reverse charge, K within the EU, G export, O outside.
pub const TAX_CATEGORIES: [&str; 7] = ["S", "Z", "E", "AE", "K", "G", "O"];

/// Decimals of a percentage.
const DECIMALS: u32 = 4;

/// Checks a category's percentage: the standard category has a tax, and no other has.
///
/// # Errors
/// [`Wrong`].
pub fn tax_percent(category: &str, percent: Price) -> Result<(), Wrong> {
    let what = if percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > DECIMALS {
        format!("`{percent}` is not between 0 and 100, with {DECIMALS} decimals at most")
    } else if category == "S" && percent == Price::ZERO {
        "the standard category has a tax, and `0` is given".to_owned()
    } else if category != "S" && percent != Price::ZERO {
        format!("category {category} has no tax, and `{percent}` is given")
    } else {
        return Ok(());
    };
    Err(Wrong::new(what, "use category S with a percentage such as \"19\", or another category with \"0\" or none"))
}

#[cfg(test)]
mod tests {
    use super::{TAX_CATEGORIES, tax_percent};

    #[test]
    fn only_the_standard_category_has_a_tax() {
        for category in TAX_CATEGORIES {
            for (percent, of_standard, of_others) in [
                ("0", false, true),
                ("0.0001", true, false),
                ("0.00001", false, false),
                ("100", true, false),
                ("100.0001", false, false),
            ] {
                let is_good = if category == "S" { of_standard } else { of_others };
                assert_eq!(tax_percent(category, percent.parse().unwrap()).is_ok(), is_good, "{category} {percent}");
            }
        }
    }
}
