//! An invoice or credit note, as programs read it: by docs/invoice.schema.json.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::{RefOr, Type};
use utoipa::{PartialSchema, ToSchema};

use super::row::{Tabular, or_empty};
use crate::billing_run::{issue_of, subject_of};
use crate::documents::{Branding, DocumentError, ToRender, json};
use crate::domain::{Amount, Timestamp};
use crate::store::StoredInvoice;

/// Hands a stored invoice to what makes documents.
pub fn with_subject<T>(stored: &StoredInvoice, made: impl FnOnce(&ToRender<'_>) -> T) -> T {
    let (issue, look) = (issue_of(stored), Branding::default());
    made(&subject_of(stored, issue.as_ref(), &look))
}

/// What the book adds to a document, for those who decide about it.
fn with_book(stored: &StoredInvoice, mut value: Value) -> Value {
    let money = |amount: Amount| amount.in_major_units(stored.document.currency).to_string();
    value["id"] = stored.id.into();
    value["status"] = stored.status.name().into();
    value["finalized_at"] = stored.finalized_at.map(|at| at.to_string()).into();
    value["held"] = stored.held.clone().into();
    value["difference"] = stored.difference.map(money).into();
    value
}

/// All of it; for staff also what the book adds, and what was accepted.
///
/// # Errors
/// [`DocumentError::Failed`].
pub fn document_json(stored: &StoredInvoice, is_staff: bool) -> Result<Value, DocumentError> {
    let mut value = with_subject(stored, json::document)?;
    if is_staff {
        value = with_book(stored, value);
        value["accepted"] = stored.document.accepted().into();
    }
    Ok(value)
}

/// An invoice or credit note with its lines, by docs/invoice.schema.json.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct InvoiceDocument(pub Value);

/// An invoice or credit note without its lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct InvoiceSummary {
    pub value: Value,
    #[serde(skip)]
    cells: Vec<String>,
}

impl InvoiceSummary {
    /// For staff with what the book adds.
    #[must_use]
    pub fn new(stored: &StoredInvoice, is_staff: bool) -> Self {
        let value = with_subject(stored, |subject| json::summary(subject, stored.unpriced_lines));
        let value = if is_staff { with_book(stored, value) } else { value };
        Self { value, cells: cells(stored, is_staff) }
    }
}

/// Of the provider's own, and empty for others.
fn cells(stored: &StoredInvoice, is_staff: bool) -> Vec<String> {
    let document = &stored.document;
    let money = |amount: Amount| amount.in_major_units(document.currency).to_string();
    vec![
        if is_staff { stored.id.to_string() } else { String::new() },
        or_empty(stored.number.as_ref()),
        stored.status.name().to_owned(),
        document.account.clone(),
        or_empty(document.account_name.as_ref()),
        document.month.to_string(),
        money(document.net),
        money(document.estimated()),
        document.currency.to_string(),
        stored.unpriced_lines.to_string(),
        document.kind().name().to_owned(),
        or_empty(document.gross().ok().map(money)),
        or_empty(stored.difference.filter(|_| is_staff).map(money)),
        or_empty(stored.held.as_ref().filter(|_| is_staff)),
    ]
}

impl Tabular for InvoiceSummary {
    const HEADER: &'static [&'static str] = &[
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

    fn cells(&self) -> Vec<String> {
        self.cells.clone()
    }
}

/// Stands for a schema until [`invoice_schema`] takes its place.
fn in_place_of(description: &str) -> RefOr<Schema> {
    let mut object = Object::with_type(Type::Object);
    object.description = Some(description.to_owned());
    RefOr::T(Schema::Object(object))
}

impl PartialSchema for InvoiceDocument {
    fn schema() -> RefOr<Schema> {
        in_place_of("docs/invoice.schema.json")
    }
}

impl ToSchema for InvoiceDocument {
    fn name() -> Cow<'static, str> {
        "Invoice".into()
    }
}

impl PartialSchema for InvoiceSummary {
    fn schema() -> RefOr<Schema> {
        in_place_of("docs/invoice.schema.json, without its lines")
    }
}

impl ToSchema for InvoiceSummary {
    fn name() -> Cow<'static, str> {
        "InvoiceSummary".into()
    }
}

/// A document of a final invoice that was made, and is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeptDocument {
    /// `html`, `pdf`, `csv`, `json` or `ubl`
    pub format: String,
    /// Version of what made it.
    pub renderer: String,
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// Of its bytes, hexadecimal.
    pub sha256: String,
    pub bytes: u64,
}

/// What documents have and lists leave out.
const OF_DOCUMENTS: [&str; 6] = ["particulars", "lines", "adjustments", "corrections", "blockers", "accepted"];

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../docs/invoice.schema.json")).expect("a test keeps the schema valid")
});

/// The schemas of invoices by their names in a document of `OpenAPI`: `Invoice`, `InvoiceSummary`, and what they refer to.
#[must_use]
pub fn invoice_schema() -> Map<String, Value> {
    let mut whole = SCHEMA.clone();
    refer_to_components(&mut whole);
    let object = whole.as_object_mut().expect("the schema is an object");
    let parts = object.remove("$defs").and_then(|parts| parts.as_object().cloned()).unwrap_or_default();
    for of_a_file in ["$schema", "$id"] {
        object.remove(of_a_file);
    }
    let mut summary = object.clone();
    // Generators name types by their titles.
    summary.insert("title".to_owned(), "InvoiceSummary".into());
    object.insert("title".to_owned(), "Invoice".into());
    if let Some(properties) = summary["properties"].as_object_mut() {
        properties.retain(|name, _| !OF_DOCUMENTS.contains(&name.as_str()));
    }
    if let Some(required) = summary["required"].as_array_mut() {
        required.retain(|name| !name.as_str().is_some_and(|name| OF_DOCUMENTS.contains(&name)));
    }
    let mut all: Map<String, Value> = parts.into_iter().map(|(name, part)| (component(&name), part)).collect();
    all.insert("Invoice".to_owned(), whole);
    all.insert("InvoiceSummary".to_owned(), summary.into());
    all
}

/// `maybe_text` as the name of a component: `InvoiceMaybeText`.
fn component(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    "Invoice".to_owned() + &name.split('_').map(capital).collect::<String>()
}

fn refer_to_components(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref")
                && let Some(name) = reference.strip_prefix("#/$defs/")
            {
                *reference = format!("#/components/schemas/{}", component(name));
            }
            object.values_mut().for_each(refer_to_components);
        }
        Value::Array(values) => values.iter_mut().for_each(refer_to_components),
        _ => {}
    }
}

impl Tabular for KeptDocument {
    const HEADER: &'static [&'static str] = &["format", "renderer", "made_at", "sha256", "bytes"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.format.clone(),
            self.renderer.clone(),
            self.made_at.to_string(),
            self.sha256.clone(),
            self.bytes.to_string(),
        ]
    }
}
