//! What Cloud Controller refuses, in its own words and codes.

use serde_json::{Value, json};

use crate::domain::Stream;

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: u16,
    code: i64,
    title: &'static str,
    detail: String,
    pub retry_after: Option<u32>,
}

impl Refusal {
    fn new(status: u16, code: i64, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, title, detail: detail.into(), retry_after: None }
    }

    pub(super) fn json(&self) -> Value {
        json!({"errors": [{"detail": self.detail, "title": self.title, "code": self.code}]})
    }

    pub(super) fn unknown_request() -> Self {
        Self::new(404, 10_000, "CF-NotFound", "Unknown request")
    }

    pub(super) fn not_found(noun: &str) -> Self {
        Self::new(404, 10_010, "CF-ResourceNotFound", format!("{noun} not found"))
    }

    pub(super) fn not_authenticated() -> Self {
        Self::new(401, 10_002, "CF-NotAuthenticated", "Authentication error")
    }

    pub(super) fn invalid_token() -> Self {
        Self::new(401, 1000, "CF-InvalidAuthToken", "Invalid Auth Token")
    }

    pub(super) fn not_authorized() -> Self {
        Self::new(403, 10_003, "CF-NotAuthorized", "You are not authorized to perform the requested action")
    }

    pub(super) fn unprocessable(detail: &str) -> Self {
        Self::new(422, 10_008, "CF-UnprocessableEntity", detail)
    }

    pub(super) fn bad_query(detail: &str) -> Self {
        Self::new(400, 10_005, "CF-BadQueryParameter", format!("The query parameter is invalid: {detail}"))
    }

    pub(super) fn unknown_error() -> Self {
        Self::new(500, 10_001, "UnknownError", "An unknown error occurred.")
    }

    pub(super) fn rate_limited() -> Self {
        Self { retry_after: Some(1800), ..Self::new(429, 10_013, "CF-RateLimitExceeded", "Rate Limit Exceeded") }
    }

    pub(super) fn snapshot_in_progress(stream: Stream) -> Self {
        let detail = |article, noun| {
            format!("{article} {noun} usage snapshot is already being generated. Please wait for it to complete.")
        };
        match stream {
            Stream::App => Self::new(409, 440_001, "CF-AppUsageSnapshotGenerationInProgress", detail("An", "app")),
            Stream::Service => {
                Self::new(409, 440_002, "CF-ServiceUsageSnapshotGenerationInProgress", detail("A", "service"))
            }
        }
    }
}
