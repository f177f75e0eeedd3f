//! Recorded V3 JSON into the archive and the ledger: snapshots first, then the two streams.
//! Owns what an import may do to a foundation; never reads a file.

use super::baseline::{baseline_inputs, stream_of};
use super::page::{NewInput, Page, commit};
use super::reading::{RawEvent, Reading};
use crate::clock::Clock;
use crate::cloud_controller::{Chunk, NamedItem, Snapshot};
use crate::domain::{AnomalyKind, FoundationHead, Place, Settings, Stream, Timestamp};
use crate::fold::Input;
use crate::store::{Names, PageOrigin, Store, StoreError};

/// What an import can't do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "foundation `{0}` is collected from its Cloud Controller; an import would disturb the order of its events\n\
         hint: import under another name"
    )]
    Collected(String),
    #[error(
        "foundation `{foundation}` is billed from {held}, not from {wanted}\n\
         hint: leave out --billing-from, or import into another foundation"
    )]
    OtherEpoch { foundation: String, held: String, wanted: Timestamp },
    #[error(
        "foundation `{foundation}` already has events; a snapshot can only come first\n\
         hint: import into another foundation, the snapshot first"
    )]
    SnapshotTooLate { foundation: String },
    #[error(
        "snapshot `{0}` is not complete: its completed_at is null\nhint: fetch it again once Cloud Controller has finished it"
    )]
    SnapshotIncomplete(String),
    #[error(
        "chunks were given without their snapshot, so the time from which to bill is unknown\n\
         hint: give the snapshot too (GET /v3/app_usage/snapshots/GUID), or --billing-from"
    )]
    ChunksAlone,
    #[error(
        "{stream} events begin at {begins}, before the first archived one ({first}), and don't lead up to it\n\
         hint: import files in stream order, oldest first"
    )]
    OutOfOrder { stream: Stream, begins: Timestamp, first: Timestamp },
    #[error(
        "{stream} events up to {ends} are older than the newest archived one ({newest}), and none of them is archived: \
         their place can't be known\n\
         hint: import files in stream order, oldest first; a file that also holds an archived event shows its place"
    )]
    BehindNewest { stream: Stream, ends: Timestamp, newest: Timestamp },
}

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Items and events read.
    pub read: u64,
    /// Those that were new.
    pub archived: u64,
    /// Those among them placed behind others.
    pub late: u64,
    pub entries: u64,
    pub anomalies: u64,
    /// Of the anomalies, records that can't be read.
    pub undecodable: u64,
}

impl ImportReport {
    /// Read, but archived before or twice in what was read.
    #[must_use]
    pub const fn known(&self) -> u64 {
        self.read - self.archived
    }
}

/// An import into one foundation.
#[derive(Debug)]
pub struct Importer<'a> {
    store: &'a Store,
    clock: &'a Clock,
    head: FoundationHead,
    report: ImportReport,
    read_at: Option<Timestamp>,
}

impl<'a> Importer<'a> {
    /// Begins an import, with settings that apply if they differ from the foundation's. An epoch
    /// given must be the one the foundation has; none given keeps it.
    ///
    /// # Errors
    /// [`ImportError::Collected`]; [`ImportError::OtherEpoch`]; [`ImportError::Store`].
    pub async fn begin(
        store: &'a Store,
        clock: &'a Clock,
        foundation: &str,
        mut settings: Settings,
    ) -> Result<Self, ImportError> {
        let head = store.foundation(foundation).await?;
        if head.collected {
            return Err(ImportError::Collected(head.name));
        }
        let held = head.current_settings().billing_epoch;
        if let Some(wanted) = settings.billing_epoch
            && head.last_sequence > 0
            && held != Some(wanted)
        {
            let held = held.map_or_else(|| "its first event".to_owned(), |held| held.to_string());
            return Err(ImportError::OtherEpoch { foundation: foundation.to_owned(), held, wanted });
        }
        settings.billing_epoch = settings.billing_epoch.or(held);
        settings.unlisted_tasks_until = settings.unlisted_tasks_until.or(head.current_settings().unlisted_tasks_until);
        let mut importer = Self { store, clock, head, report: ImportReport::default(), read_at: None };
        if importer.head.settings.is_empty() || importer.head.current_settings() != settings {
            let input = NewInput::own(Place::default(), Input::Settings(settings));
            importer.commit(vec![input], Names::default()).await?;
        }
        Ok(importer)
    }

    /// Says when what is imported was read from Cloud Controller; `None`: by now.
    #[must_use]
    pub fn read_at(self, read_at: Option<Timestamp>) -> Self {
        Self { read_at, ..self }
    }

    /// What was done so far.
    #[must_use]
    pub const fn report(&self) -> ImportReport {
        self.report
    }

    /// The instant that `snapshots` give to bill from: the later completion of the two.
    ///
    /// # Errors
    /// [`ImportError::SnapshotIncomplete`].
    pub fn epoch(snapshots: &[Snapshot]) -> Result<Option<Timestamp>, ImportError> {
        let mut epoch = None;
        for snapshot in snapshots {
            let Some(completed_at) = snapshot.completed_at else {
                return Err(ImportError::SnapshotIncomplete(snapshot.guid.to_string()));
            };
            epoch = epoch.max(Some(completed_at));
        }
        Ok(epoch)
    }

    /// Takes the items of a snapshot's chunks as baseline, with the names they had when it was completed.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn baseline(&mut self, chunks: Vec<Chunk>, completed_at: Option<Timestamp>) -> Result<(), ImportError> {
        let Some(epoch) = self.head.current_settings().billing_epoch else { return Err(ImportError::ChunksAlone) };
        let items: Vec<NamedItem> = chunks.into_iter().flat_map(Chunk::into_items).collect();
        self.report.read += items.len() as u64;
        for stream in Stream::ALL {
            let of_stream: Vec<NamedItem> = items.iter().filter(|named| stream_of(named) == stream).cloned().collect();
            let read_at = completed_at.unwrap_or(epoch);
            let (inputs, names) = baseline_inputs(self.store, &self.head, stream, epoch, read_at, of_stream).await?;
            if !inputs.is_empty() && self.head.stream(stream).last_ordinal > 0 {
                return Err(ImportError::SnapshotTooLate { foundation: self.head.name.clone() });
            }
            self.commit(inputs, names).await?;
        }
        Ok(())
    }

    /// Notes that everything up to `until` is in what was imported.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub async fn complete(&mut self, until: Timestamp) -> Result<(), ImportError> {
        let mut page = Page::new(PageOrigin::Import, self.clock.now(), &self.head);
        page.known_until = page.known_until.max(Some(until));
        self.head = commit(self.store, &self.head, page).await?.head;
        Ok(())
    }

    /// Begins reading a stream's events; see `EventImport`.
    #[must_use]
    pub fn events(&mut self, stream: Stream) -> EventImport<'_, 'a> {
        let reading = Reading::from_start(&self.head, stream);
        EventImport { importer: self, reading }
    }

    async fn commit(&mut self, inputs: Vec<NewInput>, names: Names) -> Result<(), ImportError> {
        if inputs.is_empty() {
            return Ok(());
        }
        let mut page = Page::new(PageOrigin::Import, self.clock.now(), &self.head);
        page.names = names;
        page.read_at = self.read_at.unwrap_or(page.received_at);
        let events = inputs.iter().filter(|input| !matches!(input.input, Input::Settings(_))).count();
        page.inputs = inputs;
        let report = commit(self.store, &self.head, page).await?;
        self.report.archived += events as u64;
        self.report.late += report.late as u64;
        self.report.entries += report.entries as u64;
        self.report.anomalies += report.anomalies as u64;
        let of_unread = report.counts.anomalies.iter().filter(|(kind, _)| *kind == AnomalyKind::Undecodable);
        self.report.undecodable += of_unread.map(|(_, count)| count).sum::<u64>();
        self.head = report.head;
        Ok(())
    }
}

/// Events of one stream being read, in stream order.
#[derive(Debug)]
pub struct EventImport<'i, 'a> {
    importer: &'i mut Importer<'a>,
    reading: Reading,
}

impl EventImport<'_, '_> {
    /// Takes the next events and commits those that are new, as one page.
    ///
    /// # Errors
    /// [`ImportError::OutOfOrder`] if they can't stand after what is archived; [`ImportError::Store`].
    /// Pages before this one stay.
    pub async fn page(&mut self, events: Vec<RawEvent>) -> Result<(), ImportError> {
        self.importer.report.read += events.len() as u64;
        let placed = self.reading.place(self.importer.store, &self.importer.head, events).await?;
        self.check_guess(&placed)?;
        self.commit(placed).await
    }

    /// Ends the read.
    ///
    /// # Errors
    /// [`ImportError::OutOfOrder`] if what was read can't stand after what is archived; [`ImportError::Store`].
    pub async fn finish(mut self) -> Result<(), ImportError> {
        let placed = self.reading.finish();
        self.check_guess(&placed)?;
        self.commit(placed).await
    }

    /// Events that continue the stream without having met any of it must not be older than all of it; and if none of them
    /// is as new as its newest, they belong somewhere between.
    fn check_guess(&mut self, placed: &[(Place, RawEvent)]) -> Result<(), ImportError> {
        if !self.reading.take_guess() {
            return Ok(());
        }
        let stream = self.reading.stream();
        let head = self.importer.head.stream(stream);
        // A record whose time can't be read says nothing of where it belongs.
        let times = placed.iter().map(|(_, (_, decoded))| decoded.event.created_at);
        let mut times = times.filter(|at| *at > Timestamp::MIN);
        let (begins, ends) = (times.clone().next(), times.by_ref().max());
        if let (Some(begins), Some(first)) = (begins, head.oldest_created_at)
            && begins < first
        {
            return Err(ImportError::OutOfOrder { stream, begins, first });
        }
        match (ends, head.newest_created_at) {
            (Some(ends), Some(newest)) if ends < newest => Err(ImportError::BehindNewest { stream, ends, newest }),
            _ => Ok(()),
        }
    }

    async fn commit(&mut self, placed: Vec<(Place, RawEvent)>) -> Result<(), ImportError> {
        let inputs = self.reading.inputs(placed);
        self.importer.commit(inputs, Names::default()).await
    }
}
