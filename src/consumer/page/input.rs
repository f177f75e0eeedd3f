//! One input before it has a number, and what the archive gives back as one.

use crate::cloud_controller::{Decoded, decode};
use crate::domain::{
    BaselineItem, Bound, BuildObservation, DiskObservation, FailedCreate, Gap, Place, RowObservation, Settings,
    Settlement, Stream, Timestamp,
};
use crate::fold::{Input, Numbered};
use crate::store::{ArchivedInput, InputKind, StoreError};

/// An input not yet numbered.
#[derive(Clone, Debug)]
pub struct NewInput {
    /// An event's place in its stream; anything else stands at the end of its stream.
    pub place: Place,
    pub body: Body,
}

/// What it is, and its text for the archive.
#[derive(Clone, Debug)]
pub enum Body {
    /// As received.
    Event {
        stream: Stream,
        raw: String,
        decoded: Box<Decoded>,
    },
    Settings(Settings),
    /// An item of the baseline of that stream's resources, begun at `epoch`.
    Baseline {
        stream: Stream,
        epoch: Timestamp,
        item: BaselineItem,
    },
    Disk(DiskObservation),
    Build(BuildObservation),
    CreateFailed(FailedCreate),
    Gap(Gap),
    Settlement(Settlement),
    /// Stands at its event's place.
    Bound(Bound),
    Row(RowObservation),
}

/// An archived input as the fold takes it.
///
/// # Errors
/// [`StoreError::Unexpected`] for a body this program did not write.
pub fn recall(archived: ArchivedInput) -> Result<Numbered, StoreError> {
    let (sequence, received_at, place) = (archived.sequence, archived.received_at, archived.place.clone());
    let input = match recall_body(archived)? {
        Body::Event { decoded, .. } => Input::Event(decoded.event),
        Body::Settings(settings) => Input::Settings(settings),
        Body::Baseline { item, .. } => Input::Baseline(item),
        Body::Disk(observation) => Input::Disk(observation),
        Body::Build(observation) => Input::Build(observation),
        Body::CreateFailed(failed) => Input::CreateFailed(failed),
        Body::Gap(gap) => Input::Gap(gap),
        Body::Settlement(settlement) => Input::Settlement(settlement),
        Body::Bound(bound) => Input::Bound(bound),
        Body::Row(row) => Input::Row(row),
    };
    Ok(Numbered { sequence, received_at, place, input })
}

pub(super) fn recall_body(archived: ArchivedInput) -> Result<Body, StoreError> {
    let ArchivedInput { kind, created_at, body, .. } = archived;
    let unexpected = |_| StoreError::Unexpected { place: "the archive", value: body.clone() };
    Ok(match kind {
        InputKind::Event(stream) => {
            let decoded = Box::new(decode(stream, &body));
            Body::Event { stream, raw: body, decoded }
        }
        InputKind::Settings => Body::Settings(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Baseline(stream) => {
            let item = serde_json::from_str(&body).map_err(unexpected)?;
            Body::Baseline { stream, epoch: created_at, item }
        }
        InputKind::DiskObservation => Body::Disk(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::FailedCreate => Body::CreateFailed(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::BuildObservation => Body::Build(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Gap => Body::Gap(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Settlement => Body::Settlement(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Bound => Body::Bound(serde_json::from_str(&body).map_err(unexpected)?),
        InputKind::Row => Body::Row(serde_json::from_str(&body).map_err(unexpected)?),
    })
}
