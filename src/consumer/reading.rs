//! One read of a stream: which of its events are new, where each stands, and what becomes of them.

use std::collections::HashMap;

use super::page::{Body, NewInput};
use super::placement::{Met, Placement};
use crate::cloud_controller::Decoded;
use crate::domain::{EventId, Place, Stream, Timestamp};
use crate::store::{FoundationHead, InputKind, Store, StoreError};

/// One event with its text as received.
pub type RawEvent = (String, Decoded);

/// A read of one stream, in stream order: an import's file, or the pages from somewhere on.
#[derive(Debug)]
pub(super) struct Reading {
    stream: Stream,
    placement: Placement<RawEvent>,
    /// The answers of the API come in the stream's order, without repetitions; files may not.
    in_order: bool,
    /// Where the next event goes that is older than everything archived: a record that is kept though we came later.
    before_all: Option<(Timestamp, Place)>,
}

impl Reading {
    /// A read that begins anywhere: it finds its place when it meets something archived.
    pub fn from_start(head: &FoundationHead, stream: Stream) -> Self {
        let placement = Placement::new(head.stream(stream).last_ordinal);
        Self { stream, placement, in_order: false, before_all: None }
    }

    /// As [`Reading::from_start`], of answers of the API.
    pub fn in_order(head: &FoundationHead, stream: Stream) -> Self {
        Self { in_order: true, ..Self::from_start(head, stream) }
    }

    /// As [`Reading::in_order`], from the stream's first row: what is older than everything archived stands before it.
    pub fn again(head: &FoundationHead, stream: Stream) -> Self {
        let before_all = head.stream(stream).oldest_created_at.map(|oldest| (oldest, Place::default()));
        Self { before_all, ..Self::in_order(head, stream) }
    }

    /// A read that begins after the archived event at `cursor`.
    pub fn after(head: &FoundationHead, stream: Stream, cursor: Place) -> Self {
        let placement = Placement::after(cursor, head.stream(stream).last_ordinal);
        Self { stream, placement, in_order: true, before_all: None }
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
                    let place = self.next_before_all(store, head).await?;
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
                        let previous = store.previous_place(head, self.stream, &place).await?;
                        self.placement.put_before(place, previous)
                    } else if met == Met::Undecided {
                        let next = store.next_place(head, self.stream, self.placement.cursor()).await?;
                        self.placement.resolve(place, next.as_ref())
                    } else {
                        Vec::new()
                    };
                    // The same page may hold one of them again.
                    archived.extend(found_late.iter().map(|(place, (_, decoded))| (decoded.event.id(), place.clone())));
                    placed.extend(found_late);
                }
            }
        }
        Ok(placed)
    }

    fn is_before_all(&self, id: &EventId) -> bool {
        self.before_all.as_ref().is_some_and(|(oldest, _)| id.created_at < *oldest)
    }

    /// The place before the first archived event, after those already placed there.
    async fn next_before_all(&mut self, store: &Store, head: &FoundationHead) -> Result<Place, StoreError> {
        let Some((oldest, last)) = self.before_all.take() else { return Ok(Place::default()) };
        let first = Place::at(1);
        let last = if last == Place::default() { store.previous_place(head, self.stream, &first).await? } else { last };
        let place = last.before(&first);
        self.before_all = Some((oldest, place.clone()));
        Ok(place)
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
        let input = |(place, (raw, decoded))| {
            let body = Body::Event { stream, raw, decoded: Box::new(decoded) };
            NewInput { place, body }
        };
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
