//! What a month costs, to whom it is for.

use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, keys, month};
use crate::access::MayReadCost;
use crate::api::{CostBy, CostRow, ListPage};
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};
use crate::store::CostQuery;

/// Of cost.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CostParameters {
    /// The month, in the billing time zone: `2026-10`
    #[param(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$", example = "2026-10")]
    period: String,
    /// Group by these, with commas between them, in this order: `account`, `foundation`, `kind`, `org`, `space`, `app`,
    /// `service`, `buildpack`, `plan`, `meter`
    #[param(default = "account")]
    by: Option<String>,
    /// Only this account, by its id
    account: Option<String>,
}

/// Add up what a month costs
///
/// From its drafts, final invoices and credit notes: the rows add up to their nets. The daemon drafts the running month again
/// and again, so that it is as new as `[billing] draft_interval`. A tenant sees what its accounts cost.
#[utoipa::path(
    get,
    path = "/cost",
    tag = "cost",
    params(CostParameters),
    responses(
        (status = 200, description = "A row for each group",
         content((Listed<CostRow> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn cost(
    Asking { may, book, .. }: Asking<MayReadCost>,
    Parameters(asked): Parameters<CostParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let month = month("period", &asked.period)?;
    let by = keys::<CostBy>(asked.by.as_deref().unwrap_or("account"))?;
    let query = CostQuery { month, by: by.iter().map(|by| by.group()).collect(), account: asked.account };
    let items: Vec<CostRow> = book.cost(&may, &query).await?.iter().map(|row| CostRow::new(row, &by)).collect();
    form.listed(ListPage { items, next: None }, |rows| {
        (CostRow::header(&by), rows.iter().map(CostRow::cells).collect())
    })
}
