//! `cf-billing rates`: rate cards, checked, looked at, compared and tried before they are used.

mod show;
mod what_if;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::card::rates_file;
use super::output::{self, Column, Format, note, numbers, print, words};
use super::{Failure, Global};
use crate::billing_run::{self, Card, CardError, read_text};
use crate::config::Configuration;
use crate::domain::Timestamp;
use crate::domain::period::local;
use crate::keyed::{self, FilePosition, Problem, Severity};
use crate::rate_card::{self, Change, FloorKind, Whom, check_against};
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
/// Compares its names with those in the ledger, if there is a database. The exit code is 2 if there are errors;
/// warnings don't count.
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
            CardError::Past(problems) => Self { code: 2, problems: past(&problems) },
            CardError::Read { .. } => Self::usage(error),
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

/// Changes of what is invoiced told one by one: with more, another card is meant, and not an edit.
const MOST_CHANGES: usize = 5;

/// What a card changes that is invoiced, for people.
pub fn past(problems: &[Problem]) -> Vec<String> {
    let mut told: Vec<String> = problems.iter().take(MOST_CHANGES).map(ToString::to_string).collect();
    if problems.len() > MOST_CHANGES {
        told.push(format!(
            "{} more change(s) to what is already invoiced\nhint: keep the card in use as it is, and put the new prices in a second file with a later `from`: the files of a folder are one card. `rates diff` shows every change",
            problems.len() - MOST_CHANGES
        ));
    }
    told
}

/// The ledger, if there is one: a file can be checked without.
pub async fn ledger(configuration: &Configuration) -> Result<Option<Store>, Failure> {
    match Global::inspect(configuration).await {
        Ok(Found::Nothing { .. }) => Ok(None),
        Ok(_) => match Global::try_open(configuration).await {
            Ok(store) => Ok(Some(store)),
            Err(error) => {
                note(&format!("warning: not compared with a ledger: {error}"));
                Ok(None)
            }
        },
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
        let text = read_text(&file)?;
        let name = file.display().to_string();
        let mut changed: Vec<Problem> = Vec::new();
        let (flawed, mut problems) = Card::look(&name, &text, configuration.billing.time_zone);
        let card = Card::parse(&name, text, configuration.billing.time_zone).ok();
        match (ledger(&configuration).await?, &flawed) {
            (Some(store), Some(flawed)) => {
                let mut seen = store.seen().await?;
                let accounts = billing_run::accounts(&configuration)?;
                for account in accounts.all() {
                    seen.accounts.insert(account.id.clone());
                    seen.account_names.insert(account.name.clone(), account.id.clone());
                }
                problems.extend(check_against(flawed, &seen));
                if let Some(card) = &card {
                    match card.keeps_what_is_invoiced(&store).await {
                        Ok(()) => {}
                        Err(CardError::Past(past)) => changed = past,
                        Err(error) => return Err(error.into()),
                    }
                }
                store.close().await;
            }
            _ => note("there is no ledger to compare with, so names aren't checked"),
        }
        keyed::sort(&mut problems);
        let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        let count = errors.len() + changed.len();
        match self.format {
            Format::Table => {
                for problem in problems.iter().filter(|problem| problem.severity == Severity::Warning) {
                    note(&format!("warning: {problem}"));
                }
                if let (Some(card), 0) = (&card, count) {
                    print(&good(card, problems.len()))?;
                }
            }
            Format::Json => {
                output::json(&problems.iter().chain(&changed).map(problem_json).collect::<Vec<_>>())?;
            }
            Format::Csv => output::csv(&PROBLEM_HEADER, problems.iter().chain(&changed).map(problem_cells))?,
        }
        if count == 0 {
            return Ok(());
        }
        // What is printed as data isn't said again.
        let problems = match self.format {
            Format::Table => errors.iter().map(ToString::to_string).chain(past(&changed)).collect(),
            Format::Json | Format::Csv => vec![format!("the rate card has {count} error(s)")],
        };
        Err(Failure { code: 2, problems })
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
    let floors = |floor| rates.floors.iter().filter(|one| one.floor == floor).count();
    let parts = [
        count(rates.rates.len(), "rate"),
        count(rates.allowances.len(), "allowance"),
        count(rates.discounts.len(), "discount"),
        count(floors(FloorKind::Minimum), "minimum"),
        count(floors(FloorKind::Commitment), "commitment"),
        count(rates.taxes.len(), "tax block"),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let verdict = if warnings == 0 { "good".to_owned() } else { format!("usable, with {warnings} warning(s)") };
    format!("{}: {} in {}, {verdict}", rates.name, parts.join(", "), rates.currency)
}

const PROBLEM_HEADER: [&str; 6] = ["severity", "file", "line", "column", "message", "hint"];

fn problem_json(problem: &Problem) -> serde_json::Value {
    json!({
        "severity": problem.severity.name(),
        "file": problem.origin.file(),
        "line": problem.origin.position().map(|position| position.line),
        "column": problem.origin.position().map(|position| position.column),
        "message": problem.message,
        "hint": problem.hint,
    })
}

fn problem_cells(problem: &Problem) -> Vec<String> {
    let position = |of: fn(&FilePosition) -> usize| {
        problem.origin.position().map(|position| of(position).to_string()).unwrap_or_default()
    };
    vec![
        problem.severity.name().to_owned(),
        problem.origin.file().to_owned(),
        position(|position| position.line),
        position(|position| position.column),
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
            Format::Csv => {
                let utc = |at: Timestamp| at.to_string();
                output::csv(&CHANGE_HEADER, changes.iter().map(|change| change_cells(change, "", utc)))
            }
            Format::Table if changes.is_empty() => print("nothing changes"),
            Format::Table => {
                let columns: Vec<Column> = (CHANGE_HEADER.into_iter())
                    .map(|name| if matches!(name, "before" | "after") { numbers(name) } else { words(name) })
                    .collect();
                let of_zone = |at: Timestamp| local(at, zone);
                output::table(&columns, changes.iter().map(|change| change_cells(change, "-", of_zone)))
            }
        }
    }
}

fn change_json(change: &Change) -> serde_json::Value {
    json!({
        "from": change.from,
        "to": change.to,
        "what": change.subject,
        "whom": change.matcher.whom.to_string(),
        "key": change.key,
        "before": change.before,
        "after": change.after,
        "place": change.place.as_ref().map(ToString::to_string),
    })
}

fn change_cells(change: &Change, nothing: &str, time: impl Fn(Timestamp) -> String) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| nothing.to_owned());
    let whom =
        if change.matcher.whom == Whom::Everyone { "everyone".to_owned() } else { change.matcher.whom.to_string() };
    vec![
        change.from.map_or_else(|| "always".to_owned(), &time),
        or_nothing(change.to.map(&time)),
        change.subject.clone(),
        whom,
        change.key.clone(),
        or_nothing(change.before.clone()),
        or_nothing(change.after.clone()),
        change.place.as_ref().map(ToString::to_string).unwrap_or_default(),
    ]
}
