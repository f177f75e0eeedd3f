//! What Cloud Controller or UAA refused, or why there was no answer, for people and for decisions.
//! Owns whose word an answer is: what a router or a proxy says in Cloud Controller's place never decides anything.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use http::{Response, StatusCode};
use serde::Deserialize;

use super::transport::TransportError;
use crate::domain::Endpoint;
use crate::domain::text::visible;
use crate::telemetry::ForeignAnswer;

/// A request that did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub kind: ErrorKind,
    /// Method and URL; holds no secret.
    pub request: String,
    /// What the other side said, or what is wrong with its answer.
    pub detail: String,
    /// `X-Vcap-Request-Id` of the answer: names it in Cloud Controller's log.
    pub request_id: Option<String>,
}

/// What kind of failure it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No whole answer came.
    Transport(TransportError),
    /// The answer isn't the JSON it should be: a proxy's page, or cut short.
    InvalidBody,
    /// A refusal without the error body that Cloud Controller, or UAA, sends with each of its own: somebody else's word,
    /// and perhaps another one next time.
    Foreign { status: u16, answerer: Answerer },
    /// 3xx: never followed, because the token would go along.
    Redirected { to: Option<String> },
    /// The answer is compressed, which wasn't asked for.
    Encoded,
    /// 413, 414, 431, 494: the request is longer than somebody on the way takes.
    RequestTooLong { status: u16 },
    /// What the root document names as UAA isn't this API's: secrets don't go there.
    ForeignUaa { named: String },
    /// A V3 API without usage events.
    Korifi,
    /// The root document is of no Cloud Controller with a V3 API.
    NoV3,
    /// A list has no end.
    Endless,
    /// 401: token missing, wrong or expired, also after a new one was fetched.
    Unauthorized,
    /// UAA doesn't take the client's id and secret.
    BadClient,
    /// The token can't read everything: every list would look empty.
    MissingScope,
    /// 403
    Forbidden,
    /// 404 of a resource that isn't there.
    NotFound,
    /// 404 of a route that isn't there: an older Cloud Controller.
    NoRoute,
    /// 409
    Conflict,
    /// 422 because the guid after which to read is unknown.
    AfterGuidUnknown,
    /// Any other 400 or 422.
    Refused,
    /// 429
    RateLimited { retry_after: Option<Duration> },
    /// 5xx
    Server { status: u16, retry_after: Option<Duration> },
    /// A status that should not come.
    Unexpected { status: u16 },
}

/// Who answered in the other's place, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// Gorouter: it knows no such route at the moment.
    Router,
    Unknown,
}

/// Whose error body makes a refusal their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    CloudController,
    Uaa,
}

impl ApiError {
    /// Whether the same request may succeed later without anybody mending anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match &self.kind {
            ErrorKind::Transport(error) => !error.is_of_tls(),
            ErrorKind::InvalidBody
            | ErrorKind::Foreign { .. }
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Server { .. } => true,
            _ => false,
        }
    }

    /// Whether another token may help.
    #[must_use]
    pub(super) const fn is_unauthorized(&self) -> bool {
        matches!(self.kind, ErrorKind::Unauthorized)
    }

    /// How long the other side asked us to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after } | ErrorKind::Server { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// Whether a smaller page may help.
    #[must_use]
    pub fn wants_smaller_pages(&self) -> bool {
        // Operators may allow less than Cloud Controller's own limit.
        let refused_size = self.detail.contains("Per page must") || self.detail.contains("Maximum result");
        match self.kind {
            ErrorKind::Transport(
                TransportError::Timeout
                | TransportError::TooSlow(_)
                | TransportError::TooLarge
                | TransportError::Cut(_),
            )
            | ErrorKind::Server { .. } => true,
            ErrorKind::Refused => refused_size,
            _ => false,
        }
    }

    /// The word for metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match &self.kind {
            ErrorKind::Transport(TransportError::Timeout | TransportError::TooSlow(_)) => "timeout",
            ErrorKind::Transport(_) => "unreachable",
            ErrorKind::InvalidBody | ErrorKind::Encoded | ErrorKind::NoV3 | ErrorKind::Korifi | ErrorKind::Endless => {
                "invalid_body"
            }
            ErrorKind::Foreign { .. } | ErrorKind::Redirected { .. } | ErrorKind::RequestTooLong { .. } => "foreign",
            ErrorKind::Unauthorized
            | ErrorKind::BadClient
            | ErrorKind::MissingScope
            | ErrorKind::ForeignUaa { .. }
            | ErrorKind::Forbidden => "unauthorized",
            ErrorKind::NotFound | ErrorKind::NoRoute => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::AfterGuidUnknown | ErrorKind::Refused => "unprocessable",
            ErrorKind::RateLimited { .. } => "rate_limited",
            ErrorKind::Server { .. } | ErrorKind::Unexpected { .. } => "server_error",
        }
    }

    /// Whose answer this is, if it is neither Cloud Controller's nor UAA's own: the word for metrics.
    #[must_use]
    pub const fn foreign(&self) -> Option<ForeignAnswer> {
        Some(match &self.kind {
            ErrorKind::Foreign { answerer: Answerer::Router, .. } => ForeignAnswer::UnknownRoute,
            ErrorKind::Foreign { .. } | ErrorKind::RequestTooLong { .. } => ForeignAnswer::Refusal,
            ErrorKind::Redirected { .. } => ForeignAnswer::Redirect,
            ErrorKind::InvalidBody | ErrorKind::Encoded => ForeignAnswer::NotJson,
            _ => return None,
        })
    }

    /// The path that was asked for, where it is of a request.
    #[must_use]
    pub fn path(&self) -> String {
        let url = self.request.rsplit(' ').next().and_then(|url| url.parse::<url::Url>().ok());
        url.map_or_else(String::new, |url| url.path().to_owned())
    }

    /// What was asked for.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::of_path(&self.path())
    }

    fn hint(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match &self.kind {
            ErrorKind::Transport(error) => error.hint(),
            ErrorKind::InvalidBody => "check that `api` is Cloud Controller's address, and the proxies on the way",
            ErrorKind::Foreign { answerer: Answerer::Router, .. } => {
                "the router has no such route now, for example because API servers restart; it is tried again"
            }
            ErrorKind::Foreign { .. } => {
                "a proxy or router on the way answers instead of Cloud Controller: let it pass this path through; it is tried again"
            }
            ErrorKind::Redirected { to } => return Some(redirect_hint(&self.request, to.as_deref())),
            ErrorKind::Encoded => "let the proxy on the way pass answers through unchanged, without compressing them",
            ErrorKind::RequestTooLong { status: 414 } => {
                "a proxy or router on the way refuses long addresses: let it accept 8 KiB, as Cloud Controller does"
            }
            ErrorKind::RequestTooLong { status: 413 } => "a proxy on the way refuses large requests: raise its limit",
            ErrorKind::RequestTooLong { .. } => {
                "a proxy or router on the way refuses long headers: let it accept 16 KiB, or give the UAA client fewer authorities, which makes its token shorter"
            }
            ErrorKind::ForeignUaa { named } => {
                return Some(Cow::Owned(format!(
                    "if it is this foundation's UAA, set `uaa = \"{named}\"` in its [[foundation]]"
                )));
            }
            ErrorKind::Korifi => "remove this [[foundation]] from the configuration",
            ErrorKind::NoV3 => "set `api` to Cloud Controller's address, such as https://api.cf.example.org",
            ErrorKind::Endless => "Cloud Controller or a proxy on the way is broken; it is tried again",
            ErrorKind::BadClient => "check client_id and client_secret of the foundation",
            ErrorKind::MissingScope => {
                "give the UAA client the authority cloud_controller.admin_read_only, cloud_controller.global_auditor or cloud_controller.admin"
            }
            ErrorKind::Unauthorized => {
                "Cloud Controller refuses UAA's token; check that `api` and its UAA belong together"
            }
            ErrorKind::RateLimited { .. } => "the client has no requests left this hour; it is tried again later",
            ErrorKind::Server { .. } => "Cloud Controller or a router before it failed; it is tried again",
            ErrorKind::Forbidden => "the UAA client needs cloud_controller.admin for this",
            ErrorKind::Refused
                if self.detail.contains("max_total_results") || self.detail.contains("Maximum result") =>
            {
                "ask the operators of Cloud Controller to remove cc.renderer.max_total_results, or to set it above the number of rows of the longest list"
            }
            ErrorKind::NoRoute => "this Cloud Controller doesn't have that endpoint",
            _ => return None,
        }))
    }
}

/// What to configure where a redirect says that Cloud Controller is elsewhere.
fn redirect_hint(request: &str, to: Option<&str>) -> Cow<'static, str> {
    let asked = request.rsplit(' ').next().and_then(|url| url.parse::<url::Url>().ok());
    // Relative to what was asked for.
    let to = to.and_then(|to| asked.as_ref().map_or_else(|| to.parse().ok(), |asked| asked.join(to).ok()));
    let Some(to) = to else {
        return Cow::Borrowed("redirects aren't followed; set `api` to the address that Cloud Controller answers at");
    };
    let origin = to.origin().ascii_serialization();
    Cow::Owned(format!(
        "redirects aren't followed, because they would take the secret along; if Cloud Controller is there, set `api = \"{origin}\"`"
    ))
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was answered is text of others.
        write!(formatter, "{}: {}", self.request, visible(&self.detail))?;
        if let Some(request_id) = &self.request_id {
            write!(formatter, " (request id {request_id})")?;
        }
        match self.hint() {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

/// Code of a 404 for a route that isn't there; a resource that isn't there has 10010.
const UNKNOWN_ROUTE: i64 = 10_000;
/// Letters of a foreign answer that are shown.
const SHOWN: usize = 120;
/// Their own errors are shorter, by far; larger ones would take many times their size of memory to read.
const LONGEST_ERROR: usize = 1 << 20;

/// The error body of Cloud Controller: V3's own, or V2's, which older releases also send for unknown V3 routes.
/// `text/plain` with a 429.
#[derive(Deserialize)]
#[serde(untagged)]
enum Envelope {
    V3 { errors: Vec<EnvelopeError> },
    V2 { code: i64, error_code: String, description: String },
}

#[derive(Deserialize)]
struct EnvelopeError {
    detail: String,
    #[serde(default)]
    title: String,
    code: i64,
}

/// What UAA says of a client it doesn't take, or of a request.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What they said themselves: the first code, and all of it for people.
fn own_words(speaker: Speaker, body: &[u8]) -> Option<(Option<i64>, String)> {
    if body.len() > LONGEST_ERROR {
        return None;
    }
    match speaker {
        Speaker::CloudController => match serde_json::from_slice::<Envelope>(body).ok()? {
            Envelope::V3 { errors } => {
                let code = errors.first()?.code;
                let told = errors.iter().map(|error| format!("{} {}: {}", error.title, error.code, error.detail));
                Some((Some(code), told.collect::<Vec<_>>().join("; ")))
            }
            Envelope::V2 { code, error_code, description } => {
                Some((Some(code), format!("{error_code} {code}: {description}")))
            }
        },
        Speaker::Uaa => {
            let refusal: Refusal = serde_json::from_slice(body).ok()?;
            Some((None, format!("{}: {}", refusal.error, refusal.error_description)))
        }
    }
}

/// Who sent an error in their place.
fn answerer(headers: &HeaderMap) -> Option<Answerer> {
    headers.contains_key("x-cf-routererror").then_some(Answerer::Router)
}

/// What an answer says besides its status, for people, on one line: type, the router's word, how it begins.
fn shown(answer: &Response<Bytes>) -> String {
    let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
    let mut told = vec![header(CONTENT_TYPE.as_str()).unwrap_or("no content type").to_owned()];
    told.extend(header("x-cf-routererror").map(|error| format!("X-Cf-Routererror: {error}")));
    let begins = &answer.body()[..answer.body().len().min(8 * SHOWN)];
    let text = String::from_utf8_lossy(begins);
    let words: Vec<String> = text.split_whitespace().map(|word| word.escape_debug().to_string()).collect();
    let words = words.join(" ");
    if !words.is_empty() {
        let shown: String = words.chars().take(SHOWN).collect();
        told.push(format!(
            "`{shown}`{}",
            if shown.len() < words.len() || begins.len() < answer.body().len() { "…" } else { "" }
        ));
    }
    told.join(", ")
}

/// Whether an answer is compressed, though only plain ones are asked for.
pub(super) fn encoding(headers: &HeaderMap) -> Option<&str> {
    let encoding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or("unreadable");
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then_some(encoding)
}

/// What an answer that isn't a success means.
pub(super) fn classify(
    speaker: Speaker,
    answer: &Response<Bytes>,
    retry_after: Option<Duration>,
) -> (ErrorKind, String) {
    let status = answer.status();
    if let Some(encoding) = encoding(answer.headers()) {
        return (ErrorKind::Encoded, format!("{}, compressed ({encoding}), which wasn't asked for", named(status)));
    }
    if status.is_redirection() {
        let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
        let told =
            to.as_ref().map_or_else(|| named(status), |to| format!("{}, to `{}`", named(status), to.escape_debug()));
        return (ErrorKind::Redirected { to }, told);
    }
    // What a router says it says of itself, whatever its words look like.
    let router = answerer(answer.headers());
    let own = own_words(speaker, answer.body()).filter(|_| router.is_none());
    match status.as_u16() {
        status @ (413 | 414 | 431 | 494) => {
            return (ErrorKind::RequestTooLong { status }, format!("{}, {}", named(answer.status()), shown(answer)));
        }
        429 => {
            let told = own.map_or_else(|| named(status), |(_, own)| format!("429 {own}"));
            return (ErrorKind::RateLimited { retry_after }, told);
        }
        _ => {}
    }
    let Some((code, own)) = own else {
        if status == StatusCode::UNAUTHORIZED && speaker == Speaker::CloudController && router.is_none() {
            // Another token is asked for, whoever refuses this one.
            return (ErrorKind::Unauthorized, named(status));
        }
        if status.is_server_error() {
            return (ErrorKind::Server { status: status.as_u16(), retry_after }, named(status));
        }
        let whose = if speaker == Speaker::Uaa { "UAA's" } else { "Cloud Controller's" };
        let told = format!("{}, which isn't {whose} own answer ({})", named(status), shown(answer));
        let answerer = router.unwrap_or(Answerer::Unknown);
        return (ErrorKind::Foreign { status: status.as_u16(), answerer }, told);
    };
    let detail = format!("{} {own}", status.as_u16());
    let kind = match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 if code == Some(UNKNOWN_ROUTE) => ErrorKind::NoRoute,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        422 if detail.contains("After guid filter must be a valid") => ErrorKind::AfterGuidUnknown,
        400 | 422 => ErrorKind::Refused,
        status @ 500..=599 => ErrorKind::Server { status, retry_after },
        status => ErrorKind::Unexpected { status },
    };
    (kind, detail)
}

/// `404 Not Found`; the number alone where it has no name.
fn named(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::{ErrorKind, LONGEST_ERROR, Speaker, classify};

    #[test]
    fn an_error_is_their_own_up_to_a_length_and_never_shown_whole() {
        let own = r#"{"errors":[{"code":10008,"title":"CF-UnprocessableEntity","detail":"no"}]"#;
        for (length, is_own) in [(LONGEST_ERROR, true), (LONGEST_ERROR + 1, false)] {
            let body = format!("{own}{}}}", " ".repeat(length - own.len() - 1));
            let answer = Response::builder().status(422).body(body.into()).unwrap();
            let (kind, told) = classify(Speaker::CloudController, &answer, None);
            assert_eq!(kind == ErrorKind::Refused, is_own, "{length}: {kind:?}");
            assert!(told.len() < 300, "{told}");
        }
    }
}
