//! Prices and amounts: decimals for prices, integers of the currency's smallest unit for amounts.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The currency with that code, if there is one and it has a smallest unit.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let currency = Self(iso_currency::Currency::from_code(code)?);
        currency.0.exponent().map(|_| currency)
    }

    /// `EUR`
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of an amount: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn digits(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code())
    }
}

/// A price per unit: not negative, at most [`Price::DECIMALS`] decimals, below [`Price::LIMIT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

/// Text that is no price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPrice {
    #[error("`{0}` is not a decimal number such as 0.0125")]
    NotANumber(String),
    #[error("`{0}` is negative")]
    Negative(String),
    #[error("`{0}` has more than {max} decimals", max = Price::DECIMALS)]
    TooFine(String),
    #[error("`{0}` is not below {max}", max = Price::LIMIT)]
    TooLarge(String),
}

impl Price {
    /// So that a price times a month of the largest sensible quantity stays exact in 128 bits.
    pub const DECIMALS: u32 = 12;
    pub const LIMIT: i64 = 1_000_000_000;
    /// The price of what is free.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// As a whole number of units of 10^-scale.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        self.0.mantissa()
    }

    /// As a decimal number.
    #[must_use]
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// How many decimals [`Price::mantissa`] counts in.
    #[must_use]
    pub const fn scale(self) -> u32 {
        self.0.scale()
    }
}

impl FromStr for Price {
    type Err = NotAPrice;

    fn from_str(text: &str) -> Result<Self, NotAPrice> {
        let plain = text.chars().all(|letter| letter.is_ascii_digit() || ".-".contains(letter));
        let price = Decimal::from_str_exact(text).ok().filter(|_| plain);
        let price = price.ok_or_else(|| NotAPrice::NotANumber(text.to_owned()))?;
        if price.is_sign_negative() && !price.is_zero() {
            return Err(NotAPrice::Negative(text.to_owned()));
        }
        let price = price.normalize();
        if price.scale() > Self::DECIMALS {
            return Err(NotAPrice::TooFine(text.to_owned()));
        }
        if price >= Decimal::from(Self::LIMIT) {
            return Err(NotAPrice::TooLarge(text.to_owned()));
        }
        Ok(Self(price))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of money, in the currency's smallest unit (cents).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(pub i64);

/// An amount that doesn't fit its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount exceeds 2^63 - 1 of the currency's smallest unit")]
pub struct AmountOverflow;

impl Amount {
    /// The sum.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountOverflow)
    }

    /// In major units with all the currency's decimals: `12.30`.
    #[must_use]
    pub fn in_major_units(self, currency: Currency) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), currency.digits())
    }
}

/// `quantity` × `price` ÷ `unit_size`, divided once and rounded once, to the smallest unit: half away from zero.
///
/// # Errors
/// [`AmountOverflow`] if a product leaves 128 bits or the amount 64: never a lost digit.
pub fn amount(quantity: i64, price: Price, unit_size: i64, currency: Currency) -> Result<Amount, AmountOverflow> {
    let power = |digits: u32| 10_i128.checked_pow(digits).ok_or(AmountOverflow);
    let product = i128::from(quantity).checked_mul(price.mantissa()).ok_or(AmountOverflow)?;
    let dividend = product.checked_mul(power(currency.digits())?).ok_or(AmountOverflow)?;
    let divisor = i128::from(unit_size).checked_mul(power(price.scale())?).ok_or(AmountOverflow)?;
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    let away_from_zero = if rest.unsigned_abs() * 2 >= divisor.unsigned_abs() { dividend.signum() } else { 0 };
    i64::try_from(quotient + away_from_zero).map(Amount).map_err(|_| AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::{Amount, AmountOverflow, Currency, NotAPrice, Price, amount};

    #[test]
    fn prices_are_plain_decimals_within_limits() {
        for (text, shown) in [
            ("0.01", "0.01"),
            ("0", "0"),
            ("-0", "0"),
            ("10.50", "10.5"),
            ("0.000000000001", "0.000000000001"),
            ("999999999.999999999999", "999999999.999999999999"),
        ] {
            assert_eq!(text.parse::<Price>().map(|price| price.to_string()).as_deref(), Ok(shown));
        }
        for (text, problem) in [
            ("", NotAPrice::NotANumber(String::new())),
            ("1e3", NotAPrice::NotANumber("1e3".into())),
            ("1,5", NotAPrice::NotANumber("1,5".into())),
            (" 1", NotAPrice::NotANumber(" 1".into())),
            ("1_000", NotAPrice::NotANumber("1_000".into())),
            ("0.1.2", NotAPrice::NotANumber("0.1.2".into())),
            ("-0.01", NotAPrice::Negative("-0.01".into())),
            ("0.0000000000001", NotAPrice::TooFine("0.0000000000001".into())),
            ("1000000000", NotAPrice::TooLarge("1000000000".into())),
        ] {
            assert_eq!(text.parse::<Price>(), Err(problem));
        }
    }

    #[test]
    fn amounts_are_rounded_once_half_away_from_zero() {
        let eur = Currency::from_code("EUR").unwrap();
        // quantity, price, unit, cents
        for (quantity, price, unit, cents) in [
            (3600, "0.01", 3600, 1),
            (1800, "0.01", 3600, 1), // half a cent
            (1799, "0.01", 3600, 0),
            (5400, "0.01", 3600, 2), // a cent and a half
            (-1800, "0.01", 3600, -1),
            (-1799, "0.01", 3600, 0),
            (3_686_400, "0.0125", 3_686_400, 1),
            (3_686_400 * 720, "0.0123456789", 3_686_400, 889),
            (0, "5", 3600, 0),
            (1, "0", 3600, 0),
        ] {
            assert_eq!(amount(quantity, price.parse().unwrap(), unit, eur), Ok(Amount(cents)), "{quantity} x {price}");
        }
    }

    #[test]
    fn currencies_have_their_own_decimals() {
        for (code, amount_of_1, shown) in [("EUR", 100, "1.00"), ("JPY", 1, "1"), ("KWD", 1000, "1.000")] {
            let currency = Currency::from_code(code).unwrap();
            let one = amount(3600, "1".parse().unwrap(), 3600, currency).unwrap();
            assert_eq!(one, Amount(amount_of_1));
            assert_eq!(one.in_major_units(currency).to_string(), shown);
        }
        assert_eq!(Currency::from_code("XXX"), None);
        assert_eq!(Currency::from_code("eur"), None);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let eur = Currency::from_code("EUR").unwrap();
        let most: Price = "999999999.999999999999".parse().unwrap();
        // 2^54 MiB·s, half a PiB all year, at a price of four digits and twelve decimals.
        let dear = "999.999999999999".parse().unwrap();
        assert_eq!(amount(1 << 54, dear, 3_686_400, eur), Ok(Amount(488_671_834_567_111)));
        assert!(amount(1 << 44, most, 3_686_400, eur).is_ok());
        assert_eq!(amount(i64::MAX, most, 1, eur), Err(AmountOverflow));
        assert_eq!(amount(i64::MAX, "1".parse().unwrap(), 1, eur), Err(AmountOverflow));
        assert_eq!(Amount(i64::MAX).plus(Amount(1)), Err(AmountOverflow));
    }
}
