//! Edges, each just below, at and just above: agreeing with months of events doesn't prove these.

use crate::support::script::{Book, check, check_with, parse};

#[test]
fn stagings_around_the_cap_and_the_loss() {
    for (stopped, expected) in [
        ("00:14:59", "a 00:00-00:14:59 1024x1"),
        ("00:15:00", "a 00:00-00:15 1024x1"),
        ("00:15:01", "a 00:00-00:15:01 1024x1"),
        ("00:29:59", "a 00:00-00:29:59 1024x1"),
        ("00:30:00", "a 00:00-00:30 1024x1"),
        ("00:30:01", "a 00:00-00:15 1024x1 estimated"),
    ] {
        check(&format!("00:00 a STAGING_STARTED\n {stopped} a STAGING_STOPPED"), &[expected]);
    }
    for (next, expected) in [
        ("00:14:59", "a 00:00-00:14:59 1024x1 estimated"),
        ("00:15:00", "a 00:00-00:15 1024x1 estimated"),
        ("00:15:01", "a 00:00-00:15 1024x1 estimated"),
    ] {
        let open = format!("a {}- 1024x1", next.trim_end_matches(":00").replace("00:15:00", "00:15"));
        check(&format!("00:00 a STAGING_STARTED\n {next} a STAGING_STARTED"), &[expected, &open]);
    }
}

#[test]
fn a_configured_cap_and_loss_are_used() {
    check("cap 60\n lost_after 120\n 00:00 a STAGING_STARTED\n 00:02 a STAGING_STOPPED", &["a 00:00-00:02 1024x1"]);
    check(
        "cap 60\n lost_after 120\n 00:00 a STAGING_STARTED\n 00:02:01 a STAGING_STOPPED",
        &["a 00:00-00:01 1024x1 estimated"],
    );
}

#[test]
fn a_staging_keeps_the_buildpack_of_its_start_if_its_end_names_none() {
    check("00:00 a STAGING_STARTED bp=ruby\n 00:01 a STAGING_STOPPED", &["a 00:00-00:01 1024x1 bp=ruby"]);
    check("00:00 a STAGING_STARTED bp=ruby\n 00:01 a STAGING_STOPPED bp=go", &["a 00:00-00:01 1024x1 bp=go"]);
    check(
        "00:00 a STAGING_STARTED bp=ruby\n 00:40 a STAGING_STOPPED bp=go",
        &["a 00:00-00:15 1024x1 bp=ruby estimated"],
    );
}

#[test]
fn a_staging_begun_before_the_epoch_is_not_billed() {
    check("epoch 12:00\n 11:59:59 a STAGING_STARTED\n 12:05 a STAGING_STOPPED", &[]);
    check("epoch 12:00\n 11:59:59 a STAGING_STARTED", &[]);
    check("epoch 12:00\n 12:00 a STAGING_STARTED\n 12:05 a STAGING_STOPPED", &["a 12:00-12:05 1024x1"]);
    check("epoch 12:00\n 11:59 a STAGING_STARTED\n 12:05 a STAGING_STARTED", &["a 12:05- 1024x1"]);
}

#[test]
fn stagings_and_tasks_of_no_length_still_happened() {
    check("00:00 a STAGING_STARTED\n 00:00 a STAGING_STOPPED", &["a 00:00-00:00 1024x1"]);
    check("00:00 t TASK_STARTED\n 00:00 t TASK_STOPPED", &["t 00:00-00:00 1024x1"]);
    check("00:00 p STARTED\n 00:00 p STOPPED", &[]);
}

#[test]
fn a_second_ending_of_a_staging_does_nothing() {
    check_with(
        "00:00 a STAGING_STARTED\n 00:05 a STAGING_STOPPED\n 00:06 a STAGING_STOPPED",
        &["a 00:00-00:05 1024x1"],
        &["duplicate_ending"],
    );
}

#[test]
fn buildpack_set_reaches_back_over_a_scaling() {
    check(
        "00:00 p STARTED 512x1\n 00:01 p STARTED 512x3\n 00:02 p BUILDPACK_SET bp=ruby\n 01:00 p STOPPED",
        &["p 00:00-00:01 512x1 bp=ruby", "p 00:01-01:00 512x3 bp=ruby"],
    );
}

#[test]
fn buildpack_set_reaches_back_to_its_runs_start_only() {
    check(
        "00:00 p STARTED\n 01:00 p STOPPED\n 02:00 p STARTED\n 02:01 p BUILDPACK_SET bp=ruby",
        &["p 00:00-01:00 512x1", "p 02:00- 512x1 bp=ruby"],
    );
}

#[test]
fn the_correction_names_what_it_corrects() {
    let script = "00:00 p STARTED 512x1\n 00:01 p STARTED 512x3\n 00:02 p BUILDPACK_SET bp=ruby";
    let book = Book::fold(&parse(script), 1);
    let entries: Vec<_> = (book.entries.iter())
        .map(|entry| (entry.number, entry.entry_type.name(), entry.corrects, entry.cause.name(), entry.sequence))
        .collect();
    let expected = [
        (1, "usage", None, "closed", 2),
        (2, "reversal", Some(1), "buildpack_set", 3),
        (3, "replacement", Some(1), "buildpack_set", 3),
    ];
    assert_eq!(entries, expected);
}

#[test]
fn buildpack_set_with_another_splits_with_the_same_or_none_does_nothing() {
    check(
        "00:00 p STARTED bp=ruby\n 00:05 p BUILDPACK_SET bp=go",
        &["p 00:00-00:05 512x1 bp=ruby", "p 00:05- 512x1 bp=go"],
    );
    check("00:00 p STARTED bp=ruby\n 00:05 p BUILDPACK_SET bp=ruby", &["p 00:00- 512x1 bp=ruby"]);
    check("00:00 p STARTED bp=ruby\n 00:05 p BUILDPACK_SET", &["p 00:00- 512x1 bp=ruby"]);
    check("00:00 p STARTED\n 00:05 p BUILDPACK_SET", &["p 00:00- 512x1"]);
}

#[test]
fn buildpack_set_of_something_not_open_does_nothing() {
    check_with("00:05 p BUILDPACK_SET bp=ruby\n 00:06 p STARTED", &["p 00:06- 512x1"], &[]);
    check("00:00 p STARTED\n 00:04 p STOPPED\n 00:05 p BUILDPACK_SET bp=ruby", &["p 00:00-00:04 512x1"]);
}

#[test]
fn a_started_sets_an_unknown_buildpack_from_then_on() {
    check("00:00 p STARTED\n 00:05 p STARTED bp=ruby", &["p 00:00-00:05 512x1", "p 00:05- 512x1 bp=ruby"]);
    check("00:00 p STARTED bp=ruby\n 00:05 p STARTED", &["p 00:00- 512x1 bp=ruby"]);
    check("00:00 p STARTED bp=ruby\n 00:05 p STARTED bp=go", &["p 00:00- 512x1 bp=ruby"]);
    // A BUILDPACK_SET after that changes from then on: the run has one.
    check(
        "00:00 p STARTED\n 00:05 p STARTED bp=ruby\n 00:06 p BUILDPACK_SET bp=go",
        &["p 00:00-00:05 512x1", "p 00:05-00:06 512x1 bp=ruby", "p 00:06- 512x1 bp=go"],
    );
}

#[test]
fn a_reseed_never_sets_a_buildpack() {
    check("00:00 p STARTED\n 00:05 p STARTED reseeded bp=ruby", &["p 00:00- 512x1"]);
    check_with("00:05 p STARTED reseeded prev=STARTED bp=ruby", &["p 00:05- 512x1 bp=ruby"], &["start_unknown"]);
}

#[test]
fn nothing_takes_effect_before_what_is_in_effect() {
    // A scaling created before the start it follows.
    check_with(
        "10:00:05 p STARTED 512x1\n 10:00:03 p STARTED 512x2\n 10:01 p STOPPED",
        &["p 10:00:05-10:01 512x2"],
        &["time_ran_backwards"],
    );
    // Across runs: the next start can't begin before the last end.
    check_with(
        "10:00 p STARTED\n 10:05 p STOPPED\n 10:04 p STARTED\n 10:06 p STOPPED",
        &["p 10:00-10:05 512x1", "p 10:05-10:06 512x1"],
        &["time_ran_backwards"],
    );
    check(
        "00:00:10 a STAGING_STARTED\n 00:00:05 a STAGING_STOPPED\n 00:00:07 a STAGING_STARTED\n 00:00:12 a STAGING_STOPPED",
        &["a 00:00:10-00:00:10 1024x1", "a 00:00:10-00:00:12 1024x1"],
    );
    check("10:00 s CREATED plan=A\n 09:00 s UPDATED plan=B\n 11:00 s DELETED", &["s 10:00-11:00 plan=B"]);
}

#[test]
fn one_second_is_not_backwards() {
    check_with("10:00:03 p STARTED\n 10:00:03 p STOPPED\n 10:00:03 p STARTED", &["p 10:00:03- 512x1"], &[]);
}

#[test]
fn zero_instances() {
    check(
        "00:00 p STARTED 512x0\n 01:00 p STARTED 512x1\n 02:00 p STARTED 512x0\n 03:00 p STARTED 512x2",
        &["p 00:00-01:00 512x0", "p 01:00-02:00 512x1", "p 02:00-03:00 512x0", "p 03:00- 512x2"],
    );
}

#[test]
fn null_previous_is_nothing_special() {
    check_with(
        "00:00 p STARTED 512x1 prev=null\n 01:00 p STOPPED prev=null\n 02:00 t TASK_STARTED prev=null",
        &["p 00:00-01:00 512x1", "t 02:00- 1024x1"],
        &[],
    );
}

#[test]
fn null_numbers_never_overwrite() {
    check("00:00 p STARTED 512x2\n 01:00 p STARTED null", &["p 00:00- 512x2"]);
    check_with("00:00 p STARTED null", &[], &["undecodable"]);
    check("00:00 p STARTED 512x2\n 01:00 p STOPPED null", &["p 00:00-01:00 512x2"]);
}

#[test]
fn numbers_are_counts_of_32_bits() {
    check_with("00:00 p STARTED 4294967295x4294967295", &["p 00:00- 4294967295x4294967295"], &["too_large"]);
    check_with("00:00 p STARTED 4294967296x1", &[], &["undecodable"]);
    check_with("00:00 p STARTED 1x4294967296", &[], &["undecodable"]);
    check_with("00:00 p STARTED -1x1", &[], &["undecodable"]);
}

#[test]
fn what_is_larger_than_any_foundation_is_told_once() {
    check("00:00 p STARTED 1x1000000", &["p 00:00- 1x1000000"]);
    check_with("00:00 p STARTED 1x1000001", &["p 00:00- 1x1000001"], &["too_large"]);
    check_with(
        "00:00 p STARTED 1x1000001\n 01:00 p STARTED 2x1000001\n 02:00 p STARTED 1x1\n 03:00 p STARTED 1x1000001",
        &["p 00:00-01:00 1x1000001", "p 01:00-02:00 2x1000001", "p 02:00-03:00 1x1", "p 03:00- 1x1000001"],
        &["too_large", "too_large"],
    );
}

#[test]
fn a_move_to_another_space_splits() {
    check(
        "00:00 p STARTED\n 01:00 p STARTED space=s2 org=o2\n 02:00 p STOPPED space=s2",
        &["p 00:00-01:00 512x1", "p 01:00-02:00 512x1 space=s2"],
    );
    check(
        "00:00 s CREATED plan=A\n 01:00 s UPDATED plan=A space=s2",
        &["s 00:00-01:00 plan=A", "s 01:00- plan=A space=s2"],
    );
}

#[test]
fn tasks_never_reopen() {
    check_with(
        "00:00 t TASK_STARTED\n 00:01 t TASK_STOPPED\n 00:02 t TASK_STARTED\n 00:03 t TASK_WAS_RUNNING\n 00:04 t TASK_STOPPED",
        &["t 00:00-00:01 1024x1"],
        &["ignored_beginning", "duplicate_ending"],
    );
    check_with(
        "00:00 t TASK_STARTED 64x1\n 00:01 t TASK_STARTED 128x1\n 00:02 t TASK_STOPPED",
        &["t 00:00-00:02 64x1"],
        &["ignored_beginning"],
    );
    // An ending of something never open is no ending of it.
    check("00:00 t TASK_STOPPED\n 00:01 t TASK_STARTED", &["t 00:01- 1024x1"]);
}

#[test]
fn service_instances_never_reopen() {
    check_with(
        "00:00 s CREATED plan=A\n 01:00 s DELETED\n 02:00 s CREATED plan=A\n 03:00 s UPDATED plan=B\n 04:00 s WAS_RUNNING service plan=A",
        &["s 00:00-01:00 plan=A"],
        &["ignored_beginning", "ignored_beginning", "ignored_beginning"],
    );
    check_with("00:00 s UPDATED plan=A", &["s 00:00- plan=A"], &["start_unknown"]);
    check_with("00:00 s WAS_RUNNING service plan=A", &["s 00:00- plan=A"], &["start_unknown"]);
    check_with("00:00 s CREATED plan=A\n 01:00 s CREATED plan=A", &["s 00:00- plan=A"], &[]);
    check_with("00:00 s DELETED", &[], &["orphan_ending"]);
}

#[test]
fn processes_reopen() {
    check(
        "00:00 p STARTED\n 01:00 p STOPPED\n 02:00 p WAS_RUNNING\n 03:00 p STOPPED prev=STARTED",
        &["p 00:00-01:00 512x1", "p 02:00-03:00 512x1"],
    );
    check(
        "00:00 p STARTED\n 01:00 p STOPPED\n 02:00 p STARTED reseeded prev=STARTED",
        &["p 00:00-01:00 512x1", "p 02:00- 512x1"],
    );
}

#[test]
fn a_repaired_ending_voids_all_pieces_of_its_own_run_and_ends_any_other() {
    check(
        "00:00 p WAS_RUNNING 512x1\n 01:00 p STARTED 512x2\n 02:00 p STOPPED prev=WAS_RUNNING\n 03:00 p STARTED",
        &["p 03:00- 512x1"],
    );
    check("00:00 p STARTED 512x1\n 01:00 p WAS_RUNNING\n 02:00 p STOPPED prev=WAS_RUNNING", &["p 00:00-02:00 512x1"]);
    check("00:00 t TASK_WAS_RUNNING\n 02:00 t TASK_STOPPED prev=TASK_WAS_RUNNING\n 03:00 t TASK_STARTED", &[]);
    check("00:00 t TASK_STARTED\n 02:00 t TASK_STOPPED prev=TASK_WAS_RUNNING", &["t 00:00-02:00 1024x1"]);
}

#[test]
fn events_before_the_epoch_give_state_and_no_anomaly() {
    check_with(
        "epoch 12:00
         11:00 p STOPPED
         11:01 p STARTED 512x2
         10:59 p STARTED 512x3
         11:02 x FOO
         11:03 s DELETED
         13:00 p STOPPED",
        &["p 12:00-13:00 512x3"],
        &[],
    );
    check("epoch 12:00\n 11:00 p STARTED\n 11:59:59 p STOPPED", &[]);
    check("epoch 12:00\n 11:00 p STARTED\n 12:00:01 p STOPPED", &["p 12:00-12:00:01 512x1"]);
    check("epoch 12:00\n 11:00 t TASK_STARTED\n 12:10 t TASK_STOPPED", &["t 12:00-12:10 1024x1"]);
}

#[test]
fn the_last_event_of_a_replay_wins_over_the_baseline() {
    check("epoch 12:00\n baseline p 512x2\n 11:50 p STARTED 512x3", &["p 12:00- 512x3"]);
    check("epoch 12:00\n baseline p 512x2\n 11:50 p STOPPED\n 11:51 p STARTED 512x4", &["p 12:00- 512x4"]);
    check("epoch 12:00\n baseline p 512x2 bp=ruby", &["p 12:00- 512x2 bp=ruby"]);
    // A scaling that the baseline shows already.
    check("epoch 12:00\n baseline p 512x23\n 11:59 p STARTED 512x23", &["p 12:00- 512x23"]);
}

#[test]
fn a_task_of_the_baseline_begins_when_it_began() {
    check("epoch 12:00\n baseline-task t 64x1 created=11:00", &["t 12:00- 64x1"]);
    check("epoch 12:00\n baseline-task t 64x1 created=12:10", &["t 12:10- 64x1"]);
    check("epoch 12:00\n baseline-task t 64x1 created=12:10\n 12:10:01 t TASK_STARTED 64x1", &["t 12:10:01- 64x1"]);
    check("epoch 12:00\n baseline-task t 64x1 created=11:00\n 11:00:01 t TASK_STARTED 64x1", &["t 12:00- 64x1"]);
    check("epoch 12:00\n baseline-task t 64x1 created=11:00\n 12:30 t TASK_STOPPED", &["t 12:00-12:30 64x1"]);
    check(
        "epoch 12:00\n 12:30 t TASK_STARTED\n 12:31 t TASK_STOPPED\n baseline-task t 64x1 created=12:30",
        &["t 12:30-12:31 1024x1"],
    );
}

#[test]
fn a_baseline_never_touches_what_is_tracked() {
    check("00:00 p STARTED 512x2 bp=ruby\n baseline p 1024x9 bp=go", &["p 00:00- 512x2 bp=ruby"]);
    check(
        "epoch 00:00\n 01:00 s CREATED plan=A\n 02:00 s DELETED\n baseline-service s plan=A",
        &["s 01:00-02:00 plan=A"],
    );
}

#[test]
fn disk_holds_back_to_the_footprints_start_if_nothing_was_saved_since() {
    let disks = |script: &str| Book::fold(&parse(script), 1).disks();
    assert_eq!(disks("10:00 p STARTED"), ["p 10:00- 1024 default"]);
    assert_eq!(disks("10:00 p STARTED\n 10:05 disk p 2048 updated=10:00"), ["p 10:00- 2048 observed"]);
    // Never observed before: taken for the time before as well, as assumed.
    assert_eq!(disks("10:00 p STARTED\n 10:05 disk p 2048 updated=10:01"), ["p 10:00- 2048 assumed"]);
    // Observed before: what was known holds until the row's last save, since when it certainly is the new one.
    assert_eq!(
        disks("10:00 p STARTED\n 10:05 disk p 2048 updated=10:00\n 11:00 disk p 4096 updated=10:30"),
        ["p 10:00-10:30 2048 observed", "p 10:30- 4096 observed"]
    );
    // The clocks of an event and of the row it is about differ a little.
    for (updated, wanted) in [
        ("11:00:02", vec!["p 10:00-11:00 2048 observed", "p 11:00- 4096 observed"]),
        ("11:00:03", vec!["p 10:00-11:00 2048 observed", "p 11:00-11:00:03 2048 assumed", "p 11:00:03- 4096 observed"]),
    ] {
        let script = format!(
            "10:00 p STARTED\n 10:05 disk p 2048 updated=10:00\n 11:00 p STARTED 1024x1\n 11:05 disk p 4096 updated={updated}"
        );
        assert_eq!(disks(&script), wanted, "saved at {updated}");
    }
    // Changed with a restart: back to the new run's start.
    assert_eq!(
        disks(
            "10:00 p STARTED\n 10:05 disk p 2048 updated=10:00\n 11:00 p STOPPED\n 11:00 p STARTED\n 11:05 disk p 4096 updated=11:00"
        ),
        ["p 10:00-11:00 2048 observed", "p 11:00- 4096 observed"]
    );
    // Restarted and not observed again: what was known is assumed.
    assert_eq!(
        disks("10:00 p STARTED\n 10:05 disk p 2048 updated=10:00\n 11:00 p STOPPED\n 11:00 p STARTED"),
        ["p 10:00-11:00 2048 observed", "p 11:00- 2048 assumed"]
    );
    // Memory and disk scaled in one call: one event, which tells only the memory.
    assert_eq!(
        disks(
            "10:00 p STARTED\n 10:05 disk p 2048 updated=10:00\n 11:00 p STARTED 1024x1\n 11:05 disk p 4096 updated=11:00"
        ),
        ["p 10:00-11:00 2048 observed", "p 11:00- 4096 observed"]
    );
}

#[test]
fn a_first_observation_corrects_what_closed_before_it() {
    let disks = |script: &str| Book::fold(&parse(script), 1).disks();
    assert_eq!(
        disks("10:00 p STARTED\n 10:01 p STARTED 512x2\n 10:05 disk p 2048 updated=10:01"),
        ["p 10:00-10:01 2048 assumed", "p 10:01- 2048 observed"]
    );
    assert_eq!(
        disks("10:00 p STARTED\n 10:01 p STOPPED\n 10:05 disk p 2048 updated=10:01"),
        ["p 10:00-10:01 2048 assumed"]
    );
    assert_eq!(
        disks("10:00 p STARTED\n 10:01 p STOPPED\n 10:05 disk p 1024 updated=10:01"),
        ["p 10:00-10:01 1024 default"]
    );
}

#[test]
fn late_events_of_every_kind_end_where_they_would_have_in_time() {
    for script in [
        "late 00:00 p STARTED 512x1\n 01:00 p STARTED 512x2\n 02:00 p STOPPED",
        "00:00 p STARTED 512x1\n late 01:00 p STOPPED\n late 01:10 p STARTED 512x1\n 02:00 p STOPPED",
        "00:00 p STARTED 512x1\n 01:00 p STARTED 512x2\n late 01:30 p STOPPED\n 02:00 p STOPPED",
        "00:00 p STARTED 512x1\n late 00:01 p BUILDPACK_SET bp=ruby\n 00:02 p STARTED 512x2\n 01:00 p STOPPED",
        "late 00:00 p WAS_RUNNING\n 01:00 p STARTED 512x2\n 02:00 p STOPPED prev=WAS_RUNNING",
        "late 00:00 t TASK_STARTED\n 01:00 t TASK_STOPPED",
        "00:00 a STAGING_STARTED\n late 00:05 a STAGING_STOPPED bp=go\n 01:00 a STAGING_STARTED",
        "late 00:00 a STAGING_STARTED\n 00:05 a STAGING_STOPPED bp=go\n 01:00 a STAGING_STARTED",
        "00:00 s CREATED plan=A\n late 01:00 s UPDATED plan=B\n 02:00 s UPDATED plan=C\n 03:00 s DELETED",
        "epoch 12:00\n baseline p 512x2\n late 11:50 p STOPPED\n 11:55 p STARTED 512x4\n 13:00 p STOPPED",
        "00:00 p STARTED\n 00:05 disk p 2048 updated=00:00\n late 00:10 p STOPPED\n 00:20 p STARTED\n 01:00 p STOPPED",
    ] {
        let in_time = Book::fold(&parse(&script.replace("late ", "")), 1);
        for page_size in [1, 2, usize::MAX] {
            let late = Book::fold(&parse(script), page_size);
            assert_eq!(late.intervals(), in_time.intervals(), "{script}");
        }
    }
}

#[test]
fn a_staging_has_the_size_of_its_build() {
    let sizes = |script: &str| {
        let book = Book::fold(&parse(script), 1);
        assert_eq!(book.intervals(), Book::fold(&parse(script), 100).intervals(), "in one page");
        book.intervals()
            .into_iter()
            .zip(book.disks())
            .map(|(one, other)| format!("{one} | {other}"))
            .collect::<Vec<_>>()
    };
    // While it runs, and after it ended, by correction.
    assert_eq!(
        sizes("00:00 a STAGING_STARTED\n 00:01 build a 2048 4096 created=00:00\n 00:02 a STAGING_STOPPED"),
        ["a 00:00-00:02 2048x1 | a 00:00-00:02 4096 observed"]
    );
    assert_eq!(
        sizes("00:00 a STAGING_STARTED\n 00:02 a STAGING_STOPPED\n 00:03 build a 2048 4096 created=00:00"),
        ["a 00:00-00:02 2048x1 | a 00:00-00:02 4096 observed"]
    );
    // Its row and its event may be two seconds apart, not three.
    for (created, wanted) in [
        ("00:00:57", "a 00:01-00:03 1024x1 | a 00:01-00:03 6144 default"),
        ("00:00:58", "a 00:01-00:03 2048x1 | a 00:01-00:03 4096 observed"),
        ("00:01:02", "a 00:01-00:03 2048x1 | a 00:01-00:03 4096 observed"),
        ("00:01:03", "a 00:01-00:03 1024x1 | a 00:01-00:03 6144 default"),
    ] {
        let script =
            format!("00:01 a STAGING_STARTED\n 00:03 a STAGING_STOPPED\n 00:04 build a 2048 4096 created={created}");
        assert_eq!(sizes(&script), [wanted], "created at {created}");
    }
    // Of two that began almost at once, each has its own.
    assert_eq!(
        sizes(
            "00:00 a STAGING_STARTED\n 00:00:02 a STAGING_STARTED\n 00:02 a STAGING_STOPPED\n 00:03 build a 512 700 created=00:00\n 00:04 build a 2048 4096 created=00:00:02"
        ),
        [
            "a 00:00-00:00:02 512x1 estimated | a 00:00-00:00:02 700 observed",
            "a 00:00:02-00:02 2048x1 | a 00:00:02-00:02 4096 observed"
        ]
    );
    // A second reading, and a build of another time, change nothing.
    assert_eq!(
        sizes(
            "00:00 a STAGING_STARTED\n 00:02 a STAGING_STOPPED\n 00:03 build a 2048 4096 created=00:00\n 00:04 build a 1 1 created=00:00\n 00:05 build a 1 1 created=00:30"
        ),
        ["a 00:00-00:02 2048x1 | a 00:00-00:02 4096 observed"]
    );
}

#[test]
fn a_service_instance_that_was_never_made_is_not_billed() {
    check_with("00:00 s CREATED plan=A\n 00:05 create-failed s", &[], &["run_voided"]);
    check_with(
        "00:00 s CREATED plan=A\n 00:01 s UPDATED plan=B\n 00:05 create-failed s\n 00:06 create-failed s\n 01:00 s DELETED",
        &[],
        &["run_voided", "duplicate_ending"],
    );
    check_with("epoch 12:00\n baseline-service s plan=A\n 12:05 create-failed s", &[], &["run_voided"]);
    // What is gone by then was deleted, and counted until then.
    check("00:00 s CREATED plan=A\n 00:01 s DELETED\n 00:05 create-failed s", &["s 00:00-00:01 plan=A"]);
}
