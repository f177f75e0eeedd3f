//! Parameters of requests: every one is known and valid, or the answer says which isn't.

use crate::http::problem::ProblemDetails;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use chrono_tz::Tz;
use clap::ValueEnum;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::api::LIMITS;
use crate::domain::text::visible;
use crate::domain::{Month, Timestamp};
use crate::keyed;

/// What stands behind the `?`.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProblemDetails> {
        let query = parts.uri.query().unwrap_or_default();
        if form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            return Err(no_text());
        }
        let read = Query::<T>::try_from_uri(&parts.uri);
        // `Failed to deserialize query string: unknown field …` is of what we make the text from.
        read.map(|Query(read)| Self(read)).map_err(|refused| {
            let told = std::error::Error::source(&refused).map_or_else(|| refused.to_string(), ToString::to_string);
            ProblemDetails::parameter(visible(&told))
        })
    }
}

/// What stands in the address itself.
#[derive(Debug)]
pub(super) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ProblemDetails;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ProblemDetails> {
        let raw = RawPathParams::from_request_parts(parts, state).await;
        let raw = raw.map_err(|refused| ProblemDetails::parameter(visible(&refused.body_text())))?;
        if raw.iter().any(|(_, value)| value.contains('\0')) {
            return Err(no_text());
        }
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(read)| Self(read)).map_err(|refused| {
            let told = refused.body_text();
            // `Invalid URL: ` is of what we make the text from, too.
            ProblemDetails::parameter(visible(told.strip_prefix("Invalid URL: ").unwrap_or(&told)))
        })
    }
}

/// No database keeps such a text.
fn no_text() -> ProblemDetails {
    ProblemDetails::parameter("the address has a NUL character (`%00`)\nhint: leave it out")
}

/// A parameter's value, if it is given.
pub(super) fn maybe<T>(
    name: &str,
    text: Option<&str>,
    form: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, ProblemDetails> {
    let wrong =
        |text: &str| ProblemDetails::parameter(format!("`{name}={}` is not valid\nhint: use {form}", visible(text)));
    text.map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
}

/// A time, or a date at midnight in the billing time zone.
pub(super) fn time(name: &str, text: &str, zone: Tz) -> Result<Timestamp, ProblemDetails> {
    keyed::time(text, zone)
        .map_err(|wrong| ProblemDetails::parameter(format!("`{name}`: {}\nhint: {}", wrong.what, wrong.form)))
}

/// The times that a list begins and ends at, `from` and `to`, where they are given.
pub(super) fn times(
    from: Option<&str>,
    to: Option<&str>,
    zone: Tz,
) -> Result<(Option<Timestamp>, Option<Timestamp>), ProblemDetails> {
    let at = |name: &str, text: Option<&str>| text.map(|text| time(name, text, zone)).transpose();
    let (from, to) = (at("from", from)?, at("to", to)?);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        return Err(ProblemDetails::parameter("`to` is before `from`\nhint: exchange them"));
    }
    Ok((from, to))
}

/// How many rows a page has.
pub(super) fn limit(text: Option<&str>) -> Result<usize, ProblemDetails> {
    let (fewest, unasked, most) = LIMITS;
    let form = format!("a whole number from {fewest} to {most}");
    let read = |text: &str| {
        let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<usize>().ok().filter(|number| is_whole && (fewest..=most).contains(number))
    };
    Ok(maybe("limit", text, &form, read)?.unwrap_or(unasked))
}

/// `true` or `false`.
pub(super) fn flag(name: &str, text: Option<&str>) -> Result<bool, ProblemDetails> {
    Ok(maybe(name, text, "true or false", |text| text.parse().ok())?.unwrap_or(false))
}

/// A month, such as `2026-10`.
pub(super) fn month(name: &str, text: &str) -> Result<Month, ProblemDetails> {
    text.parse().map_err(|_| {
        ProblemDetails::parameter(format!("`{name}={}` is not valid\nhint: use a month such as 2026-10", visible(text)))
    })
}

/// What to group by; each key once.
pub(super) fn keys<K: ValueEnum + PartialEq>(text: &str) -> Result<Vec<K>, ProblemDetails> {
    let mut keys = Vec::new();
    let text = &*visible(text);
    for word in text.split(',') {
        let Ok(key) = K::from_str(word, false) else {
            let known = K::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known = known.map(|key| key.get_name().to_owned()).collect::<Vec<_>>().join(", ");
            return Err(ProblemDetails::parameter(format!(
                "`by={text}`: `{word}` is not a key\nhint: use some of {known}"
            )));
        };
        if keys.contains(&key) {
            return Err(ProblemDetails::parameter(format!("`by={text}` has `{word}` twice\nhint: name each key once")));
        }
        keys.push(key);
    }
    Ok(keys)
}
