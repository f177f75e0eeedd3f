//! Reads a card's TOML; reports all problems at once, each with its place and a hint.

use std::ops::Range;

use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Block, Key, Takes};
use super::{
    Allowance, Discount, Floor, FloorKind, Granularity, Label, Matcher, Meter, Model, Off, Pattern, Per, Place,
    Problem, Rate, RateCard, Severity, Tax, Terms, Tier, Validity, What, Whom, check,
};
use crate::domain::period::start_of_day;
use crate::domain::text::{Position, did_you_mean, position};
use crate::domain::{Amount, Currency, Guid, Kind, Price, Rounding, Timestamp};

/// One file of a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardFile {
    /// Names it in problems.
    pub name: String,
    pub text: String,
}

/// Reads a card from all its files, in whatever order; dates are midnights in `zone`.
///
/// Gives the card unless there are errors, and every problem found, in the order of the text.
#[must_use]
pub fn parse(files: &[CardFile], zone: Tz) -> (Option<RateCard>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut card: Option<Read> = None;
    let mut files: Vec<&CardFile> = files.iter().collect();
    files.sort_by(|one, two| one.name.cmp(&two.name));
    for file in &files {
        let mut parser =
            Parser { file: &file.name, text: &file.text, zone, problems: Vec::new(), top: Validity::default() };
        let read = parser.file();
        problems.extend(parser.problems);
        if let Some(read) = read {
            match &mut card {
                None => card = Some(read),
                Some(card) => card.add(read, &mut problems),
            }
        }
    }
    if files.is_empty() {
        let place = Place { file: "rates".to_owned(), line: 1, column: 1 };
        let hint = "give a TOML file, or a folder of them".to_owned();
        problems.push(Problem::at(&place, Severity::Error, "there is no rate card".to_owned(), hint));
    }
    let card = card.map(|read| read.card(&mut problems));
    if let Some(card) = &card {
        problems.extend(check::between(card));
    }
    problems.sort_by(|one, two| (&one.file, one.position).cmp(&(&two.file, two.position)));
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    (card.filter(|_| !refused), problems)
}

/// What a file says; `None` for what it should say and doesn't.
struct Read {
    place: Place,
    /// It has blocks, right or wrong.
    has_blocks: bool,
    name: Option<String>,
    currency: Option<Currency>,
    rounding: Option<Rounding>,
    taxes: Vec<Tax>,
    rates: Vec<Rate>,
    allowances: Vec<Allowance>,
    discounts: Vec<Discount>,
    floors: Vec<Floor>,
}

impl Read {
    /// Adds another file of the same card.
    fn add(&mut self, other: Self, problems: &mut Vec<Problem>) {
        let mut differs = |what: &str, ours: Option<String>, theirs: Option<String>| {
            if let (Some(ours), Some(theirs)) = (&ours, &theirs)
                && ours != theirs
            {
                let message = format!("`{theirs}` is another {what} than `{ours}` in {}", self.place.file);
                let hint = format!("all files of a folder are one card: give them one {what}, or folders of their own");
                problems.push(Problem::at(&other.place, Severity::Error, message, hint));
            }
        };
        differs("name", self.name.clone(), other.name.clone());
        let code = |currency: Option<Currency>| currency.map(|currency| currency.code().to_owned());
        differs("currency", code(self.currency), code(other.currency));
        let rule = |rounding: Option<Rounding>| rounding.map(|rounding| rounding.name().to_owned());
        differs("rounding", rule(self.rounding), rule(other.rounding));
        self.rounding = self.rounding.or(other.rounding);
        self.taxes.extend(other.taxes);
        self.has_blocks |= other.has_blocks;
        self.rates.extend(other.rates);
        self.allowances.extend(other.allowances);
        self.discounts.extend(other.discounts);
        self.floors.extend(other.floors);
    }

    /// A card, also if a problem keeps it from being used: what is wrong between its blocks is to be found.
    fn card(self, problems: &mut Vec<Problem>) -> RateCard {
        if self.rates.is_empty() && (!self.has_blocks || problems.is_empty()) {
            let (message, hint) = ("the card has no rates".to_owned(), "begin with [[process]]".to_owned());
            problems.push(Problem::at(&self.place, Severity::Error, message, hint));
        }
        RateCard {
            name: self.name.unwrap_or_default(),
            currency: self.currency.unwrap_or(Currency::EUR),
            rounding: self.rounding.unwrap_or_default(),
            rates: self.rates,
            allowances: self.allowances,
            discounts: self.discounts,
            floors: self.floors,
            taxes: self.taxes,
        }
    }
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    zone: Tz,
    problems: Vec<Problem>,
    /// What the file says for blocks that don't.
    top: Validity,
}

type Value<'a> = Spanned<DeValue<'a>>;

/// The names of keys, for hints.
fn names(keys: &[Key]) -> String {
    keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

impl<'a> Parser<'a> {
    fn place(&self, offset: usize) -> Place {
        let Position { line, column } = position(self.text, offset);
        Place { file: self.file.to_owned(), line, column }
    }

    fn error(&mut self, span: &Range<usize>, message: impl Into<String>, hint: &str) {
        let place = self.place(span.start);
        self.problems.push(Problem::at(&place, Severity::Error, message.into(), hint.to_owned()));
    }

    fn file(&mut self) -> Option<Read> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(&span, error.message(), "TOML: [[process]] and so on, then key = \"value\", a line each");
        }
        if !self.problems.is_empty() {
            // What follows would be guessed from half a file.
            return None;
        }
        let table = table.into_inner();
        let known: Vec<&str> =
            keys::TOP.iter().map(|key| key.name).chain(Block::ALL.iter().map(|block| block.name())).collect();
        for (key, _) in &table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                let hint = near.unwrap_or_else(|| format!("a card has: {}", known.join(", ")));
                self.error(&key.span(), format!("unknown key `{name}`"), &hint);
            }
        }
        self.top = self.validity(&table, 0..0);
        let name = self.required_text(&table, "name");
        let currency = self.currency(&table);
        let rounding = self.choice(&table, "rounding", keys::TOP).and_then(|name| Rounding::from_name(&name));
        let mut read = Read {
            place: self.place(0),
            has_blocks: Block::ALL.iter().any(|block| table.contains_key(block.name())),
            name,
            currency,
            rounding,
            taxes: Vec::new(),
            rates: Vec::new(),
            allowances: Vec::new(),
            discounts: Vec::new(),
            floors: Vec::new(),
        };
        for block in Block::ALL {
            let Some(value) = table.get(block.name()) else { continue };
            let DeValue::Array(items) = value.get_ref() else {
                let span = table.get_key_value(block.name()).map_or(0..0, |(key, _)| key.span());
                self.not_a_list(block, &span);
                continue;
            };
            for item in items {
                self.block(block, item, &mut read);
            }
        }
        // In the order of the text, whatever the kinds.
        read.rates.sort_by(|one, two| one.place.cmp(&two.place));
        read.floors.sort_by(|one, two| one.place.cmp(&two.place));
        Some(read)
    }

    fn not_a_list(&mut self, block: Block, span: &Range<usize>) {
        let (name, hint) = (block.name(), format!("write [[{}]]", block.name()));
        self.error(span, format!("`{name}` is not a list"), &hint);
    }

    fn block(&mut self, block: Block, item: &Value<'a>, read: &mut Read) {
        let DeValue::Table(table) = item.get_ref() else {
            self.not_a_list(block, &item.span());
            return;
        };
        self.unknown_keys(table, &block.keys(), &format!("`{}`", block.name()));
        let place = self.place(item.span().start);
        match block {
            Block::Rate(kind) => read.rates.extend(self.rate(kind, table, item, place)),
            Block::Allowance => read.allowances.extend(self.allowance(table, item, place)),
            Block::Discount => read.discounts.extend(self.discount(table, item, place, read.currency)),
            Block::Minimum => read.floors.extend(self.floor(FloorKind::Minimum, table, item, place, read.currency)),
            Block::Commitment => {
                read.floors.extend(self.floor(FloorKind::Commitment, table, item, place, read.currency));
            }
            Block::Tax => read.taxes.extend(self.tax(table, item, place)),
        }
    }

    fn unknown_keys(&mut self, table: &DeTable<'a>, known: &[Key], of: &str) {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !known.iter().any(|key| key.name == name) {
                let near = did_you_mean(name, known.iter().map(|key| key.name));
                let hint = near.unwrap_or_else(|| format!("{of} has: {}", names(known)));
                self.error(&key.span(), format!("unknown key `{name}` in {of}"), &hint);
            }
        }
    }

    fn currency(&mut self, table: &DeTable<'a>) -> Option<Currency> {
        let code = self.required_text(table, "currency")?;
        let currency = Currency::from_code(&code);
        if currency.is_none() {
            let span = table.get("currency").map_or(0..0, Spanned::span);
            self.error(&span, format!("`{code}` is not a currency"), "use an ISO 4217 code such as EUR");
        }
        currency
    }

    fn required_text(&mut self, table: &DeTable<'a>, key: &str) -> Option<String> {
        let Some(value) = table.get(key) else {
            let example = if key == "currency" { "EUR" } else { "standard" };
            let hint = format!("write {key} = \"{example}\"");
            self.error(&(0..0), format!("`{key}` is missing"), &hint);
            return None;
        };
        self.text(key, value)
    }

    fn text(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
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
    fn choice(&mut self, table: &DeTable<'a>, key: &str, keys: &[Key]) -> Option<String> {
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

    fn validity(&mut self, table: &DeTable<'a>, whole: Range<usize>) -> Validity {
        let from = table.get("from").map(|value| self.time("from", value));
        let to = table.get("to").map(|value| self.time("to", value));
        if let (Some(Some(from)), Some(Some(to))) = (from, to)
            && to <= from
        {
            let span = table.get("to").map_or(whole, Spanned::span);
            self.error(
                &span,
                format!("it ends at {to}, not after it begins at {from}"),
                "`to` is the first instant at which it no longer applies",
            );
        }
        Validity { from: from.flatten().or(self.top.from), to: to.flatten().or(self.top.to) }
    }

    /// A rate, also if some of it is wrong: what is wrong between it and others is to be found at the same time.
    fn rate(&mut self, kind: Kind, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Rate> {
        let validity = self.validity(table, item.span());
        let terms = self.terms(kind, table, item);
        let granularity = table.get("granularity").and_then(|value| self.granularity(value));
        let minimum = table.get("minimum_seconds");
        let minimum_seconds = minimum.and_then(|value| self.whole("minimum_seconds", value, 1, 86_400));
        let matcher = self.matcher(Block::Rate(kind), table, item)?;
        Some(Rate { kind, matcher, validity, terms, granularity, minimum_seconds, place })
    }

    fn terms(&mut self, kind: Kind, table: &DeTable<'a>, item: &Value<'a>) -> Terms {
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
            (false, false, false) => {
                let hint = format!("give {}, or free = true", names.join(", "));
                self.error(&item.span(), format!("the `{kind}` rate has no price"), &hint);
            }
        }
        Terms::Free
    }

    fn multiplier(&mut self, value: &Value<'a>) -> Option<Price> {
        let price = self.price("multiplier", value)?;
        if price.scale() > 6 {
            let shown = format!("`multiplier`: `{price}` has more than 6 decimals");
            self.error(&value.span(), shown, "round it: prices keep 12 decimals");
            return None;
        }
        Some(price)
    }

    fn surcharge(&mut self, kind: Kind, value: &Value<'a>) -> Option<Vec<(Meter, Price)>> {
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

    /// `None`: by the second, or not understood.
    fn granularity(&mut self, value: &Value<'a>) -> Option<Granularity> {
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
            Some("second") => return None,
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

    fn model(&mut self, meter: Meter, value: &Value<'a>) -> Option<Model> {
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

    fn required<'table>(
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
                key => format!("write {key} = \"…\""),
            };
            self.error(&whole.span(), format!("`{key}` is missing"), &hint);
        }
        value
    }

    fn tiers(&mut self, value: &Value<'a>, unit: i64) -> Option<Vec<Tier>> {
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

    /// So many units, as a meter's quantity: a whole number, more than nothing.
    fn quantity(&mut self, key: &str, value: &Value<'a>, unit: i64) -> Option<i64> {
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
                let message = format!("`{key}`: `{units}` is no whole number of seconds");
                self.error(&value.span(), message, "use fewer decimals, such as 0.25 or 0.1");
                None
            }
        }
    }

    fn whole(&mut self, key: &str, value: &Value<'a>, min: i64, max: i64) -> Option<i64> {
        let number = match value.get_ref() {
            DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (min..=max).contains(number));
        if number.is_none() {
            let written = &self.text[value.span()];
            let message = format!("`{key}`: `{written}` is not a whole number from {min} to {max}");
            self.error(&value.span(), message, &format!("write {key} = {min}"));
        }
        number
    }

    /// What the narrowing keys of a block say.
    fn matcher(&mut self, block: Block, table: &DeTable<'a>, item: &Value<'a>) -> Option<Matcher> {
        let whom = self.whom(table, item);
        let mut text = |key: &str| table.get(key).map(|value| self.text(key, value));
        let (buildpack, buildpack_guid, pattern) =
            (text("buildpack"), text("buildpack_guid"), text("buildpack_pattern"));
        let (plan_guid, offering, plan) = (text("plan_guid"), text("offering"), text("plan"));
        let process_type = text("process_type");
        let without = table.get("without_buildpack").map(|value| self.is_true("without_buildpack", value));
        let user_provided = table.get("user_provided").map(|value| self.is_true("user_provided", value));
        let name = block.name();
        let given = [
            buildpack.is_some(),
            buildpack_guid.is_some(),
            pattern.is_some(),
            without.is_some(),
            plan_guid.is_some(),
            offering.is_some() || plan.is_some(),
            user_provided.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let hint = if block == Block::Rate(Kind::Service) {
                "name the plan with plan_guid, or with offering and plan"
            } else {
                "keep one of buildpack, buildpack_guid, buildpack_pattern and without_buildpack"
            };
            self.error(&item.span(), format!("the `{name}` says twice what it is for"), hint);
            return None;
        }
        if plan.is_some() && offering.is_none() {
            let hint = "name the plan with plan_guid, or with offering and plan";
            self.error(&item.span(), format!("the `{name}` names half a plan"), hint);
            return None;
        }
        let what = if let Some(name) = buildpack {
            What::Buildpack(name?)
        } else if let Some(guid) = buildpack_guid {
            What::BuildpackGuid(guid?)
        } else if let Some(pattern) = pattern {
            What::BuildpackPattern(Pattern::new(&pattern?))
        } else if let Some(without) = without {
            without.map(|()| What::WithoutBuildpack)?
        } else if let Some(guid) = plan_guid {
            What::PlanGuid(Guid::new(&guid?))
        } else if let Some(offering) = offering {
            match plan {
                Some(plan) => What::PlanName { offering: offering?, plan: plan? },
                None => What::Offering(offering?),
            }
        } else if let Some(user_provided) = user_provided {
            user_provided.map(|()| What::UserProvided)?
        } else {
            What::Any
        };
        let process_type = match process_type {
            None => None,
            Some(process_type) => Some(process_type?),
        };
        Some(Matcher { whom: whom?, what, process_type })
    }

    fn whom(&mut self, table: &DeTable<'a>, item: &Value<'a>) -> Option<Whom> {
        let keys = ["account", "org", "org_label", "space_label"];
        let mut given = keys.into_iter().filter_map(|key| Some((key, table.get(key)?)));
        let Some((key, value)) = given.next() else { return Some(Whom::Everyone) };
        if given.next().is_some() {
            let hint = "keep one of account, org, org_label and space_label";
            self.error(&item.span(), "it says twice for whom it is", hint);
            return None;
        }
        let text = self.text(key, value)?;
        let parts = |separator| text.split_once(separator).filter(|(one, two)| !one.is_empty() && !two.is_empty());
        let label = || parts('=').map(|(key, value)| Label { key: key.to_owned(), value: value.to_owned() });
        let (whom, form) = match key {
            "account" => (Some(Whom::Account(text.clone())), ""),
            "org" => {
                let org = parts('/').map(|(foundation, organization)| Whom::Organization {
                    foundation: foundation.to_owned(),
                    organization: organization.to_owned(),
                });
                (org, "FOUNDATION/ORG, with the org's name or guid")
            }
            "org_label" => (label().map(Whom::OrganizationLabel), "KEY=VALUE"),
            _ => (label().map(Whom::SpaceLabel), "KEY=VALUE"),
        };
        if whom.is_none() {
            self.error(&value.span(), format!("`{key}`: `{text}` isn't of that form"), &format!("write {form}"));
        }
        whom
    }

    fn allowance(&mut self, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Allowance> {
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

    fn discount(
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

    fn percent(&mut self, value: &Value<'a>) -> Option<Price> {
        let percent = self.price("percent", value)?;
        if percent == Price::ZERO || percent.decimal() > Decimal::ONE_HUNDRED || percent.scale() > 6 {
            let message = format!("`percent`: `{percent}` is not between 0 and 100, with 6 decimals at most");
            self.error(&value.span(), message, "write percent = \"10\"");
            return None;
        }
        Some(percent)
    }

    fn floor(
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

    fn tax(&mut self, table: &DeTable<'a>, item: &Value<'a>, place: Place) -> Option<Tax> {
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

    /// An amount of the card's currency, with no more decimals than it has.
    fn amount(&mut self, key: &str, value: &Value<'a>, currency: Option<Currency>) -> Option<Amount> {
        let price = self.price(key, value)?;
        // What the currency is is told already.
        let digits = currency?.digits();
        if price.scale() > digits {
            let message = format!("`{key}`: `{price}` has more decimals than the {digits} of the currency");
            self.error(&value.span(), message, "an amount is paid as it stands: round it");
            return None;
        }
        let minor = price.decimal().checked_mul(Decimal::from(10_i64.pow(digits)));
        let amount = minor.and_then(|minor| minor.to_i64()).filter(|minor| *minor > 0).map(Amount);
        if amount.is_none() {
            self.error(&value.span(), format!("`{key}` is nothing"), "give more than 0, or remove the block");
        }
        amount
    }

    fn is_true(&mut self, key: &str, value: &Value<'a>) -> Option<()> {
        let is_true = matches!(value.get_ref(), DeValue::Boolean(true));
        if !is_true {
            let hint = format!("leave it out, or write {key} = true");
            self.error(&value.span(), format!("`{key}` is not true"), &hint);
        }
        is_true.then_some(())
    }

    fn price(&mut self, key: &str, value: &Value<'a>) -> Option<Price> {
        let written = self.text[value.span()].to_owned();
        match value.get_ref() {
            DeValue::String(text) => match text.parse() {
                Ok(price) => Some(price),
                Err(error) => {
                    let hint = "digits and a point, no sign, no comma, no exponent";
                    self.error(&value.span(), format!("`{key}`: {error}"), hint);
                    None
                }
            },
            DeValue::Float(_) | DeValue::Integer(_) => {
                let hint = format!("quote it, so that it stays exact: {key} = \"{written}\"");
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

    fn time(&mut self, key: &str, value: &Value<'a>) -> Option<Timestamp> {
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

/// Whether it means whole accounts.
fn is_for_accounts(whom: &Whom) -> bool {
    matches!(whom, Whom::Everyone | Whom::Account(_))
}
