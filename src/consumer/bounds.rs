//! What else is known of a resource that a look found otherwise: its last event, whether a reseed names it, whether Diego
//! runs it. Owns how far a look may reach; never decides what becomes of a difference.

use std::collections::{HashMap, HashSet};

use super::collector::{CollectError, Collector};
use super::compare::Reseed;
use super::inventory::Inventory;
use super::page::recall;
use crate::cloud_controller::{After, ErrorKind};
use crate::domain::{Fact, ResourceKey, Stream, Timestamp};
use crate::fold::{Depth, Resource, last_told};

/// Resources whose past is loaded at once.
const BATCH: usize = 100;

impl Collector {
    /// When something last told of each, an event or a look that settled it, of those of which something is archived.
    pub(super) async fn last_told(
        &self,
        keys: &[ResourceKey],
    ) -> Result<HashMap<ResourceKey, Timestamp>, CollectError> {
        let mut last = HashMap::new();
        for keys in keys.chunks(BATCH) {
            let wanted = keys.iter().map(|key| (key.clone(), Depth::History)).collect();
            for loaded in self.store.load(&self.head, &wanted).await? {
                let inputs: Result<Vec<_>, _> = loaded.history.into_iter().map(recall).collect();
                last.extend(last_told(&inputs?).map(|at| (loaded.resource.key, at)));
            }
        }
        Ok(last)
    }

    /// The reseed that the app stream begins with, whole: its rows are of one instant, so that they are pruned together.
    /// `None`: the stream begins with something else.
    pub(super) async fn reseed(&self) -> Result<Option<Reseed>, CollectError> {
        let mut after = After::Nothing;
        let mut reseed: Option<Reseed> = None;
        loop {
            let page = self.ask(self.client.events(Stream::App, &after)).await?.value;
            for (_, decoded) in &page.events {
                let Fact::Process(fact) = &decoded.event.fact else { return Ok(reseed) };
                if !fact.reseeded {
                    return Ok(reseed);
                }
                let at = decoded.event.created_at;
                let reseed = reseed.get_or_insert_with(|| Reseed { processes: HashSet::new(), created_at: at });
                reseed.created_at = reseed.created_at.max(at);
                reseed.processes.insert(fact.process.clone());
            }
            match page.last_id().filter(|_| page.full) {
                Some(last) => after = After::Event(last.guid),
                None => return Ok(reseed),
            }
        }
    }

    /// Asks of docker apps' processes that are held as running while their apps say that they are stopped: one that was
    /// inserted as started runs all the same. What shows an instance counts as running; what can't be read is kept.
    pub(super) async fn ask_diego(
        &self,
        inventory: &mut Inventory,
        tracked: &HashMap<ResourceKey, Resource>,
    ) -> Result<(), CollectError> {
        let is_open = |key: &ResourceKey| tracked.get(key).is_some_and(|resource| resource.run.is_some());
        let doubtful: Vec<ResourceKey> = inventory.docker.keys().filter(|key| is_open(key)).cloned().collect();
        for key in doubtful {
            let runs = match self.ask(self.client.process_stats(&key.guid)).await {
                Ok(stats) => stats.shows_an_instance(),
                // It is gone meanwhile.
                Err(CollectError::Api(error)) if error.kind == ErrorKind::NotFound => false,
                Err(CollectError::Api(error)) => {
                    tracing::warn!(
                        foundation = %self.head.name, process = %key.guid,
                        "can't read whether a docker app's process runs; it goes on counting, as estimated: {error}"
                    );
                    inventory.stopped.remove(&key);
                    inventory.unsure.insert(key);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if let Some(row) = inventory.docker.remove(&key).filter(|_| runs) {
                inventory.stopped.remove(&key);
                inventory.running.insert(key, row);
            }
        }
        Ok(())
    }
}
