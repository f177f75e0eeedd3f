//! The JSON Schema by which TOML editors complete and check cards: made of the keys that the parser knows.

use serde_json::{Value, json};

use super::keys;
use crate::keyed::{self, object};

/// The schema (draft 7, which editors know) of one file of a card.
#[must_use]
pub fn schema() -> Value {
    let mut model = object(keys::MODEL);
    let steps = &mut model["properties"]["tiers"];
    steps["minItems"] = 1.into();
    steps["items"] = object(&keys::tier());
    let price = json!({"anyOf": [{"$ref": "#/definitions/decimal"}, model]});
    keyed::schema("cf-billing rate card", &keys::file(), &[("price", price)])
}
