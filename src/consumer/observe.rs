//! What no event tells: disk of processes and tasks, types of reseeded processes, sizes of builds, failed creations, names
//! of organizations.
//! Asks in batches, after what is new is committed; a failure here holds nothing up.

use std::collections::{BTreeMap, HashMap};

use super::collector::{CollectError, Collector};
use super::page::NewInput;
use crate::cloud_controller::{Build, Dated, GUIDS_PER_REQUEST, Listed, Process, Task, UnreadableRow};
use crate::domain::{
    BuildObservation, DiskObservation, DiskSource, FailedCreate, Guid, Kind, MemorySource, Place, ResourceKey, RowList,
    Timestamp,
};
use crate::fold::{Depth, Input, Resource, SAME_SAVE_SECONDS};
use crate::store::{LabelRows, NameOf, Names, Owner, Told};

/// How far two looks overlap, in seconds: a row saved while the first was answered is seen by the second.
const OVERLAP_SECONDS: i64 = 300;
/// Resources observed in one transaction.
const BATCH: usize = 1000;

/// What was observed, on its way into the archive.
#[derive(Default)]
struct Observed {
    disks: Vec<DiskObservation>,
    builds: Vec<BuildObservation>,
    failed: Vec<FailedCreate>,
    /// Processes, tasks and stagings of which nothing more can be read.
    gone: Vec<ResourceKey>,
    names: Names,
    known_until: Option<Timestamp>,
    observed_until: Option<Timestamp>,
}

impl Observed {
    /// How many observations it has.
    const fn size(&self) -> usize {
        self.disks.len() + self.builds.len() + self.failed.len()
    }
}

/// Labels and annotations are read anew after this long: prices and who pays go by them.
const LABELLED_EVERY_SECONDS: i64 = 3600;
/// Organizations' names are read anew after this long.
const NAMED_EVERY_SECONDS: i64 = 86_400;

impl Collector {
    /// Processes changed since the last look, when one is due. Asked before the streams are read, so that what is
    /// read then tells of everything the rows have seen.
    pub(super) async fn look(&self) -> Result<Option<Dated<Listed<Process>>>, CollectError> {
        // What the baseline holds is observed by itself.
        let Some(last) = self.head.observed_until.or(self.head.current_settings().billing_epoch) else {
            return Ok(None);
        };
        if self.measured().seconds_since(last).abs() < self.plan.observe_interval_seconds {
            return Ok(None);
        }
        let since = last.plus(-OVERLAP_SECONDS);
        let changed = self.ask(self.client.processes_updated_since(since)).await;
        self.tolerate("which processes were changed", changed)
    }

    /// Commits until when everything is known, the disk of `changed` and of whatever is yet to be observed, and names.
    /// `read_until`: the app stream is read as far as this.
    pub(super) async fn observe(
        &mut self,
        changed: Option<Dated<Listed<Process>>>,
        read_until: Timestamp,
        known_until: Timestamp,
    ) -> Result<(), CollectError> {
        let names = self.organization_names().await?;
        self.labels().await?;
        self.put(Observed { names, known_until: Some(known_until), ..Observed::default() }).await?;
        if let Some(changed) = changed {
            self.note_unreadable(&changed.value.unreadable, changed.date, false).await?;
            for rows in changed.value.rows.chunks(BATCH) {
                let observed = self.changes(rows, changed.date).await?;
                self.put(observed).await?;
            }
            // Only now: what isn't committed is looked for again.
            let until = Some(changed.date.min(self.clock.now()));
            self.put(Observed { observed_until: until, ..Observed::default() }).await?;
        }
        let mut unreadable = Vec::new();
        while let Some(observed) = self.flagged(read_until, &mut unreadable).await? {
            self.put(observed).await?;
        }
        self.note_unreadable(&unreadable, self.client.last_date(), false).await
    }

    /// Commits what was observed, if there is anything new in it.
    async fn put(&mut self, observed: Observed) -> Result<(), CollectError> {
        let mut page = self.page();
        page.known_until = page.known_until.max(observed.known_until);
        page.observed_until = page.observed_until.max(observed.observed_until);
        let moved = page.known_until != self.head.known_until || page.observed_until != self.head.observed_until;
        if !moved && observed.names.names.is_empty() && observed.size() == 0 && observed.gone.is_empty() {
            return Ok(());
        }
        self.caught.observations += observed.size();
        self.reporter.metrics.observations(observed.size());
        // It tells of everything that is read.
        let place = Place::at(self.head.app.last_ordinal);
        let input = |observation| NewInput::own(place.clone(), Input::Disk(observation));
        page.inputs = observed.disks.into_iter().map(input).collect();
        let input = |observation| NewInput::own(place.clone(), Input::Build(observation));
        page.inputs.extend(observed.builds.into_iter().map(input));
        let place = Place::at(self.head.service.last_ordinal);
        let input = |failed| NewInput::own(place.clone(), Input::CreateFailed(failed));
        page.inputs.extend(observed.failed.into_iter().map(input));
        page.unobservable = observed.gone;
        page.names = observed.names;
        self.commit(None, page).await?;
        Ok(())
    }

    /// What rows tell that isn't known of processes that run.
    async fn changes(&self, rows: &[Process], observed_at: Timestamp) -> Result<Observed, CollectError> {
        let wanted: HashMap<ResourceKey, Depth> = rows.iter().map(|row| (process(&row.guid), Depth::State)).collect();
        let tracked: HashMap<ResourceKey, Resource> = (self.store.load(&self.head, &wanted).await?.into_iter())
            .map(|loaded| (loaded.resource.key.clone(), loaded.resource))
            .collect();
        let told = |row: &&Process| {
            let Some(resource) = tracked.get(&process(&row.guid)) else { return false };
            resource.run.as_ref().is_some_and(|run| {
                let footprint = &run.piece.footprint;
                let vouches = row.updated_at <= run.piece.started_at.plus(SAME_SAVE_SECONDS);
                let tells = footprint.disk_mib != row.disk_in_mb
                    || resource.process_type.is_none()
                    || footprint.disk_source == DiskSource::Default
                    || (footprint.disk_source == DiskSource::Assumed && vouches);
                // What began after the row was read is another save's.
                tells && run.piece.started_at <= observed_at
            })
        };
        let of_row = |row: &Process| untyped(of_process(row, observed_at), tracked.get(&process(&row.guid)));
        let disks = rows.iter().filter(told).map(of_row).collect();
        Ok(Observed { disks, ..Observed::default() })
    }

    /// Observations without the types that are known.
    async fn without_known_types(&self, disks: Vec<DiskObservation>) -> Result<Vec<DiskObservation>, CollectError> {
        let wanted = disks.iter().map(|observation| (observation.resource.clone(), Depth::State)).collect();
        let tracked: HashMap<ResourceKey, Resource> = (self.store.load(&self.head, &wanted).await?.into_iter())
            .map(|loaded| (loaded.resource.key.clone(), loaded.resource))
            .collect();
        let strip = |observation: DiskObservation| {
            let resource = tracked.get(&observation.resource);
            untyped(observation, resource)
        };
        Ok(disks.into_iter().map(strip).collect())
    }

    /// A batch of what is yet to be observed; `None` if there is none, or none can be observed now. A row saved after
    /// the events that are read waits for the events of that save.
    /// A row that can't be read is asked for again.
    async fn flagged(
        &self,
        read_until: Timestamp,
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Result<Option<Observed>, CollectError> {
        let flagged = self.store.to_observe(&self.head, BATCH).await?;
        let of = |kind: Kind| -> Vec<Guid> {
            flagged.iter().filter(|key| key.kind == kind).map(|key| key.guid.clone()).collect()
        };
        let mut observed = Observed::default();
        for kind in [Kind::Process, Kind::Task] {
            for guids in of(kind).chunks(GUIDS_PER_REQUEST) {
                let Some((date, found, unread)) = self.rows(kind, guids).await? else { return Ok(None) };
                let ready = found.iter().filter(|row| row.updated_at <= read_until);
                observed.disks.extend(ready.map(|row| DiskObservation { observed_at: date, ..row.clone() }));
                let is_there = |guid: &Guid| {
                    found.iter().any(|row| row.resource.guid == *guid) || unread.iter().any(|row| row.guid == *guid)
                };
                let missing = guids.iter().filter(|guid| !is_there(guid));
                observed.gone.extend(missing.map(|guid| ResourceKey { kind, guid: guid.clone() }));
                unreadable.extend(unread);
            }
        }
        for apps in of(Kind::Staging).chunks(GUIDS_PER_REQUEST) {
            if !self.builds(apps, &mut observed, unreadable).await? {
                return Ok(None);
            }
        }
        for guids in of(Kind::Service).chunks(GUIDS_PER_REQUEST) {
            if !self.creations(guids, &mut observed, unreadable).await? {
                return Ok(None);
            }
        }
        observed.disks = self.without_known_types(std::mem::take(&mut observed.disks)).await?;
        let nothing = observed.size() == 0 && observed.gone.is_empty();
        Ok((!nothing).then_some(observed))
    }

    /// Adds those service instances whose creation failed; what is still being made is asked for again. False if they
    /// can't be read now.
    async fn creations(
        &self,
        guids: &[Guid],
        observed: &mut Observed,
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Result<bool, CollectError> {
        let rows = self.tolerate("service instances", self.ask(self.client.service_instances(guids)).await)?;
        let Some(rows) = rows else { return Ok(false) };
        for guid in guids.iter().filter(|guid| !rows.value.is_unreadable(guid)) {
            match rows.value.rows.iter().find(|row| row.guid == *guid) {
                Some(row) if row.is_being_made() => {}
                Some(row) if row.was_never_made() => {
                    observed.failed.push(FailedCreate { service_instance: guid.clone(), observed_at: rows.date });
                }
                _ => observed.gone.push(ResourceKey { kind: Kind::Service, guid: guid.clone() }),
            }
        }
        unreadable.extend(rows.value.unreadable);
        Ok(true)
    }

    /// Adds the builds of those stagings of `apps` that have not been observed; false if they can't be read now.
    async fn builds(
        &self,
        apps: &[Guid],
        observed: &mut Observed,
        unreadable: &mut Vec<UnreadableRow>,
    ) -> Result<bool, CollectError> {
        let wanted = apps.iter().map(|app| (staging(app), Depth::Entries)).collect();
        let mut begun: HashMap<Guid, Vec<Timestamp>> = HashMap::new();
        for loaded in self.store.load(&self.head, &wanted).await? {
            let ended = loaded.entries.iter().map(|entry| (&entry.interval.footprint, entry.interval.started_at));
            let open = loaded.resource.run.iter().map(|run| (&run.piece.footprint, run.piece.started_at));
            let unread = ended.chain(open).filter(|(footprint, _)| footprint.memory_source == MemorySource::Event);
            let starts = unread.map(|(_, started_at)| started_at).collect();
            begun.insert(loaded.resource.key.guid.clone(), starts);
        }
        let Some(first) = begun.values().flatten().min() else {
            observed.gone.extend(apps.iter().map(staging));
            return Ok(true);
        };
        let since = first.plus(-SAME_SAVE_SECONDS);
        let rows = self.tolerate("builds", self.ask(self.client.builds(apps, since)).await)?;
        let Some(rows) = rows else { return Ok(false) };
        for app in apps {
            let starts = begun.get(app).map(Vec::as_slice).unwrap_or_default();
            let of_app = rows.value.rows.iter().filter(|build| build.relationships.guid() == Some(app));
            let meant = of_app.filter(|build| {
                let near = |at: &Timestamp| at.seconds_since(build.created_at).abs() <= SAME_SAVE_SECONDS;
                starts.iter().any(near)
            });
            let before = observed.builds.len();
            observed.builds.extend(meant.filter_map(|build| of_build(build, app, rows.date)));
            // One that can't be read may be this app's: then it is asked for again.
            if observed.builds.len() == before && rows.value.unreadable.is_empty() {
                observed.gone.push(staging(app));
            }
        }
        unreadable.extend(rows.value.unreadable);
        Ok(true)
    }

    /// The disk of those of `guids` that are there; `None` if it can't be read now.
    async fn rows(
        &self,
        kind: Kind,
        guids: &[Guid],
    ) -> Result<Option<(Timestamp, Vec<DiskObservation>, Vec<UnreadableRow>)>, CollectError> {
        if kind == Kind::Task {
            let tasks = self.tolerate("tasks", self.ask(self.client.tasks(guids)).await)?;
            // A task's disk never changes; its row is saved again when it ends.
            return Ok(tasks.map(|tasks| {
                let of_task = |task: &Task| DiskObservation {
                    resource: ResourceKey { kind, guid: task.guid.clone() },
                    disk_mib: task.disk_in_mb,
                    observed_at: tasks.date,
                    updated_at: task.created_at,
                    process_type: None,
                };
                (tasks.date, tasks.value.rows.iter().map(of_task).collect(), tasks.value.unreadable)
            }));
        }
        let processes = self.tolerate("processes", self.ask(self.client.processes(guids)).await)?;
        Ok(processes.map(|rows| {
            let disks = rows.value.rows.iter().map(|row| of_process(row, rows.date)).collect();
            (rows.date, disks, rows.value.unreadable)
        }))
    }

    /// Names of organizations that have none yet, and once a day of all, for they may be renamed: no event tells them.
    async fn organization_names(&mut self) -> Result<Names, CollectError> {
        let now = self.clock.now();
        // The baseline has just named them.
        let named_at = *self.named_at.get_or_insert(now);
        let all = now.seconds_since(named_at) >= NAMED_EVERY_SECONDS;
        if all {
            self.named_at = Some(now);
        }
        let mut unnamed = self.store.organizations(&self.head, all).await?;
        unnamed.retain(|guid| !self.gone_organizations.contains(guid));
        let mut names = Names::default();
        for guids in unnamed.chunks(GUIDS_PER_REQUEST) {
            let found = self.tolerate("organizations", self.ask(self.client.organizations(guids)).await)?;
            let Some(found) = found else { break };
            self.gone_organizations.extend(guids.iter().filter(|guid| !found.has(guid)).cloned());
            for organization in found.rows {
                let told = Told::beside(self.client.last_date());
                names.note(NameOf::Organization(organization.guid), organization.name, told);
            }
        }
        Ok(names)
    }

    /// Keeps labels and annotations of organizations and spaces as they are now, once an hour: no event tells them.
    async fn labels(&mut self) -> Result<(), CollectError> {
        let now = self.clock.now();
        if self.labelled_at.is_some_and(|at| now.seconds_since(at) < LABELLED_EVERY_SECONDS) {
            return Ok(());
        }
        let Some(spaces) = self.tolerate("labels", self.ask(self.client.all_spaces()).await)? else { return Ok(()) };
        let mut labels = LabelRows::new();
        let mut keep = |owner, guid: &Guid, values: &BTreeMap<String, Option<String>>| {
            if !values.is_empty() {
                let values = values.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default()));
                labels.insert((owner, guid.clone()), values.collect());
            }
        };
        for space in &spaces.rows {
            keep(Owner::Space, &space.guid, &space.metadata.labels);
            keep(Owner::SpaceAnnotation, &space.guid, &space.metadata.annotations);
        }
        for organization in &spaces.organizations {
            keep(Owner::Organization, &organization.guid, &organization.metadata.labels);
            keep(Owner::OrganizationAnnotation, &organization.guid, &organization.metadata.annotations);
        }
        if !spaces.unreadable.is_empty() {
            // What can't be read keeps the labels it had.
            let of = |owner| match owner {
                Owner::Space | Owner::SpaceAnnotation => RowList::Spaces,
                Owner::Organization | Owner::OrganizationAnnotation => RowList::Organizations,
            };
            let hidden =
                |owner, guid: &Guid| spaces.unreadable.iter().any(|row| row.list == of(owner) && row.guid == *guid);
            let before = self.store.labels(&self.head).await?;
            labels.extend(before.into_iter().filter(|((owner, guid), _)| hidden(*owner, guid)));
        }
        if self.labels.as_ref() != Some(&labels) {
            self.store.put_labels(&self.head, &labels).await?;
            self.labels = Some(labels);
        }
        self.labelled_at = Some(now);
        Ok(())
    }

    /// A refused or failed question about something beside the stream is asked again in the next cycle.
    pub(super) fn tolerate<T>(&self, of: &str, answer: Result<T, CollectError>) -> Result<Option<T>, CollectError> {
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(CollectError::Api(error)) => {
                tracing::warn!(foundation = %self.head.name, "can't read {of} now: {error}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

fn process(guid: &Guid) -> ResourceKey {
    ResourceKey { kind: Kind::Process, guid: guid.clone() }
}

fn staging(app: &Guid) -> ResourceKey {
    ResourceKey { kind: Kind::Staging, guid: app.clone() }
}

fn of_build(build: &Build, app: &Guid, observed_at: Timestamp) -> Option<BuildObservation> {
    Some(BuildObservation {
        build: build.guid.clone(),
        app: app.clone(),
        memory_mib: build.staging_memory_in_mb?,
        disk_mib: build.staging_disk_in_mb?,
        created_at: build.created_at,
        observed_at,
    })
}

/// An observation that tells a type only if none is known.
fn untyped(observation: DiskObservation, resource: Option<&Resource>) -> DiskObservation {
    let known = resource.is_some_and(|resource| resource.process_type.is_some());
    let process_type = observation.process_type.filter(|_| !known);
    DiskObservation { process_type, ..observation }
}

fn of_process(row: &Process, observed_at: Timestamp) -> DiskObservation {
    DiskObservation {
        resource: process(&row.guid),
        disk_mib: row.disk_in_mb,
        observed_at,
        updated_at: row.updated_at,
        process_type: Some(row.r#type.as_str().into()),
    }
}
