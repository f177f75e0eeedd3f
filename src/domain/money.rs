//! Prices and amounts: decimals for prices, integers of the currency's smallest unit for amounts.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, Serializer};

/// A currency by its ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

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
    /// What changes nothing that is multiplied by it.
    pub const ONE: Self = Self(Decimal::ONE);

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

    /// The product, in a card's multiplier; not a lost digit.
    ///
    /// # Errors
    /// [`NotAPrice`] if it has too many decimals, or is too large.
    pub fn times(self, factor: Self) -> Result<Self, NotAPrice> {
        let shown = || format!("{self} × {factor}");
        // A product of decimals would be rounded to 96 bits.
        let product = self.mantissa().checked_mul(factor.mantissa()).ok_or_else(|| NotAPrice::TooFine(shown()))?;
        let exact = Decimal::try_from_i128_with_scale(product, self.scale() + factor.scale());
        Self::kept(exact.map_err(|_| NotAPrice::TooFine(shown()))?, shown)
    }

    /// The sum.
    ///
    /// # Errors
    /// [`NotAPrice`] if it is too large.
    pub fn plus(self, other: Self) -> Result<Self, NotAPrice> {
        // Prices have at most 21 digits, so their sum is exact.
        Self::kept(self.0 + other.0, || format!("{self} + {other}"))
    }

    /// A result that a price can hold.
    fn kept(result: Decimal, shown: impl Fn() -> String) -> Result<Self, NotAPrice> {
        let price = result.normalize();
        if price >= Decimal::from(Self::LIMIT) {
            Err(NotAPrice::TooLarge(shown()))
        } else if price.scale() > Self::DECIMALS {
            Err(NotAPrice::TooFine(shown()))
        } else {
            Ok(Self(price))
        }
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

    /// The difference.
    ///
    /// # Errors
    /// [`AmountOverflow`].
    pub fn minus(self, other: Self) -> Result<Self, AmountOverflow> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountOverflow)
    }

    /// In major units with all the currency's decimals: `12.30`.
    #[must_use]
    pub fn in_major_units(self, currency: Currency) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), currency.digits())
    }
}

/// How an amount is rounded to the currency's smallest unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest; halves away from zero, as in commerce.
    #[default]
    HalfUp,
    /// To the nearest; halves to the even one.
    HalfEven,
    /// Away from zero.
    Up,
    /// Towards zero.
    Down,
}

impl Rounding {
    pub const ALL: [Self; 4] = [Self::HalfUp, Self::HalfEven, Self::Up, Self::Down];

    /// The word in a card.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfUp => "half_up",
            Self::HalfEven => "half_even",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rounding| rounding.name() == name)
    }

    /// `dividend` ÷ `divisor`, which is positive, rounded.
    #[must_use]
    pub const fn divide(self, dividend: i128, divisor: i128) -> i128 {
        let (quotient, rest) = (dividend / divisor, (dividend % divisor).unsigned_abs());
        let divisor = divisor.unsigned_abs();
        let is_away = match self {
            Self::HalfUp => rest >= divisor - rest,
            Self::HalfEven => rest > divisor - rest || rest == divisor - rest && quotient % 2 != 0,
            Self::Up => rest > 0,
            Self::Down => false,
        };
        if is_away { quotient + dividend.signum() } else { quotient }
    }
}

/// `quantity` × `price` ÷ `unit_size`, divided once and rounded once, to the smallest unit.
///
/// # Errors
/// [`AmountOverflow`] if a product leaves 128 bits or the amount 64: never a lost digit.
pub fn amount(
    quantity: i64,
    price: Price,
    unit_size: i64,
    currency: Currency,
    rounding: Rounding,
) -> Result<Amount, AmountOverflow> {
    let power = |digits: u32| 10_i128.checked_pow(digits).ok_or(AmountOverflow);
    let product = i128::from(quantity).checked_mul(price.mantissa()).ok_or(AmountOverflow)?;
    let dividend = product.checked_mul(power(currency.digits())?).ok_or(AmountOverflow)?;
    let divisor = i128::from(unit_size).checked_mul(power(price.scale())?).ok_or(AmountOverflow)?;
    i64::try_from(rounding.divide(dividend, divisor)).map(Amount).map_err(|_| AmountOverflow)
}

#[cfg(test)]
mod tests {
    use super::{Amount, AmountOverflow, Currency, NotAPrice, Price, Rounding, amount};

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
            let rounded = amount(quantity, price.parse().unwrap(), unit, eur, Rounding::HalfUp);
            assert_eq!(rounded, Ok(Amount(cents)), "{quantity} x {price}");
        }
    }

    #[test]
    fn each_rule_rounds_its_way() {
        // thousandths: half up, half even, up, down
        for (thousandths, rounded) in [
            (0, [0, 0, 0, 0]),
            (1, [0, 0, 1, 0]),
            (499, [0, 0, 1, 0]),
            (500, [1, 0, 1, 0]),
            (501, [1, 1, 1, 0]),
            (1000, [1, 1, 1, 1]),
            (1499, [1, 1, 2, 1]),
            (1500, [2, 2, 2, 1]),
            (2500, [3, 2, 3, 2]),
            (-500, [-1, 0, -1, 0]),
            (-1500, [-2, -2, -2, -1]),
            (-1, [0, 0, -1, 0]),
        ] {
            assert_eq!(Rounding::ALL.map(|rule| rule.divide(thousandths, 1000)), rounded, "{thousandths}");
        }
        for rule in Rounding::ALL {
            assert_eq!(Rounding::from_name(rule.name()), Some(rule));
        }
    }

    #[test]
    fn products_of_prices_lose_no_digit() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        assert_eq!(price("0.0125").times(price("1.25")), Ok(price("0.015625")));
        assert_eq!(price("0.000001").times(price("0.000001")), Ok(price("0.000000000001")));
        assert!(matches!(price("0.0000001").times(price("0.000001")), Err(NotAPrice::TooFine(_))));
        assert!(matches!(price("999999999").times(price("2")), Err(NotAPrice::TooLarge(_))));
        assert!(matches!(price("999999999").plus(price("1")), Err(NotAPrice::TooLarge(_))));
        assert_eq!(price("999999998").plus(price("1")), Ok(price("999999999")));
    }

    #[test]
    fn currencies_have_their_own_decimals() {
        for (code, amount_of_1, shown) in [("EUR", 100, "1.00"), ("JPY", 1, "1"), ("KWD", 1000, "1.000")] {
            let currency = Currency::from_code(code).unwrap();
            let one = amount(3600, "1".parse().unwrap(), 3600, currency, Rounding::HalfUp).unwrap();
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
        let amount = |quantity, price, unit| amount(quantity, price, unit, eur, Rounding::HalfUp);
        assert_eq!(amount(1 << 54, dear, 3_686_400), Ok(Amount(488_671_834_567_111)));
        assert!(amount(1 << 44, most, 3_686_400).is_ok());
        assert_eq!(amount(i64::MAX, most, 1), Err(AmountOverflow));
        assert_eq!(amount(i64::MAX, "1".parse().unwrap(), 1), Err(AmountOverflow));
        assert_eq!(Amount(i64::MAX).plus(Amount(1)), Err(AmountOverflow));
    }
}
