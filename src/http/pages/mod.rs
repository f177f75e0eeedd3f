//! What people see in a browser. Owns how pages look, and what they say where something can't be shown.

mod overview;
mod sign_in;

use axum::Router;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use std::sync::Arc;

use super::Served;
use super::asking::{Refusal, Visitor};
use super::problem::{ProblemDetails, request_id};
use crate::access::Access;
use crate::domain::Timestamp;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #1a7f37; --wait: #9a6700; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --wait: #d29922; --bad: #f85149; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
header { display: flex; flex-wrap: wrap; gap: .5rem 2rem; align-items: baseline; justify-content: space-between; }
nav a { margin-left: 1rem; } p { max-width: 60ch; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 600; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; } time { white-space: nowrap; }
.good { color: var(--good); } .wait { color: var(--wait); } .bad { color: var(--bad); }
.who { background: var(--soft); padding: .5rem .75rem; border-radius: .3rem; max-width: none; }
.who a, .who button { margin-left: 1rem; } h1 a { color: inherit; text-decoration: none; }
.choices { padding: 0; list-style: none; } .choices li { margin: .5rem 0; }
button, input { font: inherit; padding: .2rem .6rem; }
.detail { white-space: pre-line; overflow-wrap: anywhere; }
code { background: var(--soft); padding: .1rem .3rem; border-radius: .2rem; }
";

/// By which a browser knows our own style from anybody else's.
pub(super) fn style_hash() -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE)))
}

/// All pages.
pub(super) fn router() -> Router<Arc<Served>> {
    Router::new()
        .route("/", get(overview::overview))
        .route("/sign-in", get(sign_in::choose).post(sign_in::by_token))
        .route("/sign-in/{issuer}", get(sign_in::begin))
        .route("/sign-in/{issuer}/callback", get(sign_in::callback))
        .route("/sign-out", axum::routing::post(sign_in::sign_out))
}

/// Who looks at a page.
#[derive(Clone, Copy, Debug)]
enum Looks<'v> {
    /// Whoever is on this machine: nobody is asked who they are.
    Anybody,
    /// Who signed in.
    Known(&'v Visitor),
    /// A program with a token, or somebody who hasn't signed in.
    Unknown,
}

impl<'v> Looks<'v> {
    fn new(served: &Served, visitor: Option<&'v Visitor>) -> Self {
        match visitor {
            Some(visitor) => Self::Known(visitor),
            None if matches!(served.of_book.access, Access::Open) => Self::Anybody,
            None => Self::Unknown,
        }
    }
}

fn layout(title: &str, now: Timestamp, looks: Looks<'_>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · cf-billing" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { a href="/" { "cf-billing" } }
                    span { (instant(now)) }
                    nav {
                        a href="/metrics" { "metrics" }
                        a href="/readyz" { "readiness" }
                        a href="/servez" { "serving" }
                        a href="/healthz" { "health" }
                    }
                }
                @match looks {
                    Looks::Anybody => p.who {
                        "Open: whoever is on this machine sees everything here. Nothing can be changed here. "
                        "A " code { "[[token]]" } " or an " code { "[[issuer]]" } " in the configuration closes it."
                    }
                    Looks::Known(visitor) => form.who action="/sign-out" method="post" {
                        "Signed in as " b { (visitor.names.join(" and ")) } " "
                        input type="hidden" name="form" value=(visitor.form_token);
                        a href="/sign-in" { "Sign in as somebody else, too" } " "
                        button { "Sign out" }
                    }
                    Looks::Unknown => {}
                }
                main { (body) }
            }
        }
    }
}

/// A page that isn't what was asked for.
fn told(served: &Served, status: StatusCode, title: &str, body: &Markup) -> Response {
    told_to(served, None, status, title, body)
}

/// As [`told`], to somebody who has signed in.
fn told_to(served: &Served, visitor: Option<&Visitor>, status: StatusCode, title: &str, body: &Markup) -> Response {
    let page = layout(title, served.clock.now(), Looks::new(served, visitor), body);
    (status, Html(page.into_string())).into_response()
}

/// A page that says what is wrong; whoever runs the daemon finds more in its log, under the same id.
fn told_problem(served: &Served, visitor: Option<&Visitor>, title: &str, wrong: &ProblemDetails) -> Response {
    let id = request_id();
    if let Some(why) = wrong.logged() {
        tracing::warn!(request_id = id, "a page can't be shown: {why}");
    }
    let body = html! {
        (problem(wrong.detail(), wrong.hint()))
        @if wrong.logged().is_some() { p { small { "Request " (id) } } }
    };
    let mut response = told_to(served, visitor, wrong.status(), title, &body);
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// What is wrong, and what to do about it.
fn problem(detail: &str, hint: &str) -> Markup {
    html! {
        p.bad { (sentence(detail)) }
        @if !hint.is_empty() { p { (sentence(hint)) } }
    }
}

/// As a sentence begins and ends.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    let end = if text.ends_with(['.', '?', '!']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

/// To another page.
fn go_to(address: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, address.to_owned()), (CONTENT_TYPE, "text/plain".to_owned())], "")
        .into_response()
}

/// Why a page isn't shown: who isn't known signs in, and comes back to `here`.
fn refused(served: &Served, refusal: &Refusal, here: &str) -> Response {
    if refusal.problem.status() == StatusCode::UNAUTHORIZED && !matches!(served.of_book.access, Access::Open) {
        return go_to(&match &refusal.again_at {
            Some(issuer) => sign_in::address(&format!("/sign-in/{issuer}"), here),
            None => sign_in::address("/sign-in", here),
        });
    }
    told_problem(served, refusal.visitor.as_ref(), refusal.problem.title(), &refusal.problem)
}

fn instant(at: Timestamp) -> Markup {
    let text = at.to_string();
    html! { time datetime=(text) { (text.replace('T', " ").replace('Z', " UTC")) } }
}

fn optional(at: Option<Timestamp>) -> Markup {
    at.map_or_else(|| html! { "" }, instant)
}

/// A length of time, in its two largest units.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, name) in units.iter().skip(first).take(2) {
        parts.push(format!("{} {name}", left / size));
        left %= size;
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{sentence, span};

    #[test]
    fn a_lag_is_told_in_two_units() {
        for (seconds, text) in [
            (-5, "0 s"),
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m 0 s"),
            (3599, "59 m 59 s"),
            (3600, "1 h 0 m"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }

    #[test]
    fn what_is_told_is_a_sentence() {
        for (text, sentence_of_it) in [("the book is away", "The book is away."), ("Why?", "Why?"), ("", ".")] {
            assert_eq!(sentence(text), sentence_of_it);
        }
    }
}
