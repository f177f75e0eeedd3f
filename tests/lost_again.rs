//! Checkpoints lost more than once: whatever is purged, restored or kept back, each event has its place, and each read
//! goes on.

use std::collections::HashMap;

use cf_billing::cloud_controller::transport::TransportError;
use cf_billing::consumer::Cycle;
use cf_billing::domain::{Place, Stream};
use cf_billing::store::InputKind;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::support::collected::{Collected, caught_up};

const APP: Stream = Stream::App;

fn rows(collected: &Collected) -> Vec<Value> {
    collected.foundation().tables.events(APP).to_vec()
}

fn put_rows(collected: &Collected, rows: Vec<Value>) {
    *collected.foundation().tables.events_mut(APP) = rows;
}

fn id(row: &Value) -> (String, String) {
    (row["guid"].as_str().unwrap().to_owned(), row["created_at"].as_str().unwrap().to_owned())
}

/// Where each archived event of the stream stands.
fn places(collected: &Collected) -> HashMap<(String, String), Place> {
    let head = collected.head();
    let inputs = collected.runtime.block_on(collected.store.archived(&head, 0, usize::MAX)).unwrap();
    let events = inputs.into_iter().filter(|input| input.kind == InputKind::Event(APP));
    let placed: Vec<_> =
        events.map(|input| (id(&serde_json::from_str::<Value>(&input.body).unwrap()), input.place)).collect();
    let count = placed.len();
    let places: HashMap<_, _> = placed.into_iter().collect();
    assert_eq!(places.len(), count, "an event is archived twice");
    let distinct: std::collections::HashSet<_> = places.values().collect();
    assert_eq!(distinct.len(), count, "two events have one place");
    places
}

/// The places of what Cloud Controller lists, in its order.
fn in_order(collected: &Collected) -> Vec<Place> {
    let places = places(collected);
    rows(collected).iter().filter_map(|row| places.get(&id(row)).cloned()).collect()
}

/// A foundation some hours old, whose rows until then are only in the copy that is given.
fn with_history(seed: u64) -> (Collected, Vec<Value>) {
    let mut collected = Collected::settled(seed, 6);
    collected.foundation().options.snapshots = false;
    for _ in 0..12 {
        collected.act(3600, 3);
    }
    let old = rows(&collected);
    assert!(old.len() > 5);
    put_rows(&collected, Vec::new());
    collected.act(7200, 4);
    collected.onboard_standing_still();
    collected.act(600, 4);
    caught_up(collected.cycle());
    (collected, old)
}

/// A record from before everything, and a row that was committed late, come before the first that is known: both are
/// found in one page.
#[test]
fn a_kept_record_and_a_late_row_before_the_first_have_places_of_their_own() {
    let (mut collected, old) = with_history(1);
    let known = places(&collected);
    let first = rows(&collected).into_iter().find(|row| known.contains_key(&id(row))).unwrap();
    let mut late = old[old.len() - 1].clone();
    late["guid"] = json!("00000000-0000-4000-8000-000000000001");
    late["created_at"] = first["created_at"].clone();
    let listed = vec![old[0].clone(), late, first];
    put_rows(&collected, listed);
    collected.pass(60);
    caught_up(collected.cycle());
    let found = in_order(&collected);
    assert!(found.len() >= 3);
    assert!(found.is_sorted(), "{found:?}");
    // Lost once more, with more of what was before.
    let mut more = rows(&collected);
    more.splice(0..1, old[..3].iter().cloned());
    put_rows(&collected, more);
    collected.foundation().purge_and_reseed(APP);
    collected.pass(60);
    caught_up(collected.cycle());
    let reseeded = rows(&collected);
    let restored = [&old[..4], &reseeded].concat();
    put_rows(&collected, restored);
    collected.pass(60);
    for _ in 0..3 {
        caught_up(collected.cycle());
        collected.pass(900);
    }
    let found = in_order(&collected);
    assert!(found.is_sorted(), "{found:?}");
}

/// Purged, restored, pruned, committed late and cut off in any order.
#[test]
fn no_order_of_losses_takes_a_place_twice() {
    for seed in 0..30 {
        let (mut collected, old) = with_history(seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut copy = rows(&collected);
        let mut kept_back: Option<(Value, usize)> = None;
        let mut gaps = 0;
        for step in 0..14 {
            let what = random.random_range(0..8);
            let mut cut = false;
            match what {
                0 => collected.act(random.random_range(60..4000), 4),
                1 => collected.foundation().purge_and_reseed(APP),
                2 => copy = rows(&collected),
                3 => put_rows(&collected, copy.clone()),
                4 => {
                    let from = random.random_range(0..old.len());
                    let mut all = rows(&collected);
                    all.retain(|row| !old.contains(row));
                    put_rows(&collected, [&old[from..], &all].concat());
                }
                5 => {
                    let all = rows(&collected);
                    let from = random.random_range(0..=all.len());
                    put_rows(&collected, all[from..].to_vec());
                }
                6 => {
                    let mut all = rows(&collected);
                    match kept_back.take() {
                        Some((row, at)) if at <= all.len() => all.insert(at, row),
                        _ if all.len() > 1 => {
                            let at = random.random_range(0..all.len());
                            kept_back = Some((all.remove(at), at));
                        }
                        _ => {}
                    }
                    put_rows(&collected, all);
                }
                _ => {
                    let mut left = random.random_range(1..12);
                    collected.fail(move |_| {
                        left -= 1;
                        (left == 0).then_some(Err(TransportError::Tls("cut".to_owned())))
                    });
                    cut = true;
                }
            }
            collected.pass(random.random_range(1..900));
            for attempt in 0..3 {
                match collected.cycle() {
                    Ok(Cycle::CaughtUp(_)) => break,
                    Ok(waiting) => panic!("seed {seed}, step {step}: {waiting:?}"),
                    Err(error) => assert!(cut && attempt < 2, "seed {seed}, step {step} ({what}): {error}"),
                }
                collected.restart();
            }
            collected.heal();
            places(&collected);
            gaps = collected.gaps().len();
        }
        println!("seed {seed}: {gaps} gaps");
    }
}

crate::on_postgres!(a_kept_record_and_a_late_row_before_the_first_have_places_of_their_own);
