//! Foundations, and what isn't as it should be: for those who run it, and those who decide about gaps.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, Path, limit, maybe, times};
use crate::access::MayReadStatus;
use crate::api::{AnomaliesAsked, Anomaly, Foundation, Gap};
use crate::domain::{AnomalyKind, Span, Timestamp};
use crate::http::Served;
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};
use crate::store::AnomalyFilter;

/// List foundations
///
/// Those of the book and those that are configured, with what holds them, by name.
#[utoipa::path(
    get,
    path = "/foundations",
    tag = "status",
    responses(
        (status = 200, description = "All of them",
         content((Listed<Foundation> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn foundations(
    Asking { may, book, .. }: Asking<MayReadStatus>,
    Parameters(Nothing {}): Parameters<Nothing>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    form.all(book.foundations(&may).await?)
}

/// Show one foundation
#[utoipa::path(
    get,
    path = "/foundations/{foundation}",
    tag = "status",
    params(("foundation" = String, Path, description = "Its name in the configuration")),
    responses((status = 200, description = "The foundation", body = Foundation), Refusals)
)]
pub(super) async fn foundation(
    Asking { may, book, .. }: Asking<MayReadStatus>,
    Path(name): Path<String>,
    Parameters(Nothing {}): Parameters<Nothing>,
) -> Result<axum::Json<Foundation>, ProblemDetails> {
    Ok(axum::Json(book.foundation(&may, &name).await?))
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Of a list of gaps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GapsAsked {
    /// Only this foundation's
    foundation: Option<String>,
}

/// List gaps
///
/// Periods whose usage events are lost, and what was assumed for them. An invoice whose period touches one becomes final
/// only once somebody accepts that.
#[utoipa::path(
    get,
    path = "/gaps",
    tag = "status",
    params(GapsAsked),
    responses(
        (status = 200, description = "All of them, the oldest of each foundation first",
         content((Listed<Gap> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn gaps(
    Asking { may, book, .. }: Asking<MayReadStatus>,
    Parameters(asked): Parameters<GapsAsked>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    form.all(book.gaps(&may, asked.foundation.as_deref()).await?)
}

/// Of a list of anomalies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AnomalyParameters {
    /// Only this foundation's
    foundation: Option<String>,
    /// Only of this kind, such as `undecodable`
    kind: Option<String>,
    /// Only from this time on: RFC 3339, or a date at midnight in the billing time zone. Those without a readable time are
    /// always there
    from: Option<String>,
    /// Only before this time
    to: Option<String>,
    /// Where to begin: `next` of the page before
    cursor: Option<String>,
    /// Rows of a page
    #[param(value_type = Option<i32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List anomalies
///
/// What in Cloud Controller's records doesn't fit, and what was made of it, in the order in which it was met.
#[utoipa::path(
    get,
    path = "/anomalies",
    tag = "status",
    params(AnomalyParameters),
    responses(
        (status = 200, description = "A page of them",
         content((Listed<Anomaly> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn anomalies(
    Asking { may, book, .. }: Asking<MayReadStatus>,
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<AnomalyParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let known: Vec<&str> = AnomalyKind::ALL.iter().map(|kind| kind.name()).collect();
    let kinds = format!("one of {}", known.join(", "));
    let kind = maybe("kind", asked.kind.as_deref(), &kinds, AnomalyKind::from_name)?;
    let (from, to) = times(asked.from.as_deref(), asked.to.as_deref(), served.of_book.zone())?;
    let span = (from.is_some() || to.is_some())
        .then(|| Span { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MAX) });
    let asked = AnomaliesAsked {
        filter: AnomalyFilter { foundation: asked.foundation, kind, span },
        cursor: asked.cursor,
        limit: limit(asked.limit.as_deref())?,
    };
    form.page(book.anomalies(&may, &asked).await?)
}
