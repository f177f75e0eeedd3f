//! What the daemon serves: metrics, health, and one plain page. Reads the board and the book, changes nothing.

mod page;
mod ready;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stopwatch};
use crate::store::Store;
use crate::telemetry::{Board, Metrics};

pub use ready::{Readiness, readiness};

/// What is served from.
#[derive(Clone, Debug)]
pub struct Served {
    pub store: Store,
    pub clock: Clock,
    pub metrics: Metrics,
    pub board: Board,
    /// Writing or collecting that has failed for this long makes it not ready.
    pub not_ready_after: Duration,
    /// Between two looks at a foundation, by whoever collects it.
    pub poll_interval: Duration,
}

/// Serves until `stop`; what is being answered is answered.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    served: Served,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let served = Arc::new(served);
    let router = Router::new()
        .route("/", get(page::overview))
        .route("/metrics", get(metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready::ready))
        .route("/servez", get(ready::serves))
        .fallback(nothing)
        .layer(from_fn_with_state(served.clone(), counted))
        .with_state(served);
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Serves metrics and health until `stop` while the database can't be reached, for that reason.
///
/// # Errors
/// If the listener fails.
pub async fn serve_without_database(
    listener: TcpListener,
    reason: String,
    metrics: Metrics,
    stop: CancellationToken,
) -> io::Result<()> {
    let body = json!({ "ready": false, "database": reason, "writing": reason, "foundations": {} });
    let serves = move || std::future::ready((StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")));
    let ready = move || std::future::ready((StatusCode::SERVICE_UNAVAILABLE, Json(body.clone())));
    let render = move || std::future::ready(exposition(&metrics));
    let router = Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/servez", get(serves))
        .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "The database can't be reached. See /readyz\n"));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Counts a request by the template of its route.
async fn counted(State(served): State<Arc<Served>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    // Any other word would be a label of the asker's choice.
    let method = if matches!(request.method().as_str(), "GET" | "HEAD") { request.method().as_str() } else { "other" };
    let method = method.to_owned();
    let watch = Stopwatch::start();
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    served.metrics.http(&route, &method, response.status().as_u16(), watch.elapsed());
    response
}

/// From what is in memory: answers also when the database or Cloud Controller is away.
async fn metrics(State(served): State<Arc<Served>>) -> Response {
    exposition(&served.metrics)
}

fn exposition(metrics: &Metrics) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page. The overview is at /\n").into_response()
}
