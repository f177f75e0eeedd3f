//! Rows that can't be read for a while: what they are about counts as present and unchanged. Draws by itself, in some of the
//! seeds, so that the others stay as they were.

use std::collections::BTreeSet;

use cf_billing::simulator::Foundation;
use cf_billing::simulator::tables::List;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// See the module.
pub struct OddRows {
    random: ChaCha8Rng,
    /// Whatever was once hidden by such a row: what a gap lost of it is settled only when it can be read again.
    pub hidden: BTreeSet<String>,
}

impl OddRows {
    pub fn of_seed(seed: u64) -> Option<Self> {
        let random = ChaCha8Rng::seed_from_u64(seed.rotate_left(29));
        (seed % 6 == 2).then_some(Self { random, hidden: BTreeSet::new() })
    }

    /// Hides a row, or shows all again; whether it did.
    pub fn act(&mut self, foundation: &mut Foundation) -> bool {
        if !foundation.options.unreadable.is_empty() {
            self.note(foundation);
            if self.random.random_range(0..3) == 0 {
                foundation.options.unreadable.clear();
                return true;
            }
            return false;
        }
        if self.random.random_range(0..4) != 0 {
            return false;
        }
        // One of each list at most: more might be more than one in a hundred.
        const LISTS: [List; 6] =
            [List::Apps, List::Processes, List::Tasks, List::ServiceInstances, List::ServicePlans, List::Spaces];
        for list in LISTS {
            let rows = foundation.tables.rows(list);
            if rows.is_empty() || self.random.random_range(0..2) == 0 {
                continue;
            }
            let guid = rows[self.random.random_range(0..rows.len())]["guid"].as_str().unwrap().to_owned();
            foundation.options.unreadable.insert((list, guid));
        }
        self.note(foundation);
        !foundation.options.unreadable.is_empty()
    }

    /// What the rows hide now.
    fn note(&mut self, foundation: &Foundation) {
        let unreadable = &foundation.options.unreadable;
        let hides = |list: List, guid: &str| unreadable.contains(&(list, guid.to_owned()));
        let world = &foundation.world;
        let app_is_hidden = |app: &str| {
            hides(List::Apps, app) || world.apps.get(app).is_some_and(|app| hides(List::Spaces, &app.space))
        };
        let processes = world.processes.values().filter(|process| app_is_hidden(&process.app));
        let tasks = world.tasks.values().filter(|task| app_is_hidden(&task.app));
        let services = world.services.values().filter(|service| {
            let plan = service.plan.as_ref().is_some_and(|plan| hides(List::ServicePlans, plan));
            plan || hides(List::Spaces, &service.space)
        });
        self.hidden.extend(processes.map(|process| process.guid.clone()));
        self.hidden.extend(tasks.map(|task| task.guid.clone()));
        self.hidden.extend(services.map(|service| service.guid.clone()));
        self.hidden.extend(unreadable.iter().map(|(_, guid)| guid.clone()));
    }
}
