//! `cf-billing run`: the daemon.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::output::note;
use super::{Failure, Global};
use crate::clock::Clock;
use crate::cloud_controller::transport::Http;
use crate::cloud_controller::{Client, Credentials};
use crate::config::{Configuration, Foundation};
use crate::consumer::Plan;
use crate::daemon::{Daemon, Member};
use crate::telemetry;

/// Collect usage of the configured foundations, until told to stop
///
/// Onboards each foundation by usage snapshot and reads its usage events from then on. Ends cleanly on
/// SIGTERM or Ctrl-C; whatever ends it, the next start goes on where it stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing run --config /etc/cf-billing/cf-billing.toml")]
pub struct Run {}

impl Run {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        if configuration.foundations.is_empty() {
            return Err(Failure::usage(
                "no foundation is configured\nhint: add a [[foundation]] with name, api, client_id and client_secret_file",
            ));
        }
        telemetry::init(&configuration.log);
        let clock = Clock::System;
        let members: Result<Vec<Member>, Failure> =
            configuration.foundations.iter().map(|foundation| member(&configuration, foundation, &clock)).collect();
        let members = members?;
        let store = Global::open(&configuration).await?;
        let _alone = store.collector_lock()?;
        let stop = stop_on_signal()?;
        note(&format!(
            "collecting {} into {}",
            members.iter().map(|member| member.plan.foundation.as_str()).collect::<Vec<_>>().join(", "),
            store.location(),
        ));
        let poll_interval = configuration.collection.poll_interval;
        Daemon { store: store.clone(), clock, members, poll_interval, stop }.run().await;
        store.close().await;
        note("stopped");
        Ok(())
    }
}

fn member(configuration: &Configuration, foundation: &Foundation, clock: &Clock) -> Result<Member, Failure> {
    let http = Http::new(foundation.ca_file.as_deref())
        .map_err(|error| Failure::usage(format!("foundation `{}`: {error}", foundation.name)))?;
    let credentials = Credentials {
        api: foundation.api.clone(),
        client_id: foundation.client_id.clone(),
        client_secret: foundation.client_secret.clone(),
    };
    let client = Client::new(std::sync::Arc::new(http), clock.clone(), credentials);
    Ok(Member { plan: plan(configuration, foundation), client })
}

/// How a configured foundation is to be collected.
pub(super) fn plan(configuration: &Configuration, foundation: &Foundation) -> Plan {
    let collection = &configuration.collection;
    Plan {
        foundation: foundation.name.clone(),
        settings: configuration.fold_settings(None),
        billing_from: foundation.billing_from,
        sweep_window_seconds: collection.sweep_window_seconds,
        snapshot_patience_seconds: collection.snapshot_patience_seconds,
        observe_interval_seconds: collection.observe_interval_seconds,
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
