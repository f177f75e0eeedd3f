//! What the service manager is told: that we serve, that we live, that we end. The sign of life is the supervisor's own:
//! no database and no Cloud Controller can keep it back, and a supervisor that hangs gives none.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::clock::{Clock, Stopwatch};

/// Signs of life in the time after which the service manager gives up.
const BEATS: u32 = 4;

/// Tells the service manager, if there is one (`$NOTIFY_SOCKET`, `$WATCHDOG_USEC`).
#[derive(Debug)]
pub struct Heartbeat {
    /// Between two signs of life; `None`: nobody waits for them.
    every: Option<Duration>,
    last: Stopwatch,
}

impl Heartbeat {
    /// Says that requests are answered from now on.
    #[must_use]
    pub fn ready() -> Self {
        tell(&NotifyState::Ready);
        let every = sd_notify::watchdog_enabled().map(|limit| limit / BEATS);
        let heartbeat = Self { every, ..Self::silent() };
        if every.is_some() {
            tell(&NotifyState::Watchdog);
        }
        heartbeat
    }

    /// Tells nobody anything.
    #[must_use]
    pub fn silent() -> Self {
        Self { every: None, last: Stopwatch::start() }
    }

    /// Waits until a sign of life is due, and gives it. May be dropped and begun again: the time goes on.
    pub async fn beat(&mut self) {
        let Some(every) = self.every else { return std::future::pending().await };
        Clock::System.sleep(every.saturating_sub(self.last.elapsed())).await;
        tell(&NotifyState::Watchdog);
        self.last = Stopwatch::start();
    }
}

/// Says in a few words what is being done: `systemctl status` shows it.
pub fn status(words: &str) {
    tell(&NotifyState::Status(words));
}

/// Says that it ends.
pub fn stopping() {
    tell(&NotifyState::Stopping);
}

fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!("can't tell the service manager: {error}");
    }
}
