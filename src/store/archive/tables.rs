//! The archive's tables.

use crate::domain::{Stream, Timestamp};
use crate::store::database::{Spelled, table};

table! {
    /// The archive: everything that entered the fold, as received, in the order folded, compressed.
    pub(in crate::store) struct ChunkRow: "archive_chunk"[2] {
        /// Foundation it is of.
        foundation_id: i64,
        /// Number of its first input.
        first_sequence: u64,
        /// Number of its last input.
        last_sequence: u64,
        /// The earliest created_at of its events.
        min_created_at: Option<Timestamp>,
        /// The latest created_at of its events.
        max_created_at: Option<Timestamp>,
        /// Per input: kind, times, place in its stream, identity, length (zstd).
        directory: Vec<u8>,
        /// The inputs themselves, JSON, one a line (zstd).
        bodies: Vec<u8>,
        /// Its bodies hold guids only.
        pruned: bool,
    }
}

table! {
    /// Places of events found late, between two that were numbered before.
    pub(in crate::store) struct LatePlaceRow: "late_place"[4] {
        /// Foundation it is of.
        foundation_id: i64,
        /// app or service.
        stream: Spelled<Stream>,
        /// Of the event it comes after.
        ordinal: u64,
        /// Orders what comes after the same event; compared as bytes.
        fraction: Vec<u8>,
    }
}
