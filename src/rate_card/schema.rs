//! The JSON Schema by which TOML editors complete and validate cards: made from the keys that the parser knows.

use serde_json::{Map, Value, json};

use super::Meter;
use super::keys::{self, Block, Key, Takes};

/// The schema (draft 7, which editors know) of one file of a card.
#[must_use]
pub fn schema() -> Value {
    let mut properties = properties_of(keys::TOP, &[]);
    for block in Block::ALL {
        let meters = if let Block::Rate(kind) = block { Meter::of(kind) } else { &[] };
        let mut item = object(properties_of(&block.keys(), meters), required_of(block));
        item["description"] = block.about().into();
        let list = json!({"type": "array", "items": item, "description": block.about()});
        properties.insert(block.name().to_owned(), list);
    }
    let mut schema = object(properties, &["name", "currency"]);
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "cf-billing rate card".into();
    schema["definitions"] = json!({
        "decimal": {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"},
        "price": {
            "anyOf": [
                {"$ref": "#/definitions/decimal"},
                object(with_tiers(properties_of(keys::MODEL, &[])), &["model"]),
            ],
        },
        "time": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"},
    });
    schema
}

fn with_tiers(mut properties: Map<String, Value>) -> Map<String, Value> {
    let tier = object(properties_of(keys::TIER, &[]), &["price"]);
    let tiers = json!({"type": "array", "minItems": 1, "items": tier, "description": "graduated, volume: its steps"});
    properties.insert("tiers".to_owned(), tiers);
    properties
}

const fn required_of(block: Block) -> &'static [&'static str] {
    match block {
        Block::Rate(_) | Block::Discount => &[],
        Block::Allowance => &["kind", "meter", "amount"],
        Block::Minimum | Block::Commitment => &["amount"],
        Block::Tax => &["percent"],
    }
}

fn object(properties: Map<String, Value>, required: &[&str]) -> Value {
    let mut object = json!({"type": "object", "additionalProperties": false, "required": required});
    object["properties"] = Value::Object(properties);
    object
}

fn properties_of(keys: &[Key], surcharges: &[Meter]) -> Map<String, Value> {
    let property = |key: &Key| {
        let mut value = match key.takes {
            Takes::Text => json!({"type": "string", "minLength": 1}),
            Takes::Time => json!({"$ref": "#/definitions/time"}),
            Takes::True => json!({"const": true}),
            Takes::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
            Takes::Decimal => json!({"$ref": "#/definitions/decimal"}),
            Takes::Price => json!({"$ref": "#/definitions/price"}),
            Takes::Surcharge => {
                let prices =
                    surcharges.iter().map(|meter| (meter.name().to_owned(), json!({"$ref": "#/definitions/decimal"})));
                let mut value = object(prices.collect(), &[]);
                value["minProperties"] = 1.into();
                value
            }
            Takes::Granularity => object(properties_of(keys::GRANULARITY, &[]), &["unit"]),
            Takes::Choice(choices) => json!({"enum": choices}),
        };
        // Beside a reference, a draft 7 schema says nothing.
        if let Some(reference) = value.as_object_mut().and_then(|value| value.remove("$ref")) {
            value = json!({"allOf": [{"$ref": reference}]});
        }
        value["description"] = key.about.into();
        (key.name.to_owned(), value)
    };
    keys.iter().map(property).collect()
}

/// For documents: a table of keys.
#[must_use]
pub fn key_table(keys: &[Key]) -> String {
    use std::fmt::Write;
    let mut text = "| key | takes | meaning |\n| --- | --- | --- |\n".to_owned();
    for key in keys {
        let takes = match key.takes {
            Takes::Text => "text".to_owned(),
            Takes::Time => "date or time".to_owned(),
            Takes::True => "`true`".to_owned(),
            Takes::Whole { min, max } => format!("whole number, {min} to {max}"),
            Takes::Decimal => "quoted decimal".to_owned(),
            Takes::Price => "price".to_owned(),
            Takes::Surcharge | Takes::Granularity => "table".to_owned(),
            Takes::Choice(choices) => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "),
        };
        writeln!(text, "| `{}` | {takes} | {} |", key.name, key.about).expect("writing to a String never fails");
    }
    text
}
