//! Organizations, apps and services as people make and change them, and the events that follow, in the order and with the
//! values of the real thing. Pure: time passes when it is told to, chance comes from a seed.

mod actions;
mod deployment;
mod people;
pub mod rows;
mod services;
mod staging;
pub mod truth;
mod unseen;

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::tables::{List, Tables};
use crate::domain::{Kind, Stream, Timestamp};
pub use actions::Size;
use deployment::Deployment;
pub use people::People;
use rows::AppEvent;
pub use staging::{Outcome, Staging, Then};
use truth::{Truth, Use};

/// What a build's events say of memory, whatever it gets; and what it gets without a web process.
pub const STAGING_MEMORY_MIB: i64 = 1024;
/// What a build gets without a web process.
pub const STAGING_DISK_MIB: i64 = 6144;

#[derive(Clone, Debug)]
pub struct Org {
    pub guid: String,
    pub name: String,
}

#[derive(Clone, Debug)]
pub struct Space {
    pub guid: String,
    pub name: String,
    pub org: String,
}

/// What staging left behind: the buildpack that was used.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Receipt {
    pub guid: Option<String>,
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct App {
    pub guid: String,
    pub name: String,
    pub space: String,
    pub docker: bool,
    /// Buildpacks asked for, by name or URL.
    pub requested: Vec<String>,
    pub droplet: Option<Receipt>,
    pub started: bool,
    /// In the order they were made.
    pub processes: Vec<String>,
    pub staging: Option<Staging>,
    pub deployment: Option<Deployment>,
    /// When somebody last did something to it.
    pub touched: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Process {
    pub guid: String,
    pub kind: String,
    pub app: String,
    pub instances: i64,
    pub memory_mib: i64,
    pub disk_mib: i64,
    pub started: bool,
    /// The buildpack of what runs, which may be older than the app's droplet.
    runs_on: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Task {
    pub guid: String,
    pub name: String,
    pub app: String,
    pub number: u32,
    pub memory_mib: i64,
    pub disk_mib: i64,
    pub running: bool,
    pub canceling: bool,
}

#[derive(Clone, Debug)]
pub struct Build {
    pub guid: String,
    pub memory_mib: i64,
    pub disk_mib: i64,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub guid: String,
    pub name: String,
    pub space: String,
    /// `None`: user-provided.
    pub plan: Option<String>,
    pub touched: Timestamp,
}

#[derive(Clone, Debug)]
struct Plan {
    name: String,
    offering: String,
}

/// Something under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    FinishStaging {
        app: String,
        build: String,
    },
    DeploymentTick {
        app: String,
    },
    StartTask {
        task: String,
    },
    FinishTask {
        task: String,
    },
    /// What was left in the containers of an app deleted while staging comes to its end.
    ForgetStaging {
        id: String,
    },
}

/// See the module.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Timestamp,
    pub truth: Truth,
    random: ChaCha8Rng,
    pub orgs: BTreeMap<String, Org>,
    pub spaces: BTreeMap<String, Space>,
    pub apps: BTreeMap<String, App>,
    pub processes: BTreeMap<String, Process>,
    pub tasks: BTreeMap<String, Task>,
    pub services: BTreeMap<String, Service>,
    plans: BTreeMap<String, Plan>,
    /// Guid by name.
    offerings: BTreeMap<String, String>,
    buildpacks: BTreeMap<String, String>,
    under_way: BTreeMap<(Timestamp, u64), Step>,
    steps: u64,
    names: u32,
    pub people: People,
}

/// A guid like Cloud Controller's.
pub fn random_guid(random: &mut ChaCha8Rng) -> String {
    let bits: u128 = random.random();
    let hex = format!("{bits:032x}");
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, now: Timestamp) -> Self {
        Self {
            now,
            truth: Truth::default(),
            random: ChaCha8Rng::seed_from_u64(seed),
            orgs: BTreeMap::new(),
            spaces: BTreeMap::new(),
            apps: BTreeMap::new(),
            processes: BTreeMap::new(),
            tasks: BTreeMap::new(),
            services: BTreeMap::new(),
            plans: BTreeMap::new(),
            offerings: BTreeMap::new(),
            buildpacks: BTreeMap::new(),
            under_way: BTreeMap::new(),
            steps: 0,
            names: 0,
            people: People::default(),
        }
    }

    /// A guid like Cloud Controller's.
    pub fn guid(&mut self) -> String {
        random_guid(&mut self.random)
    }

    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.random.random_range(0..limit) }
    }

    fn between(&mut self, from: i64, to: i64) -> i64 {
        self.random.random_range(from..=to)
    }

    fn one_of<T: Clone>(&mut self, of: &[T]) -> T {
        let at = self.below(of.len());
        of[at].clone()
    }

    fn later(&mut self, seconds: i64, step: Step) {
        self.steps += 1;
        self.under_way.insert((self.now.plus(seconds), self.steps), step);
    }

    /// Lets time pass, and what is under way happen when it is due.
    pub fn advance(&mut self, tables: &mut Tables, to: Timestamp) {
        while let Some((&(at, number), _)) = self.under_way.first_key_value().filter(|((at, _), _)| *at <= to) {
            let Some(step) = self.under_way.remove(&(at, number)) else { break };
            self.now = self.now.max(at);
            match step {
                Step::FinishStaging { app, build } => self.finish_staging(tables, &app, &build),
                Step::DeploymentTick { app } => {
                    if self.deployment_tick(tables, &app) {
                        self.later(deployment::TICK_SECONDS, Step::DeploymentTick { app });
                    }
                }
                Step::StartTask { task } => self.task_started(tables, &task),
                Step::FinishTask { task } => self.task_finished(tables, &task),
                Step::ForgetStaging { id } => self.truth.stops(&id, at),
            }
        }
        self.now = self.now.max(to);
    }

    fn truth_key(&self, app: &App, kind: Kind, buildpack: Option<String>) -> truth::Key {
        let space = &self.spaces[&app.space];
        truth::Key {
            organization: space.org.clone(),
            space: space.guid.clone(),
            kind,
            owner: app.guid.clone(),
            plan: None,
            buildpack,
        }
    }

    /// Guid and name of the buildpack that a process event tells: the first custom URL among those asked for,
    /// else the current droplet's; the guid is always the droplet's.
    fn told_buildpack(app: &App) -> (Option<String>, Option<String>) {
        let custom = app.requested.iter().find(|name| name.contains("://")).cloned();
        let receipt = app.droplet.clone().unwrap_or_default();
        (receipt.guid, custom.or(receipt.name))
    }

    /// Emits an event about a process.
    fn emit_process(
        &mut self,
        tables: &mut Tables,
        process: &str,
        state: (&str, &str),
        memory: (i64, i64),
        instances: (i64, i64),
    ) {
        let guid = self.guid();
        let process = &self.processes[process];
        let app = &self.apps[&process.app];
        let (buildpack_guid, buildpack) = Self::told_buildpack(app);
        let event = AppEvent {
            guid,
            state,
            process: Some((&process.guid, Some(&process.kind))),
            task: None,
            buildpack: (buildpack_guid.as_deref(), buildpack.as_deref()),
            memory,
            instances,
        };
        tables.write(Stream::App, event.json(app, &self.spaces[&app.space], self.now));
    }

    /// What a process uses now, for the account.
    fn account_process(&mut self, process: &str, unknown_buildpack: bool) {
        let process = self.processes[process].clone();
        if !process.started {
            self.truth.stops(&process.guid, self.now);
            return;
        }
        let app = self.apps[&process.app].clone();
        let using = Use {
            key: self.truth_key(&app, Kind::Process, process.runs_on.clone()),
            instances: process.instances,
            memory_mib: process.memory_mib,
            disk_mib: process.disk_mib,
        };
        self.truth.runs(&process.guid, self.now, using, unknown_buildpack);
    }

    /// A process row was saved.
    fn save_process(&self, tables: &mut Tables, process: &str) {
        let process = &self.processes[process];
        tables.change(
            List::Processes,
            &process.guid,
            &[
                ("/instances", process.instances.into()),
                ("/memory_in_mb", process.memory_mib.into()),
                ("/disk_in_mb", process.disk_mib.into()),
                ("/updated_at", json!(self.now)),
            ],
        );
    }

    /// A snapshot's summary and chunks: what is started, or which service instances there are, by space.
    #[must_use]
    pub fn snapshot(&self, stream: Stream) -> (Value, Vec<Value>) {
        const CHUNK: usize = 50;
        let mut chunks = Vec::new();
        let (mut instances, mut apps, mut orgs, mut spaces, mut items) =
            (0, 0, std::collections::BTreeSet::new(), 0, 0);
        for space in self.spaces.values() {
            let (name, rows): (&str, Vec<Value>) = match stream {
                Stream::App => {
                    let mut in_space: Vec<&App> = self.apps.values().filter(|app| app.space == space.guid).collect();
                    in_space.sort_by(|one, two| one.guid.cmp(&two.guid));
                    let rows: Vec<Value> = in_space.iter().flat_map(|app| app.processes.iter().map(move |process| (app, process)))
                        .map(|(app, process)| (app, &self.processes[process]))
                        .filter(|(_, process)| process.started)
                        .map(|(app, process)| {
                            instances += process.instances;
                            let receipt = app.droplet.clone().unwrap_or_default();
                            json!({
                                "app_guid": app.guid, "app_name": app.name, "process_guid": process.guid, "process_type": process.kind,
                                "instance_count": process.instances, "memory_in_mb_per_instance": process.memory_mib,
                                "buildpack_guid": receipt.guid, "buildpack_name": receipt.name,
                            })
                        })
                        .collect();
                    let started: std::collections::BTreeSet<_> =
                        rows.iter().map(|row| row["app_guid"].to_string()).collect();
                    apps += started.len();
                    ("processes", rows)
                }
                Stream::Service => {
                    let in_space = self.services.values().filter(|service| service.space == space.guid);
                    ("service_instances", in_space.map(|service| self.snapshot_service(service)).collect())
                }
            };
            items += rows.len();
            if rows.is_empty() {
                continue;
            }
            orgs.insert(space.org.clone());
            spaces += 1;
            let org = &self.orgs[&space.org];
            for (index, rows) in rows.chunks(CHUNK).enumerate() {
                let mut chunk = json!({
                    "organization_guid": org.guid, "organization_name": org.name, "space_guid": space.guid,
                    "space_name": space.name, "chunk_index": index,
                });
                chunk[name] = rows.to_vec().into();
                chunks.push(chunk);
            }
        }
        let summary = match stream {
            Stream::App => {
                json!({"instance_count": instances, "app_count": apps, "organization_count": orgs.len(), "space_count": spaces, "chunk_count": chunks.len()})
            }
            Stream::Service => {
                json!({"service_instance_count": items, "organization_count": orgs.len(), "space_count": spaces, "chunk_count": chunks.len()})
            }
        };
        (summary, chunks)
    }

    /// The events a purge leaves: one for each process that is started, or service instance; its guid is the event's.
    #[must_use]
    pub fn reseed(&self, stream: Stream) -> Vec<Value> {
        match stream {
            Stream::App => (self.processes.values())
                .filter(|process| process.started)
                .map(|process| {
                    let app = &self.apps[&process.app];
                    let receipt = app.droplet.clone().unwrap_or_default();
                    let event = AppEvent {
                        guid: process.guid.clone(),
                        state: ("STARTED", "STARTED"),
                        process: Some((&process.guid, None)),
                        task: None,
                        buildpack: (receipt.guid.as_deref(), receipt.name.as_deref()),
                        memory: (process.memory_mib, process.memory_mib),
                        instances: (process.instances, process.instances),
                    };
                    event.json(app, &self.spaces[&app.space], self.now)
                })
                .collect(),
            Stream::Service => {
                (self.services.values()).map(|service| self.service_event(&service.guid, "CREATED", service)).collect()
            }
        }
    }

    /// Makes an organization.
    pub fn create_org(&mut self, tables: &mut Tables, name: &str) -> String {
        let org = Org { guid: self.guid(), name: name.to_owned() };
        tables.put(List::Organizations, rows::org(&org, self.now));
        let guid = org.guid.clone();
        self.orgs.insert(guid.clone(), org);
        guid
    }

    /// Makes a space.
    pub fn create_space(&mut self, tables: &mut Tables, org: &str, name: &str) -> String {
        let space = Space { guid: self.guid(), name: name.to_owned(), org: org.to_owned() };
        tables.put(List::Spaces, rows::space(&space, self.now));
        let guid = space.guid.clone();
        self.spaces.insert(guid.clone(), space);
        guid
    }

    /// Installs a buildpack.
    pub fn install_buildpack(&mut self, name: &str) {
        let guid = self.guid();
        self.buildpacks.insert(name.to_owned(), guid);
    }

    /// What staging with `name` leaves: an installed buildpack has a guid, a URL hasn't.
    #[must_use]
    pub fn receipt(&self, name: &str) -> Receipt {
        Receipt { guid: self.buildpacks.get(name).cloned(), name: Some(name.to_owned()) }
    }
}
