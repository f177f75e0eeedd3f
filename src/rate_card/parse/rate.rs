//! A rate: what it charges, how lengths are rounded.

use toml::de::{DeTable, DeValue};

use super::{Parser, Value, names};
use crate::domain::{Kind, Price};
use crate::rate_card::keys::{self, Block, Key, Takes};
use crate::rate_card::{Granularity, Meter, Model, Place, Rate, Terms, Tier};

impl<'a> Parser<'a> {
    /// A rate, also if some of it is wrong: what is wrong between it and others is to be found at the same time.
    pub(super) fn rate(&mut self, kind: Kind, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Rate> {
        let validity = self.validity(table, item.span());
        let terms = self.terms(kind, table, item);
        let granularity = table.get("granularity").and_then(|value| self.granularity(value));
        let minimum = table.get("minimum_seconds");
        let minimum_seconds = minimum.and_then(|value| self.whole("minimum_seconds", value, 1, 86_400));
        let matcher = self.matcher(Block::Rate(kind), table, item)?;
        Some(Rate { kind, matcher, validity, terms, granularity, minimum_seconds, place })
    }

    pub(super) fn terms(&mut self, kind: Kind, table: &DeTable<'a>, item: &Value<'a>) -> Terms {
        let free = table.get("free").map(|value| self.is_true("free", value));
        let mut prices = Vec::new();
        let meters = Meter::of(kind);
        for meter in meters {
            if let Some(value) = table.get(meter.name()) {
                // What is no price stands for one: that is told, and the card isn't used.
                prices.push((*meter, self.model(*meter, value).unwrap_or(Model::Flat(Price::ZERO))));
            }
        }
        let multiplier = table.get("multiplier").map(|value| self.multiplier(value).unwrap_or(Price::ONE));
        let surcharges = table.get("surcharge").map(|value| self.surcharge(kind, value).unwrap_or_default());
        let is_derived = multiplier.is_some() || surcharges.is_some();
        let derived =
            Terms::Derived { multiplier: multiplier.unwrap_or(Price::ONE), surcharges: surcharges.unwrap_or_default() };
        let names: Vec<_> = meters.iter().map(|meter| meter.name()).collect();
        match (free.is_some(), !prices.is_empty(), is_derived) {
            (true, false, false) => {}
            (false, true, false) => return Terms::Prices(prices),
            (false, false, true) => return derived,
            (true, ..) => {
                let hint = "remove free = true, or the prices";
                self.error(&item.span(), format!("the `{kind}` rate is free and has prices"), hint);
            }
            (false, true, true) => {
                let hint = "give prices, or what is to become of the next wider rate's: not both";
                self.error(&item.span(), format!("the `{kind}` rate has prices and changes others"), hint);
            }
            // A price whose key is misspelt isn't missing.
            (false, false, false) if self.has_unknown_key => {}
            (false, false, false) => {
                let hint = format!("give {}, or free = true", names.join(", "));
                self.error(&item.span(), format!("the `{kind}` rate has no price"), &hint);
            }
        }
        Terms::Free
    }

    pub(super) fn multiplier(&mut self, value: &Value<'a>) -> Option<Price> {
        let price = self.price("multiplier", value)?;
        if price.scale() > 6 {
            let shown = format!("`multiplier`: `{price}` has more than 6 decimals");
            self.error(&value.span(), shown, "round it: prices keep 12 decimals");
            return None;
        }
        Some(price)
    }

    pub(super) fn surcharge(&mut self, kind: Kind, value: &Value<'a>) -> Option<Vec<(Meter, Price)>> {
        let DeValue::Table(table) = value.get_ref() else {
            let hint = "write surcharge = { memory_gib_hour = \"0.001\" }";
            self.error(&value.span(), "`surcharge` is not a table", hint);
            return None;
        };
        let known: Vec<Key> =
            Block::Rate(kind).keys().into_iter().filter(|key| Meter::from_name(key.name).is_some()).collect();
        self.unknown_keys(table, &known, "`surcharge`");
        let mut surcharges = Vec::new();
        for (key, value) in table {
            if let Some(meter) = Meter::from_name(key.get_ref()) {
                surcharges.push((meter, self.price(meter.name(), value)?));
            }
        }
        if surcharges.is_empty() {
            self.error(&value.span(), "`surcharge` has no price", &format!("give {}", names(&known)));
            return None;
        }
        surcharges.sort_by_key(|(meter, _)| *meter);
        Some(surcharges)
    }

    /// `None`: not understood.
    pub(super) fn granularity(&mut self, value: &Value<'a>) -> Option<Granularity> {
        let DeValue::Table(table) = value.get_ref() else {
            let hint = "write granularity = { unit = \"hour\", round = \"up\", per = \"interval\" }";
            self.error(&value.span(), "`granularity` is not a table", hint);
            return None;
        };
        self.unknown_keys(table, keys::GRANULARITY, "`granularity`");
        let before = self.problems.len();
        let mut word = |key| self.choice(table, key, keys::GRANULARITY);
        let (unit, round, per) = (word("unit"), word("round"), word("per"));
        if self.problems.len() > before {
            return None;
        }
        let seconds = match unit.as_deref() {
            Some("second") => 1,
            Some("minute") => 60,
            Some(_) => 3600,
            None => {
                self.error(&value.span(), "`granularity` has no unit", "write unit = \"minute\" or \"hour\"");
                return None;
            }
        };
        let (up, per_day) = (round.as_deref() != Some("nearest"), per.as_deref() == Some("day"));
        Some(Granularity { seconds, up, per_day })
    }

    pub(super) fn model(&mut self, meter: Meter, value: &Value<'a>) -> Option<Model> {
        let DeValue::Table(table) = value.get_ref() else {
            return self.price(meter.name(), value).map(Model::Flat);
        };
        let Some(unit) = meter.constant_unit() else {
            let hint = "months differ in length: use instance_hour for tiers and packages";
            self.error(&value.span(), format!("`{meter}` takes a price alone"), hint);
            return None;
        };
        let known: Vec<Key> =
            (keys::MODEL.iter().copied()).chain([Key { name: "tiers", takes: Takes::Text, about: "" }]).collect();
        self.unknown_keys(table, &known, &format!("`{meter}`"));
        let model = match table.get("model") {
            None => {
                let hint = "write model = \"graduated\", \"volume\", \"package\" or \"flat\"";
                self.error(&value.span(), format!("`{meter}` has no model"), hint);
                return None;
            }
            Some(_) => self.choice(table, "model", keys::MODEL)?,
        };
        let means: &[&str] = match model.as_str() {
            "flat" => &["model", "price"],
            "package" => &["model", "size", "price"],
            _ => &["model", "tiers"],
        };
        for key in table.keys().filter(|key| known.iter().any(|known| known.name == key.get_ref().as_ref())) {
            if !means.contains(&key.get_ref().as_ref()) {
                let message = format!("`{}` means nothing in a {model} price", key.get_ref());
                self.error(&key.span(), message, &format!("a {model} price has: {}", means.join(", ")));
            }
        }
        match model.as_str() {
            "flat" => {
                self.required(table, value, "price").and_then(|price| self.price("price", price)).map(Model::Flat)
            }
            "package" => {
                let size = self.required(table, value, "size").and_then(|size| self.quantity("size", size, unit));
                let price = self.required(table, value, "price").and_then(|price| self.price("price", price));
                Some(Model::Package { size: size?, price: price? })
            }
            graduated => {
                let tiers = self.required(table, value, "tiers").and_then(|tiers| self.tiers(tiers, unit))?;
                Some(if graduated == "graduated" { Model::Graduated(tiers) } else { Model::Volume(tiers) })
            }
        }
    }

    pub(super) fn tiers(&mut self, value: &Value<'a>, unit: i64) -> Option<Vec<Tier>> {
        let hint = "write tiers = [{ up_to = \"100\", price = \"0.02\" }, { price = \"0.01\" }]";
        let DeValue::Array(items) = value.get_ref() else {
            self.error(&value.span(), "`tiers` is not a list", hint);
            return None;
        };
        let before = self.problems.len();
        let mut tiers: Vec<Tier> = Vec::new();
        for (position, item) in items.iter().enumerate() {
            let DeValue::Table(table) = item.get_ref() else {
                self.error(&item.span(), "a tier is not a table", hint);
                continue;
            };
            self.unknown_keys(table, keys::TIER, "a tier");
            let price = self.required(table, item, "price").and_then(|price| self.price("price", price));
            let up_to = table.get("up_to").map(|up_to| (up_to.span(), self.quantity("up_to", up_to, unit)));
            let is_last = position + 1 == items.len();
            match &up_to {
                Some((span, _)) if is_last => {
                    self.error(span, "the last tier has an end: what lies above has no price", "leave its up_to out");
                }
                None if !is_last => {
                    self.error(&item.span(), "a tier before the last has no end", "give it an up_to");
                }
                _ => {}
            }
            if let (Some((span, Some(end))), Some(last)) = (&up_to, tiers.last())
                && last.up_to.is_some_and(|last| last >= *end)
            {
                self.error(span, "the tier ends where the one before it ends, or before", "order tiers by up_to");
            }
            if let Some(price) = price {
                tiers.push(Tier { up_to: up_to.and_then(|(_, up_to)| up_to), price });
            }
        }
        if items.is_empty() {
            self.error(&value.span(), "`tiers` is empty", hint);
        }
        (self.problems.len() == before).then_some(tiers)
    }
}
