//! The archive: everything that entered the fold, packed by some hundred inputs, found again by number, identity and place.
//! Owns chunks; never looks into a body.

pub(super) mod chunks;
pub(super) mod pack;
pub(super) mod tables;
