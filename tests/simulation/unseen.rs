//! What changes without an event: plans migrated in bulk, apps moved by V2, processes inserted as started, a database set
//! back. Draws by itself, in some of the seeds, so that the others stay as they were.

use std::collections::BTreeMap;

use cf_billing::domain::{Stream, Timestamp};
use cf_billing::simulator::world::Size;
use cf_billing::simulator::{Backup, Foundation};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// A restored database is no older.
const OLDEST_BACKUP_SECONDS: i64 = 8 * 3600;

pub struct Unseen {
    random: ChaCha8Rng,
    backup: Option<(Timestamp, Backup)>,
    /// What was changed, and when: what a look finds of it is assumed.
    pub changed: Vec<Changed>,
    /// Docker apps' processes that were inserted as started: an event that follows is the first word of each.
    pub inserted: Vec<String>,
}

/// What was changed without an event.
pub struct Changed {
    pub guid: String,
    pub at: Timestamp,
    /// When an event first said how it is since: an update of something else, or a reseed.
    pub told: Option<Timestamp>,
}

impl Changed {
    const fn new(guid: String, at: Timestamp) -> Self {
        Self { guid, at, told: None }
    }
}

/// What was done.
pub enum Done {
    Nothing,
    MigratedPlan,
    MovedApp,
    InsertedStarted,
    /// The database is as it was then.
    Restored(Timestamp),
}

impl Unseen {
    pub fn of_seed(seed: u64) -> Option<Self> {
        let random = ChaCha8Rng::seed_from_u64(seed.rotate_left(17));
        (seed % 3 == 1).then_some(Self { random, backup: None, changed: Vec::new(), inserted: Vec::new() })
    }

    /// Looks what events say by now of what was changed; before anything takes them away.
    pub fn hear(&mut self, foundation: &Foundation) {
        for changed in self.changed.iter_mut().filter(|changed| changed.told.is_none()) {
            let of_it = |event: &&Value| {
                ["process", "task", "service_instance"].iter().any(|kind| event[kind]["guid"] == changed.guid.as_str())
            };
            let events = Stream::ALL.into_iter().flat_map(|stream| foundation.tables.events(stream));
            let times = events.filter(of_it).filter_map(|event| Timestamp::parse(event["created_at"].as_str()?).ok());
            changed.told = times.filter(|at| *at > changed.at).min();
        }
    }

    /// Whether a backup or a restore comes next, before which everything that is under way is committed.
    pub fn wants_database(&mut self) -> bool {
        self.random.random_bool(0.08)
    }

    pub fn of_database(&mut self, foundation: &mut Foundation) -> Done {
        let now = foundation.now();
        match self.backup.take() {
            Some((at, backup)) if now.seconds_since(at) <= OLDEST_BACKUP_SECONDS => {
                let before = plans(foundation);
                foundation.restore(backup);
                // What was migrated since the backup is as it was, and no event says so.
                let after = plans(foundation);
                let moved =
                    after.into_iter().filter(|(service, plan)| before.get(service).is_some_and(|was| was != plan));
                self.changed.extend(moved.map(|(service, _)| Changed::new(service, now)));
                Done::Restored(at)
            }
            _ => {
                self.backup = Some((now, foundation.backup()));
                Done::Nothing
            }
        }
    }

    pub fn act(&mut self, foundation: &mut Foundation) -> Done {
        let now = foundation.now();
        let (world, tables) = (&mut foundation.world, &mut foundation.tables);
        match self.random.random_range(0..100) {
            0..5 => {
                let used: Vec<String> = world.services.values().filter_map(|service| service.plan.clone()).collect();
                let Some(from) = self.one_of(&used) else { return Done::Nothing };
                let to = world.offer(tables, "warehouse", &format!("plan-{now}"));
                let moved = world.migrate_plan(tables, &from, &to);
                self.changed.extend(moved.into_iter().map(|service| Changed::new(service, now)));
                Done::MigratedPlan
            }
            5..10 => {
                let at_rest = world.apps.values().filter(|app| app.staging.is_none() && app.deployment.is_none());
                let apps: Vec<String> = at_rest.map(|app| app.guid.clone()).collect();
                let spaces: Vec<String> = world.spaces.keys().cloned().collect();
                let (Some(app), Some(space)) = (self.one_of(&apps), self.one_of(&spaces)) else { return Done::Nothing };
                if world.apps[&app].space == space {
                    return Done::Nothing;
                }
                world.move_app(tables, &app, &space);
                let tasks = world.tasks.values().filter(|task| task.app == app).map(|task| task.guid.clone());
                let moved = world.apps[&app].processes.iter().cloned().chain(tasks);
                self.changed.extend(moved.map(|guid| Changed::new(guid, now)));
                Done::MovedApp
            }
            10..14 => {
                let spaces: Vec<String> = world.spaces.keys().cloned().collect();
                let Some(space) = self.one_of(&spaces) else { return Done::Nothing };
                let app = world.create_docker_app(tables, &space, &format!("v2-{now}"));
                world.insert_started(tables, &app);
                // The first word of it.
                let process = world.apps[&app].processes[0].clone();
                world.scale(tables, &process, Size { instances: Some(3), ..Size::default() });
                self.inserted.push(process);
                Done::InsertedStarted
            }
            _ => Done::Nothing,
        }
    }

    fn one_of(&mut self, of: &[String]) -> Option<String> {
        if of.is_empty() {
            return None;
        }
        Some(of[self.random.random_range(0..of.len())].clone())
    }
}

/// Plans by service instance.
fn plans(foundation: &Foundation) -> BTreeMap<String, Option<String>> {
    foundation.world.services.iter().map(|(guid, service)| (guid.clone(), service.plan.clone())).collect()
}
