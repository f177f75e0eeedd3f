//! Secrets go where they were meant to: tokens and the client's secret to the API and its own UAA; files to their owner.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::transport::{Exchange, Exchanging};
use cf_billing::cloud_controller::{Client, Credentials, ErrorKind};
use cf_billing::consumer::{CollectError, Collector, Cycle};
use cf_billing::domain::Timestamp;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::Store;
use cf_billing::telemetry::Reporter;
use http::{Request, Response};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::background::{Background, configure, simulate};
use crate::support::member::{credentials, plan};
use crate::support::program::Program;

const API: &str = "https://api.sys.example.org";

/// A foundation whose UAA is elsewhere; keeps where secrets were sent.
struct Apart {
    foundation: Mutex<Foundation>,
    uaa: Mutex<String>,
    told: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Apart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Apart")
    }
}

impl Exchange for Apart {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        let uri = request.uri();
        let origin = format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default());
        if request.headers().contains_key("authorization") {
            self.told.lock().unwrap().push(origin);
        }
        let answer = self.foundation.lock().unwrap().exchange(&request);
        let answer = if uri.path() == "/" {
            let mut root: Value = serde_json::from_slice(answer.body()).unwrap();
            for link in ["login", "uaa"] {
                root["links"][link]["href"] = self.uaa.lock().unwrap().clone().into();
            }
            Response::new(Bytes::from(root.to_string()))
        } else {
            answer
        };
        Box::pin(async { Ok(answer) })
    }
}

struct Started {
    runtime: tokio::runtime::Runtime,
    program: Program,
    apart: Arc<Apart>,
}

impl Started {
    fn new(uaa: &str) -> Self {
        let mut foundation = Foundation::new(5, Timestamp::parse("2026-03-01T08:00:00Z").unwrap());
        foundation.world.settle(&mut foundation.tables, 3);
        let (foundation, uaa, told) = (Mutex::new(foundation), Mutex::new(uaa.to_owned()), Mutex::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, program: Program::new(), apart: Arc::new(Apart { foundation, uaa, told }) }
    }

    /// What a daemon that was started anew comes to, and where it sent secrets.
    fn cycle(&self, configured: Option<&str>) -> (Result<Cycle, CollectError>, Vec<String>) {
        let clock = Clock::manual(self.apart.foundation.lock().unwrap().now());
        let uaa = configured.map(|uaa| uaa.parse().unwrap());
        let client = Client::new(self.apart.clone(), clock.clone(), Credentials { uaa, ..credentials(API, ADMIN) });
        let cycle = self.runtime.block_on(async {
            let store = Store::open(&self.program.database()).await.unwrap();
            let stop = CancellationToken::new();
            let new = Collector::new(store.clone(), client, clock, plan("sys"), stop, Reporter::unseen("sys"));
            let mut collector = new.await.unwrap();
            let cycle = collector.cycle().await;
            drop(collector);
            store.close().await;
            cycle
        });
        let mut told = std::mem::take(&mut *self.apart.told.lock().unwrap());
        told.sort();
        told.dedup();
        (cycle, told)
    }
}

fn is_foreign(cycle: Result<Cycle, CollectError>) -> String {
    match cycle {
        Err(CollectError::Api(error)) if matches!(error.kind, ErrorKind::ForeignUaa { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn secrets_go_to_the_api_and_to_the_uaa_under_its_domain() {
    let started = Started::new("https://uaa.sys.example.org");
    let (cycle, told) = started.cycle(None);
    assert!(cycle.is_ok(), "{cycle:?}");
    assert_eq!(told, [API, "https://uaa.sys.example.org"]);
}

#[test]
fn secrets_go_nowhere_else_without_configuration() {
    for uaa in
        ["https://uaa.elsewhere.example", "http://uaa.sys.example.org", "https://uaa.sys.example.org.evil.example"]
    {
        let started = Started::new(uaa);
        let (cycle, told) = started.cycle(None);
        let error = is_foreign(cycle);
        assert!(error.contains(&format!("uaa = \"{uaa}\"")), "{error}");
        assert_eq!(told, Vec::<String>::new(), "{uaa}");
    }
    let started = Started::new("https://uaa.elsewhere.example");
    let (cycle, told) = started.cycle(Some("https://uaa.elsewhere.example"));
    assert!(cycle.is_ok(), "{cycle:?}");
    assert_eq!(told, [API, "https://uaa.elsewhere.example"]);
}

#[test]
fn the_uaa_of_the_onboarding_is_held_on_to() {
    let started = Started::new("https://uaa.sys.example.org");
    assert!(started.cycle(None).0.is_ok());
    *started.apart.uaa.lock().unwrap() = "https://login2.sys.example.org".to_owned();
    let (cycle, told) = started.cycle(None);
    let error = is_foreign(cycle);
    assert!(error.contains("`https://uaa.sys.example.org`") && error.contains("login2"), "{error}");
    assert_eq!(told, Vec::<String>::new());
    // Configured once, it is the one from then on.
    assert!(started.cycle(Some("https://login2.sys.example.org")).0.is_ok());
    let (cycle, told) = started.cycle(None);
    assert!(cycle.is_ok(), "{cycle:?}");
    assert_eq!(told, [API, "https://login2.sys.example.org"]);
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

/// The binary where nothing is masked.
fn unmasked(program: &Program, arguments: &[&str]) -> Command {
    let of = program.command(arguments);
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(of.get_program()).args(of.get_args());
    command.current_dir(program.folder.path()).env_clear();
    command.envs(of.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command
}

#[test]
fn what_is_made_on_disk_is_for_its_owner() {
    let program = Program::without_database();
    let (_simulated, api) = simulate(&program, &[]);
    configure(&program, &api, "");
    let book = |ending: &str| program.folder.path().join(format!("book.db{ending}"));
    let daemon =
        Background::spawn(&program, "run.log", &mut unmasked(&program, &["run", "--config", "cf-billing.toml"]));
    daemon.says("onboarding is complete");
    for ending in ["", "-wal", "-shm", "-collector.lock", "-opening.lock"] {
        assert_eq!(mode(&book(ending)), 0o600, "{ending}");
    }
    daemon.end("TERM");
    let exported = unmasked(&program, &["ledger", "export", "--out", "book.zst"]).status().unwrap();
    assert!(exported.success());
    assert_eq!(mode(&program.folder.path().join("book.zst")), 0o640);

    // What somebody set stays.
    std::fs::set_permissions(book(""), std::fs::Permissions::from_mode(0o664)).unwrap();
    assert!(unmasked(&program, &["gaps"]).output().unwrap().status.success());
    assert_eq!(mode(&book("")), 0o664);
}

#[test]
fn secret_files_for_everybody_and_plain_http_are_warned_of_and_not_refused() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure(&program, &api, "");
    let (file, secret) = (program.folder.path().join("cf-billing.toml"), program.folder.path().join("secret"));
    std::fs::write(&secret, ADMIN.1).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    let inline = format!("client_secret = \"{}\"", ADMIN.1);
    std::fs::write(&file, text.replace(&inline, "client_secret_file = \"secret\"")).unwrap();
    for (mode, warned) in [(0o600, false), (0o640, false), (0o644, true), (0o660, true), (0o400, false), (0o604, true)]
    {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        let lines = program.json(&["check", "--config", "cf-billing.toml"]);
        let told: Vec<&Value> = lines.as_array().unwrap().iter().filter(|line| line["what"] == "secrets").collect();
        assert_eq!(told.len(), usize::from(warned), "{mode:o}: {told:?}");
        assert!(told.iter().all(|line| line["verdict"] == "warn" && line["hint"].is_string()), "{told:?}");
        assert!(lines.as_array().unwrap().iter().any(|line| line["what"] == "plain http" && line["verdict"] == "warn"));
    }
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("holds a secret");
    daemon.says("are sent unencrypted to");
    daemon.says("onboarding is complete");
}
