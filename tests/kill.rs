//! The shipped binary, killed again and again: what it collected is what an undisturbed run collects.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use cf_billing::domain::Timestamp;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::Store;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;

use crate::support::collected::{Collected, NAME};
use crate::support::program::Program;
use crate::support::served::{Book, Served, complete_until};

const KILLS: usize = 50;
/// Where a kill falls depends on the machine: it goes on a while if too few fell where they should.
const MOST_KILLS: usize = 80;
const SEED: u64 = 2026;
const DEADLINE: Duration = Duration::from_secs(30);

fn start(program: &Program, api: &str) -> Child {
    // The foundation's clock stands: from when to bill has to be said, since ours is another time.
    let configuration = format!(
        "[database]\nlease = \"500ms\"\n[http]\nlisten = \"127.0.0.1:0\"\n[collection]\npoll_interval = \"10ms\"\n\
         [[foundation]]\nname = \"{NAME}\"\napi = \"{api}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
         billing_from = \"2026-03-01T08:00:00Z\"\n",
        ADMIN.0, ADMIN.1
    );
    std::fs::write(program.folder.path().join("cf-billing.toml"), configuration).unwrap();
    let log = std::fs::OpenOptions::new().create(true).append(true).open(program.folder.path().join("log")).unwrap();
    let mut command = program.command(&["run", "--config", "cf-billing.toml"]);
    command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn log(program: &Program) -> String {
    std::fs::read_to_string(program.folder.path().join("log")).unwrap_or_default()
}

/// How often it was killed, and when.
#[derive(Debug, Default)]
struct Kills {
    onboarding: usize,
    /// Between a page's delivery and its next request.
    page: usize,
    elsewhere: usize,
}

impl Kills {
    const fn are_enough(&self) -> bool {
        self.onboarding >= 10 && self.page >= 10 && self.onboarding + self.page + self.elsewhere >= KILLS
    }
}

fn foundation() -> Foundation {
    let mut foundation = Foundation::new(SEED, Timestamp::parse("2026-03-01T08:00:00Z").unwrap());
    foundation.options.snapshot_polls = 14;
    foundation.world.settle(&mut foundation.tables, 150);
    foundation
}

/// 10 s or so, each kill and start costs a tenth of a second; 40 s on PostgreSQL, where a lease has to run out after each kill.
#[test]
fn killed_fifty_times_it_collects_the_same() {
    println!("seed {SEED}");
    let began = Instant::now();
    let runtime = Runtime::new().unwrap();
    let program = Program::new();
    let served = runtime.block_on(Served::new(foundation()));
    // The undisturbed run lives beside it, in a twin of the foundation.
    let mut twin = Collected::new(foundation());
    twin.onboard_standing_still();

    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut kills = Kills::default();
    let (mut onboarded, mut fresh) = (false, false);
    for life in 0..MOST_KILLS {
        if kills.are_enough() {
            break;
        }
        let mut seen = served.seen.clone();
        let before = seen.borrow().requests;
        let mut child = start(&program, &served.api);
        // A life asks for root, token and changed processes, then for a page of each stream.
        let wanted = match (onboarded, life) {
            (false, 0..14) => random.random_range(1..=9),
            (false, _) => random.random_range(15..=40),
            (true, _) if fresh => 4,
            (true, _) => [5, 12, 12, 16][random.random_range(0..4)],
        };
        let delay = Duration::from_micros(random.random_range(0..20_000));
        let reached = runtime.block_on(async {
            let reached = seen.wait_for(|seen| seen.requests >= before + wanted);
            let reached = tokio::time::timeout(DEADLINE, reached).await.is_ok_and(|reached| reached.is_ok());
            tokio::time::sleep(delay).await;
            reached
        });
        let at_kill = *served.seen.borrow();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(reached, "life {life} sent no {wanted} requests\n{}", log(&program));

        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        let found = runtime.block_on(Book::read(&store, NAME));
        runtime.block_on(store.close());
        onboarded = found.onboarded;
        match (onboarded, at_kill.page) {
            (false, _) => kills.onboarding += 1,
            (true, true) => kills.page += 1,
            (true, false) => kills.elsewhere += 1,
        }
        // Time stands still until everything of it is collected.
        fresh = onboarded && found.complete_until == Some(twin.now());
        if fresh {
            twin.act(3600, 150);
            twin.cycle().unwrap();
            let mut foundation = served.foundation.lock().unwrap();
            let to = foundation.now().plus(3600);
            foundation.advance(to);
            foundation.act(150);
        }
    }
    println!("killed {kills:?}");

    let mut child = start(&program, &served.api);
    let store = runtime.block_on(Store::open(&program.database())).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while runtime.block_on(complete_until(&store, NAME)) != Some(twin.now()) {
        assert!(Instant::now() < deadline, "it never caught up\n{}", log(&program));
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ours = runtime.block_on(Book::read(&store, NAME));
    let undisturbed = twin.runtime.block_on(Book::read(&twin.store, NAME));
    assert_eq!(ours.net.difference(&undisturbed.net).collect::<Vec<_>>(), Vec::<&String>::new(), "only when killed");
    assert_eq!(undisturbed.net.difference(&ours.net).collect::<Vec<_>>(), Vec::<&String>::new(), "only undisturbed");
    assert!(ours.net.len() > 200, "{}", ours.net.len());
    assert_eq!(served.foundation.lock().unwrap().tables.snapshots.len(), 2);
    twin.check_truth();
    assert!(kills.are_enough(), "{kills:?}");
    println!("took {:?}", began.elapsed());
}

crate::on_postgres! {
    killed_fifty_times_it_collects_the_same,
}
