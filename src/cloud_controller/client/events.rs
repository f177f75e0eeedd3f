//! Reading the streams of usage events: pages in the order of Cloud Controller's ids, and single events.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;
use url::Url;

use super::lists::refuses_filter;
use super::{Client, Dated, endless, found, invalid};
use crate::cloud_controller::error::{ApiError, ErrorKind};
use crate::cloud_controller::wire::lists::RawPage;
use crate::cloud_controller::wire::usage_event::{Decoded, decode};
use crate::domain::{Endpoint, Guid, Stream, Timestamp};

/// One page of usage events, each with its text as received.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<(String, Decoded)>,
    /// The page was as full as could be: more may follow.
    pub full: bool,
    /// How many Cloud Controller has beyond those of the page, if it says.
    pub beyond: Option<u64>,
}

/// After which events to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// From the stream's first row.
    Nothing,
    /// What comes after this event, in the order of Cloud Controller's ids.
    Event(Guid),
    /// What was created at or after this instant.
    Time(Timestamp),
}

/// No event is that much older than those written before it: `created_at` is when its transaction began, and jobs of Cloud
/// Controller's may run for four hours in one.
const LONGEST_TRANSACTION_SECONDS: i64 = 6 * 3600;

fn events_path(stream: Stream) -> String {
    match stream {
        Stream::App => Endpoint::AppUsageEvents.path(),
        Stream::Service => Endpoint::ServiceUsageEvents.path(),
    }
}

impl Client {
    /// A page of usage events, in the order of Cloud Controller's ids. Asks for as many as it may; for fewer after
    /// an answer that was too slow, too large or failed, and for more again when answers come.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`AfterGuidUnknown`](super::ErrorKind::AfterGuidUnknown) if that event is gone.
    pub async fn events(&self, stream: Stream, after: &After) -> Result<Dated<EventPage>, ApiError> {
        let After::Time(since) = after else { return self.events_page(stream, after).await };
        if !self.inner.without_event_times.load(Ordering::Relaxed) {
            match self.events_page(stream, after).await {
                Err(error) if refuses_filter(&error, "created_ats") => {
                    tracing::info!(
                        "Cloud Controller doesn't filter usage events by time: they are read from an earlier one"
                    );
                    self.inner.without_event_times.store(true, Ordering::Relaxed);
                }
                page => return page,
            }
        }
        self.events_since(stream, *since).await
    }

    /// Whether this Cloud Controller was found not to filter usage events by time.
    #[must_use]
    pub fn is_without_event_times(&self) -> bool {
        self.inner.without_event_times.load(Ordering::Relaxed)
    }

    async fn events_page(&self, stream: Stream, after: &After) -> Result<Dated<EventPage>, ApiError> {
        let size = &self.inner.page_size[stream as usize];
        let asked = AtomicU32::new(0);
        let target = || {
            asked.store(size.load(Ordering::Relaxed), Ordering::Relaxed);
            let per_page = asked.load(Ordering::Relaxed).to_string();
            let mut query = vec![("per_page".to_owned(), per_page)];
            match after {
                After::Nothing => {}
                After::Event(guid) => query.push(("after_guid".to_owned(), guid.to_string())),
                After::Time(at) => query.push(("created_ats[gte]".to_owned(), at.to_string())),
            }
            (events_path(stream), query)
        };
        let failed = |error: &ApiError| {
            if !self.learn_limits(error) && error.wants_smaller_pages() {
                size.store(self.halved(asked.load(Ordering::Relaxed), error), Ordering::Relaxed);
            }
        };
        let answer = loop {
            match self.get_with(target, failed).await {
                // A size that was refused with a limit is asked for again within it.
                Err(error)
                    if error.kind == ErrorKind::Refused
                        && size.load(Ordering::Relaxed) < asked.load(Ordering::Relaxed)
                        && error.wants_smaller_pages() => {}
                answer => break answer?,
            }
        };
        let asked = asked.into_inner();
        size.store(self.doubled(asked), Ordering::Relaxed);
        let page: RawPage = parse_as_received(&answer.value.0, &answer.value.1)?;
        if let (After::Event(guid), Some(last)) = (after, page.resources.last())
            && decode(stream, last.get()).event.guid == *guid
        {
            // Asked for what comes after it, for ever.
            let told = format!("the stream has no end: what comes after {guid} ends with itself");
            return Err(endless(&answer.value.0, &answer.value.1, told));
        }
        let full = page.resources.len() >= asked as usize || page.pagination.next.is_some();
        let beyond = page.pagination.total_results.map(|total| total.saturating_sub(page.resources.len() as u64));
        let events = (page.resources.into_iter())
            .map(|raw| {
                let text = String::from(Box::<str>::from(raw));
                let decoded = decode(stream, &text);
                (text, decoded)
            })
            .collect();
        Ok(Dated { value: EventPage { events, full, beyond }, date: answer.date })
    }

    /// What was created at or after an instant, from a Cloud Controller that has no such filter: read on from an event
    /// that is older for certain, without what is older.
    async fn events_since(&self, stream: Stream, since: Timestamp) -> Result<Dated<EventPage>, ApiError> {
        let mut after = self.event_before(stream, since.plus(-LONGEST_TRANSACTION_SECONDS)).await?;
        loop {
            let mut page = self.events_page(stream, &after).await?;
            let last = page.value.events.iter().rev().find(|(_, decoded)| decoded.has_guid());
            let next = last.map(|(_, decoded)| decoded.event.guid.clone()).filter(|_| page.value.full);
            let is_wanted =
                |decoded: &Decoded| decoded.event.created_at >= since || decoded.event.created_at == Timestamp::MIN;
            page.value.events.retain(|(_, decoded)| is_wanted(decoded));
            match next {
                // The last of a page says where to read on, so it must not be an empty one.
                Some(next) if page.value.events.is_empty() => after = After::Event(next),
                _ => return Ok(page),
            }
        }
    }

    /// Some event created before an instant, late in the stream; nothing, if there is none or it can't be found. Page
    /// numbers of pages of one lead there in some twenty requests.
    async fn event_before(&self, stream: Stream, at: Timestamp) -> Result<After, ApiError> {
        let mut older = After::Nothing;
        let (mut from, mut to) = (1_u64, None);
        loop {
            // Invariant: what is at `from - 1` is older, what is at `to` isn't.
            let number = to.map_or(from, |to| from + (to - from) / 2);
            if to.is_some_and(|to| from >= to) {
                return Ok(older);
            }
            let number_text = number.to_string();
            let answer = match self.get(&events_path(stream), &[("per_page", "1"), ("page", &number_text)]).await {
                Ok(answer) => answer,
                // No row is given so far down the list: what is known is old enough.
                Err(error) if error.kind == ErrorKind::Refused => {
                    self.learn_limits(&error);
                    to = Some(number);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let page: RawPage = parse_as_received(&answer.value.0, &answer.value.1)?;
            let last: Option<u64> = page.last().and_then(|number| number.parse().ok());
            if to.is_none() {
                to = Some(last.unwrap_or(1) + 1);
            }
            let row = page.resources.into_iter().next().map(|raw| decode(stream, &String::from(Box::<str>::from(raw))));
            match row.filter(|row| row.has_guid() && row.event.created_at > Timestamp::MIN && row.event.created_at < at)
            {
                Some(row) => {
                    older = After::Event(row.event.guid);
                    from = number + 1;
                }
                None => to = Some(number),
            }
        }
    }

    /// The newest usage event, or one of the newest while others are written; `None` if there is none.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn newest_event(&self, stream: Stream) -> Result<Option<Decoded>, ApiError> {
        let path = events_path(stream);
        let mut number = "1".to_owned();
        loop {
            let answer = match self.get(&path, &[("per_page", "1"), ("page", &number)]).await {
                // The last page is beyond the rows that are given: the newest by time is one of the newest.
                Err(error) if error.kind == ErrorKind::Refused && number != "1" => {
                    self.learn_limits(&error);
                    self.get(&path, &[("per_page", "1"), ("order_by", "-created_at")]).await?
                }
                answer => answer?,
            };
            let page: RawPage = parse_as_received(&answer.value.0, &answer.value.1)?;
            // Ids aren't shown and can't be sorted by downwards: the last page has the newest.
            if let Some(last) = page.last().filter(|last| number == "1" && *last != number) {
                number = last;
            } else {
                let row = page.resources.into_iter().next_back();
                return Ok(row.map(|raw| decode(stream, &String::from(Box::<str>::from(raw)))));
            }
        }
    }

    /// One usage event; `None` if it is gone.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn event(&self, stream: Stream, guid: &Guid) -> Result<Option<Decoded>, ApiError> {
        let answer = self.get(&format!("{}/{guid}", events_path(stream)), &[]).await;
        let Some(answer) = found(answer)? else { return Ok(None) };
        let text = std::str::from_utf8(answer.value.0.body());
        let text = text.map_err(|_| invalid(&answer.value.0, &answer.value.1, "it isn't UTF-8"))?;
        let decoded = decode(stream, text);
        if decoded.event.guid != *guid {
            return Err(invalid(&answer.value.0, &answer.value.1, "it isn't that event"));
        }
        Ok(Some(decoded))
    }
}

impl RawPage {
    /// The number of the last page.
    fn last(&self) -> Option<String> {
        let last: Url = self.pagination.last.as_ref()?.href.parse().ok()?;
        last.query_pairs().find(|(key, _)| key == "page").map(|(_, page)| page.into_owned())
    }
}

/// As it came: what is in it is archived before it is read.
fn parse_as_received<T: DeserializeOwned>(answer: &Response<Bytes>, request: &str) -> Result<T, ApiError> {
    serde_json::from_slice(answer.body()).map_err(|error| invalid(answer, request, &error.to_string()))
}
