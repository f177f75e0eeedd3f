//! The rate card that a command works with, and how it ends where usage can't be counted.

use std::path::PathBuf;

use super::Failure;
use super::output::note;
use crate::billing_run::Card;
use crate::config::Configuration;

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

/// Fails for accounts whose usage can't be counted, once the others are done.
pub fn uncounted(mut problems: Vec<String>) -> Result<(), Failure> {
    let Some(last) = problems.last_mut() else { return Ok(()) };
    last.push_str("\nhint: nothing of it is charged until that is fixed; the others are done. `cf-billing usage` shows what used so much");
    Err(Failure { code: 1, problems })
}
