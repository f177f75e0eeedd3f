//! A simulated foundation: people who push, scale, stage and delete, the usage events that follow, the API that
//! tells of them, and an account of what was really used. It isn't a Cloud Controller, and says so.
//! Knows the domain at most, never the client's wire types: a wrong struct must not agree with itself.

pub mod api;
pub mod faults;
pub mod http;
mod odd;
pub mod prices;
pub mod tables;
pub mod world;

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::domain::{Stream, Timestamp};
use api::{Client, Uaa};
use faults::Fault;
use tables::{Completed, List, Tables};
use world::World;

/// How a foundation behaves.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a way of its own in which it may behave")]
pub struct Options {
    /// It has usage snapshots; no released Cloud Controller does.
    pub snapshots: bool,
    /// How often a snapshot is asked for before it is complete.
    pub snapshot_polls: u32,
    /// The reference implementation's defect: every job fails, though its snapshot is complete.
    pub snapshot_jobs_fail: bool,
    /// Requests per hour for those who aren't admins.
    pub rate_limit: Option<u64>,
    /// What stands between, over HTTP.
    pub faults: Vec<Fault>,
    /// Version of its V3 API: rises with an upgrade.
    pub version: &'static str,
    /// Where logs and keys are, in its root document: changes with its domain.
    pub domain: &'static str,
    /// `page * per_page` must be less: `cc.renderer.max_total_results`.
    pub max_total_results: Option<u32>,
    /// Apps name their current droplets; they do since mid-2024.
    pub droplet_relationship: bool,
    /// Usage events can be filtered by time.
    pub event_times: bool,
    /// Some rows are older than the column `updated_at`.
    pub null_updated_at: bool,
    /// Rows that are shown so that they can't be read.
    pub unreadable: BTreeSet<(List, String)>,
    /// The first row of some lists can't be read.
    pub first_unreadable: bool,
    /// How far its clock is ahead of ours, in seconds.
    pub clock_ahead: i64,
    /// How far the clock of one of two machines that stamp events is ahead of its own, in seconds.
    pub machine_ahead: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            snapshots: true,
            snapshot_polls: 2,
            snapshot_jobs_fail: false,
            rate_limit: None,
            faults: Vec::new(),
            version: "3.228.0",
            domain: "simulated.invalid",
            max_total_results: None,
            droplet_relationship: true,
            event_times: true,
            null_updated_at: false,
            unreadable: BTreeSet::new(),
            first_unreadable: false,
            clock_ahead: 0,
            machine_ahead: 0,
        }
    }
}

/// One simulated foundation.
#[derive(Clone, Debug)]
pub struct Foundation {
    pub world: World,
    pub tables: Tables,
    pub uaa: Uaa,
    pub options: Options,
    /// Where it is reached: begins every link.
    pub base: String,
    /// Requests answered.
    pub requests: u64,
    used: BTreeMap<String, u64>,
    /// Names what the API makes: how often it is asked changes nothing of what people do.
    guids: ChaCha8Rng,
    /// Instants at which its snapshots were completed.
    completed: BTreeMap<Stream, Timestamp>,
}

/// A foundation's database as it once was.
#[derive(Clone, Debug)]
pub struct Backup {
    world: World,
    tables: Tables,
}

/// A client that may do everything.
pub const ADMIN: (&str, &str) = ("billing", "simulated-secret");

impl Foundation {
    /// An empty foundation in which it is `now`.
    #[must_use]
    pub fn new(seed: u64, now: Timestamp) -> Self {
        let client = |id: &str, secret: &str, authority: &str| Client {
            id: id.to_owned(),
            secret: secret.to_owned(),
            authorities: vec![format!("cloud_controller.{authority}")],
        };
        let clients = vec![
            client(ADMIN.0, ADMIN.1, "admin"),
            client("billing-read-only", "simulated-secret", "admin_read_only"),
            client("billing-auditor", "simulated-secret", "global_auditor"),
            client("nobody", "simulated-secret", "read"),
        ];
        Self {
            world: World::new(seed, now),
            tables: Tables::default(),
            uaa: Uaa::new(clients, 43_200),
            options: Options::default(),
            base: "http://127.0.0.1".to_owned(),
            requests: 0,
            used: BTreeMap::new(),
            guids: ChaCha8Rng::seed_from_u64(!seed),
            completed: BTreeMap::new(),
        }
    }

    /// What time it is there.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.world.now
    }

    /// Lets time pass there, with all that was under way.
    pub fn advance(&mut self, to: Timestamp) {
        self.world.advance(&mut self.tables, to);
    }

    /// Lets people do `actions` things there, at this instant.
    pub fn act(&mut self, actions: u32) {
        self.world.act(&mut self.tables, actions);
    }

    fn new_guid(&mut self) -> String {
        world::random_guid(&mut self.guids)
    }

    /// What a worker does for a snapshot that is asked for.
    fn work_on_snapshot(&mut self, stream: Stream, guid: &str) {
        let now = self.now();
        let polls = self.options.snapshot_polls;
        let Some(snapshot) = self.tables.snapshot_mut(stream, guid).filter(|snapshot| snapshot.completed.is_none())
        else {
            return;
        };
        snapshot.polls += 1;
        if snapshot.polls < polls {
            return;
        }
        let completed = self.generate(stream);
        let state = if self.options.snapshot_jobs_fail { "FAILED" } else { "COMPLETE" };
        if let Some(snapshot) = self.tables.snapshot_mut(stream, guid) {
            snapshot.completed = Some(completed);
            snapshot.job_state = state;
            snapshot.job_updated_at = now;
        }
        // What is billed is what runs once both are taken.
        self.completed.insert(stream, now);
        if self.completed.len() == 2 && !self.world.truth.has_begun() {
            self.world.truth.begin(now);
        }
    }

    fn generate(&self, stream: Stream) -> Completed {
        let newest = self.tables.events(stream).iter().rfind(|event| self.tables.is_visible(event));
        let checkpoint = newest.and_then(|event| {
            let at = event["created_at"].as_str().and_then(|text| Timestamp::parse(text).ok());
            Some((event["guid"].as_str()?.to_owned(), at?))
        });
        let (summary, chunks) = self.world.snapshot(stream);
        Completed { at: self.now(), checkpoint, summary, chunks }
    }

    /// What the daily cleanup does: events created before `cutoff` go, but for the newest row.
    pub fn prune(&mut self, stream: Stream, cutoff: Timestamp) {
        let events = self.tables.events_mut(stream);
        let newest = events.len().saturating_sub(1);
        let is_old = |event: &serde_json::Value| {
            event["created_at"].as_str().and_then(|text| Timestamp::parse(text).ok()).is_some_and(|at| at < cutoff)
        };
        let mut position = 0;
        events.retain(|event| {
            position += 1;
            position > newest || !is_old(event)
        });
    }

    /// A backup of its database.
    #[must_use]
    pub fn backup(&self) -> Backup {
        Backup { world: self.world.clone(), tables: self.tables.clone() }
    }

    /// Sets its database back: what was made since is gone, what was deleted since is there again, and so are the events as
    /// they were. Time goes on.
    pub fn restore(&mut self, backup: Backup) {
        let (now, truth) = (self.now(), std::mem::take(&mut self.world.truth));
        // Guids that were drawn since aren't drawn again.
        let random = self.world.reseeded();
        self.world = backup.world.restored(now, truth, random);
        self.tables = backup.tables;
        // Who was to start them is gone.
        for task in self.world.tasks.values().filter(|task| !task.running) {
            let waits = self.tables.row(List::Tasks, &task.guid).is_some_and(|row| row["state"] != "SUCCEEDED");
            if waits {
                self.tables.change(List::Tasks, &task.guid, &[("/state", "FAILED".into())]);
            }
        }
    }

    /// Empties a stream and writes one event for everything that runs, its guid that of the process or instance.
    pub fn purge_and_reseed(&mut self, stream: Stream) {
        let events = self.world.reseed(stream);
        *self.tables.events_mut(stream) = events;
    }
}
