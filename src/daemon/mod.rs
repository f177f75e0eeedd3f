//! The daemon: a task for each foundation, all on one supervisor that ends them together.
//! Owns when things happen and what becomes of failures; never what they do.

mod backoff;
mod collect;

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::cloud_controller::Client;
use crate::consumer::Plan;
use crate::store::Store;
use backoff::Backoff;

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
    /// Cancelled when it is to end.
    pub stop: CancellationToken,
}

/// How long tasks may take to end once they are told to: a commit, no more.
const GRACE: Duration = Duration::from_secs(8);

impl Daemon {
    /// Runs until it is told to stop. Then what is being committed is committed, and nothing is begun.
    pub async fn run(self) {
        let mut supervisor = Supervisor { daemon: self, tasks: JoinSet::new(), members: HashMap::new() };
        for index in 0..supervisor.daemon.members.len() {
            supervisor.start(index, Backoff::default());
        }
        supervisor.watch().await;
    }
}

struct Supervisor {
    daemon: Daemon,
    tasks: JoinSet<()>,
    /// Which member a task is for, and how often it had to be started again.
    members: HashMap<Id, (usize, Backoff)>,
}

impl Supervisor {
    /// Starts collecting a member, after a wait if it isn't the first time.
    fn start(&mut self, index: usize, backoff: Backoff) {
        let daemon = &self.daemon;
        let Some(member) = daemon.members.get(index).cloned() else { return };
        let (store, clock, stop) = (daemon.store.clone(), daemon.clock.clone(), daemon.stop.clone());
        let collecting = collect::Collecting {
            store,
            clock,
            member,
            poll_interval: daemon.poll_interval,
            stop,
            first_wait: backoff.last_wait(),
        };
        let handle = self.tasks.spawn(collecting.run());
        self.members.insert(handle.id(), (index, backoff));
    }

    async fn watch(mut self) {
        while let Some(ended) = self.next_ended().await {
            let (id, reason) = match ended {
                Ok((id, ())) => (id, "ended".to_owned()),
                Err(error) => (error.id(), why(error)),
            };
            let Some((index, mut backoff)) = self.members.remove(&id) else { continue };
            if self.daemon.stop.is_cancelled() {
                continue;
            }
            let wait = backoff.next_wait();
            let name = self.daemon.members.get(index).map_or("", |member| member.plan.foundation.as_str());
            tracing::error!(foundation = name, restart_in_seconds = wait.as_secs(), "collecting {reason}");
            self.start(index, backoff);
        }
    }

    /// The next task that ended; `None` once all did, or were given up after the grace time.
    async fn next_ended(&mut self) -> Option<Result<(Id, ()), JoinError>> {
        let stop = self.daemon.stop.clone();
        tokio::select! {
            ended = self.tasks.join_next_with_id() => return ended,
            () = stop.cancelled() => {}
        }
        // Real time, whatever clock the foundations live by.
        if let Ok(ended) = tokio::time::timeout(GRACE, self.tasks.join_next_with_id()).await {
            return ended;
        }
        tracing::error!("{} tasks did not end in time", self.tasks.len());
        self.tasks.abort_all();
        None
    }
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
