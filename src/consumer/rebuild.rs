//! The archive folded once more, into a fresh book: what is there must come out again, and as it was known at any time.
//! Owns the comparison; reads the one book, writes the other.

use super::page::commit_again;
use crate::domain::{FoundationHead, Timestamp};
use crate::store::{ArchivedInput, Names, PageOrigin, Seal, Store, StoreError, WriteSet};

/// Inputs read at a time.
const PAGE: usize = 5_000;
/// Ledger entries compared at a time.
const ENTRIES: usize = 1_000;

/// What rebuilding came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The foundation in the fresh book.
    pub head: FoundationHead,
    /// Inputs folded again.
    pub inputs: u64,
    /// Inputs before the seal that it began with: they are pruned.
    pub sealed: u64,
    /// What the archive tells of names and the book doesn't, and of how much of it the names differ. Names of lists are
    /// in no archive, and so are those of pruned events: they are taken over from the book.
    pub newer_names: Names,
    pub renamed: usize,
}

/// Why a ledger can't be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the usage events of `{foundation}` before {sealed_at} are pruned\nhint: ask for a later time")]
    Pruned { foundation: String, sealed_at: Timestamp },
}

/// Folds the archive of a foundation again into `fresh`, a book in which it isn't; only what had reached us by `until`.
///
/// # Errors
/// [`RebuildError`].
pub async fn rebuild(
    store: &Store,
    head: &FoundationHead,
    fresh: &Store,
    until: Option<Timestamp>,
    mut progress: impl FnMut(u64),
) -> Result<Rebuilt, RebuildError> {
    let mut rebuilt = fresh.foundation(&head.name).await?;
    let seal = store.seals(head).await?.into_iter().rfind(|seal| seal.pruned_at.is_some());
    let mut sealed = 0;
    if let Some(seal) = seal {
        if until.is_some_and(|until| until < seal.sealed_at) {
            return Err(RebuildError::Pruned { foundation: head.name.clone(), sealed_at: seal.sealed_at });
        }
        rebuilt = begin_at(store, head, fresh, rebuilt, &seal).await?;
        sealed = seal.sequence;
    }
    let mut next = sealed + 1;
    let mut inputs = 0;
    'pages: loop {
        let page = store.archived(head, next, PAGE).await?;
        let Some(last) = page.last() else { break };
        next = last.sequence + 1;
        for page in in_turn(page) {
            if until.is_some_and(|until| page[0].received_at > until) {
                break 'pages;
            }
            inputs += page.len() as u64;
            rebuilt = commit_again(fresh, &rebuilt, page).await?.head;
            progress(rebuilt.last_sequence);
        }
    }
    // Until when everything was known is no input: at that time it can't have been later.
    let known_until = until.map_or(head.known_until, |until| head.known_until.map(|known| known.min(until)));
    let mut write = WriteSet::new(if head.collected { PageOrigin::Collector } else { PageOrigin::Import }, &rebuilt);
    write.known_until = known_until;
    write.swept_until = head.swept_until;
    write.app.agreeing_at = head.app.agreeing_at;
    write.service.agreeing_at = head.service.agreeing_at;
    fresh.commit(&rebuilt, &write).await?;
    let (kept, told) = (store.names(head).await?, fresh.names(&rebuilt).await?);
    let (newer_names, renamed) = told.newer_than(&kept);
    // At an earlier time what was told by then is right.
    let kept = if until.is_some() { kept.lacking_in(&told) } else { kept };
    fresh.note_names(&rebuilt, &kept).await?;
    Ok(Rebuilt { head: write.applied_to(&rebuilt), inputs, sealed, newer_names, renamed })
}

/// Those that reached us at one time together.
fn in_turn(inputs: Vec<ArchivedInput>) -> Vec<Vec<ArchivedInput>> {
    let mut pages: Vec<Vec<ArchivedInput>> = Vec::new();
    for input in inputs {
        match pages.last_mut() {
            Some(page) if page[0].received_at == input.received_at => page.push(input),
            _ => pages.push(vec![input]),
        }
    }
    pages
}

/// Takes over the ledger as it was sealed: what led to it is pruned.
async fn begin_at(
    store: &Store,
    head: &FoundationHead,
    fresh: &Store,
    mut rebuilt: FoundationHead,
    seal: &Seal,
) -> Result<FoundationHead, StoreError> {
    let mut next = 1;
    while next <= seal.sequence {
        let mut page = store.archived(head, next, PAGE).await?;
        page.retain(|input| input.sequence <= seal.sequence);
        let Some(last) = page.last() else { break };
        next = last.sequence + 1;
        let mut write = WriteSet::new(PageOrigin::Import, &rebuilt);
        let within = |sequence: u64| page[0].sequence <= sequence && sequence < next;
        write.settings = head.settings.iter().filter(|(sequence, _)| within(*sequence)).cloned().collect();
        write.gaps = head.gaps.iter().filter(|(sequence, _)| within(*sequence)).cloned().collect();
        write.inputs = page;
        fresh.commit(&rebuilt, &write).await?;
        rebuilt = write.applied_to(&rebuilt);
    }
    for part in 0.. {
        let states = store.sealed(head, seal, part).await?;
        if states.is_empty() {
            break;
        }
        let mut write = WriteSet::new(PageOrigin::Import, &rebuilt);
        for (resource, entries) in states {
            write.last_entry = write.last_entry.max(entries.last().map_or(0, |entry| entry.number));
            write.entries.extend(entries);
            write.resources.push(resource);
        }
        fresh.commit(&rebuilt, &write).await?;
        rebuilt = write.applied_to(&rebuilt);
    }
    fresh.seal(&rebuilt, seal.sealed_at).await?;
    fresh.adopt_pruning(&rebuilt, seal.sequence, seal.pruned_at.unwrap_or(seal.sequence)).await?;
    Ok(rebuilt)
}

/// Where two books differ in what they hold of a foundation, entry by entry in canonical form and then in what is open;
/// `None` if they are the same.
///
/// # Errors
/// [`StoreError`].
pub async fn same_ledger(
    store: &Store,
    head: &FoundationHead,
    fresh: &Store,
    rebuilt: &FoundationHead,
) -> Result<Option<String>, StoreError> {
    let mut first = 1;
    loop {
        let kept = store.ledger_entries(head, first, ENTRIES).await?;
        let again = fresh.ledger_entries(rebuilt, first, ENTRIES).await?;
        for at in 0..kept.len().max(again.len()) {
            let (kept, again) = (kept.get(at), again.get(at));
            if kept != again {
                let told = |entry: Option<&crate::domain::LedgerEntry>| {
                    entry.map_or_else(|| "nothing".to_owned(), crate::domain::LedgerEntry::canonical)
                };
                let number = first + at as u64;
                return Ok(Some(format!("entry {number} is kept as {}\nand comes out as {}", told(kept), told(again))));
            }
        }
        if kept.is_empty() {
            break;
        }
        first += kept.len() as u64;
    }
    let kept = store.open_resources(head).await?;
    let again = fresh.open_resources(rebuilt).await?;
    for at in 0..kept.len().max(again.len()) {
        let (kept, again) = (kept.get(at).map(|of| &of.resource), again.get(at).map(|of| &of.resource));
        if kept != again {
            let told = |resource: Option<&crate::fold::Resource>| {
                let text = resource.map(|resource| serde_json::to_string(resource).unwrap_or_default());
                text.unwrap_or_else(|| "nothing".to_owned())
            };
            return Ok(Some(format!("what is open is kept as {}\nand comes out as {}", told(kept), told(again))));
        }
    }
    Ok(None)
}
