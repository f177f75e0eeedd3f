//! Rows as one JSON array of arrays: a whole page's rows in one bind, unpacked by the database.

use std::fmt::Write;

/// Rows being written.
#[derive(Debug, Default)]
pub struct Payload {
    text: String,
    rows: usize,
}

impl Payload {
    /// Begins the next row.
    pub fn row(&mut self) -> RowWriter<'_> {
        self.text.push_str(if self.rows == 0 { "[[" } else { "],[" });
        self.rows += 1;
        RowWriter { text: &mut self.text, first: true }
    }

    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The JSON text.
    pub fn finish(mut self) -> String {
        self.text.push_str(if self.rows == 0 { "[]" } else { "]]" });
        self.text
    }
}

/// One row, column by column.
pub struct RowWriter<'a> {
    text: &'a mut String,
    first: bool,
}

impl RowWriter<'_> {
    fn comma(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.text.push(',');
        }
    }

    pub fn integer(mut self, value: impl Into<Option<i64>>) -> Self {
        self.comma();
        match value.into() {
            Some(value) => write!(self.text, "{value}").expect("writing to a String never fails"),
            None => self.text.push_str("null"),
        }
        self
    }

    pub fn number(self, value: u64) -> Self {
        self.integer(value.cast_signed())
    }

    pub fn text(mut self, value: Option<&str>) -> Self {
        self.comma();
        match value {
            Some(value) => self.text.push_str(&serde_json::Value::from(value).to_string()),
            None => self.text.push_str("null"),
        }
        self
    }

    /// Bytes, as hexadecimal digits.
    pub fn bytes(self, value: &[u8]) -> Self {
        let mut digits = String::with_capacity(value.len() * 2);
        for byte in value {
            write!(digits, "{byte:02x}").expect("writing to a String never fails");
        }
        self.text((!value.is_empty()).then_some(&*digits))
    }
}
