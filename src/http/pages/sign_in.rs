//! Signing in and out: by a token, or at an `OpenID` provider.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use url::form_urlencoded;

use super::{Looks, go_to, layout, problem, refused, told, told_problem};
use crate::access::{Access, ApiToken, Identity};
use crate::domain::text::visible;
use crate::http::Served;
use crate::http::asking::{Refusal, open_session, store_of};
use crate::http::base::Base;
use crate::http::host::{Asked, is_from_here};
use crate::http::problem::ProblemDetails;
use crate::http::session::{self, Open, field};

/// A form is no longer.
const LONGEST_FORM: usize = 4096;
/// What a provider says of an error is logged no longer.
const LONGEST_ERROR: usize = 100;
/// An address to come back to is no longer: it is kept in a cookie.
const LONGEST_ADDRESS: usize = 1024;

/// A page of signing in that comes back to another.
pub(super) fn address(page: &str, to: &str) -> String {
    if to == "/" {
        return page.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", to).finish();
    format!("{page}?{query}")
}

/// A page of ours, and nobody else's: what a browser would read as another host is `/`.
fn page_of_ours(to: Option<&str>) -> &str {
    let is_ours = |to: &&str| {
        to.len() <= LONGEST_ADDRESS
            && to.starts_with('/')
            && !to.starts_with("//")
            && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
    };
    to.filter(is_ours).unwrap_or("/")
}

/// What is shown instead where nobody signs in: under an open door, and at a name by which no session would come back.
fn instead(served: &Served, base: &Base, asked: &impl Asked) -> Option<Response> {
    if matches!(served.of_book.access, Access::Open) {
        return Some(go_to("/"));
    }
    if !base.is_public && !is_from_here(asked) {
        let body = html! {
            p { "Nobody can sign in at this address: the daemon knows itself by " code { (base.origin()) } " alone." }
            p { "Set " code { "[http] public_url" } " to the address that browsers use." }
        };
        return Some(told(served, StatusCode::MISDIRECTED_REQUEST, "No sign-in here", &body));
    }
    None
}

/// As [`instead`]; and the same page at our own address, where a browser on this machine uses another: a cookie of `localhost`
/// isn't one of `127.0.0.1`.
fn elsewhere(served: &Served, base: &Base, request: &Request) -> Option<Response> {
    let own = || at_own_address(base, request.headers(), request.uri());
    instead(served, base, request).or_else(|| own().map(|own| go_to(&own)))
}

/// Asks how to sign in.
pub(super) async fn choose(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    request: Request,
) -> Response {
    if let Some(elsewhere) = elsewhere(&served, &base, &request) {
        return elsewhere;
    }
    let (parts, _) = request.into_parts();
    let query = query_of(&parts.uri);
    // Whoever has signed in adds to that: the form says that it is of that session.
    let open = open_session(&parts, &served).await.ok().flatten();
    choices(&served, open.as_ref(), page_of_ours(field(&query, "to")), None)
}

/// The fields of an address.
fn query_of(uri: &Uri) -> Vec<(String, String)> {
    form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

/// The same page at the address by which we know ourselves, where a browser on this machine uses another.
fn at_own_address(base: &Base, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let host = headers.get("host")?.to_str().ok()?;
    let path = uri.path_and_query()?.as_str();
    let is_there = base.origin().split_once("://").is_some_and(|(_, authority)| authority == host);
    (!base.is_public && !is_there).then(|| base.url(path))
}

fn choices(served: &Served, open: Option<&Open>, to: &str, wrong: Option<&str>) -> Response {
    let of = &served.of_book;
    let issuers: Vec<&str> = of.identities.sign_ins().collect();
    let body = html! {
        h2 { "Sign in" }
        @if let Some(wrong) = wrong { p.bad { (wrong) } }
        @if !issuers.is_empty() {
            ul.choices {
                @for name in &issuers {
                    li { a href=(address(&format!("/sign-in/{name}"), to)) { "Sign in at " (name) } (of_whom(served, name)) }
                }
            }
        }
        form action="/sign-in" method="post" {
            @if !issuers.is_empty() { p { "Or with a token that the provider gave you:" } }
            input type="hidden" name="to" value=(to);
            @if let Some(open) = open { input type="hidden" name="form" value=(open.held.form_token()); }
            label for="token" { "Token" } " "
            input id="token" type="password" name="token" autocomplete="off" required;
            " " button { "Sign in" }
        }
    };
    let status = if wrong.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    (status, Html(layout("Sign in", served.clock.now(), Looks::Unknown, &body).into_string())).into_response()
}

/// Which foundations' users sign in there.
fn of_whom(served: &Served, name: &str) -> Markup {
    let issuers = &served.of_book.configuration.issuers;
    let known = issuers.iter().find(|known| known.issuer.name == name);
    let foundations: Vec<&str> =
        known.into_iter().flat_map(|known| &known.issuer.foundations).map(String::as_str).collect();
    html! {
        @if !foundations.is_empty() {
            " (" (if foundations.len() == 1 { "foundation" } else { "foundations" }) " " (foundations.join(", ")) ")"
        }
    }
}

/// Signs in by a token that is configured.
pub(super) async fn by_token(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    request: Request,
) -> Response {
    let (parts, form) = match form_of(&served, &base, request).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    if let Some(instead) = instead(&served, &base, &parts) {
        return instead;
    }
    let to = page_of_ours(field(&form, "to")).to_owned();
    let token = field(&form, "token").unwrap_or_default().trim();
    let open = match open_session(&parts, &served).await {
        Ok(open) => open,
        Err(problem) => return refused(&served, &problem.into(), "/"),
    };
    if let Some(open) = &open
        && !open.sent(&form)
    {
        return of_another_session(&served);
    }
    let Ok(caller) = served.of_book.access.caller(Some(token)) else {
        return choices(&served, open.as_ref(), &to, Some("That token isn't known."));
    };
    let identity = Identity::Token { name: caller.name, digest: ApiToken::digest(token) };
    signed_in(&served, &base, open.as_ref(), &identity, &to).await
}

/// Sends a browser to an issuer.
pub(super) async fn begin(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    if let Some(elsewhere) = elsewhere(&served, &base, &request) {
        return elsewhere;
    }
    let query = query_of(request.uri());
    let to = page_of_ours(field(&query, "to"));
    match served.of_book.identities.begin_sign_in(&issuer, &callback_of(&base, &issuer), to).await {
        Ok(Some((url, sealed))) => {
            let mut response = go_to(url.as_str());
            set_cookie(&mut response, &session::sign_in_cookie(&base, sealed));
            response
        }
        Ok(None) => {
            let body = problem("nobody signs in there", "choose where to sign in at /sign-in");
            told(&served, StatusCode::NOT_FOUND, "No sign-in there", &body)
        }
        Err(error) => not_signed_in(&served, &error.into()),
    }
}

fn callback_of(base: &Base, issuer: &str) -> String {
    base.url(&format!("/sign-in/{issuer}/callback"))
}

/// A browser comes back from an issuer.
pub(super) async fn callback(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = came_back(&served, &base, &issuer, &parts).await;
    set_cookie(&mut response, &session::no_sign_in_cookie(&base));
    response
}

async fn came_back(served: &Served, base: &Base, issuer: &str, parts: &Parts) -> Response {
    let not = |detail: &str| {
        told(served, StatusCode::BAD_REQUEST, "Not signed in", &problem(detail, "sign in again: /sign-in"))
    };
    let identities = &served.of_book.identities;
    let kept = session::sealed_sign_in(&parts.headers, base);
    let Some(begun) = kept.and_then(|kept| identities.begun_sign_in(issuer, &kept)) else {
        return not("this browser began no sign-in there, or it took longer than ten minutes");
    };
    // Each once; `iss` is RFC 9207's.
    let query = query_of(&parts.uri);
    let returned = |name: &str| field(&query, name);
    if !returned("state").is_some_and(|state| begun.is_answered_by(state)) {
        return not("the answer of the provider is to another sign-in");
    }
    if let Some(error) = returned("error") {
        let error: String = visible(error).chars().take(LONGEST_ERROR).collect();
        tracing::warn!(issuer, "the provider refused a sign-in: {error}");
        return not("the provider refused the sign-in");
    }
    let Some(code) = returned("code") else { return not("the provider's answer isn't whole") };
    let callback = callback_of(base, issuer);
    let identity = match identities.finish_sign_in(&begun, &callback, code.to_owned(), returned("iss")).await {
        Ok(identity) => identity,
        Err(error) => return not_signed_in(served, &error.into()),
    };
    match open_session(parts, served).await {
        Ok(open) => signed_in(served, base, open.as_ref(), &identity, page_of_ours(Some(&begun.then))).await,
        Err(problem) => refused(served, &problem.into(), "/"),
    }
}

/// Begins a session, or adds to the one that goes on.
async fn signed_in(served: &Served, base: &Base, before: Option<&Open>, identity: &Identity, to: &str) -> Response {
    let begun = async {
        let before = before.map(|open| &open.held);
        let told = "too many sign-ins at once\nhint: wait for one before you begin another";
        let _turn = served.of_book.turns.own(&identity.name()).map_err(|_| ProblemDetails::too_many(told))?;
        Ok::<_, ProblemDetails>(session::begin(served, store_of(served)?, base, before, identity).await?)
    };
    match begun.await {
        Ok(cookie) => {
            tracing::info!(caller = identity.name(), "signed in");
            let mut response = go_to(to);
            set_cookie(&mut response, &cookie);
            response
        }
        Err(problem) => refused(served, &problem.into(), "/"),
    }
}

/// A form that was sent from a page of another session, or of none.
fn of_another_session(served: &Served) -> Response {
    let problem = ProblemDetails::refused("the form is of another session\nhint: open the page again");
    refused(served, &problem.into(), "/")
}

/// Ends the session, and says where else one may be.
pub(super) async fn sign_out(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    request: Request,
) -> Response {
    let (parts, form) = match form_of(&served, &base, request).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let ended = async {
        let Some(open) = open_session(&parts, &served).await.map_err(Some)? else { return Ok(None) };
        if !open.sent(&form) {
            return Err(None);
        }
        let cookie =
            open.held.end(store_of(&served).map_err(Some)?, &base).await.map_err(|error| Some(error.into()))?;
        Ok::<_, Option<ProblemDetails>>(Some((open, cookie)))
    };
    let (open, cookie) = match ended.await {
        Ok(Some(ended)) => ended,
        Ok(None) => return go_to("/sign-in"),
        Err(Some(problem)) => return refused(&served, &problem.into(), "/"),
        Err(None) => return of_another_session(&served),
    };
    let back = base.url("/sign-in");
    let mut elsewhere = Vec::new();
    for identity in &open.session.identities {
        tracing::info!(caller = identity.name(), "signed out");
        if let Identity::Person { person, .. } = identity
            && !elsewhere.iter().any(|(name, _)| *name == person.issuer)
            && let Some(url) = served.of_book.identities.sign_out(&person.issuer, &back).await
        {
            elsewhere.push((person.issuer.clone(), url));
        }
    }
    let body = html! {
        h2 { "Signed out" }
        p { "This browser has no session here any more." }
        @for (name, url) in &elsewhere {
            p { a href=(url) { "Sign out at " (name) ", too" } }
        }
        p { a href="/sign-in" { "Sign in" } }
    };
    let mut response =
        Html(layout("Signed out", served.clock.now(), Looks::Unknown, &body).into_string()).into_response();
    set_cookie(&mut response, &cookie);
    response
}

fn not_signed_in(served: &Served, problem: &ProblemDetails) -> Response {
    told_problem(served, None, "Not signed in", problem)
}

/// The fields of a form that a page of ours sent.
async fn form_of(served: &Served, base: &Base, request: Request) -> Result<(Parts, Vec<(String, String)>), Response> {
    let (parts, body) = request.into_parts();
    if !base.sent_it(&parts.method, &parts.headers) {
        let detail = format!("this form doesn't come from a page of {}", base.origin());
        let refusal: Refusal = ProblemDetails::refused(format!("{detail}\nhint: open the page there")).into();
        return Err(refused(served, &refusal, "/"));
    }
    let bytes = axum::body::to_bytes(body, LONGEST_FORM).await;
    let Ok(bytes) = bytes else {
        return Err(told(served, StatusCode::PAYLOAD_TOO_LARGE, "Too long", &problem("the form is too long", "")));
    };
    let fields = form_urlencoded::parse(&bytes).into_owned().collect();
    Ok((parts, fields))
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = cookie.try_into() {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_ADDRESS, address, page_of_ours};

    #[test]
    fn who_signs_in_comes_back_to_a_page_of_ours() {
        let longest = format!("/{}", "a".repeat(LONGEST_ADDRESS - 1));
        for ours in ["/", "/invoices?period=2026-10", longest.as_str()] {
            assert_eq!(page_of_ours(Some(ours)), ours);
        }
        let longer = format!("{longest}a");
        for other in ["//evil.example", "https://evil.example", "/\\evil.example", "", "evil", "/a b", "/\n", &longer] {
            assert_eq!(page_of_ours(Some(other)), "/", "{other:?}");
        }
        assert_eq!(page_of_ours(None), "/");
        assert_eq!(address("/sign-in", "/"), "/sign-in");
        assert_eq!(address("/sign-in", "/a?b=c&d"), "/sign-in?to=%2Fa%3Fb%3Dc%26d");
    }
}
