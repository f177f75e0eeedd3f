//! `cf-billing cost`: what a month costs, from its drafts and invoices.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::invoices::account_meant;
use super::output::{self, Column, Format, note, numbers, words};
use super::{Failure, Global};
use crate::api::{CostBy, CostRow, GroupBy};
use crate::domain::{Amount, Currency, Month};
use crate::store::{self, CostQuery};

/// Show what a month costs, from its drafts, final invoices and credit notes
///
/// The rows add up to their nets. What no usage is charged for stands in rows of its own: adjustments (minimums, commitments,
/// discounts on a whole) and corrections of months that are final. The daemon drafts months by itself; without one, run
/// `invoices draft` before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing cost --period 2026-10 --by org,app")]
pub struct Cost {
    /// The month, in the billing time zone
    #[arg(long, value_name = "YYYY-MM")]
    period: Month,
    #[command(flatten)]
    grouping: Grouping,
}

/// How amounts are grouped and printed.
#[derive(Debug, clap::Args)]
pub(super) struct Grouping {
    /// Group by these, in this order
    #[arg(long, value_delimiter = ',', default_value = "account")]
    pub by: Vec<CostBy>,
    /// Only this account: its id, or its name
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
}

impl Cost {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let Grouping { by, account, format } = &self.grouping;
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let account = account_meant(&configuration, &store, account.as_deref(), Some(self.period)).await?;
        let query = CostQuery { month: self.period, by: by.iter().map(|by| by.group()).collect(), account };
        let mut costs = store.cost(&query, None).await?;
        store.close().await;
        if *format == Format::Table {
            // What costs most is looked for first.
            costs.sort_by_key(|row| (row.part, Reverse(row.amount)));
        }
        let rows: Vec<CostRow> = costs.iter().map(|row| CostRow::new(row, by)).collect();
        let header = CostRow::header(by);
        match format {
            Format::Json => output::json(&rows),
            Format::Csv => output::csv(&header, rows.iter().map(CostRow::cells)),
            Format::Table if rows.is_empty() => {
                note(&format!(
                    "nothing of {} is drafted or invoiced\nhint: `cf-billing invoices draft --period {}` drafts it",
                    self.period, self.period
                ));
                Ok(())
            }
            Format::Table => {
                self.table(&header, &rows)?;
                self.totals(&costs)
            }
        }
    }

    /// The net of all rows, by currency.
    fn totals(&self, costs: &[store::CostRow]) -> Result<(), Failure> {
        let mut nets: BTreeMap<&str, (Currency, Amount)> = BTreeMap::new();
        for row in costs {
            let (_, net) = nets.entry(row.currency.code()).or_insert((row.currency, Amount::default()));
            *net = net.plus(row.amount).map_err(Failure::failed)?;
        }
        for (currency, net) in nets.into_values() {
            output::print(&format!("{} net: {} {currency}", self.period, net.in_major_units(currency)))?;
        }
        Ok(())
    }

    /// Without columns that are the same in every row.
    fn table(&self, header: &[&'static str], rows: &[CostRow]) -> Result<(), Failure> {
        let cells: Vec<Vec<String>> = rows.iter().map(CostRow::cells).collect();
        let says_nothing = |at: usize| match header[at] {
            "part" => cells.iter().all(|row| row[at] == "usage"),
            "unpriced_lines" => cells.iter().all(|row| row[at] == "0"),
            "estimated" => rows.iter().all(|row| row.estimated.trim_start_matches(['0', '.']).is_empty()),
            _ => false,
        };
        let amounts = ["amount", "estimated", "unpriced_lines"];
        grouped_table(&self.grouping.by, header, &cells, &amounts, says_nothing)
    }
}

/// Prints rows by the keys that they are grouped by: names alone where there are some.
pub(super) fn grouped_table(
    by: &[CostBy],
    header: &[&'static str],
    cells: &[Vec<String>],
    amounts: &[&str],
    says_nothing: impl Fn(usize) -> bool,
) -> Result<(), Failure> {
    let named = |name: &str| by.iter().find(|by| by.keys().0 == name).and_then(|by| by.keys().1);
    let position = |name: &str| header.iter().position(|column| *column == name);
    let mut columns: Vec<(Column, usize, Option<usize>)> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let is_name = by.iter().any(|by| by.keys().1 == Some(name));
        if is_name || says_nothing(at) {
            continue;
        }
        let title = named(name).map_or(*name, |name| name.trim_end_matches("_name"));
        let column = if amounts.contains(name) { numbers(title) } else { words(title) };
        columns.push((column, at, named(name).and_then(position)));
    }
    let shown = |row: &Vec<String>| {
        let cell = |(_, at, name): &(Column, usize, Option<usize>)| {
            let name = name.map(|name| row[name].clone()).filter(|name| !name.is_empty());
            name.unwrap_or_else(|| row[*at].clone())
        };
        columns.iter().map(cell).collect()
    };
    let titles: Vec<Column> = columns.iter().map(|(column, ..)| *column).collect();
    output::table(&titles, cells.iter().map(shown))
}
