//! Of what a page began no event tells the disk: it is to be looked at.

use std::collections::HashSet;

use crate::domain::usage_event::ServiceChange;
use crate::domain::{DiskSource, Fact, Footprint, Kind, LedgerEntry, MemorySource, ResourceKey};
use crate::fold::{Fold, Input, Numbered, Resource};
use crate::store::PageOrigin;

/// Processes and tasks that the page began or changed and whose disk nothing vouches for, and stagings whose build wasn't
/// read: no event tells their sizes. And service instances that were created: no event tells whether that failed.
pub(super) fn to_observe(
    origin: PageOrigin,
    fold: &Fold,
    numbered: &[Numbered],
    entries: &[LedgerEntry],
) -> HashSet<ResourceKey> {
    if origin == PageOrigin::Import {
        return HashSet::new();
    }
    let begins = |input: &&Numbered| match &input.input {
        Input::Baseline(_) | Input::Settlement(_) => true,
        Input::Event(event) => matches!(&event.fact, Fact::Service(fact) if fact.change == ServiceChange::Created),
        _ => false,
    };
    let begun: HashSet<ResourceKey> =
        numbered.iter().filter(begins).filter_map(|input| input.input.resource()).collect();
    let unread = |footprint: &Footprint| footprint.memory_source == MemorySource::Event;
    let staged = |key: &ResourceKey| {
        let open = fold.resource(key).and_then(|resource| resource.run.as_ref()).filter(|run| run.billed);
        let ended = entries.iter().filter(|entry| entry.interval.resource == *key);
        open.is_some_and(|run| unread(&run.piece.footprint))
            || ended.into_iter().any(|entry| unread(&entry.interval.footprint))
    };
    let made = |resource: &Resource| resource.run.is_some() && !resource.user_provided;
    let observable = |key: &ResourceKey| match (key.kind, fold.resource(key)) {
        (_, None) => false,
        // Only what has just begun may not have come about.
        (Kind::Service, Some(resource)) => begun.contains(key) && made(resource),
        (Kind::Staging, _) => staged(key),
        (_, Some(Resource { run: Some(run), .. })) => run.piece.footprint.disk_source != DiskSource::Observed,
        (_, Some(resource)) => resource.ended && resource.disk_mib.is_none(),
    };
    let read_beside =
        |input: &&Numbered| matches!(input.input, Input::Disk(_) | Input::Build(_) | Input::CreateFailed(_));
    let touched = numbered.iter().filter(|input| !read_beside(input));
    touched.filter_map(|input| input.input.resource()).filter(observable).collect()
}
