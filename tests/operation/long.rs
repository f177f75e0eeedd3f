//! Faults of operation one after another, drawn by a seed: the daemon recovers from each alone, and the book is right in
//! the end. `tests/long operation` runs it for as long as is wanted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cf_billing::store::{Lease, Store};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;

use super::plant::{Plant, execute};
use crate::support::background::signal;
use crate::support::database::{self, Kind, run};
use crate::support::disk::Disk;
use crate::support::program::Program;
use crate::support::proxy::{Network, Proxy};

/// Until it is ready again, from when a fault is over. A connection that went silent may have to run out first.
const RECOVERY: Duration = Duration::from_mins(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    FullDisk,
    Moved,
    Killed,
    Paused,
    Superseded,
    ReadOnly,
    ConnectionsEnded,
    DatabaseCut,
    DatabaseSilent,
    DatabaseSlow,
    FoundationCut,
    FoundationSilent,
    FoundationSlow,
}

const ON_SQLITE: [Fault; 8] = [
    Fault::FullDisk,
    Fault::Moved,
    Fault::Killed,
    Fault::Paused,
    Fault::Superseded,
    Fault::FoundationCut,
    Fault::FoundationSilent,
    Fault::FoundationSlow,
];

const ON_POSTGRES: [Fault; 11] = [
    Fault::ReadOnly,
    Fault::ConnectionsEnded,
    Fault::DatabaseCut,
    Fault::DatabaseSilent,
    Fault::DatabaseSlow,
    Fault::Killed,
    Fault::Paused,
    Fault::Superseded,
    Fault::FoundationCut,
    Fault::FoundationSilent,
    Fault::FoundationSlow,
];

/// How often each fault was, and how long recovering from it took at most.
type Told = BTreeMap<Fault, (u32, Duration)>;

struct Broken<'p> {
    plant: Plant,
    disk: Option<Disk>,
    /// Beside all faults.
    direct: String,
    database: Option<&'p Proxy>,
    foundation: &'p Proxy,
}

impl Broken<'_> {
    fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::FullDisk => self.disk.as_ref().unwrap().fill(),
            Fault::Moved => self.rename("", ".away"),
            Fault::Killed => {
                self.plant.end("KILL");
            }
            Fault::Paused => signal(&self.plant.daemon.as_ref().unwrap().child, "STOP"),
            Fault::Superseded => {
                let url = self.direct.clone();
                run(|| async move {
                    let store = Store::open(&url).await.unwrap();
                    let duty = Lease::duty_of("sim");
                    store.take_lease_over(&duty, "another", Duration::from_mins(10)).await.unwrap().unwrap();
                    store.close().await;
                });
            }
            Fault::ReadOnly => {
                self.on_server("ALTER DATABASE {} SET default_transaction_read_only = on");
                self.end_connections();
            }
            Fault::ConnectionsEnded => self.end_connections(),
            Fault::DatabaseCut => self.database.unwrap().set(Network::Cut),
            Fault::DatabaseSilent => self.database.unwrap().set(Network::Silent),
            Fault::DatabaseSlow => self.database.unwrap().set(Network::Slow),
            Fault::FoundationSlow => self.foundation.set(Network::Slow),
            Fault::FoundationCut => self.foundation.set(Network::Cut),
            Fault::FoundationSilent => self.foundation.set(Network::Silent),
        }
    }

    fn end(&mut self, fault: Fault) {
        match fault {
            Fault::FullDisk => self.disk.as_ref().unwrap().free(),
            Fault::Moved => self.rename(".away", ""),
            Fault::Killed => self.plant.start(&["--no-create"]),
            Fault::Paused => signal(&self.plant.daemon.as_ref().unwrap().child, "CONT"),
            Fault::Superseded => {
                let url = self.direct.clone();
                run(|| async move {
                    let store = Store::open(&url).await.unwrap();
                    let duties = store.duties().await.unwrap();
                    for duty in duties.into_iter().filter(|duty| duty.holder.as_deref() == Some("another")) {
                        store.give_up_lease(&duty.lease, "another").await.unwrap();
                    }
                    store.close().await;
                });
            }
            Fault::ReadOnly => self.on_server("ALTER DATABASE {} RESET default_transaction_read_only"),
            Fault::ConnectionsEnded => {}
            Fault::DatabaseCut | Fault::DatabaseSilent | Fault::DatabaseSlow => {
                self.database.unwrap().set(Network::Whole);
            }
            Fault::FoundationCut | Fault::FoundationSilent | Fault::FoundationSlow => {
                self.foundation.set(Network::Whole);
            }
        }
    }

    fn rename(&self, from: &str, to: &str) {
        let file = self.direct.trim_start_matches("sqlite://");
        std::fs::rename(format!("{file}{from}"), format!("{file}{to}")).unwrap();
    }

    fn name(&self) -> &str {
        self.direct.split('?').next().unwrap().rsplit('/').next().unwrap()
    }

    fn on_server(&self, statement: &str) {
        let name = self.name();
        execute(&self.direct.replace(&format!("/{name}"), "/postgres"), &statement.replace("{}", name));
    }

    fn end_connections(&self) {
        self.on_server("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'");
    }

    /// Breaks it and mends it until the time is over; gives what was done.
    fn live(&mut self, faults: &[Fault], random: &mut ChaCha8Rng, until: Instant) -> Told {
        let mut told = Told::new();
        while Instant::now() < until {
            let fault = *faults.choose(random).unwrap();
            self.begin(fault);
            // Most are over before anybody would be told, some last.
            let most = if random.random_ratio(1, 6) { 15_000 } else { 3_000 };
            std::thread::sleep(Duration::from_millis(random.random_range(50..most)));
            self.end(fault);
            let over = Instant::now();
            while !self.is_well() {
                assert!(over.elapsed() < RECOVERY, "{fault:?}: {:?}\n{}", self.plant.readiness(), self.plant.log());
                std::thread::sleep(Duration::from_millis(20));
            }
            let one = told.entry(fault).or_default();
            *one = (one.0 + 1, one.1.max(over.elapsed()));
            std::thread::sleep(Duration::from_millis(random.random_range(0..1500)));
        }
        told
    }

    /// Ready, and collecting again.
    fn is_well(&self) -> bool {
        let (status, body) = self.plant.readiness();
        let sim = &body["foundations"]["sim"];
        status == 200 && sim["detail"].is_null() && sim["state"] == "live"
    }
}

/// A setting of a long run.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text} is no number")))
}

fn live_through(kind: Kind) {
    let (seconds, seed) = (number("CF_BILLING_OPERATION_SECONDS", 20), number("CF_BILLING_OPERATION_SEED", 1));
    let runtime = Runtime::new().unwrap();
    let program = database::with(kind, Program::new);
    let disk = (kind == Kind::Sqlite).then(|| Disk::new(64));
    let direct = disk
        .as_ref()
        .map_or_else(|| program.database(), |disk| format!("sqlite://{}", disk.path().join("book.db").display()));
    let server = (kind == Kind::Postgres).then(|| Proxy::new(&runtime));
    let database = server.as_ref().map_or_else(|| direct.clone(), |server| server.through(&direct));
    let mut plant = Plant::new(program, database, seed);
    let foundation = plant.behind(&runtime);
    for (name, value) in [
        // The truth knows how long a staging takes that goes on; the book counts it up to the cap until it ends.
        ("CF_BILLING__STAGING__CAP", "2h"),
        ("CF_BILLING__STAGING__LOST_AFTER", "4h"),
        ("CF_BILLING__DATABASE__LEASE", "2s"),
        ("CF_BILLING__DATABASE__STATEMENT_TIMEOUT", "2s"),
        ("CF_BILLING__DATABASE__ACQUIRE_TIMEOUT", "2s"),
    ] {
        plant.set(name, value);
    }
    plant.start(&["--init"]);
    plant.onboarded();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut broken = Broken { plant, disk, direct, database: server.as_ref(), foundation: &foundation };
    let faults: &[Fault] = if kind == Kind::Sqlite { &ON_SQLITE } else { &ON_POSTGRES };
    let until = Instant::now() + Duration::from_secs(seconds);
    let told = broken.live(faults, &mut random, until);
    broken.plant.check_truth();
    let count: u32 = told.values().map(|(count, _)| count).sum();
    println!("{kind:?}, seed {seed}: {count} faults in {seconds} s; truth and book are equal");
    for (fault, (count, longest)) in &told {
        println!("  {fault:?}: {count} times, well again within {longest:.1?}");
    }
    assert!(count > 0);
}

/// 40 s, of which 20 s of faults.
#[test]
fn whatever_breaks_the_daemon_recovers_and_the_book_is_right() {
    live_through(Kind::Sqlite);
}

#[test]
fn whatever_breaks_the_daemon_recovers_and_the_book_is_right_on_postgres() {
    live_through(Kind::Postgres);
}
