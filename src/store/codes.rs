//! The small integers that stand for words in tables; migrations and views spell the same codes.

use crate::domain::{Cause, DiskSource, EntryType, Kind, MemorySource};
use crate::fold::Opening;
use crate::store::StoreError;

/// A word with a code.
pub trait Code: Copy + PartialEq + 'static {
    const WHERE: &'static str;
    const CODES: &'static [(i64, Self)];

    fn code(self) -> i64 {
        Self::CODES.iter().find(|(_, word)| *word == self).map_or(-1, |(code, _)| *code)
    }

    fn of(code: i64) -> Result<Self, StoreError> {
        (Self::CODES.iter().find(|(known, _)| *known == code))
            .map(|(_, word)| *word)
            .ok_or_else(|| StoreError::Unexpected { place: Self::WHERE, value: code.to_string() })
    }
}

impl Code for Kind {
    const WHERE: &'static str = "kind";
    const CODES: &'static [(i64, Self)] =
        &[(1, Self::Process), (2, Self::Service), (3, Self::Staging), (4, Self::Task)];
}

impl Code for MemorySource {
    const WHERE: &'static str = "memory_source";
    const CODES: &'static [(i64, Self)] = &[(0, Self::None), (1, Self::Event), (2, Self::Build)];
}

impl Code for DiskSource {
    const WHERE: &'static str = "disk_source";
    const CODES: &'static [(i64, Self)] =
        &[(0, Self::None), (1, Self::Observed), (2, Self::Assumed), (3, Self::Default)];
}

impl Code for EntryType {
    const WHERE: &'static str = "entry_type";
    const CODES: &'static [(i64, Self)] = &[(1, Self::Usage), (2, Self::Reversal), (3, Self::Replacement)];
}

impl Code for Cause {
    const WHERE: &'static str = "cause";
    const CODES: &'static [(i64, Self)] = &[
        (1, Self::Closed),
        (2, Self::BuildpackSet),
        (3, Self::RepairedEnding),
        (4, Self::Observation),
        (5, Self::LateEvent),
    ];
}

impl Code for Opening {
    const WHERE: &'static str = "opening";
    const CODES: &'static [(i64, Self)] =
        &[(1, Self::Beginning), (2, Self::FirstSight), (3, Self::WasRunning), (4, Self::Baseline)];
}

#[cfg(test)]
mod tests {
    use std::fmt::{Debug, Write};

    use super::*;

    fn tell<T: Code + Debug>(text: &mut String) {
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
