//! What changes without an event: plans migrated in bulk, apps moved between spaces, processes inserted as started; and a
//! database set back.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::World;
use super::truth::{Truth, Use};
use crate::domain::{Kind, Timestamp};
use crate::simulator::tables::{List, Tables};

impl World {
    /// An operator moves every instance of a plan to another, in the database: no event, and no row's `updated_at` moves.
    /// Gives the instances.
    pub fn migrate_plan(&mut self, tables: &mut Tables, from: &str, to: &str) -> Vec<String> {
        let of_plan = self.services.values().filter(|service| service.plan.as_deref() == Some(from));
        let instances: Vec<String> = of_plan.map(|service| service.guid.clone()).collect();
        for guid in &instances {
            if let Some(service) = self.services.get_mut(guid) {
                service.plan = Some(to.to_owned());
            }
            tables.change(List::ServiceInstances, guid, &[("/relationships/service_plan/data/guid", to.into())]);
            self.account_service(guid);
        }
        instances
    }

    /// `PUT /v2/apps/:guid {"space_guid": …}`: the app is in another space from now on, perhaps of another organization.
    /// Its own row is saved, its processes' aren't; nothing is emitted.
    pub fn move_app(&mut self, tables: &mut Tables, app: &str, space: &str) {
        let Some(moved) = self.apps.get_mut(app) else { return };
        space.clone_into(&mut moved.space);
        let processes = moved.processes.clone();
        self.touch(app);
        let members = [("/relationships/space/data/guid", json!(space)), ("/updated_at", json!(self.now))];
        tables.change(List::Apps, app, &members);
        for process in processes {
            self.account_process(&process, false);
        }
        let tasks: Vec<String> =
            self.tasks.values().filter(|task| task.app == app && task.running).map(|task| task.guid.clone()).collect();
        for task in tasks {
            self.account_task(&task);
        }
    }

    /// `POST /v2/apps` with an image and the state STARTED: the process is inserted as started, nothing is emitted, and
    /// `/v3/apps` goes on saying STOPPED.
    pub fn insert_started(&mut self, tables: &mut Tables, app: &str) {
        self.touch(app);
        for guid in self.apps[app].processes.clone() {
            if let Some(process) = self.processes.get_mut(&guid) {
                process.started = true;
            }
            self.save_process(tables, &guid);
            self.account_process(&guid, false);
        }
    }

    /// Chance that goes on from here.
    pub(in crate::simulator) fn reseeded(&mut self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.random.random())
    }

    fn account_task(&mut self, guid: &str) {
        let task = self.tasks[guid].clone();
        let app = self.apps[&task.app].clone();
        let using = Use {
            key: self.truth_key(&app, Kind::Task, None),
            instances: 1,
            memory_mib: task.memory_mib,
            disk_mib: task.disk_mib,
        };
        self.truth.runs(guid, self.now, using, false);
    }

    /// The database is set back to what it was here: what ran then runs again from `now` on, by an account that goes on.
    pub(in crate::simulator) fn restored(mut self, now: Timestamp, mut truth: Truth, random: ChaCha8Rng) -> Self {
        let processes = self.processes.values().filter(|process| process.started).map(|process| process.guid.as_str());
        let tasks = self.tasks.values().filter(|task| task.running).map(|task| task.guid.as_str());
        let services = self.services.keys().map(String::as_str);
        truth.stop_all_but(&processes.chain(tasks).chain(services).collect(), now);
        (self.now, self.random) = (now, random);
        self.truth = truth;
        // What was under way then is forgotten.
        self.under_way.clear();
        for app in self.apps.values_mut() {
            (app.staging, app.deployment) = (None, None);
        }
        for guid in self.processes.keys().cloned().collect::<Vec<_>>() {
            self.account_process(&guid, false);
        }
        for guid in self.tasks.values().filter(|task| task.running).map(|task| task.guid.clone()).collect::<Vec<_>>() {
            self.account_task(&guid);
        }
        for guid in self.services.keys().cloned().collect::<Vec<_>>() {
            self.account_service(&guid);
        }
        self
    }
}
