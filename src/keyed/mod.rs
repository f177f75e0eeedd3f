//! The one reader of the TOML that people write: configuration, accounts files and rate cards.
//! Owns what a key takes, how its value is read and how a problem is told, and the schema and the documentation that are made
//! of keys. It knows no key but those of a seller or buyer, and never opens a file.

mod document;
mod key;
mod party;
mod problem;
mod reference;
mod schema;
mod table;
mod values;

pub use document::{At, Entry, Reader, Table, Value, Written};
pub use key::{Absent, Key, Takes, key};
pub use party::party;
pub use problem::{FilePosition, Origin, Problem, Severity, sort};
pub use reference::{Described, key_table, reference};
pub use schema::{object, schema};
pub use table::Keyed;
pub use values::{colour, time};
