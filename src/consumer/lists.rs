//! The lists of the API, read to the end: what there is and runs, with its buildpacks.
//! Owns what is asked for; what a row means is `inventory`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::collector::{CollectError, Collector};
use super::inventory::{Hidden, Inventory, NamedSpaces, Told};
use crate::cloud_controller::{
    ApiError, App, Droplet, ErrorKind, GUIDS_PER_REQUEST, OfApp, ServiceOffering, ServicePlan, UnreadableRow,
};
use crate::domain::Guid;

/// Current droplets that are asked for one by one, at most, at one look.
const DROPLETS_ASKED_FOR: usize = 200;

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
        let mut unreadable = apps.value.unreadable;
        unreadable.extend(processes.unreadable);
        unreadable.extend(tasks.unreadable);
        unreadable.extend(instances.unreadable);
        unreadable.extend(plans.unreadable);
        unreadable.extend(spaces.unreadable);
        let buildpacks = self.buildpacks(&apps.value.rows, &mut unreadable).await?;

        let mut places = NamedSpaces::default();
        places.add(&apps.value.spaces, &apps.value.organizations);
        places.add(&spaces.rows, &spaces.organizations);
        let offerings: HashMap<&Guid, &ServiceOffering> =
            plans.service_offerings.iter().map(|offering| (&offering.guid, offering)).collect();
        let plans: HashMap<&Guid, &ServicePlan> = plans.rows.iter().map(|plan| (&plan.guid, plan)).collect();
        let apps: HashMap<&Guid, &App> = apps.value.rows.iter().map(|app| (&app.guid, app)).collect();

        let mut inventory = Inventory {
            running: BTreeMap::new(),
            stopped: BTreeMap::new(),
            docker: BTreeMap::new(),
            unsure: BTreeSet::new(),
            failed: Vec::new(),
            unreadable,
            unclear: BTreeSet::new(),
            begun_at,
            ended_at,
        };
        inventory.tidy();
        let hidden = Hidden::of(&inventory.unreadable);
        inventory.unclear.extend(hidden.resources());
        for process in &processes.rows {
            inventory.add_process(process, &apps, &places, &buildpacks, &hidden);
        }
        for task in &tasks.rows {
            inventory.add_task(task, &apps, &places, &hidden);
        }
        for instance in &instances.rows {
            if instance.was_never_made() {
                inventory.failed.push(instance.guid.clone());
            } else {
                inventory.add_service(instance, &plans, &offerings, &places, &hidden);
            }
        }
        Ok(inventory)
    }

    /// The buildpack of each started app: that of its current droplet, as usage snapshots tell it. Where that can't be read:
    /// what the app asks for, the first custom URL or the last name.
    async fn buildpacks(
        &self,
        apps: &[App],
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Result<HashMap<Guid, Told>, CollectError> {
        let mut of: HashMap<Guid, Told> = HashMap::new();
        let mut by_droplet: HashMap<Guid, Guid> = HashMap::new();
        let mut untold: Vec<Guid> = Vec::new();
        for app in apps.iter().filter(|app| app.state == "STARTED") {
            let asked = asked_buildpack(app).map(|name| Told { name: name.to_owned(), assumed: true });
            of.extend(asked.map(|told| (app.guid.clone(), told)));
            match &app.relationships.current_droplet {
                Some(droplet) => by_droplet.extend(droplet.guid().map(|droplet| (droplet.clone(), app.guid.clone()))),
                None => untold.push(app.guid.clone()),
            }
        }
        let mut droplets: Vec<Guid> = by_droplet.keys().cloned().collect();
        droplets.sort();
        for guids in droplets.chunks(GUIDS_PER_REQUEST) {
            let Some(found) = self.unless_refused(self.client.droplets(guids)).await? else { return Ok(of) };
            unreadable.extend(found.unreadable);
            for droplet in found.rows {
                if let (Some(app), Some(buildpack)) = (by_droplet.get(&droplet.guid), droplet.buildpack()) {
                    of.insert(app.clone(), Told { name: buildpack.to_owned(), assumed: false });
                }
            }
        }
        self.untold_buildpacks(&untold, &mut of, unreadable).await?;
        Ok(of)
    }

    /// The same of apps whose rows don't name a current droplet. The only one that is staged is the current one; of several
    /// it is asked for by itself, as long as they are few, and is taken to be the newest beyond that.
    async fn untold_buildpacks(
        &self,
        apps: &[Guid],
        of: &mut HashMap<Guid, Told>,
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Result<(), CollectError> {
        let mut asked = 0;
        for guids in apps.chunks(GUIDS_PER_REQUEST) {
            let Some(found) = self.unless_refused(self.client.staged_droplets(guids)).await? else { return Ok(()) };
            unreadable.extend(found.unreadable);
            for app in guids {
                let own = |droplet: &&Droplet| droplet.relationships.as_ref().and_then(OfApp::guid) == Some(app);
                let mut staged: Vec<&Droplet> = found.rows.iter().filter(own).collect();
                staged.sort_by_key(|droplet| droplet.created_at);
                let newest = staged.last().and_then(|droplet| droplet.buildpack()).map(str::to_owned);
                let newest = newest.map(|name| Told { name, assumed: staged.len() > 1 });
                let current = if staged.len() > 1 && asked < DROPLETS_ASKED_FOR {
                    asked += 1;
                    let current = self.unless_refused(self.client.current_droplet(app)).await?.flatten();
                    let current = current.as_ref().and_then(Droplet::buildpack);
                    current.map(|name| Told { name: name.to_owned(), assumed: false }).or(newest)
                } else {
                    newest
                };
                of.extend(current.map(|told| (app.clone(), told)));
            }
        }
        Ok(())
    }

    /// An answer; `None` where Cloud Controller itself says that this client may not have it, or that there is no such list.
    async fn unless_refused<T>(
        &self,
        answer: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<Option<T>, CollectError> {
        match self.ask(answer).await {
            Err(CollectError::Api(error)) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::NoRoute) => {
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }
}

/// The buildpack that an app asks for: the first custom URL, which is what its events name, else the last name.
fn asked_buildpack(app: &App) -> Option<&str> {
    let asked = &app.lifecycle.data.buildpacks;
    let custom = asked.iter().find(|name| name.contains("://"));
    custom.or(asked.last()).map(String::as_str).filter(|name| !name.is_empty())
}
