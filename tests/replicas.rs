//! Several processes on one book: leases, fencing, takeover, and the same outcome whatever dies, sleeps or is cut off.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cf_billing::domain::{Strategy, Timestamp};
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::{DutyState, Lease, PageOrigin, Store, StoreError, WriteSet};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::background::{eventually, signal, text};
use crate::support::collected::{Collected, NAME};
use crate::support::database::{self, Kind};
use crate::support::program::Program;
use crate::support::proxy::{Network, Proxy};
use crate::support::served::{Book, Served, complete_until};

const LONG: Duration = Duration::from_mins(1);

#[test]
fn a_duty_is_one_replicas_at_a_time() {
    let program = Program::new();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&program.database()).await.unwrap();
        let first = store.take_lease("drafts", "a", LONG).await.unwrap().unwrap();
        assert_eq!(first, Lease { duty: "drafts".to_owned(), epoch: 1 });
        assert_eq!(store.renew_leases("a", LONG).await.unwrap(), std::slice::from_ref(&first));
        assert_eq!(store.renew_leases("b", LONG).await.unwrap(), []);
        if store.is_shared() {
            assert_eq!(store.take_lease("drafts", "b", LONG).await.unwrap(), None);
        }
        // Whoever doesn't have it can't give it up.
        store.give_up_lease(&first, "b").await.unwrap();
        let held = |state: &DutyState| state.holder.clone();
        assert_eq!(store.duties().await.unwrap().iter().map(held).collect::<Vec<_>>(), [Some("a".to_owned())]);
        store.give_up_lease(&first, "a").await.unwrap();
        assert_eq!(store.duties().await.unwrap().iter().map(held).collect::<Vec<_>>(), [None]);
        let second = store.take_lease("drafts", "b", LONG).await.unwrap().unwrap();
        assert_eq!(second.epoch, 2);
        // What ran out is anybody's.
        store.give_up_lease(&second, "b").await.unwrap();
        let third = store.take_lease("drafts", "c", Duration::from_millis(1)).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let fourth = store.take_lease("drafts", "d", LONG).await.unwrap().unwrap();
        assert_eq!((third.epoch, fourth.epoch), (3, 4));
        assert_eq!(store.renew_leases("c", LONG).await.unwrap(), []);
    });
}

#[test]
fn an_older_epoch_writes_nothing() {
    let program = Program::new();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&program.database()).await.unwrap();
        let duty = Lease::duty_of("f");
        // Taken before the foundation is there.
        let old = store.take_lease(&duty, "a", LONG).await.unwrap().unwrap();
        let paused = store.under(old.clone());
        let head = paused.foundation("f").await.unwrap();
        assert_eq!(head.lease_epoch, 1);
        let mut write = WriteSet::new(PageOrigin::Collector, &head);
        write.known_until = Some(Timestamp::from_unix(1_790_000_000));
        paused.commit(&head, &write).await.unwrap();

        store.give_up_lease(&old, "a").await.unwrap();
        let new = store.take_lease(&duty, "b", LONG).await.unwrap().unwrap();
        write.known_until = Some(Timestamp::from_unix(1_790_000_001));
        let superseded = |error: StoreError| assert!(matches!(error, StoreError::Superseded(_)), "{error}");
        superseded(paused.commit(&head, &write).await.unwrap_err());
        // Nor with what it reads afterwards.
        let head = paused.foundation("f").await.unwrap();
        assert_eq!(head.lease_epoch, 2);
        superseded(paused.commit(&head, &write).await.unwrap_err());
        let onboarding = cf_billing::store::Onboarding::new(Strategy::Snapshot, "", Timestamp::from_unix(0));
        superseded(paused.put_onboarding(&head, &onboarding).await.unwrap_err());
        let unchanged = store.foundation("f").await.unwrap();
        assert_eq!(unchanged.known_until, Some(Timestamp::from_unix(1_790_000_000)));
        assert_eq!(store.onboarding(&unchanged).await.unwrap(), None);
        let current = store.under(new);
        current.commit(&head, &write).await.unwrap();
        current.put_onboarding(&head, &onboarding).await.unwrap();

        let drafts = store.take_lease("drafts", "a", LONG).await.unwrap().unwrap();
        let card = cf_billing::store::StoredCard {
            hash: "h".to_owned(),
            name: "n".to_owned(),
            currency: "EUR".to_owned(),
            text: String::new(),
        };
        let at = Timestamp::from_unix(0);
        store.under(drafts.clone()).put_drafts(&card, &[], None, at).await.unwrap();
        store.give_up_lease(&drafts, "a").await.unwrap();
        store.take_lease("drafts", "b", LONG).await.unwrap().unwrap();
        superseded(store.under(drafts).put_drafts(&card, &[], None, at).await.unwrap_err());
    });
}

/// The collector that was paused between a page's delivery and its commit.
#[test]
fn a_leader_paused_before_its_commit_is_refused_when_it_wakes() {
    let mut collected = Collected::settled(17, 20);
    let duty = Lease::duty_of(NAME);
    let store = collected.store.clone();
    let lease = collected.runtime.block_on(store.take_lease(&duty, "a", LONG)).unwrap().unwrap();
    collected.store = store.under(lease.clone());
    collected.onboard();
    collected.act(3600, 40);
    // Somebody else takes over while the first page is on its way.
    let (url, taken) = (collected.url(), Arc::new(Mutex::new(false)));
    collected.fail(move |request| {
        let mut taken = taken.lock().unwrap();
        if !*taken && request.uri().path().ends_with("app_usage_events") {
            *taken = true;
            let (url, duty, lease) = (url.clone(), duty.clone(), lease.clone());
            database::run(|| async move {
                let other = Store::open(&url).await.unwrap();
                other.give_up_lease(&lease, "a").await.unwrap();
                assert_eq!(other.take_lease(&duty, "b", LONG).await.unwrap().unwrap().epoch, 2);
                other.close().await;
            });
        }
        None
    });
    let before = collected.runtime.block_on(store.foundation(NAME)).unwrap();
    for _ in 0..3 {
        let refused = collected.cycle().unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("taken over or written by another process"), "{text}");
    }
    let after = collected.runtime.block_on(store.foundation(NAME)).unwrap();
    assert_eq!(after.last_sequence, before.last_sequence);
    assert_eq!(after.last_entry, before.last_entry);
    assert_eq!(after.known_until, before.known_until);
    // Whoever has the lease goes on there.
    collected.store = store.under(Lease { duty: Lease::duty_of(NAME), epoch: 2 });
    collected.restart();
    collected.cycle().unwrap();
    collected.check_truth();
}

crate::on_postgres! {
    a_duty_is_one_replicas_at_a_time,
    an_older_epoch_writes_nothing,
    a_leader_paused_before_its_commit_is_refused_when_it_wakes,
}

pub const FOUNDATIONS: [&str; 2] = ["eu1", "us1"];
const SEED: u64 = 4711;

/// A `run` that can be killed, paused and cut off from its database.
pub struct Replica {
    program: Program,
    proxy: Proxy,
    url: String,
    child: Option<Child>,
    paused: bool,
}

impl Replica {
    pub fn new(runtime: &Runtime, database: &str, served: &[Served]) -> Self {
        let proxy = Proxy::new(runtime);
        let mut replica = Self::at(runtime, proxy.through(database), served);
        replica.proxy = proxy;
        replica
    }

    /// With nothing between it and its database.
    pub fn at(runtime: &Runtime, url: String, served: &[Served]) -> Self {
        let program = Program::without_database();
        configure(&program, served);
        Self { program, proxy: Proxy::new(runtime), url, child: None, paused: false }
    }

    pub fn start(&mut self) {
        let log = self.program.folder.path().join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut command = self.program.command(&["run", "--config", "cf-billing.toml"]);
        command.env("CF_BILLING__DATABASE__URL", &self.url);
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.paused = false;
    }

    pub fn signal(&self, name: &str) {
        if let Some(child) = &self.child {
            signal(child, name);
        }
    }

    /// Where it serves, once it says so.
    fn address(&self) -> Option<String> {
        let log = self.log();
        let at = log.find("http://127.0.0.1:")?;
        let end = log[at..].find(|letter: char| letter.is_whitespace())?;
        Some(log[at..at + end].split('/').take(3).collect::<Vec<_>>().join("/"))
    }

    /// By its log.
    pub fn has_duties(&self) -> bool {
        let log = self.log();
        log.matches("taken over").count() > log.matches("given up: ").count()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.program.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn configure(program: &Program, served: &[Served]) {
    let mut configuration = "[database]\nlease = \"1s\"\nstatement_timeout = \"1s\"\nacquire_timeout = \"1s\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[collection]\npoll_interval = \"20ms\"\nsweep_interval = \"1s\"\n\
         [billing]\nrates = \"card.toml\"\ndraft_interval = \"1s\"\n"
        .to_owned();
    for (name, served) in FOUNDATIONS.iter().zip(served) {
        // Their clocks aren't ours: from when to bill has to be said.
        configuration.push_str(&format!(
            "[[foundation]]\nname = \"{name}\"\napi = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
             billing_from = \"2026-03-30T20:00:00Z\"\n",
            served.api, ADMIN.0, ADMIN.1
        ));
    }
    std::fs::write(program.folder.path().join("cf-billing.toml"), configuration).unwrap();
    let card = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rates/standard.toml");
    std::fs::copy(card, program.folder.path().join("card.toml")).unwrap();
}

pub fn foundations(runtime: &Runtime) -> Vec<Served> {
    let settled = |seed| {
        let mut foundation = Foundation::new(seed, Timestamp::parse("2026-03-30T20:00:00Z").unwrap());
        foundation.world.settle(&mut foundation.tables, 40);
        runtime.block_on(Served::new(foundation))
    };
    // The second has the names of the first: the same organizations, spaces and apps by name.
    vec![settled(1), settled(1)]
}

/// Drafts by account and month, without what differs from run to run.
pub fn drafts(program: &Program) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for month in ["2026-03", "2026-04"] {
        let run =
            program.run(&["invoices", "draft", "--period", month, "--config", "cf-billing.toml", "--format", "json"]);
        if run.stderr.contains("nothing was used") {
            // On a slow machine they don't live that long.
            continue;
        }
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let drafts: Value = serde_json::from_str(&run.stdout).unwrap();
        for draft in drafts.as_array().unwrap() {
            let id = draft["id"].to_string();
            let mut shown = program.json(&["invoices", "show", &id]);
            let account = format!("{month} {}", shown["account"]);
            assert!(shown["status"] == "draft" || shown["status"] == "in_review", "{account}: {}", shown["status"]);
            // Whether it is in review yet follows from how far usage is complete.
            for varying in ["id", "drafted_at", "rated_through", "blockers", "status"] {
                shown.as_object_mut().unwrap().remove(varying);
            }
            found.insert(account, shown);
        }
    }
    found
}

/// 25 s or so: leases have to run out. `CF_BILLING_CHAOS_SECONDS=600` and `CF_BILLING_CHAOS_SEED` make it last longer, or
/// another run of events.
#[test]
fn whatever_dies_sleeps_or_is_cut_off_the_book_comes_out_the_same() {
    let setting = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = setting("CF_BILLING_CHAOS_SEED").unwrap_or(SEED);
    let lasts = Duration::from_secs(setting("CF_BILLING_CHAOS_SECONDS").unwrap_or(15));
    println!("seed {seed}, {lasts:?}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let runtime = Runtime::new().unwrap();
    let served = foundations(&runtime);

    // The undisturbed one has a book of its own.
    let undisturbed = database::with(Kind::Postgres, Program::new);
    configure(&undisturbed, &served);
    let mut alone = Replica::new(&runtime, &undisturbed.database(), &served);
    alone.start();
    let disturbed = database::with(Kind::Postgres, Program::new);
    configure(&disturbed, &served);
    let mut replicas: Vec<Replica> = (0..3).map(|_| Replica::new(&runtime, &disturbed.database(), &served)).collect();
    for replica in &mut replicas {
        replica.start();
    }
    let logs = |replicas: &[Replica]| replicas.iter().map(Replica::log).collect::<Vec<_>>().join("\n---\n");
    let (ours, theirs) = runtime.block_on(async {
        let open = async |program: &Program| Store::open(&program.database()).await.unwrap();
        (open(&disturbed).await, open(&undisturbed).await)
    });
    let is_complete = |store: &Store| {
        FOUNDATIONS.iter().zip(&served).all(|(name, served)| {
            let until = runtime.block_on(complete_until(store, name));
            until == Some(served.foundation.lock().unwrap().now())
        })
    };

    let began = Instant::now();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut takeovers: Vec<Duration> = Vec::new();
    let mut hours = 0;
    while began.elapsed() < lasts {
        let victim = random.random_range(0..replicas.len());
        let what = *["kill", "pause", "cut", "silence", "nothing"].choose(&mut random).unwrap();
        *counts.entry(what).or_default() += 1;
        let before = runtime.block_on(ours.duties()).unwrap();
        let replica = &mut replicas[victim];
        match what {
            "kill" => replica.kill(),
            "pause" => replica.signal("STOP"),
            "cut" => replica.proxy.set(Network::Cut),
            "silence" => replica.proxy.set(Network::Silent),
            _ => {}
        }
        let disturbed_at = Instant::now();
        if what != "nothing" {
            // What it held is another's before long. Held by whom: a replica's name ends with its process and a random part.
            let process = replica.child.as_ref().map_or(0, Child::id).to_string();
            let lost: Vec<&Lease> = (before.iter())
                .filter(|state| state.holder.as_ref().is_some_and(|holder| holder.contains(&format!("-{process}-"))))
                .map(|state| &state.lease)
                .collect();
            for lease in lost {
                eventually(
                    || format!("{what} {victim}: {}", logs(&replicas)),
                    || {
                        let now = runtime.block_on(ours.duties()).unwrap();
                        now.iter()
                            .any(|state| {
                                state.lease.duty == lease.duty
                                    && state.lease.epoch > lease.epoch
                                    && state.holder.is_some()
                            })
                            .then_some(())
                    },
                );
                takeovers.push(disturbed_at.elapsed());
            }
        }
        // Longer than the lease, now and then much longer.
        let more = Duration::from_millis(random.random_range(0..1500));
        std::thread::sleep(more);
        let replica = &mut replicas[victim];
        match what {
            "kill" => replica.start(),
            "pause" => replica.signal("CONT"),
            "cut" | "silence" => replica.proxy.set(Network::Whole),
            _ => {}
        }
        if is_complete(&ours) && is_complete(&theirs) {
            hours += 1;
            for served in &served {
                let mut foundation = served.foundation.lock().unwrap();
                let to = foundation.now().plus(3600);
                foundation.advance(to);
                foundation.act(60);
            }
        }
    }
    eventually(|| logs(&replicas), || (is_complete(&ours) && is_complete(&theirs)).then_some(()));
    for replica in replicas.iter_mut().chain([&mut alone]) {
        replica.kill();
    }
    let refused = logs(&replicas).matches("a write was refused").count();
    takeovers.sort();
    println!("{counts:?}, {hours} hours lived, {refused} late writes refused");
    println!(
        "{} takeovers, median {:?}, longest {:?}",
        takeovers.len(),
        takeovers.get(takeovers.len() / 2),
        takeovers.last()
    );
    assert!(hours > 0 && !takeovers.is_empty());
    same_outcome(&runtime, (&ours, &disturbed), (&theirs, &undisturbed));
}

/// Ledger and drafts are those of the undisturbed book.
pub fn same_outcome(runtime: &Runtime, disturbed: (&Store, &Program), undisturbed: (&Store, &Program)) {
    for name in FOUNDATIONS {
        let ours = runtime.block_on(Book::read(disturbed.0, name)).net;
        let theirs = runtime.block_on(Book::read(undisturbed.0, name)).net;
        assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new(), "{name}: only when disturbed");
        assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new(), "{name}: only undisturbed");
        assert!(ours.len() > 50, "{}", ours.len());
    }
    let (ours, theirs) = (drafts(disturbed.1), drafts(undisturbed.1));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    assert!(!ours.is_empty());
    for (account, draft) in &ours {
        let lines = |text: &Value| serde_json::to_string_pretty(text).unwrap();
        assert_eq!(lines(draft), lines(&theirs[account]), "{account}");
    }
}

#[test]
fn a_database_that_is_away_at_the_start_is_waited_for() {
    let runtime = Runtime::new().unwrap();
    let served = foundations(&runtime);
    let book = database::with(Kind::Postgres, Program::new);
    let mut replica = Replica::new(&runtime, &book.database(), &served);
    replica.proxy.set(Network::Cut);
    // Other commands end with the reason.
    let mut check = replica.program.command(&["check", "--config", "cf-billing.toml"]);
    let checked = check.env("CF_BILLING__DATABASE__URL", &replica.url).output().unwrap();
    let told = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{told}");
    assert!(
        told.contains("can't reach the database") && told.contains("is it running, and reachable from here?"),
        "{told}"
    );
    replica.start();
    let url = eventually(|| replica.log(), || replica.address());
    let body = text(&format!("{url}/readyz"));
    assert!(body.contains("\"ready\":false") && body.contains("can't reach the database"), "{body}");
    assert_eq!(text(&format!("{url}/healthz")), "alive\n");
    assert!(text(&format!("{url}/metrics")).contains("cf_billing_build_info"));
    replica.proxy.set(Network::Whole);
    eventually(|| replica.log(), || text(&format!("{url}/readyz")).contains("\"ready\":true").then_some(()));
    let store = runtime.block_on(Store::open(&book.database())).unwrap();
    for name in FOUNDATIONS {
        eventually(|| replica.log(), || runtime.block_on(complete_until(&store, name)));
    }
}

/// Foundations are shared out; a replica that ends well is followed at once.
#[test]
fn replicas_share_the_foundations_and_follow_each_other() {
    let runtime = Runtime::new().unwrap();
    let served = foundations(&runtime);
    let book = database::with(Kind::Postgres, Program::new);
    let store = runtime.block_on(Store::open(&book.database())).unwrap();
    let mut replicas: Vec<Replica> = (0..2).map(|_| Replica::new(&runtime, &book.database(), &served)).collect();
    let holders = || {
        let duties = runtime.block_on(store.duties()).unwrap();
        let held = |state: &DutyState| Some((state.lease.duty.clone(), state.holder.clone()?));
        duties.iter().filter_map(held).collect::<BTreeMap<String, String>>()
    };
    replicas[0].start();
    eventually(|| replicas[0].log(), || (holders().len() == 4).then_some(()));
    replicas[1].start();
    // Two foundations, drafts and verification over two: each has two.
    let log = || format!("{:?}\n{}\n{}", holders(), replicas[0].log(), replicas[1].log());
    eventually(log, || {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for holder in holders().into_values() {
            *counts.entry(holder).or_default() += 1;
        }
        counts.values().copied().eq([2, 2]).then_some(())
    });
    let url = |replica: &Replica| replica.address().unwrap();
    // Both are ready, and say of what they have; of the rest they say what the book says, which goes on.
    for replica in &replicas {
        eventually(
            || replica.log(),
            || {
                for served in &served {
                    let mut foundation = served.foundation.lock().unwrap();
                    let to = foundation.now().plus(1);
                    foundation.advance(to);
                }
                let ready = text(&format!("{}/readyz", url(replica)));
                ready.contains("\"ready\":true").then_some(())
            },
        );
    }
    let metrics = text(&format!("{}/metrics", url(&replicas[1])));
    let leads = |value: u8| {
        metrics
            .lines()
            .filter(|line| line.starts_with("cf_billing_leader{") && line.ends_with(&format!(" {value}")))
            .count()
    };
    assert_eq!((leads(1), leads(0)), (2, 2), "{metrics}");
    // One that ends well leaves nothing to wait for.
    let child = replicas[1].child.take().unwrap();
    signal(&child, "TERM");
    let mut child = child;
    assert!(child.wait().unwrap().success());
    let ended = Instant::now();
    assert!(replicas[1].log().contains("stopped"));
    eventually(
        || replicas[0].log(),
        || {
            (holders().values().collect::<std::collections::BTreeSet<_>>().len() == 1 && holders().len() == 4)
                .then_some(())
        },
    );
    println!("followed after {:?}", ended.elapsed());
    // The same names in two foundations stay two accounts. Some time passes in each, so that there is usage.
    for served in &served {
        let mut foundation = served.foundation.lock().unwrap();
        let to = foundation.now().plus(60);
        foundation.advance(to);
    }
    let organizations = |name: &str| {
        let by_org = ["usage", "--by", "org", "--foundation", name, "--from", "2026-03-01", "--to", "2026-05-01"];
        let used = || Some(book.json(&by_org).as_array().unwrap().len()).filter(|count| *count > 0);
        eventually(|| replicas[0].log(), used)
    };
    assert_eq!(organizations(FOUNDATIONS[0]), organizations(FOUNDATIONS[1]));
}
