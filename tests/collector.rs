//! Onboarding, tailing and observing a simulated foundation: real client, fold and store, in memory.

use std::collections::BTreeSet;

use cf_billing::cloud_controller::transport::TransportError;
use cf_billing::consumer::{CollectError, Cycle, Importer};
use cf_billing::domain::{Kind, Settings, Span, Stream, Timestamp};
use cf_billing::simulator::tables::{List, snapshots_path};
use cf_billing::simulator::world::{Outcome, Size, Then};
use cf_billing::simulator::{ADMIN, Foundation, api};
use cf_billing::store::{GroupKey, OnboardingStage, Owner, UsageQuery};
use serde_json::{Value, json};

use crate::support::collected::{Collected, NAME, caught_up};
use crate::support::database::{Kind as Database, kind};

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[track_caller]
fn waiting(cycle: Result<Cycle, CollectError>) -> String {
    match cycle {
        Ok(Cycle::Waiting(why)) => why,
        other => panic!("not waiting: {other:?}"),
    }
}

/// What an administrator does over HTTP.
fn admin(foundation: &mut Foundation, method: &str, path: &str) -> api::Answer {
    let basic = http_basic(ADMIN);
    let token = foundation.answer(&api::Request {
        method: "POST",
        path: "/oauth/token",
        query: "",
        authorization: Some(&basic),
        request_id: None,
        body: b"grant_type=client_credentials",
    });
    let token: Value = serde_json::from_slice(&token.body).unwrap();
    let authorization = format!("bearer {}", token["access_token"].as_str().unwrap());
    foundation.answer(&api::Request {
        method,
        path,
        query: "",
        authorization: Some(&authorization),
        request_id: None,
        body: b"",
    })
}

fn http_basic((id, secret): (&str, &str)) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")))
}

pub fn request_snapshots(foundation: &mut Foundation) {
    for stream in Stream::ALL {
        let answer = admin(foundation, "POST", &format!("/v3/{}", snapshots_path(stream)));
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
    }
}

/// Asks for them until they are complete.
pub fn complete_snapshots(foundation: &mut Foundation) {
    let all: Vec<(Stream, String)> =
        foundation.tables.snapshots.iter().map(|snapshot| (snapshot.stream, snapshot.guid.clone())).collect();
    for (stream, guid) in all {
        for _ in 0..foundation.options.snapshot_polls {
            admin(foundation, "GET", &format!("/v3/{}/{guid}", snapshots_path(stream)));
        }
    }
    assert!(foundation.tables.snapshots.iter().all(|snapshot| snapshot.completed.is_some()));
}

fn requested(collected: &Collected) -> usize {
    collected.requests().iter().filter(|request| request.starts_with("POST") && request.contains("snapshots")).count()
}

/// How often a single app event was asked for since the requests were last looked at.
fn checkpoints_asked_for(collected: &Collected) -> usize {
    collected.requests().iter().filter(|request| request.contains("/v3/app_usage_events/")).count()
}

#[test]
fn weeks_of_what_people_do_are_collected_to_the_second() {
    // Twice the work for the machine on a server: one seed less tells as much there.
    let seeds: &[u64] = if kind() == Database::Postgres { &[11] } else { &[11, 12, 13] };
    for seed in seeds {
        println!("seed {seed}");
        let mut collected = Collected::settled(*seed, 15);
        collected.onboard();
        for hour in 0..24 * 10 {
            collected.act(3600, if hour % 3 == 0 { 2 } else { 0 });
            caught_up(collected.cycle());
            if hour % 60 == 0 {
                // What isn't in the database isn't needed.
                collected.restart();
            }
        }
        assert_eq!(collected.head().known_until, Some(collected.now()));
        collected.check_truth();
    }
}

#[test]
fn page_size_and_pace_of_polls_change_nothing() {
    let life = |every: i64, smaller: bool| {
        let mut collected = Collected::settled(21, 10);
        collected.onboard();
        if smaller {
            // Three failures in a row halve the page three times; it grows again from there.
            let mut failures = 0;
            collected.fail(move |request| {
                failures += 1;
                let events = request.uri().path().ends_with("_usage_events");
                (events && failures % 4 != 0).then_some(Err(TransportError::Timeout))
            });
        }
        for hour in 0..72 {
            collected.act(3600, 2);
            if hour % every == 0 {
                caught_up(collected.cycle());
            }
        }
        caught_up(collected.cycle());
        collected
    };
    let usual = life(1, false);
    usual.check_truth();
    let small_pages = life(1, true);
    small_pages.check_truth();
    assert_eq!(small_pages.open(), usual.open());
    // Of what came and went between two polls, nobody saw the disk, nor a build's size; everything else is in the events.
    let slow = life(7, false);
    let without_disk = |collected: &Collected| {
        let usage = collected.usage(Timestamp::MIN, Timestamp::MAX);
        let known = |kind: Kind, memory| if kind == Kind::Staging { 0 } else { memory };
        let rows = usage.into_iter().map(|(key, [instances, memory, _])| {
            let memory = known(key.2, memory);
            (key, [instances, memory])
        });
        rows.collect::<Vec<_>>()
    };
    let (slow, usual) = (without_disk(&slow), without_disk(&usual));
    let differ: Vec<_> = slow.iter().zip(&usual).filter(|(slow, usual)| slow != usual).collect();
    assert!(slow.len() == usual.len() && differ.is_empty(), "{differ:?}");
}

#[test]
fn a_restart_at_any_request_of_onboarding_changes_nothing() {
    let life = |stops_at: Option<usize>| {
        let mut collected = Collected::settled(31, 12);
        let mut count = 0;
        if let Some(stops_at) = stops_at {
            collected.fail(move |_| {
                count += 1;
                (count == stops_at).then(|| Err(TransportError::Tls("as if the process died".to_owned())))
            });
        }
        let mut failed = 0;
        let mut cycles = 0;
        loop {
            cycles += 1;
            assert!(cycles < 30, "onboarding doesn't end");
            match collected.cycle() {
                Ok(Cycle::CaughtUp(_)) => break,
                Ok(Cycle::Waiting(_)) => collected.pass(15),
                Err(_) => {
                    failed += 1;
                    collected.restart();
                }
            }
        }
        collected.heal();
        let requests = collected.requests();
        assert_eq!(collected.foundation().tables.snapshots.len(), 2, "one each: {requests:#?}");
        for _ in 0..10 {
            collected.act(3600, 2);
            caught_up(collected.cycle());
        }
        collected.check_truth();
        (requests, failed, collected.usage(Timestamp::MIN, Timestamp::MAX))
    };
    let (requests, _, undisturbed) = life(None);
    // A failure to read what no event tells is for the next cycle.
    let beside = |at: usize| {
        ["/v3/processes?", "/v3/tasks?guids", "/v3/organizations?", "/v3/service_instances?", "/v3/spaces?"]
            .iter()
            .any(|path| requests[at - 1].contains(path))
    };
    assert!(requests.len() > 15 && (1..=requests.len()).any(beside), "{requests:#?}");
    for stops_at in 1..=requests.len() {
        let (_, failed, usage) = life(Some(stops_at));
        assert_eq!(failed, usize::from(!beside(stops_at)), "at request {stops_at}");
        assert_eq!(usage.len(), undisturbed.len(), "at request {stops_at}");
    }
}

#[test]
fn a_snapshot_is_complete_whatever_its_job_says() {
    let mut collected = Collected::settled(41, 5);
    collected.foundation().options.snapshot_jobs_fail = true;
    collected.onboard();
    collected.act(7200, 3);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn another_ones_unfinished_snapshot_is_adopted() {
    let mut collected = Collected::settled(42, 5);
    request_snapshots(&mut collected.foundation());
    let theirs: Vec<String> =
        collected.foundation().tables.snapshots.iter().map(|snapshot| snapshot.guid.clone()).collect();
    collected.onboard();
    let onboarding = collected.onboarding().unwrap();
    let taken: Vec<String> =
        Stream::ALL.iter().map(|stream| onboarding.snapshot(*stream).unwrap().guid.to_string()).collect();
    assert_eq!(taken, theirs);
    assert_eq!(onboarding.stage, OnboardingStage::Complete);
}

#[test]
fn an_unfinished_snapshot_is_given_up_for_a_completed_one() {
    let mut collected = Collected::settled(43, 5);
    request_snapshots(&mut collected.foundation());
    complete_snapshots(&mut collected.foundation());
    let completed_at = collected.now();
    collected.act(3600, 2);
    // Another is begun whose worker died.
    request_snapshots(&mut collected.foundation());
    collected.foundation().options.snapshot_polls = u32::MAX;
    let begun = collected.now();
    assert!(waiting(collected.cycle()).contains("is making the app snapshot"));
    // As long as patience lasts, to the second.
    let patience = collected.plan.snapshot_patience_seconds;
    collected.pass(begun.plus(patience).seconds_since(collected.now()));
    assert!(waiting(collected.cycle()).contains("is making the app snapshot"));
    collected.pass(1);
    caught_up(collected.cycle());
    assert_eq!(collected.epoch(), completed_at);
    collected.check_truth();
}

#[test]
fn a_client_that_may_not_request_waits_for_somebody_elses_snapshot() {
    let mut collected = Collected::settled(44, 5);
    collected.client = ("billing-read-only", "simulated-secret");
    let why = waiting(collected.cycle());
    assert!(why.contains("may not request app snapshots") && why.contains("there is no completed one"), "{why}");
    assert_eq!(collected.head().known_until, None, "nothing is billed meanwhile");
    request_snapshots(&mut collected.foundation());
    waiting(collected.cycle());
    complete_snapshots(&mut collected.foundation());
    collected.requests();
    caught_up(collected.cycle());
    assert_eq!(checkpoints_asked_for(&collected), 2, "as the snapshot is taken, and before the stream is read");
    collected.act(7200, 3);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn a_snapshot_whose_checkpoint_is_gone_is_not_taken() {
    let mut collected = Collected::settled(45, 5);
    collected.client = ("billing-read-only", "simulated-secret");
    request_snapshots(&mut collected.foundation());
    complete_snapshots(&mut collected.foundation());
    // Everything up to the checkpoint is pruned.
    collected.foundation().tables.events_mut(Stream::App).clear();
    assert!(waiting(collected.cycle()).contains("whose checkpoint can still be read"));
    // One that may request asks for another.
    collected.client = ADMIN;
    collected.restart();
    collected.requests();
    collected.onboard();
    assert_eq!(requested(&collected), 1, "the service snapshot is good");
}

#[test]
fn a_snapshot_that_vanishes_is_requested_again() {
    let mut collected = Collected::settled(46, 5);
    waiting(collected.cycle());
    for snapshot in &mut collected.foundation().tables.snapshots {
        snapshot.removed = true;
    }
    assert!(waiting(collected.cycle()).contains("is gone"));
    collected.requests();
    collected.onboard();
    assert_eq!(requested(&collected), 2);
    collected.act(7200, 3);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn a_foundation_without_any_event_is_onboarded() {
    let mut collected = Collected::new(Foundation::new(47, time("2026-03-01T08:00:00Z")));
    collected.onboard();
    assert_eq!(collected.checkpoint(Stream::App), (None, None));
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        foundation.world.settle(&mut foundation.tables, 3);
    }
    collected.clock.set(collected.now());
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn billing_begins_at_a_later_configured_instant() {
    let mut collected = Collected::settled(49, 5);
    let from = collected.now().plus(86_400);
    collected.plan.billing_from = Some(from);
    collected.onboard();
    assert_eq!(collected.epoch(), from);
    for _ in 0..48 {
        collected.act(3600, 1);
        caught_up(collected.cycle());
    }
    assert!(collected.usage(Timestamp::MIN, from).is_empty());
    assert!(!collected.usage(from, Timestamp::MAX).is_empty());
}

#[test]
fn changed_settings_are_archived_and_keep_the_epoch() {
    let mut collected = Collected::settled(50, 3);
    collected.onboard();
    let (epoch, held) = (collected.epoch(), collected.head().settings.len());
    collected.plan.settings.staging_cap_seconds = 600;
    collected.restart();
    caught_up(collected.cycle());
    let settings = collected.head().current_settings();
    assert_eq!((settings.staging_cap_seconds, settings.billing_epoch), (600, Some(epoch)));
    assert_eq!(collected.head().settings.len(), held + 1);
    caught_up(collected.cycle());
    assert_eq!(collected.head().settings.len(), held + 1, "once");
}

/// A foundation that is collected and has had some more events.
fn collected(seed: u64) -> Collected {
    let mut collected = Collected::settled(seed, 8);
    collected.onboard();
    collected.act(3600, 6);
    caught_up(collected.cycle());
    collected.act(3600, 0);
    caught_up(collected.cycle());
    collected
}

#[test]
fn a_poll_asks_after_the_predecessor_and_finds_the_checkpoint() {
    let mut collected = collected(61);
    let (checkpoint, predecessor) = collected.checkpoint(Stream::App);
    collected.requests();
    caught_up(collected.cycle());
    let asked: Vec<String> =
        collected.requests().into_iter().filter(|request| request.contains("app_usage_events")).collect();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].contains(&format!("after_guid={}", predecessor.unwrap())), "{asked:?}");
    let events = collected.foundation().tables.events(Stream::App).to_vec();
    assert_eq!(events.last().unwrap()["guid"], json!(checkpoint.unwrap()));
}

#[test]
fn a_pruned_predecessor_is_no_loss_and_a_pruned_checkpoint_is() {
    let mut collected = collected(62);
    let events = collected.foundation().tables.events(Stream::App).to_vec();
    *collected.foundation().tables.events_mut(Stream::App) = vec![events.last().unwrap().clone()];
    caught_up(collected.cycle());
    collected.act(3600, 4);
    assert!(caught_up(collected.cycle()).events > 0);
    collected.check_truth();

    let known_until = collected.head().known_until;
    collected.act(3600, 4);
    collected.foundation().tables.events_mut(Stream::App).clear();
    // Neither can the stream be read from its first row now.
    collected.fail(|request| {
        let query = request.uri().query().unwrap_or_default();
        let first = request.uri().path().ends_with("app_usage_events") && !query.contains("after_guid");
        first.then_some(Err(TransportError::Connect("down".to_owned())))
    });
    collected.cycle().unwrap_err();
    assert_eq!(collected.head().known_until, known_until, "nothing is known past what was read");
}

#[test]
fn a_checkpoint_that_is_not_behind_its_predecessor_is_asked_for_once() {
    let mut collected = collected(97);
    let events = collected.foundation().tables.events(Stream::App).len();
    collected.foundation().tables.events_mut(Stream::App).swap(events - 2, events - 1);
    collected.requests();
    assert_eq!(caught_up(collected.cycle()).events, 0);
    assert_eq!(checkpoints_asked_for(&collected), 1);
    collected.foundation().tables.events_mut(Stream::App).swap(events - 2, events - 1);
    collected.act(3600, 4);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn an_event_that_comes_late_before_the_checkpoint_is_placed_there() {
    let mut collected = collected(65);
    collected.act(3600, 6);
    // The event before the newest is committed after it.
    let late = {
        let mut foundation = collected.foundation();
        let events = foundation.tables.events_mut(Stream::App);
        let at = events.len() - 2;
        events.remove(at)
    };
    caught_up(collected.cycle());
    {
        let mut foundation = collected.foundation();
        let events = foundation.tables.events_mut(Stream::App);
        let at = events.len() - 1;
        events.insert(at, late);
    }
    let caught = caught_up(collected.cycle());
    assert_eq!((caught.events, caught.late), (1, 1));
    collected.pass(3600);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn records_nobody_understands_stop_nothing() {
    let mut collected = collected(66);
    let odd = [
        json!({"guid": "11111111-1111-4111-8111-111111111111", "created_at": "2026-03-20T00:00:00Z", "state": {"current": "HIBERNATED"}}),
        json!({"no": "guid"}),
        json!([1, 2, 3]),
    ];
    collected.foundation().tables.events_mut(Stream::App).extend(odd);
    assert_eq!(caught_up(collected.cycle()).events, 3);
    assert_eq!(caught_up(collected.cycle()).events, 0, "read once");
    let (checkpoint, _) = collected.checkpoint(Stream::App);
    assert_eq!(checkpoint.as_deref(), Some("11111111-1111-4111-8111-111111111111"), "what can be asked after");
    collected.act(3600, 4);
    assert!(caught_up(collected.cycle()).events > 0);
    collected.check_truth();
}

#[test]
fn known_until_moves_only_when_both_streams_are_read() {
    let mut collected = collected(67);
    let before = collected.head().known_until;
    assert_eq!(before, Some(collected.now()));
    collected.fail(|request| {
        request.uri().path().contains("service_usage_events").then_some(Err(TransportError::Connect("down".to_owned())))
    });
    collected.act(3600, 4);
    let before_events = collected.head().last_sequence;
    assert!(matches!(collected.cycle(), Err(CollectError::Api(_))));
    assert!(collected.head().last_sequence > before_events, "the other stream's events are kept");
    assert_eq!(collected.head().known_until, before);
    collected.heal();
    caught_up(collected.cycle());
    assert_eq!(collected.head().known_until, Some(collected.now()));
    collected.check_truth();
}

#[test]
fn what_is_read_beside_the_streams_holds_nothing_up() {
    let mut collected = collected(68);
    collected.fail(|request| {
        let path = request.uri().path();
        let beside = ["/v3/processes", "/v3/tasks", "/v3/organizations"].contains(&path);
        beside.then_some(Err(TransportError::Connect("down".to_owned())))
    });
    for _ in 0..5 {
        collected.act(3600, 4);
        caught_up(collected.cycle());
        assert_eq!(collected.head().known_until, Some(collected.now()));
    }
    collected.heal();
    // What was missed is observed later; a disk that changed with a restart is known to have changed then.
    assert!(caught_up(collected.cycle()).observations > 0);
}

#[test]
fn a_disk_changed_under_a_running_process_counts_from_its_save() {
    let mut collected = collected(69);
    let process = {
        let foundation = collected.foundation();
        let mut started =
            foundation.world.processes.values().filter(|process| process.started && process.instances > 0);
        started.next().unwrap().guid.clone()
    };
    for disk_mib in [3000, 512, 4096] {
        collected.pass(1000);
        {
            let mut foundation = collected.foundation();
            let foundation = &mut *foundation;
            let size = Size { disk_mib: Some(disk_mib), ..Size::default() };
            foundation.world.scale(&mut foundation.tables, &process, size);
        }
        collected.pass(700);
        assert!(caught_up(collected.cycle()).observations > 0);
    }
    // Also when nobody was looking.
    collected.restart();
    collected.pass(86_400);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn observations_are_asked_for_in_batches() {
    let mut collected = Collected::settled(70, 150);
    collected.onboard();
    let requests = collected.requests();
    let of = |path: &str| requests.iter().filter(|request| request.contains(path)).count();
    let processes = of("/v3/processes?guids=");
    let running = collected.foundation().world.processes.values().filter(|process| process.started).count();
    assert!(running > 100, "{running}");
    assert_eq!(processes, running.div_ceil(100));
    assert_eq!(of("/v3/organizations?"), 0, "the snapshot named them all");
    let longest = requests.iter().map(String::len).max().unwrap();
    assert!(longest < 4300, "{longest}");
}

#[test]
fn organizations_made_later_are_named_once() {
    let mut collected = collected(71);
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let org = foundation.world.create_org(&mut foundation.tables, "newcomers");
        let space = foundation.world.create_space(&mut foundation.tables, &org, "dev");
        foundation.world.create_service(&mut foundation.tables, &space, "db", None);
    }
    collected.requests();
    for _ in 0..3 {
        collected.pass(60);
        caught_up(collected.cycle());
    }
    let asked = collected.requests();
    assert_eq!(asked.iter().filter(|request| request.contains("/v3/organizations?guids=")).count(), 1, "{asked:#?}");
}

/// An accounts file may name it: it must not be called by its old name for ever.
#[test]
fn a_renamed_organization_is_called_by_its_new_name_within_a_day() {
    let mut collected = collected(98);
    collected.act(3600, 3);
    caught_up(collected.cycle());
    let names = |collected: &Collected| {
        let query = UsageQuery { by: vec![GroupKey::Organization], foundation: None, user_provided: true };
        let span = Span { from: collected.epoch(), to: collected.now() };
        let spans = collected.runtime.block_on(collected.store.usage(&query, &[span])).unwrap().of_spans;
        let keyed = spans[0].iter().map(|row| row.keys[0].clone().unwrap());
        keyed.map(|keyed| (keyed.value, keyed.name.unwrap())).collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = names(&collected);
    let renamed = before.keys().next().unwrap().clone();
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        foundation.world.rename_org(&mut foundation.tables, &renamed, "renamed");
    }
    for _ in 0..25 {
        collected.pass(3600);
        caught_up(collected.cycle());
    }
    let after = names(&collected);
    assert_eq!(after[&renamed], "renamed");
    assert_eq!(after.len(), before.len());
}

/// Prices may go by labels, which no event tells; a rate may name a buildpack's guid.
#[test]
fn labels_are_known_within_an_hour_and_buildpacks_by_their_guid() {
    let mut collected = collected(97);
    collected.act(3600, 30);
    caught_up(collected.cycle());
    let (org, space) = {
        let foundation = collected.foundation();
        let space = foundation.world.spaces.values().next().unwrap();
        (space.org.clone(), space.guid.clone())
    };
    let label = |collected: &Collected, labels: serde_json::Value| {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        foundation.world.label(&mut foundation.tables, List::Organizations, &org, &labels);
        foundation.world.label(&mut foundation.tables, List::Spaces, &space, &serde_json::json!({"env": "test"}));
    };
    let labels = |collected: &Collected| -> Vec<String> {
        let labels = collected.runtime.block_on(collected.store.labels(&collected.head())).unwrap();
        let of = |(owner, labels): (Owner, std::collections::BTreeMap<String, String>)| {
            labels.into_iter().map(move |(key, value)| format!("{} {key}={value}", owner.name())).collect::<Vec<_>>()
        };
        labels.into_iter().flat_map(|((owner, _), labels)| of((owner, labels))).collect()
    };
    label(&collected, serde_json::json!({"tier": "gold", "acme.example/cost-centre": "4711", "empty": null}));
    for _ in 0..2 {
        collected.pass(1800);
        caught_up(collected.cycle());
    }
    assert_eq!(
        labels(&collected),
        [
            "organization acme.example/cost-centre=4711",
            "organization empty=",
            "organization tier=gold",
            "space env=test"
        ]
    );
    // What is taken away is gone, and a restart keeps what is known.
    label(&collected, serde_json::json!({"tier": "silver"}));
    collected.pass(3600);
    caught_up(collected.cycle());
    assert_eq!(labels(&collected), ["organization tier=silver", "space env=test"]);
    let seen = collected.runtime.block_on(collected.store.seen()).unwrap();
    assert!(seen.organization_labels.contains("tier=silver") && seen.space_labels.contains("env=test"), "{seen:?}");
    let foundation = collected.foundation();
    let installed: BTreeSet<String> =
        seen.buildpacks.iter().filter_map(|name| foundation.world.receipt(name).guid).collect();
    assert!(!seen.buildpack_guids.is_empty() && seen.buildpack_guids.is_subset(&installed), "{seen:?}");
}

#[test]
fn an_idle_cycle_asks_little_and_writes_once() {
    let mut collected = collected(72);
    collected.pass(15);
    caught_up(collected.cycle());
    collected.requests();
    let before = collected.head();
    collected.pass(15);
    caught_up(collected.cycle());
    assert_eq!(collected.requests().len(), 2, "one page of each stream");
    let after = collected.head();
    assert_eq!(after.last_sequence, before.last_sequence);
    assert_eq!(after.known_until, Some(collected.now()));
}

/// Begins to import into the foundation that is collected.
fn begin_import(collected: &Collected) {
    let importing = Importer::begin(&collected.store, &collected.clock, NAME, Settings::default());
    collected.runtime.block_on(importing).unwrap();
}

#[test]
fn an_imported_foundation_is_not_collected_into() {
    let mut collected = Collected::settled(73, 2);
    begin_import(&collected);
    let error = collected.cycle().unwrap_err();
    assert!(matches!(error, CollectError::Imported(_)), "{error}");
}

#[test]
fn running_tasks_belong_to_the_baseline() {
    let mut collected = Collected::settled(74, 6);
    let (running, done) = {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let app = foundation.world.apps.values().find(|app| app.started && app.droplet.is_some()).unwrap().guid.clone();
        let running = foundation.world.run_task(&mut foundation.tables, &app, "long", 300, Some(500_000));
        let done = foundation.world.run_task(&mut foundation.tables, &app, "short", 300, Some(30));
        (running, done)
    };
    // Longer ago than what is read again.
    collected.pass(86_400);
    let rows: BTreeSet<String> = {
        let foundation = collected.foundation();
        let rows = foundation.tables.rows(List::Tasks).iter();
        rows.filter(|row| row["state"] == "RUNNING").map(|row| row["guid"].as_str().unwrap().to_owned()).collect()
    };
    assert!(rows.contains(&running) && !rows.contains(&done));
    collected.onboard();
    collected.pass(600_000);
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn an_import_while_onboarding_waits_is_refused_or_not_collected_upon() {
    let mut collected = Collected::settled(81, 2);
    waiting(collected.cycle());
    begin_import(&collected);
    let error = collected.cycle().unwrap_err();
    assert!(matches!(error, CollectError::Imported(_)), "{error}");
}

#[test]
fn a_lost_stream_does_not_keep_the_other_from_being_read() {
    let mut collected = collected(82);
    collected.foundation().tables.events_mut(Stream::App).clear();
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let space = foundation.world.spaces.keys().next().unwrap().clone();
        foundation.world.create_service(&mut foundation.tables, &space, "db", None);
    }
    let before = collected.checkpoint(Stream::Service);
    // Nor can it be read from its first row.
    collected.fail(|request| {
        let query = request.uri().query().unwrap_or_default();
        let first = request.uri().path().ends_with("app_usage_events") && !query.contains("after_guid");
        first.then_some(Err(TransportError::Connect("down".to_owned())))
    });
    collected.cycle().unwrap_err();
    assert_ne!(collected.checkpoint(Stream::Service), before);
}

#[test]
fn a_clock_of_theirs_that_is_ahead_makes_nobody_know_the_future() {
    let mut collected = collected(83);
    collected.pass(60);
    // Theirs alone goes on by a day.
    let ours = collected.now();
    let to = ours.plus(86_400);
    collected.foundation().advance(to);
    caught_up(collected.cycle());
    assert_eq!(collected.head().known_until, Some(ours));
}

#[test]
fn changes_found_by_a_look_are_found_again_if_they_were_not_committed() {
    let mut collected = collected(85);
    let process = {
        let foundation = collected.foundation();
        let mut started =
            foundation.world.processes.values().filter(|process| process.started && process.instances > 0);
        started.next().unwrap().guid.clone()
    };
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let size = Size { disk_mib: Some(3000), ..Size::default() };
        foundation.world.scale(&mut foundation.tables, &process, size);
    }
    // For hours the streams fail after the look has succeeded; then the process is started anew.
    collected.fail(|request| {
        request.uri().path().ends_with("usage_events").then_some(Err(TransportError::Connect("down".to_owned())))
    });
    for _ in 0..5 {
        collected.pass(3600);
        collected.cycle().unwrap_err();
    }
    collected.heal();
    collected.restart();
    caught_up(collected.cycle());
    collected.check_truth();
}

#[test]
fn a_page_size_that_is_refused_is_halved() {
    let mut collected = Collected::settled(86, 3);
    collected.fail(|request| {
        let per_page = request.uri().query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("per_page="));
        let too_many = per_page.is_some_and(|size| size.parse::<u32>().unwrap() > 1000);
        let body = json!({"errors": [{"code": 10005, "title": "CF-BadQueryParameter", "detail": "The query parameter is invalid: Per page must be between 1 and 1000"}]});
        too_many.then(|| Ok(http::Response::builder().status(400).body(body.to_string().into()).unwrap()))
    });
    let mut cycles = 0;
    while !matches!(collected.cycle(), Ok(Cycle::CaughtUp(_))) {
        cycles += 1;
        assert!(cycles < 30);
        collected.pass(15);
    }
}

/// Lets people do things, and takes an event of theirs out of the app stream, `behind` places before its end; gives it and
/// where it stood.
fn act_and_hide(collected: &Collected, behind: usize) -> (usize, Value) {
    let before = collected.foundation().tables.events(Stream::App).len();
    while collected.foundation().tables.events(Stream::App).len() <= before + behind {
        collected.act(1, 3);
    }
    let mut foundation = collected.foundation();
    let events = foundation.tables.events_mut(Stream::App);
    let at = events.len() - 1 - behind;
    (at, events.remove(at))
}

fn show(collected: &Collected, (at, event): (usize, Value)) {
    collected.foundation().tables.events_mut(Stream::App).insert(at, event);
}

#[test]
fn a_sweep_finds_what_was_committed_late() {
    for behind in [1, 3, 7, 11] {
        let mut collected = collected(91);
        let hidden = act_and_hide(&collected, behind);
        caught_up(collected.cycle());
        collected.act(60, 0);
        caught_up(collected.cycle());
        show(&collected, hidden);
        // Not before it is time to sweep, then once.
        let late = |collected: &mut Collected| caught_up(collected.cycle()).late;
        let mut found = Vec::new();
        for _ in 0..30 {
            collected.pass(60);
            found.push(late(&mut collected));
        }
        assert_eq!(found.iter().sum::<usize>(), 1, "{behind} behind: {found:?}");
        let first = found.iter().position(|found| *found == 1).unwrap();
        assert!(first < 10, "{first}");
        collected.check_truth();
        assert_eq!(collected.head().rated_through(3600), collected.head().swept_until.map(|at| at.plus(-3600)));
    }
}

#[test]
fn what_is_older_than_a_sweep_goes_back_is_found_within_a_day() {
    let mut collected = collected(92);
    let hidden = act_and_hide(&collected, 3);
    caught_up(collected.cycle());
    // Later events, which the sweeps begin after.
    for _ in 0..5 {
        collected.act(3600, 3);
        caught_up(collected.cycle());
    }
    show(&collected, hidden);
    let mut late = 0;
    let mut hours = 0;
    while late == 0 {
        collected.pass(3600);
        hours += 1;
        assert!(hours <= 24, "not within a day");
        late += caught_up(collected.cycle()).late;
    }
    assert!(hours > 2, "{hours}: no short sweep goes back that far");
    collected.check_truth();
}

#[test]
fn usage_is_complete_only_as_far_as_was_swept() {
    let mut collected = collected(93);
    let rated_through = |collected: &Collected| collected.head().rated_through(3600).unwrap();
    let before = rated_through(&collected);
    // The second list of app events in a cycle is the sweep's.
    let mut asked = 0;
    collected.fail(move |request| {
        asked += usize::from(request.uri().path().ends_with("app_usage_events"));
        let sweep = request.uri().path().ends_with("app_usage_events") && asked % 2 == 0;
        sweep.then_some(Err(TransportError::Tls("down".to_owned())))
    });
    collected.pass(7200);
    assert!(matches!(collected.cycle(), Err(CollectError::Api(_))));
    assert_eq!(collected.head().known_until, Some(collected.now()));
    assert_eq!(rated_through(&collected), before);
    collected.heal();
    caught_up(collected.cycle());
    assert_eq!(rated_through(&collected), collected.now().plus(-3600));
}

#[test]
fn a_young_foundation_is_swept_from_where_onboarding_began() {
    let mut collected = Collected::settled(94, 6);
    let hidden = act_and_hide(&collected, 2);
    collected.onboard();
    show(&collected, hidden);
    let mut late = 0;
    for _ in 0..15 {
        collected.pass(60);
        late += caught_up(collected.cycle()).late;
    }
    assert_eq!(late, 1);
    assert_eq!(caught_up(collected.cycle()).events, 0);
}

#[test]
fn stagings_are_billed_at_the_size_of_their_builds_in_batches() {
    let mut collected = Collected::settled(95, 12);
    collected.onboard();
    let (app, size) = {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let apps: Vec<String> =
            foundation.world.apps.values().filter(|app| app.started).map(|app| app.guid.clone()).collect();
        for app in &apps {
            let receipt = foundation.world.receipt("go_buildpack");
            foundation.world.stage(&mut foundation.tables, app, 90, Outcome::Staged(receipt), Then::Restart);
        }
        let app = apps[0].clone();
        let web =
            foundation.world.processes.values().find(|process| process.app == app && process.kind == "web").unwrap();
        (app, (web.memory_mib, web.disk_mib))
    };
    assert_ne!(size, (1024, 6144), "what is assumed without a build");
    collected.requests();
    collected.pass(3600);
    caught_up(collected.cycle());
    let asked = collected.requests().iter().filter(|request| request.contains("/v3/builds?")).count();
    assert_eq!(asked, 1, "for all of them");
    let usage = collected.usage(Timestamp::MIN, Timestamp::MAX);
    let of_app = usage.iter().find(|(key, _)| key.2 == cf_billing::domain::Kind::Staging && key.3 == app).unwrap().1;
    assert_eq!(*of_app, [90, 90 * size.0, 90 * size.1]);
    collected.check_truth();
    collected.pass(60);
    caught_up(collected.cycle());
    assert!(!collected.requests().iter().any(|request| request.contains("/v3/builds?")), "once");
}

/// What Cloud Controller says of the creation of a service instance.
fn creation(collected: &Collected, guid: &str, state: &str) {
    let operation = json!({"type": "create", "state": state, "description": "", "updated_at": "2026-03-02T00:00:00Z", "created_at": "2026-03-02T00:00:00Z"});
    collected.foundation().tables.change(List::ServiceInstances, guid, &[("/last_operation", operation)]);
}

#[test]
fn a_service_instance_whose_creation_failed_is_not_billed() {
    let mut collected = Collected::settled(96, 4);
    let create = |collected: &Collected, name: &str| {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let space = foundation.world.spaces.keys().next().unwrap().clone();
        let plan = foundation.world.plans().next().unwrap().0.to_owned();
        foundation.world.create_service(&mut foundation.tables, &space, name, Some(&plan))
    };
    // One in the snapshot, one in the stream that takes its time, and one that works.
    let of_baseline = create(&collected, "before");
    creation(&collected, &of_baseline, "failed");
    collected.onboard();
    let (slow, good) = (create(&collected, "slow"), create(&collected, "good"));
    creation(&collected, &slow, "in progress");
    creation(&collected, &good, "succeeded");
    for _ in 0..3 {
        collected.pass(3600);
        caught_up(collected.cycle());
    }
    let seconds = |collected: &Collected, guid: &str| -> i64 {
        let usage = collected.usage(Timestamp::MIN, Timestamp::MAX);
        usage.iter().filter(|(key, _)| key.3 == guid).map(|(_, sums)| sums[0]).sum()
    };
    assert_eq!(seconds(&collected, &of_baseline), 0);
    assert_eq!(seconds(&collected, &slow), 3 * 3600, "not known yet");
    creation(&collected, &slow, "failed");
    collected.requests();
    collected.pass(3600);
    caught_up(collected.cycle());
    assert_eq!(seconds(&collected, &slow), 0);
    assert_eq!(seconds(&collected, &good), 4 * 3600);
    collected.requests();
    collected.pass(60);
    caught_up(collected.cycle());
    assert!(!collected.requests().iter().any(|request| request.contains("/v3/service_instances")), "all is known");
    // Deleting what was never made adds nothing.
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        foundation.world.delete_service(&mut foundation.tables, &slow);
    }
    collected.pass(60);
    caught_up(collected.cycle());
    assert_eq!(seconds(&collected, &slow), 0);
}

/// Cloud Controller on MySQL stores a NUL in a name; PostgreSQL can't.
#[test]
fn a_nul_in_a_name_holds_nothing_up() {
    let mut collected = collected(97);
    collected.act(3600, 3);
    {
        let mut foundation = collected.foundation();
        let event = foundation.tables.events_mut(Stream::App).last_mut().unwrap();
        event["app"]["name"] = json!("odd\u{0}name");
        event["space"]["name"] = json!("\u{0}");
    }
    let caught = caught_up(collected.cycle());
    assert!(caught.events > 0);
    assert!(collected.archived().iter().any(|input| input.contains("odd\\u0000name")), "as received");
    collected.check_truth();
}

crate::on_postgres! {
    a_nul_in_a_name_holds_nothing_up,
    weeks_of_what_people_do_are_collected_to_the_second,
    page_size_and_pace_of_polls_change_nothing,
    a_restart_at_any_request_of_onboarding_changes_nothing,
    a_snapshot_is_complete_whatever_its_job_says,
    another_ones_unfinished_snapshot_is_adopted,
    an_unfinished_snapshot_is_given_up_for_a_completed_one,
    a_client_that_may_not_request_waits_for_somebody_elses_snapshot,
    a_snapshot_whose_checkpoint_is_gone_is_not_taken,
    a_snapshot_that_vanishes_is_requested_again,
    a_foundation_without_any_event_is_onboarded,
    billing_begins_at_a_later_configured_instant,
    changed_settings_are_archived_and_keep_the_epoch,
    a_poll_asks_after_the_predecessor_and_finds_the_checkpoint,
    a_pruned_predecessor_is_no_loss_and_a_pruned_checkpoint_is,
    a_checkpoint_that_is_not_behind_its_predecessor_is_asked_for_once,
    an_event_that_comes_late_before_the_checkpoint_is_placed_there,
    records_nobody_understands_stop_nothing,
    known_until_moves_only_when_both_streams_are_read,
    what_is_read_beside_the_streams_holds_nothing_up,
    a_disk_changed_under_a_running_process_counts_from_its_save,
    observations_are_asked_for_in_batches,
    organizations_made_later_are_named_once,
    an_idle_cycle_asks_little_and_writes_once,
    an_imported_foundation_is_not_collected_into,
    running_tasks_belong_to_the_baseline,
    an_import_while_onboarding_waits_is_refused_or_not_collected_upon,
    a_lost_stream_does_not_keep_the_other_from_being_read,
    a_clock_of_theirs_that_is_ahead_makes_nobody_know_the_future,
    changes_found_by_a_look_are_found_again_if_they_were_not_committed,
    a_page_size_that_is_refused_is_halved,
    a_sweep_finds_what_was_committed_late,
    what_is_older_than_a_sweep_goes_back_is_found_within_a_day,
    usage_is_complete_only_as_far_as_was_swept,
    a_young_foundation_is_swept_from_where_onboarding_began,
    stagings_are_billed_at_the_size_of_their_builds_in_batches,
    a_service_instance_whose_creation_failed_is_not_billed,
}
