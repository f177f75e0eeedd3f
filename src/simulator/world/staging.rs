//! Builds: begun, and ended well, badly, late or never.

use serde_json::json;

use super::rows::{self, AppEvent};
use super::{Build, Receipt, STAGING_DISK_MIB, STAGING_MEMORY_MIB, Step, World};
use crate::domain::{Kind, Stream};
use crate::simulator::tables::{List, Tables};
use crate::simulator::world::truth::Use;

/// How a build ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With the droplet of this buildpack.
    Staged(Receipt),
    /// By itself, or by the cleanup of expired builds.
    Failed,
}

/// What follows a successful staging.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing: the droplet is there to be taken.
    Nothing,
    /// The app takes the droplet and starts (V3 push).
    Start,
    /// The app takes the droplet and restarts (V3 restage).
    Restart,
    /// The app takes the droplet and is rolled over to it.
    Roll,
    /// The app, started already, runs on it (V2 push and restage: `start=true`).
    V2,
}

/// A build under way.
#[derive(Clone, Debug)]
pub struct Staging {
    pub build: String,
    pub outcome: Outcome,
    pub then: Then,
    /// Known to the account by this name.
    account: String,
    due: crate::domain::Timestamp,
}

impl World {
    /// A build that names no size gets that of the app's web process at that moment.
    fn build(&mut self, app: &str) -> Build {
        let web = self.processes.values().find(|process| process.app == app && process.kind == "web");
        let (memory_mib, disk_mib) =
            web.map_or((STAGING_MEMORY_MIB, STAGING_DISK_MIB), |web| (web.memory_mib, web.disk_mib));
        Build { guid: self.guid(), memory_mib, disk_mib }
    }

    /// Begins a build that ends after so long in that way.
    pub fn stage(&mut self, tables: &mut Tables, app: &str, seconds: i64, outcome: Outcome, then: Then) {
        let build = self.build(app);
        let now = self.now;
        let Some(found) = self.apps.get_mut(app) else { return };
        found.touched = now;
        let due = now.plus(seconds);
        let account = format!("staging {}", build.guid);
        found.staging = Some(Staging { build: build.guid.clone(), outcome, then, account: account.clone(), due });
        let found = found.clone();
        tables.put(List::Builds, rows::build(&build, &found, now));
        let requested = found.requested.first().cloned();
        let using = Use {
            key: self.truth_key(&found, Kind::Staging, requested.clone()),
            instances: 1,
            memory_mib: build.memory_mib,
            disk_mib: build.disk_mib,
        };
        self.truth.runs(&account, now, using, true);
        self.emit_staging(tables, app, ("STAGING", "STAGING_STARTED"), &Receipt { guid: None, name: requested });
        self.later(seconds, Step::FinishStaging { app: app.to_owned(), build: build.guid });
    }

    pub(super) fn finish_staging(&mut self, tables: &mut Tables, app: &str, build: &str) {
        let Some(found) = self.apps.get_mut(app) else { return };
        let Some(staging) = found.staging.take_if(|staging| staging.build == build) else { return };
        found.touched = self.now;
        let (requested, docker, started) = (found.requested.first().cloned(), found.docker, found.started);
        let (state, told) = match &staging.outcome {
            Outcome::Staged(_) if docker => ("STAGED", Receipt::default()),
            Outcome::Staged(receipt) => ("STAGED", receipt.clone()),
            Outcome::Failed => ("FAILED", Receipt { guid: None, name: requested }),
        };
        tables.change(List::Builds, build, &[("/state", state.into()), ("/updated_at", json!(self.now))]);
        self.truth.has_buildpack(&staging.account, self.now, told.name.clone());
        self.truth.stops(&staging.account, self.now);
        self.emit_staging(tables, app, ("STAGING", "STAGING_STOPPED"), &told);
        if staging.outcome == Outcome::Failed {
            // What was started before it was staged can't go on.
            if staging.then == Then::V2 && started {
                self.stop_app(tables, app);
            }
            return;
        }
        if staging.then == Then::V2 {
            self.set_droplet(tables, app, told, &[]);
            self.runs_on_droplet(tables, app);
            return;
        }
        self.emit_staging(tables, app, ("STAGED", "BUILDPACK_SET"), &told);
        let types: &[&str] = if docker { &[] } else { &["worker"] };
        match staging.then {
            Then::Start => {
                self.set_droplet(tables, app, told, types);
                self.start_app(tables, app);
            }
            Then::Restart => {
                self.set_droplet(tables, app, told, types);
                self.restart_app(tables, app);
            }
            Then::Roll => self.roll(tables, app, told),
            Then::Nothing | Then::V2 => {}
        }
    }

    /// A V2 start: every process is told its buildpack, and runs on it.
    fn runs_on_droplet(&mut self, tables: &mut Tables, app: &str) {
        let told = Self::told_buildpack(&self.apps[app]).1;
        for process in self.apps[app].processes.clone() {
            let Some(found) = self.processes.get_mut(&process) else { continue };
            found.runs_on.clone_from(&told);
            let (memory, instances, started) = (found.memory_mib, found.instances, found.started);
            if started {
                self.truth.has_buildpack(&process, self.now, told.clone());
            }
            let previous = if started { "STARTED" } else { "STOPPED" };
            self.emit_process(tables, &process, (previous, "BUILDPACK_SET"), (memory, memory), (instances, instances));
        }
    }

    /// The app is being deleted: nothing will tell how its staging ends, though its container goes on.
    pub(super) fn abandon_staging(&mut self, tables: &mut Tables, app: &str) {
        let staging = self.apps.get_mut(app).and_then(|app| app.staging.take());
        let Some(staging) = staging else { return };
        tables.remove(List::Builds, |row| row["guid"] == staging.build.as_str());
        let left = staging.due.seconds_since(self.now).max(0);
        self.later(left, Step::ForgetStaging { id: staging.account });
    }

    fn emit_staging(&mut self, tables: &mut Tables, app: &str, state: (&str, &str), buildpack: &Receipt) {
        let guid = self.guid();
        let app = &self.apps[app];
        let event = AppEvent {
            guid,
            state,
            process: None,
            task: None,
            buildpack: (buildpack.guid.as_deref(), buildpack.name.as_deref()),
            memory: (STAGING_MEMORY_MIB, STAGING_MEMORY_MIB),
            instances: (1, 1),
        };
        tables.write(Stream::App, event.json(app, &self.spaces[&app.space], self.now));
    }
}
