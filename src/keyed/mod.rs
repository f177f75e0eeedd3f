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

pub use key::{Absent, Key, Takes};
pub use problem::{FilePosition, Origin, Problem, Severity};
pub use reference::{Described, reference};

pub(crate) use document::{At, Entry, Reader, TomlTable, TomlValue, Written};
pub(crate) use key::key;
pub(crate) use party::party;
pub(crate) use problem::sort;
pub(crate) use schema::{object, schema};
pub(crate) use table::Keyed;
pub(crate) use values::{colour, time};
