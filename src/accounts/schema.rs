//! The JSON Schema by which TOML editors complete and check accounts files.

use serde_json::Value;

use super::keys;
use crate::keyed;

/// The schema (draft 7, which editors know) of an accounts file.
#[must_use]
pub fn schema() -> Value {
    keyed::schema("cf-billing accounts", &keys::file(), &[])
}
