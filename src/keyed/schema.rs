//! The JSON Schema by which TOML editors complete and check a file: made of the keys that the reader knows.

use serde_json::{Map, Value, json};

use super::key::{Absent, Key, Takes};

/// The schema (draft 7, which editors know) of a file with these keys. `definitions` are what [`Takes::Defined`] names.
#[must_use]
pub fn schema(title: &str, keys: &[Key], definitions: &[(&str, Value)]) -> Value {
    let mut schema = object(keys);
    let own = [
        ("decimal", json!({"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"})),
        ("time", json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$"})),
    ];
    let text = format!("{schema}{}", json!(definitions));
    let used = own.iter().chain(definitions).filter(|(name, _)| text.contains(&format!("\"#/definitions/{name}\"")));
    let used: Map<String, Value> = used.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = title.into();
    if !used.is_empty() {
        schema["definitions"] = Value::Object(used);
    }
    schema
}

/// The schema of a table with these keys, and no others.
#[must_use]
pub fn object(keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        properties.insert(key.name.to_owned(), property(key));
        if matches!(key.takes, Takes::Secret) {
            let file = format!("{}_file", key.name);
            let about = format!("The path of a file that holds `{}`", key.name);
            properties.insert(file, json!({"type": "string", "minLength": 1, "description": about}));
        }
    }
    // A secret may come from the environment or a file of its own.
    let must = |key: &&Key| matches!(key.absent, Absent::Required) && !matches!(key.takes, Takes::Secret);
    let required: Vec<&str> = keys.iter().filter(must).map(|key| key.name).collect();
    let mut object = json!({"type": "object", "additionalProperties": false, "required": required});
    object["properties"] = Value::Object(properties);
    object
}

fn property(key: &Key) -> Value {
    let text = || json!({"type": "string", "minLength": 1});
    let mut value = match key.takes {
        Takes::Text
        | Takes::Line
        | Takes::LongText
        | Takes::TextLines(_)
        | Takes::Code(_)
        | Takes::Form(_)
        | Takes::Secret
        | Takes::Seconds { .. }
        | Takes::Duration { .. } => text(),
        Takes::Lines(most) => json!({"type": "array", "minItems": 1, "maxItems": most, "items": text()}),
        Takes::Forms(_) => json!({"type": "array", "items": text()}),
        Takes::True => json!({"const": true}),
        Takes::Whole { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        Takes::Decimal => json!({"$ref": "#/definitions/decimal"}),
        Takes::Time => json!({"$ref": "#/definitions/time"}),
        Takes::Defined(name) => json!({"$ref": format!("#/definitions/{name}")}),
        Takes::Choice(words) => json!({"enum": words}),
        Takes::Choices(words) => json!({"type": "array", "uniqueItems": true, "items": {"enum": words}}),
        Takes::Words(_) => json!({"type": "string"}),
        Takes::Table(keys) => object(&keys()),
        Takes::SomeOf(keys) => {
            let mut value = object(&keys());
            value["minProperties"] = 1.into();
            value
        }
        Takes::Tables(keys) => {
            let mut item = object(&keys());
            item["description"] = key.about.into();
            json!({"type": "array", "items": item})
        }
    };
    if key.about.is_empty() {
        return value;
    }
    // Beside a reference, a draft 7 schema says nothing.
    if let Some(reference) = value.as_object_mut().and_then(|value| value.remove("$ref")) {
        value = json!({"allOf": [{"$ref": reference}]});
    }
    value["description"] = key.about.into();
    value
}
