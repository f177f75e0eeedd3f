//! What the daemon serves: metrics, health, and one plain page. Reads the board and the book, changes nothing.

mod guard;
mod page;
mod ready;
mod server;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
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
    /// Names that pages answer to, beside those of this machine itself.
    pub hosts: Vec<String>,
}

/// Where to serve.
#[derive(Debug)]
pub struct Listeners {
    /// Everything; on loopback.
    pub pages: TcpListener,
    /// Metrics without money, and health in one word; for anybody who reaches it.
    pub metrics: Option<TcpListener>,
}

impl Listeners {
    /// The same addresses once more.
    ///
    /// # Errors
    /// If the system has no more.
    pub fn try_clone(&self) -> io::Result<Self> {
        let again = |listener: &TcpListener| TcpListener::from_std(listener.as_fd().try_clone_to_owned()?.into());
        Ok(Self { pages: again(&self.pages)?, metrics: self.metrics.as_ref().map(again).transpose()? })
    }
}

/// Serves until `stop`; what is being answered is answered.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listeners: Listeners, served: Served, stop: CancellationToken) -> io::Result<()> {
    let served = Arc::new(served);
    let bare = Router::new()
        .route("/metrics", get(bare_metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready::ready_in_a_word))
        .route("/servez", get(ready::serves_in_a_word))
        .fallback(async || (StatusCode::NOT_FOUND, "There is no such page.\n"))
        .layer(from_fn_with_state(served.clone(), guard::answer))
        .with_state(served.clone());
    let router = Router::new()
        .route("/", get(page::overview))
        .route("/metrics", get(metrics))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready::ready))
        .route("/servez", get(ready::serves))
        .fallback(nothing)
        .layer(from_fn_with_state(served.clone(), guard::answer))
        .with_state(served);
    serve_both(listeners, router, bare, stop).await
}

async fn serve_both(listeners: Listeners, pages: Router, bare: Router, stop: CancellationToken) -> io::Result<()> {
    let metrics = async {
        match listeners.metrics {
            Some(listener) => server::serve(listener, bare, stop.clone()).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(server::serve(listeners.pages, pages, stop.clone()), metrics).map(|_| ())
}

/// Serves metrics and health until `stop` while the database can't be reached, for that reason.
///
/// # Errors
/// If the listener fails.
pub async fn serve_without_database(
    listeners: Listeners,
    reason: String,
    metrics: Metrics,
    stop: CancellationToken,
) -> io::Result<()> {
    const AWAY: (StatusCode, &str) = (StatusCode::SERVICE_UNAVAILABLE, "The database can't be reached. See /readyz\n");
    let bare = {
        let metrics = metrics.clone();
        Router::new()
            .route("/metrics", get(move || std::future::ready(exposition(metrics.render_without_money()))))
            .route("/healthz", get(alive))
            .fallback(async || (StatusCode::SERVICE_UNAVAILABLE, "unavailable\n"))
    };
    let body = json!({ "ready": false, "database": reason, "writing": reason, "foundations": {} });
    let serves = move || std::future::ready((StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")));
    let ready = move || std::future::ready((StatusCode::SERVICE_UNAVAILABLE, Json(body.clone())));
    let render = move || std::future::ready(exposition(metrics.render()));
    let router = Router::new()
        .route("/metrics", get(render))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/servez", get(serves))
        .fallback(async || AWAY);
    serve_both(listeners, router, bare, stop).await
}

/// From what is in memory: answers also when the database or Cloud Controller is away.
async fn metrics(State(served): State<Arc<Served>>) -> Response {
    exposition(served.metrics.render())
}

/// What anybody may know.
async fn bare_metrics(State(served): State<Arc<Served>>) -> Response {
    exposition(served.metrics.render_without_money())
}

fn exposition(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "There is no such page. The overview is at /\n").into_response()
}
