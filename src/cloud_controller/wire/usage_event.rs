//! Usage events of both streams, from V3 JSON to facts. Never fails: what can't be understood says so.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::without_nul;
use crate::domain::text::hexadecimal;
use crate::domain::usage_event::{
    ProcessChange, ProcessFact, ServiceChange, ServiceFact, StagingChange, StagingFact, TaskChange, TaskFact,
};
use crate::domain::{Fact, Guid, Location, Stream, Timestamp, UsageEvent};

/// A usage event and the names it carried, which are those of its moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub event: UsageEvent,
    pub names: Names,
}

impl Decoded {
    /// Whether the record has a guid, so that the list can be read on from it.
    #[must_use]
    pub fn has_guid(&self) -> bool {
        !(matches!(self.event.fact, Fact::Undecodable(_)) && self.event.guid.to_string().starts_with(HASH))
    }
}

/// Begins the guid of a record that has none of its own.
const HASH: &str = "sha256:";

/// Names by guid; `None` where the event names none. Organizations are never named by events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub space: Option<String>,
    pub app: Option<String>,
    pub task: Option<String>,
    pub service_instance: Option<String>,
    pub service_plan: Option<String>,
    pub service_offering: Option<(Guid, Option<String>)>,
    /// Null on rows of before 2018.
    pub service_broker: Option<(Guid, Option<String>)>,
    /// Name and guid; not of a custom URL, beside which an event has the guid of the buildpack before it.
    pub buildpack: Option<(Arc<str>, Guid)>,
}

/// Reads one element of a usage event list. A record without what its state needs becomes
/// [`Fact::Undecodable`]; one without guid is named by the hash of its text.
#[must_use]
pub fn decode(stream: Stream, raw: &str) -> Decoded {
    let raw = &*without_nul(raw);
    let decoded = match stream {
        Stream::App => serde_json::from_str::<AppEvent>(raw).map(AppEvent::decode),
        Stream::Service => serde_json::from_str::<ServiceEvent>(raw).map(ServiceEvent::decode),
    };
    decoded.unwrap_or_else(|error| Err(error.to_string())).unwrap_or_else(|reason| Decoded {
        event: UsageEvent { fact: Fact::Undecodable(reason), ..identity(raw) },
        names: Names::default(),
    })
}

/// What of an undecodable record's identity can be read.
fn identity(raw: &str) -> UsageEvent {
    #[derive(Deserialize)]
    struct Identity {
        guid: Option<serde_json::Value>,
        created_at: Option<serde_json::Value>,
    }
    let identity = serde_json::from_str::<Identity>(raw).ok();
    let text = |value: Option<serde_json::Value>| value.and_then(|value| value.as_str().map(str::to_owned));
    let (guid, created_at) = identity.map_or((None, None), |identity| (text(identity.guid), text(identity.created_at)));
    let guid = guid.filter(|guid| !guid.is_empty()).unwrap_or_else(|| {
        let hash = Sha256::digest(raw.as_bytes());
        format!("{HASH}{}", hexadecimal(&hash))
    });
    let created_at = created_at.and_then(|text| Timestamp::parse(&text).ok()).unwrap_or(Timestamp::MIN);
    UsageEvent { guid: Guid::new(&guid), created_at, fact: Fact::Undecodable(String::new()) }
}

type Text<'a> = Option<Cow<'a, str>>;

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Named<'a> {
    guid: Text<'a>,
    name: Text<'a>,
    r#type: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct State<'a> {
    current: Text<'a>,
    previous: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Count {
    current: Option<i64>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct AppEvent<'a> {
    guid: Cow<'a, str>,
    created_at: Cow<'a, str>,
    state: State<'a>,
    #[serde(default)]
    app: Named<'a>,
    #[serde(default)]
    process: Named<'a>,
    #[serde(default)]
    space: Named<'a>,
    #[serde(default)]
    organization: Named<'a>,
    #[serde(default)]
    buildpack: Named<'a>,
    #[serde(default)]
    task: Named<'a>,
    #[serde(default)]
    memory_in_mb_per_instance: Count,
    #[serde(default)]
    instance_count: Count,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ServiceEvent<'a> {
    guid: Cow<'a, str>,
    created_at: Cow<'a, str>,
    state: Cow<'a, str>,
    #[serde(default)]
    space: Named<'a>,
    #[serde(default)]
    organization: Named<'a>,
    #[serde(default)]
    service_instance: Named<'a>,
    #[serde(default)]
    service_plan: Named<'a>,
    #[serde(default)]
    service_offering: Named<'a>,
    #[serde(default)]
    service_broker: Named<'a>,
}

/// A member that a state needs, or which one is missing.
fn need<T>(member: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("`{member}` is missing or null"))
}

fn guid(text: &Text<'_>) -> Option<Guid> {
    Guid::from_nullable(text.as_deref())
}

fn name(text: Text<'_>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(|text| Arc::from(&*text))
}

/// Cloud Controller keeps counts as signed 32-bit integers; the next bit is taken too, so that an absurd count is one of its
/// app, and stops that app's account alone.
fn count(member: &str, count: &Count) -> Result<Option<u32>, String> {
    match count.current {
        None => Ok(None),
        Some(value) => match u32::try_from(value) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(format!("`{member}.current` is `{value}`, not a count from 0 to {}", u32::MAX)),
        },
    }
}

fn identify(guid: &str, created_at: &str) -> Result<(Guid, Timestamp), String> {
    let created_at = Timestamp::parse(created_at).map_err(|error| format!("`created_at`: {error}"))?;
    let guid = need("guid", Guid::from_nullable(Some(guid)))?;
    Ok((guid, created_at))
}

fn location(organization: &Named<'_>, space: &Text<'_>) -> Option<Location> {
    Some(Location { organization: guid(&organization.guid)?, space: guid(space)? })
}

impl AppEvent<'_> {
    fn decode(self) -> Result<Decoded, String> {
        let (event_guid, created_at) = identify(&self.guid, &self.created_at)?;
        let buildpack = name(self.buildpack.name);
        let installed = buildpack.clone().filter(|name| !name.contains("://"));
        let names = Names {
            buildpack: installed.zip(guid(&self.buildpack.guid)),
            space: self.space.name.map(Cow::into_owned),
            app: self.app.name.map(Cow::into_owned),
            task: self.task.name.map(Cow::into_owned),
            ..Names::default()
        };
        let state = need("state.current", self.state.current)?;
        let process = guid(&self.process.guid);
        let previous = self.state.previous.unwrap_or_default();
        let app = guid(&self.app.guid);
        let location = location(&self.organization, &self.space.guid);
        // What an ending says besides that it ended means nothing, and must not keep it from ending.
        let ending = matches!(&*state, "STOPPED" | "TASK_STOPPED" | "BUILDPACK_SET");
        let number = |member, value| if ending { Ok(None) } else { count(member, value) };
        let instances = number("instance_count", &self.instance_count);
        let memory_mib = match &*state {
            // The one ending that may be all there is of something: of a task that ran before we came.
            "TASK_STOPPED" => Ok(count("memory_in_mb_per_instance", &self.memory_in_mb_per_instance).unwrap_or(None)),
            _ => number("memory_in_mb_per_instance", &self.memory_in_mb_per_instance),
        };
        let process_change = match &*state {
            "STARTED" => Some(ProcessChange::Started),
            "STOPPED" => Some(ProcessChange::Stopped),
            "WAS_RUNNING" => Some(ProcessChange::WasRunning),
            "BUILDPACK_SET" if process.is_some() => Some(ProcessChange::BuildpackSet),
            _ => None,
        };
        let task_change = match &*state {
            "TASK_STARTED" => Some(TaskChange::Started),
            "TASK_STOPPED" => Some(TaskChange::Stopped),
            "TASK_WAS_RUNNING" => Some(TaskChange::WasRunning),
            _ => None,
        };
        let staging_change = match &*state {
            "STAGING_STARTED" => Some(StagingChange::Started),
            "STAGING_STOPPED" => Some(StagingChange::Stopped),
            _ => None,
        };
        let fact = if let Some(change) = process_change {
            let process = need("process.guid", process)?;
            Fact::Process(ProcessFact {
                change,
                reseeded: process == event_guid,
                process,
                process_type: name(self.process.r#type),
                app,
                location,
                instances: instances?,
                memory_mib: memory_mib?,
                buildpack,
                was_started: previous == "STARTED",
                repaired: previous == "WAS_RUNNING",
            })
        } else if let Some(change) = task_change {
            let task = need("task.guid", guid(&self.task.guid))?;
            let repaired = previous == "TASK_WAS_RUNNING";
            let was_running = matches!(&*previous, "RUNNING" | "CANCELING");
            Fact::Task(TaskFact { change, task, app, location, memory_mib: memory_mib?, was_running, repaired })
        } else if let Some(change) = staging_change {
            let app = need("app.guid", app)?;
            Fact::Staging(StagingFact { change, app, location, memory_mib: memory_mib?, buildpack })
        } else if state == "BUILDPACK_SET" {
            Fact::BuildpackSetByBuild
        } else {
            Fact::UnknownState(state.into_owned())
        };
        Ok(Decoded { event: UsageEvent { guid: event_guid, created_at, fact }, names })
    }
}

impl ServiceEvent<'_> {
    fn decode(self) -> Result<Decoded, String> {
        let (event_guid, created_at) = identify(&self.guid, &self.created_at)?;
        let (offering, broker) = (guid(&self.service_offering.guid), guid(&self.service_broker.guid));
        let names = Names {
            space: self.space.name.map(Cow::into_owned),
            service_instance: self.service_instance.name.map(Cow::into_owned),
            service_plan: self.service_plan.name.map(Cow::into_owned),
            service_offering: offering.map(|guid| (guid, self.service_offering.name.map(Cow::into_owned))),
            service_broker: broker.map(|guid| (guid, self.service_broker.name.map(Cow::into_owned))),
            ..Names::default()
        };
        let change = match &*self.state {
            "CREATED" => Some(ServiceChange::Created),
            "UPDATED" => Some(ServiceChange::Updated),
            "DELETED" => Some(ServiceChange::Deleted),
            "WAS_RUNNING" => Some(ServiceChange::WasRunning),
            _ => None,
        };
        let fact = match change {
            None => Fact::UnknownState(self.state.into_owned()),
            Some(change) => Fact::Service(ServiceFact {
                change,
                reseeded: guid(&self.service_instance.guid).as_ref() == Some(&event_guid),
                service_instance: need("service_instance.guid", guid(&self.service_instance.guid))?,
                // Any other type counts as managed: then it must be priced, and can't be free by accident.
                user_provided: self.service_instance.r#type.as_deref() == Some("user_provided_service_instance"),
                location: location(&self.organization, &self.space.guid),
                plan: guid(&self.service_plan.guid),
            }),
        };
        Ok(Decoded { event: UsageEvent { guid: event_guid, created_at, fact }, names })
    }
}
