//! The JSON of Cloud Controller. Private: the rest of the program sees what `client` makes of it.

use std::borrow::Cow;

pub mod lists;
pub mod row;
pub mod snapshot;
pub mod stats;
pub mod usage_event;

/// JSON whose texts hold no NUL: a Cloud Controller on MySQL may store one, PostgreSQL can't. The replacement character
/// stands for it.
pub fn without_nul(json: &str) -> Cow<'_, str> {
    if json.contains("\\u0000") { json.replace("\\u0000", "\\ufffd").into() } else { json.into() }
}
