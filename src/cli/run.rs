//! `cf-billing run`: the daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::progress::Bars;
use super::{Failure, Global};
use crate::accounts::Accounts;
use crate::billing_run::{self, Card, Sender};
use crate::clock::Clock;
use crate::cloud_controller::transport::{Http, Limits, Transport};
use crate::cloud_controller::{Client, Credentials};
use crate::config::{Configuration, Foundation};
use crate::consumer::Plan;
use crate::daemon::{Backoff, Daemon, Heartbeat, Member, begin_series, status};
use crate::http::{self, Book, Listeners, OfBook, Served, Tls};
use crate::identity::{self, Identities};
use crate::store::{Making, Store, StoreError};
use crate::telemetry::{self, Board, Metrics};

/// Collect usage of the configured foundations, until told to stop
///
/// Takes a baseline of each foundation and reads its usage events from then on. Ends cleanly on SIGTERM or Ctrl-C;
/// whatever ends it, the next start goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing run --config /etc/cf-billing/cf-billing.toml")]
pub struct Run {
    /// Make the book if it is missing, even where one is expected: once, to set up a service or after its book is lost
    #[arg(long, conflicts_with = "no_create")]
    init: bool,
    /// Never make a book: end with an error if it is missing, for example because its disk isn't mounted
    #[arg(long)]
    no_create: bool,
}

/// How long the database may take to close.
const CLOSING: Duration = Duration::from_secs(1);

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        if configuration.foundations.is_empty() {
            return Err(Failure::usage(
                "no foundation is configured\nhint: add a [[foundation]] with name, api, client_id and client_secret_file",
            ));
        }
        not_in_a_container(&configuration)?;
        let making = match self {
            Self { init: true, .. } => Making::Always,
            Self { no_create: true, .. } => Making::Never,
            Self { .. } => Making::Unexpected,
        };
        let bars = Bars::default();
        telemetry::init(&configuration.log, bars.clone());
        let configuration = Arc::new(configuration);
        let clock = Clock::System;
        let members: Result<Vec<Member>, Failure> =
            configuration.foundations.iter().map(|foundation| member(&configuration, foundation, &clock)).collect();
        let members = members?;
        let names: Vec<String> = members.iter().map(|member| member.plan.foundation.clone()).collect();
        let rates = configuration.billing.rates.as_deref();
        let card = rates.map(|rates| Card::read(rates, configuration.billing.time_zone)).transpose()?;
        let accounts = billing_run::accounts(&configuration).map_err(Failure::usage)?;
        let early = match open(&configuration, making).await {
            Err(error) if error.is_away() => Err(error),
            opened => Ok(opened?),
        };
        if let (Some(card), Ok(store)) = (&card, &early) {
            card.keeps_what_is_invoiced(store).await?;
        }
        let _alone = early.as_ref().ok().map(Store::collector_lock).transpose()?;
        let pages = listen(configuration.http.listen, "listen").await?;
        let metrics_listener = match configuration.http.metrics_listen {
            Some(address) => Some(listen(address, "metrics_listen").await?),
            None => None,
        };
        let tls = tls(&configuration)?;
        let listeners = Listeners { pages, tls, metrics: metrics_listener };
        let stop = stop_on_signal()?;
        let metrics = Metrics::new();
        begin_series(&configuration, &metrics);
        if let Ok(address) = listeners.pages.local_addr() {
            let scheme = if listeners.tls.is_some() { "https" } else { "http" };
            tracing::info!("overview at {scheme}://{address}/, metrics at {scheme}://{address}/metrics");
        }
        if let Some(Ok(address)) = listeners.metrics.as_ref().map(TcpListener::local_addr) {
            tracing::info!("metrics without money at http://{address}/metrics");
        }
        let identities = Arc::new(identities(&configuration, &clock)?);
        let mut heartbeat = Heartbeat::ready();
        let store = match early {
            Ok(store) => store,
            Err(away) => {
                let of_book = OfBook::new(configuration.clone(), identities.clone());
                let waiting = Waiting { making, of_book, listeners: &listeners, metrics: &metrics, stop: &stop };
                match waiting.opened(away, &mut heartbeat).await? {
                    Some(store) => store,
                    None => return Ok(()),
                }
            }
        };
        warn(&configuration, &accounts);
        tracing::info!("collecting {} into {}", names.join(", "), store.location());
        status(&format!("collecting {}", names.join(", ")));
        let board = Board::default();
        let daemon = Daemon {
            store: store.clone(),
            clock: clock.clone(),
            members,
            poll_interval: configuration.collection.poll_interval,
            lease: configuration.database.lease,
            not_ready_after: configuration.http.not_ready_after,
            metrics,
            board: board.clone(),
            listeners: Some(listeners),
            hosts: configuration.http.hosts.clone(),
            of_book: OfBook::new(configuration.clone(), identities),
            verify_interval: configuration.database.verify_interval,
            heartbeat,
            drafts: Some(configuration.clone()),
            stop: stop.clone(),
        };
        let running = async {
            let ended = daemon.run().await;
            stop.cancel();
            ended
        };
        let (ended, ()) = tokio::join!(running, bars.follow(&board, &clock, &stop));
        // A long read of the book would be waited for without end.
        let _ = tokio::time::timeout(CLOSING, store.close()).await;
        ended.map_err(Failure::failed)?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Refuses a file as database where the platform throws the disk away at every restart, with all that was collected.
pub(super) fn not_in_a_container(configuration: &Configuration) -> Result<(), Failure> {
    let is_file = configuration.database.url.expose().starts_with("sqlite:");
    if is_file && std::env::var_os("VCAP_APPLICATION").is_some() {
        return Err(Failure::usage(
            "SQLite can't be used in a Cloud Foundry app: the app's disk is lost at every restart, and all usage with it\n\
             hint: set [database] url to a PostgreSQL database, such as a service bound to the app",
        ));
    }
    Ok(())
}

/// Issuers, and foundations that they speak for, with clients of their own: what is asked of people never holds up what is
/// collected.
pub(super) fn identities(configuration: &Configuration, clock: &Clock) -> Result<Identities, Failure> {
    let spoken_for = |foundation: &&Foundation| {
        configuration.issuers.iter().any(|trusted| trusted.issuer.foundations.contains(&foundation.name))
    };
    let clients: Result<Vec<(String, Client)>, Failure> = (configuration.foundations.iter())
        .filter(spoken_for)
        .map(|foundation| {
            let http = Http::with_limits(foundation.ca_file.as_deref(), identity::LIMITS);
            let http = http.map_err(|error| Failure::usage(format!("foundation `{}`: {error}", foundation.name)))?;
            let member = member_over(Arc::new(http), configuration, foundation, clock)?;
            Ok((foundation.name.clone(), member.client.without_repeats()))
        })
        .collect();
    Identities::new(configuration, clients?, clock).map_err(Failure::usage)
}

/// Logs what should be looked at, and keeps nothing from running.
fn warn(configuration: &Configuration, accounts: &Accounts) {
    for warning in &configuration.warnings {
        tracing::warn!("{warning}");
    }
    let seller = Sender::new(&configuration.billing).unfit();
    for problem in seller.into_iter().chain(accounts.unfit().iter().map(ToString::to_string)) {
        tracing::warn!("this keeps invoices from being final: {problem}");
    }
    for foundation in &configuration.foundations {
        if let Some(told) = plain_http(foundation, foundation.uaa.as_ref().unwrap_or(&foundation.api)) {
            tracing::warn!(foundation = %foundation.name, "{told}");
        }
    }
}

/// Waits for a database that is away. Health and metrics are served meanwhile.
struct Waiting<'a> {
    making: Making,
    of_book: OfBook,
    listeners: &'a Listeners,
    metrics: &'a Metrics,
    stop: &'a CancellationToken,
}

impl Waiting<'_> {
    /// The book; `None` once told to stop.
    async fn opened(self, away: StoreError, heartbeat: &mut Heartbeat) -> Result<Option<Store>, Failure> {
        let Self { making, of_book, listeners, metrics, stop } = self;
        let configuration = of_book.configuration.clone();
        tracing::error!("{away}");
        status("waiting for the database");
        let failed = |error: std::io::Error| Failure::failed(format!("can't serve: {error}"));
        let duplicates = listeners.try_clone().map_err(failed)?;
        let (told, reason) = watch::channel(away.to_string());
        let served = Served {
            book: Book::Away(reason),
            clock: Clock::System,
            metrics: metrics.clone(),
            board: Board::default(),
            not_ready_after: configuration.http.not_ready_after,
            poll_interval: configuration.collection.poll_interval,
            hosts: configuration.http.hosts.clone(),
            of_book,
        };
        let served = http::serve(duplicates, served, stop.clone());
        let opening = async {
            let mut backoff = Backoff::default();
            loop {
                if !Clock::System.sleep_unless_stopped(backoff.next_wait(), stop).await {
                    return Ok(None);
                }
                match open(&configuration, making).await {
                    Err(error) if error.is_away() => {
                        let now = error.to_string();
                        if *told.borrow() != now {
                            tracing::error!("{now}");
                            told.send_replace(now);
                        }
                    }
                    opened => return Ok(Some(opened?)),
                }
            }
        };
        let living = async {
            loop {
                heartbeat.beat().await;
            }
        };
        tokio::select! {
            opened = opening => opened,
            served = served => served.map_err(failed).map(|()| None),
            () = living => Ok(None),
        }
    }
}

/// Opens the book, unless a pooler is in between that would seem to work until two of its clients meet.
async fn open(configuration: &Configuration, making: Making) -> Result<Store, StoreError> {
    match Global::look_for_pooler(configuration).await {
        Err(error) if error.is_away() || matches!(error, StoreError::Pooled { .. }) => Err(error),
        // What else is wrong is told by opening it.
        _ => Global::try_open_making(configuration, making).await,
    }
}

/// Takes the address to serve on.
pub(super) async fn listen(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!(
            "can't serve on {address}: {error}\nhint: is another cf-billing running? set [http] {key} to a free port"
        ))
    })
}

/// The certificate of pages, if one is configured. It is read again at each SIGHUP.
fn tls(configuration: &Configuration) -> Result<Option<Arc<Tls>>, Failure> {
    let Some((certificate, key)) = configuration.http.tls.clone() else { return Ok(None) };
    let tls = Arc::new(Tls::read(certificate, key).map_err(Failure::usage)?);
    let cannot = |error| Failure::failed(format!("can't listen for signals: {error}"));
    let mut hangup = signal(SignalKind::hangup()).map_err(cannot)?;
    let again = tls.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the process; there is nothing to supervise")]
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match again.read_again() {
                Ok(()) => tracing::info!("the certificate of the pages was read again"),
                Err(error) => tracing::error!("the certificate of the pages stays as it was: {error}"),
            }
        }
    });
    Ok(Some(tls))
}

/// A configured foundation with its client over HTTP; nothing is sent yet.
pub(super) fn member(configuration: &Configuration, foundation: &Foundation, clock: &Clock) -> Result<Member, Failure> {
    let limits = Limits { whole: configuration.collection.answer_timeout, ..Limits::default() };
    let http = Http::with_limits(foundation.ca_file.as_deref(), limits)
        .map_err(|error| Failure::usage(format!("foundation `{}`: {error}", foundation.name)))?;
    member_over(Arc::new(http), configuration, foundation, clock)
}

/// As `run` would: the UAA that was used at onboarding.
pub(super) async fn hold_to_uaa(
    client: &Client,
    foundation: &Foundation,
    store: Option<&Store>,
) -> Result<(), StoreError> {
    let Some(store) = store else { return Ok(()) };
    let heads = store.foundations().await?;
    if let Some(head) = heads.iter().find(|head| head.name == foundation.name)
        && let Some(uaa) = store.uaa(head).await?
    {
        client.pin_uaa(uaa);
    }
    Ok(())
}

/// What there is to be said of a foundation whose secrets travel readable. The answer isn't refused: many a platform
/// ends TLS before it.
pub(super) fn plain_http(foundation: &Foundation, uaa: &Url) -> Option<String> {
    let plain = [&foundation.api, uaa].into_iter().find(|url| url.scheme() == "http")?;
    Some(format!(
        "the client's secret and tokens are sent unencrypted to {plain}\nhint: use https in `api`, and in `uaa` if it is set"
    ))
}

/// A configured foundation with its client over `transport`, unless its secret can't be read.
pub(super) fn member_over(
    transport: Transport,
    configuration: &Configuration,
    foundation: &Foundation,
    clock: &Clock,
) -> Result<Member, Failure> {
    let client_secret = foundation.client_secret.clone().map_err(Failure::usage)?;
    let credentials = Credentials {
        api: foundation.api.clone(),
        uaa: foundation.uaa.clone(),
        client_id: foundation.client_id.clone(),
        client_secret,
    };
    let client = Client::new(transport, clock.clone(), credentials);
    Ok(Member { plan: plan(configuration, foundation), client })
}

/// How a configured foundation is to be collected.
fn plan(configuration: &Configuration, foundation: &Foundation) -> Plan {
    let collection = &configuration.collection;
    Plan {
        foundation: foundation.name.clone(),
        settings: configuration.fold_settings(None),
        onboarding: foundation.onboarding,
        billing_from: foundation.billing_from,
        sweep_window_seconds: collection.sweep_window_seconds,
        sweep_interval_seconds: collection.sweep_interval_seconds,
        snapshot_patience_seconds: collection.snapshot_patience_seconds,
        observe_interval_seconds: collection.observe_interval_seconds,
        reconcile_interval_seconds: collection.reconcile_interval_seconds,
        keep_events_seconds: collection.keep_events_seconds,
    }
}

/// Cancelled by SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_on_signal() -> Result<CancellationToken, Failure> {
    let cannot = |error| Failure::failed(format!("can't listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "ends with the process; there is nothing to supervise")]
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if told.is_cancelled() {
                std::process::exit(130);
            }
            told.cancel();
        }
    });
    Ok(stop)
}
