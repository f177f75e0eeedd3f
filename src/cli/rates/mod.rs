//! `cf-billing rates`: rate cards, checked, looked at, compared and tried before they are used.

mod show;
mod what_if;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::output::{self, Column, Format, note, numbers, print, words};
use super::{Failure, Global};
use crate::billing_run::{self, Card, CardError};
use crate::config::Configuration;
use crate::rate_card::{self, Change, Problem, Severity, Whom, check_against};
use crate::store::{Found, Store};

/// Check, show, compare and try rate cards
#[derive(Debug, clap::Args)]
pub struct Rates {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
    Show(show::Show),
    Diff(Diff),
    WhatIf(what_if::WhatIf),
    Schema(Schema),
}

/// Check a rate card: every problem at once, with line, column and hint
///
/// Compares its names with what the ledger has seen, if there is a database. Errors make the exit code 2; warnings
/// don't.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing rates check rates/standard.toml")]
struct Check {
    /// The card, a file or a folder of them; the configured one if left out
    card: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Show what changes from one card to another: of what, for whom, from when
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing rates diff rates/2026.toml rates/2027.toml")]
struct Diff {
    /// The card as it is, a file or a folder
    before: PathBuf,
    /// The card as it is to be
    after: PathBuf,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Print the JSON Schema of rate cards, for TOML editors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing rates schema > rates/rate-card.schema.json")]
struct Schema {}

impl From<CardError> for Failure {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Wrong(problems) => {
                Self { code: 2, problems: problems.iter().map(ToString::to_string).collect() }
            }
            CardError::Read { .. } | CardError::Past(_) => Self::usage(error),
            CardError::Store(error) => error.into(),
        }
    }
}

impl Rates {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            Command::Check(check) => check.run(global).await,
            Command::Show(show) => show.run(global),
            Command::Diff(diff) => diff.run(global),
            Command::WhatIf(what_if) => what_if.run(global).await,
            Command::Schema(_) => output::json(&rate_card::schema()),
        }
    }
}

/// The card given, or the configured one.
pub fn rates_file(given: Option<PathBuf>, configuration: &Configuration) -> Result<PathBuf, Failure> {
    given
        .or_else(|| configuration.billing.rates.clone())
        .ok_or_else(|| Failure::usage("no rate card is given\nhint: set [billing] rates, or give the file"))
}

/// The card given, or the configured one, with its warnings told.
pub fn read_card(given: Option<PathBuf>, configuration: &Configuration) -> Result<Card, Failure> {
    let card = Card::read(&rates_file(given, configuration)?, configuration.billing.time_zone)?;
    for warning in &card.warnings {
        note(&format!("warning: {warning}"));
    }
    Ok(card)
}

/// The ledger, if there is one: a card can be checked without.
async fn ledger(configuration: &Configuration) -> Result<Option<Store>, Failure> {
    match Global::inspect(configuration).await {
        Ok(Found::Nothing { .. }) => Ok(None),
        Ok(_) => Global::open(configuration).await.map(Some),
        Err(error) => {
            note(&format!("warning: not compared with a ledger: {error}"));
            Ok(None)
        }
    }
}

impl Check {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let file = rates_file(self.card, &configuration)?;
        let (card, mut problems) = match Card::read(&file, configuration.billing.time_zone) {
            Ok(card) => (Some(card.clone()), card.warnings),
            Err(CardError::Wrong(problems)) => (None, problems),
            Err(error) => return Err(error.into()),
        };
        let mut past = None;
        if let Some(card) = &card {
            match ledger(&configuration).await? {
                None => note("no ledger to compare with: names are taken as they stand"),
                Some(store) => {
                    let mut seen = store.seen().await?;
                    let accounts = billing_run::accounts(&configuration)?;
                    seen.accounts.extend(accounts.ids().map(str::to_owned));
                    problems.extend(check_against(&card.rates, &seen));
                    past = card.keeps_what_is_invoiced(&store).await.err();
                    store.close().await;
                }
            }
        }
        let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        match self.format {
            Format::Table => {
                for problem in problems.iter().filter(|problem| problem.severity == Severity::Warning) {
                    note(&format!("warning: {problem}"));
                }
                if let (Some(card), true) = (&card, errors.is_empty() && past.is_none()) {
                    print(&good(card, problems.len()))?;
                }
            }
            Format::Json => output::json(&problems.iter().map(problem_json).collect::<Vec<_>>())?,
            Format::Csv => output::csv(&PROBLEM_HEADER, problems.iter().map(problem_cells))?,
        }
        if let Some(past) = past {
            return Err(past.into());
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(Failure { code: 2, problems: errors.iter().map(ToString::to_string).collect() })
    }
}

/// What a card has, in a line.
fn good(card: &Card, warnings: usize) -> String {
    let rates = &card.rates;
    let count = |number: usize, what: &str| match number {
        0 => None,
        1 => Some(format!("1 {what}")),
        number => Some(format!("{number} {what}s")),
    };
    let parts = [
        count(rates.rates.len(), "rate"),
        count(rates.allowances.len(), "allowance"),
        count(rates.discounts.len(), "discount"),
        count(rates.floors.len(), "minimum or commitment"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let verdict = if warnings == 0 { "good".to_owned() } else { format!("usable, with {warnings} warning(s)") };
    format!("{}: {} in {}, {verdict}", rates.name, parts.join(", "), rates.currency)
}

const PROBLEM_HEADER: [&str; 6] = ["severity", "file", "line", "column", "message", "hint"];

fn problem_json(problem: &Problem) -> serde_json::Value {
    json!({
        "severity": problem.severity.name(),
        "file": problem.file,
        "line": problem.position.line,
        "column": problem.position.column,
        "message": problem.message,
        "hint": problem.hint,
    })
}

fn problem_cells(problem: &Problem) -> Vec<String> {
    vec![
        problem.severity.name().to_owned(),
        problem.file.clone(),
        problem.position.line.to_string(),
        problem.position.column.to_string(),
        problem.message.clone(),
        problem.hint.clone().unwrap_or_default(),
    ]
}

const CHANGE_HEADER: [&str; 8] = ["from", "to", "what", "whom", "key", "before", "after", "place"];

impl Diff {
    fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let zone = configuration.billing.time_zone;
        let read = |file: &Path| Card::read(file, zone);
        let (before, after) = (read(&self.before)?, read(&self.after)?);
        let changes = rate_card::changes(&before.rates, &after.rates);
        match self.format {
            Format::Json => output::json(&changes.iter().map(change_json).collect::<Vec<_>>()),
            Format::Csv => output::csv(&CHANGE_HEADER, changes.iter().map(|change| change_cells(change, ""))),
            Format::Table if changes.is_empty() => print("nothing changes"),
            Format::Table => {
                let columns: Vec<Column> = (CHANGE_HEADER.into_iter())
                    .map(|name| if matches!(name, "before" | "after") { numbers(name) } else { words(name) })
                    .collect();
                output::table(&columns, changes.iter().map(|change| change_cells(change, "-")))
            }
        }
    }
}

fn change_json(change: &Change) -> serde_json::Value {
    json!({
        "from": change.from,
        "to": change.to,
        "what": change.subject,
        "whom": change.whom.to_string(),
        "key": change.key,
        "before": change.before,
        "after": change.after,
        "place": change.place.as_ref().map(ToString::to_string),
    })
}

fn change_cells(change: &Change, nothing: &str) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| nothing.to_owned());
    let whom = if change.whom == Whom::Everyone { "everyone".to_owned() } else { change.whom.to_string() };
    vec![
        change.from.map_or_else(|| "always".to_owned(), |from| from.to_string()),
        or_nothing(change.to.map(|to| to.to_string())),
        change.subject.clone(),
        whom,
        change.key.clone(),
        or_nothing(change.before.clone()),
        or_nothing(change.after.clone()),
        change.place.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}
