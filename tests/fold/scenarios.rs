//! Scenarios of Cloud Controller that concern the fold, named as in the list of them
//! (number and words); where that says "or", what was decided.

use crate::support::script::{check, check_with};

#[test]
fn s01_started_and_stopped() {
    check("00:00 p STARTED 1024x1\n 02:00 p STOPPED", &["p 00:00-02:00 1024x1"]);
}

#[test]
fn s02_scaled_out() {
    check(
        "00:00 p STARTED 512x1\n 01:00 p STARTED 512x3\n 02:00 p STOPPED",
        &["p 00:00-01:00 512x1", "p 01:00-02:00 512x3"],
    );
}

#[test]
fn s03_scaled_up() {
    check(
        "00:00 p STARTED 512x1\n 01:00 p STARTED 1024x1\n 02:00 p STOPPED",
        &["p 00:00-01:00 512x1", "p 01:00-02:00 1024x1"],
    );
}

#[test]
fn s04_scaled_to_zero() {
    check(
        "00:00 p STARTED 512x2\n 01:00 p STARTED 512x0\n 05:00 p STOPPED",
        &["p 00:00-01:00 512x2", "p 01:00-05:00 512x0"],
    );
}

#[test]
fn s05_the_count_on_stopped_is_no_usage() {
    check("00:00 p STARTED 512x3\n 01:00 p STOPPED 512x3", &["p 00:00-01:00 512x3"]);
    check("00:00 p STARTED 512x3\n 01:00 p STOPPED 999999x7", &["p 00:00-01:00 512x3"]);
}

#[test]
fn s06_restart_in_one_second() {
    check_with(
        "00:00 p STARTED\n 01:00 p STOPPED\n 01:00 p STARTED\n 02:00 p STOPPED",
        &["p 00:00-01:00 512x1", "p 01:00-02:00 512x1"],
        &[],
    );
}

#[test]
fn s08_time_runs_backwards() {
    check_with("10:00:05 p STARTED\n 10:00:03 p STOPPED", &[], &["time_ran_backwards"]);
}

#[test]
fn s10_a_second_ending() {
    check_with(
        "00:00 p STARTED\n 01:00 p STOPPED\n 03:00 p STOPPED prev=WAS_RUNNING",
        &["p 00:00-01:00 512x1"],
        &["duplicate_ending"],
    );
}

#[test]
fn s11_an_ending_of_nothing() {
    check_with("01:00 p STOPPED", &[], &["orphan_ending"]);
}

#[test]
fn s12_first_seen_by_a_scaling() {
    check_with("01:00 p STARTED 512x3 prev=STARTED", &["p 01:00- 512x3"], &["start_unknown"]);
}

#[test]
fn s13_rolling_deployment() {
    check(
        "00:00 p STARTED 512x2
         10:00 q STARTED 512x1
         10:01 p STARTED 512x1
         10:02 q STARTED 512x2
         10:03 p STARTED 512x0
         10:04 p STOPPED 512x0",
        &["p 00:00-10:01 512x2", "p 10:01-10:03 512x1", "p 10:03-10:04 512x0", "q 10:00-10:02 512x1", "q 10:02- 512x2"],
    );
}

#[test]
fn s13_the_old_process_keeps_its_buildpack() {
    check(
        "00:00 p STARTED 512x2 bp=ruby
         10:00 q STARTED 512x1 bp=java
         10:01 p STARTED 512x1 bp=java
         10:02 p STOPPED bp=java",
        &["p 00:00-10:01 512x2 bp=ruby", "p 10:01-10:02 512x1 bp=ruby", "q 10:00- 512x1 bp=java"],
    );
}

#[test]
fn s14_rolling_deployment_cancelled() {
    check(
        "00:00 p STARTED 512x2
         10:00 q STARTED 512x1
         10:01 p STARTED 512x1
         10:02 q STOPPED 512x1
         10:02 p STARTED 512x2",
        &["p 00:00-10:01 512x2", "p 10:01-10:02 512x1", "p 10:02- 512x2", "q 10:00-10:02 512x1"],
    );
}

#[test]
fn s16_a_worker_restarts_when_a_deployment_ends() {
    check("00:00 w STARTED\n 10:00 w STOPPED\n 10:00 w STARTED", &["w 00:00-10:00 512x1", "w 10:00- 512x1"]);
}

#[test]
fn s17_two_web_processes_open() {
    check("00:00 p STARTED app=a\n 01:00 q STARTED app=a", &["p 00:00- 512x1", "q 01:00- 512x1"]);
}

#[test]
fn s20_the_ending_of_a_deleted_app_has_no_buildpack() {
    check("00:00 p STARTED bp=ruby\n 01:00 p STOPPED", &["p 00:00-01:00 512x1 bp=ruby"]);
}

#[test]
fn s24_task() {
    check("00:00 t TASK_STARTED 512x1\n 00:30 t TASK_STOPPED 512x1", &["t 00:00-00:30 512x1"]);
}

#[test]
fn s25_task_cancelled() {
    check("00:00 t TASK_STARTED 512x1 prev=PENDING\n 00:12 t TASK_STOPPED prev=CANCELING", &["t 00:00-00:12 512x1"]);
}

#[test]
fn s26_a_task_that_never_started() {
    check_with("00:00 t TASK_STOPPED", &[], &["orphan_ending"]);
}

#[test]
fn s28_a_task_set_running_after_it_was_done() {
    check("00:00 t TASK_STARTED 512x1 prev=SUCCEEDED\n 00:00:30 t TASK_STOPPED 512x1", &["t 00:00-00:00:30 512x1"]);
}

#[test]
fn s29_staging_has_the_events_memory_where_no_build_is_read() {
    check("00:00 a STAGING_STARTED\n 00:03 a STAGING_STOPPED bp=ruby", &["a 00:00-00:03 1024x1 bp=ruby"]);
}

#[test]
fn s30_an_app_deleted_while_staging() {
    // Deletion is never inferred from a STOPPED: the cap, or the app's next staging.
    check("00:00 a STAGING_STARTED\n 00:02 p STOPPED app=a", &["a 00:00- 1024x1"]);
    check_with(
        "00:00 a STAGING_STARTED\n 00:02 p STOPPED app=a\n 00:10 a STAGING_STARTED",
        &["a 00:00-00:10 1024x1 estimated", "a 00:10- 1024x1"],
        &["orphan_ending", "staging_end_lost"],
    );
    check("00:00 a STAGING_STARTED\n 03:00 a STAGING_STARTED", &["a 00:00-00:15 1024x1 estimated", "a 03:00- 1024x1"]);
}

#[test]
fn s31_a_staging_that_expired() {
    check("00:00 a STAGING_STARTED\n 00:22 a STAGING_STOPPED", &["a 00:00-00:22 1024x1"]);
    check_with(
        "00:00 a STAGING_STARTED\n 00:35 a STAGING_STOPPED",
        &["a 00:00-00:15 1024x1 estimated"],
        &["staging_end_lost"],
    );
}

#[test]
fn s32_buildpack_set_of_a_build() {
    check_with("00:00 p STARTED app=a\n 00:05 a BUILDPACK_SET build bp=ruby", &["p 00:00- 512x1"], &[]);
}

#[test]
fn s33_buildpack_set_changes_no_counts() {
    check(
        "00:00 p STARTED 512x2 bp=ruby\n 00:05 p BUILDPACK_SET 4096x9 bp=java",
        &["p 00:00-00:05 512x2 bp=ruby", "p 00:05- 512x2 bp=java"],
    );
}

#[test]
fn s34_a_v2_push_knows_its_buildpack_after_staging() {
    check("00:00 p STARTED\n 00:02 p BUILDPACK_SET bp=ruby\n 01:00 p STOPPED", &["p 00:00-01:00 512x1 bp=ruby"]);
}

#[test]
fn s35_docker() {
    check("00:00 p STARTED\n 01:00 p STOPPED", &["p 00:00-01:00 512x1"]);
}

#[test]
fn s36_a_custom_url_is_a_name() {
    check(
        "00:00 p STARTED bp=https://***:***@h/r\n 01:00 p BUILDPACK_SET bp=https://***:***@h/r",
        &["p 00:00- 512x1 bp=https://***:***@h/r"],
    );
}

#[test]
fn s37_service_plan_changed() {
    check(
        "00:00 s CREATED plan=A\n 10:00 s UPDATED plan=B\n 20:00 s DELETED plan=B",
        &["s 00:00-10:00 plan=A", "s 10:00-20:00 plan=B"],
    );
}

#[test]
fn s38_service_renamed() {
    check("00:00 s CREATED plan=A\n 10:00 s UPDATED plan=A name=n", &["s 00:00- plan=A"]);
}

#[test]
fn s40_service_created_again_under_its_name() {
    check(
        "00:00 s CREATED plan=A name=n\n 10:00 s DELETED plan=A name=n\n 10:00 t CREATED plan=A name=n",
        &["s 00:00-10:00 plan=A", "t 10:00- plan=A"],
    );
}

#[test]
fn s44_a_reseed_confirms() {
    check_with(
        "00:00 p STARTED 512x2 bp=ruby\n 10:00 p STARTED 512x2 reseeded prev=STARTED bp=java",
        &["p 00:00- 512x2 bp=ruby"],
        &[],
    );
}

#[test]
fn s44_a_reseed_of_a_service_of_the_baseline_confirms() {
    check_with("epoch 00:00\n baseline-service s plan=A\n 10:00 s CREATED plan=A reseeded", &["s 00:00- plan=A"], &[]);
    check_with(
        "00:00 s CREATED plan=A\n 10:00 s CREATED plan=B reseeded",
        &["s 00:00-10:00 plan=A", "s 10:00- plan=B"],
        &[],
    );
    check_with("10:00 s CREATED plan=A reseeded", &["s 10:00- plan=A"], &["start_unknown"]);
}

#[test]
fn s46_a_second_reseed_tells_new_facts() {
    // What it says of the size counts: the event that told it was purged.
    check(
        "00:00 p STARTED 512x1
         10:00 p STARTED 512x1 reseeded prev=STARTED
         20:00 p STARTED 512x2 reseeded prev=STARTED",
        &["p 00:00-20:00 512x1", "p 20:00- 512x2"],
    );
}

#[test]
fn s49_found_late() {
    check_with(
        "00:00 p STARTED 512x2\n late 01:00 p STARTED 512x4\n 02:00 p STOPPED",
        &["p 00:00-01:00 512x2", "p 01:00-02:00 512x4"],
        &["late_event"],
    );
}

#[test]
fn s51_was_running_of_something_tracked() {
    check_with("00:00 p STARTED 512x2\n 10:00 p WAS_RUNNING 512x9", &["p 00:00- 512x2"], &[]);
}

#[test]
fn s52_was_running_of_something_unknown() {
    check_with("10:00 p WAS_RUNNING 512x2", &["p 10:00- 512x2"], &["start_unknown"]);
    check_with("epoch 12:00\n 10:00 p WAS_RUNNING 512x2", &["p 12:00- 512x2"], &[]);
}

#[test]
fn s53_a_repaired_ending_voids() {
    check_with("10:00 p WAS_RUNNING 512x2\n 11:00 p STOPPED prev=WAS_RUNNING", &[], &["start_unknown", "run_voided"]);
}

#[test]
fn s54_a_raced_backfill() {
    check(
        "00:00 p STARTED\n 05:00 p STOPPED\n 06:00 p WAS_RUNNING\n 09:00 p STOPPED prev=WAS_RUNNING",
        &["p 00:00-05:00 512x1"],
    );
}

#[test]
fn s55_kept_records_before_the_epoch() {
    check_with(
        "epoch 12:00\n 00:00 p STARTED 512x1\n 06:00 p STARTED 512x4\n 13:00 p STOPPED",
        &["p 12:00-13:00 512x4"],
        &[],
    );
}

#[test]
fn s56_started_after_the_checkpoint() {
    check_with("epoch 12:00\n baseline p 512x2\n 11:59 p STARTED 512x2 prev=STOPPED", &["p 12:00- 512x2"], &[]);
    // After the epoch: a STOPPED was not seen yet.
    check_with(
        "epoch 12:00\n baseline p 512x2\n 12:05 p STARTED 512x2 prev=STOPPED",
        &["p 12:05- 512x2"],
        &["missed_ending"],
    );
    // The sweep finds it.
    check(
        "epoch 12:00\n baseline p 512x2\n late 12:03 p STOPPED\n 12:05 p STARTED 512x2 prev=STOPPED",
        &["p 12:00-12:03 512x2", "p 12:05- 512x2"],
    );
}

/// Recorded: `PUT /v2/apps/:guid {"production": true}` on an app that runs tells it once more, as it was.
#[test]
fn started_again_while_started_is_no_beginning() {
    check_with(
        "epoch 12:00
         baseline p 512x2
         13:00 p STARTED 512x2 prev=STARTED
         14:00 p STOPPED",
        &["p 12:00-14:00 512x2"],
        &[],
    );
    // What is confirmed by it has no missed stop any more, whatever is told next.
    check_with(
        "epoch 12:00
         baseline p 512x2
         13:00 p STARTED 512x2 prev=STARTED
         13:30 p STARTED 512x2 prev=STARTED
         14:00 p STARTED 512x3 prev=STARTED",
        &["p 12:00-14:00 512x2", "p 14:00- 512x3"],
        &[],
    );
    // Another size is a scaling, here as anywhere.
    check_with(
        "epoch 12:00
         baseline p 512x2
         13:00 p STARTED 512x3 prev=STARTED",
        &["p 12:00-13:00 512x2", "p 13:00- 512x3"],
        &[],
    );
    // Only what wasn't started before proves that a stop was missed.
    for previous in ["STOPPED", "null"] {
        check_with(
            &format!(
                "epoch 12:00
                 baseline p 512x2
                 13:00 p STARTED 512x2 prev={previous}"
            ),
            &["p 13:00- 512x2"],
            &["missed_ending"],
        );
    }
    // The first sight of one, as before: it ran already, since nobody knows when.
    check_with("13:00 p STARTED 512x2 prev=STARTED", &["p 13:00- 512x2"], &["start_unknown"]);
    check_with(
        "12:00 p STARTED 512x2
         13:00 p STARTED 512x2 prev=STARTED
         14:00 p STOPPED",
        &["p 12:00-14:00 512x2"],
        &[],
    );
}

#[test]
fn s57_stopped_below_the_checkpoint() {
    check("epoch 12:00\n baseline p 512x2\n 11:58 p STOPPED", &[]);
}

#[test]
fn s58_a_null_checkpoint() {
    check("epoch 12:00\n 12:05 p STARTED 512x2", &["p 12:05- 512x2"]);
}

#[test]
fn s59_zero_instances_in_the_baseline() {
    check("epoch 12:00\n baseline p 512x0\n 13:00 p STARTED 512x2", &["p 12:00-13:00 512x0", "p 13:00- 512x2"]);
}

#[test]
fn s60_a_managed_instance_of_the_baseline() {
    check(
        "epoch 12:00\n baseline-service s plan=A\n 13:00 s UPDATED plan=B",
        &["s 12:00-13:00 plan=A", "s 13:00- plan=B"],
    );
}

#[test]
fn s61_a_worker_that_never_started() {
    check_with("00:00 p STARTED app=a", &["p 00:00- 512x1"], &[]);
}

#[test]
fn s62_an_unknown_state() {
    check_with("00:00 p STARTED\n 01:00 p FOO\n 02:00 p STOPPED", &["p 00:00-02:00 512x1"], &["unknown_state"]);
}
