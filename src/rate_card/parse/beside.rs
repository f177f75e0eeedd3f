//! What stands beside rates: allowances, discounts, minimums, commitments, taxes.

use rust_decimal::Decimal;
use serde_spanned::Spanned;
use toml::de::DeTable;

use super::{Parser, Value};
use crate::domain::{Currency, Kind, Price};
use crate::rate_card::keys::Block;
use crate::rate_card::{Allowance, Discount, Floor, FloorKind, Meter, Off, Per, Place, Tax, Whom};

impl<'a> Parser<'a> {
    pub(super) fn allowance(&mut self, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Allowance> {
        let validity = self.validity(table, item.span());
        let keys = Block::Allowance.keys();
        let kind = self.required(table, item, "kind").and_then(|_| self.choice(table, "kind", &keys));
        let meter = self.required(table, item, "meter").and_then(|_| self.choice(table, "meter", &keys));
        let kind = kind.and_then(|name| Kind::from_name(&name));
        let meter = meter.and_then(|name| Meter::from_name(&name));
        if let (Some(kind), Some(meter)) = (kind, meter)
            && !Meter::of(kind).contains(&meter)
        {
            let span = table.get("meter").map_or(item.span(), Spanned::span);
            let hint = format!(
                "a {kind} has {}",
                Meter::of(kind).iter().map(|meter| meter.name()).collect::<Vec<_>>().join(", ")
            );
            self.error(&span, format!("`{meter}` is no quantity of a {kind}"), &hint);
            return None;
        }
        let unit = meter.map(Meter::constant_unit);
        if unit == Some(None) {
            let hint = "months differ in length: use instance_hour";
            self.error(&item.span(), "an allowance of `month`", hint);
            return None;
        }
        let quantity = self.required(table, item, "amount");
        let quantity = quantity.and_then(|value| self.quantity("amount", value, unit.flatten().unwrap_or(1)));
        let per = match self.choice(table, "per", &keys).as_deref() {
            Some("org") => Per::Organization,
            _ => Per::Account,
        };
        let name = table.get("name").map(|value| self.text("name", value));
        let matcher = self.matcher(Block::Allowance, table, item);
        if let Some(kind) = kind {
            let of_kind = Block::Rate(kind).keys();
            let narrowing = ["buildpack", "buildpack_guid", "buildpack_pattern", "without_buildpack", "process_type"];
            let narrowing = narrowing.into_iter().chain(["plan_guid", "offering", "plan", "broker", "user_provided"]);
            for key in narrowing.filter(|name| !of_kind.iter().any(|key| key.name == *name)) {
                if let Some((written, _)) = table.get_key_value(key) {
                    let message = format!("`{key}` means nothing for a {kind}");
                    self.error(&written.span(), message, "remove it, or say another kind");
                }
            }
        }
        let (kind, meter) = (kind?, meter?);
        Some(Allowance {
            name: match name {
                Some(name) => name?,
                None => format!("{kind} {meter} allowance"),
            },
            kind,
            meter,
            matcher: matcher?,
            validity,
            quantity: quantity?,
            per,
            place,
        })
    }

    pub(super) fn discount(
        &mut self,
        table: &DeTable<'a>,
        item: &Value<'a>,
        place: Place,
        currency: Option<Currency>,
    ) -> Option<Discount> {
        let validity = self.validity(table, item.span());
        let whom = self.whom(table, item);
        let kind = self.choice(table, "kind", &Block::Discount.keys()).and_then(|name| Kind::from_name(&name));
        let name = table.get("name").map(|value| self.text("name", value));
        let off = match (table.get("percent"), table.get("amount")) {
            (Some(percent), None) => self.percent(percent).map(Off::Percent),
            (None, Some(amount)) => {
                let narrowed = kind.is_some() || matches!(whom, Some(ref whom) if !is_for_accounts(whom));
                if narrowed {
                    let hint = "an amount is taken off the whole invoice: narrow it by account alone, or use percent";
                    self.error(&item.span(), "the `discount` takes an amount off a part of an invoice", hint);
                }
                self.amount("amount", amount, currency).map(Off::Amount).filter(|_| !narrowed)
            }
            _ => {
                let hint = "give percent or amount, and not both";
                self.error(&item.span(), "the `discount` doesn't say what it takes off", hint);
                None
            }
        };
        Some(Discount {
            name: match name {
                Some(name) => name?,
                None => "discount".to_owned(),
            },
            whom: whom?,
            kind,
            validity,
            off: off?,
            place,
        })
    }

    pub(super) fn floor(
        &mut self,
        floor: FloorKind,
        table: &DeTable<'a>,
        item: &Value<'a>,
        place: Place,
        currency: Option<Currency>,
    ) -> Option<Floor> {
        let validity = self.validity(table, item.span());
        let whom = self.whom(table, item);
        let name = table.get("name").map(|value| self.text("name", value));
        let amount = self.required(table, item, "amount").and_then(|value| self.amount("amount", value, currency));
        Some(Floor {
            floor,
            name: match name {
                Some(name) => name?,
                None => floor.name().to_owned(),
            },
            whom: whom?,
            validity,
            amount: amount?,
            place,
        })
    }

    pub(super) fn tax(&mut self, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Tax> {
        let validity = self.validity(table, item.span());
        let name = table.get("name").map(|value| self.text("name", value));
        let category = match table.get("category") {
            None => Some("S".to_owned()),
            Some(_) => self.choice(table, "category", &Block::Tax.keys()),
        };
        let percent = self.required(table, item, "percent");
        let percent = percent.and_then(|value| Some((value.span(), self.price("percent", value)?)));
        let (span, percent) = percent?;
        let category = category?;
        let message = if percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > 4 {
            Some(format!("`percent`: `{percent}` is not between 0 and 100, with 4 decimals at most"))
        } else if category != "S" && percent != Price::ZERO {
            Some(format!("`percent`: category {category} has no tax, and `{percent}` is given"))
        } else if category == "S" && percent == Price::ZERO {
            Some("`percent`: the standard category has a tax, and `0` is given".to_owned())
        } else {
            None
        };
        if let Some(message) = message {
            self.error(
                &span,
                message,
                "write category = \"S\" and percent = \"19\", or category = \"Z\" and percent = \"0\"",
            );
            return None;
        }
        Some(Tax {
            validity,
            name: match name {
                Some(name) => name?,
                None => "VAT".to_owned(),
            },
            category,
            percent,
            place,
        })
    }
}

/// Whether it means whole accounts.
fn is_for_accounts(whom: &Whom) -> bool {
    matches!(whom, Whom::Everyone | Whom::Account(_))
}
