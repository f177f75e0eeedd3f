//! One input before it has a number: what the fold takes, and how the archive keeps it.
//! Owns the way into the archive and back: one table for what this program writes itself.

use serde::Serialize;

use crate::cloud_controller::{Decoded, Names, decode};
use crate::domain::{BaselineItem, Place, Stream, Timestamp};
use crate::fold::{Input, Numbered};
use crate::store::{ArchivedInput, InputKind, StoreError};

/// An input not yet numbered.
#[derive(Clone, Debug)]
pub struct NewInput {
    /// An event's place in its stream; anything else stands at the end of its stream, a bound at its event's.
    pub place: Place,
    pub input: Input,
    pub kind: InputKind,
    /// When it happened, for the archive's directory; `None`: when it is received.
    pub at: Option<Timestamp>,
    /// By which it is found again.
    pub name: String,
    /// As received, or as this program writes it.
    pub text: String,
    /// Of an event, what it calls things.
    pub names: Option<Box<Names>>,
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("domain values are plain JSON")
}

impl NewInput {
    /// A usage event as received.
    #[must_use]
    pub fn event(stream: Stream, place: Place, text: String, decoded: Decoded) -> Self {
        let Decoded { event, names } = decoded;
        let (at, name) = (Some(event.created_at), event.guid.to_string());
        let (kind, names) = (InputKind::Event(stream), Some(Box::new(names)));
        Self { place, input: Input::Event(event), kind, at, name, text, names }
    }

    /// An item of the baseline of a stream's resources, begun at `epoch`.
    #[must_use]
    pub fn baseline(stream: Stream, epoch: Timestamp, item: BaselineItem) -> Self {
        let (kind, at, text) = (InputKind::Baseline(stream), Some(epoch), json(&item));
        let input = Input::Baseline(item);
        let name = input.resource().map(|key| key.guid.to_string()).unwrap_or_default();
        Self { place: Place::default(), input, kind, at, name, text, names: None }
    }

    /// What the archive gives back.
    ///
    /// # Errors
    /// [`StoreError::Unexpected`] for a body this program did not write.
    pub fn from_archive(archived: ArchivedInput) -> Result<Self, StoreError> {
        let ArchivedInput { kind, created_at, place, body, .. } = archived;
        match kind {
            InputKind::Event(stream) => {
                let decoded = decode(stream, &body);
                Ok(Self::event(stream, place, body, decoded))
            }
            InputKind::Baseline(stream) => {
                let item = serde_json::from_str(&body).map_err(|_| unexpected(&body))?;
                Ok(Self { place, ..Self::baseline(stream, created_at, item) })
            }
            own => Ok(Self::own(place, own_from(own, &body)?)),
        }
    }
}

fn unexpected(body: &str) -> StoreError {
    StoreError::Unexpected { place: "the archive", value: body.to_owned() }
}

/// What this program writes itself: the input's variant, its kind in the archive, when it happened, and its name.
macro_rules! own {
    ($($variant:ident as $kind:ident: $value:ident => $at:expr, $name:expr;)*) => {
        impl NewInput {
            /// Settings, observations and decisions, at a place.
            ///
            /// # Panics
            /// For an event, a baseline item or a seal, which come in other ways.
            #[must_use]
            pub fn own(place: Place, input: Input) -> Self {
                let (kind, at, name, text) = match &input {
                    $(Input::$variant($value) => (InputKind::$kind, $at, $name, json($value)),)*
                    Input::Event(_) | Input::Baseline(_) | Input::Sealed(_) => {
                        panic!("not this program's own words: {input:?}")
                    }
                };
                Self { place, input, kind, at, name, text, names: None }
            }
        }

        fn own_from(kind: InputKind, body: &str) -> Result<Input, StoreError> {
            match kind {
                $(InputKind::$kind => {
                    serde_json::from_str(body).map(Input::$variant).map_err(|_| unexpected(body))
                })*
                InputKind::Event(_) | InputKind::Baseline(_) => Err(unexpected(body)),
            }
        }
    };
}

own! {
    Settings as Settings: value => None, String::new();
    Disk as DiskObservation: value => Some(value.observed_at), value.resource.guid.to_string();
    Build as BuildObservation: value => Some(value.created_at), value.build.to_string();
    CreateFailed as FailedCreate: value => Some(value.observed_at), value.service_instance.to_string();
    Gap as Gap: value => Some(value.from), value.stream.name().to_owned();
    Settlement as Settlement: value => Some(value.observed_at), value.resource.guid.to_string();
    Bound as Bound: value => Some(value.created_at), value.event.to_string();
    Row as Row: value => Some(value.observed_at), value.guid.to_string();
}

/// An archived input as the fold takes it.
///
/// # Errors
/// [`StoreError::Unexpected`] for a body this program did not write.
pub fn recall(archived: ArchivedInput) -> Result<Numbered, StoreError> {
    let (sequence, received_at, place) = (archived.sequence, archived.received_at, archived.place.clone());
    Ok(Numbered { sequence, received_at, place, input: NewInput::from_archive(archived)?.input })
}
