//! The files in deploy/, by the tools that will read them.

use std::collections::BTreeSet;
use std::process::Command;

use cf_billing::telemetry::Metrics;
use serde_json::Value;

use crate::support::tool::{python, tool};

/// Names of all series of a registry with one foundation, as queries may name them.
fn series() -> BTreeSet<String> {
    let metrics = Metrics::new();
    let _foundation = metrics.foundation("eu1");
    metrics.duty("drafts");
    metrics.chain("foundation/eu1");
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
    // Exposure below 2.0 of 10.
    let file = file.to_str().unwrap();
    let (good, said) =
        tool("systemd-analyze", &["security", "--offline=true", "--threshold=20", "--no-pager", file], "");
    assert!(good, "{said}");
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

/// The alerts that the rules have.
fn alerts() -> Vec<String> {
    let rules = std::fs::read_to_string("deploy/prometheus/cf-billing.rules.yml").unwrap();
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn every_alert_has_a_runbook_and_a_test() {
    let alerts = alerts();
    assert!(alerts.len() > 25, "{alerts:?}");
    let rules = std::fs::read_to_string("deploy/prometheus/cf-billing.rules.yml").unwrap();
    let table = std::fs::read_to_string("docs/runbooks/README.md").unwrap();
    let tests = ["deploy/prometheus/cf-billing.test.yml", "deploy/prometheus/cf-billing.days.test.yml"]
        .map(|file| std::fs::read_to_string(file).unwrap())
        .concat();
    for alert in &alerts {
        let page = std::fs::read_to_string(format!("docs/runbooks/{alert}.md"))
            .unwrap_or_else(|error| panic!("docs/runbooks/{alert}.md: {error}"));
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with('#')).collect();
        let wanted = [
            &format!("# {alert}"),
            "## What it means",
            "## What money is at risk, and from when",
            "## What to do",
            "## How to see that it is over",
        ];
        assert_eq!(headings, wanted, "{alert}");
        assert!(rules.contains(&format!("runbook_url: docs/runbooks/{alert}.md\n")), "{alert}");
        assert!(table.contains(&format!("[{alert}]({alert}.md)")), "{alert} is not in the table");
        // Once silent and once firing, at least.
        assert!(tests.matches(&format!("alertname: {alert}")).count() >= 2, "{alert} has no test");
    }
    let pages = std::fs::read_dir("docs/runbooks").unwrap().count();
    assert_eq!(pages, alerts.len() + 1, "a page for each alert, and the table");
}

/// Commands of the runbooks, up to their first option or name of something, as the program knows them.
#[test]
fn commands_of_the_runbooks_exist() {
    let mut commands = BTreeSet::new();
    for alert in alerts() {
        let page = std::fs::read_to_string(format!("docs/runbooks/{alert}.md")).unwrap();
        for line in page.lines().map(str::trim).filter(|line| line.starts_with("cf-billing ")) {
            let is_command = |word: &&str| word.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
            let words =
                line.split_whitespace().skip(1).take_while(is_command).take_while(|word| !word.starts_with('-'));
            commands.insert(words.map(str::to_owned).collect::<Vec<_>>());
        }
    }
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_cf-billing")).args(&command).arg("--help").output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn alertmanager_reads_its_configuration() {
    let (good, said) = tool("amtool", &["check-config", "deploy/prometheus/alertmanager.yml"], "");
    assert!(good, "{said}");
}

/// Containers, Kubernetes, compose and Cloud Foundry, as far as nothing has to run for it; `tests/long images` runs the rest.
#[test]
fn other_forms_agree_with_each_other_and_with_the_program() {
    // Installed once, before the script asks for it.
    python();
    let (good, said) = tool("tests/drills/images", &["--quick", "--binary", env!("CARGO_BIN_EXE_cf-billing")], "");
    assert!(good, "{said}");
}
