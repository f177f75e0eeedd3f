//! One book that replicas share on a primary with a standby, and its twin that nothing happens to: both come to the same.

use std::time::{Duration, Instant};

use cf_billing::store::{DutyState, Store};
use tokio::runtime::Runtime;

use crate::support::background::eventually;
use crate::support::cluster::{Cluster, Pair};
use crate::support::database::{self, Kind};
use crate::support::program::Program;
use crate::support::replica::{FOUNDATIONS, Replica, apis, configure, foundations, same_outcome};
use crate::support::served::{Served, keep_size};

/// Inputs of all foundations that a server has.
pub fn inputs(of: &Cluster) -> i64 {
    of.number("book", "SELECT sum(last_sequence)::text FROM foundation")
}

/// See the module.
pub struct Twins<'r> {
    // Whoever works comes before what they work on.
    pub replicas: Vec<Replica>,
    pub alone: Replica,
    pub ours: Store,
    theirs: Store,
    disturbed: Program,
    undisturbed: Program,
    pub pair: Pair,
    pub served: Vec<Served>,
    runtime: &'r Runtime,
}

impl<'r> Twins<'r> {
    pub fn new(
        runtime: &'r Runtime,
        pair: Pair,
        replicas: impl FnOnce(&Pair, &str, &[Served]) -> Vec<Replica>,
    ) -> Self {
        let served = foundations(runtime);
        let undisturbed = database::with(Kind::Postgres, Program::new);
        pair.primary.execute("CREATE DATABASE book");
        let url = pair.url("postgres", "book");
        let disturbed = Program::at(&url);
        for program in [&undisturbed, &disturbed] {
            configure(program, &apis(&served));
        }
        let open = |url: &str| runtime.block_on(Store::open(url)).unwrap();
        let (ours, theirs) = (open(&url), open(&undisturbed.database()));
        let mut replicas = replicas(&pair, "book", &served);
        replicas.iter_mut().for_each(Replica::start);
        let mut alone = Replica::at(undisturbed.database(), &apis(&served));
        alone.start();
        Self { replicas, alone, ours, theirs, disturbed, undisturbed, pair, served, runtime }
    }

    /// Three replicas with nothing between them and their database.
    pub fn near(runtime: &'r Runtime, pair: Pair) -> Self {
        let near = |pair: &Pair, database: &str, served: &[Served]| {
            (0..3).map(|_| Replica::at(pair.url("postgres", database), &apis(served))).collect()
        };
        Self::new(runtime, pair, near)
    }

    pub fn logs(&self) -> String {
        self.replicas.iter().map(Replica::log).collect::<Vec<_>>().join("\n---\n")
    }

    /// Everything that was used is in the book; `false` also while the database is away.
    fn has_all(&self, store: &Store) -> bool {
        let until = |name| {
            self.runtime.block_on(async {
                let head = store.foundation(name).await.ok()?;
                let observed = store.to_observe(&head, 1).await.ok()?.is_empty();
                head.known_until.filter(|_| observed)
            })
        };
        let mut all = FOUNDATIONS.iter().zip(&self.served);
        all.all(|(name, served)| until(name) == Some(served.foundation.lock().unwrap().now()))
    }

    pub fn is_complete(&self) -> bool {
        self.has_all(&self.theirs) && self.has_all(&self.ours)
    }

    #[track_caller]
    pub fn complete(&self) {
        eventually(|| self.logs(), || self.is_complete().then_some(()));
    }

    #[track_caller]
    pub fn ours_complete(&self) {
        eventually(|| self.logs(), || self.has_all(&self.ours).then_some(()));
    }

    /// Who does what, as the book says it; nothing, while the database is away.
    pub fn duties(&self) -> Vec<DutyState> {
        self.runtime.block_on(self.ours.duties()).unwrap_or_default()
    }

    /// Seconds pass in the foundations, in which nothing happens.
    pub fn pass(&self, seconds: i64) {
        for served in &self.served {
            let mut foundation = served.foundation.lock().unwrap();
            let to = foundation.now().plus(seconds);
            foundation.advance(to);
        }
    }

    /// An hour passes in the foundations, with much to collect.
    pub fn live(&self) {
        for served in &self.served {
            // Under one lock: a known until of an hour that hasn't been lived would look complete.
            let mut foundation = served.foundation.lock().unwrap();
            let to = foundation.now().plus(3600);
            foundation.advance(to);
            foundation.act(60);
            keep_size(&mut foundation);
        }
    }

    /// The primary dies while much is collected, and the standby takes over; gives how long it took until the daemons went on.
    pub fn fail_over(&self) -> Duration {
        self.live();
        let before = inputs(&self.pair.primary);
        eventually(|| self.logs(), || (inputs(&self.pair.primary) > before).then_some(()));
        self.pair.primary.kill();
        // Whoever has no duty looks for the primary, too.
        eventually(|| self.logs(), || self.replicas.iter().all(|replica| !replica.has_duties()).then_some(()));
        self.pair.promote();
        let promoted = Instant::now();
        let there = inputs(&self.pair.standby);
        eventually(|| self.logs(), || (inputs(&self.pair.standby) > there).then_some(()));
        promoted.elapsed()
    }

    /// Ends all; ledger, drafts and hash chains are those of the undisturbed book.
    pub fn ends_as_undisturbed(mut self) {
        self.complete();
        for replica in self.replicas.iter_mut().chain([&mut self.alone]) {
            replica.kill();
        }
        same_outcome(self.runtime, (&self.ours, &self.disturbed), (&self.theirs, &self.undisturbed));
        self.disturbed.succeed(&["ledger", "verify"]);
        self.runtime.block_on(self.ours.close());
    }
}
