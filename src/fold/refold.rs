//! An event found late: its resource is folded again in stream order, and the difference appended.

use super::{Fold, Input, Known, Numbered, Resource, Step};
use crate::domain::ledger_entry::net;
use crate::domain::{Anomaly, AnomalyKind, Cause, EntryType, Interval, LedgerEntry};

impl Fold {
    /// Folds all inputs of `resource` again with `late` at its place. What the ledger holds and
    /// shouldn't is reversed; what it should hold and doesn't is appended.
    pub(super) fn refold(&mut self, resource: Resource, late: &Numbered) -> Resource {
        let Known::History(held, mut inputs) = resource.known else {
            panic!("the history of {:?} is provided before a late input is applied", resource.key)
        };
        let sealed = inputs.iter().find(|input| matches!(input.input, Input::Sealed(_)));
        let sealed = sealed.map(|input| input.place.clone());
        if sealed.as_ref().is_some_and(|sealed| late.place < *sealed) {
            return self.too_late(Resource { known: Known::History(held, inputs), ..resource }, late);
        }
        let mut in_stream_order = inputs.clone();
        in_stream_order.push(late.clone());
        // What came too late for the seal changed nothing then, and doesn't now.
        in_stream_order.retain(|input| sealed.as_ref().is_none_or(|sealed| input.place >= *sealed));
        in_stream_order.sort_by(|one, two| (&one.place, one.sequence).cmp(&(&two.place, two.sequence)));

        let (mut again, entries, anomalies) = self.fold_again(&resource.key, &in_stream_order);
        self.outputs.anomalies.extend(anomalies.into_iter().filter(|anomaly| anomaly.sequence == late.sequence));
        if !matches!(late.input, Input::Bound(_)) {
            self.outputs.anomalies.push(Anomaly {
                kind: AnomalyKind::LateEvent,
                sequence: late.sequence,
                resource: Some(resource.key),
                at: late.received_at,
                detail: format!(
                    "found behind {} later inputs",
                    in_stream_order.iter().filter(|input| input.place > late.place).count()
                ),
            });
        }

        let settings = self.settings();
        let mut step = Step {
            sequence: late.sequence,
            received_at: late.received_at,
            settings: &settings,
            gaps: &self.gaps,
            bounded_to: None,
            outputs: &mut self.outputs,
            last_entry: &mut self.last_entry,
        };
        let held = step.append_difference(held, entries);
        again.last_sequence = late.sequence;
        inputs.push(late.clone());
        again.known = Known::History(held, inputs);
        again
    }

    /// What its place lies before was sealed: it changes nothing.
    pub(super) fn too_late(&mut self, mut resource: Resource, late: &Numbered) -> Resource {
        self.outputs.anomalies.push(Anomaly {
            kind: AnomalyKind::BeforeSeal,
            sequence: late.sequence,
            resource: Some(resource.key.clone()),
            at: late.received_at,
            detail: "found behind what was sealed before pruning; no interval changed".to_owned(),
        });
        resource.last_sequence = late.sequence;
        resource.known.remember(late);
        resource
    }

    /// Folds `inputs`, in the order given, into a resource that nothing is known of.
    fn fold_again(
        &self,
        key: &crate::domain::ResourceKey,
        inputs: &[Numbered],
    ) -> (Resource, Vec<LedgerEntry>, Vec<Anomaly>) {
        let mut scratch = Self::new(Vec::new(), 0);
        let mut again = Resource::new(key.clone());
        let bounds = super::bounds::in_force(inputs);
        for numbered in inputs {
            if let Input::Sealed(sealed) = &numbered.input {
                again =
                    Resource { known: Known::History(sealed.entries.clone(), Vec::new()), ..sealed.resource.clone() };
                scratch.last_entry = sealed.entries.iter().map(|entry| entry.number).max().unwrap_or_default();
                scratch.outputs.entries.clone_from(&sealed.entries);
                continue;
            }
            // Each input is folded under the settings of its own time.
            let settings = (self.settings.iter().rev())
                .find(|(since, _)| *since < numbered.sequence)
                .map(|(_, settings)| settings.clone())
                .unwrap_or_default();
            again.last_place = numbered.place.clone();
            let is_event = matches!(numbered.input, Input::Event(_));
            let mut step = Step {
                sequence: numbered.sequence,
                received_at: numbered.received_at,
                settings: &settings,
                gaps: &self.gaps,
                bounded_to: is_event.then(|| bounds.get(&numbered.place).copied()).flatten(),
                outputs: &mut scratch.outputs,
                last_entry: &mut scratch.last_entry,
            };
            step.apply(&mut again, &numbered.input);
        }
        (again, net(scratch.outputs.entries), scratch.outputs.anomalies)
    }
}

impl Step<'_> {
    /// Appends what turns the net entries `held` into `wanted`; gives the net entries there then are.
    fn append_difference(&mut self, held: Vec<LedgerEntry>, wanted: Vec<LedgerEntry>) -> Vec<LedgerEntry> {
        let mut wanted: Vec<Interval> = wanted.into_iter().map(|entry| entry.interval).collect();
        let mut net = Vec::with_capacity(wanted.len());
        let mut wrong = Vec::new();
        for entry in held {
            match wanted.iter().position(|interval| *interval == entry.interval) {
                Some(at) => {
                    wanted.swap_remove(at);
                    net.push(entry);
                }
                None => wrong.push(entry),
            }
        }
        wanted.sort_by_key(|interval| (interval.started_at, interval.ended_at, interval.opened_by));
        for entry in &wrong {
            self.entry(EntryType::Reversal, Some(entry.number), Cause::LateEvent, entry.interval.clone());
        }
        for interval in wanted {
            // The entry it stands in for, where there is one: the first taken back that overlaps it.
            let replaced =
                wrong.iter().position(|entry| overlap(&entry.interval, &interval)).map(|at| wrong.remove(at));
            let entry_type = if replaced.is_some() { EntryType::Replacement } else { EntryType::Usage };
            net.push(self.entry(entry_type, replaced.map(|entry| entry.number), Cause::LateEvent, interval));
        }
        net.sort_by_key(|entry| entry.number);
        net
    }
}

fn overlap(one: &Interval, two: &Interval) -> bool {
    one.started_at < two.ended_at && two.started_at < one.ended_at
}
