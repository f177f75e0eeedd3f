//! Whether recorded lists are what they are given as: whole, in the stream's order, of the right stream, V3.
//! Owns the rules; reads a file once from end to end and keeps no record of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::records::{LARGEST_RECORD, Recording, RecordsError, Value};
use crate::domain::{Stream, Timestamp};

/// What a file is given as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Events(Stream),
    Snapshot,
}

/// So far may two neighbours' times fall in a list so short that nothing else tells its order: transactions of Cloud
/// Controller's are known to take hours, and their events have the time of their beginning.
const FALL_SECONDS: i64 = 6 * 3600;

/// Looks through a file. Gives how many pages are to be read in another order than the file's, if any.
///
/// # Errors
/// [`RecordsError`] that names what is wrong. A file that is cut short after good pages is good so far: reading it finds out.
pub fn survey(recording: &mut Recording, expected: Expected) -> Result<Option<usize>, RecordsError> {
    let mut survey = Survey::new(recording.name().to_owned(), expected);
    let cut = match recording.values(|value| survey.take(&value).map(|()| true), &AtomicU64::new(0)) {
        Ok(()) => None,
        Err(error) if error.is_cut() => Some(error),
        Err(error) => return Err(error),
    };
    survey.finish(cut, recording)
}

/// What of a value tells what it is.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Probe<'a> {
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    state: Option<&'a RawValue>,
    #[serde(borrow)]
    resources: Option<&'a RawValue>,
    pagination: Option<Pagination<'a>>,
    #[serde(borrow)]
    errors: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    error_code: Option<Cow<'a, str>>,
    description: Option<Cow<'a, str>>,
    error_description: Option<Cow<'a, str>>,
    metadata: Option<IgnoredAny>,
    entity: Option<IgnoredAny>,
    total_results: Option<IgnoredAny>,
    service_instance: Option<IgnoredAny>,
    process: Option<IgnoredAny>,
    app: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Pagination<'a> {
    total_pages: Option<u64>,
    first: Option<Link<'a>>,
    last: Option<Link<'a>>,
    next: Option<Link<'a>>,
    previous: Option<Link<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Link<'a> {
    href: Cow<'a, str>,
}

impl Link<'_> {
    /// Path and query, without the number of the page: the same for all pages of one fetch.
    fn list(&self) -> String {
        let (path, query) = self.href.split_once('?').unwrap_or((&self.href, ""));
        let mut asked: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("page=")).collect();
        asked.sort_unstable();
        format!("{path}?{}", asked.join("&"))
    }

    fn asked(&self, key: &str) -> Option<&str> {
        let (_, query) = self.href.split_once('?')?;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(of, _)| *of == key).map(|(_, value)| value)
    }

    fn page(&self) -> Option<u64> {
        self.asked("page")?.parse().ok()
    }
}

/// A page as far as its place among the others goes.
#[derive(Clone, Debug)]
struct Page {
    /// Which of the lists in the file it is of.
    list: usize,
    number: u64,
    of: u64,
    next: Option<String>,
    /// Asked for after the event of this guid.
    after_guid: Option<String>,
    /// Guid of its last record.
    last_guid: Option<String>,
    line: usize,
    span: (u64, u64),
    trend: Trend,
}

/// Whether times rise or fall from one record to the next.
#[derive(Clone, Copy, Debug, Default)]
struct Trend {
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    risen: u64,
    fallen: u64,
}

impl Trend {
    fn add(&mut self, at: Timestamp) {
        self.step(at);
        self.first = self.first.or(Some(at));
        self.last = Some(at);
    }

    const fn step(&mut self, at: Timestamp) {
        if let Some(last) = self.last {
            self.risen += (at.unix() > last.unix()) as u64;
            self.fallen += (at.unix() < last.unix()) as u64;
        }
    }

    fn follow(&mut self, next: &Self) {
        if let Some(first) = next.first {
            self.step(first);
        }
        self.first = self.first.or(next.first);
        self.last = next.last.or(self.last);
        self.risen += next.risen;
        self.fallen += next.fallen;
    }

    /// Newest first: in an honest stream times fall a little now and then, never from most records to the next.
    fn is_reversed(&self) -> bool {
        let (Some(first), Some(last)) = (self.first, self.last) else { return false };
        let fall = first.seconds_since(last);
        let is_plain = self.fallen > 1 || fall > FALL_SECONDS;
        fall > 0 && self.fallen > 2 * self.risen && is_plain
    }
}

struct Survey {
    file: String,
    expected: Expected,
    lists: BTreeMap<String, usize>,
    pages: Vec<Page>,
    /// Records that stand outside of pages whose place is known.
    loose: Trend,
    has_loose: bool,
    records: u64,
    has_states: bool,
}

impl Survey {
    const fn new(file: String, expected: Expected) -> Self {
        Self {
            file,
            expected,
            lists: BTreeMap::new(),
            pages: Vec::new(),
            loose: Trend { first: None, last: None, risen: 0, fallen: 0 },
            has_loose: false,
            records: 0,
            has_states: false,
        }
    }

    fn refused(&self, place: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> RecordsError {
        RecordsError::Refused { file: self.file.clone(), place: place.into(), what: what.into(), hint: hint.into() }
    }

    fn take(&mut self, value: &Value) -> Result<(), RecordsError> {
        let place = format!("line {}", value.line);
        // What doesn't even read as an object is archived, and told of there.
        let Ok(probe) = serde_json::from_str::<Probe<'_>>(value.text.get()) else { return Ok(()) };
        self.no_error(&place, &probe, value.text.get())?;
        let Some(resources) = probe.resources else {
            return self.record(&place, value.text.get(), &probe).map(|at| {
                self.has_loose = true;
                if let Some(at) = at {
                    self.loose.add(at);
                }
            });
        };
        let Ok(resources) = serde_json::from_str::<Vec<&RawValue>>(resources.get()) else { return Ok(()) };
        if probe.pagination.is_none() && probe.total_results.is_some() {
            return Err(self.is_v2(&place));
        }
        let mut trend = Trend::default();
        for resource in &resources {
            let Ok(probe) = serde_json::from_str::<Probe<'_>>(resource.get()) else { continue };
            if let Some(at) = self.record(&place, resource.get(), &probe)? {
                trend.add(at);
            }
        }
        if let Some(pagination) = probe.pagination {
            let last_guid = resources.last().and_then(|last| guid(last.get()));
            self.page(value, &pagination, trend, last_guid)
        } else {
            self.has_loose = true;
            self.loose.follow(&trend);
            Ok(())
        }
    }

    fn no_error(&self, place: &str, probe: &Probe<'_>, text: &str) -> Result<(), RecordsError> {
        let hint = "`cf curl` prints an error instead of a page and still exits 0: log in again, and fetch the whole list again";
        if let Some(errors) = probe.errors.filter(|_| probe.resources.is_none()) {
            let told = first_error(errors.get()).unwrap_or_else(|| shortened(errors.get()));
            let what = format!("it holds an error from Cloud Controller instead of a page: {told}");
            return Err(self.refused(place, what, hint));
        }
        let of_uaa = probe.error.zip(probe.error_description.as_ref());
        let is_v2_error = probe.error_code.is_some() && probe.description.is_some();
        if probe.resources.is_none() && probe.state.is_none() && (of_uaa.is_some() || is_v2_error) {
            let what = format!("it holds an error instead of a page: {}", shortened(text));
            return Err(self.refused(place, what, hint));
        }
        Ok(())
    }

    fn is_v2(&self, place: &str) -> RecordsError {
        let path = match self.expected {
            Expected::Events(Stream::App) => "/v3/app_usage_events",
            Expected::Events(Stream::Service) => "/v3/service_usage_events",
            Expected::Snapshot => "/v3/app_usage/snapshots/GUID",
        };
        let what = "it holds V2 records (`metadata` and `entity`); only V3 is supported";
        self.refused(place, what, format!("fetch GET {path}"))
    }

    /// One record; gives its time if it is an event's.
    fn record(&mut self, place: &str, text: &str, probe: &Probe<'_>) -> Result<Option<Timestamp>, RecordsError> {
        self.records += 1;
        if text.len() > LARGEST_RECORD {
            let what = format!("a record has {} MiB; a usage event has some hundred bytes", text.len() >> 20);
            return Err(self.refused(place, what, "check that it is a list of usage events"));
        }
        if probe.metadata.is_some() && probe.entity.is_some() {
            return Err(self.is_v2(place));
        }
        let Expected::Events(stream) = self.expected else { return Ok(None) };
        let Some(state) = probe.state else { return Ok(None) };
        self.has_states = true;
        let is_of_service = state.get().starts_with('"') && probe.service_instance.is_some();
        let is_of_app = state.get().starts_with('{') && (probe.process.is_some() || probe.app.is_some());
        let other = match stream {
            Stream::App if is_of_service => Some(Stream::Service),
            Stream::Service if is_of_app => Some(Stream::App),
            _ => None,
        };
        if let Some(other) = other {
            let what = format!("it holds {other} usage events, but was given as {stream} events");
            return Err(self.refused(place, what, format!("give it as --{other}-events")));
        }
        let at = probe.created_at.and_then(|at| serde_json::from_str::<Cow<'_, str>>(at.get()).ok());
        Ok(at.and_then(|at| Timestamp::parse(&at).ok()))
    }

    fn page(
        &mut self,
        value: &Value,
        pagination: &Pagination<'_>,
        trend: Trend,
        last_guid: Option<String>,
    ) -> Result<(), RecordsError> {
        let links = [&pagination.first, &pagination.last, &pagination.next, &pagination.previous];
        if let Some(order) = links.into_iter().flatten().find_map(|link| link.asked("order_by"))
            && matches!(self.expected, Expected::Events(_))
        {
            let what = format!("the list was fetched with `order_by={order}`, which is not the order of the stream");
            let hint = "fetch it without order_by: Cloud Controller's own order is the order in which things happened";
            return Err(self.refused(format!("line {}", value.line), what, hint));
        }
        let next = pagination.next.as_ref();
        let before = || pagination.previous.as_ref().and_then(Link::page).map(|page| page + 1);
        let number = next.and_then(Link::page).map(|page| page.saturating_sub(1)).or_else(before).unwrap_or(1);
        let named = pagination.first.as_ref().or(next).or(pagination.last.as_ref());
        let lists = self.lists.len();
        let list = *self.lists.entry(named.map(Link::list).unwrap_or_default()).or_insert(lists);
        self.pages.push(Page {
            list,
            number,
            of: pagination.total_pages.unwrap_or(number),
            next: next.map(|link| link.href.to_string()),
            after_guid: named.and_then(|link| link.asked("after_guid")).map(str::to_owned),
            last_guid,
            line: value.line,
            span: (value.begins, value.text.get().len() as u64),
            trend,
        });
        Ok(())
    }

    fn finish(self, cut: Option<RecordsError>, recording: &mut Recording) -> Result<Option<usize>, RecordsError> {
        let mut pages: Vec<&Page> = self.pages.iter().collect();
        let mut is_sorted = false;
        if let Err(broken) = self.lead_on(&pages) {
            // What is cut short can't be known to be whole.
            if let Some(cut) = cut {
                return Err(cut);
            }
            if self.has_loose {
                return Err(broken);
            }
            pages = self.sorted()?.ok_or(broken)?;
            is_sorted = true;
        } else if let Some(last) = pages.last().filter(|_| cut.is_none())
            && let Some(next) = &last.next
        {
            return Err(self.without_next(last, next));
        }
        let Expected::Events(stream) = self.expected else { return Ok(None) };
        if self.records > 0 && !self.has_states && cut.is_none() {
            let what = format!("it holds no usage events: none of {} records has a `state`", self.records);
            return Err(self.refused(
                "from its beginning",
                what,
                format!("give the answer of GET /v3/{stream}_usage_events, unchanged"),
            ));
        }
        let mut trend = self.loose;
        for page in &pages {
            trend.follow(&page.trend);
        }
        if trend.is_reversed() {
            let what = format!(
                "its events go from newest to oldest: of {} neighbouring pairs with different times, {} go back in time",
                trend.risen + trend.fallen,
                trend.fallen
            );
            let hint = "fetch the list without order_by: Cloud Controller's own order is oldest first";
            return Err(self.refused("from its beginning", what, hint));
        }
        if !is_sorted {
            return Ok(None);
        }
        recording.read_in(pages.iter().map(|page| page.span).collect());
        Ok(Some(pages.len()))
    }

    /// Whether each page follows the one before it.
    fn lead_on(&self, pages: &[&Page]) -> Result<(), RecordsError> {
        let mut before: Option<&Page> = None;
        for page in pages {
            let follows = match before.filter(|before| before.next.is_some()) {
                None => page.number == 1,
                Some(before) => {
                    let is_next = page.list == before.list && page.number == before.number + 1;
                    let goes_on = page.number == 1 && page.after_guid.is_some() && page.after_guid == before.last_guid;
                    is_next || goes_on
                }
            };
            if !follows {
                return Err(self.not_led_to(page, before));
            }
            before = Some(page);
        }
        Ok(())
    }

    fn not_led_to(&self, page: &Page, before: Option<&Page>) -> RecordsError {
        let stands = before.map_or_else(
            || "is the first in it".to_owned(),
            |before| format!("stands after page {} of {}", before.number, before.of),
        );
        let what = format!("page {} of {} {stands}", page.number, page.of);
        self.refused(format!("line {}", page.line), what, "give all pages of the list, in order")
    }

    fn without_next(&self, page: &Page, next: &str) -> RecordsError {
        let what = format!("page {} of {} has a next page, {next}, that isn't in the file", page.number, page.of);
        let hint = "`cf curl` gives one page: follow `pagination.next.href` until it is null, and give all pages";
        self.refused(format!("line {}", page.line), what, hint)
    }

    /// The pages list by list in their order, if each is there exactly once; `None` if sorting makes nothing better.
    fn sorted(&self) -> Result<Option<Vec<&Page>>, RecordsError> {
        let mut sorted: Vec<&Page> = self.pages.iter().collect();
        sorted.sort_by_key(|page| (page.list, page.number));
        for (before, page) in sorted.iter().zip(sorted.iter().skip(1)) {
            if (before.list, before.number) == (page.list, page.number) {
                let what =
                    format!("page {} of {} is in it twice, and the pages are not in order", page.number, page.of);
                let hint = "give each page of the list once, in their order";
                return Err(self.refused(format!("line {}", before.line.max(page.line)), what, hint));
            }
        }
        let of_list = |list: usize| sorted.iter().filter(move |page| page.list == list);
        for list in self.lists.values() {
            let there: BTreeSet<u64> = of_list(*list).map(|page| page.number).collect();
            let Some(last) = of_list(*list).next_back() else { continue };
            let all = last.number.max(last.of);
            let missing: Vec<String> =
                (1..=all).filter(|number| !there.contains(number)).take(5).map(|number| number.to_string()).collect();
            if !missing.is_empty() {
                let what = format!("of {all} pages, page {} is missing", missing.join(", "));
                let hint = "give all pages of the list: follow `pagination.next.href` until it is null";
                return Err(self.refused(format!("line {}", last.line), what, hint));
            }
            if let Some(next) = &last.next {
                return Err(self.without_next(last, next));
            }
        }
        Ok(self.lead_on(&sorted).is_ok().then_some(sorted))
    }
}

fn guid(record: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        guid: String,
    }
    serde_json::from_str::<Named>(record).ok().map(|named| named.guid)
}

/// Title, code and detail of the first error of an `errors` body.
fn first_error(errors: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct One {
        title: String,
        code: i64,
        detail: String,
    }
    let errors: Vec<One> = serde_json::from_str(errors).ok()?;
    let One { title, code, detail } = errors.first()?;
    Some(format!("{title} ({code}): {}", shortened(detail)))
}

/// So much of a text as a message has room for.
fn shortened(text: &str) -> String {
    const MOST: usize = 200;
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() > MOST { text.chars().take(MOST).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::Trend;
    use crate::domain::Timestamp;

    fn reversed(hours: &[i64]) -> bool {
        let mut trend = Trend::default();
        for hour in hours {
            trend.add(Timestamp::from_unix(hour * 3600));
        }
        trend.is_reversed()
    }

    #[test]
    fn only_lists_that_mostly_fall_are_newest_first() {
        for (hours, expected) in [
            (&[][..], false),
            (&[5], false),
            (&[1, 2, 3], false),
            (&[3, 2, 1], true),
            // Two records alone: a transaction of some hours, or a list of another order.
            (&[10, 4], false),
            (&[11, 4], true),
            // One old time among others, one far ahead, all at once.
            (&[500_000, 1, 500_001, 500_002], false),
            (&[1, 900_000, 2, 3], false),
            (&[4, 4, 4], false),
            // Late transactions in a stream that rises.
            (&[5, 4, 6, 5, 7, 6, 8], false),
            (&[8, 6, 7, 5, 6, 4, 3, 2, 1], true),
        ] {
            assert_eq!(reversed(hours), expected, "{hours:?}");
        }
    }
}
