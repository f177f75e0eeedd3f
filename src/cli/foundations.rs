//! `cf-billing foundations`: what is known of each foundation, and what only a person can decide about it.

use std::io::{self, BufRead, IsTerminal};

use clap::Subcommand;
use tokio_util::sync::CancellationToken;

use super::output::{self, Format, note, words};
use super::run::member;
use super::{Failure, Global};
use crate::api::{self, Tabular};
use crate::clock::Clock;
use crate::config::{Configuration, Foundation};
use crate::consumer::{Collector, Evidence, Held, Judged};
use crate::domain::{FoundationHead, Kind, Timestamp};
use crate::store::Store;
use crate::telemetry::Reporter;

/// List foundations and what holds them; say that another address, foundation or clock is right
#[derive(Debug, clap::Args)]
pub struct Foundations {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Adopt(Adopt),
    AcceptClock(AcceptClock),
}

/// List the foundations of the book and of the configuration, and what holds them
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing foundations list --format json")]
struct List {
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Collect a foundation from its configured `api` from now on, though the book has another address for it
///
/// A foundation is held if its `api` was changed, or if nothing of what the book knows is found in it: nothing is read and
/// nothing is ended. This command looks at what answers, says what adopting it will do, and asks. A running daemon goes on
/// by itself afterwards.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing foundations adopt eu1 --config /etc/cf-billing/cf-billing.toml")]
struct Adopt {
    /// The foundation, as it is configured
    name: String,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Begin to bill a foundation by Cloud Controller's clock, though it and ours are more than 5 minutes apart
///
/// While they are, and no `billing_from` is configured, a foundation that isn't billed yet doesn't begin to be: everything
/// would be billed from a time that is wrong. Nothing else changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing foundations accept-clock eu1")]
struct AcceptClock {
    /// The foundation
    #[arg(value_name = "NAME")]
    foundation: String,
}

impl Foundations {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            Command::List(list) => list.run(global).await,
            Command::Adopt(adopt) => adopt.run(global).await,
            Command::AcceptClock(accept) => accept.run(global).await,
        }
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let configured: Vec<String> = configuration.foundations.iter().map(|one| one.name.clone()).collect();
        let foundations = api::foundations(&store, &configured).await?;
        store.close().await;
        match self.format {
            Format::Json => output::json(&foundations),
            Format::Csv => output::csv(api::Foundation::HEADER, foundations.iter().map(api::Foundation::cells)),
            Format::Table => {
                let columns = ["foundation", "state", "billing epoch", "known until", "api"].map(words);
                output::table(&columns, foundations.iter().map(row))?;
                for told in &foundations {
                    if let Some((since, detail)) = told.held_since.zip(told.held_detail.as_ref()) {
                        note(&format!("held since {since}: {detail}"));
                    }
                }
                Ok(())
            }
        }
    }
}

fn time(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_string()).unwrap_or_default()
}

fn row(told: &api::Foundation) -> Vec<String> {
    let api = told.api.as_deref().unwrap_or_default();
    // Plain http is worth seeing.
    let api = api.strip_prefix("https://").unwrap_or(api).to_owned();
    vec![told.foundation.clone(), told.state.to_owned(), time(told.billing_epoch), time(told.known_until), api]
}

impl Adopt {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let configured = configuration.foundations.iter().find(|foundation| foundation.name == self.name);
        let foundation = configured.ok_or_else(|| {
            Failure::usage(format!("no foundation `{}` is configured\nhint: give --config", self.name))
        })?;
        let store = Global::open_existing(&configuration).await?;
        let heads = store.foundations().await?;
        let head = heads.into_iter().find(|head| head.name == self.name).ok_or_else(|| {
            Failure::failed(format!(
                "the book has no foundation `{}` yet\nhint: `run` will take its baseline",
                self.name
            ))
        })?;
        if head.last_sequence > 0 && !head.collected {
            return Err(Failure::failed(format!(
                "foundation `{}` was imported, not collected: there is nothing to adopt\nhint: configure it under another name",
                self.name
            )));
        }
        let collector = looking(&configuration, foundation, &store).await?;
        let api = collector.api();
        let asked = async {
            let Judged { pin, evidence, held } = collector.judge().await?;
            // Where the address alone decided, what answers there is still to be looked at.
            let evidence = match evidence {
                Some(evidence) => evidence,
                None => collector.evidence(&store.known_guids(&head).await?).await?,
            };
            Ok::<_, crate::consumer::CollectError>((pin, evidence, held))
        };
        let (pin, evidence, held) = asked.await.map_err(|error| {
            Failure::failed(format!(
                "can't find out which foundation answers at {api}, so nothing was adopted: {error}"
            ))
        })?;
        let Some(held) = held else {
            note(&format!("{}: {api} is the foundation in the book: there is nothing to adopt", self.name));
            store.close().await;
            return Ok(());
        };
        for line in will_do(&head, &held, &evidence, &api, &store).await? {
            note(&line);
        }
        if !self.yes && !confirmed()? {
            return Err(Failure::failed("nothing was adopted"));
        }
        let by = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
        store.adopt(&head, &api, by.as_deref(), Clock::System.now()).await?;
        let daemon = if pin.is_some_and(|pin| pin.api.is_none_or(|pinned| pinned == api)) {
            "a running daemon goes on within a minute"
        } else {
            "a daemon that runs with this `api` goes on within a minute"
        };
        note(&format!("{}: {api} is adopted; {daemon}", self.name));
        store.close().await;
        Ok(())
    }
}

/// A collector that only looks.
async fn looking(configuration: &Configuration, foundation: &Foundation, store: &Store) -> Result<Collector, Failure> {
    let clock = Clock::System;
    let member = member(configuration, foundation, &clock)?;
    let (reporter, stop) = (Reporter::unseen(&foundation.name), CancellationToken::new());
    Collector::new(store.clone(), member.client, clock, member.plan, stop, reporter).await.map_err(Failure::failed)
}

/// What adopting will do, for who is to say so.
async fn will_do(
    head: &FoundationHead,
    held: &Held,
    evidence: &Evidence,
    api: &str,
    store: &Store,
) -> Result<Vec<String>, Failure> {
    let name = &head.name;
    let mut lines = Vec::new();
    if let Held::ApiChanged { pinned, .. } = held {
        lines.push(format!("{name} was collected from {pinned}. Its configured address is now {api}."));
    }
    let same = match evidence {
        Evidence::Checkpoint(stream) => Some(format!("the last {stream} event that was read is there")),
        Evidence::Guids(what) => {
            Some(format!("{what} of the book are there, but the last events that were read are not"))
        }
        Evidence::NothingKnown => Some("the book holds nothing yet that could be missing".to_owned()),
        Evidence::Missing(asked) => {
            lines.push(format!(
                "None of the {asked} known organizations, spaces and resources is there: this is another foundation."
            ));
            None
        }
    };
    if let Some(why) = same {
        lines.push(format!("It looks like the same foundation ({why})."));
        lines.push("A copy, such as a staging copy, looks the same. Is this the one to bill?".to_owned());
        lines.push(
            "If you adopt it, reading goes on where it stopped. Usage events that were lost meanwhile become a gap."
                .to_owned(),
        );
        return Ok(lines);
    }
    let totals = store.open_totals(head).await?;
    let count = |kind: Kind| totals.iter().find(|total| total.kind == kind).map_or(0, |total| total.intervals);
    lines.push(format!(
        "If you adopt it, all that the book holds as running ends at {}, for good:",
        head.known_until.map_or_else(|| "its epoch".to_owned(), |at| at.to_string())
    ));
    lines.push(format!(
        "{} process(es), {} service instance(s), {} task(s). This becomes a gap, which finance has to accept.",
        count(Kind::Process),
        count(Kind::Service),
        count(Kind::Task)
    ));
    lines.push(format!("What runs at {api} is billed as `{name}` from the time it is found."));
    Ok(lines)
}

/// Asks on the terminal.
fn confirmed() -> Result<bool, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("there is no terminal to ask on\nhint: give --yes to adopt it without a question"));
    }
    note("Adopt it? Type yes:");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Failure::failed)?;
    Ok(answer.trim() == "yes")
}

impl AcceptClock {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let name = &self.foundation;
        if !configuration.foundations.iter().any(|foundation| foundation.name == *name) {
            return Err(Failure::usage(format!(
                "no foundation `{name}` is configured\nhint: only a configured foundation has a clock to compare with"
            )));
        }
        let store = Global::open(&configuration).await?;
        let head = store.foundation(name).await?;
        store.accept_clock(&head, Clock::System.now()).await?;
        store.close().await;
        note(&format!("{name}: billing begins by Cloud Controller's clock"));
        Ok(())
    }
}
