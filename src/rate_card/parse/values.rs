//! Single values: texts, words, prices, quantities, amounts, times; each is right, or told.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use toml::de::{DeTable, DeValue};

use super::{Parser, Value};
use crate::domain::money::NotAPrice;
use crate::domain::period::start_of_day;
use crate::domain::text::did_you_mean;
use crate::domain::{Amount, Currency, Price, Timestamp};
use crate::rate_card::keys::{Key, Takes};

impl<'a> Parser<'a> {
    pub(super) fn text(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
            DeValue::String(_) => {
                self.error(&value.span(), format!("`{key}` is empty"), "give it a text, or leave the key out");
                None
            }
            _ => {
                let hint = format!("write {key} = \"…\"");
                self.error(&value.span(), format!("`{key}` is not text"), &hint);
                None
            }
        }
    }

    /// One of the words that a key takes; `None` if it isn't there, or wrong.
    pub(super) fn choice(&mut self, table: &DeTable<'a>, key: &str, keys: &[Key]) -> Option<String> {
        let value = table.get(key)?;
        let text = self.text(key, value)?;
        let takes = keys.iter().find(|known| known.name == key).map(|known| known.takes);
        let Some(Takes::Choice(choices)) = takes else { return Some(text) };
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        let near = did_you_mean(&text, choices.iter().copied());
        let hint = near.unwrap_or_else(|| format!("it is one of {}", choices.join(", ")));
        self.error(&value.span(), format!("`{key}`: `{text}` is none of its words"), &hint);
        None
    }

    pub(super) fn required<'table>(
        &mut self,
        table: &'table DeTable<'a>,
        whole: &Value<'a>,
        key: &str,
    ) -> Option<&'table Value<'a>> {
        let value = table.get(key);
        if value.is_none() {
            let hint = match key {
                "tiers" => {
                    "write tiers = [{ up_to = \"100\", price = \"0.02\" }, { price = \"0.01\" }]; the last has no up_to"
                        .to_owned()
                }
                "kind" => "write kind = \"process\", \"staging\", \"task\" or \"service\"".to_owned(),
                "meter" => "write meter = \"memory_gib_hour\", or another of its quantities".to_owned(),
                key => format!("write {key} = \"1\", or another quoted decimal"),
            };
            self.error(&whole.span(), format!("`{key}` is missing"), &hint);
        }
        value
    }

    pub(super) fn price(&mut self, key: &str, value: &Value<'a>) -> Option<Price> {
        let written = self.text[value.span()].to_owned();
        match value.get_ref() {
            DeValue::String(text) => match text.parse() {
                Ok(price) => Some(price),
                Err(error) => {
                    let hint = match error {
                        NotAPrice::NotANumber(_) => "digits and a point, no sign, no comma, no exponent",
                        NotAPrice::Negative(_) => "to take something off, use [[discount]]",
                        NotAPrice::TooFine(_) => "round it: so many decimals are kept",
                        NotAPrice::TooLarge(_) => "is it a price of one unit?",
                    };
                    self.error(&value.span(), format!("`{key}`: {error}"), hint);
                    None
                }
            },
            DeValue::Float(_) | DeValue::Integer(_) => {
                let plain = written.chars().all(|letter| letter.is_ascii_digit() || letter == '.');
                let quoted = if plain { written.as_str() } else { "0.01" };
                let hint = format!("quote it, so that it stays exact: {key} = \"{quoted}\"");
                let message = format!("`{key}` is the number {written}, not a quoted decimal");
                self.error(&value.span(), message, &hint);
                None
            }
            _ => {
                let hint = format!("write {key} = \"0.01\"");
                self.error(&value.span(), format!("`{key}` is not a decimal number"), &hint);
                None
            }
        }
    }

    pub(super) fn percent(&mut self, value: &Value<'a>) -> Option<Price> {
        let percent = self.price("percent", value)?;
        if percent == Price::ZERO || percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > 6 {
            let message = format!("`percent`: `{percent}` is not between 0 and 100, with 6 decimals at most");
            self.error(&value.span(), message, "write percent = \"10\"");
            return None;
        }
        Some(percent)
    }

    /// So many units, as a meter's quantity: a whole number, more than nothing.
    pub(super) fn quantity(&mut self, key: &str, value: &Value<'a>, unit: i64) -> Option<i64> {
        let units = self.price(key, value)?.decimal();
        let quantity = units.checked_mul(Decimal::from(unit));
        let whole = quantity.filter(Decimal::is_integer).and_then(|quantity| quantity.to_i64());
        match whole {
            Some(quantity) if quantity > 0 => Some(quantity),
            Some(_) => {
                self.error(&value.span(), format!("`{key}` is nothing"), "give more than 0");
                None
            }
            None => {
                let message = format!("`{key}`: `{units}` isn't a whole number of instance-seconds or MiB-seconds");
                self.error(&value.span(), message, "use fewer decimals, such as 0.25 or 0.1");
                None
            }
        }
    }

    pub(super) fn whole(&mut self, key: &str, value: &Value<'a>, min: i64, max: i64) -> Option<i64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let written = &self.text[value.span()];
            let message = format!("`{key}`: `{written}` is not a whole number from {min} to {max}");
            self.error(&value.span(), message, &format!("without quotes, such as {key} = {}", min.max(max.min(60))));
        }
        number
    }

    /// An amount of the card's currency, with no more decimals than it has.
    pub(super) fn amount(&mut self, key: &str, value: &Value<'a>, currency: Option<Currency>) -> Option<Amount> {
        // Amounts may be larger than prices.
        let text = match value.get_ref() {
            DeValue::String(text)
                if text.len() > 9 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') =>
            {
                text
            }
            _ => return self.small_amount(key, value, currency),
        };
        let Ok(amount) = Decimal::from_str_exact(text) else { return self.small_amount(key, value, currency) };
        self.in_minor_units(key, value, amount.normalize(), currency)
    }

    fn small_amount(&mut self, key: &str, value: &Value<'a>, currency: Option<Currency>) -> Option<Amount> {
        let amount = self.price(key, value)?.decimal();
        self.in_minor_units(key, value, amount, currency)
    }

    fn in_minor_units(
        &mut self,
        key: &str,
        value: &Value<'a>,
        amount: Decimal,
        currency: Option<Currency>,
    ) -> Option<Amount> {
        // What the currency is is told already.
        let digits = currency?.digits();
        if amount.scale() > digits {
            let message = format!("`{key}`: `{amount}` has more decimals than the {digits} of the currency");
            self.error(&value.span(), message, "an amount is paid as it stands: round it");
            return None;
        }
        let minor = amount.checked_mul(Decimal::from(10_i64.pow(digits))).and_then(|minor| minor.to_i64());
        match minor {
            Some(minor) if minor > 0 => return Some(Amount(minor)),
            Some(_) => {
                self.error(&value.span(), format!("`{key}` is nothing"), "give more than 0, or remove the block");
            }
            None => self.error(&value.span(), format!("`{key}`: `{amount}` is too large"), "is it of one month?"),
        }
        None
    }

    pub(super) fn is_true(&mut self, key: &str, value: &Value<'a>) -> Option<()> {
        let is_true = matches!(value.get_ref(), DeValue::Boolean(true));
        if !is_true {
            let hint = format!("leave it out, or write {key} = true");
            self.error(&value.span(), format!("`{key}` is not true"), &hint);
        }
        is_true.then_some(())
    }

    pub(super) fn time(&mut self, key: &str, value: &Value<'a>) -> Option<Timestamp> {
        let written = match value.get_ref() {
            DeValue::Datetime(time) => time.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => self.text[value.span()].to_owned(),
        };
        let date = written.parse::<NaiveDate>().ok().and_then(|date| start_of_day(date, self.zone));
        let time = date.or_else(|| Timestamp::parse(&written).ok());
        if time.is_none() {
            let hint = format!(
                "write a date ({key} = 2026-10-01, midnight in {}) or a time with its offset ({key} = 2026-10-15T13:37:00+02:00)",
                self.zone
            );
            self.error(&value.span(), format!("`{key}`: `{written}` is no instant"), &hint);
        }
        time
    }
}
