//! Requests to one Cloud Controller: discovery, token, retries, snapshots. Reads; and requests snapshots, no more.

mod events;
mod lists;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, Request, Response};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::bounds::Bounds;
use super::error::{ApiError, ErrorKind, Speaker, classify, encoding};
use super::issuer::links_of;
use super::token::Token;
use super::transport::{Transport, TransportError};
use super::uaa::{self, Refused};
use super::wire::lists::{Job, Page, Root};
use super::wire::snapshot::{Chunk, Snapshot};
use super::wire::without_nul;
use crate::clock::{Clock, Stopwatch};
use crate::config::Secret;
use crate::domain::{Guid, Stream, Timestamp};
use crate::telemetry::FoundationMetrics;
use crate::telemetry::metrics::ENDPOINTS;

pub use events::{After, EventPage};
pub use lists::{GUIDS_PER_REQUEST, Listed};

/// Cloud Controller's own limit.
const LARGEST_PAGE: u32 = 5000;
const SMALLEST_PAGE: u32 = 50;
/// Times a request is repeated before its error is handed up, after 0.5, 1 and 2 s, each with jitter.
const REPEATS: usize = 3;
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// A longer `Retry-After` is for the caller to wait out.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

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
    /// `Date` of the last answer, in Unix seconds; 0 before any.
    last_date: AtomicI64,
    /// What our own clock said then, in Unix seconds.
    dated_at: AtomicI64,
    metrics: OnceLock<FoundationMetrics>,
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

const fn snapshots_path(stream: Stream) -> &'static str {
    match stream {
        Stream::App => "/v3/app_usage/snapshots",
        Stream::Service => "/v3/service_usage/snapshots",
    }
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
                last_date: AtomicI64::new(0),
                dated_at: AtomicI64::new(0),
                metrics: OnceLock::new(),
            }),
        }
    }

    /// Counts requests in `metrics` from now on.
    #[must_use]
    pub fn with_metrics(self, metrics: FoundationMetrics) -> Self {
        // Set once, before the client is used.
        let _ = self.inner.metrics.set(metrics);
        self
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

    /// Where UAA is and what version this is; asked once.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn endpoints(&self) -> Result<Endpoints, ApiError> {
        let mut endpoints = self.inner.endpoints.lock().await;
        if let Some(endpoints) = &*endpoints {
            return Ok(endpoints.clone());
        }
        let root = || self.request(Method::GET, "/", &[], None);
        let (answer, request) = self.repeat(Speaker::CloudController, root).await?;
        let wrong =
            |kind, detail: String| ApiError { kind, request: request.clone(), detail, request_id: request_id(&answer) };
        let root: Root = parse(&answer, &request)?;
        if root.cf_on_k8s {
            let told = "this is Korifi: it has no usage events, cf-billing can't bill it";
            return Err(wrong(ErrorKind::Korifi, told.to_owned()));
        }
        let named = root.links.login.is_some() || root.links.uaa.is_some();
        if named && root.links.cloud_controller_v3.is_none() {
            let told = "this isn't a Cloud Controller with a V3 API: its root names no `cloud_controller_v3` link";
            return Err(wrong(ErrorKind::NoV3, told.to_owned()));
        }
        let version = root.links.cloud_controller_v3.and_then(|link| link.meta).and_then(|meta| meta.version);
        let links = [root.links.login, root.links.uaa].into_iter().flatten();
        let urls: Vec<Url> = links.filter_map(|link| link.href.parse().ok()).collect();
        let Credentials { api, uaa, .. } = &self.inner.credentials;
        let pinned = self.inner.pinned_uaa.get().map(String::as_str);
        let uaa = uaa::choose(api, uaa.as_ref(), pinned, &urls).map_err(|refused| match refused {
            Refused::NoneNamed => invalid(&answer, &request, "it names no login or uaa link"),
            Refused::Foreign { named, why } => {
                let named = named.as_str().trim_end_matches('/').to_owned();
                let told = format!("it names `{named}` as its UAA, which {why}; the client's secret isn't sent there");
                wrong(ErrorKind::ForeignUaa { named }, told)
            }
        })?;
        Ok(endpoints.insert(Endpoints { uaa, version, links: links_of(answer.body()) }).clone())
    }

    /// A token that is good for a while. Every new one is checked: without a scope that reads everything
    /// Cloud Controller would answer with empty lists.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::MissingScope`] where the check fails.
    pub async fn token(&self) -> Result<Token, ApiError> {
        let mut token = self.inner.token.lock().await;
        if let Some(token) = token.as_ref().filter(|token| token.is_fresh(self.inner.clock.now())) {
            return Ok(token.clone());
        }
        *token = None;
        let fetched = self.fetch_token().await?;
        if let Some(metrics) = self.inner.metrics.get() {
            metrics.token(fetched.expires_at, fetched.reads_everything());
        }
        if !fetched.reads_everything() {
            return Err(ApiError {
                kind: ErrorKind::MissingScope,
                request: format!("client `{}`", self.inner.credentials.client_id),
                detail: format!("its token can't read everything; it has: {}", fetched.scopes().join(", ")),
                request_id: None,
            });
        }
        Ok(token.insert(fetched).clone())
    }

    async fn fetch_token(&self) -> Result<Token, ApiError> {
        let mut url = self.endpoints().await?.uaa;
        url.set_path(&format!("{}/oauth/token", url.path().trim_end_matches('/')));
        let credentials = &self.inner.credentials;
        let basic = format!("{}:{}", credentials.client_id, credentials.client_secret.expose());
        let authorization = sensitive(&format!("Basic {}", STANDARD.encode(basic)));
        let build = || {
            let mut request = Request::new(Bytes::from_static(b"grant_type=client_credentials"));
            *request.method_mut() = Method::POST;
            *request.uri_mut() = url.as_str().parse().unwrap_or_default();
            let headers = request.headers_mut();
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            headers.insert(AUTHORIZATION, authorization.clone());
            request
        };
        let now = self.inner.clock.now();
        let (answer, request) = self.repeat(Speaker::Uaa, build).await.map_err(|mut error| {
            if matches!(error.kind, ErrorKind::Unauthorized | ErrorKind::Refused) {
                error.kind = ErrorKind::BadClient;
            }
            error
        })?;
        Token::from_answer(answer.body(), now).map_err(|error| invalid(&answer, &request, &error.to_string()))
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

    /// Asks for a snapshot to be made.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NoRoute`] where Cloud Controller has no snapshots.
    pub async fn request_snapshot(&self, stream: Stream) -> Result<Requested, ApiError> {
        // Not repeated: a second request for what the first began would be refused.
        let answer = match self.once(Method::POST, snapshots_path(stream)).await {
            Ok(answer) => answer,
            Err(error) if error.kind == ErrorKind::Conflict => return Ok(Requested::InProgress),
            Err(error) if error.kind == ErrorKind::Forbidden => return Ok(Requested::NotAllowed),
            Err(error) => return Err(error),
        };
        let (answer, request) = answer;
        let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let job = location.and_then(|location| location.rsplit('/').next()).map(Guid::new);
        let job = job.ok_or_else(|| invalid(&answer, &request, "it has no Location"))?;
        let guid = self.job(&job).await?.and_then(|job| job.snapshot_guid());
        guid.map(Requested::Snapshot).ok_or_else(|| invalid(&answer, &request, "its job names no snapshot"))
    }

    /// A job; `None` if there is none of that guid.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn job(&self, guid: &Guid) -> Result<Option<Job>, ApiError> {
        self.find(&format!("/v3/jobs/{guid}")).await
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NoRoute`] where Cloud Controller has no snapshots.
    pub async fn snapshots(&self, stream: Stream) -> Result<Vec<Snapshot>, ApiError> {
        let mut snapshots = Vec::new();
        let mut bounds = Bounds::new(self.inner.clock.now());
        for number in 1_u32.. {
            let query = [("per_page", "50"), ("page", &number.to_string())];
            let answer = self.get(snapshots_path(stream), &query).await?;
            let page: Page<Snapshot> = parse(&answer.value.0, &answer.value.1)?;
            let goes_on = bounds.goes_on(page.resources.len(), &page.pagination, self.inner.clock.now());
            snapshots.extend(page.resources);
            if !goes_on.map_err(|told| endless(&answer.value.0, &answer.value.1, told))? {
                break;
            }
        }
        Ok(snapshots)
    }

    /// A snapshot; `None` if it is gone.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn snapshot(&self, stream: Stream, guid: &Guid) -> Result<Option<Snapshot>, ApiError> {
        self.find(&format!("{}/{guid}", snapshots_path(stream))).await
    }

    /// One page of a complete snapshot's chunks, from 1; and whether another follows.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn chunks(&self, stream: Stream, guid: &Guid, page: u32) -> Result<(Vec<Chunk>, bool), ApiError> {
        // Chunks never change once the snapshot is complete, so page numbers are safe here.
        let path = format!("{}/{guid}/chunks", snapshots_path(stream));
        let answer = self.get(&path, &[("page", &page.to_string()), ("per_page", "50")]).await?;
        let page: Page<Chunk> = parse(&answer.value.0, &answer.value.1)?;
        Ok((page.resources, page.pagination.next.is_some()))
    }

    /// Forgets the token, so that the next request asks for a new one, whose scope is checked.
    pub async fn forget_token(&self) {
        *self.inner.token.lock().await = None;
    }

    async fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, ApiError> {
        let Some(answer) = found(self.get(path, &[]).await)? else { return Ok(None) };
        parse(&answer.value.0, &answer.value.1).map(Some)
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Dated<Answer>, ApiError> {
        let query: Vec<(String, String)> =
            query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.get_with(|| (path.to_owned(), query.clone()), |_| ()).await
    }

    /// Sends a GET until it succeeds, fails for good, or was repeated enough. A 401 gets a new token, once.
    async fn get_with(
        &self,
        mut target: impl FnMut() -> (String, Vec<(String, String)>),
        mut failed: impl FnMut(&ApiError),
    ) -> Result<Dated<Answer>, ApiError> {
        let mut delays = delays();
        let mut renewed = false;
        loop {
            let token = self.token().await?;
            let (path, query) = target();
            let query: Vec<(&str, &str)> = query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let request = self.request(Method::GET, &path, &query, Some(&token));
            let error = match self.send(Speaker::CloudController, request).await {
                Ok(answer) => {
                    let date = self.date_of(&answer.0);
                    return Ok(Dated { value: answer, date });
                }
                Err(error) => error,
            };
            failed(&error);
            if error.is_unauthorized() && !renewed {
                renewed = true;
                *self.inner.token.lock().await = None;
                continue;
            }
            self.wait_or(error, &mut delays).await?;
        }
    }

    /// One request with a token, not repeated.
    async fn once(&self, method: Method, path: &str) -> Result<Answer, ApiError> {
        let token = self.token().await?;
        let request = self.request(method.clone(), path, &[], Some(&token));
        match self.send(Speaker::CloudController, request).await {
            Err(error) if error.is_unauthorized() => {
                *self.inner.token.lock().await = None;
                let token = self.token().await?;
                self.send(Speaker::CloudController, self.request(method, path, &[], Some(&token))).await
            }
            answer => answer,
        }
    }

    /// Sends a request without a token of its own, until it succeeds, fails for good, or was repeated enough.
    async fn repeat(&self, speaker: Speaker, build: impl Fn() -> Request<Bytes>) -> Result<Answer, ApiError> {
        let mut delays = delays();
        loop {
            match self.send(speaker, build()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.wait_or(error, &mut delays).await?,
            }
        }
    }

    /// Waits before a repetition; gives the error back if there is to be none.
    async fn wait_or(&self, error: ApiError, delays: &mut impl Iterator<Item = Duration>) -> Result<(), ApiError> {
        if !error.is_transient() {
            return Err(error);
        }
        let Some(delay) = delays.next() else { return Err(error) };
        let delay = error.retry_after().unwrap_or(delay).max(delay);
        if delay > LONGEST_WAIT {
            return Err(error);
        }
        if matches!(error.kind, ErrorKind::Transport(TransportError::TooSlow(_))) {
            // Minutes have passed, and the next try may take as long.
            tracing::warn!(request = %error.request, "{}", error.detail);
        }
        tracing::debug!(error = %error, delay_seconds = delay.as_secs_f32(), "repeating a request");
        self.inner.clock.sleep(delay).await;
        Ok(())
    }

    async fn send(&self, speaker: Speaker, request: Request<Bytes>) -> Result<Answer, ApiError> {
        let Some(metrics) = self.inner.metrics.get() else { return self.exchange(speaker, request).await };
        let endpoint = endpoint(request.uri().path());
        let watch = Stopwatch::start();
        let answer = self.exchange(speaker, request).await;
        let outcome = answer.as_ref().map_or_else(ApiError::outcome, |_| "success");
        metrics.request(endpoint, outcome, watch.elapsed());
        answer
    }

    async fn exchange(&self, speaker: Speaker, request: Request<Bytes>) -> Result<Answer, ApiError> {
        let name = format!("{} {}", request.method(), request.uri());
        let answer = self.inner.transport.exchange(request).await.map_err(|error| ApiError {
            detail: error.to_string(),
            kind: ErrorKind::Transport(error),
            request: name.clone(),
            request_id: None,
        })?;
        if answer.status().is_success() && encoding(answer.headers()).is_none() {
            return Ok((answer, name));
        }
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let (kind, detail) = classify(speaker, &answer, retry_after.map(Duration::from_secs));
        Err(ApiError { kind, request: name, detail, request_id: request_id(&answer) })
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)], token: Option<&Token>) -> Request<Bytes> {
        let mut url = self.inner.credentials.api.clone();
        url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        if !query.is_empty() {
            url.query_pairs_mut().clear().extend_pairs(query);
        }
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().unwrap_or_default();
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = token {
            let bearer = sensitive(&format!("bearer {}", token.access_token.expose()));
            request.headers_mut().insert(AUTHORIZATION, bearer);
        }
        request
    }

    /// When an answer was made, by its own clock.
    fn date_of(&self, answer: &Response<Bytes>) -> Timestamp {
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
        let date = date.map_or_else(|| self.inner.clock.now(), |date| Timestamp::from_unix(date.timestamp()));
        self.inner.last_date.store(date.unix(), Ordering::Relaxed);
        self.inner.dated_at.store(self.inner.clock.now().unix(), Ordering::Relaxed);
        date
    }
}

/// What a path asks for, in one of a few words.
pub(super) fn endpoint(path: &str) -> &'static str {
    if path.ends_with("/oauth/token") {
        return "token";
    }
    // The foundation's own path may stand before.
    let Some((_, path)) = path.split_once("/v3/") else { return "root" };
    let parts: Vec<&str> = path.split('/').collect();
    let name = match parts[..] {
        ["app_usage", ..] => "app_usage_snapshots",
        ["service_usage", ..] => "service_usage_snapshots",
        [first, ..] => first,
        [] => "root",
    };
    ENDPOINTS.into_iter().find(|known| *known == name).unwrap_or("root")
}

/// An answer and the name of the request it is for.
type Answer = (Response<Bytes>, String);

fn delays() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default().with_min_delay(FIRST_DELAY).with_max_times(REPEATS).with_jitter().build()
}

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

fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
