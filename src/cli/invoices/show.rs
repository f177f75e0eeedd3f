//! `cf-billing invoices show`: one invoice, for people, or as its document's data.

use rust_decimal::{Decimal, RoundingStrategy};

use super::super::Failure;
use super::super::output::{self, Format, numbers, words};
use super::money;
use crate::api::{document_json, with_subject};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::csv;
use crate::domain::period::local;
use crate::domain::text::visible;
use crate::domain::{Amount, Currency};
use crate::invoicing::{Adjustment, AdjustmentType, Corrected, CreditNote, Document, InvoiceLine, Review, Status};
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
                let mut value = document_json(&stored, true).map_err(Failure::failed)?;
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
                    let number = note.number.as_deref().unwrap_or("-");
                    let reason = note.document.as_credit_note().map_or("-", |note| &note.reason);
                    let given = money(Amount(-note.document.net.0), note.document.currency);
                    output::print(&format!("Credit note {number}: net {given} {}: {reason}", note.document.currency))?;
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

/// What keeps a draft from being final; asks for its lines.
fn blockers(stored: &StoredInvoice, review: &Review) -> Vec<String> {
    let Some(invoice) = stored.document.as_invoice().filter(|_| stored.status != Status::Final) else {
        return Vec::new();
    };
    let zone = invoice.time_zone;
    stored.notes.blockers(invoice, review).iter().map(|blocker| blocker.words(zone)).collect()
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
    if !stored.document.lines().is_empty() {
        lines_table(stored)?;
    }
    if !stored.document.corrections.is_empty() {
        corrections_table(stored)?;
    }
    totals(stored)?;
    let document = &stored.document;
    for blocker in blockers(stored, review) {
        output::print(&format!("Not final: {blocker}"))?;
    }
    for accepted in document.accepted() {
        output::print(&format!("Accepted: {accepted}"))?;
    }
    if let (Some(difference), Some(number)) = (stored.difference, &stored.number) {
        let (amount, currency) = (money(Amount(difference.0.abs()), document.currency), document.currency);
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
    let document = &stored.document;
    let title = match (&stored.number, &stored.document) {
        (Some(number), Document::Invoice(_)) => format!("Invoice {number}"),
        (Some(number), Document::CreditNote(_)) => format!("Credit note {number}"),
        (None, _) => format!("Draft invoice {}", stored.id),
    };
    output::print(&title)?;
    if let Document::CreditNote(CreditNote { corrects, reason, .. }) = &stored.document {
        output::print(&format!("About    {}: {reason}", dated(corrects)))?;
    }
    if let Some(replaced) = document.as_invoice().and_then(|invoice| invoice.replaced.as_ref()) {
        output::print(&format!("Replaces {}", dated(replaced)))?;
    }
    if let Some(dates) = stored.dates {
        let due = dates.due_on.map_or_else(String::new, |due| format!(", due {due}"));
        output::print(&format!("Issued   {}{due}", dates.issued_on))?;
    }
    if let Some(reason) = &stored.held {
        output::print(&format!("Held     {reason}"))?;
    }
    if let Some(seller) = &document.seller {
        output::print(&format!("From     {seller}"))?;
    }
    let account = visible(document.account_name.as_deref().unwrap_or("-"));
    output::print(&format!("For      {account} ({})", visible(&document.account)))?;
    let zone = document.time_zone;
    output::print(&format!(
        "Period   {} in {}: {} to {}",
        document.month,
        document.time_zone,
        local(document.period.from, zone),
        local(document.period.to, zone)
    ))
}

fn lines_table(stored: &StoredInvoice) -> Result<(), Failure> {
    let document = &stored.document;
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
    let has_several = document.lines().windows(2).any(|pair| organization(&pair[0]) != organization(&pair[1]));
    if has_several {
        columns.insert(1, words("org"));
    }
    let zone = document.time_zone;
    let rows = (1..).zip(document.lines()).map(|(position, line): (usize, &InvoiceLine)| {
        let from = if line.span.from == document.period.from { String::new() } else { local(line.span.from, zone) };
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
            line.charge.as_ref().map(|charge| money(charge.amount, document.currency)).unwrap_or_default(),
        ];
        if has_several {
            cells.insert(1, name_of(Some(&line.key.organization)));
        }
        cells
    });
    output::table(&columns, rows)
}

fn corrections_table(stored: &StoredInvoice) -> Result<(), Failure> {
    let document = &stored.document;
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
    let rows = document.corrections.iter().map(|one| {
        vec![
            one.number.clone(),
            one.line.map(|line| line.to_string()).unwrap_or_default(),
            one.month.to_string(),
            one.what.clone(),
            one.cause.words().to_owned(),
            money(one.before, document.currency),
            money(one.after, document.currency),
            one.amount().map(|amount| money(amount, document.currency)).unwrap_or_default(),
        ]
    });
    output::table(&columns, rows)
}

fn totals(stored: &StoredInvoice) -> Result<(), Failure> {
    let document = &stored.document;
    if !document.adjustments().is_empty() {
        let lines = document.lines().iter().filter_map(|line| line.charge.as_ref()).map(|charge| charge.amount.0).sum();
        output::print(&format!("Lines    {} {}", money(Amount(lines), document.currency), document.currency))?;
    }
    for adjustment in document.adjustments() {
        output::print(&adjusted(adjustment, document.currency))?;
    }
    output::print(&format!("Net      {} {}", money(document.net, document.currency), document.currency))?;
    if let Some(tax) = &document.tax {
        output::print(&format!(
            "{} {} % ({})  {} {}",
            tax.name,
            tax.percent,
            tax.category,
            money(tax.amount, document.currency),
            document.currency
        ))?;
        let gross = document.gross().map_err(Failure::failed)?;
        let (label, amount) = match document {
            Document::Invoice(_) => ("To pay  ", gross),
            Document::CreditNote(_) => ("Credited", Amount(-gross.0)),
        };
        output::print(&format!("{label} {} {}", money(amount, document.currency), document.currency))?;
    }
    if document.estimated() != Amount::default() {
        let estimated = money(document.estimated(), document.currency);
        output::print(&format!("of which {estimated} {} rests on estimated usage", document.currency))?;
    }
    Ok(())
}

/// Number and date of an invoice; the number alone where its date isn't known.
fn dated(corrected: &Corrected) -> String {
    match corrected.issued_on {
        Some(date) => format!("{} of {date}", corrected.number),
        None => corrected.number.clone(),
    }
}
