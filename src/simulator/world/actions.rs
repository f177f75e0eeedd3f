//! What people do to apps, and the events that follow.

use serde_json::{Value, json};

use super::rows::{self, AppEvent};
use super::{App, Process, Step, Task, World};
use crate::domain::{Kind, Stream};
use crate::simulator::tables::{List, Tables};
use crate::simulator::world::truth::Use;

/// A new size; what is `None` stays.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub instances: Option<i64>,
    pub memory_mib: Option<i64>,
    pub disk_mib: Option<i64>,
}

impl World {
    /// Makes an app with its web process, whose guid is the app's. Nothing is emitted.
    pub fn create_app(&mut self, tables: &mut Tables, space: &str, name: &str, requested: &[&str]) -> String {
        let app = App {
            guid: self.guid(),
            name: name.to_owned(),
            space: space.to_owned(),
            docker: false,
            requested: requested.iter().map(|name| (*name).to_owned()).collect(),
            droplet: None,
            started: false,
            processes: Vec::new(),
            staging: None,
            deployment: None,
            touched: self.now,
        };
        tables.put(List::Apps, rows::app(&app, self.now));
        let guid = app.guid.clone();
        self.apps.insert(guid.clone(), app);
        self.add_process(tables, &guid, guid.clone(), "web", 1);
        guid
    }

    /// Makes an app of a container image.
    pub fn create_docker_app(&mut self, tables: &mut Tables, space: &str, name: &str) -> String {
        let guid = self.create_app(tables, space, name, &[]);
        if let Some(app) = self.apps.get_mut(&guid) {
            app.docker = true;
            tables.put(List::Apps, rows::app(app, self.now));
        }
        guid
    }

    /// Adds a process that is stopped.
    pub fn add_process(&mut self, tables: &mut Tables, app: &str, guid: String, kind: &str, instances: i64) {
        let process = Process {
            guid: guid.clone(),
            kind: kind.to_owned(),
            app: app.to_owned(),
            instances,
            memory_mib: 1024,
            disk_mib: 1024,
            started: false,
            runs_on: None,
        };
        let space = self.apps[app].space.clone();
        tables.put(List::Processes, rows::process(&process, &space, self.now));
        self.processes.insert(guid.clone(), process);
        if let Some(app) = self.apps.get_mut(app) {
            app.processes.push(guid);
        }
    }

    /// Takes the droplet of the last successful staging as current. Process types it brings are added, stopped.
    pub fn set_droplet(&mut self, tables: &mut Tables, app: &str, droplet: super::Receipt, types: &[&str]) {
        let missing: Vec<String> = (types.iter())
            .filter(|kind| !self.apps[app].processes.iter().any(|process| self.processes[process].kind == **kind))
            .map(|kind| (*kind).to_owned())
            .collect();
        for kind in missing {
            let guid = self.guid();
            self.add_process(tables, app, guid, &kind, 0);
        }
        if let Some(app) = self.apps.get_mut(app) {
            app.droplet = Some(droplet);
        }
        self.save_droplet(tables, app);
    }

    /// An app's current droplet is another.
    pub(super) fn save_droplet(&self, tables: &mut Tables, app: &str) {
        let app = &self.apps[app];
        let droplet = rows::droplet(app, self.now);
        tables.change(
            List::Apps,
            &app.guid,
            &[("/relationships/current_droplet/data", json!({"guid": droplet["guid"]}))],
        );
        tables.put(List::Droplets, droplet);
    }

    pub(super) fn touch(&mut self, app: &str) {
        let now = self.now;
        if let Some(app) = self.apps.get_mut(app) {
            app.touched = now;
        }
    }

    /// Starts every process that isn't.
    pub fn start_app(&mut self, tables: &mut Tables, app: &str) {
        self.touch(app);
        for process in self.apps[app].processes.clone() {
            self.start_process(tables, &process);
        }
        self.set_state(tables, app, true);
    }

    /// Stops every process that isn't stopped.
    pub fn stop_app(&mut self, tables: &mut Tables, app: &str) {
        self.touch(app);
        for process in self.stopping_order(app) {
            self.stop_process(tables, &process);
        }
        self.set_state(tables, app, false);
    }

    /// Restarts every process, each stopped and started in turn. One that is stopped is started.
    pub fn restart_app(&mut self, tables: &mut Tables, app: &str) {
        self.touch(app);
        for process in self.apps[app].processes.clone() {
            self.restart_process(tables, &process);
        }
        self.set_state(tables, app, true);
    }

    pub(super) fn restart_process(&mut self, tables: &mut Tables, process: &str) {
        self.stop_process(tables, process);
        self.start_process(tables, process);
    }

    /// Processes in the order in which Cloud Controller stops them: as they were made.
    fn stopping_order(&self, app: &str) -> Vec<String> {
        self.apps[app].processes.clone()
    }

    fn set_state(&mut self, tables: &mut Tables, app: &str, started: bool) {
        let state = if started { "STARTED" } else { "STOPPED" };
        tables.change(List::Apps, app, &[("/state", state.into()), ("/updated_at", json!(self.now))]);
        if let Some(app) = self.apps.get_mut(app) {
            app.started = started;
        }
    }

    pub(super) fn start_process(&mut self, tables: &mut Tables, guid: &str) {
        let Some(process) = self.processes.get(guid).filter(|process| !process.started).cloned() else { return };
        let app = self.apps[&process.app].clone();
        let told = Self::told_buildpack(&app).1;
        if let Some(process) = self.processes.get_mut(guid) {
            process.started = true;
            process.runs_on = told;
        }
        self.save_process(tables, guid);
        // A V2 push starts before staging knows the buildpack.
        let unknown = app.droplet.is_none() && !app.docker;
        self.account_process(guid, unknown);
        let (memory, instances) = (process.memory_mib, process.instances);
        self.emit_process(tables, guid, ("STOPPED", "STARTED"), (memory, memory), (instances, instances));
    }

    pub(super) fn stop_process(&mut self, tables: &mut Tables, guid: &str) {
        let Some(process) = self.processes.get(guid).filter(|process| process.started).cloned() else { return };
        if let Some(process) = self.processes.get_mut(guid) {
            process.started = false;
        }
        self.save_process(tables, guid);
        self.account_process(guid, false);
        let (memory, instances) = (process.memory_mib, process.instances);
        self.emit_process(tables, guid, ("STARTED", "STOPPED"), (memory, memory), (instances, instances));
    }

    /// Scales a process; an event follows if it is started and its memory or instances change.
    pub fn scale(&mut self, tables: &mut Tables, guid: &str, size: Size) {
        let Some(before) = self.processes.get(guid).cloned() else { return };
        self.touch(&before.app);
        self.resize(tables, guid, size);
    }

    pub(super) fn resize(&mut self, tables: &mut Tables, guid: &str, size: Size) {
        let Some(before) = self.processes.get(guid).cloned() else { return };
        let Some(process) = self.processes.get_mut(guid) else { return };
        process.instances = size.instances.unwrap_or(before.instances);
        process.memory_mib = size.memory_mib.unwrap_or(before.memory_mib);
        process.disk_mib = size.disk_mib.unwrap_or(before.disk_mib);
        let after = process.clone();
        self.save_process(tables, guid);
        self.account_process(guid, false);
        if after.started && (after.instances, after.memory_mib) != (before.instances, before.memory_mib) {
            let memory = (before.memory_mib, after.memory_mib);
            self.emit_process(tables, guid, ("STARTED", "STARTED"), memory, (before.instances, after.instances));
        }
    }

    /// Saves what V2 asks for of a process without changing it (`"production": true`): if it is started, an event tells it
    /// once more, as it was.
    pub fn flag(&mut self, tables: &mut Tables, guid: &str) {
        let Some(process) = self.processes.get(guid).cloned() else { return };
        self.touch(&process.app);
        self.save_process(tables, guid);
        if process.started {
            let (memory, instances) = (process.memory_mib, process.instances);
            self.emit_process(tables, guid, ("STARTED", "STARTED"), (memory, memory), (instances, instances));
        }
    }

    /// Removes a process.
    pub fn delete_process(&mut self, tables: &mut Tables, guid: &str) {
        self.stop_process(tables, guid);
        if let Some(process) = self.processes.remove(guid)
            && let Some(app) = self.apps.get_mut(&process.app)
        {
            app.processes.retain(|other| other != guid);
        }
        tables.remove(List::Processes, |row| row["guid"] == guid);
    }

    /// Renames an app; nothing is emitted.
    pub fn rename_app(&mut self, tables: &mut Tables, app: &str, name: &str) {
        self.touch(app);
        tables.change(List::Apps, app, &[("/name", name.into()), ("/updated_at", json!(self.now))]);
        let mut processes = Vec::new();
        if let Some(app) = self.apps.get_mut(app) {
            name.clone_into(&mut app.name);
            processes.clone_from(&app.processes);
        }
        for process in processes {
            self.save_process(tables, &process);
        }
    }

    /// Renames a space; nothing is emitted.
    pub fn rename_space(&mut self, tables: &mut Tables, space: &str, name: &str) {
        tables.change(List::Spaces, space, &[("/name", name.into()), ("/updated_at", json!(self.now))]);
        if let Some(space) = self.spaces.get_mut(space) {
            name.clone_into(&mut space.name);
        }
    }

    /// Renames an organization; nothing is emitted.
    pub fn rename_org(&mut self, tables: &mut Tables, org: &str, name: &str) {
        tables.change(List::Organizations, org, &[("/name", name.into()), ("/updated_at", json!(self.now))]);
        if let Some(org) = self.orgs.get_mut(org) {
            name.clone_into(&mut org.name);
        }
    }

    /// Labels an organization or a space: no event tells.
    pub fn label(&mut self, tables: &mut Tables, list: List, guid: &str, labels: &Value) {
        tables.change(list, guid, &[("/metadata/labels", labels.clone())]);
    }

    /// Annotates an organization or a space: no event tells.
    pub fn annotate(&mut self, tables: &mut Tables, list: List, guid: &str, annotations: &Value) {
        tables.change(list, guid, &[("/metadata/annotations", annotations.clone())]);
    }

    /// Deletes an app: its running tasks end, then its processes; the droplet is gone already, so no buildpack is told
    /// unless a custom URL is asked for. A staging under way is forgotten.
    pub fn delete_app(&mut self, tables: &mut Tables, app: &str) {
        self.abandon_staging(tables, app);
        let tasks: Vec<String> =
            self.tasks.values().filter(|task| task.app == app).map(|task| task.guid.clone()).collect();
        if let Some(app) = self.apps.get_mut(app) {
            app.droplet = None;
        }
        for task in &tasks {
            self.task_finished(tables, task);
            self.tasks.remove(task);
        }
        for process in self.deletion_order(app) {
            self.delete_process(tables, &process);
        }
        self.apps.remove(app);
        let of_app = |row: &Value| row.pointer("/relationships/app/data/guid").is_some_and(|guid| guid == app);
        tables.remove(List::Apps, |row| row["guid"] == app);
        tables.remove(List::Droplets, of_app);
        tables.remove(List::Tasks, of_app);
        tables.remove(List::Builds, of_app);
    }

    /// Processes in the order in which an app's deletion stops them: other types first, web last.
    fn deletion_order(&self, app: &str) -> Vec<String> {
        let mut processes = self.apps[app].processes.clone();
        processes.sort_by_key(|process| self.processes[process].kind == "web");
        processes
    }

    /// Deletes a space: its service instances first, then its apps.
    pub fn delete_space(&mut self, tables: &mut Tables, space: &str) {
        let services: Vec<String> = self
            .services
            .values()
            .filter(|service| service.space == space)
            .map(|service| service.guid.clone())
            .collect();
        for service in services {
            self.delete_service(tables, &service);
        }
        let apps: Vec<String> =
            self.apps.values().filter(|app| app.space == space).map(|app| app.guid.clone()).collect();
        for app in apps {
            self.delete_app(tables, &app);
        }
        self.spaces.remove(space);
        tables.remove(List::Spaces, |row| row["guid"] == space);
    }

    /// Deletes an organization with all its spaces.
    pub fn delete_org(&mut self, tables: &mut Tables, org: &str) {
        let spaces: Vec<String> =
            self.spaces.values().filter(|space| space.org == org).map(|space| space.guid.clone()).collect();
        for space in spaces {
            self.delete_space(tables, &space);
        }
        self.orgs.remove(org);
        tables.remove(List::Organizations, |row| row["guid"] == org);
    }

    /// Asks for a task; it starts 2 s later and, unless somebody ends it, runs for so long.
    pub fn run_task(
        &mut self,
        tables: &mut Tables,
        app: &str,
        name: &str,
        memory_mib: i64,
        seconds: Option<i64>,
    ) -> String {
        let task = Task {
            guid: self.guid(),
            name: name.to_owned(),
            app: app.to_owned(),
            number: u32::try_from(self.tasks.len()).unwrap_or_default() + 1,
            memory_mib,
            disk_mib: self.people.task_disk_mib,
            running: false,
            canceling: false,
        };
        self.touch(app);
        tables.put(List::Tasks, rows::task(&task, self.now));
        let guid = task.guid.clone();
        self.tasks.insert(guid.clone(), task);
        self.later(2, Step::StartTask { task: guid.clone() });
        if let Some(seconds) = seconds {
            self.later(2 + seconds, Step::FinishTask { task: guid.clone() });
        }
        guid
    }

    pub(super) fn task_started(&mut self, tables: &mut Tables, guid: &str) {
        let Some(task) = self.tasks.get_mut(guid).filter(|task| !task.running) else { return };
        task.running = true;
        let task = task.clone();
        self.touch(&task.app);
        tables.change(List::Tasks, guid, &[("/state", "RUNNING".into()), ("/updated_at", json!(self.now))]);
        let app = self.apps[&task.app].clone();
        let using = Use {
            key: self.truth_key(&app, Kind::Task, None),
            instances: 1,
            memory_mib: task.memory_mib,
            disk_mib: task.disk_mib,
        };
        self.truth.runs(guid, self.now, using, false);
        self.emit_task(tables, &task, ("PENDING", "TASK_STARTED"));
    }

    /// Asks a task to end; it goes on using what it has until it does.
    pub fn cancel_task(&mut self, tables: &mut Tables, guid: &str) {
        if let Some(task) = self.tasks.get_mut(guid) {
            task.canceling = true;
            tables.change(List::Tasks, guid, &[("/state", "CANCELING".into()), ("/updated_at", json!(self.now))]);
        }
    }

    /// Ends a task that runs.
    pub fn task_finished(&mut self, tables: &mut Tables, guid: &str) {
        let Some(task) = self.tasks.get_mut(guid).filter(|task| task.running) else { return };
        task.running = false;
        let task = task.clone();
        tables.change(List::Tasks, guid, &[("/state", "SUCCEEDED".into()), ("/updated_at", json!(self.now))]);
        self.truth.stops(guid, self.now);
        let previous = if task.canceling { "CANCELING" } else { "RUNNING" };
        self.emit_task(tables, &task, (previous, "TASK_STOPPED"));
    }

    fn emit_task(&mut self, tables: &mut Tables, task: &Task, state: (&str, &str)) {
        let guid = self.guid();
        let app = &self.apps[&task.app];
        let event = AppEvent {
            guid,
            state,
            process: None,
            task: Some((&task.guid, &task.name)),
            buildpack: (None, None),
            memory: (task.memory_mib, task.memory_mib),
            instances: (1, 1),
        };
        tables.write(Stream::App, event.json(app, &self.spaces[&app.space], self.now));
    }
}
