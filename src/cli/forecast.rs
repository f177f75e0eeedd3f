//! `cf-billing forecast`: what the running month will come to.

use super::invoices::account_meant;
use super::output::{self, Format, note, numbers, words};
use super::{Failure, Global};
use crate::api::{CostBy, ForecastRow, forecast_rows};
use crate::billing_run;
use crate::clock::Clock;
use crate::store::CostQuery;

/// Show what the running month comes to if what runs now goes on until its end
///
/// Apps and service instances that run now go on; tasks and stagings end. All of it is rated as it would be invoiced, by the card and
/// the accounts of now. Beside it is what the month comes to so far, and what last month cost.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing forecast --by org,app")]
pub struct Forecast {
    /// Group by these, in this order
    #[arg(long, value_delimiter = ',', default_value = "account")]
    by: Vec<CostBy>,
    /// Only this account: its id, or its name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Forecast {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let forecast = billing_run::forecast(&configuration, &store, &Clock::System).await?;
        let account = account_meant(&configuration, &store, self.account.as_deref(), Some(forecast.month)).await?;
        let query = CostQuery {
            month: forecast.month.previous(),
            by: self.by.iter().map(|by| by.group()).collect(),
            account: account.clone(),
        };
        let last_month = store.cost(&query, None).await?;
        store.close().await;
        let rows = forecast_rows(&forecast, last_month, &self.by, account.as_deref(), None);
        let rows = rows.map_err(Failure::failed)?;
        let header = ForecastRow::header(&self.by);
        match self.format {
            Format::Json => output::json(&rows),
            Format::Csv => output::csv(&header, rows.iter().map(ForecastRow::cells)),
            Format::Table if rows.is_empty() => {
                note(&format!("nothing is used in {} or was in {}", forecast.month, query.month));
                Ok(())
            }
            Format::Table => {
                // Names alone where there are some.
                let shown = |at: &usize| !header.get(at + 1).is_some_and(|next| is_name_of(header[*at], next));
                let columns: Vec<usize> = (0..header.len()).filter(shown).collect();
                let title = |at: &usize| match header[*at] {
                    name @ ("last_month" | "so_far" | "forecast") => numbers(name),
                    name => words(name.trim_end_matches("_name")),
                };
                let titles: Vec<_> = columns.iter().map(title).collect();
                let cells = |row: &ForecastRow| {
                    let cells = row.cells();
                    let cell = |at: &usize| match cells[*at].as_str() {
                        "" if *at > 0 && is_name_of(header[at - 1], header[*at]) => cells[at - 1].clone(),
                        text => text.to_owned(),
                    };
                    columns.iter().map(cell).collect()
                };
                output::table(&titles, rows.iter().map(cells))
            }
        }
    }
}

/// Whether one column has the names of the other: `org_guid` and `org_name`, `account` and `account_name`.
fn is_name_of(key: &str, name: &str) -> bool {
    name.strip_suffix("_name").is_some_and(|of| of == key.trim_end_matches("_guid"))
}
