//! How each language writes numbers, amounts and prices.
//! Owns their form and how many decimals quantities have; never rounds an amount.

use rust_decimal::{Decimal, RoundingStrategy};

use super::Locale;
use crate::domain::{Amount, Currency, Price};
use crate::invoicing::Language;
use crate::rate_card::{Meter, units};

const NO_BREAK_SPACE: char = '\u{a0}';
const NARROW_NO_BREAK_SPACE: char = '\u{202f}';
const MINUS: char = '\u{2212}';

/// Decimals of quantities: at least so many are told apart, and at most.
const FEWEST_DECIMALS: u32 = 3;
const MOST_DECIMALS: u32 = 6;

impl Locale {
    const fn group_separator(self) -> char {
        match self.language {
            Language::English => ',',
            Language::German => '.',
            Language::French => NARROW_NO_BREAK_SPACE,
        }
    }

    const fn decimal_separator(self) -> char {
        match self.language {
            Language::English => '.',
            Language::German | Language::French => ',',
        }
    }

    /// With all the decimals that it has: `−1,234.50`
    #[must_use]
    pub fn number(self, value: Decimal) -> String {
        let plain = value.abs().to_string();
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        let mut written = String::with_capacity(plain.len() + 8);
        if value.is_sign_negative() && !value.is_zero() {
            written.push(MINUS);
        }
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position) % 3 == 0 {
                written.push(self.group_separator());
            }
            written.push(digit);
        }
        if !fraction.is_empty() {
            written.push(self.decimal_separator());
            written.push_str(fraction);
        }
        written
    }

    /// `1,234.50`, for columns that name the currency.
    #[must_use]
    pub fn bare_amount(self, amount: Amount, currency: Currency) -> String {
        self.number(amount.in_major_units(currency))
    }

    /// `€1,234.50`, `1.234,50 €`, `1 234,50 €`; by its code where a sign could mean several currencies.
    #[must_use]
    pub fn amount(self, amount: Amount, currency: Currency) -> String {
        self.with_currency(&self.bare_amount(amount, currency), currency)
    }

    /// A price with its currency: all its decimals, and no fewer than the currency has.
    #[must_use]
    pub fn price_with_currency(self, price: Price, currency: Currency) -> String {
        self.with_currency(&self.price(price, currency), currency)
    }

    fn with_currency(self, number: &str, currency: Currency) -> String {
        let sign = match currency.code() {
            "EUR" => "€",
            "GBP" => "£",
            code => code,
        };
        match self.language {
            Language::German | Language::French => format!("{number}{NO_BREAK_SPACE}{sign}"),
            Language::English => {
                let gap = if sign == currency.code() { String::from(NO_BREAK_SPACE) } else { String::new() };
                match number.strip_prefix(MINUS) {
                    Some(positive) => format!("{MINUS}{sign}{gap}{positive}"),
                    None => format!("{sign}{gap}{number}"),
                }
            }
        }
    }

    /// For columns that name the currency: all its decimals, and no fewer than the currency has.
    #[must_use]
    pub fn price(self, price: Price, currency: Currency) -> String {
        let mut decimal = price.decimal().normalize();
        if decimal.scale() < currency.digits() {
            decimal.rescale(currency.digits());
        }
        self.number(decimal)
    }

    /// `19%`, `19 %`
    #[must_use]
    pub fn percent(self, percent: Price) -> String {
        let number = self.number(percent.decimal().normalize());
        match self.language {
            Language::English => format!("{number}%"),
            Language::German | Language::French => format!("{number}{NO_BREAK_SPACE}%"),
        }
    }

    /// A quantity in units, with as many decimals as it takes to come to the same amount: three at least, six at most,
    /// none that say nothing.
    #[must_use]
    pub fn quantity(self, quantity: i64, unit_size: i64, price: Option<Price>, currency: Currency) -> String {
        let (value, is_tiny) = rounded(quantity, unit_size, price, currency);
        if is_tiny {
            let least = Decimal::new(1, MOST_DECIMALS);
            let sign = if quantity < 0 { format!(">{NO_BREAK_SPACE}{MINUS}") } else { format!("<{NO_BREAK_SPACE}") };
            return sign + &self.number(least);
        }
        self.number(value)
    }

    /// The unit of so much.
    #[must_use]
    pub fn unit(self, meter: Meter, quantity: i64, unit_size: i64) -> &'static str {
        let counted = self.texts.units.of(meter);
        let value = units(quantity, unit_size).abs();
        let is_one = match self.language {
            Language::English | Language::German => value == Decimal::ONE,
            Language::French => value < Decimal::TWO,
        };
        if is_one { counted.one } else { counted.many }
    }

    /// A quantity and its unit: `1,488 GiB-hours of memory`
    #[must_use]
    pub fn quantity_with_unit(self, meter: Meter, quantity: i64, unit_size: i64, currency: Currency) -> String {
        let number = self.quantity(quantity, unit_size, None, currency);
        format!("{number}{NO_BREAK_SPACE}{}", self.unit(meter, quantity, unit_size))
    }
}

/// A quantity in units as it is shown, and whether it is too small to be.
fn rounded(quantity: i64, unit_size: i64, price: Option<Price>, currency: Currency) -> (Decimal, bool) {
    let value = Decimal::from(quantity) / Decimal::from(unit_size.max(1));
    let to = |decimals| value.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
    // A tenth of the smallest unit of the currency: less than that is not seen in an amount.
    let tolerance = Decimal::new(1, currency.digits() + 1);
    let price = price.map_or(Decimal::ZERO, Price::decimal);
    let is_near = |shown: &Decimal| {
        let error = (shown - value).abs();
        // Nor may a small one look like another, whatever it costs: a hundredth of it at most.
        error.checked_mul(price).is_some_and(|cost| cost < tolerance) && error * Decimal::ONE_HUNDRED <= value.abs()
    };
    let shown = (FEWEST_DECIMALS..MOST_DECIMALS).map(to).find(is_near).unwrap_or_else(|| to(MOST_DECIMALS));
    (shown.normalize(), shown.is_zero() && quantity != 0)
}

#[cfg(test)]
mod tests {
    use super::Locale;
    use crate::domain::{Amount, Currency, Price};
    use crate::invoicing::Language;
    use crate::rate_card::Meter;

    fn currency(code: &str) -> Currency {
        Currency::from_code(code).unwrap()
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_of_the_language_and_the_currency() {
        for (smallest_units, code, written) in [
            (123_450, "EUR", ["€1,234.50", "1.234,50\u{a0}€", "1\u{202f}234,50\u{a0}€"]),
            (-123_450, "EUR", ["−€1,234.50", "−1.234,50\u{a0}€", "−1\u{202f}234,50\u{a0}€"]),
            (0, "EUR", ["€0.00", "0,00\u{a0}€", "0,00\u{a0}€"]),
            (5, "EUR", ["€0.05", "0,05\u{a0}€", "0,05\u{a0}€"]),
            (99_999, "GBP", ["£999.99", "999,99\u{a0}£", "999,99\u{a0}£"]),
            (100_000, "USD", ["USD\u{a0}1,000.00", "1.000,00\u{a0}USD", "1\u{202f}000,00\u{a0}USD"]),
            (-1, "CHF", ["−CHF\u{a0}0.01", "−0,01\u{a0}CHF", "−0,01\u{a0}CHF"]),
            (1_234_567, "JPY", ["JPY\u{a0}1,234,567", "1.234.567\u{a0}JPY", "1\u{202f}234\u{202f}567\u{a0}JPY"]),
            (1_234_567, "KWD", ["KWD\u{a0}1,234.567", "1.234,567\u{a0}KWD", "1\u{202f}234,567\u{a0}KWD"]),
            (
                i64::MAX,
                "EUR",
                [
                    "€92,233,720,368,547,758.07",
                    "92.233.720.368.547.758,07\u{a0}€",
                    "92\u{202f}233\u{202f}720\u{202f}368\u{202f}547\u{202f}758,07\u{a0}€",
                ],
            ),
        ] {
            let amount = |language| Locale::of(language).amount(Amount(smallest_units), currency(code));
            assert_eq!(Language::ALL.map(amount), written, "{smallest_units} {code}");
        }
    }

    #[test]
    fn prices_keep_all_their_decimals() {
        for (text, code, written) in [
            ("25", "EUR", ["25.00", "25,00", "25,00"]),
            ("0.015625", "EUR", ["0.015625", "0,015625", "0,015625"]),
            ("0.000000000001", "EUR", ["0.000000000001", "0,000000000001", "0,000000000001"]),
            ("1200", "JPY", ["1,200", "1.200", "1\u{202f}200"]),
            ("0.05", "JPY", ["0.05", "0,05", "0,05"]),
            ("1", "KWD", ["1.000", "1,000", "1,000"]),
        ] {
            let shown = |language| Locale::of(language).price(price(text), currency(code));
            assert_eq!(Language::ALL.map(shown), written, "{text} {code}");
        }
        for (text, written) in
            [("19", ["19%", "19\u{a0}%", "19\u{a0}%"]), ("5.50", ["5.5%", "5,5\u{a0}%", "5,5\u{a0}%"])]
        {
            assert_eq!(Language::ALL.map(|language| Locale::of(language).percent(price(text))), written);
        }
    }

    #[test]
    fn quantities_have_the_decimals_that_their_amount_needs() {
        let gib_hour = 3_686_400;
        for (quantity, unit, at, written) in [
            (gib_hour * 1488, gib_hour, "0.0125", "1,488"),
            (gib_hour * 3 / 2, gib_hour, "0.0125", "1.5"),
            // 1488.12345…: what lies behind the third decimal is nothing at that price, and something at another.
            (5_485_818_308, gib_hour, "0.0125", "1,488.123"),
            (5_485_818_308, gib_hour, "12.5", "1,488.1235"),
            // A thirty-first of a month, at 25 and at 25,000
            (86_400, 2_678_400, "0.25", "0.032"),
            (86_400, 2_678_400, "25", "0.03226"),
            (86_400, 2_678_400, "25000", "0.032258"),
            // A small one looks like itself: five decimals where four would be off by more than a hundredth of it.
            (1843, gib_hour, "0", "0.0005"),
            (1990, gib_hour, "0", "0.00054"),
            // Too small for three decimals, and for six
            (1843, gib_hour, "0.0125", "0.0005"),
            (4, gib_hour, "0.0125", "0.000001"),
            (1, gib_hour, "0.0125", "<\u{a0}0.000001"),
            (-1, gib_hour, "0.0125", ">\u{a0}−0.000001"),
            (-gib_hour, gib_hour, "0.0125", "−1"),
            (0, gib_hour, "0.0125", "0"),
            (7, 1, "0.01", "7"),
        ] {
            let english = Locale::of(Language::English);
            let shown = english.quantity(quantity, unit, Some(price(at)), Currency::EUR);
            assert_eq!(shown, written, "{quantity} of {unit} at {at}");
        }
    }

    #[test]
    fn one_is_singular_and_in_french_less_than_two() {
        for (quantity, unit_size, written) in [
            (1, 1, ["1\u{a0}staging", "1\u{a0}Staging", "1\u{a0}staging"]),
            (2, 1, ["2\u{a0}stagings", "2\u{a0}Stagings", "2\u{a0}stagings"]),
            (0, 1, ["0\u{a0}stagings", "0\u{a0}Stagings", "0\u{a0}staging"]),
            (3, 2, ["1.5\u{a0}stagings", "1,5\u{a0}Stagings", "1,5\u{a0}staging"]),
        ] {
            let shown =
                |language| Locale::of(language).quantity_with_unit(Meter::Staging, quantity, unit_size, Currency::EUR);
            assert_eq!(Language::ALL.map(shown), written);
        }
    }
}
