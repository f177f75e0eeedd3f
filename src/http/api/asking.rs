//! Who asks, what they may, and the book: all three or an answer that says which is missing.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;

use super::ProblemDetails;
use crate::access::{Access, Caller, Permit};
use crate::api::BookReader;
use crate::http::Served;
use crate::http::host::is_loopback;

/// A request by somebody who may do that. Nothing else leads to the book: a route that takes none can't read it.
#[derive(Debug)]
pub(super) struct Asking<P> {
    pub may: P,
    pub book: BookReader,
}

impl<P: Permit> FromRequestParts<Arc<Served>> for Asking<P> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, served: &Arc<Served>) -> Result<Self, ProblemDetails> {
        let may = caller(parts, served)?.permit()?;
        let store = served.book.store().map_err(|_| {
            ProblemDetails::away("the database can't be reached\nhint: try again; /readyz says what is wrong")
        })?;
        let (clock, of) = (served.clock.clone(), &served.of_book);
        let book = BookReader::new(store.clone(), clock, of.sender.clone(), of.configured.clone());
        Ok(Self { may, book })
    }
}

/// What proxies add to what they pass on.
const OF_PROXIES: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

fn caller(parts: &Parts, served: &Served) -> Result<Caller, ProblemDetails> {
    // An open door is for this machine alone: what a proxy lets in from elsewhere shows who it is.
    let is_passed_on = OF_PROXIES.iter().any(|name| parts.headers.contains_key(*name));
    if matches!(served.of_book.access, Access::Open) && (is_passed_on || !is_loopback(parts.headers.get(HOST))) {
        let told = "no token is configured, so that only programs on this machine may ask\nhint: add a [[token]] to the configuration";
        return Err(ProblemDetails::unknown_caller(told));
    }
    let mut given = parts.headers.get_all(AUTHORIZATION).iter();
    let bearer = match (given.next(), given.next()) {
        (None, _) => None,
        (Some(one), None) => {
            let text = one.to_str().unwrap_or_default();
            let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
            // Another scheme is as nothing: it may be a proxy's.
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        }
        (Some(_), Some(_)) => {
            return Err(ProblemDetails::unknown_caller("the request has several `Authorization` headers"));
        }
    };
    Ok(served.of_book.access.caller(bearer)?)
}
