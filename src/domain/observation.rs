//! What is read beside the stream.

use serde::{Deserialize, Serialize};

use super::{ResourceKey, Timestamp};

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
}
