//! Archive chunks in their table: appended to, searched by identity, read back.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use lru::LruCache;

use super::pack::{self, CHUNK_INPUTS, DirectoryEntry, Packed, unpack};
use super::tables::ChunkRow;
use crate::domain::{EventId, FoundationHead, Place, Stream, Timestamp};
use crate::store::database::{Record, Row, Session, Sql, record, text, unexpected, values};
use crate::store::{ArchivedInput, InputKind, Store, StoreError, identity};

/// Chunks whose identities stay in memory: some 128,000 inputs, 4 MB.
const CACHED_CHUNKS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

/// Places by number of their kind, `created_at` and identity.
type Identities = HashMap<(usize, i64, u64), Place>;

/// Which chunk: its foundation, first and last sequence number; and the generation of the database that has it.
type WhichChunk = (i64, u64, u64, u64);

/// Identities of archived inputs, by chunk.
#[derive(Debug)]
pub(in crate::store) struct IdentityCache(Mutex<LruCache<WhichChunk, Arc<Identities>>>);

impl Default for IdentityCache {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_CHUNKS)))
    }
}

impl IdentityCache {
    fn get(&self, key: &WhichChunk) -> Option<Arc<Identities>> {
        self.0.lock().expect("never poisoned").get(key).cloned()
    }

    fn put(&self, key: WhichChunk, identities: Arc<Identities>) {
        self.0.lock().expect("never poisoned").put(key, identities);
    }
}

impl Store {
    /// For each event, its place if it is archived already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_archived(
        &self,
        foundation: &FoundationHead,
        kind: InputKind,
        events: &[EventId],
    ) -> Result<Vec<Option<Place>>, StoreError> {
        const CHUNKS: Sql = Sql::new(
            "SELECT first_sequence, last_sequence
             FROM archive_chunk
             WHERE foundation_id = $1 AND max_created_at >= $2 AND min_created_at <= $3
             ORDER BY first_sequence",
        );
        let earliest = events.iter().map(|event| event.created_at).min();
        let latest = events.iter().map(|event| event.created_at).max();
        let mut found = vec![None; events.len()];
        let (Some(earliest), Some(latest)) = (earliest, latest) else { return Ok(found) };
        let wanted: Vec<(usize, i64, u64)> = (events.iter())
            .map(|event| (kind.number(), event.created_at.unix(), identity(&event.guid.to_string())))
            .collect();
        let mut session = self.database.read().await?;
        for row in session.all(CHUNKS, values![foundation.id, earliest, latest]).await? {
            let identities = {
                let (first, last) =
                    (row.number("archive_chunk.first_sequence")?, row.number("archive_chunk.last_sequence")?);
                self.identities_of(&mut session, (foundation.id, first, last)).await?
            };
            for (wanted, found) in wanted.iter().zip(&mut found) {
                if found.is_none() {
                    *found = identities.get(wanted).cloned();
                }
            }
        }
        Ok(found)
    }

    async fn identities_of(&self, session: &mut Session, key: (i64, u64, u64)) -> Result<Arc<Identities>, StoreError> {
        const DIRECTORY: Sql = Sql::new(text![
            "SELECT ",
            Directory::LIST,
            " FROM archive_chunk WHERE foundation_id = $1 AND first_sequence = $2 AND last_sequence = $3"
        ]);
        let (foundation_id, first, last) = key;
        let key = (foundation_id, first, last, session.generation());
        if let Some(identities) = self.identities.get(&key) {
            return Ok(identities);
        }
        let row = session.one(DIRECTORY, values![foundation_id, first, last]).await?;
        let (_, entries) = unpack_directory(&row)?;
        let identities: Identities = (entries.into_iter())
            .map(|entry| ((entry.kind.number(), entry.created_at.unix(), entry.identity), entry.place))
            .collect();
        let identities = Arc::new(identities);
        self.identities.put(key, identities.clone());
        Ok(identities)
    }

    /// The place of the archived event that follows `place` in its stream.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_place(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        place: &Place,
    ) -> Result<Option<Place>, StoreError> {
        const LATE: Sql = Sql::new(
            "SELECT fraction FROM late_place
             WHERE foundation_id = $1 AND stream = $2 AND ordinal = $3 AND fraction > $4
             ORDER BY fraction
             LIMIT 1",
        );
        let values = values![foundation.id, stream.name(), place.ordinal, place.fraction()];
        if let Some(row) = self.database.read().await?.maybe(LATE, values).await? {
            return Ok(Some(Place::from_parts(place.ordinal, row.bytes("late_place.fraction")?)));
        }
        let next = place.ordinal + 1;
        Ok((next <= foundation.stream(stream).last_ordinal).then(|| Place::at(next)))
    }

    /// The place of the archived event before `place` in its stream; the stream's beginning if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn previous_place(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        place: &Place,
    ) -> Result<Place, StoreError> {
        const LATE: Sql = Sql::new(
            "SELECT fraction FROM late_place
             WHERE foundation_id = $1 AND stream = $2 AND ordinal = $3 AND ($4 IS NULL OR fraction < $4)
             ORDER BY fraction DESC
             LIMIT 1",
        );
        // Those of the ordinal itself come after it, those of the one before lie between the two.
        let (ordinal, below) = match place.fraction() {
            [] => (place.ordinal.saturating_sub(1), None),
            fraction => (place.ordinal, Some(fraction.to_vec())),
        };
        let values = values![foundation.id, stream.name(), ordinal, below];
        let late = self.database.read().await?.maybe(LATE, values).await?;
        Ok(match late {
            Some(row) => Place::from_parts(ordinal, row.bytes("late_place.fraction")?),
            None => Place::at(ordinal),
        })
    }

    /// When the event was created that was the first to be archived of its stream in order; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_created_at(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
    ) -> Result<Option<Timestamp>, StoreError> {
        if foundation.stream(stream).last_ordinal == 0 {
            return Ok(None);
        }
        let mut session = self.database.read().await?;
        let mut next = 1;
        // Only what the baseline is made of comes before it.
        while let Some(chunk) = read_chunk(&mut session, foundation.id, next).await? {
            let is_first =
                |input: &&ArchivedInput| input.kind == InputKind::Event(stream) && input.place == Place::at(1);
            if let Some(first) = chunk.iter().find(is_first) {
                return Ok(Some(first.created_at));
            }
            let Some(last) = chunk.last() else { break };
            next = last.sequence + 1;
        }
        Ok(None)
    }

    /// Archived inputs from `first` on, at most `limit`, in sequence.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn archived(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<ArchivedInput>, StoreError> {
        let mut session = self.database.read().await?;
        let mut inputs = Vec::new();
        let mut next = first.max(1);
        while inputs.len() < limit {
            let Some(chunk) = read_chunk(&mut session, foundation.id, next).await? else { break };
            inputs.extend(chunk.into_iter().filter(|input| input.sequence >= next));
            next = inputs.last().map_or(next, |input| input.sequence) + 1;
        }
        inputs.truncate(limit);
        Ok(inputs)
    }
}

impl Store {
    /// The archived inputs of those sequence numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn inputs_at(
        &self,
        foundation: &FoundationHead,
        sequences: &BTreeSet<u64>,
    ) -> Result<HashMap<u64, ArchivedInput>, StoreError> {
        let mut session = self.database.read().await?;
        let mut found = HashMap::with_capacity(sequences.len());
        for sequence in sequences.iter().filter(|sequence| **sequence > 0) {
            if !found.contains_key(sequence) {
                // Its neighbours are wanted, too, as often as not.
                let chunk = read_chunk(&mut session, foundation.id, *sequence).await?.unwrap_or_default();
                let wanted = chunk.into_iter().filter(|input| sequences.contains(&input.sequence));
                found.extend(wanted.map(|input| (input.sequence, input)));
            }
        }
        Ok(found)
    }
}

record! {
    /// A chunk as it is read back.
    pub(in crate::store) struct Chunk {
        first_sequence: u64 = "archive_chunk.first_sequence",
        last_sequence: u64 = "archive_chunk.last_sequence",
        directory: Vec<u8> = "archive_chunk.directory",
        bodies: Vec<u8> = "archive_chunk.bodies",
    }
}

record! {
    /// A chunk's directory alone.
    pub(in crate::store) struct Directory {
        first_sequence: u64 = "archive_chunk.first_sequence",
        last_sequence: u64 = "archive_chunk.last_sequence",
        directory: Vec<u8> = "archive_chunk.directory",
    }
}

/// How many inputs a chunk from `first` to `last` has.
fn count(first: u64, last: u64) -> Result<usize, StoreError> {
    let inputs = last.checked_sub(first).and_then(|more| usize::try_from(more).ok()?.checked_add(1));
    inputs.ok_or_else(|| unexpected("archive_chunk.last_sequence", &format!("{last} in the chunk from {first}")))
}

/// The number of a chunk's first input and its directory, from its row.
fn unpack_directory(row: &Row) -> Result<(u64, Vec<DirectoryEntry>), StoreError> {
    let Directory { first_sequence, last_sequence, directory } = Directory::read(row)?;
    Ok((first_sequence, pack::directory(first_sequence, count(first_sequence, last_sequence)?, &directory)?))
}

/// The number of the first input of the last chunk that begins at `sequence` or before, and its directory.
pub(in crate::store) async fn read_directory(
    session: &mut Session,
    foundation_id: i64,
    sequence: u64,
) -> Result<Option<(u64, Vec<DirectoryEntry>)>, StoreError> {
    const DIRECTORY: Sql = Sql::new(text![
        "SELECT ",
        Directory::LIST,
        " FROM archive_chunk
         WHERE foundation_id = $1 AND first_sequence <= $2
         ORDER BY first_sequence DESC
         LIMIT 1"
    ]);
    let row = session.maybe(DIRECTORY, values![foundation_id, sequence]).await?;
    row.map(|row| unpack_directory(&row)).transpose()
}

/// The chunk that holds the input numbered `sequence`.
pub(in crate::store) async fn read_chunk(
    session: &mut Session,
    foundation_id: i64,
    sequence: u64,
) -> Result<Option<Vec<ArchivedInput>>, StoreError> {
    const CHUNK: Sql = Sql::new(text![
        "SELECT ",
        Chunk::LIST,
        " FROM archive_chunk
         WHERE foundation_id = $1 AND first_sequence <= $2
         ORDER BY first_sequence DESC
         LIMIT 1"
    ]);
    let Some(row) = session.maybe(CHUNK, values![foundation_id, sequence]).await? else { return Ok(None) };
    if row.number("archive_chunk.last_sequence")? < sequence {
        return Ok(None);
    }
    Ok(Some(unpack_row(&row)?))
}

/// The inputs of a chunk from its row, which has the columns of [`Chunk`].
pub(in crate::store) fn unpack_row(row: &Row) -> Result<Vec<ArchivedInput>, StoreError> {
    let Chunk { first_sequence, last_sequence, directory, bodies } = Chunk::read(row)?;
    Ok(unpack(first_sequence, count(first_sequence, last_sequence)?, &Packed { directory, bodies })?)
}

/// All inputs of one resource after `sealed`, in sequence, found by the chain that ends at `last`; and the number of the
/// one before them, 0 for none.
pub(in crate::store) async fn history(
    session: &mut Session,
    foundation_id: i64,
    last: u64,
    sealed: u64,
    chunks: &mut HashMap<u64, Arc<Vec<ArchivedInput>>>,
) -> Result<(Vec<ArchivedInput>, u64), StoreError> {
    let mut inputs = Vec::new();
    let mut next = last;
    while next > sealed {
        let held = chunks.values().find(|chunk| {
            chunk.first().is_some_and(|input| input.sequence <= next)
                && chunk.last().is_some_and(|input| input.sequence >= next)
        });
        let chunk = if let Some(chunk) = held {
            chunk.clone()
        } else {
            let chunk = read_chunk(session, foundation_id, next).await?;
            let chunk = Arc::new(chunk.ok_or_else(|| missing(next))?);
            chunks.insert(chunk.first().map_or(next, |input| input.sequence), chunk.clone());
            chunk
        };
        let first = chunk.first().map_or(next, |input| input.sequence);
        let at = usize::try_from(next - first).ok();
        let input = at.and_then(|at| chunk.get(at)).ok_or_else(|| missing(next))?;
        inputs.push(input.clone());
        next = input.previous;
    }
    inputs.reverse();
    Ok((inputs, next))
}

pub(in crate::store) fn missing(sequence: u64) -> StoreError {
    StoreError::Unexpected { place: "archive_chunk", value: format!("no input {sequence}") }
}

/// Adds inputs at the end of the archive: the last chunk is filled up first, so that many
/// small pages don't make many small chunks.
pub(in crate::store) async fn append(
    session: &mut Session,
    foundation: &FoundationHead,
    inputs: &[ArchivedInput],
) -> Result<(), StoreError> {
    const REMOVE: Sql = Sql::new("DELETE FROM archive_chunk WHERE foundation_id = $1 AND first_sequence = $2");
    if inputs.is_empty() {
        return Ok(());
    }
    let mut last_chunk = Vec::new();
    if !foundation.last_sequence.is_multiple_of(CHUNK_INPUTS as u64) {
        let chunk = read_chunk(session, foundation.id, foundation.last_sequence).await?;
        last_chunk = chunk.ok_or_else(|| missing(foundation.last_sequence))?;
        let first = last_chunk.first().map_or(0, |input| input.sequence);
        session.run(REMOVE, values![foundation.id, first]).await?;
    }
    let room = CHUNK_INPUTS - last_chunk.len();
    let (filling, rest) = inputs.split_at(room.min(inputs.len()));
    last_chunk.extend_from_slice(filling);
    for chunk in std::iter::once(&last_chunk[..]).chain(rest.chunks(CHUNK_INPUTS)) {
        add(session, foundation.id, chunk).await?;
    }
    Ok(())
}

async fn add(session: &mut Session, foundation_id: i64, chunk: &[ArchivedInput]) -> Result<(), StoreError> {
    const ADD: Sql = Sql::new(ChunkRow::ADD_ONE);
    let Packed { directory, bodies } = pack::pack(chunk);
    let is_searched = |input: &&ArchivedInput| matches!(input.kind, InputKind::Event(_) | InputKind::Baseline(_));
    let searched = || chunk.iter().filter(is_searched).map(|input| input.created_at);
    let row = ChunkRow {
        foundation_id,
        first_sequence: chunk.first().map_or(0, |input| input.sequence),
        last_sequence: chunk.last().map_or(0, |input| input.sequence),
        min_created_at: searched().min(),
        max_created_at: searched().max(),
        directory,
        bodies,
        pruned: false,
    };
    session.add(ADD, &row).await?;
    Ok(())
}
