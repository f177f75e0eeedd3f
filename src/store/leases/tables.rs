//! The tables of who may write.

use crate::domain::Timestamp;
use crate::store::database::table;

table! {
    /// A duty that one replica at a time has: collecting a foundation, drafting invoices.
    pub(in crate::store) const LEASE: "lease"[1] {
        /// foundation/NAME, or drafts.
        duty: String,
        /// How often it changed hands: who comes with an older one is refused.
        epoch: u64,
        /// The replica that has it; null: nobody.
        holder: Option<String>,
        /// When that replica took it.
        taken_at: Option<Timestamp>,
        /// Free for others from then on; renewed while the holder lives.
        expires_at: Option<Timestamp>,
    }
}

table! {
    /// The processes that share the duties.
    pub(in crate::store) const REPLICA: "replica"[1] {
        /// Host, process and a random part.
        name: String,
        /// When it first reported.
        started_at: Timestamp,
        /// Counts as gone from then on.
        expires_at: Timestamp,
    }
}
