//! One run of a resource at one footprint.

use serde::Serialize;

use super::{Footprint, ResourceKey, Timestamp};

/// One run at one footprint over `[started_at, ended_at)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    pub resource: ResourceKey,
    /// Sequence number of the input that opened the run: names the run within its foundation.
    pub run: u64,
    pub started_at: Timestamp,
    /// Not before `started_at`.
    pub ended_at: Timestamp,
    pub footprint: Footprint,
    /// Its length is assumed, because Cloud Controller never said when it ended (or began).
    pub estimated: bool,
    /// Sequence number of the input that began the interval.
    pub opened_by: u64,
    /// Sequence number of the input that ended it.
    pub closed_by: u64,
}

impl Interval {
    /// Seconds from start to end.
    #[must_use]
    pub const fn seconds(&self) -> i64 {
        self.ended_at.seconds_since(self.started_at)
    }
}
