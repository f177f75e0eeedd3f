//! How each language writes dates.
//! Owns their form; never which zone they are of.

use chrono::{Datelike, NaiveDate, TimeZone, Timelike};
use chrono_tz::Tz;

use super::Locale;
use crate::domain::period::date_of;
use crate::domain::{Month, Span, Timestamp};
use crate::invoicing::Language;

/// A span's last day is the one that holds its last second.
const SECOND: i64 = 1;

impl Locale {
    /// `3 November 2026`, `03.11.2026`, `3 novembre 2026`
    #[must_use]
    pub fn date(self, date: NaiveDate) -> String {
        let (year, day) = (date.year(), date.day());
        let month = self.texts.months[date.month0() as usize];
        match self.language {
            Language::English => format!("{day} {month} {year}"),
            Language::German => format!("{day:02}.{:02}.{year}", date.month()),
            Language::French => format!("{} {month} {year}", french_day(day)),
        }
    }

    /// `October 2026`, `Oktober 2026`, `octobre 2026`
    #[must_use]
    pub fn month(self, month: Month) -> String {
        let day = month.first_day();
        format!("{} {}", self.texts.months[day.month0() as usize], day.year())
    }

    /// Without the year: `3 Nov`, `03.11.`, `3 nov.`
    #[must_use]
    pub fn day(self, date: NaiveDate) -> String {
        let (day, month) = (date.day(), self.texts.short_months[date.month0() as usize]);
        match self.language {
            Language::English => format!("{day} {month}"),
            Language::German => format!("{day:02}.{month}"),
            Language::French => format!("{} {month}", french_day(day)),
        }
    }

    /// `3 November 2026, 05:00`
    #[must_use]
    pub fn moment(self, at: Timestamp, zone: Tz) -> String {
        format!("{}, {}", self.date(date_of(at, zone)), clock(at, zone))
    }

    /// Its first and its last day: `1 – 31 October 2026`
    #[must_use]
    pub fn days(self, span: Span, zone: Tz) -> String {
        let (first, last) = (date_of(span.from, zone), date_of(span.to.plus(-SECOND), zone));
        let is_one_month = (first.year(), first.month()) == (last.year(), last.month());
        match self.language {
            Language::English if is_one_month => format!("{} – {}", first.day(), self.date(last)),
            Language::French if is_one_month => format!("{} – {}", french_day(first.day()), self.date(last)),
            _ => format!("{} – {}", self.date(first), self.date(last)),
        }
    }

    /// In few words, within a year: `20 Oct – 31 Oct`; with times where it isn't of whole days.
    #[must_use]
    pub fn short_span(self, span: Span, zone: Tz) -> String {
        let is_midnight = |at: Timestamp| clock(at, zone) == "00:00" && at.unix() % 60 == 0;
        let (first, last) = (date_of(span.from, zone), date_of(span.to.plus(-SECOND), zone));
        if !is_midnight(span.from) || !is_midnight(span.to) {
            let time = |at| format!("{} {}", self.day(date_of(at, zone)), clock(at, zone));
            format!("{} – {}", time(span.from), time(span.to))
        } else if first == last {
            self.day(first)
        } else {
            format!("{} – {}", self.day(first), self.day(last))
        }
    }
}

fn french_day(day: u32) -> String {
    if day == 1 { "1er".to_owned() } else { day.to_string() }
}

fn clock(at: Timestamp, zone: Tz) -> String {
    let local = zone.timestamp_opt(at.unix(), 0).earliest();
    local.map(|time| format!("{:02}:{:02}", time.hour(), time.minute())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::Locale;
    use crate::domain::{Span, Timestamp};
    use crate::invoicing::Language;

    #[test]
    fn dates_and_months_are_of_the_language() {
        for (date, written) in [
            ("2026-11-03", ["3 November 2026", "03.11.2026", "3 novembre 2026"]),
            ("2026-08-01", ["1 August 2026", "01.08.2026", "1er août 2026"]),
            ("2028-02-29", ["29 February 2028", "29.02.2028", "29 février 2028"]),
        ] {
            assert_eq!(Language::ALL.map(|language| Locale::of(language).date(date.parse().unwrap())), written);
        }
        for (month, written) in [
            ("2026-10", ["October 2026", "Oktober 2026", "octobre 2026"]),
            ("2027-03", ["March 2027", "März 2027", "mars 2027"]),
        ] {
            assert_eq!(Language::ALL.map(|language| Locale::of(language).month(month.parse().unwrap())), written);
        }
    }

    #[test]
    fn spans_are_of_days_in_the_zone() {
        for (from, to, zone, written) in [
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", Tz::Europe__Berlin, "1 Oct – 31 Oct"),
            ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", Tz::UTC, "30 Sep 22:00 – 31 Oct 23:00"),
            ("2026-10-05T00:00:00Z", "2026-10-06T00:00:00Z", Tz::UTC, "5 Oct"),
            ("2026-10-05T00:00:00Z", "2026-10-06T00:00:01Z", Tz::UTC, "5 Oct 00:00 – 6 Oct 00:00"),
            ("2026-10-05T00:00:00Z", "2026-10-07T00:00:00Z", Tz::UTC, "5 Oct – 6 Oct"),
        ] {
            let span = Span { from: Timestamp::parse(from).unwrap(), to: Timestamp::parse(to).unwrap() };
            assert_eq!(Locale::of(Language::English).short_span(span, zone), written);
        }
        let span = Span {
            from: Timestamp::parse("2026-09-30T22:00:00Z").unwrap(),
            to: Timestamp::parse("2026-10-31T23:00:00Z").unwrap(),
        };
        let written = |language| Locale::of(language).days(span, Tz::Europe__Berlin);
        assert_eq!(
            Language::ALL.map(written),
            ["1 – 31 October 2026", "01.10.2026 – 31.10.2026", "1er – 31 octobre 2026"]
        );
        let moment = |language| Locale::of(language).moment(span.to, Tz::Europe__Berlin);
        assert_eq!(
            Language::ALL.map(moment),
            ["1 November 2026, 00:00", "01.11.2026, 00:00", "1er novembre 2026, 00:00"]
        );
    }
}
