//! Statements and the values bound to them: one text wherever both databases take it.

use super::Dialect;
use crate::domain::{Amount, Currency, Price, Timestamp};

/// A statement. Values are `$1`, `$2` …; `{rows}` stands for the rows of a [`super::Payload`], bound last.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Sql {
    /// The same text on both.
    pub const fn new(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }

    /// A text for each.
    pub const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }

    pub(super) const fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// A value to bind.
#[derive(Clone, Debug)]
pub enum Value {
    Integer(Option<i64>),
    Flag(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
    /// SQLite: Unix seconds; PostgreSQL: `timestamptz`.
    Time(Option<Timestamp>),
    /// SQLite: text; PostgreSQL: `numeric`.
    Price(Option<Price>),
    /// SQLite: the currency's smallest unit; PostgreSQL: `numeric`, in major units.
    Amount(Option<Amount>, Currency),
}

/// Values in the order they are numbered.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::store::database::Value::from($value)),*] };
}
pub(in crate::store) use values;

macro_rules! from {
    ($($of:ty => |$value:ident| $made:expr),* $(,)?) => {
        $(impl From<$of> for Value { fn from($value: $of) -> Self { $made } })*
    };
}

from! {
    i64 => |value| Self::Integer(Some(value)),
    Option<i64> => |value| Self::Integer(value),
    u64 => |value| Self::Integer(Some(value.cast_signed())),
    bool => |value| Self::Flag(Some(value)),
    &str => |value| Self::Text(Some(value.to_owned())),
    Option<&str> => |value| Self::Text(value.map(str::to_owned)),
    &String => |value| Self::Text(Some(value.clone())),
    &Option<String> => |value| Self::Text(value.clone()),
    String => |value| Self::Text(Some(value)),
    Option<String> => |value| Self::Text(value),
    &[u8] => |value| Self::Bytes(Some(value.to_vec())),
    Vec<u8> => |value| Self::Bytes(Some(value)),
    Option<Vec<u8>> => |value| Self::Bytes(value),
    Timestamp => |value| Self::Time(Some(value)),
    Option<Timestamp> => |value| Self::Time(value),
    (Amount, Currency) => |value| Self::Amount(Some(value.0), value.1),
    (Option<Amount>, Currency) => |value| Self::Amount(value.0, value.1),
    Option<Price> => |value| Self::Price(value),
}
