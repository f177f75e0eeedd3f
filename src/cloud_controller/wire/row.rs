//! Rows of lists, decoded one by one: a row that can't be read says so and keeps no other from being read.
//! Owns what makes a row unreadable; never decides what follows from it.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::domain::{Guid, RowList};

/// A row that has a guid and can't be read otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    pub list: RowList,
    pub guid: Guid,
    /// Which member is wrong, and how.
    pub reason: String,
}

/// A row of a list.
pub trait ListRow: DeserializeOwned {
    const LIST: RowList;

    fn guid(&self) -> &Guid;

    /// Fills in what follows from other members where it is null.
    ///
    /// # Errors
    /// The member without which the row means nothing.
    fn complete(&mut self) -> Result<(), &'static str> {
        Ok(())
    }
}

/// Decodes a row, or tells what can be told of it.
///
/// # Errors
/// What is wrong with a row without a guid: nothing can be said of it.
pub fn decode<T: ListRow>(raw: &str) -> Result<Result<T, UnreadableRow>, String> {
    let reason = match serde_json::from_str::<T>(raw) {
        Ok(mut row) => match row.complete() {
            Ok(()) => return Ok(Ok(row)),
            Err(member) => format!("`{member}` is missing or null"),
        },
        Err(_) => reason::<T>(raw),
    };
    match guid_in(serde_json::from_str(raw).ok().as_ref(), "guid") {
        Some(guid) => Ok(Err(UnreadableRow { list: T::LIST, guid, reason })),
        None => Err(format!("it has no guid; {reason}")),
    }
}

/// A member of a row that is a guid.
pub fn guid_in(row: Option<&Value>, member: &str) -> Option<Guid> {
    Guid::from_nullable(row?.get(member)?.as_str())
}

/// Which member can't be read, and why. The place in the text isn't told: it changes while the reason doesn't.
fn reason<T: DeserializeOwned>(raw: &str) -> String {
    let mut json = serde_json::Deserializer::from_str(raw);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => "it is not a JSON object".to_owned(),
        Err(error) => {
            let path = error.path().to_string();
            let text = error.inner().to_string();
            let text = text.split_once(" at line ").map_or(text.as_str(), |(text, _)| text);
            if path == "." { text.to_owned() } else { format!("`{path}`: {text}") }
        }
    }
}

/// What a member holds, or its default where it is null: optional members may be either.
pub fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
