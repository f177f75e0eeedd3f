//! A rate: what it charges, how lengths are rounded.

use super::BlockReader;
use super::values::quantity;
use crate::domain::{Kind, Price};
use crate::keyed::{Keyed, Written};
use crate::rate_card::keys::{self, Block};
use crate::rate_card::{Granularity, Meter, Model, Rate, Terms, Tier};

impl BlockReader<'_> {
    /// A rate, also if some of it is wrong: what is wrong between it and others is to be found at the same time.
    pub(super) fn rate(&self, kind: Kind) -> Option<Rate> {
        let validity = self.validity();
        let terms = self.terms(kind);
        let granularity = self.granularity();
        let minimum_seconds = if kind == Kind::Staging { self.keyed.whole("minimum_seconds") } else { None };
        let matcher = self.matcher(Block::Rate(kind))?;
        Some(Rate { kind, matcher, validity, terms, granularity, minimum_seconds, place: self.place() })
    }

    fn terms(&self, kind: Kind) -> Terms {
        let keyed = &self.keyed;
        let free = keyed.has("free").then(|| keyed.is_true("free"));
        let meters = Meter::of(kind);
        // What is no price stands for one: that is told, and the card isn't used.
        let prices: Vec<(Meter, Model)> = meters
            .iter()
            .filter(|meter| keyed.has(meter.name()))
            .map(|meter| (*meter, self.model(*meter).unwrap_or(Model::Flat(Price::ZERO))))
            .collect();
        let multiplier = keyed.has("multiplier").then(|| self.multiplier().unwrap_or(Price::ONE));
        let surcharges = keyed.has("surcharge").then(|| self.surcharge().unwrap_or_default());
        let is_derived = multiplier.is_some() || surcharges.is_some();
        let derived =
            Terms::Derived { multiplier: multiplier.unwrap_or(Price::ONE), surcharges: surcharges.unwrap_or_default() };
        match (free.is_some(), !prices.is_empty(), is_derived) {
            (true, false, false) => {}
            (false, true, false) => return Terms::Prices(prices),
            (false, false, true) => return derived,
            (true, ..) => {
                let hint = "remove free = true, or the prices";
                keyed.error_here(format!("the `{kind}` rate is free and has prices"), hint);
            }
            (false, true, true) => {
                let hint = "give either prices, or a multiplier or surcharge";
                keyed.error_here(format!("the `{kind}` rate has prices, and also changes those of another rate"), hint);
            }
            // A price whose key is misspelt isn't missing.
            (false, false, false) if keyed.has_unknown_key() => {}
            (false, false, false) => {
                let names: Vec<_> = meters.iter().map(|meter| meter.name()).collect();
                let hint = format!("give {}, or free = true", names.join(", "));
                keyed.error_here(format!("the `{kind}` rate has no price"), hint);
            }
        }
        Terms::Free
    }

    fn multiplier(&self) -> Option<Price> {
        let price = self.keyed.decimal("multiplier")?;
        if price.scale() > 6 {
            let shown = format!("`multiplier`: `{price}` has more than 6 decimals");
            self.keyed.error("multiplier", shown, "round it: prices keep 12 decimals");
            return None;
        }
        Some(price)
    }

    fn surcharge(&self) -> Option<Vec<(Meter, Price)>> {
        let keyed = self.keyed.sub_table("surcharge")?;
        let mut surcharges = Vec::new();
        for meter in Meter::ALL.into_iter().filter(|meter| keyed.has(meter.name())) {
            surcharges.push((meter, keyed.decimal(meter.name())?));
        }
        if surcharges.is_empty() {
            if keyed.has_unknown_key() {
                return None;
            }
            keyed.error_here("`surcharge` has no price", "write surcharge = { memory_gib_hour = \"0.001\" }");
            return None;
        }
        Some(surcharges)
    }

    /// `None`: not given, or not understood.
    fn granularity(&self) -> Option<Granularity> {
        let keyed = self.keyed.sub_table("granularity")?;
        let before = keyed.reader.count();
        let (unit, round, per) = (keyed.word("unit"), keyed.word("round"), keyed.word("per"));
        if keyed.reader.count() > before {
            return None;
        }
        let seconds = match unit? {
            "second" => 1,
            "minute" => 60,
            "hour" => 3600,
            other => unreachable!("`{other}` is not a unit"),
        };
        Some(Granularity { seconds, up: round != Some("nearest"), per_day: per == Some("day") })
    }

    fn model(&self, meter: Meter) -> Option<Model> {
        let name = meter.name();
        let value = self.keyed.table.get(name)?;
        let Written::Table(table) = &value.written else { return self.keyed.decimal(name).map(Model::Flat) };
        let Some(unit) = meter.constant_unit() else {
            let hint = "months differ in length: use instance_hour for tiers and packages";
            self.keyed.error(name, format!("`{meter}` takes a single price"), hint);
            return None;
        };
        let price = self.keyed.child(name, table, keys::MODEL.to_vec());
        let model = price.word("model")?;
        let means: &[&str] = match model {
            "flat" => &["model", "price"],
            "package" => &["model", "size", "price"],
            "graduated" | "volume" => &["model", "tiers"],
            other => unreachable!("`{other}` is not a model"),
        };
        for key in keys::MODEL.iter().map(|key| key.name).filter(|key| price.has(key) && !means.contains(key)) {
            let at = price.key_at(key);
            let hint = format!("a {model} price has: {}", means.join(", "));
            price.reader.error(at, format!("`{key}` doesn't apply to a {model} price"), hint);
        }
        for key in means.iter().filter(|key| !price.has(key)) {
            price.missing(key);
        }
        match model {
            "flat" => price.decimal("price").map(Model::Flat),
            "package" => {
                let (size, price) = (quantity(&price, "size", unit), price.decimal("price"));
                Some(Model::Package { size: size?, price: price? })
            }
            "graduated" => tiers(&price, unit).map(Model::Graduated),
            "volume" => tiers(&price, unit).map(Model::Volume),
            other => unreachable!("`{other}` is not a model"),
        }
    }
}

fn tiers(price: &Keyed<'_>, unit: i64) -> Option<Vec<Tier>> {
    let before = price.reader.count();
    let items = price.tables("tiers");
    let mut tiers: Vec<Tier> = Vec::new();
    for (position, tier) in items.iter().enumerate() {
        let each = tier.decimal("price");
        let up_to = quantity(tier, "up_to", unit);
        let (has_end, is_last) = (tier.has("up_to"), position + 1 == items.len());
        if has_end && is_last {
            tier.error("up_to", "the last tier has an end, so usage above it has no price", "remove its up_to");
        }
        if !has_end && !is_last {
            tier.error_here("a tier before the last has no end", "give it an up_to");
        }
        let last = tiers.last().and_then(|last| last.up_to);
        if up_to.zip(last).is_some_and(|(end, last)| last >= end) {
            tier.error("up_to", "the tier ends where the one before it ends, or before", "order tiers by up_to");
        }
        if let Some(price) = each {
            tiers.push(Tier { up_to, price });
        }
    }
    if items.is_empty() && price.has("tiers") && price.reader.count() == before {
        let hint = "write tiers = [{ up_to = \"100\", price = \"0.02\" }, { price = \"0.01\" }]";
        price.error("tiers", "`tiers` is empty", hint);
    }
    (price.has("tiers") && price.reader.count() == before).then_some(tiers)
}
