//! Identifiers as Cloud Controller sends them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An identifier given by Cloud Controller: almost always a lower-case UUID, by contract any string.
///
/// A canonical UUID is held in 16 bytes, anything else as text, so nothing is lost and equal means
/// equal to the byte. Ordered as its text is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Guid(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Uuid([u8; 16]),
    Text(Arc<str>),
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Where the hyphens of a UUID stand in its 36 characters.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

impl Guid {
    /// Takes any text; see [`Guid`].
    #[must_use]
    pub fn new(text: &str) -> Self {
        match parse_uuid(text.as_bytes()) {
            Some(bytes) => Self(Repr::Uuid(bytes)),
            None => Self(Repr::Text(text.into())),
        }
    }

    /// From text that may be missing: Cloud Controller stores "no guid" as null or as the empty string.
    #[must_use]
    pub fn from_nullable(text: Option<&str>) -> Option<Self> {
        text.filter(|text| !text.is_empty()).map(Self::new)
    }
}

fn parse_uuid(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 36 || HYPHENS.iter().any(|&at| text[at] != b'-') {
        return None;
    }
    let mut bytes = [0; 16];
    let mut nibbles = 0;
    for (at, &byte) in text.iter().enumerate() {
        if HYPHENS.contains(&at) {
            continue;
        }
        let nibble = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | nibble;
        nibbles += 1;
    }
    Some(bytes)
}

fn format_uuid(bytes: &[u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    let mut at = 0;
    for byte in bytes {
        if HYPHENS.contains(&at) {
            at += 1;
        }
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 15)];
        at += 2;
    }
    text
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Uuid(bytes) => formatter.pad(std::str::from_utf8(&format_uuid(bytes)).unwrap_or_default()),
            Repr::Text(text) => formatter.pad(text),
        }
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }
}

impl Ord for Guid {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Uuid(one), Repr::Uuid(two)) => one.cmp(two),
            (Repr::Text(one), Repr::Text(two)) => one.cmp(two),
            (Repr::Uuid(one), Repr::Text(two)) => format_uuid(one)[..].cmp(two.as_bytes()),
            (Repr::Text(one), Repr::Uuid(two)) => one.as_bytes().cmp(&format_uuid(two)[..]),
        }
    }
}

impl PartialOrd for Guid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Guid {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::Guid;

    #[test]
    fn any_text_comes_back_as_it_was() {
        for text in [
            "4d51d448-fb23-4648-b33e-74520243e4aa",
            "4D51D448-fb23-4648-b33e-74520243e4aa",
            "4d51d448-fb23-4648-b33e-74520243e4ag",
            "4d51d448fb234648b33e74520243e4aa",
            "4d51d448-fb23-4648-b33e-74520243e4aaa",
            "nope",
            "",
            "ünïcode",
        ] {
            assert_eq!(Guid::new(text).to_string(), text);
        }
    }

    #[test]
    fn order_is_that_of_the_text() {
        let mut texts = vec![
            "00000000-0000-0000-0000-000000000000",
            "0",
            "4d51d448-fb23-4648-b33e-74520243e4aa",
            "4d51d448-fb23-4648-b33e-74520243e4aaa",
            "4d51d448-fb23-4648-b33e-74520243e4ab",
            "zz",
            "F",
            "ff000000-0000-0000-0000-000000000000",
        ];
        let mut guids: Vec<Guid> = texts.iter().map(|text| Guid::new(text)).collect();
        texts.sort_unstable();
        guids.sort();
        assert_eq!(guids.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
    }
}
