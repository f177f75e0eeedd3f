//! What stands between Cloud Controller and us: `check` says of each fault that the simulator can do what is wrong and what
//! to do, in one line; the daemon lets none of them decide anything.

use cf_billing::consumer::{CollectError, Cycle};
use cf_billing::domain::Strategy;
use cf_billing::simulator::faults::{Fault, page, router_404};
use clap::ValueEnum;
use serde_json::Value;

use crate::support::background::{configure, simulate};
use crate::support::collected::Collected;
use crate::support::program::Program;

/// Each fault, the subject of a line of `check` that tells of it, and words that this line has: what is wrong, and what to
/// do.
const TOLD: &[(&str, &str, &[&str])] = &[
    (
        "router-404",
        "address",
        &["GET http", "404 Not Found", "unknown_route", "hint: the router has no such route now"],
    ),
    (
        "router-404-snapshots",
        "baseline",
        &["/v3/app_usage/snapshots", "unknown_route", "hint: ", "`onboarding = \"live_lists\"`"],
    ),
    (
        "proxy-403-lists",
        "lists",
        &["/v3/apps", "403 Forbidden", "blocked by policy", "hint: a proxy or router on the way"],
    ),
    ("login-page", "address", &["200, text/html", "not what was asked for", "hint: check that `api`"]),
    ("other-json", "address", &["application/json", "not what was asked for", "hint: check that `api`"]),
    (
        "redirect-https",
        "address",
        &["301 Moved Permanently", "https://api.cf.example.org/", "hint: ", "`api = \"https://api.cf.example.org\"`"],
    ),
    ("uri-too-long", "lists", &["414", "hint: ", "refuses long addresses"]),
    ("headers-too-large", "app events", &["431", "hint: ", "refuses long headers"]),
    ("gzip", "address", &["compressed (gzip), which wasn't asked for", "hint: let the proxy"]),
    ("endless-next", "lists", &["/v3/apps", "the list has no end", "hint: "]),
    ("slow-bytes", "address", &["not whole after 1 s", "hint: ", "too slowly"]),
    ("cut", "app events", &["the connection broke", "hint: the network or a proxy on the way failed"]),
    ("other-uaa", "address", &["https://uaa.elsewhere.example", "hint: ", "`uaa = \"https://uaa.elsewhere.example\"`"]),
    ("korifi", "address", &["this is Korifi, which has no usage events; cf-billing can't bill it", "hint: "]),
    ("other-api", "address", &["no `cloud_controller_v3` link", "hint: set `api`"]),
    (
        "clock-ahead",
        "clock",
        &["our clock says 2", "Cloud Controller's says 2", "s apart", "hint: ", "accept-clock sim"],
    ),
    ("no-usage-events", "app events", &["no usage events", "/v3/app_usage_events", "hint: ", "3.89.0"]),
];

/// The lines of `check` before a simulated foundation with a fault, each as it is read: subject, detail, hint.
fn checked(fault: &str) -> Vec<(String, String)> {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &["--fault", fault]);
    configure(&program, &api, "");
    let file = program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[collection]\n", "[collection]\nanswer_timeout = \"1s\"\n")).unwrap();
    let run = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
    assert_eq!(run.code, Some(1), "{fault}: {}{}", run.stdout, run.stderr);
    let lines: Value = serde_json::from_str(&run.stdout).unwrap();
    let failed = lines.as_array().unwrap().iter().filter(|line| line["verdict"] == "fail");
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    failed.map(|line| (text(line, "what"), format!("{}\nhint: {}", text(line, "detail"), text(line, "hint")))).collect()
}

#[test]
fn check_says_in_one_line_what_is_wrong_and_what_to_do() {
    for (fault, what, words) in TOLD {
        let lines = checked(fault);
        let told = lines.iter().any(|(of, line)| of == what && words.iter().all(|word| line.contains(word)));
        assert!(told, "{fault}: no line of {what} has all of {words:?}: {lines:#?}");
    }
}

#[test]
fn every_fault_is_told_of() {
    let of_lists = crate::lists::OTHERWISE.iter().map(|(fault, _)| *fault);
    let known: Vec<&str> = TOLD.iter().map(|(fault, _, _)| *fault).chain(of_lists).collect();
    for fault in Fault::value_variants() {
        let name = fault.to_possible_value().unwrap().get_name().to_owned();
        assert!(known.contains(&name.as_str()), "{name}: what does `check` say of it?");
    }
}

/// One answer of a router's, while API servers roll, turned a baseline by snapshot into one by lists for good.
#[test]
fn a_routers_404_at_the_first_question_changes_nothing() {
    for answer in [router_404 as fn() -> _, || page(403, "<html>denied</html>"), || page(404, "<html>none</html>")] {
        let mut collected = Collected::settled(31, 6);
        collected.fail(move |request| request.uri().path().contains("snapshots").then(|| Ok(answer())));
        for _ in 0..3 {
            assert!(matches!(collected.cycle(), Err(CollectError::Api(_))));
            assert_eq!(collected.onboarding(), None, "nothing is decided");
            collected.pass(15);
        }
        collected.heal();
        assert!(matches!(collected.cycle(), Ok(Cycle::Waiting(_))));
        assert_eq!(collected.onboarding().unwrap().strategy, Strategy::Snapshot);
    }
}

/// Both readings of a baseline's droplets met a router's 404: it was left without buildpacks.
#[test]
fn a_baseline_by_lists_is_not_taken_without_its_droplets() {
    let mut collected = Collected::settled(32, 6);
    collected.foundation().options.snapshots = false;
    collected.fail(|request| request.uri().path().contains("droplets").then(|| Ok(router_404())));
    for _ in 0..3 {
        assert!(matches!(collected.cycle(), Err(CollectError::Api(_))));
        collected.pass(15);
    }
    assert!(collected.head().settings.is_empty(), "no epoch is set");
    collected.heal();
    collected.onboard();
    assert_eq!(collected.onboarding().unwrap().strategy, Strategy::LiveLists);
    assert!(!collected.head().settings.is_empty());
}
