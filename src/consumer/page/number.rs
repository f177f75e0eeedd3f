//! Inputs get their numbers, and what they say beside what is folded is taken along.

use super::input::NewInput;
use super::names::note_names;
use crate::domain::{Place, Stream, Timestamp};
use crate::fold::{Input, Numbered};
use crate::store::{ArchivedInput, InputKind, StoredBound, Told, WriteSet, identity};

/// Numbers an input, adds it to what is to be archived, and keeps the stream's head and the names up to date.
/// `bounds`: those archived before this page.
pub(super) fn number(
    sequence: u64,
    received_at: Timestamp,
    new: NewInput,
    bounds: &[StoredBound],
    write: &mut WriteSet,
) -> Numbered {
    let NewInput { place, input, kind, at, name, text, names } = new;
    match (&input, kind) {
        (Input::Event(event), InputKind::Event(stream)) => {
            note_place(write, stream, &place, event.created_at);
            // A time that the stream contradicts must not make a name the newest for years.
            let of_it = |held: &&StoredBound| held.bound.stream == stream && held.place == place;
            let bound = write.bounds.iter().map(|(_, held)| held).rfind(of_it).or(bounds.iter().rfind(of_it));
            let told_at = bound.and_then(|held| held.bound.counts_at).unwrap_or(event.created_at);
            let told = Told::by_event(told_at, place.clone());
            note_names(&mut write.names, &event.fact, names.map(|names| *names).unwrap_or_default(), &told);
        }
        (Input::Settings(settings), _) => write.settings.push((sequence, settings.clone())),
        (Input::Gap(gap), _) => write.gaps.push((sequence, gap.clone())),
        (Input::Bound(bound), _) => {
            write.bounds.push((sequence, StoredBound { place: place.clone(), bound: bound.clone() }));
        }
        _ => {}
    }
    write.inputs.push(ArchivedInput {
        sequence,
        kind,
        received_at,
        created_at: at.unwrap_or(received_at),
        identity: identity(&name),
        place: place.clone(),
        previous: 0,
        body: text,
    });
    Numbered { sequence, received_at, place, input }
}

fn note_place(write: &mut WriteSet, stream: Stream, place: &Place, created_at: Timestamp) {
    let head = write.stream_mut(stream);
    head.last_ordinal = head.last_ordinal.max(place.ordinal);
    head.newest_created_at = head.newest_created_at.max(Some(created_at));
    head.oldest_created_at = Some(head.oldest_created_at.map_or(created_at, |oldest| oldest.min(created_at)));
    if !place.fraction().is_empty() {
        write.late_places.push((stream, place.clone()));
    }
}
