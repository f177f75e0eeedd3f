//! A recorded onboarding, from request to truth, served back over HTTP to the real client.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::Client;
use cf_billing::cloud_controller::transport::Http;
use cf_billing::consumer::{Collector, Cycle};
use cf_billing::domain::{Kind, Span, Stream, Timestamp};
use cf_billing::simulator::http::serve;
use cf_billing::simulator::tables::List;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::{GroupKey, Store, UsageQuery};
use cf_billing::telemetry::Reporter;
use http::header::LOCATION;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::member::{credentials, plan};
use crate::support::program::Program;
use crate::support::recorded::{FILES, HOST, exchange, put_snapshot, rows};

/// The story's files whose names contain all of `parts`, in order.
fn files(parts: &[&str]) -> Vec<&'static str> {
    let found = FILES.keys().filter(|name| name.starts_with("story/") && parts.iter().all(|part| name.contains(part)));
    found.map(String::as_str).collect()
}

/// The story's files whose requests' paths begin and go on like this.
fn asked(path: &str, rest: &str) -> Vec<&'static str> {
    let asked = |file: &&str| exchange(file).path.strip_prefix(path).is_some_and(|tail| tail.contains(rest));
    files(&["_GET_"]).into_iter().filter(asked).collect()
}

/// The file that shows the complete snapshot of a stream.
fn snapshot_file(name: &str) -> &'static str {
    let shown = asked(&format!("/v3/{name}_usage/snapshots/"), "");
    shown.into_iter().find(|file| !exchange(file).path.contains("/chunks")).unwrap()
}

fn time(value: &Value) -> Timestamp {
    Timestamp::parse(value.as_str().unwrap()).unwrap()
}

/// The foundation as it was when the streams were read.
fn foundation() -> Foundation {
    let mut foundation = Foundation::new(1, time(&FILES["story/truth.json"]["observed_at"]));
    for (stream, name) in [(Stream::App, "app"), (Stream::Service, "service")] {
        let show = snapshot_file(name);
        let jobs = files(&["GET_jobs"]);
        let job = jobs.iter().rfind(|job| {
            exchange(job).body["links"].as_object().unwrap().keys().any(|key| *key == format!("{name}_usage_snapshot"))
        });
        put_snapshot(&mut foundation, show, job.unwrap(), &asked(&format!("/v3/{name}_usage/snapshots/"), "/chunks"));
        let snapshot = exchange(show).body;
        // The event at the checkpoint wasn't recorded: known by guid and time alone.
        let checkpoint = json!({
            "guid": snapshot["checkpoint_event_guid"], "created_at": snapshot["checkpoint_event_created_at"],
        });
        let events = asked(&format!("/v3/{name}_usage_events"), "after_guid").into_iter().flat_map(rows);
        *foundation.tables.events_mut(stream) = [checkpoint].into_iter().chain(events).collect();
    }
    for (list, name) in [
        (List::Processes, "_GET_processes"),
        (List::Apps, "_GET_apps"),
        (List::Tasks, "_GET_tasks"),
        (List::Organizations, "_GET_organizations"),
        (List::Spaces, "_GET_spaces"),
    ] {
        for row in files(&[name]).into_iter().flat_map(rows) {
            foundation.tables.put(list, row);
        }
    }
    foundation
}

/// Answers as the story did: a snapshot is requested once, and its answer names the recorded job.
fn answer(foundation: &mut Foundation, request: &Request<Bytes>, requested: &mut Vec<String>) -> Response<Bytes> {
    let path = request.uri().path();
    if request.method() != Method::POST || !path.ends_with("/snapshots") {
        return foundation.exchange(request);
    }
    requested.push(path.to_owned());
    let kind = if path.contains("service") { "POST_service" } else { "POST_app" };
    let recorded = exchange(files(&[kind])[0]);
    let location =
        recorded.headers.iter().find(|(name, _)| name == "location").unwrap().1.replace(HOST, &foundation.base);
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(recorded.status).unwrap();
    response.headers_mut().insert(LOCATION, HeaderValue::from_str(&location).unwrap());
    response
}

#[test]
fn the_story_ends_with_exactly_what_ran() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let program = Program::new();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Mutex::new((foundation(), Vec::new())));
        shared.lock().unwrap().0.base.clone_from(&api);
        let now = shared.lock().unwrap().0.now();
        let stop = CancellationToken::new();
        let answering = shared.clone();
        let answer = move |request: &Request<Bytes>| {
            let (foundation, requested) = &mut *answering.lock().unwrap();
            answer(foundation, request, requested)
        };
        let serving = serve(listener, answer, stop.clone().cancelled_owned());
        let collecting = async {
            let store = Store::open(&program.database()).await.unwrap();
            let clock = Clock::manual(now);
            let http = Arc::new(Http::new(None).unwrap());
            let client = Client::new(http, clock.clone(), credentials(&api, ADMIN));
            let mut collector =
                Collector::new(store.clone(), client, clock, plan("story"), stop.clone(), Reporter::unseen("story"))
                    .await
                    .unwrap();
            for _ in 0..3 {
                collector.cycle().await.unwrap();
            }
            // From then on there is nothing new.
            let cycle = collector.cycle().await.unwrap();
            assert!(matches!(cycle, Cycle::CaughtUp(caught) if caught.events == 0), "{cycle:?}");
            check(&store).await;
            stop.cancel();
        };
        let (served, ()) = tokio::join!(serving, collecting);
        served.unwrap();
        assert_eq!(shared.lock().unwrap().1, ["/v3/app_usage/snapshots", "/v3/service_usage/snapshots"]);
    });
}

/// Open intervals are those of the truth, and nothing is billed from before the epoch.
async fn check(store: &Store) {
    let truth = &FILES["story/truth.json"];
    let head = store.foundation("story").await.unwrap();
    let open = store.open_resources(&head).await.unwrap();
    let of_kind =
        |kind: Kind| open.iter().map(|loaded| &loaded.resource).filter(move |resource| resource.key.kind == kind);

    let processes: BTreeSet<String> = of_kind(Kind::Process)
        .map(|process| {
            let footprint = &process.run.as_ref().unwrap().piece.footprint;
            format!(
                "{} {} of {}: {} x {} MiB, {} MiB disk",
                process.key.guid,
                process.process_type.as_deref().unwrap_or("?"),
                process.app.as_ref().unwrap(),
                footprint.instances,
                footprint.memory_mib,
                footprint.disk_mib,
            )
        })
        .collect();
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    let running: BTreeSet<String> = (truth["running_processes"].as_array().unwrap().iter())
        .map(|row| {
            let [guid, kind, app, instances, memory, disk] =
                ["process_guid", "type", "app_guid", "instances", "memory_in_mb", "disk_in_mb"]
                    .map(|key| text(row, key));
            format!("{guid} {kind} of {app}: {instances} x {memory} MiB, {disk} MiB disk")
        })
        .collect();
    assert_eq!(processes.difference(&running).collect::<Vec<_>>(), Vec::<&String>::new(), "open, and not running");
    assert_eq!(running.difference(&processes).collect::<Vec<_>>(), Vec::<&String>::new(), "running, and not open");
    assert!(running.len() > 100);

    let instances: BTreeSet<String> = of_kind(Kind::Service)
        .map(|instance| {
            let plan = instance.run.as_ref().unwrap().piece.footprint.service_plan.as_ref();
            let plan = plan.map(ToString::to_string).unwrap_or_default();
            format!("{} {} {plan}", instance.key.guid, if instance.user_provided { "f" } else { "t" })
        })
        .collect();
    let existing: BTreeSet<String> = (truth["service_instances"].as_array().unwrap().iter())
        .map(|row| format!("{} {} {}", text(row, "guid"), text(row, "managed"), text(row, "plan_guid")))
        .collect();
    assert_eq!(instances, existing);
    assert!(existing.len() > 100);

    let completed = |name: &str| time(&exchange(snapshot_file(name)).body["completed_at"]);
    let epoch = completed("app").max(completed("service"));
    assert_eq!(head.current_settings().billing_epoch, Some(epoch));
    let query = UsageQuery { by: vec![GroupKey::Kind], foundation: None, user_provided: true };
    let spans = [(Timestamp::MIN, epoch), (epoch, Timestamp::MAX)].map(|(from, to)| Span { from, to });
    let rows = store.usage(&query, &spans).await.unwrap().of_spans;
    assert!(rows[0].is_empty(), "{:?}", rows[0]);
    assert!(!rows[1].is_empty());
    for entry in store.ledger_entries(&head, 0, usize::MAX).await.unwrap() {
        assert!(entry.interval.started_at >= epoch, "{entry:?}");
    }
    for resource in open.iter().map(|loaded| &loaded.resource) {
        assert!(resource.run.as_ref().unwrap().piece.started_at >= epoch, "{resource:?}");
    }
}

crate::on_postgres! {
    the_story_ends_with_exactly_what_ran,
}
