//! Another foundation for a while under the same address: nothing is read, nothing is ended, and afterwards the truth is
//! equal. And what may change of a foundation that is the same: its version, its domain, who issues its tokens.

use cf_billing::domain::Timestamp;
use cf_billing::simulator::Foundation;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::faults::Simulation;

/// What a cycle may change of a book, as far as it counts.
pub type Kept = (u64, u64, Option<Timestamp>);

/// Draws of its own, so that what else a seed draws stays as it was.
pub struct Swaps {
    random: ChaCha8Rng,
    seed: u64,
}

impl Swaps {
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed ^ 0x1de_471f1e5), seed }
    }

    fn chance(&mut self, of_hundred: u32) -> bool {
        self.random.random_range(0..100) < of_hundred
    }
}

impl Simulation {
    /// Another foundation comes under the address, or goes; or this one changes what doesn't matter.
    pub fn swap(&mut self) {
        let is_away = self.world.lock().unwrap().other.is_some();
        if self.swaps.chance(if is_away { 40 } else { 5 }) {
            if is_away {
                self.world.lock().unwrap().other = None;
                self.say("the first foundation is back");
            } else if self.knows_something() {
                let now = self.now();
                let mut other = Foundation::new(!self.swaps.seed, now);
                other.options = self.world.lock().unwrap().foundation.options.clone();
                other.world.settle(&mut other.tables, 4);
                // Its streams may be empty, too.
                if self.swaps.chance(50) {
                    other.act(10);
                }
                self.world.lock().unwrap().other = Some(other);
                self.say("another foundation under the address");
            }
        }
        if self.swaps.chance(5) {
            let number = self.swaps.random.random_range(0..3_usize);
            let mut world = self.world.lock().unwrap();
            world.foundation.options.version = ["3.99.0", "3.228.0", "3.300.0"][number];
            world.foundation.options.domain = ["a.invalid", "b.invalid", "c.invalid"][number];
            world.foundation.uaa.issuer = format!("https://uaa.zone{number}.invalid/oauth/token");
            drop(world);
            self.say("upgraded, or moved to another domain");
        }
    }

    /// Of a foundation of which nothing is known any other may be taken for it.
    fn knows_something(&self) -> bool {
        let head = self.head();
        let known = self.runtime.block_on(self.store.known_guids(&head)).unwrap();
        head.last_sequence > 0 && !known.is_empty()
    }

    pub fn kept(&self) -> Kept {
        let head = self.head();
        (head.last_sequence, head.last_entry, head.known_until)
    }

    /// Nothing of another foundation came in, and nothing of the first was ended.
    pub fn nothing_happened_elsewhere(&self, before: Kept) {
        if self.world.lock().unwrap().other.is_some() {
            assert_eq!(self.kept(), before, "with another foundation under the address");
        }
    }
}
