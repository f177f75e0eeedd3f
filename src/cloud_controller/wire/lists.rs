//! List pages and the rows of lists that are read beside the usage events.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::row::{ListRow, or_default};
use crate::domain::{Guid, RowList, Timestamp};

/// Rows of one page at most: twice what is ever asked for. Empty rows take a hundred times the memory of what was sent.
const MOST_ROWS: usize = 10_000;

/// The rows of a page, read no further than a page can go.
fn rows<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_seq(Rows(PhantomData))
}

struct Rows<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Rows<T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = sequence.next_element()? {
            if rows.len() == MOST_ROWS {
                return Err(A::Error::custom(format_args!("the page has more than {MOST_ROWS} rows")));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// One page of any list, its resources as sent.
#[derive(Deserialize)]
pub struct RawPage {
    pub pagination: Pagination,
    #[serde(deserialize_with = "rows")]
    pub resources: Vec<Box<RawValue>>,
}

/// One page of a list whose rows are read all or none: of snapshots and chunks.
#[derive(Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Page<T> {
    pub pagination: Pagination,
    #[serde(deserialize_with = "rows")]
    pub resources: Vec<T>,
}

/// One page of a list that is read row by row.
#[derive(Deserialize)]
pub struct RowPage {
    pub pagination: Pagination,
    #[serde(deserialize_with = "rows")]
    pub resources: Vec<Box<RawValue>>,
    #[serde(default, deserialize_with = "or_default")]
    pub included: Included,
}

/// `next` is null on the last page. Totals decide nothing, since app usage events count them separately: they only tell
/// a list that doesn't end from one that is long.
#[derive(Clone, Deserialize)]
pub struct Pagination {
    pub next: Option<Link>,
    #[serde(default)]
    pub total_results: Option<u64>,
    #[serde(default)]
    pub last: Option<Link>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Link {
    pub href: String,
}

/// What `include=space.organization` adds.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Included {
    #[serde(deserialize_with = "rows")]
    pub spaces: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "rows")]
    pub organizations: Vec<Box<RawValue>>,
    #[serde(deserialize_with = "rows")]
    pub service_offerings: Vec<Box<RawValue>>,
}

/// What a row is related to: `{"data": {"guid": …}}`. Where there is nothing, Cloud Controller says `{"data": null}` or
/// `{"data": {"guid": null}}`: so does an app without a droplet, and every foundation has some.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Related {
    #[serde(default)]
    data: Option<RelatedGuid>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct RelatedGuid {
    #[serde(default, deserialize_with = "nullable_guid")]
    guid: Option<Guid>,
}

/// A guid that may be null or empty.
fn nullable_guid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Guid>, D::Error> {
    let text = Option::<Cow<'_, str>>::deserialize(deserializer)?;
    Ok(Guid::from_nullable(text.as_deref()))
}

/// Stands for a save that a row doesn't tell of: rows from before Cloud Controller kept `updated_at` have null there.
const NEVER: Timestamp = Timestamp::MIN;

const fn never() -> Timestamp {
    NEVER
}

fn nullable_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Ok(Option::<Timestamp>::deserialize(deserializer)?.unwrap_or(NEVER))
}

/// `GET /v3/processes`: sizes of every process, running or not; it doesn't say which.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Process {
    pub guid: Guid,
    pub created_at: Timestamp,
    /// When the row was last saved; when it was made, where the row is older than the column.
    #[serde(default = "never", deserialize_with = "nullable_time")]
    pub updated_at: Timestamp,
    pub r#type: String,
    pub instances: u32,
    pub memory_in_mb: u32,
    pub disk_in_mb: u32,
    pub relationships: OfApp,
}

/// `GET /v3/tasks`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Task {
    pub guid: Guid,
    pub name: String,
    pub state: String,
    pub created_at: Timestamp,
    /// When the row was last saved; when it was made, where the row is older than the column.
    #[serde(default = "never", deserialize_with = "nullable_time")]
    pub updated_at: Timestamp,
    pub memory_in_mb: u32,
    pub disk_in_mb: u32,
    pub relationships: OfApp,
}

/// `GET /v3/service_instances`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServiceInstance {
    pub guid: Guid,
    pub name: String,
    /// `managed` or `user-provided`.
    pub r#type: String,
    pub created_at: Timestamp,
    /// When the row was last saved; when it was made, where the row is older than the column.
    #[serde(default = "never", deserialize_with = "nullable_time")]
    pub updated_at: Timestamp,
    pub relationships: OfSpaceAndPlan,
    /// Empty before the first operation, and for user-provided ones.
    #[serde(default, deserialize_with = "or_default")]
    pub last_operation: LastOperation,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LastOperation {
    /// `create`, `update` or `delete`
    pub r#type: Option<String>,
    /// `initial`, `in progress`, `succeeded` or `failed`
    pub state: Option<String>,
}

impl ServiceInstance {
    /// Its creation failed: there is nothing behind it.
    #[must_use]
    pub fn was_never_made(&self) -> bool {
        self.is_creating_in(&["failed"])
    }

    /// It is being made: whether that succeeds isn't known yet.
    #[must_use]
    pub fn is_being_made(&self) -> bool {
        self.is_creating_in(&["initial", "in progress"])
    }

    fn is_creating_in(&self, states: &[&str]) -> bool {
        let LastOperation { r#type, state } = &self.last_operation;
        r#type.as_deref() == Some("create") && state.as_deref().is_some_and(|state| states.contains(&state))
    }
}

/// A user-provided one has no plan.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfSpaceAndPlan {
    pub space: Related,
    #[serde(default)]
    pub service_plan: Option<Related>,
}

/// `GET /v3/service_plans`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServicePlan {
    pub guid: Guid,
    pub name: String,
    pub relationships: OfOffering,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfOffering {
    pub service_offering: Related,
}

/// `GET /v3/service_offerings`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServiceOffering {
    pub guid: Guid,
    pub name: String,
    #[serde(default)]
    pub relationships: OfBroker,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct OfBroker {
    #[serde(default)]
    pub service_broker: Option<Related>,
}

/// `GET /v3/droplets`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Droplet {
    pub guid: Guid,
    #[serde(default = "never", deserialize_with = "nullable_time")]
    pub created_at: Timestamp,
    /// In the order they ran; null for docker images.
    #[serde(default)]
    pub buildpacks: Option<Vec<DropletBuildpack>>,
    #[serde(default)]
    pub relationships: Option<OfApp>,
}

impl Droplet {
    /// The buildpack that usage snapshots tell: the last that ran.
    #[must_use]
    pub fn buildpack(&self) -> Option<&str> {
        let last = self.buildpacks.as_ref()?.last()?.name.as_deref();
        last.filter(|name| !name.is_empty())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DropletBuildpack {
    pub name: Option<String>,
}

/// `GET /v3/builds`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Build {
    pub guid: Guid,
    pub created_at: Timestamp,
    pub staging_memory_in_mb: Option<u32>,
    pub staging_disk_in_mb: Option<u32>,
    pub relationships: OfApp,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfApp {
    pub app: Related,
}

impl OfApp {
    /// The app's guid.
    #[must_use]
    pub fn guid(&self) -> Option<&Guid> {
        self.app.guid()
    }
}

/// `GET /v3/apps`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct App {
    pub guid: Guid,
    pub name: String,
    /// `STARTED` or `STOPPED`, as desired.
    pub state: String,
    #[serde(default, deserialize_with = "or_default")]
    pub lifecycle: Lifecycle,
    pub relationships: OfSpace,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Lifecycle {
    /// `buildpack`, `cnb` or `docker`.
    #[serde(default)]
    pub r#type: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub data: LifecycleData,
}

/// Docker apps have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LifecycleData {
    /// Asked for, by name or obfuscated URL; empty: found out when staging.
    #[serde(deserialize_with = "or_default")]
    pub buildpacks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfSpace {
    pub space: Related,
    /// What was staged last, or set; an app without one never ran. `None` where Cloud Controller doesn't say: apps have
    /// the relationship since mid-2024.
    #[serde(default)]
    pub current_droplet: Option<Related>,
}

impl Related {
    /// The guid of what it is related to.
    #[must_use]
    pub fn guid(&self) -> Option<&Guid> {
        self.data.as_ref()?.guid.as_ref()
    }
}

/// `GET /v3/roles`: its user is one of UAA's, or a client. A role over a space names no organization.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RoleRow {
    pub r#type: String,
    pub relationships: OfRole,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfRole {
    pub user: Related,
    pub organization: Related,
    pub space: Related,
}

/// `GET /v3/users`: a client's has no name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct UserRow {
    pub guid: Guid,
    #[serde(default)]
    pub username: Option<String>,
}

/// `GET /v3/info`, which older releases don't have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Info {
    pub rate_limits: RateLimits,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RateLimits {
    pub enabled: bool,
    pub general_limit: u64,
    pub reset_interval_in_minutes: u64,
}

/// `GET /v3/spaces`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Space {
    pub guid: Guid,
    pub name: String,
    pub relationships: OfOrganization,
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
}

/// Labels and annotations, which people set. One without a value has an empty one; an annotation's has 5000 characters
/// at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    #[serde(deserialize_with = "or_default")]
    pub labels: std::collections::BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "or_default")]
    pub annotations: std::collections::BTreeMap<String, Option<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OfOrganization {
    pub organization: Related,
}

/// `GET /v3/organizations`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    pub guid: Guid,
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub metadata: Metadata,
}

/// A row that doesn't tell when it was saved was saved when it was made.
fn saved(updated_at: &mut Timestamp, created_at: Timestamp) {
    if *updated_at == NEVER {
        *updated_at = created_at;
    }
}

fn need(related: &Related, member: &'static str) -> Result<(), &'static str> {
    related.guid().map(|_| ()).ok_or(member)
}

/// A row with its list, and what it means nothing without.
macro_rules! rows {
    ($($row:ident of $list:ident $(, $complete:expr)?;)*) => {$(
        impl ListRow for $row {
            const LIST: RowList = RowList::$list;

            fn guid(&self) -> &Guid {
                &self.guid
            }

            $(fn complete(&mut self) -> Result<(), &'static str> {
                let complete: fn(&mut Self) -> Result<(), &'static str> = $complete;
                complete(self)
            })?
        }
    )*};
}

const APP: &str = "relationships.app.data.guid";
const SPACE: &str = "relationships.space.data.guid";

rows! {
    Process of Processes, |row| {
        saved(&mut row.updated_at, row.created_at);
        need(&row.relationships.app, APP)
    };
    Task of Tasks, |row| {
        saved(&mut row.updated_at, row.created_at);
        need(&row.relationships.app, APP)
    };
    ServiceInstance of ServiceInstances, |row| {
        saved(&mut row.updated_at, row.created_at);
        need(&row.relationships.space, SPACE)
    };
    App of Apps, |row| need(&row.relationships.space, SPACE);
    Space of Spaces, |row| need(&row.relationships.organization, "relationships.organization.data.guid");
    Build of Builds, |row| need(&row.relationships.app, APP);
    ServicePlan of ServicePlans;
    ServiceOffering of ServiceOfferings;
    Organization of Organizations;
    Droplet of Droplets;
}

/// `GET /v3/jobs/:guid`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Job {
    pub guid: Guid,
    /// `PROCESSING`, `POLLING`, `COMPLETE` or `FAILED`. A snapshot can be complete though its job failed.
    pub state: String,
    #[serde(default)]
    pub links: std::collections::BTreeMap<String, JobLink>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct JobLink {
    pub href: String,
}

impl Job {
    /// The guid of the snapshot that the job makes. Only the end of its link is usable: the path has no route.
    /// Missing once the snapshot is gone.
    #[must_use]
    pub fn snapshot_guid(&self) -> Option<Guid> {
        let link = self.links.iter().find(|(name, _)| name.ends_with("_usage_snapshot"))?;
        let guid = link.1.href.rsplit('/').next()?;
        Guid::from_nullable(Some(guid))
    }
}

/// `GET /`, without a token.
#[derive(Deserialize)]
pub struct Root {
    pub links: RootLinks,
    /// Korifi says so of itself.
    #[serde(default)]
    pub cf_on_k8s: bool,
}

#[derive(Deserialize)]
pub struct RootLinks {
    pub login: Option<Link>,
    pub uaa: Option<Link>,
    pub cloud_controller_v3: Option<V3Link>,
}

#[derive(Deserialize)]
pub struct V3Link {
    #[serde(default)]
    pub meta: Option<V3Meta>,
}

#[derive(Deserialize)]
pub struct V3Meta {
    #[serde(default)]
    pub version: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::{MOST_ROWS, Page, RawPage};

    #[test]
    fn a_page_has_so_many_rows_at_most() {
        let page =
            |rows: usize| format!(r#"{{"pagination":{{"next":null}},"resources":[{}]}}"#, vec!["0"; rows].join(","));
        for (rows, fits) in [(0, true), (MOST_ROWS, true), (MOST_ROWS + 1, false)] {
            let raw = serde_json::from_str::<RawPage>(&page(rows));
            assert_eq!(raw.is_ok_and(|page| page.resources.len() == rows), fits, "{rows}");
            let typed = serde_json::from_str::<Page<u8>>(&page(rows));
            assert_eq!(typed.is_ok_and(|page| page.resources.len() == rows), fits, "{rows}");
        }
    }
}
