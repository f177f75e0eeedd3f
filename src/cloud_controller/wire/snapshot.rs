//! Usage snapshots and their chunks.

use std::sync::Arc;

use serde::Deserialize;

use crate::domain::{Baseline, BaselineItem, EventId, Guid, Location, Timestamp};

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
    organization_guid: Guid,
    #[serde(default)]
    organization_name: Option<String>,
    space_guid: Guid,
    #[serde(default)]
    space_name: Option<String>,
    #[serde(default)]
    processes: Vec<Process>,
    #[serde(default)]
    service_instances: Vec<ServiceInstance>,
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

impl Chunk {
    /// Its items: processes of an app snapshot, service instances of a service snapshot.
    #[must_use]
    pub fn into_items(self) -> Vec<NamedItem> {
        let location = Location { organization: self.organization_guid, space: self.space_guid };
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
        let processes = self.processes.into_iter().map(|process| NamedItem {
            app: process.app_name,
            ..named(Baseline::Process {
                process: process.process_guid,
                process_type: process.process_type,
                app: process.app_guid,
                instances: process.instance_count,
                memory_mib: process.memory_in_mb_per_instance,
                buildpack: process.buildpack_name.filter(|name| !name.is_empty()),
            })
        });
        let instances = self.service_instances.into_iter().map(|instance| NamedItem {
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
