//! Everything there is and runs, as the lists of the API tell it: the baseline where there are no snapshots, and what the
//! ledger is compared with. Owns what a list row means; never decides what becomes of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collector::{CollectError, Collector};
use crate::cloud_controller::{
    App, ErrorKind, GUIDS_PER_REQUEST, NamedItem, Organization, Process, ServiceInstance, ServiceOffering, ServicePlan,
    Space, Task,
};
use crate::domain::{Baseline, BaselineItem, Guid, Kind, Location, ResourceKey, Stream, Timestamp};

/// What there was between two instants.
#[derive(Clone, Debug)]
pub(super) struct Inventory {
    /// What runs, or should.
    pub running: BTreeMap<ResourceKey, Row>,
    /// Processes whose app is stopped, by when their rows were last saved.
    pub stopped: BTreeMap<ResourceKey, Timestamp>,
    /// Those among them whose apps are container images, as they would run: such a process may run all the same.
    pub docker: BTreeMap<ResourceKey, Row>,
    /// Of which it can't be read whether they run.
    pub unsure: BTreeSet<ResourceKey>,
    /// Service instances that were never made: their creation failed.
    pub failed: Vec<Guid>,
    /// When the first list was begun, by Cloud Controller's clock.
    pub begun_at: Timestamp,
    /// When the last list had been read.
    pub ended_at: Timestamp,
}

/// One row that runs.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub named: NamedItem,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Of a process, MiB per instance.
    pub disk_mib: Option<u32>,
}

impl Collector {
    /// Reads all lists. Rows that are deleted meanwhile move later ones to pages already read: what has to be complete
    /// is read twice, or asked for by guid.
    pub(super) async fn inventory(&self) -> Result<Inventory, CollectError> {
        let apps = self.ask(self.client.all_apps()).await?;
        let begun_at = apps.date;
        let processes = self.ask(self.client.all_processes()).await?;
        let tasks = self.ask(self.client.running_tasks()).await?;
        let instances = self.ask(self.client.all_service_instances()).await?;
        let plans = self.ask(self.client.all_service_plans()).await?;
        let spaces = self.ask(self.client.all_spaces()).await?;
        let ended_at = self.client.last_date();
        let buildpacks = self.buildpacks(&apps.value.rows).await?;

        let mut places = Places::default();
        places.add(&apps.value.spaces, &apps.value.organizations);
        places.add(&spaces.rows, &spaces.organizations);
        let offerings: HashMap<&Guid, &ServiceOffering> =
            plans.service_offerings.iter().map(|offering| (&offering.guid, offering)).collect();
        let plans: HashMap<&Guid, &ServicePlan> = plans.rows.iter().map(|plan| (&plan.guid, plan)).collect();
        let apps: HashMap<&Guid, &App> = apps.value.rows.iter().map(|app| (&app.guid, app)).collect();

        let (running, stopped, failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        let (docker, unsure) = (BTreeMap::new(), BTreeSet::new());
        let mut inventory = Inventory { running, stopped, docker, unsure, failed, begun_at, ended_at };
        for process in &processes {
            inventory.add_process(process, &apps, &places, &buildpacks);
        }
        for task in &tasks {
            inventory.add_task(task, &apps, &places);
        }
        for instance in &instances {
            if instance.was_never_made() {
                inventory.failed.push(instance.guid.clone());
            } else {
                inventory.add_service(instance, &plans, &offerings, &places);
            }
        }
        Ok(inventory)
    }

    /// The buildpack that a start of each app would name: the first custom URL asked for, else the last buildpack of the
    /// current droplet. Where droplets can't be read: the last one asked for.
    async fn buildpacks(&self, apps: &[App]) -> Result<HashMap<Guid, String>, CollectError> {
        let asked = |app: &App| app.lifecycle.data.buildpacks.clone();
        let mut of: HashMap<Guid, String> = HashMap::new();
        let mut by_droplet: HashMap<Guid, Guid> = HashMap::new();
        for app in apps.iter().filter(|app| app.state == "STARTED") {
            if let Some(url) = asked(app).into_iter().find(|name| name.contains("://")) {
                of.insert(app.guid.clone(), url);
            } else if let Some(droplet) = app.relationships.current_droplet.as_ref().and_then(|droplet| droplet.guid())
            {
                by_droplet.insert(droplet.clone(), app.guid.clone());
                if let Some(last) = asked(app).pop() {
                    of.insert(app.guid.clone(), last);
                }
            }
        }
        let mut droplets: Vec<Guid> = by_droplet.keys().cloned().collect();
        droplets.sort();
        for guids in droplets.chunks(GUIDS_PER_REQUEST) {
            let found = match self.ask(self.client.droplets(guids)).await {
                Err(CollectError::Api(error)) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NoRoute) => {
                    break;
                }
                found => found?,
            };
            for droplet in found {
                let last = droplet.buildpacks.and_then(|mut buildpacks| buildpacks.pop());
                if let (Some(app), Some(buildpack)) = (by_droplet.get(&droplet.guid), last) {
                    of.insert(app.clone(), buildpack.name);
                }
            }
        }
        Ok(of)
    }
}

impl Inventory {
    /// What either of two looks saw; the second is the newer.
    pub fn and(mut self, second: Self) -> Self {
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
        self.ended_at = second.ended_at;
        self
    }

    /// What runs of the kinds that a stream tells of.
    pub fn of_stream(&self, stream: Stream) -> Vec<NamedItem> {
        let rows = self.running.iter().filter(|(key, _)| key.kind.stream() == stream);
        rows.map(|(_, row)| row.named.clone()).collect()
    }

    fn add_process(
        &mut self,
        process: &Process,
        apps: &HashMap<&Guid, &App>,
        places: &Places,
        buildpacks: &HashMap<Guid, String>,
    ) {
        let key = ResourceKey { kind: Kind::Process, guid: process.guid.clone() };
        // The lists are read one after another: an app may have come or gone between.
        let Some(app) = process.relationships.guid().and_then(|app| apps.get(app)) else { return };
        let is_stopped = app.state != "STARTED";
        if is_stopped {
            self.stopped.insert(key.clone(), process.updated_at);
            if app.lifecycle.r#type.as_deref() != Some("docker") {
                return;
            }
        }
        let Some(place) = app.relationships.space.guid().and_then(|space| places.of(space)) else { return };
        let item = Baseline::Process {
            process: process.guid.clone(),
            process_type: Some(process.r#type.as_str().into()),
            app: app.guid.clone(),
            instances: process.instances,
            memory_mib: process.memory_in_mb,
            buildpack: buildpacks.get(&app.guid).map(|name| name.as_str().into()),
        };
        let named = NamedItem { app: Some(app.name.clone()), ..place.named(item) };
        let (created_at, updated_at) = (process.created_at, process.updated_at);
        let of = if is_stopped { &mut self.docker } else { &mut self.running };
        of.insert(key, Row { named, created_at, updated_at, disk_mib: Some(process.disk_in_mb) });
    }

    fn add_task(&mut self, task: &Task, apps: &HashMap<&Guid, &App>, places: &Places) {
        let key = ResourceKey { kind: Kind::Task, guid: task.guid.clone() };
        let Some(app) = task.relationships.guid().and_then(|app| apps.get(app)) else { return };
        let Some(place) = app.relationships.space.guid().and_then(|space| places.of(space)) else { return };
        let item = running_task(task, app.guid.clone());
        let named = NamedItem { app: Some(app.name.clone()), ..place.named(item) };
        let (created_at, updated_at) = (task.created_at, task.updated_at);
        self.running.insert(key, Row { named, created_at, updated_at, disk_mib: None });
    }

    fn add_service(
        &mut self,
        instance: &ServiceInstance,
        plans: &HashMap<&Guid, &ServicePlan>,
        offerings: &HashMap<&Guid, &ServiceOffering>,
        places: &Places,
    ) {
        let key = ResourceKey { kind: Kind::Service, guid: instance.guid.clone() };
        let Some(place) = instance.relationships.space.guid().and_then(|space| places.of(space)) else { return };
        let plan = instance.relationships.service_plan.as_ref().and_then(|plan| plan.guid());
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
        self.running.insert(key, Row { named, created_at, updated_at, disk_mib: None });
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
pub(super) struct Places {
    spaces: HashMap<Guid, Place>,
}

/// A space and its organization, with their names.
#[derive(Clone, Debug)]
pub(super) struct Place {
    location: Location,
    space: String,
    organization: Option<String>,
}

impl Places {
    pub fn add(&mut self, spaces: &[Space], organizations: &[Organization]) {
        let names: HashMap<&Guid, &String> =
            organizations.iter().map(|organization| (&organization.guid, &organization.name)).collect();
        for space in spaces {
            let Some(organization) = space.relationships.organization.guid() else { continue };
            let place = Place {
                location: Location { organization: organization.clone(), space: space.guid.clone() },
                space: space.name.clone(),
                organization: names.get(organization).map(|name| (*name).clone()),
            };
            self.spaces.insert(space.guid.clone(), place);
        }
    }

    pub fn of(&self, space: &Guid) -> Option<&Place> {
        self.spaces.get(space)
    }
}

impl Place {
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
