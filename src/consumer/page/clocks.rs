//! Which events' times are trusted: decided before the fold, in stream order alone, and archived, so that no refold,
//! rebuild or pruning needs an event's neighbours. Owns how far back is looked; the rule itself is the domain's.

use std::collections::{BTreeMap, HashMap};

use super::input::NewInput;
use crate::cloud_controller::decode;
use crate::domain::{
    Bound, Fact, FoundationHead, Place, Stream, TOLERANCE_SECONDS, Timestamp, UsageEvent, Verdict, judge,
};
use crate::fold::Input;
use crate::store::{InputKind, Stated, Store, StoreError, StoredBound};

/// Events are judged in blocks of so many, each together with the block before it: what a block says of itself and of the
/// one before is final when it is full. So it doesn't depend on how the stream was cut into pages.
const BLOCK: u64 = 32_768;

/// What a page's events say of times.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// Bounds that are new, changed or lifted: to be folded before the events.
    pub bounds: Vec<NewInput>,
    /// The latest time that agrees, by stream; those without new events are left out.
    pub agreeing: Vec<(Stream, Option<Timestamp>)>,
}

/// Judges the times of new events and, where they contradict what is archived, of that once more.
pub(super) async fn decide(
    store: &Store,
    head: &FoundationHead,
    inputs: &[NewInput],
    read_at: Timestamp,
) -> Result<Decided, StoreError> {
    let mut decided = Decided::default();
    for stream in Stream::ALL {
        let mut new: Vec<New<'_>> = inputs.iter().filter_map(|input| New::of(stream, input)).collect();
        if new.is_empty() {
            continue;
        }
        new.sort_by(|one, two| one.place.cmp(two.place));
        let last = head.stream(stream).last_ordinal.max(new.last().map_or(0, |new| new.place.ordinal));
        let first = new.first().map_or(last, |new| new.place.ordinal);
        let held = store.bounds(head, stream, window(block_end(first).min(last)), last).await?;
        let agreeing = match goes_on(head.stream(stream).agreeing_at, &new, &held, read_at) {
            Some(agreeing) => Some(agreeing),
            None => judge_again(store, head, stream, &new, held, read_at, &mut decided.bounds).await?,
        };
        decided.agreeing.push((stream, agreeing));
    }
    Ok(decided)
}

/// A new event of the stream.
struct New<'a> {
    place: &'a Place,
    created_at: Timestamp,
    event: &'a UsageEvent,
}

impl<'a> New<'a> {
    fn of(wanted: Stream, input: &'a NewInput) -> Option<Self> {
        let Input::Event(event) = &input.input else { return None };
        let is_wanted = input.kind == InputKind::Event(wanted) && has_time(event.created_at);
        is_wanted.then_some(Self { place: &input.place, created_at: event.created_at, event })
    }
}

/// A record without a readable time is kept under the earliest.
fn has_time(created_at: Timestamp) -> bool {
    created_at > Timestamp::MIN
}

/// Where new events continue the stream and agree with all that agreed: the latest time that then agrees. Then nothing
/// that was decided changes: what agreed and what is new is the largest set again.
fn goes_on(
    agreeing: Option<Timestamp>,
    new: &[New<'_>],
    held: &[StoredBound],
    read_at: Timestamp,
) -> Option<Timestamp> {
    if held.iter().any(|held| held.bound.provisional) || new.iter().any(|new| !new.place.fraction().is_empty()) {
        return None;
    }
    let mut greatest = agreeing.unwrap_or(Timestamp::MIN);
    for new in new {
        if new.created_at < greatest.plus(-TOLERANCE_SECONDS) {
            return None;
        }
        greatest = greatest.max(new.created_at);
    }
    new.last().filter(|last| last.created_at <= read_at.plus(TOLERANCE_SECONDS)).map(|_| greatest)
}

/// The last ordinal of the block that `ordinal` is in.
const fn block_end(ordinal: u64) -> u64 {
    if ordinal == 0 { BLOCK } else { ordinal.div_ceil(BLOCK) * BLOCK }
}

/// The ordinal from which events are judged together with that of `last`.
const fn window(last: u64) -> u64 {
    (block_end(last) - BLOCK).saturating_sub(BLOCK)
}

async fn judge_again(
    store: &Store,
    head: &FoundationHead,
    stream: Stream,
    new: &[New<'_>],
    held: Vec<StoredBound>,
    read_at: Timestamp,
    bounds: &mut Vec<NewInput>,
) -> Result<Option<Timestamp>, StoreError> {
    let last = head.stream(stream).last_ordinal.max(new.last().map_or(0, |new| new.place.ordinal));
    let first = new.first().map_or(last, |new| new.place.ordinal);
    let mut stated: Vec<Stated> = store.stated_times(head, stream, window(block_end(first).min(last))).await?;
    stated.retain(|stated| has_time(stated.created_at));
    // Numbered in the same transaction: as yet they have no sequence number.
    stated.extend(new.iter().map(|new| Stated { place: new.place.clone(), created_at: new.created_at, sequence: 0 }));
    stated.sort_by(|one, two| one.place.cmp(&two.place));

    let mut verdicts: BTreeMap<&Place, Verdict> = BTreeMap::new();
    let mut until = block_end(first).min(last);
    loop {
        let from = stated.partition_point(|stated| stated.place.ordinal < window(until));
        let to = stated.partition_point(|stated| stated.place.ordinal <= until);
        let times: Vec<Timestamp> = stated[from..to].iter().map(|stated| stated.created_at).collect();
        let judged = judge(&times, TOLERANCE_SECONDS, (until == last).then_some(read_at));
        verdicts.extend(stated[from..to].iter().map(|stated| &stated.place).zip(judged));
        if until == last {
            break;
        }
        until = block_end(until + 1).min(last);
    }
    let held: HashMap<Place, Bound> = held.into_iter().map(|held| (held.place, held.bound)).collect();
    let changed: Vec<(&Stated, Verdict)> = (stated.iter())
        .filter_map(|stated| {
            let verdict = *verdicts.get(&stated.place)?;
            changes(held.get(&stated.place), verdict).then_some((stated, verdict))
        })
        .collect();
    let read: std::collections::BTreeSet<u64> = (changed.iter())
        .filter(|(stated, _)| !held.contains_key(&stated.place))
        .map(|(stated, _)| stated.sequence)
        .collect();
    let archived = store.inputs_at(head, &read).await?;
    let by_place: HashMap<&Place, &New<'_>> = new.iter().map(|new| (new.place, new)).collect();
    for (stated, verdict) in changed {
        let of_event = match (held.get(&stated.place), by_place.get(&stated.place)) {
            (Some(held), _) => Some((held.event.clone(), held.resource.clone())),
            (None, Some(New { event, .. })) => Some((event.guid.clone(), event.fact.resource())),
            (None, None) => archived.get(&stated.sequence).and_then(|input| {
                let event = decode(stream, &input.body).event;
                // What is pruned to its guid can't be folded again.
                (!matches!(event.fact, Fact::Undecodable(_))).then(|| (event.guid.clone(), event.fact.resource()))
            }),
        };
        let Some((event, resource)) = of_event else { continue };
        let (counts_at, provisional) = match verdict {
            Verdict::Agrees => (None, false),
            Verdict::Bounded(at) => (Some(at), false),
            Verdict::Provisional(at) => (Some(at), true),
        };
        let bound = Bound { stream, event, created_at: stated.created_at, resource, counts_at, provisional };
        bounds.push(NewInput::own(stated.place.clone(), Input::Bound(bound)));
    }
    let agrees = |stated: &&Stated| verdicts.get(&stated.place) == Some(&Verdict::Agrees);
    Ok(stated.iter().filter(agrees).map(|stated| stated.created_at).max())
}

/// Whether a verdict says something else than is held. An event is bounded by the first time at which it was read.
fn changes(held: Option<&Bound>, verdict: Verdict) -> bool {
    let held = held.and_then(|held| held.counts_at.map(|at| (at, held.provisional)));
    match (held, verdict) {
        (None, Verdict::Agrees) => false,
        (Some((at, provisional)), Verdict::Bounded(to)) => provisional || at != to,
        (Some((at, provisional)), Verdict::Provisional(to)) => !provisional || at > to,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, block_end, window};

    #[test]
    fn a_block_is_judged_with_the_one_before_it() {
        assert_eq!([0, 1, BLOCK].map(block_end), [BLOCK; 3]);
        assert_eq!(block_end(BLOCK + 1), 2 * BLOCK);
        assert_eq!([0, 1, BLOCK, BLOCK + 1, 2 * BLOCK].map(window), [0; 5]);
        assert_eq!(window(2 * BLOCK + 1), BLOCK);
    }
}
