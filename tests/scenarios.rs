//! The numbered scenarios that are about more than the fold: how it is read, grouped, named, priced and billed.
//! Those of the fold are in `fold::scenarios`, those of loss in `recovery`.

use cf_billing::consumer::CollectError;
use cf_billing::domain::{DiskSource, Stream, Timestamp};
use cf_billing::simulator::Foundation;
use cf_billing::simulator::tables::List;
use cf_billing::simulator::world::Size;
use serde_json::{Value, json};

use crate::support::collected::{Collected, caught_up};
use crate::support::recorded;

const DAY: i64 = 86_400;
const CARD: &str = "name = \"test\"\ncurrency = \"EUR\"\n[[process]]\ninstance_hour = \"0.10\"\n[[staging]]\nfree = true\n\
    [[task]]\ninstance_hour = \"0.20\"\n[[service]]\ninstance_hour = \"0.05\"\n";

fn onboarded(seed: u64) -> Collected {
    let mut collected = Collected::settled(seed, 16);
    collected.onboard();
    collected
}

/// Hours pass, and are read.
fn hours(collected: &mut Collected, count: usize) {
    for _ in 0..count {
        collected.pass(3600);
        caught_up(collected.cycle());
    }
}

/// Draft lines of a month.
fn lines(collected: &Collected, month: &str, card: &str) -> Vec<Value> {
    let program = collected.program();
    let file = program.folder.path().join("card.toml");
    std::fs::write(&file, card).unwrap();
    program.succeed(&["invoices", "draft", "--period", month, "--rates", file.to_str().unwrap()]);
    let drafts = program.json(&["invoices", "list", "--period", month]);
    let shown =
        drafts.as_array().unwrap().iter().map(|draft| program.json(&["invoices", "show", &draft["id"].to_string()]));
    shown.flat_map(|draft| draft["lines"].as_array().unwrap().clone()).collect()
}

/// `order_by=created_at` sorts a restart's events by guid: it is never asked for, and the recorded pair in the default
/// order is a restart without gap.
#[test]
fn s07_a_restart_is_read_in_the_default_order() {
    let mut collected = onboarded(400);
    let (app, process) = collected.plain_apps().remove(0);
    hours(&mut collected, 1);
    collected.world(|world, tables| world.restart_app(tables, &app));
    collected.requests();
    hours(&mut collected, 1);
    assert!(collected.requests().iter().all(|request| !request.contains("order_by")));
    let restarted = collected.now().plus(-3600);
    assert_eq!(collected.entries_of(&process).last().unwrap().interval.ended_at, restarted);
    assert_eq!(collected.open_of(&process).unwrap().0, restarted);
    collected.check_truth();

    let states = |name: &str| -> Vec<String> {
        let body = recorded::exchange(&format!("{name}.json")).body;
        let state = |event: &Value| event["state"]["current"].as_str().unwrap().to_owned();
        body["resources"].as_array().unwrap().iter().map(state).collect()
    };
    let (by_id, by_time) =
        (states("TIE_restart_pair_default_order"), states("TIE_restart_pair_order_by_created_at_INVERTED"));
    let pair = ["STOPPED".to_owned(), "STARTED".to_owned()];
    assert!(by_id.windows(2).any(|states| states == pair));
    assert!(by_time.windows(2).any(|states| states[0] == pair[1] && states[1] == pair[0]));
}

/// Sweeps read everything again and again; each event counts once.
#[test]
fn s09_an_event_delivered_again_counts_once() {
    let mut collected = onboarded(401);
    for _ in 0..6 {
        collected.act(1800, 3);
        caught_up(collected.cycle());
    }
    collected.requests();
    hours(&mut collected, 2);
    assert!(collected.requests().iter().filter(|request| request.contains("usage_events")).count() > 4);
    let archived = collected.archived();
    let bodies: Vec<&str> = archived
        .iter()
        .filter(|line| line.starts_with("Event"))
        .filter_map(|line| line.split_once('{'))
        .map(|(_, rest)| rest.split_once(" {").unwrap().1)
        .collect();
    let each: std::collections::BTreeSet<&&str> = bodies.iter().collect();
    assert!(bodies.len() > 20 && each.len() == bodies.len());
    collected.check_truth();
}

/// A deployment gives the web process a new guid: state is kept per process, the invoice has one line for the app.
#[test]
fn s15_a_new_web_process_is_the_same_app() {
    let mut collected = onboarded(402);
    let (app, process) = collected.plain_apps().remove(0);
    hours(&mut collected, 1);
    collected.world(|world, tables| {
        let receipt = world.apps[&app].droplet.clone().unwrap();
        world.roll(tables, &app, receipt);
    });
    hours(&mut collected, 3);
    let now = collected.foundation().world.apps[&app].processes.clone();
    assert!(now.len() == 1 && now[0] != process, "{now:?}");
    assert!(collected.open_of(&process).is_none() && collected.open_of(&now[0]).is_some());
    let lines = lines(&collected, "2026-03", CARD);
    let of_app = lines.iter().filter(|line| line["app"]["guid"] == app.as_str() && line["kind"] == "process").count();
    assert_eq!(of_app, 1);
    collected.check_truth();
}

/// Renamed while it runs: nothing tells so until its next event; then its lines bear the newest name.
#[test]
fn s18_a_renamed_app_is_one_app_with_its_newest_name() {
    let mut collected = onboarded(403);
    let (app, process) = collected.plain_apps().remove(0);
    let name = |collected: &Collected| {
        let lines = lines(collected, "2026-03", CARD);
        let names: Vec<Value> = lines
            .iter()
            .filter(|line| line["app"]["guid"] == app.as_str() && line["kind"] == "process")
            .map(|line| line["app"]["name"].clone())
            .collect();
        assert_eq!(names.len(), 1, "one line: {names:?}");
        names[0].as_str().unwrap().to_owned()
    };
    hours(&mut collected, 1);
    let before = name(&collected);
    collected.world(|world, tables| world.rename_app(tables, &app, "renamed"));
    hours(&mut collected, 1);
    assert_eq!(name(&collected), before);
    collected.world(|world, tables| world.scale(tables, &process, Size { instances: Some(5), ..Size::default() }));
    hours(&mut collected, 1);
    assert_eq!(name(&collected), "renamed");
}

/// The organization is deleted before anything is invoiced: its usage stays, under the name it had.
#[test]
fn s19_a_deleted_organization_is_billed_under_its_name() {
    let mut collected = onboarded(404);
    hours(&mut collected, 2);
    let (org, name) = {
        let foundation = collected.foundation();
        let app = foundation.world.apps.values().find(|app| app.started).unwrap();
        let org = &foundation.world.orgs[&foundation.world.spaces[&app.space].org];
        (org.guid.clone(), org.name.clone())
    };
    collected.world(|world, tables| world.delete_org(tables, &org));
    hours(&mut collected, 26);
    assert!(collected.foundation().tables.row(List::Organizations, &org).is_none());
    let lines = lines(&collected, "2026-03", CARD);
    let of_org: Vec<&Value> = lines.iter().filter(|line| line["organization"]["guid"] == org.as_str()).collect();
    assert!(!of_org.is_empty());
    assert!(of_org.iter().all(|line| line["organization"]["name"] == name.as_str()), "{of_org:#?}");
    collected.check_truth();
}

/// No event tells of disk: it changes with the next look at the processes.
#[test]
fn s21_a_scaled_disk_counts_from_the_observation() {
    let mut collected = onboarded(405);
    let (_, process) = collected.plain_apps().remove(0);
    hours(&mut collected, 1);
    let events = collected.foundation().tables.events(Stream::App).len();
    collected.world(|world, tables| world.scale(tables, &process, Size { disk_mib: Some(4096), ..Size::default() }));
    let scaled = collected.now();
    assert_eq!(collected.foundation().tables.events(Stream::App).len(), events);
    hours(&mut collected, 2);
    let before = collected.entries_of(&process).pop().unwrap().interval;
    assert_eq!(before.ended_at, scaled, "the row says when it was saved");
    assert_ne!(before.footprint.disk_mib, 4096);
    let head = collected.head();
    let open = collected.runtime.block_on(collected.store.open_resources(&head)).unwrap();
    let run =
        open.into_iter().find(|loaded| loaded.resource.key.guid.to_string() == process).unwrap().resource.run.unwrap();
    assert_eq!((run.piece.footprint.disk_mib, run.piece.footprint.disk_source), (4096, DiskSource::Observed));
}

/// A crash loop, an evacuation: nothing is emitted, and what was asked for is billed.
#[test]
fn s22_crashes_change_nothing() {
    let mut collected = onboarded(406);
    let (_, process) = collected.plain_apps().remove(0);
    let before = collected.open_of(&process);
    hours(&mut collected, 30);
    assert_eq!(collected.open_of(&process), before);
    collected.check_truth();
}

/// Suspending an organization stops nothing.
#[test]
fn s23_a_suspended_organization_is_billed() {
    let mut collected = onboarded(407);
    let org = collected.foundation().world.orgs.keys().next().unwrap().clone();
    hours(&mut collected, 1);
    collected.world(|_, tables| tables.change(List::Organizations, &org, &[("/suspended", true.into())]));
    hours(&mut collected, 30);
    collected.check_truth();
}

/// User-provided instances are there, and free.
#[test]
fn s41_user_provided_instances_cost_nothing() {
    let mut collected = onboarded(408);
    let space = collected.foundation().world.spaces.keys().next().unwrap().clone();
    let mut own = String::new();
    collected.world(|world, tables| own = world.create_service(tables, &space, "own", None));
    hours(&mut collected, 2);
    assert!(collected.open_of(&own).is_some());
    let lines = lines(&collected, "2026-03", CARD);
    assert!(lines.iter().all(|line| line["service_instance"]["guid"] != own.as_str()));
    let program = collected.program();
    let span = ["usage", "--from", "2026-03-01", "--to", "2026-04-01", "--by", "plan"];
    let seconds = |more: &[&str]| -> i64 {
        let rows = program.json(&[&span[..], more].concat());
        rows.as_array()
            .unwrap()
            .iter()
            .filter(|row| row["service_plan_guid"].is_null())
            .map(|row| row["instance_seconds"].as_i64().unwrap())
            .sum()
    };
    let own = collected.foundation().world.services.values().filter(|service| service.plan.is_none()).count();
    let shown = seconds(&["--user-provided"]) - seconds(&[]);
    assert_eq!(shown, 2 * 3600 * i64::try_from(own).unwrap(), "usage shows them where they are asked for");
}

/// Sharing an instance emits nothing and moves nothing: its own space pays.
#[test]
fn s42_a_shared_instance_is_billed_to_its_own_space() {
    let mut collected = onboarded(409);
    let service = {
        let foundation = collected.foundation();
        foundation.world.services.values().find(|service| service.plan.is_some()).unwrap().clone()
    };
    hours(&mut collected, 1);
    collected.world(|_, tables| {
        tables.change(
            List::ServiceInstances,
            &service.guid,
            &[("/metadata/labels", json!({"shared-into": "another-space"}))],
        );
    });
    hours(&mut collected, 10);
    let usage = collected.usage(Timestamp::MIN, Timestamp::MAX);
    let spaces: Vec<&String> = usage.keys().filter(|key| key.3 == service.guid).map(|key| &key.1).collect();
    assert_eq!(spaces, [&service.space]);
    collected.check_truth();
}

/// The catalogue renames a plan between two events: it is one plan, and one price.
#[test]
fn s43_a_renamed_plan_is_found_by_its_guid() {
    let mut collected = onboarded(410);
    let service = {
        let foundation = collected.foundation();
        foundation.world.services.values().find(|service| service.plan.is_some()).unwrap().clone()
    };
    let plan = service.plan.clone().unwrap();
    hours(&mut collected, 1);
    collected.world(|world, tables| {
        world.rename_plan(&plan, "gold");
        world.update_service(tables, &service.guid, Some("renamed"), None);
    });
    hours(&mut collected, 1);
    assert_eq!(collected.entries_of(&service.guid), [], "nothing that is billed has changed");
    let lines = lines(&collected, "2026-03", CARD);
    let of_it: Vec<&Value> =
        lines.iter().filter(|line| line["service_instance"]["guid"] == service.guid.as_str()).collect();
    assert_eq!(of_it.len(), 1);
    assert_eq!((&of_it[0]["service_plan"]["guid"], &of_it[0]["service_plan"]["name"]), (&json!(plan), &json!("gold")));
    assert_eq!(of_it[0]["price"], "0.05");
}

/// An event is found after its month is final: the ledger is corrected, the invoice stays as it is.
#[test]
fn s50_a_late_event_never_rewrites_a_final_invoice() {
    let mut foundation = Foundation::new(411, Timestamp::parse("2026-03-30T08:00:00Z").unwrap());
    foundation.world.settle(&mut foundation.tables, 12);
    let mut collected = Collected::new(foundation);
    collected.onboard();
    let (app, process) = collected.plain_apps().remove(0);
    hours(&mut collected, 1);
    collected.world(|world, tables| {
        world.stop_app(tables, &app);
        let guid = tables.events(Stream::App).last().unwrap()["guid"].as_str().unwrap().to_owned();
        tables.uncommitted.insert(guid);
    });
    let stopped = collected.now();
    while collected.now() < Timestamp::parse("2026-04-01T04:00:00Z").unwrap() {
        collected.pass(1800);
        caught_up(collected.cycle());
    }
    let program = collected.program();
    let file = program.folder.path().join("card.toml");
    std::fs::write(&file, CARD).unwrap();
    let card = file.to_str().unwrap();
    let accept = crate::support::month::accepted_estimates_of(program, "2026-03", card);
    let finalize = ["invoices", "finalize", "--period", "2026-03", "--rates", card];
    program.succeed(&finalize.into_iter().chain(accept.iter().map(String::as_str)).collect::<Vec<_>>());
    let invoices = program.json(&["invoices", "list", "--status", "final"]);
    let shown = |of: &Value| program.json(&["invoices", "show", of["number"].as_str().unwrap()]);
    let before: Vec<Value> = invoices.as_array().unwrap().iter().map(shown).collect();
    assert!(!before.is_empty());
    // The longest transaction there ever was commits; the next long sweep finds what it wrote.
    collected.foundation().tables.uncommitted.clear();
    hours(&mut collected, 30);
    assert_eq!(collected.entries_of(&process).pop().unwrap().interval.ended_at, stopped);
    assert_eq!(collected.open_of(&process), None);
    let program = collected.program();
    let shown = |of: &Value| program.json(&["invoices", "show", of["number"].as_str().unwrap()]);
    assert_eq!(invoices.as_array().unwrap().iter().map(shown).collect::<Vec<_>>(), before);
    let refused = program.run(&["invoices", "finalize", "--period", "2026-03", "--rates", card]);
    assert!(refused.stderr.contains("final already"), "{}", refused.stderr);
    program.succeed(&["ledger", "verify"]);
}

/// A token that can't read everything gets empty lists: it is refused at the start, and nothing is billed as zero.
#[test]
fn s63_a_token_without_global_read_is_refused_at_the_start() {
    let mut collected = Collected::settled(412, 4);
    collected.client = ("nobody", "simulated-secret");
    let error = collected.cycle().unwrap_err();
    assert!(
        matches!(&error, CollectError::Api(error) if error.kind == cf_billing::cloud_controller::ErrorKind::MissingScope),
        "{error}"
    );
    assert_eq!((collected.archived(), collected.onboarding()), (Vec::new(), None));
    assert_eq!(collected.head().known_until, None);
}

/// 429 with text/plain JSON and half an hour to wait: no page is lost, and nothing moves.
#[test]
fn s64_a_rate_limit_loses_no_page() {
    let mut collected = onboarded(413);
    collected.act(3600, 4);
    let before = (collected.checkpoint(Stream::App), collected.head().known_until);
    collected.fail(|_| {
        let body = r#"{"errors":[{"code":10013,"title":"CF-RateLimitExceeded","detail":"Rate Limit Exceeded"}]}"#;
        let response = http::Response::builder().status(429).header("content-type", "text/plain; charset=utf-8");
        Some(Ok(response.header("retry-after", "1800").body(body.into()).unwrap()))
    });
    let error = collected.cycle().unwrap_err();
    let CollectError::Api(error) = &error else { panic!("{error}") };
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_mins(30)));
    assert_eq!((collected.checkpoint(Stream::App), collected.head().known_until), before);
    collected.heal();
    collected.pass(1800);
    assert!(caught_up(collected.cycle()).events > 0);
    collected.check_truth();
}

/// A price change and a month's end cut the same running interval in rating, at their instants in the billing time zone.
#[test]
fn s65_an_interval_is_cut_at_price_changes_and_month_ends() {
    let mut foundation = Foundation::new(414, Timestamp::parse("2026-03-27T08:00:00Z").unwrap());
    foundation.world.settle(&mut foundation.tables, 4);
    let mut collected = Collected::new(foundation);
    collected.onboard();
    let (app, process) = collected.plain_apps().remove(0);
    let instances = i64::from(collected.open_of(&process).unwrap().2);
    let epoch = collected.epoch();
    while collected.now() < Timestamp::parse("2026-04-03T12:00:00Z").unwrap() {
        collected.pass(DAY / 2);
        caught_up(collected.cycle());
    }
    assert_eq!(collected.entries_of(&process), [], "the ledger holds one open interval");
    let card = format!("{CARD}[[process]]\nfrom = 2026-03-30T13:37:00+02:00\ninstance_hour = \"0.30\"\n");
    let change = Timestamp::parse("2026-03-30T11:37:00Z").unwrap();
    let april = Timestamp::parse("2026-04-01T00:00:00Z").unwrap();
    let of_app = |lines: &[Value]| -> Vec<(String, String, i64, String)> {
        let of = |line: &&Value| line["app"]["guid"] == app.as_str() && line["kind"] == "process";
        let told = |line: &Value| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("from"), text("to"), line["quantity"].as_i64().unwrap(), text("price"))
        };
        lines.iter().filter(of).map(told).collect()
    };
    let march = of_app(&lines(&collected, "2026-03", &card));
    assert_eq!(march.len(), 2, "{march:?}");
    assert_eq!(march[0].2, instances * change.seconds_since(epoch));
    assert_eq!((march[0].1.as_str(), march[0].3.as_str()), (change.to_string().as_str(), "0.1"));
    assert_eq!(march[1].2, instances * april.seconds_since(change));
    assert_eq!((march[1].0.as_str(), march[1].3.as_str()), (change.to_string().as_str(), "0.3"));
    let in_april = of_app(&lines(&collected, "2026-04", &card));
    assert_eq!(in_april.len(), 1);
    assert_eq!(in_april[0].2, instances * collected.head().known_until.unwrap().seconds_since(april));
}
