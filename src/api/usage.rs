//! Usage of a span, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::keys::{GroupBy, Keys, columns};
use crate::store::{self, GroupKey};

/// What usage can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum UsageBy {
    Foundation,
    Kind,
    Org,
    Space,
    App,
    Process,
    Buildpack,
    Plan,
}

impl UsageBy {
    #[must_use]
    pub const fn group(self) -> GroupKey {
        match self {
            Self::Foundation => GroupKey::Foundation,
            Self::Kind => GroupKey::Kind,
            Self::Org => GroupKey::Organization,
            Self::Space => GroupKey::Space,
            Self::App => GroupKey::App,
            Self::Process => GroupKey::Process,
            Self::Buildpack => GroupKey::Buildpack,
            Self::Plan => GroupKey::ServicePlan,
        }
    }
}

impl GroupBy for UsageBy {
    fn keys(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Foundation => ("foundation", None),
            Self::Kind => ("kind", None),
            Self::Org => ("org_guid", Some("org_name")),
            Self::Space => ("space_guid", Some("space_name")),
            Self::App => ("app_guid", Some("app_name")),
            Self::Process => ("process_guid", None),
            Self::Buildpack => ("buildpack", None),
            Self::Plan => ("service_plan_guid", Some("service_plan_name")),
        }
    }
}

/// One group's usage, in integers. A key that wasn't asked for isn't there; null: it isn't known, or there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageRow {
    #[serde(flatten)]
    #[schema(ignore)]
    pub keys: Keys,
    /// Seconds, each as often as there were instances.
    pub instance_seconds: i64,
    pub memory_mib_seconds: i64,
    pub disk_mib_seconds: i64,
    /// Of the instance-seconds, those whose length is assumed.
    pub estimated_instance_seconds: i64,
}

impl UsageRow {
    /// A row, by the keys that were asked for in that order, with names if they were, too.
    #[must_use]
    pub fn new(row: &store::UsageRow, by: &[UsageBy], names: bool) -> Self {
        Self {
            keys: Keys::new(by, &row.keys, names),
            instance_seconds: row.instance_seconds,
            memory_mib_seconds: row.memory_mib_seconds,
            disk_mib_seconds: row.disk_mib_seconds,
            estimated_instance_seconds: row.estimated_instance_seconds,
        }
    }

    /// The columns of rows with those keys.
    #[must_use]
    pub fn header(by: &[UsageBy], names: bool) -> Vec<&'static str> {
        columns(by, names).chain(QUANTITIES).collect()
    }

    /// The cells of its columns, with quantities as `number` writes them.
    #[must_use]
    pub fn cells(&self, number: impl Fn(i64) -> String) -> Vec<String> {
        let quantities =
            [self.instance_seconds, self.memory_mib_seconds, self.disk_mib_seconds, self.estimated_instance_seconds];
        self.keys.cells().chain(quantities.map(number)).collect()
    }
}

/// Columns of quantities.
pub const QUANTITIES: [&str; 4] =
    ["instance_seconds", "memory_mib_seconds", "disk_mib_seconds", "estimated_instance_seconds"];
