//! What can be wrong with a card, with its place and what to do about it.

use std::fmt;

use super::Place;
use crate::domain::text::Position;

/// Whether a card with the problem can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub file: String,
    pub position: Position,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    /// Of the block that begins at `place`.
    #[must_use]
    pub fn at(place: &Place, severity: Severity, message: String, hint: String) -> Self {
        let position = Position { line: place.line, column: place.column };
        Self { severity, file: place.file.clone(), position, message, hint: Some(hint) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(formatter, "{}:{line}:{column}: {}", self.file, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
