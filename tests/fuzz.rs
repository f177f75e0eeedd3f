//! A bounded run through the fuzz targets' entry points, on any compiler: the corpus as it is, then changed at random.

#[path = "../fuzz/entry.rs"]
mod entry;

use std::path::Path;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Changed texts tried of each target.
const TRIES: usize = 4_000;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{target}: {files:?}");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Bytes changed, cut out, doubled, taken from another text; numbers and words that hurt.
fn change(random: &mut ChaCha8Rng, text: &mut Vec<u8>, other: &[u8]) {
    const WORDS: [&str; 14] = [
        "null",
        "-1",
        "0",
        "1e999",
        "99999999999999999999",
        "\"\"",
        "[]",
        "{}",
        "\u{0}",
        "ä",
        "true",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "\n",
    ];
    let at = |random: &mut ChaCha8Rng, text: &[u8]| random.random_range(0..=text.len());
    let (one, two) = (at(random, text), at(random, text));
    let span = one.min(two)..one.max(two).min(one.min(two) + 40);
    match random.random_range(0..6) {
        0 => text.insert(one, random.random()),
        1 => drop(text.drain(span)),
        2 => {
            let doubled = text[span].to_vec();
            text.splice(one..one, doubled);
        }
        3 => drop(text.splice(span, WORDS.choose(random).unwrap().bytes())),
        4 => {
            let (from, to) = (at(random, other), at(random, other));
            let taken = other[from.min(to)..from.max(to)].iter().copied().take(60);
            drop(text.splice(one..one, taken));
        }
        _ => {
            if let Some(byte) = text.get_mut(one) {
                *byte = random.random();
            }
        }
    }
}

fn run(target: &str, entry: fn(&[u8])) {
    let corpus = corpus(target);
    for text in &corpus {
        entry(text);
    }
    for seed in 0..TRIES as u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut text = corpus.choose(&mut random).unwrap().clone();
        let other = corpus.choose(&mut random).unwrap();
        for _ in 0..random.random_range(1..8) {
            change(&mut random, &mut text, other);
        }
        let result = std::panic::catch_unwind(|| entry(&text));
        assert!(result.is_ok(), "{target}, seed {seed}: {}", String::from_utf8_lossy(&text));
    }
}

#[test]
fn events() {
    run("event", entry::event);
}

#[test]
fn snapshots() {
    run("snapshot", entry::snapshot);
}

#[test]
fn rate_cards() {
    run("rate_card", entry::rate_card);
}
