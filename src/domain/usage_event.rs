//! Usage events, as facts about one resource.

use std::sync::Arc;

use super::{Guid, Kind, Location, ResourceKey, Timestamp};

/// What names one event within its stream.
///
/// Guid *and* `created_at`: reseeding writes new events under the same guids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    pub guid: Guid,
    pub created_at: Timestamp,
}

/// One usage event of either stream.
///
/// Source: `GET /v3/app_usage_events` and `GET /v3/service_usage_events`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageEvent {
    pub guid: Guid,
    /// Start of the database transaction that wrote it: may run backwards along the stream.
    pub created_at: Timestamp,
    pub fact: Fact,
}

impl UsageEvent {
    /// What names it within its stream.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId { guid: self.guid.clone(), created_at: self.created_at }
    }
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    Process(ProcessFact),
    Task(TaskFact),
    Staging(StagingFact),
    Service(ServiceFact),
    /// `BUILDPACK_SET` of a build (V3): says nothing about any process.
    BuildpackSetByBuild,
    /// A state this program doesn't know.
    UnknownState(String),
    /// A record without the members its state needs; the text says which.
    Undecodable(String),
}

impl Fact {
    /// Whether a purge and reseed made the event: its guid is its resource's.
    #[must_use]
    pub fn is_reseeded(&self) -> bool {
        match self {
            Self::Process(fact) => fact.reseeded,
            Self::Service(fact) => fact.reseeded,
            _ => false,
        }
    }

    /// Every word [`Fact::state`] gives.
    pub const STATES: [&'static str; 15] = [
        "STARTED",
        "STOPPED",
        "BUILDPACK_SET",
        "WAS_RUNNING",
        "TASK_STARTED",
        "TASK_STOPPED",
        "TASK_WAS_RUNNING",
        "STAGING_STARTED",
        "STAGING_STOPPED",
        "CREATED",
        "UPDATED",
        "DELETED",
        "SERVICE_WAS_RUNNING",
        "unknown",
        "undecodable",
    ];

    /// Its current state as Cloud Controller spells it; `SERVICE_WAS_RUNNING` for a service's, to tell it from a process's.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Process(fact) => match fact.change {
                ProcessChange::Started => "STARTED",
                ProcessChange::Stopped => "STOPPED",
                ProcessChange::BuildpackSet => "BUILDPACK_SET",
                ProcessChange::WasRunning => "WAS_RUNNING",
            },
            Self::Task(fact) => match fact.change {
                TaskChange::Started => "TASK_STARTED",
                TaskChange::Stopped => "TASK_STOPPED",
                TaskChange::WasRunning => "TASK_WAS_RUNNING",
            },
            Self::Staging(fact) => match fact.change {
                StagingChange::Started => "STAGING_STARTED",
                StagingChange::Stopped => "STAGING_STOPPED",
            },
            Self::Service(fact) => match fact.change {
                ServiceChange::Created => "CREATED",
                ServiceChange::Updated => "UPDATED",
                ServiceChange::Deleted => "DELETED",
                ServiceChange::WasRunning => "SERVICE_WAS_RUNNING",
            },
            Self::BuildpackSetByBuild => "BUILDPACK_SET",
            Self::UnknownState(_) => "unknown",
            Self::Undecodable(_) => "undecodable",
        }
    }

    /// The resource that the event touches.
    #[must_use]
    pub fn resource(&self) -> Option<ResourceKey> {
        let (kind, guid) = match self {
            Self::Process(fact) => (Kind::Process, &fact.process),
            Self::Task(fact) => (Kind::Task, &fact.task),
            Self::Staging(fact) => (Kind::Staging, &fact.app),
            Self::Service(fact) => (Kind::Service, &fact.service_instance),
            Self::BuildpackSetByBuild | Self::UnknownState(_) | Self::Undecodable(_) => return None,
        };
        Some(ResourceKey { kind, guid: guid.clone() })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessChange {
    Started,
    Stopped,
    BuildpackSet,
    WasRunning,
}

/// An event about one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFact {
    pub change: ProcessChange,
    pub process: Guid,
    /// `web`, `worker` …; null on reseeded events.
    pub process_type: Option<Arc<str>>,
    pub app: Option<Guid>,
    pub location: Option<Location>,
    /// Desired instances. On an ending it repeats what was, and means nothing.
    pub instances: Option<u32>,
    /// MiB per instance.
    pub memory_mib: Option<u32>,
    /// Its name, or the obfuscated URL of a custom one.
    pub buildpack: Option<Arc<str>>,
    /// Made by a purge and reseed: its event guid is the process guid.
    pub reseeded: bool,
    /// The state before was `STARTED`, as the event says; only a hint that a start was never seen.
    pub was_started: bool,
    /// An ending appended by the backfill's repair (previous state `WAS_RUNNING`).
    pub repaired: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskChange {
    Started,
    Stopped,
    WasRunning,
}

/// An event about one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFact {
    pub change: TaskChange,
    pub task: Guid,
    pub app: Option<Guid>,
    pub location: Option<Location>,
    /// MiB.
    pub memory_mib: Option<u32>,
    /// Of an ending: the task ran, as the event says (previous state `RUNNING` or `CANCELING`, not `PENDING`).
    pub was_running: bool,
    /// An ending appended by the backfill's repair (previous state `TASK_WAS_RUNNING`).
    pub repaired: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StagingChange {
    Started,
    Stopped,
}

/// An event about one build of an app; it names the app only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagingFact {
    pub change: StagingChange,
    pub app: Guid,
    pub location: Option<Location>,
    /// MiB; Cloud Controller always says 1024, whatever the build really had.
    pub memory_mib: Option<u32>,
    /// At the start the first one requested, at the end the one that was used.
    pub buildpack: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceChange {
    Created,
    Updated,
    Deleted,
    WasRunning,
}

/// An event about one service instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFact {
    pub change: ServiceChange,
    pub service_instance: Guid,
    pub user_provided: bool,
    pub location: Option<Location>,
    /// `None` for user-provided instances.
    pub plan: Option<Guid>,
    /// Made by a purge and reseed: its event guid is the instance's.
    pub reseeded: bool,
}
