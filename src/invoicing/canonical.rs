//! Everything a final invoice says, in a fixed form: what hash chains compare.

use std::borrow::Borrow;

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::{Charge, Correction, CreditNote, Document, DocumentKind, Invoice, InvoiceLine};
use crate::domain::{Amount, Currency, Price, Timestamp};
use crate::rate_card::Meter;
use crate::rating::{LineKey, Named};

/// When an invoice was issued, and until when it is to be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dates {
    pub issued_on: NaiveDate,
    /// `None`: nothing is to be paid.
    pub due_on: Option<NaiveDate>,
}

/// What a final invoice got beside what it says.
#[derive(Clone, Copy, Debug)]
pub struct Issued<'a> {
    pub number: &'a str,
    pub finalized_at: Timestamp,
    /// `None`: made final by an earlier version.
    pub dates: Option<Dates>,
    /// SHA-256 of what it rests on, hexadecimal.
    pub basis: Option<&'a str>,
    /// How its book names the invoice in whose place it is; 0: none.
    pub replaces: i64,
}

fn named(named: Option<&Named>) -> Value {
    named.map_or(Value::Null, |named| json!([named.guid, named.name]))
}

fn price(price: Price) -> String {
    price.decimal().normalize().to_string()
}

fn subject(key: &LineKey) -> Vec<Value> {
    vec![
        json!(key.foundation),
        named(Some(&key.organization)),
        named(Some(&key.space)),
        json!(key.kind.name()),
        named(key.app.as_ref()),
        named(key.service_instance.as_ref()),
        named(key.service_offering.as_ref()),
        named(key.service_plan.as_ref()),
        json!(key.buildpack),
        json!(key.estimated),
    ]
}

impl InvoiceLine {
    /// Whether it says more than quantity and price: a tier, an allowance, rounded lengths.
    fn has_more(&self) -> bool {
        self.used != self.quantity || self.part != crate::rating::Part::Whole || self.granularity.is_some()
    }

    fn canonical(&self, currency: Currency) -> Value {
        let charge = |charge: &Charge| {
            json!([price(charge.price), charge.amount.in_major_units(currency).to_string(), charge.rate])
        };
        let mut fields = subject(&self.key);
        fields.extend([
            json!(self.span.from),
            json!(self.span.to),
            json!(self.meter.name()),
            json!(self.quantity),
            json!(self.unit_size),
            self.charge.as_ref().map_or(Value::Null, charge),
        ]);
        // What earlier versions didn't know isn't there where it says nothing.
        if self.has_more() {
            fields.push(json!([self.used, self.part.to_string(), self.granularity]));
        }
        let list_price = self.charge.as_ref().and_then(|charge| charge.list_price).map(price);
        if !self.days.is_empty() || list_price.is_some() || self.discount != Amount::default() {
            fields.push(json!({
                "days": self.days,
                "list_price": list_price,
                "discount": self.discount.0,
                "row": self.row,
            }));
        }
        Value::Array(fields)
    }
}

impl Correction {
    fn canonical(&self) -> Value {
        json!([
            self.number,
            self.line,
            self.month.to_string(),
            self.span.from,
            self.span.to,
            self.what,
            self.key.as_ref().map(|key| subject(key)),
            self.meter.map(Meter::name),
            self.quantity,
            self.unit_size,
            self.price.map(price),
            self.before.0,
            self.after.0,
            self.cause.name(),
            self.rate_card,
        ])
    }
}

impl<I: Borrow<Invoice>, N: Borrow<CreditNote>> Document<I, N> {
    /// Everything it says, in a fixed form.
    #[must_use]
    pub fn canonical(&self, issued: &Issued<'_>) -> String {
        let Issued { number, finalized_at, .. } = issued;
        let lines: Vec<Value> = self.lines().iter().map(|line| line.canonical(self.currency)).collect();
        let mut whole = json!([
            number,
            self.account,
            self.account_name,
            self.seller,
            self.month.to_string(),
            self.period.from,
            self.period.to,
            self.time_zone.name(),
            self.currency.code(),
            self.net.in_major_units(self.currency).to_string(),
            self.estimated().in_major_units(self.currency).to_string(),
            self.rate_card,
            self.rated_through,
            finalized_at,
            self.accepted(),
            lines,
        ]);
        let fields = whole.as_array_mut().expect("it was made as an array");
        if !self.adjustments().is_empty() || self.tax.is_some() {
            let major = |amount: Amount| amount.in_major_units(self.currency).to_string();
            let adjustments = self.adjustments().iter().map(|one| {
                json!([
                    one.adjustment.name(),
                    one.name,
                    one.basis.map(major),
                    one.percent.map(price),
                    major(one.amount)
                ])
            });
            fields.push(adjustments.collect());
            fields.push(
                self.tax
                    .as_ref()
                    .map_or(Value::Null, |tax| json!([tax.name, tax.category, price(tax.percent), major(tax.amount)])),
            );
        }
        if let Some(dates) = issued.dates {
            fields.push(self.issued(dates, issued));
        }
        whole.to_string()
    }

    /// What documents need beside amounts.
    fn issued(&self, dates: Dates, Issued { basis, replaces, .. }: &Issued<'_>) -> Value {
        let note = self.as_credit_note();
        let coverage: Vec<Value> = (self.coverage().iter())
            .map(|one| json!([one.foundation, one.organization, one.space, one.span.from, one.span.to]))
            .collect();
        json!({
            "kind": self.kind().name(),
            "issued_on": dates.issued_on.to_string(),
            "due_on": dates.due_on.map(|due| due.to_string()),
            "particulars": self.particulars,
            "tax_exemption": self.tax.as_ref().and_then(|tax| tax.exemption_reason.clone()),
            "corrects": note.map(|note| &note.corrects.number),
            "reason": note.map(|note| &note.reason),
            "corrections": self.corrections.iter().map(Correction::canonical).collect::<Vec<_>>(),
            "coverage": coverage,
            "replaces": (self.kind() == DocumentKind::Invoice).then_some(replaces),
            "reopens": self.reopens(),
            "basis": basis,
        })
    }
}
