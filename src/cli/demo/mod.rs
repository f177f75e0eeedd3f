//! `cf-billing demo`: a simulated foundation billed for a month, in a fresh folder, with no set-up.

mod compare;
mod in_memory;
mod play;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::card::rates_file;
use super::invoices::{list, show_table};
use super::output::{self, Format, note};
use super::progress::Bars;
use super::run::{listen, member_over, stop_on_signal};
use super::{Failure, Global};
use crate::billing_run::{BillingRun, Card, FinalizeResult};
use crate::clock::Clock;
use crate::config::{self, Configuration};
use crate::daemon::{Daemon, Member};
use crate::domain::{Amount, Month, Timestamp};
use crate::simulator::prices::Prices;
use crate::simulator::{ADMIN, Foundation};
use crate::store::{InvoiceFilter, Store, StoredInvoice};
use crate::telemetry::{self, Board, Metrics};
use compare::Comparison;
use in_memory::InMemory;
use play::Play;

/// Bill a simulated foundation for a month, with nothing to set up
///
/// People push, scale, stage and delete in a simulated Cloud Foundry for a month that passes in seconds;
/// the daemon onboards it, collects its usage events and invoices the month. The simulated foundation keeps
/// an account of its own, from what was done there: the last line compares both.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing demo --once")]
pub struct Demo {
    /// End after invoicing, instead of going on until Ctrl-C
    #[arg(long)]
    once: bool,
    /// People also do what leaves no usage event: delete apps while they stage, change disk without a restart
    #[arg(long)]
    lossy: bool,
    /// Draws what people do
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Apps that the foundation begins with, give or take
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=5000))]
    processes: u32,
}

/// Seconds between two computations of the drafts that the page shows.
const DRAFT_EVERY: u32 = 5;
/// Lines of an invoice that are shown.
const LINES: usize = 15;
const MONTH: &str = "2026-10";
/// When the foundation's first app is pushed: it is at rest some days later.
const FOUNDED: &str = "2026-09-20T08:00:00Z";
/// When the daemon comes.
const ONBOARDED: &str = "2026-09-30T12:00:00Z";
/// When a price changes.
const CHANGE: &str = "2026-10-15T12:34:56Z";

impl Demo {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if global.config.is_some() || global.database.is_some() {
            return Err(Failure::usage(
                "the demo takes no configuration and no database\nhint: leave them out; it makes its own, in a fresh folder",
            ));
        }
        let folder = fresh_folder()?;
        let prices = Prices::example(instant(CHANGE)?);
        let configuration = configure(&folder, &prices)?;
        let bars = Bars::default();
        telemetry::init(&configuration.log, bars.clone());
        note(&format!("A simulated foundation (not a Cloud Controller), billed into {}", folder.display()));
        let month: Month = MONTH.parse().map_err(Failure::failed)?;
        let foundation = InMemory::new(self.settle(&configuration, &prices, month)?);
        let (clock, driver) = Clock::simulated(foundation.lock().now());
        let store = Global::open(&configuration).await?;
        let _alone = store.collector_lock()?;
        let stop = stop_on_signal()?;
        let members = vec![member(&configuration, &foundation, &clock)?];
        // The page is for those who stay.
        let listener = if self.once { None } else { Some(listen(([127, 0, 0, 1], 0).into()).await?) };
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
            metrics: Metrics::new(),
            board: Board::default(),
            listener,
            drafts: None,
            stop: stop.clone(),
        };
        let program = std::env::args().next().unwrap_or_else(|| "cf-billing".to_owned());
        note(&format!(
            "Explore it: {program} invoices list --config {0}\n            {program} invoices explain 1 --line 1 --config {0}\n            {program} invoices export --period 2026-10 --format html --out invoices --config {0}\n            {program} usage --from 2026-10-01 --to 2026-11-01 --by org,kind --config {0}",
            folder.join(CONFIGURATION).display()
        ));
        let showing = async {
            let mut play = Play::new(foundation.clone(), driver, stop.clone(), self.seed, bars);
            let shown = self.show(&mut play, &configuration, &prices, &store, &clock, month).await;
            stop.cancel();
            shown
        };
        let (ended, shown) = tokio::join!(daemon.run(), showing);
        store.close().await;
        ended.map_err(Failure::failed)?;
        match shown? {
            None => Ok(()),
            Some(last_line) => output::print(&last_line.text).and_then(|()| last_line.verdict()),
        }
    }

    /// A foundation with some apps and services, at rest, and its account ready to begin.
    fn settle(&self, configuration: &Configuration, prices: &Prices, month: Month) -> Result<Foundation, Failure> {
        let mut foundation = Foundation::new(self.seed, instant(FOUNDED)?);
        foundation.world.settle(&mut foundation.tables, self.processes as usize);
        foundation.world.people.lossy = self.lossy;
        let period = month.span(configuration.billing.time_zone);
        foundation.world.truth.cut_at(&[period.from, period.to]);
        foundation.world.truth.cut_at(&prices.changes());
        foundation.advance(instant(ONBOARDED)?);
        Ok(foundation)
    }

    /// The whole month; gives what is to be said last, if it was not told to stop before.
    async fn show(
        &self,
        play: &mut Play,
        configuration: &Configuration,
        prices: &Prices,
        store: &Store,
        clock: &Clock,
        month: Month,
    ) -> Result<Option<LastLine>, Failure> {
        let period = month.span(configuration.billing.time_zone);
        let complete = period.to.plus(configuration.collection.sweep_window_seconds);
        if !play.onboard().await || !play.until(complete).await {
            return Ok(None);
        }
        let invoices = bill(configuration, store, clock, month).await?;
        let comparison = Comparison::of(&invoices, &play.foundation.lock(), prices, period);
        list(&invoices, Format::Table)?;
        if let Some(shortest) = invoices.iter().min_by_key(|stored| stored.invoice.lines.len()) {
            show_table(shortest, LINES, None)?;
        }
        let last_line = LastLine::new(month, comparison, self.lossy);
        if !self.once {
            output::print(&last_line.text)?;
            note("Going on, a minute every second. Ctrl-C ends it.");
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
    let estimated = drafts.iter().filter(|stored| stored.invoice.estimated != Amount::default());
    let accept: Vec<String> = estimated.map(|stored| format!("estimated:{}", stored.invoice.account)).collect();
    for outcome in run.finalize(month, None, &accept, |_, _| {}).await? {
        let why: Vec<String> = match outcome.result {
            FinalizeResult::Blocked(blockers) => blockers.iter().map(ToString::to_string).collect(),
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

/// What the demo says last, and whether it is as it should be.
struct LastLine {
    text: String,
    good: bool,
    defects: Vec<String>,
}

impl LastLine {
    fn new(month: Month, comparison: Comparison, lossy: bool) -> Self {
        let mut text = format!(
            "{month}: invoiced {} EUR, the simulated foundation's own account {} EUR, difference {}",
            euros(comparison.ours),
            euros(comparison.theirs),
            euros(comparison.difference())
        );
        if lossy {
            let _ = write!(text, ", outside of what is marked estimated {}", euros(comparison.unexplained));
        }
        let good = lossy || comparison.difference() == 0;
        let good = good && comparison.unexplained == 0;
        Self { text, good, defects: comparison.where_unexplained }
    }

    fn verdict(&self) -> Result<(), Failure> {
        if self.good {
            Ok(())
        } else {
            for defect in &self.defects {
                note(defect);
            }
            Err(Failure::failed("the two accounts differ where they must not: this is a defect of cf-billing"))
        }
    }
}

fn euros(cents: i64) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn instant(text: &str) -> Result<Timestamp, Failure> {
    Timestamp::parse(text).map_err(Failure::failed)
}

const CONFIGURATION: &str = "cf-billing.toml";

/// Writes configuration and rate card into the folder, and loads them.
fn configure(folder: &Path, prices: &Prices) -> Result<Configuration, Failure> {
    let rates = folder.join("rates.toml");
    let text = format!(
        "# Made by `cf-billing demo`.\n\
         [database]\nurl = \"sqlite://{}\"\n\n\
         [billing]\nrates = \"{}\"\nseller = \"Example Platform Team\"\ninvoice_series = \"DEMO\"\ngrace = \"0s\"\n\n\
         [log]\nlevel = \"warn\"\n\n\
         # The foundation is gone when the demo ends.\n\
         [[foundation]]\nname = \"demo\"\napi = \"http://127.0.0.1\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n",
        folder.join("cf-billing.db").display(),
        rates.display(),
        ADMIN.0,
        ADMIN.1
    );
    let file = folder.join(CONFIGURATION);
    let cannot = |error| Failure::failed(format!("can't write into {}: {error}", folder.display()));
    std::fs::write(&rates, prices.card()).map_err(cannot)?;
    std::fs::write(&file, text).map_err(cannot)?;
    Ok(config::load(Some(&file), [])?)
}

fn member(configuration: &Configuration, foundation: &InMemory, clock: &Clock) -> Result<Member, Failure> {
    let configured = configuration.foundations.first();
    let configured = configured.ok_or_else(|| Failure::failed("the demo's configuration has no foundation"))?;
    Ok(member_over(Arc::new(foundation.clone()), configuration, configured, clock))
}

/// A folder of the demo's own: nothing that is there is touched.
fn fresh_folder() -> Result<PathBuf, Failure> {
    let parent = std::env::temp_dir();
    let stamp = Clock::System.now().unix();
    for attempt in 0..1000 {
        let folder = parent.join(format!("cf-billing-demo-{}", stamp + attempt));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Failure::failed(format!(
                    "can't make a folder in {}: {error}\nhint: set TMPDIR to a folder that can be written",
                    parent.display()
                )));
            }
        }
    }
    Err(Failure::failed(format!("{} is full of demos\nhint: remove some", parent.display())))
}
