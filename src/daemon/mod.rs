//! The daemon: a task for each foundation, one that drafts, one that serves, all on one supervisor that ends them together.
//! Owns when things happen and what becomes of failures; never what they do.

mod backoff;
mod begin;
mod cards;
mod collect;
mod draft;
mod duties;
mod heartbeat;
mod standing;
mod verify;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stopwatch};
use crate::cloud_controller::Client;
use crate::config::Configuration;
use crate::consumer::Plan;
use crate::http::{self, Book, Listeners, OfBook, Served};
use crate::store::{Lease, Store, StoreError, retried};
use crate::telemetry::{Board, Metrics, Reporter};
pub use backoff::Backoff;
pub use begin::begin_series;
use duties::Duties;
pub use heartbeat::{Heartbeat, status};

/// A foundation to collect, and how to reach it.
#[derive(Clone, Debug)]
pub struct Member {
    pub plan: Plan,
    pub client: Client,
}

/// See the module.
#[derive(Debug)]
pub struct Daemon {
    pub store: Store,
    pub clock: Clock,
    pub members: Vec<Member>,
    /// Between the end of one cycle and the next.
    pub poll_interval: Duration,
    /// On a shared store: a replica that wasn't heard of for this long loses its duties.
    pub lease: Duration,
    /// Writing or collecting that has failed for this long makes it not ready.
    pub not_ready_after: Duration,
    pub metrics: Metrics,
    pub board: Board,
    /// Where to serve, if anywhere.
    pub listeners: Option<Listeners>,
    /// Names that pages answer to, beside those of this machine itself.
    pub hosts: Vec<String>,
    pub of_book: OfBook,
    /// Between two verifications of the hash chains.
    pub verify_interval: Duration,
    /// What the service manager is told.
    pub heartbeat: Heartbeat,
    /// How to draft, if it is to.
    pub drafts: Option<Arc<Configuration>>,
    /// Cancelled when it is to end.
    pub stop: CancellationToken,
}

/// A task without which there is no daemon ended by itself.
#[derive(Debug, thiserror::Error)]
#[error("{task} {reason}\nhint: see the log; start it again")]
pub struct Ended {
    task: &'static str,
    reason: String,
}

/// How long tasks may take to end once they are told to: a commit, no more.
const GRACE: Duration = Duration::from_secs(8);

/// How long giving the leases up may take.
const GIVING_UP: Duration = Duration::from_secs(1);

/// How long the database may take to answer a short question.
const ANSWER: Duration = Duration::from_secs(2);

/// Between two measurements of the database, at most.
const MEASURED_EVERY: Duration = Duration::from_secs(15);

/// Between two looks whether the database is still the file that was opened.
const LOOKED_EVERY: Duration = Duration::from_secs(5);

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Collects a member; started so often again.
    Collect(usize, Backoff),
    Serve,
    Draft,
    Verify,
    /// Shares duties with other replicas, where there can be any; measures the database.
    Share,
}

impl Daemon {
    /// Runs until it is told to stop. Then what is being committed is committed, and nothing is begun.
    ///
    /// # Errors
    /// [`Ended`] if the HTTP server or the drafts' task ends by itself; everything else is ended then, too.
    pub async fn run(mut self) -> Result<(), Ended> {
        let listeners = self.listeners.take();
        let heartbeat = std::mem::replace(&mut self.heartbeat, Heartbeat::silent());
        let names = self.members.iter().map(|member| Lease::duty_of(&member.plan.foundation));
        let names = names.chain(
            (self.drafts.as_ref())
                .filter(|configuration| configuration.billing.rates.is_some())
                .map(|_| duties::DRAFTS.to_owned()),
        );
        let names = names.chain([duties::VERIFICATION.to_owned()]);
        let (metrics, board) = (self.metrics.clone(), self.board.clone());
        let duties = Duties::new(self.store.clone(), metrics, board, self.stop.clone(), self.lease, names);
        if !self.store.is_shared() {
            // On a disk that is full they are taken once there is room.
            if let Err(error) = duties.take_all().await {
                tracing::error!("can't take the leases yet: {error}");
            }
        }
        let mut supervisor = Supervisor {
            tasks: JoinSet::new(),
            running: HashMap::new(),
            reporters: Vec::new(),
            duties: duties.clone(),
            heartbeat,
            daemon: self,
        };
        supervisor.start_all(listeners);
        let ended = supervisor.watch().await;
        supervisor.daemon.stop.cancel();
        heartbeat::stopping();
        supervisor.wind_up().await;
        if tokio::time::timeout(GIVING_UP, duties.give_up()).await.is_err() {
            tracing::warn!("can't give up the leases; they will run out by themselves");
        }
        ended
    }
}

struct Supervisor {
    daemon: Daemon,
    tasks: JoinSet<Result<(), String>>,
    running: HashMap<Id, Task>,
    /// Of each member.
    reporters: Vec<Reporter>,
    duties: Duties,
    heartbeat: Heartbeat,
}

impl Supervisor {
    fn start_all(&mut self, listeners: Option<Listeners>) {
        let served = self.served();
        let Daemon { store, clock, metrics, board, members, stop, .. } = &self.daemon;
        for member in members {
            self.reporters.push(Reporter::new(metrics, board, &member.plan.foundation));
        }
        if let Some(listeners) = listeners {
            let serving = http::serve(listeners, served.clone(), stop.clone());
            let handle = self.tasks.spawn(async move { serving.await.map_err(|error| error.to_string()) });
            self.running.insert(handle.id(), Task::Serve);
        }
        if let Some(configuration) = &self.daemon.drafts {
            let drafting = draft::Drafting {
                store: store.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                configuration: configuration.clone(),
                stop: stop.clone(),
                duties: self.duties.clone(),
            };
            let handle = self.tasks.spawn(async move {
                Box::pin(drafting.run()).await;
                Ok(())
            });
            self.running.insert(handle.id(), Task::Draft);
        }
        let verifier = verify::Verifier {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            duties: self.duties.clone(),
            interval: self.daemon.verify_interval,
        };
        let handle = self.tasks.spawn(async move {
            Box::pin(verifier.run()).await;
            Ok(())
        });
        self.running.insert(handle.id(), Task::Verify);
        let (duties, store, stop) = (self.duties.clone(), store.clone(), stop.clone());
        let handle = self.tasks.spawn(async move {
            tokio::select! {
                () = async { tokio::join!(duties.share(), measure(&store, &served, &stop)); } => Ok(()),
                replaced = watch_file(&store, &stop) => replaced,
            }
        });
        self.running.insert(handle.id(), Task::Share);
        for index in 0..self.daemon.members.len() {
            self.collect(index, Backoff::default());
        }
    }

    fn served(&self) -> Served {
        let Daemon { store, clock, metrics, board, not_ready_after, poll_interval, hosts, of_book, .. } = &self.daemon;
        Served {
            book: Book::Open(store.clone()),
            clock: clock.clone(),
            metrics: metrics.clone(),
            board: board.clone(),
            not_ready_after: *not_ready_after,
            poll_interval: *poll_interval,
            hosts: hosts.clone(),
            of_book: of_book.clone(),
        }
    }

    /// Starts collecting a member, after a wait if it isn't the first time.
    fn collect(&mut self, index: usize, backoff: Backoff) {
        let daemon = &self.daemon;
        let (Some(member), Some(reporter)) = (daemon.members.get(index), self.reporters.get(index)) else { return };
        let client = member.client.clone().reporting_to(reporter.clone());
        let collecting = collect::Collecting {
            store: daemon.store.clone(),
            clock: daemon.clock.clone(),
            member: Member { client, plan: member.plan.clone() },
            poll_interval: daemon.poll_interval,
            stop: daemon.stop.clone(),
            duties: self.duties.clone(),
            first_wait: backoff.last_wait(),
            reporter: reporter.clone(),
        };
        let handle = self.tasks.spawn(async move {
            Box::pin(collecting.run()).await;
            Ok(())
        });
        self.running.insert(handle.id(), Task::Collect(index, backoff));
    }

    /// Until it is told to stop, or a task ended without which there is nothing to go on with.
    async fn watch(&mut self) -> Result<(), Ended> {
        let stop = self.daemon.stop.clone();
        loop {
            let ended = tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                ended = self.tasks.join_next_with_id() => ended,
                () = self.heartbeat.beat() => continue,
            };
            let (id, reason) = match ended {
                None => return Ok(()),
                Some(Ok((id, Ok(())))) => (id, "ended".to_owned()),
                Some(Ok((id, Err(error)))) => (id, format!("failed: {error}")),
                Some(Err(error)) => (error.id(), why(error)),
            };
            match self.running.remove(&id) {
                None => {}
                // It may have been told to stop a moment ago.
                Some(_) if stop.is_cancelled() => return Ok(()),
                Some(Task::Serve) => return Err(Ended { task: "the HTTP server", reason }),
                Some(Task::Draft) => return Err(Ended { task: "the task that drafts invoices", reason }),
                Some(Task::Verify) => return Err(Ended { task: "the task that verifies the hash chains", reason }),
                Some(Task::Share) => return Err(Ended { task: "the task that holds leases and file", reason }),
                Some(Task::Collect(index, mut backoff)) => {
                    let wait = backoff.next_wait();
                    let name = self.daemon.members.get(index).map_or("", |member| member.plan.foundation.as_str());
                    tracing::error!(foundation = name, restart_in_seconds = wait.as_secs(), "collecting {reason}");
                    if let Some(reporter) = self.reporters.get(index) {
                        reporter.alive(false);
                        reporter.state("failed");
                        reporter.tell(Some(format!("collecting {reason}")), self.daemon.clock.now());
                        reporter.failed();
                        reporter.metrics.restarted();
                    }
                    self.collect(index, backoff);
                }
            }
        }
    }

    /// Waits for all tasks to end, no longer than the grace time; in real time, whatever clock the foundations live by.
    async fn wind_up(&mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            tracing::error!("{} tasks did not end in time", self.tasks.len());
            self.tasks.abort_all();
        }
    }
}

/// Measures the database now and then, and whether all is well, until told to stop: a scrape must not wait for it.
async fn measure(store: &Store, served: &Served, stop: &CancellationToken) {
    let every = MEASURED_EVERY.min(served.not_ready_after);
    let mut told = None;
    loop {
        let readiness = http::readiness(served).await;
        served.metrics.ready(readiness.ready);
        let why_not = Some(readiness.why_not());
        if told != why_not {
            let names = || served.board.foundations().into_keys().collect::<Vec<_>>().join(", ");
            let words = why_not.clone().flatten();
            status(&words.map_or_else(|| format!("collecting {}", names()), |why| format!("not ready: {why}")));
            told = why_not;
        }
        let watch = Stopwatch::start();
        let version = tokio::time::timeout(ANSWER, store.schema_version()).await.ok().and_then(Result::ok);
        served.metrics.database_answered(version.map(|_| watch.elapsed()));
        if let Some(version) = version {
            served.metrics.schema_version(version);
        }
        let (in_use, idle) = store.connections();
        served.metrics.connections(in_use, idle);
        served.metrics.retried(retried());
        // A database that doesn't answer must not keep readiness from being told.
        if let Ok(bytes) = tokio::time::timeout(MEASURED_EVERY, store.size_bytes()).await {
            served.metrics.database_size(bytes);
        }
        if !Clock::System.sleep_unless_stopped(every, stop).await {
            return;
        }
    }
}

/// Ends when another file stands where the book was: what is in memory is of the old one. Until told to stop otherwise.
async fn watch_file(store: &Store, stop: &CancellationToken) -> Result<(), String> {
    let mut gone = false;
    while Clock::System.sleep_unless_stopped(LOOKED_EVERY, stop).await {
        match store.check_file() {
            Err(error @ StoreError::Replaced(_)) => {
                store.set_log_aside();
                return Err(error.to_string());
            }
            Err(error) if !gone => {
                tracing::error!("{error}");
                gone = true;
            }
            Ok(()) if gone => {
                tracing::info!("the database file is back");
                gone = false;
            }
            Ok(()) | Err(_) => {}
        }
    }
    // Whoever was told to stop goes on until the rest is done.
    std::future::pending().await
}

fn why(error: JoinError) -> String {
    if !error.is_panic() {
        return "was aborted".to_owned();
    }
    let panic = error.into_panic();
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_default())
}
