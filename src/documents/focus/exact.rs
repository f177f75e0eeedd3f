//! Decimal numbers of up to 38 digits, for prices times quantities.
//! Owns their arithmetic and text; never rounds unless asked to, and never knows what they measure.

use std::fmt;

use crate::domain::{Amount, Currency, Price, Rounding};

/// A number of units of 10^-scale.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    mantissa: i128,
    scale: u32,
}

/// A number of more digits than there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a number has more than 38 digits")]
pub struct TooLong;

/// What 128 bits hold, and what a decimal of 38 digits in other people's programs does.
const LIMIT: i128 = 10_i128.pow(38);

impl Exact {
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// `mantissa` × 10^-`scale`.
    #[must_use]
    pub const fn new(mantissa: i128, scale: u32) -> Self {
        Self { mantissa, scale }
    }

    /// An amount in major units.
    #[must_use]
    pub fn amount(amount: Amount, currency: Currency) -> Self {
        Self::new(i128::from(amount.0), currency.digits())
    }

    /// The product.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn times(self, other: Self) -> Result<Self, TooLong> {
        let (one, two) = (self.short(), other.short());
        let mantissa = one.mantissa.checked_mul(two.mantissa).filter(|product| product.abs() < LIMIT).ok_or(TooLong)?;
        Ok(Self::new(mantissa, one.scale + two.scale))
    }

    /// The sum.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn plus(self, other: Self) -> Result<Self, TooLong> {
        let scale = self.scale.max(other.scale);
        let sum = self.in_units_of(scale)?.checked_add(other.in_units_of(scale)?).ok_or(TooLong)?;
        Ok(Self::new(sum, scale))
    }

    /// A hundredth of it, rounded half up to `scale` decimals.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn rounded_hundredth(self, scale: u32) -> Result<Self, TooLong> {
        let hundredth = Self::new(self.mantissa, self.scale + 2).short();
        let Some(fewer) = hundredth.scale.checked_sub(scale).filter(|fewer| *fewer > 0) else { return Ok(hundredth) };
        let divisor = 10_i128.checked_pow(fewer).ok_or(TooLong)?;
        Ok(Self::new(Rounding::HalfUp.divide(hundredth.mantissa, divisor), scale))
    }

    /// How many units of 10^-`scale` it is.
    ///
    /// # Errors
    /// `TooLong` if there are too many, or it isn't a whole number of them.
    pub fn in_units_of(self, scale: u32) -> Result<i128, TooLong> {
        let short = self.short();
        let more = scale.checked_sub(short.scale).ok_or(TooLong)?;
        let factor = 10_i128.checked_pow(more).ok_or(TooLong)?;
        short.mantissa.checked_mul(factor).filter(|units| units.abs() < LIMIT).ok_or(TooLong)
    }

    /// Without zeros at its end.
    fn short(self) -> Self {
        let Self { mut mantissa, mut scale } = self;
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self::new(mantissa, scale)
    }
}

impl From<Price> for Exact {
    fn from(price: Price) -> Self {
        Self::new(price.mantissa(), price.scale())
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.short(), other.short());
        (one.mantissa, one.scale) == (two.mantissa, two.scale)
    }
}

impl Eq for Exact {}

/// With a decimal point and at least one digit behind it: readers that guess a column's type shall find decimals.
impl fmt::Display for Exact {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mantissa, scale } = self.short();
        let sign = if mantissa < 0 { "-" } else { "" };
        let places = usize::try_from(scale).unwrap_or_default();
        let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        write!(formatter, "{sign}{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
    }
}

#[cfg(test)]
mod tests {
    use super::{Exact, TooLong};

    #[test]
    fn text_has_a_point_and_no_zeros_at_its_end() {
        for (mantissa, scale, text) in [
            (0, 0, "0.0"),
            (0, 12, "0.0"),
            (2, 0, "2.0"),
            (-250, 2, "-2.5"),
            (-5, 2, "-0.05"),
            (1_230_000, 6, "1.23"),
            (100, 0, "100.0"),
            (1, 24, "0.000000000000000000000001"),
        ] {
            assert_eq!(Exact::new(mantissa, scale).to_string(), text);
        }
    }

    #[test]
    fn products_and_sums_are_exact_or_refused() {
        let price = Exact::new(123_456_789_012, 12);
        let quantity = Exact::new(7_000_000_000_001, 12);
        assert_eq!(price.times(quantity).unwrap().to_string(), "0.864197523084123456789012");
        assert_eq!(price.plus(Exact::ONE).unwrap().to_string(), "1.123456789012");
        // Zeros at the end take no room.
        let most = Exact::new(10_i128.pow(19) - 1, 0);
        assert!(most.times(most).is_ok());
        assert!(most.times(Exact::new(10_i128.pow(19), 19)).is_ok());
        assert_eq!(most.times(Exact::new(10_i128.pow(19) + 1, 0)), Ok(Exact::new(10_i128.pow(38) - 1, 0)));
        assert_eq!(most.times(Exact::new(10_i128.pow(19) + 2, 0)), Err(TooLong));
        let long = Exact::new(10_i128.pow(38) - 1, 0);
        assert_eq!(long.in_units_of(0), Ok(10_i128.pow(38) - 1));
        assert_eq!(long.in_units_of(1), Err(TooLong));
        assert_eq!(Exact::new(15, 1).in_units_of(0), Err(TooLong));
        assert_eq!(Exact::new(150, 1).in_units_of(0), Ok(15));
        assert_eq!(long.plus(Exact::new(1, 1)), Err(TooLong));
    }
}
