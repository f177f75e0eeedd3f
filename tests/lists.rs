//! Lists as real foundations answer them: rows that lack what they may lack, rows that can't be read, older releases, and
//! limits that operators set.

use cf_billing::domain::{AnomalyKind, Kind};
use cf_billing::simulator::Options;
use cf_billing::simulator::tables::List;
use cf_billing::store::{AnomalyFilter, StoredAnomaly};
use serde_json::Value;

use crate::support::background::{configure, simulate};
use crate::support::collected::{Collected, NAME, caught_up};
use crate::support::program::Program;
use crate::support::recorded::rows;

/// A foundation without snapshots, at rest.
fn without_snapshots(seed: u64, apps: usize, change: impl Fn(&mut Options)) -> Collected {
    let collected = Collected::settled(seed, apps);
    {
        let mut foundation = collected.foundation();
        foundation.options.snapshots = false;
        change(&mut foundation.options);
    }
    collected
}

/// Onboards it and lives three days of what people do.
fn three_days(collected: &mut Collected) {
    collected.onboard();
    for _ in 0..24 {
        collected.act(3 * 3600, 2);
        caught_up(collected.cycle());
    }
}

/// It is billed as the same foundation is on a healthy Cloud Controller of today.
#[track_caller]
fn check_same(seed: u64, apps: usize, change: impl Fn(&mut Options)) -> Collected {
    let mut healthy = without_snapshots(seed, apps, |_| ());
    let mut odd = without_snapshots(seed, apps, change);
    three_days(&mut healthy);
    three_days(&mut odd);
    let (from, to) = (healthy.epoch(), healthy.now());
    assert_eq!(odd.epoch(), from);
    assert!(!healthy.usage(from, to).is_empty());
    assert_eq!(odd.usage(from, to), healthy.usage(from, to));
    odd
}

fn undecodable(collected: &Collected) -> Vec<StoredAnomaly> {
    let filter = AnomalyFilter { kind: Some(AnomalyKind::Undecodable), ..AnomalyFilter::default() };
    collected.runtime.block_on(collected.store.anomalies(&filter, 1000)).unwrap().0
}

fn hide(collected: &Collected, list: List, guid: &str) {
    collected.foundation().options.unreadable.insert((list, guid.to_owned()));
}

fn show(collected: &Collected) {
    collected.foundation().options.unreadable.clear();
}

/// A look at everything, which is due after some hours.
fn look(collected: &mut Collected) {
    collected.pass(22_000);
    caught_up(collected.cycle());
}

#[test]
fn an_app_without_a_droplet_keeps_no_list_from_being_read() {
    let mut collected = without_snapshots(3, 8, |_| ());
    let without: Vec<Value> = (collected.foundation().tables.rows(List::Apps).iter())
        .map(|app| app["relationships"]["current_droplet"].clone())
        .filter(|droplet| droplet["data"]["guid"].is_null())
        .collect();
    assert!(!without.is_empty(), "every foundation has some");
    let recorded = rows("more/apps_include_with_app_without_droplet.json");
    assert_eq!(without[0], recorded[0]["relationships"]["current_droplet"], "as the real one says it");
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
    assert_eq!(undecodable(&collected), []);
}

#[test]
fn rows_from_before_updated_at_was_kept_are_read() {
    let collected = check_same(5, 12, |options| options.null_updated_at = true);
    assert_eq!(undecodable(&collected), []);
}

#[test]
fn apps_that_name_no_droplet_get_the_buildpack_of_the_one_they_have() {
    check_same(5, 12, |options| options.droplet_relationship = false);
}

#[test]
fn events_that_cannot_be_filtered_by_time_are_read_from_an_earlier_one() {
    let mut collected = check_same(7, 12, |options| options.event_times = false);
    // Some are older than the transaction that may take longest, so that there is one to read on after.
    let requests = collected.requests();
    let filtered = |request: &&String| request.contains("_usage_events?") && request.contains("created_ats");
    assert_eq!(requests.iter().filter(filtered).count(), 1, "it is tried once");
    caught_up(collected.cycle());
}

#[test]
fn lists_longer_than_what_is_given_of_one_are_split_by_time() {
    let mut collected = check_same(9, 40, |options| options.max_total_results = Some(30));
    assert!(collected.foundation().tables.rows(List::Processes).len() > 40);
    assert!(collected.foundation().tables.rows(List::Apps).len() > 40);
    // Nothing is asked for again that was refused once.
    collected.requests();
    look(&mut collected);
    let beyond = |request: &String| request.contains("per_page=30") || request.contains("per_page=5000");
    assert_eq!(collected.requests().into_iter().filter(beyond).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_list_that_cannot_be_split_names_the_setting() {
    let mut collected = without_snapshots(9, 6, |options| options.max_total_results = Some(6));
    {
        let mut foundation = collected.foundation();
        let made: Vec<String> = foundation
            .tables
            .rows(List::Processes)
            .iter()
            .map(|row| row["guid"].as_str().unwrap().to_owned())
            .collect();
        assert!(made.len() > 6);
        for guid in made {
            let at = "2026-01-01T00:00:00Z".into();
            foundation.tables.change(List::Processes, &guid, &[("/created_at", at)]);
        }
    }
    let error = loop {
        match collected.cycle() {
            Ok(_) => collected.pass(15),
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("/v3/processes") && error.contains("cc.renderer.max_total_results"), "{error}");
    assert!(error.contains("hint: ") && error.contains("2026-01-01T00:00:00Z"), "{error}");
}

/// One of everything, by the list that tells of it: a process, its app and space, a service instance, its plan.
fn of_each(collected: &Collected) -> Vec<(List, String)> {
    let (app, process) = collected.plain_apps()[0].clone();
    let foundation = collected.foundation();
    let space = foundation.world.apps[&app].space.clone();
    let service = foundation.world.services.values().find(|service| service.plan.is_some()).unwrap();
    vec![
        (List::Processes, process),
        (List::Apps, app),
        (List::Spaces, space),
        (List::ServiceInstances, service.guid.clone()),
        (List::ServicePlans, service.plan.clone().unwrap()),
    ]
}

#[test]
fn what_cannot_be_read_at_onboarding_is_billed_from_the_epoch_once_it_can() {
    let mut healthy = without_snapshots(13, 8, |_| ());
    healthy.onboard();
    let each = of_each(&healthy);
    for row in each {
        println!("{row:?}");
        let mut collected = without_snapshots(13, 8, |_| ());
        hide(&collected, row.0, &row.1);
        collected.onboard();
        let told = undecodable(&collected);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].detail.contains(&row.1) && told[0].detail.contains('`'), "{told:#?}");
        assert!(told[0].at.unwrap() >= collected.epoch());
        let before = collected.open();
        // A restart and looks end nothing, and tell nothing twice.
        collected.restart();
        look(&mut collected);
        look(&mut collected);
        assert_eq!(collected.open(), before);
        assert_eq!(undecodable(&collected).len(), 1);

        show(&collected);
        look(&mut collected);
        // Its disk is observed.
        caught_up(collected.cycle());
        let mut healthy = without_snapshots(13, 8, |_| ());
        healthy.onboard();
        for _ in 0..3 {
            look(&mut healthy);
        }
        assert_eq!(collected.epoch(), healthy.epoch());
        let to = collected.now();
        assert_eq!(collected.usage(collected.epoch(), to), healthy.usage(healthy.epoch(), to));
        assert_eq!(undecodable(&collected).len(), 2, "that it can be read again is told, too");
        collected.program().succeed(&["ledger", "rebuild"]);
        collected.program().succeed(&["ledger", "verify"]);
    }
}

#[test]
fn no_look_ends_or_changes_what_cannot_be_read() {
    for at in 0..5 {
        let mut collected = without_snapshots(17, 8, |_| ());
        collected.onboard();
        let (list, guid) = of_each(&collected)[at].clone();
        println!("{list:?} {guid}");
        let open = collected.open();
        hide(&collected, list, &guid);
        for _ in 0..3 {
            look(&mut collected);
        }
        assert_eq!(collected.open(), open);
        // Also when what is open has to be settled, because the streams can't be read on from where they were.
        collected.foundation().purge_and_reseed(cf_billing::domain::Stream::App);
        collected.foundation().purge_and_reseed(cf_billing::domain::Stream::Service);
        collected.pass(600);
        caught_up(collected.cycle());
        assert_eq!(collected.gaps().len(), 2);
        let starts = |lines: Vec<String>| -> Vec<String> {
            lines.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        assert_eq!(starts(collected.open()), starts(open));
    }
}

#[test]
fn what_began_in_a_gap_and_could_not_be_read_when_that_was_settled_counts_once_it_can() {
    let mut collected = without_snapshots(17, 8, |_| ());
    collected.onboard();
    // Somebody purges both streams after an app was started, and its row can't be read.
    let (app, process) = {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let (world, tables) = (&mut foundation.world, &mut foundation.tables);
        let space = world.spaces.keys().next().unwrap().clone();
        let app = world.create_app(tables, &space, "lost", &[]);
        let receipt = world.receipt("go_buildpack");
        world.set_droplet(tables, &app, receipt, &[]);
        world.start_app(tables, &app);
        (app.clone(), world.apps[&app].processes[0].clone())
    };
    for stream in cf_billing::domain::Stream::ALL {
        collected.foundation().tables.events_mut(stream).clear();
    }
    hide(&collected, List::Apps, &app);
    collected.pass(600);
    let mut settled = false;
    for _ in 0..4 {
        let _ = collected.cycle();
        settled |= collected.gaps().iter().any(|gap| gap.settled_at.is_some());
        collected.pass(600);
    }
    assert!(settled, "the gap is settled");
    assert!(!collected.open().iter().any(|line| line.contains(&process)));
    look(&mut collected);
    show(&collected);
    look(&mut collected);
    let open = collected.open();
    let line = open.iter().find(|line| line.contains(&process)).unwrap_or_else(|| panic!("{open:#?}"));
    // Up to the look that could read it, that is assumed.
    assert!(line.contains("estimated: false"), "{line}");
    let entries = collected.entries_of(&process);
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry.interval.estimated), "{entries:#?}");
}

#[test]
fn a_month_is_held_by_each_day_on_which_a_row_cannot_be_read() {
    let mut collected = without_snapshots(17, 8, |_| ());
    collected.onboard();
    let (list, guid) = of_each(&collected)[0].clone();
    hide(&collected, list, &guid);
    // From the first of March into April.
    for _ in 0..(40 * 4) {
        look(&mut collected);
    }
    let told = undecodable(&collected);
    let in_month =
        |month: &str| told.iter().filter(|anomaly| anomaly.at.unwrap().to_string().starts_with(month)).count();
    assert!((20..=32).contains(&in_month("2026-03")), "once a day: {}", in_month("2026-03"));
    assert!(in_month("2026-04") > 5, "{told:#?}");
    let listed = collected.program().succeed(&["anomalies", "--foundation", NAME, "--kind", "undecodable"]);
    assert!(listed.stdout.contains("can't be read"), "{}", listed.stdout);
}

/// The buildpack of each open process, and how many are told to be assumed.
fn buildpacks(collected: &Collected) -> (Vec<(String, Option<String>)>, usize) {
    let head = collected.head();
    let open = collected.runtime.block_on(collected.store.open_resources(&head)).unwrap();
    let mut found: Vec<(String, Option<String>)> = (open.iter())
        .filter(|loaded| loaded.resource.key.kind == Kind::Process)
        .map(|loaded| {
            let run = loaded.resource.run.as_ref().unwrap();
            (loaded.resource.key.guid.to_string(), run.piece.footprint.buildpack.as_ref().map(ToString::to_string))
        })
        .collect();
    found.sort();
    let filter = AnomalyFilter { kind: Some(AnomalyKind::BuildpackAssumed), ..AnomalyFilter::default() };
    let assumed = collected.runtime.block_on(collected.store.anomalies(&filter, 1000)).unwrap().0.len();
    (found, assumed)
}

#[test]
fn a_snapshot_and_lists_give_the_same_buildpacks_and_say_when_they_guess() {
    let onboarded = |snapshots: bool, change: &dyn Fn(&Collected)| {
        let mut collected = Collected::settled(23, 8);
        collected.foundation().options.snapshots = snapshots;
        change(&collected);
        collected.onboard();
        buildpacks(&collected)
    };
    let same = |change: &dyn Fn(&Collected), assumed: usize| {
        let (of_snapshot, of_lists) = (onboarded(true, change), onboarded(false, change));
        assert!(of_lists.0.iter().any(|(_, buildpack)| buildpack.is_some()));
        assert_eq!(of_lists, of_snapshot);
        assert_eq!(of_lists.1, assumed);
        of_lists.0
    };
    // One that was staged by a buildpack, not a container image.
    let staged = |collected: &Collected| {
        let apps = collected.plain_apps();
        let foundation = collected.foundation();
        let is_staged = |app: &String| {
            let app = &foundation.world.apps[app];
            !app.docker && app.droplet.as_ref().is_some_and(|droplet| droplet.name.is_some())
        };
        apps.into_iter().map(|(app, _)| app).find(is_staged).unwrap()
    };
    let at_rest = same(&|_| (), 0);
    // A setting that was changed without a restage isn't what runs.
    let ask = |collected: &Collected, asked: &str| {
        let guid = staged(collected);
        let mut foundation = collected.foundation();
        foundation.tables.change(List::Apps, &guid, &[("/lifecycle/data/buildpacks", serde_json::json!([asked]))]);
    };
    for asked in ["https://later.example.com/bp.git", "ruby_buildpack"] {
        assert_eq!(same(&|collected| ask(collected, asked), 0), at_rest);
    }
    // While an app is rolled over, its current droplet is that of the new process alone.
    let roll = |collected: &Collected| {
        let guid = staged(collected);
        collected.world(|world, tables| {
            let receipt = world.receipt("ruby_buildpack");
            world.create_deployment(tables, &guid, receipt);
        });
    };
    same(&roll, 2);
}

#[test]
fn what_an_app_asks_for_stands_in_for_a_droplet_that_may_not_be_read() {
    let mut collected = without_snapshots(23, 8, |_| ());
    collected.fail(|request| {
        let refused = r#"{"errors":[{"code":10003,"title":"CF-NotAuthorized","detail":"You are not authorized"}]}"#;
        let is_droplets = request.uri().path().contains("droplets");
        let answer = http::Response::builder().status(403).header("content-type", "application/json");
        is_droplets.then(|| Ok(answer.body(refused.into()).unwrap()))
    });
    collected.onboard();
    let (found, assumed) = buildpacks(&collected);
    let named = found.iter().filter(|(_, buildpack)| buildpack.is_some()).count();
    assert!(named > 0);
    assert_eq!(assumed, named, "all that is named is assumed");
}

/// Each fault of Cloud Controller's own that stops nothing, and words that a line of `check` has for it.
pub const OTHERWISE: &[(&str, &[&str])] = &[
    ("null-updated-at", &["apps", "processes"]),
    ("no-droplet-relationship", &["don't name their current droplet", "nothing needs to be done"]),
    ("no-created-ats", &["can't be filtered by time", "nothing needs to be done"]),
    ("max-total-results", &["at most 99 rows", "cc.renderer.max_total_results"]),
    ("machine-ahead", &["events have impossible times", "set the clock of that Cloud Controller machine"]),
    ("unreadable-rows", &["/v3/apps/", "can't be read: `state`", "wait for acceptance"]),
];

#[test]
fn check_says_what_is_otherwise_and_that_nothing_is_to_be_done() {
    for (fault, words) in OTHERWISE {
        let program = Program::new();
        let (_simulated, api) = simulate(&program, &["--fault", fault]);
        configure(&program, &api, "");
        let run = program.run(&["check", "--config", "cf-billing.toml", "--format", "json"]);
        let lines: Value = serde_json::from_str(&run.stdout).unwrap();
        let of = |line: &Value| format!("{}\nhint: {}", line["detail"], line["hint"]);
        let told = lines.as_array().unwrap().iter().any(|line| words.iter().all(|word| of(line).contains(word)));
        assert!(told, "{fault}: {lines:#}");
        let failed = lines.as_array().unwrap().iter().filter(|line| line["verdict"] == "fail");
        assert_eq!(failed.collect::<Vec<_>>(), Vec::<&Value>::new(), "{fault}");
    }
}

mod on_postgres {
    #[test]
    fn what_cannot_be_read_at_onboarding_is_billed_from_the_epoch_once_it_can() {
        crate::support::database::on_postgres(
            super::what_cannot_be_read_at_onboarding_is_billed_from_the_epoch_once_it_can,
        );
    }
}
