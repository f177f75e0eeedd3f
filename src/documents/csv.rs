//! A document as plain CSV: a row for each line, adjustment and correction, for tax, and for the total.
//! Owns its columns, which others rely on; never an amount.

use super::{DocumentError, ToRender};
use crate::domain::text::inert;
use crate::domain::{Amount, Currency};
use crate::invoicing::{Adjustment, Correction, InvoiceLine, TaxLine};
use crate::rating::{LineKey, Named};

/// The columns. New ones come last; none goes, changes its name or its place.
pub const HEADER: [&str; 41] = [
    "invoice",
    "foundation",
    "organization_guid",
    "organization",
    "space_guid",
    "space",
    "kind",
    "app_guid",
    "app",
    "service_instance_guid",
    "service_instance",
    "service_offering",
    "service_plan",
    "buildpack",
    "estimated",
    "from",
    "to",
    "meter",
    "quantity",
    "unit_size",
    "price",
    "amount",
    "part",
    "used",
    "granularity",
    "document",
    "issued_on",
    "due_on",
    "currency",
    "list_price",
    "discount",
    "what",
    "corrected_invoice",
    "corrected_line",
    "cause",
    "before",
    "after",
    "tax_category",
    "tax_percent",
    "total",
    "line",
];

/// Columns of text that others wrote: none of it is a formula ([`inert`]).
const TEXTS: [&str; 14] = [
    "invoice",
    "foundation",
    "organization",
    "space",
    "app",
    "service_instance",
    "service_offering",
    "service_plan",
    "buildpack",
    "part",
    "granularity",
    "what",
    "corrected_invoice",
    "tax_category",
];

/// What stands for a draft's number.
const DRAFT: &str = "draft";

/// A file of one document. `amount` comes to what `total` says in the last row, which has no amount.
///
/// # Errors
/// [`DocumentError::Failed`].
pub fn file(subject: &ToRender<'_>) -> Result<String, DocumentError> {
    let failed = |error: &dyn std::fmt::Display| DocumentError::Failed(error.to_string());
    let document = subject.document;
    let name = subject.issue.map_or(DRAFT, |issue| &issue.number);
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: &[String]| writer.write_record(row).map_err(|error| failed(&error));
    write(&HEADER.map(str::to_owned))?;
    for row in rows(subject, name)? {
        write(&row)?;
    }
    if let Some(tax) = &document.tax {
        write(&Cells::new(subject, name).tax(tax).0)?;
    }
    let gross = document.gross().map_err(|error| failed(&error))?;
    let mut total = Cells::new(subject, name);
    total.put("kind", "total");
    total.put("total", money(gross, document.currency));
    write(&total.0)?;
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

/// Its lines, adjustments and corrections, whose amounts come to the net; `name` is what the document is called.
///
/// # Errors
/// [`DocumentError::Failed`].
pub fn rows(subject: &ToRender<'_>, name: &str) -> Result<Vec<Vec<String>>, DocumentError> {
    let document = subject.document;
    let cells = || Cells::new(subject, name);
    let lines = (1..).zip(document.lines());
    let mut rows: Vec<Vec<String>> = lines.map(|(position, line)| cells().line(position, line).0).collect();
    rows.extend(document.adjustments().iter().map(|adjustment| cells().adjustment(adjustment).0));
    for correction in &document.corrections {
        rows.push(cells().correction(correction)?.0);
    }
    Ok(rows)
}

/// An amount with the currency's decimals.
fn money(amount: Amount, currency: Currency) -> String {
    amount.in_major_units(currency).to_string()
}

/// A row that is being filled.
struct Cells<'a>(Vec<String>, &'a ToRender<'a>);

impl<'a> Cells<'a> {
    fn new(subject: &'a ToRender<'a>, name: &str) -> Self {
        let mut cells = Self(vec![String::new(); HEADER.len()], subject);
        cells.put("invoice", name);
        cells.put("document", subject.document.kind().name());
        cells.put("currency", subject.document.currency.code());
        if let Some(issue) = subject.issue {
            cells.put("issued_on", issue.issued_on);
            cells.put("due_on", issue.due_on.map_or_else(String::new, |date| date.to_string()));
        }
        cells
    }

    #[expect(clippy::needless_pass_by_value, reason = "so that a column is put in one short line")]
    fn put(&mut self, column: &str, value: impl ToString) {
        if let Some(position) = HEADER.iter().position(|header| *header == column) {
            let value = value.to_string();
            self.0[position] = if TEXTS.contains(&column) { inert(&value).into_owned() } else { value };
        }
    }

    fn put_money(&mut self, column: &str, amount: Amount) {
        self.put(column, money(amount, self.1.document.currency));
    }

    fn put_key(&mut self, key: &LineKey) {
        let guid = |named: Option<&Named>| named.map(|named| named.guid.to_string()).unwrap_or_default();
        let name = |named: Option<&Named>| named.and_then(|named| named.name.clone()).unwrap_or_default();
        self.put("foundation", &key.foundation);
        self.put("organization_guid", &key.organization.guid);
        self.put("organization", name(Some(&key.organization)));
        self.put("space_guid", &key.space.guid);
        self.put("space", name(Some(&key.space)));
        self.put("app_guid", guid(key.app.as_ref()));
        self.put("app", name(key.app.as_ref()));
        self.put("service_instance_guid", guid(key.service_instance.as_ref()));
        self.put("service_instance", name(key.service_instance.as_ref()));
        self.put("service_offering", name(key.service_offering.as_ref()));
        self.put("service_plan", name(key.service_plan.as_ref()));
        self.put("buildpack", key.buildpack.as_deref().unwrap_or_default());
        self.put("estimated", key.estimated);
    }

    fn line(mut self, position: usize, line: &InvoiceLine) -> Self {
        self.put("line", position);
        self.put_key(&line.key);
        self.put("kind", line.key.kind);
        self.put("from", line.span.from);
        self.put("to", line.span.to);
        self.put("meter", line.meter);
        self.put("quantity", line.quantity);
        self.put("unit_size", line.unit_size);
        self.put("part", &line.part);
        self.put("used", line.used);
        self.put("granularity", line.granularity.as_deref().unwrap_or_default());
        self.put_money("discount", line.discount);
        self.put("what", line.what());
        if let Some(charge) = &line.charge {
            self.put("price", charge.price);
            self.put_money("amount", charge.amount);
            self.put("list_price", charge.list_price.unwrap_or(charge.price));
        }
        self
    }

    /// What is added to the lines, or taken off them: its type stands where a line's kind does.
    fn adjustment(mut self, adjustment: &Adjustment) -> Self {
        self.put("kind", adjustment.adjustment.name());
        self.put("part", &adjustment.name);
        self.put("from", self.1.document.period.from);
        self.put("to", self.1.document.period.to);
        self.put_money("amount", adjustment.amount);
        self
    }

    fn correction(mut self, correction: &Correction) -> Result<Self, DocumentError> {
        let amount = correction.amount().map_err(|error| DocumentError::Failed(error.to_string()))?;
        if let Some(key) = &correction.key {
            self.put_key(key);
            self.put("quantity", correction.quantity);
            self.put("unit_size", correction.unit_size);
        }
        self.put("kind", "correction");
        self.put("from", correction.span.from);
        self.put("to", correction.span.to);
        self.put("meter", correction.meter.map_or("", |meter| meter.name()));
        self.put("price", correction.price.map_or_else(String::new, |price| price.to_string()));
        self.put_money("amount", amount);
        self.put("what", &correction.what);
        self.put("corrected_invoice", &correction.number);
        self.put("corrected_line", correction.line.map_or_else(String::new, |line| line.to_string()));
        self.put("cause", correction.cause.name());
        self.put_money("before", correction.before);
        self.put_money("after", correction.after);
        Ok(self)
    }

    fn tax(mut self, tax: &TaxLine) -> Self {
        self.put("kind", "tax");
        self.put("part", &tax.name);
        self.put("from", self.1.document.period.from);
        self.put("to", self.1.document.period.to);
        self.put_money("amount", tax.amount);
        self.put("tax_category", &tax.category);
        self.put("tax_percent", tax.percent);
        self
    }
}
