//! What the stream alone can't tell: changes lost with a purge, of which a reseed is the first word, and tasks that ran
//! at a snapshot and were over when we came.

use cf_billing::consumer::{rebuild, same_ledger};
use cf_billing::domain::{Kind, Stream, Timestamp};
use cf_billing::simulator::world::Size;
use cf_billing::store::{Settled, Store};

use crate::collector::{complete_snapshots, request_snapshots};
use crate::support::collected::{Collected, caught_up};
use crate::support::program::Program;

/// The net entries of a resource: from, to, whether that is assumed, and instances.
fn entries(collected: &Collected, guid: &str) -> Vec<(Timestamp, Timestamp, bool, u32)> {
    let net = cf_billing::domain::ledger_entry::net(collected.entries_of(guid));
    let intervals = net.into_iter().map(|entry| entry.interval);
    intervals.map(|of| (of.started_at, of.ended_at, of.estimated, of.footprint.instances)).collect()
}

/// The archive folded again gives the same ledger and the same names.
fn check_rebuilt(collected: &Collected) {
    let (fresh, head) = (Program::new(), collected.head());
    let (difference, renamed) = collected.runtime.block_on(async {
        let store = Store::open(&fresh.database()).await.unwrap();
        let rebuilt = rebuild(&collected.store, &head, &store, None, |_| ()).await.unwrap();
        let names = (collected.store.names(&head).await.unwrap(), store.names(&rebuilt.head).await.unwrap());
        assert_eq!(names.0, names.1);
        (same_ledger(&collected.store, &head, &store, &rebuilt.head).await.unwrap(), rebuilt.renamed)
    });
    assert_eq!((difference, renamed), (None, 0));
}

#[test]
fn a_change_that_a_reseed_is_the_first_to_tell_is_estimated_since_the_gap_and_counted() {
    let mut collected = Collected::settled(700, 24);
    collected.onboard();
    let apps = collected.plain_apps();
    let (scaled, kept) = (apps[0].1.clone(), apps[1].1.clone());
    let (instance, plan) = {
        let foundation = collected.foundation();
        let world = &foundation.world;
        let managed = world.services.values().find(|service| service.plan.is_some()).unwrap();
        let other = world.plans().map(|(guid, ..)| guid).find(|plan| managed.plan.as_deref() != Some(plan));
        (managed.guid.clone(), other.unwrap().to_owned())
    };
    collected.pass(600);
    caught_up(collected.cycle());
    let from = collected.head().known_until.unwrap();
    let begun = [&scaled, &instance].map(|guid| collected.open_of(guid).unwrap());
    let untouched = collected.open_of(&kept).unwrap();
    collected.pass(300);
    collected.world(|world, tables| {
        world.scale(tables, &scaled, Size { instances: Some(9), ..Size::default() });
        world.update_service(tables, &instance, None, Some(&plan));
    });
    collected.pass(300);
    for stream in Stream::ALL {
        collected.foundation().purge_and_reseed(stream);
    }
    let reseeded = collected.now();
    collected.pass(15);
    caught_up(collected.cycle());

    for gap in collected.gaps() {
        assert_eq!(gap.settled, Settled { ended: 0, begun: 0, changed: 1 }, "{gap:?}");
    }
    for (guid, begun) in [&scaled, &instance].into_iter().zip(begun) {
        let expected = [(begun.0, from, false, begun.2), (from, reseeded, true, begun.2)];
        assert_eq!(entries(&collected, guid), expected, "{guid}");
        let now = collected.open_of(guid).unwrap();
        assert_eq!((now.0, now.1), (reseeded, false), "what the reseed tells is certain");
    }
    assert_eq!(collected.open_of(&scaled).unwrap().2, 9);
    assert_eq!(collected.open_of(&kept), Some(untouched), "what it confirms goes on");
    check_rebuilt(&collected);
    collected.act(7200, 3);
    caught_up(collected.cycle());
    check_rebuilt(&collected);
}

#[test]
fn what_a_reseed_is_the_first_to_show_begins_there_and_is_counted() {
    let mut collected = Collected::settled(701, 24);
    collected.onboard();
    let space = collected.foundation().world.spaces.keys().next().unwrap().clone();
    collected.pass(600);
    caught_up(collected.cycle());
    let mut instance = String::new();
    collected.world(|world, tables| {
        let plan = world.plans().next().unwrap().0.to_owned();
        instance = world.create_service(tables, &space, "unseen", Some(&plan));
    });
    collected.pass(300);
    collected.foundation().purge_and_reseed(Stream::Service);
    let reseeded = collected.now();
    collected.pass(15);
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert_eq!(gaps.iter().map(|gap| gap.settled).collect::<Vec<_>>(), [Settled { ended: 0, begun: 1, changed: 0 }]);
    assert_eq!(collected.open_of(&instance), Some((reseeded, false, 1)));
    check_rebuilt(&collected);
}

/// A snapshot is adopted half an hour after it was made: a task that ran then has ended meanwhile.
#[test]
fn a_task_that_ran_at_an_adopted_snapshot_is_billed_from_the_epoch_to_its_end() {
    let mut collected = Collected::settled(702, 12);
    collected.client = ("billing-read-only", "simulated-secret");
    let app = collected.plain_apps()[0].0.clone();
    let mut tasks = Vec::new();
    collected.world(|world, tables| {
        // One ends before the snapshot, one between it and our coming, one later.
        tasks.extend([60, 1200, 7200].map(|seconds| world.run_task(tables, &app, "job", 256, Some(seconds))));
    });
    collected.pass(300);
    request_snapshots(&mut collected.foundation());
    complete_snapshots(&mut collected.foundation());
    let epoch = collected.now();
    // They began long before, as far as anybody can read.
    let began = |event: &serde_json::Value| event["state"]["current"] == "TASK_STARTED";
    collected.foundation().tables.events_mut(Stream::App).retain(|event| !began(event));
    collected.pass(1800);
    collected.onboard();
    collected.pass(7200);
    caught_up(collected.cycle());
    let ran = |task: &str| {
        entries(&collected, task)
            .into_iter()
            .map(|(from, to, estimated, _)| (from, to.seconds_since(from), estimated))
            .collect::<Vec<_>>()
    };
    assert_eq!(ran(&tasks[0]), []);
    assert_eq!(ran(&tasks[1]), [(epoch, 2 + 1200 - 300, false)]);
    assert_eq!(ran(&tasks[2]), [(epoch, 2 + 7200 - 300, false)]);
    let memory = |task: &str| collected.entries_of(task)[0].interval.footprint.memory_mib;
    assert_eq!((memory(&tasks[1]), memory(&tasks[2])), (256, 256));
    assert!(collected.entries_of(&tasks[1]).iter().all(|entry| entry.interval.resource.kind == Kind::Task));
    check_rebuilt(&collected);
}

crate::on_postgres! {
    a_change_that_a_reseed_is_the_first_to_tell_is_estimated_since_the_gap_and_counted,
    a_task_that_ran_at_an_adopted_snapshot_is_billed_from_the_epoch_to_its_end,
}
