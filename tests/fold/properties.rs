//! Laws that hold for any events. Shrinking prints the shortest script that breaks one.

use cf_billing::consumer::ImportError;
use cf_billing::domain::{Settings, Stream};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use crate::support::book::StoredBook;
use crate::support::database::{Kind as Database, kind};
use crate::support::script::{Book, Line, clock, parse, time};

/// Seeds are fixed, so that a run can be repeated; failures are kept beside the tests.
pub fn config(cases: u32) -> Config {
    let persistence = proptest::test_runner::FileFailurePersistence::Direct("tests/fold/properties.regressions");
    Config {
        cases,
        rng_seed: RngSeed::Fixed(20_261_121),
        failure_persistence: Some(Box::new(persistence)),
        ..Config::default()
    }
}

/// One event as a line of a script, without its time.
fn happening() -> impl Strategy<Value = String> {
    let buildpack = prop_oneof![Just(""), Just(" bp=ruby"), Just(" bp=go")];
    let previous = prop_oneof![4 => Just(""), 1 => Just(" prev=STARTED"), 1 => Just(" prev=WAS_RUNNING")];
    let reseeded = prop_oneof![8 => Just(""), 1 => Just(" reseeded")];
    let space = prop_oneof![6 => Just(""), 1 => Just(" space=s2 org=o2")];
    let process_state = prop_oneof![
        6 => Just("STARTED"),
        4 => Just("STOPPED"),
        2 => Just("BUILDPACK_SET"),
        1 => Just("WAS_RUNNING"),
        1 => Just("FOO"),
    ];
    let process =
        (0..3_u8, process_state, 0..3_u8, prop_oneof![Just(256), Just(512)], buildpack, previous, reseeded, space)
            .prop_map(|(process, state, instances, memory, buildpack, previous, reseeded, space)| {
                format!("p{process} {state} {memory}x{instances}{buildpack}{previous}{reseeded}{space}")
            });
    let task_state = prop_oneof![Just("TASK_STARTED"), Just("TASK_STOPPED"), Just("TASK_WAS_RUNNING")];
    let repaired = prop_oneof![4 => Just(""), 1 => Just(" prev=TASK_WAS_RUNNING")];
    let task =
        (0..3_u8, task_state, repaired).prop_map(|(task, state, repaired)| format!("t{task} {state} 64x1{repaired}"));
    let staging_state = prop_oneof![Just("STAGING_STARTED"), Just("STAGING_STOPPED")];
    let staging = (0..2_u8, staging_state, prop_oneof![Just(""), Just(" bp=go")])
        .prop_map(|(app, state, buildpack)| format!("a{app} {state}{buildpack}"));
    let service_state =
        prop_oneof![2 => Just("CREATED"), 4 => Just("UPDATED"), 2 => Just("DELETED"), 1 => Just("WAS_RUNNING service")];
    let service = (0..2_u8, service_state, prop_oneof![Just("A"), Just("B")])
        .prop_map(|(instance, state, plan)| format!("s{instance} {state} plan={plan}"));
    prop_oneof![6 => process, 2 => task, 2 => staging, 2 => service]
}

/// A script: time mostly runs on, by seconds to half an hour, and sometimes back.
fn script() -> impl Strategy<Value = String> {
    let step = prop_oneof![3 => Just(0_i64), 6 => 1..120_i64, 3 => 120..2000_i64, 1 => -200..0_i64];
    (proptest::option::of(0..3600_i64), prop::collection::vec((step, happening()), 1..30)).prop_map(
        |(epoch, events)| {
            let mut at = time("01:00");
            let mut lines = Vec::new();
            if let Some(epoch) = epoch {
                lines.push(format!("epoch {}", clock(at.plus(epoch))));
            }
            for (step, happening) in events {
                at = at.plus(step);
                lines.push(format!("{} {happening}", clock(at)));
            }
            lines.join("\n")
        },
    )
}

/// A script, and which of its events arrive late.
fn script_with_late() -> impl Strategy<Value = (String, String)> {
    (script(), prop::collection::vec(prop::bool::weighted(0.2), 30)).prop_map(|(script, late)| {
        let marked = (script.lines().zip(late))
            .map(
                |(line, late)| {
                    if late && !line.starts_with("epoch") { format!("late {line}") } else { line.to_owned() }
                },
            )
            .collect::<Vec<_>>();
        (script, marked.join("\n"))
    })
}

/// A script as an import reads it: settings first, then app events, then service events.
fn by_stream(script: &str) -> Vec<Line> {
    let mut lines = parse(script);
    if !matches!(lines[0], Line::Settings(_)) {
        lines.insert(0, Line::Settings(Settings::default()));
    }
    lines.sort_by_key(|line| matches!(line, Line::Event { stream: Stream::Service, .. }));
    lines
}

proptest! {
    #![proptest_config(config(512))]

    #[test]
    fn page_size_never_changes_the_ledger(script in script(), page_size in 2..9_usize) {
        let lines = parse(&script);
        let (one, several) = (Book::fold(&lines, 1), Book::fold(&lines, page_size));
        // Every entry, its number and what it corrects; every anomaly.
        prop_assert_eq!(&several.entries, &one.entries);
        prop_assert_eq!(&several.anomalies, &one.anomalies);
        prop_assert_eq!(several.intervals(), one.intervals());
    }

    #[test]
    fn page_size_never_changes_the_ledger_with_late_events((_, script) in script_with_late(), page_size in 2..9_usize) {
        let lines = parse(&script);
        let (one, several) = (Book::fold(&lines, 1), Book::fold(&lines, page_size));
        prop_assert_eq!(&several.entries, &one.entries);
        prop_assert_eq!(several.intervals(), one.intervals());
    }

    #[test]
    fn an_event_found_late_gives_the_same_net_ledger_as_one_in_time((in_time, late) in script_with_late(), page_size in 1..5_usize) {
        let (in_time, late) = (Book::fold(&parse(&in_time), 1), Book::fold(&parse(&late), page_size));
        prop_assert_eq!(late.intervals(), in_time.intervals());
    }

    #[test]
    fn no_resource_is_ever_counted_twice_in_one_second((_, script) in script_with_late()) {
        let intervals = Book::fold(&parse(&script), 3).closed();
        for (at, one) in intervals.iter().enumerate() {
            prop_assert!(one.started_at <= one.ended_at);
            for two in &intervals[at + 1..] {
                let apart = one.ended_at <= two.started_at || two.ended_at <= one.started_at;
                prop_assert!(one.resource != two.resource || apart, "{one:?}\n{two:?}");
            }
        }
    }
}

proptest! {
    // Each case has a database of its own.
    #![proptest_config(config(if kind() == Database::Postgres { 12 } else { 48 }))]

    #[test]
    fn the_store_keeps_what_the_fold_gave(script in script(), page_size in 1..9_usize) {
        let lines = by_stream(&script);
        let book = Book::fold(&lines, 1);
        let stored = StoredBook::new();
        stored.import(&lines, page_size);
        prop_assert_eq!(stored.entries(), book.entries_without_times());
        prop_assert_eq!(stored.open(), book.open());
    }

    #[test]
    fn replaying_a_page_changes_nothing(script in script(), from in 0..30_usize, count in 1..30_usize) {
        let lines = parse(&script);
        let stored = StoredBook::new();
        stored.import(&lines, 5);
        let before = (stored.entries(), stored.open());
        stored.import_events(&lines, from..from + count, 3);
        prop_assert_eq!((stored.entries(), stored.open()), before);
    }

    #[test]
    fn what_is_sealed_and_pruned_is_missed_by_nothing_that_comes_later(
        script in script(), early in 0..8_usize, sealed in 1..12_usize, left_out in 1..6_usize, again in any::<bool>(),
        page_size in 1..9_usize,
    ) {
        let lines = parse(&script);
        let stored = |prune: bool| {
            let stored = StoredBook::new();
            // An event left out before the seal, found between sealing and pruning, and some after it, found at the end.
            stored.try_import_events(&lines, 0..early, page_size)?;
            stored.try_import_events(&lines, early + 1..early + 1 + sealed, page_size)?;
            if prune {
                stored.seal(1);
            }
            stored.try_import_events(&lines, 0..early + 1 + sealed, page_size)?;
            if prune {
                stored.prune(1);
            }
            stored.try_import_events(&lines, early + 1 + sealed + left_out..early + 8 + sealed + left_out, page_size)?;
            if prune && again {
                // A second seal, pruned at once, before those that come late.
                stored.seal(2);
            }
            stored.try_import_events(&lines, early + 1 + sealed + left_out..100, page_size)?;
            stored.try_import_events(&lines, 0..100, page_size)?;
            if prune && again {
                stored.prune(2);
            }
            stored.try_import_events(&lines, 0..100, page_size)?;
            Ok::<_, ImportError>((stored.entries(), stored.open()))
        };
        match (stored(true), stored(false)) {
            (Ok(pruned), Ok(whole)) => prop_assert_eq!(pruned, whole),
            // A file that begins before everything archived is refused either way.
            (Err(_), Err(_)) => {}
            (pruned, whole) => prop_assert!(false, "{pruned:?}\n{whole:?}"),
        }
    }

    #[test]
    fn any_cut_of_time_adds_up_to_the_whole(script in script(), cuts in prop::collection::vec(0..40_000_i64, 1..4)) {
        let stored = StoredBook::new();
        stored.import(&parse(&script), 100);
        let (from, to) = (time("00:00"), time("13:00"));
        let mut edges: Vec<_> = cuts.into_iter().map(|cut| from.plus(cut)).chain([from, to]).collect();
        edges.sort();
        let pieces: Vec<_> = edges.windows(2).map(|edges| stored.usage(edges[0], edges[1])).collect();
        prop_assert_eq!(StoredBook::sum(&pieces), stored.usage(from, to), "cut at {:?}", edges);
    }
}

crate::on_postgres! {
    the_store_keeps_what_the_fold_gave,
    replaying_a_page_changes_nothing,
    any_cut_of_time_adds_up_to_the_whole,
    what_is_sealed_and_pruned_is_missed_by_nothing_that_comes_later,
}
