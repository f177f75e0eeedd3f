//! Golden files: what must not move, kept in `tests/data/golden/`.
//!
//! Books, hash chains, hashes of cards, codes, names of commands, options, configuration keys, metrics and JSON members,
//! and the SHA-256 of every document. Where a test fails, the change it found reaches users: undo it, or record anew and
//! say in the commit why it moved:
//!
//! ```text
//! CF_BILLING_RECORD=1 tests/with-postgres cargo test --locked --test integration golden
//! git diff tests/data/golden
//! ```
//!
//! Two of them are stricter:
//! - A document's bytes may change only with a new value of `RENDERER`: recording is refused otherwise. Documents that are
//!   kept in books are never made again.
//! - Books are never recorded over. A new schema gets a book of its own (`CF_BILLING_RECORD_BOOK=1`, see `book.rs`), and
//!   the older ones stay.

mod book;
mod cards;
mod documents;
mod everything;
mod inputs;
mod json;
mod metrics;
mod names;

use std::path::{Path, PathBuf};

/// The folder of golden files.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden")
}

fn recording() -> bool {
    std::env::var_os("CF_BILLING_RECORD").is_some()
}

/// Compares `found` with a golden file, or records it. Panics with the lines that differ.
#[track_caller]
fn check(name: &str, found: &str) {
    let file = folder().join(name);
    if recording() {
        std::fs::write(&file, found).unwrap();
    }
    compare(name, &std::fs::read_to_string(&file).unwrap_or_default(), found);
}

#[track_caller]
fn compare(name: &str, golden: &str, found: &str) {
    let differences = differences(golden, found);
    assert!(
        differences.is_empty(),
        "tests/data/golden/{name} differs (- golden, + found):\n{differences}\n\
         If users are to see this change: CF_BILLING_RECORD=1, see tests/golden/mod.rs, and say why in the commit."
    );
}

/// As [`check`], of a file that is compressed.
#[track_caller]
fn check_packed(name: &str, found: &str) {
    let file = folder().join(name);
    if recording() {
        std::fs::write(&file, zstd::encode_all(found.as_bytes(), 19).unwrap()).unwrap();
    }
    let golden = String::from_utf8(zstd::decode_all(&std::fs::read(&file).unwrap()[..]).unwrap()).unwrap();
    compare(name, &golden, found);
}

/// Lines that only one of two texts has, in order.
fn differences(golden: &str, found: &str) -> String {
    let lines = |text: &'static str, one: &str, other: &str| -> String {
        let other: std::collections::BTreeSet<&str> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).map(|line| format!("{text} {line}\n")).collect()
    };
    let differences = lines("-", golden, found) + &lines("+", found, golden);
    if differences.is_empty() && golden != found { "the order or number of lines\n".to_owned() } else { differences }
}

#[test]
fn differences_name_the_lines() {
    assert_eq!(differences("a\nb\n", "a\nc\n"), "- b\n+ c\n");
    assert_eq!(differences("a\n", "a\n"), "");
    assert_eq!(differences("a\nb\n", "b\na\n"), "the order or number of lines\n");
}
