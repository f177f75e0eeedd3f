//! The files in deploy/, by the tools that will read them.

use std::collections::BTreeSet;
use std::path::Path;
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
    metrics.accrued([("EUR", [0.0, 0.0])]);
    metrics.invoiced([("EUR", "invoice", 0.0)]);
    metrics.http("/", "GET", 200, std::time::Duration::ZERO);
    let text = metrics.render();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// Names of our series in an expression, recorded ones too.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_' && letter != ':');
    let is_ours =
        |word: &&str| word.starts_with("cf_billing_") || word.starts_with("process_") || word.contains(":cf_billing_");
    words.filter(is_ours).map(str::to_owned).collect()
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

/// The dashboards in deploy/grafana, by file.
fn dashboards() -> Vec<(String, Value)> {
    let files = std::fs::read_dir("deploy/grafana").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    files.sort();
    let parse = |text: String| serde_json::from_str(&text).unwrap();
    files.iter().map(|path| (path.display().to_string(), parse(std::fs::read_to_string(path).unwrap()))).collect()
}

/// Panels of a dashboard, rows apart.
fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

/// What a dashboard asks Prometheus: in panels and for annotations.
fn queries(dashboard: &Value) -> Vec<&str> {
    let targets = panels(dashboard).into_iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let annotations = dashboard["annotations"]["list"].as_array().unwrap();
    targets.chain(annotations).filter_map(|target| target["expr"].as_str()).collect()
}

#[test]
fn rules_and_dashboards_name_series_that_exist() {
    let mut series = series();
    assert!(series.len() > 50, "{series:?}");
    let rules = std::fs::read_to_string("deploy/prometheus/cf-billing.rules.yml").unwrap();
    let (recorded, rules): (Vec<&str>, Vec<&str>) = rules.lines().partition(|line| line.contains("record:"));
    series.extend(recorded.iter().filter_map(|line| line.split("record: ").nth(1)).map(str::to_owned));
    let mut wanted = named(&rules.join("\n"));
    let dashboards = dashboards();
    assert!(dashboards.len() > 1);
    for (_, dashboard) in &dashboards {
        wanted.extend(queries(dashboard).into_iter().flat_map(named));
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let variables = variables.iter().filter(|one| one["datasource"]["type"] == "prometheus");
        wanted.extend(variables.flat_map(|one| named(one["query"].as_str().unwrap())));
    }
    assert!(wanted.len() > 50, "{wanted:?}");
    let missing: Vec<&String> = wanted.iter().filter(|name| !series.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Each query as Prometheus' own parser reads it, with what Grafana puts in.
#[test]
fn the_dashboards_queries_parse() {
    let dashboards = dashboards();
    let queries: Vec<&str> = dashboards.iter().flat_map(|(_, dashboard)| queries(dashboard)).collect();
    assert!(queries.len() > 70, "{}", queries.len());
    let rule = |(number, query): (usize, &&str)| {
        let query = query.replace("$cluster", ".*").replace("$foundation", ".*").replace("$__rate_interval", "1m");
        format!("  - record: query{number}\n    expr: {}\n", serde_json::to_string(&query).unwrap())
    };
    let rules: String = queries.iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queries.yml");
    std::fs::write(&file, format!("groups:\n- name: dashboards\n  rules:\n{rules}")).unwrap();
    let (good, said) = tool("promtool", &["check", "rules", file.to_str().unwrap()], "");
    assert!(good, "{said}");
}

/// `tests/long dashboards` looks at the rest: layout, types, and what each query gives.
#[test]
fn every_panel_of_the_dashboards_says_what_it_tells() {
    let runbooks: BTreeSet<String> = alerts().into_iter().chain(["README".to_owned()]).collect();
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap();
            assert!(
                panel["description"].as_str().is_some_and(|text| text.len() > 20),
                "{file}: {title}: no description"
            );
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{file}: {title}: no unit");
            for link in panel["links"].as_array().into_iter().flatten() {
                let url = link["url"].as_str().unwrap();
                let page = url.strip_prefix("${runbooks}/").and_then(|page| page.strip_suffix(".md"));
                assert!(page.is_some_and(|page| runbooks.contains(page)), "{file}: {title}: {url}");
            }
        }
    }
}

#[test]
fn the_systemd_units_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let units = ["cf-billing.service", "cf-billing-backup.service", "cf-billing-backup.timer"];
    // Verification wants the program to be there, and a timer's service.
    for name in units {
        let unit = std::fs::read_to_string(format!("deploy/systemd/{name}")).unwrap();
        let unit = unit.replace("/usr/bin/cf-billing", env!("CARGO_BIN_EXE_cf-billing"));
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    for name in units {
        let file = folder.path().join(name);
        let file = file.to_str().unwrap();
        let (good, said) = tool("systemd-analyze", &["verify", "--man=no", file], "");
        assert!(good, "{said}");
        assert!(!said.contains(&format!("{name}:")), "{said}");
        if name.ends_with(".service") {
            // Exposure below 2.0 of 10.
            let (good, said) =
                tool("systemd-analyze", &["security", "--offline=true", "--threshold=20", "--no-pager", file], "");
            assert!(good, "{said}");
        }
    }
}

/// What Cargo.toml puts into the Debian package is there; target/ has what `deploy/release --deb` makes. Whether the package
/// works is what `tests/long deploy` tells.
#[test]
fn the_debian_package_names_files_that_exist() {
    let cargo: toml::Table = std::fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let package = &cargo["package"]["metadata"]["deb"];
    let assets = package["assets"].as_array().unwrap();
    let sources: Vec<&str> = assets.iter().map(|asset| asset[0].as_str().unwrap()).collect();
    assert!(sources.len() > 15, "{sources:?}");
    for source in sources.iter().filter(|source| !source.starts_with("target/")) {
        // A pattern stands for what is in its folder.
        let (folder, pattern) = source.rsplit_once('/').unwrap_or((".", source));
        let there = if pattern.contains('*') {
            let folder = folder.trim_end_matches("/**");
            std::fs::read_dir(folder).is_ok_and(|entries| entries.count() > 0)
        } else {
            Path::new(source).is_file()
        };
        assert!(there, "{source} is missing");
    }
    let scripts = Path::new(package["maintainer-scripts"].as_str().unwrap());
    for script in ["postinst", "postrm"] {
        let text = std::fs::read_to_string(scripts.join(script)).unwrap();
        assert!(text.starts_with("#!/bin/sh\nset -e\n") && text.contains("\n#DEBHELPER#\n"), "{script}");
    }
    assert!(scripts.join("cf-billing.sysusers").is_file());
}

/// What a release holds: packed from the program that the tests use.
#[test]
fn a_release_has_the_program_man_pages_completions_and_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    // `.ci/run` makes the SBOM: its tool takes two minutes to compile.
    let arguments = ["--binary", env!("CARGO_BIN_EXE_cf-billing"), "--no-sbom", "--out", out];
    let (good, said) = tool("deploy/release", &arguments, "");
    assert!(good, "{said}");
    assert!(said.contains("no SBOM is made"), "{said}");
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
        "SECURITY.md",
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
/// What the program is built of is in the image that it is built in.
#[test]
fn images_are_built_of_all_that_sources_include() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |name: &str| std::fs::read_to_string(root.join("deploy/docker").join(name)).unwrap();
    let (dockerfile, ignored) = (of("Dockerfile"), of("Dockerfile.dockerignore"));
    let builds = dockerfile.matches("COPY src src\n").count();
    let mut outside = 0;
    for file in crate::tree::files(&root.join("src"), ".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for included in code.split("include_str!(\"").chain(code.split("include_bytes!(\"")).skip(1) {
            let Some((path, _)) = included.split_once('"').filter(|(path, _)| path.starts_with("../")) else {
                continue;
            };
            let path = file.parent().unwrap().join(path).canonicalize().unwrap();
            let path = path.strip_prefix(root).unwrap();
            if path.starts_with("src") || path.starts_with("migrations") {
                continue;
            }
            outside += 1;
            let copied = format!("COPY {} {}/\n", path.display(), path.parent().unwrap().display());
            assert_eq!(dockerfile.matches(&copied).count(), builds, "{copied}");
            assert!(ignored.lines().any(|line| line == format!("!{}", path.display())), "{}", path.display());
        }
    }
    assert!(outside > 0);
}

#[test]
fn other_forms_agree_with_each_other_and_with_the_program() {
    // Installed once, before the script asks for it.
    python();
    let (good, said) = tool("tests/drills/images", &["--quick", "--binary", env!("CARGO_BIN_EXE_cf-billing")], "");
    assert!(good, "{said}");
}
