//! What a card's values are beyond their form: quantities, amounts, percentages.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::BlockReader;
use crate::domain::{Amount, Price};
use crate::keyed::{Keyed, Written};

/// So many units, as a meter's quantity: a whole number, more than nothing.
pub(super) fn quantity(keyed: &Keyed<'_>, key: &str, unit: i64) -> Option<i64> {
    let units = keyed.decimal(key)?.decimal();
    let quantity = units.checked_mul(Decimal::from(unit));
    let whole = quantity.filter(Decimal::is_integer).and_then(|quantity| quantity.to_i64());
    match whole {
        Some(quantity) if quantity > 0 => Some(quantity),
        Some(_) => {
            keyed.error(key, format!("`{key}` is nothing"), "give more than 0");
            None
        }
        None => {
            let message = format!("`{key}`: `{units}` isn't a whole number of instance-seconds or MiB-seconds");
            keyed.error(key, message, "use fewer decimals, such as 0.25 or 0.1");
            None
        }
    }
}

impl BlockReader<'_> {
    pub(super) fn percent(&self) -> Option<Price> {
        let percent = self.keyed.decimal("percent")?;
        if percent == Price::ZERO || percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > 6 {
            let message = format!("`percent`: `{percent}` is not between 0 and 100, with 6 decimals at most");
            self.keyed.error("percent", message, "write percent = \"10\"");
            return None;
        }
        Some(percent)
    }

    /// An amount of the card's currency, with no more decimals than it has.
    pub(super) fn amount(&self, key: &str) -> Option<Amount> {
        // Amounts may be larger than prices.
        let large = self.keyed.table.get(key).and_then(|value| match &value.written {
            Written::Text(text) => {
                let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
                Decimal::from_str_exact(text).ok().filter(|_| text.len() > 9 && is_plain)
            }
            _ => None,
        });
        match large {
            Some(amount) => self.in_minor_units(key, amount.normalize()),
            None => self.in_minor_units(key, self.keyed.decimal(key)?.decimal()),
        }
    }

    fn in_minor_units(&self, key: &str, amount: Decimal) -> Option<Amount> {
        // That the currency is wrong or missing is told already.
        let digits = self.currency?.digits();
        if amount.scale() > digits {
            let message = format!("`{key}`: `{amount}` has more decimals than the {digits} of the currency");
            self.keyed.error(key, message, "round it");
            return None;
        }
        let minor = amount.checked_mul(Decimal::from(10_i64.pow(digits))).and_then(|minor| minor.to_i64());
        match minor {
            Some(minor) if minor > 0 => return Some(Amount(minor)),
            Some(_) => self.keyed.error(key, format!("`{key}` is nothing"), "give more than 0, or remove the block"),
            None => self.keyed.error(key, format!("`{key}`: `{amount}` is too large"), "is it of one month?"),
        }
        None
    }
}
