//! The only place that asks for the time or waits for it to pass.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;

/// These waits with jitter, so that those who met once don't meet again. The package's own seed is the same each time.
#[must_use]
pub fn jittered(waits: ExponentialBuilder) -> ExponentialBackoff {
    waits.with_jitter().with_jitter_seed(rand::random()).build()
}

/// Tells the time and waits: the system's, or one that moves only when it is told to.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Set by hand; waiting returns at once.
    Manual(Arc<AtomicI64>),
    /// That of a simulated foundation; waiting lasts until its driver has moved it far enough.
    Simulated(Arc<Simulated>),
}

impl Clock {
    /// A clock that stands at `now` until [`Clock::set`].
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.unix())))
    }

    /// A clock that stands at `now` and whoever drives it.
    #[must_use]
    pub fn simulated(now: Timestamp) -> (Self, Driver) {
        let simulated = Arc::new(Simulated {
            now: watch::Sender::new(now),
            waiting: watch::Sender::new(0),
            waiters: Mutex::default(),
        });
        (Self::Simulated(simulated.clone()), Driver { simulated })
    }

    /// The time now, cut to whole seconds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_unix(chrono::Utc::now().timestamp()),
            Self::Manual(now) => Timestamp::from_unix(now.load(Ordering::SeqCst)),
            Self::Simulated(simulated) => *simulated.now.borrow(),
        }
    }

    /// Sets a manual clock; no other can be set.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(clock) = self {
            clock.store(now.unix(), Ordering::SeqCst);
        }
    }

    /// Waits. A manual clock lets others run and returns; a simulated one counts whole seconds, one at least.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(_) => tokio::task::yield_now().await,
            Self::Simulated(simulated) => simulated.sleep(duration).await,
        }
    }

    /// Waits as [`Clock::sleep`] does; false if told to stop before.
    pub async fn sleep_unless_stopped(&self, duration: Duration, stop: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = self.sleep(duration) => true,
        }
    }
}

/// Measures how long something takes, in real time whatever the clock.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Begins now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Since it began.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The time of a simulated foundation and those who wait for it to pass.
#[derive(Debug)]
pub struct Simulated {
    now: watch::Sender<Timestamp>,
    /// How many wait; only told when it changes.
    waiting: watch::Sender<usize>,
    /// By until when, and a number of their own.
    waiters: Mutex<BTreeSet<(Timestamp, u64)>>,
}

impl Simulated {
    async fn sleep(self: &Arc<Self>, duration: Duration) {
        let seconds = i64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(i64::MAX).max(1);
        let mut time = self.now.subscribe();
        let until = time.borrow().plus(seconds);
        let waiter = Waiter::begin(self.clone(), until);
        while *time.borrow_and_update() < until {
            if time.changed().await.is_err() {
                break;
            }
        }
        drop(waiter);
    }

    fn still_waiting(&self) -> usize {
        let now = *self.now.borrow();
        let waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.iter().filter(|(until, _)| *until > now).count()
    }
}

/// One who waits, for as long as it does: it may be dropped before its time.
struct Waiter {
    simulated: Arc<Simulated>,
    key: (Timestamp, u64),
}

impl Waiter {
    fn begin(simulated: Arc<Simulated>, until: Timestamp) -> Self {
        let mut waiters = simulated.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiters.iter().map(|(_, number)| number + 1).max().unwrap_or_default();
        waiters.insert((until, number));
        drop(waiters);
        simulated.waiting.send_modify(|waiting| *waiting += 1);
        Self { simulated, key: (until, number) }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.simulated.waiters.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        self.simulated.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

/// Moves simulated time, in steps, once everybody who lives in it waits.
#[derive(Debug)]
pub struct Driver {
    simulated: Arc<Simulated>,
}

impl Driver {
    /// Returns once `count` wait for a later time: what they had to do at this one is done.
    pub async fn settled(&self, count: usize) {
        let mut waiting = self.simulated.waiting.subscribe();
        while self.simulated.still_waiting() < count {
            if waiting.changed().await.is_err() {
                break;
            }
        }
    }

    /// Moves time on and wakes those who waited for it; never back.
    pub fn advance(&self, to: Timestamp) {
        self.simulated.now.send_if_modified(|now| {
            let moves = to > *now;
            *now = to.max(*now);
            moves
        });
    }

    /// The earliest time that anybody waits for.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        let now = *self.simulated.now.borrow();
        let waiters = self.simulated.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.iter().map(|(until, _)| *until).find(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::Clock;
    use crate::domain::Timestamp;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn simulated_time_moves_only_when_driven() {
        let start = Timestamp::from_unix(1000);
        let (clock, driver) = Clock::simulated(start);
        run(async {
            let sleeper = async {
                clock.sleep(Duration::from_millis(1500)).await;
                let first = clock.now();
                clock.sleep(Duration::ZERO).await;
                (first, clock.now())
            };
            let drive = async {
                driver.settled(1).await;
                assert_eq!(driver.next(), Some(start.plus(2)));
                driver.advance(start.plus(1));
                driver.settled(1).await;
                assert_eq!(clock.now(), start.plus(1), "not enough to wake it");
                driver.advance(start.plus(2));
                driver.settled(1).await;
                assert_eq!(driver.next(), Some(start.plus(3)), "a wait is a second at least");
                driver.advance(start.plus(10));
                driver.advance(start);
            };
            let ((first, second), ()) = tokio::join!(sleeper, drive);
            assert_eq!((first, second), (start.plus(2), start.plus(10)), "time never goes back");
        });
    }

    #[test]
    fn who_gives_up_waiting_no_longer_counts() {
        let (clock, driver) = Clock::simulated(Timestamp::from_unix(0));
        run(async {
            let mut sleep = Box::pin(clock.sleep(Duration::from_secs(5)));
            tokio::select! {
                biased;
                () = &mut sleep => panic!("nobody moved the clock"),
                () = driver.settled(1) => {}
            }
            drop(sleep);
            assert_eq!(driver.next(), None);
        });
    }

    #[test]
    fn who_is_told_to_stop_waits_no_longer() {
        let (clock, driver) = Clock::simulated(Timestamp::from_unix(0));
        let stop = CancellationToken::new();
        run(async {
            let stopping = async {
                driver.settled(1).await;
                stop.cancel();
            };
            let (slept, ()) = tokio::join!(clock.sleep_unless_stopped(Duration::from_secs(5), &stop), stopping);
            assert!(!slept);
            assert_eq!(driver.next(), None);
            let manual = Clock::manual(Timestamp::from_unix(0));
            assert!(!manual.sleep_unless_stopped(Duration::ZERO, &stop).await, "stopping comes first");
            assert!(manual.sleep_unless_stopped(Duration::ZERO, &CancellationToken::new()).await);
        });
    }
}
