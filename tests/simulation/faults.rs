//! One foundation and everything that goes wrong in it: on the network, in Cloud Controller's database, in ours, with
//! clocks and tokens; and the collector killed wherever it waits.

#[path = "clocks.rs"]
mod clocks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::Client;
use cf_billing::cloud_controller::transport::{Exchange, Exchanging, TransportError};
use cf_billing::consumer::{CollectError, Collector, Cycle, Plan, rebuild, same_ledger};
use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{FoundationHead, Kind, Strategy, Stream, Timestamp};
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::{InputKind, OnboardingStage, Store, StoredGap};
use cf_billing::telemetry::Reporter;
use http::{Request, Response};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::between::Between;
use super::identity::Swaps;
use super::names;
use super::odd_rows::OddRows;
use clocks::WrongClocks;

use super::oracle::{Assumed, Billed, Lost, Oracle, Use};
use super::unseen::{Done, Unseen};
use crate::support::database;
use crate::support::member::{credentials, plan};
use crate::support::program::Program;

const NAME: &str = "sim";
const HOUR: i64 = 3600;
/// No transaction is longer under way and then looked for by a sweep.
const UNCOMMITTED_SECONDS: i64 = 2 * HOUR;

/// What happened in all simulations together, so that a set that tries nothing is seen.
#[derive(Clone, Debug, Default)]
pub struct Told {
    counts: BTreeMap<&'static str, u64>,
}

impl Told {
    fn note(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.counts.iter().map(|(what, count)| (*what, *count))
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.note(what, *count);
        }
    }
}

/// What may happen to a request.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Status(u16),
    Html,
    RateLimited,
    Timeout,
    Refused,
    Cut,
    Truncated,
    Unauthorized,
    /// An event is told twice.
    Twice,
}

const FAULTS: [Fault; 11] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Status(504),
    Fault::Html,
    Fault::RateLimited,
    Fault::Timeout,
    Fault::Refused,
    Fault::Cut,
    Fault::Truncated,
    Fault::Unauthorized,
    Fault::Twice,
];

pub struct World {
    pub foundation: Foundation,
    /// Another one that answers in its place.
    pub other: Option<Foundation>,
    /// Draws what happens between cycles.
    random: ChaCha8Rng,
    /// Draws what happens to requests: anew in each cycle, so that one that goes another way changes no other.
    network: ChaCha8Rng,
    /// Of a hundred requests, so many go wrong.
    faulty: u32,
    /// All events and snapshots are hidden.
    hidden: bool,
    /// Before these requests of a cycle people do something.
    busy: Vec<u32>,
    /// In this cycle.
    requests: u32,
    told: Told,
    log: Option<Vec<String>>,
    /// Routers and proxies.
    between: Between,
}

#[derive(Clone)]
struct InMemory(Arc<Mutex<World>>);

impl fmt::Debug for InMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InMemory")
    }
}

impl Exchange for InMemory {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        Box::pin(async move { self.0.lock().unwrap().exchange(&request) })
    }
}

fn answer(status: u16, kind: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).header("content-type", kind).body(body.into()).unwrap()
}

const NOT_FOUND: &str = r#"{"errors":[{"code":10010,"title":"CF-ResourceNotFound","detail":"not found"}]}"#;
const EMPTY: &str = r#"{"pagination":{"total_results":0,"total_pages":1,"next":null},"resources":[]}"#;

impl World {
    fn chance(&mut self, of_hundred: u32) -> bool {
        self.random.random_range(0..100) < of_hundred
    }

    fn exchange(&mut self, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.requests += 1;
        if self.busy.contains(&self.requests) {
            self.busy.retain(|request| *request != self.requests);
            self.foundation.act(1);
        }
        let path = request.uri().path().to_owned();
        let of_usage = path.contains("_usage_events") || path.contains("_usage/snapshots");
        let of_usage = of_usage && (self.foundation.options.snapshots || !path.contains("snapshots"));
        if self.hidden && of_usage && request.method() == "GET" {
            let list = path.ends_with("_usage_events") || path.ends_with("snapshots");
            return Ok(if list {
                answer(200, "application/json", EMPTY)
            } else {
                answer(404, "application/json", NOT_FOUND)
            });
        }
        if let Some(answer) = self.between.answer(request) {
            self.told.note("answers of routers and proxies", 1);
            if let Some(log) = &mut self.log {
                log.push(format!("    {} {}: {} of somebody else", request.method(), request.uri(), answer.status()));
            }
            return Ok(answer);
        }
        if self.network.random_range(0..100) >= self.faulty {
            let response = self.answered(request);
            if let Some(log) = &mut self.log {
                log.push(format!("    {} {}: {}", request.method(), request.uri(), response.status()));
            }
            return Ok(response);
        }
        let fault = FAULTS[self.network.random_range(0..FAULTS.len())];
        self.told.note("requests gone wrong", 1);
        if let Some(log) = &mut self.log {
            log.push(format!("    {fault:?} for {} {}", request.method(), request.uri()));
        }
        match fault {
            Fault::Status(status) => {
                let body =
                    r#"{"errors":[{"code":10001,"title":"UnknownError","detail":"An unknown error occurred."}]}"#;
                Ok(answer(status, "application/json", body))
            }
            Fault::Html => Ok(answer(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>")),
            Fault::RateLimited => {
                let body =
                    r#"{"errors":[{"code":10013,"title":"CF-RateLimitExceeded","detail":"Rate Limit Exceeded"}]}"#;
                let response = Response::builder().status(429).header("content-type", "text/plain; charset=utf-8");
                Ok(response.header("retry-after", "1800").body(body.into()).unwrap())
            }
            Fault::Timeout => Err(TransportError::Timeout),
            Fault::Refused => Err(TransportError::Connect("connection refused".to_owned())),
            // What was asked for is done, the answer lost.
            Fault::Cut => {
                self.answered(request);
                Err(TransportError::Cut("connection reset".to_owned()))
            }
            Fault::Truncated => {
                let response = self.answered(request);
                let length = self.network.random_range(0..=response.body().len());
                Ok(response.map(|body| body.slice(..length)))
            }
            Fault::Unauthorized => Ok(answer(
                401,
                "application/json",
                r#"{"errors":[{"code":1000,"title":"CF-InvalidAuthToken","detail":"Invalid Auth Token"}]}"#,
            )),
            Fault::Twice if path.ends_with("_usage_events") => {
                let response = self.answered(request);
                let mut page: Value = serde_json::from_slice(response.body()).unwrap_or_default();
                if let Some(events) = page["resources"].as_array_mut().filter(|events| !events.is_empty()) {
                    let (from, to) =
                        (self.network.random_range(0..events.len()), self.network.random_range(0..=events.len()));
                    if from < to {
                        let event = events[from].clone();
                        events.insert(to, event);
                    }
                    return Ok(response.map(|_| page.to_string().into()));
                }
                Ok(response)
            }
            Fault::Twice => Ok(self.answered(request)),
        }
    }
    /// What whoever is under the address answers.
    fn answered(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        self.other.as_mut().unwrap_or(&mut self.foundation).exchange(request)
    }
}

/// A future that is dropped at a poll: killed wherever it waits then. Polls are counted from a request on, because how
/// often a database is waited for depends on the machine.
struct Killed<F> {
    inner: Pin<Box<F>>,
    world: Arc<Mutex<World>>,
    /// `None`: it lives.
    at: Option<(u32, u32)>,
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let requests = self.world.lock().unwrap().requests;
        if let Some((after, polls)) = self.at.as_mut().filter(|(after, _)| requests >= *after) {
            *after = 0;
            if *polls == 0 {
                return Poll::Ready(None);
            }
            *polls -= 1;
        }
        self.inner.as_mut().poll(context).map(Some)
    }
}

/// An event that has no id yet, or that nobody sees yet.
struct Pending {
    stream: Stream,
    guid: String,
    /// It gets its id when it is committed; else it has it already.
    without_id: bool,
    until: Timestamp,
}

pub struct Simulation {
    pub runtime: Runtime,
    program: Program,
    pub store: Store,
    pub world: Arc<Mutex<World>>,
    pub swaps: Swaps,
    clock: Clock,
    /// Ours is ahead of theirs by so many seconds.
    skew: i64,
    plan: Plan,
    collector: Option<Collector>,
    pending: Vec<Pending>,
    /// Every event that was once pending.
    late: BTreeSet<String>,
    /// Streams that were purged while nothing was known of them that could be missed: since when, and until when.
    unseen: Vec<(Stream, Option<Timestamp>, Timestamp)>,
    /// After each cycle, until when what is behind the checkpoint had been read again.
    swept: Vec<(Timestamp, Option<Timestamp>)>,
    /// When everything that runs was looked at, as far as the ledger knows.
    looked: Vec<Timestamp>,
    robbed: BTreeSet<String>,
    /// What no event tells, in some of the seeds.
    silent: Option<Unseen>,
    /// Rows that can't be read for a while, in some of the seeds.
    odd_rows: Option<OddRows>,
    /// Clocks of theirs that are wrong for a while, in some of the seeds.
    wrong_clocks: Option<WrongClocks>,
    spoilt: u32,
    /// Draws by itself whether something that runs is told once more: in a third of the seeds, so that the others stay as
    /// they were.
    once_more: Option<ChaCha8Rng>,
    told: Told,
    log: Option<Vec<String>>,
}

/// Plays one seed; says what is wrong, if anything is.
pub fn simulate(seed: u64, loud: bool) -> Result<Told, String> {
    let mut simulation = Simulation::new(seed, loud);
    let steps = simulation.below(20) + 25;
    for _ in 0..steps {
        simulation.step();
    }
    let result = simulation.heal().and_then(|()| simulation.judge(seed));
    if loud {
        println!("{}", simulation.whole_log().join("\n"));
    }
    let mut told = simulation.told.clone();
    told.add(&simulation.world.lock().unwrap().told);
    result.map(|()| told)
}

impl Simulation {
    fn new(seed: u64, loud: bool) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut foundation = Foundation::new(seed, Timestamp::parse("2026-03-01T08:00:00Z").unwrap());
        foundation.world.people.lossy = true;
        foundation.world.settle(&mut foundation.tables, 5);
        foundation.world.truth.remember();
        let now = foundation.now();
        foundation.world.truth.begin(now);
        foundation.options.snapshot_polls = random.random_range(1..6);
        foundation.options.snapshot_jobs_fail = random.random_bool(0.3);
        foundation.options.snapshots = random.random_bool(0.7);
        foundation.uaa.validity_seconds = random.random_range(600..40_000);
        let mut plan = plan(NAME);
        plan.reconcile_interval_seconds = 6 * HOUR;
        plan.onboarding = match random.random_range(0..8) {
            0 => Some(Strategy::LiveLists),
            1 => Some(Strategy::KeptRecords),
            _ => None,
        };
        let program = Program::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        let log = loud.then(Vec::new);
        let network = random.clone();
        let world = World {
            foundation,
            other: None,
            random,
            network,
            faulty: 0,
            hidden: false,
            busy: Vec::new(),
            requests: 0,
            told: Told::default(),
            log: log.clone(),
            between: Between::new(seed),
        };
        Self {
            runtime,
            program,
            store,
            world: Arc::new(Mutex::new(world)),
            swaps: Swaps::new(seed),
            clock: Clock::manual(now),
            skew: 0,
            plan,
            collector: None,
            pending: Vec::new(),
            late: BTreeSet::new(),
            unseen: Vec::new(),
            swept: Vec::new(),
            looked: Vec::new(),
            robbed: BTreeSet::new(),
            silent: Unseen::of_seed(seed),
            odd_rows: OddRows::of_seed(seed),
            wrong_clocks: WrongClocks::of_seed(seed),
            spoilt: 0,
            once_more: (seed % 3 == 2).then(|| ChaCha8Rng::seed_from_u64(!seed)),
            told: Told::default(),
            log,
        }
    }

    fn below(&self, limit: u32) -> u32 {
        self.world.lock().unwrap().random.random_range(0..limit)
    }

    fn chance(&self, of_hundred: u32) -> bool {
        self.world.lock().unwrap().chance(of_hundred)
    }

    pub fn now(&self) -> Timestamp {
        self.world.lock().unwrap().foundation.now()
    }

    pub fn say(&mut self, what: &'static str) {
        self.told.note(what, 1);
        let line = format!("{} {what}", self.now());
        if self.log.is_some() {
            self.world.lock().unwrap().log.get_or_insert_default().push(line);
        }
    }

    fn whole_log(&self) -> Vec<String> {
        self.world.lock().unwrap().log.clone().unwrap_or_default()
    }

    fn pass(&mut self, seconds: i64) {
        let to = {
            let mut world = self.world.lock().unwrap();
            let to = world.foundation.now().plus(seconds);
            world.foundation.advance(to);
            if let Some(other) = &mut world.other {
                other.advance(to);
            }
            to
        };
        self.commit_pending(to);
        self.clock.set(to.plus(self.skew));
    }

    /// What is pending no longer is.
    fn commit_pending(&mut self, now: Timestamp) {
        let (due, left): (Vec<Pending>, Vec<Pending>) =
            std::mem::take(&mut self.pending).into_iter().partition(|pending| pending.until <= now);
        self.pending = left;
        let mut world = self.world.lock().unwrap();
        for pending in due {
            let tables = &mut world.foundation.tables;
            tables.uncommitted.remove(&pending.guid);
            if !pending.without_id {
                continue;
            }
            let events = tables.events_mut(pending.stream);
            let Some(at) = events.iter().position(|event| event["guid"] == pending.guid.as_str()) else { continue };
            let event = events.remove(at);
            // Its row was locked: nothing of the same app or instance came between.
            let of = |event: &Value| [event["app"]["guid"].clone(), event["service_instance"]["guid"].clone()];
            let next = events[at..].iter().position(|later| of(later) == of(&event));
            let place = next.map_or(events.len(), |next| at + next);
            events.insert(place, event);
        }
    }

    /// Time passes, things happen, things go wrong, the collector goes on as far as it can.
    fn step(&mut self) {
        let seconds = i64::from(self.below(5) + 1) * i64::from(self.below(1500) + 5);
        let before = Stream::ALL.map(|stream| self.world.lock().unwrap().foundation.tables.events(stream).len());
        self.pass(seconds);
        let actions = self.below(5);
        self.world.lock().unwrap().foundation.act(actions);
        self.tell_once_more();
        self.change_unseen();
        self.spoil_rows();
        self.spoil_stream(before);
        self.spoil_clocks(before);
        self.commit_pending(self.now());
        self.spoil_world();
        self.swap();
        let faulty = if self.chance(50) { self.below(30) } else { 0 };
        let busy: Vec<u32> = if self.chance(20) { (0..3).map(|_| self.below(12) + 1).collect() } else { Vec::new() };
        {
            let mut world = self.world.lock().unwrap();
            world.network = ChaCha8Rng::seed_from_u64(world.random.random());
            (world.faulty, world.busy) = (faulty, busy);
            world.between.begin();
        }
        let broken = self.chance(10).then(|| self.break_database());
        let killed = self.chance(40).then(|| (self.below(12), self.below(50)));
        self.cycle(killed);
        // What people had in mind they do in any case.
        let left = std::mem::take(&mut self.world.lock().unwrap().busy).len();
        self.world.lock().unwrap().foundation.act(u32::try_from(left).unwrap());
        if let Some(mend) = broken {
            database::execute(&self.program.database(), &mend).unwrap();
        }
    }

    /// What no event tells, once the baseline is taken.
    fn change_unseen(&mut self) {
        let Some(mut silent) = self.silent.take() else { return };
        silent.hear(&self.world.lock().unwrap().foundation);
        let head = self.head();
        let onboarding = self.runtime.block_on(self.store.onboarding(&head)).unwrap();
        if onboarding.is_some_and(|onboarding| onboarding.stage == OnboardingStage::Complete) {
            let database = silent.wants_database();
            if database {
                self.commit_pending(Timestamp::MAX);
            }
            let done = {
                let mut world = self.world.lock().unwrap();
                let foundation = &mut world.foundation;
                if database { silent.of_database(foundation) } else { silent.act(foundation) }
            };
            match done {
                Done::Nothing => {}
                Done::MigratedPlan => self.say("a plan migrated in bulk"),
                Done::MovedApp => self.say("an app moved by V2"),
                Done::InsertedStarted => self.say("a docker app's process inserted as started"),
                Done::Restored(at) => {
                    let now = self.now();
                    self.unseen.extend(Stream::ALL.map(|stream| (stream, Some(at), now)));
                    self.say("a database set back");
                }
            }
        }
        self.silent = Some(silent);
    }

    /// Rows that can't be read, once the baseline is taken.
    fn spoil_rows(&mut self) {
        let Some(mut odd) = self.odd_rows.take() else { return };
        let head = self.head();
        let onboarding = self.runtime.block_on(self.store.onboarding(&head)).unwrap();
        if onboarding.is_some_and(|onboarding| onboarding.stage == OnboardingStage::Complete)
            && odd.act(&mut self.world.lock().unwrap().foundation)
        {
            self.say("rows that can't be read, or can again");
        }
        self.odd_rows = Some(odd);
    }

    fn tell_once_more(&mut self) {
        let Some(random) = &mut self.once_more else { return };
        if random.random_bool(0.3) && names::tell_once_more(&mut self.world.lock().unwrap().foundation, random) {
            self.say("a running process told once more");
        }
    }

    /// What can go wrong with events that were just written.
    fn spoil_stream(&mut self, before: [usize; 2]) {
        let now = self.now();
        for (stream, before) in Stream::ALL.into_iter().zip(before) {
            let new: Vec<Value> =
                self.world.lock().unwrap().foundation.tables.events(stream).iter().skip(before).cloned().collect();
            for event in &new {
                let guid = event["guid"].as_str().unwrap().to_owned();
                if self.chance(12) {
                    let without_id = self.chance(50);
                    let created_at = Timestamp::parse(event["created_at"].as_str().unwrap()).unwrap();
                    let until = created_at.plus(i64::from(self.below(3400)));
                    self.world.lock().unwrap().foundation.tables.uncommitted.insert(guid.clone());
                    self.late.insert(guid.clone());
                    self.pending.push(Pending { stream, guid, without_id, until });
                    self.say(if without_id { "event with an older time" } else { "event committed late" });
                } else if self.chance(1) {
                    self.rob(stream, event);
                }
            }
        }
        if self.chance(8) {
            let mut world = self.world.lock().unwrap();
            let guid = world.foundation.world.guid();
            let event = match world.random.random_range(0..3) {
                0 => json!({"guid": guid, "created_at": now, "state": {"current": "FOO", "previous": null}}),
                1 => {
                    json!({"guid": guid, "created_at": now, "state": {"current": "STARTED"}, "process": {"guid": "x"}})
                }
                _ => json!({"guid": guid, "created_at": now, "nothing": [1, 2, 3]}),
            };
            world.foundation.tables.events_mut(Stream::App).push(event);
            drop(world);
            self.say("unknown state or undecodable record");
        }
    }

    /// An ending is lost for good.
    fn rob(&mut self, stream: Stream, event: &Value) {
        let state = event["state"].as_str().or(event["state"]["current"].as_str()).unwrap_or_default();
        let of = match state {
            "STOPPED" => &event["process"]["guid"],
            "TASK_STOPPED" => &event["task"]["guid"],
            "DELETED" => &event["service_instance"]["guid"],
            _ => return,
        };
        self.robbed.insert(of.as_str().unwrap().to_owned());
        let guid = event["guid"].clone();
        self.world.lock().unwrap().foundation.tables.events_mut(stream).retain(|event| event["guid"] != guid);
        self.say("an ending that never comes");
    }

    /// What can go wrong with everything at once.
    fn spoil_world(&mut self) {
        let now = self.now();
        // Nothing shows that something was pruned of a stream that was empty.
        let head = self.head();
        let held = Stream::ALL.iter().all(|stream| head.stream(*stream).checkpoint.is_some());
        if self.chance(4) && (held || head.settings.is_empty()) {
            self.commit_pending(Timestamp::MAX);
            let cutoff = now.plus(-i64::from(self.below(100_000)) - 600);
            for stream in Stream::ALL {
                // What is kept for weeks isn't pruned while it may still appear: only a lost checkpoint loses events.
                let read = head.stream(stream).checkpoint.as_ref().is_some_and(|event| event.created_at >= cutoff);
                let swept = head.swept_until.map(|at| at.plus(-HOUR)).filter(|_| read);
                let cutoff = swept.map_or(cutoff, |swept| swept.min(cutoff));
                self.world.lock().unwrap().foundation.prune(stream, cutoff);
            }
            self.say("old events pruned");
        }
        if self.chance(3) {
            self.commit_pending(Timestamp::MAX);
            let which = self.below(3);
            for (at, stream) in (0..).zip(Stream::ALL) {
                if which != at {
                    if head.stream(stream).checkpoint.is_none() {
                        self.unseen.push((stream, head.known_until, now));
                    }
                    self.world.lock().unwrap().foundation.purge_and_reseed(stream);
                }
            }
            self.say("purged and reseeded");
        }
        if self.chance(8) {
            self.skew = if self.chance(50) { 0 } else { i64::from(self.below(14_400)) - 7200 };
            self.clock.set(now.plus(self.skew));
            self.say("our clock jumps");
        }
        // Of a stream that was never seen to hold anything, nobody can tell that it is hidden.
        if self.chance(8) && (held || self.world.lock().unwrap().hidden) {
            let mut world = self.world.lock().unwrap();
            world.hidden = !world.hidden;
            drop(world);
            self.say("scope lost or given back");
        }
        if self.chance(5) {
            let mut world = self.world.lock().unwrap();
            let client = world.foundation.uaa.clients.iter_mut().find(|client| client.id == ADMIN.0).unwrap();
            let reads = client.authorities[0] == "cloud_controller.admin";
            let authority = if reads { "cloud_controller.read" } else { "cloud_controller.admin" };
            authority.clone_into(&mut client.authorities[0]);
            drop(world);
            self.say("authority taken or given back");
        }
        if self.chance(5) {
            let mut world = self.world.lock().unwrap();
            let polls = &mut world.foundation.options.snapshot_polls;
            *polls = if *polls > 1000 { 2 } else { u32::MAX };
            drop(world);
            self.say("snapshots get stuck or work again");
        }
        // The daily cleanup takes what was stuck for more than an hour.
        let mut world = self.world.lock().unwrap();
        for snapshot in &mut world.foundation.tables.snapshots {
            snapshot.removed |= snapshot.completed.is_none() && now.seconds_since(snapshot.created_at) > HOUR;
        }
    }

    /// From now on a statement in the middle of every write fails; gives what mends it.
    fn break_database(&mut self) -> String {
        const TABLES: [&str; 6] =
            ["archive_chunk", "resource", "open_interval", "ledger_entry", "anomaly", "ledger_link"];
        let table = TABLES[self.below(6) as usize];
        self.spoilt += 1;
        let name = format!("spoilt_{}", self.spoilt);
        let url = self.program.database();
        let (spoil, mend) = if url.starts_with("sqlite:") {
            let spoil =
                format!("CREATE TRIGGER {name} BEFORE INSERT ON {table} BEGIN SELECT raise(ABORT, 'disk full'); END");
            (spoil, format!("DROP TRIGGER {name}"))
        } else {
            let function = format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$"
            );
            database::execute(&url, &function).unwrap();
            let spoil = format!("CREATE TRIGGER {name} BEFORE INSERT ON {table} EXECUTE FUNCTION {name}()");
            (spoil, format!("DROP TRIGGER {name} ON {table}"))
        };
        database::execute(&url, &spoil).unwrap();
        self.say("the database refuses a write half way");
        mend
    }

    /// One cycle, killed at a poll after a request.
    fn cycle(&mut self, killed: Option<(u32, u32)>) {
        let before = self.kept();
        let killed = self.run(killed);
        self.nothing_happened_elsewhere(before);
        let head = self.head();
        self.swept.push((self.now(), head.swept_until));
        self.looked.extend(head.reconciled_at.filter(|at| self.looked.last() != Some(at)));
        let text = match killed {
            None => {
                self.collector = None;
                // Everything is opened anew, as after a crash.
                self.store = self.runtime.block_on(Store::open(&self.program.database())).unwrap();
                self.say("killed");
                return;
            }
            Some(Ok(Cycle::CaughtUp(caught))) => format!("{caught:?}"),
            Some(Ok(Cycle::Waiting(why))) => format!("waiting: {why}"),
            Some(Err(error)) => {
                self.told.note("cycles that failed", 1);
                let elsewhere = self.world.lock().unwrap().other.is_some();
                if matches!(error, CollectError::Held(_)) {
                    assert!(elsewhere, "{error}");
                    self.told.note("cycles that held", 1);
                }
                assert!(
                    matches!(
                        error,
                        CollectError::Api(_)
                            // The epoch waits for clocks that agree.
                            | CollectError::ClockSkew { .. }
                            | CollectError::Held(_)
                            | CollectError::ScopeLost { .. }
                            | CollectError::CheckpointLost { .. }
                            | CollectError::SnapshotUnusable { .. }
                            | CollectError::Store(cf_billing::store::StoreError::Database(_))
                    ),
                    "{error:?}"
                );
                error.to_string()
            }
        };
        let now = self.now();
        if self.log.is_some() {
            self.world.lock().unwrap().log.get_or_insert_default().push(format!("{now} cycle: {text}"));
        }
    }

    fn run(&mut self, killed: Option<(u32, u32)>) -> Option<Result<Cycle, CollectError>> {
        let Self { runtime, store, world, clock, plan, collector, .. } = self;
        runtime.block_on(async {
            if collector.is_none() {
                let credentials = credentials("http://127.0.0.1", ADMIN);
                let client = Client::new(Arc::new(InMemory(world.clone())), clock.clone(), credentials);
                let stop = CancellationToken::new();
                let new =
                    Collector::new(store.clone(), client, clock.clone(), plan.clone(), stop, Reporter::unseen(NAME));
                *collector = Some(new.await.unwrap());
            }
            let Some(collector) = collector else { unreachable!() };
            world.lock().unwrap().requests = 0;
            Killed { inner: Box::pin(collector.cycle()), world: world.clone(), at: killed }.await
        })
    }

    pub fn head(&self) -> FoundationHead {
        self.runtime.block_on(self.store.foundation(NAME)).unwrap()
    }

    /// Everything is well again, for a day and some hours.
    fn heal(&mut self) -> Result<(), String> {
        self.skew = 0;
        self.commit_pending(Timestamp::MAX);
        {
            let mut world = self.world.lock().unwrap();
            (world.faulty, world.hidden, world.other) = (0, false, None);
            world.between.heal();
            world.foundation.options.snapshot_polls = 2;
            world.foundation.options.unreadable.clear();
            for client in &mut world.foundation.uaa.clients {
                if client.id == ADMIN.0 {
                    "cloud_controller.admin".clone_into(&mut client.authorities[0]);
                }
            }
            for snapshot in &mut world.foundation.tables.snapshots {
                snapshot.removed |= snapshot.completed.is_none();
            }
        }
        self.say("everything is well again");
        let mut onboarding = None;
        for _ in 0..10 {
            self.pass(15);
            self.cycle(None);
            onboarding = self.runtime.block_on(self.store.onboarding(&self.head())).unwrap();
            if onboarding.as_ref().is_some_and(|onboarding| onboarding.stage == OnboardingStage::Complete) {
                break;
            }
        }
        if onboarding.as_ref().is_none_or(|onboarding| onboarding.stage != OnboardingStage::Complete) {
            return Err(format!("never onboarded: {onboarding:?}"));
        }
        // Long sweeps, and looks at everything.
        for _ in 0..7 {
            self.pass(4 * HOUR);
            self.cycle(None);
        }
        Ok(())
    }

    fn judge(&mut self, seed: u64) -> Result<(), String> {
        let head = self.head();
        let (epoch, until) = (head.current_settings().billing_epoch.unwrap(), head.known_until.unwrap());
        let gaps = self.runtime.block_on(self.store.gaps(None)).unwrap();
        let kinds = |stream: Stream| match stream {
            Stream::App => vec![Kind::Process, Kind::Staging, Kind::Task],
            Stream::Service => vec![Kind::Service],
        };
        // What was written up to the last sweep may have been uncommitted then.
        let swept = |at: Timestamp| {
            self.swept.iter().rev().find(|(cycle, _)| *cycle <= at).and_then(|(_, until)| *until).unwrap_or(epoch)
        };
        let onboarding = self.runtime.block_on(self.store.onboarding(&head)).unwrap().unwrap();
        // Of what is lost from the epoch on, the baseline is the last word; a snapshot may be older than the epoch.
        let baseline = |stream: Stream| {
            let snapshot = onboarding.snapshot(stream).and_then(|snapshot| snapshot.checkpoint.as_ref());
            snapshot.map_or(epoch, |checkpoint| checkpoint.created_at)
        };
        let known = |gap: &StoredGap| if gap.from > epoch { gap.from } else { baseline(gap.stream).min(gap.from) };
        let since = |gap: &StoredGap| known(gap).min(swept(gap.from)).plus(-UNCOMMITTED_SECONDS);
        let looked = |at: Timestamp| self.looked.iter().rev().find(|look| **look <= at).copied().unwrap_or(epoch);
        let lost_of = |kinds: Vec<Kind>, from: Timestamp, to: Timestamp| Lost { kinds, from, to, looked: looked(from) };
        let mut lost: Vec<Lost> =
            gaps.iter().map(|gap| lost_of(kinds(gap.stream), since(gap), gap.settled_at.unwrap_or(until))).collect();
        lost.extend(self.unseen.iter().map(|(stream, known, to)| {
            let from = known.unwrap_or(epoch).min(swept(*to)).plus(-UNCOMMITTED_SECONDS);
            lost_of(kinds(*stream), from, *to)
        }));
        // A baseline that rests on the stream alone isn't whole before its end: a purge meanwhile takes it away.
        // What somebody else says instead of them decides no way.
        let snapshots = self.world.lock().unwrap().foundation.options.snapshots;
        if self.plan.onboarding.is_none() && (onboarding.strategy == Strategy::Snapshot) != snapshots {
            return Err(format!("onboarded by {:?}, usage snapshots: {snapshots}", onboarding.strategy));
        }
        let over = onboarding.completed_at.unwrap_or(until);
        // A snapshot has no tasks. The time is our clock's, which jumps.
        let lists = onboarding.strategy == Strategy::LiveLists;
        let kinds = if lists { vec![Kind::Process, Kind::Task, Kind::Service] } else { vec![Kind::Task] };
        let listed = lost_of(kinds, epoch, over.plus(UNCOMMITTED_SECONDS));
        let purged = self.told.counts.contains_key("purged and reseeded");
        let records_purged = purged && onboarding.strategy == Strategy::KeptRecords;
        if records_purged {
            lost.push(lost_of(Kind::ALL.to_vec(), epoch, over.plus(UNCOMMITTED_SECONDS)));
        }
        let unknown_until = records_purged.then(|| over.plus(UNCOMMITTED_SECONDS));
        self.told.note("gaps", lost.len() as u64);
        let billed = self.billed(&head, &lost, until);
        let (history, never_started, running) = {
            let world = self.world.lock().unwrap();
            let of = &world.foundation.world;
            let history = of.truth.history(until);
            let started: BTreeSet<&str> = history.iter().map(|used| used.id.as_str()).collect();
            let waits = |guid: &&String| !started.contains(guid.as_str());
            let never: BTreeSet<String> = of.processes.keys().filter(waits).cloned().collect();
            let mut running: BTreeSet<String> = of
                .processes
                .values()
                .filter(|process| process.started && process.instances > 0)
                .map(|process| process.guid.clone())
                .collect();
            running.extend(
                of.services.values().filter(|service| service.plan.is_some()).map(|service| service.guid.clone()),
            );
            running.extend(of.tasks.values().filter(|task| task.running).map(|task| task.guid.clone()));
            (history, never, running)
        };
        let never = never_started.clone();
        let mut robbed = self.robbed.clone();
        let touched = self.touched_by_clocks(&head);
        robbed.extend(touched.iter().cloned());
        // Their apps are stopped, and the one event that told of them is lost.
        let untold = self.never_told(&head, &lost);
        robbed.extend(untold.iter().cloned());
        if !lost.is_empty() {
            robbed.extend(self.odd_rows.iter().flat_map(|odd| odd.hidden.iter().cloned()));
        }
        // From the last look before to the third after it: two found it, and one may have been cut short.
        if let Some(silent) = &mut self.silent {
            silent.hear(&self.world.lock().unwrap().foundation);
        }
        let assumed = self.silent.iter().flat_map(|silent| &silent.changed).map(|changed| {
            let at = changed.at;
            let third = self.looked.iter().filter(|look| **look >= at).nth(2).copied().unwrap_or(until);
            let from = looked(at).plus(-UNCOMMITTED_SECONDS);
            Assumed { guid: changed.guid.clone(), from, at, told: changed.told, to: third }
        });
        let assumed = assumed.collect();
        let oracle = Oracle { epoch, until, history, lost, listed, robbed, never_started, assumed, unknown_until };
        let mut wrong = oracle.judge(&billed);
        // Nothing stays open that doesn't run, and nothing runs that isn't open, whatever was lost.
        let open: BTreeSet<String> = billed
            .iter()
            .filter(|one| one.to == until && one.kind != Kind::Staging && one.using.instances > 0)
            .map(|one| one.guid.clone())
            .collect();
        wrong.extend(
            open.difference(&running)
                .filter(|guid| !never.contains(*guid) && !touched.contains(*guid))
                .map(|guid| format!("{guid} is open and doesn't run")),
        );
        let excused = |guid: &&String| touched.contains(*guid) || untold.contains(*guid);
        let missing = running.difference(&open).filter(|guid| !excused(guid));
        wrong.extend(missing.map(|guid| format!("{guid} runs and isn't open")));
        self.told.note(
            "resources compared",
            oracle.history.iter().map(|used| &used.id).collect::<BTreeSet<_>>().len() as u64,
        );
        if gaps.iter().any(|gap| gap.stage != cf_billing::domain::GapStage::Settled) {
            wrong.push(format!("a gap isn't settled: {gaps:?}"));
        }
        // A first read by time passes over events of 1970, and names are told by the times of events: not judged where those
        // of theirs are wrong.
        let times_are_right = self.wrong_clocks.is_none();
        if gaps.is_empty() && onboarding.strategy != Strategy::KeptRecords && times_are_right {
            wrong.extend(self.found_late(&head).into_iter().map(|guid| format!("{guid} was found late, and wasn't")));
        }
        let (names, inputs) = self.runtime.block_on(async {
            (self.store.names(&head).await.unwrap(), self.store.archived(&head, 0, usize::MAX).await.unwrap())
        });
        self.told.note("names compared", names.names.len() as u64);
        if times_are_right {
            wrong.extend(names::wrong(&names, &inputs));
        }
        let verified = self.runtime.block_on(self.store.verify(&head, |_| ())).unwrap();
        wrong.extend(verified.broken);
        if seed.is_multiple_of(5) {
            let fresh = Program::new();
            let again = self.runtime.block_on(async {
                let fresh = Store::open(&fresh.database()).await.unwrap();
                let rebuilt = rebuild(&self.store, &head, &fresh, None, |_| ()).await.unwrap();
                let renamed = (rebuilt.renamed > 0).then(|| format!("{} names come out otherwise", rebuilt.renamed));
                same_ledger(&self.store, &head, &fresh, &rebuilt.head).await.unwrap().or(renamed)
            });
            self.told.note("rebuilt", 1);
            wrong.extend(again);
        }
        if wrong.is_empty() {
            return Ok(());
        }
        wrong.truncate(8);
        if self.log.is_some() {
            self.tell_of(&head, &wrong);
        }
        Err(format!("epoch {epoch}, until {until}, gaps {gaps:?}\n{}", wrong.join("\n")))
    }

    /// Docker apps' processes that were inserted as started, and of which no event was ever read, or the last may be lost: no
    /// list tells that they run.
    fn never_told(&self, head: &FoundationHead, lost: &[Lost]) -> BTreeSet<String> {
        let inserted = || self.silent.iter().flat_map(|silent| &silent.inserted);
        if inserted().next().is_none() || !lost.is_empty() {
            return inserted().cloned().collect();
        }
        let inputs = self.runtime.block_on(self.store.archived(head, 0, usize::MAX)).unwrap();
        let is_event = |input: &&cf_billing::store::ArchivedInput| matches!(input.kind, InputKind::Event(_));
        let told: String = inputs.iter().filter(is_event).map(|input| input.body.as_str()).collect();
        inserted().filter(|guid| !told.contains(guid.as_str())).cloned().collect()
    }

    /// Events that a sweep had to find, though they could be read when their turn came: a checkpoint went ahead of them.
    fn found_late(&self, head: &FoundationHead) -> Vec<String> {
        let inputs = self.runtime.block_on(self.store.archived(head, 0, usize::MAX)).unwrap();
        let late = inputs
            .iter()
            .filter(|input| matches!(input.kind, InputKind::Event(_)) && !input.place.fraction().is_empty());
        let guids = late.filter_map(|input| {
            let event: Value = serde_json::from_str(&input.body).ok()?;
            Some(event["guid"].as_str()?.to_owned())
        });
        guids.filter(|guid| !self.late.contains(guid)).collect()
    }

    /// What was archived of the resources that are wrong, for whoever plays a seed again.
    fn tell_of(&self, head: &FoundationHead, wrong: &[String]) {
        let inputs = self.runtime.block_on(self.store.archived(head, 0, usize::MAX)).unwrap();
        let guids: BTreeSet<&str> =
            wrong.iter().flat_map(|line| line.split([' ', ':'])).filter(|word| word.len() == 36).collect();
        let mut world = self.world.lock().unwrap();
        for guid in guids {
            let log = world.log.get_or_insert_default();
            log.push(format!("archived of {guid}:"));
            for input in inputs.iter().filter(|input| input.body.contains(guid)) {
                log.push(format!("  {} {} {:?} {}", input.sequence, input.received_at, input.place, input.body));
            }
        }
    }

    /// What the ledger bills: entries that weren't taken back, and what is open.
    fn billed(&self, head: &FoundationHead, lost: &[Lost], until: Timestamp) -> Vec<Billed> {
        let (entries, open, inputs) = self.runtime.block_on(async {
            let entries = self.store.ledger_entries(head, 0, usize::MAX).await.unwrap();
            let open = self.store.open_resources(head).await.unwrap();
            let inputs = self.store.archived(head, 0, usize::MAX).await.unwrap();
            (net(entries), open, inputs)
        });
        // Runs whose buildpack comes from elsewhere than a start: the current droplet's, which may not be what runs.
        let guessed: BTreeSet<u64> = inputs
            .iter()
            .filter(|input| match input.kind {
                InputKind::Event(_) => {
                    let event: Value = serde_json::from_str(&input.body).unwrap_or_default();
                    event["guid"] == event["process"]["guid"] || event["state"]["previous"] == "STARTED"
                }
                _ => true,
            })
            .map(|input| input.sequence)
            .collect();
        // A run that went on across lost history may have been another by its end.
        let mut runs: BTreeMap<u64, (Timestamp, Timestamp)> = BTreeMap::new();
        let spans =
            entries.iter().map(|entry| (entry.interval.run, entry.interval.started_at, entry.interval.ended_at));
        let still = open.iter().filter_map(|loaded| loaded.resource.run.as_ref());
        for (run, from, to) in spans.chain(still.map(|run| (run.id, run.piece.started_at, until))) {
            let span = runs.entry(run).or_insert((from, to));
            *span = (span.0.min(from), span.1.max(to));
        }
        let mut billed = Vec::new();
        let mut add = |key: &cf_billing::domain::ResourceKey,
                       run: u64,
                       from: Timestamp,
                       to: Timestamp,
                       footprint: &cf_billing::domain::Footprint,
                       estimated: bool| {
            let (begun, ended) = runs[&run];
            let across =
                lost.iter().any(|lost| lost.kinds.contains(&key.kind) && lost.to >= begun && lost.from <= ended);
            let known = key.kind != Kind::Process || !(guessed.contains(&run) || across);
            billed.push(Billed {
                kind: key.kind,
                guid: key.guid.to_string(),
                from,
                to,
                using: Use {
                    instances: i64::from(footprint.instances),
                    memory_mib: i64::from(footprint.memory_mib),
                    space: footprint.location.space.to_string(),
                    plan: footprint.service_plan.as_ref().map(ToString::to_string),
                    buildpack: known.then(|| footprint.buildpack.as_deref().map(str::to_owned)),
                },
                estimated,
            });
        };
        for entry in &entries {
            let interval = &entry.interval;
            add(
                &interval.resource,
                interval.run,
                interval.started_at,
                interval.ended_at,
                &interval.footprint,
                interval.estimated,
            );
        }
        for loaded in &open {
            let Some(run) = loaded.resource.run.as_ref().filter(|run| run.billed && !loaded.resource.user_provided)
            else {
                continue;
            };
            let piece = &run.piece;
            let staging = loaded.resource.key.kind == Kind::Staging;
            let to = if staging { until.min(piece.started_at.plus(900)) } else { until };
            add(&loaded.resource.key, run.id, piece.started_at, to, &piece.footprint, staging || piece.estimated);
        }
        billed.retain(|one| one.kind != Kind::Service || one.using.plan.is_some());
        billed
    }
}
