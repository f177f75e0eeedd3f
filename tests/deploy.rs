//! The files in deploy/, by the tools that will read them.

use std::collections::BTreeSet;

use cf_billing::telemetry::Metrics;
use serde_json::Value;

use crate::support::tool::tool;

/// Names of all series of a registry with one foundation, as queries may name them.
fn series() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let _foundation = metrics.foundation("eu1");
    metrics.duty("drafts");
    metrics.rate_card("card", "version");
    metrics.drafts(|_| 0, [("EUR", 0.0)]);
    metrics.http("/", "GET", 200, std::time::Duration::ZERO);
    let text = metrics.render();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// Names of our series in an expression.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':');
    words.filter(|word| word.starts_with("cf_billing_") || word.starts_with("process_")).map(str::to_owned).collect()
}

#[test]
fn rules_are_good_and_their_tests_pass() {
    let (good, said) = tool("promtool", &["check", "rules", "deploy/prometheus/cf-billing.rules.yml"], "");
    assert!(good, "{said}");
    let tests = ["deploy/prometheus/cf-billing.test.yml", "deploy/prometheus/cf-billing.days.test.yml"];
    let (good, said) = tool("promtool", &[&["test", "rules"], &tests[..]].concat(), "");
    assert!(good, "{said}");
    let (good, said) = tool("promtool", &["check", "config", "deploy/prometheus/prometheus.yml"], "");
    assert!(good, "{said}");
}

#[test]
fn rules_and_dashboard_name_series_that_exist() {
    let series = series();
    assert!(series.len() > 50, "{series:?}");
    let rules = std::fs::read_to_string("deploy/prometheus/cf-billing.rules.yml").unwrap();
    let dashboard = std::fs::read_to_string("deploy/grafana/cf-billing.json").unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<&str> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() > 20);
    let rules = rules.lines().filter(|line| !line.contains("record:")).collect::<Vec<_>>().join("\n");
    let mut wanted = named(&rules);
    wanted.extend(queries.iter().flat_map(|query| named(query)));
    wanted.extend(named(parsed["templating"]["list"][0]["query"].as_str().unwrap()));
    let missing: Vec<&String> = wanted.iter().filter(|name| !series.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Each query as Prometheus' own parser reads it, with what Grafana puts in.
#[test]
fn the_dashboards_queries_parse() {
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string("deploy/grafana/cf-billing.json").unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let rules: Vec<String> = (panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten().enumerate())
        .map(|(number, target)| {
            let query = target["expr"].as_str().unwrap().replace("$foundation", ".*");
            format!("  - record: query{number}\n    expr: {}\n", serde_json::to_string(&query).unwrap())
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    std::fs::write(&file, format!("groups:\n- name: dashboard\n  rules:\n{}", rules.concat())).unwrap();
    let (good, said) = tool("promtool", &["check", "rules", file.to_str().unwrap()], "");
    assert!(good, "{said}");
}

#[test]
fn the_systemd_unit_is_good() {
    let folder = tempfile::tempdir().unwrap();
    // Verification wants the program to be there.
    let unit = std::fs::read_to_string("deploy/systemd/cf-billing.service").unwrap();
    let unit = unit.replace("/usr/local/bin/cf-billing", env!("CARGO_BIN_EXE_cf-billing"));
    let file = folder.path().join("cf-billing.service");
    std::fs::write(&file, unit).unwrap();
    let (good, said) = tool("systemd-analyze", &["verify", "--man=no", file.to_str().unwrap()], "");
    assert!(good, "{said}");
    assert!(!said.contains("cf-billing.service:"), "{said}");
}
