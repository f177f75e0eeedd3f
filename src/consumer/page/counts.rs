//! What a page came to, for metrics, and what reseeds were the first to tell.

use std::collections::{BTreeMap, HashSet};

use crate::domain::quantity::{instance_seconds, mib_seconds};
use crate::domain::{AnomalyKind, EntryType, FoundationHead, Gap, Interval, Kind};
use crate::fold::{Input, Numbered};
use crate::store::{Settled, WriteSet};
use crate::telemetry::PageCounts;

/// What the page's reseeded events told that was lost with a gap: resources that nobody knew, and footprints that changed.
pub(super) fn told_by_reseeds(head: &FoundationHead, write: &WriteSet, numbered: &[Numbered]) -> Vec<(u64, Settled)> {
    let reseeded: HashSet<u64> = (numbered.iter())
        .filter(|input| matches!(&input.input, Input::Event(event) if event.fact.is_reseeded()))
        .map(|input| input.sequence)
        .collect();
    let mut told: BTreeMap<u64, Settled> = BTreeMap::new();
    for anomaly in write.anomalies.iter().filter(|anomaly| reseeded.contains(&anomaly.sequence)) {
        let Some(stream) = anomaly.resource.as_ref().map(|key| key.kind.stream()) else { continue };
        let before = |of: &&(u64, Gap)| of.0 < anomaly.sequence && of.1.stream == stream;
        let gap = head.gaps.iter().chain(&write.gaps).rfind(before);
        let Some((gap, _)) = gap else { continue };
        match anomaly.kind {
            AnomalyKind::StartUnknown => told.entry(*gap).or_default().begun += 1,
            AnomalyKind::ToldByReseed => told.entry(*gap).or_default().changed += 1,
            _ => {}
        }
    }
    told.into_iter().collect()
}

pub(super) fn counts(write: &WriteSet, numbered: &[Numbered]) -> PageCounts {
    let events =
        || numbered.iter().filter_map(|input| if let Input::Event(event) = &input.input { Some(event) } else { None });
    let metered = |kind: Kind| {
        let closed = write.entries.iter().filter(|entry| entry.entry_type == EntryType::Usage);
        closed.filter(|entry| entry.interval.resource.kind == kind).fold([0_i64; 3], |sums, entry| {
            let Interval { footprint, .. } = &entry.interval;
            let seconds = entry.interval.seconds();
            let quantities = [
                instance_seconds(footprint.instances, seconds).map(|sum| sum.0),
                mib_seconds(footprint.instances, footprint.memory_mib, seconds).map(|sum| sum.0),
                mib_seconds(footprint.instances, footprint.disk_mib, seconds).map(|sum| sum.0),
            ];
            let mut added =
                quantities.into_iter().zip(sums).map(|(more, sum)| sum.saturating_add(more.unwrap_or(i64::MAX)));
            std::array::from_fn(|_| added.next().unwrap_or_default())
        })
    };
    PageCounts {
        archived: events().count() as u64,
        late: write.late_places.len() as u64,
        states: tally(events().map(|event| event.fact.state())),
        anomalies: tally(write.anomalies.iter().map(|anomaly| anomaly.kind)),
        entries: EntryType::ALL
            .map(|entry_type| {
                (entry_type, write.entries.iter().filter(|entry| entry.entry_type == entry_type).count() as u64)
            })
            .to_vec(),
        metered: Kind::ALL.map(|kind| (kind, metered(kind))).to_vec(),
    }
}

fn tally<T: Ord>(of: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts = BTreeMap::new();
    for one in of {
        *counts.entry(one).or_default() += 1;
    }
    counts.into_iter().collect()
}
