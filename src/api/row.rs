//! Rows of a list as CSV has them.

use std::fmt::Display;

/// Something that is a row of a table.
pub trait Tabular {
    /// The names of its columns.
    const HEADER: &'static [&'static str];

    /// Its cells, in that order.
    fn cells(&self) -> Vec<String>;
}

/// The text of what is there; nothing of what isn't.
pub(super) fn or_empty(value: Option<impl Display>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
