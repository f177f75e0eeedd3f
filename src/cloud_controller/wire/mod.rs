//! The JSON of Cloud Controller. Private: the rest of the program sees what `client` makes of it.

pub mod lists;
pub mod snapshot;
pub mod usage_event;
