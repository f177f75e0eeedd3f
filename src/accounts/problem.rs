//! What can be wrong with accounts, with its place and what to do about it.
//! Owns how that is told; never finds anything itself.

use std::fmt;

pub use crate::rate_card::Severity;

/// One thing that is wrong with an accounts file, or between it and what the ledger has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountsProblem {
    /// Errors of the file as a whole keep it from being used; those of a code, its account's invoices from being final.
    pub severity: Severity,
    pub file: String,
    /// From 1; `None`: of no line, such as what isn't in the file.
    pub line: Option<usize>,
    pub what: String,
    pub hint: String,
}

impl AccountsProblem {
    /// Something that is wrong.
    pub(super) fn error(file: &str, line: Option<usize>, what: String, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Error, ..Self::warning(file, line, what, hint) }
    }

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
