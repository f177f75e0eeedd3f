//! Billing periods: calendar months of a time zone, as spans of UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Days, NaiveDate, TimeZone};
use chrono_tz::Tz;

use super::Timestamp;

/// A span of time, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
}

impl Span {
    /// Whole seconds from `from` to `to`.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.to.seconds_since(self.from)
    }

    /// The part of it that lies in `other`; it ends before it begins, or at once, if they have none in common.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.min(other.to) }
    }

    /// The shortest span that has both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }
}

/// The instant at which `date` begins in `zone`: midnight, or the first instant there is after it where
/// clocks skip midnight.
#[must_use]
pub fn start_of_day(date: NaiveDate, zone: Tz) -> Option<Timestamp> {
    let midnight = date.and_hms_opt(0, 0, 0)?;
    // No zone ever skipped more than a day, and only one skipped that.
    let mut minutes = (0..=24 * 60).step_by(15).map(chrono::TimeDelta::minutes);
    let first = minutes.find_map(|after| zone.from_local_datetime(&(midnight + after)).earliest())?;
    Some(Timestamp::from_unix(first.timestamp()))
}

/// The date of an instant in `zone`.
#[must_use]
pub fn date_of(at: Timestamp, zone: Tz) -> NaiveDate {
    zone.timestamp_opt(at.unix(), 0).earliest().map(|time| time.date_naive()).unwrap_or_default()
}

/// An instant as the clocks of `zone` show it, with its offset: `2026-10-15T13:37:00+02:00`.
#[must_use]
pub fn local(at: Timestamp, zone: Tz) -> String {
    let local = zone.timestamp_opt(at.unix(), 0).earliest();
    local.map_or_else(|| at.to_string(), |time| time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// An instant for people who wrote a date: the date where it is its beginning in `zone`, else as [`local`].
#[must_use]
pub fn date_or_time(at: Timestamp, zone: Tz) -> String {
    let date = date_of(at, zone);
    if start_of_day(date, zone) == Some(at) { date.to_string() } else { local(at, zone) }
}

/// The days of a period in `zone`, in order, the first and the last cut at the period's edges.
#[must_use]
pub fn days(period: Span, zone: Tz) -> Vec<Span> {
    let mut days = Vec::new();
    let (mut date, mut from) = (date_of(period.from, zone), period.from);
    while from < period.to {
        let Some(next) = date.checked_add_days(Days::new(1)) else { break };
        let to = start_of_day(next, zone).map_or(period.to, |to| to.min(period.to)).max(from);
        days.push(Span { from, to });
        (date, from) = (next, to);
    }
    days
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: i32,
    month: u32,
}

/// Text that names no month.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a month such as 2026-10")]
pub struct NotAMonth(pub String);

impl Month {
    /// The month in which `at` lies, in `zone`.
    #[must_use]
    pub fn of(at: Timestamp, zone: Tz) -> Self {
        let local = zone.timestamp_opt(at.unix(), 0).earliest().map(|time| (time.year(), time.month()));
        let (year, month) = local.unwrap_or((1970, 1));
        Self { year, month }
    }

    /// Its first day.
    #[must_use]
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default()
    }

    /// The month after it.
    #[must_use]
    pub const fn next(self) -> Self {
        if self.month == 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { year: self.year, month: self.month + 1 }
        }
    }

    /// The month before it.
    #[must_use]
    pub const fn previous(self) -> Self {
        if self.month == 1 {
            Self { year: self.year - 1, month: 12 }
        } else {
            Self { year: self.year, month: self.month - 1 }
        }
    }

    /// From its first instant to that of the next month, in `zone`. An October in Berlin has 745 hours.
    #[must_use]
    pub fn span(self, zone: Tz) -> Span {
        let start = |month: Self| start_of_day(month.first_day(), zone).unwrap_or(Timestamp::MIN);
        Span { from: start(self), to: start(self.next()) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{:04}-{:02}", self.year, self.month))
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let wrong = || NotAMonth(text.to_owned());
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(wrong());
        }
        let month = Self { year: year.parse().map_err(|_| wrong())?, month: month.parse().map_err(|_| wrong())? };
        if (1..=12).contains(&month.month) && month.year > 0 { Ok(month) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::{Month, NotAMonth};
    use crate::domain::Timestamp;

    #[test]
    fn months_are_cut_where_the_zone_cuts_them() {
        for (month, zone, from, hours) in [
            ("2026-10", "UTC", "2026-10-01T00:00:00Z", 744),
            ("2026-10", "Europe/Berlin", "2026-09-30T22:00:00Z", 745),
            ("2026-03", "Europe/Berlin", "2026-02-28T23:00:00Z", 743),
            ("2026-02", "UTC", "2026-02-01T00:00:00Z", 672),
            ("2028-02", "UTC", "2028-02-01T00:00:00Z", 696),
            ("2026-12", "Asia/Kolkata", "2026-11-30T18:30:00Z", 744),
            // Midnight of 2018-11-04 did not exist in São Paulo; of 1 November it did.
            ("2018-11", "America/Sao_Paulo", "2018-11-01T03:00:00Z", 719),
        ] {
            let span = month.parse::<Month>().unwrap().span(zone.parse::<Tz>().unwrap());
            assert_eq!((span.from.to_string().as_str(), span.seconds()), (from, hours * 3600), "{month} in {zone}");
        }
    }

    #[test]
    fn a_skipped_midnight_begins_the_day_when_it_begins() {
        let day = "2018-11-04".parse().unwrap();
        let start = super::start_of_day(day, Tz::America__Sao_Paulo).unwrap();
        assert_eq!(start.to_string(), "2018-11-04T03:00:00Z");
    }

    #[test]
    fn what_begins_a_day_is_shown_as_a_date() {
        let zone = Tz::Europe__Berlin;
        for (at, shown) in [
            ("2026-10-11T22:00:00Z", "2026-10-12"),
            ("2026-10-11T22:00:01Z", "2026-10-12T00:00:01+02:00"),
            ("2026-10-12T00:00:00Z", "2026-10-12T02:00:00+02:00"),
        ] {
            assert_eq!(super::date_or_time(Timestamp::parse(at).unwrap(), zone), shown);
        }
    }

    #[test]
    fn days_are_as_long_as_the_zone_has_them() {
        for (month, zone, count, odd) in [
            ("2026-10", "UTC", 31, None),
            // Clocks go back on the 25th, and forward on 29 March.
            ("2026-10", "Europe/Berlin", 31, Some((24, 25))),
            ("2026-03", "Europe/Berlin", 31, Some((28, 23))),
            ("2026-02", "America/New_York", 28, None),
        ] {
            let zone: Tz = zone.parse().unwrap();
            let period = month.parse::<Month>().unwrap().span(zone);
            let days = super::days(period, zone);
            assert_eq!(
                (days.len(), days[0].from, days[count - 1].to),
                (count, period.from, period.to),
                "{month} {zone}"
            );
            for (position, day) in days.iter().enumerate() {
                let hours = odd.filter(|(at, _)| *at == position).map_or(24, |(_, hours)| hours);
                assert_eq!(day.seconds(), hours * 3600, "{month} {zone} {position}");
            }
            assert!(days.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }

    #[test]
    fn an_instant_has_its_month_in_the_zone() {
        let at = Timestamp::parse("2026-09-30T22:00:00Z").unwrap();
        assert_eq!(Month::of(at, Tz::UTC).to_string(), "2026-09");
        assert_eq!(Month::of(at, Tz::Europe__Berlin).to_string(), "2026-10");
    }

    #[test]
    fn only_months_are_months() {
        for text in ["2026-00", "2026-13", "2026-1", "26-10", "2026-10-01", "", "2026/10", "+026-10", "0000-01"] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth(text.to_owned())));
        }
        assert_eq!("2026-12".parse::<Month>().unwrap().next().to_string(), "2027-01");
    }
}
