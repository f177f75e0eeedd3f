//! How much was used, without prices.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, flag, keys, time};
use crate::access::MayReadUsage;
use crate::api::{ListPage, UsageAsked, UsageBy, UsageRow};
use crate::domain::Span;
use crate::http::Served;
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};

/// Of usage.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageParameters {
    /// Start, inclusive: RFC 3339, or a date at midnight in the billing time zone
    #[param(example = "2026-10-01")]
    from: String,
    /// End, exclusive
    #[param(example = "2026-11-01")]
    to: String,
    /// Group by these, with commas between them, in this order: `foundation`, `kind`, `org`, `space`, `app`, `process`,
    /// `buildpack`, `plan`
    #[param(default = "kind")]
    by: Option<String>,
    /// Names beside guids
    #[param(value_type = Option<bool>, default = false)]
    names: Option<String>,
    /// User-provided service instances count too
    #[param(value_type = Option<bool>, default = false)]
    user_provided: Option<String>,
    /// Only this foundation's
    foundation: Option<String>,
}

/// Add up usage
///
/// Quantities are integers: instance-seconds, and MiB-seconds of memory and disk. What still runs counts up to the time
/// until which usage is known.
#[utoipa::path(
    get,
    path = "/usage",
    tag = "usage",
    params(UsageParameters),
    responses(
        (status = 200, description = "A row for each group",
         content((Listed<UsageRow> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn usage(
    Asking { may, book, .. }: Asking<MayReadUsage>,
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<UsageParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let zone = served.of_book.zone();
    let span = Span { from: time("from", &asked.from, zone)?, to: time("to", &asked.to, zone)? };
    if span.to < span.from {
        return Err(ProblemDetails::parameter("`to` is before `from`\nhint: exchange them"));
    }
    let by = keys::<UsageBy>(asked.by.as_deref().unwrap_or("kind"))?;
    let names = flag("names", asked.names.as_deref())?;
    let user_provided = flag("user_provided", asked.user_provided.as_deref())?;
    let asked = UsageAsked { span, by, names, user_provided, foundation: asked.foundation };
    let items = book.usage(&may, &asked).await?;
    form.listed(ListPage { items, next: None }, |rows| {
        let cells = |row: &UsageRow| row.cells(|number| number.to_string());
        (UsageRow::header(&asked.by, asked.names), rows.iter().map(cells).collect())
    })
}
