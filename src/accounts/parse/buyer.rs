//! Who the buyer is, and on what terms.

use rust_decimal::Decimal;
use toml::de::DeTable;

use super::super::Terms;
use super::{Parser, span_of};
use crate::domain::codes::{self, Wrong};
use crate::domain::{Currency, Price};
use crate::invoicing::{AccountTax, ElectronicAddress, GroupBy, Language, Particulars, Party, Payment};

/// Lines of an address that an e-invoice has room for.
const ADDRESS_LINES: usize = 3;
/// A year to pay.
const MOST_PAYMENT_DAYS: u32 = 365;
/// Decimals of a tax, as in rate cards.
const TAX_DECIMALS: u32 = 4;

impl<'a> Parser<'a> {
    pub(super) fn buyer(&mut self, table: &DeTable<'a>, name: &str) -> Party {
        let legal_name = self.text(table, "legal_name");
        Party {
            name: legal_name.unwrap_or_else(|| name.to_owned()),
            address_lines: self.lines(table, "address", ADDRESS_LINES),
            postal_code: self.text(table, "postal_code"),
            city: self.text(table, "city"),
            region: self.text(table, "region"),
            country: self.code(table, "country", codes::country),
            vat_id: self.code(table, "vat_id", codes::vat_id),
            tax_number: self.text(table, "tax_number"),
            registration: self.text(table, "registration"),
            contact: self.text(table, "contact"),
            email: self.code(table, "email", codes::email),
            phone: self.text(table, "phone"),
            electronic_address: self.electronic_address(table),
        }
    }

    /// A code, as it is written. One that is none keeps the account's invoices from being final, and nothing else.
    fn code(&mut self, table: &DeTable<'a>, key: &str, check: fn(&str) -> Result<(), Wrong>) -> Option<String> {
        let code = self.text(table, key)?;
        if let Err(wrong) = check(&code) {
            self.unfit(&span_of(table, key), format!("`{key}`: {}", wrong.what), wrong.hint(key));
        }
        Some(code)
    }

    fn electronic_address(&mut self, table: &DeTable<'a>) -> Option<ElectronicAddress> {
        const KEY: &str = "electronic_address";
        let text = self.text(table, KEY)?;
        match codes::scheme_and_id(&text) {
            Ok((scheme, id)) => Some(ElectronicAddress { scheme: scheme.to_owned(), id: id.to_owned() }),
            Err(wrong) => {
                self.unfit(&span_of(table, KEY), format!("`{KEY}`: {}", wrong.what), wrong.hint(KEY));
                None
            }
        }
    }

    /// What `[defaults]` may say, too; `of` holds where it says nothing.
    pub(super) fn terms(&mut self, table: &DeTable<'a>, of: &Terms) -> Terms {
        let currency = self.currency(table);
        let tax = self.tax(table);
        let days = self.whole(table, "payment_days", MOST_PAYMENT_DAYS);
        let payment_terms = table.get("payment_terms").and_then(|value| self.long_text("payment_terms", value));
        let language = self.choice(table, "language").and_then(|code| Language::from_code(&code));
        let group_by = self.choices(table, "group_by");
        let group_by =
            group_by.map(|words| words.iter().filter_map(|word| GroupBy::from_name(word)).collect::<Vec<_>>());
        let before = &of.particulars;
        let payment = Payment {
            days: days.unwrap_or(before.payment.days),
            terms: payment_terms.or_else(|| before.payment.terms.clone()),
            ..Payment::default()
        };
        Terms {
            currency: currency.or(of.currency),
            tax: tax.or_else(|| of.tax.clone()),
            particulars: Particulars {
                payment,
                language: language.unwrap_or(before.language),
                group_by: group_by.unwrap_or_else(|| before.group_by.clone()),
                ..Particulars::default()
            },
        }
    }

    fn currency(&mut self, table: &DeTable<'a>) -> Option<Currency> {
        let code = self.text(table, "currency")?;
        let currency = Currency::from_code(&code);
        if currency.is_none() {
            let span = span_of(table, "currency");
            let hint = Currency::from_code(&code.to_uppercase()).map_or_else(
                || "use an ISO 4217 code such as EUR".to_owned(),
                |meant| format!("write currency = \"{meant}\""),
            );
            self.error(&span, format!("`{code}` is not a currency"), hint);
        }
        currency
    }

    /// The three keys of a tax, which are one thing: who gives one of them has none from the defaults.
    fn tax(&mut self, table: &DeTable<'a>) -> Option<AccountTax> {
        let problems = self.problems.len();
        let category = self.choice(table, "tax_category");
        let percent = self.decimal(table, "tax_percent");
        let reason = self.text(table, "tax_exemption_reason");
        if self.problems.len() > problems || (&category, percent, &reason) == (&None, None, &None) {
            return None;
        }
        let span = |key: &str| span_of(table, key);
        let has_reason = reason.is_some();
        if category.is_none() && has_reason {
            let hint = "give tax_category = \"AE\" (reverse charge), \"E\", \"K\", \"G\" or \"O\", too";
            self.error(&span("tax_exemption_reason"), "a `tax_exemption_reason` without `tax_category`", hint);
            return None;
        }
        let category = category.unwrap_or_else(|| "S".to_owned());
        let taxed = category == "S";
        if let Some(percent) = percent {
            let hint = "write tax_category = \"S\" and tax_percent = \"19\", or another category without a percent";
            let what = if percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > TAX_DECIMALS {
                Some(format!("`{percent}` is not between 0 and 100, with {TAX_DECIMALS} decimals at most"))
            } else if taxed && percent == Price::ZERO {
                Some("the standard category has a tax, and `0` is given".to_owned())
            } else if !taxed && percent != Price::ZERO {
                Some(format!("category {category} has no tax, and `{percent}` is given"))
            } else {
                None
            };
            if let Some(what) = what {
                self.error(&span("tax_percent"), format!("`tax_percent`: {what}"), hint);
            }
        }
        if has_reason && (taxed || category == "Z") {
            let what = format!("`tax_exemption_reason`: category {category} isn't exempt");
            self.error(&span("tax_exemption_reason"), what, "remove it, or give the category that it is the reason of");
        }
        (self.problems.len() == problems).then_some(AccountTax { category, percent, exemption_reason: reason })
    }
}
