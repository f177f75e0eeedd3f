//! `cf-billing invoices list`: what there is, a row each.

use super::super::Failure;
use super::super::output::{self, Column, Format, numbers, words};
use super::show::{invoice_json, with_subject};
use super::{Month, account_meant, money};
use crate::config::Configuration;
use crate::documents::json;
use crate::domain::Amount;
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

const HEADER: [&str; 14] = [
    "id",
    "number",
    "status",
    "account",
    "account_name",
    "month",
    "net",
    "estimated",
    "currency",
    "unpriced_lines",
    "document",
    "gross",
    "difference",
    "held",
];

/// What tables leave out: it is seen from the rest.
const NOT_IN_TABLES: [&str; 1] = ["document"];

pub(super) fn list(invoices: &[StoredInvoice], format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let summary = |stored: &StoredInvoice| {
                let value = with_subject(stored, |subject| json::summary(subject, stored.unpriced_lines));
                invoice_json(stored, value)
            };
            output::json(&invoices.iter().map(summary).collect::<Vec<_>>())
        }
        Format::Csv => output::csv(&HEADER, invoices.iter().map(cells)),
        Format::Table => table(invoices),
    }
}

fn table(invoices: &[StoredInvoice]) -> Result<(), Failure> {
    let rows: Vec<Vec<String>> = invoices.iter().map(cells).collect();
    // What says nothing of any of them isn't shown.
    let is_shown = |position: usize| {
        let name = HEADER[position];
        !NOT_IN_TABLES.contains(&name)
            && (!matches!(name, "difference" | "held") || rows.iter().any(|row| !row[position].is_empty()))
    };
    let shown: Vec<usize> = (0..HEADER.len()).filter(|position| is_shown(*position)).collect();
    let column = |position: &usize| -> Column {
        let name = HEADER[*position];
        let is_number = matches!(name, "id" | "net" | "estimated" | "unpriced_lines" | "gross" | "difference");
        if is_number { numbers(name) } else { words(name) }
    };
    let columns: Vec<Column> = shown.iter().map(column).collect();
    let cells = |row: &Vec<String>| shown.iter().map(|position| row[*position].clone()).collect();
    output::table(&columns, rows.iter().map(cells))
}

fn cells(stored: &StoredInvoice) -> Vec<String> {
    let invoice = &stored.document;
    let amount = |amount: Amount| money(amount, invoice.currency);
    vec![
        stored.id.to_string(),
        stored.number.clone().unwrap_or_default(),
        stored.status.name().to_owned(),
        invoice.account.clone(),
        invoice.account_name.clone().unwrap_or_default(),
        invoice.month.to_string(),
        amount(invoice.net),
        amount(invoice.estimated()),
        invoice.currency.to_string(),
        stored.unpriced_lines.to_string(),
        invoice.kind().name().to_owned(),
        invoice.gross().map(amount).unwrap_or_default(),
        stored.difference.map(amount).unwrap_or_default(),
        stored.held.clone().unwrap_or_default(),
    ]
}
