//! What every answer goes through: who may ask for it under which name, how long it may take, and what a browser may do
//! with it.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use super::api;
use super::base::Base;
use super::host::{is_from_here, is_known};
use super::pages::style_hash;
use super::problem::ProblemDetails;
use super::server::{Peer, Reserved, is_among};
use super::{Asker, Served};
use crate::clock::Stopwatch;

/// No answer takes longer.
const LONGEST: Duration = Duration::from_secs(30);

/// What alerts and probes ask: whatever the name and however many others ask.
const PLAIN: [&str; 4] = ["/metrics", "/healthz", "/readyz", "/servez"];

/// What a request goes through.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub served: Arc<Served>,
    /// Where pages are; `None`: there are none here.
    pub base: Option<Base>,
}

/// Answers, counts and times a request by the template of its route; notes who asks.
pub(super) async fn answer(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let Guard { served, base } = guard;
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    // Any other word would be a label of the asker's choice.
    let method = if matches!(request.method().as_str(), "GET" | "HEAD") { request.method().as_str() } else { "other" };
    let method = method.to_owned();
    let watch = Stopwatch::start();
    let is_plain = PLAIN.contains(&route.as_str());
    let is_known = is_known(request.headers(), request.uri(), &served.hosts);
    // Whoever comes by another name isn't one of those who operate it.
    let is_ours = base.is_some() && is_from_here(&request);
    request.extensions_mut().insert(if is_ours { Asker::Ours } else { Asker::Anybody });
    let is_api = request.uri().path().starts_with(api::ROOT);
    let busy = |told: &'static str| {
        if is_api {
            return ProblemDetails::away(told).alone();
        }
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], format!("{told}\n")).into_response()
    };
    let has_pages = base.is_some();
    if let Some(base) = base {
        request.extensions_mut().insert(base);
    }
    // Money and cookies go over the network encrypted, or by a proxy that sees to it.
    let trusted = &served.of_book.configuration.http.trusted_proxies;
    let may_come = !has_pages || may_come(request.extensions().get::<Peer>(), trusted);
    let mut response = if !may_come {
        let told = "Pages are for this machine and for trusted proxies.\nhint: use https; or add the proxy to `trusted_proxies` in [http]";
        if is_api {
            ProblemDetails::refused(told).alone()
        } else {
            (StatusCode::FORBIDDEN, format!("{told}\n")).into_response()
        }
    } else if !is_plain && request.extensions().get::<Reserved>().is_some() {
        busy("Too many connections. Try again.")
    } else if !is_plain && !is_known {
        let told = "This name isn't known here.\nhint: add it to `hosts` in [http], if it is yours";
        if is_api {
            ProblemDetails::misdirected(told).alone()
        } else {
            (StatusCode::MISDIRECTED_REQUEST, format!("{told}\n")).into_response()
        }
    } else {
        let answered = tokio::time::timeout(LONGEST, next.run(request)).await;
        answered.unwrap_or_else(|_| busy("It took too long. Try again."))
    };
    for (name, value) in headers() {
        // The API has its own where it must.
        response.headers_mut().entry(name).or_insert(value);
    }
    served.metrics.http(&route, &method, response.status().as_u16(), watch.elapsed());
    response
}

/// Whether pages are for whoever has that connection.
fn may_come(peer: Option<&Peer>, trusted: &[IpNet]) -> bool {
    peer.is_some_and(|peer| peer.is_encrypted || peer.is_here || is_among(trusted, peer.address))
}

/// Nothing but our own style: no script, no frame, nothing of others.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = style_hash();
    let policy =
        format!("default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What a browser is told of every answer.
fn headers() -> [(HeaderName, HeaderValue); 6] {
    [
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        // To nobody else; with `no-referrer`, browsers send our own forms without their origin.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (VARY, HeaderValue::from_static("Authorization, Cookie, Accept, Accept-Language")),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Peer, may_come};

    #[test]
    fn without_tls_pages_are_for_this_machine_and_for_proxies() {
        let trusted = ["10.1.0.0/16".parse().unwrap()];
        for (address, is_here, is_encrypted, comes) in [
            ("127.0.0.1", true, false, true),
            ("10.1.255.255", false, false, true),
            ("10.2.0.0", false, false, false),
            ("192.0.2.7", false, false, false),
            ("192.0.2.7", false, true, true),
            ("192.0.2.7", true, false, true),
        ] {
            let peer = Peer { address: address.parse().unwrap(), is_here, is_encrypted };
            assert_eq!(may_come(Some(&peer), &trusted), comes, "{peer:?}");
        }
        assert!(!may_come(None, &trusted));
    }
}
