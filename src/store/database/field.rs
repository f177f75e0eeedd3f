//! How each type of the domain stands in a column: its column type, how it is written, and how it is read back. What isn't
//! known is an error that names the place and the value.

use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::row::{missing, unexpected};
use super::{Row, RowWriter, Type, Value};
use crate::domain::{Amount, Currency, Guid, Month, Price, Timestamp};
use crate::store::StoreError;

/// A type that stands in one column. Only an [`Option`] is null.
pub trait Field: Sized {
    const TYPE: Type;
    const NULLABLE: bool = false;

    /// The value in `place` (`table.column`); `None`: it is null.
    ///
    /// # Errors
    /// [`StoreError::Unexpected`] for a value that isn't known.
    fn maybe(row: &Row, place: &'static str, currency: Option<Currency>) -> Result<Option<Self>, StoreError>;

    /// The value in `place`.
    ///
    /// # Errors
    /// [`StoreError::Unexpected`] for null and for a value that isn't known.
    fn read(row: &Row, place: &'static str, currency: Option<Currency>) -> Result<Self, StoreError> {
        Self::maybe(row, place, currency)?.ok_or_else(|| missing(place))
    }

    /// As it is bound.
    fn value(&self, currency: Option<Currency>) -> Value;

    /// Writes it as the next column of a row.
    fn write<'row>(&self, row: RowWriter<'row>, currency: Option<Currency>) -> RowWriter<'row> {
        row.value(self.value(currency))
    }
}

impl<T: Field> Field for Option<T> {
    const TYPE: Type = T::TYPE;
    const NULLABLE: bool = true;

    fn maybe(row: &Row, place: &'static str, currency: Option<Currency>) -> Result<Option<Self>, StoreError> {
        T::maybe(row, place, currency).map(Some)
    }

    fn value(&self, currency: Option<Currency>) -> Value {
        self.as_ref().map_or_else(|| T::TYPE.null(currency), |value| value.value(currency))
    }

    fn write<'row>(&self, row: RowWriter<'row>, currency: Option<Currency>) -> RowWriter<'row> {
        match self {
            Some(value) => value.write(row, currency),
            None => row.value(T::TYPE.null(currency)),
        }
    }
}

/// Amounts are written and read in a currency: their statements name it.
pub(super) const NO_CURRENCY: &str = "rows with amounts have a currency";

macro_rules! field {
    ($($of:ty: $type:ident, |$row:ident, $place:ident| $read:expr, |$value:ident| $made:expr;)*) => {
        $(impl Field for $of {
            const TYPE: Type = Type::$type;

            fn maybe($row: &Row, $place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
                $read
            }

            fn value(&self, _: Option<Currency>) -> Value {
                let $value = self;
                Value::$type(Some($made))
            }
        })*
    };
}

field! {
    i64: Integer, |row, place| row.maybe_integer(place), |value| *value;
    u64: Integer, |row, place| whole(row, place), |value| value.cast_signed();
    u32: Integer, |row, place| whole(row, place), |value| i64::from(*value);
    usize: Integer, |row, place| whole(row, place),
        |value| i64::try_from(*value).expect("nothing in memory has more than 2^63 parts");
    bool: Flag, |row, place| row.maybe_flag(place), |value| *value;
    Vec<u8>: Bytes, |row, place| row.maybe_bytes(place), |value| value.clone();
    Timestamp: Time, |row, place| row.maybe_time(place), |value| *value;
    Price: Price, |row, place| row.maybe_price(place), |value| *value;
}

/// An integer in the bounds of its type.
fn whole<T: TryFrom<i64>>(row: &Row, place: &'static str) -> Result<Option<T>, StoreError> {
    let read = |value: i64| T::try_from(value).map_err(|_| unexpected(place, &value.to_string()));
    row.maybe_integer(place)?.map(read).transpose()
}

macro_rules! text_field {
    ($($of:ty: |$text:ident| $read:expr, |$value:ident| $made:expr;)*) => {
        $(impl Field for $of {
            const TYPE: Type = Type::Text;

            fn maybe(row: &Row, place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
                let read = |$text: &str| $read.ok_or_else(|| unexpected(place, $text));
                row.maybe_text(place)?.map(read).transpose()
            }

            fn value(&self, _: Option<Currency>) -> Value {
                let $value = self;
                Value::Text(Some($made.to_string()))
            }

            fn write<'row>(&self, row: RowWriter<'row>, _: Option<Currency>) -> RowWriter<'row> {
                let $value = self;
                row.text(Some(&$made))
            }
        })*
    };
}

text_field! {
    String: |text| Some(text.to_owned()), |value| value;
    Arc<str>: |text| Some(Self::from(text)), |value| value;
    Guid: |text| Some(Self::new(text)), |value| value.to_string();
    Month: |text| text.parse().ok(), |value| value.to_string();
    NaiveDate: |text| text.parse().ok(), |value| value.to_string();
    Currency: |text| Self::from_code(text), |value| value.code();
}

impl Field for Amount {
    const TYPE: Type = Type::Amount;

    fn maybe(row: &Row, place: &'static str, currency: Option<Currency>) -> Result<Option<Self>, StoreError> {
        row.maybe_amount(place, currency.expect(NO_CURRENCY))
    }

    fn value(&self, currency: Option<Currency>) -> Value {
        Value::Amount(Some(*self), currency.expect(NO_CURRENCY))
    }
}

/// A word in a column of texts.
pub trait Word: Copy {
    fn word(self) -> &'static str;
    /// `None`: it isn't one of them.
    fn of_word(word: &str) -> Option<Self>;
}

/// Written as its word, where the type itself stands for a code in other tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spelled<T>(pub T);

impl<T: Word> Field for Spelled<T> {
    const TYPE: Type = Type::Text;

    fn maybe(row: &Row, place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
        let read = |word: &str| T::of_word(word).map(Self).ok_or_else(|| unexpected(place, word));
        row.maybe_text(place)?.map(read).transpose()
    }

    fn value(&self, _: Option<Currency>) -> Value {
        Value::Text(Some(self.0.word().to_owned()))
    }
}

/// Kept as JSON in a column of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Field for Json<T> {
    const TYPE: Type = Type::Text;

    fn maybe(row: &Row, place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
        let read = |text: &str| serde_json::from_str(text).map(Self).map_err(|_| unexpected(place, text));
        row.maybe_text(place)?.map(read).transpose()
    }

    fn value(&self, _: Option<Currency>) -> Value {
        Value::Text(Some(serde_json::to_string(&self.0).expect("what is kept as JSON is plain values")))
    }
}
