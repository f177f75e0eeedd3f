//! Clocks of Cloud Controller's machines that are wrong for a while: events are stamped by them.
//! Of what such events touch only bounds are known; everything else must be as if they had the right times.

use std::collections::BTreeSet;

use cf_billing::domain::{FoundationHead, Stream, Timestamp};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::Simulation;

/// 1970, 2000, 2036, and a day or some hours off.
const ERRORS: [i64; 6] = [-1_770_000_000, -820_000_000, 315_000_000, 86_400, 8 * 3600, -8 * 3600];

/// See the module.
pub(super) struct WrongClocks {
    /// By itself, so that the other seeds stay as they were.
    random: ChaCha8Rng,
    /// What the clock that is wrong adds to the times of events, and for how many more steps.
    now: Option<(i64, u32)>,
    /// What such events are about.
    touched: BTreeSet<String>,
}

impl WrongClocks {
    /// In a quarter of the seeds.
    pub(super) fn of_seed(seed: u64) -> Option<Self> {
        let random = ChaCha8Rng::seed_from_u64(seed.rotate_left(17));
        (seed % 4 == 1).then(|| Self { random, now: None, touched: BTreeSet::new() })
    }
}

impl Simulation {
    /// Stamps events that were just written by a clock that is wrong, from now and then on for some steps.
    pub(super) fn spoil_clocks(&mut self, before: [usize; 2]) {
        let Some(clocks) = &mut self.wrong_clocks else { return };
        if clocks.now.is_none() && clocks.random.random_bool(0.1) {
            let error = ERRORS[clocks.random.random_range(0..ERRORS.len())];
            clocks.now = Some((error, clocks.random.random_range(1..4)));
        }
        let Some((error, left)) = clocks.now else { return };
        clocks.now = (left > 1).then_some((error, left - 1));
        let mut stamped = 0;
        for (stream, before) in Stream::ALL.into_iter().zip(before) {
            let mut world = self.world.lock().unwrap();
            for event in world.foundation.tables.events_mut(stream).iter_mut().skip(before) {
                // One of two machines.
                let stands = event["guid"].as_str().is_some_and(|guid| guid.as_bytes()[0] % 2 == 0);
                let created_at = event["created_at"].as_str().and_then(|at| Timestamp::parse(at).ok());
                let Some(created_at) = created_at.filter(|_| !stands) else { continue };
                event["created_at"] = created_at.plus(error).to_string().into();
                clocks.touched.extend(touched(event));
                stamped += 1;
            }
        }
        if stamped > 0 {
            self.say("events stamped by a wrong clock");
        }
    }

    /// Resources of which an event has a wrong time, or was taken to have.
    pub(super) fn touched_by_clocks(&self, head: &FoundationHead) -> BTreeSet<String> {
        let mut touched = self.wrong_clocks.as_ref().map(|clocks| clocks.touched.clone()).unwrap_or_default();
        for stream in Stream::ALL {
            let bounds = self.runtime.block_on(self.store.bounds(head, stream, 0, i64::MAX.cast_unsigned())).unwrap();
            let resources = bounds.into_iter().filter_map(|held| held.bound.resource);
            touched.extend(resources.map(|resource| resource.guid.to_string()));
        }
        touched
    }
}

/// The guids of what an event may be about.
fn touched(event: &Value) -> impl Iterator<Item = String> {
    let of = ["process", "task", "service_instance", "app"].map(|name| event[name]["guid"].as_str().map(str::to_owned));
    of.into_iter().flatten()
}
