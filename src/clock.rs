//! The only place that asks for the time or waits for it to pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::domain::Timestamp;

/// Tells the time and waits: the system's, or one set by hand.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Moves only when it is told to; waiting returns at once.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `now` until [`Clock::set`].
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(now.unix())))
    }

    /// The time now, cut to whole seconds.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the system")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_unix(chrono::Utc::now().timestamp()),
            Self::Manual(now) => Timestamp::from_unix(now.load(Ordering::SeqCst)),
        }
    }

    /// Sets a manual clock; the system's can't be set.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(clock) = self {
            clock.store(now.unix(), Ordering::SeqCst);
        }
    }

    /// Waits. A manual clock lets others run and returns.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::System => tokio::time::sleep(duration).await,
            Self::Manual(_) => tokio::task::yield_now().await,
        }
    }
}
