//! Many rows in one statement: a page's rows in one bind (SQLite: JSON) or one bind a column
//! (PostgreSQL: arrays), unpacked by the database.

use std::fmt::Write;

use super::{Dialect, Value};
use crate::domain::text::hexadecimal;
use crate::domain::{Currency, Price};

/// What a column of rows holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Integer,
    Flag,
    Text,
    Bytes,
    Time,
    Price,
    Amount,
}

/// Names and types of the columns of rows.
pub type Columns = &'static [(&'static str, Type)];

/// Rows being written, for one of the databases.
#[derive(Debug)]
pub struct Payload {
    columns: Columns,
    rows: usize,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Json(String),
    Arrays(Vec<Array>),
}

/// A column's values.
#[derive(Debug)]
pub(super) enum Array {
    Integers(Vec<Option<i64>>),
    Flags(Vec<Option<bool>>),
    Texts(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Times(Vec<Option<chrono::DateTime<chrono::Utc>>>),
    Decimals(Vec<Option<rust_decimal::Decimal>>),
}

/// What is bound for a payload.
pub(super) enum Bound {
    Json(String),
    Arrays(Vec<Array>),
}

impl Payload {
    /// No rows yet.
    pub fn new(dialect: Dialect, columns: Columns) -> Self {
        let held = match dialect {
            Dialect::Sqlite => Held::Json(String::new()),
            Dialect::Postgres => Held::Arrays(columns.iter().map(|(_, of)| Array::new(*of)).collect()),
        };
        Self { columns, rows: 0, held }
    }

    /// Begins the next row; each of its columns follows, in order.
    pub fn row(&mut self) -> RowWriter<'_> {
        if let Held::Json(text) = &mut self.held {
            text.push_str(if self.rows == 0 { "[[" } else { "],[" });
        }
        self.rows += 1;
        RowWriter { held: &mut self.held, columns: self.columns, column: 0 }
    }

    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// `{rows}` as a subquery over the values bound from `$first` on.
    pub(super) fn subquery(&self, first: usize) -> String {
        let mut text = String::from("(SELECT ");
        match &self.held {
            Held::Json(_) => {
                for (index, (name, of)) in self.columns.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    let column = match of {
                        Type::Bytes => format!("unhex(value ->> {index})"),
                        _ => format!("value ->> {index}"),
                    };
                    push(&mut text, format_args!("{comma}{column} AS {name}"));
                }
                push(&mut text, format_args!(" FROM json_each(${first}))"));
            }
            Held::Arrays(_) => {
                text.push_str("* FROM unnest(");
                for (index, (_, of)) in self.columns.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    push(&mut text, format_args!("{comma}${}::{}[]", first + index, of.postgres()));
                }
                let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
                push(&mut text, format_args!(") AS row_of ({}))", names.join(", ")));
            }
        }
        text
    }

    pub(super) fn bound(self) -> Bound {
        match self.held {
            Held::Json(mut text) => {
                text.push_str(if self.rows == 0 { "[]" } else { "]]" });
                Bound::Json(text)
            }
            Held::Arrays(arrays) => Bound::Arrays(arrays),
        }
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String never fails");
}

impl Type {
    /// Null of this type.
    ///
    /// # Panics
    /// For amounts without a currency.
    pub(super) fn null(self, currency: Option<Currency>) -> Value {
        match self {
            Self::Integer => Value::Integer(None),
            Self::Flag => Value::Flag(None),
            Self::Text => Value::Text(None),
            Self::Bytes => Value::Bytes(None),
            Self::Time => Value::Time(None),
            Self::Price => Value::Price(None),
            Self::Amount => Value::Amount(None, currency.expect(super::field::NO_CURRENCY)),
        }
    }

    /// In a table of SQLite.
    pub const fn sqlite(self) -> &'static str {
        match self {
            Self::Integer | Self::Flag | Self::Time | Self::Amount => "INTEGER",
            Self::Text | Self::Price => "TEXT",
            Self::Bytes => "BLOB",
        }
    }

    /// In PostgreSQL.
    pub const fn postgres(self) -> &'static str {
        match self {
            Self::Integer => "bigint",
            Self::Flag => "boolean",
            Self::Text => "text",
            Self::Bytes => "bytea",
            Self::Time => "timestamptz",
            Self::Price | Self::Amount => "numeric",
        }
    }
}

impl Array {
    const fn new(of: Type) -> Self {
        match of {
            Type::Integer => Self::Integers(Vec::new()),
            Type::Flag => Self::Flags(Vec::new()),
            Type::Text => Self::Texts(Vec::new()),
            Type::Bytes => Self::Bytes(Vec::new()),
            Type::Time => Self::Times(Vec::new()),
            Type::Price | Type::Amount => Self::Decimals(Vec::new()),
        }
    }
}

/// One row, column by column.
pub struct RowWriter<'a> {
    held: &'a mut Held,
    columns: Columns,
    column: usize,
}

impl RowWriter<'_> {
    pub fn value(mut self, value: impl Into<Value>) -> Self {
        let value = value.into();
        let column = self.column;
        debug_assert!(
            self.columns.get(column).is_some_and(|(_, of)| value.is(*of)),
            "column {column} of {:?} is not for {value:?}",
            self.columns
        );
        self.column += 1;
        match &mut *self.held {
            Held::Json(text) => {
                if column > 0 {
                    text.push(',');
                }
                json(text, &value);
            }
            Held::Arrays(arrays) => {
                if let Some(array) = arrays.get_mut(column) {
                    array.push(value);
                }
            }
        }
        self
    }

    pub fn text(mut self, value: Option<&str>) -> Self {
        // The most frequent one: written without a copy in between.
        if let (Held::Json(text), Some(value)) = (&mut *self.held, value) {
            debug_assert!(self.columns.get(self.column).is_some_and(|(_, of)| *of == Type::Text));
            if self.column > 0 {
                text.push(',');
            }
            self.column += 1;
            text.push_str(&serde_json::Value::from(value).to_string());
            return self;
        }
        self.value(value)
    }
}

impl Value {
    const fn is(&self, of: Type) -> bool {
        matches!(
            (self, of),
            (Self::Integer(_), Type::Integer)
                | (Self::Flag(_), Type::Flag)
                | (Self::Text(_), Type::Text)
                | (Self::Bytes(_), Type::Bytes)
                | (Self::Time(_), Type::Time)
                | (Self::Price(_), Type::Price)
                | (Self::Amount(..), Type::Amount)
        )
    }
}

impl Array {
    fn push(&mut self, value: Value) {
        match (self, value) {
            (Self::Integers(array), Value::Integer(value)) => array.push(value),
            (Self::Flags(array), Value::Flag(value)) => array.push(value),
            (Self::Texts(array), Value::Text(value)) => array.push(value),
            (Self::Bytes(array), Value::Bytes(value)) => array.push(value),
            (Self::Times(array), Value::Time(value)) => array.push(value.map(super::to_chrono)),
            (Self::Decimals(array), Value::Price(value)) => array.push(value.map(Price::decimal)),
            (Self::Decimals(array), Value::Amount(value, currency)) => {
                array.push(value.map(|value| value.in_major_units(currency)));
            }
            (array, value) => unreachable!("{value:?} pushed to {array:?}"),
        }
    }
}

/// Appends a value as it stands in a row's JSON.
pub fn json(text: &mut String, value: &Value) {
    match value {
        Value::Integer(Some(value)) => push(text, format_args!("{value}")),
        Value::Flag(Some(value)) => text.push(if *value { '1' } else { '0' }),
        Value::Text(Some(value)) => text.push_str(&serde_json::Value::from(value.as_str()).to_string()),
        Value::Bytes(Some(bytes)) => {
            push(text, format_args!("\"{}\"", hexadecimal(bytes)));
        }
        Value::Time(Some(value)) => push(text, format_args!("{}", value.unix())),
        Value::Price(Some(value)) => push(text, format_args!("\"{value}\"")),
        Value::Amount(Some(value), _) => push(text, format_args!("{}", value.0)),
        _ => text.push_str("null"),
    }
}
