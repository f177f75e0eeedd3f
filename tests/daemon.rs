//! `run`, `simulate` and `demo` as their users run them, and what the supervisor does when things fail.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cf_billing::clock::Clock;
use cf_billing::cloud_controller::Client;
use cf_billing::cloud_controller::transport::{Exchange, Exchanging};
use cf_billing::consumer::Plan;
use cf_billing::daemon::{Daemon, Heartbeat, Member};
use cf_billing::domain::Timestamp;
use cf_billing::http::OfBook;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::Store;
use cf_billing::telemetry::{Board, Metrics};
use http::Request;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::background::{Background, DEADLINE, configure, eventually, signal, simulate};
use crate::support::member::{credentials, plan};
use crate::support::program::{Program, Run};

/// 12 s: the truth is written every ten seconds.
#[test]
fn run_collects_what_simulate_says_was_used() {
    let program = Program::new();
    let truth_file = program.folder.path().join("truth.json");
    let (simulated, api) = simulate(&program, &["--seed", "5", "--truth", truth_file.to_str().unwrap()]);
    configure(&program, &api, "");
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("onboarding is complete");
    let truth: Value = eventually(
        || daemon.log(),
        || {
            let truth: Value = serde_json::from_str(&std::fs::read_to_string(&truth_file).ok()?).ok()?;
            truth["usage"].as_array().is_some_and(|rows| !rows.is_empty()).then_some(truth)
        },
    );
    let (from, to) = (truth["from"].as_str().unwrap(), truth["to"].as_str().unwrap());
    let until = Timestamp::parse(to).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(Store::open(&program.database())).unwrap();
    eventually(
        || daemon.log(),
        || runtime.block_on(store.foundation("sim")).unwrap().known_until.filter(|known| *known >= until),
    );
    let rows = program.json(&["usage", "--from", from, "--to", to, "--by", "kind,org,space,app,buildpack,plan"]);
    let key = ["kind", "org_guid", "space_guid", "app_guid", "buildpack", "service_plan_guid"];
    let sums = |rows: &Value| {
        let mut sums: BTreeMap<String, [i64; 3]> = BTreeMap::new();
        for row in rows.as_array().unwrap() {
            let total = sums.entry(format!("{:?}", key.map(|key| &row[key]))).or_default();
            for (total, name) in total.iter_mut().zip(["instance_seconds", "memory_mib_seconds", "disk_mib_seconds"]) {
                *total += row[name].as_i64().unwrap();
            }
        }
        sums.retain(|_, sums| *sums != [0; 3]);
        sums
    };
    assert_eq!(sums(&rows), sums(&truth["usage"]), "from {from} to {to}\n{}", daemon.log());

    let (code, took, log) = daemon.end("TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(log.ends_with("stopped\n"), "{log}");
    let (code, _, log) = simulated.end("INT");
    assert_eq!(code, Some(0), "{log}");
    let last: Value = serde_json::from_str(&std::fs::read_to_string(&truth_file).unwrap()).unwrap();
    assert!(Timestamp::parse(last["to"].as_str().unwrap()).unwrap() >= until);
}

#[test]
fn one_collects_at_a_time_and_others_work_beside_it() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure(&program, &api, "");
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("onboarding is complete");
    let second = program.run(&["run", "--config", "cf-billing.toml"]);
    assert_eq!(second.code, Some(1));
    assert!(second.stderr.contains("error: another cf-billing collects into"), "{}", second.stderr);
    assert!(second.stderr.contains("hint: stop it first"), "{}", second.stderr);
    program.succeed(&["usage", "--from", "2026-01-01", "--to", "2100-01-01"]);
    // Killed, it leaves nothing that must be cleaned up.
    daemon.end("KILL");
    let third = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    third.says("collecting sim into");
    assert_eq!(third.end("INT").0, Some(0));
}

#[test]
fn a_foundation_that_is_away_is_waited_for() {
    let program = Program::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let api = format!("http://127.0.0.1:{port}");
    configure(&program, &api, "[log]\nformat = \"json\"");
    let daemon = Background::start(&program, "run.log", &["run", "--config", "cf-billing.toml"]);
    daemon.says("can't connect");
    assert!(daemon.log().contains("check `api` of the foundation"), "{}", daemon.log());
    let listen = format!("127.0.0.1:{port}");
    let _simulated =
        Background::start(&program, "simulate.log", &["simulate", "--listen", &listen, "--processes", "3"]);
    daemon.says("onboarding is complete");
    for line in daemon.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    assert!(!daemon.log().contains(ADMIN.1), "no secret is logged");
}

#[test]
fn run_without_a_foundation_and_simulate_beyond_loopback_are_refused() {
    let program = Program::new();
    let run = program.run(&["run"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("error: no foundation is configured\nhint: "), "{}", run.stderr);
    let simulate = program.run(&["simulate", "--listen", "0.0.0.0:0"]);
    assert_eq!(simulate.code, Some(2), "{}", simulate.stderr);
    assert!(simulate.stderr.contains("not a loopback address\nhint: "), "{}", simulate.stderr);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let simulate = program.run(&["simulate", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(simulate.code, Some(1), "{}", simulate.stderr);
    assert!(simulate.stderr.contains("error: can't listen on"), "{}", simulate.stderr);
}

/// What `demo` prints, its folder beside the other tests' ones.
fn demo(program: &Program, arguments: &[&str]) -> Run {
    let arguments = [&["demo", "--once", "--processes", "12"], arguments].concat();
    let mut command = program.command(&arguments);
    command.env("TMPDIR", program.folder.path()).env_remove("CF_BILLING__DATABASE__URL");
    Run::from(command.output().unwrap())
}

/// Amounts of the last line, in its order.
fn amounts(run: &Run) -> Vec<i64> {
    let last = run.stdout.lines().last().unwrap();
    let words = last.split(|letter: char| letter.is_whitespace() || letter == ',');
    let amount = |word: &str| word.split_once('.').map(|_| word.replace('.', "").parse::<i64>().unwrap());
    words.filter_map(amount).collect()
}

#[test]
fn the_demo_ends_with_finalised_invoices_no_difference_and_a_screen_that_fits() {
    let program = Program::new();
    let mut command = program.command(&["demo", "--once", "--processes", "12", "--seed", "7"]);
    // For other commands: the demo has its own. And as long as the usual folder's name.
    command.env("CF_BILLING_CONFIG", "/etc/cf-billing/cf-billing.toml").env("TMPDIR", "/tmp");
    let run = Run::from(command.env_remove("CF_BILLING__DATABASE__URL").output().unwrap());
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("DEMO-000001") && run.stdout.contains("DEMO-000002"), "{}", run.stdout);
    let [ours, theirs, difference] = amounts(&run)[..] else { panic!("{}", run.stdout) };
    assert!(ours > 10_000, "{ours}");
    assert_eq!((ours, difference), (theirs, 0));
    // What it leaves can be explored: two accounts, one with a discount and tax, both with an allowance, and a credit note.
    let left = exported(&run, "CF_BILLING_CONFIG=");
    let ask = |arguments: &[&str]| -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cf-billing"));
        let output =
            command.args(arguments).args(["--format", "json", "--config", &left]).env_clear().output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)))
    };
    let listed = ask(&["invoices", "list"]);
    let listed = listed.as_array().unwrap();
    assert!(listed.iter().all(|invoice| invoice["status"] == "final"), "{listed:#?}");
    let documents: Vec<Value> =
        listed.iter().map(|invoice| ask(&["invoices", "show", invoice["number"].as_str().unwrap()])).collect();
    let of = |kind: &str| documents.iter().filter(|document| document["document"] == kind).collect::<Vec<_>>();
    let (invoices, notes) = (of("invoice"), of("credit_note"));
    assert_eq!((invoices.len(), notes.len()), (2, 1), "{documents:#?}");
    let cents = |value: &Value| value.as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
    assert_eq!(invoices.iter().map(|invoice| cents(&invoice["gross"])).sum::<i64>(), ours);
    let (acme, exemple) = (invoices[0], invoices[1]);
    assert_eq!((&acme["tax"]["percent"], &exemple["tax"]["category"]), (&"19".into(), &"AE".into()));
    assert_eq!(acme["adjustments"][0]["name"], "partner discount");
    assert_eq!(notes[0]["reason"], "goodwill");
    for invoice in &invoices {
        let allowed = |line: &Value| line["part"].as_str().is_some_and(|part| part.contains("GiB-hours of tasks"));
        assert!(invoice["lines"].as_array().unwrap().iter().any(allowed), "{invoice:#}");
    }
    the_last_screen_fits_a_terminal_and_its_commands_run(&program, &run);
}

/// The page that `--once` hasn't and the note after it are three lines more.
fn the_last_screen_fits_a_terminal_and_its_commands_run(program: &Program, run: &Run) {
    let configuration = exported(run, "CF_BILLING_CONFIG=");
    let folder = Path::new(&configuration).parent().unwrap();
    let binary = env!("CARGO_BIN_EXE_cf-billing");
    let screen = run.stdout.replace(binary, "target/debug/cf-billing");
    assert!(screen.lines().count() + 3 <= 24, "{} lines\n{screen}", screen.lines().count());
    for line in screen.lines() {
        assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
    }
    assert!(screen.contains(&format!("Left in {}:", folder.display())), "{screen}");
    let commands: Vec<&str> =
        run.stdout.lines().filter_map(|line| line.trim().strip_prefix(binary)).map(str::trim).collect();
    assert_eq!(commands.len(), 3, "{screen}");
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').collect();
        let mut command = program.command(&arguments);
        command.env("CF_BILLING_CONFIG", &configuration).env_remove("CF_BILLING__DATABASE__URL");
        let run = Run::from(command.output().unwrap());
        assert_eq!(run.code, Some(0), "{arguments:?}\n{}{}", run.stdout, run.stderr);
    }
    let page = std::fs::read_to_string(program.folder.path().join("html/DEMO-000001.html")).unwrap();
    assert!(page.contains("ACME Deutschland GmbH"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// What is exported under a name on the last screen.
fn exported(run: &Run, name: &str) -> String {
    let line = run.stdout.lines().find_map(|line| line.split_once(name));
    line.unwrap_or_else(|| panic!("{name} is not in\n{}", run.stdout)).1.trim().to_owned()
}

#[test]
fn the_lossy_demo_differs_only_in_what_is_marked_estimated() {
    let program = Program::new();
    let run = demo(&program, &["--lossy", "--seed", "7"]);
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let [ours, theirs, difference, unexplained] = amounts(&run)[..] else { panic!("{}", run.stdout) };
    assert_eq!((ours - theirs, unexplained), (difference, 0));
    assert!(difference != 0, "nothing was lost: {}", run.stdout);
    let estimated = run.stdout.lines().any(|line| line.contains(", estimated"));
    assert!(estimated || run.stdout.contains("estimated"), "{}", run.stdout);
}

#[test]
fn the_demo_without_once_goes_on_until_it_is_told_to_stop() {
    let program = Program::new();
    let mut command = program.command(&["demo", "--processes", "3"]);
    command.env("TMPDIR", program.folder.path()).env_remove("CF_BILLING__DATABASE__URL");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let total = lines.map_while(Result::ok).find(|line| line.contains("difference 0.00"));
    assert!(total.is_some());
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// A foundation whose first answers make the client's task panic.
#[derive(Debug, Clone)]
struct Panicking {
    foundation: Arc<Mutex<Foundation>>,
    left: Arc<AtomicUsize>,
}

impl Exchange for Panicking {
    fn exchange(&self, request: Request<Bytes>) -> Exchanging<'_> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(left.is_err(), "as if this were a defect");
        Box::pin(async move { Ok(self.foundation.lock().unwrap().exchange(&request)) })
    }
}

#[test]
fn a_task_that_panics_is_started_again_and_disturbs_no_other() {
    let program = Program::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Store::open(&program.database()).await.unwrap();
        let clock = Clock::System;
        let now = Timestamp::parse("2026-03-01T08:00:00Z").unwrap();
        let member = |name: &str, panics: usize| {
            let mut foundation = Foundation::new(1, now);
            foundation.world.settle(&mut foundation.tables, 3);
            let exchange =
                Panicking { foundation: Arc::new(Mutex::new(foundation)), left: Arc::new(AtomicUsize::new(panics)) };
            let client = Client::new(Arc::new(exchange), clock.clone(), credentials("http://127.0.0.1", ADMIN));
            // Its clock isn't ours: from when to bill has to be said.
            let plan = Plan { billing_from: Some(now), ..plan(name) };
            Member { plan, client }
        };
        let stop = CancellationToken::new();
        let members = vec![member("panics", 2), member("sound", 0)];
        let poll_interval = Duration::from_millis(10);
        let (metrics, board) = (Metrics::new(), Board::default());
        let url = ("CF_BILLING__DATABASE__URL".to_owned(), "sqlite://unused.db".to_owned());
        let configuration = cf_billing::config::load(None, [url]).unwrap();
        let daemon = Daemon {
            store: store.clone(),
            clock: clock.clone(),
            members,
            poll_interval,
            lease: Duration::from_secs(5),
            not_ready_after: Duration::from_mins(1),
            verify_interval: Duration::from_hours(6),
            heartbeat: Heartbeat::silent(),
            metrics: metrics.clone(),
            board: board.clone(),
            listeners: None,
            hosts: Vec::new(),
            of_book: OfBook::new(Arc::new(configuration), Arc::default()),
            drafts: None,
            stop: stop.clone(),
        };
        let watching = async {
            for name in ["sound", "panics"] {
                let deadline = Instant::now() + DEADLINE;
                while store.foundation(name).await.unwrap().known_until.is_none() {
                    assert!(Instant::now() < deadline, "{name} was never collected: {:?}", board.foundations());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            stop.cancel();
        };
        let (ended, ()) = tokio::join!(daemon.run(), watching);
        ended.unwrap();
        let text = metrics.render();
        assert!(text.contains("cf_billing_task_restarts_total{foundation=\"panics\"} 2"), "{text}");
        assert!(text.contains("cf_billing_task_restarts_total{foundation=\"sound\"} 0"), "{text}");
    });
}

/// An import that has yet to make the database.
fn import(program: &Program, number: usize) -> Child {
    let name = format!("events-{number}.json");
    std::fs::write(program.folder.path().join(&name), "[]").unwrap();
    let foundation = format!("f{number}");
    program.spawn(&["import", "--foundation", &foundation, "--app-events", &name])
}

#[test]
fn several_processes_may_make_the_same_database_at_once() {
    for _ in 0..5 {
        let program = Program::new();
        let children: Vec<Child> = (0..6).map(|number| import(&program, number)).collect();
        let mut succeeded = 0;
        for child in children {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() || said.contains("another cf-billing collects into"), "{said}");
            succeeded += usize::from(output.status.success());
        }
        assert!(succeeded > 0);
    }
}

crate::on_postgres! {
    run_collects_what_simulate_says_was_used,
    a_foundation_that_is_away_is_waited_for,
    a_task_that_panics_is_started_again_and_disturbs_no_other,
    several_processes_may_make_the_same_database_at_once,
}
