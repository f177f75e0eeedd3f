//! Faults, and the alerts that a real Prometheus with the shipped rules raises for each: those and no others, told by a real
//! Alertmanager, and over once the fault is. Each fault is a cluster of its own, so that one never alarms for another.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use cf_billing::cloud_controller::transport::{Exchange, Http};
use cf_billing::simulator::ADMIN;
use http::Request;
use tokio::runtime::Runtime;

use super::plant::execute;
use crate::support::background::{Background, eventually, signal, simulate, text};
use crate::support::database::{self, Kind};
use crate::support::disk::Disk;
use crate::support::month;
use crate::support::program::Program;
use crate::support::prometheus::{Told, Watch};
use crate::support::proxy::{Network, Proxy, Upstream};
use crate::support::tls::{self, Validity};

/// A daemon with its foundation, and what is wrong with them.
struct Site {
    program: Program,
    simulated: Option<Background>,
    api: String,
    daemon: Option<Background>,
    url: String,
    /// Where its book is, if not where the program has it.
    database: Option<String>,
}

const CARD: &str = "name = \"t\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n[[task]]\nfree = true\n\
                    [[staging]]\nfree = true\n";
/// Services have a price, too.
const REST: &str = "[[service]]\nmonth = \"1\"\n";

impl Site {
    /// A foundation, simulated with those options; the daemon isn't started.
    fn new(options: &[&str]) -> Self {
        let program = Program::new();
        let (simulated, api) = simulate(&program, options);
        let site = Self { program, simulated: Some(simulated), api, daemon: None, url: String::new(), database: None };
        month::card(&site.program, &format!("{CARD}{REST}"));
        site.configure(&site.api, ADMIN.0, "");
        site
    }

    /// The same with its book at that URL.
    fn with_book(options: &[&str], database: &str) -> Self {
        let mut site = Self::new(options);
        site.database = Some(database.to_owned());
        site
    }

    /// Behind a network that can be cut.
    fn behind(&self, runtime: &Runtime) -> Proxy {
        let proxy = Proxy::before(runtime, Upstream::Address(self.api.trim_start_matches("http://").parse().unwrap()));
        self.configure(&format!("http://127.0.0.1:{}", proxy.port()), ADMIN.0, "");
        proxy
    }

    fn configure(&self, api: &str, client: &str, of_foundation: &str) {
        let text = format!(
            "[http]\nlisten = \"127.0.0.1:0\"\nnot_ready_after = \"1s\"\n[collection]\npoll_interval = \"500ms\"\n\
             [database]\nverify_interval = \"3s\"\n[billing]\nrates = \"card.toml\"\ndraft_interval = \"3s\"\naccounts = \"accounts.toml\"\n\
             [[foundation]]\nname = \"sim\"\napi = \"{api}\"\nclient_id = \"{client}\"\nclient_secret = \"{}\"\n{of_foundation}\n",
            ADMIN.1
        );
        std::fs::write(self.program.folder.path().join("cf-billing.toml"), text).unwrap();
        self.write("accounts.toml", "");
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.program.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn command(&self) -> Command {
        let mut command = self.program.command(&["run", "--config", "cf-billing.toml"]);
        command.envs(self.database.iter().map(|url| ("CF_BILLING__DATABASE__URL", url)));
        command
    }

    fn start(mut self) -> Self {
        let mut command = self.command();
        self.run(&mut command);
        self
    }

    fn run(&mut self, command: &mut Command) {
        let daemon = Background::spawn(&self.program, "run.log", command);
        self.url = daemon.url();
        self.daemon = Some(daemon);
    }

    /// At the address it had.
    fn run_again(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        let mut command = self.command();
        command.env("CF_BILLING__HTTP__LISTEN", address);
        self.run(&mut command);
    }

    fn log(&self) -> PathBuf {
        self.program.folder.path().join("run.log")
    }

    fn says(&self, words: &str) {
        self.daemon.as_ref().unwrap().says(words);
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        (self.daemon, self.simulated) = (None, None);
    }
}

fn now() -> u64 {
    cf_billing::clock::Clock::System.now().unix().unsigned_abs()
}

/// Takes some 60 s: fast motion of rules that wait for up to half an hour.
#[test]
fn each_fault_raises_its_own_alerts_which_end_with_it() {
    let runtime = Runtime::new().unwrap();
    let healthy = Site::new(&[]).start();
    // The database is away when the daemon starts.
    let network = Proxy::new(&runtime);
    network.set(Network::Cut);
    let away = {
        let mut site = Site::new(&[]);
        site.program = database::with(Kind::Postgres, Program::new);
        month::card(&site.program, &format!("{CARD}{REST}"));
        site.configure(&site.api, ADMIN.0, "");
        let mut command = site.command();
        command.env("CF_BILLING__DATABASE__URL", network.through(&site.program.database()));
        site.run(&mut command);
        site
    };
    // Cloud Controller is away.
    let controller = Site::new(&[]);
    let to_controller = controller.behind(&runtime);
    let controller = controller.start();
    let clock = Site::new(&["--fault", "clock-ahead"]).start();
    let router = Site::new(&["--fault", "router-404-snapshots"]).start();
    // What happens before the first scrape raises nothing: it is onboarded while Prometheus watches.
    let odd = Site::new(&["--fault", "unreadable-rows"]);
    let to_odd = odd.behind(&runtime);
    to_odd.set(Network::Cut);
    let mut odd = odd.start();
    let scope = Site::new(&[]);
    scope.configure(&scope.api, "nobody", "");
    let scope = scope.start();
    // A certificate that ends in two hours: within 14 days in fast motion.
    let certificate = Site::new(&[]);
    let behind = certificate.api.trim_start_matches("http://").parse().unwrap();
    let valid = Validity { from: now() - 86_400, to: now() + 2 * 3_600 };
    let (authority, address) = tls::before(&runtime, certificate.program.folder.path(), behind, valid);
    let trust = format!("uaa = \"https://{address}\"\nca_file = \"{}\"", authority.display());
    certificate.configure(&format!("https://{address}"), ADMIN.0, &trust);
    let certificate = certificate.start();
    let card = Site::new(&[]).start();
    let unpriced = Site::new(&[]);
    month::card(&unpriced.program, "name = \"t\"\ncurrency = \"EUR\"\n[[service]]\nmonth = \"1\"\n");
    let unpriced = unpriced.start();
    let chain = Site::new(&[]).start();
    let purged = Site::new(&[]).start();
    let mut gone = Site::new(&[]).start();
    // Two books of one environment: each believes that it is alone.
    let twins = [Site::new(&[]).start(), Site::new(&[]).start()];
    let mut crashing = Site::new(&[]).start();
    // A disk of its own, which will be full.
    let disk = Disk::new(24);
    let book_on_disk = format!("sqlite://{}", disk.path().join("book.db").display());
    let full = Site::with_book(&[], &book_on_disk).start();
    // The database refuses every draft from the start.
    let failing = Site::new(&[]);
    let mut init = failing.program.command(&["ledger", "init", "--config", "cf-billing.toml"]);
    assert!(init.status().unwrap().success());
    let refused = "CREATE TRIGGER refused BEFORE INSERT ON invoice BEGIN SELECT RAISE(ABORT, 'no drafts'); END";
    execute(&failing.program.database(), refused);
    let failing = failing.start();
    // Nothing was read for a month, but for an hour: Cloud Controller may prune what is unread.
    let late = Site::new(&[]);
    let to_late = late.behind(&runtime);
    let mut late = late.start();
    // History is lost, and what runs can't be listed.
    let unsettled = Site::new(&[]);
    let to_unsettled = unsettled.behind(&runtime);
    let unsettled = unsettled.start();
    let drift = Site::new(&[]).start();
    // Two replicas on one database.
    let shared = database::with(Kind::Postgres, Program::new);
    let mut replicas = [Site::with_book(&[], &shared.database()), Site::with_book(&[], &shared.database())];
    let api = replicas[0].api.clone();
    for site in &mut replicas {
        let file = site.program.folder.path().join("cf-billing.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace(&site.api, &api);
        site.write("cf-billing.toml", &text);
        let mut command = site.command();
        site.run(&mut command);
    }
    for site in [&healthy, &controller, &card, &chain, &purged, &gone, &crashing, &full, &late, &unsettled, &drift] {
        site.says("onboarding is complete");
        site.says("drafts computed");
    }

    let daemons = [
        ("healthy", &healthy),
        ("away", &away),
        ("controller", &controller),
        ("clock", &clock),
        ("router", &router),
        ("odd", &odd),
        ("scope", &scope),
        ("certificate", &certificate),
        ("card", &card),
        ("unpriced", &unpriced),
        ("chain", &chain),
        ("purged", &purged),
        ("gone", &gone),
        ("twins", &twins[0]),
        ("twins", &twins[1]),
        ("crashing", &crashing),
        ("full", &full),
        ("failing", &failing),
        ("late", &late),
        ("unsettled", &unsettled),
        ("drift", &drift),
        ("replicas", &replicas[0]),
        ("replicas", &replicas[1]),
    ]
    .map(|(cluster, site)| (cluster, site.url.as_str()));
    let watch = Watch::over(&healthy.program, &daemons);
    let is_seen = || (watch.ask("up{cluster=\"odd\"} == 1")["data"]["result"] != serde_json::json!([])).then_some(());
    eventually(String::new, is_seen);
    to_odd.set(Network::Whole);
    odd.daemon = None;
    odd.run_again();
    to_controller.set(Network::Cut);
    card.write("card.toml", "name = 1\n");
    execute(&chain.program.database(), "DROP TRIGGER ledger_link_stays");
    let digest = "UPDATE ledger_link SET digest = zeroblob(32) WHERE last_sequence = (SELECT min(last_sequence) FROM ledger_link)";
    execute(&chain.program.database(), digest);
    purge(&purged);
    gone.daemon = None;
    // What the log beside the book has room for would be written yet.
    execute(&book_on_disk, "PRAGMA wal_checkpoint(TRUNCATE)");
    disk.fill();
    to_unsettled.set(Network::WithoutProcesses);
    purge(&unsettled);
    // A row of ours is wrong, and everything is due to be compared.
    let book = drift.program.database();
    execute(
        &book,
        "UPDATE open_interval SET memory_mib = memory_mib * 2 WHERE resource_id = \
                    (SELECT min(resource_id) FROM open_interval WHERE kind = 1 AND billed = 1)",
    );
    compare(&drift, &book);
    to_late.set(Network::Cut);
    late.daemon = None;
    let long_ago = now() - 31 * 86_400 + 3_600;
    execute(&late.program.database(), &format!("UPDATE foundation SET known_until = {long_ago}"));
    late.run_again();
    replicas[1].daemon = None;
    for _ in 0..4 {
        crash(&watch, &mut crashing);
    }

    let logs: Vec<(&str, PathBuf)> = vec![
        ("full", full.log()),
        ("failing", failing.log()),
        ("late", late.log()),
        ("unsettled", unsettled.log()),
        ("drift", drift.log()),
        ("odd", odd.log()),
        ("chain", chain.log()),
        ("replicas", replicas[0].log()),
    ];
    let log_of = |cluster: &str| {
        let log = logs.iter().find(|(name, _)| *name == cluster).map(|(_, file)| std::fs::read_to_string(file));
        log.map_or_else(String::new, Result::unwrap)
    };
    let faults = [
        ("away", "CfBillingDatabaseDown"),
        ("controller", "CfBillingNotReady"),
        ("clock", "CfBillingClockSkew"),
        ("router", "CfBillingForeignAnswer"),
        ("odd", "CfBillingAnomalies"),
        ("scope", "CfBillingScopeLost"),
        ("certificate", "CfBillingCertificateExpiry"),
        ("card", "CfBillingRateCardRejected"),
        ("unpriced", "CfBillingUnpricedUsage"),
        ("chain", "CfBillingChainBroken"),
        ("purged", "CfBillingHistoryLost"),
        ("gone", "CfBillingDown"),
        ("twins", "CfBillingTwoLeaders"),
        ("crashing", "CfBillingCrashLoop"),
        ("full", "CfBillingNotReady"),
        ("failing", "CfBillingDraftsFailing"),
        ("late", "CfBillingDoomsday"),
        ("unsettled", "CfBillingGapNotSettled"),
        ("drift", "CfBillingDrift"),
        ("replicas", "CfBillingReplicaMissing"),
    ];
    watch.until_told(true, &faults, log_of);
    // It follows from the database, so nobody is told of it.
    assert!(watch.firing()["away"].contains(&"CfBillingNoLeader".to_owned()), "{:#?}", watch.firing());

    // What ends, is told as over.
    network.set(Network::Whole);
    to_controller.set(Network::Whole);
    month::card(&card.program, &format!("{CARD}{REST}"));
    month::card(&unpriced.program, &format!("{CARD}{REST}"));
    gone.run_again();
    disk.free();
    execute(&failing.program.database(), "DROP TRIGGER refused");
    to_late.set(Network::Whole);
    to_unsettled.set(Network::Whole);
    // What the next look finds again is settled.
    execute(&book, "UPDATE difference SET found_at = found_at - 86400");
    compare(&drift, &book);
    replicas[1].run_again();
    drop(twins);
    watch.until_told(
        false,
        &[
            ("away", "CfBillingDatabaseDown"),
            ("controller", "CfBillingNotReady"),
            ("card", "CfBillingRateCardRejected"),
            ("unpriced", "CfBillingUnpricedUsage"),
            ("gone", "CfBillingDown"),
            ("twins", "CfBillingTwoLeaders"),
            ("crashing", "CfBillingCrashLoop"),
            ("full", "CfBillingNotReady"),
            ("failing", "CfBillingDraftsFailing"),
            ("late", "CfBillingDoomsday"),
            ("unsettled", "CfBillingGapNotSettled"),
            ("drift", "CfBillingDrift"),
            ("replicas", "CfBillingReplicaMissing"),
        ],
        log_of,
    );

    // Nobody else was woken, and nothing else was told.
    let also = [
        // What can't be collected isn't ready, and can't be onboarded.
        ("clock", "CfBillingNotReady"),
        ("clock", "CfBillingNotOnboarded"),
        ("scope", "CfBillingNotReady"),
        ("scope", "CfBillingNotOnboarded"),
        ("router", "CfBillingNotReady"),
        ("router", "CfBillingNotOnboarded"),
        // Once its database is there it is onboarded while Prometheus watches, and for a while it isn't yet.
        ("away", "CfBillingNotOnboarded"),
        ("odd", "CfBillingNotReady"),
        ("controller", "CfBillingLag"),
        // Its duties are taken over once the lease has run out, which is longer than fast motion waits.
        ("replicas", "CfBillingNoLeader"),
        ("full", "CfBillingLag"),
        // What is settled in the end is an anomaly.
        ("drift", "CfBillingAnomalies"),
        ("late", "CfBillingLag"),
        ("late", "CfBillingNotReady"),
        ("unsettled", "CfBillingNotReady"),
        ("unsettled", "CfBillingHistoryLost"),
        ("crashing", "CfBillingReplicaMissing"),
    ];
    let told = watch.told();
    let is_expected = |told: &&Told| {
        let pair = (told.cluster.as_str(), told.alert.as_str());
        // A scrape may take 166 ms in fast motion, and Prometheus itself takes 5 s to find its targets, which is as long as the
        // rule waits: on a machine under load daemons seem to be down.
        faults.contains(&pair) || also.contains(&pair) || told.alert == "CfBillingDown"
    };
    let unexpected: Vec<&Told> = told.iter().filter(|told| !is_expected(told)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(told.iter().any(|told| told.receiver == "page") && told.iter().any(|told| told.receiver == "ticket"));
    let metrics = text(&format!("{}/metrics", healthy.url));
    assert!(metrics.contains("cf_billing_database_up 1\n"), "{metrics}");
}

/// Everything is due to be compared, until it was twice: one may have begun before. The daemon may commit the time that it
/// knew meanwhile.
fn compare(site: &Site, book: &str) {
    let log = || site.daemon.as_ref().unwrap().log();
    let count = || log().matches("the ledger was compared").count();
    let before = count();
    eventually(log, || {
        execute(book, "UPDATE foundation SET reconciled_at = 1");
        (count() > before + 1).then_some(())
    });
}

/// The daemon ends by a fault and is started again, which Prometheus notices.
fn crash(watch: &Watch, site: &mut Site) {
    let started = || {
        let answer = watch.ask("process_start_time_seconds{cluster=\"crashing\"}");
        answer["data"]["result"][0]["value"][1].as_str().and_then(|text| text.parse::<u64>().ok())
    };
    let before = eventually(String::new, started);
    // It is told in whole seconds, and a second early or late.
    eventually(String::new, || (now() > before + 1).then_some(()));
    signal(&site.daemon.as_ref().unwrap().child, "KILL");
    site.daemon = None;
    site.run_again();
    eventually(|| site.daemon.as_ref().unwrap().log(), || started().filter(|started| *started != before));
}

/// Somebody purges and reseeds the foundation's usage events.
fn purge(site: &Site) {
    let post = |path: &str, authorization: &str, body: &'static str| -> serde_json::Value {
        let request = Request::post(format!("{}{path}", site.api)).header("authorization", authorization);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.body(Bytes::from_static(body.as_bytes())).unwrap();
        let http = Http::new(None).unwrap();
        let answer = Runtime::new().unwrap().block_on(http.exchange(request)).unwrap();
        assert_eq!(answer.status(), 200, "{answer:?}");
        serde_json::from_slice(answer.body()).unwrap()
    };
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", ADMIN.0, ADMIN.1)));
    let token = post("/oauth/token", &basic, "grant_type=client_credentials");
    let bearer = format!("bearer {}", token["access_token"].as_str().unwrap());
    post("/v3/app_usage_events/actions/destructively_purge_all_and_reseed", &bearer, "");
}
