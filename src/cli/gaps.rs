//! `cf-billing gaps`: periods whose usage events are lost.

use serde_json::json;

use super::output::{self, Column, Format, note, numbers, words};
use super::{Failure, Global};
use crate::store::StoredGap;

/// List the periods whose usage events are lost, and what was assumed for them
///
/// A gap begins when a stream was last read to its end, and ends with the first event that could be read again. What ran
/// before goes on counting. What had vanished ended when the gap began; what had appeared begins when it was seen. What
/// changed is estimated from the beginning of the gap on.
/// An invoice whose period touches a gap becomes final only with `--accept gap:FOUNDATION/NUMBER`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing gaps --foundation eu1 --format json")]
pub struct Gaps {
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const HEADER: [&str; 10] = ["gap", "stream", "from", "to", "reason", "found_at", "stage", "ended", "begun", "changed"];

impl Gaps {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let gaps = store.gaps(self.foundation.as_deref()).await?;
        store.close().await;
        match self.format {
            Format::Json => output::json(&gaps.iter().map(object).collect::<Vec<_>>()),
            Format::Csv => output::csv(&HEADER, gaps.iter().map(cells)),
            Format::Table if gaps.is_empty() => {
                note("there are no gaps: no usage events are lost");
                Ok(())
            }
            Format::Table => {
                let column = |name| match name {
                    "ended" | "begun" | "changed" => numbers(name),
                    name => words(name),
                };
                let columns: Vec<Column> = HEADER.into_iter().map(column).collect();
                output::table(&columns, gaps.iter().map(cells))
            }
        }
    }
}

fn object(gap: &StoredGap) -> serde_json::Value {
    json!({
        "gap": gap.reference(),
        "foundation": gap.foundation,
        "number": gap.number,
        "stream": gap.stream.name(),
        "reason": gap.reason.name(),
        "from": gap.from,
        "to": gap.to,
        "checkpoint_guid": gap.checkpoint.as_ref().map(|event| event.guid.to_string()),
        "checkpoint_created_at": gap.checkpoint.as_ref().map(|event| event.created_at),
        "found_at": gap.found_at,
        "stage": gap.stage.name(),
        "settled_at": gap.settled_at,
        "ended": gap.settled.ended,
        "begun": gap.settled.begun,
        "changed": gap.settled.changed,
    })
}

fn cells(gap: &StoredGap) -> Vec<String> {
    vec![
        gap.reference(),
        gap.stream.name().to_owned(),
        gap.from.to_string(),
        gap.to.map(|to| to.to_string()).unwrap_or_default(),
        gap.reason.name().to_owned(),
        gap.found_at.to_string(),
        gap.stage.name().to_owned(),
        gap.settled.ended.to_string(),
        gap.settled.begun.to_string(),
        gap.settled.changed.to_string(),
    ]
}
