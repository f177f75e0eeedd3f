//! How words of the domain stand in tables: as small integers where rows are many, spelled out elsewhere. Migrations and
//! views have the same codes. A code or word that isn't known is an error that names table, column and value.

use super::database::{Field, Row, Type, Value, Word, unexpected};
use super::{OnboardingStage, Owner, StoreError};
use crate::domain::{
    AnomalyKind, Cause, Currency, DiskSource, EntryType, GapReason, GapStage, Kind, MemorySource, Strategy, Stream,
};
use crate::fold::Opening;
use crate::invoicing::{AdjustmentType, CorrectionCause, DocumentKind, Status};
use crate::rate_card::Meter;
use crate::rating::Part;

/// A word with a code.
pub trait ColumnCode: Copy + PartialEq + 'static {
    /// The column that has them.
    const WHERE: &'static str;
    const CODES: &'static [(i64, Self)];

    fn code(self) -> i64 {
        let known = Self::CODES.iter().find(|(_, word)| *word == self);
        known.map_or_else(|| panic!("a word of {} has no code", Self::WHERE), |(code, _)| *code)
    }

    fn of_code(code: i64) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, word)| *word)
    }
}

macro_rules! coded {
    ($($of:ty: $column:literal, $codes:expr;)*) => {
        $(
            impl ColumnCode for $of {
                const WHERE: &'static str = $column;
                const CODES: &'static [(i64, Self)] = &$codes;
            }

            impl Field for $of {
                const TYPE: Type = Type::Integer;

                fn maybe(row: &Row, place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
                    let read = |code| Self::of_code(code).ok_or_else(|| unexpected(place, &code.to_string()));
                    row.maybe_integer(place)?.map(read).transpose()
                }

                fn value(&self, _: Option<Currency>) -> Value {
                    Value::Integer(Some(self.code()))
                }
            }
        )*
    };
}

coded! {
    Kind: "kind", [(1, Self::Process), (2, Self::Service), (3, Self::Staging), (4, Self::Task)];
    MemorySource: "memory_source", [(0, Self::None), (1, Self::Event), (2, Self::Build)];
    DiskSource: "disk_source", [(0, Self::None), (1, Self::Observed), (2, Self::Assumed), (3, Self::Default)];
    EntryType: "entry_type", [(1, Self::Usage), (2, Self::Reversal), (3, Self::Replacement)];
    Cause: "cause", [
        (1, Self::Closed),
        (2, Self::BuildpackSet),
        (3, Self::RepairedEnding),
        (4, Self::Observation),
        (5, Self::LateEvent),
    ];
    Opening: "opening", [(1, Self::Beginning), (2, Self::FirstSight), (3, Self::WasRunning), (4, Self::Baseline)];
}

macro_rules! words {
    ($($of:ty),* $(,)?) => {
        $(impl Word for $of {
            fn word(self) -> &'static str {
                self.name()
            }

            fn of_word(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|known| known.name() == word)
            }
        })*
    };
}

words! {
    AdjustmentType, AnomalyKind, CorrectionCause, DocumentKind, GapReason, GapStage, Kind, Meter, OnboardingStage, Owner,
    Status, Strategy, Stream,
}

impl Field for Part {
    const TYPE: Type = Type::Text;

    fn maybe(row: &Row, place: &'static str, _: Option<Currency>) -> Result<Option<Self>, StoreError> {
        let read = |text: &str| Self::from_text(text).ok_or_else(|| unexpected(place, text));
        row.maybe_text(place)?.map(read).transpose()
    }

    fn value(&self, _: Option<Currency>) -> Value {
        Value::Text(Some(self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Write};

    use super::*;

    fn tell<T: ColumnCode + Debug>(text: &mut String) {
        for (code, word) in T::CODES {
            writeln!(text, "{} {code} {word:?}", T::WHERE).expect("writing to a String never fails");
        }
    }

    /// Tables are full of them: a code never changes its meaning. A new word gets a new code, and a line there.
    #[test]
    fn codes_keep_their_meaning() {
        let mut text = String::new();
        tell::<Kind>(&mut text);
        tell::<MemorySource>(&mut text);
        tell::<DiskSource>(&mut text);
        tell::<EntryType>(&mut text);
        tell::<Cause>(&mut text);
        tell::<Opening>(&mut text);
        assert_eq!(text, include_str!("../../tests/data/golden/codes.txt"));
    }
}
