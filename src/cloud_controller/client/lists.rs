//! Lists beside the usage events: whole ones, and rows by their guids.

use std::sync::atomic::Ordering;

use serde::de::DeserializeOwned;

use super::{Client, Dated, endless, parse};
use crate::cloud_controller::bounds::Bounds;
use crate::cloud_controller::error::ApiError;
use crate::cloud_controller::wire::lists::{
    App, Build, Droplet, Organization, Page, Process, ServiceInstance, ServiceOffering, ServicePlan, Space, Task,
};
use crate::cloud_controller::wire::stats::ProcessStats;
use crate::domain::{Guid, Timestamp};

/// Guids in one filter: URLs stay below 4 KB.
pub const GUIDS_PER_REQUEST: usize = 100;

/// Rows of a list with what was included.
#[derive(Debug)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    pub spaces: Vec<Space>,
    pub organizations: Vec<Organization>,
    pub service_offerings: Vec<ServiceOffering>,
}

impl Client {
    /// Processes by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn processes(&self, guids: &[Guid]) -> Result<Dated<Vec<Process>>, ApiError> {
        self.by_guid("/v3/processes", guids).await
    }

    /// What Diego runs of a process.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NotFound`](crate::cloud_controller::ErrorKind::NotFound) if there is none of that
    /// guid.
    pub async fn process_stats(&self, guid: &Guid) -> Result<ProcessStats, ApiError> {
        let answer = self.get(&format!("/v3/processes/{guid}/stats"), &[]).await?;
        parse(&answer.value.0, &answer.value.1)
    }

    /// Processes saved at or after an instant.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn processes_updated_since(&self, since: Timestamp) -> Result<Dated<Vec<Process>>, ApiError> {
        let since = since.to_string();
        let listed = self.list_dated("/v3/processes", &[("updated_ats[gte]", &since)]).await?;
        Ok(Dated { value: listed.value.rows, date: listed.date })
    }

    /// Tasks by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn tasks(&self, guids: &[Guid]) -> Result<Dated<Vec<Task>>, ApiError> {
        self.by_guid("/v3/tasks", guids).await
    }

    /// Service instances by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn service_instances(&self, guids: &[Guid]) -> Result<Dated<Vec<ServiceInstance>>, ApiError> {
        self.by_guid("/v3/service_instances", guids).await
    }

    /// Builds of apps, at most [`GUIDS_PER_REQUEST`], created at or after an instant. An app that is gone took its builds
    /// with it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn builds(&self, apps: &[Guid], since: Timestamp) -> Result<Dated<Vec<Build>>, ApiError> {
        let (apps, since) = (comma_list(apps), since.to_string());
        let listed = self.list_dated("/v3/builds", &[("app_guids", &apps), ("created_ats[gte]", &since)]).await?;
        Ok(Dated { value: listed.value.rows, date: listed.date })
    }

    /// Tasks that use resources now.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn running_tasks(&self) -> Result<Vec<Task>, ApiError> {
        Ok(self.list("/v3/tasks", &[("states", "RUNNING,CANCELING")]).await?.rows)
    }

    /// Apps by guid, at most [`GUIDS_PER_REQUEST`], with their spaces and organizations.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn apps(&self, guids: &[Guid]) -> Result<Listed<App>, ApiError> {
        let guids = comma_list(guids);
        self.list("/v3/apps", &[("guids", &guids), ("include", "space.organization")]).await
    }

    /// All processes, running or not.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_processes(&self) -> Result<Vec<Process>, ApiError> {
        Ok(self.list("/v3/processes", &[]).await?.rows)
    }

    /// All apps with their spaces and organizations, and when the list was begun.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_apps(&self) -> Result<Dated<Listed<App>>, ApiError> {
        self.list_dated("/v3/apps", &[("include", "space.organization")]).await
    }

    /// All service instances.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_service_instances(&self) -> Result<Vec<ServiceInstance>, ApiError> {
        Ok(self.list("/v3/service_instances", &[]).await?.rows)
    }

    /// All service plans with their offerings.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_service_plans(&self) -> Result<Listed<ServicePlan>, ApiError> {
        self.list("/v3/service_plans", &[("include", "service_offering")]).await
    }

    /// All spaces with their organizations.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_spaces(&self) -> Result<Listed<Space>, ApiError> {
        self.list("/v3/spaces", &[("include", "organization")]).await
    }

    /// Droplets by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn droplets(&self, guids: &[Guid]) -> Result<Vec<Droplet>, ApiError> {
        Ok(self.by_guid("/v3/droplets", guids).await?.value)
    }

    /// Organizations by guid, at most [`GUIDS_PER_REQUEST`]; deleted ones are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn organizations(&self, guids: &[Guid]) -> Result<Vec<Organization>, ApiError> {
        Ok(self.by_guid("/v3/organizations", guids).await?.value)
    }

    /// Spaces by guid, at most [`GUIDS_PER_REQUEST`]; deleted ones are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn spaces(&self, guids: &[Guid]) -> Result<Vec<Space>, ApiError> {
        Ok(self.by_guid("/v3/spaces", guids).await?.value)
    }

    async fn by_guid<T: DeserializeOwned>(&self, path: &str, guids: &[Guid]) -> Result<Dated<Vec<T>>, ApiError> {
        let guids = comma_list(guids);
        let listed = self.list_dated(path, &[("guids", &guids)]).await?;
        Ok(Dated { value: listed.value.rows, date: listed.date })
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Listed<T>, ApiError> {
        Ok(self.list_dated(path, query).await?.value)
    }

    /// All pages of a list; dated by its first.
    async fn list_dated<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Dated<Listed<T>>, ApiError> {
        let mut listed =
            Listed { rows: Vec::new(), spaces: Vec::new(), organizations: Vec::new(), service_offerings: Vec::new() };
        let mut date = None;
        // The same for all pages of one list; smaller for the next list after a failure.
        let size = self.inner.list_size.load(Ordering::Relaxed);
        let per_page = size.to_string();
        let mut bounds = Bounds::new(self.inner.clock.now());
        for number in 1_u32.. {
            let number = number.to_string();
            let query: Vec<(&str, &str)> =
                query.iter().copied().chain([("per_page", per_page.as_str()), ("page", number.as_str())]).collect();
            let answer = self.get(path, &query).await.inspect_err(|error| {
                if error.wants_smaller_pages() {
                    self.inner.list_size.store(self.halved(size, error), Ordering::Relaxed);
                }
            })?;
            let page: Page<T> = parse(&answer.value.0, &answer.value.1)?;
            date.get_or_insert(answer.date);
            let goes_on = bounds.goes_on(page.resources.len(), &page.pagination, self.inner.clock.now());
            let goes_on = goes_on.map_err(|told| endless(&answer.value.0, &answer.value.1, told))?;
            listed.rows.extend(page.resources);
            listed.spaces.extend(page.included.spaces);
            listed.organizations.extend(page.included.organizations);
            listed.service_offerings.extend(page.included.service_offerings);
            if !goes_on {
                break;
            }
        }
        self.inner.list_size.store(self.doubled(size), Ordering::Relaxed);
        Ok(Dated { value: listed, date: date.unwrap_or_else(|| self.inner.clock.now()) })
    }
}

fn comma_list(guids: &[Guid]) -> String {
    guids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
