//! What the daemon serves: metrics, health, the API and pages. Reads the board and the book; writes sessions of browsers.

mod api;
mod asking;
mod base;
mod guard;
mod host;
mod pages;
mod problem;
mod ready;
mod server;
mod session;
mod tls;
mod turns;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use chrono_tz::Tz;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::api::Forecasts;
use crate::billing_run::Sender;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::identity::Identities;
use crate::store::Store;
use crate::telemetry::{Board, Metrics};

pub use api::description;
use base::Base;
use guard::Guard;
pub use ready::{Readiness, readiness};
use server::Encryption;
pub use tls::Tls;
pub use turns::Turns;

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
    pub of_book: OfBook,
}

/// What the configuration says about reading the book.
#[derive(Clone, Debug)]
pub struct OfBook {
    pub access: Access,
    pub identities: Arc<Identities>,
    pub sender: Arc<Sender>,
    pub configuration: Arc<Configuration>,
    pub turns: Turns,
    pub forecasts: Forecasts,
}

impl OfBook {
    #[must_use]
    pub fn new(configuration: Arc<Configuration>, identities: Arc<Identities>) -> Self {
        Self {
            access: Access::new(&configuration.tokens, !configuration.issuers.is_empty()),
            identities,
            sender: Arc::new(Sender::new(&configuration.billing)),
            turns: Turns::new(configuration.database.connections),
            forecasts: Forecasts::default(),
            configuration,
        }
    }

    /// The billing time zone.
    pub(self) fn zone(&self) -> Tz {
        self.configuration.billing.time_zone
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// By a name of ours, where pages are.
    Ours,
    /// Whoever reaches us: sums, names and reasons are none of theirs.
    Anybody,
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
    /// Everything.
    pub pages: TcpListener,
    /// By which pages are encrypted; `None`: they aren't, and are for this machine and trusted proxies.
    pub tls: Option<Arc<Tls>>,
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
        Ok(Self {
            pages: again(&self.pages)?,
            tls: self.tls.clone(),
            metrics: self.metrics.as_ref().map(again).transpose()?,
        })
    }
}

/// Serves until `stop`; what is being answered is answered.
///
/// # Errors
/// If the listener fails.
pub async fn serve(listeners: Listeners, served: Served, stop: CancellationToken) -> io::Result<()> {
    let public_url = served.of_book.configuration.http.public_url.as_ref();
    let base = Base::new(public_url, listeners.pages.local_addr()?, listeners.tls.is_some());
    let served = Arc::new(served);
    let guarded = |router: Router<Arc<Served>>, has_pages: bool| {
        let guard = Guard { served: served.clone(), base: has_pages.then(|| base.clone()) };
        let router = router
            .route("/metrics", get(metrics))
            .route("/healthz", get(alive))
            .route("/readyz", get(ready::ready))
            .route("/servez", get(ready::serves));
        router.layer(from_fn_with_state(guard, guard::answer)).with_state(served.clone())
    };
    let bare = Router::new().fallback(async || (StatusCode::NOT_FOUND, "There is no such page.\n"));
    let pages = pages::router().nest(api::ROOT, api::router()).fallback(nothing);
    let (bare, pages) = (guarded(bare, false), guarded(pages, true));
    let metrics = async {
        match listeners.metrics {
            Some(listener) => server::serve(listener, Encryption::default(), bare, stop.clone()).await,
            None => Ok(()),
        }
    };
    let trusted = served.of_book.configuration.http.trusted_proxies.clone().into();
    let encryption = Encryption { tls: listeners.tls, trusted };
    tokio::try_join!(server::serve(listeners.pages, encryption, pages, stop.clone()), metrics).map(|_| ())
}

/// From what is in memory: answers also when the database or Cloud Controller is away.
async fn metrics(State(served): State<Arc<Served>>, Extension(asker): Extension<Asker>) -> Response {
    exposition(match asker {
        Asker::Ours => served.metrics.render(),
        Asker::Anybody => served.metrics.render_without_money(),
    })
}

fn exposition(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn nothing(uri: Uri) -> Response {
    if uri.path().starts_with(api::ROOT) {
        return problem::no_such_page().await.alone();
    }
    (StatusCode::NOT_FOUND, "There is no such page. The overview is at /\n").into_response()
}
