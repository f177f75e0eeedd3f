//! What readiness says of foundations, and when.

use serde_json::Value;
use tokio::runtime::Runtime;

use super::plant::Plant;
use crate::support::background::{eventually, text};
use crate::support::program::Program;
use crate::support::proxy::Network;

fn plant(seed: u64, not_ready_after: &str) -> Plant {
    let program = Program::new();
    let database = program.database();
    let mut plant = Plant::new(program, database, seed);
    plant.set("CF_BILLING__HTTP__NOT_READY_AFTER", not_ready_after);
    plant
}

/// A foundation that was away for less than the time that is configured is told of, and nobody is woken.
#[test]
fn what_has_not_failed_for_long_enough_is_ready_still() {
    for (limit, ready) in [("1h", true), ("1s", false)] {
        let mut plant = plant(31, limit);
        plant.start(&[]);
        plant.onboarded();
        plant.end_foundation();
        let sim: Value = eventually(
            || plant.log(),
            || {
                let sim = plant.readiness().1["foundations"]["sim"].clone();
                (!sim["detail"].is_null() && sim["ready"] == ready).then_some(sim)
            },
        );
        assert!(sim["detail"].as_str().unwrap().contains("hint: "), "{sim}");
        assert_eq!(plant.readiness().0 == 200, ready);
        assert!(plant.serves(), "pages can be served all the same");
        let page = text(&format!("{}/", plant.url));
        assert!(page.contains("last at"), "{page}");
        let metric = format!("cf_billing_ready {}\n", i32::from(ready));
        eventually(|| plant.log(), || text(&format!("{}/metrics", plant.url)).contains(&metric).then_some(()));
    }
}

/// Who accepts connections and says nothing is told like who is away, and collected from as soon as it speaks.
#[test]
fn a_silent_foundation_is_told_and_outlived() {
    let runtime = Runtime::new().unwrap();
    let mut plant = plant(32, "500ms");
    let network = plant.behind(&runtime);
    plant.start(&[]);
    plant.onboarded();
    // No request of it has failed yet: how long one may take is another limit.
    network.set(Network::Silent);
    plant.until_not_ready("neither an answer nor an error");
    network.set(Network::Whole);
    plant.until_ready();
    network.set(Network::Cut);
    plant.until_not_ready("collecting fails");
    network.set(Network::Silent);
    plant.until_not_ready("collecting fails");
    network.set(Network::Whole);
    plant.until_ready();
    plant.check_truth();
}
