//! Daemons that share a book, each of which can be killed, paused and cut off, and what they come to.

use std::collections::BTreeMap;
use std::process::Command;

use cf_billing::domain::Timestamp;
use cf_billing::simulator::{ADMIN, Foundation};
use cf_billing::store::Store;
use serde_json::Value;
use tokio::runtime::Runtime;

use super::background::{Background, signal};
use super::clock::FakeClock;
use super::program::Program;
use super::proxy::{Proxy, Upstream};
use super::served::{Book, Served};

pub const FOUNDATIONS: [&str; 2] = ["eu1", "us1"];

/// A `run` that can be killed, paused and cut off from its database.
pub struct Replica {
    // First: it ends before what it works on.
    running: Option<Background>,
    program: Program,
    /// Between it and each server of its database, if anything is.
    pub databases: Vec<Proxy>,
    url: String,
    settings: Vec<(&'static str, String)>,
    clock: Option<FakeClock>,
    /// What it said before it was started last.
    past: String,
    /// Its process, also after it was killed.
    pub process: Option<u32>,
}

impl Replica {
    /// With a network between it and the server of all tests.
    pub fn new(runtime: &Runtime, database: &str, served: &[Served]) -> Self {
        let network = Proxy::new(runtime);
        let mut replica = Self::at(network.through(database), &apis(served));
        replica.databases.push(network);
        replica
    }

    /// With nothing between it and its database.
    pub fn at(url: String, apis: &[String]) -> Self {
        let program = Program::without_database();
        configure(&program, apis);
        Self {
            running: None,
            program,
            databases: Vec::new(),
            url,
            settings: Vec::new(),
            clock: None,
            past: String::new(),
            process: None,
        }
    }

    /// With networks between it and each server of its database, which are named to it together.
    pub fn between(runtime: &Runtime, servers: Vec<Upstream>, database: &str, apis: &[String]) -> Self {
        let databases: Vec<Proxy> = servers.into_iter().map(|server| Proxy::before(runtime, server)).collect();
        let hosts: Vec<String> = databases.iter().map(|network| format!("127.0.0.1:{}", network.port())).collect();
        let url = format!("postgres://postgres@{}/{database}?sslmode=disable", hosts.join(","));
        let mut replica = Self::at(url, apis);
        replica.databases = databases;
        replica
    }

    /// One more setting, as in its environment.
    pub fn set(&mut self, name: &'static str, value: String) {
        self.settings.push((name, value));
    }

    /// Gives it a clock that can be set.
    pub fn with_clock(&mut self) {
        let clock = FakeClock::new();
        self.settings.extend(clock.settings());
        self.clock = Some(clock);
    }

    pub fn clock(&self) -> &FakeClock {
        self.clock.as_ref().unwrap()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program.command(&[arguments, &["--config", "cf-billing.toml"]].concat());
        command.env("CF_BILLING__DATABASE__URL", &self.url);
        command.envs(self.settings.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    pub fn start(&mut self) {
        self.kill();
        let running = Background::spawn(&self.program, "log", &mut self.command(&["run"]));
        self.process = Some(running.child.id());
        self.running = Some(running);
    }

    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            self.past.push_str(&running.log());
        }
    }

    /// Asks it to end, and waits for it; gives its exit code.
    pub fn end(&mut self) -> Option<i32> {
        let (code, _, log) = self.running.take()?.end("TERM");
        self.past.push_str(&log);
        code
    }

    pub fn signal(&self, name: &str) {
        if let Some(running) = &self.running {
            signal(&running.child, name);
        }
    }

    /// Where it serves.
    pub fn address(&self) -> String {
        self.running.as_ref().unwrap().url()
    }

    /// Where it serves, if it says so by now.
    pub fn address_now(&self) -> Option<String> {
        self.running.as_ref()?.url_now()
    }

    /// By its log.
    pub fn has_duties(&self) -> bool {
        let log = self.running.as_ref().map(Background::log).unwrap_or_default();
        log.matches("taken over").count() > log.matches("given up: ").count()
    }

    pub fn log(&self) -> String {
        format!("{}{}", self.past, self.running.as_ref().map(Background::log).unwrap_or_default())
    }
}

/// Where foundations are asked.
pub fn apis(served: &[Served]) -> Vec<String> {
    served.iter().map(|served| served.api.clone()).collect()
}

pub fn configure(program: &Program, apis: &[String]) {
    let mut configuration = "[database]\nlease = \"1s\"\nstatement_timeout = \"1s\"\nacquire_timeout = \"1s\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[collection]\npoll_interval = \"20ms\"\nsweep_interval = \"1s\"\n\
         [billing]\nrates = \"card.toml\"\ndraft_interval = \"1s\"\n"
        .to_owned();
    for (name, api) in FOUNDATIONS.iter().zip(apis) {
        // Their clocks aren't ours: from when to bill has to be said.
        configuration.push_str(&format!(
            "[[foundation]]\nname = \"{name}\"\napi = \"{api}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
             billing_from = \"2026-03-30T20:00:00Z\"\n",
            ADMIN.0, ADMIN.1
        ));
    }
    std::fs::write(program.folder.path().join("cf-billing.toml"), configuration).unwrap();
    let card = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rates/standard.toml");
    std::fs::copy(card, program.folder.path().join("card.toml")).unwrap();
}

pub fn foundations(runtime: &Runtime) -> Vec<Served> {
    let settled = |seed| {
        let mut foundation = Foundation::new(seed, Timestamp::parse("2026-03-30T20:00:00Z").unwrap());
        foundation.world.settle(&mut foundation.tables, 40);
        runtime.block_on(Served::new(foundation))
    };
    // The second has the names of the first: the same organizations, spaces and apps by name.
    vec![settled(1), settled(1)]
}

/// Drafts by account and month, without what differs from run to run.
pub fn drafts(program: &Program) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for month in ["2026-03", "2026-04"] {
        let run =
            program.run(&["invoices", "draft", "--period", month, "--config", "cf-billing.toml", "--format", "json"]);
        if run.stderr.contains("nothing was used") {
            // On a slow machine they don't live that long.
            continue;
        }
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        let drafts: Value = serde_json::from_str(&run.stdout).unwrap();
        for draft in drafts.as_array().unwrap() {
            let id = draft["id"].to_string();
            let mut shown = program.json(&["invoices", "show", &id]);
            let account = format!("{month} {}", shown["account"]);
            assert!(shown["status"] == "draft" || shown["status"] == "in_review", "{account}: {}", shown["status"]);
            // Whether it is in review yet follows from how far usage is complete.
            for varying in ["id", "drafted_at", "rated_through", "blockers", "status"] {
                shown.as_object_mut().unwrap().remove(varying);
            }
            without_looked_up(&mut shown);
            found.insert(account, shown);
        }
    }
    found
}

/// No event tells an organization's name: which of two names was the last of a month depends on when it was looked at.
fn without_looked_up(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("account_name");
            // Who is in no account is the buyer by that name.
            for named in ["organization", "buyer"] {
                if let Some(named) = members.get_mut(named).and_then(Value::as_object_mut) {
                    named.remove("name");
                }
            }
            members.values_mut().for_each(without_looked_up);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_looked_up),
        _ => {}
    }
}

/// Ledger and drafts are those of the undisturbed book.
pub fn same_outcome(runtime: &Runtime, disturbed: (&Store, &Program), undisturbed: (&Store, &Program)) {
    for name in FOUNDATIONS {
        let ours = runtime.block_on(Book::read(disturbed.0, name)).net;
        let theirs = runtime.block_on(Book::read(undisturbed.0, name)).net;
        assert_eq!(ours.difference(&theirs).collect::<Vec<_>>(), Vec::<&String>::new(), "{name}: only when disturbed");
        assert_eq!(theirs.difference(&ours).collect::<Vec<_>>(), Vec::<&String>::new(), "{name}: only undisturbed");
        assert!(ours.len() > 50, "{}", ours.len());
    }
    let (ours, theirs) = (drafts(disturbed.1), drafts(undisturbed.1));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    assert!(!ours.is_empty());
    for (account, draft) in &ours {
        let lines = |text: &Value| serde_json::to_string_pretty(text).unwrap();
        assert_eq!(lines(draft), lines(&theirs[account]), "{account}");
    }
}
