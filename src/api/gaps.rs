//! A gap, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::row::{Tabular, or_empty};
use crate::domain::Timestamp;
use crate::store::StoredGap;

/// A period whose usage events are lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Gap {
    /// By which it is accepted: `FOUNDATION/NUMBER`.
    pub gap: String,
    pub foundation: String,
    /// 1, 2, 3 … within the foundation.
    pub number: u64,
    /// `app` or `service`
    pub stream: &'static str,
    /// `checkpoint_gone` or `reseeded`
    pub reason: &'static str,
    /// The last time the stream was read to its end.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When the first event was created that could be read again; null: not known yet.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub to: Option<Timestamp>,
    /// The event that was read last, and is gone.
    #[schema(required)]
    pub checkpoint_guid: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub checkpoint_created_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub found_at: Timestamp,
    /// `reading`, `settling` or `settled`
    pub stage: &'static str,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub settled_at: Option<Timestamp>,
    /// Resources that were gone: they ended when the gap began.
    pub ended: u64,
    /// Resources that were new: they begin when they were seen.
    pub begun: u64,
    /// Resources that had changed: estimated from the beginning of the gap on.
    pub changed: u64,
}

impl From<&StoredGap> for Gap {
    fn from(gap: &StoredGap) -> Self {
        Self {
            gap: gap.reference(),
            foundation: gap.foundation.clone(),
            number: gap.number,
            stream: gap.stream.name(),
            reason: gap.reason.name(),
            from: gap.from,
            to: gap.to,
            checkpoint_guid: gap.checkpoint.as_ref().map(|event| event.guid.to_string()),
            checkpoint_created_at: gap.checkpoint.as_ref().map(|event| event.created_at),
            found_at: gap.found_at,
            stage: gap.stage.name(),
            settled_at: gap.settled_at,
            ended: gap.settled.ended,
            begun: gap.settled.begun,
            changed: gap.settled.changed,
        }
    }
}

impl Tabular for Gap {
    const HEADER: &'static [&'static str] =
        &["gap", "stream", "from", "to", "reason", "found_at", "stage", "ended", "begun", "changed"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.gap.clone(),
            self.stream.to_owned(),
            self.from.to_string(),
            or_empty(self.to),
            self.reason.to_owned(),
            self.found_at.to_string(),
            self.stage.to_owned(),
            self.ended.to_string(),
            self.begun.to_string(),
            self.changed.to_string(),
        ]
    }
}
