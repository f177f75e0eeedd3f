//! What people and Prometheus see of the daemon: metrics, health, page, `check`, `snapshots`.

use std::process::Command;

use serde_json::Value;

use crate::support::background::{Background, configure, eventually, get, run, simulate, text};
use crate::support::program::{Program, path};
use crate::support::tool::tool;

/// A configuration with the standard rate card, and `more` of billing.
fn configure_with_card(program: &Program, api: &str, more: &str) {
    configure(program, api, &format!("[billing]\nrates = \"rates.toml\"\n{more}"));
    std::fs::copy("rates/standard.toml", program.folder.path().join("rates.toml")).unwrap();
}

/// Names of all series in an exposition.
fn families(metrics: &str) -> Vec<String> {
    let types = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.map(|line| line.split(' ').next().unwrap().to_owned()).collect()
}

#[test]
fn metrics_are_good_complete_and_zero_from_the_start() {
    let program = Program::new();
    // Nobody answers there: everything is told all the same.
    configure_with_card(&program, "http://127.0.0.1:9", "draft_interval = \"1s\"");
    let (daemon, url) = run(&program);
    daemon.says("can't connect");
    let metrics = text(&format!("{url}/metrics"));
    for line in [
        "cf_billing_leader{duty=\"foundation/sim\"} 1",
        "cf_billing_leader{duty=\"drafts\"} 1",
        "cf_billing_task_up{foundation=\"sim\"} 1",
        "cf_billing_known_until_timestamp_seconds{foundation=\"sim\"} 0",
        "cf_billing_events_archived_total{foundation=\"sim\",stream=\"service\"} 0",
        "cf_billing_events_folded_total{foundation=\"sim\",state=\"STAGING_STOPPED\"} 0",
        "cf_billing_metered_memory_mib_seconds_total{foundation=\"sim\",kind=\"staging\"} 0",
        "cf_billing_anomalies_total{foundation=\"sim\",reason=\"run_voided\"} 0",
        "cf_billing_checkpoint_lost_total{foundation=\"sim\",stream=\"app\"} 0",
        "cf_billing_unpriced_lines{kind=\"service\"} 0",
        "cf_billing_collect_failures_total{foundation=\"sim\",reason=\"store\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is missing in\n{metrics}");
    }
    let failed = "cf_billing_collect_failures_total{foundation=\"sim\",reason=\"api\"} ";
    assert!(metrics.lines().any(|line| line.starts_with(failed) && !line.ends_with(" 0")), "{metrics}");
    let (good, said) = tool("promtool", &["check", "metrics"], &metrics);
    assert!(good && said.trim().is_empty(), "{said}");
    // Labels are words of ours, guids and texts never.
    assert!(!metrics.contains("-4") || !metrics.lines().any(|line| line.contains("guid=")), "{metrics}");
    assert!(families(&metrics).iter().all(|name| name.starts_with("cf_billing_") || name.starts_with("process_")));
}

#[test]
fn health_readiness_and_pages_answer() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure_with_card(&program, &api, "draft_interval = \"1s\"");
    let (daemon, url) = run(&program);
    daemon.says("onboarding is complete");
    assert_eq!(text(&format!("{url}/healthz")), "alive\n");
    let ready = get(&format!("{url}/readyz"));
    assert_eq!(ready.status(), 200);
    let ready: Value = serde_json::from_slice(ready.body()).unwrap();
    assert_eq!((&ready["ready"], &ready["foundations"]["sim"]["alive"]), (&true.into(), &true.into()));
    let live =
        || text(&format!("{url}/metrics")).contains("cf_billing_onboarding_state{foundation=\"sim\",state=\"live\"} 1");
    eventually(|| daemon.log(), || live().then_some(()));
    let drafted = || {
        text(&format!("{url}/metrics"))
            .lines()
            .any(|line| line.starts_with("cf_billing_invoices{status=\"draft\"} ") && !line.ends_with(" 0"))
    };
    eventually(|| daemon.log(), || drafted().then_some(()));
    let probe = |what: &str, listen: &str| {
        let mut command = program.command(&["probe", "--what", what, "--config", "cf-billing.toml"]);
        let output = command.env("CF_BILLING__HTTP__LISTEN", listen).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    };
    let address = url.trim_start_matches("http://");
    assert_eq!(probe("alive", address), (Some(0), "alive\n".to_owned()));
    assert_eq!(probe("serving", address), (Some(0), "serving\n".to_owned()));
    assert_eq!(probe("ready", address).0, Some(0));
    let (code, said) = probe("alive", "127.0.0.1:1");
    assert!(code == Some(1) && said.contains("hint: is the daemon running"), "{said}");
    let (code, said) = probe("alive", "127.0.0.1:0");
    assert!(code == Some(2) && said.contains("hint: configure a port"), "{said}");
    assert_eq!(get(&format!("{url}/nowhere")).status(), 404);
    let metrics = text(&format!("{url}/metrics"));
    assert!(
        metrics.contains("cf_billing_http_requests_total{code=\"404\",method=\"GET\",route=\"other\"} 1"),
        "{metrics}"
    );
    let (good, said) = tool("promtool", &["check", "metrics"], &metrics);
    assert!(good && said.trim().is_empty(), "{said}");

    // As a browser shows it.
    let profile = format!("--user-data-dir={}", path(&program.folder.path().join("chromium")));
    let arguments = ["--headless", "--no-sandbox", "--disable-gpu", &profile, "--dump-dom", &format!("{url}/")];
    let (good, page) = tool("chromium", &arguments, "");
    assert!(good, "{page}");
    for wanted in ["<td>sim</td>", ">live<", "org-0", "EUR", "draft 1", "href=\"/metrics\""] {
        assert!(page.contains(wanted), "{wanted} is not in\n{page}");
    }
}

#[test]
fn a_waiting_foundation_is_ready_and_says_what_it_waits_for() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure(&program, &api, "");
    let file = program.folder.path().join("cf-billing.toml");
    let text_of = std::fs::read_to_string(&file).unwrap().replace("\"billing\"", "\"billing-read-only\"");
    std::fs::write(&file, text_of).unwrap();
    let (daemon, url) = run(&program);
    daemon.says("may not request app snapshots");
    let ready = get(&format!("{url}/readyz"));
    assert_eq!(ready.status(), 200);
    let ready: Value = serde_json::from_slice(ready.body()).unwrap();
    let detail = ready["foundations"]["sim"]["detail"].as_str().unwrap();
    assert!(detail.contains("there is no completed one"), "{detail}");
    assert_eq!(ready["foundations"]["sim"]["state"], "snapshots");
    assert!(text(&format!("{url}/")).contains("there is no completed one"));
}

#[test]
fn a_port_in_use_ends_the_daemon_with_a_hint() {
    let program = Program::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    configure(&program, "http://127.0.0.1:9", "");
    let listen = taken.local_addr().unwrap().to_string();
    let output = program
        .command(&["run", "--config", "cf-billing.toml"])
        .env("CF_BILLING__HTTP__LISTEN", &listen)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("error: can't serve on {listen}: ")) && said.contains("\nhint: "), "{said}");
}

fn verdicts(lines: &Value) -> Vec<String> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    let lines = lines.as_array().unwrap().iter();
    lines.map(|line| format!("{} {} {}", text(line, "verdict"), text(line, "of"), text(line, "what"))).collect()
}

#[test]
fn check_tries_everything_and_changes_nothing() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure_with_card(&program, &api, "");
    let lines = program.json(&["check", "--config", "cf-billing.toml"]);
    assert_eq!(
        verdicts(&lines),
        [
            "ok - configuration",
            "ok - database",
            "ok - rate card",
            "warn - seller",
            "ok - listen",
            "ok sim address",
            "warn sim plain http",
            "ok sim release",
            "ok sim token",
            "ok sim scope",
            "ok sim app events",
            "ok sim service events",
            "ok sim clock",
            "ok sim lists",
            "ok sim onboarding",
            "ok sim baseline",
            "ok sim snapshots"
        ]
    );
    assert!(!program.folder.path().join("book.db").exists(), "nothing was made");
    let list = program.json(&["snapshots", "list", "--config", "cf-billing.toml"]);
    assert_eq!(list.as_array().unwrap().len(), 0, "nothing was requested");

    // Somebody without the authority to request needs a snapshot of each stream.
    let file = program.folder.path().join("cf-billing.toml");
    let admin = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, admin.replace("\"billing\"", "\"billing-read-only\"")).unwrap();
    let lines = program.json(&["check", "--config", "cf-billing.toml"]);
    assert_eq!(verdicts(&lines).last().unwrap(), "warn sim snapshots");
    let refused = program.run(&["snapshots", "request", "--config", "cf-billing.toml"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("may not request app snapshots\nhint: "), "{}", refused.stderr);

    std::fs::write(&file, &admin).unwrap();
    let requested = program.json(&["snapshots", "request", "--config", "cf-billing.toml"]);
    assert_eq!(requested.as_array().unwrap().len(), 2);
    let guid = requested[0]["guid"].as_str().unwrap();
    let shown = program.json(&["snapshots", "show", guid, "--config", "cf-billing.toml", "--foundation", "sim"]);
    assert_eq!((shown[0]["guid"].as_str(), shown[0]["stream"].as_str()), (Some(guid), Some("app")));
    assert!(shown[0]["completed_at"].is_string(), "it was asked for twice: {shown}");
    let missing = program.run(&["snapshots", "show", "nothing", "--config", "cf-billing.toml"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("there is no usage snapshot nothing\nhint: "), "{}", missing.stderr);
    let other = program.run(&["snapshots", "list", "--config", "cf-billing.toml", "--foundation", "eu1"]);
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("hint: foundations are: sim"), "{}", other.stderr);
}

#[test]
fn check_fails_where_something_is_wrong() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    for (from, to, wanted) in [
        ("simulated-secret", "another", "fail sim token"),
        ("\"billing\"", "\"nobody\"", "fail sim scope"),
        (api.as_str(), "http://127.0.0.1:9", "fail sim address"),
        ("rates.toml", "missing.toml", "fail - rate card"),
    ] {
        configure_with_card(&program, &api, "");
        let file = program.folder.path().join("cf-billing.toml");
        let changed = std::fs::read_to_string(&file).unwrap().replace(from, to);
        std::fs::write(&file, changed).unwrap();
        let run = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
        assert_eq!(run.code, Some(1), "{wanted}: {}{}", run.stdout, run.stderr);
        let lines: Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(verdicts(&lines).contains(&wanted.to_owned()), "{wanted}: {lines:#}");
        let failed = lines.as_array().unwrap().iter().filter(|line| line["verdict"] == "fail");
        for line in failed {
            assert!(line["hint"].is_string(), "{line}");
        }
    }
}

/// What an invoice needs of its seller is told before one is made.
#[test]
fn check_tells_what_the_seller_lacks() {
    let program = Program::new();
    let full = [
        ("SELLER", "Example Platform GmbH"),
        ("SELLER_ADDRESS", "Main Street 1"),
        ("SELLER_POSTAL_CODE", "10115"),
        ("SELLER_CITY", "Berlin"),
        ("SELLER_COUNTRY", "DE"),
        ("SELLER_VAT_ID", "DE123456789"),
        ("SELLER_IBAN", "DE89370400440532013000"),
    ];
    let told = |seller: &[(&str, &str)]| {
        let mut command = program.command(&["check", "--format", "json"]);
        for (key, value) in seller {
            command.env(format!("CF_BILLING__BILLING__{key}"), value);
        }
        let output = command.output().unwrap();
        let lines: Value = serde_json::from_slice(&output.stdout).unwrap();
        let line = lines.as_array().unwrap().iter().find(|line| line["what"] == "seller").unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("detail"), text("hint"))
    };
    assert_eq!(told(&full), ("ok".to_owned(), "Example Platform GmbH".to_owned(), String::new()));
    for lacking in 0..full.len() {
        let mut seller = full.to_vec();
        let (key, _) = seller.remove(lacking);
        let (verdict, _, hint) = told(&seller);
        assert_eq!(verdict, "warn", "{key}");
        assert!(hint.starts_with(&format!("set [billing] {}", key.to_lowercase())), "{key}: {hint}");
        assert!(!hint.contains(", "), "{key}: {hint}");
    }
    let number = ("SELLER_TAX_NUMBER", "30/123/45678");
    assert_eq!(told(&[&full[..5], &full[6..], &[number]].concat()).0, "ok", "one of the two numbers does");
    let (verdict, detail, hint) = told(&[&full[..], &[("SELLER_LOGO", "/nowhere.png")]].concat());
    assert_eq!(verdict, "fail");
    assert!(detail.contains("/nowhere.png") && hint.contains("seller_logo"), "{detail}: {hint}");
}

/// The daemon as a real Prometheus scrapes it, with the rules we ship.
#[test]
fn a_real_prometheus_scrapes_it_and_evaluates_the_rules() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure_with_card(&program, &api, "draft_interval = \"1s\"");
    let (daemon, url) = run(&program);
    daemon.says("onboarding is complete");
    let folder = program.folder.path();
    let shipped = std::fs::read_to_string("deploy/prometheus/prometheus.yml").unwrap();
    // As shipped, but evaluated every second.
    let rules = folder.join("cf-billing.rules.yml");
    let shipped_rules = std::fs::read_to_string("deploy/prometheus/cf-billing.rules.yml").unwrap();
    assert!(shipped_rules.contains("interval: 30s"));
    std::fs::write(&rules, shipped_rules.replace("interval: 30s", "interval: 1s")).unwrap();
    let target = url.trim_start_matches("http://");
    let configuration = shipped.replace("cf-billing:9496", target).replace("cf-billing.rules.yml", path(&rules));
    assert!(configuration.contains(target), "{shipped}");
    let configuration = configuration
        .replace("scrape_interval: 15s", "scrape_interval: 1s")
        .replace("evaluation_interval: 15s", "evaluation_interval: 1s");
    std::fs::write(folder.join("prometheus.yml"), configuration).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", path(&folder.join("prometheus.yml"))))
        .arg(format!("--storage.tsdb.path={}", path(&folder.join("tsdb"))))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let prometheus = Background::spawn(&program, "prometheus.log", &mut command);
    prometheus.says("Server is ready");
    let query = |query: &str| -> Option<f64> {
        let answer = text(&format!("http://127.0.0.1:{port}/api/v1/query?query={query}"));
        let answer: Value = serde_json::from_str(&answer).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    };
    eventually(|| prometheus.log(), || query("up").filter(|up| *up > 0.5));
    let lag = eventually(|| prometheus.log(), || query("cluster_foundation:cf_billing_lag_seconds:max"));
    assert!((-5.0..60.0).contains(&lag), "{lag}");
    // As stored: no label of ours is renamed because it collides with one of the scrape's.
    let stalled = "time()-(cf_billing_last_success_timestamp_seconds%7Btask=%22draft%22%7D%3E0)";
    let since = eventually(|| prometheus.log(), || query(stalled));
    assert!((-5.0..60.0).contains(&since), "{since}");
    assert_eq!(query("count(%7B__name__=~%22cf_billing_.*%22,exported_job!=%22%22%7D)"), None);
    let rules: Value = serde_json::from_str(&text(&format!("http://127.0.0.1:{port}/api/v1/rules"))).unwrap();
    for rule in rules["data"]["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
    {
        assert_ne!(rule["health"], "err", "{rule:#}");
    }
}
