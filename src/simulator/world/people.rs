//! What people do all month, drawn by lot: mostly what anybody does, sometimes what nobody should.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::actions::Size;
use super::staging::{Outcome, Then};
use super::{App, Process, Receipt, World, random_guid, rows};
use crate::domain::Timestamp;
use crate::simulator::tables::{List, Tables};

/// How people behave.
#[derive(Clone, Debug)]
pub struct People {
    /// They also do what leaves no trace in the stream: delete apps while they stage, change disk under a running app.
    pub lossy: bool,
    /// Disk of every task.
    pub task_disk_mib: i64,
    /// When they last did something: what changed since then isn't touched again, so that it can be seen first.
    last: Timestamp,
}

impl Default for People {
    fn default() -> Self {
        Self { lossy: false, task_disk_mib: 1024, last: Timestamp::MIN }
    }
}

const BUILDPACKS: [&str; 5] =
    ["java_buildpack", "nodejs_buildpack", "go_buildpack", "python_buildpack", "staticfile_buildpack"];
const CUSTOM: &str = "https://***:***@git.example.org/team/own-buildpack";
const PLANS: [(&str, &str); 5] = [
    ("postgres", "small"),
    ("postgres", "medium"),
    ("redis", "cache"),
    ("redis", "persistent"),
    ("object-store", "bucket"),
];
const NAMES: [&str; 8] = ["shop", "orders", "search", "mail", "reports", "portal", "billing", "auth"];

impl World {
    /// Builds a foundation of some size: `processes` apps, give or take, in a few organizations, all at rest.
    pub fn settle(&mut self, tables: &mut Tables, processes: usize) {
        for name in BUILDPACKS {
            self.install_buildpack(name);
        }
        for (offering, plan) in PLANS {
            self.offer(tables, offering, plan);
        }
        for org in 0..(processes / 12).clamp(2, 12) {
            let org = self.create_org(tables, &format!("org-{org}"));
            for name in ["production", "test"] {
                self.create_space(tables, &org, name);
            }
        }
        for _ in 0..processes {
            self.push_something(tables);
            let wait = self.between(600, 3600);
            let to = self.now.plus(wait);
            self.advance(tables, to);
        }
        for _ in 0..processes / 4 {
            self.create_some_service(tables);
        }
        self.leave_apps_without_droplets(tables);
        // All that was under way ends.
        let to = self.now.plus(3600);
        self.advance(tables, to);
    }

    /// What every foundation has: apps that were created and never staged. Nobody touches them, so they are rows alone;
    /// their guids come from a source of their own, so that what people do stays the same.
    fn leave_apps_without_droplets(&self, tables: &mut Tables) {
        let mut guids = ChaCha8Rng::seed_from_u64(self.random.clone().random());
        for (number, space) in self.spaces.keys().enumerate().step_by(2) {
            let guid = random_guid(&mut guids);
            let app = App {
                guid: guid.clone(),
                name: format!("never-staged-{number}"),
                space: space.clone(),
                docker: false,
                requested: Vec::new(),
                droplet: None,
                started: false,
                processes: vec![guid.clone()],
                staging: None,
                deployment: None,
                touched: self.now,
            };
            let process = Process {
                guid,
                kind: "web".to_owned(),
                app: app.guid.clone(),
                instances: 1,
                memory_mib: 1024,
                disk_mib: 1024,
                started: false,
                runs_on: None,
            };
            tables.put(List::Apps, rows::app(&app, self.now));
            tables.put(List::Processes, rows::process(&process, space, self.now));
        }
    }

    /// Lets people do so many things now.
    pub fn act(&mut self, tables: &mut Tables, actions: u32) {
        for _ in 0..actions {
            self.do_something(tables);
        }
        self.people.last = self.now;
    }

    fn do_something(&mut self, tables: &mut Tables) {
        match self.below(if self.people.lossy { 108 } else { 100 }) {
            0..12 => self.push_something(tables),
            12..18 => self.with_app(tables, true, |world, tables, app| {
                let (seconds, outcome) = world.staging_ahead(&app);
                let then = world.one_of(&[Then::V2, Then::Restart]);
                world.stage(tables, &app.guid, seconds, outcome, then);
            }),
            18..25 => self.with_app(tables, true, |world, tables, app| {
                let (seconds, outcome) = world.staging_ahead(&app);
                world.stage(tables, &app.guid, seconds, outcome, Then::Roll);
            }),
            25..32 => self.with_app(tables, true, |world, tables, app| {
                // Disk changes with a restart.
                if world.below(3) == 0 {
                    world.change_disk(tables, &app);
                }
                world.restart_app(tables, &app.guid);
            }),
            32..44 => self.with_process(tables, |world, tables, process| {
                let instances = world.one_of(&[0, 1, 1, 2, 2, 3, 4, 6]);
                world.scale(tables, process, Size { instances: Some(instances), ..Size::default() });
            }),
            44..50 => self.with_process(tables, |world, tables, process| {
                let memory = world.one_of(&[128, 256, 512, 1024, 2048]);
                let instances = if world.below(3) == 0 { Some(world.between(1, 3)) } else { None };
                world.scale(tables, process, Size { memory_mib: Some(memory), instances, disk_mib: None });
            }),
            50..54 => self.with_app(tables, true, |world, tables, app| world.stop_app(tables, &app.guid)),
            54..60 => self.with_app(tables, false, |world, tables, app| {
                if app.droplet.is_some() {
                    world.start_app(tables, &app.guid);
                }
            }),
            60..72 => self.with_app(tables, true, |world, tables, app| {
                let seconds = world.one_of(&[5, 30, 60, 300, 3600, 20_000]);
                let memory = world.one_of(&[64, 256, 512]);
                let task = world.run_task(tables, &app.guid, "migrate", memory, Some(seconds));
                if world.below(6) == 0 {
                    world.cancel_task(tables, &task);
                }
            }),
            72..77 => self.create_some_service(tables),
            77..81 => self.with_service(tables, |world, tables, service| {
                let plans: Vec<String> = world.plans().map(|(guid, ..)| guid.to_owned()).collect();
                let plan = world.one_of(&plans);
                world.update_service(tables, service, None, Some(&plan));
            }),
            81..83 => self.with_service(tables, |world, tables, service| {
                let name = world.name();
                world.update_service(tables, service, Some(&name), None);
            }),
            83..86 => self.with_service(tables, super::World::delete_service),
            86..89 => self.with_app(tables, true, |world, tables, app| {
                let name = world.name();
                world.rename_app(tables, &app.guid, &name);
            }),
            89 => {
                let spaces: Vec<String> = self.spaces.keys().cloned().collect();
                let (space, name) = (self.one_of(&spaces), self.name());
                self.rename_space(tables, &space, &name);
            }
            90 => {
                let orgs: Vec<String> = self.orgs.keys().cloned().collect();
                let (org, name) = (self.one_of(&orgs), self.name());
                self.rename_org(tables, &org, &name);
            }
            91..96 => {
                let started = self.below(3) > 0;
                self.with_app(tables, started, |world, tables, app| world.delete_app(tables, &app.guid));
            }
            96 => self.delete_a_space(tables),
            97 => self.delete_an_org(tables),
            // An instance crashes, a cell is evacuated: nobody is told.
            98..100 => {}
            100..104 => self.with_process(tables, |world, tables, process| {
                let disk = world.one_of(&[512, 1024, 2048, 4096]);
                world.scale(tables, process, Size { disk_mib: Some(disk), ..Size::default() });
            }),
            _ => self.delete_while_staging(tables),
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}-{}", self.one_of(&NAMES), self.names)
    }

    /// Nothing of the app changed since people last acted, and nothing is under way.
    fn at_rest(&self, app: &App) -> bool {
        app.staging.is_none() && app.deployment.is_none() && app.touched <= self.people.last
    }

    fn with_app(&mut self, tables: &mut Tables, started: bool, action: impl FnOnce(&mut Self, &mut Tables, App)) {
        let candidates: Vec<&App> =
            self.apps.values().filter(|app| app.started == started && self.at_rest(app)).collect();
        let candidates: Vec<App> = candidates.into_iter().cloned().collect();
        if !candidates.is_empty() {
            let app = self.one_of(&candidates);
            action(self, tables, app);
        }
    }

    fn with_process(&mut self, tables: &mut Tables, action: impl FnOnce(&mut Self, &mut Tables, &str)) {
        self.with_app(tables, true, |world, tables, app| {
            let process = world.one_of(&app.processes);
            action(world, tables, &process);
        });
    }

    fn with_service(&mut self, tables: &mut Tables, action: impl FnOnce(&mut Self, &mut Tables, &str)) {
        let last = self.people.last;
        let managed = self.services.values().filter(|service| service.plan.is_some() && service.touched <= last);
        let candidates: Vec<String> = managed.map(|service| service.guid.clone()).collect();
        if !candidates.is_empty() {
            let service = self.one_of(&candidates);
            action(self, tables, &service);
        }
    }

    /// How long the next build takes and how it ends: most end well, some fail, a few expire.
    fn staging_ahead(&mut self, app: &App) -> (i64, Outcome) {
        let name = app.requested.first().cloned().unwrap_or_else(|| self.one_of(&BUILDPACKS).to_owned());
        let receipt: Receipt = self.receipt(&name);
        match self.below(100) {
            0..84 => (self.between(40, 240), Outcome::Staged(receipt)),
            84..97 => (self.between(10, 120), Outcome::Failed),
            _ => (self.between(1200, 1500), Outcome::Failed),
        }
    }

    fn push_something(&mut self, tables: &mut Tables) {
        let spaces: Vec<String> = self.spaces.keys().cloned().collect();
        if spaces.is_empty() {
            return;
        }
        let (space, name) = (self.one_of(&spaces), self.name());
        let requested: Vec<&str> = match self.below(10) {
            0..4 => vec![BUILDPACKS[self.below(BUILDPACKS.len())]],
            4 => vec![CUSTOM],
            _ => vec![],
        };
        let docker = self.below(10) == 0;
        let app = if docker {
            self.create_docker_app(tables, &space, &name)
        } else {
            self.create_app(tables, &space, &name, &requested)
        };
        let size = Size {
            instances: Some(self.between(1, 3)),
            memory_mib: Some(self.one_of(&[256, 512, 1024, 2048])),
            disk_mib: Some(self.one_of(&[1024, 1024, 2048, 4096])),
        };
        self.resize(tables, &app, size);
        let (seconds, outcome) = self.staging_ahead(&self.apps[&app].clone());
        if !docker && self.below(3) == 0 {
            // V2: started first, staged then.
            self.start_app(tables, &app);
            self.stage(tables, &app, seconds, outcome, Then::V2);
        } else {
            self.stage(tables, &app, seconds, outcome, Then::Start);
        }
    }

    fn change_disk(&mut self, tables: &mut Tables, app: &App) {
        for process in &app.processes {
            let disk = self.one_of(&[512, 1024, 2048, 4096]);
            self.resize(tables, process, Size { disk_mib: Some(disk), ..Size::default() });
        }
    }

    fn create_some_service(&mut self, tables: &mut Tables) {
        let spaces: Vec<String> = self.spaces.keys().cloned().collect();
        if spaces.is_empty() {
            return;
        }
        let (space, name) = (self.one_of(&spaces), self.name());
        let plans: Vec<String> = self.plans().map(|(guid, ..)| guid.to_owned()).collect();
        let plan = self.one_of(&plans);
        let managed = self.below(8) > 0;
        self.create_service(tables, &space, &name, managed.then_some(plan.as_str()));
    }

    fn delete_a_space(&mut self, tables: &mut Tables) {
        let at_rest =
            |space: &&String| self.apps.values().filter(|app| app.space == **space).all(|app| self.at_rest(app));
        let small = |space: &&String| self.apps.values().filter(|app| app.space == **space).count() < 4;
        let candidates: Vec<String> = self.spaces.keys().filter(small).filter(at_rest).cloned().collect();
        if self.spaces.len() > 3 && !candidates.is_empty() {
            let space = self.one_of(&candidates);
            self.delete_space(tables, &space);
        }
    }

    fn delete_an_org(&mut self, tables: &mut Tables) {
        let of = |org: &String| {
            let spaces: Vec<&String> =
                self.spaces.values().filter(|space| space.org == *org).map(|space| &space.guid).collect();
            self.apps.values().filter(|app| spaces.contains(&&app.space)).collect::<Vec<_>>()
        };
        let candidates: Vec<String> = (self.orgs.keys())
            .filter(|org| of(org).len() < 3 && of(org).iter().all(|app| self.at_rest(app)))
            .cloned()
            .collect();
        if self.orgs.len() > 2 && !candidates.is_empty() {
            let org = self.one_of(&candidates);
            self.delete_org(tables, &org);
        }
    }

    /// Begins to stage an app, and deletes it before that ends.
    fn delete_while_staging(&mut self, tables: &mut Tables) {
        let staging = self.apps.values().find(|app| app.staging.is_some() && !app.started).map(|app| app.guid.clone());
        if let Some(app) = staging {
            self.delete_app(tables, &app);
            return;
        }
        self.with_app(tables, true, |world, tables, app| {
            let (seconds, outcome) = world.staging_ahead(&app);
            world.stage(tables, &app.guid, seconds, outcome, Then::Nothing);
            world.delete_app(tables, &app.guid);
        });
    }
}
