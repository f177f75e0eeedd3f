//! Reads a card's TOML; reports all problems at once, each with its place and a hint.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Matcher, Meter, Rate, RateCard};
use crate::domain::period::start_of_day;
use crate::domain::text::{Position, did_you_mean, position};
use crate::domain::{Currency, Guid, Kind, Price, Timestamp};

/// Whether a card with the problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong with a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub file: String,
    pub position: Position,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(formatter, "{}:{line}:{column}: {}", self.file, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Reads a card. `file` names it in problems; dates are midnights in `zone`.
///
/// Gives the card unless there are errors, and every problem found, in the order of the text.
#[must_use]
pub fn parse(file: &str, text: &str, zone: Tz) -> (Option<RateCard>, Vec<Problem>) {
    let mut parser = Parser { file, text, zone, problems: Vec::new() };
    let card = parser.card();
    let mut problems = parser.problems;
    problems.sort_by_key(|problem| problem.position);
    let refused = problems.iter().any(|problem| problem.severity == Severity::Error);
    (card.filter(|_| !refused), problems)
}

const TOP: [&str; 6] = ["name", "currency", "process", "staging", "task", "service"];

/// The keys of a rate of that kind.
fn keys_of(kind: Kind) -> Vec<&'static str> {
    let narrowed: &[_] = match kind {
        Kind::Process | Kind::Staging => &["buildpack"],
        Kind::Task => &[],
        Kind::Service => &["plan_guid", "offering", "plan"],
    };
    let meters = meters_of(kind).iter().map(|meter| meter.name());
    ["from", "to", "free"].into_iter().chain(narrowed.iter().copied()).chain(meters).collect()
}

/// What can be priced of a kind. Service instances have no memory or disk of their own.
fn meters_of(kind: Kind) -> &'static [Meter] {
    match kind {
        Kind::Service => &[Meter::InstanceHour],
        Kind::Process | Kind::Staging | Kind::Task => &Meter::ALL,
    }
}

struct Parser<'a> {
    file: &'a str,
    text: &'a str,
    zone: Tz,
    problems: Vec<Problem>,
}

type Value<'a> = Spanned<DeValue<'a>>;

impl<'a> Parser<'a> {
    fn report(&mut self, severity: Severity, span: &Range<usize>, message: impl Into<String>, hint: Option<&str>) {
        self.problems.push(Problem {
            severity,
            file: self.file.to_owned(),
            position: position(self.text, span.start),
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }

    fn error(&mut self, span: &Range<usize>, message: impl Into<String>, hint: Option<&str>) {
        self.report(Severity::Error, span, message, hint);
    }

    fn card(&mut self) -> Option<RateCard> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            self.error(&span, error.message(), Some("TOML: [[process]] and so on, then key = \"value\", a line each"));
        }
        if !self.problems.is_empty() {
            // What follows would be guessed from half a file.
            return None;
        }
        let table = table.into_inner();
        for (key, _) in &table {
            let name = key.get_ref().as_ref();
            if !TOP.contains(&name) {
                let hint = did_you_mean(name, TOP.into_iter());
                self.error(&key.span(), format!("unknown key `{name}`"), hint.as_deref());
            }
        }
        let name = self.required_text(&table, "name");
        let currency = self.currency(&table);
        let mut rates = Vec::new();
        for kind in Kind::ALL {
            match table.get(kind.name()).map(Spanned::get_ref) {
                None => {}
                Some(DeValue::Array(items)) => {
                    for item in items {
                        rates.extend(self.rate(kind, item).map(|rate| (item.span(), rate)));
                    }
                }
                Some(_) => {
                    let span = table.get_key_value(kind.name()).map_or(0..0, |(key, _)| key.span());
                    let hint = format!("write [[{kind}]]");
                    self.error(&span, format!("`{kind}` is not a list of rates"), Some(&hint));
                }
            }
        }
        self.check_rates(&rates);
        if table.is_empty() || rates.is_empty() && self.problems.is_empty() {
            self.error(&(0..0), "the card has no rates", Some("begin with [[process]]"));
        }
        let mut rates: Vec<Rate> = rates.into_iter().map(|(_, rate)| rate).collect();
        rates.sort_by_key(|rate| rate.line);
        Some(RateCard { name: name?, currency: currency?, rates })
    }

    fn currency(&mut self, table: &DeTable<'a>) -> Option<Currency> {
        let code = self.required_text(table, "currency")?;
        let currency = Currency::from_code(&code);
        if currency.is_none() {
            let span = table.get("currency").map_or(0..0, Spanned::span);
            let hint = "use an ISO 4217 code such as EUR";
            self.error(&span, format!("`{code}` is not a currency"), Some(hint));
        }
        currency
    }

    fn required_text(&mut self, table: &DeTable<'a>, key: &str) -> Option<String> {
        let Some(value) = table.get(key) else {
            let example = if key == "currency" { "EUR" } else { "standard" };
            let hint = format!("write {key} = \"{example}\"");
            self.error(&(0..0), format!("`{key}` is missing"), Some(&hint));
            return None;
        };
        self.text(key, value)
    }

    fn text(&mut self, key: &str, value: &Value<'a>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
            DeValue::String(_) => {
                self.error(&value.span(), format!("`{key}` is empty"), Some("give it a text, or leave the key out"));
                None
            }
            _ => {
                let hint = format!("write {key} = \"…\"");
                self.error(&value.span(), format!("`{key}` is not text"), Some(&hint));
                None
            }
        }
    }

    fn rate(&mut self, kind: Kind, item: &Value<'a>) -> Option<Rate> {
        let DeValue::Table(table) = item.get_ref() else {
            let hint = format!("write [[{kind}]]");
            self.error(&item.span(), format!("`{kind}` is not a list of rates"), Some(&hint));
            return None;
        };
        let known = keys_of(kind);
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let near = did_you_mean(name, known.iter().copied());
                let hint = near.unwrap_or_else(|| format!("a {kind} rate has: {}", known.join(", ")));
                self.error(&key.span(), format!("unknown key `{name}` in `{kind}`"), Some(&hint));
            }
        }
        let from = table.get("from").map(|value| self.time("from", value));
        let to = table.get("to").map(|value| self.time("to", value));
        let free = table.get("free").is_some_and(|value| self.free(value));
        let mut prices = Vec::new();
        for meter in meters_of(kind) {
            if let Some(value) = table.get(meter.name()) {
                prices.extend(self.price(meter.name(), value).map(|price| (*meter, price)));
            }
        }
        let priced = meters_of(kind).iter().any(|meter| table.contains_key(meter.name()));
        if free && priced {
            let hint = "remove free = true, or the prices";
            self.error(&item.span(), format!("the `{kind}` rate is free and has prices"), Some(hint));
        } else if !free && !priced {
            let names: Vec<_> = meters_of(kind).iter().map(|meter| meter.name()).collect();
            let hint = format!("give {}, or free = true", names.join(", "));
            self.error(&item.span(), format!("the `{kind}` rate has no price"), Some(&hint));
        }
        let matcher = self.matcher(kind, table, item);
        if let (Some(Some(from)), Some(Some(to))) = (from, to)
            && to <= from
        {
            let span = table.get("to").map_or(item.span(), Spanned::span);
            self.error(
                &span,
                format!("the rate ends at {to}, not after it begins at {from}"),
                Some("`to` is the first instant at which it no longer applies"),
            );
        }
        Some(Rate {
            kind,
            matcher: matcher?,
            from: from.flatten(),
            to: to.flatten(),
            free,
            prices,
            line: position(self.text, item.span().start).line,
        })
    }

    fn matcher(&mut self, kind: Kind, table: &DeTable<'a>, item: &Value<'a>) -> Option<Matcher> {
        let mut text = |key: &str| table.get(key).map(|value| self.text(key, value));
        let (buildpack, plan_guid, offering, plan) =
            (text("buildpack"), text("plan_guid"), text("offering"), text("plan"));
        if kind != Kind::Service {
            return match buildpack {
                None => Some(Matcher::Any),
                Some(name) => name.map(Matcher::Buildpack),
            };
        }
        let hint = "name the plan with plan_guid, or with offering and plan";
        match (plan_guid, offering, plan) {
            (None, None, None) => Some(Matcher::Any),
            (Some(guid), None, None) => guid.map(|guid| Matcher::PlanGuid(Guid::new(&guid))),
            (None, Some(offering), Some(plan)) => Some(Matcher::PlanName { offering: offering?, plan: plan? }),
            (Some(_), ..) => {
                self.error(&item.span(), "the `service` rate names its plan twice", Some(hint));
                None
            }
            _ => {
                self.error(&item.span(), "the `service` rate names half a plan", Some(hint));
                None
            }
        }
    }

    fn free(&mut self, value: &Value<'a>) -> bool {
        let free = matches!(value.get_ref(), DeValue::Boolean(true));
        if !free {
            self.error(&value.span(), "`free` is not true", Some("leave it out, or write free = true"));
        }
        free
    }

    fn price(&mut self, key: &str, value: &Value<'a>) -> Option<Price> {
        let written = self.text[value.span()].to_owned();
        match value.get_ref() {
            DeValue::String(text) => match text.parse() {
                Ok(price) => Some(price),
                Err(error) => {
                    self.error(
                        &value.span(),
                        format!("`{key}`: {error}"),
                        Some("digits and a point, no sign, no comma, no exponent"),
                    );
                    None
                }
            },
            DeValue::Float(_) | DeValue::Integer(_) => {
                let hint = format!("quote it, so that it stays exact: {key} = \"{written}\"");
                self.error(
                    &value.span(),
                    format!("`{key}` is the number {written}, not a quoted decimal"),
                    Some(&hint),
                );
                None
            }
            _ => {
                let hint = format!("write {key} = \"0.01\"");
                self.error(&value.span(), format!("`{key}` is not a price"), Some(&hint));
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
            self.error(&value.span(), format!("`{key}`: `{written}` is no instant"), Some(&hint));
        }
        time
    }

    /// What is wrong between rates: two for the same from the same instant, and usage that no rate of its kind covers.
    fn check_rates(&mut self, rates: &[(Range<usize>, Rate)]) {
        let mut seen: HashMap<(Kind, &Matcher, Option<Timestamp>), usize> = HashMap::new();
        for (span, rate) in rates {
            if let Some(line) = seen.insert((rate.kind, &rate.matcher, rate.from), rate.line) {
                let hint = "give one of them another `from`, or remove it";
                self.error(span, format!("a second rate for `{rate}`; the first is on line {line}"), Some(hint));
            }
        }
        for kind in [Kind::Process, Kind::Staging] {
            let narrowed = rates.iter().find(|(_, rate)| rate.kind == kind && rate.matcher != Matcher::Any);
            let catch_all = rates.iter().any(|(_, rate)| rate.kind == kind && rate.matcher == Matcher::Any);
            if let (Some((span, _)), false) = (narrowed, catch_all) {
                let hint = format!("add a [[{kind}]] without buildpack, or that usage is unpriced");
                let message = format!("every `{kind}` rate is for a buildpack; docker apps and the like have none");
                self.report(Severity::Warning, span, message, Some(&hint));
            }
        }
    }
}
