//! `cf-billing invoices show`: one invoice, for people, or as its document's data.

use chrono_tz::Tz;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::super::Failure;
use super::super::output::{self, Format, numbers, words};
use super::money;
use crate::billing_run::{issue_of, subject_of};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::{Branding, ToRender, csv, json};
use crate::domain::period::local;
use crate::domain::text::visible;
use crate::domain::{Amount, Currency};
use crate::invoicing::{Adjustment, AdjustmentType, DocumentKind, InvoiceLine, Review, Status};
use crate::rating::{Named, Part};
use crate::store::{Store, StoredInvoice};

/// Show one invoice or credit note with its lines
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices show CF-000001 --format csv")]
pub(super) struct Show {
    /// Its number, or the id that `list` shows
    invoice: String,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Show {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let stored = super::find(store, &self.invoice).await?;
        let review = Review {
            now: Clock::System.now(),
            grace_seconds: configuration.billing.grace_seconds,
            jump_factor: configuration.billing.jump_factor,
            held: stored.held.clone(),
        };
        match self.format {
            Format::Json => {
                let document = with_subject(&stored, json::document).map_err(Failure::failed)?;
                let mut value = invoice_json(&stored, document);
                value["accepted"] = stored.invoice.accepted.clone().into();
                value["blockers"] = blockers(&stored, &review).into();
                output::json(&value)
            }
            Format::Csv => {
                let name = stored.number.clone().unwrap_or_else(|| stored.id.to_string());
                let rows = with_subject(&stored, |subject| csv::rows(subject, &name)).map_err(Failure::failed)?;
                output::csv_as_is(&csv::HEADER, rows)
            }
            Format::Table => {
                show_table(&stored, &review)?;
                let notes = match &stored.number {
                    Some(number) => store.credit_notes_of(number).await?,
                    None => Vec::new(),
                };
                for note in &notes {
                    let (number, reason) =
                        (note.number.as_deref().unwrap_or("-"), note.invoice.reason.as_deref().unwrap_or("-"));
                    let given = money(Amount(-note.invoice.net.0), note.invoice.currency);
                    output::print(&format!("Credit note {number}: net {given} {}: {reason}", note.invoice.currency))?;
                }
                Ok(())
            }
        }
    }
}

fn name_of(named: Option<&Named>) -> String {
    named.map(Named::called).unwrap_or_default()
}

/// The quantity in units of the price, for people: six decimals.
fn units(line: &InvoiceLine) -> Decimal {
    (Decimal::from(line.quantity) / Decimal::from(line.unit_size)).round_dp(6)
}

/// The zone by whose name an invoice was made. The offset stands beside each time, so UTC can't mislead where a name is
/// unknown by now.
fn zone_of(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// What keeps a draft from being final; asks for its lines.
fn blockers(stored: &StoredInvoice, review: &Review) -> Vec<String> {
    if stored.status == Status::Final {
        return Vec::new();
    }
    let zone = zone_of(&stored.invoice.time_zone);
    stored.notes.blockers(&stored.invoice, review).iter().map(|blocker| blocker.words(zone)).collect()
}

/// What the book adds to a document.
pub(super) fn invoice_json(stored: &StoredInvoice, mut value: Value) -> Value {
    value["id"] = stored.id.into();
    value["status"] = stored.status.name().into();
    value["finalized_at"] = stored.finalized_at.map(|at| at.to_string()).into();
    value["held"] = stored.held.clone().into();
    value["difference"] = stored.difference.map(|amount| money(amount, stored.invoice.currency)).into();
    value
}

/// Hands a stored invoice to what makes documents.
pub(super) fn with_subject<T>(stored: &StoredInvoice, made: impl FnOnce(&ToRender<'_>) -> T) -> T {
    let (issue, look) = (issue_of(stored), Branding::default());
    made(&subject_of(stored, issue.as_ref(), &look))
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
        (AdjustmentType::Commitment, _) => format!("{name}, commitment: {amount}"),
        (AdjustmentType::Covered, _) => format!("{name}, covering {basis} of usage: {amount}"),
        (AdjustmentType::Minimum, _) => format!("{name}, filled up from {basis}: {amount}"),
    }
}

/// An invoice for people.
fn show_table(stored: &StoredInvoice, review: &Review) -> Result<(), Failure> {
    head(stored)?;
    if !stored.invoice.lines.is_empty() {
        lines_table(stored)?;
    }
    if !stored.invoice.corrections.is_empty() {
        corrections_table(stored)?;
    }
    totals(stored)?;
    let invoice = &stored.invoice;
    for blocker in blockers(stored, review) {
        output::print(&format!("Not final: {blocker}"))?;
    }
    for accepted in &invoice.accepted {
        output::print(&format!("Accepted: {accepted}"))?;
    }
    if let (Some(difference), Some(number)) = (stored.difference, &stored.number) {
        let (amount, currency) = (money(Amount(difference.0.abs()), invoice.currency), invoice.currency);
        let (compared, next) = if difference < Amount::default() {
            ("less", format!("`invoices credit {number} --difference --reason …` gives it back"))
        } else {
            ("more", "it goes on the account's next invoice".to_owned())
        };
        output::print(&format!("The period now costs {amount} {currency} {compared} than was invoiced: {next}"))?;
    }
    Ok(())
}

fn head(stored: &StoredInvoice) -> Result<(), Failure> {
    let invoice = &stored.invoice;
    let title = match (&stored.number, invoice.kind) {
        (Some(number), DocumentKind::Invoice) => format!("Invoice {number}"),
        (Some(number), DocumentKind::CreditNote) => format!("Credit note {number}"),
        (None, _) => format!("Draft invoice {}", stored.id),
    };
    output::print(&title)?;
    if let Some(corrected) = &invoice.corrects {
        let reason = invoice.reason.as_deref().unwrap_or("-");
        output::print(&format!("About    {} of {}: {reason}", corrected.number, corrected.issued_on))?;
    }
    if let Some(replaced) = &invoice.replaced {
        output::print(&format!("Replaces {} of {}", replaced.number, replaced.issued_on))?;
    }
    if let Some(dates) = stored.dates {
        let due = dates.due_on.map_or_else(String::new, |due| format!(", due {due}"));
        output::print(&format!("Issued   {}{due}", dates.issued_on))?;
    }
    if let Some(reason) = &stored.held {
        output::print(&format!("Held     {reason}"))?;
    }
    if let Some(seller) = &invoice.seller {
        output::print(&format!("From     {seller}"))?;
    }
    let account = visible(invoice.account_name.as_deref().unwrap_or("-"));
    output::print(&format!("For      {account} ({})", visible(&invoice.account)))?;
    let zone = zone_of(&invoice.time_zone);
    output::print(&format!(
        "Period   {} in {}: {} to {}",
        invoice.month,
        invoice.time_zone,
        local(invoice.period.from, zone),
        local(invoice.period.to, zone)
    ))
}

fn lines_table(stored: &StoredInvoice) -> Result<(), Failure> {
    let invoice = &stored.invoice;
    let mut columns = vec![
        numbers("line"),
        words("space"),
        words("for"),
        words("from"),
        numbers("quantity"),
        words("unit"),
        numbers("price"),
        numbers("amount"),
    ];
    // Most accounts have one org, which says nothing new.
    let organization = |line: &InvoiceLine| (line.key.foundation.clone(), line.key.organization.guid.clone());
    let has_several = invoice.lines.windows(2).any(|pair| organization(&pair[0]) != organization(&pair[1]));
    if has_several {
        columns.insert(1, words("org"));
    }
    let zone = zone_of(&invoice.time_zone);
    let rows = (1..).zip(&invoice.lines).map(|(position, line): (usize, &InvoiceLine)| {
        let from = if line.span.from == invoice.period.from { String::new() } else { local(line.span.from, zone) };
        let mut cells = vec![
            position.to_string(),
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
        ];
        if has_several {
            cells.insert(1, name_of(Some(&line.key.organization)));
        }
        cells
    });
    output::table(&columns, rows)
}

fn corrections_table(stored: &StoredInvoice) -> Result<(), Failure> {
    let invoice = &stored.invoice;
    let columns = [
        words("corrects"),
        numbers("line"),
        words("month"),
        words("for"),
        words("because of"),
        numbers("before"),
        numbers("now"),
        numbers("amount"),
    ];
    let rows = invoice.corrections.iter().map(|one| {
        vec![
            one.number.clone(),
            one.line.map(|line| line.to_string()).unwrap_or_default(),
            one.month.to_string(),
            one.what.clone(),
            one.cause.words().to_owned(),
            money(one.before, invoice.currency),
            money(one.after, invoice.currency),
            one.amount().map(|amount| money(amount, invoice.currency)).unwrap_or_default(),
        ]
    });
    output::table(&columns, rows)
}

fn totals(stored: &StoredInvoice) -> Result<(), Failure> {
    let invoice = &stored.invoice;
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
        let (label, amount) = match invoice.kind {
            DocumentKind::Invoice => ("To pay  ", gross),
            DocumentKind::CreditNote => ("Credited", Amount(-gross.0)),
        };
        output::print(&format!("{label} {} {}", money(amount, invoice.currency), invoice.currency))?;
    }
    if invoice.estimated != Amount::default() {
        let estimated = money(invoice.estimated, invoice.currency);
        output::print(&format!("of which {estimated} {} rests on estimated usage", invoice.currency))?;
    }
    Ok(())
}
