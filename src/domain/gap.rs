//! Spans of stream history that can't be read any more.

use serde::{Deserialize, Serialize};

use super::{Guid, Stream, Timestamp};

/// A span of one stream's history that was never read and can't be any more: what happened in it is assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub stream: Stream,
    pub reason: GapReason,
    /// The last time the stream was read to its end.
    pub from: Timestamp,
    /// When the first event was created that could be read again; `None` if that isn't known yet.
    pub to: Option<Timestamp>,
    /// The checkpoint that was lost: guid and `created_at`.
    pub checkpoint: Option<(Guid, Timestamp)>,
    /// When it was found.
    pub found_at: Timestamp,
}

/// A gap that touches an invoice's period, as finance sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapNote {
    /// Names it: `foundation/number`.
    pub reference: String,
    pub stream: Stream,
    pub reason: GapReason,
    /// From here to `settled_at` use is assumed.
    pub from: Timestamp,
    /// When the ledger was settled by what runs; `None`: it isn't yet.
    pub settled_at: Option<Timestamp>,
    /// Resources of which something was assumed.
    pub assumed: u64,
}

/// Records of a foundation that can't be read and touch an invoice's period, as finance sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndecodableNote {
    pub foundation: String,
    /// How many there are.
    pub records: u64,
    /// When the first of them was made, as far as that is known.
    pub first: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
}

impl UndecodableNote {
    /// What to say to have what they touch final all the same.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("undecodable:{}", self.foundation)
    }
}

/// How history was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// The checkpoint is unknown to Cloud Controller: pruned after its retention, or purged and reseeded.
    CheckpointGone,
    /// Another event has the checkpoint's guid: the stream was reseeded again.
    Reseeded,
}

impl GapReason {
    pub const ALL: [Self; 2] = [Self::CheckpointGone, Self::Reseeded];

    /// The word used in tables and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CheckpointGone => "checkpoint_gone",
            Self::Reseeded => "reseeded",
        }
    }
}

/// What is yet to be done about a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapStage {
    /// The stream is read again from its first row.
    Reading,
    /// What runs is to be looked at.
    Settling,
    Settled,
}

impl GapStage {
    pub const ALL: [Self; 3] = [Self::Reading, Self::Settling, Self::Settled];

    /// The word used in tables and output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Settling => "settling",
            Self::Settled => "settled",
        }
    }
}
