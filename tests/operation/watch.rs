//! Whether replicas say that all is well while nothing is collected: asked all the time, by a thread of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cf_billing::domain::Timestamp;
use cf_billing::simulator::Foundation;
use sqlx::{Connection, Executor, PgConnection, Row};
use tokio::runtime::Runtime;

use super::twins::Twins;
use crate::support::background::get_within;
use crate::support::proxy::Proxy;
use crate::support::replica::{FOUNDATIONS, Replica};

/// `[http] not_ready_after` of the replicas.
pub const NOT_READY_AFTER: Duration = Duration::from_secs(5);
/// What it may take to find out that a request isn't answered.
const NOTICED: Duration = Duration::from_secs(3);
/// While a foundation's lists are read, answers come and nothing is in the book yet; but no longer than this.
const LISTS: Duration = Duration::from_secs(30);

/// What `/readyz` says, if anything in time.
pub fn readiness(replica: &Replica) -> (Option<u16>, String) {
    replica.address_now().and_then(|url| ask(&url)).map_or((None, String::new()), |(code, body)| (Some(code), body))
}

fn ask(url: &str) -> Option<(u16, String)> {
    let answer = get_within(&format!("{url}/readyz"), Duration::from_secs(2))?;
    Some((answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned()))
}

/// Looks all the time whether somebody says that all is well while nothing is collected.
pub struct Watch {
    addresses: Arc<Mutex<Vec<Option<String>>>>,
    wrong: Arc<Mutex<Vec<String>>>,
    longest: Arc<Mutex<(Duration, String)>>,
    /// What goes on.
    pub during: Arc<Mutex<String>>,
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Watch {
    pub fn new(twins: &Twins<'_>, networks: &[Proxy]) -> Self {
        let foundations: Vec<Arc<Mutex<Foundation>>> =
            twins.served.iter().map(|served| served.foundation.clone()).collect();
        let answers: Vec<_> = networks.iter().map(|network| network.answered.clone()).collect();
        let answers = move || answers.iter().map(|bytes| bytes.load(Ordering::Relaxed)).sum::<u64>();
        let servers = [&twins.pair.primary, &twins.pair.standby].map(|server| server.url("book"));
        let watch = Self {
            addresses: Arc::default(),
            wrong: Arc::default(),
            longest: Arc::default(),
            during: Arc::default(),
            over: Arc::default(),
            thread: None,
        };
        watch.serves_at(&twins.replicas);
        let (addresses, wrong) = (watch.addresses.clone(), watch.wrong.clone());
        let (longest, during, over) = (watch.longest.clone(), watch.during.clone(), watch.over.clone());
        let thread = std::thread::spawn(move || {
            let runtime = Runtime::new().unwrap();
            let mut stalled = Stalled::default();
            // Whoever said so at the last look, too.
            let mut before: Vec<String> = Vec::new();
            // What the foundations had answered when they last did.
            let (mut answered, mut last_answered) = (answers(), Instant::now());
            while !over.load(Ordering::SeqCst) {
                let since = stalled.look(&runtime, &servers, &foundations);
                let now = answers();
                if now > answered {
                    (answered, last_answered) = (now, Instant::now());
                }
                let reads_lists = last_answered.elapsed() < NOT_READY_AFTER && since < LISTS;
                let now = addresses.lock().unwrap().clone();
                let ready =
                    |url: &Option<String>| url.clone().filter(|url| ask(url).is_some_and(|(code, _)| code == 200));
                let ready: Vec<String> =
                    if since > NOT_READY_AFTER { now.iter().filter_map(ready).collect() } else { Vec::new() };
                // It may have been collected while they were asked.
                let still = stalled.look(&runtime, &servers, &foundations) >= since;
                for url in ready.iter().filter(|url| still && !reads_lists && before.contains(url)) {
                    let mut longest = longest.lock().unwrap();
                    if since > longest.0 {
                        *longest = (since, during.lock().unwrap().clone());
                    }
                    if since > NOT_READY_AFTER + NOTICED {
                        let (told, known) = (ask(url), &stalled.known);
                        let now: Vec<i64> = foundations.iter().map(|one| one.lock().unwrap().now().unix()).collect();
                        let told =
                            format!("{url}: nothing is collected since {since:?}, {known:?} of {now:?}: {told:?}");
                        wrong.lock().unwrap().push(told);
                    }
                }
                before = ready;
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { thread: Some(thread), ..watch }
    }

    /// Where the replicas serve now.
    pub fn serves_at(&self, replicas: &[Replica]) {
        *self.addresses.lock().unwrap() = replicas.iter().map(Replica::address_now).collect();
    }

    #[track_caller]
    pub fn holds(&self, during: &dyn std::fmt::Debug, twins: &Twins<'_>) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{during:?}:\n{}\n{}\n{}", wrong.join("\n"), twins.logs(), twins.pair.logs());
    }

    pub fn end(mut self) -> (Duration, String) {
        self.over.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        self.longest.lock().unwrap().clone()
    }
}

/// Of each foundation: until when it is known, in seconds, and the number of its last input.
type Known = BTreeMap<String, (Option<i64>, i64)>;

/// Since when something is there to be collected and nothing is, as the book itself says.
#[derive(Default)]
struct Stalled {
    known: Known,
    since: Option<Instant>,
}

impl Stalled {
    /// For how long; nothing, if all is collected.
    fn look(&mut self, runtime: &Runtime, servers: &[String], foundations: &[Arc<Mutex<Foundation>>]) -> Duration {
        let known = runtime.block_on(known_until(servers));
        let now =
            FOUNDATIONS.iter().zip(foundations).map(|(name, foundation)| (*name, foundation.lock().unwrap().now()));
        let waits = |(name, now): (&str, Timestamp)| {
            known.get(name).and_then(|known| known.0).is_none_or(|known| known < now.unix())
        };
        if !now.into_iter().any(waits) {
            self.since = None;
        } else if self.since.is_none() || (known != self.known && !known.is_empty()) {
            self.since = Some(Instant::now());
        }
        if !known.is_empty() {
            self.known = known;
        }
        self.since.map(|since| since.elapsed()).unwrap_or_default()
    }
}

/// How far each foundation is known in the book; nothing, if no server that accepts writes has it, or none answers.
async fn known_until(servers: &[String]) -> Known {
    const QUERY: &str = "SELECT name, extract(epoch FROM known_until)::bigint AS known_until, last_sequence, pg_is_in_recovery() AS reads,
               left(pg_walfile_name(CASE WHEN pg_is_in_recovery() THEN '0/1' ELSE pg_current_wal_insert_lsn() END), 8) AS timeline
          FROM foundation";
    let mut best: (String, Known) = Default::default();
    for server in servers {
        let asked = async {
            let mut connection = PgConnection::connect(server).await?;
            let rows = connection.fetch_all(sqlx::raw_sql(QUERY)).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(rows)
        };
        let Ok(Ok(rows)) = tokio::time::timeout(Duration::from_secs(1), asked).await else { continue };
        for row in rows.iter().filter(|row| !row.get::<bool, _>("reads")) {
            let timeline: String = row.get("timeline");
            if timeline < best.0 {
                continue;
            }
            if timeline > best.0 {
                best = (timeline, BTreeMap::new());
            }
            best.1.insert(row.get("name"), (row.get("known_until"), row.get("last_sequence")));
        }
    }
    best.1
}
