//! Three replicas on a primary with a synchronous standby, and faults drawn by a seed: usage and drafts are those of an
//! undisturbed run, and no replica says that it is ready while nothing is collected. `tests/long faults` runs it for as long as
//! is wanted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cf_billing::store::{DutyState, Lease};
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;

use super::long::number;
use super::twins::{Twins, inputs};
use super::watch::{NOT_READY_AFTER, Watch, readiness};
use crate::support::cluster::{Pair, server_owner};
use crate::support::pooler::Pooler;
use crate::support::proxy::{Network, Proxy, Upstream};
use crate::support::replica::Replica;
use crate::support::served::Served;

/// From the end of a fault until everything is collected and every replica is ready.
const RECOVERY: Duration = Duration::from_mins(1);
/// Of each server's disk, in MiB.
const DISK: u32 = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Killed,
    Paused,
    DatabaseCut,
    DatabaseSilent,
    /// One of the two servers can't be reached.
    ServerCut,
    FoundationCut,
    FoundationSilent,
    FoundationSlow,
    /// The replica's clock is ahead or behind, by up to two days.
    ClockWrong,
    /// The primary dies, and the standby takes over.
    Failover,
    /// The same, and the former primary is back, and accepts writes.
    FormerPrimary,
    DiskFull,
    ReadOnly,
    ConnectionsEnded,
    /// No commit is confirmed.
    StandbyGone,
    PoolersRestarted,
}

const OF_REPLICAS: [Fault; 6] =
    [Fault::Killed, Fault::Paused, Fault::DatabaseCut, Fault::DatabaseSilent, Fault::ServerCut, Fault::ClockWrong];

const OF_FOUNDATIONS: [Fault; 3] = [Fault::FoundationCut, Fault::FoundationSilent, Fault::FoundationSlow];

const OF_SERVERS: [Fault; 6] = [
    Fault::Failover,
    Fault::FormerPrimary,
    Fault::DiskFull,
    Fault::ReadOnly,
    Fault::ConnectionsEnded,
    Fault::StandbyGone,
];

/// What a fault is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Replica(usize),
    Foundation(usize),
    Server,
    Poolers,
}

/// How long something took, each time.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn told(&mut self) -> String {
        self.0.sort();
        match (self.0.get(self.0.len() / 2), self.0.last()) {
            (Some(median), Some(longest)) => {
                format!("{}, median {median:.1?}, longest {longest:.1?}", self.0.len())
            }
            _ => "0".to_owned(),
        }
    }
}

/// What happened.
#[derive(Default)]
struct Told {
    faults: BTreeMap<Fault, Times>,
    rounds: usize,
    hours: usize,
    takeovers: Times,
    failovers: Times,
}

struct Broken<'r> {
    twins: Twins<'r>,
    /// Between the replicas and each foundation.
    networks: Vec<Proxy>,
    /// Between the last replica and each server.
    poolers: Vec<Pooler>,
    random: ChaCha8Rng,
    told: Told,
}

impl Broken<'_> {
    fn new(runtime: &Runtime, seed: u64) -> Broken<'_> {
        let pair = Pair::on_disks(server_owner(), DISK);
        let poolers =
            [&pair.primary, &pair.standby].map(|server| Pooler::before(server.folder(), server.port, "session"));
        let mut networks = Vec::new();
        let replicas = |pair: &Pair, database: &str, served: &[Served]| {
            let address = |api: &str| Upstream::Address(api.trim_start_matches("http://").parse().unwrap());
            networks = served.iter().map(|served| Proxy::before(runtime, address(&served.api))).collect();
            let apis: Vec<String> =
                networks.iter().map(|network: &Proxy| format!("http://127.0.0.1:{}", network.port())).collect();
            let direct = || [&pair.primary, &pair.standby].map(|server| Upstream::Socket(server.socket())).to_vec();
            let pooled = poolers.iter().map(|pooler| Upstream::Socket(pooler.socket())).collect();
            [direct(), direct(), pooled]
                .map(|servers| {
                    let mut replica = Replica::between(runtime, servers, database, &apis);
                    replica.set("CF_BILLING__HTTP__NOT_READY_AFTER", format!("{}s", NOT_READY_AFTER.as_secs()));
                    replica.with_clock();
                    replica
                })
                .into()
        };
        let twins = Twins::new(runtime, pair, replicas);
        twins.pair.synchronous();
        let random = ChaCha8Rng::seed_from_u64(seed);
        Broken { twins, networks, poolers: poolers.into(), random, told: Told::default() }
    }

    /// One to three faults, each of something else.
    fn draw(&mut self) -> BTreeMap<Target, Fault> {
        let of_servers = [Target::Server, Target::Server, Target::Poolers];
        let all = (0..3).map(Target::Replica).chain((0..2).map(Target::Foundation)).chain(of_servers);
        let count = *[1, 1, 2, 3].choose(&mut self.random).unwrap();
        let targets = all.sample(&mut self.random, count);
        let drawn = targets.into_iter().map(|target| {
            let fault = match target {
                Target::Replica(_) => *OF_REPLICAS.choose(&mut self.random).unwrap(),
                Target::Foundation(_) => *OF_FOUNDATIONS.choose(&mut self.random).unwrap(),
                Target::Server => *OF_SERVERS.choose(&mut self.random).unwrap(),
                Target::Poolers => Fault::PoolersRestarted,
            };
            (target, fault)
        });
        drawn.collect()
    }

    fn begin(&mut self, target: Target, fault: Fault) {
        let Self { twins, networks, poolers, random, told } = self;
        match target {
            Target::Replica(number) => return begin_of(&mut twins.replicas[number], fault, random),
            Target::Foundation(number) => return networks[number].set(network(fault)),
            Target::Server | Target::Poolers => {}
        }
        let pair = &mut twins.pair;
        match fault {
            Fault::Failover | Fault::FormerPrimary => {
                pair.primary.kill();
                std::thread::sleep(Duration::from_millis(random.random_range(0..1500)));
                pair.promote();
                let (promoted, there) = (Instant::now(), inputs(&pair.standby));
                if fault == Fault::FormerPrimary {
                    pair.primary.start();
                }
                // Others may be cut off at the same time.
                while promoted.elapsed() < NOT_READY_AFTER {
                    if inputs(&pair.standby) > there {
                        told.failovers.0.push(promoted.elapsed());
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            Fault::DiskFull => pair.primary.fill(),
            Fault::ReadOnly => {
                pair.primary.set("default_transaction_read_only = on");
                pair.primary.end_connections();
            }
            Fault::ConnectionsEnded => pair.primary.end_connections(),
            Fault::StandbyGone => pair.standby.kill(),
            Fault::PoolersRestarted => poolers.iter_mut().for_each(Pooler::kill),
            _ => unreachable!("{fault:?} is no fault of {target:?}"),
        }
    }

    fn end(&mut self, target: Target, fault: Fault) {
        let Self { twins, networks, poolers, .. } = self;
        match target {
            Target::Replica(number) => return end_of(&mut twins.replicas[number], fault),
            Target::Foundation(number) => return networks[number].set(Network::Whole),
            Target::Server | Target::Poolers => {}
        }
        let pair = &mut twins.pair;
        match fault {
            Fault::Failover | Fault::FormerPrimary => {
                pair.swap();
                pair.synchronous();
            }
            Fault::DiskFull => pair.primary.free(),
            Fault::ReadOnly => pair.primary.set("default_transaction_read_only = off"),
            Fault::StandbyGone => pair.standby.start(),
            Fault::PoolersRestarted => poolers.iter_mut().for_each(Pooler::start),
            _ => {}
        }
    }

    /// A round of faults at once, an hour to collect meanwhile, and everything is well again.
    fn round(&mut self, watch: &Watch) {
        let drawn = self.draw();
        let before = self.twins.duties();
        *watch.during.lock().unwrap() = format!("{drawn:?}");
        let begun = Instant::now();
        self.told.hours += 1;
        self.twins.live();
        // What is next to each other begins at once: while what came is collected.
        for (target, fault) in &drawn {
            self.begin(*target, *fault);
        }
        let most = if self.random.random_ratio(1, 5) { 15_000 } else { 3_000 };
        let until = begun + Duration::from_millis(self.random.random_range(50..most));
        if !drawn.contains_key(&Target::Server) {
            self.taken_over(&drawn, &before, until);
        }
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        watch.holds(&drawn, &self.twins);
        for (target, fault) in &drawn {
            self.end(*target, *fault);
        }
        watch.serves_at(&self.twins.replicas);
        let over = Instant::now();
        while !self.is_well() {
            assert!(
                over.elapsed() < RECOVERY,
                "{drawn:?}, round {}: {:?}\n{}\n{}",
                self.told.rounds,
                self.twins.replicas.iter().map(readiness).collect::<Vec<_>>(),
                self.twins.logs(),
                self.twins.pair.logs()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        self.told.rounds += 1;
        for fault in drawn.values() {
            self.told.faults.entry(*fault).or_default().0.push(over.elapsed());
        }
        watch.holds(&drawn, &self.twins);
    }

    /// Measures when what silent replicas did is done by others, for as long as the round lasts.
    fn taken_over(&mut self, drawn: &BTreeMap<Target, Fault>, before: &[DutyState], until: Instant) {
        let begun = Instant::now();
        let silent =
            |fault: &Fault| matches!(fault, Fault::Killed | Fault::Paused | Fault::DatabaseCut | Fault::DatabaseSilent);
        let faulty: Vec<usize> = (drawn.iter())
            .filter_map(|(target, fault)| match target {
                Target::Replica(number) if silent(fault) => Some(*number),
                _ => None,
            })
            .collect();
        let theirs = |state: &&DutyState| {
            // A replica's name has its process in it.
            let held = |number: &usize| {
                let process = self.twins.replicas[*number].process.unwrap_or_default();
                state.holder.as_ref().is_some_and(|holder| holder.contains(&format!("-{process}-")))
            };
            faulty.iter().any(held)
        };
        let mut lost: Vec<Lease> = before.iter().filter(theirs).map(|state| state.lease.clone()).collect();
        while !lost.is_empty() && Instant::now() < until {
            let now = self.twins.duties();
            let taken = |lease: &Lease| {
                now.iter().any(|state| {
                    state.lease.duty == lease.duty && state.lease.epoch > lease.epoch && state.holder.is_some()
                })
            };
            let count = lost.len();
            lost.retain(|lease| !taken(lease));
            self.told.takeovers.0.extend(std::iter::repeat_n(begun.elapsed(), count - lost.len()));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All is collected, and every replica says so.
    fn is_well(&self) -> bool {
        if !self.twins.is_complete() {
            return false;
        }
        if self.twins.replicas.iter().all(|replica| readiness(replica).0 == Some(200)) {
            return true;
        }
        // Who only looks on sees by the book that it is collected: as time goes on.
        self.twins.pass(1);
        false
    }
}

fn begin_of(replica: &mut Replica, fault: Fault, random: &mut ChaCha8Rng) {
    match fault {
        Fault::Killed => replica.kill(),
        Fault::Paused => replica.signal("STOP"),
        Fault::DatabaseCut | Fault::DatabaseSilent => {
            replica.databases.iter().for_each(|between| between.set(network(fault)));
        }
        Fault::ServerCut => replica.databases.choose(random).unwrap().set(Network::Cut),
        Fault::ClockWrong => replica.clock().set(random.random_range(-172_800..=172_800)),
        _ => unreachable!("{fault:?} is no fault of a replica"),
    }
}

fn end_of(replica: &mut Replica, fault: Fault) {
    match fault {
        Fault::Killed => replica.start(),
        Fault::Paused => replica.signal("CONT"),
        Fault::ClockWrong => replica.clock().set(0),
        _ => replica.databases.iter().for_each(|between| between.set(Network::Whole)),
    }
}

const fn network(fault: Fault) -> Network {
    match fault {
        Fault::DatabaseCut | Fault::FoundationCut => Network::Cut,
        Fault::DatabaseSilent | Fault::FoundationSilent => Network::Silent,
        Fault::FoundationSlow => Network::Slow,
        _ => Network::Whole,
    }
}

/// Some 60 s: two clusters, 20 s of faults, and leases that have to run out.
#[test]
fn whatever_fails_of_replicas_and_servers_the_book_comes_out_the_same() {
    let (seconds, seed) = (number("CF_BILLING_FAULTS_SECONDS", 20), number("CF_BILLING_FAULTS_SEED", 1));
    println!("seed {seed}, {seconds} s");
    let runtime = Runtime::new().unwrap();
    let mut broken = Broken::new(&runtime, seed);
    broken.twins.complete();
    let watch = Watch::new(&broken.twins, &broken.networks);
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        broken.round(&watch);
    }
    let (longest, during) = watch.end();
    let Broken { twins, mut told, .. } = broken;
    let refused = twins.logs().matches("a write was refused").count();
    println!("{} rounds, {} hours lived, {refused} late writes refused", told.rounds, told.hours);
    println!("takeovers of duties: {}; going on after a promotion: {}", told.takeovers.told(), told.failovers.told());
    for (fault, times) in &mut told.faults {
        println!("  {fault:?}: {}, until everything is collected and ready", times.told());
    }
    println!(
        "ready while nothing was collected: {longest:.1?} at most ({during}); ready is to end after {NOT_READY_AFTER:?}"
    );
    assert!(told.rounds > 0);
    twins.ends_as_undisturbed();
}
