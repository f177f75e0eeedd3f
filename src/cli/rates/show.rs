//! `cf-billing rates show`: the card in force at an instant, and where each price comes from.

use std::path::PathBuf;

use serde_json::json;

use super::super::card::read_card;
use super::super::output::{self, Format, numbers, print, words};
use super::super::{Failure, Global};
use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::domain::period::local;
use crate::keyed;
use crate::rate_card::{Off, Per, RateCard, Whom, units};

/// Show the card in force at an instant: every price, for whom, and where it comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing rates show --at 2026-10-15T13:37:00+02:00 --card rates/standard.toml")]
pub struct Show {
    /// RFC 3339, or a date at midnight in the billing time zone; now if left out
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// The card, a file or a folder; the configured one if left out
    #[arg(long, value_name = "CARD")]
    card: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// A line of what is in force.
struct Shown {
    what: String,
    whom: String,
    key: String,
    value: String,
    /// What a derived price comes from.
    steps: String,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    place: String,
}

const HEADER: [&str; 8] = ["what", "whom", "key", "value", "steps", "from", "to", "place"];

impl Show {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let zone = configuration.billing.time_zone;
        let at = match &self.at {
            None => Clock::System.now(),
            Some(text) => keyed::time(text, zone)
                .map_err(|wrong| Failure::usage(format!("--at: {}\nhint: {}", wrong.what, wrong.form)))?,
        };
        let card = read_card(self.card, &configuration)?;
        let shown = in_force(&card.rates, at);
        match self.format {
            Format::Json => output::json(&json!({
                "name": card.rates.name,
                "currency": card.rates.currency.code(),
                "rounding": card.rates.rounding.name(),
                "sha256": card.stored.hash,
                "at": at,
                "in_force": shown.iter().map(|shown| json!({
                    "what": shown.what,
                    "whom": shown.whom,
                    "key": shown.key,
                    "value": shown.value,
                    "steps": shown.steps,
                    "from": shown.from,
                    "to": shown.to,
                    "place": shown.place,
                })).collect::<Vec<_>>(),
            })),
            Format::Csv => output::csv(&HEADER, shown.iter().map(|shown| cells(shown, |time| time.to_string()))),
            Format::Table => {
                print(&format!(
                    "{} at {}: prices in {}, amounts rounded {}",
                    card.rates.name,
                    local(at, zone),
                    card.rates.currency,
                    card.rates.rounding.name()
                ))?;
                if shown.is_empty() {
                    return print("Nothing is in force.");
                }
                let columns = HEADER.map(|name| if matches!(name, "value") { numbers(name) } else { words(name) });
                output::table(&columns, shown.iter().map(|shown| cells(shown, |time| local(time, zone))))?;
                print(
                    "The most specific rate wins: first by whom it is for (org, account, space label, org label, everyone), then by what it is for. The most specific rates are at the bottom.",
                )
            }
        }
    }
}

fn cells(shown: &Shown, text: impl Fn(Timestamp) -> String) -> Vec<String> {
    let time = |time: Option<Timestamp>| time.map(&text).unwrap_or_default();
    vec![
        shown.what.clone(),
        shown.whom.clone(),
        shown.key.clone(),
        shown.value.clone(),
        shown.steps.clone(),
        time(shown.from),
        time(shown.to),
        shown.place.clone(),
    ]
}

/// Everything in force, the widest first.
fn in_force(card: &RateCard, at: Timestamp) -> Vec<Shown> {
    let mut all = Vec::new();
    for rate in card.rates_in_force(at) {
        let position = &card.rates[rate.position];
        let subject =
            |text: &str| if text == "any" { position.kind.to_string() } else { format!("{}, {text}", position.kind) };
        let what = crate::rate_card::Matcher { whom: Whom::Everyone, ..position.matcher.clone() }.to_string();
        for (key, value, steps) in rate.values {
            all.push(Shown {
                what: subject(&what),
                whom: position.matcher.whom.to_string(),
                key,
                value,
                steps,
                from: rate.validity.from,
                to: rate.validity.to,
                place: position.place.to_string(),
            });
        }
    }
    for allowance in card.allowances.iter().filter(|allowance| allowance.validity.holds(at)) {
        let per = if allowance.per == Per::Organization { "org" } else { "account" };
        let unit = allowance.meter.constant_unit().unwrap_or(1);
        all.push(Shown {
            what: format!("allowance of {}", allowance.kind),
            whom: allowance.matcher.whom.to_string(),
            key: allowance.meter.to_string(),
            value: format!("{} a month per {per}", units(allowance.quantity, unit)),
            steps: allowance.name.clone(),
            from: allowance.validity.from,
            to: allowance.validity.to,
            place: allowance.place.to_string(),
        });
    }
    let major = |amount: crate::domain::Amount| amount.in_major_units(card.currency).to_string();
    for discount in card.discounts.iter().filter(|discount| discount.validity.holds(at)) {
        let (key, value) = match discount.off {
            Off::Percent(percent) => ("percent", percent.to_string()),
            Off::Amount(amount) => ("amount", format!("{} a month", major(amount))),
        };
        all.push(Shown {
            what: discount.kind.map_or_else(|| "discount".to_owned(), |kind| format!("discount on {kind}")),
            whom: discount.whom.to_string(),
            key: key.to_owned(),
            value,
            steps: discount.name.clone(),
            from: discount.validity.from,
            to: discount.validity.to,
            place: discount.place.to_string(),
        });
    }
    for floor in card.floors.iter().filter(|floor| floor.validity.holds(at)) {
        all.push(Shown {
            what: floor.floor.name().to_owned(),
            whom: floor.whom.to_string(),
            key: "amount".to_owned(),
            value: format!("{} a month", major(floor.amount)),
            steps: floor.name.clone(),
            from: floor.validity.from,
            to: floor.validity.to,
            place: floor.place.to_string(),
        });
    }
    for tax in card.taxes.iter().filter(|tax| tax.validity.holds(at)) {
        all.push(Shown {
            what: "tax".to_owned(),
            whom: Whom::Everyone.to_string(),
            key: "percent".to_owned(),
            value: tax.percent.to_string(),
            steps: format!("{} ({})", tax.name, tax.category),
            from: tax.validity.from,
            to: tax.validity.to,
            place: tax.place.to_string(),
        });
    }
    all
}
