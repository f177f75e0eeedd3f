//! Usage snapshots and their chunks.

use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::row::{UnreadableRow, guid_in, or_default};
use crate::domain::{Baseline, BaselineItem, EventId, Guid, Location, RowList, Timestamp};

/// A usage snapshot of either kind. There is no state: it is complete when `completed_at` is set,
/// whatever its job says.
///
/// Source: `GET /v3/app_usage/snapshots/:guid`, `GET /v3/service_usage/snapshots/:guid`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Snapshot {
    pub guid: Guid,
    pub created_at: Timestamp,
    pub completed_at: Option<Timestamp>,
    /// The newest event when it was taken; null if there was none.
    pub checkpoint_event_guid: Option<Guid>,
    pub checkpoint_event_created_at: Option<Timestamp>,
    pub summary: Summary,
}

/// What a complete snapshot holds. Counts of the other kind of snapshot are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Summary {
    pub instance_count: u64,
    pub app_count: u64,
    pub service_instance_count: u64,
    pub organization_count: u64,
    pub space_count: u64,
    pub chunk_count: u64,
}

impl Snapshot {
    /// The event after which the stream goes on from this snapshot.
    #[must_use]
    pub fn checkpoint(&self) -> Option<EventId> {
        Some(EventId { guid: self.checkpoint_event_guid.clone()?, created_at: self.checkpoint_event_created_at? })
    }
}

/// Up to fifty items of one space; the number isn't relied upon.
///
/// Source: `GET /v3/{app,service}_usage/snapshots/:guid/chunks`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Chunk {
    /// May be null, but not lack: by it a chunk is known.
    #[serde(deserialize_with = "Option::deserialize")]
    organization_guid: Option<Guid>,
    #[serde(default)]
    organization_name: Option<String>,
    #[serde(default)]
    space_guid: Option<Guid>,
    #[serde(default)]
    space_name: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    processes: Vec<Item<Process>>,
    #[serde(default, deserialize_with = "or_default")]
    service_instances: Vec<Item<ServiceInstance>>,
}

/// One item: one that can't be read keeps no other from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item<T> {
    Read(T),
    Unreadable(UnreadableRow),
}

/// What an item is, and which row of which list tells of it, too.
trait Listed {
    const LIST: RowList;
    const GUID: &'static str;
}

impl Listed for Process {
    const LIST: RowList = RowList::Processes;
    const GUID: &'static str = "process_guid";
}

impl Listed for ServiceInstance {
    const LIST: RowList = RowList::ServiceInstances;
    const GUID: &'static str = "service_instance_guid";
}

impl<'de, T: Listed + for<'own> Deserialize<'own>> Deserialize<'de> for Item<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(item) => Ok(Self::Read(item)),
            Err(error) => match guid_in(Some(&value), T::GUID) {
                Some(guid) => {
                    let reason = format!("`{}` in a usage snapshot: {}", error.path(), error.inner());
                    Ok(Self::Unreadable(UnreadableRow { list: T::LIST, guid, reason }))
                }
                None => Err(serde::de::Error::custom(format!("an item has no `{}`", T::GUID))),
            },
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Process {
    app_guid: Guid,
    #[serde(default)]
    app_name: Option<String>,
    process_guid: Guid,
    #[serde(default)]
    process_type: Option<Arc<str>>,
    instance_count: u32,
    memory_in_mb_per_instance: u32,
    #[serde(default)]
    buildpack_name: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct ServiceInstance {
    service_instance_guid: Guid,
    #[serde(default)]
    service_instance_name: Option<String>,
    #[serde(default)]
    service_instance_type: Option<String>,
    #[serde(default)]
    service_plan_guid: Option<Guid>,
    #[serde(default)]
    service_plan_name: Option<String>,
    #[serde(default)]
    service_offering_guid: Option<Guid>,
    #[serde(default)]
    service_offering_name: Option<String>,
    #[serde(default)]
    service_broker_guid: Option<Guid>,
    #[serde(default)]
    service_broker_name: Option<String>,
}

/// One baseline item with the names its row carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedItem {
    pub item: BaselineItem,
    pub organization: Option<String>,
    pub space: Option<String>,
    pub app: Option<String>,
    pub service_instance: Option<String>,
    pub service_plan: Option<String>,
    pub service_offering: Option<(Guid, Option<String>)>,
    pub service_broker: Option<(Guid, Option<String>)>,
}

impl<T> Item<T> {
    fn read(self) -> Option<T> {
        match self {
            Self::Read(item) => Some(item),
            Self::Unreadable(_) => None,
        }
    }
}

impl Chunk {
    /// Its items that can't be read: all of them, where it doesn't say whose they are.
    #[must_use]
    pub fn unreadable(&self) -> Vec<UnreadableRow> {
        let placeless = self.organization_guid.is_none() || self.space_guid.is_none();
        let of = |list, guid: &Guid| {
            let reason = "`organization_guid` or `space_guid` of its chunk of a usage snapshot is null".to_owned();
            placeless.then(|| UnreadableRow { list, guid: guid.clone(), reason })
        };
        let processes = self.processes.iter().filter_map(|item| match item {
            Item::Read(process) => of(RowList::Processes, &process.process_guid),
            Item::Unreadable(row) => Some(row.clone()),
        });
        let instances = self.service_instances.iter().filter_map(|item| match item {
            Item::Read(instance) => of(RowList::ServiceInstances, &instance.service_instance_guid),
            Item::Unreadable(row) => Some(row.clone()),
        });
        processes.chain(instances).collect()
    }

    /// Its items: processes of an app snapshot, service instances of a service snapshot.
    #[must_use]
    pub fn into_items(self) -> Vec<NamedItem> {
        let Some((organization, space)) = self.organization_guid.zip(self.space_guid) else { return Vec::new() };
        let location = Location { organization, space };
        let (organization, space) = (self.organization_name, self.space_name);
        let named = |item| NamedItem {
            item: BaselineItem { location: location.clone(), item },
            organization: organization.clone(),
            space: space.clone(),
            app: None,
            service_instance: None,
            service_plan: None,
            service_offering: None,
            service_broker: None,
        };
        let processes = self.processes.into_iter().filter_map(Item::read).map(|process| NamedItem {
            app: process.app_name,
            ..named(Baseline::Process {
                process: process.process_guid,
                process_type: process.process_type,
                app: process.app_guid,
                instances: process.instance_count,
                memory_mib: process.memory_in_mb_per_instance,
                buildpack: process.buildpack_name.filter(|name| !name.is_empty()),
                buildpack_assumed: false,
            })
        });
        let instances = self.service_instances.into_iter().filter_map(Item::read).map(|instance| NamedItem {
            service_instance: instance.service_instance_name,
            service_plan: instance.service_plan_name,
            service_offering: instance.service_offering_guid.map(|guid| (guid, instance.service_offering_name)),
            service_broker: instance.service_broker_guid.map(|guid| (guid, instance.service_broker_name)),
            ..named(Baseline::Service {
                service_instance: instance.service_instance_guid,
                // Spelled `user_provided` here, `user_provided_service_instance` in events, `user-provided` in lists.
                user_provided: instance.service_instance_type.as_deref() == Some("user_provided"),
                plan: instance.service_plan_guid,
            })
        });
        processes.chain(instances).collect()
    }
}
