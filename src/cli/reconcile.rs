//! `cf-billing reconcile`: the ledger compared with everything that runs, now.

use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::output::{self, Column, Format, note, words};
use super::run::member;
use super::{Failure, Global};
use crate::clock::Clock;
use crate::config::{Configuration, Foundation};
use crate::consumer::{Collector, Look, Repair};
use crate::store::{CollectorLock, Lease, Store, StoreError};
use crate::telemetry::Reporter;

/// Compare the ledger with everything that runs, now
///
/// Reads the lists of processes, apps, tasks and service instances, and shows every difference to the ledger. The daemon
/// does the same every `[collection] reconcile_interval`, and settles each difference that it finds twice in a row.
/// While a daemon runs, this command only looks. Without one it collects, and settles as the daemon does, or with
/// --repair everything it finds. Ends with 1 if differences are left.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing reconcile --foundation eu1 --config /etc/cf-billing/cf-billing.toml")]
pub struct Reconcile {
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    /// Settle everything that is found, without waiting for a second look
    #[arg(long)]
    repair: bool,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

const HEADER: [&str; 6] = ["foundation", "kind", "guid", "difference", "detail", "settled"];

impl Reconcile {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let wanted = |foundation: &&Foundation| self.foundation.as_ref().is_none_or(|name| *name == foundation.name);
        let foundations: Vec<&Foundation> = configuration.foundations.iter().filter(wanted).collect();
        if foundations.is_empty() {
            let named = self.foundation.as_ref().map_or_else(String::new, |name| format!(" `{name}`"));
            return Err(Failure::usage(format!(
                "no foundation{named} is configured\nhint: give --config, and a [[foundation]] in it"
            )));
        }
        let store = Global::open_existing(&configuration).await?;
        let mut rows = Vec::new();
        let mut left = 0;
        for foundation in foundations {
            let look = Box::pin(self.look(&configuration, foundation, &store)).await?;
            left += look.differences.iter().filter(|difference| !difference.repaired).count();
            note(&format!(
                "{}: {} compared, {} differ, {} settled, {} changed meanwhile, {} can't be read, {} staging(s) overdue",
                foundation.name,
                look.compared,
                look.differences.len(),
                look.differences.iter().filter(|difference| difference.repaired).count(),
                look.in_flight,
                look.unreadable,
                look.overdue_stagings
            ));
            rows.extend(look.differences.into_iter().map(|difference| (foundation.name.clone(), difference)));
        }
        store.close().await;
        match self.format {
            Format::Json => {
                let object = |(foundation, difference): &(String, crate::consumer::Difference)| {
                    json!({
                        "foundation": foundation,
                        "kind": difference.resource.kind.name(),
                        "guid": difference.resource.guid.to_string(),
                        "difference": difference.class.name(),
                        "detail": difference.detail,
                        "settled": difference.repaired,
                    })
                };
                output::json(&rows.iter().map(object).collect::<Vec<_>>())?;
            }
            Format::Csv => output::csv(&HEADER, rows.iter().map(cells))?,
            Format::Table if rows.is_empty() => note("the ledger agrees with what runs"),
            Format::Table => {
                let columns: Vec<Column> = HEADER.into_iter().map(words).collect();
                output::table(&columns, rows.iter().map(cells))?;
            }
        }
        if left == 0 {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{left} difference(s) are left as they are\nhint: a difference that the next look finds again is settled then; --repair settles it now. A process that never started needs nothing"
        )))
    }

    async fn look(
        &self,
        configuration: &Configuration,
        foundation: &Foundation,
        store: &Store,
    ) -> Result<Look, Failure> {
        let clock = Clock::System;
        let member = member(configuration, foundation, &clock)?;
        let alone = Alone::with(store, &foundation.name).await?;
        if alone.is_none() && self.repair {
            return Err(Failure::failed(format!(
                "a daemon collects `{}`, so this command can't settle anything\nhint: stop the daemon, or let it settle what two of its looks find",
                foundation.name
            )));
        }
        let under = alone.as_ref().map_or_else(|| store.clone(), |alone| alone.store(store));
        let (reporter, stop) = (Reporter::unseen(&foundation.name), CancellationToken::new());
        let mut collector =
            Collector::new(under, member.client, clock, member.plan, stop, reporter).await.map_err(Failure::failed)?;
        let repair = if self.repair { Repair::All } else { Repair::Confirmed };
        let look = if let Some(alone) = alone {
            let look = collector.look_now(repair).await;
            alone.give_up(store).await?;
            look
        } else {
            note(&format!("{}: a daemon collects it; waiting until it has read up to now", foundation.name));
            collector.look_beside(PATIENCE_SECONDS).await
        };
        match look {
            Ok(Some(look)) => Ok(look),
            Ok(None) => Err(Failure::failed(format!(
                "foundation `{}` isn't onboarded yet\nhint: let `run` take its baseline first",
                foundation.name
            ))),
            Err(error) => Err(Failure::failed(error)),
        }
    }
}

/// How long a daemon may take to read what was listed.
const PATIENCE_SECONDS: i64 = 120;
/// Longer than any look takes.
const LEASE: Duration = Duration::from_mins(30);

/// What keeps daemons from collecting a foundation.
enum Alone {
    File { _lock: CollectorLock },
    Shared { lease: Lease, holder: String },
}

impl Alone {
    /// `None`: a daemon collects it.
    async fn with(store: &Store, foundation: &str) -> Result<Option<Self>, Failure> {
        match store.collector_lock() {
            Ok(Some(lock)) => Ok(Some(Self::File { _lock: lock })),
            Err(StoreError::Collected(_)) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(None) => {
                let holder = format!("reconcile-{}", std::process::id());
                let lease = store.take_lease(&Lease::duty_of(foundation), &holder, LEASE).await?;
                Ok(lease.map(|lease| Self::Shared { lease, holder }))
            }
        }
    }

    fn store(&self, store: &Store) -> Store {
        match self {
            Self::File { .. } => store.clone(),
            Self::Shared { lease, .. } => store.under(lease.clone()),
        }
    }

    async fn give_up(self, store: &Store) -> Result<(), Failure> {
        if let Self::Shared { lease, holder } = self {
            store.give_up_lease(&lease, &holder).await?;
        }
        Ok(())
    }
}

fn cells((foundation, difference): &(String, crate::consumer::Difference)) -> Vec<String> {
    vec![
        foundation.clone(),
        difference.resource.kind.name().to_owned(),
        difference.resource.guid.to_string(),
        difference.class.name().to_owned(),
        difference.detail.clone(),
        if difference.repaired { "yes" } else { "no" }.to_owned(),
    ]
}
