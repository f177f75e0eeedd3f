//! `/api/v1`: the book for programs. Owns its addresses, its answers' forms and their description; what may be read is
//! decided in [`crate::access`], and read in [`crate::api`]. Changes nothing.

mod accounts;
mod answer;
mod audit;
mod cost;
mod description;
mod forecast;
mod invoices;
mod parameters;
mod status;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use tower_http::compression::CompressionLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use description::description;

use super::Served;
use super::problem::{self, no_such_page};

/// Under which everything of this is.
pub(super) const ROOT: &str = "/api/v1";

/// Every route with its description: what has none of the one hasn't the other.
fn described() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new()
        .routes(routes!(status::foundations))
        .routes(routes!(status::foundation))
        .routes(routes!(status::gaps))
        .routes(routes!(status::anomalies))
        .routes(routes!(usage::usage))
        .routes(routes!(accounts::accounts))
        .routes(routes!(accounts::account))
        .routes(routes!(cost::cost))
        .routes(routes!(forecast::forecast))
        .routes(routes!(invoices::invoices))
        .routes(routes!(invoices::invoice))
        .routes(routes!(invoices::explanation))
        .routes(routes!(invoices::documents))
        .routes(routes!(invoices::document))
        .routes(routes!(audit::audit))
}

/// All of it, with the description itself.
pub(super) fn router() -> Router<Arc<Served>> {
    let (router, _) = described().split_for_parts();
    let router = router
        .route("/openapi.json", axum::routing::get(description::serve))
        .fallback(no_such_page)
        .method_not_allowed_fallback(problem::only_read);
    router.layer(from_fn(answer::finish)).layer(CompressionLayer::new())
}
