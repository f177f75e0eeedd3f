//! The book, for somebody who has leave to read of it: every question takes a permit.

use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::{
    Account, Anomaly, AuditRecord, Cursor, Explanation, Foundation, Gap, InvoiceDocument, InvoiceSummary, KeptDocument,
    ListPage, UsageBy, UsageRow,
};
use super::{CostBy, ForecastRow, document_json, forecast_rows, foundations};
use crate::access::{
    MayReadAccounts, MayReadAudit, MayReadCost, MayReadInvoices, MayReadOverview, MayReadStatus, MayReadUsage,
};
use crate::billing_run::{self, BillingError, BillingRun, Forecast, Sender};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::{DocumentError, Format};
use crate::domain::text::{hexadecimal, visible};
use crate::domain::{Act, Actor, AuditEntry, Deed, Span, Timestamp};
use crate::invoicing::Status;
use crate::store::{
    AnomalyFilter, AuditFilter, Before, CostQuery, CostRow, InvoiceFilter, Store, StoreError, StoredGap, StoredInvoice,
    UsageQuery,
};

/// What can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Billing(Box<BillingError>),
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Nothing of that name is there, or it isn't for who asks.
    #[error("there is no such {0}")]
    Missing(&'static str),
    #[error("`cursor={}` is not a place in this list\nhint: use `next` of the page before, with the same filters", visible(.0))]
    Cursor(String),
    /// A document isn't shown, since it can't be written down who opens it.
    #[error("who opens a document can't be written down now: {0}")]
    NotNoted(StoreError),
    #[error("making the document failed: {0}")]
    Stopped(String),
    /// To somebody who can do nothing about it, for a reason that isn't theirs to know.
    #[error("{0}")]
    NotToBeHad(Box<Self>),
}

impl From<BillingError> for ReadError {
    fn from(error: BillingError) -> Self {
        Self::Billing(Box::new(error))
    }
}

/// Which anomalies are asked for.
#[derive(Clone, Debug, Default)]
pub struct AnomaliesAsked {
    pub filter: AnomalyFilter,
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Which usage is asked for.
#[derive(Clone, Debug)]
pub struct UsageAsked {
    pub span: Span,
    pub by: Vec<UsageBy>,
    pub names: bool,
    pub user_provided: bool,
    pub foundation: Option<String>,
}

/// Which entries of the audit log are asked for.
#[derive(Clone, Debug, Default)]
pub struct AuditAsked {
    pub filter: AuditFilter,
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Which invoices are asked for.
#[derive(Clone, Debug, Default)]
pub struct InvoicesAsked {
    pub filter: InvoiceFilter,
    pub cursor: Option<String>,
    pub limit: usize,
}

/// Invoices that the overview shows of each status.
pub const MOST_IN_OVERVIEW: usize = 50;

/// What the overview shows of the book; `None`: it isn't for who asks.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub gaps: Vec<StoredGap>,
    pub drafts: Option<Vec<StoredInvoice>>,
    pub finals: Option<Vec<StoredInvoice>>,
}

/// The forecast that was made last: it rates a whole month, and isn't made for each who asks.
#[derive(Clone, Debug, Default)]
pub struct Forecasts {
    made: Arc<Mutex<Option<MadeForecast>>>,
}

/// A forecast, and when it was made.
type MadeForecast = (Timestamp, Arc<Forecast>);

/// Reads the book.
#[derive(Clone, Debug)]
pub struct BookReader {
    store: Store,
    clock: Clock,
    sender: Arc<Sender>,
    configuration: Arc<Configuration>,
    forecasts: Forecasts,
}

impl BookReader {
    /// For somebody, whose opening of documents is in the audit log.
    #[must_use]
    pub fn new(
        store: &Store,
        actor: Actor,
        clock: Clock,
        sender: Arc<Sender>,
        configuration: Arc<Configuration>,
        forecasts: Forecasts,
    ) -> Self {
        Self { store: store.acting(actor), clock, sender, configuration, forecasts }
    }

    /// Foundations of the book and of the configuration, by name.
    ///
    /// # Errors
    /// [`ReadError::Store`].
    pub async fn foundations(&self, may: &MayReadStatus) -> Result<Vec<Foundation>, ReadError> {
        let names: Vec<String> = self.configuration.foundations.iter().map(|one| one.name.clone()).collect();
        let mut all = foundations(&self.store, &names).await?;
        all.retain(|foundation| may.has(&foundation.foundation));
        Ok(all)
    }

    /// One foundation.
    ///
    /// # Errors
    /// [`ReadError::Missing`].
    pub async fn foundation(&self, may: &MayReadStatus, name: &str) -> Result<Foundation, ReadError> {
        let all = self.foundations(may).await?;
        all.into_iter().find(|foundation| foundation.foundation == name).ok_or_else(|| ReadError::Missing("foundation"))
    }

    /// Whether the book has a foundation of that name.
    async fn is_in_book(&self, name: &str) -> Result<bool, StoreError> {
        Ok(self.store.foundations().await?.iter().any(|head| head.name == name))
    }

    /// A foundation of the book or of the configuration has that name, and its status may be read.
    async fn knows(&self, may: &MayReadStatus, name: &str) -> Result<(), ReadError> {
        let is_configured = self.configuration.foundations.iter().any(|one| one.name == name);
        let is_known = is_configured || self.is_in_book(name).await?;
        if is_known && may.has(name) { Ok(()) } else { Err(ReadError::Missing("foundation")) }
    }

    /// Gaps of a foundation, or of all.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such foundation.
    pub async fn gaps(&self, may: &MayReadStatus, foundation: Option<&str>) -> Result<Vec<Gap>, ReadError> {
        if let Some(name) = foundation {
            self.knows(may, name).await?;
        }
        let gaps = self.store.gaps(foundation).await?.into_iter();
        Ok(gaps.filter(|gap| may.has(&gap.foundation)).map(|gap| Gap::from(&gap)).collect())
    }

    /// A page of anomalies, in the order in which they were met, foundation by foundation.
    ///
    /// # Errors
    /// [`ReadError::Cursor`]; [`ReadError::Missing`]: there is no such foundation.
    pub async fn anomalies(&self, may: &MayReadStatus, asked: &AnomaliesAsked) -> Result<ListPage<Anomaly>, ReadError> {
        const LIST: &str = "anomalies";
        if let Some(name) = &asked.filter.foundation {
            self.knows(may, name).await?;
        }
        let after: Option<(String, i64, i64)> = place(asked.cursor.as_deref(), LIST)?;
        let after = after.as_ref().map(|(foundation, input, position)| (foundation.as_str(), *input, *position));
        let most = asked.limit + 1;
        let read = match (may.only(), &asked.filter.foundation) {
            (Some(only), None) => {
                let mut read = Vec::new();
                // By name, as the list is.
                for name in only {
                    let filter = AnomalyFilter { foundation: Some(name.clone()), ..asked.filter.clone() };
                    read.extend(self.store.anomalies_after(&filter, after, most - read.len()).await?);
                }
                read
            }
            _ => self.store.anomalies_after(&asked.filter, after, most).await?,
        };
        let at =
            |last: &crate::store::StoredAnomaly| Cursor::new(LIST, &(&last.foundation, last.sequence, last.position));
        Ok(ListPage::of(read, asked.limit, at, |one| Anomaly::from(one)))
    }

    /// Usage of a span.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such foundation; [`StoreError::Overflow`]: a resource used more than can be
    /// counted.
    pub async fn usage(&self, _: &MayReadUsage, asked: &UsageAsked) -> Result<Vec<UsageRow>, ReadError> {
        if let Some(name) = &asked.foundation
            && !self.is_in_book(name).await?
        {
            return Err(ReadError::Missing("foundation"));
        }
        let query = UsageQuery {
            by: asked.by.iter().map(|by| by.group()).collect(),
            foundation: asked.foundation.clone(),
            user_provided: asked.user_provided,
        };
        let mut used = self.store.usage(&query, &[asked.span]).await?;
        if !used.absurd.is_empty() {
            // A sum that leaves something out isn't what was asked for.
            return Err(StoreError::Overflow.into());
        }
        let rows = used.of_spans.pop().unwrap_or_default();
        Ok(rows.iter().map(|row| UsageRow::new(row, &asked.by, asked.names)).collect())
    }

    /// The accounts of the accounts file.
    ///
    /// # Errors
    /// [`ReadError::Billing`]: the file can't be used.
    pub fn accounts(&self, may: &MayReadAccounts) -> Result<Vec<Account>, ReadError> {
        let accounts = billing_run::accounts(&self.configuration)?;
        let whose = may.whose();
        let theirs = accounts.all().filter(|account| whose.has(&account.id));
        Ok(theirs.map(|account| Account::new(account, whose.is_staff())).collect())
    }

    /// One of them, by its id.
    ///
    /// # Errors
    /// [`ReadError::Missing`].
    pub fn account(&self, may: &MayReadAccounts, id: &str) -> Result<Account, ReadError> {
        self.accounts(may)?
            .into_iter()
            .find(|account| account.account == id)
            .ok_or_else(|| ReadError::Missing("account"))
    }

    /// What a month costs, grouped.
    ///
    /// # Errors
    /// [`ReadError::Store`].
    pub async fn cost(&self, may: &MayReadCost, query: &CostQuery) -> Result<Vec<CostRow>, ReadError> {
        Ok(self.store.cost(query, may.whose().only()).await?)
    }

    /// What the running month comes to if what runs now goes on until its end, grouped; no older than `[billing] draft_interval`.
    ///
    /// # Errors
    /// [`ReadError::Billing`]: there is no rate card or no accounts file that can be used.
    pub async fn forecast(
        &self,
        may: &MayReadCost,
        by: &[CostBy],
        account: Option<&str>,
    ) -> Result<Vec<ForecastRow>, ReadError> {
        let forecast = self.forecast_made().await?;
        let query = CostQuery {
            month: forecast.month.previous(),
            by: by.iter().map(|by| by.group()).collect(),
            account: account.map(str::to_owned),
        };
        let last_month = self.cost(may, &query).await?;
        let rows = forecast_rows(&forecast, last_month, by, account, may.whose().only());
        rows.map_err(|_| StoreError::Overflow.into())
    }

    async fn forecast_made(&self) -> Result<Arc<Forecast>, ReadError> {
        let mut made = self.forecasts.made.lock().await;
        let now = self.clock.now();
        let longest = i64::try_from(self.configuration.billing.draft_interval.as_secs()).unwrap_or(i64::MAX);
        if let Some((at, forecast)) = &*made
            && (0..longest).contains(&now.seconds_since(*at))
        {
            return Ok(forecast.clone());
        }
        let forecast = Box::pin(billing_run::forecast(&self.configuration, &self.store, &self.clock)).await?;
        let (_, forecast) = made.insert((now, Arc::new(forecast)));
        Ok(forecast.clone())
    }

    /// A page of invoices and credit notes, those made last first.
    ///
    /// # Errors
    /// [`ReadError::Cursor`].
    pub async fn invoices(
        &self,
        may: &MayReadInvoices,
        asked: &InvoicesAsked,
    ) -> Result<ListPage<InvoiceSummary>, ReadError> {
        const LIST: &str = "invoices";
        // Ids tell how many documents others have; drafts have no number.
        let cursor = asked.cursor.as_deref();
        let number: Option<String>;
        let before = if may.whose().is_staff() {
            place(cursor, LIST)?.map(Before::Id)
        } else {
            number = place(cursor, LIST)?;
            number.as_deref().map(Before::Number)
        };
        let read = self.store.invoices_before(&asked.filter, may.whose().only(), before, asked.limit + 1).await?;
        let at = |last: &StoredInvoice| {
            if may.whose().is_staff() { Cursor::new(LIST, &last.id) } else { Cursor::new(LIST, &last.number) }
        };
        let made = |stored: &StoredInvoice| InvoiceSummary::new(stored, may.whose().is_staff());
        Ok(ListPage::of(read, asked.limit, at, made))
    }

    /// The invoice or credit note of that number or id.
    ///
    /// # Errors
    /// [`ReadError::Missing`].
    pub async fn invoice(&self, may: &MayReadInvoices, reference: &str) -> Result<InvoiceDocument, ReadError> {
        let stored = self.stored(may, reference).await?;
        Ok(InvoiceDocument(document_json(&stored, may.whose().is_staff())?))
    }

    /// An invoice explained, and the lines of those positions, from 1.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such invoice; [`BillingError::NoLine`]; [`ReadError::Billing`]: of a draft, there
    /// is no rate card or no accounts file that can be used.
    pub async fn explanation(
        &self,
        may: &MayReadInvoices,
        reference: &str,
        lines: &[usize],
    ) -> Result<Explanation, ReadError> {
        let stored = self.stored(may, reference).await?;
        let explaining = async {
            let card = billing_run::card_of(&self.store, &stored, &self.configuration).await?;
            let run = BillingRun::new(&self.configuration, &self.store, &self.clock, &card)?;
            Box::pin(billing_run::explain(&run, stored, lines)).await
        };
        let explained = explaining.await.map_err(|error| for_whom(may, error.into()))?;
        Ok(Explanation::new(&explained, may.whose().is_staff()))
    }

    /// The documents of an invoice that were made so far.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such invoice.
    pub async fn documents(&self, may: &MayReadInvoices, reference: &str) -> Result<Vec<KeptDocument>, ReadError> {
        let stored = self.stored(may, reference).await?;
        let kept = self.store.documents(stored.id).await?;
        let made = kept.into_iter().map(|(format, bytes, document)| KeptDocument {
            format,
            renderer: document.renderer,
            made_at: document.made_at,
            sha256: document.sha256,
            bytes,
        });
        Ok(made.collect())
    }

    /// The bytes of an invoice in a format, and the name of their file. Of a final one those that were made first.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such invoice; [`BillingError::Document`]: it lacks what the format needs.
    pub async fn document(
        &self,
        may: &MayReadInvoices,
        reference: &str,
        format: Format,
    ) -> Result<(Vec<u8>, String), ReadError> {
        let stored = self.stored(may, reference).await?;
        let name = file_name(&stored, format);
        let subject = stored.title();
        let (store, clock, sender) = (self.store.clone(), self.clock.clone(), self.sender.clone());
        // A PDF takes a processor for a while: that of nobody who collects.
        let runtime = tokio::runtime::Handle::current();
        let making = tokio::task::spawn_blocking(move || {
            runtime.block_on(billing_run::document(&store, &clock, &sender, &stored, format))
        });
        let made = making.await.map_err(|error| ReadError::Stopped(error.to_string()))?;
        let bytes = made.map_err(|error| for_whom(may, error.into()))?;
        let after = json!({ "format": format.name(), "sha256": hexadecimal(&Sha256::digest(&bytes)) });
        let act = Act { deed: Deed::DocumentOpened, subject, before: None, after: Some(after) };
        self.store.note_opened(&[act], self.clock.now()).await.map_err(ReadError::NotNoted)?;
        Ok((bytes, name))
    }

    /// A page of the audit log, the newest entries first.
    ///
    /// # Errors
    /// [`ReadError::Cursor`].
    pub async fn audit(&self, _: &MayReadAudit, asked: &AuditAsked) -> Result<ListPage<AuditRecord>, ReadError> {
        const LIST: &str = "audit";
        let before: Option<u64> = place(asked.cursor.as_deref(), LIST)?;
        let read = self.store.audit(&asked.filter, before, asked.limit + 1).await?;
        let at = |last: &AuditEntry| Cursor::new(LIST, &last.number);
        Ok(ListPage::of(read, asked.limit, at, |entry| AuditRecord::from(entry)))
    }

    /// The name of a document's file, whether it is made or not.
    ///
    /// # Errors
    /// [`ReadError::Missing`]: there is no such invoice.
    pub async fn document_name(
        &self,
        may: &MayReadInvoices,
        reference: &str,
        format: Format,
    ) -> Result<String, ReadError> {
        Ok(file_name(&self.stored(may, reference).await?, format))
    }

    /// What the overview shows: gaps, and the newest invoices of each status, one more than are shown.
    ///
    /// # Errors
    /// [`ReadError::Store`].
    pub async fn overview(&self, may: &MayReadOverview) -> Result<Overview, ReadError> {
        let mut overview = Overview::default();
        if let Some(may) = &may.status {
            overview.gaps = self.store.gaps(None).await?;
            overview.gaps.retain(|gap| may.has(&gap.foundation));
        }
        let Some(may) = &may.invoices else { return Ok(overview) };
        let of = async |status| -> Result<Vec<StoredInvoice>, ReadError> {
            let filter = InvoiceFilter { status: Some(status), ..InvoiceFilter::default() };
            Ok(self.store.invoices_before(&filter, may.whose().only(), None, MOST_IN_OVERVIEW + 1).await?)
        };
        let mut finals = of(Status::Final).await?;
        if may.whose().is_staff() {
            let mut drafts = of(Status::Review).await?;
            drafts.extend(of(Status::Draft).await?);
            overview.drafts = Some(drafts);
        } else {
            for stored in &mut finals {
                stored.keep_what_is_told();
            }
        }
        overview.finals = Some(finals);
        Ok(overview)
    }

    async fn stored(&self, may: &MayReadInvoices, reference: &str) -> Result<StoredInvoice, ReadError> {
        let found = self.store.invoice_of(reference, may.whose().only()).await?;
        found.ok_or_else(|| ReadError::Missing("invoice"))
    }
}

fn file_name(stored: &StoredInvoice, format: Format) -> String {
    format.file_name(&stored.number.clone().unwrap_or_else(|| format!("draft-{}", stored.id)))
}

/// What the seller's configuration, accounts or cards lack is told to those who can see to it.
fn for_whom(may: &MayReadInvoices, error: ReadError) -> ReadError {
    let is_theirs = match &error {
        ReadError::Store(_) => true,
        ReadError::Billing(error) => matches!(**error, BillingError::Store(_) | BillingError::NoLine { .. }),
        _ => false,
    };
    if may.whose().is_staff() || is_theirs { error } else { ReadError::NotToBeHad(Box::new(error)) }
}

fn place<P: serde::de::DeserializeOwned>(cursor: Option<&str>, list: &str) -> Result<Option<P>, ReadError> {
    cursor.map(|text| Cursor::place(text, list).ok_or_else(|| ReadError::Cursor(text.to_owned()))).transpose()
}
