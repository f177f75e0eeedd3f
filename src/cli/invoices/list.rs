//! `cf-billing invoices list`: what there is, a row each.

use super::super::Failure;
use super::super::output::{self, Column, Format, numbers, words};
use super::{Month, account_meant};
use crate::api::{InvoiceSummary, Tabular};
use crate::config::Configuration;
use crate::invoicing::Status;
use crate::store::{InvoiceFilter, Store, StoredInvoice};

/// List invoices and credit notes
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices list --period 2026-10 --status in_review")]
pub(super) struct List {
    /// Only this month
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<Month>,
    /// Only drafts, those in review, or final ones
    #[arg(long, value_parser = |text: &str| Status::from_name(text).ok_or("draft, in_review or final"))]
    status: Option<Status>,
    /// Only this account: its id, or its name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl List {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let account = account_meant(configuration, store, self.account.as_deref(), self.period).await?;
        let filter = InvoiceFilter { month: self.period, status: self.status, account };
        list(&store.invoices(&filter).await?, self.format)
    }
}

/// What tables leave out: it is seen from the rest.
const NOT_IN_TABLES: [&str; 1] = ["document"];

pub(super) fn list(invoices: &[StoredInvoice], format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => output::json(&summaries(invoices).collect::<Vec<_>>()),
        Format::Csv => output::csv(InvoiceSummary::HEADER, summaries(invoices).map(|summary| summary.cells())),
        Format::Table => table(invoices),
    }
}

fn table(invoices: &[StoredInvoice]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = summaries(invoices).map(|summary| summary.cells()).collect();
    let header = InvoiceSummary::HEADER;
    // What says nothing of any of them isn't shown.
    let is_shown = |position: usize| {
        let name = header[position];
        !NOT_IN_TABLES.contains(&name)
            && (!matches!(name, "difference" | "held") || rows.iter().any(|row| !row[position].is_empty()))
    };
    let shown: Vec<usize> = (0..header.len()).filter(|position| is_shown(*position)).collect();
    let column = |position: &usize| -> Column {
        let name = header[*position];
        let is_number = matches!(name, "id" | "net" | "estimated" | "unpriced_lines" | "gross" | "difference");
        if is_number { numbers(name) } else { words(name) }
    };
    let columns: Vec<Column> = shown.iter().map(column).collect();
    let cells = |row: &Vec<String>| shown.iter().map(|position| row[*position].clone()).collect();
    output::table(&columns, rows.iter().map(cells))
}

/// As who decides about them sees them.
fn summaries(invoices: &[StoredInvoice]) -> impl Iterator<Item = InvoiceSummary> {
    invoices.iter().map(|stored| InvoiceSummary::new(stored, true))
}
