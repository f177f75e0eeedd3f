//! How long to wait before trying again.

use std::time::Duration;

use rand::RngExt;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);

/// Waits that double from one failure to the next, with jitter, so that many don't return at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    last: Option<Duration>,
}

impl Backoff {
    /// Another failure: how long to wait now.
    #[must_use = "wait that long"]
    pub fn next_wait(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(6)).min(LONGEST);
        self.failures += 1;
        let wait = full.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.last = Some(wait);
        wait
    }

    /// What [`Backoff::next_wait`] gave last.
    #[must_use]
    pub const fn last_wait(&self) -> Option<Duration> {
        self.last
    }

    /// How often it failed since it last went well.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// It went well again.
    pub const fn reset(&mut self) {
        (self.failures, self.last) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, FIRST, LONGEST};

    #[test]
    fn waits_double_up_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::default();
        for failure in 0..100 {
            let wait = backoff.next_wait();
            let full = FIRST.saturating_mul(1 << failure.min(6)).min(LONGEST);
            assert!(full / 2 <= wait && wait <= full, "{failure}: {wait:?}");
            assert_eq!(backoff.last_wait(), Some(wait));
        }
        backoff.reset();
        assert!(backoff.next_wait() <= FIRST);
    }
}
