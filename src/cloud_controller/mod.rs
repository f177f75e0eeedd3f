//! Everything that knows how Cloud Controller and UAA speak.

mod wire;

pub use wire::snapshot::{Chunk, NamedItem, Snapshot};
pub use wire::usage_event::{Decoded, Names, decode};
