//! Rolling deployments: a new web process grows while the old one shrinks.

use super::actions::Size;
use super::{Receipt, Step, World};
use crate::simulator::tables::Tables;

/// How often the updater passes by.
pub const TICK_SECONDS: i64 = 30;

/// A deployment under way.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The new web process.
    pub web: String,
    /// How many instances it is to have.
    pub target: i64,
    /// The droplet to go back to.
    pub previous: Option<Receipt>,
}

impl World {
    /// Begins to roll the app over to `droplet`; the updater passes by itself from then on.
    pub fn roll(&mut self, tables: &mut Tables, app: &str, droplet: Receipt) {
        self.create_deployment(tables, app, droplet);
        self.later(TICK_SECONDS, Step::DeploymentTick { app: app.to_owned() });
    }

    /// Begins a deployment: the app has the new droplet at once, the new web process one instance.
    pub fn create_deployment(&mut self, tables: &mut Tables, app: &str, droplet: Receipt) {
        let Some(old) = self.web_processes(app).last().map(|web| self.processes[web].clone()) else { return };
        let previous = self.apps[app].droplet.clone();
        let web = self.guid();
        if let Some(app) = self.apps.get_mut(app) {
            app.droplet = Some(droplet);
            app.deployment = Some(Deployment { web: web.clone(), target: old.instances, previous });
        }
        self.save_droplet(tables, app);
        self.add_process(tables, app, web.clone(), "web", 1);
        if let Some(process) = self.processes.get_mut(&web) {
            (process.memory_mib, process.disk_mib) = (old.memory_mib, old.disk_mib);
        }
        self.start_process(tables, &web);
    }

    /// One pass of the updater. True if there is more to do.
    pub fn deployment_tick(&mut self, tables: &mut Tables, app: &str) -> bool {
        let Some(deployment) = self.apps.get(app).and_then(|app| app.deployment.clone()) else { return false };
        if !self.apps[app].started {
            return true; // it waits until the app is started again
        }
        self.touch(app);
        let old = self.web_processes(app).into_iter().find(|web| *web != deployment.web);
        let Some(old) = old.filter(|web| self.processes[web].instances > 0) else {
            self.finalize(tables, app);
            return false;
        };
        let fewer = self.processes[&old].instances - 1;
        self.resize(tables, &old, Size { instances: Some(fewer), ..Size::default() });
        let has = self.processes[&deployment.web].instances;
        if has < deployment.target {
            self.resize(tables, &deployment.web, Size { instances: Some(has + 1), ..Size::default() });
        }
        if fewer > 0 {
            return true;
        }
        self.finalize(tables, app);
        false
    }

    /// The old web process goes, and everything else restarts on the new droplet.
    fn finalize(&mut self, tables: &mut Tables, app: &str) {
        let deployment = self.apps.get_mut(app).and_then(|app| app.deployment.take());
        let Some(deployment) = deployment else { return };
        for web in self.web_processes(app).into_iter().filter(|web| *web != deployment.web) {
            self.delete_process(tables, &web);
        }
        let others: Vec<String> =
            self.apps[app].processes.iter().filter(|process| self.processes[*process].kind != "web").cloned().collect();
        for process in others {
            self.restart_process(tables, &process);
        }
    }

    /// Takes a deployment back: the droplet of before, the new process gone, the old one at its former size.
    pub fn cancel_deployment(&mut self, tables: &mut Tables, app: &str) {
        let deployment = self.apps.get_mut(app).and_then(|app| app.deployment.take());
        let Some(deployment) = deployment else { return };
        if let Some(app) = self.apps.get_mut(app) {
            app.droplet.clone_from(&deployment.previous);
        }
        self.save_droplet(tables, app);
        self.delete_process(tables, &deployment.web);
        if let Some(old) = self.web_processes(app).last().cloned() {
            self.resize(tables, &old, Size { instances: Some(deployment.target), ..Size::default() });
        }
    }

    /// Its web processes, in the order they were made.
    pub(super) fn web_processes(&self, app: &str) -> Vec<String> {
        let all = self.apps.get(app).map(|app| app.processes.clone()).unwrap_or_default();
        all.into_iter().filter(|process| self.processes[process].kind == "web").collect()
    }
}
