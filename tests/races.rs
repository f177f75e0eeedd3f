//! The races and cases seen on the real thing (R1 to R3, X1 to X6 of its record), played on the simulated foundation and
//! held against the recorded exchanges where they tell the outcome.

use cf_billing::consumer::Cycle;
use cf_billing::domain::{GapReason, GapStage, Stream, Timestamp};
use cf_billing::simulator::world::Size;
use serde_json::Value;

use crate::support::collected::{Collected, caught_up};
use crate::support::recorded;

const DAY: i64 = 86_400;

fn onboarded(seed: u64) -> Collected {
    let mut collected = Collected::settled(seed, 12);
    collected.onboard();
    collected.pass(900);
    caught_up(collected.cycle());
    collected
}

fn guids(file: &str) -> Vec<String> {
    let body = recorded::exchange(file).body;
    let guid = |event: &Value| event["guid"].as_str().unwrap().to_owned();
    body["resources"].as_array().map(|events| events.iter().map(guid).collect()).unwrap_or_default()
}

/// The newest app event isn't committed yet; gives its guid.
fn hold_back_newest(collected: &Collected) -> String {
    let mut foundation = collected.foundation();
    let guid = foundation.tables.events(Stream::App).last().unwrap()["guid"].as_str().unwrap().to_owned();
    foundation.tables.uncommitted.insert(guid.clone());
    guid
}

/// R1: a transaction commits late, under a lower id than what was read. A cursor misses it for good; a sweep finds it.
#[test]
fn r1_an_event_that_commits_late_is_found() {
    // As recorded: the poll from the old cursor shows both, the first one first.
    let (while_open, old_cursor) =
        (guids("race1_poll_while_first_uncommitted.json"), guids("race1_poll_from_old_cursor.json"));
    assert_eq!(while_open.len(), 1);
    assert_eq!(old_cursor.len(), 2);
    assert_eq!(old_cursor[1], while_open[0]);
    assert_eq!(recorded::exchange("race1_missed_event.json").body["guid"], old_cursor[0].as_str());
    assert!(guids("race1_poll_after_first_committed.json").is_empty());

    let mut collected = onboarded(500);
    let apps = collected.plain_apps();
    collected.world(|world, tables| {
        world.scale(tables, &apps[0].1, Size { instances: Some(16), ..Size::default() });
    });
    let changed = collected.now();
    let late = hold_back_newest(&collected);
    collected.pass(2);
    collected.world(|world, tables| {
        world.scale(tables, &apps[1].1, Size { instances: Some(7), ..Size::default() });
    });
    collected.world(|world, tables| {
        world.scale(tables, &apps[2].1, Size { instances: Some(8), ..Size::default() });
    });
    let next = collected.foundation().tables.events(Stream::App).last().unwrap()["guid"].as_str().unwrap().to_owned();
    collected.pass(2);
    assert_eq!(caught_up(collected.cycle()).events, 2);
    assert_eq!(collected.checkpoint(Stream::App).0, Some(next));
    collected.foundation().tables.uncommitted.clear();
    assert!(!late.is_empty());
    // A poll doesn't see it; the next sweep does.
    collected.pass(30);
    assert_eq!(caught_up(collected.cycle()).events, 0);
    collected.pass(600);
    let caught = caught_up(collected.cycle());
    assert_eq!((caught.events, caught.late), (1, 1));
    assert_eq!(collected.open_of(&apps[0].1).unwrap(), (changed, false, 16));
    collected.check_truth();
}

/// R1 while a snapshot is taken: the event is neither in the snapshot nor after its checkpoint.
#[test]
fn r1_an_event_uncommitted_when_the_snapshot_was_taken_is_found() {
    let mut collected = Collected::settled(501, 12);
    let apps = collected.plain_apps();
    let before = collected.foundation().tables.events(Stream::App).len();
    collected.world(|world, tables| world.stop_app(tables, &apps[0].0));
    collected.pass(5);
    // The snapshot sees the row as it was.
    let stopped = collected.foundation().tables.events(Stream::App)[before]["guid"].as_str().unwrap().to_owned();
    collected.foundation().tables.uncommitted.insert(stopped);
    collected.world(|world, _| world.processes.get_mut(&apps[0].1).unwrap().started = true);
    collected.onboard();
    collected.world(|world, _| world.processes.get_mut(&apps[0].1).unwrap().started = false);
    assert!(collected.open_of(&apps[0].1).is_some());
    collected.foundation().tables.uncommitted.clear();
    collected.pass(700);
    caught_up(collected.cycle());
    assert_eq!(collected.open_of(&apps[0].1), None);
    collected.check_truth();
}

/// R2: along the stream times run backwards, because an event has the time at which its transaction began.
#[test]
fn r2_times_that_run_backwards_along_the_stream() {
    let recorded = recorded::FILES["race2_created_at_goes_backwards.json"].to_string();
    assert!(recorded.contains("created_at"));

    let mut collected = onboarded(502);
    let apps = collected.plain_apps();
    collected.world(|world, tables| {
        world.scale(tables, &apps[0].1, Size { instances: Some(3), ..Size::default() });
    });
    let began = collected.now();
    collected.pass(2);
    collected.world(|world, tables| {
        world.scale(tables, &apps[1].1, Size { instances: Some(4), ..Size::default() });
        // The first one's transaction gets its id after the second one's.
        let events = tables.events_mut(Stream::App);
        let last = events.len() - 1;
        events.swap(last - 1, last);
        assert!(events[last]["created_at"].as_str() < events[last - 1]["created_at"].as_str());
    });
    collected.pass(15);
    assert_eq!(caught_up(collected.cycle()).events, 2);
    assert_eq!(collected.open_of(&apps[0].1).unwrap(), (began, false, 3), "it counts from its own time");
    collected.check_truth();
}

/// R3: an event after the checkpoint is in the snapshot's rows already. Replaying it changes nothing.
#[test]
fn r3_an_event_after_the_checkpoint_that_the_snapshot_knows_already() {
    let recorded = recorded::FILES["race3_events_after_checkpoint_already_in_snapshot.json"].to_string();
    assert!(recorded.contains("instance_count"));

    let mut collected = Collected::settled(503, 12);
    let apps = collected.plain_apps();
    collected.pass(60);
    // Requested; the checkpoint is read, then the rows, and between the two a process is scaled.
    assert!(matches!(collected.cycle().unwrap(), Cycle::Waiting(_)));
    let size = Size { instances: Some(23), ..Size::default() };
    collected.world(|world, tables| world.scale(tables, &apps[0].1, size));
    let scaled = hold_back_newest(&collected);
    loop {
        let waiting = matches!(collected.cycle().unwrap(), Cycle::Waiting(_));
        let mut foundation = collected.foundation();
        let complete = foundation.tables.snapshots.iter().any(|of| of.stream == Stream::App && of.completed.is_some());
        if complete {
            foundation.tables.uncommitted.remove(&scaled);
        }
        if !waiting {
            break;
        }
    }
    collected.pass(15);
    caught_up(collected.cycle());
    assert_eq!(collected.open_of(&apps[0].1).unwrap(), (collected.epoch(), false, 23));
    collected.check_truth();
}

/// X1 and X2: a snapshot whose worker died, or whose generator raised, blocks every other until the daily cleanup.
#[test]
fn x1_x2_a_snapshot_left_in_progress_blocks_until_the_cleanup() {
    assert_eq!(recorded::exchange("snapshot_app_post_while_in_progress_409.json").status, 409);
    let failed = recorded::exchange("snapshot_app_job_FAILED_generator_raised.json").body;
    assert_eq!(failed["state"], "FAILED");

    let mut collected = Collected::settled(504, 6);
    collected.foundation().options.snapshot_polls = u32::MAX;
    for _ in 0..60 {
        assert!(matches!(collected.cycle().unwrap(), Cycle::Waiting(_)), "nothing is billed meanwhile");
        collected.pass(60);
    }
    // The job says that it failed; the snapshot stays in progress, and another can't be asked for.
    for snapshot in &mut collected.foundation().tables.snapshots {
        snapshot.job_state = "FAILED";
    }
    assert!(matches!(collected.cycle().unwrap(), Cycle::Waiting(_)));
    assert_eq!(collected.foundation().tables.snapshots.len(), 2);
    {
        let mut foundation = collected.foundation();
        foundation.options.snapshot_polls = 2;
        for snapshot in &mut foundation.tables.snapshots {
            snapshot.removed = true;
        }
    }
    collected.onboard();
    collected.act(3600, 3);
    caught_up(collected.cycle());
    collected.check_truth();
}

/// X3: retention takes the start of what still runs, and keeps the newest row: a checkpoint on it survives.
#[test]
fn x3_retention_takes_old_events_of_what_still_runs() {
    assert_eq!(recorded::exchange("events_app_after_guid_pruned_422.json").status, 422);
    let mut collected = onboarded(505);
    collected.pass(32 * DAY);
    let now = collected.now();
    for stream in Stream::ALL {
        collected.foundation().prune(stream, now.plus(-31 * DAY));
        assert_eq!(collected.foundation().tables.events(stream).len(), 1);
    }
    caught_up(collected.cycle());
    assert_eq!(collected.gaps(), []);
    collected.act(3600, 4);
    caught_up(collected.cycle());
    collected.check_truth();
}

/// X4: a purge repeats guids: what is told under a known guid is new, and a cursor on it is worth nothing.
#[test]
fn x4_a_second_purge_repeats_its_guids() {
    let reseeded = recorded::exchange("events_app_after_purge_reseed.json").body;
    let first = &reseeded["resources"][0];
    assert_eq!(first["guid"], first["process"]["guid"]);
    assert!(first["process"]["type"].is_null());

    let mut collected = onboarded(506);
    let (_, process) = collected.plain_apps().remove(0);
    collected.foundation().purge_and_reseed(Stream::App);
    collected.pass(30);
    caught_up(collected.cycle());
    let size = Size { instances: Some(9), ..Size::default() };
    collected.world(|world, tables| world.scale(tables, &process, size));
    collected.foundation().purge_and_reseed(Stream::App);
    let purged = collected.now();
    collected.pass(30);
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert_eq!(
        gaps.iter().map(|gap| (gap.reason, gap.stage)).collect::<Vec<_>>(),
        [(GapReason::CheckpointGone, GapStage::Settled), (GapReason::Reseeded, GapStage::Settled),]
    );
    let (started_at, _, instances) = collected.open_of(&process).unwrap();
    assert_eq!((started_at, instances), (purged, 9), "the event under the same guid tells the new size");
}

/// X5: no event at all, and things that run: a snapshot without a checkpoint.
#[test]
fn x5_an_empty_stream_with_running_processes() {
    let snapshot = &recorded::exchange("snapshot_app_null_checkpoint_with_processes.json").body["resources"][0];
    assert!(snapshot["checkpoint_event_guid"].is_null() && snapshot["links"].get("checkpoint_event").is_none());
    assert!(snapshot["summary"]["instance_count"].as_i64().unwrap() > 0);

    let mut collected = Collected::settled(507, 8);
    for stream in Stream::ALL {
        collected.foundation().tables.events_mut(stream).clear();
    }
    collected.onboard();
    assert_eq!(collected.checkpoint(Stream::App), (None, None));
    for _ in 0..5 {
        collected.act(3600, 3);
        caught_up(collected.cycle());
    }
    collected.check_truth();
}

/// X5, for longer than Cloud Controller keeps events: what was written and pruned meanwhile nobody can tell.
#[test]
fn x5_an_empty_stream_unread_for_longer_than_events_are_kept_is_a_gap() {
    for (days, gaps) in [(31, 0), (32, 1)] {
        let mut collected = Collected::settled(508, 8);
        collected.foundation().tables.events_mut(Stream::Service).clear();
        collected.onboard();
        assert_eq!(collected.checkpoint(Stream::Service), (None, None));
        collected.pass(days * DAY);
        caught_up(collected.cycle());
        assert_eq!(collected.gaps().len(), gaps, "{days} days");
        collected.check_truth();
    }
}

/// X6: rows hold workers of no instances and both web processes of a deployment, but no task.
#[test]
fn x6_what_a_snapshot_holds() {
    let mut collected = Collected::settled(509, 12);
    let apps = collected.plain_apps();
    let mut task = String::new();
    collected.world(|world, tables| {
        let receipt = world.apps[&apps[0].0].droplet.clone().unwrap();
        world.set_droplet(tables, &apps[0].0, receipt, &["web", "worker"]);
        world.restart_app(tables, &apps[0].0);
        world.scale(tables, &apps[1].1, Size { instances: Some(3), ..Size::default() });
        task = world.run_task(tables, &apps[2].0, "long", 256, None);
    });
    collected.pass(10);
    collected.world(|world, tables| {
        let receipt = world.apps[&apps[1].0].droplet.clone().unwrap();
        world.create_deployment(tables, &apps[1].0, receipt);
        world.deployment_tick(tables, &apps[1].0);
    });
    collected.pass(5);
    let (_, chunks) = collected.foundation().world.snapshot(Stream::App);
    let chunks = serde_json::to_string(&chunks).unwrap();
    let worker = collected.foundation().world.apps[&apps[0].0].processes[1].clone();
    let webs = collected.foundation().world.apps[&apps[1].0].processes.clone();
    assert!(chunks.contains(&worker) && webs.iter().all(|web| chunks.contains(web)) && !chunks.contains(&task));
    assert_eq!(webs.len(), 2);
    collected.onboard_standing_still();
    let epoch = collected.epoch();
    assert_eq!(collected.open_of(&worker), Some((epoch, false, 0)));
    assert!(webs.iter().all(|web| collected.open_of(web).is_some()));
    assert!(collected.open_of(&task).is_some(), "from the list of tasks");
    collected.foundation().world.truth.begin(epoch);
    collected.pass(3600);
    caught_up(collected.cycle());
    assert_ne!(epoch, Timestamp::MIN);
    collected.check_truth();
}
