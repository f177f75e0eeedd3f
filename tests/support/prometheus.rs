//! A real Prometheus with the shipped rules, and a real Alertmanager that tells us, both in fast motion: every duration of
//! what is shipped is divided by one factor, and nothing else differs.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::background::{Background, get, text};
use super::program::Program;

/// The longest that is waited for an alert: half an hour of a rule in fast motion, and what a machine under load adds.
const SLOWEST: Duration = Duration::from_mins(2);

/// Every duration is divided by it.
pub const FACTOR: u64 = 60;

const RULES: &str = include_str!("../../deploy/prometheus/cf-billing.rules.yml");
const SCRAPES: &str = include_str!("../../deploy/prometheus/prometheus.yml");
const ALERTS: &str = include_str!("../../deploy/prometheus/alertmanager.yml");

/// What people read has no durations that anybody waits for.
fn is_text(line: &str) -> bool {
    let line = line.trim_start();
    ["#", "summary:", "description:", "runbook_url:"].iter().any(|begin| line.starts_with(begin))
}

/// Milliseconds of a unit of Prometheus.
fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    })
}

/// A line in pieces: what is a duration, as its milliseconds, and what isn't. A number of seconds counts as one where it is
/// a factor: `30 * 60`.
fn pieces(line: &str) -> Vec<Result<(u64, bool), &str>> {
    let mut pieces = Vec::new();
    let mut rest = line;
    let mut before = ' ';
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let word = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let number = rest[..digits].parse::<u64>().ok().filter(|_| " [".contains(before));
        let factor =
            ["60", "3600", "86400"].contains(&&rest[..word]) && line[..line.len() - rest.len()].ends_with(" * ");
        let found = match (number, unit(&rest[digits..word])) {
            (Some(number), Some(unit)) => Some((number * unit, false)),
            (Some(number), None) if factor => Some((number * 1_000, true)),
            _ => None,
        };
        let length = word.max(rest.chars().next().map_or(0, char::len_utf8));
        before = rest[..length].chars().next_back().unwrap_or(' ');
        pieces.push(found.ok_or(&rest[..length]));
        rest = &rest[length..];
    }
    pieces
}

/// A file of Prometheus or Alertmanager in fast motion.
pub fn fast(file: &str, factor: u64) -> String {
    let mut fast = String::new();
    for line in file.lines() {
        if is_text(line) {
            fast.push_str(line);
        } else {
            for piece in pieces(line) {
                match piece {
                    Ok((milliseconds, false)) => fast.push_str(&format!("{}ms", milliseconds / factor)),
                    Ok((milliseconds, true)) => fast.push_str(&(milliseconds / factor / 1_000).to_string()),
                    Err(text) => fast.push_str(text),
                }
            }
        }
        fast.push('\n');
    }
    fast
}

/// The durations of a file in milliseconds, and all that is between them.
fn apart(file: &str) -> (Vec<u64>, Vec<String>) {
    let (mut durations, mut texts) = (Vec::new(), Vec::new());
    for line in file.lines() {
        let pieces = if is_text(line) { vec![Err(line)] } else { pieces(line) };
        for piece in pieces {
            match piece {
                Ok((milliseconds, _)) => durations.push(milliseconds),
                Err(text) => texts.push(text.to_owned()),
            }
        }
    }
    (durations, texts)
}

#[test]
fn in_fast_motion_nothing_but_durations_differs() {
    for (file, least) in [(RULES, 40), (SCRAPES, 2), (ALERTS, 4)] {
        assert_eq!(apart(&fast(file, 1)), apart(file));
        let ((durations, texts), (fast_durations, fast_texts)) = (apart(file), apart(&fast(file, FACTOR)));
        assert!(durations.len() >= least, "{} durations in\n{file}", durations.len());
        assert!(durations.iter().all(|duration| duration % FACTOR == 0), "{durations:?}");
        // A number of seconds that became one digit isn't taken for a factor any more: compared by what is written.
        let divided: Vec<u64> = durations.iter().map(|duration| duration / FACTOR).collect();
        let kept: Vec<u64> = fast_durations;
        assert!(kept.iter().all(|duration| divided.contains(duration)), "{kept:?}");
        let without_numbers = |texts: &[String]| {
            let text = texts.concat();
            text.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>()
        };
        assert_eq!(without_numbers(&texts), without_numbers(&fast_texts));
    }
    let line = "expr: max by (x) (increase(a_b5m[15m])) > 30 * 60 and c > 2 * 86400 # 7d";
    let fast = fast(line, FACTOR);
    assert_eq!(fast, "expr: max by (x) (increase(a_b5m[15000ms])) > 30 * 1 and c > 2 * 1440 # 10080000ms\n");
}

/// What Alertmanager sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub receiver: String,
    pub cluster: String,
    pub alert: String,
    pub firing: bool,
}

/// Both programs, and what they told.
pub struct Watch {
    prometheus: Background,
    alertmanager: Background,
    url: String,
    told: Arc<Mutex<Vec<Told>>>,
}

/// A port that nobody uses now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Reads the requests of a webhook.
fn sink(told: Arc<Mutex<Vec<Told>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            while reader.read_line(&mut head).is_ok_and(|read| read > 2) {
                if let Some(value) = head.lines().last().and_then(|line| line.strip_prefix("Content-Length: ")) {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            for alert in body["alerts"].as_array().unwrap() {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                told.lock().unwrap().push(Told {
                    receiver: body["receiver"].as_str().unwrap().to_owned(),
                    cluster: label("cluster"),
                    alert: label("alertname"),
                    firing: alert["status"] == "firing",
                });
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

impl Watch {
    /// Over these daemons, by the cluster that each is of.
    pub fn over(program: &Program, daemons: &[(&str, &str)]) -> Self {
        let folder = program.folder.path();
        let told: Arc<Mutex<Vec<Told>>> = Arc::default();
        let (hook, alerting, port) = (sink(told.clone()), free_port(), free_port());
        let alerts = fast(ALERTS, FACTOR).replace("127.0.0.1:9999", &format!("127.0.0.1:{hook}"));
        std::fs::write(folder.join("alertmanager.yml"), alerts).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.current_dir(folder).args(["--config.file=alertmanager.yml", "--storage.path=alerts"]);
        command.args(["--cluster.listen-address=", &format!("--web.listen-address=127.0.0.1:{alerting}")]);
        let alertmanager = Background::spawn(program, "alertmanager.log", &mut command);
        let mut targets = String::new();
        for (cluster, url) in daemons {
            let address = url.trim_start_matches("http://");
            targets += &format!("      - targets: [\"{address}\"]\n        labels: {{cluster: {cluster}}}\n");
        }
        let scrapes = fast(SCRAPES, FACTOR);
        let (head, _) = scrapes.split_once("      - targets:").unwrap();
        let alerting =
            format!("alerting:\n  alertmanagers:\n    - static_configs: [{{targets: [\"127.0.0.1:{alerting}\"]}}]\n");
        std::fs::write(folder.join("prometheus.yml"), format!("{head}{targets}{alerting}")).unwrap();
        std::fs::write(folder.join("cf-billing.rules.yml"), fast(RULES, FACTOR)).unwrap();
        let mut command = Command::new("prometheus");
        command.current_dir(folder).args(["--config.file=prometheus.yml", "--storage.tsdb.path=series"]);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let prometheus = Background::spawn(program, "prometheus.log", &mut command);
        prometheus.says("Server is ready to receive web requests");
        alertmanager.says("Listening on");
        Self { prometheus, alertmanager, url: format!("http://127.0.0.1:{port}"), told }
    }

    /// Alerts that fire now, of each cluster.
    pub fn firing(&self) -> BTreeMap<String, Vec<String>> {
        let answer: Value = serde_json::from_str(&text(&format!("{}/api/v1/alerts", self.url))).unwrap();
        let mut firing: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for alert in answer["data"]["alerts"].as_array().unwrap() {
            if alert["state"] == "firing" {
                let label = |name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
                let of = firing.entry(label("cluster")).or_default();
                if !of.contains(&label("alertname")) {
                    of.push(label("alertname"));
                }
            }
        }
        for alerts in firing.values_mut() {
            alerts.sort();
        }
        firing
    }

    /// Everything Alertmanager has told so far.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// What a query gives now, by cluster.
    pub fn ask(&self, query: &str) -> Value {
        let mut url = url::Url::parse(&format!("{}/api/v1/query", self.url)).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        serde_json::from_slice(get(url.as_str()).body()).unwrap()
    }

    /// Waits until all these are told as firing, or as over.
    #[track_caller]
    pub fn until_told(&self, firing: bool, wanted: &[(&str, &str)], log_of: impl Fn(&str) -> String) {
        let missing = || -> Vec<_> {
            let told = self.told();
            let is_told = |cluster: &str, alert: &str| {
                told.iter().any(|one| one.cluster == cluster && one.alert == alert && one.firing == firing)
            };
            wanted.iter().filter(|(cluster, alert)| !is_told(cluster, alert)).collect()
        };
        let deadline = Instant::now() + SLOWEST;
        while !missing().is_empty() {
            if Instant::now() >= deadline {
                let logs = [self.prometheus.log(), self.alertmanager.log()].concat();
                let of: String =
                    missing().iter().map(|(cluster, _)| format!("{cluster}:\n{}", log_of(cluster))).collect();
                panic!("missing: {:?}\nfiring: {:#?}\n{logs}{of}", missing(), self.firing());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}
