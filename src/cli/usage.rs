//! `cf-billing usage`: quantities from the ledger, no prices.

use chrono_tz::Tz;

use super::output::{self, Column, Format, grouped, numbers, words};
use super::scratch::Scratch;
use super::{Failure, Global};
use crate::api::{QUANTITIES, UsageBy, UsageRow};
use crate::consumer::rebuild;
use crate::domain::text::visible;
use crate::domain::{Span, Timestamp};
use crate::keyed;
use crate::store::{Absurd, UsageQuery};

/// Show how much was used, from the ledger, without prices
///
/// Quantities are integers: instance-seconds, and MiB-seconds of memory and disk. What still runs
/// counts up to the time until which events are known.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing usage --from 2026-10-01 --to 2026-11-01 --by kind,org,buildpack --names"
)]
pub struct Usage {
    /// Start, inclusive: RFC 3339, or a date at midnight in the billing time zone
    #[arg(long, value_name = "TIME")]
    from: String,
    /// End, exclusive
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Group by these, in this order
    #[arg(long, value_delimiter = ',', default_value = "kind")]
    by: Vec<UsageBy>,
    /// Show names beside guids
    #[arg(long)]
    names: bool,
    /// Count user-provided service instances too
    #[arg(long)]
    user_provided: bool,
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    /// As it was known at that time, without what arrived later. Everything archived until then is folded again
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Usage {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let zone = configuration.billing.time_zone;
        let span = Span { from: time("--from", &self.from, zone)?, to: time("--to", &self.to, zone)? };
        if span.to < span.from {
            return Err(Failure::usage(format!("--to {} is before --from {}", self.to, self.from)));
        }
        let store = Global::open_existing(&configuration).await?;
        if let Some(name) = &self.foundation
            && !store.foundations().await?.iter().any(|foundation| foundation.name == *name)
        {
            return Err(Failure::failed(format!("there is no foundation `{name}` in the database")));
        }
        let query = UsageQuery {
            by: self.by.iter().map(|by| by.group()).collect(),
            foundation: self.foundation.clone(),
            user_provided: self.user_provided,
        };
        let as_of = self.as_of.as_ref().map(|text| time("--as-of", text, zone)).transpose()?;
        let mut used = match as_of {
            None => store.usage(&query, &[span]).await?,
            Some(at) => {
                let scratch = Scratch::new().await?;
                for head in store.foundations().await? {
                    let wanted = self.foundation.as_ref().is_none_or(|name| *name == head.name);
                    if wanted {
                        rebuild(&store, &head, &scratch.store, Some(at), |_| ()).await.map_err(Failure::failed)?;
                    }
                }
                scratch.store.usage(&query, &[span]).await?
            }
        };
        let rows = used.of_spans.pop().unwrap_or_default();
        store.close().await;
        let (by, names) = (&self.by[..], self.names);
        let rows: Vec<UsageRow> = rows.iter().map(|row| UsageRow::new(row, by, names)).collect();
        let header = UsageRow::header(by, names);
        match self.format {
            Format::Json => output::json(&rows)?,
            Format::Csv => {
                output::csv(&header, rows.iter().map(|row| row.cells(|number| number.to_string())))?;
            }
            Format::Table => {
                let column = |name| if QUANTITIES.contains(&name) { numbers(name) } else { words(name) };
                let columns: Vec<Column> = header.into_iter().map(column).collect();
                output::table(&columns, rows.iter().map(|row| row.cells(grouped)))?;
            }
        }
        left_out(&used.absurd)
    }
}

/// Fails for what is in no sum, once the sums are printed.
fn left_out(absurd: &[Absurd]) -> Result<(), Failure> {
    let told = |one: &Absurd| {
        let named = one.name.as_ref().map(|name| format!(" `{}`", visible(name))).unwrap_or_default();
        format!(
            "{} {}{named} ({}) used more than can be counted and is left out of all sums",
            one.foundation,
            one.kind.name(),
            one.guid
        )
    };
    let mut problems: Vec<String> = absurd.iter().map(told).collect();
    let Some(last) = problems.last_mut() else { return Ok(()) };
    last.push_str("\nhint: the sums hold everything else; its account gets no invoice until this is fixed");
    Err(Failure { code: 1, problems })
}

/// The time that an option gives; a date is midnight in `zone`.
pub(super) fn time(option: &str, text: &str, zone: Tz) -> Result<Timestamp, Failure> {
    keyed::time(text, zone).map_err(|wrong| Failure::usage(format!("{option}: {}\nhint: {}", wrong.what, wrong.form)))
}
