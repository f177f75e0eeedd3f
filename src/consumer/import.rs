//! Recorded V3 JSON into the archive and the ledger: snapshots first, then the two streams.
//! Owns what an import may do to a foundation; never reads a file.

use std::collections::HashMap;

use super::page::{Body, NewInput, Page, commit};
use super::placement::{Met, Placement};
use crate::clock::Clock;
use crate::cloud_controller::{Chunk, Decoded, NamedItem, Snapshot};
use crate::domain::{EventId, Place, Settings, Stream, Timestamp};
use crate::store::{FoundationHead, InputKind, NameOf, Names, Origin, Store, StoreError};

/// What an import can't do.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "foundation `{foundation}` is billed from {held}, not from {wanted}\n\
         hint: leave out --billing-from, or import into another foundation"
    )]
    OtherEpoch { foundation: String, held: String, wanted: Timestamp },
    #[error(
        "foundation `{foundation}` has events already; a snapshot can only be where it begins\n\
         hint: import into another foundation, the snapshot first"
    )]
    SnapshotTooLate { foundation: String },
    #[error(
        "snapshot `{0}` is not complete: its completed_at is null\nhint: fetch it again once Cloud Controller has finished it"
    )]
    SnapshotIncomplete(String),
    #[error(
        "chunks of a snapshot were given without the snapshot itself, so the time from which to bill is unknown\n\
         hint: give the snapshot too (GET /v3/app_usage/snapshots/GUID), or --billing-from"
    )]
    ChunksAlone,
    #[error(
        "{stream} events begin at {begins}, before the first archived one ({first}), and don't lead up to it\n\
         hint: import files in stream order, oldest first"
    )]
    OutOfOrder { stream: Stream, begins: Timestamp, first: Timestamp },
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
}

impl<'a> Importer<'a> {
    /// Begins an import, with settings that apply if they differ from the foundation's. An epoch
    /// given must be the one the foundation has; none given keeps it.
    ///
    /// # Errors
    /// [`ImportError::OtherEpoch`]; [`ImportError::Store`].
    pub async fn begin(
        store: &'a Store,
        clock: &'a Clock,
        foundation: &str,
        mut settings: Settings,
    ) -> Result<Self, ImportError> {
        let head = store.foundation(foundation).await?;
        let held = head.current_settings().billing_epoch;
        if let Some(wanted) = settings.billing_epoch
            && head.last_sequence > 0
            && held != Some(wanted)
        {
            let held = held.map_or_else(|| "its first event".to_owned(), |held| held.to_string());
            return Err(ImportError::OtherEpoch { foundation: foundation.to_owned(), held, wanted });
        }
        settings.billing_epoch = settings.billing_epoch.or(held);
        let mut importer = Self { store, clock, head, report: ImportReport::default() };
        if importer.head.settings.is_empty() || importer.head.current_settings() != settings {
            let input = NewInput { place: Place::default(), body: Body::Settings(settings) };
            importer.commit(vec![input], Names::default()).await?;
        }
        Ok(importer)
    }

    /// The foundation as it now is.
    #[must_use]
    pub const fn head(&self) -> &FoundationHead {
        &self.head
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

    /// Takes the items of a snapshot's chunks as baseline.
    ///
    /// # Errors
    /// [`ImportError`].
    pub async fn baseline(&mut self, chunks: Vec<Chunk>) -> Result<(), ImportError> {
        let Some(epoch) = self.head.current_settings().billing_epoch else { return Err(ImportError::ChunksAlone) };
        let items: Vec<NamedItem> = chunks.into_iter().flat_map(Chunk::into_items).collect();
        self.report.read += items.len() as u64;
        for stream in Stream::ALL {
            let items: Vec<_> = items.iter().filter(|named| stream_of(named) == stream).collect();
            let ids: Vec<EventId> = (items.iter())
                .filter_map(|named| crate::fold::Input::Baseline(named.item.clone()).resource())
                .map(|key| EventId { guid: key.guid, created_at: epoch })
                .collect();
            let archived = self.store.find_archived(&self.head, InputKind::Baseline(stream), &ids).await?;
            let mut names = Names::default();
            let mut inputs = Vec::new();
            for (named, archived) in items.into_iter().zip(archived) {
                if archived.is_none() {
                    note_names(&mut names, named);
                    let body = Body::Baseline { stream, epoch, item: named.item.clone() };
                    inputs.push(NewInput { place: Place::default(), body });
                }
            }
            if !inputs.is_empty() && self.head.stream(stream).last_ordinal > 0 {
                return Err(ImportError::SnapshotTooLate { foundation: self.head.name.clone() });
            }
            self.commit(inputs, names).await?;
        }
        Ok(())
    }

    /// Begins reading a stream's events; see [`EventImport`].
    #[must_use]
    pub fn events(&mut self, stream: Stream) -> EventImport<'_, 'a> {
        let placement = Placement::new(self.head.stream(stream).last_ordinal);
        EventImport { importer: self, stream, placement }
    }

    async fn commit(&mut self, inputs: Vec<NewInput>, names: Names) -> Result<(), ImportError> {
        if inputs.is_empty() {
            return Ok(());
        }
        let mut page = Page::new(Origin::Import, self.clock.now(), &self.head);
        page.names = names;
        if !self.head.collected {
            // An import knows as much as its last event of either stream tells.
            let newest = inputs.iter().filter_map(|input| match &input.body {
                Body::Event { decoded, .. } => Some(decoded.event.created_at),
                _ => None,
            });
            page.known_until = newest.max().max(self.head.known_until);
        }
        let events = inputs.iter().filter(|input| !matches!(input.body, Body::Settings(_))).count();
        page.inputs = inputs;
        let report = commit(self.store, &self.head, page).await?;
        self.report.archived += events as u64;
        self.report.late += report.late as u64;
        self.report.entries += report.entries as u64;
        self.report.anomalies += report.anomalies as u64;
        self.head = report.head;
        Ok(())
    }
}

const fn stream_of(named: &NamedItem) -> Stream {
    match named.item.item {
        crate::domain::Baseline::Service { .. } => Stream::Service,
        crate::domain::Baseline::Process { .. } | crate::domain::Baseline::Task { .. } => Stream::App,
    }
}

/// The names a baseline row carries.
pub(super) fn note_names(names: &mut Names, named: &NamedItem) {
    let location = &named.item.location;
    let mut note = |of: NameOf, name: &Option<String>| {
        if let Some(name) = name {
            names.names.insert(of, name.clone());
        }
    };
    note(NameOf::Organization(location.organization.clone()), &named.organization);
    note(NameOf::Space(location.space.clone()), &named.space);
    match &named.item.item {
        crate::domain::Baseline::Process { app, .. } | crate::domain::Baseline::Task { app, .. } => {
            note(NameOf::App(app.clone()), &named.app);
        }
        crate::domain::Baseline::Service { plan, .. } => {
            if let Some(key) = crate::fold::Input::Baseline(named.item.clone()).resource() {
                note(NameOf::Resource(key), &named.service_instance);
            }
            if let Some(plan) = plan {
                note(NameOf::ServicePlan(plan.clone()), &named.service_plan);
                if let Some((offering, name)) = &named.service_offering {
                    note(NameOf::ServiceOffering(offering.clone()), name);
                    names.offerings.insert(plan.clone(), offering.clone());
                }
            }
        }
    }
}

/// One event with its text as received.
pub type RawEvent = (String, Decoded);

/// Events of one stream being read, in stream order.
#[derive(Debug)]
pub struct EventImport<'i, 'a> {
    importer: &'i mut Importer<'a>,
    stream: Stream,
    placement: Placement<RawEvent>,
}

impl EventImport<'_, '_> {
    /// Takes the next events and commits those that are new, as one page.
    ///
    /// # Errors
    /// [`ImportError::OutOfOrder`] if they can't stand after what is archived; [`ImportError::Store`].
    /// Pages before this one stay.
    pub async fn page(&mut self, events: Vec<RawEvent>) -> Result<(), ImportError> {
        self.importer.report.read += events.len() as u64;
        let mut archived = self.archived(&events).await?;
        let mut placed = Vec::with_capacity(events.len());
        for event in events {
            let id = event.1.event.id();
            match archived.get(&id).cloned() {
                None => {
                    let new = self.placement.new_event(id, event);
                    archived.extend(new.iter().map(|(place, (_, decoded))| (decoded.event.id(), place.clone())));
                    placed.extend(new);
                }
                Some(place) => {
                    if self.placement.archived_event(place.clone()) == Met::Undecided {
                        let importer = &*self.importer;
                        let cursor = self.placement.cursor();
                        let next = importer.store.next_place(&importer.head, self.stream, cursor).await?;
                        placed.extend(self.placement.resolve(place, next.as_ref()));
                    }
                }
            }
        }
        self.check_guess(&placed)?;
        self.commit(placed).await
    }

    /// Ends the read.
    ///
    /// # Errors
    /// [`ImportError::OutOfOrder`] if what was read can't stand after what is archived; [`ImportError::Store`].
    pub async fn finish(mut self) -> Result<(), ImportError> {
        let placed = self.placement.finish();
        self.check_guess(&placed)?;
        self.commit(placed).await
    }

    /// Places of those events that are archived. What is newer than everything archived isn't looked up.
    async fn archived(&self, events: &[RawEvent]) -> Result<HashMap<EventId, Place>, ImportError> {
        let head = &self.importer.head;
        let newest = head.stream(self.stream).newest_created_at;
        let older: Vec<EventId> = (events.iter())
            .filter(|(_, decoded)| newest.is_some_and(|newest| decoded.event.created_at <= newest))
            .map(|(_, decoded)| decoded.event.id())
            .collect();
        let places = self.importer.store.find_archived(head, InputKind::Event(self.stream), &older).await?;
        Ok(older.into_iter().zip(places).filter_map(|(id, place)| Some((id, place?))).collect())
    }

    /// Events that continue the stream without having met any of it must not be older than all of it.
    fn check_guess(&mut self, placed: &[(Place, RawEvent)]) -> Result<(), ImportError> {
        if !self.placement.take_guess() {
            return Ok(());
        }
        let first = self.importer.head.stream(self.stream).oldest_created_at;
        match (placed.first(), first) {
            (Some((_, (_, decoded))), Some(first)) if decoded.event.created_at < first => {
                let begins = decoded.event.created_at;
                Err(ImportError::OutOfOrder { stream: self.stream, begins, first })
            }
            _ => Ok(()),
        }
    }

    async fn commit(&mut self, placed: Vec<(Place, RawEvent)>) -> Result<(), ImportError> {
        let stream = self.stream;
        let inputs = (placed.into_iter())
            .map(|(place, (raw, decoded))| NewInput {
                place,
                body: Body::Event { stream, raw, decoded: Box::new(decoded) },
            })
            .collect();
        self.importer.commit(inputs, Names::default()).await
    }
}
