//! A client of one Cloud Controller: what it asked with, and learned. Reads; and requests snapshots, no more.

mod events;
mod lists;
mod people;
mod session;
mod snapshots;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::error::{ApiError, ErrorKind};
use super::token::Token;
use super::transport::Transport;
use super::uaa;
use super::wire::without_nul;
use crate::clock::Clock;
use crate::config::Secret;
use crate::domain::{Guid, Timestamp};
use crate::telemetry::Reporter;

pub use events::{After, EventPage};
pub use lists::{GUIDS_PER_REQUEST, Listed};
pub use people::RequestLimit;

/// Cloud Controller's own limit.
const LARGEST_PAGE: u32 = 5000;
const SMALLEST_PAGE: u32 = 50;
/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub api: Url,
    /// Where tokens come from, if that is configured; else what the root document names, if it belongs to `api`.
    pub uaa: Option<Url>,
    pub client_id: String,
    pub client_secret: Secret,
}

/// A client of one Cloud Controller.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    transport: Transport,
    clock: Clock,
    credentials: Credentials,
    endpoints: Mutex<Option<Endpoints>>,
    /// Origin of the UAA that was used before; set once, before anything is sent.
    pinned_uaa: OnceLock<String>,
    token: Mutex<Option<Token>>,
    page_size: [AtomicU32; 2],
    /// Of every list but the streams.
    list_size: AtomicU32,
    /// No larger page is ever asked for: less than Cloud Controller's own limit once it refused a size.
    largest_page: AtomicU32,
    /// Rows of one list that it gives at most; `u32::MAX`: as many as there are.
    most_rows: AtomicU32,
    /// It was found not to filter usage events by time.
    without_event_times: AtomicBool,
    /// What fails is tried once more.
    repeats: AtomicBool,
    /// Requests that were sent to Cloud Controller.
    sent: AtomicU64,
    /// `Date` of the last answer, in Unix seconds; 0 before any.
    last_date: AtomicI64,
    /// What our own clock said then, in Unix seconds.
    dated_at: AtomicI64,
    reporter: OnceLock<Reporter>,
}

/// What discovery told.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Where tokens come from.
    pub uaa: Url,
    /// Version of the V3 API, where it says.
    pub version: Option<String>,
    /// Where it points to, by name.
    pub links: BTreeMap<String, String>,
}

/// An answer and when it was made.
#[derive(Clone, Debug)]
pub struct Dated<T> {
    pub value: T,
    /// The answer's `Date`; our own clock where it has none.
    pub date: Timestamp,
}

/// What came of requesting a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It is being made.
    Snapshot(Guid),
    /// Another one is, or was left unfinished (409).
    InProgress,
    /// The client isn't allowed to (403).
    NotAllowed,
}

impl Client {
    /// A client that has sent nothing yet.
    #[must_use]
    pub fn new(transport: Transport, clock: Clock, credentials: Credentials) -> Self {
        Self {
            inner: Arc::new(Inner {
                transport,
                clock,
                credentials,
                endpoints: Mutex::new(None),
                pinned_uaa: OnceLock::new(),
                token: Mutex::new(None),
                page_size: [AtomicU32::new(LARGEST_PAGE), AtomicU32::new(LARGEST_PAGE)],
                list_size: AtomicU32::new(LARGEST_PAGE),
                largest_page: AtomicU32::new(LARGEST_PAGE),
                most_rows: AtomicU32::new(u32::MAX),
                without_event_times: AtomicBool::new(false),
                repeats: AtomicBool::new(true),
                sent: AtomicU64::new(0),
                last_date: AtomicI64::new(0),
                dated_at: AtomicI64::new(0),
                reporter: OnceLock::new(),
            }),
        }
    }

    /// Tells of requests and their answers from now on.
    #[must_use]
    pub fn reporting_to(self, reporter: Reporter) -> Self {
        // Set once, before the client is used.
        let _ = self.inner.reporter.set(reporter);
        self
    }

    /// Gives up what fails at the first time: somebody waits for the answer.
    #[must_use]
    pub fn without_repeats(self) -> Self {
        self.inner.repeats.store(false, Ordering::Relaxed);
        self
    }

    /// Requests that were sent to Cloud Controller, answered or not.
    #[must_use]
    pub fn requests_sent(&self) -> u64 {
        self.inner.sent.load(Ordering::Relaxed)
    }

    /// Holds on to the UAA of this origin: another isn't followed, unless it is configured. Once, before anything is sent.
    pub fn pin_uaa(&self, origin: String) {
        let _ = self.inner.pinned_uaa.set(origin);
    }

    /// Origin of the UAA that gave the token that is in use; `None` before there was one.
    pub async fn uaa_in_use(&self) -> Option<String> {
        self.inner.token.lock().await.as_ref()?;
        self.inner.endpoints.lock().await.as_ref().map(|endpoints| uaa::origin(&endpoints.uaa))
    }

    /// The configured address, as it is compared: without a slash at its end.
    #[must_use]
    pub fn api(&self) -> String {
        self.inner.credentials.api.as_str().trim_end_matches('/').to_owned()
    }

    /// What time it was at the other side when it last answered; our own clock before that.
    #[must_use]
    pub fn last_date(&self) -> Timestamp {
        match self.inner.last_date.load(Ordering::Relaxed) {
            0 => self.inner.clock.now(),
            date => Timestamp::from_unix(date),
        }
    }

    /// What time it is at the other side now: that of the last answer, and what has passed here since then. However wrong
    /// our own clock is, it is only asked how much time has passed.
    #[must_use]
    pub fn present(&self) -> Timestamp {
        let (then, now) = (self.inner.dated_at.load(Ordering::Relaxed), self.inner.clock.now());
        match self.inner.last_date.load(Ordering::Relaxed) {
            0 => now,
            date => Timestamp::from_unix(date).plus((now.unix() - then).max(0)),
        }
    }

    /// The page size after a failure; if the size itself was refused, no larger one is asked for again.
    fn halved(&self, size: u32, error: &ApiError) -> u32 {
        let half = (size / 2).max(SMALLEST_PAGE);
        if error.kind == ErrorKind::Refused {
            self.inner.largest_page.fetch_min(half, Ordering::Relaxed);
        }
        half
    }

    /// The page size after a success.
    fn doubled(&self, size: u32) -> u32 {
        (size * 2).min(self.inner.largest_page.load(Ordering::Relaxed))
    }

    async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ApiError> {
        let Some(answer) = found(self.get(path, &[]).await)? else { return Ok(None) };
        parse(&answer.value.0, &answer.value.1).map(Some)
    }
}

/// An answer and the name of the request it is for.
type Answer = (Response<Bytes>, String);

/// `None` for a resource that isn't there.
fn found<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse<T: DeserializeOwned>(answer: &Response<Bytes>, request: &str) -> Result<T, ApiError> {
    let text = std::str::from_utf8(answer.body()).map_err(|error| invalid(answer, request, &error.to_string()))?;
    serde_json::from_str(&without_nul(text)).map_err(|error| invalid(answer, request, &error.to_string()))
}

fn invalid(answer: &Response<Bytes>, request: &str, reason: &str) -> ApiError {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("no content type");
    ApiError {
        kind: ErrorKind::InvalidBody,
        request: request.to_owned(),
        detail: format!(
            "the answer ({}, {kind}, {} bytes) is not what was asked for: {reason}",
            answer.status().as_u16(),
            answer.body().len()
        ),
        request_id: request_id(answer),
    }
}

fn endless(answer: &Response<Bytes>, request: &str, told: String) -> ApiError {
    tracing::warn!(request, "{told}");
    ApiError { kind: ErrorKind::Endless, request: request.to_owned(), detail: told, request_id: request_id(answer) }
}

fn request_id(answer: &Response<Bytes>) -> Option<String> {
    answer.headers().get("x-vcap-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned)
}
