//! What goes wrong between Cloud Controller and whoever asks it, as it was met in the wild: routers, proxies, networks, and
//! other APIs under the address. Owns the answers; the foundation behind them stays as it is.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Fault {
    /// A router answers 404 `unknown_route` for everything
    #[value(name = "router-404")]
    Router404,
    /// A router answers 404 `unknown_route` for usage snapshots alone
    #[value(name = "router-404-snapshots")]
    Router404Snapshots,
    /// A proxy refuses the lists of what there is with 403 and a page
    #[value(name = "proxy-403-lists")]
    Proxy403Lists,
    /// A captive proxy answers everything with its login page, 200
    LoginPage,
    /// Something answers everything with JSON of its own, 200
    OtherJson,
    /// Everything is redirected to https
    RedirectHttps,
    /// Addresses of more than 300 bytes are refused, 414
    UriTooLong,
    /// Requests with a token are refused for their size, 431
    HeadersTooLarge,
    /// Answers come compressed, which nobody asked for
    Gzip,
    /// Lists always name a next page
    EndlessNext,
    /// Answers come a byte every five seconds
    SlowBytes,
    /// Every answer of a list is cut in the middle
    Cut,
    /// The root document names somebody else's UAA
    OtherUaa,
    /// It is Korifi
    Korifi,
    /// It is another API
    OtherApi,
    /// It has a V3 API without usage events
    NoUsageEvents,
    /// Every other process, task and service instance has null for `updated_at`, as rows from before it was kept
    NullUpdatedAt,
    /// Apps don't name their current droplet, as in releases before mid-2024
    NoDropletRelationship,
    /// Usage events can't be filtered by time, as in older releases
    NoCreatedAts,
    /// Operators have set `cc.renderer.max_total_results` to 100
    MaxTotalResults,
    /// One app, process, service instance, service plan and space each can't be read
    UnreadableRows,
    /// Its clock is an hour ahead of ours
    ClockAhead,
    /// One of two machines that stamp usage events has a clock that is eight hours ahead
    MachineAhead,
}

/// How the bytes of an answer travel, where that is a fault; an extension of the response.
#[derive(Clone, Copy, Debug)]
pub enum Travels {
    /// One byte each time.
    Drips(Duration),
    /// Half of it, then the connection is cut.
    Cut,
}

/// No address is longer where long ones are refused.
const LONGEST_URI: usize = 300;

impl Fault {
    /// What becomes of an answer of the foundation's, or of what would have been its answer.
    #[must_use]
    pub fn spoil(self, request: &Request<Bytes>, answer: Response<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        let of_snapshots = path.contains("_usage/snapshots");
        let of_events = path.contains("_usage_events");
        let of_lists = path.starts_with("/v3/") && !of_snapshots && !of_events && path != "/v3/info";
        match self {
            Self::Router404 => router_404(),
            Self::Router404Snapshots if of_snapshots => router_404(),
            Self::Proxy403Lists if of_lists => {
                page(403, "<html><body><h1>403 Forbidden</h1>blocked by policy</body></html>")
            }
            Self::LoginPage => page(200, "<html><body><form action=\"/login\">Please log in</form></body></html>"),
            Self::OtherJson => json_of(&json!({"status": "ok"})),
            Self::RedirectHttps => {
                let mut redirect = page(301, "<html><body>moved</body></html>");
                let to = format!("https://api.cf.example.org{path}");
                set(&mut redirect, LOCATION, &to);
                redirect
            }
            Self::UriTooLong if request.uri().to_string().len() > LONGEST_URI => {
                page(414, "<html><body>414 Request-URI Too Large</body></html>")
            }
            Self::HeadersTooLarge if has_token(request) => {
                page(431, "<html><body>431 Request Header Fields Too Large</body></html>")
            }
            Self::Gzip => compressed(answer),
            Self::EndlessNext => changed(answer, |body| {
                let first = body["pagination"]["first"].clone();
                if let Some(next) = body.pointer_mut("/pagination/next").filter(|next| next.is_null()) {
                    *next = first;
                }
            }),
            Self::SlowBytes => travelling(answer, Travels::Drips(Duration::from_secs(5))),
            Self::Cut if of_lists || of_events => travelling(answer, Travels::Cut),
            Self::OtherUaa if path == "/" => changed(answer, |body| {
                for link in ["login", "uaa"] {
                    body["links"][link] = json!({"href": "https://uaa.elsewhere.example"});
                }
            }),
            Self::Korifi if path == "/" => changed(answer, |body| {
                body["cf_on_k8s"] = json!(true);
                body["links"]["uaa"] = Value::Null;
                body["links"]["cloud_controller_v3"]["meta"]["version"] = json!("3.117.0+cf-k8s");
            }),
            Self::OtherApi if path == "/" => changed(answer, |body| {
                body["links"]["cloud_controller_v3"] = Value::Null;
            }),
            Self::NoUsageEvents if of_events => {
                let mut unknown = json_of(&json!({
                    "errors": [{"code": 10_000, "title": "CF-NotFound", "detail": "Unknown request"}],
                }));
                *unknown.status_mut() = StatusCode::NOT_FOUND;
                unknown
            }
            _ => answer,
        }
    }
}

fn has_token(request: &Request<Bytes>) -> bool {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.starts_with("bearer "))
}

/// Gorouter's, while it knows no route.
#[must_use]
pub fn router_404() -> Response<Bytes> {
    let body = "404 Not Found: Requested route ('api.simulated.invalid') does not exist.\n";
    let mut answer = Response::new(Bytes::from_static(body.as_bytes()));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    set(&mut answer, CONTENT_TYPE, "text/plain; charset=utf-8");
    answer.headers_mut().insert("x-cf-routererror", HeaderValue::from_static("unknown_route"));
    answer
}

/// A page of a proxy's.
#[must_use]
pub fn page(status: u16, html: &'static str) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from_static(html.as_bytes()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    set(&mut answer, CONTENT_TYPE, "text/html");
    answer
}

fn json_of(body: &Value) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body.to_string()));
    set(&mut answer, CONTENT_TYPE, "application/json");
    answer
}

fn set(answer: &mut Response<Bytes>, name: http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

/// The same with another body, where it is JSON.
fn changed(answer: Response<Bytes>, change: impl FnOnce(&mut Value)) -> Response<Bytes> {
    let Ok(mut body) = serde_json::from_slice::<Value>(answer.body()) else { return answer };
    change(&mut body);
    answer.map(|_| Bytes::from(body.to_string()))
}

fn compressed(answer: Response<Bytes>) -> Response<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Into memory.
    let written = encoder.write_all(answer.body()).and_then(|()| encoder.finish());
    let Ok(body) = written else { return answer };
    let mut answer = answer.map(|_| Bytes::from(body));
    set(&mut answer, CONTENT_ENCODING, "gzip");
    answer
}

fn travelling(mut answer: Response<Bytes>, how: Travels) -> Response<Bytes> {
    answer.extensions_mut().insert(how);
    answer
}
