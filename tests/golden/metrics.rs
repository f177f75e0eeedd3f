//! Names, types and labels of metrics, as a daemon shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::check;
use crate::support::background::{configure, eventually, run, simulate, text};
use crate::support::program::Program;

/// Each family with its type and the labels that its series have, by name.
fn families(exposition: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut families = BTreeMap::new();
    let mut name = String::new();
    for line in exposition.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, of) = rest.split_once(' ').unwrap();
            family.clone_into(&mut name);
            families.insert(name.clone(), (of.to_owned(), BTreeSet::new()));
        } else if let Some((_, labels)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let labels = labels.rsplit_once('}').unwrap().0;
            // No value holds `="`: a label's name is what stands before it, after the comma of the one before.
            let names = labels.split("=\"").map(|part| part.rsplit(',').next().unwrap());
            let all: Vec<&str> = names.collect();
            families.get_mut(&name).unwrap().1.extend(all[..all.len() - 1].iter().map(|&name| name.to_owned()));
        }
    }
    families
}

#[test]
fn metrics_keep_names_types_and_labels() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &[]);
    configure(&program, &api, "[billing]\nrates = \"rates.toml\"\ndraft_interval = \"1s\"\n");
    std::fs::copy("rates/standard.toml", program.folder.path().join("rates.toml")).unwrap();
    let (daemon, url) = run(&program);
    daemon.says("onboarding is complete");
    let drafted = || {
        let metrics = text(&format!("{url}/metrics"));
        let drafts = |line: &str| line.starts_with("cf_billing_invoices{status=\"draft\"} ") && !line.ends_with(" 0");
        metrics.lines().any(drafts).then_some(())
    };
    eventually(|| daemon.log(), drafted);
    // The first look at it counts as a request.
    let metrics = text(&format!("{url}/metrics"));
    let mut told = String::new();
    for (name, (of, labels)) in families(&metrics).into_iter().filter(|(name, _)| name.starts_with("cf_billing_")) {
        let labels: Vec<String> = labels.into_iter().collect();
        writeln!(told, "{name} {of} {{{}}}", labels.join(",")).unwrap();
    }
    check("metrics.txt", &told);
}

#[test]
fn labels_are_found_in_an_exposition() {
    let found = families("# TYPE a counter\na{x=\"1,2\",y=\"z\"} 3\n# HELP b\n# TYPE b gauge\nb 1\n");
    let labels = |name: &str| found[name].1.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!((found["a"].0.as_str(), labels("a")), ("counter", vec!["x", "y"]));
    assert_eq!((found["b"].0.as_str(), labels("b")), ("gauge", vec![]));
}
