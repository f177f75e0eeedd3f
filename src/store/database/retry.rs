//! When a write that another one got in the way of is tried again: how often, and after which wait.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBackoff, ExponentialBuilder};

use crate::clock::{Clock, jittered};
use crate::store::StoreError;

/// After the first attempt.
const ATTEMPTS: usize = 10;
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_millis(250);

/// By this process.
static RETRIED: AtomicU64 = AtomicU64::new(0);

/// How many times this process has tried a write again.
pub fn retried() -> u64 {
    RETRIED.load(Ordering::Relaxed)
}

/// What is left of the attempts of one write.
#[derive(Debug)]
pub struct Retry(ExponentialBackoff);

impl Retry {
    pub fn new() -> Self {
        let waits = ExponentialBuilder::new().with_min_delay(SHORTEST).with_max_delay(LONGEST);
        Self(jittered(waits.with_max_times(ATTEMPTS)))
    }

    /// Waits before the next attempt, so that writers that met once don't meet again. `false`: the error stays, because
    /// it isn't a conflict with another write, or all attempts are used up.
    pub async fn after(&mut self, error: &StoreError) -> bool {
        let Some(wait) = error.is_conflict().then(|| self.0.next()).flatten() else { return false };
        Clock::System.sleep(wait).await;
        RETRIED.fetch_add(1, Ordering::Relaxed);
        true
    }
}

/// Runs an attempt; again, after a wait, while other writes get in its way. Nothing of a failed attempt was written.
macro_rules! again {
    ($attempt:expr) => {{
        let mut retry = $crate::store::database::Retry::new();
        loop {
            match $attempt.await {
                Err(error) if retry.after(&error).await => {}
                result => break result,
            }
        }
    }};
}
pub(in crate::store) use again;

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, LONGEST, Retry, SHORTEST};

    #[test]
    fn waits_are_bounded_in_number_and_length_and_differ_between_writers() {
        let waits: Vec<_> = Retry::new().0.collect();
        assert_eq!(waits.len(), ATTEMPTS);
        // Jitter adds up to as much again.
        assert!(waits.iter().all(|wait| SHORTEST <= *wait && *wait <= LONGEST * 2), "{waits:?}");
        assert_ne!(waits, Retry::new().0.collect::<Vec<_>>());
    }
}
