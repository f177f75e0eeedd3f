//! Who asks, what they may, and the book: all three or an answer that says which is missing.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Served;
use super::base::Base;
use super::host::{is_from_here, origin};
use super::problem::ProblemDetails;
use super::server::Peer;
use super::session::{Held, Open};
use super::turns::{OF_A_CALLER, TooMany, Turn};
use crate::access::{Access, Caller, Permit, Unknown};
use crate::api::BookReader;
use crate::domain::{Actor, Way};
use crate::store::Store;

/// Who asks, once that is known: for the log.
#[derive(Clone, Debug, Default)]
pub(super) struct WhoAsks {
    name: Arc<OnceLock<String>>,
    request_id: Arc<str>,
}

impl WhoAsks {
    /// Of a request with that id.
    pub fn of(request_id: &str) -> Self {
        Self { name: Arc::default(), request_id: request_id.into() }
    }

    fn is(&self, name: &str) {
        let _ = self.name.set(name.to_owned());
    }

    /// The token's name.
    pub fn name(&self) -> &str {
        self.name.get().map_or("nobody known", String::as_str)
    }
}

/// A browser that signed in, for the pages that it is shown.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// As whom: names of tokens, `NAME (ISSUER)`.
    pub names: Vec<String>,
    /// What its forms have.
    pub form_token: String,
}

/// A request by somebody who may do that. Nothing else leads to the book: a route that takes none can't read it.
#[derive(Debug)]
pub(super) struct Asking<P> {
    pub may: P,
    pub book: BookReader,
    /// By a session; `None`: by a bearer token, or by an open door.
    pub visitor: Option<Visitor>,
    /// Until it is answered.
    _turn: Turn,
}

/// Why a request isn't answered.
#[derive(Debug)]
pub(super) struct Refusal {
    pub problem: Box<ProblemDetails>,
    /// Whoever has signed in would have to do it again, at this issuer.
    pub again_at: Option<String>,
    /// Who has signed in.
    pub visitor: Option<Visitor>,
}

impl Refusal {
    fn to(mut self, visitor: Option<&Visitor>) -> Self {
        self.visitor = visitor.cloned();
        self
    }
}

impl<E: Into<ProblemDetails>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { problem: Box::new(error.into()), again_at: None, visitor: None }
    }
}

impl<P: Permit> FromRequestParts<Arc<Served>> for Asking<P> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, served: &Arc<Served>) -> Result<Self, ProblemDetails> {
        Self::by(parts, served).await.map_err(|refusal| *refusal.problem)
    }
}

impl<P: Permit> Asking<P> {
    /// Who asks by a request, and what they may.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn by(parts: &Parts, served: &Served) -> Result<Self, Refusal> {
        let Callers { all, visitor } = callers(parts, served).await?;
        let asking = Self::of(all, visitor.clone(), parts, served).await;
        asking.map_err(|refusal| refusal.to(visitor.as_ref()))
    }

    async fn of(
        mut callers: Vec<Caller>,
        visitor: Option<Visitor>,
        parts: &Parts,
        served: &Served,
    ) -> Result<Self, Refusal> {
        let name = callers.iter().map(|caller| caller.name.as_str()).collect::<Vec<_>>().join("+");
        if let Some(asked) = parts.extensions.get::<WhoAsks>() {
            asked.is(&name);
        }
        let of = &served.of_book;
        let is_open_question = |caller: &Caller| caller.to_look_up().is_some() || caller.everything_of().is_some();
        let settled = callers.iter().filter(|caller| !is_open_question(caller));
        let is_enough = settled.filter_map(|caller| caller.permit::<P>().ok()).any(|permit| permit.is_everything());
        let may_be = |caller: &Caller| caller.everything_of().is_some() || caller.permit::<P>().is_ok();
        if !callers.iter().any(may_be)
            && let Some(refused) = callers.iter().find_map(|caller| caller.permit::<P>().err())
        {
            return Err(refused.into());
        }
        let store = store_of(served)?;
        let too_many = |TooMany| {
            let told = format!(
                "`{name}` has {OF_A_CALLER} requests that aren't answered yet\nhint: wait for an answer before you ask again"
            );
            ProblemDetails::too_many(told)
        };
        let own = of.turns.own(&name).map_err(too_many)?;
        if is_enough {
            callers.retain(|caller| !is_open_question(caller));
        }
        // Others are asked before it is this request's turn, the book is in it.
        let mut looked_up = Vec::new();
        for caller in &callers {
            let person = caller.to_look_up().filter(|_| caller.permit::<P>().is_ok());
            looked_up.push(match person {
                Some(person) => Some(of.identities.look_up(person, &of.configuration, store).await?),
                None => None,
            });
        }
        let turn = of.turns.turn(own).await.map_err(too_many)?;
        let mut may: Option<P> = None;
        let mut refused: Option<ProblemDetails> = None;
        for (mut caller, looked_up) in callers.into_iter().zip(looked_up) {
            if let Some(looked_up) = looked_up {
                caller = caller.having(looked_up.theirs(store).await?);
            }
            match permit_of(caller, store).await? {
                Ok(permit) => {
                    may = Some(match may {
                        Some(before) => before.and(permit),
                        None => permit,
                    });
                }
                Err(not) => refused = refused.or(Some(not)),
            }
        }
        match (may, refused) {
            (Some(may), _) => {
                let (clock, sender, configuration) =
                    (served.clock.clone(), of.sender.clone(), of.configuration.clone());
                let actor = actor(name, parts, served);
                let book = BookReader::new(store, actor, clock, sender, configuration, of.forecasts.clone());
                Ok(Self { may, book, visitor, _turn: turn })
            }
            (None, Some(refused)) => Err(refused.into()),
            (None, None) => Err(Unknown::Nothing.into()),
        }
    }
}

/// Who acts by a request, and from where.
fn actor(who: String, parts: &Parts, served: &Served) -> Actor {
    let asked = parts.extensions.get::<WhoAsks>();
    let trusted = &served.of_book.configuration.http.trusted_proxies;
    let peer = parts.extensions.get::<Peer>();
    Actor {
        who,
        way: if asked.is_some() { Way::Api } else { Way::Page },
        origin: peer.map(|peer| origin(&parts.headers, peer.address, trusted).to_string()),
        request: asked.map(|asked| asked.request_id.as_ref().to_owned()),
    }
}

/// What somebody may do, all of the book considered; or why not.
async fn permit_of<P: Permit>(mut caller: Caller, store: &Store) -> Result<Result<P, ProblemDetails>, Refusal> {
    if let Some(of_issuer) = caller.everything_of() {
        let book = store.foundations().await?;
        if book.iter().any(|head| !of_issuer.contains(&head.name)) {
            return Ok(Err(ProblemDetails::refused(
                "the role is over everything, and the token's issuer doesn't speak for all foundations of the book\n\
                 hint: use a token of a provider that is no foundation's",
            )));
        }
        caller = caller.over_everything();
    }
    Ok(caller.permit::<P>().map_err(ProblemDetails::from))
}

/// The book, if it can be reached.
///
/// # Errors
/// What is told where it can't.
pub(super) fn store_of(served: &Served) -> Result<&Store, ProblemDetails> {
    let told = "the database can't be reached\nhint: try again; /readyz says what is wrong";
    served.book.store().map_err(|_| ProblemDetails::away(told))
}

/// As whom a request asks.
#[derive(Debug)]
struct Callers {
    all: Vec<Caller>,
    visitor: Option<Visitor>,
}

async fn callers(parts: &Parts, served: &Served) -> Result<Callers, Refusal> {
    let of = &served.of_book;
    // An open door is for this machine alone.
    if matches!(of.access, Access::Open) && !is_from_here(parts) {
        let told = "no token is configured, so that only programs on this machine may ask\nhint: add a [[token]] to the configuration";
        return Err(ProblemDetails::unknown_caller(told).into());
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
            )
            .into());
        }
    };
    let one = |caller: Caller| Callers { all: vec![caller], visitor: None };
    match (of.access.caller(bearer), bearer) {
        (Err(Unknown::Token), Some(bearer)) if !of.configuration.issuers.is_empty() => {
            Ok(one(of.identities.caller(bearer).await?))
        }
        (Err(Unknown::Nothing), _) => match open_session(parts, served).await? {
            Some(open) => callers_of(&open, served),
            None => Err(Unknown::Nothing.into()),
        },
        (known, _) => Ok(one(known?)),
    }
}

/// The session that a request is part of, if it goes on. Only a page of ours is to change anything in its name.
///
/// # Errors
/// The book can't be read, or another page sent it.
pub(super) async fn open_session(parts: &Parts, served: &Served) -> Result<Option<Open>, ProblemDetails> {
    let Some(base) = parts.extensions.get::<Base>() else { return Ok(None) };
    let Some(held) = Held::of(&parts.headers, base) else { return Ok(None) };
    if !base.sent_it(&parts.method, &parts.headers) {
        let told = format!("this doesn't come from a page of {}\nhint: open the page there", base.origin());
        return Err(ProblemDetails::refused(told));
    }
    Ok(held.open(served, store_of(served)?).await?)
}

fn callers_of(open: &Open, served: &Served) -> Result<Callers, Refusal> {
    let (all, names): (Vec<_>, Vec<_>) = open.callers(served).into_iter().unzip();
    if all.is_empty() {
        let told = "the session has ended\nhint: sign in again";
        let signs_in = |issuer: &&str| served.of_book.identities.sign_ins().any(|known| known == *issuer);
        let again_at = open.to_sign_in_again().filter(signs_in).map(str::to_owned);
        return Err(Refusal { problem: Box::new(ProblemDetails::unknown_caller(told)), again_at, visitor: None });
    }
    Ok(Callers { all, visitor: Some(Visitor { names, form_token: open.held.form_token() }) })
}
