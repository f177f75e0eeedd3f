//! Tables and rows, each declared once: columns with their types, comments, writer, reader and lists in SQL come of the
//! declaration.

use super::{Columns, Row, RowWriter, Value};
use crate::domain::Currency;
use crate::store::StoreError;

/// A row with a type for each column, read and written by name.
pub trait Record: Sized {
    const COLUMNS: Columns;

    /// Reads it from a row that has its columns; see [`Record::read_in`] if there are amounts among them.
    ///
    /// # Errors
    /// [`StoreError::Unexpected`], with table, column and value.
    fn read(row: &Row) -> Result<Self, StoreError> {
        Self::read_from(row, None)
    }

    /// As [`Record::read`], where amounts are in `currency`.
    ///
    /// # Errors
    /// As [`Record::read`].
    fn read_in(row: &Row, currency: Currency) -> Result<Self, StoreError> {
        Self::read_from(row, Some(currency))
    }

    /// As [`Record::read`].
    ///
    /// # Errors
    /// As [`Record::read`].
    fn read_from(row: &Row, currency: Option<Currency>) -> Result<Self, StoreError>;

    /// Writes its columns as the next row of a payload of [`Record::COLUMNS`].
    fn write(&self, row: RowWriter<'_>, currency: Option<Currency>);

    /// Its columns, to be bound one by one.
    fn values(&self, currency: Option<Currency>) -> Vec<Value>;
}

/// A table as this program expects it in both databases.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    pub name: &'static str,
    /// As PostgreSQL tells it.
    pub comment: &'static str,
    /// So many of its first columns are its key.
    pub key: usize,
    /// In the order in which a book is moved.
    pub columns: Columns,
    /// Of each column: whether it may be null, and its comment.
    pub told: &'static [(bool, &'static str)],
    /// Where the currency of its amounts is found, if it has any: an expression over its row.
    pub currency: Option<&'static str>,
}

/// Names columns with their types, for a statement's rows or what it selects. With `= "expression"` after each of them
/// `LIST` is what to select; without, their names.
macro_rules! record {
    ($(#[$about:meta])* $vis:vis struct $Name:ident { $($(#[$doc:meta])* $column:ident: $of:ty),* $(,)? }) => {
        $crate::store::database::record! {
            @each $(#[$about])* $vis struct $Name { $($(#[$doc])* $column: $of = stringify!($column)),* }
        }
    };
    ($(#[$about:meta])* $vis:vis struct $Name:ident {
        $(#[$first_doc:meta])* $first:ident: $first_of:ty = $from:literal
        $(, $(#[$doc:meta])* $column:ident: $of:ty = $expression:literal)* $(,)?
    }) => {
        $crate::store::database::record! {
            @each $(#[$about])* $vis struct $Name {
                $(#[$first_doc])* $first: $first_of = concat!($from, " AS ", stringify!($first))
                $(, $(#[$doc])* $column: $of = concat!($expression, " AS ", stringify!($column)))*
            }
        }

        impl $Name {
            /// What to select.
            $vis const LIST: &'static str =
                concat!($from, " AS ", stringify!($first) $(, ", ", $expression, " AS ", stringify!($column))*);
        }
    };
    (@each $(#[$about:meta])* $vis:vis struct $Name:ident {
        $($(#[$doc:meta])* $column:ident: $of:ty = $place:expr),*
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug)]
        $vis struct $Name { $($(#[$doc])* $vis $column: $of),* }

        impl $crate::store::database::Record for $Name {
            const COLUMNS: $crate::store::database::Columns =
                &[$((stringify!($column), <$of as $crate::store::database::Field>::TYPE)),*];

            fn read_from(
                row: &$crate::store::database::Row,
                currency: Option<$crate::domain::Currency>,
            ) -> Result<Self, $crate::store::StoreError> {
                use $crate::store::database::Field;
                Ok(Self { $($column: <$of>::read(row, $place, currency)?),* })
            }

            fn write(
                &self,
                row: $crate::store::database::RowWriter<'_>,
                currency: Option<$crate::domain::Currency>,
            ) {
                use $crate::store::database::Field;
                $(let row = self.$column.write(row, currency);)*
                let _ = row;
            }

            fn values(&self, currency: Option<$crate::domain::Currency>) -> Vec<$crate::store::database::Value> {
                use $crate::store::database::Field;
                vec![$(self.$column.value(currency)),*]
            }
        }
    };
}
pub(in crate::store) use record;

/// Declares a table: its name, how many of its first columns are its key, and each column with its type. Documentation is
/// the comment in PostgreSQL. A `struct` also has a reader and a writer of whole rows; a `const` is only declared.
macro_rules! table {
    ($(#[doc = $about:literal])* $vis:vis struct $Name:ident: $table:literal[$key:literal] $(in $currency:literal)? {
        $(#[doc = $first_doc:literal])* $first:ident: $first_of:ty,
        $(#[doc = $second_doc:literal])* $second:ident: $second_of:ty
        $(, $(#[doc = $doc:literal])* $column:ident: $of:ty)* $(,)?
    }) => {
        $crate::store::database::record! {
            @each #[allow(clippy::doc_markdown, reason = "comments are those of PostgreSQL")]
            $(#[doc = $about])* $vis struct $Name {
                $(#[doc = $first_doc])* $first: $first_of = concat!($table, ".", stringify!($first)),
                $(#[doc = $second_doc])* $second: $second_of = concat!($table, ".", stringify!($second))
                $(, $(#[doc = $doc])* $column: $of = concat!($table, ".", stringify!($column)))*
            }
        }

        #[allow(dead_code, reason = "each table has the same statements, needed or not")]
        impl $Name {
            $vis const TABLE: $crate::store::database::Declared = $crate::store::database::table!(
                @declared $(#[doc = $about])* $table[$key] $(in $currency)? {
                    $(#[doc = $first_doc])* $first: $first_of, $(#[doc = $second_doc])* $second: $second_of
                    $(, $(#[doc = $doc])* $column: $of)*
                }
            );

            /// Its columns, to be selected.
            $vis const LIST: &'static str = concat!(
                $table, ".", stringify!($first), ", ", $table, ".", stringify!($second)
                $(, ", ", $table, ".", stringify!($column))*
            );

            /// Adds rows.
            $vis const ADD: &'static str = concat!(
                "INSERT INTO ", $table, " (",
                stringify!($first), ", ", stringify!($second) $(, ", ", stringify!($column))*,
                ") SELECT ", stringify!($first), ", ", stringify!($second) $(, ", ", stringify!($column))*,
                " FROM {rows} AS new WHERE true"
            );

            /// Adds rows that the database numbers: their first column is left out.
            $vis const ADD_NEW: &'static str = concat!(
                "INSERT INTO ", $table, " (", stringify!($second) $(, ", ", stringify!($column))*,
                ") SELECT ", stringify!($second) $(, ", ", stringify!($column))*, " FROM {rows} AS new WHERE true"
            );

            /// Puts rows in the place of those with the same first column.
            $vis const CHANGE: &'static str = concat!(
                "UPDATE ", $table, " SET ", stringify!($second), " = new.", stringify!($second)
                $(, ", ", stringify!($column), " = new.", stringify!($column))*,
                " FROM {rows} AS new WHERE ", $table, ".", stringify!($first), " = new.", stringify!($first)
            );

            /// Adds one row, each of whose values is bound by itself.
            $vis const ADD_ONE: &'static str = $crate::store::database::text![
                "INSERT INTO ", $table, " (",
                stringify!($first), ", ", stringify!($second) $(, ", ", stringify!($column))*,
                ") VALUES (",
                {
                    const COLUMNS: usize = <$Name as $crate::store::database::Record>::COLUMNS.len();
                    const BYTES: [u8; $crate::store::database::numbered_length(COLUMNS)] =
                        $crate::store::database::numbered(COLUMNS);
                    $crate::store::database::utf8(&BYTES)
                },
                ")",
            ];
        }
    };
    ($(#[doc = $about:literal])* $vis:vis const $NAME:ident: $table:literal[$key:literal] $(in $currency:literal)? {
        $($(#[doc = $doc:literal])* $column:ident: $of:ty),* $(,)?
    }) => {
        $vis const $NAME: $crate::store::database::Declared = $crate::store::database::table!(
            @declared $(#[doc = $about])* $table[$key] $(in $currency)? { $($(#[doc = $doc])* $column: $of),* }
        );
    };
    (@declared $(#[doc = $about:literal])* $table:literal[$key:literal] $(in $currency:literal)? {
        $($(#[doc = $doc:literal])* $column:ident: $of:ty),*
    }) => {
        $crate::store::database::Declared {
            name: $table,
            comment: concat!($($about),*),
            key: $key,
            columns: &[$((stringify!($column), <$of as $crate::store::database::Field>::TYPE)),*],
            told: &[$((<$of as $crate::store::database::Field>::NULLABLE, concat!($($doc),*))),*],
            currency: $crate::store::database::table!(@maybe $($currency)?),
        }
    };
    (@maybe) => { None };
    (@maybe $currency:literal) => { Some($currency) };
}
pub(in crate::store) use table;

/// One text of several constants.
macro_rules! text {
    ($($part:expr),* $(,)?) => {{
        const PARTS: &[&str] = &[$($part),*];
        const BYTES: [u8; $crate::store::database::length(PARTS)] = $crate::store::database::joined(PARTS);
        $crate::store::database::utf8(&BYTES)
    }};
}
pub(in crate::store) use text;

/// `name = excluded.name` of a row's columns but some: what an upsert takes over.
macro_rules! take_over {
    ($Row:ty, except $except:expr) => {{
        const COLUMNS: $crate::store::database::Columns = <$Row as $crate::store::database::Record>::COLUMNS;
        const LENGTH: usize = $crate::store::database::taken_over_length(COLUMNS, &$except);
        const BYTES: [u8; LENGTH] = $crate::store::database::taken_over(COLUMNS, &$except);
        $crate::store::database::utf8(&BYTES)
    }};
}
pub(in crate::store) use take_over;

/// What was put together of texts is one.
pub const fn utf8(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("texts are UTF-8"),
    }
}

/// How long the parts are together.
pub const fn length(parts: &[&str]) -> usize {
    let (mut length, mut part) = (0, 0);
    while part < parts.len() {
        length += parts[part].len();
        part += 1;
    }
    length
}

/// The parts, one after the other.
pub const fn joined<const LENGTH: usize>(parts: &[&str]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (mut at, mut part) = (0, 0);
    while part < parts.len() {
        at = put(&mut bytes, at, parts[part]);
        part += 1;
    }
    bytes
}

/// How long [`numbered`] is.
pub const fn numbered_length(count: usize) -> usize {
    assert!(count < 100, "two digits are enough for the columns of a table");
    let ones = if count < 10 { count } else { 9 };
    ones * 4 + (count - ones) * 5 - 2
}

/// `$1, $2, …`
pub const fn numbered<const LENGTH: usize>(count: usize) -> [u8; LENGTH] {
    const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let mut bytes = [0; LENGTH];
    let (mut at, mut number) = (0, 1);
    while number <= count {
        at = put(&mut bytes, at, if number == 1 { "$" } else { ", $" });
        if number >= 10 {
            at = put(&mut bytes, at, DIGITS[number / 10]);
        }
        at = put(&mut bytes, at, DIGITS[number % 10]);
        number += 1;
    }
    bytes
}

const EXCLUDED: &str = " = excluded.";

/// How long [`taken_over`] is.
pub const fn taken_over_length(columns: Columns, except: &[&str]) -> usize {
    let (mut length, mut column) = (0, 0);
    while column < columns.len() {
        let name = columns[column].0;
        if !contains(except, name) {
            length += if length == 0 { 0 } else { 2 } + 2 * name.len() + EXCLUDED.len();
        }
        column += 1;
    }
    length
}

/// See [`take_over`].
pub const fn taken_over<const LENGTH: usize>(columns: Columns, except: &[&str]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    let (mut at, mut column) = (0, 0);
    while column < columns.len() {
        let name = columns[column].0;
        if !contains(except, name) {
            at = put(&mut bytes, at, if at == 0 { "" } else { ", " });
            at = put(&mut bytes, at, name);
            at = put(&mut bytes, at, EXCLUDED);
            at = put(&mut bytes, at, name);
        }
        column += 1;
    }
    bytes
}

const fn contains(names: &[&str], name: &str) -> bool {
    let mut at = 0;
    while at < names.len() {
        if is_same(names[at].as_bytes(), name.as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Puts a text at a place; gives the place behind it.
const fn put<const LENGTH: usize>(bytes: &mut [u8; LENGTH], at: usize, text: &str) -> usize {
    let text = text.as_bytes();
    let mut index = 0;
    while index < text.len() {
        bytes[at + index] = text[index];
        index += 1;
    }
    at + index
}
