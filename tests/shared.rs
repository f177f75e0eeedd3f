//! Tests on the shared folder beside the checkout, where there is one; `.ci/run` sees to it that they ran.

use std::path::{Path, PathBuf};

use crate::dataset::{assert_truth, import, kept};
use crate::support::program::Program;
use crate::support::recorded::FILES;

fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("no shared folder: nothing compared");
    None
}

#[test]
fn large_is_the_truth() {
    let Some(shared) = shared() else { return };
    let program = Program::new();
    import(&program, &shared.join("dataset/large"), "5000");
    assert_truth(&program, &shared.join("dataset/large"));
}

#[test]
fn the_kept_datasets_are_the_shared_ones() {
    let Some(shared) = shared() else { return };
    for name in ["small", "odd"] {
        for entry in std::fs::read_dir(kept(name)).unwrap() {
            let file = entry.unwrap().path();
            let original = shared.join("dataset").join(name).join(file.file_name().unwrap());
            assert!(std::fs::read(&file).unwrap() == std::fs::read(&original).unwrap(), "{}", file.display());
        }
    }
}

#[test]
fn the_kept_exchanges_are_the_shared_ones() {
    let Some(shared) = shared() else { return };
    let mut found = 0;
    for (folder, sub, kept_in) in [
        (shared.join("recorded"), "", ""),
        (shared.join("recorded"), "story", ""),
        (shared.join("recorded-more"), "", "more/"),
    ] {
        for entry in std::fs::read_dir(folder.join(sub)).unwrap() {
            let file = entry.unwrap().path();
            if file.extension().is_none_or(|ending| ending != "json") {
                continue;
            }
            let name = format!("{kept_in}{}", file.strip_prefix(&folder).unwrap().display());
            let content: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(FILES.get(&name), Some(&content), "{name} is not kept as it is");
            found += 1;
        }
    }
    assert_eq!(found, FILES.len());
}
