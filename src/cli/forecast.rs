//! `cf-billing forecast`: what the running month will come to.

use super::cost::{Grouping, grouped_table};
use super::invoices::account_meant;
use super::output::{self, Format, note};
use super::{Failure, Global};
use crate::api::{ForecastRow, forecast_rows};
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
    #[command(flatten)]
    grouping: Grouping,
}

impl Forecast {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let Grouping { by, account, format } = &self.grouping;
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let forecast = billing_run::forecast(&configuration, &store, &Clock::System).await?;
        let account = account_meant(&configuration, &store, account.as_deref(), Some(forecast.month)).await?;
        let query = CostQuery {
            month: forecast.month.previous(),
            by: by.iter().map(|by| by.group()).collect(),
            account: account.clone(),
        };
        let last_month = store.cost(&query, None).await?;
        store.close().await;
        let rows = forecast_rows(&forecast, last_month, by, account.as_deref(), None);
        let rows = rows.map_err(Failure::failed)?;
        let header = ForecastRow::header(by);
        match format {
            Format::Json => output::json(&rows),
            Format::Csv => output::csv(&header, rows.iter().map(ForecastRow::cells)),
            Format::Table if rows.is_empty() => {
                note(&format!("nothing is used in {} or was in {}", forecast.month, query.month));
                Ok(())
            }
            Format::Table => {
                let cells: Vec<Vec<String>> = rows.iter().map(ForecastRow::cells).collect();
                grouped_table(by, &header, &cells, &["last_month", "so_far", "forecast"], |_| false)
            }
        }
    }
}
