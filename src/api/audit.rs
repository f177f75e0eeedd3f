//! The audit log, as programs read it.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::row::{Tabular, or_empty};
use crate::domain::{AuditEntry, Timestamp};

/// Who did what, or opened which document.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AuditRecord {
    /// 1, 2, 3 …
    pub number: u64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// A token's name, `ISSUER/SUBJECT`, or the user of a command.
    pub who: String,
    /// `api`, `page` or `command`
    pub way: &'static str,
    /// The address that it came from, or the host of a command.
    #[schema(required)]
    pub origin: Option<String>,
    /// The id of the request, as in the daemon's log.
    #[schema(required)]
    pub request_id: Option<String>,
    /// `document_opened`, `month_held`, `month_released`, `invoice_finalized`, `invoice_credited` …
    pub deed: &'static str,
    /// A number, or an account and a month.
    pub subject: String,
    /// What it was before.
    #[schema(value_type = Option<Object>, required)]
    pub before: Option<Value>,
    /// What it is since.
    #[schema(value_type = Option<Object>, required)]
    pub after: Option<Value>,
}

impl From<&AuditEntry> for AuditRecord {
    fn from(entry: &AuditEntry) -> Self {
        let AuditEntry { number, at, actor, act } = entry.clone();
        Self {
            number,
            at,
            who: actor.who,
            way: actor.way.name(),
            origin: actor.origin,
            request_id: actor.request,
            deed: act.deed.name(),
            subject: act.subject,
            before: act.before,
            after: act.after,
        }
    }
}

impl Tabular for AuditRecord {
    const HEADER: &'static [&'static str] =
        &["number", "at", "who", "way", "origin", "request_id", "deed", "subject", "before", "after"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.number.to_string(),
            self.at.to_string(),
            self.who.clone(),
            self.way.to_owned(),
            or_empty(self.origin.as_ref()),
            or_empty(self.request_id.as_ref()),
            self.deed.to_owned(),
            self.subject.clone(),
            or_empty(self.before.as_ref()),
            or_empty(self.after.as_ref()),
        ]
    }
}
