//! An anomaly, as programs read it.

use serde::Serialize;
use utoipa::ToSchema;

use super::row::{Tabular, or_empty};
use crate::domain::Timestamp;
use crate::store::StoredAnomaly;

/// Something in what Cloud Controller sent that doesn't fit, and what was made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Anomaly {
    pub foundation: String,
    /// Number of the record in the foundation's archive that it is about.
    pub input: u64,
    pub kind: String,
    /// When it happened, as the record says; null: that can't be read.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub at: Option<Timestamp>,
    /// `process`, `service`, `task` …
    #[schema(required)]
    pub resource_kind: Option<&'static str>,
    #[schema(required)]
    pub resource_guid: Option<String>,
    pub detail: String,
    /// What was received, if it can't be understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub record: Option<String>,
}

impl From<&StoredAnomaly> for Anomaly {
    fn from(anomaly: &StoredAnomaly) -> Self {
        Self {
            foundation: anomaly.foundation.clone(),
            input: anomaly.sequence,
            kind: anomaly.kind.clone(),
            at: anomaly.at,
            resource_kind: anomaly.resource.as_ref().map(|(kind, _)| kind.name()),
            resource_guid: anomaly.resource.as_ref().map(|(_, guid)| guid.clone()),
            detail: anomaly.detail.clone(),
            record: None,
        }
    }
}

impl Tabular for Anomaly {
    const HEADER: &'static [&'static str] =
        &["foundation", "input", "kind", "at", "resource_kind", "resource_guid", "detail"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.foundation.clone(),
            self.input.to_string(),
            self.kind.clone(),
            or_empty(self.at),
            or_empty(self.resource_kind),
            or_empty(self.resource_guid.as_ref()),
            self.detail.clone(),
        ]
    }
}
