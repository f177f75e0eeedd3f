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
    },
    /// Source: `GET /v3/tasks?states=RUNNING,CANCELING`.
    Task { task: Guid, app: Guid, memory_mib: u32, disk_mib: Option<u32>, created_at: Timestamp },
    /// Source: a chunk of a service usage snapshot.
    Service { service_instance: Guid, user_provided: bool, plan: Option<Guid> },
}
