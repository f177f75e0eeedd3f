//! The tables beside invoices.

use crate::domain::{Amount, Month, Timestamp};
use crate::store::database::table;

table! {
    /// Rate cards in use, whole; every invoice names the one it was made with.
    pub(in crate::store) struct CardRow: "rate_card"[1] {
        /// SHA-256 of the text, hexadecimal.
        hash: String,
        /// As in the card.
        name: String,
        /// ISO 4217.
        currency: String,
        /// The card, TOML.
        body: String,
        /// When an invoice was first made with it.
        first_used: Timestamp,
    }
}

table! {
    /// The last number given in each series: 1, 2, 3 … without gaps.
    pub(in crate::store) const INVOICE_SERIES: "invoice_series"[1] {
        /// As in the invoice's number.
        name: String,
        /// The last number given.
        last_number: i64,
    }
}

table! {
    /// Months of which something was credited since they were compared: they are compared once more.
    pub(in crate::store) const TO_COMPARE: "to_compare"[1] {
        /// The month, yyyy-mm.
        month: Month,
    }
}

table! {
    /// How far the ledger is in what final months were compared with: what came since may concern them.
    pub(in crate::store) const COMPARED_THROUGH: "compared_through"[1] {
        /// The foundation.
        foundation_id: i64,
        /// Number of its last ledger entry then.
        entry: u64,
        /// Number of its last archived input then.
        sequence: u64,
    }
}

table! {
    /// Accounts files that final invoices were made with: whose usage is that is learned late, is by them.
    pub(in crate::store) struct AccountsRow: "accounts_file"[1] {
        /// SHA-256 of its text
        hash: String,
        /// when it was first used
        kept_at: Timestamp,
        /// Its text, TOML.
        body: String,
    }
}

table! {
    /// The ledger entries and open intervals that the lines of a final invoice rest on.
    pub(in crate::store) struct BasisRow: "invoice_basis"[1] {
        /// The invoice.
        invoice_id: i64,
        /// zstd, lines of JSON; `invoices explain` reads it.
        body: Vec<u8>,
    }
}

table! {
    /// Documents of final invoices, made once.
    pub(in crate::store) struct DocumentRow: "invoice_document"[2] {
        /// The invoice or credit note.
        invoice_id: i64,
        /// html, pdf, csv, json, ubl or facturx.
        format: String,
        /// Version of what made it.
        renderer: String,
        /// When it was made.
        made_at: Timestamp,
        /// Of the body, hexadecimal.
        sha256: String,
        /// The document.
        body: Vec<u8>,
    }
}

table! {
    /// What a final invoice's period costs now beside what was invoiced, as last computed.
    pub(in crate::store) struct RecalculationRow: "invoice_recalculation"[1] in "(SELECT currency FROM invoice WHERE invoice.id = invoice_recalculation.invoice_id)" {
        /// The final invoice.
        invoice_id: i64,
        /// When it was computed.
        computed_at: Timestamp,
        /// By which rate card.
        rate_card_hash: String,
        /// Somebody said that this card is the right one.
        pinned: bool,
        /// Why, in words.
        reason: Option<String>,
        /// Would be added to what was invoiced; less than zero: given back.
        net: Amount,
        /// JSON: line by line.
        body: String,
    }
}

table! {
    /// Accounts' months that somebody held back.
    pub(in crate::store) struct HoldRow: "invoice_hold"[3] {
        /// The account.
        account: String,
        /// The month.
        month: Month,
        /// When it was held.
        held_at: Timestamp,
        /// Why it is held.
        reason: String,
        /// When it was released; null: it is held.
        released_at: Option<Timestamp>,
        /// Why it was released.
        release_reason: Option<String>,
    }
}

table! {
    /// Numbers that were issued and are in no book any more.
    pub(in crate::store) struct LostRow: "invoice_lost"[2] {
        /// Series they are of.
        series: String,
        /// The first of them.
        first_number: i64,
        /// The last of them.
        last_number: i64,
        /// Why, as somebody wrote it.
        reason: String,
        /// When somebody said so.
        recorded_at: Timestamp,
    }
}

table! {
    /// The PostgreSQL server that numbers were last issued on; it stays behind when a book moves.
    pub(in crate::store) struct ServerRow: "invoice_server"[1] {
        /// Series of the numbers; empty: any that has none yet.
        series: String,
        /// System identifier of its cluster.
        cluster: String,
        /// Its timeline; a failover or a restored backup begins a later one.
        timeline: i64,
        /// A synchronous standby had what was committed.
        synchronous: bool,
        /// When that was.
        seen_at: Timestamp,
    }
}

table! {
    /// Final invoices that were brought back from their documents into a restored book.
    pub(in crate::store) struct AdoptedRow: "invoice_adopted"[1] {
        /// Invoice or credit note.
        invoice_id: i64,
        /// Digest of the one before it in its series; null: it was the first.
        before: Option<String>,
        /// When it was brought back.
        adopted_at: Timestamp,
    }
}
