//! How large a resource is, and where it is, at one time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Guid;

/// The space a resource is in and the organization that space belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    pub organization: Guid,
    pub space: Guid,
}

/// Where the memory of a footprint is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemorySource {
    /// The usage event or the baseline item.
    Event,
    /// The build, because a staging event always says 1024 MiB.
    Build,
    /// The resource has none (a service instance).
    None,
}

/// Where the disk of a footprint is known from: no usage event and no snapshot names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskSource {
    /// Read from `/v3/processes`, `/v3/tasks` or `/v3/builds`.
    Observed,
    /// An observation carried to a time it doesn't vouch for: an older one kept, or a newer one reached back.
    Assumed,
    /// Never observed: the configured default.
    Default,
    /// The resource has none (a service instance).
    None,
}

/// A resource's size at one time. Any change of it ends one interval and begins the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Footprint {
    /// Desired instances; 0 is possible and costs nothing. 1 for tasks, stagings and service instances.
    pub instances: u32,
    /// MiB per instance.
    pub memory_mib: u32,
    pub memory_source: MemorySource,
    /// MiB per instance.
    pub disk_mib: u32,
    pub disk_source: DiskSource,
    /// Name of the buildpack, or the URL of a custom one; `None` for docker and while unknown.
    pub buildpack: Option<Arc<str>>,
    /// Service instances only; `None` for user-provided ones.
    pub service_plan: Option<Guid>,
    pub location: Location,
}

impl Footprint {
    /// One of something without memory and disk: a service instance, or what is yet to be given its sizes.
    #[must_use]
    pub const fn without_sizes(location: Location) -> Self {
        Self {
            instances: 1,
            memory_mib: 0,
            memory_source: MemorySource::None,
            disk_mib: 0,
            disk_source: DiskSource::None,
            buildpack: None,
            service_plan: None,
            location,
        }
    }
}
