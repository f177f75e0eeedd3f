//! A simulated foundation collected in this process: real client, fold and store, no socket; time moves by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::Client;
use cf_billing::cloud_controller::transport::{Exchange, Exchanging, TransportError};
use cf_billing::consumer::{Caught, CollectError, Collector, Cycle, Look, Plan, Repair};
use cf_billing::domain::{Kind, LedgerEntry, Span, Stream, Timestamp};
use cf_billing::simulator::tables::Tables;
use cf_billing::simulator::world::{Size, World, truth};
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::{GroupKey, Onboarding, Store, StoredGap, UsageQuery};
use cf_billing::telemetry::Reporter;
use http::{Request, Response};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::member::{credentials, plan};
use super::program::Program;
use super::script::open_line;

/// What an answer is replaced with; `None` lets the request through.
type Fault = Box<dyn FnMut(&Request<Bytes>) -> Option<Result<Response<Bytes>, TransportError>> + Send>;

#[derive(Clone)]
pub struct InMemory {
    foundation: Arc<Mutex<Foundation>>,
    fault: Arc<Mutex<Option<Fault>>>,
    /// Method and URL of every request that reached the foundation.
    log: Arc<Mutex<Vec<String>>>,
}

impl fmt::Debug for InMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InMemory")
    }
}

impl Exchange for InMemory {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        Box::pin(async move {
            let replaced = self.fault.lock().unwrap().as_mut().and_then(|fault| fault(&request));
            if let Some(replaced) = replaced {
                return replaced;
            }
            self.log.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
            Ok(self.foundation.lock().unwrap().exchange(&request))
        })
    }
}

impl InMemory {
    /// Lets somebody do something there.
    pub fn world(&self, act: impl FnOnce(&mut World, &mut Tables)) {
        let mut foundation = self.foundation.lock().unwrap();
        let foundation = &mut *foundation;
        act(&mut foundation.world, &mut foundation.tables);
    }

    /// Lets time pass, and people do something then.
    pub fn act(&self, seconds: i64, actions: u32, clock: &Clock) {
        let mut foundation = self.foundation.lock().unwrap();
        let to = foundation.now().plus(seconds);
        foundation.advance(to);
        foundation.act(actions);
        clock.set(to);
    }
}

pub struct Collected {
    pub runtime: Runtime,
    pub store: Store,
    pub exchange: InMemory,
    pub clock: Clock,
    pub plan: Plan,
    /// Who the client says it is.
    pub client: (&'static str, &'static str),
    /// Where it is configured to be.
    pub api: &'static str,
    collector: Option<Collector>,
    program: Program,
}

/// Usage by organization, space, kind, owner, plan and buildpack: instance·s, MiB·s of memory and of disk.
pub type Sums = BTreeMap<(String, String, Kind, String, Option<String>, Option<String>), [i64; 3]>;

pub const NAME: &str = "sim";

/// What a cycle read that came to the end of both streams.
#[track_caller]
pub fn caught_up(cycle: Result<Cycle, CollectError>) -> Caught {
    match cycle {
        Ok(Cycle::CaughtUp(caught)) => caught,
        other => panic!("not caught up: {other:?}"),
    }
}

impl Collected {
    pub fn new(foundation: Foundation) -> Self {
        let mut foundation = foundation;
        foundation.world.truth.remember();
        let program = Program::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        let clock = Clock::manual(foundation.now());
        let exchange = InMemory {
            foundation: Arc::new(Mutex::new(foundation)),
            fault: Arc::new(Mutex::new(None)),
            log: Arc::new(Mutex::new(Vec::new())),
        };
        Self {
            runtime,
            store,
            exchange,
            clock,
            plan: plan(NAME),
            client: ADMIN,
            api: "http://127.0.0.1",
            collector: None,
            program,
        }
    }

    /// A foundation with some apps and services at rest.
    pub fn settled(seed: u64, processes: usize) -> Self {
        let mut foundation = Foundation::new(seed, Timestamp::parse("2026-03-01T08:00:00Z").unwrap());
        foundation.world.settle(&mut foundation.tables, processes);
        Self::new(foundation)
    }

    /// The program, with its database.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Of its database.
    pub fn url(&self) -> String {
        self.program.database()
    }

    pub fn foundation(&self) -> MutexGuard<'_, Foundation> {
        self.exchange.foundation.lock().unwrap()
    }

    /// Replaces answers until [`Collected::heal`].
    pub fn fail(
        &self,
        fault: impl FnMut(&Request<Bytes>) -> Option<Result<Response<Bytes>, TransportError>> + Send + 'static,
    ) {
        *self.exchange.fault.lock().unwrap() = Some(Box::new(fault));
    }

    pub fn heal(&self) {
        *self.exchange.fault.lock().unwrap() = None;
    }

    /// The requests since it was last asked.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.exchange.log.lock().unwrap())
    }

    /// Forgets everything that isn't in the database.
    pub fn restart(&mut self) {
        self.collector = None;
    }

    pub fn cycle(&mut self) -> Result<Cycle, CollectError> {
        self.with_collector(async |collector| collector.cycle().await)
    }

    /// Lets the collector do something; makes one if there is none.
    pub fn with_collector<T>(&mut self, act: impl AsyncFnOnce(&mut Collector) -> T) -> T {
        let Self { runtime, store, exchange, clock, plan, client, api, collector, .. } = self;
        runtime.block_on(async {
            if collector.is_none() {
                let credentials = credentials(api, *client);
                let client = Client::new(Arc::new(exchange.clone()), clock.clone(), credentials);
                let stop = CancellationToken::new();
                let reporter = Reporter::unseen(NAME);
                let new = Collector::new(store.clone(), client, clock.clone(), plan.clone(), stop, reporter);

                *collector = Some(new.await.unwrap());
            }
            let Some(collector) = collector else { unreachable!() };
            act(collector).await
        })
    }

    /// Cycles until both streams are read, a poll interval apart.
    #[track_caller]
    pub fn onboard(&mut self) {
        for _ in 0..10 {
            if let Cycle::CaughtUp(_) = self.cycle().unwrap() {
                return;
            }
            self.pass(15);
        }
        panic!("not onboarded after ten cycles");
    }

    /// As [`Collected::onboard`], while no time passes.
    #[track_caller]
    pub fn onboard_standing_still(&mut self) {
        for _ in 0..100 {
            if let Cycle::CaughtUp(_) = self.cycle().unwrap() {
                return;
            }
        }
        panic!("not onboarded after a hundred cycles");
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: i64) {
        self.act(seconds, 0);
    }

    /// Lets time pass, and people do something then.
    pub fn act(&self, seconds: i64, actions: u32) {
        self.exchange.act(seconds, actions, &self.clock);
    }

    pub fn now(&self) -> Timestamp {
        self.foundation().now()
    }

    pub fn onboarding(&self) -> Option<Onboarding> {
        self.runtime.block_on(async {
            let head = self.store.foundation(NAME).await.unwrap();
            self.store.onboarding(&head).await.unwrap()
        })
    }

    pub fn epoch(&self) -> Timestamp {
        self.head().current_settings().billing_epoch.unwrap()
    }

    pub fn head(&self) -> cf_billing::domain::FoundationHead {
        self.runtime.block_on(self.store.foundation(NAME)).unwrap()
    }

    pub fn archived(&self) -> Vec<String> {
        let head = self.head();
        let inputs = self.runtime.block_on(self.store.archived(&head, 0, usize::MAX)).unwrap();
        inputs.into_iter().map(|input| format!("{:?} {:?} {}", input.kind, input.place, input.body)).collect()
    }

    /// The open intervals, one line each.
    pub fn open(&self) -> Vec<String> {
        let head = self.head();
        let open = self.runtime.block_on(self.store.open_resources(&head)).unwrap();
        let mut lines: Vec<String> = open.iter().filter_map(|loaded| open_line(&loaded.resource)).collect();
        lines.sort();
        lines
    }

    /// What the ledger says was used.
    pub fn usage(&self, from: Timestamp, to: Timestamp) -> Sums {
        let by = vec![
            GroupKey::Organization,
            GroupKey::Space,
            GroupKey::Kind,
            GroupKey::App,
            GroupKey::ServiceInstance,
            GroupKey::ServicePlan,
            GroupKey::Buildpack,
        ];
        let query = UsageQuery { by, foundation: None, user_provided: false };
        let mut spans = self.runtime.block_on(self.store.usage(&query, &[Span { from, to }])).unwrap().of_spans;
        let rows = spans.pop().unwrap().into_iter().map(|row| {
            let mut keys = row.keys.into_iter().map(|key| key.map(|key| key.value));
            let mut next = || keys.next().unwrap();
            let (organization, space, kind) = (next().unwrap(), next().unwrap(), next().unwrap());
            let (app, service, plan, buildpack) = (next(), next(), next(), next());
            let key = (organization, space, Kind::from_name(&kind).unwrap(), app.or(service).unwrap(), plan, buildpack);
            (key, [row.instance_seconds, row.memory_mib_seconds, row.disk_mib_seconds])
        });
        rows.filter(|(_, sums)| *sums != [0; 3]).collect()
    }

    /// What those who did it say was used. `from` and `to` must have been given to `cut_at` before the baseline.
    pub fn truth(&self, from: Timestamp, to: Timestamp) -> Sums {
        let foundation = self.foundation();
        let used = foundation.world.truth.sums(from, to, foundation.now());
        Self::added_up(used.into_iter().map(|((_, key), used)| (key, used)))
    }

    /// As [`Collected::truth`], from an instant that wasn't given before: what is used since then, by what is used now.
    pub fn truth_since(&self, from: Timestamp) -> Sums {
        let now = self.now();
        let all = self.foundation().world.truth.since(from, now);
        Self::added_up(all.into_iter())
    }

    fn added_up(used: impl Iterator<Item = (truth::Key, truth::Sums)>) -> Sums {
        let mut sums = Sums::new();
        for (key, used) in used {
            let key = (key.organization, key.space, key.kind, key.owner, key.plan, key.buildpack);
            let total = sums.entry(key).or_default();
            total[0] += used.instance_seconds;
            total[1] += used.memory_mib_seconds;
            total[2] += used.disk_mib_seconds;
        }
        sums.retain(|_, sums| *sums != [0; 3]);
        sums
    }

    /// Compares everything since the epoch, to the second.
    #[track_caller]
    pub fn check_truth(&self) {
        let (ours, truth) = (self.usage(Timestamp::MIN, Timestamp::MAX), self.truth(Timestamp::MIN, Timestamp::MAX));
        let mut wrong = String::new();
        for key in ours.keys().chain(truth.keys()).collect::<std::collections::BTreeSet<_>>() {
            if ours.get(key) != truth.get(key) {
                wrong.push_str(&format!("{key:?}: {:?} here, {:?} there\n", ours.get(key), truth.get(key)));
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        assert!(!truth.is_empty());
    }

    /// Lets somebody do something there.
    pub fn world(&self, act: impl FnOnce(&mut World, &mut Tables)) {
        self.exchange.world(act);
    }

    /// Gives an app a new droplet with a process type that is scaled and waits for its first start; the process's guid.
    pub fn waiting_worker(&self, app: &str) -> String {
        let mut worker = String::new();
        self.world(|world, tables| {
            let receipt = world.apps[app].droplet.clone().unwrap();
            world.set_droplet(tables, app, receipt, &["web", "worker"]);
            worker.clone_from(&world.apps[app].processes[1]);
            world.scale(tables, &worker, Size { instances: Some(3), ..Size::default() });
        });
        worker
    }

    /// Started apps whose only process is a web process with instances: app and process guid.
    pub fn plain_apps(&self) -> Vec<(String, String)> {
        let foundation = self.foundation();
        let world = &foundation.world;
        let plain = world.apps.values().filter(|app| app.started && app.processes.len() == 1 && app.staging.is_none());
        let plain = plain.map(|app| (app.guid.clone(), app.processes[0].clone()));
        plain.filter(|(_, process)| world.processes[process].instances > 0).collect()
    }

    pub fn gaps(&self) -> Vec<StoredGap> {
        self.runtime.block_on(self.store.gaps(Some(NAME))).unwrap()
    }

    pub fn entries_of(&self, guid: &str) -> Vec<LedgerEntry> {
        let head = self.head();
        let entries = self.runtime.block_on(self.store.ledger_entries(&head, 0, usize::MAX)).unwrap();
        entries.into_iter().filter(|entry| entry.interval.resource.guid.to_string() == guid).collect()
    }

    /// Start of what is open of a resource, whether that is assumed, and instances.
    pub fn open_of(&self, guid: &str) -> Option<(Timestamp, bool, u32)> {
        let head = self.head();
        let open = self.runtime.block_on(self.store.open_resources(&head)).unwrap();
        let resource = open.into_iter().map(|loaded| loaded.resource).find(|of| of.key.guid.to_string() == guid)?;
        let piece = resource.run?.piece;
        Some((piece.started_at, piece.estimated, piece.footprint.instances))
    }

    /// A look at everything, now.
    pub fn look(&mut self, repair: Repair) -> Look {
        self.with_collector(async |collector| collector.look_now(repair).await).unwrap().unwrap()
    }

    /// A stream's checkpoint and predecessor guids.
    pub fn checkpoint(&self, stream: Stream) -> (Option<String>, Option<String>) {
        let head = self.head();
        let stream = head.stream(stream);
        let guid = |id: &Option<cf_billing::domain::EventId>| id.as_ref().map(|id| id.guid.to_string());
        (guid(&stream.checkpoint), guid(&stream.predecessor))
    }
}
