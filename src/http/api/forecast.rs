//! What the running month will come to, to whom it is for.

use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, keys};
use crate::access::MayReadCost;
use crate::api::{CostBy, ForecastRow, ListPage};
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};

/// Of a forecast.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ForecastParameters {
    /// Group by these, with commas between them, in this order: `account`, `foundation`, `kind`, `org`, `space`, `app`,
    /// `service`, `buildpack`, `plan`, `meter`
    #[param(default = "account")]
    by: Option<String>,
    /// Only this account, by its id
    account: Option<String>,
}

/// Tell what the running month will come to
///
/// Apps and service instances that run now go on until its end; tasks and stagings end. All of it is rated as it would be invoiced, by the
/// card and the accounts of now. Beside it is what the month comes to so far, and what last month cost. It is made again once it is
/// older than `[billing] draft_interval`.
#[utoipa::path(
    get,
    path = "/forecast",
    tag = "cost",
    params(ForecastParameters),
    responses(
        (status = 200, description = "A row for each group",
         content((Listed<ForecastRow> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn forecast(
    Asking { may, book, .. }: Asking<MayReadCost>,
    Parameters(asked): Parameters<ForecastParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let by = keys::<CostBy>(asked.by.as_deref().unwrap_or("account"))?;
    let items = book.forecast(&may, &by, asked.account.as_deref()).await?;
    form.listed(ListPage { items, next: None }, |rows| {
        (ForecastRow::header(&by), rows.iter().map(ForecastRow::cells).collect())
    })
}
