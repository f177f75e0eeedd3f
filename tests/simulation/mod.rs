//! The simulation: a simulated foundation, the real client, fold and store, virtual time, and everything that can go wrong
//! on purpose, drawn from a seed. At the end the ledger must be what an oracle knows, which shares no code with the fold.
//!
//! A short set runs with the tests. `tests/long simulation` runs two thousand, every twentieth on PostgreSQL too;
//! `CF_BILLING_SEEDS` with a single number plays one again, and prints what happened.

mod between;
mod faults;
mod identity;
mod names;
mod odd_rows;
mod oracle;
mod unseen;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::support::database::{self, Kind, kind};

/// Seeds that once failed: played every time.
const KEPT: &str = include_str!("kept_seeds");

const THREADS: usize = 4;

/// The seeds to run, and whether somebody asked for them: `7`, `7,12`, or `1-2000`.
fn wanted(short: u64) -> (Vec<u64>, bool) {
    let Ok(text) = std::env::var("CF_BILLING_SEEDS") else {
        let kept = KEPT.lines().filter(|line| !line.starts_with('#')).map(|line| line.trim().parse().unwrap());
        return ((1..=short).chain(kept).collect(), false);
    };
    let number = |text: &str| text.trim().parse::<u64>().expect("numbers, with a dash or commas between them");
    let seeds = match text.split_once('-') {
        Some((first, last)) => (number(first)..=number(last)).collect(),
        None => text.split(',').map(number).collect(),
    };
    (seeds, true)
}

fn run(short: u64) {
    let (mut seeds, asked) = wanted(short);
    let of = kind();
    if asked && of == Kind::Postgres {
        // A server costs more than a file: it plays every twentieth.
        seeds = seeds.into_iter().step_by(20).collect();
    }
    println!("seeds {} to {}, {} in all", seeds[0], seeds[seeds.len() - 1], seeds.len());
    let (next, begun) = (AtomicU64::new(0), Instant::now());
    let failed = std::sync::Mutex::new(Vec::new());
    let told = std::sync::Mutex::new(faults::Told::default());
    std::thread::scope(|scope| {
        // More than there are cores: they wait for their databases half of the time.
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(seed) = usize::try_from(at).ok().and_then(|at| seeds.get(at)) else { break };
                    let alone = asked && seeds.len() == 1;
                    let run = || database::with(of, || faults::simulate(*seed, alone));
                    match catch_unwind(AssertUnwindSafe(run)) {
                        Ok(Ok(one)) => told.lock().unwrap().add(&one),
                        Ok(Err(why)) => failed.lock().unwrap().push((*seed, why)),
                        Err(panic) => {
                            let text = panic.downcast_ref::<String>().cloned();
                            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                            failed.lock().unwrap().push((*seed, format!("panicked: {}", text.unwrap_or_default())));
                        }
                    }
                    if asked && (at + 1) % 100 == 0 {
                        println!("{} seeds after {} s", at + 1, begun.elapsed().as_secs());
                    }
                }
            });
        }
    });
    // `tests/long` adds these lines up.
    let database = if of == Kind::Postgres { "postgresql" } else { "sqlite" };
    let figures = [("seeds", seeds.len() as u64), ("seconds", begun.elapsed().as_secs())];
    for (what, count) in figures.into_iter().chain(told.into_inner().unwrap().counts()) {
        println!("{database}: {count:>9} {what}");
    }
    let failed = failed.into_inner().unwrap();
    let on = if of == Kind::Postgres { "on_postgres::seeds" } else { "seeds" };
    let mut text = String::new();
    for (seed, why) in failed.iter().take(if asked { usize::MAX } else { 3 }) {
        let command = format!(
            "CF_BILLING_SEEDS={seed} tests/with-postgres cargo test --locked --test integration -- --nocapture --exact simulation::{on}"
        );
        text += &format!("seed {seed}: {why}\nplay it again: {command}\n\n");
    }
    let all: Vec<u64> = failed.iter().map(|(seed, _)| *seed).collect();
    assert!(failed.is_empty(), "{} of {} seeds failed: {all:?}\n\n{text}", failed.len(), seeds.len());
}

/// Takes some 30 s: fifty foundations, each some days long.
#[test]
fn seeds() {
    run(50);
}

mod on_postgres {
    #[test]
    fn seeds() {
        crate::support::database::on_postgres(|| super::run(5));
    }
}
