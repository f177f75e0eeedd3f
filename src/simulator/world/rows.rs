//! What Cloud Controller shows and emits: V3 JSON of rows and events, links without a host.

use serde_json::{Value, json};

use super::{App, Build, Org, Process, Service, Space, Task};
use crate::domain::Timestamp;

fn link(path: &str, guid: &str) -> Value {
    json!({"href": format!("/v3/{path}/{guid}")})
}

fn related(guid: &str) -> Value {
    json!({"data": {"guid": guid}})
}

fn metadata() -> Value {
    json!({"labels": {}, "annotations": {}})
}

#[must_use]
pub fn org(org: &Org, created_at: Timestamp) -> Value {
    let own = format!("/v3/organizations/{}", org.guid);
    json!({
        "guid": org.guid, "created_at": created_at, "updated_at": created_at, "name": org.name, "suspended": false,
        "relationships": {"quota": related("quota")}, "metadata": metadata(),
        "links": {"self": {"href": own}, "domains": {"href": format!("{own}/domains")},
            "default_domain": {"href": format!("{own}/domains/default")}, "quota": link("organization_quotas", "quota")},
    })
}

#[must_use]
pub fn space(space: &Space, created_at: Timestamp) -> Value {
    let own = format!("/v3/spaces/{}", space.guid);
    json!({
        "guid": space.guid, "created_at": created_at, "updated_at": created_at, "name": space.name,
        "relationships": {"organization": related(&space.org), "quota": {"data": null}}, "metadata": metadata(),
        "links": {"self": {"href": own}, "organization": link("organizations", &space.org),
            "features": {"href": format!("{own}/features")},
            "apply_manifest": {"href": format!("{own}/actions/apply_manifest"), "method": "POST"}},
    })
}

#[must_use]
pub fn app(app: &App, created_at: Timestamp) -> Value {
    let own = format!("/v3/apps/{}", app.guid);
    let to = |rest: &str| json!({"href": format!("{own}/{rest}")});
    let data = if app.docker { json!({}) } else { json!({"buildpacks": app.requested, "stack": "cflinuxfs4"}) };
    json!({
        "guid": app.guid, "created_at": created_at, "updated_at": created_at, "name": app.name,
        "state": if app.started { "STARTED" } else { "STOPPED" },
        "lifecycle": {"type": if app.docker { "docker" } else { "buildpack" }, "data": data},
        "relationships": {"space": related(&app.space), "current_droplet": {"data": {"guid": null}}},
        "metadata": metadata(),
        "links": {
            "self": {"href": own}, "environment_variables": to("environment_variables"), "space": link("spaces", &app.space),
            "processes": to("processes"), "packages": to("packages"), "current_droplet": to("droplets/current"),
            "droplets": to("droplets"), "tasks": to("tasks"),
            "start": {"href": format!("{own}/actions/start"), "method": "POST"},
            "stop": {"href": format!("{own}/actions/stop"), "method": "POST"},
            "clear_buildpack_cache": {"href": format!("{own}/actions/clear_buildpack_cache"), "method": "POST"},
            "revisions": to("revisions"), "deployed_revisions": to("revisions/deployed"), "features": to("features"),
        },
    })
}

/// An app's current droplet, with the buildpack that made it.
#[must_use]
pub fn droplet(app: &App, now: Timestamp) -> Value {
    let guid = format!("droplet-{}", app.guid);
    let buildpack = app.droplet.as_ref().and_then(|receipt| receipt.name.clone());
    let buildpacks: Vec<Value> = (buildpack.into_iter())
        .map(|name| json!({"name": name, "detect_output": null, "buildpack_name": null, "version": null}))
        .collect();
    json!({
        "guid": guid, "created_at": now, "updated_at": now, "state": "STAGED", "error": null,
        "lifecycle": {"type": if app.docker { "docker" } else { "buildpack" }, "data": {}}, "checksum": null,
        "buildpacks": if app.docker { Value::Null } else { buildpacks.into() }, "stack": "cflinuxfs4", "image": null,
        "execution_metadata": "", "process_types": {"web": "run"}, "relationships": {"app": related(&app.guid)},
        "metadata": metadata(), "links": {"self": link("droplets", &guid), "app": link("apps", &app.guid)},
    })
}

#[must_use]
pub fn process(process: &Process, space: &str, created_at: Timestamp) -> Value {
    let own = format!("/v3/processes/{}", process.guid);
    json!({
        "guid": process.guid, "created_at": created_at, "updated_at": created_at, "version": process.guid,
        "type": process.kind, "command": "run", "user": "vcap", "instances": process.instances,
        "memory_in_mb": process.memory_mib, "disk_in_mb": process.disk_mib,
        "log_rate_limit_in_bytes_per_second": 1_048_576,
        "health_check": {"type": "port", "data": {"timeout": null, "invocation_timeout": null, "interval": null}},
        "readiness_health_check": {"type": "process", "data": {"invocation_timeout": null, "interval": null}},
        "relationships": {"app": related(&process.app), "revision": null}, "metadata": metadata(),
        "links": {
            "self": {"href": own}, "scale": {"href": format!("{own}/actions/scale"), "method": "POST"},
            "app": link("apps", &process.app), "space": link("spaces", space),
            "stats": {"href": format!("{own}/stats")}, "process_instances": {"href": format!("{own}/process_instances")},
        },
    })
}

#[must_use]
pub fn task(task: &Task, created_at: Timestamp) -> Value {
    let own = format!("/v3/tasks/{}", task.guid);
    json!({
        "guid": task.guid, "created_at": created_at, "updated_at": created_at, "sequence_id": task.number,
        "name": task.name, "command": "run", "user": "vcap", "state": "PENDING",
        "memory_in_mb": task.memory_mib, "disk_in_mb": task.disk_mib, "log_rate_limit_in_bytes_per_second": 1_048_576,
        "result": {"failure_reason": null}, "droplet_guid": format!("droplet-{}", task.app),
        "relationships": {"app": related(&task.app)}, "metadata": metadata(),
        "links": {"self": {"href": own}, "app": link("apps", &task.app),
            "cancel": {"href": format!("{own}/actions/cancel"), "method": "POST"},
            "droplet": link("droplets", &format!("droplet-{}", task.app))},
    })
}

#[must_use]
pub fn build(build: &Build, app: &App, created_at: Timestamp) -> Value {
    let data = if app.docker { json!({}) } else { json!({"buildpacks": app.requested, "stack": "cflinuxfs4"}) };
    json!({
        "guid": build.guid, "created_at": created_at, "updated_at": created_at, "state": "STAGING",
        "staging_memory_in_mb": build.memory_mib, "staging_disk_in_mb": build.disk_mib,
        "staging_log_rate_limit_bytes_per_second": 1_048_576, "error": null,
        "lifecycle": {"type": if app.docker { "docker" } else { "buildpack" }, "data": data},
        "package": {"guid": format!("package-{}", app.guid)}, "droplet": null,
        "created_by": {"guid": "somebody", "name": "", "email": ""},
        "relationships": {"app": related(&app.guid)}, "metadata": metadata(),
        "links": {"self": link("builds", &build.guid), "app": link("apps", &app.guid)},
    })
}

#[must_use]
pub fn service(service: &Service, created_at: Timestamp) -> Value {
    let own = format!("/v3/service_instances/{}", service.guid);
    let to = |rest: &str| json!({"href": format!("{own}/{rest}")});
    let bindings = |kind: &str| json!({"href": format!("/v3/{kind}?service_instance_guids={}", service.guid)});
    let mut row = json!({
        "guid": service.guid, "created_at": created_at, "updated_at": created_at, "name": service.name, "tags": [],
        "last_operation": {}, "type": if service.plan.is_some() { "managed" } else { "user-provided" },
        "relationships": {"space": related(&service.space)}, "metadata": metadata(),
        "links": {"self": {"href": own}, "space": link("spaces", &service.space),
            "service_credential_bindings": bindings("service_credential_bindings"),
            "service_route_bindings": bindings("service_route_bindings")},
    });
    if let Some(plan) = &service.plan {
        row["maintenance_info"] = json!({});
        row["upgrade_available"] = false.into();
        row["dashboard_url"] = Value::Null;
        row["relationships"]["service_plan"] = related(plan);
        row["links"]["service_plan"] = link("service_plans", plan);
        row["links"]["parameters"] = to("parameters");
        row["links"]["shared_spaces"] = to("relationships/shared_spaces");
    } else {
        row["syslog_drain_url"] = Value::Null;
        row["route_service_url"] = Value::Null;
    }
    row
}

#[must_use]
pub fn offering(guid: &str, name: &str, created_at: Timestamp) -> Value {
    json!({
        "guid": guid, "created_at": created_at, "updated_at": created_at, "name": name, "description": name,
        "available": true, "tags": [], "requires": [], "shareable": false, "documentation_url": "",
        "broker_catalog": {"id": guid, "metadata": {}, "features": {}},
        "relationships": {"service_broker": related("broker")}, "metadata": metadata(),
        "links": {"self": link("service_offerings", guid),
            "service_plans": {"href": format!("/v3/service_plans?service_offering_guids={guid}")},
            "service_broker": link("service_brokers", "broker")},
    })
}

#[must_use]
pub fn plan(guid: &str, name: &str, offering: &str, created_at: Timestamp) -> Value {
    json!({
        "guid": guid, "created_at": created_at, "updated_at": created_at, "name": name, "visibility_type": "public",
        "available": true, "free": false, "costs": [], "description": name, "maintenance_info": {},
        "broker_catalog": {"id": guid, "metadata": {}, "maximum_polling_duration": null, "features": {}},
        "schemas": {}, "relationships": {"service_offering": related(offering)}, "metadata": metadata(),
        "links": {"self": link("service_plans", guid), "service_offering": link("service_offerings", offering),
            "visibility": {"href": format!("/v3/service_plans/{guid}/visibility")}},
    })
}

/// What an app usage event says; the rest follows from its app.
#[derive(Clone, Debug)]
pub struct AppEvent<'a> {
    pub guid: String,
    pub state: (&'a str, &'a str),
    /// Guid and type.
    pub process: Option<(&'a str, Option<&'a str>)>,
    /// Guid and name.
    pub task: Option<(&'a str, &'a str)>,
    /// Guid and name.
    pub buildpack: (Option<&'a str>, Option<&'a str>),
    /// Previous and current, MiB per instance.
    pub memory: (i64, i64),
    /// Previous and current.
    pub instances: (i64, i64),
}

impl AppEvent<'_> {
    #[must_use]
    pub fn json(&self, app: &App, space: &Space, now: Timestamp) -> Value {
        let change = |(previous, current): (i64, i64)| json!({"current": current, "previous": previous});
        json!({
            "guid": self.guid, "created_at": now, "updated_at": now,
            "state": {"current": self.state.1, "previous": self.state.0},
            "app": {"guid": app.guid, "name": app.name},
            "process": {"guid": self.process.map(|process| process.0), "type": self.process.and_then(|process| process.1)},
            "space": {"guid": space.guid, "name": space.name}, "organization": {"guid": space.org},
            "buildpack": {"guid": self.buildpack.0, "name": self.buildpack.1},
            "task": {"guid": self.task.map(|task| task.0), "name": self.task.map(|task| task.1)},
            "memory_in_mb_per_instance": change(self.memory), "instance_count": change(self.instances),
            "links": {"self": link("app_usage_events", &self.guid)},
        })
    }
}

/// Guid and name of a service instance's plan, offering and broker.
pub type Catalogue<'a> = [(&'a str, &'a str); 3];

#[must_use]
pub fn service_event(
    guid: &str,
    state: &str,
    service: &Service,
    space: &Space,
    catalogue: Option<Catalogue<'_>>,
    now: Timestamp,
) -> Value {
    let named = |position: usize| {
        let named = catalogue.map(|catalogue| catalogue[position]);
        json!({"guid": named.map(|named| named.0), "name": named.map(|named| named.1)})
    };
    let kind = if service.plan.is_some() { "managed_service_instance" } else { "user_provided_service_instance" };
    json!({
        "guid": guid, "created_at": now, "updated_at": now, "state": state,
        "space": {"guid": space.guid, "name": space.name}, "organization": {"guid": space.org},
        "service_instance": {"guid": service.guid, "name": service.name, "type": kind},
        "service_plan": named(0), "service_offering": named(1), "service_broker": named(2),
        "links": {"self": link("service_usage_events", guid)},
    })
}
