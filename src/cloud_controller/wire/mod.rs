//! The JSON of Cloud Controller. Private: the rest of the program sees domain types.

pub mod snapshot;
pub mod usage_event;
