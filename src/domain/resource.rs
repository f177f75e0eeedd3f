//! What is billed by time.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Guid, Stream};

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The instances of one process of an app.
    Process,
    /// A service instance.
    Service,
    /// The builds of one app, one after another.
    Staging,
    /// One task of an app.
    Task,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Process, Self::Service, Self::Staging, Self::Task];

    /// The word used in tables, commands and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Service => "service",
            Self::Staging => "staging",
            Self::Task => "task",
        }
    }

    /// The stream whose events tell of its resources.
    #[must_use]
    pub const fn stream(self) -> Stream {
        match self {
            Self::Service => Stream::Service,
            Self::Process | Self::Staging | Self::Task => Stream::App,
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// A resource within its foundation.
///
/// The guid is that of the process, task or service instance; stagings are named by their app,
/// because no staging event names its build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceKey {
    pub kind: Kind,
    pub guid: Guid,
}
