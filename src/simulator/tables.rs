//! What Cloud Controller's database holds: rows in id order, each as its V3 JSON.
//! Links are kept without a host, which the API adds.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::{Stream, Timestamp};

/// A list of the V3 API that is read beside the usage events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum List {
    Apps,
    Buildpacks,
    Builds,
    Droplets,
    Organizations,
    Processes,
    ServiceBrokers,
    ServiceInstances,
    ServiceOfferings,
    ServicePlans,
    Spaces,
    Tasks,
}

impl List {
    pub const ALL: [Self; 12] = [
        Self::Apps,
        Self::Buildpacks,
        Self::Builds,
        Self::Droplets,
        Self::Organizations,
        Self::Processes,
        Self::ServiceBrokers,
        Self::ServiceInstances,
        Self::ServiceOfferings,
        Self::ServicePlans,
        Self::Spaces,
        Self::Tasks,
    ];

    /// Its place below `/v3/`.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Buildpacks => "buildpacks",
            Self::Builds => "builds",
            Self::Droplets => "droplets",
            Self::Organizations => "organizations",
            Self::Processes => "processes",
            Self::ServiceBrokers => "service_brokers",
            Self::ServiceInstances => "service_instances",
            Self::ServiceOfferings => "service_offerings",
            Self::ServicePlans => "service_plans",
            Self::Spaces => "spaces",
            Self::Tasks => "tasks",
        }
    }

    /// What one of its rows is called in an error.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Apps => "App",
            Self::Buildpacks => "Buildpack",
            Self::Builds => "Build",
            Self::Droplets => "Droplet",
            Self::Organizations => "Organization",
            Self::Processes => "Process",
            Self::ServiceBrokers => "Service broker",
            Self::ServiceInstances => "Service instance",
            Self::ServiceOfferings => "Service offering",
            Self::ServicePlans => "Service plan",
            Self::Spaces => "Space",
            Self::Tasks => "Task",
        }
    }
}

/// A usage snapshot and its job.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub stream: Stream,
    pub guid: String,
    pub job: String,
    pub created_at: Timestamp,
    /// What generating it gave; `None` while it is being made, or for good if its generator died.
    pub completed: Option<Completed>,
    /// `PROCESSING`, `COMPLETE` or `FAILED`, which may be said of a complete one too.
    pub job_state: &'static str,
    pub job_updated_at: Timestamp,
    /// Asked for so many times while it was being made.
    pub polls: u32,
    /// Removed by the daily cleanup; its job stays.
    pub removed: bool,
}

/// A complete snapshot's content.
#[derive(Clone, Debug)]
pub struct Completed {
    pub at: Timestamp,
    /// Newest event then: guid and `created_at`.
    pub checkpoint: Option<(String, Timestamp)>,
    pub summary: Value,
    pub chunks: Vec<Value>,
}

/// Everything the API serves.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    app_events: Vec<Value>,
    service_events: Vec<Value>,
    lists: BTreeMap<List, Vec<Value>>,
    pub snapshots: Vec<Snapshot>,
    /// Who may do what where.
    pub roles: Vec<Value>,
    /// Guids of events whose transactions haven't committed yet: they have their place, and nobody sees them.
    pub uncommitted: BTreeSet<String>,
    /// How far the clock of one of two machines that stamp events is ahead, in seconds.
    pub clock_error: i64,
}

impl Tables {
    /// Whether anybody can see an event.
    #[must_use]
    pub fn is_visible(&self, event: &Value) -> bool {
        self.uncommitted.is_empty() || event["guid"].as_str().is_none_or(|guid| !self.uncommitted.contains(guid))
    }

    /// A stream's events, in id order.
    #[must_use]
    pub fn events(&self, stream: Stream) -> &[Value] {
        match stream {
            Stream::App => &self.app_events,
            Stream::Service => &self.service_events,
        }
    }

    /// A stream's events, to be changed.
    pub const fn events_mut(&mut self, stream: Stream) -> &mut Vec<Value> {
        match stream {
            Stream::App => &mut self.app_events,
            Stream::Service => &mut self.service_events,
        }
    }

    /// Adds an event, stamped by the machine that writes it.
    pub fn write(&mut self, stream: Stream, mut event: Value) {
        let by_the_other =
            event["guid"].as_str().is_some_and(|guid| guid.bytes().next().is_some_and(|byte| byte % 2 == 1));
        if self.clock_error != 0
            && by_the_other
            && let Some(at) = event["created_at"].as_str().and_then(|at| Timestamp::parse(at).ok())
        {
            event["created_at"] = at.plus(self.clock_error).to_string().into();
        }
        self.events_mut(stream).push(event);
    }

    /// A list's rows, in id order.
    #[must_use]
    pub fn rows(&self, list: List) -> &[Value] {
        self.lists.get(&list).map_or(&[], Vec::as_slice)
    }

    /// The row of that guid.
    #[must_use]
    pub fn row(&self, list: List, guid: &str) -> Option<&Value> {
        self.rows(list).iter().find(|row| row["guid"] == guid)
    }

    /// Adds a row, or puts it in the place of the one with its guid.
    pub fn put(&mut self, list: List, row: Value) {
        let rows = self.lists.entry(list).or_default();
        match rows.iter_mut().find(|old| old["guid"] == row["guid"]) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
    }

    /// Changes members of a row: each is a JSON pointer and its new value.
    pub fn change(&mut self, list: List, guid: &str, members: &[(&str, Value)]) {
        let rows = self.lists.entry(list).or_default();
        let Some(row) = rows.iter_mut().find(|row| row["guid"] == guid) else { return };
        for (pointer, value) in members {
            if let Some(member) = row.pointer_mut(pointer) {
                *member = value.clone();
            }
        }
    }

    /// Removes the rows for which `gone` is true.
    pub fn remove(&mut self, list: List, gone: impl Fn(&Value) -> bool) {
        self.lists.entry(list).or_default().retain(|row| !gone(row));
    }

    /// A snapshot of that stream by its guid.
    pub fn snapshot_mut(&mut self, stream: Stream, guid: &str) -> Option<&mut Snapshot> {
        self.snapshots
            .iter_mut()
            .find(|snapshot| snapshot.stream == stream && snapshot.guid == guid && !snapshot.removed)
    }
}

/// Where a stream's events and snapshots are served, below `/v3/`.
#[must_use]
pub const fn events_path(stream: Stream) -> &'static str {
    match stream {
        Stream::App => "app_usage_events",
        Stream::Service => "service_usage_events",
    }
}

/// Where a stream's snapshots are served, below `/v3/`.
#[must_use]
pub const fn snapshots_path(stream: Stream) -> &'static str {
    match stream {
        Stream::App => "app_usage/snapshots",
        Stream::Service => "service_usage/snapshots",
    }
}

impl Snapshot {
    /// As `GET` shows it.
    #[must_use]
    pub fn json(&self) -> Value {
        let own = format!("/v3/{}/{}", snapshots_path(self.stream), self.guid);
        let mut links = json!({"self": {"href": own}});
        let empty = match self.stream {
            Stream::App => {
                json!({"instance_count": 0, "app_count": 0, "organization_count": 0, "space_count": 0, "chunk_count": 0})
            }
            Stream::Service => {
                json!({"service_instance_count": 0, "organization_count": 0, "space_count": 0, "chunk_count": 0})
            }
        };
        let Some(completed) = &self.completed else {
            return json!({
                "guid": self.guid, "created_at": self.created_at, "completed_at": null,
                "checkpoint_event_guid": null, "checkpoint_event_created_at": null, "summary": empty, "links": links,
            });
        };
        if let Some((guid, _)) = &completed.checkpoint {
            links["checkpoint_event"] = json!({"href": format!("/v3/{}/{guid}", events_path(self.stream))});
        }
        links["chunks"] = json!({"href": format!("{own}/chunks")});
        json!({
            "guid": self.guid, "created_at": self.created_at, "completed_at": completed.at,
            "checkpoint_event_guid": completed.checkpoint.as_ref().map(|(guid, _)| guid),
            "checkpoint_event_created_at": completed.checkpoint.as_ref().map(|(_, at)| at),
            "summary": completed.summary, "links": links,
        })
    }

    /// Its job, as `GET /v3/jobs/:guid` shows it. The link's path is one that has no route, as in the reference implementation.
    #[must_use]
    pub fn job_json(&self) -> Value {
        let name = match self.stream {
            Stream::App => "app_usage_snapshot",
            Stream::Service => "service_usage_snapshot",
        };
        let mut links = json!({"self": {"href": format!("/v3/jobs/{}", self.job)}});
        if !self.removed {
            links[name] = json!({"href": format!("/v3/{name}s/{}", self.guid)});
        }
        let errors = if self.job_state == "FAILED" {
            json!([{"title": "UnknownError", "detail": "An unknown error occurred.", "code": 10001}])
        } else {
            json!([])
        };
        json!({
            "guid": self.job, "created_at": self.created_at, "updated_at": self.job_updated_at,
            "operation": format!("{name}.generate"), "state": self.job_state,
            "errors": errors, "warnings": [], "links": links,
        })
    }
}
