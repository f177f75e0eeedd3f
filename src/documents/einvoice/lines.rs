//! The lines of an e-invoice: usage, and what is corrected of earlier invoices.
//! Owns how they are named and described; never leaves one out.

use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::parts::{Adjusted, Days, signed};
use super::price::{Cost, Priced};
use super::words::Words;
use super::xml;
use crate::domain::{Amount, AmountOverflow, Currency, Price};
use crate::invoicing::{Correction, DocumentKind, DocumentRef, Invoice, InvoiceLine};
use crate::rate_card::{Meter, units};
use crate::rating::{LineKey, Named, Part};

/// BG-25. Its number is its place, from 1: the one that the invoice's line has in the book.
#[derive(Debug)]
pub(super) struct Line {
    /// BT-127
    pub note: Option<String>,
    /// BT-129, BT-130 and BG-29
    pub priced: Priced,
    /// BT-131
    pub amount: Amount,
    /// BG-26
    pub period: Option<Days>,
    /// BT-153
    pub name: String,
    /// BT-154
    pub description: Option<String>,
    /// BG-32
    pub attributes: Vec<(&'static str, String)>,
}

/// A line for each of the invoice's, then one for each correction.
pub(super) fn lines(
    document: DocumentRef<'_>,
    words: &Words,
    period: Days,
    zone: Tz,
) -> Result<Vec<Line>, AmountOverflow> {
    // Peppol wants a line's period within the invoice's (R110, R111).
    let within = |span| Some(Days::of(span, zone)).filter(|days| period.holds(*days));
    let mut lines = Vec::with_capacity(document.lines().len() + document.corrections.len());
    for (invoice, line) in document.as_invoice().into_iter().flat_map(|of| of.lines.iter().map(move |line| (of, line)))
    {
        lines.push(Line { period: within(line.span), ..of_usage(line, invoice, words) });
    }
    for correction in &document.corrections {
        lines.push(Line { period: within(correction.span), ..of_correction(correction, document, words)? });
    }
    Ok(lines)
}

/// What is paid in any case, as lines.
pub(super) fn of_charges(charges: &[Adjusted], currency: Currency) -> Vec<Line> {
    let line = |charge: &Adjusted| Line {
        note: None,
        priced: Priced::whole(charge.amount, currency),
        amount: charge.amount,
        period: None,
        name: charge.reason.clone(),
        description: None,
        attributes: Vec::new(),
    };
    charges.iter().map(line).collect()
}

fn of_usage(line: &InvoiceLine, invoice: &Invoice, words: &Words) -> Line {
    let currency = invoice.currency;
    let price = line.charge.as_ref().map_or(Price::ZERO, |charge| charge.price);
    let amount = line.charge.as_ref().map_or(Amount::default(), |charge| charge.amount);
    let is_package = matches!(line.part, Part::Packages(_));
    let (meter, quantity, unit_size) = (line.meter, line.quantity, line.unit_size);
    let priced = Priced::of(Cost { meter, is_package, quantity, unit_size, price, amount }, currency);
    let month = Meter::Month.unit_size(invoice.period);
    let unit = if is_package {
        let size = units(line.unit_size, line.meter.constant_unit().unwrap_or(month));
        words.packages_of(size, line.meter)
    } else {
        words.unit(line.meter).to_owned()
    };
    let mut description = whose(&line.key);
    description.extend(match &line.part {
        Part::Whole => None,
        Part::Allowance(name) => Some(words.allowance(name)),
        Part::Tier(tier) => Some(words.tier(*tier)),
        Part::Packages(packages) => Some(words.packages_in_all(*packages)),
    });
    if priced.price != price.decimal() {
        description.push(words.unit_price(price.decimal(), currency.code()));
    }
    description.extend(line.key.estimated.then(|| words.estimated.to_owned()));
    let mut attributes = attributes(&line.key);
    attributes.extend(line.charge.as_ref().and_then(|charge| Some(("Rate", xml::line(&charge.rate)?))));
    attributes.extend(line.granularity.as_ref().and_then(|text| Some(("Rounding of lengths", xml::line(text)?))));
    Line {
        note: line.charge.is_none().then(|| words.unpriced.to_owned()),
        priced,
        amount,
        period: None,
        name: xml::line(&format!("{}, {unit}", called(&line.key, words))).unwrap_or_default(),
        description: xml::line(&description.join("; ")),
        attributes,
    }
}

fn of_correction(correction: &Correction, document: DocumentRef<'_>, words: &Words) -> Result<Line, AmountOverflow> {
    let (currency, code) = (document.currency, document.currency.code());
    let amount = signed(document, correction.amount()?)?;
    let is_credit = document.kind() == DocumentKind::CreditNote;
    let unit = correction.meter.map(|meter| words.unit(meter));
    let what = match (&correction.key, unit) {
        (Some(key), Some(unit)) => format!("{}, {unit}", called(key, words)),
        _ => correction.what.clone(),
    };
    let mut description = vec![correction.month.to_string()];
    description.extend(correction.key.iter().flat_map(|key| whose(key)));
    if let (Some(unit), Some(price), true) = (unit, correction.price, correction.quantity != 0) {
        let quantity = units(correction.quantity, correction.unit_size);
        let sign = if quantity > Decimal::ZERO { "+" } else { "" };
        let price = words.unit_price(price.decimal(), code);
        description.push(format!("{sign}{} {unit}, {price}", words.number(quantity)));
    }
    let (before, after) = (correction.before.in_major_units(currency), correction.after.in_major_units(currency));
    description.push(words.instead_of(after, before, code));
    description.push(words.cause(correction.cause).to_owned());
    let about = words.corrected(is_credit, &correction.number, correction.line);
    Ok(Line {
        note: None,
        priced: Priced::whole(amount, currency),
        amount,
        period: None,
        name: xml::line(&format!("{about}: {what}")).unwrap_or_default(),
        description: xml::line(&description.join("; ")),
        attributes: correction.key.as_ref().map(|key| attributes(key)).unwrap_or_default(),
    })
}

fn name(named: &Named) -> String {
    named.name.as_deref().and_then(xml::line).unwrap_or_else(|| named.guid.to_string())
}

/// `App shop`
fn called(key: &LineKey, words: &Words) -> String {
    let resource = key.service_instance.as_ref().or(key.app.as_ref());
    let kind = words.kind(key.kind);
    resource.map_or_else(|| kind.to_owned(), |resource| format!("{kind} {}", name(resource)))
}

/// Organization and space, buildpack or plan.
fn whose(key: &LineKey) -> Vec<String> {
    let mut parts = vec![format!("{} / {}", name(&key.organization), name(&key.space))];
    let plan: Vec<String> = key.service_offering.iter().chain(&key.service_plan).map(name).collect();
    parts.extend((!plan.is_empty()).then(|| plan.join(" ")));
    parts.extend(key.buildpack.clone());
    parts
}

/// What programs may want to split an invoice by. Names of attributes are the same in all languages.
fn attributes(key: &LineKey) -> Vec<(&'static str, String)> {
    let guid = |named: &Named| named.guid.to_string();
    let all = [
        ("Foundation", Some(key.foundation.clone())),
        ("Organization", Some(name(&key.organization))),
        ("Organization guid", Some(guid(&key.organization))),
        ("Space", Some(name(&key.space))),
        ("Space guid", Some(guid(&key.space))),
        ("App", key.app.as_ref().map(name)),
        ("App guid", key.app.as_ref().map(guid)),
        ("Service instance", key.service_instance.as_ref().map(name)),
        ("Service instance guid", key.service_instance.as_ref().map(guid)),
        ("Service offering", key.service_offering.as_ref().map(name)),
        ("Service plan", key.service_plan.as_ref().map(name)),
        ("Buildpack", key.buildpack.clone()),
    ];
    all.into_iter().filter_map(|(attribute, value)| Some((attribute, xml::line(&value?)?))).collect()
}
