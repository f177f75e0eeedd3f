//! FOCUS 1.2, the common format of cloud costs: an invoice as rows by line and day, of which the billed costs come to
//! exactly what is to be paid. Owns columns, rows and both file types; never a file, and no amount that isn't the invoice's.

mod column;
mod csv;
mod document;
mod exact;
mod line;
mod name;
mod parquet;
mod rows;

use std::io::Write;

pub use column::{Cell, Column, ColumnType, FocusRow};
pub use exact::Exact;

use super::{DocumentError, ToRender};

/// Writes the rows of one document after another into one file, with a bounded part of them in memory.
///
/// What was written is to be thrown away after an error.
#[derive(Debug)]
pub struct Writer<W: Write + Send> {
    file: File<W>,
}

#[derive(Debug)]
enum File<W: Write + Send> {
    Csv(csv::Writer<W>),
    Parquet(parquet::Writer<W>),
}

impl<W: Write + Send> Writer<W> {
    /// A CSV file: UTF-8, a header, nulls as nothing.
    ///
    /// # Errors
    /// [`DocumentError::Failed`], as of all: `to` can't be written to.
    pub fn csv(to: W) -> Result<Self, DocumentError> {
        Ok(Self { file: File::Csv(csv::Writer::new(to)?) })
    }

    /// A Parquet file: decimals, instants and nulls as such.
    ///
    /// # Errors
    /// [`DocumentError::Failed`].
    pub fn parquet(to: W) -> Result<Self, DocumentError> {
        Ok(Self { file: File::Parquet(parquet::Writer::new(to)?) })
    }

    /// Adds a document's rows.
    ///
    /// # Errors
    /// [`DocumentError::Failed`].
    pub fn write(&mut self, subject: &ToRender<'_>) -> Result<(), DocumentError> {
        rows::each(subject, &mut |row| match &mut self.file {
            File::Csv(file) => file.write(&row),
            File::Parquet(file) => file.write(row),
        })
    }

    /// Writes what is left, and the end of the file.
    ///
    /// # Errors
    /// [`DocumentError::Failed`].
    pub fn finish(self) -> Result<(), DocumentError> {
        match self.file {
            File::Csv(file) => file.finish(),
            File::Parquet(file) => file.finish(),
        }
    }
}

/// All rows of a document.
///
/// # Errors
/// [`DocumentError::Failed`].
pub fn rows(subject: &ToRender<'_>) -> Result<Vec<FocusRow>, DocumentError> {
    let mut rows = Vec::new();
    rows::each(subject, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

fn failed(error: impl std::fmt::Display) -> DocumentError {
    DocumentError::Failed(error.to_string())
}
