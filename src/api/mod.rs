//! What the book tells programs: `--format json` of the commands and the HTTP API give the same types.
//! Owns their keys, which others rely on; [`BookReader`] reads them for somebody who has leave to. Writes nothing
//! but who opened which document, and the documents that are made then.

mod accounts;
mod anomalies;
mod audit;
mod cost;
mod csv;
mod explanation;
mod forecast;
mod foundations;
mod gaps;
mod invoices;
mod keys;
mod page;
mod reader;
mod row;
mod usage;

pub use accounts::{Account, AccountRow, Tax};
pub use anomalies::Anomaly;
pub use audit::AuditRecord;
pub use cost::{CostBy, CostRow};
pub use csv::{csv, csv_as_is};
pub use explanation::Explanation;
pub use forecast::{ForecastRow, forecast_rows};
pub use foundations::{Foundation, foundations};
pub use gaps::Gap;
pub use invoices::{InvoiceDocument, InvoiceSummary, KeptDocument, document_json, invoice_schema, with_subject};
pub use keys::{GroupBy, Keys, key_properties};
pub use page::{Cursor, LIMITS, ListPage};
pub use reader::{
    AnomaliesAsked, AuditAsked, BookReader, Forecasts, InvoicesAsked, MOST_IN_OVERVIEW, Overview, ReadError, UsageAsked,
};
pub use row::Tabular;
pub use usage::{QUANTITIES, UsageBy, UsageRow};
