//! CSV of lists, the same of commands and API: no text in it is a formula of a spreadsheet.

use crate::domain::text::{inert, is_number};

/// Columns with text from outside: there `+1` is a name, and not a number.
const NAMES: [&str; 20] = [
    "account",
    "account_name",
    "app",
    "buildpack",
    "cause",
    "detail",
    "foundation",
    "hint",
    "invoice",
    "message",
    "name",
    "organization",
    "part",
    "process",
    "reason",
    "seller",
    "service_instance",
    "service_offering",
    "service_plan",
    "space",
];

/// A list with its header. No text of it is a formula ([`inert`]); numbers are as they are.
///
/// # Errors
/// Why it can't be written; none is known.
pub fn csv(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<String, csv::Error> {
    let is_name = |column: &str| NAMES.contains(&column) || column.ends_with("_name") || column.ends_with("_label");
    let cell = |(position, cell): (usize, String)| {
        let may_be_number = header.get(position).is_none_or(|column| !is_name(column));
        if may_be_number && is_number(&cell) { cell } else { inert(&cell).into_owned() }
    };
    csv_as_is(header, rows.into_iter().map(|row| row.into_iter().enumerate().map(cell).collect()))
}

/// As [`csv()`], of cells that are inert already.
///
/// # Errors
/// As [`csv()`].
pub fn csv_as_is(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header)?;
    for row in rows {
        writer.write_record(row)?;
    }
    let bytes = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
