//! Law: a look never reaches behind what is known, and what it finds is assumed only since then; on the fold's own lines,
//! and collected from a simulated Cloud Controller in which what no event tells comes about.

use cf_billing::consumer::{Class, Look, Repair};
use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{GapReason, Kind, LedgerEntry, Stream, Timestamp};
use cf_billing::simulator::tables::List;
use cf_billing::simulator::world::Size;
use cf_billing::store::Settled;
use serde_json::json;

use crate::support::collected::{Collected, caught_up};
use crate::support::script::check;

// --- what a look changes, line by line

#[test]
fn a_changed_size_counts_from_its_row_and_is_assumed_since_the_bound() {
    for (look, expected) in [
        // The row was saved between the bound and the look: it tells.
        (
            "12:00 look p 512x4 certain=10:00 since=11:00",
            ["p 08:00-10:00 512x1", "p 10:00-11:00 512x1 estimated", "p 11:00-12:00 512x4 estimated", "p 12:00- 512x4"],
        ),
        (
            "12:00 look p 512x4 certain=10:00 since=10:00:01",
            [
                "p 08:00-10:00 512x1",
                "p 10:00-10:00:01 512x1 estimated",
                "p 10:00:01-12:00 512x4 estimated",
                "p 12:00- 512x4",
            ],
        ),
    ] {
        check(&format!("08:00 p STARTED 512x1\n {look}"), &expected);
    }
    for since in ["10:00", "09:59:59", "07:00"] {
        check(
            &format!("08:00 p STARTED 512x1\n 12:00 look p 512x4 certain=10:00 since={since}"),
            &["p 08:00-10:00 512x1", "p 10:00-12:00 512x4 estimated", "p 12:00- 512x4"],
        );
    }
    for since in ["12:00", "12:00:01"] {
        check(
            &format!("08:00 p STARTED 512x1\n 12:00 look p 512x4 certain=10:00 since={since}"),
            &["p 08:00-10:00 512x1", "p 10:00-12:00 512x1 estimated", "p 12:00- 512x4"],
        );
    }
}

#[test]
fn nothing_before_the_run_or_the_epoch_changes() {
    check(
        "08:00 p STARTED 512x1\n 12:00 look p 512x4 since=05:00",
        &["p 08:00-12:00 512x4 estimated", "p 12:00- 512x4"],
    );
    check(
        "epoch 10:00\n baseline p 512x1\n 12:00 look p 512x4 since=05:00",
        &["p 10:00-12:00 512x4 estimated", "p 12:00- 512x4"],
    );
    // A run before, ended, stays as it was.
    check(
        "08:00 p STARTED 512x1\n 09:00 p STOPPED\n 10:00 p STARTED 512x2\n 12:00 look p 512x4 since=05:00",
        &["p 08:00-09:00 512x1", "p 10:00-12:00 512x4 estimated", "p 12:00- 512x4"],
    );
}

/// Disk is observed and splits what runs; time since the bound is revised behind such splits, too.
#[test]
fn what_is_in_the_ledger_already_is_revised_since_the_bound() {
    check(
        "08:00 p STARTED 512x1\n 08:00 disk p 1024\n 11:00 disk p 2048 updated=11:00
         12:00 look p 512x1 certain=10:00 space=s2 org=o2",
        &[
            "p 08:00-10:00 512x1",
            "p 10:00-11:00 512x1 space=s2 estimated",
            "p 11:00-12:00 512x1 space=s2 estimated",
            "p 12:00- 512x1 space=s2",
        ],
    );
    check(
        "08:00 p STARTED 512x1\n 08:00 disk p 1024\n 11:00 disk p 2048 updated=11:00
         12:00 look p ended at=11:30 certain=10:00",
        &["p 08:00-10:00 512x1", "p 10:00-11:00 512x1 estimated", "p 11:00-11:30 512x1 estimated"],
    );
    // It had ended before its disk was split.
    check(
        "08:00 p STARTED 512x1\n 08:00 disk p 1024\n 11:00 disk p 2048 updated=11:00
         12:00 look p ended at=10:30 certain=10:00",
        &["p 08:00-10:00 512x1", "p 10:00-10:30 512x1 estimated"],
    );
}

#[test]
fn an_ending_lies_between_the_bound_and_the_look() {
    for (at, expected) in [("10:00", "10:00"), ("09:00", "10:00"), ("07:00", "10:00")] {
        check(
            &format!("08:00 p STARTED 512x1\n 12:00 look p ended at={at} certain=10:00"),
            &[&format!("p 08:00-{expected} 512x1 estimated")],
        );
    }
    for (at, expected) in [("10:00:01", "10:00:01"), ("12:00", "12:00"), ("12:00:01", "12:00")] {
        check(
            &format!("08:00 p STARTED 512x1\n 12:00 look p ended at={at} certain=10:00"),
            &["p 08:00-10:00 512x1", &format!("p 10:00-{expected} 512x1 estimated")],
        );
    }
    // A row that tells the end is believed from the bound on.
    check("08:00 t TASK_STARTED 64x1\n 12:00 look t task ended at=11:00 exact certain=10:00", &["t 08:00-11:00 64x1"]);
    check("08:00 t TASK_STARTED 64x1\n 12:00 look t task ended at=10:00 exact certain=10:00", &["t 08:00-10:00 64x1"]);
    check(
        "08:00 t TASK_STARTED 64x1\n 12:00 look t task ended at=09:59:59 exact certain=10:00",
        &["t 08:00-10:00 64x1 estimated"],
    );
}

#[test]
fn what_is_there_again_is_a_new_run() {
    for (again, expected) in
        [("certain=10:00", "10:00"), ("certain=08:00", "09:00"), ("certain=10:00 since=11:00", "11:00")]
    {
        check(
            &format!(
                "08:00 s CREATED plan=A\n 09:00 s DELETED plan=A\n 12:00 look s plan=A {again}\n 13:00 s DELETED plan=A"
            ),
            &["s 08:00-09:00 plan=A", &format!("s {expected}-12:00 plan=A estimated"), "s 12:00-13:00 plan=A"],
        );
    }
    check(
        "08:00 s CREATED plan=A\n 09:00 s DELETED plan=A\n 12:00 look s plan=A certain=10:00\n 13:00 s UPDATED plan=B",
        &["s 08:00-09:00 plan=A", "s 10:00-12:00 plan=A estimated", "s 12:00-13:00 plan=A", "s 13:00- plan=B"],
    );
    check(
        "08:00 t TASK_STARTED 64x1\n 09:00 t TASK_STOPPED\n 12:00 look t task 64x1 certain=10:00\n 13:00 t TASK_STOPPED",
        &["t 08:00-09:00 64x1", "t 10:00-12:00 64x1 estimated", "t 12:00-13:00 64x1"],
    );
    // Events still don't reopen anything.
    check("08:00 s CREATED plan=A\n 09:00 s DELETED plan=A\n 10:00 s UPDATED plan=B", &["s 08:00-09:00 plan=A"]);
}

/// The event that a look lacked stands before it: what the look assumed is taken back.
#[test]
fn an_event_found_late_bounds_the_look_too() {
    check(
        "08:00 p STARTED 512x1\n late 11:00 p STARTED 512x4\n 11:30 q STARTED 64x1\n 12:00 look p 512x4 certain=10:00 since=10:30",
        &["p 08:00-11:00 512x1", "p 11:00- 512x4", "q 11:30- 64x1"],
    );
    check(
        "08:00 p STARTED 512x1\n late 11:00 p STARTED 512x2\n 11:30 q STARTED 64x1\n 12:00 look p 512x4 certain=10:00 since=10:30",
        &["p 08:00-11:00 512x1", "p 11:00-12:00 512x4 estimated", "p 12:00- 512x4", "q 11:30- 64x1"],
    );
}

#[test]
fn what_cant_be_read_is_assumed_until_a_look_confirms_it() {
    check(
        "08:00 p STARTED 512x1\n 12:00 look p unsure certain=10:00\n 13:00 look p 512x1 certain=10:00\n 14:00 p STOPPED",
        &["p 08:00-10:00 512x1", "p 10:00-13:00 512x1 estimated", "p 13:00-14:00 512x1"],
    );
    // Once is enough.
    check(
        "08:00 p STARTED 512x1\n 12:00 look p unsure certain=10:00\n 13:00 look p unsure certain=10:00\n 14:00 p STOPPED",
        &["p 08:00-10:00 512x1", "p 10:00-14:00 512x1 estimated"],
    );
    // What it confirms that is certain it leaves alone.
    check("08:00 p STARTED 512x1\n 13:00 look p 512x1 certain=10:00\n 14:00 p STOPPED", &["p 08:00-14:00 512x1"]);
}

/// As a `BUILDPACK_SET` that was lost: of the whole run. One that is known stays.
#[test]
fn a_buildpack_is_taken_where_none_is_known() {
    check(
        "08:00 p STARTED 512x1\n 09:00 p STARTED 512x2\n 12:00 look p 512x2 certain=10:00 bp=go\n 13:00 p STOPPED",
        &["p 08:00-09:00 512x1 bp=go", "p 09:00-13:00 512x2 bp=go"],
    );
    check(
        "08:00 p STARTED 512x1 bp=ruby\n 12:00 look p 512x1 certain=10:00\n 13:00 p STOPPED",
        &["p 08:00-13:00 512x1 bp=ruby"],
    );
}

// --- collected

fn onboarded(seed: u64) -> Collected {
    let mut collected = Collected::settled(seed, 24);
    collected.onboard();
    collected.pass(3600);
    caught_up(collected.cycle());
    collected
}

fn told(look: &Look) -> Vec<(Kind, Class, bool)> {
    let of = |difference: &cf_billing::consumer::Difference| {
        (difference.resource.kind, difference.class, difference.repaired)
    };
    look.differences.iter().map(of).collect()
}

/// Two looks a sweep apart; when the first and the second were.
fn two_looks(collected: &mut Collected, found: &[(Kind, Class)]) -> (Timestamp, Timestamp) {
    let as_found = |repaired: bool| found.iter().map(|(kind, class)| (*kind, *class, repaired)).collect::<Vec<_>>();
    let first = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), as_found(false), "not on the word of one look");
    collected.pass(599);
    assert_eq!(told(&collected.look(Repair::Confirmed)), as_found(false), "too soon");
    collected.pass(1);
    let second = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), as_found(true));
    collected.pass(600);
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    (first, second)
}

/// The net entries of a resource since an instant: from, to, estimated.
fn entries_since(collected: &Collected, guid: &str, since: Timestamp) -> Vec<LedgerEntry> {
    let mut entries = net(collected.entries_of(guid));
    entries.retain(|entry| entry.interval.ended_at > since);
    entries.sort_by_key(|entry| entry.interval.started_at);
    entries
}

fn spans(entries: &[LedgerEntry]) -> Vec<(Timestamp, Timestamp, bool)> {
    entries.iter().map(|entry| &entry.interval).map(|of| (of.started_at, of.ended_at, of.estimated)).collect()
}

fn managed(collected: &Collected) -> (String, String) {
    let foundation = collected.foundation();
    let service = foundation.world.services.values().find(|service| service.plan.is_some()).unwrap();
    (service.guid.clone(), service.plan.clone().unwrap())
}

fn rebuilds(collected: &Collected) {
    let rebuilt = collected.program().succeed(&["ledger", "rebuild"]).stderr;
    assert!(rebuilt.contains("the same"), "{rebuilt}");
}

/// A row that ended comes back, and no event says so.
#[test]
fn a_service_instance_that_is_there_again_is_billed_again() {
    let mut collected = onboarded(360);
    let (service, _) = managed(&collected);
    let row = collected.foundation().tables.row(List::ServiceInstances, &service).unwrap().clone();
    let held = collected.foundation().world.services[&service].clone();
    collected.world(|world, tables| world.delete_service(tables, &service));
    let ended = collected.now();
    collected.pass(900);
    caught_up(collected.cycle());
    let agreed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.pass(900);
    collected.world(|world, tables| {
        tables.put(List::ServiceInstances, row.clone());
        world.services.insert(service.clone(), held.clone());
    });
    collected.pass(900);
    let (_, second) = two_looks(&mut collected, &[(Kind::Service, Class::MissedStart)]);
    assert_eq!(spans(&entries_since(&collected, &service, ended)), [(agreed, second, true)]);
    assert_eq!(collected.open_of(&service), Some((second, false, 1)));
    // It goes on as any other.
    collected.world(|world, tables| world.delete_service(tables, &service));
    let ended = collected.now();
    collected.pass(900);
    caught_up(collected.cycle());
    assert_eq!(spans(&entries_since(&collected, &service, second)), [(second, ended, false)]);
    rebuilds(&collected);
}

/// Cloud Controller's database is set back by hours: what was deleted since is there again, what was made is gone.
#[test]
fn a_restored_database_is_a_gap_and_what_returns_is_billed_again() {
    let mut collected = onboarded(361);
    let (service, _) = managed(&collected);
    let apps = collected.plain_apps();
    let backup = collected.foundation().backup();
    collected.pass(900);
    collected.world(|world, tables| {
        world.delete_service(tables, &service);
        world.stop_app(tables, &apps[0].0);
        world.delete_app(tables, &apps[1].0);
    });
    let ended = collected.now();
    collected.pass(900);
    caught_up(collected.cycle());
    collected.pass(900);
    collected.foundation().restore(backup);
    collected.pass(900);
    let look = collected.now();
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert_eq!(gaps.iter().map(|gap| gap.settled.begun).collect::<Vec<_>>(), [2, 1], "{gaps:?}");
    for guid in [&service, &apps[0].1, &apps[1].1] {
        assert_eq!(spans(&entries_since(&collected, guid, ended)), [], "nothing of what nobody saw");
        assert_eq!(collected.open_of(guid).map(|(from, estimated, _)| (from, estimated)), Some((look, true)));
    }
    // A later look confirms it: it is certain from then on.
    collected.pass(6 * 3600);
    let confirmed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    for guid in [&service, &apps[0].1, &apps[1].1] {
        assert_eq!(spans(&entries_since(&collected, guid, ended)), [(look, confirmed, true)]);
        assert_eq!(collected.open_of(guid).map(|(from, estimated, _)| (from, estimated)), Some((confirmed, false)));
    }
    for _ in 0..10 {
        collected.act(3600, 3);
        caught_up(collected.cycle());
    }
    let from = collected.now().plus(-9 * 3600);
    assert_eq!(collected.usage(from, collected.now()), collected.truth_since(from));
    rebuilds(&collected);
}

/// Operators move all instances of a plan in the database: no event, and no row's `updated_at` moves.
#[test]
fn a_plan_migrated_in_bulk_counts_from_the_last_look_that_agreed_under_its_name() {
    let mut collected = onboarded(362);
    let (service, plan) = managed(&collected);
    let agreed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.pass(1800);
    let mut new = String::new();
    let mut moved = Vec::new();
    collected.world(|world, tables| {
        new = world.offer(tables, "warehouse", "enormous");
        moved = world.migrate_plan(tables, &plan, &new);
    });
    assert!(moved.contains(&service));
    collected.pass(1800);
    let found = vec![(Kind::Service, Class::WrongFootprint); moved.len()];
    let (_, second) = two_looks(&mut collected, &found);
    for service in &moved {
        let entries = entries_since(&collected, service, agreed);
        assert_eq!(spans(&entries), [(agreed, second, true)]);
        assert_eq!(entries[0].interval.footprint.service_plan.as_ref().unwrap().to_string(), new);
        assert_eq!(collected.open_of(service), Some((second, false, 1)));
    }
    // A plan that no event ever named.
    let usage = collected.program().json(&[
        "usage",
        "--from",
        &agreed.to_string(),
        "--to",
        &second.to_string(),
        "--by",
        "plan",
        "--names",
    ]);
    assert!(usage.to_string().contains("enormous"), "{usage:#}");
    rebuilds(&collected);
}

/// V2 moves an app to another space and organization without an event. Its disk is scaled meanwhile, which splits it.
#[test]
fn an_app_moved_by_v2_is_in_its_new_space_since_the_last_look_that_agreed() {
    let mut collected = onboarded(363);
    let (app, process) = collected.plain_apps().remove(0);
    let agreed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.pass(1800);
    let mut space = String::new();
    collected.world(|world, tables| {
        let org = world.create_org(tables, "elsewhere");
        space = world.create_space(tables, &org, "far away");
        world.move_app(tables, &app, &space);
    });
    collected.pass(1800);
    let scaled = collected.now();
    collected.world(|world, tables| {
        world.scale(tables, &process, Size { disk_mib: Some(7000), ..Size::default() });
    });
    collected.pass(1800);
    caught_up(collected.cycle());
    let (_, second) = two_looks(&mut collected, &[(Kind::Process, Class::WrongFootprint)]);
    let entries = entries_since(&collected, &process, agreed);
    assert_eq!(spans(&entries), [(agreed, scaled, true), (scaled, second, true)]);
    assert!(entries.iter().all(|entry| entry.interval.footprint.location.space.to_string() == space), "{entries:?}");
    assert_eq!(entries.iter().map(|entry| entry.interval.footprint.disk_mib).collect::<Vec<_>>()[1], 7000);
    assert_eq!(collected.open_of(&process).map(|(from, estimated, _)| (from, estimated)), Some((second, false)));
    let usage = collected.program().json(&[
        "usage",
        "--from",
        &agreed.to_string(),
        "--to",
        &second.to_string(),
        "--by",
        "space",
        "--names",
    ]);
    assert!(usage.to_string().contains("far away"), "{usage:#}");
    rebuilds(&collected);
}

/// An event that changes nothing is known all the same: V2's `production` flag.
#[test]
fn a_look_reaches_no_further_back_than_the_last_event() {
    let mut collected = onboarded(364);
    let (app, process) = collected.plain_apps().remove(0);
    let instances = collected.open_of(&process).unwrap().2;
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.pass(1800);
    let event = flag_event(&collected, &process, collected.now());
    let flagged = collected.now();
    collected.foundation().tables.events_mut(Stream::App).push(event);
    collected.pass(900);
    caught_up(collected.cycle());
    collected.pass(900);
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        world.scale(tables, &process, Size { instances: Some(i64::from(instances) + 2), ..Size::default() });
        tables.events_mut(Stream::App).truncate(events);
        // Edited by hand: the row doesn't tell.
        tables.change(List::Processes, &process, &[("/updated_at", json!("2026-01-01T00:00:00Z"))]);
    });
    collected.pass(900);
    let (_, second) = two_looks(&mut collected, &[(Kind::Process, Class::WrongFootprint)]);
    let entries = entries_since(&collected, &process, flagged);
    assert_eq!(spans(&entries), [(flagged, second, true)]);
    assert_eq!(entries[0].interval.footprint.instances, instances + 2);
    assert!(collected.foundation().world.apps.contains_key(&app));
}

/// V2's `production` flag is set: an event, and the size is the same before and after.
fn flag_event(collected: &Collected, process: &str, at: Timestamp) -> serde_json::Value {
    let mut events = collected.foundation().world.reseed(Stream::App);
    events.retain(|event| event["process"]["guid"] == process);
    let mut event = events.remove(0);
    event["guid"] = json!("production-flag");
    event["process"]["type"] = json!("web");
    event["created_at"] = json!(at);
    event
}

/// What changed while the lists were read is told by no look: the one before it is the last that agreed.
#[test]
fn a_look_says_nothing_of_what_changes_meanwhile() {
    let mut collected = onboarded(365);
    let (_, process) = collected.plain_apps().remove(0);
    let instances = collected.open_of(&process).unwrap().2;
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.pass(3600);
    // In the middle of the second look a transaction is committed that was long under way.
    let begun = collected.now().plus(-1000);
    let event = flag_event(&collected, &process, begun);
    let (exchange, mut left) = (collected.exchange.clone(), Some(event));
    collected.fail(move |request| {
        if request.uri().path().ends_with("service_plans")
            && let Some(event) = left.take()
        {
            exchange.world(|_, tables| tables.events_mut(Stream::App).push(event));
        }
        None
    });
    let look = collected.look(Repair::Confirmed);
    collected.heal();
    assert_eq!((told(&look), look.in_flight), (Vec::new(), 1));
    collected.pass(1800);
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        world.scale(tables, &process, Size { instances: Some(i64::from(instances) + 5), ..Size::default() });
        tables.events_mut(Stream::App).truncate(events);
        tables.change(List::Processes, &process, &[("/updated_at", json!("2026-01-01T00:00:00Z"))]);
    });
    collected.pass(600);
    let (_, second) = two_looks(&mut collected, &[(Kind::Process, Class::WrongFootprint)]);
    assert_eq!(spans(&entries_since(&collected, &process, begun)), [(begun, second, true)]);
}

// --- docker apps of V2

#[test]
fn a_docker_apps_process_that_diego_runs_is_not_ended_by_a_look() {
    let mut collected = onboarded(366);
    let mut process = String::new();
    collected.world(|world, tables| {
        let space = world.spaces.keys().next().unwrap().clone();
        let app = world.create_docker_app(tables, &space, "v2");
        world.insert_started(tables, &app);
        process.clone_from(&world.apps[&app].processes[0]);
    });
    collected.pass(900);
    caught_up(collected.cycle());
    assert_eq!(collected.open_of(&process), None, "no event tells of it yet");
    collected.world(|world, tables| world.scale(tables, &process, Size { instances: Some(2), ..Size::default() }));
    let begun = collected.now();
    collected.pass(900);
    caught_up(collected.cycle());
    assert_eq!(collected.open_of(&process), Some((begun, false, 2)));
    for _ in 0..3 {
        collected.pass(7200);
        assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    }
    let agreed = collected.now();
    // Diego can't be asked.
    collected.pass(7200);
    collected.fail(|request| {
        let body = r#"{"errors":[{"code":10001,"title":"UnknownError","detail":"no"}]}"#;
        let answer = http::Response::builder().status(500).body(body.into()).unwrap();
        request.uri().path().ends_with("/stats").then_some(Ok(answer))
    });
    assert_eq!(told(&collected.look(Repair::Confirmed)), [(Kind::Process, Class::Unsure, true)]);
    assert_eq!(collected.open_of(&process), Some((agreed, true, 2)), "kept, as estimated since the last look");
    collected.pass(7200);
    assert_eq!(told(&collected.look(Repair::Confirmed)), [(Kind::Process, Class::Unsure, false)]);
    assert_eq!(collected.open_of(&process), Some((agreed, true, 2)));
    collected.heal();
    collected.pass(7200);
    let confirmed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    assert_eq!(spans(&entries_since(&collected, &process, agreed)), [(agreed, confirmed, true)]);
    assert_eq!(collected.open_of(&process), Some((confirmed, false, 2)));
    // It stops, and its event is lost.
    collected.pass(3600);
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        let app = world.processes[&process].app.clone();
        world.stop_app(tables, &app);
        tables.events_mut(Stream::App).truncate(events);
    });
    let stopped = collected.now();
    collected.pass(3600);
    two_looks(&mut collected, &[(Kind::Process, Class::MissedStop)]);
    assert_eq!(collected.open_of(&process), None);
    assert_eq!(spans(&entries_since(&collected, &process, confirmed)), [(confirmed, stopped, true)]);
    rebuilds(&collected);
}

/// Of an app that isn't a container image its state is believed, and Diego isn't asked.
#[test]
fn only_docker_apps_are_asked_after() {
    let mut collected = onboarded(367);
    let mut apps = collected.plain_apps();
    apps.retain(|(app, _)| !collected.foundation().world.apps[app].docker);
    let (app, process) = apps.remove(0);
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        world.stop_app(tables, &app);
        tables.events_mut(Stream::App).truncate(events);
    });
    collected.pass(900);
    collected.requests();
    two_looks(&mut collected, &[(Kind::Process, Class::MissedStop)]);
    assert_eq!(collected.open_of(&process), None);
    assert!(collected.requests().iter().all(|request| !request.contains("/stats")));
}

// --- what a reseed tells

/// A droplet brings a type that waits for a restart. Neither a gap nor a list may begin it: the reseed doesn't name it.
#[test]
fn a_process_type_that_a_reseed_does_not_name_does_not_run() {
    let mut collected = onboarded(368);
    let (app, web) = collected.plain_apps().remove(0);
    let mut worker = String::new();
    collected.pass(600);
    caught_up(collected.cycle());
    collected.world(|world, tables| {
        let receipt = world.apps[&app].droplet.clone().unwrap();
        world.set_droplet(tables, &app, receipt, &["web", "worker"]);
        worker.clone_from(&world.apps[&app].processes[1]);
        world.scale(tables, &worker, Size { instances: Some(3), ..Size::default() });
    });
    collected.foundation().purge_and_reseed(Stream::App);
    collected.pass(600);
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert_eq!((gaps.len(), gaps[0].reason, gaps[0].settled), (1, GapReason::CheckpointGone, Settled::default()));
    assert_eq!(collected.open_of(&worker), None);
    assert!(collected.open_of(&web).is_some());
    collected.pass(600);
    assert_eq!(told(&collected.look(Repair::Confirmed)), [(Kind::Process, Class::NeverStarted, false)]);
    collected.world(|world, tables| world.restart_app(tables, &app));
    collected.pass(600);
    caught_up(collected.cycle());
    assert!(collected.open_of(&worker).is_some());
    collected.check_truth();
}

/// The lists made believe that it runs; a reseed shows that it doesn't.
#[test]
fn what_lists_make_believe_ends_with_a_reseed_that_does_not_name_it() {
    let mut collected = Collected::settled(369, 24);
    collected.foundation().options.snapshots = false;
    let (app, web) = collected.plain_apps().remove(0);
    let worker = collected.waiting_worker(&app);
    collected.onboard_standing_still();
    collected.pass(600);
    caught_up(collected.cycle());
    assert!(collected.open_of(&worker).is_some(), "an estimate until something is known");
    let from = collected.head().known_until.unwrap();
    collected.pass(600);
    collected.foundation().purge_and_reseed(Stream::App);
    collected.pass(600);
    caught_up(collected.cycle());
    assert_eq!(collected.gaps()[0].settled, Settled { ended: 1, begun: 0, changed: 0 });
    assert_eq!(collected.open_of(&worker), None);
    assert_eq!(collected.entries_of(&worker).pop().unwrap().interval.ended_at, from);
    assert!(collected.open_of(&web).is_some());
    rebuilds(&collected);
}

/// A reseed names no types: what it tells first has its own from the list of processes, and is priced by it.
#[test]
fn the_type_of_a_reseeded_process_is_read_from_its_row() {
    let mut collected = onboarded(370);
    let (app, _) = collected.plain_apps().remove(0);
    let mut worker = String::new();
    collected.world(|world, tables| {
        let receipt = world.apps[&app].droplet.clone().unwrap();
        world.set_droplet(tables, &app, receipt, &["web", "worker"]);
        worker.clone_from(&world.apps[&app].processes[1]);
        world.scale(tables, &worker, Size { instances: Some(3), ..Size::default() });
        world.restart_app(tables, &app);
    });
    collected.foundation().purge_and_reseed(Stream::App);
    collected.pass(600);
    caught_up(collected.cycle());
    let of_type = |collected: &Collected| {
        let open = collected.open();
        let line = open.iter().find(|line| line.starts_with(&worker)).unwrap().clone();
        line.contains("process_type: Some(\"worker\")")
    };
    assert!(of_type(&collected), "{:?}", collected.open());
    // It tells nothing new of what had a type.
    let archived = collected.archived();
    let told: Vec<_> =
        archived.iter().filter(|input| input.starts_with("Disk") && input.contains("process_type")).collect();
    assert!(matches!(&told[..], [told] if told.contains(&worker)), "{told:#?}");
    rebuilds(&collected);
}

crate::on_postgres! {
    a_service_instance_that_is_there_again_is_billed_again,
    a_restored_database_is_a_gap_and_what_returns_is_billed_again,
    a_plan_migrated_in_bulk_counts_from_the_last_look_that_agreed_under_its_name,
    an_app_moved_by_v2_is_in_its_new_space_since_the_last_look_that_agreed,
    a_docker_apps_process_that_diego_runs_is_not_ended_by_a_look,
    the_type_of_a_reseeded_process_is_read_from_its_row,
}
