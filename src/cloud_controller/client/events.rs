//! Reading the streams of usage events: pages in the order of Cloud Controller's ids, and single events.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use http::Response;
use serde::de::DeserializeOwned;
use url::Url;

use super::{Client, Dated, endless, found, invalid};
use crate::cloud_controller::error::ApiError;
use crate::cloud_controller::wire::lists::RawPage;
use crate::cloud_controller::wire::usage_event::{Decoded, decode};
use crate::domain::{Guid, Stream, Timestamp};

/// One page of usage events, each with its text as received.
#[derive(Clone, Debug)]
pub struct EventPage {
    pub events: Vec<(String, Decoded)>,
    /// The page was as full as could be: more may follow.
    pub full: bool,
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

const fn events_path(stream: Stream) -> &'static str {
    match stream {
        Stream::App => "/v3/app_usage_events",
        Stream::Service => "/v3/service_usage_events",
    }
}

impl Client {
    /// A page of usage events, in the order of Cloud Controller's ids. Asks for as many as it may; for fewer after
    /// an answer that was too slow, too large or failed, and for more again when answers come.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`AfterGuidUnknown`](super::ErrorKind::AfterGuidUnknown) if that event is gone.
    pub async fn events(&self, stream: Stream, after: &After) -> Result<Dated<EventPage>, ApiError> {
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
            (events_path(stream).to_owned(), query)
        };
        let failed = |error: &ApiError| {
            if error.wants_smaller_pages() {
                size.store(self.halved(asked.load(Ordering::Relaxed), error), Ordering::Relaxed);
            }
        };
        let answer = self.get_with(target, failed).await?;
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
        let events = (page.resources.into_iter())
            .map(|raw| {
                let text = String::from(Box::<str>::from(raw));
                let decoded = decode(stream, &text);
                (text, decoded)
            })
            .collect();
        Ok(Dated { value: EventPage { events, full }, date: answer.date })
    }

    /// The newest usage event, or one of the newest while others are written; `None` if there is none.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn newest_event(&self, stream: Stream) -> Result<Option<Decoded>, ApiError> {
        let path = events_path(stream);
        let mut number = "1".to_owned();
        loop {
            let answer = self.get(path, &[("per_page", "1"), ("page", &number)]).await?;
            let page: RawPage = parse_as_received(&answer.value.0, &answer.value.1)?;
            // Ids aren't shown and can't be sorted by downwards: the last page has the newest.
            let last = page.pagination.last.and_then(|link| link.href.parse::<Url>().ok());
            let last = last
                .and_then(|url| url.query_pairs().find(|(key, _)| key == "page").map(|(_, page)| page.into_owned()));
            if let Some(last) = last.filter(|last| number == "1" && *last != number) {
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

/// As it came: what is in it is archived before it is read.
fn parse_as_received<T: DeserializeOwned>(answer: &Response<Bytes>, request: &str) -> Result<T, ApiError> {
    serde_json::from_slice(answer.body()).map_err(|error| invalid(answer, request, &error.to_string()))
}
