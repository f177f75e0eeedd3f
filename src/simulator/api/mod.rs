//! The V3 API and UAA's token endpoint as the real ones answer, over the tables of a simulated foundation.
//! One request in, one answer out; nothing here waits.

mod error;
mod list;
mod people;
mod query;
mod sign_in;
mod uaa;

use serde_json::{Value, json};

use super::Foundation;
use super::tables::{List, Snapshot, events_path, snapshots_path};
use crate::domain::{Stream, Timestamp};

pub use error::Refusal;
use list::{Page, paginate};
use query::Query;
pub use uaa::{Client, Uaa, User};

/// A request, as far as anything here looks at it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// Not decoded.
    pub query: &'a str,
    pub authorization: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub body: &'a [u8],
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

const JSON: &str = "application/json; charset=utf-8";

/// Who asks: what Cloud Controller makes of a token's scopes.
#[derive(Clone, Debug)]
pub struct Caller {
    pub client: String,
    scopes: Vec<String>,
}

impl Caller {
    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|own| own.strip_prefix("cloud_controller.") == Some(scope))
    }

    fn reads_everything(&self) -> bool {
        self.has("admin") || self.has("admin_read_only") || self.has("global_auditor")
    }
}

/// What answering came to: a body, or no body but headers, or a refusal.
enum Reply {
    Json(Value),
    Accepted { location: String },
}

type Answered = Result<Reply, Refusal>;

impl Foundation {
    /// Answers a request, whoever asks.
    pub fn answer(&mut self, request: &Request<'_>) -> Answer {
        self.requests += 1;
        let mut headers = vec![("date", http_date(self.now()))];
        let id = format!("{:08x}", self.requests);
        headers
            .push(("x-vcap-request-id", request.request_id.map_or_else(|| id.clone(), |own| format!("{own}::{id}"))));
        if request.path == "/oauth/token" {
            let (status, body) = self.uaa_token(request);
            return finish(status, headers, Some(("application/json;charset=UTF-8", body)));
        }
        if let Some(answer) = self.uaa_for_browsers(request, &headers) {
            return answer;
        }
        if let Some(body) = self.uaa_page(request.path) {
            return finish(200, headers, Some(("application/json;charset=UTF-8", body)));
        }
        let caller = self.uaa.caller(request.authorization, self.now());
        let answered = match self.limited(caller.as_ref().ok(), request.path, &mut headers) {
            Some(refusal) => Err(refusal),
            None => self.route(request, caller),
        };
        match answered {
            Ok(Reply::Json(body)) => {
                let kind = if request.path == "/" { "application/json;charset=utf-8" } else { JSON };
                finish(200, headers, Some((kind, self.with_host(body))))
            }
            Ok(Reply::Accepted { location }) => {
                headers.push(("location", format!("{}{location}", self.base)));
                headers.push(("content-type", "application/json".to_owned()));
                finish(202, headers, None)
            }
            Err(refusal) => {
                headers.extend(refusal.retry_after.map(|seconds| ("retry-after", seconds.to_string())));
                let kind = if refusal.status == 429 { "text/plain; charset=utf-8" } else { JSON };
                finish(refusal.status, headers, Some((kind, refusal.json())))
            }
        }
    }

    fn route(&mut self, request: &Request<'_>, caller: Result<Caller, Refusal>) -> Answered {
        let query = Query::parse(request.query).within(self.options.max_total_results);
        let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        match path[..] {
            [""] => return Ok(Reply::Json(self.root())),
            ["v3"] => return Ok(Reply::Json(v3_root())),
            ["v3", "info"] => return Ok(Reply::Json(self.info())),
            _ => {}
        }
        let caller = caller?;
        match (request.method, &path[..]) {
            ("GET", ["v3", "jobs", guid]) => self.job(guid),
            ("GET", ["v3", "roles"]) => self.list_roles(&caller, &query),
            ("GET", ["v3", "users"]) => self.list_users(&caller, &query),
            ("GET", ["v3", "apps", app, "processes"]) => {
                let path = format!("/v3/apps/{app}/processes");
                let query = query.and("app_guids", app);
                self.list(&caller, List::Processes, &query, &path, &["app_guids"])
            }
            ("GET", ["v3", "processes", process, "stats"]) => self.stats(&caller, process),
            ("GET", ["v3", "apps", app, "droplets", "current"]) => self.current_droplet(&caller, app),
            (method, ["v3", rest @ ..]) => {
                for stream in Stream::ALL {
                    if let Some(answered) = self.usage(&caller, method, stream, rest, &query, request.body) {
                        return answered;
                    }
                }
                for list in List::ALL {
                    match (method, rest) {
                        ("GET", [name]) if *name == list.path() => {
                            return self.list(&caller, list, &query, &format!("/v3/{name}"), &[]);
                        }
                        ("GET", [name, guid]) if *name == list.path() => return self.show(&caller, list, guid),
                        _ => {}
                    }
                }
                Err(Refusal::unknown_request())
            }
            _ => Err(Refusal::unknown_request()),
        }
    }

    /// Usage events and snapshots of one stream; `None` if the path is another.
    fn usage(
        &mut self,
        caller: &Caller,
        method: &str,
        stream: Stream,
        path: &[&str],
        query: &Query,
        body: &[u8],
    ) -> Option<Answered> {
        let joined = path.join("/");
        let (events, snapshots) = (events_path(stream), snapshots_path(stream));
        if let Some(rest) = joined.strip_prefix(events) {
            return Some(match (method, rest.trim_start_matches('/')) {
                ("GET", "") => self.list_events(caller, stream, query),
                ("POST", "actions/destructively_purge_all_and_reseed") => {
                    if !caller.has("admin") {
                        return Some(Err(Refusal::not_authorized()));
                    }
                    self.purge_and_reseed(stream);
                    Ok(Reply::Json(json!({})))
                }
                ("GET", guid) if !guid.contains('/') => self.show_event(caller, stream, guid),
                _ => Err(Refusal::unknown_request()),
            });
        }
        let rest = joined.strip_prefix(snapshots)?;
        if !self.options.snapshots {
            return Some(Err(Refusal::unknown_request()));
        }
        let rest: Vec<&str> = rest.split('/').skip(1).collect();
        Some(match (method, &rest[..]) {
            ("GET", []) => self.list_snapshots(caller, stream, query),
            ("POST", []) => self.request_snapshot(caller, stream, body),
            ("GET", [guid]) => self.show_snapshot(caller, stream, guid),
            ("GET", [guid, "chunks"]) => self.list_chunks(caller, stream, guid, query),
            _ => Err(Refusal::unknown_request()),
        })
    }

    fn list_events(&self, caller: &Caller, stream: Stream, query: &Query) -> Answered {
        let service: &[&str] = &["service_instance_types", "service_offering_guids"];
        let own = if stream == Stream::Service { service } else { &[] };
        let mut known =
            [&["page", "per_page", "order_by", "created_ats", "updated_ats", "guids", "after_guid"], own].concat();
        if !self.options.event_times {
            known.retain(|name| !name.ends_with("_ats"));
        }
        let refuse = Refusal::unprocessable;
        query.check(&known, &["created_at"]).map_err(|messages| refuse(&messages))?;
        if query.relational("updated_ats").next().is_some() || query.get("updated_ats").is_some() {
            return Err(refuse("Filtering by 'updated_ats' is not allowed on this resource."));
        }
        let events = if caller.reads_everything() { self.tables.events(stream) } else { &[] };
        let mut from = 0;
        if let Some(after) = query.get("after_guid") {
            if after.contains(',') {
                return Err(refuse("After guid filter accepts only one guid"));
            }
            if caller.reads_everything() {
                let is_it = |event: &Value| event["guid"] == after && self.tables.is_visible(event);
                let position = events.iter().position(is_it);
                let unknown = format!("After guid filter must be a valid {stream} usage event guid.");
                from = position.ok_or_else(|| refuse(&unknown))? + 1;
            }
        }
        let matches = |event: &&Value| {
            self.tables.is_visible(event)
                && query.allows("guids", event["guid"].as_str())
                && query.allows_time("created_ats", event["created_at"].as_str())
                && query
                    .allows("service_instance_types", event.pointer("/service_instance/type").and_then(Value::as_str))
                && query
                    .allows("service_offering_guids", event.pointer("/service_offering/guid").and_then(Value::as_str))
        };
        let mut rows: Vec<&Value> = events[from..].iter().filter(matches).collect();
        query.order(&mut rows, true);
        let path = format!("/v3/{}", events_path(stream));
        // Service events are counted by a window function: past the end it counts nothing.
        let page = Page { past_the_end_counts: stream == Stream::App };
        Ok(Reply::Json(paginate(&path, query, &rows, page, Value::clone)))
    }

    fn show_event(&self, caller: &Caller, stream: Stream, guid: &str) -> Answered {
        let found = self.tables.events(stream).iter().find(|event| event["guid"] == guid);
        let found = found.filter(|event| caller.reads_everything() && self.tables.is_visible(event));
        let noun = if stream == Stream::App { "App usage event" } else { "Service usage event" };
        found.map(|event| Reply::Json(event.clone())).ok_or_else(|| Refusal::not_found(noun))
    }

    fn list_snapshots(&self, caller: &Caller, stream: Stream, query: &Query) -> Answered {
        let known = ["page", "per_page", "order_by", "created_ats", "updated_ats", "guids"];
        query.check(&known, &["created_at", "updated_at"]).map_err(|messages| Refusal::unprocessable(&messages))?;
        // The tables have no updated_at.
        let updated = query.get("order_by").is_some_and(|order| order.contains("updated_at"));
        if updated || query.relational("updated_ats").next().is_some() || query.get("updated_ats").is_some() {
            return Err(Refusal::unknown_error());
        }
        let all = self.tables.snapshots.iter().filter(|snapshot| snapshot.stream == stream && !snapshot.removed);
        let visible: Vec<Value> = all.filter(|_| caller.reads_everything()).map(Snapshot::json).collect();
        let matches = |snapshot: &&Value| {
            query.allows("guids", snapshot["guid"].as_str())
                && query.allows_time("created_ats", snapshot["created_at"].as_str())
        };
        let mut rows: Vec<&Value> = visible.iter().filter(matches).collect();
        query.order(&mut rows, false);
        let path = format!("/v3/{}", snapshots_path(stream));
        Ok(Reply::Json(paginate(&path, query, &rows, Page::default(), Value::clone)))
    }

    fn request_snapshot(&mut self, caller: &Caller, stream: Stream, body: &[u8]) -> Answered {
        if !caller.has("admin") && !caller.has("write") {
            return Err(Refusal::not_authorized());
        }
        if let Ok(Value::Object(members)) = serde_json::from_slice(body)
            && let Some(key) = members.keys().next()
        {
            return Err(Refusal::unprocessable(&format!(
                "Unknown query parameter(s): '{key}'. Valid parameters are: ''"
            )));
        }
        if !caller.has("admin") {
            return Err(Refusal::not_authorized());
        }
        let unfinished =
            |snapshot: &Snapshot| snapshot.stream == stream && snapshot.completed.is_none() && !snapshot.removed;
        if self.tables.snapshots.iter().any(unfinished) {
            return Err(Refusal::snapshot_in_progress(stream));
        }
        let (guid, job) = (self.new_guid(), self.new_guid());
        let location = format!("/v3/jobs/{job}");
        let now = self.now();
        self.tables.snapshots.push(Snapshot {
            stream,
            guid,
            job,
            created_at: now,
            completed: None,
            job_state: "PROCESSING",
            job_updated_at: now,
            polls: 0,
            removed: false,
        });
        Ok(Reply::Accepted { location })
    }

    fn visible_snapshot(&mut self, caller: &Caller, stream: Stream, guid: &str) -> Result<&Snapshot, Refusal> {
        self.work_on_snapshot(stream, guid);
        let reads = caller.reads_everything();
        let noun = if stream == Stream::App { "App usage snapshot" } else { "Service usage snapshot" };
        let found = self.tables.snapshot_mut(stream, guid).filter(|_| reads);
        found.map(|snapshot| &*snapshot).ok_or_else(|| Refusal::not_found(noun))
    }

    fn show_snapshot(&mut self, caller: &Caller, stream: Stream, guid: &str) -> Answered {
        self.visible_snapshot(caller, stream, guid).map(|snapshot| Reply::Json(snapshot.json()))
    }

    fn list_chunks(&mut self, caller: &Caller, stream: Stream, guid: &str, query: &Query) -> Answered {
        let snapshot = self.visible_snapshot(caller, stream, guid)?;
        let Some(completed) = &snapshot.completed else {
            return Err(Refusal::unprocessable("Snapshot is still processing"));
        };
        // Nothing is validated here: what SQL can't take is an error, anything else is ignored.
        let number = |key: &str, default: i64| query.get(key).map_or(Some(default), |text| text.parse().ok());
        let (Some(1..), Some(1..), None) = (number("page", 1), number("per_page", 50), query.get("order_by")) else {
            return Err(Refusal::unknown_error());
        };
        let path = format!("/v3/{}/{guid}/chunks", snapshots_path(stream));
        let rows: Vec<&Value> = completed.chunks.iter().collect();
        Ok(Reply::Json(paginate(&path, &query.only(&["page", "per_page"]), &rows, Page::default(), Value::clone)))
    }

    fn job(&mut self, guid: &str) -> Answered {
        let snapshot = self.tables.snapshots.iter().find(|snapshot| snapshot.job == guid);
        let Some((stream, snapshot)) = snapshot.map(|snapshot| (snapshot.stream, snapshot.guid.clone())) else {
            return Err(Refusal::not_found("Job"));
        };
        self.work_on_snapshot(stream, &snapshot);
        let snapshot = self.tables.snapshots.iter().find(|known| known.job == guid);
        snapshot.map(|snapshot| Reply::Json(snapshot.job_json())).ok_or_else(|| Refusal::not_found("Job"))
    }

    fn show(&self, caller: &Caller, list: List, guid: &str) -> Answered {
        let found = self.tables.row(list, guid).filter(|_| caller.reads_everything());
        let is_first = self.tables.rows(list).first().is_some_and(|first| first["guid"] == guid);
        let shown = found.map(|row| Reply::Json(self.options.shown(list, row, is_first)));
        shown.ok_or_else(|| Refusal::not_found(list.noun()))
    }

    fn current_droplet(&self, caller: &Caller, app: &str) -> Answered {
        let app = self.tables.row(List::Apps, app).filter(|_| caller.reads_everything());
        let app = app.ok_or_else(|| Refusal::not_found(List::Apps.noun()))?;
        let droplet = app.pointer("/relationships/current_droplet/data/guid").and_then(Value::as_str);
        droplet.map_or_else(
            || Err(Refusal::not_found(List::Droplets.noun())),
            |droplet| self.show(caller, List::Droplets, droplet),
        )
    }

    /// What Diego runs of a process: an instance that is wanted and isn't there is DOWN.
    fn stats(&self, caller: &Caller, process: &str) -> Answered {
        let found = self.world.processes.get(process).filter(|_| caller.reads_everything());
        let process = found.ok_or_else(|| Refusal::not_found("Process"))?;
        let state = if process.started { "RUNNING" } else { "DOWN" };
        let instances =
            (0..process.instances).map(|index| json!({"type": process.kind, "index": index, "state": state}));
        Ok(Reply::Json(json!({"resources": instances.collect::<Vec<_>>()})))
    }

    fn root(&self) -> Value {
        let link = |path: &str| json!({"href": path});
        let domain = self.options.domain;
        let at = |scheme: &str, host: &str| link(&format!("{scheme}{host}.{domain}"));
        json!({"links": {
            "self": link(""), "network_policy_v0": link("/networking/v0/external"),
            "network_policy_v1": link("/networking/v1/external"),
            "cloud_controller_v3": {"href": "/v3", "meta": {"version": self.options.version}},
            "login": {"href": self.base}, "uaa": {"href": self.base},
            "credhub": at("https://", "credhub"), "routing": null,
            "logging": {"href": format!("wss://doppler.{domain}:443")}, "log_cache": at("https://", "log-cache"),
            "log_stream": at("https://", "log-stream"),
            "app_ssh": {"href": format!("ssh.{domain}:2222"), "meta": {"host_key_fingerprint": "", "oauth_client": "ssh-proxy"}},
            "cloud_controller_v2": {"href": "/v2", "meta": {"version": "2.293.0"}},
        }})
    }

    fn info(&self) -> Value {
        json!({
            "build": "", "cli_version": {"minimum": "", "recommended": ""}, "custom": {"arbitrary": ""},
            "description": "a simulated foundation, not a Cloud Controller", "name": "simulated", "version": 0,
            "osbapi_version": "2.15",
            "rate_limits": {"enabled": self.options.rate_limit.is_some(), "general_limit": self.options.rate_limit.unwrap_or(2000), "reset_interval_in_minutes": 60},
            "links": {"self": {"href": "/v3/info"}, "support": {"href": ""}},
        })
    }

    /// Counts a request against its caller's limit. Admins have none.
    fn limited(
        &mut self,
        caller: Option<&Caller>,
        path: &str,
        headers: &mut Vec<(&'static str, String)>,
    ) -> Option<Refusal> {
        let limit = self.options.rate_limit?;
        let exempt = matches!(path, "/" | "/v3")
            || caller.is_some_and(|caller| caller.has("admin") || caller.has("admin_read_only"));
        if exempt {
            return None;
        }
        let client = caller.map(|caller| caller.client.clone()).unwrap_or_default();
        let used = self.used.entry(client).or_default();
        *used += 1;
        let remaining = limit.saturating_sub(*used);
        let over = *used > limit;
        headers.push(("x-ratelimit-limit", limit.to_string()));
        headers.push(("x-ratelimit-reset", self.now().plus(1800).unix().to_string()));
        headers.push(("x-ratelimit-remaining", remaining.to_string()));
        // A bad token is refused as such even over the limit.
        (over && caller.is_some()).then(Refusal::rate_limited)
    }

    /// Adds the host to every link.
    fn with_host(&self, mut value: Value) -> Value {
        fn walk(value: &mut Value, base: &str) {
            match value {
                Value::Object(members) => {
                    for (key, member) in members {
                        match member {
                            Value::String(href) if key == "href" && (href.is_empty() || href.starts_with('/')) => {
                                *href = format!("{base}{href}");
                            }
                            member => walk(member, base),
                        }
                    }
                }
                Value::Array(items) => items.iter_mut().for_each(|item| walk(item, base)),
                _ => {}
            }
        }
        walk(&mut value, &self.base);
        value
    }
}

fn v3_root() -> Value {
    const LINKED: [&str; 32] = [
        "app_usage_events",
        "apps",
        "audit_events",
        "buildpacks",
        "builds",
        "deployments",
        "domains",
        "droplets",
        "environment_variable_groups",
        "feature_flags",
        "info",
        "isolation_segments",
        "organizations",
        "organization_quotas",
        "packages",
        "processes",
        "resource_matches",
        "roles",
        "routes",
        "security_groups",
        "service_brokers",
        "service_instances",
        "service_credential_bindings",
        "service_offerings",
        "service_plans",
        "service_route_bindings",
        "service_usage_events",
        "spaces",
        "space_quotas",
        "stacks",
        "tasks",
        "users",
    ];
    let mut links = json!({"self": {"href": "/v3"}});
    for name in LINKED {
        links[name] = json!({"href": format!("/v3/{name}")});
    }
    json!({"links": links})
}

fn finish(status: u16, mut headers: Vec<(&'static str, String)>, body: Option<(&str, Value)>) -> Answer {
    let body = body.map(|(kind, body)| {
        headers.push(("content-type", kind.to_owned()));
        body.to_string().into_bytes()
    });
    Answer { status, headers, body: body.unwrap_or_default() }
}

/// `Thu, 01 Oct 2026 12:34:56 GMT`
fn http_date(at: Timestamp) -> String {
    let time = chrono::DateTime::from_timestamp(at.unix(), 0).unwrap_or_default();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
