//! `cf-billing gaps`: periods whose usage events are lost.

use super::output::{self, Column, Format, note, numbers, words};
use super::{Failure, Global};
use crate::api::{Gap, Tabular};

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

impl Gaps {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let gaps: Vec<Gap> = store.gaps(self.foundation.as_deref()).await?.iter().map(Gap::from).collect();
        store.close().await;
        match self.format {
            Format::Json => output::json(&gaps),
            Format::Csv => output::csv(Gap::HEADER, gaps.iter().map(Gap::cells)),
            Format::Table if gaps.is_empty() => {
                note("there are no gaps: no usage events are lost");
                Ok(())
            }
            Format::Table => {
                let column = |name| match name {
                    "ended" | "begun" | "changed" => numbers(name),
                    name => words(name),
                };
                let columns: Vec<Column> = Gap::HEADER.iter().copied().map(column).collect();
                output::table(&columns, gaps.iter().map(Gap::cells))
            }
        }
    }
}
