//! A row of either database, read by the names of its columns. Owns how values come out; knows no table.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo, ValueRef};

use super::Field;
use crate::domain::{Amount, Currency, Price, Timestamp};
use crate::store::StoreError;

/// A row of either database. A column is named alone, or as `table.column` where errors are to say its table.
#[derive(Debug)]
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! get {
    ($row:expr, $place:expr) => {
        match $row {
            Row::Sqlite(row) => row.try_get(column($place))?,
            Row::Postgres(row) => row.try_get(column($place))?,
        }
    };
}

/// The column's name in a place: `column`, `table.column` or `expression AS column`.
fn column(place: &'static str) -> &'static str {
    place.rsplit_once(['.', ' ']).map_or(place, |(_, column)| column)
}

impl Row {
    /// The value in a column.
    ///
    /// # Errors
    /// [`StoreError::Unexpected`], with the place, if there is none, or one that isn't known.
    pub fn get<T: Field>(&self, place: &'static str) -> Result<T, StoreError> {
        T::read(self, place, None)
    }

    /// As [`Row::get`], where amounts are in `currency`.
    pub fn get_in<T: Field>(&self, place: &'static str, currency: Currency) -> Result<T, StoreError> {
        T::read(self, place, Some(currency))
    }

    pub fn integer(&self, place: &'static str) -> Result<i64, StoreError> {
        self.maybe_integer(place)?.ok_or_else(|| missing(place))
    }

    pub fn maybe_integer(&self, place: &'static str) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get(column(place))?),
            Self::Postgres(row) => {
                let raw = row.try_get_raw(column(place))?;
                if raw.is_null() {
                    return Ok(None);
                }
                Ok(Some(match raw.type_info().name() {
                    "INT2" => i64::from(row.try_get::<i16, _>(column(place))?),
                    "INT4" => i64::from(row.try_get::<i32, _>(column(place))?),
                    // A sum of integers.
                    "NUMERIC" => row.try_get::<Decimal, _>(column(place))?.to_i64().ok_or(StoreError::Overflow)?,
                    _ => row.try_get(column(place))?,
                }))
            }
        }
    }

    /// A number that is never negative.
    pub fn number(&self, place: &'static str) -> Result<u64, StoreError> {
        self.get(place)
    }

    pub fn flag(&self, place: &'static str) -> Result<bool, StoreError> {
        self.maybe_flag(place)?.ok_or_else(|| missing(place))
    }

    pub fn maybe_flag(&self, place: &'static str) -> Result<Option<bool>, StoreError> {
        Ok(get!(self, place))
    }

    pub fn text(&self, place: &'static str) -> Result<&str, StoreError> {
        self.maybe_text(place)?.ok_or_else(|| missing(place))
    }

    pub fn maybe_text(&self, place: &'static str) -> Result<Option<&str>, StoreError> {
        Ok(get!(self, place))
    }

    pub fn string(&self, place: &'static str) -> Result<String, StoreError> {
        self.get(place)
    }

    /// A time zone, by its name.
    pub fn zone(&self, place: &'static str) -> Result<Tz, StoreError> {
        zone_of(place, self.text(place)?)
    }

    pub fn maybe_string(&self, place: &'static str) -> Result<Option<String>, StoreError> {
        self.get(place)
    }

    pub fn bytes(&self, place: &'static str) -> Result<Vec<u8>, StoreError> {
        self.get(place)
    }

    pub fn maybe_bytes(&self, place: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(get!(self, place))
    }

    pub fn time(&self, place: &'static str) -> Result<Timestamp, StoreError> {
        self.get(place)
    }

    pub fn maybe_time(&self, place: &'static str) -> Result<Option<Timestamp>, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => row.try_get::<Option<i64>, _>(column(place))?.map(Timestamp::from_unix),
            Self::Postgres(row) => {
                let time: Option<DateTime<Utc>> = row.try_get(column(place))?;
                time.map(|time| Timestamp::from_unix(time.timestamp()))
            }
        })
    }

    pub fn maybe_price(&self, place: &'static str) -> Result<Option<Price>, StoreError> {
        let text = match self {
            Self::Sqlite(row) => row.try_get::<Option<String>, _>(column(place))?,
            Self::Postgres(row) => row.try_get::<Option<Decimal>, _>(column(place))?.map(|price| price.to_string()),
        };
        text.map(|text| text.parse().map_err(|_| unexpected(place, &text))).transpose()
    }

    pub fn maybe_amount(&self, place: &'static str, currency: Currency) -> Result<Option<Amount>, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(row.try_get::<Option<i64>, _>(column(place))?.map(Amount)),
            Self::Postgres(row) => {
                let Some(amount) = row.try_get::<Option<Decimal>, _>(column(place))? else { return Ok(None) };
                let wrong = || unexpected(place, &amount.to_string());
                let minor = amount.checked_mul(Decimal::from(10_i64.pow(currency.digits()))).ok_or_else(wrong)?;
                let minor = if minor.is_integer() { minor.to_i64() } else { None };
                minor.map(|minor| Some(Amount(minor))).ok_or_else(wrong)
            }
        }
    }
}

/// A column that must have a value has none.
pub(super) fn missing(place: &'static str) -> StoreError {
    unexpected(place, "null")
}

/// A column has the name of a time zone.
pub fn zone_of(place: &'static str, name: &str) -> Result<Tz, StoreError> {
    name.parse().map_err(|_| unexpected(place, name))
}

/// A column has a value that this program doesn't know.
pub fn unexpected(place: &'static str, value: &str) -> StoreError {
    let place = place.rsplit_once(" AS ").map_or(place, |(expression, _)| expression);
    StoreError::Unexpected { place, value: value.to_owned() }
}
