//! What can be wrong with accounts, with its place and what to do about it.
//! Owns how that is told; never finds anything itself.

use std::fmt;

pub use crate::rate_card::Severity;

/// One thing that is wrong with an accounts file, or between it and what the ledger has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsProblem {
    /// A file with errors isn't used.
    pub severity: Severity,
    pub file: String,
    /// From 1; `None`: of no line, such as what isn't in the file.
    pub line: Option<usize>,
    pub what: String,
    pub hint: String,
}

impl AccountsProblem {
    /// Something to look at, in a file that can be used.
    pub(super) fn warning(file: &str, line: Option<usize>, what: String, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, file: file.to_owned(), line, what, hint: hint.into() }
    }
}

impl fmt::Display for AccountsProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.file)?;
        if let Some(line) = self.line {
            write!(formatter, "{line}:")?;
        }
        write!(formatter, " {}\nhint: {}", self.what, self.hint)
    }
}
