//! The two usage event streams of a foundation and the order of events in them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of Cloud Controller's two usage event lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    App,
    Service,
}

impl Stream {
    pub const ALL: [Self; 2] = [Self::App, Self::Service];

    /// The word used in tables, commands and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Service => "service",
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Where an input stands in its stream.
///
/// Cloud Controller never shows the internal id it orders events by, so we number events ourselves as
/// they arrive (1, 2, 3 …). An event found late, between two that are numbered already, gets the
/// earlier one's ordinal and a fraction: bytes that compare as digits after a point. There is
/// always room for one more between any two places.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    pub ordinal: u64,
    fraction: Vec<u8>,
}

impl Place {
    /// The place of an event appended to its stream; 0 is before the first.
    #[must_use]
    pub const fn at(ordinal: u64) -> Self {
        Self { ordinal, fraction: Vec::new() }
    }

    /// From its two parts, as stored.
    #[must_use]
    pub const fn from_parts(ordinal: u64, fraction: Vec<u8>) -> Self {
        Self { ordinal, fraction }
    }

    /// The bytes after the point; empty for an event that was appended in order.
    #[must_use]
    pub fn fraction(&self) -> &[u8] {
        &self.fraction
    }

    /// A place after `self` and before `next`, which must be later than `self`.
    ///
    /// # Panics
    /// If `next` isn't later: then no place lies between.
    #[must_use]
    pub fn before(&self, next: &Self) -> Self {
        assert!(self < next, "no place between {self:?} and {next:?}");
        let limit = if next.ordinal == self.ordinal { Some(next.fraction.as_slice()) } else { None };
        Self { ordinal: self.ordinal, fraction: between(&self.fraction, limit) }
    }
}

/// Digits (base 256, never ending in 0) strictly between `low` and `high`; no `high` means 1.
fn between(low: &[u8], high: Option<&[u8]>) -> Vec<u8> {
    let mut digits = Vec::with_capacity(low.len() + 1);
    let mut high = high;
    for at in 0.. {
        let floor = low.get(at).copied().unwrap_or(0);
        // Past the first digit below the limit's, the limit no longer binds.
        let ceiling = high.map_or(256, |high| high.get(at).copied().map_or(0, u16::from));
        if u16::from(floor) + 1 < ceiling {
            // Appending one by one is the common case: step by 1, so that digits last.
            digits.push(floor + 1);
            return digits;
        }
        digits.push(floor);
        if u16::from(floor) < ceiling {
            high = None;
        }
    }
    unreachable!("the loop ends at the first digit with room")
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn there_is_always_room_between_two_places() {
        let (first, last) = (Place::at(7), Place::at(8));
        // One after another, as a sweep finds them, and always into the tightest gap.
        let mut previous = first.clone();
        for _ in 0..1000 {
            let next = previous.before(&last);
            assert!(previous < next && next < last, "{previous:?} {next:?}");
            previous = next;
        }
        let mut after = last;
        for _ in 0..200 {
            let middle = first.before(&after);
            assert!(first < middle && middle < after, "{middle:?} {after:?}");
            after = middle;
        }
    }

    #[test]
    fn a_thousand_late_events_in_one_gap_need_few_bytes() {
        let last = Place::at(2);
        let mut place = Place::at(1);
        for _ in 0..1000 {
            place = place.before(&last);
        }
        assert!(place.fraction().len() <= 5, "{place:?}");
    }
}
