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
        }
    }
}
