//! The ledger: append-only, in the order the fold gave it.

use serde::Serialize;

use super::{Interval, Timestamp};

/// What an entry adds to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// An interval that closed.
    Usage,
    /// Takes an earlier entry back; same interval, counted negative.
    Reversal,
    /// Stands in the place of an entry that was taken back.
    Replacement,
}

impl EntryType {
    pub const ALL: [Self; 3] = [Self::Usage, Self::Reversal, Self::Replacement];

    /// The word used in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Reversal => "reversal",
            Self::Replacement => "replacement",
        }
    }
}

/// Why an entry was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The interval closed.
    Closed,
    /// `BUILDPACK_SET` named the buildpack of a run that began without one (V2 push).
    BuildpackSet,
    /// A repaired ending, whose true time is unknown; or a start that shows that what the baseline held didn't run:
    /// nothing of the run is billed.
    RepairedEnding,
    /// An observation of disk reached back.
    Observation,
    /// An event was found late and its resource refolded in stream order.
    LateEvent,
}

impl Cause {
    /// The word used in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::BuildpackSet => "buildpack_set",
            Self::RepairedEnding => "repaired_ending",
            Self::Observation => "observation",
            Self::LateEvent => "late_event",
        }
    }
}

/// An interval made permanent, or the correction of one. Never changed, never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerEntry {
    /// 1, 2, 3 … within the foundation, in the order of the fold's output.
    pub number: u64,
    pub entry_type: EntryType,
    /// The entry that this one takes back or replaces.
    pub corrects: Option<u64>,
    pub cause: Cause,
    /// Sequence number of the input that led to this entry.
    pub sequence: u64,
    /// When that input reached us.
    pub known_at: Timestamp,
    pub interval: Interval,
}

impl LedgerEntry {
    /// Its canonical form: one line of JSON, members in a fixed order. Hash chains and rebuilt ledgers compare it.
    #[must_use]
    pub fn canonical(&self) -> String {
        serde_json::to_string(self).expect("entries are plain values")
    }
}

/// What remains of `entries` (in their order) once reversals have taken back what they name.
#[must_use]
pub fn net(entries: Vec<LedgerEntry>) -> Vec<LedgerEntry> {
    let reversed: std::collections::HashSet<u64> = (entries.iter())
        .filter(|entry| entry.entry_type == EntryType::Reversal)
        .filter_map(|entry| entry.corrects)
        .collect();
    (entries.into_iter())
        .filter(|entry| entry.entry_type != EntryType::Reversal && !reversed.contains(&entry.number))
        .collect()
}
