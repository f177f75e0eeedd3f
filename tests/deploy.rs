//! The files in deploy/, by the tools that will read them.

use std::collections::BTreeSet;
use std::process::Command;

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

/// What a release holds: packed from the program that the tests use.
#[test]
fn a_release_has_the_program_man_pages_completions_and_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (good, said) = tool("deploy/release", &["--binary", env!("CARGO_BIN_EXE_cf-billing"), "--out", out], "");
    assert!(good, "{said}");
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {text}");
        text
    };
    run("sha256sum", &["--check", "--strict", "SHA256SUMS"]);
    let made = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut made: Vec<String> = made.collect();
    made.sort();
    let version = env!("CARGO_PKG_VERSION");
    let name = made[1].strip_suffix(".tar.gz").unwrap().to_owned();
    assert!(
        made.len() == 2 && made[0] == "SHA256SUMS" && name.starts_with(&format!("cf-billing-{version}-")),
        "{made:?}"
    );
    run("tar", &["-xzf", &made[1]]);
    let root = folder.path().join(&name);
    for file in [
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "docs/invoices.md",
        "rates/standard.toml",
        "deploy/systemd/cf-billing.service",
        "man/man1/cf-billing.1",
        "man/man1/cf-billing-invoices-draft.1",
        "completions/cf-billing.bash",
        "completions/_cf-billing",
        "completions/cf-billing.fish",
    ] {
        assert!(root.join(file).is_file(), "{file} is missing");
    }
    let told = run(root.join("cf-billing").to_str().unwrap(), &["--version"]);
    assert_eq!(told.trim(), format!("cf-billing {version}"));
    let changes = std::fs::read_to_string(root.join("CHANGELOG.md")).unwrap();
    assert!(changes.contains(&format!("\n## {version} – ")), "the changelog has no section for {version}");
    let wrong = Command::new("deploy/release").args(["--bnary", "x"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
