//! What can be wrong with a file or a setting: where, what, and what to do about it.

use std::fmt;

use crate::domain::text::Position;

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl FilePosition {
    /// Of a position in a file.
    #[must_use]
    pub fn new(file: &str, Position { line, column }: Position) -> Self {
        Self { file: file.to_owned(), line, column }
    }

    /// Of what stands in no file.
    #[must_use]
    pub const fn nowhere() -> Self {
        Self { file: String::new(), line: 1, column: 1 }
    }
}

/// `FILE:LINE`, as it is said within a sentence.
impl fmt::Display for FilePosition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// Where something that is wrong comes from. In the order in which problems are told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    At(FilePosition),
    /// A file as a whole.
    File(String),
    /// An environment variable, by its name.
    Variable(String),
    /// No file was given, and no variable set.
    Nowhere,
}

impl Origin {
    /// Where in its file, if it is in one.
    #[must_use]
    pub const fn position(&self) -> Option<&FilePosition> {
        if let Self::At(position) = self { Some(position) } else { None }
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            Self::At(position) => &position.file,
            Self::File(file) => file,
            Self::Variable(_) | Self::Nowhere => "",
        }
    }

    /// The line in its file.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.position().map(|position| position.line)
    }
}

/// `FILE:LINE:COLUMN: `, as editors and terminals find it.
impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(FilePosition { file, line, column }) => write!(formatter, "{file}:{line}:{column}: "),
            Self::File(file) => write!(formatter, "{file}: "),
            Self::Variable(name) => write!(formatter, "environment variable {name}: "),
            Self::Nowhere => Ok(()),
        }
    }
}

/// Whether what has the problem can be used.
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

/// One thing that is wrong, or that should be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub severity: Severity,
    pub origin: Origin,
    /// With the value in backticks.
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    /// Of what begins there.
    #[must_use]
    pub fn at(position: &FilePosition, severity: Severity, message: String, hint: String) -> Self {
        Self { severity, origin: Origin::At(position.clone()), message, hint: Some(hint) }
    }

    /// Something that is wrong.
    pub fn error(origin: Origin, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Error, origin, message: message.into(), hint: Some(hint.into()) }
    }

    /// Something to look at.
    pub fn warning(origin: Origin, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(origin, message, hint) }
    }
}

/// Puts problems in the order of their files.
pub fn sort(problems: &mut [Problem]) {
    problems.sort_by(|one, two| one.origin.cmp(&two.origin));
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.origin, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}
