//! Who asks, what they may, and the book: all three or an answer that says which is missing.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::ProblemDetails;
use super::turns::{OF_A_CALLER, TooMany, Turn};
use crate::access::{Access, Caller, Permit, Unknown};
use crate::api::BookReader;
use crate::http::Served;
use crate::http::host::is_from_here;

/// Who asks, once that is known: for the log.
#[derive(Clone, Debug, Default)]
pub(super) struct WhoAsks(Arc<OnceLock<String>>);

impl WhoAsks {
    fn is(&self, name: &str) {
        let _ = self.0.set(name.to_owned());
    }

    /// The token's name.
    pub fn name(&self) -> &str {
        self.0.get().map_or("nobody known", String::as_str)
    }
}

/// A request by somebody who may do that. Nothing else leads to the book: a route that takes none can't read it.
#[derive(Debug)]
pub(super) struct Asking<P> {
    pub may: P,
    pub book: BookReader,
    /// Until it is answered.
    _turn: Turn,
}

impl<P: Permit> FromRequestParts<Arc<Served>> for Asking<P> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, served: &Arc<Served>) -> Result<Self, ProblemDetails> {
        let mut caller = caller(parts, served).await?;
        if let Some(asked) = parts.extensions.get::<WhoAsks>() {
            asked.is(&caller.name);
        }
        let of = &served.of_book;
        let mut may = caller.permit::<P>();
        let looks_up = caller.to_look_up().is_some() || caller.everything_of().is_some();
        if !looks_up && let Err(refused) = may {
            return Err(refused.into());
        }
        let store = served.book.store().map_err(|_| {
            ProblemDetails::away("the database can't be reached\nhint: try again; /readyz says what is wrong")
        })?;
        let too_many = |TooMany| {
            let told = format!(
                "`{}` has {OF_A_CALLER} requests that aren't answered yet\nhint: wait for an answer before you ask again",
                caller.name
            );
            ProblemDetails::too_many(told)
        };
        let own = of.turns.own(&caller.name).map_err(too_many)?;
        // Others are asked before it is this request's turn, the book is in it.
        let looked_up = match caller.to_look_up().filter(|_| may.is_ok()) {
            Some(person) => Some(of.identities.look_up(person, &of.configuration, store).await?),
            None => None,
        };
        let turn = of.turns.turn(own).await.map_err(too_many)?;
        if let Some(looked_up) = looked_up {
            caller = caller.having(looked_up.theirs(store).await?);
            may = caller.permit();
        }
        if let Some(of_issuer) = caller.everything_of() {
            let book = store.foundations().await?;
            if book.iter().any(|head| !of_issuer.contains(&head.name)) {
                return Err(ProblemDetails::refused(
                    "the role is over everything, and the token's issuer doesn't speak for all foundations of the book\n\
                     hint: use a token of a provider that is no foundation's",
                ));
            }
            caller = caller.over_everything();
            may = caller.permit();
        }
        let may = may?;
        let (clock, sender, configuration) = (served.clock.clone(), of.sender.clone(), of.configuration.clone());
        let book = BookReader::new(store.clone(), clock, sender, configuration, of.forecasts.clone());
        Ok(Self { may, book, _turn: turn })
    }
}

async fn caller(parts: &Parts, served: &Served) -> Result<Caller, ProblemDetails> {
    let of = &served.of_book;
    // An open door is for this machine alone.
    if matches!(of.access, Access::Open) && !is_from_here(&parts.headers, &parts.uri) {
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
            return Err(ProblemDetails::unknown_caller(
                "the request has several `Authorization` headers\nhint: send one, `Authorization: Bearer TOKEN`",
            ));
        }
    };
    match (of.access.caller(bearer), bearer) {
        (Err(Unknown::Token), Some(bearer)) if !of.configuration.issuers.is_empty() => {
            Ok(of.identities.caller(bearer).await?)
        }
        (known, _) => Ok(known?),
    }
}
