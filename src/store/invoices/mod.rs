//! Invoices: drafts replaced as often as wanted, finals numbered and written once, and what stands beside them.

mod beside;
mod cards;
mod compared;
mod cost;
mod draft;
mod issue;
mod known;
pub(super) mod line;
mod lost;
pub mod marks;
pub(super) mod parts;
mod read;
pub(super) mod row;
mod server;
pub(super) mod tables;
mod types;
mod verify;
mod write;

pub use compared::{AccountsOf, Changed, MadeBy, StoredAccounts};
pub use cost::{CostKey, CostPart, CostQuery, CostRow};
pub use lost::{Adopted, SeriesState};
pub use types::{
    Before, Compared, FinalInvoice, Finalized, Foreseen, InvoiceFilter, Invoiced, Issuing, Recalculation,
    RenderedDocument, Series, StoredCard, StoredDocument, StoredInvoice, UsedBy, UsedCard, UsedFor,
};
pub use verify::{VerifiedSeries, chain_of_series};
