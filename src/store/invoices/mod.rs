//! Invoices: drafts replaced as often as wanted, finals numbered and written once, and what stands beside them.

mod beside;
mod draft;
mod issue;
mod read;
mod verify;
mod write;

pub use issue::Render;
pub use verify::VerifiedSeries;
