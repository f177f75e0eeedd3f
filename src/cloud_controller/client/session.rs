//! How a request is sent: discovery, token, and the one rule of when it is repeated.

use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::ExponentialBuilder;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response};
use url::Url;
use zeroize::Zeroizing;

use super::{Answer, Client, Credentials, Dated, Endpoints, invalid, parse, request_id};
use crate::clock::{Stopwatch, jittered};
use crate::cloud_controller::error::{ApiError, ErrorKind, Speaker, classify, encoding};
use crate::cloud_controller::issuer::links_of;
use crate::cloud_controller::token::Token;
use crate::cloud_controller::transport::{CertificateExpiry, TransportError};
use crate::cloud_controller::uaa::{self, Refused};
use crate::cloud_controller::wire::lists::Root;
use crate::domain::{Endpoint, Timestamp};
use crate::telemetry::Reporter;

/// Times a request is repeated before its error is handed up, after 0.5, 1 and 2 s, each with jitter.
const REPEATS: usize = 3;
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// A longer `Retry-After` is for the caller to wait out.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Client {
    /// Where UAA is and what version this is; asked once.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn endpoints(&self) -> Result<Endpoints, ApiError> {
        let mut endpoints = self.inner.endpoints.lock().await;
        if let Some(endpoints) = &*endpoints {
            return Ok(endpoints.clone());
        }
        let root = || self.request(Method::GET, &Endpoint::Root.path(), &[], None);
        let (answer, request) = self.repeat(Speaker::CloudController, root).await?;
        let wrong =
            |kind, detail: String| ApiError { kind, request: request.clone(), detail, request_id: request_id(&answer) };
        let root: Root = parse(&answer, &request)?;
        if root.cf_on_k8s {
            let told = "this is Korifi, which has no usage events; cf-billing can't bill it";
            return Err(wrong(ErrorKind::Korifi, told.to_owned()));
        }
        let named = root.links.login.is_some() || root.links.uaa.is_some();
        if named && root.links.cloud_controller_v3.is_none() {
            let told =
                "this isn't a Cloud Controller with a V3 API: its root document has no `cloud_controller_v3` link";
            return Err(wrong(ErrorKind::NoV3, told.to_owned()));
        }
        let version = root.links.cloud_controller_v3.and_then(|link| link.meta).and_then(|meta| meta.version);
        let links = [root.links.login, root.links.uaa].into_iter().flatten();
        let urls: Vec<Url> = links.filter_map(|link| link.href.parse().ok()).collect();
        let Credentials { api, uaa, .. } = &self.inner.credentials;
        let pinned = self.inner.pinned_uaa.get().map(String::as_str);
        let uaa = uaa::choose(api, uaa.as_ref(), pinned, &urls).map_err(|refused| match refused {
            Refused::NoneNamed => invalid(&answer, &request, "its root document has no login or uaa link"),
            Refused::Foreign { named, why } => {
                let named = named.as_str().trim_end_matches('/').to_owned();
                let told = format!("it names `{named}` as its UAA, which {why}; the client's secret is not sent there");
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
        if let Some(Reporter { metrics, .. }) = self.inner.reporter.get() {
            metrics.token(fetched.expires_at, fetched.reads_everything());
        }
        if !fetched.reads_everything() {
            return Err(ApiError {
                kind: ErrorKind::MissingScope,
                request: format!("client `{}`", self.inner.credentials.client_id),
                detail: format!(
                    "its token can't read everything; its authorities are: {}",
                    fetched.scopes().join(", ")
                ),
                request_id: None,
            });
        }
        Ok(token.insert(fetched).clone())
    }

    async fn fetch_token(&self) -> Result<Token, ApiError> {
        let mut url = self.endpoints().await?.uaa;
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), Endpoint::Token.path()));
        let credentials = &self.inner.credentials;
        let basic = Zeroizing::new(format!("{}:{}", credentials.client_id, credentials.client_secret.expose()));
        let authorization = sensitive(&Zeroizing::new(format!("Basic {}", STANDARD.encode(basic.as_bytes()))));
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

    /// Forgets the token, so that the next request asks for a new one, whose scope is checked.
    pub async fn forget_token(&self) {
        *self.inner.token.lock().await = None;
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Dated<Answer>, ApiError> {
        let query: Vec<(String, String)> =
            query.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.get_with(|| (path.to_owned(), query.clone()), |_| ()).await
    }

    /// Sends a GET until it succeeds, fails for good, or was repeated enough. A 401 gets a new token, once.
    pub(super) async fn get_with(
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
    pub(super) async fn once(&self, method: Method, path: &str) -> Result<Answer, ApiError> {
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
        if !error.is_transient() || !self.inner.repeats.load(Ordering::Relaxed) {
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
        let Some(reporter) = self.inner.reporter.get() else { return self.exchange(speaker, request).await };
        let metrics = &reporter.metrics;
        let endpoint = Endpoint::of_path(request.uri().path());
        let watch = Stopwatch::start();
        let answer = self.exchange(speaker, request).await;
        let outcome = answer.as_ref().map_or_else(ApiError::outcome, |_| "success");
        metrics.request(endpoint, outcome, watch.elapsed());
        if answer.is_ok() {
            reporter.answered();
        }
        if let Ok((answer, _)) = &answer
            && let Some(CertificateExpiry(expires_at)) = answer.extensions().get()
        {
            let server = if endpoint == Endpoint::Token { "uaa" } else { "api" };
            metrics.certificate(server, *expires_at);
        }
        answer
    }

    async fn exchange(&self, speaker: Speaker, request: Request<Bytes>) -> Result<Answer, ApiError> {
        let name = format!("{} {}", request.method(), request.uri());
        if speaker == Speaker::CloudController {
            self.inner.sent.fetch_add(1, Ordering::Relaxed);
        }
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
            let bearer = sensitive(&Zeroizing::new(format!("bearer {}", token.access_token.expose())));
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

fn delays() -> impl Iterator<Item = Duration> {
    jittered(ExponentialBuilder::default().with_min_delay(FIRST_DELAY).with_max_times(REPEATS))
}

fn sensitive(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
