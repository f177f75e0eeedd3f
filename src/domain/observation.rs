//! What is read beside the stream.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BaselineItem, Guid, ResourceKey, Timestamp};

/// The disk of one process or task, read from `GET /v3/processes` or `GET /v3/tasks`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskObservation {
    pub resource: ResourceKey,
    /// MiB per instance.
    pub disk_mib: u32,
    /// When the answer was made.
    pub observed_at: Timestamp,
    /// The last save of the row: no change of disk is later, so the value held since then.
    pub updated_at: Timestamp,
    /// Of a process whose type no event told: a reseed names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_type: Option<Arc<str>>,
}

/// The size of one build, read from `GET /v3/builds`: its staging events always say 1024 MiB of memory and nothing of disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildObservation {
    pub build: Guid,
    /// Names the staging, together with the time.
    pub app: Guid,
    /// MiB.
    pub memory_mib: u32,
    /// MiB.
    pub disk_mib: u32,
    /// That of its `STAGING_STARTED`, give or take two seconds.
    pub created_at: Timestamp,
    /// When the answer was made.
    pub observed_at: Timestamp,
}

/// A service instance whose creation failed, read from its `last_operation`: `CREATED` is sent before the broker has
/// made anything, and nothing follows if it can't.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCreate {
    pub service_instance: Guid,
    /// When the answer was made.
    pub observed_at: Timestamp,
}

/// What a look at everything that runs showed of one resource, where the ledger held something else: after a gap, or
/// at a reconciliation that found the same before.
///
/// Source: `GET /v3/processes`, `/v3/apps`, `/v3/tasks`, `/v3/service_instances`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    pub resource: ResourceKey,
    /// Up to here what the ledger held is certain: the latest of the last caught-up poll before a gap or the last look
    /// that agreed, and the resource's last event.
    pub certain_until: Timestamp,
    /// When the look was taken.
    pub observed_at: Timestamp,
    pub finding: Finding,
    /// All time since `certain_until` is assumed, up to the look, and nothing before it changes; what had ended may run
    /// again. False in archives of earlier versions, which assumed less.
    #[serde(default, skip_serializing_if = "is_false")]
    pub bounded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It doesn't run any more.
    Ended {
        at: Timestamp,
        /// The row itself tells the time; else it is assumed.
        exact: bool,
    },
    /// It runs with this footprint, since this time as far as can be told.
    Running { item: BaselineItem, since: Timestamp },
    /// Whether it runs can't be told: it counts on, as is assumed.
    Unsure,
}
