//! Lists beside the usage events: whole ones, and rows by their guids.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Answer, Client, Dated, endless, found, parse};
use crate::cloud_controller::bounds::Bounds;
use crate::cloud_controller::error::{ApiError, ErrorKind};
use crate::cloud_controller::wire::lists::{
    App, Build, Droplet, Organization, Pagination, Process, RowPage, ServiceInstance, ServiceOffering, ServicePlan,
    Space, Task,
};
use crate::cloud_controller::wire::row::{ListRow, UnreadableRow, decode};
use crate::cloud_controller::wire::stats::ProcessStats;
use crate::domain::{Endpoint, Guid, RowList, Timestamp};

/// Guids in one filter: URLs stay below 4 KB.
pub const GUIDS_PER_REQUEST: usize = 100;

/// Rows of a list with what was included.
#[derive(Debug)]
pub struct Listed<T> {
    pub rows: Vec<T>,
    /// Rows that are there and can't be read, also of what was included.
    pub unreadable: Vec<UnreadableRow>,
    pub spaces: Vec<Space>,
    pub organizations: Vec<Organization>,
    pub service_offerings: Vec<ServiceOffering>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            unreadable: Vec::new(),
            spaces: Vec::new(),
            organizations: Vec::new(),
            service_offerings: Vec::new(),
        }
    }
}

impl Client {
    /// Processes by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn processes(&self, guids: &[Guid]) -> Result<Dated<Listed<Process>>, ApiError> {
        self.by_guid(Endpoint::Processes, guids).await
    }

    /// What Diego runs of a process.
    ///
    /// # Errors
    /// [`ApiError`], of kind [`ErrorKind::NotFound`](crate::cloud_controller::ErrorKind::NotFound) if there is none of that
    /// guid.
    pub async fn process_stats(&self, guid: &Guid) -> Result<ProcessStats, ApiError> {
        let answer = self.get(&format!("{}/{guid}/stats", Endpoint::Processes.path()), &[]).await?;
        parse(&answer.value.0, &answer.value.1)
    }

    /// Processes saved at or after an instant.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn processes_updated_since(&self, since: Timestamp) -> Result<Dated<Listed<Process>>, ApiError> {
        let since = since.to_string();
        self.read(Endpoint::Processes, &[("updated_ats[gte]", &since)]).await
    }

    /// Tasks by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn tasks(&self, guids: &[Guid]) -> Result<Dated<Listed<Task>>, ApiError> {
        self.by_guid(Endpoint::Tasks, guids).await
    }

    /// Service instances by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn service_instances(&self, guids: &[Guid]) -> Result<Dated<Listed<ServiceInstance>>, ApiError> {
        self.by_guid(Endpoint::ServiceInstances, guids).await
    }

    /// Builds of apps, at most [`GUIDS_PER_REQUEST`], created at or after an instant. An app that is gone took its builds
    /// with it.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn builds(&self, apps: &[Guid], since: Timestamp) -> Result<Dated<Listed<Build>>, ApiError> {
        let (apps, since) = (comma_list(apps), since.to_string());
        self.read(Endpoint::Builds, &[("app_guids", &apps), (CREATED_SINCE, &since)]).await
    }

    /// Tasks that use resources now.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn running_tasks(&self) -> Result<Listed<Task>, ApiError> {
        Ok(self.whole(Endpoint::Tasks, &[("states", "RUNNING,CANCELING")]).await?.value)
    }

    /// Apps by guid, at most [`GUIDS_PER_REQUEST`], with their spaces and organizations.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn apps(&self, guids: &[Guid]) -> Result<Listed<App>, ApiError> {
        let guids = comma_list(guids);
        Ok(self.read(Endpoint::Apps, &[("guids", &guids), ("include", "space.organization")]).await?.value)
    }

    /// All processes, running or not.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_processes(&self) -> Result<Listed<Process>, ApiError> {
        Ok(self.whole(Endpoint::Processes, &[]).await?.value)
    }

    /// All apps with their spaces and organizations, and when the list was begun.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_apps(&self) -> Result<Dated<Listed<App>>, ApiError> {
        self.whole(Endpoint::Apps, &[("include", "space.organization")]).await
    }

    /// All service instances.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_service_instances(&self) -> Result<Listed<ServiceInstance>, ApiError> {
        Ok(self.whole(Endpoint::ServiceInstances, &[]).await?.value)
    }

    /// All service plans with their offerings.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_service_plans(&self) -> Result<Listed<ServicePlan>, ApiError> {
        Ok(self.whole(Endpoint::ServicePlans, &[("include", "service_offering")]).await?.value)
    }

    /// All spaces with their organizations.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn all_spaces(&self) -> Result<Listed<Space>, ApiError> {
        Ok(self.whole(Endpoint::Spaces, &[("include", "organization")]).await?.value)
    }

    /// Droplets by guid, at most [`GUIDS_PER_REQUEST`]; those that are gone are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn droplets(&self, guids: &[Guid]) -> Result<Listed<Droplet>, ApiError> {
        Ok(self.by_guid(Endpoint::Droplets, guids).await?.value)
    }

    /// Droplets of apps, at most [`GUIDS_PER_REQUEST`], of which each may be their app's current one.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn staged_droplets(&self, apps: &[Guid]) -> Result<Listed<Droplet>, ApiError> {
        let apps = comma_list(apps);
        Ok(self.read(Endpoint::Droplets, &[("app_guids", &apps), ("states", "STAGED")]).await?.value)
    }

    /// An app's current droplet; `None` if it has none, or it can't be read.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn current_droplet(&self, app: &Guid) -> Result<Option<Droplet>, ApiError> {
        let Some(answer) = found(self.get(&format!("{}/{app}/droplets/current", Endpoint::Apps.path()), &[]).await)?
        else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(answer.value.0.body());
        Ok(decode(&text).ok().and_then(Result::ok))
    }

    /// Organizations by guid, at most [`GUIDS_PER_REQUEST`]; deleted ones are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn organizations(&self, guids: &[Guid]) -> Result<Listed<Organization>, ApiError> {
        Ok(self.by_guid(Endpoint::Organizations, guids).await?.value)
    }

    /// Spaces by guid, at most [`GUIDS_PER_REQUEST`]; deleted ones are missing.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn spaces(&self, guids: &[Guid]) -> Result<Listed<Space>, ApiError> {
        Ok(self.by_guid(Endpoint::Spaces, guids).await?.value)
    }

    async fn by_guid<T: ListRow>(&self, endpoint: Endpoint, guids: &[Guid]) -> Result<Dated<Listed<T>>, ApiError> {
        let guids = comma_list(guids);
        self.read(endpoint, &[("guids", &guids)]).await
    }

    /// A list of everything there is: if more than a few of its rows can't be read, it is the answer that is wrong.
    async fn whole<T: ListRow>(
        &self,
        endpoint: Endpoint,
        query: &[(&str, &str)],
    ) -> Result<Dated<Listed<T>>, ApiError> {
        let listed = self.read(endpoint, query).await?;
        listed.value.refuse_if_unreadable(endpoint)?;
        Ok(listed)
    }

    /// A list to its end, within what this Cloud Controller takes: older ones know fewer filters, and some give fewer rows.
    async fn read<T: ListRow>(&self, endpoint: Endpoint, query: &[(&str, &str)]) -> Result<Dated<Listed<T>>, ApiError> {
        let (path, mut query) = (endpoint.path(), query.to_vec());
        loop {
            let read = match self.most_rows() {
                None => self.read_by_pages(&path, &query).await,
                Some(most) => self.read_by_time(&path, &query, most).await,
            };
            let error = match read {
                Err(error) if error.kind == ErrorKind::Refused => error,
                read => return read,
            };
            if self.learn_limits(&error) {
                continue;
            }
            // Without the filter there is more than was asked for; those who ask take what they need.
            let kept = query.len();
            query.retain(|(key, _)| !key.contains("_ats[") || !refuses_filter(&error, key));
            if query.len() == kept {
                return Err(error);
            }
        }
    }

    /// All pages of a list; dated by its first.
    async fn read_by_pages<T: ListRow>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Dated<Listed<T>>, ApiError> {
        let mut listed = Listed::default();
        let mut date = None;
        // The same for all pages of one list; smaller for the next list after a failure.
        let size = self.inner.list_size.load(Ordering::Relaxed);
        let mut bounds = Bounds::new(self.inner.clock.now());
        for number in 1_u32.. {
            let answer = self.page(path, query, size, number).await?;
            date.get_or_insert(answer.date);
            let (page, answer) = &answer.value;
            listed.add(page, &answer.1)?;
            let goes_on = bounds.goes_on(page.resources.len(), &page.pagination, self.inner.clock.now());
            if !goes_on.map_err(|told| endless(&answer.0, &answer.1, told))? {
                break;
            }
        }
        self.inner.list_size.store(self.doubled(size), Ordering::Relaxed);
        Ok(Dated { value: listed, date: date.unwrap_or_else(|| self.inner.clock.now()) })
    }

    /// A list of which Cloud Controller gives no row beyond the first `most` (`cc.renderer.max_total_results`): its first
    /// page again and again, each of what was made at or after the last row of the page before.
    async fn read_by_time<T: ListRow>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: u32,
    ) -> Result<Dated<Listed<T>>, ApiError> {
        let mut listed = Listed::default();
        let mut seen: HashSet<Guid> = HashSet::new();
        let (mut date, mut since) = (None, None::<String>);
        let mut bounds = Bounds::new(self.inner.clock.now());
        loop {
            let size = self.inner.list_size.load(Ordering::Relaxed).min(most);
            let mut query = query.to_vec();
            query.push(("order_by", "created_at"));
            if let Some(since) = &since {
                query.retain(|(key, _)| *key != CREATED_SINCE);
                query.push((CREATED_SINCE, since));
            }
            let answer = self.page(path, &query, size, 1).await?;
            date.get_or_insert(answer.date);
            let (page, answer) = &answer.value;
            let mut of_page = Listed::default();
            of_page.add(page, &answer.1)?;
            listed.add_new(of_page, &mut seen);
            // Each page is the first of a shorter list: the totals of none are those of all.
            let pagination = Pagination { total_results: None, ..page.pagination.clone() };
            let goes_on = bounds.goes_on(page.resources.len(), &pagination, self.inner.clock.now());
            if !goes_on.map_err(|told| endless(&answer.0, &answer.1, told))? {
                break;
            }
            let last = page.resources.last().and_then(|row| created_at(row.get()));
            if last.is_none() || last == since {
                return Err(ApiError {
                    kind: ErrorKind::Refused,
                    request: answer.1.clone(),
                    detail: format!(
                        "Cloud Controller gives no row beyond the first {most} (cc.renderer.max_total_results), but more than that were \
                         made in one second ({}), so that the list can't be split by time",
                        last.as_deref().unwrap_or("which its rows don't tell")
                    ),
                    request_id: None,
                });
            }
            since = last;
        }
        Ok(Dated { value: listed, date: date.unwrap_or_else(|| self.inner.clock.now()) })
    }

    async fn page(
        &self,
        path: &str,
        query: &[(&str, &str)],
        size: u32,
        number: u32,
    ) -> Result<Dated<(RowPage, Answer)>, ApiError> {
        let (per_page, number) = (size.to_string(), number.to_string());
        let query: Vec<(&str, &str)> =
            query.iter().copied().chain([("per_page", per_page.as_str()), ("page", number.as_str())]).collect();
        let answer = self.get(path, &query).await.inspect_err(|error| {
            if error.wants_smaller_pages() && limit_in(error).is_none() {
                self.inner.list_size.store(self.halved(size, error), Ordering::Relaxed);
            }
        })?;
        let page = parse(&answer.value.0, &answer.value.1)?;
        Ok(Dated { value: (page, answer.value), date: answer.date })
    }

    /// Rows that Cloud Controller gives of one list at most, if it said so.
    #[must_use]
    pub fn most_rows(&self) -> Option<u32> {
        match self.inner.most_rows.load(Ordering::Relaxed) {
            u32::MAX => None,
            most => Some(most),
        }
    }

    /// Takes note of a limit that a refusal tells; whether that is news, so that the same may be asked for within it.
    pub(super) fn learn_limits(&self, error: &ApiError) -> bool {
        let Some(limit) = limit_in(error) else { return false };
        let (Limit::Page(most) | Limit::Rows(most)) = limit;
        if let Limit::Rows(most) = limit {
            self.inner.most_rows.fetch_min(most, Ordering::Relaxed);
            tracing::info!(
                most,
                "Cloud Controller limits the rows of a list (cc.renderer.max_total_results): lists are split by time"
            );
        }
        self.inner.list_size.fetch_min(most, Ordering::Relaxed);
        for size in &self.inner.page_size {
            size.fetch_min(most, Ordering::Relaxed);
        }
        self.inner.largest_page.fetch_min(most, Ordering::Relaxed) > most
    }
}

const CREATED_SINCE: &str = "created_ats[gte]";

/// A limit of Cloud Controller's, and the most that it allows.
#[derive(Clone, Copy)]
enum Limit {
    /// Rows of a page: `Per page must be between 1 and N`.
    Page(u32),
    /// Rows of a list, counted from its first: `Maximum result (page * per_page) must be less than N`.
    Rows(u32),
}

fn limit_in(error: &ApiError) -> Option<Limit> {
    let number = |after: &str| -> Option<u32> {
        let (_, rest) = error.detail.split_once(after)?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    if error.kind != ErrorKind::Refused {
        return None;
    }
    let rows = number("Maximum result (page * per_page) must be less than ").map(|limit| Limit::Rows(limit - 1));
    let limit = rows.or_else(|| number("Per page must be between 1 and ").map(Limit::Page));
    limit.filter(|limit| matches!(limit, Limit::Page(1..) | Limit::Rows(1..)))
}

/// Whether a refusal is for a filter that this Cloud Controller doesn't know.
pub(super) fn refuses_filter(error: &ApiError, key: &str) -> bool {
    let name = key.split('[').next().unwrap_or(key);
    let unknown = error.detail.split_once("Unknown query parameter").map(|(_, rest)| rest);
    let unknown = unknown.map(|rest| rest.split_once("Valid parameters").map_or(rest, |(unknown, _)| unknown));
    error.kind == ErrorKind::Refused && unknown.is_some_and(|unknown| unknown.contains(name))
}

fn created_at(row: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Made {
        created_at: Option<String>,
    }
    serde_json::from_str::<Made>(row).ok()?.created_at
}

impl<T: ListRow> Listed<T> {
    fn add(&mut self, page: &RowPage, request: &str) -> Result<(), ApiError> {
        fn decode_all<T: ListRow>(
            rows: &[Box<RawValue>],
            unreadable: &mut Vec<UnreadableRow>,
            request: &str,
        ) -> Result<Vec<T>, ApiError> {
            let mut read = Vec::with_capacity(rows.len());
            for (number, raw) in (1..).zip(rows) {
                match decode(raw.get()) {
                    Ok(Ok(row)) => read.push(row),
                    Ok(Err(row)) => unreadable.push(row),
                    Err(reason) => return Err(unusable(request, T::LIST, number, &reason)),
                }
            }
            Ok(read)
        }
        self.rows.extend(decode_all(&page.resources, &mut self.unreadable, request)?);
        let beside = &mut self.unreadable;
        self.spaces.extend(decode_all(&page.included.spaces, beside, request)?);
        self.organizations.extend(decode_all(&page.included.organizations, beside, request)?);
        self.service_offerings.extend(decode_all(&page.included.service_offerings, beside, request)?);
        Ok(())
    }

    /// Takes those rows of a page that weren't on an earlier one.
    fn add_new(&mut self, page: Self, seen: &mut HashSet<Guid>) {
        let Self { rows, unreadable, spaces, organizations, service_offerings } = page;
        let new: HashSet<Guid> =
            rows.iter().map(|row| row.guid().clone()).filter(|guid| !seen.contains(guid)).collect();
        self.rows.extend(rows.into_iter().filter(|row| new.contains(row.guid())));
        self.unreadable.extend(unreadable.into_iter().filter(|row| row.list != T::LIST || !seen.contains(&row.guid)));
        seen.extend(self.unreadable.iter().filter(|row| row.list == T::LIST).map(|row| row.guid.clone()));
        seen.extend(new);
        self.spaces.extend(spaces);
        self.organizations.extend(organizations);
        self.service_offerings.extend(service_offerings);
    }

    /// Whether no row is there, readable or not.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.unreadable.iter().any(|row| row.list == T::LIST)
    }

    /// Whether a row of that guid is there, readable or not.
    #[must_use]
    pub fn has(&self, guid: &Guid) -> bool {
        self.rows.iter().any(|row| row.guid() == guid) || self.is_unreadable(guid)
    }

    /// Whether the row of that guid is there and can't be read.
    #[must_use]
    pub fn is_unreadable(&self, guid: &Guid) -> bool {
        self.unreadable.iter().any(|row| row.list == T::LIST && row.guid == *guid)
    }

    /// One odd row is an oddity of that row. More of them, and more than one in a hundred, say that the answer as a whole
    /// isn't what we take it for.
    fn refuse_if_unreadable(&self, endpoint: Endpoint) -> Result<(), ApiError> {
        let of_list: Vec<&UnreadableRow> = self.unreadable.iter().filter(|row| row.list == T::LIST).collect();
        let (unreadable, all) = (of_list.len(), of_list.len() + self.rows.len());
        let [first, ..] = of_list[..] else { return Ok(()) };
        if unreadable <= UNREADABLE_ROWS_AT_LEAST || unreadable * 100 <= all {
            return Ok(());
        }
        Err(ApiError {
            kind: ErrorKind::InvalidBody,
            request: format!("GET {}", endpoint.path()),
            detail: format!(
                "{unreadable} of {all} rows can't be read, more than one in a hundred; the first is {}: {}",
                first.guid, first.reason
            ),
            request_id: None,
        })
    }
}

/// So many rows of a whole list may be unreadable however short it is.
const UNREADABLE_ROWS_AT_LEAST: usize = 1;

/// A row of which nothing can be said makes its list unusable: what it was about would count as gone.
fn unusable(request: &str, list: RowList, number: usize, reason: &str) -> ApiError {
    ApiError {
        kind: ErrorKind::InvalidBody,
        request: request.to_owned(),
        detail: format!("row {number} of the page's {} can't be identified: {reason}", list.name()),
        request_id: None,
    }
}

fn comma_list(guids: &[Guid]) -> String {
    guids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
