//! `cf-billing clocks`: events whose own time isn't trusted.

use serde_json::json;

use super::output::{self, Column, Format, note, numbers, words};
use super::{Failure, Global};
use crate::store::ClockSpan;

/// List events whose times contradict the order of their stream, and the times they count at
///
/// If times contradict each other by more than 6 hours, the largest set of times that agree is right. The other events
/// count at the nearest time that their neighbours allow, as estimated. Events within 6 hours of each other are one span.
/// An invoice whose period touches a span becomes final only with `--accept clock:FOUNDATION/NUMBER`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing clocks --foundation eu1 --format json")]
pub struct Clocks {
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const HEADER: [&str; 7] = ["clock", "events", "stated_from", "stated_to", "counted_from", "counted_to", "provisional"];

impl Clocks {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let spans = store.clock_spans(self.foundation.as_deref()).await?;
        store.close().await;
        match self.format {
            Format::Json => output::json(&spans.iter().map(object).collect::<Vec<_>>()),
            Format::Csv => output::csv(&HEADER, spans.iter().map(cells)),
            Format::Table if spans.is_empty() => {
                note("all times agree with the order of their stream");
                Ok(())
            }
            Format::Table => {
                let column = |name| match name {
                    "events" | "provisional" => numbers(name),
                    name => words(name),
                };
                let columns: Vec<Column> = HEADER.into_iter().map(column).collect();
                output::table(&columns, spans.iter().map(cells))
            }
        }
    }
}

fn object(span: &ClockSpan) -> serde_json::Value {
    let (stated, counted) = (span.stated(), span.counted());
    json!({
        "clock": span.reference(),
        "foundation": span.foundation,
        "number": span.number,
        "events": span.times.len(),
        "stated_from": stated.from,
        "stated_to": stated.to,
        "counted_from": counted.from,
        "counted_to": counted.to,
        "provisional": span.provisional,
    })
}

fn cells(span: &ClockSpan) -> Vec<String> {
    let (stated, counted) = (span.stated(), span.counted());
    vec![
        span.reference(),
        span.times.len().to_string(),
        stated.from.to_string(),
        stated.to.to_string(),
        counted.from.to_string(),
        counted.to.to_string(),
        span.provisional.to_string(),
    ]
}
