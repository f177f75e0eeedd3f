//! What the daemon's HTTP server bears: idle and many connections, names of others, and who may see money.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::plant::Plant;
use crate::support::background::{eventually, get, text};
use crate::support::program::Program;

fn running(seed: u64, set: &[(&'static str, &str)]) -> Plant {
    let program = Program::new();
    let database = program.database();
    let mut plant = Plant::new(program, database, seed);
    for (name, value) in set {
        plant.set(name, value);
    }
    plant.start(&[]);
    plant.onboarded();
    plant
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Sends a request as it is written; gives all that comes back.
fn ask(url: &str, request: &str) -> String {
    let mut stream = connect(url);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn page(url: &str, path: &str, host: &str) -> String {
    ask(url, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// Takes some 11 s: the time after which an idle connection ends.
#[test]
fn a_connection_that_says_nothing_ends_and_others_are_answered_meanwhile() {
    let plant = running(51, &[]);
    // One says nothing, one half a request, one has been answered and asks nothing more.
    let (mut silent, mut half, mut kept) = (connect(&plant.url), connect(&plant.url), connect(&plant.url));
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: loc").unwrap();
    kept.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let begun = Instant::now();
    assert!(text(&format!("{}/metrics", plant.url)).contains("cf_billing_build_info"));
    for stream in [&mut silent, &mut half, &mut kept] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let took = begun.elapsed();
        assert!((Duration::from_secs(8)..Duration::from_secs(25)).contains(&took), "{took:?}");
    }
}

/// 224 connections are for everybody, 32 more for what alerts and probes ask.
#[test]
fn many_connections_leave_room_for_metrics_and_health() {
    let plant = running(52, &[]);
    // What was asked before has ended.
    let mut idle = Vec::new();
    let wait = |path: &str| page(&plant.url, path, "localhost");
    eventually(String::new, || {
        idle = (0..223).map(|_| connect(&plant.url)).collect::<Vec<_>>();
        wait("/").starts_with("HTTP/1.1 200").then_some(())
    });
    // One more, and pages are full.
    idle.push(connect(&plant.url));
    eventually(String::new, || wait("/").starts_with("HTTP/1.1 503").then_some(()));
    for path in ["/metrics", "/healthz", "/servez"] {
        assert!(wait(path).starts_with("HTTP/1.1 200"), "{path}: {}", wait(path));
    }
    drop(idle);
    eventually(String::new, || wait("/").starts_with("HTTP/1.1 200").then_some(()));
}

#[test]
fn pages_answer_to_their_own_names_and_say_what_a_browser_may_do() {
    let card = concat!(env!("CARGO_MANIFEST_DIR"), "/rates/standard.toml");
    let plant = running(53, &[("CF_BILLING__BILLING__RATES", card)]);
    let name = plant.url.trim_start_matches("http://").to_owned();
    let known = page(&plant.url, "/", &name);
    assert!(known.starts_with("HTTP/1.1 200"), "{known}");
    let head = known.split("\r\n\r\n").next().unwrap();
    for header in [
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-frame-options: DENY",
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "cache-control: private, no-store",
    ] {
        assert!(head.contains(header), "{header} is missing in\n{head}");
    }
    assert!(!known.contains(" style=\""), "the policy allows one style, the page's own");
    for (path, host, status) in [
        ("/", "billing.example.org", 421),
        ("/", "evil.example", 421),
        ("/metrics", "evil.example", 200),
        ("/healthz", "192.0.2.1:9495", 200),
        ("/readyz", "192.0.2.1:9495", 200),
    ] {
        let answer = page(&plant.url, path, host);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path} as {host}: {answer}");
    }
    // Nor does it learn anything by what anybody may ask.
    assert!(page(&plant.url, "/readyz", "localhost").contains("\"known_until\""));
    assert!(page(&plant.url, "/readyz", "evil.example").ends_with("\r\n\r\nready\n"));
    plant.says("drafts computed");
    assert!(page(&plant.url, "/metrics", "127.0.0.1:9495").contains("\ncf_billing_accrued_amount{"));
    let metrics = page(&plant.url, "/metrics", "evil.example");
    assert!(metrics.contains("\ncf_billing_database_up 1") && !metrics.contains("_amount"), "{metrics}");
    let said = page(&plant.url, "/", "billing.example.org");
    assert!(said.contains("hint: add it to `hosts` in [http]"), "{said}");
    let text = std::fs::read_to_string(plant.program.folder.path().join("cf-billing.toml")).unwrap();
    let text = text.replace("[http]\n", "[http]\nhosts = \"bills.example.org, billing.example.org\"\n");
    std::fs::write(plant.program.folder.path().join("cf-billing.toml"), text).unwrap();
    let mut plant = plant;
    plant.end("TERM");
    plant.start(&[]);
    // It is known then; but nobody can sign in, so that it is for this machine alone.
    let known = page(&plant.url, "/", "billing.example.org");
    assert!(known.starts_with("HTTP/1.1 401") && known.contains("Add a [[token]] to the configuration"), "{known}");
    assert!(page(&plant.url, "/", "127.0.0.1:1").starts_with("HTTP/1.1 200"));
    assert!(page(&plant.url, "/", "evil.example").starts_with("HTTP/1.1 421"));
}

/// Anybody who reaches the other address learns whether it works, and nothing of money, names or reasons.
#[test]
fn metrics_at_another_address_have_no_money_and_health_is_a_word() {
    let mut plant = running(54, &[("CF_BILLING__HTTP__METRICS_LISTEN", "0.0.0.0:0")]);
    let log = plant.log();
    let line = log.lines().find(|line| line.contains("metrics without money at http://")).unwrap();
    let port = line.rsplit(':').next().unwrap().split('/').next().unwrap();
    let url = format!("http://127.0.0.1:{port}");
    let metrics = text(&format!("{url}/metrics"));
    assert!(metrics.contains("cf_billing_database_up") && !metrics.contains("accrued_amount"), "{metrics}");
    assert_eq!(text(&format!("{url}/readyz")), "ready\n");
    assert_eq!(text(&format!("{url}/servez")), "serving\n");
    assert_eq!(text(&format!("{url}/healthz")), "alive\n");
    assert_eq!(get(&format!("{url}/")).status(), 404);
    plant.end_foundation();
    eventually(|| plant.log(), || (get(&format!("{url}/readyz")).status() == 503).then_some(()));
    assert_eq!(text(&format!("{url}/readyz")), "not ready\n");
}
