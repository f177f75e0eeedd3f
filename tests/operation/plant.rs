//! A simulated foundation, the daemon that bills it and its database, each of which a test can break.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cf_billing::domain::Timestamp;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::support::background::{Background, configure, eventually, get, simulate, text};
use crate::support::database;
use crate::support::disk::tool;
use crate::support::program::Program;
use crate::support::proxy::{Proxy, Upstream};

/// How long anything asked over HTTP may take: two seconds, and what a machine under load may add.
const ANSWER: Duration = Duration::from_secs(2 + 3);

/// See the module.
pub struct Plant {
    pub program: Program,
    pub database: String,
    truth: PathBuf,
    api: String,
    simulated: Option<Background>,
    pub daemon: Option<Background>,
    pub url: String,
    settings: Vec<(&'static str, String)>,
    /// Another version than this one.
    pub binary: Option<OsString>,
}

impl Plant {
    /// A foundation that bills into `database`; the daemon isn't started.
    pub fn new(program: Program, database: String, seed: u64) -> Self {
        let truth = program.folder.path().join("truth.json");
        let seed = seed.to_string();
        let arguments = ["--seed", &seed, "--truth", truth.to_str().unwrap()];
        let (simulated, api) = simulate(&program, &arguments);
        configure(&program, &api, "");
        let settings = vec![("CF_BILLING__HTTP__NOT_READY_AFTER", "500ms".to_owned())];
        Self {
            program,
            database,
            truth,
            api,
            simulated: Some(simulated),
            daemon: None,
            url: String::new(),
            settings,
            binary: None,
        }
    }

    /// On a database of its own, with the daemon, onboarded.
    pub fn running(seed: u64) -> Self {
        let program = Program::new();
        let database = program.database();
        let mut plant = Self::new(program, database, seed);
        plant.start(&[]);
        plant.onboarded();
        plant
    }

    /// Puts a network between the daemon, which isn't started yet, and its foundation.
    pub fn behind(&self, runtime: &Runtime) -> Proxy {
        let address = self.api.trim_start_matches("http://").parse().unwrap();
        let proxy = Proxy::before(runtime, Upstream::Address(address));
        configure(&self.program, &format!("http://127.0.0.1:{}", proxy.port()), "");
        proxy
    }

    /// One more setting of the daemon, as in its environment.
    pub fn set(&mut self, name: &'static str, value: &str) {
        self.settings.push((name, value.to_owned()));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let of = self.program.command(&[arguments, &["--config", "cf-billing.toml"]].concat());
        let mut command = Command::new(self.binary.as_deref().unwrap_or(of.get_program()));
        command.args(of.get_args()).current_dir(of.get_current_dir().unwrap());
        for (name, value) in of.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("CF_BILLING__DATABASE__URL", &self.database);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Starts the daemon, with more options of `run`.
    pub fn start(&mut self, options: &[&str]) {
        let mut command = self.command(&[&["run"], options].concat());
        let daemon = Background::spawn(&self.program, "run.log", &mut command);
        self.url = daemon.url();
        self.daemon = Some(daemon);
    }

    pub fn log(&self) -> String {
        self.daemon.as_ref().map(Background::log).unwrap_or_default()
    }

    #[track_caller]
    pub fn says(&self, words: &str) {
        eventually(|| self.log(), || self.log().contains(words).then_some(()));
    }

    #[track_caller]
    pub fn onboarded(&self) {
        self.says("onboarding is complete");
        self.until_ready();
    }

    /// What `/readyz` says; it says so in time.
    #[track_caller]
    pub fn readiness(&self) -> (u16, Value) {
        let begun = Instant::now();
        let answer = get(&format!("{}/readyz", self.url));
        let took = begun.elapsed();
        assert!(took < ANSWER, "/readyz took {took:?}");
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
    }

    /// What `/servez` says; it says so in time.
    #[track_caller]
    pub fn serves(&self) -> bool {
        let begun = Instant::now();
        let answer = get(&format!("{}/servez", self.url));
        let took = begun.elapsed();
        assert!(took < ANSWER, "/servez took {took:?}");
        answer.status() == 200
    }

    #[track_caller]
    pub fn until_ready(&self) {
        eventually(|| format!("{:?}\n{}", self.readiness(), self.log()), || (self.readiness().0 == 200).then_some(()));
    }

    /// Waits until it isn't ready for a reason with those words.
    #[track_caller]
    pub fn until_not_ready(&self, words: &str) {
        eventually(
            || format!("{:?}\n{}", self.readiness(), self.log()),
            || {
                let (status, body) = self.readiness();
                assert_eq!(status == 200, body["ready"] == true, "{body}");
                (status == 503 && body.to_string().contains(words)).then_some(())
            },
        );
        assert_eq!(text(&format!("{}/healthz", self.url)), "alive\n");
    }

    /// What was used is what the book says, to the second, up to an instant that hasn't come yet.
    #[track_caller]
    pub fn check_truth(&self) {
        let now = now();
        let truth: Value = eventually(
            || self.log(),
            || {
                let truth: Value = serde_json::from_str(&std::fs::read_to_string(&self.truth).ok()?).ok()?;
                let to = Timestamp::parse(truth["to"].as_str()?).ok()?;
                (to >= now).then_some(truth)
            },
        );
        let (from, to) = (truth["from"].as_str().unwrap(), truth["to"].as_str().unwrap());
        let until = Timestamp::parse(to).unwrap();
        eventually(
            || self.log(),
            || {
                let known = self.readiness().1["foundations"]["sim"]["known_until"].clone();
                (Timestamp::parse(known.as_str()?).ok()? >= until).then_some(())
            },
        );
        let by = "kind,org,space,app,buildpack,plan";
        let wanted = sums(&truth["usage"]);
        // What no event tells is looked up a moment later.
        let mut found = BTreeMap::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while found != wanted {
            let mut command = self.command(&["usage", "--from", from, "--to", to, "--by", by, "--format", "json"]);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            found = sums(&serde_json::from_slice(&output.stdout).unwrap());
            if Instant::now() > deadline {
                break;
            }
        }
        assert_eq!(found, wanted, "from {from} to {to}\n{}", self.log());
    }

    /// Ends the foundation.
    pub fn end_foundation(&mut self) {
        self.simulated = None;
    }

    /// Ends the daemon; gives its exit code and what it said.
    pub fn end(&mut self, signal: &str) -> (Option<i32>, String) {
        let (code, _, log) = self.daemon.take().unwrap().end(signal);
        (code, log)
    }

    /// Waits for the daemon to end by itself.
    #[track_caller]
    pub fn ends(&mut self) -> (Option<i32>, String) {
        let mut daemon = self.daemon.take().unwrap();
        let status = eventually(String::new, || daemon.child.try_wait().unwrap());
        (status.code(), daemon.log())
    }
}

impl Drop for Plant {
    fn drop(&mut self) {
        // Before what they work on.
        (self.daemon, self.simulated) = (None, None);
    }
}

fn now() -> Timestamp {
    cf_billing::clock::Clock::System.now()
}

fn sums(rows: &Value) -> BTreeMap<String, [i64; 3]> {
    let key = ["kind", "org_guid", "space_guid", "app_guid", "buildpack", "service_plan_guid"];
    let mut sums: BTreeMap<String, [i64; 3]> = BTreeMap::new();
    for row in rows.as_array().unwrap() {
        let total = sums.entry(format!("{:?}", key.map(|key| &row[key]))).or_default();
        for (total, name) in total.iter_mut().zip(["instance_seconds", "memory_mib_seconds", "disk_mib_seconds"]) {
            *total += row[name].as_i64().unwrap();
        }
    }
    sums.retain(|_, sums| *sums != [0; 3]);
    sums
}

/// A folder seen at another place.
pub struct Mount {
    folder: tempfile::TempDir,
}

impl Mount {
    pub fn of(other: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        tool("mount", &["--bind", other.to_str().unwrap(), folder.path().to_str().unwrap()]);
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.path().to_str().unwrap()]).status();
    }
}

/// Runs a statement on the database of the plant's, beside it.
pub fn execute(url: &str, statement: &str) {
    database::execute(url, statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
}
