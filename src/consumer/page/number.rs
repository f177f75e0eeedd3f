//! Inputs get their numbers, and what they say beside what is folded is taken along.

use super::input::{Body, NewInput};
use super::names::note_names;
use crate::cloud_controller::Decoded;
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
    let NewInput { place, body } = new;
    let json = |value: Result<String, serde_json::Error>| value.expect("domain values are plain JSON");
    let (kind, created_at, name, text, input) = match body {
        Body::Event { stream, raw, decoded } => {
            note_place(write, stream, &place, decoded.event.created_at);
            let Decoded { event, names } = *decoded;
            // A time that the stream contradicts must not make a name the newest for years.
            let of_it = |held: &&StoredBound| held.bound.stream == stream && held.place == place;
            let bound = write.bounds.iter().map(|(_, held)| held).rfind(of_it).or(bounds.iter().rfind(of_it));
            let told_at = bound.and_then(|held| held.bound.counts_at).unwrap_or(event.created_at);
            note_names(&mut write.names, &event.fact, names, &Told::by_event(told_at, place.clone()));
            (InputKind::Event(stream), event.created_at, event.guid.to_string(), raw, Input::Event(event))
        }
        Body::Settings(settings) => {
            write.settings.push((sequence, settings.clone()));
            let text = json(serde_json::to_string(&settings));
            (InputKind::Settings, received_at, String::new(), text, Input::Settings(settings))
        }
        Body::Baseline { stream, epoch, item } => {
            let text = json(serde_json::to_string(&item));
            let input = Input::Baseline(item);
            let guid = input.resource().map(|key| key.guid.to_string()).unwrap_or_default();
            (InputKind::Baseline(stream), epoch, guid, text, input)
        }
        Body::Disk(observation) => {
            let text = json(serde_json::to_string(&observation));
            let guid = observation.resource.guid.to_string();
            (InputKind::DiskObservation, observation.observed_at, guid, text, Input::Disk(observation))
        }
        Body::CreateFailed(failed) => {
            let text = json(serde_json::to_string(&failed));
            let guid = failed.service_instance.to_string();
            (InputKind::FailedCreate, failed.observed_at, guid, text, Input::CreateFailed(failed))
        }
        Body::Gap(gap) => {
            let text = json(serde_json::to_string(&gap));
            write.gaps.push((sequence, gap.clone()));
            (InputKind::Gap, gap.from, gap.stream.name().to_owned(), text, Input::Gap(gap))
        }
        Body::Settlement(settlement) => {
            let text = json(serde_json::to_string(&settlement));
            let guid = settlement.resource.guid.to_string();
            (InputKind::Settlement, settlement.observed_at, guid, text, Input::Settlement(settlement))
        }
        Body::Bound(bound) => {
            let text = json(serde_json::to_string(&bound));
            write.bounds.push((sequence, StoredBound { place: place.clone(), bound: bound.clone() }));
            (InputKind::Bound, bound.created_at, bound.event.to_string(), text, Input::Bound(bound))
        }
        Body::Row(row) => {
            let text = json(serde_json::to_string(&row));
            (InputKind::Row, row.observed_at, row.guid.to_string(), text, Input::Row(row))
        }
        Body::Build(observation) => {
            let text = json(serde_json::to_string(&observation));
            let guid = observation.build.to_string();
            (InputKind::BuildObservation, observation.created_at, guid, text, Input::Build(observation))
        }
    };
    write.inputs.push(ArchivedInput {
        sequence,
        kind,
        received_at,
        created_at,
        identity: identity(&name),
        place: place.clone(),
        previous: 0,
        body: text,
    });
    Numbered { sequence, received_at, place, input }
}

fn note_place(write: &mut WriteSet, stream: Stream, place: &Place, created_at: Timestamp) {
    let head = match stream {
        Stream::App => &mut write.app,
        Stream::Service => &mut write.service,
    };
    head.last_ordinal = head.last_ordinal.max(place.ordinal);
    head.newest_created_at = head.newest_created_at.max(Some(created_at));
    head.oldest_created_at = Some(head.oldest_created_at.map_or(created_at, |oldest| oldest.min(created_at)));
    if !place.fraction().is_empty() {
        write.late_places.push((stream, place.clone()));
    }
}
