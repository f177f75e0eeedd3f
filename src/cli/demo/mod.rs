//! `cf-billing demo`: a simulated foundation billed for a month, in a fresh folder, with no set-up.

mod compare;
mod in_memory;
mod play;
mod screen;
mod setup;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::card::rates_file;
use super::output::{self, note};
use super::progress::Bars;
use super::run::{listen, member_over, stop_on_signal};
use super::{Failure, Global};
use crate::billing_run::{BillingRun, Card, CorrectionRequest, CreditOutcome, FinalizeResult};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::daemon::{Daemon, Heartbeat, Member};
use crate::domain::{Amount, Month, Timestamp};
use crate::http::{Listeners, OfBook};
use crate::invoicing::Credit;
use crate::simulator::Foundation;
use crate::simulator::prices::{Payer, Prices};
use crate::store::{InvoiceFilter, Store, StoredInvoice};
use crate::telemetry::{self, Board, Metrics};
use compare::Comparison;
use in_memory::InMemory;
use play::Play;
use screen::{LastLine, Screen};
use setup::{configure, fresh_folder, payers};

/// Bill a simulated foundation for a month, with nothing to set up
///
/// People push, scale, stage and delete in a simulated Cloud Foundry for a month that passes in seconds;
/// the daemon onboards it, collects its usage events and invoices the month. The simulated foundation keeps
/// an account of its own, from what was done there: the last line compares both totals. Two accounts pay, with
/// an allowance, a discount and tax, and one gets a credit note. The folder it names stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing demo --once")]
pub struct Demo {
    /// End after invoicing, instead of going on until Ctrl-C
    #[arg(long)]
    once: bool,
    /// People also do what leaves no usage event: delete apps while they stage, change disk without a restart
    #[arg(long)]
    lossy: bool,
    /// Seed of what people do
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// About how many apps the foundation begins with
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=5000))]
    processes: u32,
}

/// Seconds between two computations of the drafts that the page shows.
const DRAFT_EVERY: u32 = 5;
/// What the credit note gives back, in cents: half of the line at most.
const GOODWILL: i64 = 500;
const MONTH: &str = "2026-10";
/// When the foundation's first app is pushed: it is at rest some days later.
const FOUNDED: &str = "2026-09-20T08:00:00Z";
/// When the daemon comes.
const ONBOARDED: &str = "2026-09-30T12:00:00Z";
/// When a price changes.
const CHANGE: &str = "2026-10-15T12:34:56Z";

impl Demo {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        // What the environment names is for the other commands.
        let by_environment = std::env::var_os("CF_BILLING_CONFIG").map(PathBuf::from);
        if global.config.as_ref().is_some_and(|file| Some(file) != by_environment.as_ref()) || global.database.is_some()
        {
            return Err(Failure::usage(
                "the demo takes no configuration and no database\nhint: leave them out; it makes its own, in a fresh folder",
            ));
        }
        let folder = fresh_folder()?;
        let prices = Prices::example(instant(CHANGE)?);
        let mut foundation = Foundation::new(self.seed, instant(FOUNDED)?);
        foundation.world.settle(&mut foundation.tables, self.processes as usize);
        let payers = payers(&foundation);
        let configuration = configure(&folder, &prices, &payers)?;
        let bars = Bars::default();
        telemetry::init(&configuration.log, bars.clone());
        note(&format!("A simulated foundation (not a Cloud Controller), billed into {}", folder.display()));
        let month: Month = MONTH.parse().map_err(Failure::failed)?;
        self.begin(&mut foundation, &configuration, &prices, month)?;
        let foundation = InMemory::new(foundation);
        let (clock, driver) = Clock::simulated(foundation.lock().now());
        let store = Global::open(&configuration).await?;
        let _alone = store.collector_lock()?;
        let stop = stop_on_signal()?;
        let members = vec![member(&configuration, &foundation, &clock)?];
        // The page is for those who stay.
        let listener = if self.once { None } else { Some(listen(([127, 0, 0, 1], 0).into(), "listen").await?) };
        let address = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(address) = address {
            note(&format!("Overview at http://{address}/, metrics at http://{address}/metrics"));
        }
        let daemon = Daemon {
            store: store.clone(),
            clock: clock.clone(),
            members,
            poll_interval: configuration.collection.poll_interval,
            lease: configuration.database.lease,
            not_ready_after: configuration.http.not_ready_after,
            verify_interval: configuration.database.verify_interval,
            heartbeat: Heartbeat::silent(),
            metrics: Metrics::new(),
            board: Board::default(),
            listeners: listener.map(|pages| Listeners { pages, tls: None, metrics: None }),
            hosts: configuration.http.hosts.clone(),
            of_book: OfBook::new(Arc::new(configuration.clone()), Arc::default()),
            drafts: None,
            stop: stop.clone(),
        };
        let showing = async {
            let mut play = Play::new(foundation.clone(), driver, stop.clone(), self.seed, bars);
            let scene = Scene {
                configuration: &configuration,
                prices: &prices,
                payers: &payers,
                store: &store,
                clock: &clock,
                month,
            };
            let shown = self.show(&mut play, &scene, &folder, address).await;
            stop.cancel();
            shown
        };
        let (ended, shown) = tokio::join!(daemon.run(), showing);
        store.close().await;
        ended.map_err(Failure::failed)?;
        match shown? {
            None => Ok(()),
            Some(last_line) => last_line.verdict(),
        }
    }

    /// Lets the foundation, at rest, come to the time at which the daemon does, its account ready to begin.
    fn begin(
        &self,
        foundation: &mut Foundation,
        configuration: &Configuration,
        prices: &Prices,
        month: Month,
    ) -> Result<(), Failure> {
        foundation.world.people.lossy = self.lossy;
        let period = month.span(configuration.billing.time_zone);
        foundation.world.truth.cut_at(&[period.from, period.to]);
        foundation.world.truth.cut_at(&prices.changes());
        foundation.advance(instant(ONBOARDED)?);
        Ok(())
    }

    /// The whole month; gives what was said last, if it was not told to stop before.
    async fn show(
        &self,
        play: &mut Play,
        scene: &Scene<'_>,
        folder: &Path,
        page: Option<SocketAddr>,
    ) -> Result<Option<LastLine>, Failure> {
        let Scene { configuration, prices, payers, store, clock, month } = *scene;
        let period = month.span(configuration.billing.time_zone);
        let complete = period.to.plus(configuration.collection.sweep_window_seconds);
        if !play.onboard().await || !play.until(complete).await {
            return Ok(None);
        }
        let invoices = bill(configuration, store, clock, month).await?;
        let comparison =
            Comparison::of(&invoices, &play.foundation.lock(), prices, payers, period).map_err(Failure::failed)?;
        let credit_note = give_back(configuration, store, clock, &invoices).await?;
        let last_line = LastLine::new(month, comparison, self.lossy);
        let screen = Screen { month, invoices: &invoices, credit_note: credit_note.as_ref(), folder, page };
        output::print(&screen.text(&last_line).map_err(Failure::failed)?)?;
        if !self.once {
            note("Going on, a minute every second, until you press Ctrl-C.");
            while play.follow(DRAFT_EVERY).await {
                // Read each time, as the daemon does: who edits the card sees what becomes of it.
                let card = card(configuration)?;
                let now = Month::of(clock.now(), configuration.billing.time_zone);
                BillingRun::new(configuration, store, clock, &card)?.draft(now, None).await?;
            }
        }
        Ok(Some(last_line))
    }
}

/// What is billed, by whom, to whom, into what.
#[derive(Clone, Copy)]
struct Scene<'a> {
    configuration: &'a Configuration,
    prices: &'a Prices,
    payers: &'a [Payer],
    store: &'a Store,
    clock: &'a Clock,
    month: Month,
}

fn card(configuration: &Configuration) -> Result<Card, Failure> {
    Ok(Card::read(&rates_file(None, configuration)?, configuration.billing.time_zone)?)
}

/// Drafts the month's invoices, makes them final, and reads them back from the book.
async fn bill(
    configuration: &Configuration,
    store: &Store,
    clock: &Clock,
    month: Month,
) -> Result<Vec<StoredInvoice>, Failure> {
    let card = card(configuration)?;
    let run = BillingRun::new(configuration, store, clock, &card)?;
    // What the demo doesn't tell is estimated: said and accepted, account by account.
    let drafts = run.draft(month, None).await?.invoices;
    let estimated = drafts.iter().filter(|stored| stored.document.estimated() != Amount::default());
    let accept: Vec<String> = estimated.map(|stored| format!("estimated:{}", stored.document.account)).collect();
    for outcome in run.finalize(month, None, &accept, |_, _| {}).await? {
        let why: Vec<String> = match outcome.result {
            FinalizeResult::Blocked(blockers) => {
                blockers.iter().map(|blocker| blocker.words(configuration.billing.time_zone)).collect()
            }
            FinalizeResult::Refused(why) => vec![why],
            FinalizeResult::Numbered(_) | FinalizeResult::Before => continue,
        };
        return Err(Failure::failed(format!("an invoice can't be final: {}", why.join("; "))));
    }
    let filter = InvoiceFilter { month: Some(month), ..InvoiceFilter::default() };
    let mut invoices = Vec::new();
    for stored in store.invoices(&filter).await? {
        invoices.extend(store.invoice(&stored.id.to_string()).await?);
    }
    Ok(invoices)
}

/// Gives a few euros of the first invoice's dearest line back, so that there is a credit note to look at.
async fn give_back(
    configuration: &Configuration,
    store: &Store,
    clock: &Clock,
    invoices: &[StoredInvoice],
) -> Result<Option<StoredInvoice>, Failure> {
    let Some(first) = invoices.first() else { return Ok(None) };
    let amounts = first.document.lines().iter().map(|line| line.charge.as_ref().map_or(0, |charge| charge.amount.0));
    let Some((position, amount)) = amounts.enumerate().max_by_key(|(_, amount)| *amount) else { return Ok(None) };
    let back = Amount(GOODWILL.min(amount / 2));
    let card = card(configuration)?;
    let run = BillingRun::new(configuration, store, clock, &card)?;
    let part = CorrectionRequest::Credit(Credit::Lines(vec![(position + 1, Some(back))]));
    match run.credit(first, part, "goodwill").await? {
        CreditOutcome::Note(number) => Ok(store.invoice(&number).await?),
        CreditOutcome::Charged(_) | CreditOutcome::Same => Ok(None),
    }
}

fn instant(text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).map_err(Failure::failed)
}

fn member(configuration: &Configuration, foundation: &InMemory, clock: &Clock) -> Result<Member, Failure> {
    let configured = configuration.foundations.first();
    let configured = configured.ok_or_else(|| Failure::failed("the demo's configuration has no foundation"))?;
    member_over(Arc::new(foundation.clone()), configuration, configured, clock)
}
