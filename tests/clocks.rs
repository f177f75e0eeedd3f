//! A time is only trusted within what the order of its stream allows.

use bytes::Bytes;
use cf_billing::consumer::{CollectError, Cycle};
use cf_billing::domain::{Strategy, Timestamp};
use http::Response;
use proptest::prelude::{Just, Strategy as Drawn, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

use crate::support::background::{self, configure, eventually, get, simulate};
use crate::support::book::StoredBook;
use crate::support::collected::Collected;
use crate::support::database::{Kind as Database, kind};
use crate::support::month;
use crate::support::program::{Program, Run, path};
use crate::support::script::{clock, parse, time};

/// 1970, the year 2036 and a week that all tests fit in, as scripts say them.
const IN_1970: &str = "-20736d00:00";
const IN_2036: &str = "3500d00:00";

/// Imports a script in one page and in pages of one, folds the archive again, and compares instance-seconds of each
/// process, the estimated among them.
#[track_caller]
fn check(script: &str, expected: &[(&str, i64, i64)]) -> StoredBook {
    let lines = parse(script);
    let mut last = None;
    for page_size in [usize::MAX, 1] {
        let book = StoredBook::new();
        book.import(&lines, page_size);
        let usage = book.usage(time("-3000d00:00"), time("3000d00:00"));
        let rows: Vec<(String, i64, i64)> = (usage.into_iter())
            .map(|(keys, quantities)| (keys[2].clone().unwrap_or("t".to_owned()), quantities[0], quantities[3]))
            .collect();
        let rows: Vec<(&str, i64, i64)> = rows.iter().map(|(guid, all, some)| (&**guid, *all, *some)).collect();
        assert_eq!(rows, expected, "in pages of {page_size}\n{script}");
        assert_eq!(book.rebuilt_differs(), None, "in pages of {page_size}\n{script}");
        last = Some(book);
    }
    last.unwrap()
}

#[test]
fn an_ending_of_1970_counts_where_the_event_before_it_stands() {
    let book = check(
        &format!(
            "10:00 p STARTED
             10:00 q STARTED
             11:00 r STARTED
             {IN_1970} p STOPPED
             12:00 q STOPPED
             12:00 r STOPPED"
        ),
        &[("p", 3600, 3600), ("q", 7200, 0), ("r", 3600, 0)],
    );
    assert_eq!(book.anomalies("clock"), 1);
    let [span] = &book.clock_spans()[..] else { panic!("{:?}", book.clock_spans()) };
    assert_eq!(span.reference(), "f/1");
    assert_eq!(span.times, [(time(IN_1970), time("11:00"))]);
}

#[test]
fn a_beginning_of_2036_counts_where_the_event_after_it_stands_and_clamps_nothing() {
    let book = check(
        &format!(
            "10:00 q STARTED
             {IN_2036} p STARTED
             11:00 q STOPPED
             12:00 p STOPPED
             12:30 p STARTED
             13:00 p STOPPED"
        ),
        &[("p", 5400, 3600), ("q", 3600, 0)],
    );
    assert_eq!(book.known(), (Some(time("13:00")), Some(time("13:00"))));
    assert_eq!(book.anomalies("time_ran_backwards"), 0);
}

#[test]
fn a_task_stamped_2000_counts_from_its_neighbour() {
    check(
        "10:00 q STARTED
         11:00 q STOPPED
         -9779d00:00 t TASK_STARTED 64x1
         11:30 q STARTED
         12:00 t TASK_STOPPED 64x1
         12:00 q STOPPED",
        &[("q", 5400, 0), ("t", 3600, 3600)],
    )
    .clock_spans()
    .iter()
    .for_each(|span| assert_eq!(span.times, [(time("-9779d00:00"), time("11:00"))]));
}

/// The tolerance of 6 hours, and a second more.
#[test]
fn times_that_run_back_by_the_tolerance_are_taken_and_by_a_second_more_they_are_bounded() {
    let script = |q: &str| {
        format!(
            "10:00 p STARTED
             {q} q STARTED
             10:00:01 p STOPPED
             17:00 q STOPPED"
        )
    };
    let within = check(&script("16:00:01"), &[("p", 1, 0), ("q", 3599, 0)]);
    assert_eq!(within.anomalies("clock"), 0);
    let beyond = check(&script("16:00:02"), &[("p", 1, 0), ("q", 25_199, 25_199)]);
    assert_eq!(beyond.anomalies("clock"), 1);
}

#[test]
fn a_stream_that_was_quiet_for_weeks_has_no_outlier() {
    let book = check(
        "10:00 p STARTED
         50d10:00 p STOPPED",
        &[("p", 50 * 86_400, 0)],
    );
    assert_eq!(book.clock_spans(), []);
}

#[test]
fn the_last_event_of_a_file_is_bounded_by_when_it_was_read_and_makes_nothing_complete() {
    let script = format!(
        "10:00 p STARTED
         11:00 q STARTED
         {IN_2036} p STOPPED"
    );
    let lines = parse(&script);
    let book = StoredBook::new();
    book.import(&lines, 10);
    assert_eq!(book.known(), (Some(time("11:00")), Some(time("11:00"))), "what 2036 says completes nothing");
    let [span] = &book.clock_spans()[..] else { panic!("{:?}", book.clock_spans()) };
    assert_eq!((span.provisional, &span.times[..]), (1, &[(time(IN_2036), time("1000d00:00"))][..]));
    // The next file tells.
    let more = parse(&format!("{script}\n12:00 q STOPPED"));
    book.import(&more, 10);
    let [span] = &book.clock_spans()[..] else { panic!("{:?}", book.clock_spans()) };
    assert_eq!((span.provisional, &span.times[..]), (0, &[(time(IN_2036), time("12:00"))][..]));
    assert_eq!(book.known().0, Some(time("12:00")));
    assert_eq!(book.rebuilt_differs(), None);
}

/// A later event that agrees with the stated time speaks for it.
#[test]
fn a_bound_is_lifted_when_a_later_neighbour_agrees() {
    let script = "10:00 p STARTED\n1001d00:00 p STOPPED";
    let book = StoredBook::new();
    book.import(&parse(script), 10);
    assert_eq!(book.clock_spans().len(), 1);
    book.import(&parse(&format!("{script}\n1000d01:00 q STARTED\n1001d01:00 q STOPPED")), 10);
    // The new last event is read before its time, too; the one of before agrees with it no more than within a day.
    let spans = book.clock_spans();
    let stated: Vec<Timestamp> = spans.iter().flat_map(|span| &span.times).map(|(stated, _)| *stated).collect();
    assert!(!stated.contains(&time("10:00")), "{spans:?}");
    assert_eq!(book.rebuilt_differs(), None);
}

/// Events whose clock is wrong now and then: processes that start and stop, a minute or some hours apart.
fn script_with_wrong_clocks() -> impl Drawn<Value = String> {
    let step = prop_oneof![4 => 1..120_i64, 3 => 600..5000_i64, 1 => 20_000..90_000_i64, 1 => -3000..0_i64];
    let off = prop_oneof![
        12 => Just(0_i64),
        1 => Just(8 * 3600),
        1 => Just(-8 * 3600),
        1 => Just(-1_791_500_000),
        1 => Just(300_000_000),
    ];
    let span = prop_oneof![3 => Just(1_usize), 1 => 2..6_usize];
    let events = prop::collection::vec((step, off, span, 0..4_u8, prop_oneof!["STARTED", "STOPPED"]), 2..25);
    events.prop_map(|events| {
        let mut at = time("01:00");
        let (mut wrong, mut left) = (0, 0);
        let mut lines = Vec::new();
        for (step, off, span, process, state) in events {
            at = at.plus(step);
            if left == 0 {
                (wrong, left) = (off, span);
            }
            left -= 1;
            lines.push(format!("{} p{process} {state} {}x1", clock(at.plus(wrong)), 256 << (process % 2)));
        }
        lines.join("\n")
    })
}

fn config() -> Config {
    let persistence = proptest::test_runner::FileFailurePersistence::Direct("tests/clocks.regressions");
    Config {
        // Each case has databases of its own.
        cases: if kind() == Database::Postgres { 4 } else { 24 },
        rng_seed: RngSeed::Fixed(20_261_129),
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn however_files_and_pages_are_cut_the_same_times_are_trusted(
        script in script_with_wrong_clocks(), page_size in 1..7_usize, cut in 1..24_usize, left_out in 1..20_usize,
    ) {
        let lines = parse(&script);
        let whole = StoredBook::new();
        whole.import(&lines, 100);
        let all = |book: &StoredBook| {
            let spans: Vec<_> = book.clock_spans().into_iter().flat_map(|span| span.times).collect();
            let mut spans = spans;
            spans.sort();
            (book.usage(time("-3d00:00"), time("40d00:00")), book.open_since(), spans, book.known())
        };
        let in_files = StoredBook::new();
        in_files.import_events(&lines, 0..cut, page_size);
        in_files.import_events(&lines, 0..100, page_size);
        prop_assert_eq!(all(&in_files), all(&whole));
        // One is found late, behind those that follow it.
        let late = StoredBook::new();
        late.import_events(&lines, 0..left_out, page_size);
        if late.try_import_events(&lines, left_out + 1..100, page_size).is_err() {
            // Without what leads up to it, a file that begins before all others is refused.
            return Ok(());
        }
        late.import_events(&lines, 0..100, page_size);
        prop_assert_eq!(all(&late), all(&whole));
        for book in [&whole, &in_files, &late] {
            prop_assert_eq!(book.rebuilt_differs(), None);
        }
    }
}

crate::on_postgres! {
    however_files_and_pages_are_cut_the_same_times_are_trusted,
    the_last_event_of_a_file_is_bounded_by_when_it_was_read_and_makes_nothing_complete,
}

/// Imports app events with the binary.
fn imported(program: &Program, events: &[Value], more: &[&str]) -> Run {
    let file = program.folder.path().join("events.jsonl");
    let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    program.succeed(&[&["import", "--foundation", "eu1", "--app-events", path(&file)], more].concat())
}

/// Its month and the one in which it counts wait, and no other, for one word.
#[test]
fn an_invoice_waits_for_one_acceptance_of_a_span() {
    let program = Program::new();
    month::card(&program, month::INSTANCE_HOURS);
    std::fs::write(program.folder.path().join("cf-billing.toml"), "[billing]\ngrace = \"0s\"\n").unwrap();
    let events = [
        month::event("e1", "2025-09-05T00:00:00Z", "STARTED", "p1"),
        month::event("e2", "2025-10-05T00:00:00Z", "STARTED", "p2"),
        month::event("e3", "2000-01-01T00:00:00Z", "STOPPED", "p2"),
        month::event("e4", "2036-01-01T00:00:00Z", "STARTED", "p3"),
        month::event("e5", "2025-10-05T01:00:00Z", "STARTED", "p4"),
        month::event("e6", "2025-11-05T00:00:00Z", "STOPPED", "p4"),
    ];
    let run = imported(&program, &events, &["--complete-until", "2025-12-02T00:00:00Z"]);
    assert!(run.stderr.contains("2 event(s)") && run.stderr.contains("--accept clock:eu1/1"), "{}", run.stderr);
    let spans = program.json(&["clocks"]);
    let expected = json!([{
        "clock": "eu1/1", "foundation": "eu1", "number": 1, "events": 2, "provisional": 0,
        "stated_from": "2000-01-01T00:00:00Z", "stated_to": "2036-01-01T00:00:00Z",
        "counted_from": "2025-10-05T00:00:00Z", "counted_to": "2025-10-05T01:00:00Z",
    }]);
    assert_eq!(spans, expected);
    let finalize = |month: &'static str, more: &[&str]| {
        let with = ["invoices", "finalize", "--period", month, "--rates", "card.toml", "--config", "cf-billing.toml"];
        program.run(&[&with, more].concat())
    };
    let estimated = "estimated:";
    for (month, held) in [("2025-09", false), ("2025-10", true)] {
        let run = finalize(month, &[]);
        assert_eq!(run.stderr.contains("--accept clock:eu1/1"), held, "{month}: {}", run.stderr);
        assert_eq!(run.code, Some(i32::from(held)), "{month}: {}", run.stderr);
    }
    let run = finalize("2025-10", &["--accept", "clock:eu1/1"]);
    assert_eq!((run.code, run.stderr.contains(estimated)), (Some(1), true), "{}", run.stderr);
    let accepted = month::accepted_estimates_of(&program, "2025-10", "card.toml");
    let accepted: Vec<&str> = accepted.iter().map(String::as_str).collect();
    // October has more than three times September's usage.
    let said = ["--accept", "clock:eu1/1", "--accept", "jump:eu1/o1"];
    let run = finalize("2025-10", &[&said, &accepted[..]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // What began on a time that isn't trusted goes on as estimated; its month has no such event.
    let run = finalize("2025-11", &[]);
    assert!(!run.stderr.contains("clock:eu1/1"), "{}", run.stderr);
}

#[test]
fn read_at_bounds_the_last_event_of_a_file() {
    let events = [
        month::event("e1", "2025-10-05T00:00:00Z", "STARTED", "p1"),
        month::event("e2", "2025-10-06T08:00:01Z", "STOPPED", "p1"),
    ];
    for (read_at, seconds, spans) in [
        // The tolerance of 6 hours, and a second less.
        ("2025-10-06T02:00:01Z", 115_201, 0),
        ("2025-10-06T02:00:00Z", 93_600, 1),
    ] {
        let program = Program::new();
        imported(&program, &events, &["--read-at", read_at, "--complete-until", "2025-11-01T00:00:00Z"]);
        let usage = program.json(&["usage", "--from", "2025-10-01", "--to", "2025-11-01", "--by", "kind"]);
        assert_eq!(usage[0]["instance_seconds"], seconds, "{read_at}");
        assert_eq!(program.json(&["clocks"]).as_array().unwrap().len(), spans, "{read_at}");
    }
}

/// Lets time pass, while our clock is off by so many seconds.
fn pass(sim: &Collected, seconds: i64, skew: i64) {
    sim.pass(seconds);
    let now = sim.now();
    sim.clock.set(now.plus(skew));
}

#[test]
fn no_epoch_is_set_while_the_clocks_are_more_than_five_minutes_apart() {
    for strategy in [Strategy::LiveLists, Strategy::Snapshot, Strategy::KeptRecords] {
        for (skew, held) in [(300, false), (301, true), (-300, false), (-301, true), (-86_400, true)] {
            let mut sim = Collected::settled(7, 3);
            sim.plan.onboarding = Some(strategy);
            pass(&sim, 60, skew);
            let cycle = sim.cycle();
            if !held {
                assert!(cycle.is_ok(), "{strategy:?} {skew}: {cycle:?}");
                continue;
            }
            let error = cycle.unwrap_err();
            assert!(matches!(error, CollectError::ClockSkew { .. }), "{strategy:?} {skew}: {error}");
            let said = error.to_string();
            for at in [sim.now(), sim.now().plus(skew)] {
                assert!(said.contains(&at.to_string()), "{said}");
            }
            assert!(said.contains("accept-clock sim"), "{said}");
            assert_eq!(sim.head().current_settings().billing_epoch, None);
            // Whoever looked at it says that theirs is right.
            let head = sim.head();
            sim.runtime.block_on(sim.store.accept_clock(&head, sim.now())).unwrap();
            for _ in 0..10 {
                pass(&sim, 15, skew);
                if let Cycle::CaughtUp(_) = sim.cycle().unwrap() {
                    break;
                }
            }
            let epoch = sim.epoch();
            assert!(epoch <= sim.now() && sim.now().seconds_since(epoch) < 600, "{strategy:?} {skew}: {epoch}");
        }
    }
}

#[test]
fn readiness_tells_both_times_until_somebody_decides() {
    let program = Program::new();
    let (_simulated, api) = simulate(&program, &["--fault", "clock-ahead"]);
    configure(&program, &api, "");
    let file = program.folder.path().join("cf-billing.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("[http]\n", "[http]\nnot_ready_after = \"1s\"\n")).unwrap();
    let (daemon, url) = background::run(&program);
    let readiness = || get(&format!("{url}/readyz"));
    let body = |answer: &Response<Bytes>| String::from_utf8_lossy(answer.body()).into_owned();
    let held = eventually(
        || body(&readiness()) + &daemon.log(),
        || {
            let answer = readiness();
            (answer.status() == 503 && body(&answer).contains("our clock says")).then_some(answer)
        },
    );
    let said = body(&held);
    assert!(said.contains("Cloud Controller's says") && said.contains("accept-clock sim"), "{said}");
    program.succeed(&["foundations", "accept-clock", "sim", "--config", "cf-billing.toml"]);
    daemon.says("onboarding is complete");
    eventually(|| body(&readiness()) + &daemon.log(), || readiness().status().is_success().then_some(()));
}

#[test]
fn an_instant_to_bill_from_decides_too() {
    let mut sim = Collected::settled(7, 3);
    sim.plan.billing_from = Some(sim.now());
    pass(&sim, 60, 7200);
    assert!(sim.cycle().is_ok());
}

/// Lists of everything are read once, however far our clock is ahead; and again when it is time to, however far behind.
#[test]
fn a_wrong_clock_of_ours_neither_repeats_nor_stops_looks_at_everything() {
    for skew in [2 * 86_400, -2 * 86_400] {
        let mut sim = Collected::settled(7, 5);
        sim.onboard();
        pass(&sim, 7 * 3600, skew);
        sim.cycle().unwrap();
        sim.requests();
        for _ in 0..10 {
            pass(&sim, 30, skew);
            sim.cycle().unwrap();
        }
        let lists = ["/v3/service_instances", "/v3/apps", "/v3/processes"];
        let asked = sim.requests();
        let asked: Vec<&String> = asked.iter().filter(|url| lists.iter().any(|list| url.contains(list))).collect();
        assert!(asked.len() <= 3, "ours is {skew} s ahead: {asked:?}");
        let before = sim.head().reconciled_at;
        for _ in 0..8 {
            pass(&sim, 3600, skew);
            sim.cycle().unwrap();
        }
        assert!(sim.head().reconciled_at > before, "ours is {skew} s ahead: {before:?}");
        assert!(sim.head().swept_until > Some(sim.now().plus(-7200 + skew.min(0))), "{:?}", sim.head().swept_until);
    }
}
