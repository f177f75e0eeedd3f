//! What ran when we came.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Guid, Location, Timestamp};

/// One running thing of a baseline, begun at the billing epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineItem {
    pub location: Location,
    #[serde(flatten)]
    pub item: Baseline,
}

/// What the item is, by kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Baseline {
    /// Source: a chunk of an app usage snapshot. Disk is in no snapshot.
    Process {
        process: Guid,
        process_type: Option<Arc<str>>,
        app: Guid,
        instances: u32,
        memory_mib: u32,
        /// That of the app's current droplet, which may not be the one that runs.
        buildpack: Option<Arc<str>>,
        /// It is a guess: the droplet can't be read, or a deployment is under way and this may run an earlier one.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        buildpack_assumed: bool,
    },
    /// Source: `GET /v3/tasks?states=RUNNING,CANCELING`.
    Task { task: Guid, app: Guid, memory_mib: u32, disk_mib: Option<u32>, created_at: Timestamp },
    /// Source: a chunk of a service usage snapshot.
    Service { service_instance: Guid, user_provided: bool, plan: Option<Guid> },
}

/// Where a foundation's baseline comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// A usage snapshot of each kind.
    Snapshot,
    /// The stream itself, which keeps the beginnings of what still runs.
    KeptRecords,
    /// The lists of what there is now.
    LiveLists,
}

impl Strategy {
    pub const ALL: [Self; 3] = [Self::Snapshot, Self::KeptRecords, Self::LiveLists];

    /// The word used in tables, the configuration and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::KeptRecords => "kept_records",
            Self::LiveLists => "live_lists",
        }
    }

    /// The strategy of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}
