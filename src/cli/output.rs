//! Tables, JSON and CSV, the same for every command.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use serde::Serialize;

use super::Failure;
use crate::api;
use crate::domain::text::{visible, visible_lines};

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub right: bool,
}

/// A column of words.
pub const fn words(title: &'static str) -> Column {
    Column { title, right: false }
}

/// A column of numbers.
pub const fn numbers(title: &'static str) -> Column {
    Column { title, right: true }
}

/// How many columns lines of words take at most on a terminal.
const WIDTH: u16 = 100;

/// Prints a table for people. What would act on their terminal is shown escaped.
pub fn table(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    let visible = |row: Vec<String>| row.iter().map(|cell| visible(cell).into_owned()).collect();
    print_as_is(&drawn(columns, rows.into_iter().map(visible)).to_string())
}

/// As [`table`], of cells that may have several lines of our own words. On a terminal they are broken between words; programs
/// find each as it is.
pub fn table_of_lines(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    let mut table = drawn(columns, rows);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    }
    print_as_is(&table.to_string())
}

fn drawn(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>) -> Table {
    let mut table = Table::new();
    let line = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(line).bottom_border(line));
    table.set_header(columns.iter().map(|column| column.title));
    for (column, layout) in columns.iter().zip(table.column_iter_mut()) {
        if column.right {
            layout.set_cell_alignment(CellAlignment::Right);
        }
    }
    for row in rows {
        table.add_row(row.iter().map(|cell| visible_lines(cell).into_owned()));
    }
    table
}

/// Prints JSON.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
    print_as_is(&text)
}

/// Prints CSV with a header. No text of it is a formula; numbers are as they are.
pub fn csv(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    print_as_is(api::csv(header, rows).map_err(Failure::failed)?.trim_end())
}

/// As [`csv()`], of cells that are inert already.
pub fn csv_as_is(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Result<(), Failure> {
    print_as_is(api::csv_as_is(header, rows).map_err(Failure::failed)?.trim_end())
}

/// Prints lines for people. What would act on their terminal is shown escaped.
pub fn print(text: &str) -> Result<(), Failure> {
    print_as_is(&visible_lines(text))
}

/// Prints text and a line end. A reader that has gone (`| head`) is no failure.
pub fn print_as_is(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("can't write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something to a person, on stderr, beside the data.
#[expect(clippy::print_stderr, reason = "the one place where commands talk")]
pub fn note(text: &str) {
    eprintln!("{}", visible_lines(text));
}

/// An integer with thin groups of three digits, for people.
pub fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if number < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1 000"),
            (-1_234_567, "-1 234 567"),
            (i64::MIN, "-9 223 372 036 854 775 808"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
