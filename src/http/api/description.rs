//! The API's description, `OpenAPI` 3.1: made of the routes themselves. `docs/openapi.json` is a copy that a test compares.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use super::parameters::Parameters;
use super::status::Nothing;
use super::{ROOT, described};
use crate::api::{CostBy, UsageBy, invoice_schema, key_properties};
use crate::http::problem::ProblemDetails;

/// cf-billing's book, for programs.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "cf-billing",
        description = "The book of a cf-billing daemon: what was used on Cloud Foundry, and what was invoiced for it.\n\nEvery request has a bearer token, unless the daemon asks nobody who they are. Lists come in pages: `next` of one is the `cursor` of the following. They are JSON, or CSV where `Accept: text/csv` is sent. Answers have an `ETag`. What can't be answered is a problem, as RFC 9457 has it. Times are RFC 3339 in UTC; amounts are decimal numbers as text, in the currency's major unit."
    ),
    tags(
        (name = "status", description = "Foundations, and what isn't as it should be"),
        (name = "usage", description = "How much was used, without prices"),
        (name = "accounts", description = "Who pays for what, and on which terms"),
        (name = "cost", description = "What months cost, as their invoices stand"),
        (name = "invoices", description = "Invoices, credit notes and their documents")
    ),
    components(schemas(ProblemDetails)),
    security(("token" = []))
)]
struct Described;

/// The whole document.
#[must_use]
pub fn description() -> Value {
    let (_, routes) = described().split_for_parts();
    let mut all = Described::openapi();
    all.merge(routes);
    let mut value = serde_json::to_value(&all).expect("a description is plain data");
    value["servers"] = json!([{"url": ROOT}]);
    let token =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A `[[token]]` of the configuration"));
    value["components"]["securitySchemes"]["token"] =
        serde_json::to_value(SecurityScheme::Http(token.build())).expect("a scheme is plain data");
    unwrap_lines(&mut value);
    let schemas = &mut value["components"]["schemas"];
    name_items(schemas);
    let costs = key_properties::<CostBy>();
    let keys = [("UsageRow", key_properties::<UsageBy>()), ("CostRow", costs.clone()), ("ForecastRow", costs)];
    for (row, keys) in keys {
        schemas[row]["properties"].as_object_mut().expect("a row is an object").extend(keys);
    }
    for (name, schema) in invoice_schema() {
        value["components"]["schemas"][name] = schema;
    }
    value
}

/// The items of a list are named, as everything else is, so that a generated client has one type for each.
fn name_items(schemas: &mut Value) {
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        if let Some(item) = name.strip_prefix("Listed_") {
            schema["properties"]["items"]["items"] = json!({"$ref": format!("#/components/schemas/{item}")});
        }
    }
}

/// Doc comments are broken to fit the source; only an empty line is a break.
fn unwrap_lines(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                let paragraphs: Vec<String> = text.split("\n\n").map(|one| one.replace('\n', " ")).collect();
                *text = paragraphs.join("\n\n");
            }
            object.values_mut().for_each(unwrap_lines);
        }
        Value::Array(values) => values.iter_mut().for_each(unwrap_lines),
        _ => {}
    }
}

static TEXT: LazyLock<String> = LazyLock::new(|| description().to_string());

/// To anybody: it tells nothing of the book.
pub(super) async fn serve(Parameters(Nothing {}): Parameters<Nothing>) -> Response {
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}
