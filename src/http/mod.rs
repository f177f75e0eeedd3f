//! What the daemon serves: metrics, health, and one plain page. Reads the board and the book, changes nothing.

mod guard;
mod page;
mod ready;
mod server;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::store::Store;
use crate::telemetry::{Board, Metrics};

pub use ready::{Readiness, readiness};

/// What is served from.
#[derive(Clone, Debug)]
pub struct Served {
    pub book: Book,
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

/// The book that pages and health tell of.
#[derive(Clone, Debug)]
pub enum Book {
    Open(Store),
    /// Not reached since this process began, and why.
    Away(watch::Receiver<String>),
}

impl Book {
    /// # Errors
    /// Why it can't be reached.
    pub(self) fn store(&self) -> Result<&Store, String> {
        match self {
            Self::Open(store) => Ok(store),
            Self::Away(reason) => Err(reason.borrow().clone()),
        }
    }
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
        .route("/readyz", get(ready))
        .route("/servez", get(serves))
        .fallback(nothing)
        .layer(from_fn_with_state(served.clone(), guard::answer))
        .with_state(served);
    let metrics = async {
        match listeners.metrics {
            Some(listener) => server::serve(listener, bare, stop.clone()).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(server::serve(listeners.pages, router, stop.clone()), metrics).map(|_| ())
}

/// As [`metrics`]: a word for who asks under another name.
async fn ready(served: State<Arc<Served>>, headers: HeaderMap) -> Response {
    let is_known = guard::is_known(headers.get(HOST), &served.hosts);
    if is_known { ready::ready(served).await } else { ready::ready_in_a_word(served).await }
}

/// As [`ready()`].
async fn serves(served: State<Arc<Served>>, headers: HeaderMap) -> Response {
    let is_known = guard::is_known(headers.get(HOST), &served.hosts);
    if is_known { ready::serves(served).await } else { ready::serves_in_a_word(served).await }
}

/// From what is in memory: answers also when the database or Cloud Controller is away. Who asks under a name that isn't ours
/// may be a page in somebody's browser: no money for it.
async fn metrics(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response {
    let is_known = guard::is_known(headers.get(HOST), &served.hosts);
    exposition(if is_known { served.metrics.render() } else { served.metrics.render_without_money() })
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
