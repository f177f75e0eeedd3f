//! What HTML and PDF show, in the document's language and as text: both render the same, neither formats anything.

use serde::Serialize;

/// A document, ready to be laid out. Amounts, dates and numbers are as they are to be printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// ISO 639-1.
    pub language: &'static str,
    /// `#rrggbb`
    pub colour: String,
    /// `Invoice`, `Draft invoice`, `Credit note` …
    pub title: String,
    /// Its number; what stands for it in a draft.
    pub number: String,
    /// Printed across drafts.
    pub watermark: Option<String>,
    /// ISO 8601, for the document's properties.
    pub date: String,
    /// The seller's address in one line, above the buyer's.
    pub sender: String,
    /// The buyer, a line each.
    pub recipient: Vec<String>,
    /// Label and value: number, dates, period, account, order, VAT ids.
    pub facts: Vec<ViewFact>,
    /// Paragraphs above the summary.
    pub introduction: Vec<String>,
    /// What was charged, grouped as the account prefers, then discounts, minimums and corrections.
    pub summary: ViewTable,
    /// Net, tax, total; the last one is what is to be paid.
    pub totals: Vec<Total>,
    /// Terms, exemption, estimated and assumed usage.
    pub notes: Vec<String>,
    /// How to pay: label and value.
    pub payment: Vec<ViewFact>,
    /// Cost of each day; `None` if it isn't known.
    pub chart: Option<Chart>,
    /// Heading of the annex.
    pub annex_title: String,
    pub annex: Vec<Section>,
    /// Columns at the foot of the first page: seller, contact, bank and registers, a line each.
    pub footer: Vec<Vec<String>>,
    /// `Page {page} of {pages}`, in the language.
    pub page_label: String,
}

/// A label and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewFact {
    pub label: String,
    pub value: String,
}

/// A table: headings, and rows of as many cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewTable {
    pub columns: Vec<Column>,
    pub rows: Vec<ViewRow>,
}

/// A column's heading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    pub title: String,
    /// Numbers stand right.
    pub right: bool,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ViewRow {
    pub kind: RowKind,
    pub cells: Vec<String>,
    /// A smaller line below the first cell that isn't empty, such as `estimated` or an allowance's name.
    pub remark: Option<String>,
}

/// How a row looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// An outer group's heading.
    Group,
    Line,
    /// Rests on assumed usage.
    Estimated,
    Subtotal,
    /// A discount, minimum, commitment or correction.
    Adjustment,
}

/// A sum below the summary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    pub label: String,
    pub amount: String,
    /// What is to be paid.
    pub strong: bool,
}

/// A part of the annex: all lines of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    pub title: String,
    pub table: ViewTable,
}

/// Cost by day, stacked by buildpack or app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chart {
    pub title: String,
    /// What it says, for those who can't see it.
    pub description: String,
    /// The picture, self-contained: text in the document's fonts, no links.
    pub svg: String,
}
