//! Usage of a span, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

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
    pub const ALL: [Self; 8] =
        [Self::Foundation, Self::Kind, Self::Org, Self::Space, Self::App, Self::Process, Self::Buildpack, Self::Plan];

    /// The word that asks for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Foundation => "foundation",
            Self::Kind => "kind",
            Self::Org => "org",
            Self::Space => "space",
            Self::App => "app",
            Self::Process => "process",
            Self::Buildpack => "buildpack",
            Self::Plan => "plan",
        }
    }

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

    /// The key in a row.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Foundation => "foundation",
            Self::Kind => "kind",
            Self::Org => "org_guid",
            Self::Space => "space_guid",
            Self::App => "app_guid",
            Self::Process => "process_guid",
            Self::Buildpack => "buildpack",
            Self::Plan => "service_plan_guid",
        }
    }

    /// The key of its name; none where the key is a name itself.
    #[must_use]
    pub const fn name_key(self) -> Option<&'static str> {
        match self {
            Self::Org => Some("org_name"),
            Self::Space => Some("space_name"),
            Self::App => Some("app_name"),
            Self::Plan => Some("service_plan_name"),
            Self::Foundation | Self::Kind | Self::Process | Self::Buildpack => None,
        }
    }
}

/// One group's usage, in integers. A key that wasn't asked for isn't there; null: it isn't known, or there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsageRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub foundation: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub org_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub org_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub space_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub space_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub app_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub app_name: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub process_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub buildpack: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_plan_guid: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service_plan_name: Option<Option<String>>,
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
        let mut made = Self {
            instance_seconds: row.instance_seconds,
            memory_mib_seconds: row.memory_mib_seconds,
            disk_mib_seconds: row.disk_mib_seconds,
            estimated_instance_seconds: row.estimated_instance_seconds,
            ..Self::default()
        };
        for (by, keyed) in by.iter().zip(&row.keys) {
            let value = Some(keyed.as_ref().map(|keyed| keyed.value.clone()));
            let name = names.then(|| keyed.as_ref().and_then(|keyed| keyed.name.clone()));
            match by {
                UsageBy::Foundation => made.foundation = value,
                UsageBy::Kind => made.kind = value,
                UsageBy::Org => (made.org_guid, made.org_name) = (value, name),
                UsageBy::Space => (made.space_guid, made.space_name) = (value, name),
                UsageBy::App => (made.app_guid, made.app_name) = (value, name),
                UsageBy::Process => made.process_guid = value,
                UsageBy::Buildpack => made.buildpack = value,
                UsageBy::Plan => (made.service_plan_guid, made.service_plan_name) = (value, name),
            }
        }
        made
    }

    /// The columns of rows with those keys.
    #[must_use]
    pub fn header(by: &[UsageBy], names: bool) -> Vec<&'static str> {
        let name = |by: &UsageBy| by.name_key().filter(|_| names);
        by.iter().flat_map(|by| std::iter::once(by.key()).chain(name(by))).chain(QUANTITIES).collect()
    }

    /// The cells of these columns, with quantities as `number` writes them.
    #[must_use]
    pub fn cells(&self, by: &[UsageBy], names: bool, number: impl Fn(i64) -> String) -> Vec<String> {
        let text = |value: &Option<Option<String>>| value.clone().flatten().unwrap_or_default();
        let mut cells = Vec::new();
        for by in by {
            let (value, name) = match by {
                UsageBy::Foundation => (&self.foundation, None),
                UsageBy::Kind => (&self.kind, None),
                UsageBy::Org => (&self.org_guid, Some(&self.org_name)),
                UsageBy::Space => (&self.space_guid, Some(&self.space_name)),
                UsageBy::App => (&self.app_guid, Some(&self.app_name)),
                UsageBy::Process => (&self.process_guid, None),
                UsageBy::Buildpack => (&self.buildpack, None),
                UsageBy::Plan => (&self.service_plan_guid, Some(&self.service_plan_name)),
            };
            cells.push(text(value));
            cells.extend(name.filter(|_| names).map(text));
        }
        let quantities =
            [self.instance_seconds, self.memory_mib_seconds, self.disk_mib_seconds, self.estimated_instance_seconds];
        cells.extend(quantities.map(number));
        cells
    }
}

/// Columns of quantities.
pub const QUANTITIES: [&str; 4] =
    ["instance_seconds", "memory_mib_seconds", "disk_mib_seconds", "estimated_instance_seconds"];
