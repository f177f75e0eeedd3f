//! What is lost and how the books come out right all the same: every way of onboarding, lost checkpoints, gaps,
//! reconciliation.

use cf_billing::cloud_controller::transport::TransportError;
use cf_billing::consumer::{Class, CollectError, Cycle, Look, Repair};
use cf_billing::domain::{EntryType, GapReason, GapStage, Kind, Strategy, Stream, Timestamp};
use cf_billing::simulator::world::{Outcome, Size, Then};
use cf_billing::store::{OnboardingStage, Settled};
use serde_json::json;

use crate::support::background::{configure, run, text};
use crate::support::collected::{Collected, Sums, caught_up};

const DAY: i64 = 86_400;

fn onboarded(seed: u64) -> Collected {
    let mut collected = Collected::settled(seed, 24);
    collected.onboard();
    collected
}

/// Rows of a look that are not settled by it, and those that are.
fn told(look: &Look) -> Vec<(Kind, Class, bool)> {
    look.differences
        .iter()
        .map(|difference| (difference.resource.kind, difference.class, difference.repaired))
        .collect()
}

// --- onboarding on every Cloud Controller

#[test]
fn without_snapshots_the_lists_are_the_baseline() {
    let mut collected = Collected::settled(300, 12);
    collected.foundation().options.snapshots = false;
    collected.act(60, 4);
    collected.pass(60);
    collected.onboard_standing_still();
    let onboarding = collected.onboarding().unwrap();
    assert_eq!((onboarding.strategy, onboarding.stage), (Strategy::LiveLists, OnboardingStage::Complete));
    assert!(onboarding.reason.unwrap().contains("neither"));
    assert_eq!(collected.epoch(), collected.now());
    collected.foundation().world.truth.begin(collected.epoch());
    for _ in 0..72 {
        collected.act(3600, 2);
        caught_up(collected.cycle());
    }
    collected.check_truth();
}

#[test]
fn what_happens_while_the_lists_are_read_is_folded_over_them() {
    let mut collected = Collected::settled(301, 12);
    collected.foundation().options.snapshots = false;
    let (foundation, clock) = (collected.exchange.clone(), collected.clock.clone());
    // People go on between the lists.
    let mut left = 2;
    collected.fail(move |request| {
        let path = request.uri().path();
        let (is_last, is_list) = (path.ends_with("spaces"), ["apps", "processes", "tasks", "service_instances"]);
        if left > 0 && (is_last || is_list.iter().any(|list| path.ends_with(list))) {
            foundation.act(7, if is_last { 0 } else { 3 }, &clock);
            left -= u32::from(is_last);
        }
        None
    });
    collected.onboard_standing_still();
    collected.heal();
    collected.foundation().world.truth.begin(collected.epoch());
    for _ in 0..24 {
        collected.act(3600, 2);
        caught_up(collected.cycle());
    }
    collected.check_truth();
}

/// Rows as the backfill of kept records writes them, and old rows gone.
fn keep_records(collected: &Collected) {
    let mut foundation = collected.foundation();
    let foundation = &mut *foundation;
    let now = foundation.now();
    for stream in Stream::ALL {
        foundation.prune(stream, now);
        foundation.tables.events_mut(stream).clear();
        let mut events = foundation.world.reseed(stream);
        for event in &mut events {
            event["guid"] = json!(foundation.world.guid());
            match stream {
                Stream::App => event["state"] = json!({"current": "WAS_RUNNING", "previous": null}),
                Stream::Service => event["state"] = json!("WAS_RUNNING"),
            }
        }
        *foundation.tables.events_mut(stream) = events;
    }
}

#[test]
fn kept_records_are_the_baseline() {
    let mut collected = Collected::settled(302, 12);
    collected.foundation().options.snapshots = false;
    keep_records(&collected);
    let from = collected.now().plus(2 * DAY);
    collected.plan.billing_from = Some(from);
    // They are read days later, and billed from an instant before.
    for _ in 0..96 {
        collected.act(3600, 1);
        if collected.now() == from {
            collected.foundation().world.truth.begin(from);
        }
    }
    collected.onboard_standing_still();
    let onboarding = collected.onboarding().unwrap();
    assert_eq!((onboarding.strategy, onboarding.stage), (Strategy::KeptRecords, OnboardingStage::Complete));
    assert!(onboarding.reason.unwrap().contains("WAS_RUNNING"));
    assert_eq!(collected.epoch(), from);
    for _ in 0..24 {
        collected.act(3600, 2);
        caught_up(collected.cycle());
    }
    // Disk and the sizes of builds can't be read any more of what is gone.
    let told = |sums: Sums| -> Vec<_> {
        let sums = sums.into_iter().map(|(key, [instances, memory, _])| match key.2 {
            Kind::Staging => (key, [instances, 0]),
            _ => (key, [instances, memory]),
        });
        sums.collect()
    };
    assert_eq!(told(collected.usage(from, Timestamp::MAX)), told(collected.truth(Timestamp::MIN, Timestamp::MAX)));
}

#[test]
fn what_kept_records_lack_is_taken_from_the_lists() {
    let mut collected = Collected::settled(303, 12);
    collected.foundation().options.snapshots = false;
    keep_records(&collected);
    // Processes weren't backfilled, nor was the half of the service instances.
    for stream in Stream::ALL {
        let mut foundation = collected.foundation();
        let events = foundation.tables.events_mut(stream);
        let some = if stream == Stream::App { events.len() } else { events.len() / 2 };
        events.drain(..some);
    }
    collected.onboard_standing_still();
    assert_eq!(collected.onboarding().unwrap().strategy, Strategy::KeptRecords);
    collected.foundation().world.truth.begin(collected.epoch());
    for _ in 0..24 {
        collected.act(3600, 2);
        caught_up(collected.cycle());
    }
    collected.check_truth();
}

/// A backfill names every process that is started: a type that waits for a restart isn't begun by the lists.
#[test]
fn what_a_backfill_does_not_name_does_not_run() {
    let mut collected = Collected::settled(305, 12);
    collected.foundation().options.snapshots = false;
    let (app, _) = collected.plain_apps().remove(0);
    let worker = collected.waiting_worker(&app);
    keep_records(&collected);
    collected.onboard_standing_still();
    assert_eq!(collected.onboarding().unwrap().strategy, Strategy::KeptRecords);
    assert_eq!(collected.open_of(&worker), None);
    collected.foundation().world.truth.begin(collected.epoch());
    for _ in 0..12 {
        collected.act(3600, 1);
        caught_up(collected.cycle());
    }
    collected.check_truth();
}

#[test]
fn every_way_can_be_forced() {
    for (seed, strategy) in (310..).zip(Strategy::ALL) {
        let mut collected = Collected::settled(seed, 6);
        collected.plan.onboarding = Some(strategy);
        collected.onboard_standing_still();
        let onboarding = collected.onboarding().unwrap();
        assert_eq!(onboarding.strategy, strategy);
        assert_eq!(onboarding.reason.as_deref(), Some("as configured"));
        collected.foundation().world.truth.begin(collected.epoch());
        for _ in 0..12 {
            collected.act(3600, 2);
            caught_up(collected.cycle());
        }
        collected.check_truth();
    }
    let mut collected = Collected::settled(320, 6);
    collected.plan.onboarding = Some(Strategy::Snapshot);
    collected.foundation().options.snapshots = false;
    let error = collected.cycle().unwrap_err().to_string();
    assert!(error.contains("/v3/app_usage/snapshots") && error.contains("doesn't have that endpoint"), "{error}");
}

#[test]
fn a_restart_at_any_request_of_onboarding_by_lists_changes_nothing() {
    for strategy in [Strategy::LiveLists, Strategy::KeptRecords] {
        let mut finished = false;
        for at in 0..60 {
            let mut collected = Collected::settled(321, 6);
            collected.plan.onboarding = Some(strategy);
            let mut left = at;
            collected.fail(move |_| {
                left -= 1;
                (left == 0).then_some(Err(TransportError::Tls("cut".to_owned())))
            });
            let mut failed = false;
            for _ in 0..10 {
                match collected.cycle() {
                    Ok(Cycle::CaughtUp(_)) => break,
                    Ok(Cycle::Waiting(_)) => {}
                    Err(_) => failed = true,
                }
                collected.restart();
            }
            assert_eq!(collected.onboarding().unwrap().stage, OnboardingStage::Complete, "{strategy:?} at {at}");
            collected.heal();
            collected.foundation().world.truth.begin(collected.epoch());
            collected.act(3600, 3);
            caught_up(collected.cycle());
            collected.check_truth();
            finished |= at > 10 && !failed;
        }
        assert!(finished, "{strategy:?}: more requests than were tried");
    }
}

/// Scenario 61: a new process type waits for a restart; the lists can't show that it doesn't run.
#[test]
fn s61_a_worker_that_lists_make_believe_is_corrected_when_it_starts() {
    let mut collected = Collected::settled(304, 24);
    collected.foundation().options.snapshots = false;
    let (app, _) = collected.plain_apps().remove(0);
    collected.world(|world, tables| {
        let receipt = world.apps[&app].droplet.clone().unwrap();
        world.set_droplet(tables, &app, receipt, &["web", "worker"]);
        let worker =
            world.apps[&app].processes.iter().find(|guid| world.processes[*guid].kind == "worker").unwrap().clone();
        world.scale(tables, &worker, Size { instances: Some(3), ..Size::default() });
    });
    collected.onboard_standing_still();
    collected.foundation().world.truth.begin(collected.epoch());
    collected.pass(3600);
    caught_up(collected.cycle());
    let worker = collected.foundation().world.apps[&app].processes[1].clone();
    assert!(collected.open_of(&worker).is_some(), "an estimate until something is known");
    collected.pass(3600);
    // Somebody changes its disk meanwhile, which splits it.
    collected.world(|world, tables| {
        world.scale(tables, &worker, Size { disk_mib: Some(5000), ..Size::default() });
    });
    caught_up(collected.cycle());
    collected.pass(3600);
    collected.world(|world, tables| world.restart_app(tables, &app));
    caught_up(collected.cycle());
    collected.pass(3600);
    caught_up(collected.cycle());
    collected.check_truth();
}

// --- lost checkpoints

/// Things happen unseen in an outage of 40 days; what is older than 31 is pruned.
#[test]
fn s48_down_for_forty_days() {
    let mut collected = onboarded(330);
    let apps = collected.plain_apps();
    let [stopped, scaled, deleted, seen, same, built_anew] = [0, 1, 2, 3, 4, 5].map(|at| apps[at].clone());
    let buildpack = |collected: &Collected, process: &str| {
        let open = collected.runtime.block_on(collected.store.open_resources(&collected.head())).unwrap();
        let run =
            open.into_iter().find(|one| &*one.resource.key.guid.to_string() == process).unwrap().resource.run.unwrap();
        run.piece.footprint.buildpack.map(|name| name.to_string())
    };
    let [before, left] = [&built_anew.1, &same.1].map(|process| buildpack(&collected, process));
    let held = [before.as_deref(), left.as_deref()];
    let other =
        ["go_buildpack", "python_buildpack", "java_buildpack"].into_iter().find(|name| !held.contains(&Some(*name)));
    let other = other.unwrap();
    collected.pass(3600);
    caught_up(collected.cycle());
    let from = collected.head().known_until.unwrap();
    let instances = collected.open_of(&scaled.1).unwrap().2;
    collected.pass(2 * DAY);
    let changed = collected.now();
    collected.world(|world, tables| {
        world.stop_app(tables, &stopped.0);
        world.scale(tables, &scaled.1, Size { instances: Some(i64::from(instances) + 3), ..Size::default() });
        world.delete_app(tables, &deleted.0);
        // What is only set runs with the next start.
        for app in [&built_anew.0, &same.0] {
            let receipt = world.receipt(other);
            world.set_droplet(tables, app, receipt, &["web"]);
        }
        world.restart_app(tables, &built_anew.0);
    });
    let space = collected.foundation().world.spaces.keys().next().unwrap().clone();
    let mut appeared = String::new();
    collected.world(|world, tables| {
        let app = world.create_app(tables, &space, "new", &["go_buildpack"]);
        let receipt = world.receipt("go_buildpack");
        world.set_droplet(tables, &app, receipt, &["web"]);
        world.start_app(tables, &app);
        appeared.clone_from(&world.apps[&app].processes[0]);
    });
    collected.pass(36 * DAY);
    let first = collected.now();
    collected.world(|world, tables| world.stop_app(tables, &seen.0));
    collected.pass(2 * DAY);
    let now = collected.now();
    for stream in Stream::ALL {
        collected.foundation().prune(stream, now.plus(-31 * DAY));
    }
    let report = caught_up(collected.cycle());
    assert_eq!(report.settled, 5);

    let gaps = collected.gaps();
    let [gap] = &gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.stream, gap.reason, gap.stage), (Stream::App, GapReason::CheckpointGone, GapStage::Settled));
    assert_eq!((gap.from, gap.to), (from, Some(first)));
    assert_eq!(gap.settled, Settled { ended: 2, begun: 1, changed: 2 });

    // What vanished unseen ended when we last looked, as is assumed.
    for process in [&stopped.1, &deleted.1] {
        let last = collected.entries_of(process).pop().unwrap();
        assert_eq!((last.entry_type, last.interval.ended_at, last.interval.estimated), (EntryType::Usage, from, true));
        assert_eq!(collected.open_of(process), None);
    }
    // What the stream still tells is exact.
    let last = collected.entries_of(&seen.1).pop().unwrap();
    assert_eq!((last.interval.ended_at, last.interval.estimated), (first, false));
    // Across the gap the old footprint holds until the row was saved, from then on the new one; certain from the look on.
    let across: Vec<_> = (collected.entries_of(&scaled.1).iter().rev().take(2))
        .map(|entry| &entry.interval)
        .map(|of| (of.started_at, of.ended_at, of.footprint.instances, of.estimated))
        .collect();
    assert_eq!(across, [(changed, now, instances + 3, true), (from, changed, instances, true)]);
    assert_eq!(collected.open_of(&scaled.1).unwrap(), (now, false, instances + 3));
    // So does the buildpack with which it was restarted; what was only set doesn't run.
    assert_eq!(buildpack(&collected, &built_anew.1).as_deref(), Some(other));
    assert_eq!(buildpack(&collected, &same.1), left);
    let entries = collected.entries_of(&built_anew.1);
    let across: Vec<_> = (entries.iter().rev().take(2))
        .map(|entry| &entry.interval)
        .map(|of| (of.started_at, of.ended_at, of.footprint.buildpack.as_deref(), of.estimated))
        .collect();
    assert_eq!(across, [(changed, now, Some(other), true), (from, changed, before.as_deref(), true)]);
    // What appeared unseen begins with the look.
    assert_eq!(collected.open_of(&appeared), Some((now, true, 1)));
    // What went on goes on.
    assert!(!collected.open_of(&same.1).unwrap().1 && collected.open_of(&same.1).unwrap().0 < from);

    // From then on everything is as usual.
    for _ in 0..10 {
        collected.act(3600, 3);
        caught_up(collected.cycle());
    }
    assert_eq!(collected.gaps().len(), 1);
    let now = collected.now();
    assert_eq!(collected.usage(now.plus(-9 * 3600), now), collected.truth_since(now.plus(-9 * 3600)));
}

/// Scenarios 44 to 46: purged and reseeded once, and again with the same guids.
#[test]
fn s44_to_s46_a_reseed_confirms_what_runs_and_a_second_is_noticed() {
    let mut collected = onboarded(331);
    for round in 1..=2 {
        let apps = collected.plain_apps();
        let (kept, gone) = (apps[0].clone(), apps[1].clone());
        collected.pass(600);
        caught_up(collected.cycle());
        let from = collected.head().known_until.unwrap();
        let before = collected.open_of(&kept.1).unwrap();
        collected.pass(600);
        collected.world(|world, tables| world.stop_app(tables, &gone.0));
        let purged = collected.now();
        for stream in Stream::ALL {
            collected.foundation().purge_and_reseed(stream);
        }
        collected.pass(15);
        caught_up(collected.cycle());
        let gaps = collected.gaps();
        assert_eq!(gaps.len(), 2 * round, "{gaps:?}");
        let gap = gaps.iter().rfind(|gap| gap.stream == Stream::App).unwrap();
        let reason = if round == 1 { GapReason::CheckpointGone } else { GapReason::Reseeded };
        assert_eq!((gap.reason, gap.stage, gap.from, gap.to), (reason, GapStage::Settled, from, Some(purged)));
        assert_eq!(gap.settled, Settled { ended: 1, begun: 0, changed: 0 });
        assert_eq!(collected.open_of(&kept.1), Some(before), "it goes on from where it was");
        let last = collected.entries_of(&gone.1).pop().unwrap();
        assert_eq!((last.interval.ended_at, last.interval.estimated), (from, true));
        caught_up(collected.cycle());
        assert_eq!(collected.gaps().len(), 2 * round);
    }
}

/// Scenario 47: only the newest row is left. It is the checkpoint: nothing is lost.
#[test]
fn s47_the_newest_row_kept_is_enough() {
    let mut collected = onboarded(332);
    collected.pass(40 * DAY);
    let now = collected.now();
    for stream in Stream::ALL {
        collected.foundation().prune(stream, now);
    }
    caught_up(collected.cycle());
    assert_eq!(collected.gaps(), []);
    collected.act(3600, 4);
    caught_up(collected.cycle());
    collected.check_truth();
}

/// What a token without scope is shown of usage events.
fn hidden(request: &http::Request<bytes::Bytes>) -> Option<Result<http::Response<bytes::Bytes>, TransportError>> {
    let path = request.uri().path();
    let body = if path.ends_with("_usage_events") {
        json!({"pagination": {"total_results": 0, "next": null}, "resources": []})
    } else if path.contains("_usage_events/") {
        json!({"errors": [{"code": 10010, "title": "CF-ResourceNotFound", "detail": "not found"}]})
    } else {
        return None;
    };
    let status = if body["errors"].is_null() { 200 } else { 404 };
    Some(Ok(http::Response::builder().status(status).body(body.to_string().into()).unwrap()))
}

/// A gap is recorded; what follows it is hidden, then purged again before it is read: nothing is known meanwhile, and
/// what was purged is lost, too.
#[test]
fn what_follows_a_gap_may_be_hidden_or_purged_before_it_is_read() {
    let mut collected = onboarded(336);
    let apps = collected.plain_apps();
    collected.pass(600);
    caught_up(collected.cycle());
    let known = collected.head().known_until.unwrap();
    collected.pass(600);
    collected.foundation().purge_and_reseed(Stream::App);
    let mut asked = 0;
    // Once to record the gap; the second time it is to be read.
    collected.fail(move |request| {
        let of_apps = request.uri().path().ends_with("app_usage_events");
        asked += u32::from(of_apps && request.uri().query() == Some("per_page=5000"));
        (asked == 2).then_some(Err(TransportError::Tls("cut".to_owned())))
    });
    assert!(collected.cycle().is_err());
    assert_eq!(collected.gaps().len(), 1);
    collected.fail(hidden);
    for _ in 0..3 {
        collected.pass(600);
        let error = collected.cycle().unwrap_err();
        assert!(matches!(error, CollectError::ScopeLost { .. }), "{error}");
    }
    assert_eq!(collected.head().known_until, Some(known));
    collected.heal();
    collected.world(|world, tables| world.stop_app(tables, &apps[1].0));
    collected.pass(600);
    collected.foundation().purge_and_reseed(Stream::App);
    let purged = collected.now();
    collected.pass(15);
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    let told: Vec<_> = gaps.iter().map(|gap| (gap.stream, gap.from)).collect();
    assert_eq!(told, [(Stream::App, known); 2]);
    assert_eq!(gaps[1].to, Some(purged));
    for _ in 0..4 {
        collected.pass(600);
        caught_up(collected.cycle());
    }
    let gaps = collected.gaps();
    assert!(gaps.len() == 2 && gaps.iter().all(|gap| gap.stage == GapStage::Settled), "{gaps:?}");
    let last = collected.entries_of(&apps[1].1).pop().unwrap();
    assert_eq!((last.interval.ended_at, last.interval.estimated), (known, true));
    assert!(collected.open_of(&apps[0].1).is_some());
}

/// Scenario 63, in the middle of things: empty lists mean nothing.
#[test]
fn a_token_that_lost_its_scope_is_no_gap() {
    let mut collected = onboarded(333);
    collected.act(3600, 3);
    let before = collected.archived();
    collected.fail(hidden);
    let error = collected.cycle().unwrap_err();
    assert!(matches!(error, CollectError::ScopeLost { .. }), "{error}");
    assert!(error.to_string().contains("hint: give the client"), "{error}");
    assert_eq!((collected.gaps(), collected.archived()), (Vec::new(), before));
    collected.heal();
    caught_up(collected.cycle());
    collected.check_truth();
}

/// A stream that is purged and stays empty, then goes on.
#[test]
fn a_stream_emptied_for_good_is_one_gap() {
    let mut collected = onboarded(334);
    collected.pass(3600);
    collected.foundation().tables.events_mut(Stream::App).clear();
    for _ in 0..5 {
        collected.pass(900);
        caught_up(collected.cycle());
    }
    assert_eq!(collected.gaps().len(), 1);
    for _ in 0..10 {
        collected.act(1800, 3);
        caught_up(collected.cycle());
    }
    assert_eq!(collected.gaps().len(), 1);
    collected.check_truth();
}

#[test]
fn a_checkpoint_gone_before_the_replay_is_a_gap_too() {
    let mut collected = Collected::settled(335, 4);
    // The streams can't be read until somebody has purged them.
    collected.fail(|request| {
        let lists = request.uri().path().ends_with("app_usage_events");
        // The newest alone can be: by its answer the clocks are compared.
        let whole =
            request.uri().query().is_some_and(|query| query.contains("created_ats") || query.contains("after_guid"));
        (lists && whole).then_some(Err(TransportError::Connect("down".to_owned())))
    });
    for _ in 0..5 {
        let _ = collected.cycle();
        collected.pass(15);
    }
    assert_eq!(collected.onboarding().unwrap().stage, OnboardingStage::Replay);
    collected.foundation().purge_and_reseed(Stream::App);
    collected.heal();
    caught_up(collected.cycle());
    assert_eq!(collected.gaps().len(), 1);
    collected.act(3600, 4);
    caught_up(collected.cycle());
    collected.check_truth();
}

/// Killed between any two commits of a recovery, the next start goes on to the same books.
#[test]
fn a_restart_at_any_request_of_a_recovery_changes_nothing() {
    let mut books = Vec::new();
    for at in 0..40 {
        let mut collected = onboarded(336);
        let apps = collected.plain_apps();
        collected.pass(600);
        collected.world(|world, tables| {
            world.stop_app(tables, &apps[0].0);
            world.scale(tables, &apps[1].1, Size { instances: Some(7), ..Size::default() });
        });
        collected.foundation().purge_and_reseed(Stream::App);
        collected.pass(600);
        let mut left = at;
        collected.fail(move |_| {
            left -= 1;
            (left == 0).then_some(Err(TransportError::Tls("cut".to_owned())))
        });
        for _ in 0..5 {
            if collected.cycle().is_ok() {
                break;
            }
            collected.restart();
        }
        assert_eq!(collected.gaps().iter().map(|gap| gap.stage).collect::<Vec<_>>(), [GapStage::Settled], "at {at}");
        let net = |process: &str| {
            let mut entries: Vec<_> = collected
                .entries_of(process)
                .iter()
                .map(|entry| (entry.interval.started_at, entry.interval.ended_at, entry.interval.estimated))
                .collect();
            entries.sort();
            entries
        };
        books.push((net(&apps[0].1), net(&apps[1].1), collected.open_of(&apps[1].1)));
    }
    books.dedup();
    assert_eq!(books.len(), 1, "{books:#?}");
}

// --- reconciliation

#[test]
fn a_look_that_agrees_changes_nothing() {
    let mut collected = onboarded(340);
    for _ in 0..8 {
        collected.act(3600, 3);
        caught_up(collected.cycle());
    }
    // A task is made some seconds before it starts.
    collected.pass(60);
    caught_up(collected.cycle());
    let before = collected.archived();
    let look = collected.look(Repair::Confirmed);
    assert!(look.compared > 5);
    assert_eq!((told(&look), look.in_flight), (Vec::new(), 0));
    assert_eq!(collected.archived(), before);
    assert_eq!(collected.head().reconciled_at, Some(collected.now()));
}

/// Events that never come: each difference is named at the first look and settled at the second.
#[test]
fn what_two_looks_found_alike_is_settled() {
    let mut collected = onboarded(341);
    let apps = collected.plain_apps();
    // One app is stopped and seen so.
    collected.world(|world, tables| world.stop_app(tables, &apps[0].0));
    collected.pass(900);
    caught_up(collected.cycle());
    let agreed = collected.now();
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    let instances = collected.open_of(&apps[2].1).unwrap().2;

    collected.pass(3600);
    let changed = collected.now();
    let service =
        collected.foundation().world.services.values().find(|service| service.plan.is_some()).unwrap().guid.clone();
    collected.world(|world, tables| {
        let [app, service_events] = Stream::ALL.map(|stream| tables.events(stream).len());
        world.start_app(tables, &apps[0].0);
        world.stop_app(tables, &apps[1].0);
        world.scale(tables, &apps[2].1, Size { instances: Some(i64::from(instances) + 1), ..Size::default() });
        world.delete_app(tables, &apps[3].0);
        world.delete_service(tables, &service);
        // A transaction that wrote them rolled back, or a restored backup lost them.
        tables.events_mut(Stream::App).truncate(app);
        tables.events_mut(Stream::Service).truncate(service_events);
    });
    collected.pass(900);
    let first = collected.look(Repair::Confirmed);
    let mut found = told(&first);
    found.sort();
    let expected = [
        (Kind::Process, Class::MissedStart, false),
        (Kind::Process, Class::MissedStop, false),
        (Kind::Process, Class::MissedStop, false),
        (Kind::Process, Class::WrongFootprint, false),
        (Kind::Service, Class::MissedStop, false),
    ];
    assert_eq!(found, expected);
    // Too soon: an event may still come.
    collected.pass(60);
    assert!(told(&collected.look(Repair::Confirmed)).iter().all(|(_, _, repaired)| !repaired));
    collected.pass(600);
    let settled = collected.now();
    assert!(told(&collected.look(Repair::Confirmed)).iter().all(|(_, _, repaired)| *repaired));
    collected.pass(600);
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);

    let again = collected.entries_of(&apps[0].1).pop().unwrap().interval;
    assert_eq!((again.started_at, again.ended_at, again.estimated), (changed, settled, true));
    assert_eq!(collected.open_of(&apps[0].1).unwrap().0, settled);
    let stopped = collected.entries_of(&apps[1].1).pop().unwrap().interval;
    assert_eq!((stopped.ended_at, stopped.estimated), (changed, true), "the row says when at the latest");
    let scaled = collected.entries_of(&apps[2].1).pop().unwrap().interval;
    assert_eq!((scaled.started_at, scaled.ended_at, scaled.estimated), (changed, settled, true));
    assert_eq!(collected.open_of(&apps[2].1).unwrap(), (settled, false, instances + 1), "certain from the look on");
    let deleted = collected.entries_of(&apps[3].1).pop().unwrap().interval;
    assert_eq!((deleted.ended_at, deleted.estimated), (agreed, true), "no row says when: the last look that agreed");
    let deleted = collected.entries_of(&service).pop().unwrap().interval;
    assert_eq!((deleted.ended_at, deleted.estimated), (agreed, true));
}

/// A transaction commits late: the rows are ahead of the stream. The sweep finds the event before anything is settled.
#[test]
fn what_is_only_late_is_not_settled() {
    let mut collected = onboarded(342);
    let apps = collected.plain_apps();
    collected.pass(900);
    caught_up(collected.cycle());
    let at = collected.foundation().tables.events(Stream::App).len();
    collected.world(|world, tables| world.stop_app(tables, &apps[0].0));
    let late: Vec<_> = collected.foundation().tables.events_mut(Stream::App).drain(at..).collect();
    collected.world(|world, tables| {
        world.scale(tables, &apps[1].1, Size { instances: Some(9), ..Size::default() });
    });
    collected.pass(300);
    let look = collected.look(Repair::Confirmed);
    assert_eq!(told(&look), [(Kind::Process, Class::MissedStop, false)]);
    collected.foundation().tables.events_mut(Stream::App).splice(at..at, late);
    collected.pass(700);
    assert_eq!(told(&collected.look(Repair::Confirmed)), []);
    collected.check_truth();
}

/// Scenario 27: a task that ran for 40 days is gone, and no event says so.
#[test]
fn s27_a_task_that_vanished() {
    let mut collected = onboarded(343);
    let (app, _) = collected.plain_apps().remove(0);
    collected.world(|world, tables| {
        for name in ["one", "two"] {
            world.run_task(tables, &app, name, 256, Some(60 * DAY));
        }
    });
    for _ in 0..40 {
        collected.pass(DAY);
        caught_up(collected.cycle());
    }
    let tasks: Vec<String> = collected.foundation().world.tasks.keys().cloned().collect();
    let agreed = collected.head().reconciled_at.unwrap();
    // Their starts are pruned: Cloud Controller writes no stop for them.
    collected.pass(7200);
    let done = collected.now();
    collected.world(|world, tables| {
        let events = tables.events(Stream::App).len();
        for task in &tasks {
            world.task_finished(tables, task);
        }
        tables.events_mut(Stream::App).truncate(events);
        tables.remove(cf_billing::simulator::tables::List::Tasks, |row| row["guid"] == tasks[1].as_str());
    });
    collected.pass(7200);
    collected.look(Repair::Confirmed);
    collected.pass(7200);
    let look = collected.look(Repair::Confirmed);
    assert_eq!(told(&look), [(Kind::Task, Class::MissedStop, true), (Kind::Task, Class::MissedStop, true)]);
    let ended = |task: &str| {
        let interval = collected.entries_of(task).pop().unwrap().interval;
        (interval.ended_at, interval.estimated)
    };
    assert_eq!(ended(&tasks[0]), (done, false), "its row says when");
    assert_eq!(ended(&tasks[1]), (agreed, true));
}

/// Scenario 39, of the baseline and without an event: found when everything is looked at.
#[test]
fn s39_a_failed_creation_of_the_baseline_is_found_by_a_look() {
    let mut collected = Collected::settled(344, 4);
    let service = {
        let foundation = collected.foundation();
        foundation.world.services.values().find(|service| service.plan.is_some()).unwrap().guid.clone()
    };
    collected.onboard();
    assert!(collected.open_of(&service).is_some());
    collected.pass(7200);
    collected.world(|_, tables| {
        tables.change(
            cf_billing::simulator::tables::List::ServiceInstances,
            &service,
            &[("/last_operation", json!({"type": "create", "state": "failed"}))],
        );
    });
    let look = collected.look(Repair::Confirmed);
    assert_eq!(told(&look), [(Kind::Service, Class::FailedCreate, true)]);
    assert_eq!(collected.open_of(&service), None);
    assert!(collected.usage(Timestamp::MIN, Timestamp::MAX).keys().all(|key| key.3 != service));
}

/// Scenario 61 on a foundation that is collected: reported, never billed.
#[test]
fn s61_a_worker_that_never_started_is_told_and_not_billed() {
    let mut collected = onboarded(345);
    let (app, _) = collected.plain_apps().remove(0);
    collected.world(|world, tables| {
        let receipt = world.apps[&app].droplet.clone().unwrap();
        world.set_droplet(tables, &app, receipt, &["web", "worker"]);
        let worker = world.apps[&app].processes[1].clone();
        world.scale(tables, &worker, Size { instances: Some(3), ..Size::default() });
    });
    for _ in 0..4 {
        collected.pass(7200);
        assert_eq!(told(&collected.look(Repair::Confirmed)), [(Kind::Process, Class::NeverStarted, false)]);
    }
    collected.check_truth();
}

#[test]
fn stagings_that_never_ended_are_counted() {
    let mut collected = onboarded(346);
    let (app, _) = collected.plain_apps().remove(0);
    collected.world(|world, tables| {
        world.stage(tables, &app, 30 * DAY, Outcome::Failed, Then::Nothing);
    });
    collected.pass(1800);
    assert_eq!(collected.look(Repair::Confirmed).overdue_stagings, 0);
    collected.pass(60);
    assert_eq!(collected.look(Repair::Confirmed).overdue_stagings, 1);
}

// --- what people see of it

const CARD: &str = "name = \"test\"\ncurrency = \"EUR\"\n[[process]]\nmemory_gib_hour = \"0.01\"\n\
    [[staging]]\nmemory_gib_hour = \"0.5\"\n[[task]]\nmemory_gib_hour = \"1\"\n[[service]]\ninstance_hour = \"0.05\"\n";

/// A lost scope, an outage of 40 days and a reseed in one story: finance sees what is assumed, and why, before
/// anything is final.
#[test]
fn finance_sees_every_gap_and_accepts_it_before_an_invoice_is_final() {
    let mut foundation = cf_billing::simulator::Foundation::new(350, Timestamp::parse("2026-01-28T08:00:00Z").unwrap());
    foundation.world.settle(&mut foundation.tables, 24);
    let mut collected = Collected::new(foundation);
    collected.plan.reconcile_interval_seconds = 30 * DAY;
    collected.onboard();
    let apps = collected.plain_apps();
    // The client loses its scope for a day. Nothing is lost, nothing billed as zero.
    collected.pass(3600);
    caught_up(collected.cycle());
    collected.fail(|request| {
        let path = request.uri().path();
        let empty = path.ends_with("_usage_events");
        let body = if empty {
            json!({"pagination": {"next": null}, "resources": []})
        } else {
            json!({"errors": [{"code": 10010, "title": "CF-ResourceNotFound", "detail": "not found"}]})
        };
        let status = if empty { 200 } else { 404 };
        let hidden = path.contains("_usage_events");
        hidden.then(|| Ok(http::Response::builder().status(status).body(body.to_string().into()).unwrap()))
    });
    collected.pass(DAY);
    let error = collected.cycle().unwrap_err();
    assert!(matches!(error, CollectError::ScopeLost { .. }), "{error}");
    collected.heal();
    caught_up(collected.cycle());
    assert_eq!(collected.gaps(), []);
    // Everything stands still for forty days, in which things happen that nobody sees.
    let down = collected.head().known_until.unwrap();
    collected.pass(3 * DAY);
    let (changed, held) = (collected.now(), i64::from(collected.open_of(&apps[1].1).unwrap().2));
    collected.world(|world, tables| {
        world.stop_app(tables, &apps[0].0);
        world.scale(tables, &apps[1].1, Size { instances: Some(9), ..Size::default() });
    });
    collected.pass(37 * DAY);
    collected.world(|world, tables| world.stop_app(tables, &apps[2].0));
    let now = collected.now();
    for stream in Stream::ALL {
        collected.foundation().prune(stream, now.plus(-31 * DAY));
    }
    caught_up(collected.cycle());
    // Then somebody purges and reseeds.
    collected.pass(2 * DAY);
    caught_up(collected.cycle());
    collected.pass(900);
    collected.foundation().purge_and_reseed(Stream::App);
    collected.pass(900);
    caught_up(collected.cycle());
    while collected.now() < Timestamp::parse("2026-04-02T00:00:00Z").unwrap() {
        collected.pass(DAY);
        caught_up(collected.cycle());
    }

    let program = collected.program();
    let card = program.folder.path().join("card.toml");
    std::fs::write(&card, CARD).unwrap();
    let card = card.to_str().unwrap();
    let gaps = program.json(&["gaps"]);
    let stages: Vec<_> = gaps
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| (gap["gap"].clone(), gap["reason"].clone(), gap["stage"].clone()))
        .collect();
    assert_eq!(
        stages,
        [
            (json!("sim/1"), json!("checkpoint_gone"), json!("settled")),
            (json!("sim/2"), json!("checkpoint_gone"), json!("settled"))
        ],
        "{gaps:#}"
    );
    assert_eq!(gaps[0]["from"], json!(down));
    assert_eq!((gaps[0]["ended"].clone(), gaps[0]["changed"].clone()), (json!(1), json!(1)));

    // January was over before; March touches both gaps; February the first.
    let finalize = |more: &[&str]| program.run(&[&["invoices", "finalize", "--rates", card], more].concat());
    let refused = finalize(&["--period", "2026-02"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("(gap sim/1)"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("(gap sim/2)"), "{}", refused.stderr);
    assert!(refused.stderr.contains(" --accept gap:sim/1"), "{}", refused.stderr);
    assert_eq!(program.json(&["invoices", "list", "--status", "final"]), json!([]));
    let refused = finalize(&["--period", "2026-02", "--accept", "gap:sim/2"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("`gap:sim/2` doesn't keep any invoice of 2026-02"),
        "{}",
        refused.stderr
    );

    // The draft shows what is estimated.
    program.succeed(&["invoices", "draft", "--period", "2026-02", "--rates", card]);
    let drafts = program.json(&["invoices", "list", "--period", "2026-02"]);
    let mut estimated = 0;
    for draft in drafts.as_array().unwrap() {
        let shown = program.json(&["invoices", "show", &draft["id"].to_string()]);
        assert!(shown["blockers"][0].as_str().unwrap().contains("gap sim/1"), "{shown:#}");
        estimated += shown["lines"].as_array().unwrap().iter().filter(|line| line["estimated"] == true).count();
    }
    assert!(estimated > 0);
    // So does the overview.
    configure(program, "http://127.0.0.1:9", "");
    let (daemon, url) = run(program);
    let page = text(&format!("{url}/"));
    for wanted in
        ["What was lost", "<td>sim/1</td>", "<td>sim/2</td>", "use assumed: gap sim/1", "1 ended, 0 begun, 1 changed"]
    {
        assert!(page.contains(wanted), "{wanted}: {page}");
    }
    drop(daemon);
    let usage = program.json(&["usage", "--from", "2026-02-01", "--to", "2026-03-01", "--by", "process"]);
    let of = |process: &str| {
        let row = usage.as_array().unwrap().iter().find(|row| row["process_guid"] == process);
        row.map(|row| row["estimated_instance_seconds"].as_i64().unwrap())
    };
    let february = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
    let march = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
    assert!(down < february, "the gap is all of February");
    assert_eq!(of(&apps[0].1), None, "it vanished: it ended when it was last known to run");
    assert_eq!(
        of(&apps[1].1),
        Some(held * changed.seconds_since(february) + 9 * march.seconds_since(changed)),
        "it was scaled: assumed as before until its row was saved"
    );

    let accept = |month: &'static str, gaps: &[&'static str]| {
        let estimates = crate::support::month::accepted_estimates_of(program, month, card);
        let mut all = vec!["--period".to_owned(), month.to_owned()];
        all.extend(gaps.iter().map(|gap| format!("--accept={gap}")).chain(estimates));
        finalize(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let refused = finalize(&["--period", "2026-02", "--accept", "gap:sim/1"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("rests on estimated usage"), "{}", refused.stderr);
    let done = accept("2026-02", &["gap:sim/1"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let shown = program.json(&["invoices", "show", "CF-000001"]);
    assert!(shown["accepted"][0].as_str().unwrap().contains("gap sim/1"), "{shown:#}");
    let refused = finalize(&["--period", "2026-03", "--accept", "gap:sim/1"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("(gap sim/2)"), "{}", refused.stderr);
    let done = accept("2026-03", &["gap:sim/1", "gap:sim/2"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);

    // The books hold together, and come out again from what was archived.
    let verified = program.json(&["ledger", "verify"]);
    assert_eq!(verified[0]["chain"], "foundation/sim");
    assert_eq!(verified[1]["chain"], "invoices/CF");
    let rebuilt = program.succeed(&["ledger", "rebuild"]).stderr;
    assert!(rebuilt.contains("the same"), "{rebuilt}");
    // What was known before the outage is known still.
    let seconds = |more: &[&str]| -> Vec<i64> {
        let usage = program.json(&[&["usage", "--from", "2026-01-01"], more].concat());
        usage.as_array().unwrap().iter().map(|row| row["instance_seconds"].as_i64().unwrap()).collect()
    };
    let down = down.to_string();
    assert_eq!(seconds(&["--to", "2026-05-01", "--as-of", &down]), seconds(&["--to", &down]));
}

crate::on_postgres! {
    finance_sees_every_gap_and_accepts_it_before_an_invoice_is_final,
    without_snapshots_the_lists_are_the_baseline,
    kept_records_are_the_baseline,
    what_kept_records_lack_is_taken_from_the_lists,
    s48_down_for_forty_days,
    s44_to_s46_a_reseed_confirms_what_runs_and_a_second_is_noticed,
    a_stream_emptied_for_good_is_one_gap,
    what_two_looks_found_alike_is_settled,
    s27_a_task_that_vanished,
}
