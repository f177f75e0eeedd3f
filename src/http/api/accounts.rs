//! Accounts: who pays for what, to whom it is for.

use axum::Json;
use axum::response::Response;

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, Path};
use super::status::Nothing;
use crate::access::MayReadAccounts;
use crate::api::{Account, AccountRow, ListPage, Tabular};
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};

/// List accounts
///
/// Those of the accounts file, in its order: what each owns when, and its terms. As CSV a row for each thing that is owned. An
/// organization that nobody owns is an account by itself, and isn't here.
#[utoipa::path(
    get,
    path = "/accounts",
    tag = "accounts",
    responses(
        (status = 200, description = "All of them",
         content((Listed<Account> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn accounts(
    Asking { may, book, .. }: Asking<MayReadAccounts>,
    Parameters(Nothing {}): Parameters<Nothing>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let items = book.accounts(&may)?;
    form.listed(ListPage { items, next: None }, |accounts| {
        let rows = accounts.iter().flat_map(Account::rows);
        (AccountRow::HEADER.to_vec(), rows.map(|row| row.cells()).collect())
    })
}

/// Show one account
#[utoipa::path(
    get,
    path = "/accounts/{account}",
    tag = "accounts",
    params(("account" = String, Path, description = "Its id in the accounts file")),
    responses((status = 200, description = "The account", body = Account), Refusals)
)]
pub(super) async fn account(
    Asking { may, book, .. }: Asking<MayReadAccounts>,
    Path(id): Path<String>,
    Parameters(Nothing {}): Parameters<Nothing>,
) -> Result<Json<Account>, ProblemDetails> {
    Ok(Json(book.account(&may, &id)?))
}
