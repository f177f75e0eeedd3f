//! What Cloud Controller or UAA refused, or why there was no answer, for people and for decisions.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use super::transport::TransportError;

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

impl ApiError {
    /// Whether the same request may succeed later without anybody mending anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match &self.kind {
            ErrorKind::Transport(TransportError::Tls(_)) => false,
            ErrorKind::Transport(_)
            | ErrorKind::InvalidBody
            | ErrorKind::RateLimited { .. }
            | ErrorKind::Server { .. } => true,
            _ => false,
        }
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
            ErrorKind::Transport(TransportError::Timeout | TransportError::TooLarge | TransportError::Cut(_))
            | ErrorKind::Server { .. } => true,
            ErrorKind::Refused => refused_size,
            _ => false,
        }
    }

    /// The word for metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match &self.kind {
            ErrorKind::Transport(TransportError::Timeout) => "timeout",
            ErrorKind::Transport(_) => "unreachable",
            ErrorKind::InvalidBody => "invalid_body",
            ErrorKind::Unauthorized | ErrorKind::BadClient | ErrorKind::MissingScope | ErrorKind::Forbidden => {
                "unauthorized"
            }
            ErrorKind::NotFound | ErrorKind::NoRoute => "not_found",
            ErrorKind::Conflict => "conflict",
            ErrorKind::AfterGuidUnknown | ErrorKind::Refused => "unprocessable",
            ErrorKind::RateLimited { .. } => "rate_limited",
            ErrorKind::Server { .. } | ErrorKind::Unexpected { .. } => "server_error",
        }
    }

    const fn hint(&self) -> Option<&'static str> {
        Some(match &self.kind {
            ErrorKind::Transport(TransportError::Connect(_)) => "check `api` of the foundation, DNS and firewalls",
            ErrorKind::Transport(TransportError::Tls(_)) => {
                "set ca_file to the authority that signed the server's certificate"
            }
            ErrorKind::InvalidBody => "check that `api` is Cloud Controller's address, and what proxies stand between",
            ErrorKind::BadClient => "check client_id and client_secret of the foundation",
            ErrorKind::MissingScope => {
                "give the UAA client the authority cloud_controller.admin_read_only, cloud_controller.global_auditor or cloud_controller.admin"
            }
            ErrorKind::Unauthorized => {
                "Cloud Controller doesn't accept UAA's token; check that `api` and its UAA belong together"
            }
            ErrorKind::RateLimited { .. } => "the client's requests of this hour are used up; it is tried again later",
            ErrorKind::Server { .. } => "Cloud Controller, or a router before it, failed; it is tried again",
            ErrorKind::Transport(_) => "the network, or a proxy on the way, failed; it is tried again",
            ErrorKind::Forbidden => "the UAA client needs cloud_controller.admin for this",
            ErrorKind::NoRoute => "this Cloud Controller doesn't have that endpoint",
            _ => return None,
        })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.request, self.detail)?;
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

/// The error body of Cloud Controller. Sent as `text/plain` with a 429.
#[derive(Deserialize)]
struct Envelope {
    errors: Vec<EnvelopeError>,
}

#[derive(Deserialize)]
struct EnvelopeError {
    detail: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    code: i64,
}

/// What an answer that isn't a success means.
pub(super) fn classify(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> (ErrorKind, String) {
    let envelope = serde_json::from_slice::<Envelope>(body).ok().filter(|envelope| !envelope.errors.is_empty());
    let detail = match &envelope {
        Some(envelope) => {
            let errors: Vec<String> = envelope
                .errors
                .iter()
                .map(|error| format!("{} {}: {}", error.title, error.code, error.detail))
                .collect();
            format!("{} {}", status.as_u16(), errors.join("; "))
        }
        None => format!("{status}"),
    };
    let code = envelope.as_ref().and_then(|envelope| envelope.errors.first()).map(|error| error.code);
    let kind = match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 if code.is_none() || code == Some(UNKNOWN_ROUTE) => ErrorKind::NoRoute,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        422 if detail.contains("After guid filter must be a valid") => ErrorKind::AfterGuidUnknown,
        400 | 422 => ErrorKind::Refused,
        429 => ErrorKind::RateLimited { retry_after },
        status @ 500..=599 => ErrorKind::Server { status, retry_after },
        status => ErrorKind::Unexpected { status },
    };
    (kind, detail)
}
