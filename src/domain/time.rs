//! Instants, in whole seconds of UTC, as Cloud Controller sends them.

use std::fmt;

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: seconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
///
/// Source: every V3 timestamp is UTC, truncated to whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Text that is no RFC 3339 instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-10-01T00:00:00Z")]
pub struct NotATime(pub String);

impl Timestamp {
    /// 0000-01-01T00:00:00Z, before every event.
    pub const MIN: Self = Self(-62_167_219_200);
    /// 9999-12-31T23:59:59Z, after every event.
    pub const MAX: Self = Self(253_402_300_799);

    /// From Unix seconds; held to [`Timestamp::MIN`] and [`Timestamp::MAX`].
    #[must_use]
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Unix seconds.
    #[must_use]
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// Whole seconds from `earlier` to this instant; negative if that is later.
    #[must_use]
    pub const fn seconds_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This instant moved by `seconds`, held to the bounds of the type.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self::from_unix(self.0.saturating_add(seconds))
    }

    /// RFC 3339 with any offset; fractions of a second are cut off.
    ///
    /// # Errors
    /// [`NotATime`] with the text.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| NotATime(text.to_owned()))?;
        let instant = Self::from_unix(parsed.timestamp());
        if instant.0 == parsed.timestamp() { Ok(instant) } else { Err(NotATime(text.to_owned())) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp(self.0, 0).unwrap_or_default();
        formatter.pad(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn text_and_seconds_agree() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-10-01T00:00:00Z", 1_790_812_800),
            ("2026-10-01T02:00:00+02:00", 1_790_812_800),
            ("2026-10-01T00:00:00.999999Z", 1_790_812_800),
            ("0000-01-01T00:00:00Z", Timestamp::MIN.unix()),
            ("9999-12-31T23:59:59Z", Timestamp::MAX.unix()),
        ] {
            assert_eq!(Timestamp::parse(text).map(Timestamp::unix), Ok(seconds), "{text}");
        }
        assert_eq!(Timestamp::from_unix(1_790_812_800).to_string(), "2026-10-01T00:00:00Z");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "yesterday", "2026-10-01", "2026-13-01T00:00:00Z", "1790812800", "0000-01-01T00:00:00+02:00"] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
