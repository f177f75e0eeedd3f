//! Single values from their text: words, numbers, durations, times, colours; each is right, or told.

use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::key::or_list;
use crate::domain::Timestamp;
use crate::domain::codes::Wrong;
use crate::domain::period::start_of_day;
use crate::domain::text::did_you_mean;

/// One of some words.
pub(super) fn word(text: &str, words: &[&'static str]) -> Result<&'static str, Wrong> {
    if let Some(known) = words.iter().find(|known| **known == text) {
        return Ok(known);
    }
    // Of codes of a letter or two, each is near each other.
    let near = || did_you_mean(text, words.iter().copied().filter(|word| word.len() > 2));
    let form = near().unwrap_or_else(|| format!("use {}", or_list(words, "`")));
    let same = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    Err(Wrong::new(format!("`{text}` is not valid"), form).meaning(same.map(|word| (*word).to_owned())))
}

/// Some of some words with commas between them, in their own order.
pub(super) fn words(text: &str, words: &[&'static str]) -> Result<Vec<&'static str>, Wrong> {
    let given: Vec<&str> = text.split(',').map(str::trim).filter(|given| !given.is_empty()).collect();
    for given in &given {
        word(given, words).map_err(|wrong| {
            let form = wrong.meant.map_or(wrong.form, |meant| format!("write {meant}"));
            Wrong::new(wrong.what, form)
        })?;
    }
    Ok(words.iter().copied().filter(|word| given.contains(word)).collect())
}

fn parse_duration(text: &str) -> Result<Duration, Wrong> {
    let form = "write a number and its unit, such as 250ms, 30s, 15m, 6h or 2d";
    humantime::parse_duration(text).map_err(|_| Wrong::new(format!("`{text}` is not a duration"), form))
}

fn out_of_range(text: &str, min: Duration, max: Duration) -> Wrong {
    let (min, max) = (span(min), span(max));
    Wrong::new(format!("`{text}` is not from {min} to {max}"), format!("it can be {min} to {max}"))
}

/// A duration in whole seconds.
pub(super) fn seconds(text: &str, min: i64, max: i64) -> Result<i64, Wrong> {
    let duration = parse_duration(text)?;
    if duration.subsec_nanos() != 0 {
        return Err(Wrong::new(format!("`{text}` is not in whole seconds"), "write whole seconds, such as 30s or 15m"));
    }
    let seconds = i64::try_from(duration.as_secs()).ok().filter(|seconds| (min..=max).contains(seconds));
    seconds.ok_or_else(|| out_of_range(text, of_seconds(min), of_seconds(max)))
}

pub(super) const fn of_seconds(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

/// A duration to the millisecond.
pub(super) fn duration(text: &str, min_ms: u64, max_ms: u64) -> Result<Duration, Wrong> {
    let duration = parse_duration(text)?;
    let (min, max) = (Duration::from_millis(min_ms), Duration::from_millis(max_ms));
    if (min..=max).contains(&duration) { Ok(duration) } else { Err(out_of_range(text, min, max)) }
}

/// A duration in its largest whole unit, for people: `15 min`.
pub(super) fn span(duration: Duration) -> String {
    let (ms, seconds) = (duration.as_millis(), duration.as_secs());
    match seconds {
        _ if ms % 1000 != 0 => format!("{ms} ms"),
        0 => "0 s".to_owned(),
        seconds if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
        seconds if seconds % 3600 == 0 => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}

/// RFC 3339, or a date at midnight in `zone`.
///
/// # Errors
/// [`Wrong`].
pub fn time(text: &str, zone: Tz) -> Result<Timestamp, Wrong> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let form = "write a time with its offset, such as 2026-10-15T13:37:00+02:00";
        return start_of_day(date, zone).ok_or_else(|| Wrong::new(format!("`{text}` doesn't exist in {zone}"), form));
    }
    Timestamp::parse(text).map_err(|_| {
        let form = format!(
            "write a date (2026-10-01, midnight in {zone}) or a time with its offset (2026-10-15T13:37:00+02:00)"
        );
        Wrong::new(format!("`{text}` is not a valid date or time"), form)
    })
}

/// Six digits of red, green and blue: `#1f4e79`.
///
/// # Errors
/// [`Wrong`].
pub fn colour(text: &str) -> Result<String, Wrong> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` is not a colour"), "write a # and six hexadecimal digits, such as #1f4e79"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono_tz::Tz;

    use super::{colour, duration, of_seconds, seconds, span, time, word, words};

    #[test]
    fn a_word_that_is_not_valid_gets_the_one_that_was_meant() {
        let words = ["auto", "snapshot", "live_lists"];
        assert_eq!(word("snapshot", &words), Ok("snapshot"));
        for (text, hint) in [
            ("Snapshot", "write k = \"snapshot\""),
            ("snapshots", "did you mean `snapshot`?"),
            ("all", "use `auto`, `snapshot` or `live_lists`"),
        ] {
            assert_eq!(word(text, &words).unwrap_err().hint("k"), hint, "{text}");
        }
        // Everything is near a code of two letters.
        assert_eq!(word("X", &["S", "AE"]).unwrap_err().hint("k"), "use `S` or `AE`");
    }

    #[test]
    fn words_are_in_their_own_order() {
        assert_eq!(words("ubl, html,", &["html", "pdf", "ubl"]), Ok(vec!["html", "ubl"]));
        assert_eq!(words("", &["html"]), Ok(vec![]));
        assert_eq!(words("html,xlsx", &["html", "pdf"]).unwrap_err().what, "`xlsx` is not valid");
        assert_eq!(words("HTML", &["html", "pdf"]).unwrap_err().hint("k"), "write html");
    }

    #[test]
    fn durations_have_a_unit_and_limits() {
        assert_eq!(seconds("1h 30m", 0, 5400), Ok(5400));
        assert_eq!(duration("250ms", 250, 250), Ok(Duration::from_millis(250)));
        for (told, what) in [
            (seconds("15", 0, 60).map(|_| ()), "`15` is not a duration"),
            (seconds("1500ms", 0, 60).map(|_| ()), "`1500ms` is not in whole seconds"),
            (seconds("61s", 1, 60).map(|_| ()), "`61s` is not from 1 s to 1 min"),
            (seconds("0s", 1, 60).map(|_| ()), "`0s` is not from 1 s to 1 min"),
            (duration("9ms", 10, 3_600_000).map(|_| ()), "`9ms` is not from 10 ms to 1 h"),
        ] {
            assert_eq!(told.unwrap_err().what, what);
        }
        assert_eq!(span(of_seconds(7 * 86_400)), "7 d");
        assert_eq!(span(of_seconds(90)), "90 s");
    }

    #[test]
    fn a_date_is_a_midnight() {
        let of = |text: &str| time(text, Tz::Europe__Berlin).map(|time| time.to_string());
        assert_eq!(of("2026-10-01").unwrap(), "2026-09-30T22:00:00Z");
        assert_eq!(of("2026-10-15T13:37:00+02:00").unwrap(), "2026-10-15T11:37:00Z");
        assert_eq!(of("soon").unwrap_err().what, "`soon` is not a valid date or time");
    }

    #[test]
    fn a_colour_has_six_digits() {
        assert!(colour("#1f4E79").is_ok());
        for bad in ["", "1f4e79", "#1f4e7", "#1f4e799", "#1f4e7g", "red"] {
            assert!(colour(bad).is_err(), "{bad}");
        }
    }
}
