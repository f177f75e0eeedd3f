//! The same facts give the same book: whatever comes in which file, page or order, the net ledger, the footprints and the
//! names are the same, and so they are when the archive is folded again.

use std::ops::Range;

use cf_billing::cloud_controller::decode;
use cf_billing::consumer::ImportError;
use cf_billing::domain::{Settings, Stream};
use proptest::prelude::*;

use super::properties::config;
use crate::support::book::StoredBook;
use crate::support::database::{self, Kind as Database, kind};
use crate::support::script::{Line, clock, parse, time};

/// One event as a line of a script, without its time: few guids, so that names change.
fn happening() -> impl Strategy<Value = String> {
    let called = prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")];
    let process_state = prop_oneof![4 => Just("STARTED"), 3 => Just("STOPPED"), 1 => Just("BUILDPACK_SET")];
    let buildpack = prop_oneof![2 => Just(""), 1 => Just(" bp=ruby bp-guid=r1"), 1 => Just(" bp=ruby bp-guid=r2")];
    let process = (0..2_u8, process_state, 1..3_u8, buildpack, called.clone(), 0..2_u8).prop_map(
        |(process, state, instances, buildpack, called, space)| {
            format!("p{process} {state} 256x{instances}{buildpack} called={called} space=s{space}")
        },
    );
    let task = (0..2_u8, prop_oneof![Just("TASK_STARTED"), Just("TASK_STOPPED")], called.clone())
        .prop_map(|(task, state, called)| format!("t{task} {state} called={called}"));
    let service_state = prop_oneof![2 => Just("CREATED"), 3 => Just("UPDATED"), 1 => Just("DELETED")];
    let service = (0..2_u8, service_state, prop_oneof![Just("A"), Just("B")], called, 0..2_u8, 0..2_u8).prop_map(
        |(instance, state, plan, called, space, offering)| {
            format!("i{instance} {state} plan={plan} called={called} space=s{space} offering=o{offering}")
        },
    );
    prop_oneof![4 => process, 1 => task, 4 => service]
}

/// Two streams. Time mostly runs on, sometimes stands still, and sometimes runs back by up to three minutes.
fn script() -> impl Strategy<Value = String> {
    let step = prop_oneof![3 => Just(0_i64), 6 => 1..900_i64, 1 => -180..0_i64];
    prop::collection::vec((step, happening()), 1..24).prop_map(|events| {
        let mut at = time("01:00");
        let mut lines = Vec::new();
        for (step, happening) in events {
            at = at.plus(step);
            lines.push(format!("{} {happening}", clock(at)));
        }
        lines.join("\n")
    })
}

fn lines(script: &str) -> Vec<Line> {
    let mut lines = parse(script);
    lines.insert(0, Line::Settings(Settings::default()));
    lines.sort_by_key(|line| matches!(line, Line::Event { stream: Stream::Service, .. }));
    lines
}

/// One file after another: what is refused leaves the rest to the last one, which has everything.
fn arrive(lines: &[Line], files: &[Range<usize>], page_size: usize) -> StoredBook {
    let book = StoredBook::new();
    for file in files {
        match book.try_import_events(lines, file.clone(), page_size) {
            Ok(()) | Err(ImportError::OutOfOrder { .. } | ImportError::BehindNewest { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    book.import(lines, page_size);
    book
}

/// Whether everything before is older than everything behind, in both streams: only there can a file that meets nothing
/// archived begin or end, for its times alone say where it belongs.
fn is_clean(lines: &[Line], cut: usize) -> bool {
    Stream::ALL.into_iter().all(|stream| {
        let times: Vec<_> = (lines.iter())
            .filter_map(|line| match line {
                Line::Event { stream: of, raw, .. } if *of == stream => Some(decode(stream, raw).event.created_at),
                _ => None,
            })
            .collect();
        let cut = cut.min(times.len());
        times[..cut].iter().max().zip(times[cut..].iter().min()).is_none_or(|(before, behind)| before < behind)
    })
}

proptest! {
    #![proptest_config(config(if kind() == Database::Postgres { 16 } else { 96 }))]

    #[test]
    fn files_pages_and_lateness_never_change_the_book(
        script in script(), files in prop::collection::vec((0..20_usize, 1..12_usize), 0..4), page_size in 1..9_usize,
    ) {
        let lines = lines(&script);
        let whole = StoredBook::new();
        whole.import(&lines, 100);
        let files: Vec<_> = files.into_iter().map(|(from, count)| {
            let from = (0..=from).rev().find(|cut| is_clean(&lines, *cut)).unwrap();
            let to = (from + count..=from + count + lines.len()).find(|cut| is_clean(&lines, *cut)).unwrap();
            from..to
        }).collect();
        let pieces = arrive(&lines, &files, page_size);
        prop_assert_eq!(pieces.names(), whole.names());
        prop_assert_eq!(pieces.pieces(), whole.pieces());
        prop_assert_eq!(pieces.intervals(), whole.intervals());
        prop_assert_eq!(pieces.names_rebuilt(), (whole.names(), 0));
    }
}

proptest! {
    #![proptest_config(config(if kind() == Database::Postgres { 6 } else { 32 }))]

    #[test]
    fn files_cut_anywhere_give_the_same_book_if_they_come_in_order(
        script in script(), cuts in prop::collection::btree_set(1..24_usize, 0..5), page_size in 1..9_usize,
    ) {
        let lines = lines(&script);
        let whole = StoredBook::new();
        whole.import(&lines, 100);
        let edges: Vec<usize> = [0].into_iter().chain(cuts).chain([100]).collect();
        let files: Vec<_> = edges.windows(2).map(|edges| edges[0]..edges[1]).collect();
        let pieces = arrive(&lines, &files, page_size);
        prop_assert_eq!(pieces.names(), whole.names());
        prop_assert_eq!(pieces.pieces(), whole.pieces());
        prop_assert_eq!(pieces.intervals(), whole.intervals());
    }
}

/// What only a late event tells was never known: a service was priced as any other plan, a space billed to somebody else.
#[test]
fn names_that_only_a_late_event_tells_are_kept() {
    let lines = lines(
        "01:00 i0 CREATED plan=A called=first space=s0
         02:00 i1 CREATED plan=B called=late space=s1 offering=o1
         03:00 i0 UPDATED plan=A called=second space=s0",
    );
    let book = StoredBook::new();
    book.import_events(&lines, 0..1, 5);
    book.import_events(&lines, 2..3, 5);
    book.import(&lines, 5);
    let names = book.names().join("\n");
    for (of, name) in [
        ("Space(s1)", "s1-late"),
        ("ServicePlan(B)", "B-late"),
        ("ServiceOffering(o1)", "o1-late"),
        // What was newer stays.
        ("Space(s0)", "s0-second"),
        ("ServicePlan(A)", "A-second"),
    ] {
        assert!(names.contains(&format!("{of} is {name} at ")), "{of} {name}\n{names}");
    }
    assert!(names.contains("plan B is of o1"), "{names}");
    assert!(names.contains("Resource(ResourceKey { kind: Service, guid: i1 }) is i1-late"), "{names}");
}

/// A name that was told again is as new as the last time it was told.
#[test]
fn a_late_name_never_takes_the_place_of_a_newer_one() {
    let lines = lines(
        "01:00 p0 STARTED called=old
         02:00 p1 STARTED called=between
         03:00 p0 STARTED called=old",
    );
    let book = StoredBook::new();
    book.import_events(&lines, 0..1, 5);
    book.import_events(&lines, 2..3, 5);
    book.import(&lines, 5);
    let names = book.names().join("\n");
    assert!(names.contains("App(app) is app-old at 2026-10-10T03:00:00Z"), "{names}");
    assert!(names.contains("Space(s1) is s1-old at 2026-10-10T03:00:00Z"), "{names}");
}

/// A book of an earlier version, in which what was told late was left out, is mended by folding its archive again.
#[test]
fn rebuilding_notes_the_names_that_an_earlier_version_left_out() {
    let lines = lines("01:00 i0 CREATED plan=A called=told space=s0");
    let book = StoredBook::new();
    book.import(&lines, 5);
    for table in ["space", "service_plan", "service_offering", "resource"] {
        database::execute(&book.url(), &format!("UPDATE {table} SET name = NULL, named_at = NULL, named_place = NULL"))
            .unwrap();
    }
    database::execute(&book.url(), "UPDATE service_plan SET service_offering_id = NULL").unwrap();
    assert_eq!(book.names(), Vec::<String>::new());
    let (names, renamed) = book.names_rebuilt();
    assert_eq!((names.len(), renamed), (5, 5), "{names:?}");
}

/// Where a file belongs that meets nothing archived is known only if it is newer than all of it.
#[test]
fn a_file_that_belongs_into_a_hole_is_refused_unless_it_shows_where() {
    let lines = lines(
        "01:00 p0 STARTED 256x1
         02:00 p0 STOPPED
         03:00 p0 STARTED 256x2
         04:00 p0 STOPPED
         05:00 p0 STARTED 256x3",
    );
    let book = StoredBook::new();
    book.import_events(&lines, 0..2, 5);
    book.import_events(&lines, 4..5, 5);
    let refused = book.try_import_events(&lines, 2..4, 5).unwrap_err();
    assert!(matches!(refused, ImportError::BehindNewest { .. }), "{refused}");
    let told = refused.to_string();
    assert!(
        told.contains("2026-10-10T04:00:00Z") && told.contains("2026-10-10T05:00:00Z") && told.contains("hint: "),
        "{told}"
    );
    book.import_events(&lines, 1..5, 5);
    let whole = StoredBook::new();
    whole.import(&lines, 5);
    assert_eq!((book.intervals(), book.pieces()), (whole.intervals(), whole.pieces()));
}

crate::on_postgres! {
    files_pages_and_lateness_never_change_the_book,
    files_cut_anywhere_give_the_same_book_if_they_come_in_order,
    names_that_only_a_late_event_tells_are_kept,
    a_late_name_never_takes_the_place_of_a_newer_one,
    rebuilding_notes_the_names_that_an_earlier_version_left_out,
}
