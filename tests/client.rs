//! Our client against recorded answers of the real Cloud Controller.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::transport::{Exchange, Exchanging, TransportError};
use cf_billing::cloud_controller::{After, ApiError, Client, ErrorKind, Requested};
use cf_billing::domain::{Fact, Guid, Stream, Timestamp};
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::support::member::credentials;
use crate::support::recorded::{FILES, Recorded, exchange, exchanges, manifest};

/// Answers every request with what a function gives, and keeps what was asked.
struct Answering {
    answer: Box<AnswerWith>,
    asked: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Answering {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("recorded answers")
    }
}

type Answer = Result<Response<Bytes>, TransportError>;
type AnswerWith = dyn Fn(&Request<Bytes>, usize) -> Answer + Send + Sync;

impl Exchange for Answering {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(format!("{} {}", request.method(), request.uri()));
        let answer = (self.answer)(&request, asked.len());
        drop(asked);
        Box::pin(async { answer })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what an exchange gives")]
fn answer(status: u16, headers: &[(String, String)], body: &Value) -> Answer {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        if name != "content-length" {
            response = response.header(name, value);
        }
    }
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Ok(response.body(body).unwrap())
}

fn ok(body: &Value) -> Answer {
    answer(200, &[], body)
}

fn token(expires_in: i64, scope: &str) -> Answer {
    ok(&json!({"access_token": "t0ken", "token_type": "bearer", "expires_in": expires_in, "scope": scope, "jti": "1"}))
}

fn client_over(transport: Arc<Answering>, clock: Clock) -> Client {
    Client::new(transport, clock, credentials("http://127.0.0.1:18181", ("billing", "s3cret")))
}

/// A client whose root and token requests are answered well, and any other by `others`.
fn client<F>(others: F) -> (Client, Arc<Answering>)
where
    F: Fn(&Request<Bytes>, usize) -> Answer + Send + Sync + 'static,
{
    client_at(Clock::manual(Timestamp::from_unix(1_790_000_000)), others)
}

fn client_at<F>(clock: Clock, others: F) -> (Client, Arc<Answering>)
where
    F: Fn(&Request<Bytes>, usize) -> Answer + Send + Sync + 'static,
{
    let answering = Answering {
        answer: Box::new(move |request: &Request<Bytes>, number: usize| match request.uri().path() {
            "/" => ok(&exchange("root.json").body),
            "/oauth/token" => token(600, "cloud_controller.admin"),
            _ => others(request, number),
        }),
        asked: Mutex::new(Vec::new()),
    };
    let transport = Arc::new(answering);
    (client_over(transport.clone(), clock), transport)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn every_recorded_file_is_in_the_manifest() {
    let manifest = manifest();
    let missing: Vec<_> = FILES.keys().filter(|name| !manifest.contains_key(*name)).collect();
    let gone: Vec<_> = manifest.keys().filter(|name| !FILES.contains_key(*name)).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not listed: {missing:?}; listed, but not there: {gone:?}");
}

/// What the client makes of a recorded answer: how many things, or which failure.
async fn replay(recorded: &Recorded) -> Result<usize, ErrorKind> {
    let recorded = recorded.clone();
    let path = recorded.path.split('?').next().unwrap().to_owned();
    let answers = recorded.clone();
    let (client, transport) = client(move |request, _| {
        // A snapshot's job is asked for after it was requested.
        if request.uri().path().starts_with("/v3/jobs/") && answers.method == "POST" {
            let app = answers.path.contains("app_usage");
            let job = if app { "snapshot_app_job_processing.json" } else { "snapshot_service_job_processing.json" };
            return ok(&exchange(job).body);
        }
        answer(answers.status, &answers.headers, &answers.body)
    });
    let stream = if path.contains("service_usage") { Stream::Service } else { Stream::App };
    let guid = Guid::new(path.trim_end_matches("/chunks").rsplit('/').next().unwrap());
    let count = |found: bool| usize::from(found);
    let kind = |error: ApiError| error.kind;
    let result = match path.as_str() {
        "/" => client.endpoints().await.map(|_| 1).map_err(kind),
        "/v3/app_usage_events" | "/v3/service_usage_events" => {
            let page = client.events(stream, &After::Nothing).await.map_err(kind)?.value;
            for ((raw, _), sent) in page.events.iter().zip(recorded.body["resources"].as_array().unwrap()) {
                assert_eq!(&serde_json::from_str::<Value>(raw).unwrap(), sent, "kept as received");
            }
            for (_, decoded) in &page.events {
                let odd = matches!(decoded.event.fact, Fact::Undecodable(_) | Fact::UnknownState(_));
                assert!(!odd, "{}: {:?}", recorded.name, decoded.event);
            }
            assert_eq!(page.full, !recorded.body["pagination"]["next"].is_null());
            Ok(page.events.len())
        }
        _ if path.contains("_usage_events/") => {
            client.event(stream, &guid).await.map(|event| count(event.is_some())).map_err(kind)
        }
        _ if path.starts_with("/v3/jobs/") => {
            let job = client.job(&guid).await.map_err(kind)?;
            if let Some(job) = &job {
                let linked =
                    recorded.body["links"].as_object().unwrap().keys().any(|link| link.ends_with("_usage_snapshot"));
                assert_eq!(job.snapshot_guid().is_some(), linked, "{}", recorded.name);
            }
            Ok(count(job.is_some()))
        }
        _ if recorded.method == "POST" => match client.request_snapshot(stream).await.map_err(kind)? {
            Requested::Snapshot(guid) => {
                assert_eq!(guid.to_string().len(), 36);
                Ok(1)
            }
            Requested::InProgress => Err(ErrorKind::Conflict),
            Requested::NotAllowed => Err(ErrorKind::Forbidden),
        },
        _ if path.ends_with("/chunks") => {
            let (chunks, more) = client.chunks(stream, &guid, 1).await.map_err(kind)?;
            assert_eq!(more, !recorded.body["pagination"]["next"].is_null());
            let rows = recorded.body["resources"].as_array().unwrap().iter();
            let rows: usize = rows
                .map(|chunk| {
                    let rows = chunk.get("processes").or(chunk.get("service_instances"));
                    rows.and_then(Value::as_array).unwrap().len()
                })
                .sum();
            assert_eq!(chunks.iter().cloned().flat_map(cf_billing::cloud_controller::Chunk::into_items).count(), rows);
            Ok(chunks.len())
        }
        "/v3/app_usage/snapshots" | "/v3/service_usage/snapshots" => {
            let page = &recorded.body["pagination"];
            if page["next"].is_object() {
                // One page of several: the client would ask for the next for ever.
                return Ok(recorded.body["resources"].as_array().unwrap().len());
            }
            client.snapshots(stream).await.map(|snapshots| snapshots.len()).map_err(kind)
        }
        _ if path.contains("_usage/snapshots/") => {
            let snapshot = client.snapshot(stream, &guid).await.map_err(kind)?;
            if let Some(snapshot) = &snapshot {
                assert_eq!(snapshot.completed_at.is_some(), recorded.body["completed_at"].is_string());
                let checkpoint = snapshot.checkpoint().map(|event| event.guid.to_string());
                assert_eq!(checkpoint.as_deref(), recorded.body["checkpoint_event_guid"].as_str());
            }
            Ok(count(snapshot.is_some()))
        }
        _ if recorded.body["pagination"]["next"].is_object() => {
            Ok(recorded.body["resources"].as_array().unwrap().len())
        }
        "/v3/processes" => client.processes(&[guid]).await.map(|listed| listed.value.rows.len()).map_err(kind),
        "/v3/tasks" => client.running_tasks().await.map(|listed| listed.rows.len()).map_err(kind),
        "/v3/apps" => client.apps(&[guid]).await.map(|listed| listed.rows.len()).map_err(kind),
        "/v3/organizations" => client.organizations(&[guid]).await.map(|listed| listed.rows.len()).map_err(kind),
        "/v3/spaces" => client.spaces(&[guid]).await.map(|listed| listed.rows.len()).map_err(kind),
        "/v3/droplets" => {
            let listed = client.droplets(&[guid]).await.map_err(kind)?;
            for (droplet, sent) in listed.rows.iter().zip(recorded.body["resources"].as_array().unwrap()) {
                let last = sent["buildpacks"].as_array().and_then(|buildpacks| buildpacks.last()?["name"].as_str());
                assert_eq!(droplet.buildpack(), last);
            }
            Ok(listed.rows.len())
        }
        other => panic!("{}: the client never asks for {other}", recorded.name),
    };
    drop(transport);
    result
}

/// What should come of a recorded answer.
fn expected(recorded: &Recorded) -> Result<usize, ErrorKind> {
    let error = &recorded.body["errors"][0];
    let retry_after = recorded.headers.iter().find(|(name, _)| name == "retry-after");
    let retry_after = retry_after.map(|(_, seconds)| Duration::from_secs(seconds.parse().unwrap()));
    match recorded.status {
        200 => Ok(recorded.body["resources"].as_array().map_or(1, Vec::len)),
        202 => Ok(1),
        401 => Err(ErrorKind::Unauthorized),
        403 => Err(ErrorKind::Forbidden),
        404 if error["code"] == 10000 => Err(ErrorKind::NoRoute),
        404 if recorded.path.contains("/chunks") => Err(ErrorKind::NotFound),
        404 => Ok(0),
        409 => Err(ErrorKind::Conflict),
        422 if error["detail"].as_str().unwrap().contains("After guid filter must be a valid") => {
            Err(ErrorKind::AfterGuidUnknown)
        }
        400 | 422 => Err(ErrorKind::Refused),
        429 => Err(ErrorKind::RateLimited { retry_after }),
        500 => Err(ErrorKind::Server { status: 500, retry_after: None }),
        other => panic!("{}: unforeseen status {other}", recorded.name),
    }
}

#[test]
fn every_recorded_event_of_a_scenario_is_understood() {
    let scenarios = FILES.iter().filter(|(name, _)| name.starts_with("more/scenario_"));
    let mut events = 0;
    for (name, content) in scenarios {
        for event in content["events"].as_array().unwrap() {
            let fact = cf_billing::cloud_controller::decode(Stream::App, &event.to_string()).event.fact;
            assert!(!matches!(fact, Fact::Undecodable(_) | Fact::UnknownState(_)), "{name}: {fact:?} of {event}");
            events += 1;
        }
    }
    assert!(events > 100, "{events}");
}

#[test]
fn an_app_without_a_droplet_is_read_as_it_was_recorded() {
    for (name, without) in [
        ("more/apps_include_with_app_without_droplet.json", 2),
        ("more/apps_include_docker_cnb_custom_urls_no_droplet.json", 1),
    ] {
        let recorded = exchange(name);
        let body = recorded.body.clone();
        let (client, _) = client(move |_, _| ok(&body));
        let listed = run(client.all_apps()).unwrap().value;
        assert_eq!(listed.unreadable, []);
        let droplet = |app: &&cf_billing::cloud_controller::App| {
            app.relationships.current_droplet.as_ref().is_some_and(|droplet| droplet.guid().is_none())
        };
        assert_eq!(listed.rows.iter().filter(droplet).count(), without, "{name}");
    }
}

#[test]
fn every_recorded_answer_is_understood() {
    let recorded = exchanges(|used| used.client);
    assert!(recorded.len() > 200, "{}", recorded.len());
    let mut wrong = BTreeMap::new();
    for recorded in &recorded {
        let result = run(replay(recorded));
        if result != expected(recorded) {
            wrong.insert(&recorded.name, format!("{result:?} instead of {:?}", expected(recorded)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn page(events: &[Value]) -> Value {
    json!({"pagination": {"total_results": events.len(), "total_pages": 1, "next": null}, "resources": events})
}

#[test]
fn events_are_asked_for_by_keyset_in_the_default_order() {
    let (client, transport) = client(|_, _| ok(&page(&[])));
    run(async {
        client.events(Stream::App, &After::Nothing).await.unwrap();
        client.events(Stream::Service, &After::Event(Guid::new("g 1"))).await.unwrap();
        client.events(Stream::App, &After::Time(Timestamp::parse("2026-10-01T00:00:00Z").unwrap())).await.unwrap();
    });
    let asked = transport.asked.lock().unwrap();
    assert_eq!(
        asked[2..],
        [
            "GET http://127.0.0.1:18181/v3/app_usage_events?per_page=5000",
            "GET http://127.0.0.1:18181/v3/service_usage_events?per_page=5000&after_guid=g+1",
            "GET http://127.0.0.1:18181/v3/app_usage_events?per_page=5000&created_ats%5Bgte%5D=2026-10-01T00%3A00%3A00Z",
        ]
    );
}

#[test]
fn a_token_is_renewed_before_it_expires_and_once_on_401() {
    let clock = Clock::manual(Timestamp::from_unix(1_790_000_000));
    let (client, transport) = client_at(clock.clone(), |_, number| {
        if number == 5 {
            answer(
                401,
                &[],
                &json!({"errors": [{"code": 1000, "title": "CF-InvalidAuthToken", "detail": "Invalid Auth Token"}]}),
            )
        } else {
            ok(&page(&[]))
        }
    });
    let fetched = || transport.asked.lock().unwrap().iter().filter(|asked| asked.ends_with("/oauth/token")).count();
    run(async {
        client.events(Stream::App, &After::Nothing).await.unwrap(); // requests 1 to 3
        assert_eq!(fetched(), 1);
        // Of 600 s, the last 60 are not used.
        clock.set(Timestamp::from_unix(1_790_000_000 + 539));
        client.events(Stream::App, &After::Nothing).await.unwrap(); // 4
        assert_eq!(fetched(), 1);
        client.events(Stream::App, &After::Nothing).await.unwrap(); // 5: 401, 6: token, 7
        assert_eq!(fetched(), 2);
        clock.set(Timestamp::from_unix(1_790_000_000 + 539 + 540));
        client.events(Stream::App, &After::Nothing).await.unwrap();
        assert_eq!(fetched(), 3);
    });
}

#[test]
fn a_second_401_is_an_error() {
    let (client, transport) = client(|_, _| answer(401, &[], &json!({"errors": []})));
    let error = run(client.events(Stream::App, &After::Nothing)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized);
    assert_eq!(transport.asked.lock().unwrap().len(), 5);
}

#[test]
fn a_token_without_global_read_is_refused_before_anything_is_read() {
    let (_, _) = client(|_, _| ok(&page(&[])));
    let answering = Answering {
        answer: Box::new(|request: &Request<Bytes>, _: usize| match request.uri().path() {
            "/" => ok(&exchange("root.json").body),
            "/oauth/token" => token(600, "cloud_controller.read openid"),
            _ => panic!("read with a token that would see nothing"),
        }),
        asked: Mutex::new(Vec::new()),
    };
    let client = client_over(Arc::new(answering), Clock::manual(Timestamp::from_unix(0)));
    let error = run(client.events(Stream::App, &After::Nothing)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::MissingScope);
    insta::assert_snapshot!(error, @"
    client `billing`: its token can't read everything; its authorities are: cloud_controller.read, openid
    hint: give the UAA client the authority cloud_controller.admin_read_only, cloud_controller.global_auditor or cloud_controller.admin
    ");
}

#[test]
fn scopes_that_read_everything_are_these_three() {
    for (scope, reads, admin) in [
        ("cloud_controller.admin", true, true),
        ("cloud_controller.admin_read_only", true, false),
        ("openid cloud_controller.global_auditor", true, false),
        ("cloud_controller.read cloud_controller.write", false, false),
        ("cloud_controller.administrator", false, false),
        ("", false, false),
    ] {
        let scope_text = scope.to_owned();
        let answering = Answering {
            answer: Box::new(move |request: &Request<Bytes>, _: usize| match request.uri().path() {
                "/" => ok(&exchange("root.json").body),
                _ => token(600, &scope_text),
            }),
            asked: Mutex::new(Vec::new()),
        };
        let client = client_over(Arc::new(answering), Clock::manual(Timestamp::from_unix(0)));
        let token = run(client.token());
        assert_eq!(token.is_ok(), reads, "{scope}");
        assert_eq!(token.is_ok_and(|token| token.is_admin()), admin, "{scope}");
    }
}

fn own(code: i64) -> Value {
    json!({"errors": [{"code": code, "title": "CF-Something", "detail": "something"}]})
}

/// What stands in Cloud Controller's place and isn't its own word, as seen in the wild.
fn foreign() -> Vec<(&'static str, Response<Bytes>)> {
    let response = |status: u16, kind: &str, body: &str| {
        let builder = Response::builder().status(status).header("content-type", kind);
        builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    };
    let router = |status: u16, body: &str| {
        let mut router = response(status, "text/plain; charset=utf-8", body);
        router.headers_mut().insert("x-cf-routererror", "unknown_route".parse().unwrap());
        router
    };
    let own_404 = own(10_000).to_string();
    vec![
        ("gorouter", router(404, "404 Not Found: Requested route ('api.example.org') does not exist.\n")),
        ("a router, whatever its body", router(404, &own_404)),
        ("a proxy's 403", response(403, "text/html", "<html><h1>Access denied</h1></html>")),
        ("a proxy's 404", response(404, "text/html", "<html><h1>404</h1></html>")),
        ("a proxy's 410", response(410, "text/html", "<html>gone</html>")),
        ("a proxy's JSON", response(404, "application/json", r#"{"message":"no Route matched with those values"}"#)),
        ("no errors in it", response(404, "application/json", r#"{"errors":[]}"#)),
        ("errors without a code", response(404, "application/json", r#"{"errors":[{"detail":"not found"}]}"#)),
        ("a list of errors", response(404, "application/json", r#"{"errors":["not found"]}"#)),
        ("nothing", response(404, "application/json", "")),
        ("a 409", response(409, "text/html", "<html>conflict</html>")),
        ("a 422", response(422, "text/plain", "After guid filter must be a valid app usage event guid.")),
        ("a login page", response(200, "text/html", "<html><form action=/login></form></html>")),
        ("another's JSON", response(200, "application/json", r#"{"status":"ok"}"#)),
        ("a list of JSON", response(200, "application/json", "[]")),
        ("a redirect", response(302, "text/html", "")),
        ("compressed", {
            let mut compressed = response(404, "application/json", "\u{1f}");
            compressed.headers_mut().insert("content-encoding", "gzip".parse().unwrap());
            compressed
        }),
    ]
}

/// Every question whose answer may decide something.
#[test]
fn what_is_not_their_own_word_decides_nothing() {
    for (name, given) in foreign() {
        let (client, transport) = client(move |_, _| Ok(given.clone()));
        let guid = Guid::new("5a1f2e3d-0000-4000-8000-000000000000");
        let undecided = |error: &ApiError| {
            let decides = matches!(
                error.kind,
                ErrorKind::NotFound
                    | ErrorKind::NoRoute
                    | ErrorKind::Forbidden
                    | ErrorKind::Conflict
                    | ErrorKind::AfterGuidUnknown
                    | ErrorKind::Refused
            );
            assert!(!decides, "{name}: {error:?}");
            assert!(error.foreign().is_some(), "{name}: {error:?}");
        };
        undecided(&run(client.snapshots(Stream::App)).unwrap_err());
        undecided(&run(client.snapshot(Stream::App, &guid)).unwrap_err());
        undecided(&run(client.request_snapshot(Stream::App)).unwrap_err());
        undecided(&run(client.job(&guid)).unwrap_err());
        undecided(&run(client.chunks(Stream::App, &guid, 1)).unwrap_err());
        undecided(&run(client.event(Stream::App, &guid)).unwrap_err());
        undecided(&run(client.events(Stream::App, &After::Event(guid.clone()))).unwrap_err());
        undecided(&run(client.newest_event(Stream::App)).unwrap_err());
        undecided(&run(client.droplets(std::slice::from_ref(&guid))).unwrap_err());
        undecided(&run(client.all_processes()).unwrap_err());
        drop(transport);
    }
}

#[test]
fn an_event_that_is_another_is_no_answer() {
    let (client, _transport) = client(|_, _| ok(&exchange("events_app_show.json").body));
    let error = run(client.event(Stream::App, &Guid::new("another"))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidBody, "{error}");
}

#[test]
fn a_stream_that_gives_what_was_asked_after_has_no_end() {
    let event = exchange("events_app_show.json").body;
    let guid = Guid::new(event["guid"].as_str().unwrap());
    let (client, _transport) = client(move |_, _| ok(&page(std::slice::from_ref(&event))));
    let error = run(client.events(Stream::App, &After::Event(guid))).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Endless, "{error}");
}

#[test]
fn a_list_without_an_end_is_given_up_and_named() {
    let (client, transport) = client(|_, _| {
        let next = json!({"href": "https://evil.example/v3/processes?page=2"});
        ok(&json!({"pagination": {"total_results": 0, "total_pages": 1, "next": next}, "resources": []}))
    });
    let error = run(client.all_processes()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Endless);
    assert!(error.to_string().contains("/v3/processes"), "{error}");
    assert!(transport.asked.lock().unwrap().len() < 10);
}

/// Of a page's `next` nothing is used but that there is one: the rest might lead anywhere.
#[test]
fn pages_are_read_from_the_configured_address_wherever_next_leads() {
    let (client, transport) = client(|request, _| {
        let first = request.uri().query().unwrap().contains("page=1") && !request.uri().to_string().contains("page=2");
        let next = first.then(|| json!({"href": "https://evil.example/v3/processes?page=2"}));
        let last = json!({"href": "https://evil.example/v3/app_usage_events?page=7&per_page=1"});
        ok(&json!({"pagination": {"total_results": 0, "next": next, "last": last}, "resources": []}))
    });
    let _ = run(client.all_processes());
    let _ = run(client.newest_event(Stream::App));
    let asked = transport.asked.lock().unwrap();
    assert!(asked.iter().any(|asked| asked.contains("page=7")), "{asked:?}");
    assert!(asked.iter().all(|asked| asked.contains("http://127.0.0.1:1818")), "{asked:?}");
}

#[test]
fn what_passes_is_repeated_what_stays_is_not() {
    let html =
        || Ok(Response::builder().status(200).header("content-type", "text/html").body(Bytes::from("<html>")).unwrap());
    let server = |status| answer(status, &[], &Value::Null);
    type Case = (&'static str, Box<dyn Fn() -> Answer + Send + Sync>, usize);
    let cases: Vec<Case> = vec![
        ("timeout", Box::new(|| Err(TransportError::Timeout)), 4),
        ("refused", Box::new(|| Err(TransportError::Connect("refused".into()))), 4),
        ("cut", Box::new(|| Err(TransportError::Cut("eof".into()))), 4),
        ("503", Box::new(move || server(503)), 4),
        ("502", Box::new(move || server(502)), 4),
        ("429", Box::new(|| answer(429, &[("retry-after".into(), "2".into())], &Value::Null)), 4),
        ("429, long", Box::new(|| answer(429, &[("retry-after".into(), "1800".into())], &Value::Null)), 1),
        ("tls", Box::new(|| Err(TransportError::Tls("unknown issuer".into()))), 1),
        // Without Cloud Controller's own words it is a router's or a proxy's.
        ("403", Box::new(move || server(403)), 4),
        ("404", Box::new(move || server(404)), 4),
        ("410", Box::new(move || server(410)), 4),
        ("their own 403", Box::new(|| answer(403, &[], &own(10_003))), 1),
        ("their own 404", Box::new(|| answer(404, &[], &own(10_010))), 1),
        ("301", Box::new(move || server(301)), 1),
        ("414", Box::new(move || server(414)), 1),
        ("html", Box::new(html), 1),
    ];
    for (name, failing, times) in cases {
        let (client, transport) = client(move |_, _| failing());
        let error = run(client.events(Stream::App, &After::Nothing)).unwrap_err();
        let asked = transport.asked.lock().unwrap().iter().filter(|asked| asked.contains("usage_events")).count();
        assert_eq!(asked, times, "{name}: {error}");
    }
}

#[test]
fn a_repeated_request_succeeds_when_the_answer_comes() {
    let (client, transport) =
        client(|_, number| if number < 6 { Err(TransportError::Timeout) } else { ok(&page(&[])) });
    run(client.events(Stream::App, &After::Nothing)).unwrap();
    // The page asked for halves each time, and grows again.
    run(client.events(Stream::App, &After::Nothing)).unwrap();
    run(client.events(Stream::App, &After::Nothing)).unwrap();
    let sizes: Vec<String> = (transport.asked.lock().unwrap().iter())
        .filter_map(|asked| asked.split_once("per_page=").map(|(_, size)| size.to_owned()))
        .collect();
    assert_eq!(sizes, ["5000", "2500", "1250", "625", "1250", "2500"]);
}

#[test]
fn pages_never_shrink_below_fifty() {
    let (client, transport) = client(|_, _| answer(500, &[], &Value::Null));
    for _ in 0..4 {
        run(client.events(Stream::App, &After::Nothing)).unwrap_err();
    }
    assert!(transport.asked.lock().unwrap().last().unwrap().ends_with("per_page=50"));
}

#[test]
fn lists_are_read_to_their_last_page() {
    let (client, _) = client(|request, _| {
        let last = request.uri().query().unwrap().contains("page=3");
        let next = if last { Value::Null } else { json!({"href": "http://elsewhere/v3/organizations?page=9"}) };
        ok(&json!({"pagination": {"next": next}, "resources": [{"guid": "g", "name": "n"}]}))
    });
    let listed = run(client.organizations(&[Guid::new("g")])).unwrap();
    assert_eq!(listed.rows.len(), 3);
}

#[test]
fn answers_are_dated_by_the_one_who_answers() {
    let (client, _) =
        client(|_, _| answer(200, &[("date".to_owned(), "Thu, 01 Oct 2026 12:34:56 GMT".to_owned())], &page(&[])));
    let page = run(client.events(Stream::App, &After::Nothing)).unwrap();
    assert_eq!(page.date.to_string(), "2026-10-01T12:34:56Z");
}

#[test]
fn wrong_client_credentials_say_so() {
    let answering = Answering {
        answer: Box::new(|request: &Request<Bytes>, _: usize| {
            if request.uri().path() == "/" {
                ok(&exchange("root.json").body)
            } else {
                assert_eq!(request.method(), Method::POST);
                assert_eq!(request.headers()["authorization"], "Basic YmlsbGluZzpzM2NyZXQ=");
                assert_eq!(request.body(), "grant_type=client_credentials");
                answer(401, &[], &json!({"error": "unauthorized", "error_description": "Bad credentials"}))
            }
        }),
        asked: Mutex::new(Vec::new()),
    };
    let client = client_over(Arc::new(answering), Clock::manual(Timestamp::from_unix(0)));
    let error = run(client.token()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadClient);
    insta::assert_snapshot!(error, @"
    POST http://127.0.0.1:18182/oauth/token: 401 unauthorized: Bad credentials
    hint: check client_id and client_secret of the foundation
    ");
}

#[test]
fn errors_name_request_answer_and_request_id() {
    let recorded = exchange("snapshot_app_chunks_err_page_0.json");
    let (client, _) = client(move |_, _| answer(recorded.status, &recorded.headers, &recorded.body));
    let error = run(client.chunks(Stream::App, &Guid::new("g"), 1)).unwrap_err();
    insta::assert_snapshot!(error, @"
    GET http://127.0.0.1:18181/v3/app_usage/snapshots/g/chunks?page=1&per_page=50: 500 UnknownError 10001: An unknown error occurred. (request id fb181141-d94c-4577-ba8b-63373dd4a389)
    hint: Cloud Controller or a router before it failed; it is tried again
    ");
}

/// Rows of organizations, of which `unreadable` have no name.
fn organizations(rows: usize, unreadable: usize) -> Value {
    let rows: Vec<Value> = (0..rows)
        .map(|number| {
            let name = if number < unreadable { Value::Null } else { json!("n") };
            let of = json!({"organization": {"data": {"guid": "o"}}});
            json!({"guid": format!("g{number}"), "name": name, "relationships": of})
        })
        .collect();
    json!({"pagination": {"next": null}, "resources": rows})
}

#[test]
fn one_odd_row_fails_no_list_and_more_than_one_in_a_hundred_do() {
    for (rows, unreadable, read) in
        [(1, 1, true), (5, 1, true), (5, 2, false), (200, 2, true), (199, 2, false), (500, 5, true), (500, 6, false)]
    {
        let body = organizations(rows, unreadable);
        let (client, _) = client(move |_, _| ok(&body));
        match run(client.all_spaces()) {
            Ok(listed) => {
                assert!(read, "{unreadable} of {rows}");
                assert_eq!((listed.rows.len(), listed.unreadable.len()), (rows - unreadable, unreadable));
                let first = &listed.unreadable[0];
                assert_eq!(first.guid, Guid::new("g0"));
                assert_eq!(first.reason, "`name`: invalid type: null, expected a string");
            }
            Err(error) => {
                assert!(!read, "{unreadable} of {rows}: {error}");
                let error = error.to_string();
                let said = format!("{unreadable} of {rows} rows can't be read");
                assert!(error.contains("/v3/spaces") && error.contains(&said), "{error}");
                assert!(error.contains("g0: `name`"), "{error}");
            }
        }
    }
}

#[test]
fn rows_asked_for_by_guid_are_never_too_many_that_cannot_be_read() {
    let (client, _) = client(|_, _| ok(&organizations(5, 5)));
    let listed = run(client.spaces(&[Guid::new("g0")])).unwrap();
    assert!(listed.rows.is_empty() && listed.has(&Guid::new("g4")) && !listed.has(&Guid::new("g5")));
}

#[test]
fn a_row_without_a_guid_makes_its_list_a_failed_read() {
    let (client, _) = client(|_, _| {
        let rows = json!([{"guid": "g", "name": "n"}, {"guid": null, "name": "n"}]);
        ok(&json!({"pagination": {"next": null}, "resources": rows}))
    });
    let error = run(client.organizations(&[Guid::new("g")])).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidBody);
    let text = error.to_string();
    assert!(text.contains("/v3/organizations?") && text.contains("row 2 ") && text.contains("no guid"), "{text}");
    assert!(text.contains("`guid`"), "{text}");
}
