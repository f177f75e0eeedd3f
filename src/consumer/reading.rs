//! One read of a stream: which of its events are new, where each stands, and what becomes of them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

use super::page::NewInput;
use super::placement::{Met, Placement};
use crate::cloud_controller::Decoded;
use crate::domain::{EventId, FoundationHead, Place, Stream, Timestamp};
use crate::store::{InputKind, Store, StoreError};

/// One event with its text as received.
pub type RawEvent = (String, Decoded);

/// A read of one stream, in stream order: an import's file, or the pages from somewhere on.
#[derive(Debug)]
pub(super) struct Reading {
    stream: Stream,
    placement: Placement<RawEvent>,
    /// The answers of the API come in the stream's order, without repetitions; files may not.
    in_order: bool,
    /// When the stream's first event was created. What is older, and stands before all that is archived, is a record
    /// that was kept though we came later, or came back with a backup.
    first_created_at: Option<Timestamp>,
    /// Places between others that this read gave: the store knows them only once their page is committed.
    given: BTreeSet<Place>,
}

impl Reading {
    /// A read that begins anywhere: it finds its place when it meets something archived.
    pub fn from_start(head: &FoundationHead, stream: Stream) -> Self {
        let placement = Placement::new(head.stream(stream).last_ordinal);
        Self { stream, placement, in_order: false, first_created_at: None, given: BTreeSet::new() }
    }

    /// As [`Reading::from_start`], of answers of the API.
    pub fn in_order(head: &FoundationHead, stream: Stream) -> Self {
        Self { in_order: true, ..Self::from_start(head, stream) }
    }

    /// As [`Reading::in_order`], from the stream's first row: what is older than the first event that was archived in
    /// order, of `first_created_at`, stands before it.
    pub fn again(head: &FoundationHead, stream: Stream, first_created_at: Option<Timestamp>) -> Self {
        Self { first_created_at, ..Self::in_order(head, stream) }
    }

    /// A read that begins after the archived event at `cursor`.
    pub fn after(head: &FoundationHead, stream: Stream, cursor: Place) -> Self {
        let placement = Placement::after(cursor, head.stream(stream).last_ordinal);
        Self { stream, placement, in_order: true, first_created_at: None, given: BTreeSet::new() }
    }

    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// Takes the next events; gives those that are new and can be placed now.
    pub async fn place(
        &mut self,
        store: &Store,
        head: &FoundationHead,
        events: Vec<RawEvent>,
    ) -> Result<Vec<(Place, RawEvent)>, StoreError> {
        let mut archived = self.archived(store, head, &events).await?;
        let mut placed = Vec::with_capacity(events.len());
        for event in events {
            let id = event.1.event.id();
            match archived.get(&id).cloned() {
                None if self.is_before_all(&id) => {
                    let next = self.next_place(store, head).await?.unwrap_or(Place::at(1));
                    let place = self.placement.put_here(&next);
                    self.given.insert(place.clone());
                    archived.insert(id, place.clone());
                    placed.push((place, event));
                }
                None => {
                    let new = self.placement.new_event(id, event);
                    archived.extend(new.iter().map(|(place, (_, decoded))| (decoded.event.id(), place.clone())));
                    placed.extend(new);
                }
                Some(place) => {
                    let met = self.placement.archived_event(place.clone());
                    let found_late = if met == Met::Undecided && self.in_order {
                        let previous = self.previous_place(store, head, &place).await?;
                        self.placement.put_before(place, previous)
                    } else if met == Met::Undecided {
                        let next = self.next_place(store, head).await?;
                        self.placement.resolve(place, next.as_ref())
                    } else {
                        Vec::new()
                    };
                    self.given.extend(found_late.iter().map(|(place, _)| place.clone()));
                    // The same page may hold one of them again.
                    archived.extend(found_late.iter().map(|(place, (_, decoded))| (decoded.event.id(), place.clone())));
                    placed.extend(found_late);
                }
            }
        }
        Ok(placed)
    }

    /// Nothing was met yet that was archived in order, and it is older than what was first.
    fn is_before_all(&self, id: &EventId) -> bool {
        self.placement.cursor().ordinal == 0 && self.first_created_at.is_some_and(|first| id.created_at < first)
    }

    /// The place before `place`, of what is archived and what this read put there.
    async fn previous_place(&self, store: &Store, head: &FoundationHead, place: &Place) -> Result<Place, StoreError> {
        let archived = store.previous_place(head, self.stream, place).await?;
        let given = self.given.range(..place).next_back();
        Ok(given.map_or(archived.clone(), |given| archived.max(given.clone())))
    }

    /// The place after the cursor, of what is archived and what this read put there.
    async fn next_place(&self, store: &Store, head: &FoundationHead) -> Result<Option<Place>, StoreError> {
        let cursor = self.placement.cursor();
        let archived = store.next_place(head, self.stream, cursor).await?;
        let given = self.given.range((Bound::Excluded(cursor), Bound::Unbounded)).next().cloned();
        Ok(archived.into_iter().chain(given).min())
    }

    /// Ends the read: what could not be placed yet continues the stream.
    pub fn finish(&mut self) -> Vec<(Place, RawEvent)> {
        self.placement.finish()
    }

    /// See [`Placement::take_guess`].
    pub const fn take_guess(&mut self) -> bool {
        self.placement.take_guess()
    }

    pub fn inputs(&self, placed: Vec<(Place, RawEvent)>) -> Vec<NewInput> {
        let stream = self.stream;
        let input = |(place, (raw, decoded))| NewInput::event(stream, place, raw, decoded);
        placed.into_iter().map(input).collect()
    }

    /// Places of those events that are archived. What is newer than everything archived isn't looked up.
    async fn archived(
        &self,
        store: &Store,
        head: &FoundationHead,
        events: &[RawEvent],
    ) -> Result<HashMap<EventId, Place>, StoreError> {
        let newest = head.stream(self.stream).newest_created_at;
        let older: Vec<EventId> = (events.iter())
            .filter(|(_, decoded)| newest.is_some_and(|newest| decoded.event.created_at <= newest))
            .map(|(_, decoded)| decoded.event.id())
            .collect();
        let places = store.find_archived(head, InputKind::Event(self.stream), &older).await?;
        Ok(older.into_iter().zip(places).filter_map(|(id, place)| Some((id, place?))).collect())
    }
}
