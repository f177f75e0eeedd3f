//! The database: one type, coarse methods, each one transaction; no transaction type leaves it.
//! Owns SQL and row shapes; never decides what an event means or what usage costs.

pub mod archive;
mod error;
mod invoices;
mod sqlite;
mod types;

pub use archive::{ArchivedInput, InputKind, identity};
pub use error::StoreError;
pub use invoices::{Finalized, InvoiceFilter, Series, StoredCard, StoredInvoice};
pub use sqlite::CollectorLock;
pub use types::{
    Found, FoundationHead, GroupKey, Keyed, LoadedResource, NameOf, Names, Onboarding, OnboardingStage, OpenTotal,
    Origin, StreamHead, TakenSnapshot, UsageQuery, UsageRow, WriteSet,
};

use std::collections::HashMap;

use crate::domain::{EventId, Guid, LedgerEntry, Month, Place, ResourceKey, Span, Stream, Timestamp};
use crate::fold::Depth;
use crate::invoicing::Invoice;

/// Where everything is kept.
#[derive(Clone, Debug)]
pub enum Store {
    Sqlite(sqlite::SqliteStore),
}

impl Store {
    /// Opens the database at `url` (`sqlite:///path/to/file`), making it and bringing its schema
    /// up to date where needed.
    ///
    /// # Errors
    /// [`StoreError`]: an unknown kind of URL, a file that can't be opened or isn't a database, a newer schema.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            return sqlite::SqliteStore::open(url).await.map(Self::Sqlite);
        }
        Err(StoreError::UnknownUrl(types::without_secret(url)))
    }

    /// What is at `url`. Nothing is made or changed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn inspect(url: &str) -> Result<Found, StoreError> {
        if url.starts_with("sqlite:") {
            return sqlite::SqliteStore::inspect(url).await;
        }
        Err(StoreError::UnknownUrl(types::without_secret(url)))
    }

    /// Where it is, for people; without secrets.
    #[must_use]
    pub fn location(&self) -> String {
        match self {
            Self::Sqlite(store) => store.location(),
        }
    }

    /// Closes all connections; what is committed is on disk.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
        }
    }

    /// What only the one process that collects holds, until it is dropped or the process dies.
    ///
    /// # Errors
    /// [`StoreError::Collected`] if another holds it; [`StoreError::Open`].
    pub fn collector_lock(&self) -> Result<CollectorLock, StoreError> {
        match self {
            Self::Sqlite(store) => store.collector_lock(),
        }
    }

    /// The foundation of that name, made if it isn't there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foundation(&self, name: &str) -> Result<FoundationHead, StoreError> {
        match self {
            Self::Sqlite(store) => store.foundation(name).await,
        }
    }

    /// All foundations, by name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn foundations(&self) -> Result<Vec<FoundationHead>, StoreError> {
        match self {
            Self::Sqlite(store) => store.foundations().await,
        }
    }

    /// Resources with what else was asked for; those never seen are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(
        &self,
        foundation: &FoundationHead,
        wanted: &HashMap<ResourceKey, Depth>,
    ) -> Result<Vec<LoadedResource>, StoreError> {
        match self {
            Self::Sqlite(store) => store.load(foundation, wanted).await,
        }
    }

    /// For each event, its place if it is archived already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_archived(
        &self,
        foundation: &FoundationHead,
        kind: InputKind,
        events: &[EventId],
    ) -> Result<Vec<Option<Place>>, StoreError> {
        match self {
            Self::Sqlite(store) => store.find_archived(foundation, kind, events).await,
        }
    }

    /// The place of the archived event that follows `place` in its stream.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_place(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        place: &Place,
    ) -> Result<Option<Place>, StoreError> {
        match self {
            Self::Sqlite(store) => store.next_place(foundation, stream, place).await,
        }
    }

    /// Writes what one page led to: all of it or nothing.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn commit(&self, foundation: &FoundationHead, write: &WriteSet) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.commit(foundation, write).await,
        }
    }

    /// How far the foundation's onboarding has got; `None` if it has not begun.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn onboarding(&self, foundation: &FoundationHead) -> Result<Option<Onboarding>, StoreError> {
        match self {
            Self::Sqlite(store) => store.onboarding(foundation).await,
        }
    }

    /// Notes how far the onboarding has got.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another collector has taken over.
    pub async fn put_onboarding(&self, foundation: &FoundationHead, onboarding: &Onboarding) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.put_onboarding(foundation, onboarding).await,
        }
    }

    /// Processes and tasks whose disk is yet to be observed, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn to_observe(&self, foundation: &FoundationHead, limit: usize) -> Result<Vec<ResourceKey>, StoreError> {
        match self {
            Self::Sqlite(store) => store.to_observe(foundation, limit).await,
        }
    }

    /// Organizations whose name isn't known: no event tells it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unnamed_organizations(&self, foundation: &FoundationHead) -> Result<Vec<Guid>, StoreError> {
        match self {
            Self::Sqlite(store) => store.unnamed_organizations(foundation).await,
        }
    }

    /// Usage in each of several spans of time, grouped, in integers, and the foundations as they stood: all in
    /// one view of the book.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage(
        &self,
        query: &UsageQuery,
        spans: &[Span],
    ) -> Result<(Vec<Vec<UsageRow>>, Vec<FoundationHead>), StoreError> {
        match self {
            Self::Sqlite(store) => store.usage(query, spans).await,
        }
    }

    /// Writes drafts in the place of those that were there; gives those written. An account whose invoice for the
    /// period is final keeps it. If they are all there are of a month, its other drafts go.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_drafts(
        &self,
        card: &StoredCard,
        invoices: &[Invoice],
        all_of: Option<Month>,
        drafted_at: Timestamp,
    ) -> Result<Vec<StoredInvoice>, StoreError> {
        match self {
            Self::Sqlite(store) => store.put_drafts(card, invoices, all_of, drafted_at).await,
        }
    }

    /// Makes an invoice final under the next number of its series, in one transaction: no gap and no repeat,
    /// wherever the process dies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finalize(
        &self,
        card: &StoredCard,
        invoice: &Invoice,
        series: &Series,
        at: Timestamp,
    ) -> Result<Finalized, StoreError> {
        match self {
            Self::Sqlite(store) => store.finalize(card, invoice, series, at).await,
        }
    }

    /// Invoices without their lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoices(&self, filter: &InvoiceFilter) -> Result<Vec<StoredInvoice>, StoreError> {
        match self {
            Self::Sqlite(store) => store.invoices(filter).await,
        }
    }

    /// The invoice of that number or id, with its lines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn invoice(&self, reference: &str) -> Result<Option<StoredInvoice>, StoreError> {
        match self {
            Self::Sqlite(store) => store.invoice(reference).await,
        }
    }

    /// Archived inputs from `first` on, at most `limit`, in sequence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn archived(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<ArchivedInput>, StoreError> {
        match self {
            Self::Sqlite(store) => store.archived(foundation, first, limit).await,
        }
    }

    /// Ledger entries numbered from `first` on, at most `limit`, in order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger_entries(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        match self {
            Self::Sqlite(store) => store.ledger_entries(foundation, first, limit).await,
        }
    }

    /// Every resource with an open run.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_resources(&self, foundation: &FoundationHead) -> Result<Vec<LoadedResource>, StoreError> {
        match self {
            Self::Sqlite(store) => store.open_resources(foundation).await,
        }
    }

    /// What is open, by kind.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_totals(&self, foundation: &FoundationHead) -> Result<Vec<OpenTotal>, StoreError> {
        match self {
            Self::Sqlite(store) => store.open_totals(foundation).await,
        }
    }

    /// Bytes on disk, with what isn't merged yet; 0 where that can't be told.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Sqlite(store) => store.size_bytes(),
        }
    }

    /// How many anomalies of each kind are stored.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn anomaly_counts(&self, foundation: &FoundationHead) -> Result<Vec<(String, u64)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.anomaly_counts(foundation).await,
        }
    }
}
