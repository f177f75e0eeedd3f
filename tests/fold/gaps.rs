//! What a gap took away: the footprint that a reseed is the first to tell of, and endings that are all there is of a task.

use crate::support::script::{Book, check, check_with, parse};

#[test]
fn what_a_reseed_is_the_first_to_tell_of_is_assumed_since_the_gap_began() {
    // The old size holds to the reseed, marked since nobody knows when it changed.
    check_with(
        "10:00 p STARTED 512x2
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED
         14:00 p STOPPED",
        &["p 10:00-12:00 512x2", "p 12:00-13:00 512x2 estimated", "p 13:00-14:00 512x5"],
        &["told_by_reseed"],
    );
    // Not before what was last told of it.
    check_with(
        "10:00 p STARTED 512x2
         12:30 p STARTED 512x3
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED",
        &["p 10:00-12:30 512x2", "p 12:30-13:00 512x3 estimated", "p 13:00- 512x5"],
        &["told_by_reseed"],
    );
    // Another space is such a change, too.
    check_with(
        "10:00 p STARTED 512x2
         12:00 gap app
         13:00 p STARTED 512x2 reseeded prev=STARTED space=s2",
        &["p 10:00-12:00 512x2", "p 12:00-13:00 512x2 estimated", "p 13:00- 512x2 space=s2"],
        &["told_by_reseed"],
    );
    check_with(
        "10:00 s CREATED plan=A
         12:00 gap service
         13:00 s CREATED plan=B reseeded
         14:00 s DELETED",
        &["s 10:00-12:00 plan=A", "s 12:00-13:00 plan=A estimated", "s 13:00-14:00 plan=B"],
        &["told_by_reseed"],
    );
    // And of what the baseline holds.
    check_with(
        "epoch 11:00
         baseline p 512x2
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED",
        &["p 11:00-12:00 512x2", "p 12:00-13:00 512x2 estimated", "p 13:00- 512x5"],
        &["told_by_reseed"],
    );
}

#[test]
fn what_a_reseed_confirms_stays_certain() {
    check_with(
        "10:00 p STARTED 512x2
         10:00 s CREATED plan=A
         12:00 gap app
         12:00 gap service
         13:00 p STARTED 512x2 reseeded prev=STARTED
         13:00 s CREATED plan=A reseeded",
        &["p 10:00- 512x2", "s 10:00- plan=A"],
        &[],
    );
    // A change with an event of its own is certain also behind a gap.
    check_with(
        "10:00 p STARTED 512x2
         12:00 gap app
         13:00 p STARTED 512x2 reseeded prev=STARTED
         14:00 p STARTED 512x3 prev=STARTED",
        &["p 10:00-14:00 512x2", "p 14:00- 512x3"],
        &[],
    );
    // A gap of the other stream took nothing of it.
    check(
        "10:00 p STARTED 512x2\n 12:00 gap service\n 13:00 p STARTED 512x5 reseeded",
        &["p 10:00-13:00 512x2", "p 13:00- 512x5"],
    );
}

#[test]
fn two_gaps_are_each_assumed_by_themselves() {
    check_with(
        "10:00 p STARTED 512x2
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED
         15:00 gap app
         16:00 p STARTED 512x1 reseeded prev=STARTED",
        &[
            "p 10:00-12:00 512x2",
            "p 12:00-13:00 512x2 estimated",
            "p 13:00-15:00 512x5",
            "p 15:00-16:00 512x5 estimated",
            "p 16:00- 512x1",
        ],
        &["told_by_reseed", "told_by_reseed"],
    );
}

/// A late event folds everything again: under the gaps of each input's own time.
#[test]
fn a_late_event_before_a_gap_leaves_what_is_assumed_as_it_is() {
    let script = "10:00 p STARTED 512x2
         late 11:00 p STARTED 512x3
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED
         14:00 p STOPPED";
    for page_size in [1, 2, 100] {
        let book = Book::fold(&parse(script), page_size);
        assert_eq!(
            book.intervals(),
            ["p 10:00-11:00 512x2", "p 11:00-12:00 512x3", "p 12:00-13:00 512x3 estimated", "p 13:00-14:00 512x5"]
        );
    }
}

/// What was folded before a rule was new comes out again as it was.
#[test]
fn a_book_of_an_earlier_version_is_folded_by_its_own_rules() {
    check_with(
        "rules 0
         10:00 p STARTED 512x2
         12:00 gap app
         13:00 p STARTED 512x5 reseeded prev=STARTED",
        &["p 10:00-13:00 512x2", "p 13:00- 512x5"],
        &[],
    );
    check("rules 0\n epoch 12:00\n baseline p 512x2\n 13:00 p STARTED 512x2 prev=STARTED", &["p 13:00- 512x2"]);
    check_with(
        "rules 0
         epoch 12:00
         unlisted-tasks-until 14:00
         13:00 t TASK_STOPPED 64x1 prev=RUNNING",
        &[],
        &["orphan_ending"],
    );
}

/// A read-only client adopts an older snapshot: a task that ran then and was over when we came shows its ending alone.
#[test]
fn a_task_that_ran_at_the_snapshot_and_ended_before_tasks_were_listed_is_billed_from_the_epoch() {
    for previous in ["RUNNING", "CANCELING"] {
        check_with(
            &format!(
                "epoch 12:00
                 unlisted-tasks-until 14:00
                 13:00 t TASK_STOPPED 64x1 prev={previous}"
            ),
            &["t 12:00-13:00 64x1"],
            &["start_unknown"],
        );
    }
    // It ends once, and never reopens.
    check_with(
        "epoch 12:00
         unlisted-tasks-until 14:00
         13:00 t TASK_STOPPED 64x1 prev=RUNNING
         13:01 t TASK_STOPPED 64x1 prev=RUNNING",
        &["t 12:00-13:00 64x1"],
        &["start_unknown", "duplicate_ending"],
    );
    // Up to the list, not a second longer: later it would have been listed.
    check("epoch 12:00\n unlisted-tasks-until 14:00\n 14:00 t TASK_STOPPED 64x1 prev=RUNNING", &["t 12:00-14:00 64x1"]);
    check_with(
        "epoch 12:00\n unlisted-tasks-until 14:00\n 14:00:01 t TASK_STOPPED 64x1 prev=RUNNING",
        &[],
        &["orphan_ending"],
    );
    // One that began after the epoch, or is listed, has its own beginning.
    check(
        "epoch 12:00
         unlisted-tasks-until 14:00
         12:30 t TASK_STARTED 64x1 prev=PENDING
         13:00 t TASK_STOPPED 64x1 prev=RUNNING",
        &["t 12:30-13:00 64x1"],
    );
    // Also if that is found late.
    for page_size in [1, 100] {
        let script = "epoch 12:00
             unlisted-tasks-until 14:00
             late 12:30 t TASK_STARTED 64x1 prev=PENDING
             13:00 t TASK_STOPPED 64x1 prev=RUNNING";
        assert_eq!(Book::fold(&parse(script), page_size).intervals(), ["t 12:30-13:00 64x1"]);
    }
}

#[test]
fn an_ending_whose_beginning_may_have_been_lost_bills_nothing() {
    for script in [
        // It never ran.
        "epoch 12:00\n unlisted-tasks-until 14:00\n 13:00 t TASK_STOPPED 64x1 prev=PENDING",
        "epoch 12:00\n unlisted-tasks-until 14:00\n 13:00 t TASK_STOPPED 64x1",
        // Its beginning may lie behind the epoch, and was purged.
        "epoch 12:00\n unlisted-tasks-until 14:00\n 12:10 gap app\n 13:00 t TASK_STOPPED 64x1 prev=RUNNING",
        // Nothing says that it ran at an instant from which it is billed.
        "epoch 12:00\n 13:00 t TASK_STOPPED 64x1 prev=RUNNING",
        "13:00 t TASK_STOPPED 64x1 prev=RUNNING",
        // How large it was isn't told.
        "epoch 12:00\n unlisted-tasks-until 14:00\n 13:00 t TASK_STOPPED null prev=RUNNING",
    ] {
        check_with(script, &[], &["orphan_ending"]);
    }
    // Before the epoch nothing is billed, nor odd.
    check_with(
        "epoch 12:00\n unlisted-tasks-until 14:00\n 12:00 t TASK_STOPPED 64x1 prev=RUNNING",
        &[],
        &["orphan_ending"],
    );
    check_with("epoch 12:00\n unlisted-tasks-until 14:00\n 11:59 t TASK_STOPPED 64x1 prev=RUNNING", &[], &[]);
}
