//! Many readers of the API while usage events are imported: collecting goes on at its speed, and everybody is answered.
//! `tests/long load` has 200 readers, 20 requests a second, 20 slow clients and four imports of a million events, two of them
//! beside the readers, on PostgreSQL; `tests/run` a slice without figures of speed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http};
use cf_billing::domain::Timestamp;
use http::Request;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use crate::support::background::{self, Background, simulate};
use crate::support::customers::{self, CARD};
use crate::support::database::{self, Kind};
use crate::support::month;
use crate::support::program::{Program, path};

/// The longest that any answer may take: what the daemon promises.
const LIMIT: Duration = Duration::from_secs(30);
/// Resident memory of the daemon at most, whatever is read.
const MEMORY_MIB: u64 = 512;
/// Organizations, and apps of each.
const ORGANIZATIONS: usize = 50;
const APPS: usize = 20;

/// How much is done.
struct Scale {
    events: usize,
    readers: usize,
    slow: usize,
    /// Requests a second, of all readers together.
    rate: usize,
    /// Imports without readers, and as many beside them.
    rounds: usize,
}

const SLICE: Scale = Scale { events: 4_000, readers: 40, slow: 4, rate: 10, rounds: 1 };
const WHOLE: Scale = Scale { events: 1_000_000, readers: 200, slow: 20, rate: 20, rounds: 2 };

/// Writes a month of apps that start and stop, in the order of time: each runs while 200 others do something.
fn events(program: &Program, month: &str, count: usize, tag: &str) -> std::path::PathBuf {
    let file = program.folder.path().join(format!("{tag}.jsonl"));
    let mut out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
    let first = Timestamp::parse(&format!("{month}-01T00:00:00Z")).unwrap();
    let (mut guid, longest) = (String::new(), 30 * 86_400 - 1);
    for number in 0..count {
        let run = number / 2;
        let (state, previous) = if number % 2 == 0 { ("STARTED", "STOPPED") } else { ("STOPPED", "STARTED") };
        let app = if number % 2 == 0 { run } else { run.saturating_sub(200) };
        let (organization, of_organization) = (app % ORGANIZATIONS, app / ORGANIZATIONS % APPS);
        let seconds = i64::try_from(number).unwrap() * longest / i64::try_from(count).unwrap();
        guid.clear();
        write!(guid, "{tag}-{number:08}").unwrap();
        let name = format!("{tag}-app-{organization}-{of_organization}");
        let event = json!({
            "guid": guid, "created_at": first.plus(seconds), "state": {"current": state, "previous": previous},
            "app": {"guid": name, "name": name}, "process": {"guid": format!("{name}-{}", app % 7), "type": "web"},
            "space": {"guid": format!("s{organization}"), "name": "space"},
            "organization": {"guid": format!("o{organization}")}, "buildpack": {"guid": "b", "name": "ruby_buildpack"},
            "task": {"guid": null, "name": null},
            "memory_in_mb_per_instance": {"current": 512, "previous": 512}, "instance_count": {"current": 2, "previous": 2},
        });
        writeln!(out, "{event}").unwrap();
    }
    out.flush().unwrap();
    file
}

fn import(program: &Program, foundation: &str, file: &std::path::Path) -> Duration {
    let began = Instant::now();
    let read_at = ["--read-at", "2100-01-01T00:00:00Z"];
    let arguments = ["import", "--foundation", foundation, "--app-events", path(file)];
    program.succeed(&[&arguments[..], &read_at].concat());
    began.elapsed()
}

/// A daemon over a book with a final September, whose readers have a token each.
struct Load {
    program: Program,
    daemon: Background,
    _simulated: Background,
    url: String,
    scale: Scale,
    invoices: Vec<String>,
}

fn secret(reader: usize) -> String {
    format!("{reader:032}")
}

impl Load {
    fn new(scale: Scale) -> Self {
        let program = database::with(Kind::Postgres, Program::new);
        month::card(&program, CARD);
        std::fs::write(program.folder.path().join("accounts.toml"), "").unwrap();
        import(&program, "september", &events(&program, "2026-09", scale.events, "sep"));
        month::import_into(&program, "september", "", "80d00:00");
        let of_book = format!("{}documents = \"html,json,csv\"\n", customers::CONFIGURATION);
        customers::write(&program, &of_book, "");
        let configured = ["--config", "cf-billing.toml"];
        let drafts = program.json(&[&["invoices", "draft", "--period", "2026-09"][..], &configured].concat());
        let mut finalize: Vec<String> = ["invoices", "finalize", "--period", "2026-09"].map(str::to_owned).to_vec();
        finalize.extend(configured.map(str::to_owned));
        let estimated = drafts.as_array().unwrap().iter().filter(|draft| draft["estimated"] != "0.00");
        finalize.extend(estimated.map(|draft| format!("--accept=estimated:{}", draft["account"].as_str().unwrap())));
        program.succeed(&finalize.iter().map(String::as_str).collect::<Vec<_>>());
        let listed = program.json(&[&["invoices", "list"][..], &configured].concat());
        let numbers = listed.as_array().unwrap().iter().filter_map(|invoice| invoice["number"].as_str());
        let invoices: Vec<String> = numbers.map(str::to_owned).collect();
        assert_eq!(invoices.len(), ORGANIZATIONS);
        let (simulated, api) = simulate(&program, &[]);
        let tokens: String = (0..scale.readers)
            .map(|reader| {
                format!("[[token]]\nname = \"reader-{reader}\"\nrole = \"finance\"\nsecret = \"{}\"\n", secret(reader))
            })
            .collect();
        background::configure(&program, &api, &format!("{tokens}{of_book}draft_interval = \"1h\"\n"));
        let (daemon, url) = background::run(&program);
        daemon.says("drafts computed");
        Self { program, daemon, _simulated: simulated, url, scale, invoices }
    }

    /// What a reader asks the next time.
    fn asked(&self, reader: usize, turn: usize) -> String {
        let number = &self.invoices[(reader * 7 + turn) % self.invoices.len()];
        let path = match (reader + turn) % 12 {
            0 => "/invoices?period=2026-09&limit=50".to_owned(),
            1 | 2 => format!("/invoices/{number}"),
            3 => "/cost?period=2026-09&by=org,app".to_owned(),
            4 => "/cost?period=2026-10&by=org".to_owned(),
            5 => "/foundations".to_owned(),
            6 => format!("/invoices/{number}/documents/html"),
            7 => format!("/invoices/{number}/documents/csv"),
            8 => "/gaps".to_owned(),
            9 => format!("/invoices/{number}/documents/pdf"),
            10 => format!("/invoices/{number}/explanation"),
            _ if reader.is_multiple_of(10) => "/usage?from=2026-09-01&to=2026-10-01&by=org,app".to_owned(),
            _ => "/anomalies?limit=50".to_owned(),
        };
        format!("/api/v1{path}")
    }

    fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1024
    }
}

/// What readers saw of an address.
#[derive(Default)]
struct Seen {
    took: Vec<Duration>,
}

/// Asks until told to stop; every answer must be good.
async fn read(load: Arc<Load>, reader: usize, stop: Arc<AtomicBool>, seen: Arc<Mutex<BTreeMap<String, Seen>>>) {
    let every = Duration::from_millis((load.scale.readers * 1000 / load.scale.rate) as u64);
    let http = Http::new(None).unwrap();
    let mut timer = tokio::time::interval(every);
    // Not all at once.
    tokio::time::sleep(every * u32::try_from(reader).unwrap() / u32::try_from(load.scale.readers).unwrap()).await;
    for turn in 0.. {
        timer.tick().await;
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let path = load.asked(reader, turn);
        let bearer = format!("Bearer {}", secret(reader));
        let began = Instant::now();
        let (status, body) = if reader < load.scale.slow {
            slowly(&load.url, &path, &bearer, &stop).await
        } else {
            let request = Request::get(format!("{}{path}", load.url)).header("authorization", bearer);
            let answer = http.exchange(request.body(Bytes::new()).unwrap()).await.unwrap();
            (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
        };
        assert_eq!(status, 200, "{path}: {body}\n{}", load.daemon.log());
        if reader >= load.scale.slow {
            let kind = path.split('?').next().unwrap().replace(char::is_numeric, "").replace("CF-", "NUMBER");
            seen.lock().await.entry(kind).or_default().took.push(began.elapsed());
        }
    }
}

/// Takes an answer a KiB at a time; the status.
async fn slowly(url: &str, path: &str, bearer: &str, stop: &AtomicBool) -> (u16, String) {
    let authority = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority).await.unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {bearer}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let (mut all, mut part) = (Vec::new(), [0; 1024]);
    loop {
        let count = stream.read(&mut part).await.unwrap();
        all.extend_from_slice(&part[..count]);
        if count == 0 || stop.load(Ordering::Relaxed) && all.len() > 12 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let text = String::from_utf8_lossy(&all).into_owned();
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default(), text)
}

/// Imports beside readers; how long that took.
fn beside_readers(
    runtime: &Runtime,
    load: &Arc<Load>,
    seen: &Arc<Mutex<BTreeMap<String, Seen>>>,
    name: &str,
    file: &std::path::Path,
) -> Duration {
    let stop = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..load.scale.readers)
        .map(|reader| runtime.spawn(read(load.clone(), reader, stop.clone(), seen.clone())))
        .collect();
    // Each has asked once, and some documents are made.
    std::thread::sleep(Duration::from_millis((load.scale.readers * 1000 / load.scale.rate) as u64));
    let took = import(&load.program, name, file);
    stop.store(true, Ordering::Relaxed);
    for reader in readers {
        runtime.block_on(reader).unwrap();
    }
    took
}

#[test]
fn readers_hold_up_neither_imports_nor_each_other() {
    let is_whole = std::env::var_os("CF_BILLING_LOAD").is_some();
    let load = Arc::new(Load::new(if is_whole { WHOLE } else { SLICE }));
    let runtime = Runtime::new().unwrap();
    let seen = Arc::new(Mutex::new(BTreeMap::<String, Seen>::new()));
    let (mut alone, mut beside) = (Duration::ZERO, Duration::ZERO);
    for round in 0..load.scale.rounds {
        let file = |kind: &str| events(&load.program, "2026-10", load.scale.events, &format!("{kind}{round}"));
        let (of_alone, of_beside) = (file("alone"), file("beside"));
        alone += import(&load.program, &format!("alone-{round}"), &of_alone);
        beside += beside_readers(&runtime, &load, &seen, &format!("beside-{round}"), &of_beside);
    }
    let memory = load.memory_mib();
    let seen = runtime.block_on(async { std::mem::take(&mut *seen.lock().await) });
    let mut figures = String::new();
    for (path, Seen { mut took }) in seen {
        took.sort_unstable();
        let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_millis();
        let longest = *took.last().unwrap();
        writeln!(
            figures,
            "{path:<44} {:>6} requests, median {:>5} ms, p95 {:>5} ms, longest {:>5} ms",
            took.len(),
            at(50),
            at(95),
            at(100)
        )
        .unwrap();
        assert!(longest < LIMIT, "{path} took {longest:?}\n{}", load.daemon.log());
    }
    assert!(memory <= MEMORY_MIB, "the daemon took {memory} MiB");
    if is_whole {
        let events = (load.scale.events * load.scale.rounds) as u128;
        let per_second = |took: Duration| events * 1000 / took.as_millis();
        let (of_alone, of_beside) = (per_second(alone), per_second(beside));
        println!(
            "{figures}import alone {of_alone} events/s, beside readers {of_beside} events/s; the daemon's memory {memory} MiB at most"
        );
        assert!(of_beside * 100 > of_alone * 80, "{of_beside} events/s beside readers, {of_alone} alone");
    }
}
