//! Time in the simulated foundation: it moves once the daemon has caught up, and people do things meanwhile.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio_util::sync::CancellationToken;

use super::super::progress::Bars;
use super::in_memory::InMemory;
use crate::clock::{Clock, Driver};
use crate::domain::Timestamp;

/// Waits between two times at which people do something, in simulated seconds.
const PAUSES: [i64; 4] = [1800, 3600, 5400, 7200];
/// A real second of [`Play::follow`], in simulated ones.
const FOLLOW_SECONDS: i64 = 60;

/// See the module.
#[derive(Debug)]
pub struct Play {
    pub foundation: InMemory,
    driver: Driver,
    stop: CancellationToken,
    random: ChaCha8Rng,
    bars: Bars,
}

impl Play {
    pub fn new(foundation: InMemory, driver: Driver, stop: CancellationToken, seed: u64, bars: Bars) -> Self {
        Self { foundation, driver, stop, random: ChaCha8Rng::seed_from_u64(seed), bars }
    }

    /// Lets time pass, and nobody do anything, until the daemon has its baseline; false if told to stop, or if a day
    /// wasn't enough.
    pub async fn onboard(&mut self) -> bool {
        let last = self.foundation.lock().now().plus(86_400);
        while !self.foundation.lock().world.truth.has_begun() {
            if !self.caught_up().await {
                return false;
            }
            let Some(next) = self.driver.next().filter(|next| *next <= last) else { return false };
            self.advance(next, 0);
        }
        true
    }

    /// Lets a life go by until `end`; false if told to stop before.
    pub async fn until(&mut self, end: Timestamp) -> bool {
        let start = self.foundation.lock().now();
        let bar = self.bars.add(end.seconds_since(start).unsigned_abs(), "{msg} {wide_bar} {percent}%");
        loop {
            if !self.caught_up().await {
                bar.abandon();
                return false;
            }
            let now = self.foundation.lock().now();
            bar.set_position(now.seconds_since(start).unsigned_abs());
            bar.set_message(now.to_string());
            if now >= end {
                bar.finish_and_clear();
                return true;
            }
            let pause = PAUSES[self.random.random_range(0..PAUSES.len())];
            let actions = self.random.random_range(0..4);
            self.advance(now.plus(pause).min(end), actions);
        }
    }

    /// Goes on for some real seconds; false if told to stop.
    pub async fn follow(&mut self, seconds: u32) -> bool {
        for _ in 0..seconds {
            let slept = Clock::System.sleep_unless_stopped(Duration::from_secs(1), &self.stop).await;
            if !slept || !self.caught_up().await {
                return false;
            }
            let to = self.foundation.lock().now().plus(FOLLOW_SECONDS);
            let actions = u32::from(self.random.random_range(0..20) == 0);
            self.advance(to, actions);
        }
        true
    }

    /// Waits until the daemon has nothing left to do at this time; false if told to stop.
    async fn caught_up(&self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = self.driver.settled(1) => true,
        }
    }

    /// First the foundation, then everybody's clock: who wakes finds what has happened.
    fn advance(&self, to: Timestamp, actions: u32) {
        let mut foundation = self.foundation.lock();
        foundation.advance(to);
        foundation.act(actions);
        drop(foundation);
        self.driver.advance(to);
    }
}
