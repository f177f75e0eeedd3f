//! The demo's last screen, for a terminal of 80 columns and 24 lines: what it made, where it is, and how to go on.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

use super::super::Failure;
use super::super::invoices::money;
use super::super::output::note;
use super::compare::Comparison;
use super::setup::CONFIGURATION;
use crate::domain::{Amount, AmountOverflow, Month};
use crate::invoicing::Document;
use crate::store::StoredInvoice;

/// What is on it, beside both totals.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    pub month: Month,
    /// In the order of their numbers.
    pub invoices: &'a [StoredInvoice],
    pub credit_note: Option<&'a StoredInvoice>,
    pub folder: &'a Path,
    /// Where the page is, for those who stay.
    pub page: Option<SocketAddr>,
}

/// What a document has beside its lines, in a few words.
fn about(stored: &StoredInvoice) -> String {
    let invoice = match &stored.document {
        Document::Invoice(invoice) => invoice,
        Document::CreditNote(note) => return format!("credit note: {}", note.reason),
    };
    let mut parts: Vec<String> = invoice.adjustments.iter().map(|adjustment| adjustment.name.clone()).collect();
    parts.extend(invoice.tax.as_ref().map(|tax| match &tax.exemption_reason {
        Some(reason) => reason.clone(),
        None => format!("{} {} %", tax.name, tax.percent),
    }));
    if invoice.estimated != Amount::default() {
        parts.push(format!("{} estimated", money(invoice.estimated, invoice.currency)));
    }
    parts.join(", ")
}

impl Screen<'_> {
    /// # Errors
    /// [`AmountOverflow`] if a total with tax is none.
    pub fn text(&self, totals: &LastLine) -> Result<String, AmountOverflow> {
        let program = std::env::args().next().unwrap_or_else(|| "cf-billing".to_owned());
        let mut text = format!("\nInvoices of {}, with tax:\n", self.month);
        for stored in self.invoices.iter().chain(self.credit_note) {
            let invoice = &stored.document;
            let _ = writeln!(
                text,
                "  {:<14} {:<8} {:>9} {}  {}",
                stored.number.as_deref().unwrap_or("-"),
                invoice.account_name.as_deref().unwrap_or(&invoice.account),
                money(invoice.gross()?, invoice.currency),
                invoice.currency,
                about(stored)
            );
        }
        if let Some(page) = self.page {
            let _ = write!(text, "\nPage: http://{page}/\n");
        }
        let _ = write!(
            text,
            "\nGo on{}:\n  export CF_BILLING_CONFIG={}\n",
            if self.page.is_some() { " in a second terminal" } else { "" },
            self.folder.join(CONFIGURATION).display()
        );
        let number = self.invoices.first().and_then(|stored| stored.number.as_deref()).unwrap_or("1");
        for command in [
            format!("show {number}"),
            format!("explain {number} --line 1"),
            format!("export {number} --format html --out html"),
        ] {
            let _ = writeln!(text, "  {program} invoices {command}");
        }
        let _ = write!(
            text,
            "\nLeft in {}:\n  database, configuration, accounts, rate card. Delete it when you are done.\n\n{}",
            self.folder.display(),
            totals.text
        );
        Ok(text)
    }
}

/// What the demo says last, and whether it is as it should be.
#[derive(Debug)]
pub(super) struct LastLine {
    pub text: String,
    good: bool,
    defects: Vec<String>,
}

impl LastLine {
    pub fn new(month: Month, comparison: Comparison, lossy: bool) -> Self {
        let mut text = format!(
            "{month}: invoiced {} EUR, really used {} EUR, difference {}",
            euros(comparison.ours),
            euros(comparison.theirs),
            euros(comparison.difference())
        );
        if lossy {
            let _ = write!(text, ", outside of estimates {}", euros(comparison.unexplained));
        }
        let good = lossy || comparison.difference() == 0;
        let good = good && comparison.unexplained == 0;
        Self { text, good, defects: comparison.where_unexplained }
    }

    /// # Errors
    /// A failure if the two totals differ where they must not.
    pub fn verdict(&self) -> Result<(), Failure> {
        if self.good {
            Ok(())
        } else {
            for defect in &self.defects {
                note(defect);
            }
            Err(Failure::failed("the two totals differ where they must not: this is a defect of cf-billing"))
        }
    }
}

fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}
