//! The shape of the tree: which module may import which, and what pure modules are denied.

mod circles;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const PURE: [&str; 9] =
    ["access", "accounts", "domain", "fold", "keyed", "rate_card", "rating", "invoicing", "documents"];

/// What each module may import. Imports point one way: the shell may import pure modules, pure ones
/// never the shell; `consumer` and `billing_run` meet only at the store; the simulator knows the
/// domain, never the client's wire types, so that a wrong struct can't agree with itself.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let shell = |more: &[&'static str]| [&PURE[..], &["clock", "config", "telemetry"], more].concat();
    BTreeMap::from([
        ("access", vec!["domain"]),
        ("accounts", vec!["domain", "invoicing", "keyed", "rate_card", "rating"]),
        ("domain", vec![]),
        ("fold", vec!["domain"]),
        ("keyed", vec!["domain"]),
        ("rate_card", vec!["domain", "keyed"]),
        ("rating", vec!["domain", "rate_card"]),
        ("invoicing", vec!["domain", "rate_card", "rating"]),
        ("documents", vec!["domain", "invoicing", "rate_card", "rating"]),
        ("clock", vec!["domain"]),
        ("config", vec!["access", "documents", "domain", "keyed"]),
        ("telemetry", vec!["domain", "config", "clock"]),
        ("cloud_controller", shell(&[])),
        ("store", shell(&[])),
        ("consumer", shell(&["cloud_controller", "store"])),
        ("billing_run", shell(&["store"])),
        ("api", shell(&["store", "billing_run"])),
        ("identity", shell(&["cloud_controller", "store", "billing_run"])),
        ("http", shell(&["store", "billing_run", "api", "identity"])),
        ("simulator", vec!["domain", "clock"]),
        ("daemon", shell(&["cloud_controller", "store", "consumer", "billing_run", "http"])),
        (
            "cli",
            shell(&[
                "cloud_controller",
                "store",
                "consumer",
                "billing_run",
                "api",
                "identity",
                "http",
                "daemon",
                "simulator",
            ]),
        ),
    ])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

pub fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

/// Every path in a tree of `use`: `a::{b, c::{d, e}}` is three.
fn spread(tree: &str, before: &[String], found: &mut Vec<Vec<String>>) {
    let parts = |text: &str| -> Vec<String> {
        text.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
    };
    let (mut depth, mut items) = (0_i32, vec![String::new()]);
    for letter in tree.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        if letter == ',' && depth == 0 {
            items.push(String::new());
        } else {
            items.last_mut().unwrap().push(letter);
        }
    }
    for item in items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
        match item.split_once('{') {
            Some((head, rest)) => {
                let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
                spread(inner, &[before, &parts(head)].concat(), found);
            }
            None => found.push([before, &parts(item.split(" as ").next().unwrap())].concat()),
        }
    }
}

/// Every `crate::module` in a file, also within `use crate::{a, b::c}`.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let mut paths = Vec::new();
        match rest.strip_prefix('{') {
            None => spread(rest.split(|letter| !is_of_path(letter)).next().unwrap(), &[], &mut paths),
            Some(tree) => spread(within_braces(tree), &[], &mut paths),
        }
        let mut modules: Vec<String> = paths.into_iter().filter_map(|path| path.into_iter().next()).collect();
        modules.dedup();
        found.extend(modules);
    }
    found
}

const fn is_of_path(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':')
}

/// A text up to the brace that closes what is open where it begins.
fn within_braces(text: &str) -> &str {
    let mut depth = 0_i32;
    let end = text.find(|letter: char| {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        depth < 0
    });
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn imports_point_one_way() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for file in files(&root().join("src"), ".rs") {
        let path = file.strip_prefix(root().join("src")).unwrap().to_owned();
        let module = path.components().next().unwrap().as_os_str().to_string_lossy().replace(".rs", "");
        if matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: module `{module}` is not in the table", path.display()));
            continue;
        };
        for import in imports(&std::fs::read_to_string(&file).unwrap()) {
            if import != module && allowed.contains_key(import.as_str()) && !may.contains(&import.as_str()) {
                wrong.push(format!("{}: `{module}` must not import `{import}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_import_finder_finds_imports() {
    let text =
        "use crate::store::{A, b::C};\nuse crate::{clock::Clock, domain::{X, Y}, fold};\nfn f() { crate::http::g() }";
    assert_eq!(imports(text), ["store", "clock", "domain", "fold", "http"]);
}

#[test]
fn pure_modules_are_denied_floats_tasks_and_logging() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    for module in PURE.iter().filter(|module| root().join("src").join(module).is_dir()) {
        let declaration = format!("#[deny(clippy::float_arithmetic)]\npub mod {module};");
        assert!(lib.contains(&declaration), "src/lib.rs must say\n{declaration}");
        for file in files(&root().join("src").join(module), ".rs") {
            let text = std::fs::read_to_string(&file).unwrap();
            for forbidden in
                ["tokio::", "tracing::", "async fn", "std::fs", "std::net", "f64", "f32", "sqlx::", "reqwest::"]
            {
                assert!(!text.contains(forbidden), "{} must not use {forbidden}", file.display());
            }
        }
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for file in files(&root().join("src"), ".rs") {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!") || file.ends_with("main.rs"), "{} begins without //!", file.display());
    }
}

#[test]
fn test_data_stays_small() {
    let total: u64 = files(&root().join("tests"), "").iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(total < 8 << 20, "tests/ holds {total} bytes");
}
