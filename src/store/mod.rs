//! The database: one type, coarse methods, each one transaction; no transaction type leaves it.
//! Owns SQL and row shapes; never decides what an event means or what usage costs.

mod archive;
mod audit;
mod codes;
mod database;
mod error;
pub mod files;
mod invoices;
mod leases;
mod ledger;
mod sessions;
mod standing;
mod tables;
mod transfer;
mod types;

pub use archive::pack::{ArchivedInput, InputKind, identity};
pub use audit::{AuditFilter, CHAIN_OF_AUDIT, VerifiedAudit};
pub use database::{CollectorLock, Making, PostgresOptions, Server, retried};
pub use error::StoreError;
pub use invoices::{
    AccountsOf, Adopted, Before, Changed, Compared, CostKey, CostPart, CostQuery, CostRow, FinalInvoice, Finalized,
    Foreseen, InvoiceFilter, Invoiced, Issuing, MadeBy, Recalculation, RenderedDocument, Series, SeriesState,
    StoredAccounts, StoredCard, StoredDocument, StoredInvoice, UsedBy, UsedCard, UsedFor, VerifiedSeries,
    chain_of_series, marks,
};
pub use leases::{DutyState, Lease};
pub use ledger::{
    AnomalyFilter, ClockSpan, GapProgress, Hold, KnownGuids, LabelRows, NameOf, Names, Newest, Pieces, Pin, Seal,
    Settled, Stated, StoredAnomaly, StoredBound, StoredDifference, StoredGap, Told, Verified, Verifying,
    chain_of_foundation,
};
pub use sessions::SessionLimits;
pub use standing::{Standby, Standing};
pub use tables::{ExpectedColumn, ExpectedTable, expected_tables};
pub use transfer::{TransferError, Transferred};
pub use types::{
    Absurd, Found, GroupKey, LoadedResource, Onboarding, OnboardingStage, OpenTotal, Owner, PageOrigin, TakenSnapshot,
    UsageKeyed, UsageQuery, UsageRow, Used, WriteSet,
};

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::clock::Clock;
use crate::domain::Actor;
use database::{Database, Sql};
use marks::Marks;

/// The database.
#[derive(Clone, Debug)]
pub struct Store {
    database: Database,
    dimensions: Arc<Mutex<ledger::Cache>>,
    identities: Arc<archive::chunks::IdentityCache>,
    /// What it writes under, if that is limited.
    lease: Option<Arc<Lease>>,
    /// Where it is marked what was issued; `None`: nowhere.
    marks: Option<Arc<Marks>>,
    /// Nothing is issued without marks.
    must_mark: bool,
    /// Whose what is done is, if it is somebody's.
    actor: Option<Arc<Actor>>,
}

impl Store {
    /// As [`Store::open_with`], with the usual options.
    ///
    /// # Errors
    /// As [`Store::open_with`].
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_with(url, &PostgresOptions::default()).await
    }

    /// Opens the database at `url` (`sqlite:///path/to/file` or `postgres://user@host/database`), bringing its schema
    /// up to date where needed; an SQLite file is made if it isn't there.
    ///
    /// # Errors
    /// [`StoreError`]: an unknown kind of URL, a file that can't be opened or isn't a database, a newer schema,
    /// a server that is away.
    pub async fn open_with(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        Self::open_making(url, options, Making::default()).await
    }

    /// As [`Store::open_with`]; whether a book is made where there is none is said.
    ///
    /// # Errors
    /// As [`Store::open_with`]; [`StoreError::NoBook`] and [`StoreError::Expected`] where none is to be made.
    pub async fn open_making(url: &str, options: &PostgresOptions, making: Making) -> Result<Self, StoreError> {
        let database = Database::open(url, options, making).await?;
        // What is in memory alone is never restored.
        let marks = database.file().filter(|file| file.exists()).map(|file| Arc::new(Marks::beside(file)));
        let (dimensions, identities) = (Arc::default(), Arc::default());
        let store = Self { database, dimensions, identities, lease: None, marks, must_mark: false, actor: None };
        store.note_server(Clock::System.now()).await?;
        Ok(store)
    }

    /// The same store, with its marks of what was issued elsewhere.
    #[must_use]
    pub fn marked(self, marks: Marks) -> Self {
        Self { marks: Some(Arc::new(marks)), ..self }
    }

    /// The same store, which issues nothing as long as there is no place for its marks.
    #[must_use]
    pub fn must_mark(self) -> Self {
        Self { must_mark: true, ..self }
    }

    /// What is at `url`. Nothing is made or changed.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn inspect(url: &str, options: &PostgresOptions) -> Result<Found, StoreError> {
        Database::inspect(url, options).await
    }

    /// Refuses a server that is reached through a pooler which doesn't keep what is needed of a connection.
    ///
    /// # Errors
    /// [`StoreError::Pooled`]; as [`Store::open`].
    pub async fn look_for_pooler(url: &str, options: &PostgresOptions) -> Result<(), StoreError> {
        Database::look_for_pooler(url, options).await
    }

    /// Whether a server is on another machine, and nothing makes sure that it is the one it seems to be.
    #[must_use]
    pub fn is_unverified(url: &str) -> bool {
        Database::is_unverified(url)
    }

    /// Whether the file is still the one that was opened; on a server there is none.
    ///
    /// # Errors
    /// [`StoreError::Gone`], [`StoreError::Replaced`].
    pub fn check_file(&self) -> Result<(), StoreError> {
        self.database.check_file()
    }

    /// After [`StoreError::Replaced`], before it is closed: puts the old book's log aside, which would be applied to the
    /// file that is there now.
    pub fn set_log_aside(&self) {
        self.database.set_log_aside();
    }

    /// Where it is, for people; without secrets.
    #[must_use]
    pub fn location(&self) -> String {
        self.database.location()
    }

    /// How often the book was found on another server since the process began: what is in memory may not be there.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.database.generation()
    }

    /// Why no connection could be made when that was last tried, if it is so still.
    #[must_use]
    pub fn why_away(&self) -> Option<String> {
        self.database.why_away()
    }

    /// How many connections are in use, and how many idle.
    #[must_use]
    pub fn connections(&self) -> (u32, u32) {
        self.database.connections()
    }

    /// Version of the schema, by asking for it: shows that the database answers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn schema_version(&self) -> Result<i64, StoreError> {
        const NEWEST: Sql = Sql::new("SELECT max(version) AS version FROM _sqlx_migrations WHERE success");
        self.database.read().await?.one(NEWEST, Vec::new()).await?.integer("version")
    }

    /// The file that a URL names; `None`: a server.
    ///
    /// # Errors
    /// [`StoreError`] if the URL isn't valid.
    pub fn file_of(url: &str) -> Result<Option<PathBuf>, StoreError> {
        Database::file_of(url)
    }

    /// Copies an SQLite book as it is at one moment into a new file, and checks the copy. Whoever writes meanwhile goes on.
    ///
    /// # Errors
    /// [`StoreError::DamagedCopy`]; as [`Store::open`].
    pub async fn copy(book: &Path, to: &Path) -> Result<(), StoreError> {
        Database::copy(book, to).await?;
        Self::check_copy(to).await
    }

    /// Has SQLite look through all of a copy.
    ///
    /// # Errors
    /// [`StoreError::DamagedCopy`].
    pub async fn check_copy(path: &Path) -> Result<(), StoreError> {
        Database::check_copy(path).await
    }

    /// Closes all connections; what is committed is on disk.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// What only the one process that collects into a file holds, until it is dropped or the process dies;
    /// `None` on a server, where leases do the same for each foundation.
    ///
    /// # Errors
    /// [`StoreError::Collected`] if another holds it; [`StoreError::Open`].
    pub fn collector_lock(&self) -> Result<Option<CollectorLock>, StoreError> {
        self.database.file().map(CollectorLock::take).transpose()
    }

    /// Bytes on disk, with what isn't merged yet; 0 where that can't be told.
    pub async fn size_bytes(&self) -> u64 {
        const SIZE: Sql = Sql::new("SELECT pg_database_size(current_database()) AS size");
        let Some(path) = self.database.file() else {
            let size = async { self.database.read().await?.one(SIZE, Vec::new()).await?.number("size") };
            return size.await.unwrap_or_default();
        };
        let size = |ending: &str| std::fs::metadata(files::beside(path, ending)).map_or(0, |file| file.len());
        size("") + size("-wal")
    }
}
