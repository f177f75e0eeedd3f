//! What every answer goes through: who may ask for it under which name, how long it may take, and what a browser may do
//! with it.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::page::style_hash;
use super::server::Reserved;
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
    /// Pages are served here.
    pub has_pages: bool,
}

/// Answers, counts and times a request by the template of its route; notes who asks.
pub(super) async fn answer(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let Guard { served, has_pages } = guard;
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    // Any other word would be a label of the asker's choice.
    let method = if matches!(request.method().as_str(), "GET" | "HEAD") { request.method().as_str() } else { "other" };
    let method = method.to_owned();
    let watch = Stopwatch::start();
    let is_plain = PLAIN.contains(&route.as_str());
    let is_known = is_known(request.headers().get(HOST), &served.hosts);
    request.extensions_mut().insert(if has_pages && is_known { Asker::Ours } else { Asker::Anybody });
    let mut response = if !is_plain && request.extensions().get::<Reserved>().is_some() {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], "Too many connections. Try again.\n").into_response()
    } else if !is_plain && !is_known {
        let told = "This name isn't known here.\nhint: add it to `hosts` in [http], if it is yours\n";
        (StatusCode::MISDIRECTED_REQUEST, told).into_response()
    } else {
        let late = || (StatusCode::SERVICE_UNAVAILABLE, "It took too long. Try again.\n").into_response();
        tokio::time::timeout(LONGEST, next.run(request)).await.unwrap_or_else(|_| late())
    };
    for (name, value) in headers() {
        response.headers_mut().insert(name, value);
    }
    served.metrics.http(&route, &method, response.status().as_u16(), watch.elapsed());
    response
}

/// Nothing but our own style: no script, no frame, nothing of others.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = style_hash();
    let policy =
        format!("default-src 'none'; style-src '{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// What a browser is told of every answer.
fn headers() -> [(HeaderName, HeaderValue); 5] {
    [
        (CONTENT_SECURITY_POLICY, POLICY.clone()),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}

/// Whether a request's `Host` is this machine itself, or one of the configured names: a page of somebody else's name that
/// leads here (DNS rebinding) is none.
fn is_known(host: Option<&HeaderValue>, hosts: &[String]) -> bool {
    // Without one it isn't a browser.
    let Some(host) = host else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_loopback = name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || name.eq_ignore_ascii_case("localhost") || hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::is_known;

    #[test]
    fn names_of_this_machine_and_configured_ones_are_known() {
        let hosts = ["billing.example.org".to_owned()];
        for (host, known) in [
            ("127.0.0.1", true),
            ("127.0.0.1:9495", true),
            ("localhost:9495", true),
            ("LOCALHOST", true),
            ("[::1]:9495", true),
            ("[::1]", true),
            ("billing.example.org", true),
            ("Billing.Example.Org:443", true),
            ("evil.example.org", false),
            ("billing.example.org.evil.example", false),
            ("192.0.2.1:9495", false),
            ("[2001:db8::1]:9495", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(host);
            assert_eq!(is_known(Some(&value), &hosts), known, "{host}");
        }
        assert!(is_known(None, &hosts));
    }
}
