//! All tables, in an order in which each row finds the rows it points to: that in which a book is moved.

use super::archive::tables::{ChunkRow, LatePlaceRow};
use super::audit::{AuditLinkRow, AuditRow};
use super::database::Declared;
use super::invoices::line::LineRow;
use super::invoices::parts::{AdjustmentRow, CorrectionRow, CoverageRow};
use super::invoices::row::InvoiceRow;
use super::invoices::tables::{
    AccountsRow, AdoptedRow, BasisRow, COMPARED_THROUGH, CardRow, DocumentRow, HoldRow, INVOICE_SERIES, LostRow,
    RecalculationRow, ServerRow, TO_COMPARE,
};
use super::leases::tables::{LEASE, REPLICA};
use super::ledger::tables::{
    APP, AnomalyRow, BUILDPACK, BoundRow, DifferenceRow, EntryRow, FOUNDATION, FOUNDATION_IDENTITY, GAP, LabelRow,
    LinkRow, ORGANIZATION, OnboardingRow, OpenRow, ResourceRow, SERVICE_OFFERING, SERVICE_PLAN, SPACE, STREAM,
    SealChunkRow, SealRow, SettingsRow, SnapshotRow,
};
use super::sessions::SessionRow;

/// A column as this program expects it in both databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedColumn {
    pub name: &'static str,
    /// Its type in SQLite and in PostgreSQL; small and large integers of PostgreSQL are all `bigint` here.
    pub types: [&'static str; 2],
    pub nullable: bool,
    /// As PostgreSQL tells it.
    pub comment: &'static str,
}

/// A table as this program expects it in both databases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedTable {
    pub name: &'static str,
    /// As PostgreSQL tells it.
    pub comment: &'static str,
    pub columns: Vec<ExpectedColumn>,
}

/// All tables of a book, as this program reads and writes them.
#[must_use]
pub fn expected_tables() -> Vec<ExpectedTable> {
    let expected = |(table, _): &(Declared, Moves)| {
        let columns = table.columns.iter().zip(table.told).map(|((name, of), (nullable, comment))| ExpectedColumn {
            name,
            types: [of.sqlite(), of.postgres()],
            nullable: *nullable,
            comment: comment.trim(),
        });
        ExpectedTable { name: table.name, comment: table.comment.trim(), columns: columns.collect() }
    };
    TABLES.iter().map(expected).collect()
}

/// What of a table is moved with a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    Whole,
    /// So many of its first columns.
    First(usize),
    Stays,
}

/// A book's tables.
pub static TABLES: &[(Declared, Moves)] = &[
    (FOUNDATION, Moves::Whole),
    (STREAM, Moves::Whole),
    (FOUNDATION_IDENTITY, Moves::Whole),
    (OnboardingRow::TABLE, Moves::Whole),
    (SnapshotRow::TABLE, Moves::Whole),
    (ChunkRow::TABLE, Moves::Whole),
    (LatePlaceRow::TABLE, Moves::Whole),
    (SettingsRow::TABLE, Moves::Whole),
    (ORGANIZATION, Moves::Whole),
    (SPACE, Moves::Whole),
    (APP, Moves::Whole),
    (BUILDPACK, Moves::Whole),
    (LabelRow::TABLE, Moves::Whole),
    (SERVICE_OFFERING, Moves::Whole),
    (SERVICE_PLAN, Moves::Whole),
    (ResourceRow::TABLE, Moves::Whole),
    (OpenRow::TABLE, Moves::Whole),
    (EntryRow::TABLE, Moves::Whole),
    (AnomalyRow::TABLE, Moves::Whole),
    (SealRow::TABLE, Moves::Whole),
    (GAP, Moves::Whole),
    (BoundRow::TABLE, Moves::Whole),
    (DifferenceRow::TABLE, Moves::Whole),
    (LinkRow::TABLE, Moves::Whole),
    (SealChunkRow::TABLE, Moves::Whole),
    (CardRow::TABLE, Moves::Whole),
    (INVOICE_SERIES, Moves::Whole),
    (InvoiceRow::TABLE, Moves::Whole),
    (LineRow::TABLE, Moves::Whole),
    (AdjustmentRow::TABLE, Moves::Whole),
    (CorrectionRow::TABLE, Moves::Whole),
    (CoverageRow::TABLE, Moves::Whole),
    (TO_COMPARE, Moves::Whole),
    (COMPARED_THROUGH, Moves::Whole),
    (AccountsRow::TABLE, Moves::Whole),
    (BasisRow::TABLE, Moves::Whole),
    (DocumentRow::TABLE, Moves::Whole),
    (RecalculationRow::TABLE, Moves::Whole),
    (HoldRow::TABLE, Moves::Whole),
    (LostRow::TABLE, Moves::Whole),
    (AdoptedRow::TABLE, Moves::Whole),
    (AuditRow::TABLE, Moves::Whole),
    (AuditLinkRow::TABLE, Moves::Whole),
    // It is of the server, not of the book.
    (ServerRow::TABLE, Moves::Stays),
    // Whoever reads on signs in there.
    (SessionRow::TABLE, Moves::Stays),
    // Who holds it stays behind.
    (LEASE, Moves::First(2)),
    (REPLICA, Moves::Stays),
];
