//! An invoice or credit note as documents: values in, bytes out.
//! Owns how they look and what formats say; never decides an amount.

pub mod adopt;
pub mod chart;
pub mod compose;
pub mod csv;
pub mod einvoice;
pub mod focus;
pub mod html;
pub mod json;
pub mod language;
mod make;
mod names;
pub mod pdf;
pub mod view;

pub use make::{check, make};

use chrono::NaiveDate;

use crate::domain::Timestamp;
use crate::invoicing::DocumentRef;

/// Changes whenever the bytes of a document made of the same values change; kept with each document.
pub const RENDERER: &str = "3";

/// What a document is made of.
#[derive(Clone, Copy, Debug)]
pub struct ToRender<'a> {
    pub document: DocumentRef<'a>,
    /// `None`: a draft.
    pub issue: Option<&'a Issue>,
    /// Of a draft: its period, grace time and last sweep are over.
    pub in_review: bool,
    /// When it was computed.
    pub drafted_at: Timestamp,
    pub look: &'a Branding,
}

/// What makes it final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    pub number: String,
    /// In the billing time zone.
    pub issued_on: NaiveDate,
    /// `None`: nothing is to be paid.
    pub due_on: Option<NaiveDate>,
}

/// The seller's look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    /// `#rrggbb`; `None`: ours.
    pub colour: Option<String>,
    pub logo: Option<Logo>,
}

/// A picture, as it is in its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub bytes: Vec<u8>,
    pub media_type: LogoType,
}

/// What a logo may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoType {
    Png,
    Jpeg,
    Svg,
}

/// In which a document may be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    Html,
    /// PDF/A-3; with the e-invoice XML attached where there is one.
    Pdf,
    Csv,
    Json,
    /// UBL 2.1, EN 16931 and Peppol BIS Billing 3.0.
    Ubl,
    /// PDF/A-3 that must have the e-invoice XML in it.
    Facturx,
}

impl Format {
    pub const ALL: [Self; 6] = [Self::Html, Self::Pdf, Self::Csv, Self::Json, Self::Ubl, Self::Facturx];

    /// The format of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The word in commands and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::Ubl => "ubl",
            Self::Facturx => "facturx",
        }
    }

    /// The name of a document's file, of the invoice of that name.
    #[must_use]
    pub fn file_name(self, invoice: &str) -> String {
        let ending = match self {
            Self::Html => ".html",
            Self::Pdf => ".pdf",
            Self::Csv => ".csv",
            Self::Json => ".json",
            Self::Ubl => ".xml",
            Self::Facturx => "-facturx.pdf",
        };
        // A series may have slashes in its name.
        format!("{}{ending}", invoice.replace('/', "-"))
    }

    /// As which it is kept: a PDF that has the e-invoice in it is Factur-X.
    #[must_use]
    pub const fn kept_as(self) -> Self {
        if let Self::Facturx = self { Self::Pdf } else { self }
    }
}

/// Why a document can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// What the format needs and the invoice lacks, each with what to do about it.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Lacking(Vec<Lacking>),
    #[error(
        "this cf-billing was built without PDF\nhint: build it with `--features pdf`, or export html and print that"
    )]
    WithoutPdf,
    /// A defect of ours, or of a library.
    #[error("can't make the document: {0}")]
    Failed(String),
}

/// Something that an e-invoice needs and doesn't have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an e-invoice needs {what}\nhint: {hint}")]
pub struct Lacking {
    /// `the seller's country`
    pub what: String,
    /// `set [billing] seller_country`
    pub hint: String,
}
