//! Events whose own time isn't trusted: bounded by what their stream's order allows.

use serde::{Deserialize, Serialize};

use super::{Guid, ResourceKey, Span, Stream, Timestamp};

/// What one event's time is taken for, because of its neighbours in the stream; decided beside the fold, which knows none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    pub stream: Stream,
    /// The event's guid and `created_at`.
    pub event: Guid,
    pub created_at: Timestamp,
    /// What the event touches, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKey>,
    /// It counts at this time; `None`: at its own after all.
    pub counts_at: Option<Timestamp>,
    /// Nothing after it in the stream tells yet: it is bounded by when it was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
}

/// A span of a foundation's bounded events that touches an invoice's period, as finance sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockNote {
    /// Names it: `foundation/number`.
    pub reference: String,
    /// Events in it.
    pub events: u64,
    /// The earliest and the latest time that they state.
    pub stated: Span,
    /// The earliest and the latest time that they are taken for.
    pub counted: Span,
}
