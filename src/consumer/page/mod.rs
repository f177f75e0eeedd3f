//! One page: its inputs are numbered, folded over what the store holds, and committed together.
//! Owns the transaction; what an input is, its number, its names and what is counted are beside it.

mod clocks;
mod counts;
mod input;
mod names;
mod number;
mod observe;

use std::ops::{Deref, DerefMut};

use crate::domain::{FoundationHead, LedgerEntry, Progress, ResourceKey, Stream, Timestamp};
use crate::fold::{Depth, Fold, Input, Known, Numbered, Resource};
use crate::store::{
    ArchivedInput, GapProgress, InputKind, LoadedResource, Names, PageOrigin, Store, StoreError, StoredBound, WriteSet,
};
use crate::telemetry::PageCounts;
use clocks::decide;
use counts::{counts, told_by_reseeds};
use number::number;
use observe::to_observe;

pub use input::{NewInput, recall};

/// What one transaction is to hold.
#[derive(Clone, Debug)]
pub struct Page {
    pub origin: PageOrigin,
    pub received_at: Timestamp,
    /// No event of it was created later, as far as the clock that says so is right.
    pub read_at: Timestamp,
    pub inputs: Vec<NewInput>,
    /// Processes and tasks whose disk can't be observed any more.
    pub unobservable: Vec<ResourceKey>,
    /// Beside those that the events carry.
    pub names: Names,
    /// How far the foundation is then collected, with the checkpoints it should then have; ordinals and times of streams are
    /// kept by [`commit`].
    pub progress: Progress,
    /// How it moves a gap on.
    pub gap_progress: Option<GapProgress>,
}

impl Page {
    /// An empty page on top of `head`.
    #[must_use]
    pub fn new(origin: PageOrigin, received_at: Timestamp, head: &FoundationHead) -> Self {
        Self {
            origin,
            received_at,
            read_at: received_at,
            inputs: Vec::new(),
            unobservable: Vec::new(),
            names: Names::default(),
            progress: head.progress.clone(),
            gap_progress: None,
        }
    }
}

impl Deref for Page {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}

impl DerefMut for Page {
    fn deref_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}

/// What a page led to.
#[derive(Clone, Debug)]
pub struct PageReport {
    /// The foundation after it.
    pub head: FoundationHead,
    pub inputs: usize,
    pub entries: usize,
    pub anomalies: usize,
    /// Events placed behind others.
    pub late: usize,
    /// For metrics.
    pub counts: PageCounts,
}

/// Folds a page over the store's state and commits it.
///
/// # Errors
/// [`StoreError`]; then nothing of the page is stored.
pub async fn commit(store: &Store, head: &FoundationHead, page: Page) -> Result<PageReport, StoreError> {
    let mut write = WriteSet::new(page.origin, head);
    write.gap_progress = page.gap_progress;
    write.progress = page.progress;
    write.names = page.names;
    write.unobservable = page.unobservable;

    let decided = decide(store, head, &page.inputs, page.read_at).await?;
    for (stream, agreeing) in decided.agreeing {
        write.stream_mut(stream).agreeing_at = agreeing;
        if write.origin == PageOrigin::Import {
            write.known_until = known_by_events(head, &write);
        }
    }
    let inputs = decided.bounds.into_iter().chain(page.inputs);
    let mut numbered = Vec::with_capacity(inputs.size_hint().0);
    for (sequence, input) in (head.last_sequence + 1..).zip(inputs) {
        numbered.push(number(sequence, page.received_at, input, &[], &mut write));
    }
    fold_and_commit(store, head, write, numbered, Vec::new()).await
}

/// An import knows as much as the last event of either stream tells, or as was said. A time that doesn't agree tells nothing.
fn known_by_events(head: &FoundationHead, write: &WriteSet) -> Option<Timestamp> {
    let told_before = head.app.agreeing_at.max(head.service.agreeing_at);
    let said = head.known_until.filter(|known| Some(*known) > told_before);
    said.max(write.app.agreeing_at).max(write.service.agreeing_at)
}

/// Commits archived inputs once more, in another book, as they were archived: the fold is the same whatever the pages.
///
/// # Errors
/// [`StoreError`]; then nothing of them is stored.
pub(super) async fn commit_again(
    store: &Store,
    head: &FoundationHead,
    archived: Vec<ArchivedInput>,
) -> Result<PageReport, StoreError> {
    let mut write = WriteSet::new(PageOrigin::Import, head);
    let mut numbered = Vec::with_capacity(archived.len());
    let mut bounds = Vec::new();
    for stream in Stream::ALL {
        // They were archived before their events, and may have come with an earlier page.
        let ordinals =
            || archived.iter().filter(|input| input.kind == InputKind::Event(stream)).map(|of| of.place.ordinal);
        if let (Some(first), Some(last)) = (ordinals().min(), ordinals().max()) {
            bounds.extend(store.bounds(head, stream, first, last).await?);
        }
    }
    for input in archived {
        let (sequence, received_at) = (input.sequence, input.received_at);
        numbered.push(number(sequence, received_at, NewInput::from_archive(input)?, &bounds, &mut write));
    }
    fold_and_commit(store, head, write, numbered, bounds).await
}

async fn fold_and_commit(
    store: &Store,
    head: &FoundationHead,
    mut write: WriteSet,
    numbered: Vec<Numbered>,
    bounds: Vec<StoredBound>,
) -> Result<PageReport, StoreError> {
    let mut fold = Fold::new(head.settings.clone(), head.last_entry).across(head.gaps.clone());
    fold.provide_bounds(
        bounds.into_iter().filter_map(|held| Some((held.bound.resource?, held.place, held.bound.counts_at?))),
    );
    provide(store, head, &mut fold, &numbered).await?;

    for (input, archived) in numbered.iter().zip(&mut write.inputs) {
        if let Some(resource) = input.input.resource().and_then(|key| fold.resource(&key)) {
            archived.previous = resource.last_sequence;
        }
        fold.apply(input);
    }
    let outputs = fold.take_outputs();
    write.last_entry = fold.last_entry();
    write.entries = outputs.entries;
    write.anomalies = outputs.anomalies;
    write.told_by_reseeds = told_by_reseeds(head, &write, &numbered);
    write.to_observe = to_observe(write.origin, &fold, &numbered, &write.entries);
    write.resources = fold.into_resources();
    // Written in an order of their own, so that the same page always gives the same file.
    write.resources.sort_by(|one, two| one.key.cmp(&two.key));

    let counts = counts(&write, &numbered);
    store.commit(head, &write).await?;
    Ok(PageReport {
        counts,
        head: write.applied_to(head),
        inputs: write.inputs.len(),
        entries: write.entries.len(),
        anomalies: write.anomalies.len(),
        late: write.late_places.len(),
    })
}

/// Loads what the fold needs for `numbered`: first the states, then what those show to be needed as well.
async fn provide(
    store: &Store,
    head: &FoundationHead,
    fold: &mut Fold,
    numbered: &[Numbered],
) -> Result<(), StoreError> {
    loop {
        let mut lacking = fold.lacking(numbered);
        if lacking.is_empty() {
            return Ok(());
        }
        for loaded in store.load(head, &lacking).await? {
            let depth = lacking.remove(&loaded.resource.key).unwrap_or(Depth::State);
            fold.provide(known(loaded, depth)?);
        }
        for key in lacking.into_keys() {
            fold.provide(Resource::new(key));
        }
    }
}

fn known(loaded: LoadedResource, depth: Depth) -> Result<Resource, StoreError> {
    let entries: Vec<LedgerEntry> = loaded.entries;
    let known = match depth {
        Depth::State => Known::State,
        Depth::Run => Known::Run(entries),
        Depth::Entries => Known::Entries(entries),
        Depth::History => {
            // What a seal holds stands for the inputs before it.
            let sealed = loaded.sealed.map(|(sequence, sealed)| {
                let (received_at, place) = (Timestamp::MIN, sealed.resource.last_place.clone());
                Ok(Numbered { sequence, received_at, place, input: Input::Sealed(Box::new(sealed)) })
            });
            let inputs: Result<Vec<_>, _> = sealed.into_iter().chain(loaded.history.into_iter().map(recall)).collect();
            Known::History(entries, inputs?)
        }
    };
    Ok(Resource { known, ..loaded.resource })
}
