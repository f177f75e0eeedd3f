//! Which duties this process has: takes what is free, keeps what it has, shares with the other replicas.
//! Owns when a lease is taken, renewed and given up; fencing itself is the store's.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stopwatch};
use crate::domain::FoundationHead;
use crate::store::{Lease, Store, StoreError};
use crate::telemetry::{Board, Metrics};

/// Drafting invoices; collecting a foundation is [`Lease::duty_of`] it.
pub(super) const DRAFTS: &str = "drafts";

/// Verifying the hash chains.
pub(super) const VERIFICATION: &str = "verification";

/// A duty this process has.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub lease: Lease,
    /// Cancelled when it is lost, given up, or the process is to end.
    pub over: CancellationToken,
    /// Whether it is lost for certain is to be found out: a write under it was refused.
    doubted: Arc<AtomicBool>,
}

impl Held {
    /// A write under it was refused: it is given up, and taken anew if nobody else has it.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::SeqCst);
        self.over.cancel();
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Duties {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    metrics: Metrics,
    board: Board,
    stop: CancellationToken,
    /// This replica.
    name: String,
    /// How long others wait for a sign of life.
    length: Duration,
    duties: BTreeMap<String, watch::Sender<Option<Held>>>,
    /// Since the last renewal that the database confirmed was sent.
    confirmed: Mutex<Stopwatch>,
    /// Taken although this process has its share: the others don't seem to be configured for them.
    forsaken: Mutex<HashSet<String>>,
    begun: Stopwatch,
    /// Of the database, when duties were last taken: see [`Store::generation`].
    generation: AtomicU64,
}

impl Duties {
    pub fn new(
        store: Store,
        metrics: Metrics,
        board: Board,
        stop: CancellationToken,
        length: Duration,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        let duties: BTreeMap<_, _> = names.into_iter().map(|name| (name, watch::Sender::new(None))).collect();
        for duty in duties.keys() {
            metrics.duty(duty);
        }
        let confirmed = Mutex::new(Stopwatch::start());
        let (forsaken, begun) = (Mutex::default(), Stopwatch::start());
        let (name, generation) = (replica_name(), store.generation().into());
        let inner = Inner { store, metrics, board, stop, name, length, duties, confirmed, forsaken, begun, generation };
        Self { inner: Arc::new(inner) }
    }

    /// Waits until this process has the duty; `None` once it is to stop.
    pub async fn wait_for(&self, duty: &str) -> Option<Held> {
        let mut held = self.inner.duties.get(duty)?.subscribe();
        tokio::select! {
            biased;
            () = self.inner.stop.cancelled() => None,
            held = held.wait_for(|held| held.as_ref().is_some_and(|held| !held.over.is_cancelled())) => {
                held.ok().and_then(|held| held.clone())
            }
        }
    }

    /// Takes every duty at once, where no other process can have any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_all(&self) -> Result<(), StoreError> {
        for duty in self.inner.duties.keys() {
            self.take(duty, true).await?;
        }
        Ok(())
    }

    /// Shares duties with the other replicas until told to stop; on a file it only holds them, and notices if another
    /// process got around the file's lock.
    pub async fn share(&self) {
        let Inner { store, stop, name, length, .. } = &*self.inner;
        if store.is_shared() {
            tracing::info!(replica = %name, "sharing the work with other replicas");
        }
        let mut failing = false;
        while !stop.is_cancelled() {
            let turn = Stopwatch::start();
            match tokio::time::timeout(*length / 2, self.turn()).await {
                Ok(Ok(())) => {
                    failing = false;
                    self.inner.board.writes(None);
                }
                Ok(Err(error)) => self.tell(&mut failing, &error.to_string()),
                Err(_) => {
                    let told = || "the database doesn't answer".to_owned();
                    self.tell(&mut failing, &store.why_away().unwrap_or_else(told));
                }
            }
            // Nobody else takes what is in a file.
            if store.is_shared() {
                self.drop_what_ran_out();
            }
            let wait = (*length / TURNS).saturating_sub(turn.elapsed());
            if !Clock::System.sleep_unless_stopped(wait.max(SHORTEST_WAIT), stop).await {
                return;
            }
        }
    }

    fn tell(&self, failing: &mut bool, error: &str) {
        if !*failing {
            tracing::warn!(replica = %self.inner.name, "can't renew the leases: {error}");
        }
        *failing = true;
        self.inner.board.writes(Some(error.to_owned()));
    }

    /// Once every fifth of a lease: says that it lives, renews, gives up what is too much, takes what is free.
    async fn turn(&self) -> Result<(), StoreError> {
        let Inner { store, name, length, duties, .. } = &*self.inner;
        let replicas = store.report_replica(name, *length).await?;
        self.renew().await?;
        self.begin_anew_elsewhere().await?;
        // On a file the others are processes that died.
        let living = if store.is_shared() { replicas.len().max(1) } else { 1 };
        let share = duties.len().div_ceil(living);
        // What nobody else would take doesn't count: it is nothing that could be given up.
        let forsaken = self.forsaken().clone();
        let mine = || duties.keys().filter(|duty| !forsaken.contains(*duty)).filter_map(|duty| self.held(duty));
        let count = mine().count();
        if let Some(held) = mine().next_back().filter(|_| count > share) {
            // What it is doing ends before its next write; whoever takes it over goes on there.
            self.lose(&held.lease.duty, "another replica has less to do");
            return store.give_up_lease(&held.lease, name).await;
        }
        self.take_free(share, count).await?;
        if !store.is_shared() {
            return Ok(());
        }
        // What others collect is seen to go on, however rarely somebody asks.
        let is_ours = |head: &FoundationHead| duties.contains_key(&Lease::duty_of(&head.name));
        for head in store.foundations().await?.iter().filter(|head| is_ours(head)) {
            self.inner.board.looked_up(&head.name, head.known_until);
        }
        Ok(())
    }

    /// Renews what it has; stops what it has no more.
    async fn renew(&self) -> Result<(), StoreError> {
        let Inner { store, name, length, duties, .. } = &*self.inner;
        let sent = Stopwatch::start();
        let renewed = store.renew_leases(name, *length).await?;
        *self.confirmed() = sent;
        for lease in &renewed {
            if self.held(&lease.duty).is_none_or(|held| held.lease != *lease) {
                // Taken in a turn that was given up before it heard of it.
                store.give_up_lease(lease, name).await?;
            }
        }
        for held in duties.keys().filter_map(|duty| self.held(duty)) {
            if !renewed.contains(&held.lease) {
                self.lose(&held.lease.duty, "another replica has taken it over");
            } else if held.doubted.load(Ordering::SeqCst) {
                store.give_up_lease(&held.lease, name).await?;
                self.lose(&held.lease.duty, "a write under it was refused");
            }
        }
        Ok(())
    }

    /// The book is on another server now, which may lack what was written last, also who took what over: everything is given
    /// up, and taken under an epoch that this server has seen.
    async fn begin_anew_elsewhere(&self) -> Result<(), StoreError> {
        let Inner { store, name, duties, generation, .. } = &*self.inner;
        let now = store.generation();
        if generation.load(Ordering::SeqCst) == now {
            return Ok(());
        }
        for held in duties.keys().filter_map(|duty| self.held(duty)) {
            self.lose(&held.lease.duty, "the database is on another server now");
            store.give_up_lease(&held.lease, name).await?;
        }
        generation.store(now, Ordering::SeqCst);
        Ok(())
    }

    /// Takes what is free, up to its share; and what nobody else takes.
    async fn take_free(&self, share: usize, mut count: usize) -> Result<(), StoreError> {
        let Inner { store, length, duties, begun, .. } = &*self.inner;
        let states = store.duties().await?;
        // A replica that lives may not be configured for it: then it stays free longer than its turn.
        let patience = i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
        for duty in duties.keys() {
            let state = states.iter().find(|state| state.lease.duty == *duty);
            let is_free = state.is_none_or(|state| state.holder.is_none());
            let forsaken = match state {
                None => begun.elapsed() > *length * 2,
                Some(state) => state.free_for_seconds.is_some_and(|seconds| seconds > patience),
            };
            if is_free && (count < share || forsaken) && self.take(duty, false).await? {
                if count < share {
                    count += 1;
                } else {
                    self.forsaken().insert(duty.clone());
                }
            }
        }
        Ok(())
    }

    fn held(&self, duty: &str) -> Option<Held> {
        self.inner.duties.get(duty)?.borrow().clone()
    }

    async fn take(&self, duty: &str, over: bool) -> Result<bool, StoreError> {
        let Inner { store, name, length, metrics, stop, .. } = &*self.inner;
        let taken = if over {
            store.take_lease_over(duty, name, *length).await?
        } else {
            store.take_lease(duty, name, *length).await?
        };
        let Some(lease) = taken else { return Ok(false) };
        tracing::info!(duty, epoch = lease.epoch, replica = %name, "taken over");
        metrics.leads(duty, Some(lease.epoch));
        let held = Held { lease, over: stop.child_token(), doubted: Arc::default() };
        if let Some(sender) = self.inner.duties.get(duty) {
            sender.send_replace(Some(held));
        }
        Ok(true)
    }

    fn lose(&self, duty: &str, why: &str) {
        let Some(sender) = self.inner.duties.get(duty) else { return };
        if let Some(held) = sender.send_replace(None) {
            held.over.cancel();
            self.forsaken().remove(duty);
            self.inner.metrics.leads(duty, None);
            tracing::warn!(duty, epoch = held.lease.epoch, replica = %self.inner.name, "given up: {why}");
        }
    }

    /// Stops what others may have taken over by now, when the database couldn't be asked.
    fn drop_what_ran_out(&self) {
        if self.confirmed().elapsed() >= self.inner.length {
            for duty in self.inner.duties.keys() {
                self.lose(duty, "its lease ran out");
            }
        }
    }

    fn forsaken(&self) -> MutexGuard<'_, HashSet<String>> {
        self.inner.forsaken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn confirmed(&self) -> MutexGuard<'_, Stopwatch> {
        self.inner.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives everything up, once nothing is done any more: others needn't wait for the leases to run out.
    pub async fn give_up(&self) {
        let Inner { store, name, duties, metrics, .. } = &*self.inner;
        for (duty, sender) in duties {
            if let Some(held) = sender.send_replace(None) {
                metrics.leads(duty, None);
                if let Err(error) = store.give_up_lease(&held.lease, name).await {
                    tracing::warn!(duty, "can't give up the lease; it will run out by itself: {error}");
                    return;
                }
            }
        }
        let _ = store.forget_replica(name).await;
    }
}

/// Turns a lease lasts, so that some may fail.
const TURNS: u32 = 5;
const SHORTEST_WAIT: Duration = Duration::from_millis(50);

/// Host, process and a random part: no two are the same, whatever restarts.
fn replica_name() -> String {
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let host = if host.trim().is_empty() { "replica" } else { host.trim() };
    format!("{host}-{}-{:08x}", std::process::id(), rand::random::<u32>())
}
