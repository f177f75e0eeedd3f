//! Everything there is and runs, as the lists of the API tell it: the baseline where there are no snapshots, and what the
//! ledger is compared with. Owns what a list row means; never decides what becomes of it, and asks nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::cloud_controller::{
    App, NamedItem, Organization, Process, ServiceInstance, ServiceOffering, ServicePlan, Space, Task, UnreadableRow,
};
use crate::domain::{Baseline, BaselineItem, Guid, Kind, Location, ResourceKey, RowList, Stream, Timestamp};

/// What there was between two instants.
#[derive(Clone, Debug)]
pub(super) struct Inventory {
    /// What runs, or should.
    pub running: BTreeMap<ResourceKey, RunningRow>,
    /// Processes whose app is stopped, by when their rows were last saved.
    pub stopped: BTreeMap<ResourceKey, Timestamp>,
    /// Those among them whose apps are container images, as they would run: such a process may run all the same.
    pub docker: BTreeMap<ResourceKey, RunningRow>,
    /// Of which it can't be read whether they run.
    pub unsure: BTreeSet<ResourceKey>,
    /// Service instances that were never made: their creation failed.
    pub failed: Vec<Guid>,
    /// Rows that are there and can't be read.
    pub unreadable: Vec<UnreadableRow>,
    /// Resources that are there, of which an unreadable row, their own or a related one, keeps from us how they are: they
    /// count as unchanged.
    pub unclear: BTreeSet<ResourceKey>,
    /// When the first list was begun, by Cloud Controller's clock.
    pub begun_at: Timestamp,
    /// When the last list had been read.
    pub ended_at: Timestamp,
}

/// One row that runs.
#[derive(Clone, Debug)]
pub(super) struct RunningRow {
    pub named: NamedItem,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Of a process, MiB per instance.
    pub disk_mib: Option<u32>,
}

/// A buildpack, and whether it is a guess.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub name: String,
    pub assumed: bool,
}

impl Inventory {
    /// What either of two looks saw; the second is the newer.
    pub fn and(mut self, second: Self) -> Self {
        let certain: HashSet<ResourceKey> =
            second.running.keys().filter(|key| !second.unclear.contains(*key)).cloned().collect();
        self.running.extend(second.running);
        for guid in second.failed {
            let key = ResourceKey { kind: Kind::Service, guid: guid.clone() };
            self.running.remove(&key);
            if !self.failed.contains(&guid) {
                self.failed.push(guid);
            }
        }
        for (key, updated_at) in second.stopped {
            self.running.remove(&key);
            self.stopped.insert(key, updated_at);
        }
        // What the second look showed for certain is clear.
        self.unclear.retain(|key| !self.stopped.contains_key(key) && !certain.contains(key));
        self.unclear.extend(second.unclear);
        self.unreadable.extend(second.unreadable);
        self.tidy();
        self.ended_at = second.ended_at;
        self
    }

    /// Each unreadable row once.
    pub fn tidy(&mut self) {
        let mut seen = HashSet::new();
        self.unreadable.retain(|row| seen.insert((row.list, row.guid.clone())));
    }

    /// What runs of the kinds that a stream tells of.
    pub fn of_stream(&self, stream: Stream) -> Vec<NamedItem> {
        let rows = self.running.iter().filter(|(key, _)| key.kind.stream() == stream);
        rows.map(|(_, row)| row.named.clone()).collect()
    }

    /// Where something is; it is unclear if its space can't be read.
    fn place_of<'place>(
        &mut self,
        key: &ResourceKey,
        space: Option<&Guid>,
        places: &'place NamedSpaces,
        hidden: &Hidden,
    ) -> Option<&'place NamedSpace> {
        let space = space?;
        if hidden.has(RowList::Spaces, space) {
            self.unclear.insert(key.clone());
        }
        places.of(space)
    }

    pub fn add_process(
        &mut self,
        process: &Process,
        apps: &HashMap<&Guid, &App>,
        places: &NamedSpaces,
        buildpacks: &HashMap<Guid, Told>,
        hidden: &Hidden,
    ) {
        let key = ResourceKey { kind: Kind::Process, guid: process.guid.clone() };
        if process.relationships.guid().is_some_and(|app| hidden.has(RowList::Apps, app)) {
            self.unclear.insert(key);
            return;
        }
        // The lists are read one after another: an app may have come or gone between.
        let Some(app) = process.relationships.guid().and_then(|app| apps.get(app)) else { return };
        let is_stopped = app.state != "STARTED";
        if is_stopped {
            self.stopped.insert(key.clone(), process.updated_at);
            if app.lifecycle.r#type.as_deref() != Some("docker") {
                return;
            }
        }
        let Some(place) = self.place_of(&key, app.relationships.space.guid(), places, hidden) else { return };
        let item = Baseline::Process {
            process: process.guid.clone(),
            process_type: Some(process.r#type.as_str().into()),
            app: app.guid.clone(),
            instances: process.instances,
            memory_mib: process.memory_in_mb,
            buildpack: buildpacks.get(&app.guid).map(|told| told.name.as_str().into()),
            buildpack_assumed: buildpacks.get(&app.guid).is_some_and(|told| told.assumed),
        };
        let named = NamedItem { app: Some(app.name.clone()), ..place.named(item) };
        let (created_at, updated_at) = (process.created_at, process.updated_at);
        let of = if is_stopped { &mut self.docker } else { &mut self.running };
        of.insert(key, RunningRow { named, created_at, updated_at, disk_mib: Some(process.disk_in_mb) });
    }

    pub fn add_task(&mut self, task: &Task, apps: &HashMap<&Guid, &App>, places: &NamedSpaces, hidden: &Hidden) {
        let key = ResourceKey { kind: Kind::Task, guid: task.guid.clone() };
        if task.relationships.guid().is_some_and(|app| hidden.has(RowList::Apps, app)) {
            self.unclear.insert(key);
            return;
        }
        let Some(app) = task.relationships.guid().and_then(|app| apps.get(app)) else { return };
        let Some(place) = self.place_of(&key, app.relationships.space.guid(), places, hidden) else { return };
        let item = running_task(task, app.guid.clone());
        let named = NamedItem { app: Some(app.name.clone()), ..place.named(item) };
        let (created_at, updated_at) = (task.created_at, task.updated_at);
        self.running.insert(key, RunningRow { named, created_at, updated_at, disk_mib: None });
    }

    pub fn add_service(
        &mut self,
        instance: &ServiceInstance,
        plans: &HashMap<&Guid, &ServicePlan>,
        offerings: &HashMap<&Guid, &ServiceOffering>,
        places: &NamedSpaces,
        hidden: &Hidden,
    ) {
        let key = ResourceKey { kind: Kind::Service, guid: instance.guid.clone() };
        let Some(place) = self.place_of(&key, instance.relationships.space.guid(), places, hidden) else { return };
        let plan = instance.relationships.service_plan.as_ref().and_then(|plan| plan.guid());
        if plan.is_some_and(|plan| hidden.has(RowList::ServicePlans, plan)) {
            // Its guid is told, which is what is kept; names come when the plan can be read.
            self.unclear.insert(key.clone());
        }
        let item = Baseline::Service {
            service_instance: instance.guid.clone(),
            user_provided: instance.r#type == "user-provided",
            plan: plan.cloned(),
        };
        let plan = plan.and_then(|plan| plans.get(plan));
        let offering = plan.and_then(|plan| plan.relationships.service_offering.guid());
        let listed = offering.and_then(|guid| offerings.get(guid));
        let broker = listed.and_then(|offering| offering.relationships.service_broker.as_ref());
        let named = NamedItem {
            service_instance: Some(instance.name.clone()),
            service_plan: plan.map(|plan| plan.name.clone()),
            service_offering: offering.map(|guid| (guid.clone(), listed.map(|offering| offering.name.clone()))),
            // No list names it beside its offering.
            service_broker: broker.and_then(|broker| Some((broker.guid()?.clone(), None))),
            ..place.named(item)
        };
        let (created_at, updated_at) = (instance.created_at, instance.updated_at);
        self.running.insert(key, RunningRow { named, created_at, updated_at, disk_mib: None });
    }
}

/// Rows that can't be read, by list.
pub(super) struct Hidden(HashSet<(RowList, Guid)>);

impl Hidden {
    pub fn of(unreadable: &[UnreadableRow]) -> Self {
        Self(unreadable.iter().map(|row| (row.list, row.guid.clone())).collect())
    }

    fn has(&self, list: RowList, guid: &Guid) -> bool {
        self.0.contains(&(list, guid.clone()))
    }

    /// Those that are resources.
    pub fn resources(&self) -> Vec<ResourceKey> {
        let kind = |list| match list {
            RowList::Processes => Some(Kind::Process),
            RowList::Tasks => Some(Kind::Task),
            RowList::ServiceInstances => Some(Kind::Service),
            _ => None,
        };
        self.0.iter().filter_map(|(list, guid)| Some(ResourceKey { kind: kind(*list)?, guid: guid.clone() })).collect()
    }
}

/// A task that runs.
pub(super) fn running_task(task: &Task, app: Guid) -> Baseline {
    Baseline::Task {
        task: task.guid.clone(),
        app,
        memory_mib: task.memory_in_mb,
        disk_mib: Some(task.disk_in_mb),
        created_at: task.created_at,
    }
}

/// Spaces with their organizations.
#[derive(Debug, Default)]
pub(super) struct NamedSpaces {
    spaces: HashMap<Guid, NamedSpace>,
}

/// A space and its organization, with their names.
#[derive(Clone, Debug)]
pub(super) struct NamedSpace {
    location: Location,
    space: String,
    organization: Option<String>,
}

impl NamedSpaces {
    pub fn add(&mut self, spaces: &[Space], organizations: &[Organization]) {
        let names: HashMap<&Guid, &String> =
            organizations.iter().map(|organization| (&organization.guid, &organization.name)).collect();
        for space in spaces {
            let Some(organization) = space.relationships.organization.guid() else { continue };
            let place = NamedSpace {
                location: Location { organization: organization.clone(), space: space.guid.clone() },
                space: space.name.clone(),
                organization: names.get(organization).map(|name| (*name).clone()),
            };
            self.spaces.insert(space.guid.clone(), place);
        }
    }

    pub fn of(&self, space: &Guid) -> Option<&NamedSpace> {
        self.spaces.get(space)
    }
}

impl NamedSpace {
    /// An item that is here, without names of its own.
    pub fn named(&self, item: Baseline) -> NamedItem {
        NamedItem {
            item: BaselineItem { location: self.location.clone(), item },
            organization: self.organization.clone(),
            space: Some(self.space.clone()),
            app: None,
            service_instance: None,
            service_plan: None,
            service_offering: None,
            service_broker: None,
        }
    }
}
