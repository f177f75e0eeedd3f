//! The form of answers: JSON or CSV as it is accepted, with an `ETag`, and for nobody else's cache.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK, VARY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use url::form_urlencoded;
use utoipa::ToSchema;

use super::ROOT;
use crate::api::{ListPage, Tabular, csv};
use crate::clock::Stopwatch;
use crate::domain::text::{hexadecimal, visible};
use crate::http::Served;
use crate::http::asking::WhoAsks;
use crate::http::problem::{ProblemDetails, name, request_id};

/// A list, or a page of one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    items: Vec<T>,
    /// Give it as `cursor` for the next page; null: this is the last.
    #[schema(required)]
    next: Option<String>,
}

/// In which form a list is to be answered, and where it is.
#[derive(Debug)]
pub(super) struct AcceptedForm {
    is_csv: bool,
    uri: Uri,
}

impl FromRequestParts<Arc<Served>> for AcceptedForm {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Served>) -> Result<Self, ProblemDetails> {
        let is_csv = preferred(&parts.headers, &["application/json", "text/csv"])? == "text/csv";
        Ok(Self { is_csv, uri: parts.uri.clone() })
    }
}

impl AcceptedForm {
    /// All of a list.
    pub fn all<T: Tabular + Serialize>(self, items: Vec<T>) -> Result<Response, ProblemDetails> {
        self.page(ListPage { items, next: None })
    }

    /// A page of a list; what CSV has no place for is in the header `Link`.
    pub fn page<T: Tabular + Serialize>(self, page: ListPage<T>) -> Result<Response, ProblemDetails> {
        let rows = |items: &[T]| (T::HEADER.to_vec(), items.iter().map(Tabular::cells).collect());
        self.listed(page, rows)
    }

    /// As [`AcceptedForm::page`], of rows whose columns were asked for.
    pub fn listed<T: Serialize>(
        self,
        page: ListPage<T>,
        table: impl FnOnce(&[T]) -> (Vec<&'static str>, Vec<Vec<String>>),
    ) -> Result<Response, ProblemDetails> {
        let next = page.next.map(|next| next.text().to_owned());
        let link = next.as_deref().and_then(|cursor| self.link(cursor));
        let mut response = if self.is_csv {
            let (header, rows) = table(&page.items);
            let text = csv(&header, rows).map_err(|error| ProblemDetails::failed(error.to_string()))?;
            ([(CONTENT_TYPE, "text/csv; charset=utf-8")], text).into_response()
        } else {
            Json(Listed { items: page.items, next }).into_response()
        };
        if let Some(link) = link {
            response.headers_mut().insert(LINK, link);
        }
        Ok(response)
    }

    /// The same question, for the next page.
    fn link(&self, cursor: &str) -> Option<HeaderValue> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes()) {
            if name != "cursor" {
                query.append_pair(&name, &value);
            }
        }
        query.append_pair("cursor", cursor);
        let target = format!("{}{}?{}", ROOT, self.uri.path(), query.finish());
        HeaderValue::try_from(format!("<{target}>; rel=\"next\"")).ok()
    }
}

/// The one of several media types that is accepted most; the first, where nothing is said.
///
/// # Errors
/// None of them is.
pub(super) fn preferred(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, ProblemDetails> {
    let said: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accepted = said.join(",");
    if accepted.trim().is_empty() {
        return Ok(offered[0]);
    }
    let mut best: Option<(&'static str, u32)> = None;
    for media_type in offered {
        let quality = quality(&accepted, media_type);
        if quality > best.map_or(0, |(_, best)| best) {
            best = Some((media_type, quality));
        }
    }
    best.map(|(media_type, _)| media_type).ok_or_else(|| {
        ProblemDetails::not_acceptable(format!(
            "`Accept: {}` is nothing that there is\nhint: use {}",
            visible(&accepted),
            offered.join(" or ")
        ))
    })
}

/// How much a media type is accepted, in thousandths: by the range that says most of it (RFC 9110, 12.5.1).
fn quality(accepted: &str, media_type: &str) -> u32 {
    let whole = media_type.split('/').next().unwrap_or_default().to_owned() + "/*";
    let mut most_specific = (0, 0);
    for range in accepted.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let specific = if name.eq_ignore_ascii_case(media_type) {
            3
        } else if name.eq_ignore_ascii_case(&whole) {
            2
        } else if name == "*/*" || name == "*" {
            1
        } else {
            continue;
        };
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1000), thousandths).unwrap_or(0);
        if specific > most_specific.0 {
            most_specific = (specific, quality);
        }
    }
    most_specific.1
}

/// `0.5` as 500, also as `.5` and with more digits than there should be; `None`: it isn't one.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_one = matches!(whole, "" | "0" | "1") && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    let value = is_one.then(|| format!("{whole}{fraction}"))?.parse().ok()?;
    (value <= 1000).then_some(value)
}

/// Names a request, writes problems, and says how answers may be kept.
pub(super) async fn finish(mut request: Request, next: Next) -> Response {
    let watch = Stopwatch::start();
    let request_id = request_id();
    let (method, path) = (request.method().clone(), format!("{ROOT}{}", request.uri().path()));
    let known = request.headers().get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.collect::<Vec<_>>().join(",");
    let who = WhoAsks::of(&request_id);
    request.extensions_mut().insert(who.clone());
    let mut response = next.run(request).await;
    if response.status() == StatusCode::OK && matches!(method, Method::GET | Method::HEAD) {
        response = tagged(response, &known).await;
    }
    let caching = if response.headers().contains_key(ETAG) { "private, no-cache" } else { "private, no-store" };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.append(VARY, HeaderValue::from_static("Authorization, Cookie, Accept, Accept-Language"));
    name(&mut response, &request_id);
    let status = response.status().as_u16();
    let (caller, seconds) = (who.name(), watch.elapsed().as_secs_f64());
    tracing::info!(request_id, caller, %method, path, status, seconds, "asked over the API");
    response
}

/// With its `ETag`; without its body, if that is known already. Bodies are whole in memory when they come here.
async fn tagged(response: Response, known: &str) -> Response {
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        return ProblemDetails::failed("the answer broke off").into_response();
    };
    // Weak: the same answer may go out compressed.
    let tag = format!("W/\"{}\"", &hexadecimal(&Sha256::digest(&bytes))[..32]);
    let is_known = known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == &tag[2..]);
    if let Ok(value) = HeaderValue::try_from(tag) {
        parts.headers.insert(ETAG, value);
    }
    if is_known {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(CONTENT_TYPE);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use axum::http::header::ACCEPT;
    use axum::http::{HeaderMap, HeaderValue};

    use super::preferred;

    #[test]
    fn the_form_is_the_one_that_is_accepted_most() {
        for (accepted, form) in [
            (None, Some("application/json")),
            (Some("*/*"), Some("application/json")),
            (Some("text/csv"), Some("text/csv")),
            (Some("TEXT/CSV"), Some("text/csv")),
            (Some("text/*, application/json;q=0.5"), Some("text/csv")),
            (Some("text/csv;q=0.4, application/json;q=0.41"), Some("application/json")),
            (Some("text/csv;q=0, */*"), Some("application/json")),
            (Some("application/json;q=0, */*;q=0.001"), Some("text/csv")),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Some("application/json")),
            (Some("application/xml"), None),
            (Some("text/csv;q=0"), None),
            (Some("text/csv;q=2"), None),
            (Some("text/csv;q=1.0000"), Some("text/csv")),
            (Some("text/html, image/gif, *; q=.2, */*; q=.2"), Some("application/json")),
            (Some(""), Some("application/json")),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(accepted) = accepted {
                headers.insert(ACCEPT, HeaderValue::from_static(accepted));
            }
            assert_eq!(preferred(&headers, &["application/json", "text/csv"]).ok(), form, "{accepted:?}");
        }
    }
}
