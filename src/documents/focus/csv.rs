//! Rows as CSV. No text in them is a formula for a spreadsheet.
//! Owns their text; never their values.

use std::io::Write;

use crate::domain::text::inert;

use super::{Cell, Column, DocumentError, FocusRow, failed};

/// See [`super::Writer`].
#[derive(Debug)]
pub(super) struct Writer<W: Write>(::csv::Writer<W>);

impl<W: Write> Writer<W> {
    pub fn new(to: W) -> Result<Self, DocumentError> {
        let mut writer = ::csv::Writer::from_writer(to);
        writer.write_record(Column::ALL.iter().map(|column| column.name())).map_err(failed)?;
        Ok(Self(writer))
    }

    pub fn write(&mut self, row: &FocusRow) -> Result<(), DocumentError> {
        for cell in row.cells() {
            match cell {
                Cell::Null => self.0.write_field(""),
                Cell::Text(text) => self.0.write_field(&*inert(text)),
                Cell::Decimal(number) => self.0.write_field(number.to_string()),
                Cell::Integer(number) => self.0.write_field(number.to_string()),
                Cell::Boolean(value) => self.0.write_field(value.to_string()),
                Cell::Time(at) => self.0.write_field(at.to_string()),
            }
            .map_err(failed)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(failed)
    }

    pub fn finish(mut self) -> Result<(), DocumentError> {
        self.0.flush().map_err(failed)
    }
}
