//! Signing in and out: by a token, or at an `OpenID` provider.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;
use url::form_urlencoded;

use super::{Looks, go_to, layout, problem, refused, told};
use crate::access::{Access, ApiToken, Identity};
use crate::http::Served;
use crate::http::asking::{Refusal, open_session, store_of};
use crate::http::base::Base;
use crate::http::host::is_from_here;
use crate::http::problem::ProblemDetails;
use crate::http::session::{self, Open};
use crate::identity::BegunSignIn;

/// A form is no longer.
const LONGEST_FORM: usize = 4096;
/// An address to come back to is no longer: it is kept in a cookie.
const LONGEST_ADDRESS: usize = 1024;

/// What a sign-in page is asked with; what others add is none of ours.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// The page to come back to.
    to: Option<String>,
}

/// What a provider sends a browser back with.
#[derive(Debug, Deserialize)]
pub(super) struct Returned {
    code: Option<String>,
    state: Option<String>,
    /// RFC 9207.
    iss: Option<String>,
    error: Option<String>,
}

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
fn instead(served: &Served, base: &Base, headers: &HeaderMap, uri: &Uri) -> Option<Response> {
    if matches!(served.of_book.access, Access::Open) {
        return Some(go_to("/"));
    }
    if !base.is_public && !is_from_here(headers, uri) {
        let body = html! {
            p { "Nobody can sign in at this address: the daemon knows itself by " code { (base.origin()) } " alone." }
            p { "Set " code { "[http] public_url" } " to the address that browsers use." }
        };
        return Some(told(served, StatusCode::MISDIRECTED_REQUEST, "No sign-in here", &body));
    }
    None
}

/// Asks how to sign in.
pub(super) async fn choose(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    if let Some(instead) = instead(&served, &base, request.headers(), request.uri()) {
        return instead;
    }
    // A cookie of `localhost` isn't one of `127.0.0.1`.
    if let Some(own) = at_own_address(&base, request.headers(), request.uri()) {
        return go_to(&own);
    }
    choices(&served, page_of_ours(asked.to.as_deref()), None)
}

/// The same page at the address by which we know ourselves, where a browser on this machine uses another.
fn at_own_address(base: &Base, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let host = headers.get("host")?.to_str().ok()?;
    let path = uri.path_and_query()?.as_str();
    (!base.is_public && base.origin() != format!("http://{host}")).then(|| base.url(path))
}

fn choices(served: &Served, to: &str, wrong: Option<&str>) -> Response {
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
    if let Some(instead) = instead(&served, &base, &parts.headers, &parts.uri) {
        return instead;
    }
    let to = page_of_ours(field(&form, "to")).to_owned();
    let token = field(&form, "token").unwrap_or_default().trim();
    let Ok(caller) = served.of_book.access.caller(Some(token)) else {
        return choices(&served, &to, Some("That token isn't known."));
    };
    let identity = Identity::Token { name: caller.name, digest: ApiToken::digest(token) };
    signed_in(&served, &base, &parts, identity, &to).await
}

/// Sends a browser to an issuer.
pub(super) async fn begin(
    State(served): State<Arc<Served>>,
    Extension(base): Extension<Base>,
    Path(issuer): Path<String>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    if let Some(instead) = instead(&served, &base, request.headers(), request.uri()) {
        return instead;
    }
    if let Some(own) = at_own_address(&base, request.headers(), request.uri()) {
        return go_to(&own);
    }
    let to = page_of_ours(asked.to.as_deref());
    match served.of_book.identities.begin_sign_in(&issuer, &callback_of(&base, &issuer), to).await {
        Ok(Some((url, begun))) => {
            let mut response = go_to(url.as_str());
            set_cookie(&mut response, &session::sign_in_cookie(&base, &begun));
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
    Query(returned): Query<Returned>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let mut response = came_back(&served, &base, &issuer, returned, &parts).await;
    set_cookie(&mut response, &session::no_sign_in_cookie(&base));
    response
}

async fn came_back(served: &Served, base: &Base, issuer: &str, returned: Returned, parts: &Parts) -> Response {
    let not = |detail: &str| {
        told(served, StatusCode::BAD_REQUEST, "Not signed in", &problem(detail, "sign in again: /sign-in"))
    };
    let begun = session::begun_sign_in::<BegunSignIn>(&parts.headers, base).filter(|begun| begun.issuer == issuer);
    let Some(begun) = begun else {
        return not("this browser began no sign-in there, or it took longer than ten minutes");
    };
    if let Some(error) = &returned.error {
        tracing::warn!(issuer, "the provider refused a sign-in: {}", crate::domain::text::visible(error));
        return not("the provider refused the sign-in");
    }
    let (Some(code), Some(state)) = (returned.code, returned.state) else {
        return not("the provider's answer isn't whole");
    };
    let to = begun.then.clone();
    let callback = callback_of(base, issuer);
    match served.of_book.identities.finish_sign_in(begun, &callback, code, &state, returned.iss.as_deref()).await {
        Ok(identity) => signed_in(served, base, parts, identity, page_of_ours(Some(&to))).await,
        Err(error) => not_signed_in(served, &error.into()),
    }
}

/// Begins a session, or adds to the one that goes on.
async fn signed_in(served: &Served, base: &Base, parts: &Parts, identity: Identity, to: &str) -> Response {
    let name = identity.name();
    let begun = async {
        let before: Option<Open> = open_session(parts, served).await?;
        Ok::<_, ProblemDetails>(session::begin(served, store_of(served)?, base, before, identity).await?)
    };
    match begun.await {
        Ok(cookie) => {
            tracing::info!(caller = name, "signed in");
            let mut response = go_to(to);
            set_cookie(&mut response, &cookie);
            response
        }
        Err(problem) => refused(served, &problem.into(), "/"),
    }
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
        let Some(open) = open_session(&parts, &served).await? else { return Ok(None) };
        if field(&form, "form") != Some(open.held.form_token().as_str()) {
            return Err(ProblemDetails::refused("the form is of another session\nhint: open the page again"));
        }
        let cookie = open.held.end(store_of(&served)?, &base).await?;
        Ok::<_, ProblemDetails>(Some((open, cookie)))
    };
    let (open, cookie) = match ended.await {
        Ok(Some(ended)) => ended,
        Ok(None) => return go_to("/sign-in"),
        Err(problem) => return refused(&served, &problem.into(), "/"),
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

fn not_signed_in(served: &Served, problem_of_it: &ProblemDetails) -> Response {
    if let Some(why) = problem_of_it.logged() {
        tracing::warn!("nobody can sign in: {why}");
    }
    let body = problem(problem_of_it.detail(), problem_of_it.hint());
    told(served, problem_of_it.status(), "Not signed in", &body)
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

/// The only field of that name.
fn field<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let mut found = form.iter().filter(|(key, _)| key == name);
    let one = found.next()?;
    found.next().is_none().then_some(one.1.as_str())
}

fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = cookie.try_into() {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST_ADDRESS, address, field, page_of_ours};

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

    #[test]
    fn a_field_is_there_once() {
        let form = [("a", "1"), ("b", "2"), ("b", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((field(&form, "a"), field(&form, "b"), field(&form, "c")), (Some("1"), None, None));
    }
}
