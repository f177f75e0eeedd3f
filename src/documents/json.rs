//! A document as JSON, by docs/invoice.schema.json: numbers that aren't whole are texts.
//! Owns its keys, which others rely on; never an amount.

use serde_json::{Value, json};

use super::{DocumentError, ToRender};
use crate::domain::{Amount, Currency};
use crate::invoicing::{Adjustment, Corrected, Correction, InvoiceLine, Status, TaxLine};
use crate::rating::{LineKey, Named};

/// All of a document.
///
/// # Errors
/// [`DocumentError::Failed`].
pub fn document(subject: &ToRender<'_>) -> Result<Value, DocumentError> {
    let document = subject.document;
    let unpriced = document.lines().iter().filter(|line| line.charge.is_none()).count();
    let mut value = summary(subject, unpriced);
    value["particulars"] =
        serde_json::to_value(&document.particulars).map_err(|error| DocumentError::Failed(error.to_string()))?;
    value["lines"] = document.lines().iter().map(|line| line_value(line, document.currency)).collect();
    value["adjustments"] = document.adjustments().iter().map(|one| adjustment(one, document.currency)).collect();
    value["corrections"] =
        document.corrections.iter().map(|one| correction(one, document.currency)).collect::<Result<_, _>>()?;
    Ok(value)
}

/// What there is to say of it in a list, where its lines aren't at hand: so many of them have no price.
#[must_use]
pub fn summary(subject: &ToRender<'_>, unpriced_lines: usize) -> Value {
    let document = subject.document;
    let status = match (subject.issue, subject.in_review) {
        (Some(_), _) => Status::Final,
        (None, true) => Status::Review,
        (None, false) => Status::Draft,
    };
    let note = document.as_credit_note();
    let named = |one: &Corrected| json!({"number": one.number, "issued_on": one.issued_on});
    json!({
        "document": document.kind().name(),
        "number": subject.issue.map(|issue| &issue.number),
        "status": status.name(),
        "issued_on": subject.issue.map(|issue| issue.issued_on),
        "due_on": subject.issue.and_then(|issue| issue.due_on),
        "account": document.account,
        "account_name": document.account_name,
        "seller": document.seller,
        "month": document.month.to_string(),
        "period_start": document.period.from,
        "period_end": document.period.to,
        "time_zone": document.time_zone.name(),
        "currency": document.currency.code(),
        "net": money(document.net, document.currency),
        "tax": document.tax.as_ref().map(|tax| tax_value(tax, document.currency)),
        "gross": document.gross().ok().map(|gross| money(gross, document.currency)),
        "estimated": money(document.estimated(), document.currency),
        "rate_card_sha256": document.rate_card,
        "rated_through": document.rated_through,
        "drafted_at": subject.drafted_at,
        "unpriced_lines": unpriced_lines,
        "corrects": note.map(|note| named(&note.corrects)),
        "reopens": document.reopens(),
        "replaces": document.as_invoice().and_then(|invoice| invoice.replaced.as_ref()).map(named),
        "reason": note.map(|note| &note.reason),
    })
}

/// An amount with the currency's decimals.
fn money(amount: Amount, currency: Currency) -> String {
    amount.in_major_units(currency).to_string()
}

fn tax_value(tax: &TaxLine, currency: Currency) -> Value {
    json!({
        "name": tax.name,
        "category": tax.category,
        "percent": tax.percent,
        "amount": money(tax.amount, currency),
        "exemption_reason": tax.exemption_reason,
    })
}

fn adjustment(one: &Adjustment, currency: Currency) -> Value {
    json!({
        "adjustment": one.adjustment.name(),
        "name": one.name,
        "basis": one.basis.map(|basis| money(basis, currency)),
        "percent": one.percent,
        "amount": money(one.amount, currency),
    })
}

/// What a line or a correction is for.
fn key_value(key: &LineKey) -> Value {
    let named = |named: Option<&Named>| named.map(|named| json!({"guid": named.guid, "name": named.name}));
    json!({
        "foundation": key.foundation,
        "organization": named(Some(&key.organization)),
        "space": named(Some(&key.space)),
        "kind": key.kind.name(),
        "app": named(key.app.as_ref()),
        "service_instance": named(key.service_instance.as_ref()),
        "service_offering": named(key.service_offering.as_ref()),
        "service_plan": named(key.service_plan.as_ref()),
        "buildpack": key.buildpack,
        "estimated": key.estimated,
    })
}

fn line_value(line: &InvoiceLine, currency: Currency) -> Value {
    let charge = line.charge.as_ref();
    let rest = json!({
        "from": line.span.from,
        "to": line.span.to,
        "meter": line.meter.name(),
        "quantity": line.quantity,
        "used": line.used,
        "unit_size": line.unit_size,
        "part": line.part.to_string(),
        "granularity": line.granularity,
        "units": in_units(line),
        "price": charge.map(|charge| charge.price),
        "list_price": charge.map(|charge| charge.list_price.unwrap_or(charge.price)),
        "amount": charge.map(|charge| money(charge.amount, currency)),
        "discount": money(line.discount, currency),
        "rate": charge.map(|charge| &charge.rate),
        "days": line.days,
        "what": line.what(),
    });
    let mut value = key_value(&line.key);
    if let (Some(fields), Value::Object(rest)) = (value.as_object_mut(), rest) {
        fields.extend(rest);
    }
    value
}

/// The quantity in units of the price, for people: six decimals.
fn in_units(line: &InvoiceLine) -> String {
    (rust_decimal::Decimal::from(line.quantity) / rust_decimal::Decimal::from(line.unit_size)).round_dp(6).to_string()
}

fn correction(one: &Correction, currency: Currency) -> Result<Value, DocumentError> {
    let amount = one.amount().map_err(|error| DocumentError::Failed(error.to_string()))?;
    Ok(json!({
        "number": one.number,
        "rate_card_sha256": one.rate_card,
        "line": one.line,
        "month": one.month.to_string(),
        "from": one.span.from,
        "to": one.span.to,
        "what": one.what,
        "of": one.key.as_deref().map(key_value),
        "meter": one.meter.map(crate::rate_card::Meter::name),
        "quantity": one.quantity,
        "unit_size": one.unit_size,
        "price": one.price,
        "before": money(one.before, currency),
        "after": money(one.after, currency),
        "amount": money(amount, currency),
        "cause": one.cause.name(),
    }))
}
