//! The settings that change what the fold gives.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Archived before the first input and again whenever one changes, so that the ledger is a function
/// of the archive alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Nothing earlier is billed. `None`: everything in the stream is (imports).
    pub billing_epoch: Option<Timestamp>,
    /// What a staging without a usable ending counts, in seconds, at most.
    pub staging_cap_seconds: i64,
    /// A staging's ending later than this many seconds after its start doesn't count.
    pub staging_lost_after_seconds: i64,
    /// MiB assumed for a staging whose build can't be read.
    pub staging_disk_mib: u32,
    /// MiB assumed per instance where disk was never observed.
    pub default_disk_mib: u32,
    /// By which of the fold's rules: see [`RULES`]. What was archived before they were numbered is folded by 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rules: u32,
    /// Tasks that ran at the epoch and ended up to here are in no baseline: snapshots hold no tasks, and the list of those
    /// that run was read later. `None`: there are none, or nothing tells of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unlisted_tasks_until: Option<Timestamp>,
}

/// The newest rules of the fold. A rule that gives another ledger of the same inputs gets a number of its own and holds for
/// what comes after settings with it: what was folded before comes out again as it was.
///
/// - 1: a STARTED told once more as it was is no beginning; what a reseed is the first to tell of is assumed since the gap
///   began; a task that ran at the epoch of a snapshot and ended before tasks were listed is billed
/// - 2: what is larger than any foundation is told as an anomaly; entries are as by 1
pub const RULES: u32 = 2;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(rules: &u32) -> bool {
    *rules == 0
}

impl Default for Settings {
    /// Cloud Foundry's own defaults: stagings are stopped after 15 minutes, abandoned ones expire
    /// within 25; an app gets 1 GiB of disk, a staging 6 GiB (`dea_next.staging_disk_limit_mb`).
    fn default() -> Self {
        Self {
            billing_epoch: None,
            staging_cap_seconds: 900,
            staging_lost_after_seconds: 1800,
            staging_disk_mib: 6144,
            default_disk_mib: 1024,
            rules: RULES,
            unlisted_tasks_until: None,
        }
    }
}
