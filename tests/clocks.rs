//! A time is only trusted within what the order of its stream allows.

use cf_billing::domain::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::support::book::StoredBook;
use crate::support::database::{Kind as Database, kind};
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
        &[("t", 3600, 3600), ("q", 5400, 0)],
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
fn script_with_wrong_clocks() -> impl Strategy<Value = String> {
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
