//! Rows of Cloud Controller's lists that can't be read, and that can be read again.

use serde::{Deserialize, Serialize};

use super::{Guid, Kind, ResourceKey, Timestamp};

/// A list of the V3 API that is read row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowList {
    Apps,
    Builds,
    Droplets,
    Organizations,
    Processes,
    ServiceInstances,
    ServiceOfferings,
    ServicePlans,
    Spaces,
    Tasks,
}

impl RowList {
    /// Its place below `/v3/`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Apps => "apps",
            Self::Builds => "builds",
            Self::Droplets => "droplets",
            Self::Organizations => "organizations",
            Self::Processes => "processes",
            Self::ServiceInstances => "service_instances",
            Self::ServiceOfferings => "service_offerings",
            Self::ServicePlans => "service_plans",
            Self::Spaces => "spaces",
            Self::Tasks => "tasks",
        }
    }
}

/// What a look at a row showed that can't be read, or can be read again. It is archived once for each row and reason, and
/// once a day while it stays so: usage of every month that it touches is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowObservation {
    pub list: RowList,
    pub guid: Guid,
    /// Why it can't be read; `None`: it can be read again, or is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It was so when the baseline was taken: what it is about is billed from the epoch once it can be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_baseline: bool,
    /// When the answer was made.
    pub observed_at: Timestamp,
}

impl RowObservation {
    /// The resource that the row is, where it is one.
    #[must_use]
    pub fn resource(&self) -> Option<ResourceKey> {
        let kind = match self.list {
            RowList::Processes => Kind::Process,
            RowList::Tasks => Kind::Task,
            RowList::ServiceInstances => Kind::Service,
            _ => return None,
        };
        Some(ResourceKey { kind, guid: self.guid.clone() })
    }
}
