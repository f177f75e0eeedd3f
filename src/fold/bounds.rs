//! Events whose own time isn't trusted take effect at the time that their neighbours allow.
//! Owns what a bound does to its event; never decides which times agree.

use std::collections::HashMap;

use super::{Fold, Input, Known, Numbered, Resource};
use crate::domain::{Anomaly, AnomalyKind, Bound, Place, ResourceKey, Timestamp};

impl Fold {
    /// Bounds of earlier pages whose events may be among those to be applied.
    pub fn provide_bounds(&mut self, bounds: impl IntoIterator<Item = (ResourceKey, Place, Timestamp)>) {
        self.bounds.extend(bounds.into_iter().map(|(key, place, at)| ((key, place), at)));
    }

    /// Keeps a bound for its event, or folds the resource again if the event was folded already.
    pub(super) fn bound(&mut self, mut resource: Resource, numbered: &Numbered, bound: &Bound) -> Resource {
        self.note_bound(numbered, bound);
        let of_event = (resource.key.clone(), numbered.place.clone());
        match bound.counts_at {
            Some(at) => self.bounds.insert(of_event, at),
            None => self.bounds.remove(&of_event),
        };
        let Known::History(_, inputs) = &resource.known else {
            panic!("the history of {:?} is provided before a bound is applied", resource.key)
        };
        let is_event = |input: &&Numbered| matches!(input.input, Input::Event(_)) && input.place == numbered.place;
        let is_sealed = |input: &&Numbered| matches!(input.input, Input::Sealed(_)) && numbered.place <= input.place;
        if inputs.iter().any(|input| is_event(&input)) {
            return self.refold(resource, numbered);
        }
        if inputs.iter().any(|input| is_sealed(&input)) {
            return self.too_late(resource, numbered);
        }
        resource.last_sequence = numbered.sequence;
        resource.known.remember(numbered);
        resource
    }

    /// That a time isn't trusted is odd whatever the event touches; what counts before the epoch is nobody's concern.
    pub(super) fn note_bound(&mut self, numbered: &Numbered, bound: &Bound) {
        let Some(at) = bound.counts_at else { return };
        if self.settings().billing_epoch.is_some_and(|epoch| at < epoch) {
            return;
        }
        let why = if bound.provisional { "when it was read" } else { "as the events around it allow" };
        self.outputs.anomalies.push(Anomaly {
            kind: AnomalyKind::Clock,
            sequence: numbered.sequence,
            resource: bound.resource.clone(),
            at,
            detail: format!("event {} says {}, counts from {at}, {why}", bound.event, bound.created_at),
        });
    }
}

/// The time at which events count that have a bound, by their place: the bound archived last.
pub(super) fn in_force(inputs: &[Numbered]) -> HashMap<Place, Timestamp> {
    let mut newest: HashMap<&Place, (u64, Option<Timestamp>)> = HashMap::new();
    for numbered in inputs {
        if let Input::Bound(bound) = &numbered.input {
            let held = newest.entry(&numbered.place).or_insert((numbered.sequence, bound.counts_at));
            if numbered.sequence >= held.0 {
                *held = (numbered.sequence, bound.counts_at);
            }
        }
    }
    newest.into_iter().filter_map(|(place, (_, at))| Some((place.clone(), at?))).collect()
}
