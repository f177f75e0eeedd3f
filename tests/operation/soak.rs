//! Months at full speed in one process: memory, open files, the log of the database and what is logged stay flat.
//! `tests/long soak` lives eight months; `tests/run` a week.

use std::path::Path;
use std::time::{Duration, Instant};

use cf_billing::domain::Timestamp;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::Store;
use tokio::runtime::Runtime;

use crate::support::background::{Background, text};
use crate::support::clock::FakeClock;
use crate::support::database::{self, Kind};
use crate::support::program::Program;
use crate::support::served::{Served, complete_until, keep_size};

const HOUR: i64 = 3_600;
/// Lived at once, with so many actions.
const STEP: (i64, u32) = (3 * HOUR, 40);
/// Until a step is collected; a machine under load takes its time.
const LONGEST: Duration = Duration::from_mins(2);

/// What a process takes, after a span of time.
#[derive(Clone, Copy, Debug)]
struct Sample {
    days: i64,
    resident_mib: u64,
    files: u64,
    /// The database's own log; 0 on PostgreSQL.
    log_mib: u64,
    /// Bytes logged since the sample before.
    logged: u64,
    book_mib: u64,
}

/// By how many seconds the foundation's clock is ahead of ours.
fn ahead(served: &Served) -> i64 {
    served.foundation.lock().unwrap().now().seconds_since(cf_billing::clock::Clock::System.now())
}

struct Soak {
    program: Program,
    served: Served,
    daemon: Background,
    /// The daemon's, which goes with the foundation's.
    clock: FakeClock,
    url: String,
    store: Store,
    runtime: Runtime,
    logged: u64,
}

impl Soak {
    fn new(kind: Kind) -> Self {
        let runtime = Runtime::new().unwrap();
        let mut foundation = Foundation::new(71, Timestamp::parse("2026-02-27T20:00:00Z").unwrap());
        foundation.world.settle(&mut foundation.tables, 40);
        let served = runtime.block_on(Served::new(foundation));
        let program = database::with(kind, Program::new);
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\n\
             [collection]\npoll_interval = \"20ms\"\nkeep_events = \"62d\"\n[database]\nverify_interval = \"10s\"\n\
             [billing]\nrates = \"card.toml\"\ndraft_interval = \"1s\"\n[[foundation]]\nname = \"sim\"\napi = \"{}\"\n\
             client_id = \"{}\"\nclient_secret = \"{}\"\nbilling_from = \"2026-02-27T20:00:00Z\"\n",
            served.api, ADMIN.0, ADMIN.1
        );
        std::fs::write(program.folder.path().join("cf-billing.toml"), text).unwrap();
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates/standard.toml");
        std::fs::copy(card, program.folder.path().join("card.toml")).unwrap();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        let clock = FakeClock::new();
        clock.set(ahead(&served));
        let mut command = program.command(&["run", "--config", "cf-billing.toml"]);
        let daemon = Background::spawn(&program, "run.log", command.envs(clock.settings()));
        let url = daemon.url();
        Self { program, served, daemon, clock, url, store, runtime, logged: 0 }
    }

    /// Waits until all that happened is collected.
    fn collected(&self) {
        let began = Instant::now();
        loop {
            let now = self.served.foundation.lock().unwrap().now();
            if self.runtime.block_on(complete_until(&self.store, "sim")) == Some(now) {
                return;
            }
            assert!(began.elapsed() < LONGEST, "{now} isn't collected\n{}", self.daemon.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn live(&self, days: i64) {
        for _ in 0..days * 24 * HOUR / STEP.0 {
            // Ours goes with it, so that each month is drafted in its time.
            self.clock.set(ahead(&self.served) + STEP.0);
            {
                let mut foundation = self.served.foundation.lock().unwrap();
                let to = foundation.now().plus(STEP.0);
                foundation.advance(to);
                foundation.act(STEP.1);
                keep_size(&mut foundation);
            }
            self.collected();
        }
    }

    fn sample(&mut self, days: i64) -> Sample {
        let metrics = text(&format!("{}/metrics", self.url));
        let value = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
            line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        };
        let size = |ending: &str| {
            let file = self.program.folder.path().join(format!("book.db{ending}"));
            std::fs::metadata(file).map_or(0, |file| file.len())
        };
        let all = self.daemon.log().len() as u64;
        let logged = all - self.logged;
        self.logged = all;
        let sample = Sample {
            days,
            resident_mib: value("process_resident_memory_bytes") >> 20,
            files: value("process_open_fds"),
            log_mib: size("-wal") >> 20,
            logged,
            book_mib: value("cf_billing_database_size_bytes") >> 20,
        };
        let Sample { days, resident_mib, files, log_mib, logged, book_mib } = sample;
        println!(
            "day {days:>3}: {resident_mib} MiB of memory, {files} files, {log_mib} MiB of the database's log, {logged} bytes \
             logged, book of {book_mib} MiB"
        );
        sample
    }
}

/// Lives in spans of so many days; the first three warm up.
fn soak(kind: Kind, spans: i64, days: i64) {
    let mut soak = Soak::new(kind);
    soak.collected();
    let begun = Instant::now();
    let samples: Vec<Sample> = (1..=spans)
        .map(|span| {
            soak.live(days);
            soak.sample(span * days)
        })
        .collect();
    println!("{} days in {:?}", spans * days, begun.elapsed());
    let warm = &samples[2.min(samples.len() - 1)];
    for sample in &samples[3.min(samples.len())..] {
        assert!(sample.resident_mib <= warm.resident_mib * 5 / 4 + 16, "memory grows: {samples:#?}");
        assert!(sample.files <= warm.files + 8, "files stay open: {samples:#?}");
        assert!(sample.log_mib <= 48, "the database's log grows: {samples:#?}");
        assert!(sample.logged <= warm.logged * 2 + 20_000, "more and more is logged: {samples:#?}");
    }
    let (code, _, log) = soak.daemon.end("TERM");
    assert_eq!(code, Some(0), "{log}");
}

/// Some 20 s: some hundred steps, each of which is collected.
#[test]
fn a_week_at_full_speed_takes_what_six_days_did() {
    if std::env::var_os("CF_BILLING_SOAK").is_none() {
        soak(Kind::Sqlite, 4, 2);
    }
}

/// `tests/long soak`.
#[test]
fn eight_months_at_full_speed_take_what_three_did() {
    if std::env::var_os("CF_BILLING_SOAK").is_some() {
        soak(Kind::Sqlite, 8, 30);
        soak(Kind::Postgres, 8, 30);
    }
}
