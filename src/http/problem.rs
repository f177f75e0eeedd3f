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
use crate::documents::{DocumentError, Lacking};
use crate::identity::Unproven;
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
    hint: String,
    /// Names this answer, in the daemon's log, too. Also in the header `X-Request-Id`.
    #[schema(value_type = String)]
    request_id: Box<str>,
    /// What is logged of it beside, for whoever runs the daemon.
    #[serde(skip)]
    logged: Option<Box<str>>,
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
    /// Who asks has too many requests that aren't answered yet.
    #[response(status = 429, content_type = "application/problem+json")]
    TooMany(ProblemDetails),
    /// The book can't be read now.
    #[response(status = 503, content_type = "application/problem+json")]
    Away(ProblemDetails),
}

/// Each kind: its status, its name, its title, and what helps where nothing better is known.
macro_rules! kinds {
    ($($made:ident: $status:ident, $name:literal, $title:literal, $hint:literal;)*) => {
        impl ProblemDetails {
            $(pub(super) fn $made(told: impl Into<String>) -> Self {
                let kind = concat!("urn:cf-billing:problem:", $name);
                Self::new(kind, $title, StatusCode::$status, told.into(), $hint)
            })*
        }
    };
}

kinds! {
    parameter: BAD_REQUEST, "parameter", "A parameter is not valid", "/api/v1/openapi.json has every parameter";
    unknown_caller: UNAUTHORIZED, "unknown-caller", "Who asks is not known",
        "send the header `Authorization: Bearer TOKEN`";
    refused: FORBIDDEN, "refused", "The role is not for that", "ask whoever runs the daemon for a token of another role";
    missing: NOT_FOUND, "missing", "There is no such thing", "the lists have what there is for you to see";
    method: METHOD_NOT_ALLOWED, "method", "The method is not allowed", "use GET";
    not_acceptable: NOT_ACCEPTABLE, "not-acceptable", "There is no such form of it", "use `Accept: application/json`";
    misdirected: MISDIRECTED_REQUEST, "misdirected", "The name is not known here",
        "add it to `hosts` in [http], if it is yours";
    unanswerable: UNPROCESSABLE_ENTITY, "unanswerable", "The book does not have what this takes",
        "ask whoever sends the invoices";
    too_many: TOO_MANY_REQUESTS, "too-many", "There are too many requests at once",
        "wait for an answer before you ask again";
    away: SERVICE_UNAVAILABLE, "away", "The book can not be read now", "try again; /readyz says what is wrong";
    unproven: SERVICE_UNAVAILABLE, "unproven", "Who asks can not be found out now",
        "try again; the daemon's log says why, under this request's id";
    failed: INTERNAL_SERVER_ERROR, "failed", "It failed", "the daemon's log says why, under this request's id";
}

impl ProblemDetails {
    /// As our errors are told: what is wrong, and behind `hint:` what to do. What callers wrote is in no line of its own.
    fn new(kind: &'static str, title: &'static str, status: StatusCode, told: String, otherwise: &str) -> Self {
        let (detail, hint) = match told.split_once("\nhint: ") {
            Some((detail, hint)) => (detail.to_owned(), hint.to_owned()),
            None => (told, otherwise.to_owned()),
        };
        Self { kind, title, status: status.as_u16(), detail, hint, request_id: Box::default(), logged: None }
    }

    /// With more for the log than for whoever asks.
    fn logging(mut self, error: &impl std::fmt::Display) -> Self {
        self.logged = Some(error.to_string().into());
        self
    }

    /// An answer that nothing else is done to.
    pub(super) fn alone(self) -> Response {
        let mut response = self.into_response();
        name(&mut response, &request_id());
        response
    }

    pub(super) const fn title(&self) -> &'static str {
        self.title
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn hint(&self) -> &str {
        &self.hint
    }

    /// What is logged of it beside, for whoever runs the daemon.
    pub(super) fn logged(&self) -> Option<&str> {
        self.logged.as_deref()
    }

    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Without its body, which names the request: [`name`] writes it.
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
            StatusCode::TOO_MANY_REQUESTS => head(RETRY_AFTER, "1"),
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
            Unknown::Nothing => "the request has no token",
            Unknown::Token => "the token isn't known\nhint: use one that a [[token]] of the configuration has",
        })
    }
}

impl From<Unproven> for ProblemDetails {
    fn from(unproven: Unproven) -> Self {
        match unproven {
            Unproven::Away { told, why } => Self::unproven(told).logging(&why),
            unproven => Self::unknown_caller(unproven.to_string()),
        }
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
            // Where the database is, is nobody's who asks.
            error if error.may_pass() => Self::away("the book can't be read now").logging(&error),
            error => Self::unforeseen(&error),
        }
    }
}

impl From<DocumentError> for ProblemDetails {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Lacking(lacking) => {
                let list = |of: fn(&Lacking) -> &str, between| lacking.iter().map(of).collect::<Vec<_>>().join(between);
                let (what, hints) = (list(|one| &one.what, ", "), list(|one| &one.hint, "; "));
                Self::unanswerable(format!("an e-invoice needs {what}\nhint: {hints}"))
            }
            DocumentError::WithoutPdf => Self::unanswerable(error.to_string()),
            DocumentError::Failed(_) => Self::unforeseen(&error),
        }
    }
}

impl From<ReadError> for ProblemDetails {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Store(error) => error.into(),
            ReadError::Document(error) => error.into(),
            ReadError::NotNoted(error) => {
                let told =
                    "who opens a document can't be written down now\nhint: try again; /readyz says what is wrong";
                Self::away(told).logging(&error)
            }
            ReadError::Billing(error) => (*error).into(),
            ReadError::NotToBeHad(error) => {
                Self::unanswerable("this invoice can't be had in that form").logging(&error)
            }
            // The same, whether it is somebody else's or nobody's.
            ReadError::Missing(_) => Self::missing(error.to_string()),
            ReadError::Cursor(_) => Self::parameter(error.to_string()),
            ReadError::Stopped(_) => Self::unforeseen(&error),
        }
    }
}

impl From<BillingError> for ProblemDetails {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Document { error, .. } => error.into(),
            BillingError::NoLine { .. } => Self::parameter(error.to_string()),
            // What is in the provider's files is nobody else's.
            BillingError::Card(_)
            | BillingError::NoCard
            | BillingError::CardGone
            | BillingError::Accounts(_)
            | BillingError::AccountsUnread { .. } => {
                let told = "the rate card or the accounts file can't be used\nhint: `cf-billing check` says why";
                Self::unanswerable(told).logging(&error)
            }
            BillingError::Unfit(_) | BillingError::Unexplained { .. } => Self::unanswerable(error.to_string()),
            error => Self::unforeseen(&error),
        }
    }
}

impl ProblemDetails {
    /// What shouldn't be: it is told without its words, which may be anybody's.
    fn unforeseen(error: &impl std::fmt::Display) -> Self {
        Self::failed("this can't be answered").logging(error)
    }
}

/// Tells a response's request, in its problem, too, if it is one, and logs what is to be logged of that.
pub(super) fn name(response: &mut Response, request_id: &str) {
    if let Some(mut problem) = response.extensions_mut().remove::<ProblemDetails>() {
        match &problem.logged {
            Some(error) if problem.status == 500 => tracing::error!(request_id, "the API can't answer: {error}"),
            Some(error) => tracing::warn!(request_id, "the API can't answer: {error}"),
            None => {}
        }
        problem.request_id = request_id.into();
        *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
    }
    if let Ok(value) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
}

/// A name for a request.
pub(super) fn request_id() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// Of an address that is none.
pub(super) async fn no_such_page() -> ProblemDetails {
    ProblemDetails::missing("there is no such address\nhint: /api/v1/openapi.json has all of them")
}

/// Of a method that isn't GET.
pub(super) async fn only_read() -> ProblemDetails {
    ProblemDetails::method("this address is only read")
}
