//! Real exchanges with the real Cloud Controller, kept in two files, one a recording; MANIFEST says what each is used for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use cf_billing::domain::{Stream, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::tables::{Completed, Snapshot};
use flate2::read::GzDecoder;
use serde_json::Value;

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")
}

/// Every recorded file by its name.
pub static FILES: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let of = |name: &str| {
        let file = std::fs::File::open(folder().join(name)).unwrap();
        BufReader::new(GzDecoder::new(file)).lines()
    };
    (of("exchanges.jsonl.gz").chain(of("more.jsonl.gz")))
        .map(|line| {
            let mut line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            (line["file"].as_str().unwrap().to_owned(), line["content"].take())
        })
        .collect()
});

/// What a file is used for, as MANIFEST says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub client: bool,
    pub simulator: bool,
}

/// MANIFEST, checked line by line: `FILE client`, `FILE simulator`, `FILE both` or `FILE unused: reason`.
pub fn manifest() -> BTreeMap<String, Use> {
    let text = std::fs::read_to_string(folder().join("MANIFEST")).unwrap();
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (file, used) = line.split_once(' ').unwrap_or_else(|| panic!("MANIFEST: {line}"));
            let (client, simulator) = match used.trim() {
                "client" => (true, false),
                "simulator" => (false, true),
                "both" => (true, true),
                used if used.starts_with("unused: ") && used.len() > "unused: ".len() + 10 => (false, false),
                _ => panic!("MANIFEST: not a use: {line}"),
            };
            (file.to_owned(), Use { client, simulator })
        })
        .collect()
}

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub name: String,
    pub method: String,
    /// With its query.
    pub path: String,
    /// The UAA client that asked.
    pub caller: Option<String>,
    pub request_body: Value,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// The exchange in a file.
pub fn exchange(name: &str) -> Recorded {
    let content = FILES.get(name).unwrap_or_else(|| panic!("no recorded file {name}"));
    let (request, response) = (&content["request"], &content["response"]);
    let headers = response["headers"].as_object().into_iter().flatten();
    Recorded {
        name: name.to_owned(),
        method: request["method"].as_str().unwrap().to_owned(),
        path: request["path"].as_str().unwrap().to_owned(),
        caller: request["caller"].as_str().map(str::to_owned),
        request_body: request["body"].clone(),
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        body: response["body"].clone(),
    }
}

/// The exchanges whose use is `wanted`.
pub fn exchanges(wanted: impl Fn(&Use) -> bool) -> Vec<Recorded> {
    let used = manifest().into_iter().filter(|(_, used)| wanted(used));
    used.filter(|(name, _)| FILES[name].get("request").is_some()).map(|(name, _)| exchange(&name)).collect()
}

/// Where the recorded Cloud Controller was reached.
pub const HOST: &str = "http://127.0.0.1:18181";

/// A row as the simulator's tables keep it: its links without a host.
pub fn without_host(value: &Value) -> Value {
    serde_json::from_str(&value.to_string().replace(HOST, "")).unwrap()
}

/// The rows of a recorded list.
pub fn rows(file: &str) -> Vec<Value> {
    let rows = exchange(file).body["resources"].take();
    rows.as_array().unwrap().iter().map(without_host).collect()
}

/// Puts a recorded snapshot, complete or not, into the tables.
pub fn put_snapshot(foundation: &mut Foundation, file: &str, job: &str, chunks: &[&str]) {
    let body = exchange(file).body;
    let stream = if body["summary"]["service_instance_count"].is_u64() { Stream::Service } else { Stream::App };
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let completed = text("completed_at").map(|at| Completed {
        at: Timestamp::parse(&at).unwrap(),
        checkpoint: text("checkpoint_event_guid")
            .zip(text("checkpoint_event_created_at").map(|at| Timestamp::parse(&at).unwrap())),
        summary: body["summary"].clone(),
        chunks: chunks.iter().flat_map(|file| rows(file)).collect(),
    });
    let recorded_job = FILES.get(job).map(|job| job["response"]["body"].clone());
    let job_text = |key: &str| {
        recorded_job.as_ref().and_then(|job| job[key].as_str()).unwrap_or("2026-11-21T07:27:38Z").to_owned()
    };
    let state = job_text("state");
    foundation.tables.snapshots.push(Snapshot {
        stream,
        guid: text("guid").unwrap(),
        job: job_text("guid"),
        created_at: Timestamp::parse(&text("created_at").unwrap()).unwrap(),
        completed,
        job_state: ["PROCESSING", "COMPLETE", "FAILED"].into_iter().find(|known| *known == state).unwrap_or("COMPLETE"),
        job_updated_at: Timestamp::parse(&job_text("updated_at")).unwrap(),
        polls: 0,
        removed: false,
    });
}
