//! Invoices: drafts replaced as often as wanted, finals numbered and written once, and what stands beside them.

mod beside;
mod compared;
mod draft;
mod issue;
mod known;
mod lost;
mod read;
mod verify;
mod write;

pub use compared::{AccountsOf, Changed, StoredAccounts};
pub use lost::{Adopted, SeriesState};
pub use verify::VerifiedSeries;
