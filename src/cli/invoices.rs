//! `cf-billing invoices`: drafts, lists, one invoice, and making them final.

use std::path::PathBuf;

use clap::Subcommand;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::output::{self, Column, Format, note, numbers, words};
use super::rates::read_card;
use super::{Failure, Global};
use crate::billing_run::{BillingError, BillingRun, Card, FinalizeResult};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::{Issue, Look, Subject, csv, json};
use crate::domain::period::date_of;
use crate::domain::{Amount, Currency, Month};
use crate::invoicing::{Adjustment, AdjustmentType, Blocker, InvoiceLine, Status};
use crate::rating::{Named, Part};
use crate::store::{InvoiceFilter, Store, StoredInvoice};

/// Make, read and finalize invoices
#[derive(Debug, clap::Args)]
pub struct Invoices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Draft(Draft),
    List(List),
    Show(Show),
    Finalize(Finalize),
}

/// Compute the invoices of a month as they now are, and keep them as drafts
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices draft --period 2026-10 --rates rates/standard.toml")]
struct Draft {
    #[command(flatten)]
    run: RunOptions,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Make a month's invoices final: numbered, and never changed again
///
/// An invoice with usage that has no price, or whose usage may still be incomplete, stays a draft and is
/// reported; the exit code is 1 then. So does one whose period touches a gap in what could be read, until that is
/// accepted by its name.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing invoices finalize --period 2026-10 --account eu1/0b35e9e2-1784-4881-9c4e-0deb1d51458c"
)]
struct Finalize {
    #[command(flatten)]
    run: RunOptions,
    /// Have it final though this would keep it a draft, such as `gap:eu1/1`; kept with the invoice
    #[arg(long, value_name = "WHAT")]
    accept: Vec<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    /// The month, in the billing time zone
    #[arg(long, value_name = "YYYY-MM")]
    period: Month,
    /// Only this account: foundation/organization-guid, or the organization's name
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The rate card, instead of the configured one
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
}

/// List invoices
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices list --period 2026-10 --status final")]
struct List {
    /// Only this month
    #[arg(long, value_name = "YYYY-MM")]
    period: Option<Month>,
    /// Only drafts, or only final ones
    #[arg(long, value_parser = |text: &str| Status::from_name(text).ok_or("draft or final"))]
    status: Option<Status>,
    /// Only this account
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Show one invoice with its lines
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices show CF-000001 --format csv")]
struct Show {
    /// Its number, or the id that `list` shows
    invoice: String,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl From<BillingError> for Failure {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Card(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

impl Invoices {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let result = match self.command {
            Command::Draft(draft) => draft.run(&configuration, &store).await,
            Command::List(list) => list.run(&store).await,
            Command::Show(show) => show.run(&store).await,
            Command::Finalize(finalize) => finalize.run(&configuration, &store).await,
        };
        store.close().await;
        result
    }
}

impl RunOptions {
    /// Why there is nothing to invoice.
    fn nothing_used(&self) -> Failure {
        let by = self.account.as_ref().map_or_else(String::new, |account| format!(" by `{account}`"));
        Failure::failed(format!(
            "nothing was used in {}{by}\nhint: `cf-billing usage` shows what was used when; accounts are `foundation/organization-guid` or the organization's name",
            self.period
        ))
    }

    /// Says that all is final already, or that nothing was used.
    async fn nothing_to_draft(&self, store: &Store) -> Result<(), Failure> {
        let filter =
            InvoiceFilter { month: Some(self.period), status: Some(Status::Final), account: self.account.clone() };
        match store.invoices(&filter).await?.len() {
            0 => Err(self.nothing_used()),
            count => {
                note(&format!("{count} invoice(s) of {} are final already, and stay", self.period));
                Ok(())
            }
        }
    }

    fn card(&self, configuration: &Configuration) -> Result<Card, Failure> {
        read_card(self.rates.clone(), configuration)
    }
}

impl Draft {
    async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let card = self.run.card(configuration)?;
        let run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        let drafts = run.draft(self.run.period, self.run.account.as_deref()).await?;
        if drafts.is_empty() {
            self.run.nothing_to_draft(store).await?;
        }
        list(&drafts, self.format)
    }
}

impl List {
    async fn run(self, store: &Store) -> Result<(), Failure> {
        let filter = InvoiceFilter { month: self.period, status: self.status, account: self.account };
        list(&store.invoices(&filter).await?, self.format)
    }
}

impl Finalize {
    async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let card = self.run.card(configuration)?;
        let run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        let outcomes = run.finalize(self.run.period, self.run.account.as_deref(), &self.accept).await?;
        if outcomes.is_empty() {
            return Err(self.run.nothing_used());
        }
        let mut problems = Vec::new();
        let mut unpriced = false;
        let mut acceptable: Vec<String> = Vec::new();
        let mut numbered = Vec::new();
        for outcome in &outcomes {
            let account = outcome.invoice.account_name.as_deref().unwrap_or(&outcome.invoice.account);
            match &outcome.result {
                FinalizeResult::Numbered(number) => {
                    numbered.extend(store.invoice(number).await?);
                }
                FinalizeResult::Before => note(&format!("{account}: final already")),
                FinalizeResult::Blocked(blockers) => {
                    unpriced |= blockers.iter().any(|blocker| matches!(blocker, Blocker::Unpriced { .. }));
                    acceptable.extend(blockers.iter().filter_map(Blocker::acceptance));
                    problems.extend(blockers.iter().map(|blocker| format!("{account}: {blocker}")));
                }
            }
        }
        list(&numbered, self.format)?;
        match problems.last_mut() {
            None => Ok(()),
            Some(last) => {
                acceptable.sort();
                acceptable.dedup();
                let accept: Vec<String> = acceptable.iter().map(|what| format!("--accept {what}")).collect();
                let accept = format!(
                    "`gaps` and the lines marked as estimated tell what was assumed; if that is to be billed, say {}",
                    accept.join(" ")
                );
                let hint = if !acceptable.is_empty() {
                    &accept
                } else if unpriced {
                    "add rates (or free = true) for what has no price; `invoices draft`, then `invoices show` tell more"
                } else {
                    "once the month is over, usage must be collected through its end and a sweep window more; drafts are there until then"
                };
                last.push_str("\nhint: ");
                last.push_str(hint);
                Err(Failure { code: 1, problems })
            }
        }
    }
}

impl Show {
    async fn run(self, store: &Store) -> Result<(), Failure> {
        let Some(stored) = store.invoice(&self.invoice).await? else {
            let hint = "`cf-billing invoices list` shows numbers and ids";
            return Err(Failure::failed(format!("there is no invoice `{}`\nhint: {hint}", self.invoice)));
        };
        match self.format {
            Format::Json => {
                let document = with_subject(&stored, json::document).map_err(Failure::failed)?;
                output::json(&invoice_json(&stored, document))
            }
            Format::Csv => {
                let name = stored.number.clone().unwrap_or_else(|| stored.id.to_string());
                let rows = with_subject(&stored, |subject| csv::rows(subject, &name)).map_err(Failure::failed)?;
                output::csv(&csv::HEADER, rows)
            }
            Format::Table => show_table(&stored, usize::MAX),
        }
    }
}

/// An amount with the currency's decimals.
fn money(amount: Amount, currency: Currency) -> String {
    amount.in_major_units(currency).to_string()
}

fn name_of(named: Option<&Named>) -> String {
    named.map(|named| named.name.clone().unwrap_or_else(|| named.guid.to_string())).unwrap_or_default()
}

/// The quantity in units of the price, for people: six decimals.
fn units(line: &InvoiceLine) -> Decimal {
    (Decimal::from(line.quantity) / Decimal::from(line.unit_size)).round_dp(6)
}

const LIST_HEADER: [&str; 10] =
    ["id", "number", "status", "account", "account_name", "month", "net", "estimated", "currency", "unpriced_lines"];

pub(super) fn list(invoices: &[StoredInvoice], format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let summary = |stored: &StoredInvoice| {
                let value = with_subject(stored, |subject| json::summary(subject, stored.unpriced_lines));
                invoice_json(stored, value)
            };
            output::json(&invoices.iter().map(summary).collect::<Vec<_>>())
        }
        Format::Csv => output::csv(&LIST_HEADER, invoices.iter().map(list_cells)),
        Format::Table => {
            let columns: Vec<Column> = LIST_HEADER
                .into_iter()
                .map(|name| {
                    if matches!(name, "id" | "net" | "estimated" | "unpriced_lines") {
                        numbers(name)
                    } else {
                        words(name)
                    }
                })
                .collect();
            output::table(&columns, invoices.iter().map(list_cells))
        }
    }
}

fn list_cells(stored: &StoredInvoice) -> Vec<String> {
    let invoice = &stored.invoice;
    vec![
        stored.id.to_string(),
        stored.number.clone().unwrap_or_default(),
        stored.status.name().to_owned(),
        invoice.account.clone(),
        invoice.account_name.clone().unwrap_or_default(),
        invoice.month.to_string(),
        money(invoice.net, invoice.currency),
        money(invoice.estimated, invoice.currency),
        invoice.currency.to_string(),
        stored.unpriced_lines.to_string(),
    ]
}

/// What keeps a draft from being final; asks for its lines.
fn blockers(stored: &StoredInvoice) -> Vec<String> {
    if stored.status == Status::Final {
        return Vec::new();
    }
    stored.invoice.blockers().iter().map(ToString::to_string).collect()
}

/// What the book adds to a document.
fn invoice_json(stored: &StoredInvoice, mut value: Value) -> Value {
    value["id"] = stored.id.into();
    value["finalized_at"] = stored.finalized_at.map(|at| at.to_string()).into();
    value
}

/// What makes a stored invoice final.
fn issue(stored: &StoredInvoice) -> Option<Issue> {
    let (number, at) = (stored.number.clone()?, stored.finalized_at?);
    let zone = stored.invoice.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    let issued_on = date_of(at, zone);
    let days = chrono::Days::new(stored.invoice.particulars.payment.days.into());
    let is_paid = stored.invoice.gross().is_ok_and(|gross| gross > Amount::default());
    Some(Issue { number, issued_on, due_on: issued_on.checked_add_days(days).filter(|_| is_paid) })
}

/// Hands a stored invoice to what makes documents.
fn with_subject<T>(stored: &StoredInvoice, made: impl FnOnce(&Subject<'_>) -> T) -> T {
    let (issue, look) = (issue(stored), Look::default());
    let (invoice, drafted_at) = (&stored.invoice, stored.drafted_at);
    made(&Subject { invoice, issue: issue.as_ref(), drafted_at, look: &look })
}

/// What a line is for beside its resource, for people.
fn remarks(line: &InvoiceLine) -> String {
    let mut remarks = match &line.part {
        Part::Whole => String::new(),
        Part::Allowance(name) => format!(", {name}"),
        Part::Tier(tier) => format!(", tier {tier}"),
        Part::Packages(packages) => format!(", of {packages} package(s) in all"),
    };
    if line.key.estimated {
        remarks.push_str(", estimated");
    }
    if let Some(granularity) = &line.granularity {
        remarks.push_str(", ");
        remarks.push_str(granularity);
    }
    remarks
}

/// An adjustment for people.
fn adjusted(adjustment: &Adjustment, currency: Currency) -> String {
    let basis = adjustment.basis.map(|basis| money(basis, currency)).unwrap_or_default();
    let amount = money(adjustment.amount, currency);
    let name = &adjustment.name;
    match (adjustment.adjustment, adjustment.percent) {
        (AdjustmentType::Discount, Some(percent)) => format!("{name}, {percent} % of {basis}: {amount}"),
        (AdjustmentType::Discount, None) => format!("{name}: {amount}"),
        (AdjustmentType::Commitment, _) => format!("{name}, paid in any case: {amount}"),
        (AdjustmentType::Covered, _) => format!("{name}, covering {basis} of usage: {amount}"),
        (AdjustmentType::Minimum, _) => format!("{name}, filled up from {basis}: {amount}"),
    }
}

/// An invoice for people, with the `most` lines that cost most.
pub(super) fn show_table(stored: &StoredInvoice, most: usize) -> Result<(), Failure> {
    let invoice = &stored.invoice;
    let title = match &stored.number {
        Some(number) => format!("Invoice {number}"),
        None => format!("Draft invoice {}", stored.id),
    };
    output::print(&title)?;
    if let Some(seller) = &invoice.seller {
        output::print(&format!("From     {seller}"))?;
    }
    let account = invoice.account_name.as_deref().unwrap_or("-");
    output::print(&format!("For      {account} ({})", invoice.account))?;
    output::print(&format!(
        "Period   {} in {}: {} to {}",
        invoice.month, invoice.time_zone, invoice.period.from, invoice.period.to
    ))?;
    let columns = [
        words("space"),
        words("for"),
        words("from"),
        numbers("quantity"),
        words("unit"),
        numbers("price"),
        numbers("amount"),
    ];
    let amount = |line: &InvoiceLine| line.charge.as_ref().map(|charge| charge.amount);
    let mut amounts: Vec<_> = invoice.lines.iter().map(amount).collect();
    amounts.sort_unstable_by(|one, two| two.cmp(one));
    let least = amounts.get(most).copied().flatten();
    let shown = invoice.lines.iter().filter(|line| least.is_none() || amount(line) > least);
    let left_out = invoice.lines.len() - shown.clone().count();
    let rows = shown.map(|line| {
        let from = if line.span.from == invoice.period.from { String::new() } else { line.span.from.to_string() };
        vec![
            name_of(Some(&line.key.space)),
            format!("{}{}", line.what(), remarks(line)),
            from,
            format!("{:.3}", units(line).round_dp_with_strategy(3, RoundingStrategy::MidpointAwayFromZero)),
            if matches!(line.part, Part::Packages(_)) {
                format!("packages of {}", line.meter.unit())
            } else {
                line.meter.unit().to_owned()
            },
            line.charge.as_ref().map_or_else(|| "no price".to_owned(), |charge| charge.price.to_string()),
            line.charge.as_ref().map(|charge| money(charge.amount, invoice.currency)).unwrap_or_default(),
        ]
    });
    output::table(&columns, rows)?;
    if left_out > 0 {
        output::print(&format!("and {left_out} smaller lines"))?;
    }
    if !invoice.adjustments.is_empty() {
        let lines = invoice.lines.iter().filter_map(|line| line.charge.as_ref()).map(|charge| charge.amount.0).sum();
        output::print(&format!("Lines    {} {}", money(Amount(lines), invoice.currency), invoice.currency))?;
    }
    for adjustment in &invoice.adjustments {
        output::print(&adjusted(adjustment, invoice.currency))?;
    }
    output::print(&format!("Net      {} {}", money(invoice.net, invoice.currency), invoice.currency))?;
    if let Some(tax) = &invoice.tax {
        output::print(&format!(
            "{} {} % ({})  {} {}",
            tax.name,
            tax.percent,
            tax.category,
            money(tax.amount, invoice.currency),
            invoice.currency
        ))?;
        let gross = invoice.gross().map_err(Failure::failed)?;
        output::print(&format!("To pay   {} {}", money(gross, invoice.currency), invoice.currency))?;
    }
    if invoice.estimated != Amount::default() {
        let estimated = money(invoice.estimated, invoice.currency);
        output::print(&format!("of which {estimated} {} rests on estimated usage", invoice.currency))?;
    }
    for blocker in blockers(stored) {
        output::print(&format!("Not final: {blocker}"))?;
    }
    for accepted in &invoice.accepted {
        output::print(&format!("Accepted: {accepted}"))?;
    }
    Ok(())
}
