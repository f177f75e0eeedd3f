//! `cf-billing rates`: rate cards, checked before they are used.

use std::path::PathBuf;

use clap::Subcommand;

use super::output::{note, print};
use super::{Failure, Global};
use crate::billing_run::{Card, CardError};

/// Check rate cards
#[derive(Debug, clap::Args)]
pub struct Rates {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(Check),
}

/// Check a rate card: every problem at once, with line and hint
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing rates check rates/standard.toml")]
struct Check {
    /// The card; the configured one if left out
    file: Option<PathBuf>,
}

impl From<CardError> for Failure {
    fn from(error: CardError) -> Self {
        match error {
            CardError::Wrong(problems) => {
                Self { code: 2, problems: problems.iter().map(ToString::to_string).collect() }
            }
            CardError::Read { .. } => Self::usage(error),
        }
    }
}

impl Rates {
    pub fn run(self, global: &Global) -> Result<(), Failure> {
        let Command::Check(check) = self.command;
        let configuration = global.configuration()?;
        let card = Card::read(&rates_file(check.file, &configuration)?, configuration.billing.time_zone)?;
        for warning in &card.warnings {
            note(&format!("warning: {warning}"));
        }
        let rates = &card.rates;
        print(&format!("{}: {} rates in {}, good", rates.name, rates.rates.len(), rates.currency))
    }
}

/// The card given, or the configured one.
pub fn rates_file(given: Option<PathBuf>, configuration: &crate::config::Configuration) -> Result<PathBuf, Failure> {
    given
        .or_else(|| configuration.billing.rates.clone())
        .ok_or_else(|| Failure::usage("no rate card is given\nhint: set [billing] rates, or give the file"))
}
