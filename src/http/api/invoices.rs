//! Invoices and credit notes with their documents, to whom they are for.

use axum::Json;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answer::{AcceptedForm, Listed};
use super::parameters::{Parameters, Path, limit, maybe, month};
use super::status::Nothing;
use crate::access::MayReadInvoices;
use crate::api::{Explanation, InvoiceDocument, InvoiceSummary, InvoicesAsked, KeptDocument};
use crate::documents::Format;
use crate::http::asking::Asking;
use crate::http::problem::{ProblemDetails, Refusals};
use crate::invoicing::Status;
use crate::store::InvoiceFilter;

/// How far an invoice is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatusWord {
    Draft,
    InReview,
    Final,
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Draft => Self::Draft,
            StatusWord::InReview => Self::Review,
            StatusWord::Final => Self::Final,
        }
    }
}

/// What a file holds, as it is.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(super) struct Bytes(Vec<u8>);

/// In which a document may be had; `facturx` is a PDF that must have the e-invoice in it.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatWord {
    Html,
    Pdf,
    Csv,
    Json,
    Ubl,
    Facturx,
}

impl From<FormatWord> for Format {
    fn from(word: FormatWord) -> Self {
        match word {
            FormatWord::Html => Self::Html,
            FormatWord::Pdf => Self::Pdf,
            FormatWord::Csv => Self::Csv,
            FormatWord::Json => Self::Json,
            FormatWord::Ubl => Self::Ubl,
            FormatWord::Facturx => Self::Facturx,
        }
    }
}

/// Of a list of invoices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InvoiceParameters {
    /// Only this month: `2026-10`
    #[param(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$")]
    period: Option<String>,
    /// Only those that are so far
    #[param(inline)]
    status: Option<StatusWord>,
    /// Only this account, by its id
    account: Option<String>,
    /// Where to begin: `next` of the page before
    cursor: Option<String>,
    /// Rows of a page
    #[param(value_type = Option<i32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// List invoices and credit notes
///
/// Without their lines, those made last first. A tenant sees the final ones of its accounts.
#[utoipa::path(
    get,
    path = "/invoices",
    tag = "invoices",
    params(InvoiceParameters),
    responses(
        (status = 200, description = "A page of them",
         content((Listed<InvoiceSummary> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn invoices(
    Asking { may, book, .. }: Asking<MayReadInvoices>,
    Parameters(asked): Parameters<InvoiceParameters>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    let month = asked.period.as_deref().map(|text| month("period", text)).transpose()?;
    let asked = InvoicesAsked {
        filter: InvoiceFilter { month, status: asked.status.map(Status::from), account: asked.account },
        cursor: asked.cursor,
        limit: limit(asked.limit.as_deref())?,
    };
    form.page(book.invoices(&may, &asked).await?)
}

/// Show one invoice or credit note
///
/// With its lines, by docs/invoice.schema.json.
#[utoipa::path(
    get,
    path = "/invoices/{invoice}",
    tag = "invoices",
    params(("invoice" = String, Path, description = "Its number, or its id in the list", example = "CF-000001")),
    responses((status = 200, description = "All of it", body = InvoiceDocument), Refusals)
)]
pub(super) async fn invoice(
    Asking { may, book, .. }: Asking<MayReadInvoices>,
    Path(reference): Path<String>,
    Parameters(Nothing {}): Parameters<Nothing>,
) -> Result<Json<InvoiceDocument>, ProblemDetails> {
    Ok(Json(book.invoice(&may, &reference).await?))
}

/// Of an explanation.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExplanationParameters {
    /// Lines to explain, from 1, with commas between them; the steps from the lines to the total are always there
    #[param(pattern = "^[1-9][0-9]{0,6}(,[1-9][0-9]{0,6}){0,99}$")]
    line: Option<String>,
}

/// Lines that are explained at once.
const MOST_LINES: usize = 100;

/// Explain an invoice or credit note
///
/// Every cent: how its total is computed, and of the lines that are asked for each stretch of usage with its ledger entry and the
/// usage events that began and ended it. The steps add up to what is printed.
#[utoipa::path(
    get,
    path = "/invoices/{invoice}/explanation",
    tag = "invoices",
    params(("invoice" = String, Path, description = "Its number, or its id in the list", example = "CF-000001"), ExplanationParameters),
    responses((status = 200, description = "The explanation", body = Explanation), Refusals)
)]
pub(super) async fn explanation(
    Asking { may, book, .. }: Asking<MayReadInvoices>,
    Path(reference): Path<String>,
    Parameters(asked): Parameters<ExplanationParameters>,
) -> Result<Json<Explanation>, ProblemDetails> {
    let position = |text: &str| text.parse::<usize>().ok().filter(|position| *position > 0 && *position < 10_000_000);
    let read = |text: &str| -> Option<Vec<usize>> {
        let lines = text.split(',').map(position).collect::<Option<Vec<_>>>()?;
        (lines.len() <= MOST_LINES).then_some(lines)
    };
    let form = "numbers of lines, from 1, with commas between them, 100 at most";
    let lines = maybe("line", asked.line.as_deref(), form, read)?.unwrap_or_default();
    Ok(Json(book.explanation(&may, &reference, &lines).await?))
}

/// List the documents of an invoice
///
/// Those that were made so far: of a final invoice each is made once, when it is first asked for, and kept.
#[utoipa::path(
    get,
    path = "/invoices/{invoice}/documents",
    tag = "invoices",
    params(("invoice" = String, Path, description = "Its number, or its id in the list", example = "CF-000001")),
    responses(
        (status = 200, description = "All of them",
         content((Listed<KeptDocument> = "application/json"), (String = "text/csv"))),
        Refusals
    )
)]
pub(super) async fn documents(
    Asking { may, book, .. }: Asking<MayReadInvoices>,
    Path(reference): Path<String>,
    Parameters(Nothing {}): Parameters<Nothing>,
    form: AcceptedForm,
) -> Result<Response, ProblemDetails> {
    form.all(book.documents(&may, &reference).await?)
}

/// What an opened HTML document may do: show itself.
const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

/// Get a document of an invoice
///
/// Of a final invoice the bytes that were made first, whenever that was; of a draft made anew each time.
#[utoipa::path(
    get,
    path = "/invoices/{invoice}/documents/{format}",
    tag = "invoices",
    params(
        ("invoice" = String, Path, description = "Its number, or its id in the list", example = "CF-000001"),
        ("format" = inline(FormatWord), Path, description = "`facturx` is a PDF that must have the e-invoice in it")
    ),
    responses(
        (status = 200, description = "The document", content(
            (serde_json::Value = "application/*"), (Bytes = "application/octet-stream"), (String = "text/*")
        )),
        Refusals
    )
)]
pub(super) async fn document(
    Asking { may, book, .. }: Asking<MayReadInvoices>,
    Path((reference, format)): Path<(String, FormatWord)>,
    method: Method,
    Parameters(Nothing {}): Parameters<Nothing>,
) -> Result<Response, ProblemDetails> {
    let format = Format::from(format);
    // Only who takes the document has it made.
    let (bytes, name) = match method {
        Method::HEAD => (Vec::new(), book.document_name(&may, &reference, format).await?),
        _ => book.document(&may, &reference, format).await?,
    };
    let media_type = match format {
        Format::Html => "text/html; charset=utf-8",
        Format::Pdf | Format::Facturx => "application/pdf",
        Format::Csv => "text/csv; charset=utf-8",
        Format::Json => "application/json",
        Format::Ubl => "application/xml",
    };
    let mut response = ([(CONTENT_TYPE, media_type)], bytes).into_response();
    let headers = response.headers_mut();
    // A number is letters, digits and what a series has in its name.
    let quoted = name.replace(['"', '\\'], "_");
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{quoted}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    Ok(response)
}
