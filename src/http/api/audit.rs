//! The audit log.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, limit, maybe, times};
use crate::access::MayReadAudit;
use crate::api::{AuditAsked, AuditRecord};
use crate::domain::Deed;
use crate::http::Served;
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};
use crate::store::AuditFilter;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditParameters {
    /// Only by whom: a token's name, `ISSUER/SUBJECT`, or the user of a command
    who: Option<String>,
    /// Only what was done, such as `document_opened`
    deed: Option<String>,
    /// Only to what: a number, or an account and a month
    subject: Option<String>,
    /// Only from this time on: RFC 3339, or a date at midnight in the billing time zone
    from: Option<String>,
    /// Only before this time
    to: Option<String>,
    /// Where to begin: `next` of the page before
    cursor: Option<String>,
    /// Rows of a page
    #[param(value_type = Option<i32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List the audit log
///
/// Who did what, or opened which document, and from where; the newest entries first.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "audit",
    params(AuditParameters),
    responses(
        (status = 200, description = "A page of them",
         content((Listed<AuditRecord> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn audit(
    Asking { may, book, .. }: Asking<MayReadAudit>,
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<AuditParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let known: Vec<&str> = Deed::ALL.iter().map(|deed| deed.name()).collect();
    let deeds = format!("one of {}", known.join(", "));
    let deed = maybe("deed", asked.deed.as_deref(), &deeds, Deed::from_name)?;
    let (from, to) = times(asked.from.as_deref(), asked.to.as_deref(), served.of_book.zone())?;
    let asked = AuditAsked {
        filter: AuditFilter { from, to, who: asked.who, deed, subject: asked.subject },
        cursor: asked.cursor,
        limit: limit(asked.limit.as_deref())?,
    };
    form.page(book.audit(&may, &asked).await?)
}
