//! A foundation is itself: another one under its address ends nothing and loses nothing, and what only looks like another
//! one goes on by itself.

use cf_billing::cloud_controller::transport::TransportError;
use cf_billing::consumer::{CollectError, Cycle, Held, Repair};
use cf_billing::domain::{GapReason, GapStage, Kind, Stream, Timestamp};
use cf_billing::simulator::Foundation;
use serde_json::json;

use crate::support::background::{configure, eventually, run, simulate, text};
use crate::support::collected::{Collected, NAME, caught_up};
use crate::support::database;
use crate::support::program::Program;

/// An hour in which people do something, told in cycles.
#[track_caller]
fn go_on(collected: &mut Collected) {
    for _ in 0..4 {
        collected.act(900, 3);
        caught_up(collected.cycle());
    }
}

fn onboarded() -> Collected {
    let mut collected = Collected::settled(7, 12);
    collected.onboard();
    go_on(&mut collected);
    collected
}

/// Another foundation, in which it is the same time.
fn another(now: Timestamp) -> Foundation {
    let mut foundation = Foundation::new(4711, now);
    foundation.world.settle(&mut foundation.tables, 9);
    foundation.world.truth.remember();
    foundation.world.truth.begin(now);
    foundation
}

/// Puts it under the address; gives what was there.
fn swap(collected: &Collected, foundation: Foundation) -> Foundation {
    std::mem::replace(&mut *collected.foundation(), foundation)
}

#[track_caller]
fn held(cycle: Result<Cycle, CollectError>) -> Held {
    match cycle {
        Err(CollectError::Held(held)) => held,
        other => panic!("not held: {other:?}"),
    }
}

/// Another system domain, its UAA with it, and configured so.
fn move_to(collected: &mut Collected, api: &'static str) {
    api.trim_end_matches('/').clone_into(&mut collected.foundation().base);
    collected.api = api;
    collected.restart();
}

/// Everything a cycle could have changed.
fn book(collected: &Collected) -> impl PartialEq + std::fmt::Debug + use<> {
    (collected.head(), collected.open(), collected.gaps(), collected.archived().len())
}

/// Guids of what the book holds as running; a build counts to its cap, whatever becomes of it.
fn running(collected: &Collected) -> Vec<String> {
    let open = collected.runtime.block_on(collected.store.open_resources(&collected.head())).unwrap();
    let keys = open.into_iter().map(|loaded| loaded.resource.key).filter(|key| key.kind != Kind::Staging);
    keys.map(|key| key.guid.to_string()).collect()
}

#[test]
fn another_foundation_under_the_address_ends_nothing() {
    for restarted in [false, true] {
        let mut collected = onboarded();
        let before = book(&collected);
        let other = another(collected.now());
        let first = swap(&collected, other);
        for _ in 0..3 {
            if restarted {
                collected.restart();
            }
            collected.act(3600 * 7, 2);
            let told = held(collected.cycle());
            assert!(matches!(&told, Held::NotRecognised { foundation, .. } if foundation == NAME), "{told:?}");
            let text = told.to_string();
            assert!(text.contains("another foundation than `sim` answers at http://127.0.0.1"), "{text}");
            assert!(text.contains("hint: ") && text.contains("cf-billing foundations adopt sim"), "{text}");
            assert_eq!(book(&collected), before, "restarted: {restarted}");
        }
        // By hand, too.
        let looked = collected.with_collector(async |collector| collector.look_now(Repair::All).await);
        assert!(matches!(looked, Err(CollectError::Held(_))), "{looked:?}");
        let beside = collected.with_collector(async |collector| collector.look_beside(1).await);
        assert!(matches!(beside, Err(CollectError::Held(_))), "{beside:?}");
        assert_eq!(book(&collected), before);
        // The first is back, and nothing was lost.
        let now = collected.now();
        swap(&collected, first);
        collected.foundation().advance(now);
        caught_up(collected.cycle());
        go_on(&mut collected);
        assert_eq!(collected.gaps(), []);
        collected.check_truth();
    }
}

/// While its events were never read to an end, and while a gap is being settled.
#[test]
fn another_foundation_is_noticed_at_every_stage() {
    // Nothing was ever written in its streams.
    let mut collected = Collected::settled(7, 12);
    for stream in Stream::ALL {
        collected.foundation().tables.events_mut(stream).clear();
    }
    collected.onboard();
    assert_eq!(collected.checkpoint(Stream::App), (None, None));
    assert!(!collected.open().is_empty());
    let before = book(&collected);
    let other = another(collected.now());
    let first = swap(&collected, other);
    for _ in 0..3 {
        collected.pass(7 * 3600);
        held(collected.cycle());
        assert_eq!(book(&collected), before);
    }
    let now = collected.now();
    swap(&collected, first);
    collected.foundation().advance(now);
    caught_up(collected.cycle());
    go_on(&mut collected);
    assert_eq!(collected.gaps(), []);

    // A gap is recorded, and its stream not read again yet.
    let mut collected = onboarded();
    for stream in Stream::ALL {
        collected.foundation().purge_and_reseed(stream);
    }
    let mut left = 2;
    collected.fail(move |request| {
        let is_list = request.uri().path().ends_with("/app_usage_events");
        let unfiltered = is_list && !request.uri().query().unwrap_or_default().contains("after_guid");
        left -= i32::from(unfiltered);
        (unfiltered && left <= 0).then(|| Err(TransportError::Connect("for now".to_owned())))
    });
    assert!(collected.cycle().is_err());
    collected.heal();
    assert!(collected.gaps().iter().any(|gap| gap.stage == GapStage::Reading), "{:?}", collected.gaps());
    let before = book(&collected);
    let other = another(collected.now());
    let first = swap(&collected, other);
    collected.restart();
    held(collected.cycle());
    held(collected.cycle());
    assert_eq!(book(&collected), before);
    let now = collected.now();
    swap(&collected, first);
    collected.foundation().advance(now);
    caught_up(collected.cycle());
    assert!(collected.gaps().iter().all(|gap| gap.stage == GapStage::Settled), "{:?}", collected.gaps());
}

// --- what goes on by itself

/// Both streams emptied by an administrator: the rest is there.
#[test]
fn a_purge_is_no_other_foundation() {
    let mut collected = onboarded();
    for stream in Stream::ALL {
        collected.foundation().purge_and_reseed(stream);
    }
    collected.restart();
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!(
        gaps.iter().all(|gap| gap.reason == GapReason::CheckpointGone && gap.stage == GapStage::Settled),
        "{gaps:?}"
    );
    go_on(&mut collected);
    collected.check_truth();
}

/// The events since yesterday are gone with the database in which they were; what was there yesterday is.
#[test]
fn a_restored_database_is_no_other_foundation() {
    let mut collected = onboarded();
    let yesterday = collected.foundation().tables.clone();
    collected.act(3600, 0);
    for number in 0..3 {
        collected.act(3600, 4 + number);
        caught_up(collected.cycle());
    }
    let before = collected.checkpoint(Stream::App);
    for stream in Stream::ALL {
        let events = yesterday.events(stream).to_vec();
        *collected.foundation().tables.events_mut(stream) = events;
    }
    collected.restart();
    collected.pass(60);
    caught_up(collected.cycle());
    assert_eq!(collected.gaps().len(), 2, "{:?}", collected.gaps());
    assert_ne!(collected.checkpoint(Stream::App), before);
    assert!(!collected.open().is_empty());
}

/// Cells in another zone, another version, another system domain with the old name kept, another identity zone: none of
/// them is asked about, and what changed is pinned anew.
#[test]
fn an_upgrade_a_move_and_another_issuer_are_no_other_foundation() {
    let mut collected = onboarded();
    let first = collected.pin();
    assert_eq!(first.api.as_deref(), Some("http://127.0.0.1"));
    assert_eq!(first.issuer.as_deref(), Some("https://uaa.simulated.invalid/oauth/token"));
    {
        let mut foundation = collected.foundation();
        foundation.options.version = "3.300.0";
        foundation.options.domain = "sys.example.invalid";
        foundation.uaa.issuer = "https://zone.uaa.sys.example.invalid/oauth/token".to_owned();
    }
    collected.restart();
    go_on(&mut collected);
    let second = collected.pin();
    assert_eq!(second.issuer.as_deref(), Some("https://zone.uaa.sys.example.invalid/oauth/token"));
    assert!(second.links.as_ref().unwrap().contains("sys.example.invalid"), "{second:?}");
    assert_eq!((second.api, second.held, second.adopted_at), (first.api, None, None));
    assert_eq!(collected.gaps(), []);
    collected.check_truth();
    // Nothing is written where nothing changed.
    collected.restart();
    collected.pass(60);
    caught_up(collected.cycle());
    assert_eq!(collected.pin().pinned_at, second.pinned_at);
}

/// The daemon was away for weeks, its events were pruned, and what little ran is gone; the organization is not.
#[test]
fn a_small_book_of_which_only_the_organization_is_left_goes_on() {
    let mut collected = onboarded();
    {
        let mut foundation = collected.foundation();
        let foundation = &mut *foundation;
        let apps: Vec<String> = foundation.world.apps.keys().cloned().collect();
        for app in apps {
            foundation.world.delete_app(&mut foundation.tables, &app);
        }
        let services: Vec<String> = foundation.world.services.keys().cloned().collect();
        for service in services {
            foundation.world.delete_service(&mut foundation.tables, &service);
        }
    }
    collected.pass(40 * 86_400);
    for stream in Stream::ALL {
        collected.foundation().tables.events_mut(stream).clear();
    }
    collected.restart();
    caught_up(collected.cycle());
    assert!(!collected.gaps().is_empty());
    assert_eq!(running(&collected), [] as [String; 0]);
}

// --- what somebody decides

/// A staging copy has the same guids: only the address tells.
#[test]
fn another_address_holds_until_it_is_adopted() {
    let mut collected = onboarded();
    let before = book(&collected);
    collected.requests();
    move_to(&mut collected, "http://api.new.example.invalid");
    collected.act(3600, 3);
    let told = held(collected.cycle());
    let Held::ApiChanged { pinned, configured, .. } = &told else { panic!("{told:?}") };
    assert_eq!((pinned.as_str(), configured.as_str()), ("http://127.0.0.1", "http://api.new.example.invalid"));
    assert!(collected.requests().is_empty(), "nothing is sent where nobody said that it belongs");
    assert_eq!(book(&collected), before);
    let hold = collected.pin().held.unwrap();
    assert_eq!((hold.reason.as_str(), hold.since), ("api_changed", collected.now()));
    // Set back, it goes on; a slash is no other address.
    move_to(&mut collected, "http://127.0.0.1/");
    caught_up(collected.cycle());
    assert_eq!(collected.pin().held, None);
    // Adopted, the same foundation goes on there without a gap, and without a restart.
    move_to(&mut collected, "http://api.new.example.invalid");
    held(collected.cycle());
    collected.adopt("http://api.new.example.invalid");
    go_on(&mut collected);
    let pin = collected.pin();
    assert_eq!((pin.held, pin.adopting, pin.adopted_by.as_deref()), (None, false, Some("somebody")));
    assert_eq!(collected.gaps(), []);
    collected.check_truth();
    // That said nothing of any other.
    move_to(&mut collected, "http://127.0.0.1");
    held(collected.cycle());
}

/// Somebody says so: then what ran in the first has ended where it was last seen, and the second is billed.
#[test]
fn an_adopted_foundation_takes_the_place_of_the_first() {
    let mut collected = onboarded();
    let known_until = collected.head().known_until.unwrap();
    let of_first = running(&collected);
    assert!(!of_first.is_empty());
    let other = another(collected.now());
    let first = swap(&collected, other);
    collected.pass(3600);
    held(collected.cycle());
    collected.adopt("http://127.0.0.1");
    caught_up(collected.cycle());
    let gaps = collected.gaps();
    assert!(gaps.iter().all(|gap| gap.stage == GapStage::Settled && gap.from == known_until), "{gaps:?}");
    let open = running(&collected);
    assert!(!open.is_empty() && !open.iter().any(|guid| of_first.contains(guid)), "{open:?}");
    go_on(&mut collected);
    collected.restart();
    go_on(&mut collected);
    // The first is another one now.
    let before = book(&collected);
    let now = collected.now();
    swap(&collected, first);
    collected.foundation().advance(now);
    held(collected.cycle());
    collected.restart();
    held(collected.cycle());
    assert_eq!(book(&collected), before);
}

/// Books of earlier versions have nothing pinned.
#[test]
fn a_book_of_an_earlier_version_pins_what_it_recognises() {
    for is_another in [false, true] {
        let mut collected = onboarded();
        let url = collected.url();
        database::execute(&url, "DELETE FROM foundation_identity").unwrap();
        let before = book(&collected);
        collected.restart();
        if is_another {
            let other = another(collected.now());
            swap(&collected, other);
            held(collected.cycle());
            assert_eq!(book(&collected), before);
            assert_eq!(collected.pin().api, None);
        } else {
            caught_up(collected.cycle());
            assert_eq!(collected.pin().api.as_deref(), Some("http://127.0.0.1"));
        }
    }
}

/// Before anything is known of it an address may be mended.
#[test]
fn an_empty_book_takes_any_address() {
    let mut collected = Collected::settled(7, 12);
    collected.cycle().unwrap();
    assert_eq!(collected.pin().api.as_deref(), Some("http://127.0.0.1"));
    assert_eq!(collected.head().last_sequence, 0);
    move_to(&mut collected, "http://api.example.invalid");
    collected.onboard();
    assert_eq!(collected.pin().api.as_deref(), Some("http://api.example.invalid"));
}

/// Neither a failing list nor a token that sees nothing says that this is another foundation.
#[test]
fn what_cannot_be_asked_decides_nothing() {
    let mut collected = onboarded();
    let before = book(&collected);
    let other = another(collected.now());
    let first = swap(&collected, other);
    collected.restart();
    collected.pass(60);
    collected.fail(|request| {
        let path = request.uri().path();
        let list = path.ends_with("/organizations") || path.ends_with("/spaces");
        list.then(|| Ok(http::Response::builder().status(502).body("<html>".into()).unwrap()))
    });
    let error = collected.cycle().unwrap_err();
    assert!(matches!(error, CollectError::Api(_)), "{error}");
    assert_eq!(book(&collected), before);
    assert_eq!(collected.pin().held, None);
    // The right one, in which the token sees nothing.
    swap(&collected, first);
    collected.fail(|request| {
        let path = request.uri().path();
        let empty = json!({"pagination": {"total_results": 0, "total_pages": 1, "next": null}, "resources": []});
        let missing = json!({"errors": [{"code": 10010, "title": "CF-ResourceNotFound", "detail": "not found"}]});
        let (status, body) = match path {
            "/" | "/oauth/token" => return None,
            path if path.split('/').count() > 3 => (404, missing),
            _ => (200, empty),
        };
        Some(Ok(http::Response::builder().status(status).body(body.to_string().into()).unwrap()))
    });
    for _ in 0..2 {
        let error = collected.cycle().unwrap_err();
        assert!(matches!(error, CollectError::ScopeLost { .. }), "{error}");
    }
    assert_eq!(book(&collected), before);
    assert_eq!(collected.pin().held, None);
    collected.heal();
    go_on(&mut collected);
    collected.check_truth();
}

/// With the binary as it is shipped: what holds is told wherever somebody may look, and nothing goes on by chance.
#[test]
fn a_daemon_that_holds_says_so_everywhere_and_goes_on_once_it_is_adopted() {
    let program = Program::new();
    let (first, api) = simulate(&program, &["--seed", "1"]);
    configure(&program, &api, "");
    let (daemon, url) = run(&program);
    let live = "cf_billing_onboarding_state{foundation=\"sim\",state=\"live\"} 1\n";
    eventually(|| daemon.log(), || text(&format!("{url}/metrics")).contains(live).then_some(()));
    let held = |reason: &str, held: u8| {
        format!("cf_billing_foundation_held{{foundation=\"sim\",reason=\"{reason}\"}} {held}\n")
    };
    for reason in ["api_changed", "not_recognised"] {
        assert!(text(&format!("{url}/metrics")).contains(&held(reason, 0)));
    }
    daemon.end("TERM");
    let adopt = ["foundations", "adopt", "sim", "--config", "cf-billing.toml"];
    let nothing = program.succeed(&adopt);
    assert!(nothing.stderr.contains("there is nothing to adopt"), "{}", nothing.stderr);

    let (second, other) = simulate(&program, &["--seed", "2"]);
    configure(&program, &other, "");
    let checked = program.run(&["check", "--config", "cf-billing.toml"]);
    assert_eq!(checked.code, Some(1), "{}", checked.stdout);
    let told = format!("`sim` was collected from {api}, but its `api` is now {other}");
    assert!(checked.stdout.contains(&told), "{}", checked.stdout);
    assert!(checked.stdout.contains("cf-billing foundations adopt sim"), "{}", checked.stdout);
    let (daemon, url) = run(&program);
    eventually(|| daemon.log(), || text(&format!("{url}/metrics")).contains(&held("api_changed", 1)).then_some(()));
    assert!(text(&format!("{url}/readyz")).contains("was collected from"));
    let list = || program.json(&["foundations", "list"])[0].clone();
    assert_eq!(
        (&list()["state"], &list()["held_reason"], &list()["api"]),
        (&json!("held"), &json!("api_changed"), &json!(api))
    );
    let shown = program.succeed(&["foundations", "list"]);
    assert!(shown.stdout.lines().all(|line| line.chars().count() <= 100), "{}", shown.stdout);
    assert!(shown.stderr.contains("held since") && shown.stderr.contains(&told), "{}", shown.stderr);

    let asked = program.run(&adopt);
    assert_eq!(asked.code, Some(2));
    assert!(asked.stderr.contains("this is another foundation") && asked.stderr.contains("--yes"), "{}", asked.stderr);
    assert_eq!(list()["state"], "held");
    let adopted = program.succeed(&[&adopt[..], &["--yes"]].concat());
    assert!(adopted.stderr.contains("If you adopt it, all that the book holds as running ends"), "{}", adopted.stderr);
    assert!(adopted.stderr.lines().all(|line| line.chars().count() <= 100), "{}", adopted.stderr);
    eventually(
        || daemon.log(),
        || {
            let metrics = text(&format!("{url}/metrics"));
            (metrics.contains(&held("api_changed", 0)) && metrics.contains(live)).then_some(())
        },
    );
    assert_eq!(
        (&list()["state"], &list()["held_since"], &list()["api"]),
        (&json!("live"), &json!(null), &json!(other))
    );
    assert!(!list()["adopted_at"].is_null());
    let settled = || {
        let gaps = program.json(&["gaps"]);
        let settled = |gap: &serde_json::Value| gap["stage"] == "settled" && gap["foundation"] == "sim";
        gaps.as_array().unwrap().iter().all(settled).then_some(gaps)
    };
    assert_eq!(eventually(|| daemon.log(), settled).as_array().unwrap().len(), 2);
    let (code, _, log) = daemon.end("TERM");
    assert_eq!(code, Some(0), "{log}");
    drop((first, second));
}

trait Pinned {
    fn pin(&self) -> cf_billing::store::Pin;
    fn adopt(&self, api: &str);
}

impl Pinned for Collected {
    fn pin(&self) -> cf_billing::store::Pin {
        self.runtime.block_on(self.store.pin(&self.head())).unwrap().unwrap()
    }

    fn adopt(&self, api: &str) {
        self.runtime.block_on(self.store.adopt(&self.head(), api, Some("somebody"), self.now())).unwrap();
    }
}

crate::on_postgres! {
    a_daemon_that_holds_says_so_everywhere_and_goes_on_once_it_is_adopted,
    another_foundation_under_the_address_ends_nothing,
    another_foundation_is_noticed_at_every_stage,
    a_purge_is_no_other_foundation,
    an_upgrade_a_move_and_another_issuer_are_no_other_foundation,
    a_small_book_of_which_only_the_organization_is_left_goes_on,
    another_address_holds_until_it_is_adopted,
    an_adopted_foundation_takes_the_place_of_the_first,
    a_book_of_an_earlier_version_pins_what_it_recognises,
}
