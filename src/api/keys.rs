//! The keys of rows that are added up: which there are, and which a row has.

use clap::ValueEnum;
use serde::ser::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::store::UsageKeyed;

/// What rows can be grouped by; its values are the words that ask for it.
pub trait GroupBy: ValueEnum {
    /// The key in a row, and that of its name; none where the key is a name itself.
    fn keys(self) -> (&'static str, Option<&'static str>);
}

/// The columns of keys that were asked for in that order, with names if they were, too.
pub(super) fn columns<B: GroupBy>(by: &[B], names: bool) -> impl Iterator<Item = &'static str> {
    by.iter().flat_map(move |by| {
        let (key, name) = by.clone().keys();
        std::iter::once(key).chain(name.filter(|_| names))
    })
}

/// The keys of one row, in the order of its columns; what isn't known, or isn't there, has no value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<(&'static str, Option<String>)>);

impl Keys {
    pub(super) fn new<B: GroupBy>(by: &[B], keyed: &[Option<UsageKeyed>], names: bool) -> Self {
        let mut keys = Vec::new();
        for (by, keyed) in by.iter().zip(keyed) {
            let (key, name) = by.clone().keys();
            keys.push((key, keyed.as_ref().map(|keyed| keyed.value.clone())));
            let named = |name| (name, keyed.as_ref().and_then(|keyed| keyed.name.clone()));
            keys.extend(name.filter(|_| names).map(named));
        }
        Self(keys)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(_, value)| value.clone().unwrap_or_default())
    }
}

impl Serialize for Keys {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// The members that a row may have by these keys, as a schema has them.
#[must_use]
pub fn key_properties<B: GroupBy>() -> Map<String, Value> {
    columns(B::value_variants(), true).map(|key| (key.to_owned(), json!({"type": ["string", "null"]}))).collect()
}
