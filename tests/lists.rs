//! Lists as real foundations answer them: rows that lack what they may lack, and rows that can't be read.

use cf_billing::simulator::tables::List;
use serde_json::Value;

use crate::support::collected::{Collected, caught_up};

/// A foundation without snapshots, at rest.
fn without_snapshots(seed: u64) -> Collected {
    let collected = Collected::settled(seed, 8);
    collected.foundation().options.snapshots = false;
    collected
}

#[test]
fn an_app_without_a_droplet_keeps_no_list_from_being_read() {
    let mut collected = without_snapshots(3);
    let without: Vec<Value> = (collected.foundation().tables.rows(List::Apps).iter())
        .map(|app| app["relationships"]["current_droplet"].clone())
        .filter(|droplet| droplet["data"]["guid"].is_null())
        .collect();
    assert!(!without.is_empty(), "every foundation has some");
    collected.onboard();
    let in_truth = |collected: &Collected| {
        let foundation = collected.foundation();
        foundation.world.processes.values().filter(|process| process.started).count() + foundation.world.services.len()
    };
    assert_eq!(collected.open().len(), in_truth(&collected), "{:#?}", collected.open());
    // A look reads the same lists.
    collected.pass(86_400);
    caught_up(collected.cycle());
    assert_eq!(collected.open().len(), in_truth(&collected), "{:#?}", collected.open());
    assert!(collected.head().reconciled_at.is_some());
}
