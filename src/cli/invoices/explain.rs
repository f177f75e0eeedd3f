//! `cf-billing invoices explain`: every cent, down to ledger entries and usage events.

use super::super::Failure;
use super::super::output::{self, Format, numbers, words};
use super::find;
use crate::api::Explanation;
use crate::billing_run::{
    BillingRun, Explained, ExplainedLine, InputOrigin, Step, Use, card_of, explain, resource_word,
};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::text::visible;
use crate::rate_card::units;
use crate::store::Store;

/// Explain an invoice, or some of its lines, down to the usage events
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing invoices explain CF-000001
  cf-billing invoices explain CF-000001 --line 3")]
pub(super) struct Explain {
    /// Its number, or the id that `list` shows
    invoice: String,
    /// A line, from 1; may be named several times
    #[arg(long, value_name = "N")]
    line: Vec<usize>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Explain {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let stored = find(store, &self.invoice).await?;
        let card = card_of(store, &stored, configuration).await?;
        let run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        let explained = explain(&run, stored, &self.line).await?;
        match self.format {
            Format::Json => output::json(&Explanation::new(&explained, true)),
            Format::Csv => output::csv(&USE_HEADER, explained.lines.iter().flat_map(use_rows)),
            Format::Table => table(&explained),
        }
    }
}

const USE_HEADER: [&str; 12] = [
    "line",
    "resource",
    "from",
    "to",
    "instances",
    "size",
    "used",
    "charged",
    "ledger_entry",
    "began",
    "ended",
    "amount",
];

fn origin(origin: Option<&InputOrigin>) -> String {
    match origin {
        None => String::new(),
        Some(InputOrigin { guid: Some(guid), .. }) => guid.clone(),
        Some(InputOrigin { what, sequence, .. }) => format!("{what}, input {sequence}"),
    }
}

fn use_cells(one: &Use) -> Vec<String> {
    vec![
        one.resource.to_string(),
        one.span.from.to_string(),
        one.span.to.to_string(),
        one.instances.to_string(),
        one.size.to_string(),
        one.used.to_string(),
        one.charged.to_string(),
        one.entry.map_or_else(|| "open".to_owned(), |entry| entry.to_string()),
        origin(one.began.as_ref()),
        one.ended.as_ref().map_or_else(String::new, |ended| origin(Some(ended))),
    ]
}

fn use_rows(line: &ExplainedLine) -> Vec<Vec<String>> {
    let amount = line.line.charge.as_ref().map(|charge| charge.amount.0.to_string()).unwrap_or_default();
    let cells = |one: &Use| [vec![line.position.to_string()], use_cells(one), vec![amount.clone()]].concat();
    line.uses.iter().map(cells).collect()
}

fn table(explained: &Explained) -> Result<(), Failure> {
    let stored = &explained.stored;
    let title = stored.title();
    output::print(&format!("{title} of {} for {}", stored.document.account, stored.document.month))?;
    if explained.changed {
        output::print("Its usage, rates or accounts have changed since it was drafted. This is how it is now.")?;
    }
    for line in &explained.lines {
        let key = &line.line.key;
        output::print(&format!(
            "\nLine {}: {}, {} {}",
            line.position,
            visible(&line.line.what()),
            units(line.line.quantity, line.line.unit_size),
            line.line.meter.unit()
        ))?;
        if line.uses.is_empty() {
            output::print(
                "Its usage can't be explained: it was made final by an earlier version, which didn't keep that.",
            )?;
        } else {
            let columns = [
                words(resource_word(key.kind)),
                words("from"),
                words("to"),
                numbers("instances"),
                numbers("size"),
                numbers("used"),
                numbers("charged"),
                numbers("entry"),
                words("began with"),
                words("ended with"),
            ];
            output::table(&columns, line.uses.iter().map(use_cells))?;
        }
        steps(&line.steps)?;
    }
    output::print("")?;
    steps(&explained.steps)
}

fn steps(all: &[Step]) -> Result<(), Failure> {
    let columns = [words("step"), words("how"), numbers("comes to")];
    let cells = |step: &Step| vec![step.what.clone(), step.formula.clone(), step.result.clone()];
    output::table(&columns, all.iter().map(cells))
}
