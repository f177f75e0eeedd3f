//! What is told where something can't be answered: RFC 9457.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use crate::access::{NotAllowed, Unknown};
use crate::api::ReadError;
use crate::billing_run::BillingError;
use crate::documents::DocumentError;
use crate::store::StoreError;

/// A problem, as RFC 9457 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemDetails {
    /// What kind of problem it is: `urn:cf-billing:problem:…`
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong here.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<String>,
    /// Names this answer, in the daemon's log, too. Also in the header `X-Request-Id`.
    request_id: String,
}

/// Everything that may be wrong with a request.
#[derive(Debug, IntoResponses)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(super) enum Refusals {
    /// Something of the request isn't valid.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(ProblemDetails),
    /// Nobody knows who asks.
    #[response(status = 401, content_type = "application/problem+json")]
    Unknown(ProblemDetails),
    /// Who asks has no role for that.
    #[response(status = 403, content_type = "application/problem+json")]
    Refused(ProblemDetails),
    /// There is no such thing, or it isn't for who asks.
    #[response(status = 404, content_type = "application/problem+json")]
    Missing(ProblemDetails),
    /// It can't be had in any form that is accepted.
    #[response(status = 406, content_type = "application/problem+json")]
    NotAcceptable(ProblemDetails),
    /// What is in the book keeps it from being answered.
    #[response(status = 422, content_type = "application/problem+json")]
    Unanswerable(ProblemDetails),
    /// The book can't be read now.
    #[response(status = 503, content_type = "application/problem+json")]
    Away(ProblemDetails),
}

/// Each kind: its status, its name, and its title.
macro_rules! kinds {
    ($($made:ident: $status:ident, $name:literal, $title:literal;)*) => {
        impl ProblemDetails {
            $(pub(in crate::http) fn $made(detail: impl Into<String>) -> Self {
                Self::new(concat!("urn:cf-billing:problem:", $name), $title, StatusCode::$status, detail.into())
            })*
        }
    };
}

kinds! {
    parameter: BAD_REQUEST, "parameter", "A parameter is not valid";
    unknown_caller: UNAUTHORIZED, "unknown-caller", "Who asks is not known";
    refused: FORBIDDEN, "refused", "The role is not for that";
    missing: NOT_FOUND, "missing", "There is no such thing";
    method: METHOD_NOT_ALLOWED, "method", "The method is not allowed";
    not_acceptable: NOT_ACCEPTABLE, "not-acceptable", "There is no such form of it";
    unanswerable: UNPROCESSABLE_ENTITY, "unanswerable", "The book does not have what this takes";
    away: SERVICE_UNAVAILABLE, "away", "The book can not be read now";
    failed: INTERNAL_SERVER_ERROR, "failed", "It failed";
}

impl ProblemDetails {
    /// As errors are told: what is wrong, and behind `hint:` what to do.
    fn new(kind: &'static str, title: &'static str, status: StatusCode, told: String) -> Self {
        let (detail, hint) = match told.split_once("\nhint: ") {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (told, None),
        };
        Self { kind, title, status: status.as_u16(), detail, hint, request_id: String::new() }
    }

    /// As it is sent.
    pub(super) fn of_request(mut self, request_id: &str) -> Body {
        request_id.clone_into(&mut self.request_id);
        Body::from(serde_json::to_vec(&self).unwrap_or_default())
    }

    /// An answer that nothing else is done to.
    pub(in crate::http) fn alone(self) -> Response {
        let request_id = request_id();
        let body = self.clone().of_request(&request_id);
        let mut response = self.into_response();
        *response.body_mut() = body;
        name(&mut response, &request_id);
        response
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Without its body, which names the request: [`super::answer::finish`] writes it.
impl IntoResponse for ProblemDetails {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = status.into_response();
        let mut head = |name: HeaderName, value: &'static str| {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        };
        head(CONTENT_TYPE, "application/problem+json");
        match status {
            StatusCode::UNAUTHORIZED => head(WWW_AUTHENTICATE, "Bearer realm=\"cf-billing\""),
            StatusCode::METHOD_NOT_ALLOWED => head(ALLOW, "GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE => head(RETRY_AFTER, "10"),
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Unknown> for ProblemDetails {
    fn from(unknown: Unknown) -> Self {
        Self::unknown_caller(match unknown {
            Unknown::Nothing => "the request has no token\nhint: send the header `Authorization: Bearer TOKEN`",
            Unknown::Token => "the token isn't known\nhint: use one that a [[token]] of the configuration has",
        })
    }
}

impl From<NotAllowed> for ProblemDetails {
    fn from(refused: NotAllowed) -> Self {
        Self::refused(refused.to_string())
    }
}

impl From<StoreError> for ProblemDetails {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overflow => Self::unanswerable(error.to_string()),
            error if error.is_away() => {
                // Where the database is, is nobody's who asks.
                tracing::warn!("the book can't be read for the API: {error}");
                Self::away("the book can't be read now\nhint: try again; /readyz says what is wrong")
            }
            error => Self::unforeseen(&error),
        }
    }
}

impl From<DocumentError> for ProblemDetails {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Lacking(_) | DocumentError::WithoutPdf => Self::unanswerable(error.to_string()),
            DocumentError::Failed(_) => Self::unforeseen(&error),
        }
    }
}

impl From<ReadError> for ProblemDetails {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) | ReadError::Billing(BillingError::Store(error)) => error.into(),
            ReadError::Document(error) | ReadError::Billing(BillingError::Document { error, .. }) => error.into(),
            ReadError::Billing(error @ BillingError::Unfit(_)) => Self::unanswerable(error.to_string()),
            // The same, whether it is somebody else's or nobody's.
            ReadError::Missing { what, .. } => Self::missing(format!("there is no such {what}")),
            ReadError::Cursor(_) => Self::parameter(error.to_string()),
            error @ (ReadError::Billing(_) | ReadError::Stopped(_)) => Self::unforeseen(&error),
        }
    }
}

impl ProblemDetails {
    /// What shouldn't be: it is logged, and told without its words, which may be anybody's.
    fn unforeseen(error: &dyn std::error::Error) -> Self {
        tracing::error!("the API can't answer: {error}");
        Self::failed("this can't be answered\nhint: the daemon's log says why")
    }
}

/// Tells a response's request.
pub(super) fn name(response: &mut Response, request_id: &str) {
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
}

/// A name for a request.
pub(super) fn request_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Of an address that is none.
pub(in crate::http) async fn no_such_page() -> ProblemDetails {
    ProblemDetails::missing("there is no such address\nhint: /api/v1/openapi.json has all of them")
}

/// Of a method that isn't GET.
pub(super) async fn only_read() -> ProblemDetails {
    ProblemDetails::method("this address is only read\nhint: use GET")
}
