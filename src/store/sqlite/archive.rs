//! Archive chunks in their table: appended to, searched by identity, read back.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{Row, SqliteConnection};

use super::{Identities, SqliteStore};
use crate::domain::{EventId, Place, Stream};
use crate::store::archive::{ArchivedInput, CHUNK_INPUTS, Packed, directory, pack, unpack};
use crate::store::{FoundationHead, InputKind, StoreError, identity};

/// A number for each kind, to search by.
const fn kind_number(kind: InputKind) -> u8 {
    match kind {
        InputKind::Event(Stream::App) => 0,
        InputKind::Event(Stream::Service) => 1,
        InputKind::Settings => 2,
        InputKind::Baseline(Stream::App) => 3,
        InputKind::Baseline(Stream::Service) => 4,
        InputKind::DiskObservation => 5,
        InputKind::BuildObservation => 6,
        InputKind::FailedCreate => 7,
    }
}

impl SqliteStore {
    pub async fn find_archived(
        &self,
        foundation: &FoundationHead,
        kind: InputKind,
        events: &[EventId],
    ) -> Result<Vec<Option<Place>>, StoreError> {
        const CHUNKS: &str = "
            SELECT first_sequence, last_sequence
            FROM archive_chunk
            WHERE foundation_id = ?1 AND max_created_at >= ?2 AND min_created_at <= ?3
            ORDER BY first_sequence";
        let earliest = events.iter().map(|event| event.created_at.unix()).min();
        let latest = events.iter().map(|event| event.created_at.unix()).max();
        let mut found = vec![None; events.len()];
        let (Some(earliest), Some(latest)) = (earliest, latest) else { return Ok(found) };
        let wanted: Vec<(u8, i64, u64)> = (events.iter())
            .map(|event| (kind_number(kind), event.created_at.unix(), identity(&event.guid.to_string())))
            .collect();
        let mut connection = self.readers.acquire().await?;
        let chunks = sqlx::query(CHUNKS).bind(foundation.id).bind(earliest).bind(latest);
        for row in chunks.fetch_all(&mut *connection).await? {
            let first = row.try_get::<i64, _>(0)?.cast_unsigned();
            let last = row.try_get::<i64, _>(1)?.cast_unsigned();
            let identities = self.identities(&mut connection, foundation.id, first, last).await?;
            for (wanted, found) in wanted.iter().zip(&mut found) {
                if found.is_none() {
                    *found = identities.get(wanted).cloned();
                }
            }
        }
        Ok(found)
    }

    async fn identities(
        &self,
        connection: &mut SqliteConnection,
        foundation_id: i64,
        first: u64,
        last: u64,
    ) -> Result<Arc<Identities>, StoreError> {
        const DIRECTORY: &str = "
            SELECT directory FROM archive_chunk WHERE foundation_id = ?1 AND first_sequence = ?2 AND last_sequence = ?3";
        let key = (foundation_id, first, last);
        if let Some(identities) = self.identities.lock().expect("never poisoned").get(&key) {
            return Ok(identities.clone());
        }
        let bind = sqlx::query(DIRECTORY).bind(foundation_id).bind(first.cast_signed()).bind(last.cast_signed());
        let packed: Vec<u8> = bind.fetch_one(connection).await?.try_get(0)?;
        let entries = directory(first, count(first, last), &packed)?;
        let identities: Identities = (entries.into_iter())
            .map(|entry| ((kind_number(entry.kind), entry.created_at.unix(), entry.identity), entry.place))
            .collect();
        let identities = Arc::new(identities);
        self.identities.lock().expect("never poisoned").put(key, identities.clone());
        Ok(identities)
    }

    pub async fn next_place(
        &self,
        foundation: &FoundationHead,
        stream: Stream,
        place: &Place,
    ) -> Result<Option<Place>, StoreError> {
        const LATE: &str = "
            SELECT fraction FROM late_place
            WHERE foundation_id = ?1 AND stream = ?2 AND ordinal = ?3 AND fraction > ?4
            ORDER BY fraction
            LIMIT 1";
        let late = sqlx::query(LATE)
            .bind(foundation.id)
            .bind(stream.name())
            .bind(place.ordinal.cast_signed())
            .bind(place.fraction())
            .fetch_optional(&self.readers)
            .await?;
        if let Some(row) = late {
            return Ok(Some(Place::from_parts(place.ordinal, row.try_get(0)?)));
        }
        let next = place.ordinal + 1;
        Ok((next <= foundation.stream(stream).last_ordinal).then(|| Place::at(next)))
    }

    pub async fn archived(
        &self,
        foundation: &FoundationHead,
        first: u64,
        limit: usize,
    ) -> Result<Vec<ArchivedInput>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut inputs = Vec::new();
        let mut next = first.max(1);
        while inputs.len() < limit {
            let Some(chunk) = read_chunk(&mut connection, foundation.id, next).await? else { break };
            inputs.extend(chunk.into_iter().filter(|input| input.sequence >= next));
            next = inputs.last().map_or(next, |input| input.sequence) + 1;
        }
        inputs.truncate(limit);
        Ok(inputs)
    }
}

fn count(first: u64, last: u64) -> usize {
    usize::try_from(last - first + 1).unwrap_or_default()
}

/// The chunk that holds the input numbered `sequence`.
async fn read_chunk(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    sequence: u64,
) -> Result<Option<Vec<ArchivedInput>>, StoreError> {
    const CHUNK: &str = "
        SELECT first_sequence, last_sequence, directory, bodies
        FROM archive_chunk
        WHERE foundation_id = ?1 AND first_sequence <= ?2
        ORDER BY first_sequence DESC
        LIMIT 1";
    let chunk = sqlx::query(CHUNK).bind(foundation_id).bind(sequence.cast_signed());
    let Some(row) = chunk.fetch_optional(connection).await? else { return Ok(None) };
    let first = row.try_get::<i64, _>(0)?.cast_unsigned();
    let last = row.try_get::<i64, _>(1)?.cast_unsigned();
    if last < sequence {
        return Ok(None);
    }
    let packed = Packed { directory: row.try_get(2)?, bodies: row.try_get(3)? };
    Ok(Some(unpack(first, count(first, last), &packed)?))
}

/// All inputs of one resource, in sequence, found by the chain that ends at `last`.
pub async fn history(
    connection: &mut SqliteConnection,
    foundation_id: i64,
    last: u64,
    chunks: &mut HashMap<u64, Arc<Vec<ArchivedInput>>>,
) -> Result<Vec<ArchivedInput>, StoreError> {
    let mut inputs = Vec::new();
    let mut next = last;
    while next != 0 {
        let held = chunks.values().find(|chunk| {
            chunk.first().is_some_and(|input| input.sequence <= next)
                && chunk.last().is_some_and(|input| input.sequence >= next)
        });
        let chunk = if let Some(chunk) = held {
            chunk.clone()
        } else {
            let chunk = read_chunk(connection, foundation_id, next).await?;
            let chunk = Arc::new(chunk.ok_or_else(|| missing(next))?);
            chunks.insert(chunk.first().map_or(next, |input| input.sequence), chunk.clone());
            chunk
        };
        let first = chunk.first().map_or(next, |input| input.sequence);
        let at = usize::try_from(next - first).unwrap_or_default();
        let input = chunk.get(at).ok_or_else(|| missing(next))?;
        inputs.push(input.clone());
        next = input.previous;
    }
    inputs.reverse();
    Ok(inputs)
}

fn missing(sequence: u64) -> StoreError {
    StoreError::Unexpected { place: "archive_chunk", value: format!("no input {sequence}") }
}

/// Adds inputs at the end of the archive: the last chunk is filled up first, so that many
/// small pages don't make many small chunks.
pub async fn append(
    connection: &mut SqliteConnection,
    foundation: &FoundationHead,
    inputs: &[ArchivedInput],
) -> Result<(), StoreError> {
    const REMOVE: &str = "DELETE FROM archive_chunk WHERE foundation_id = ?1 AND first_sequence = ?2";
    const ADD: &str = "
        INSERT INTO archive_chunk
            (foundation_id, first_sequence, last_sequence, min_created_at, max_created_at, directory, bodies)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    if inputs.is_empty() {
        return Ok(());
    }
    let mut last_chunk = Vec::new();
    if !foundation.last_sequence.is_multiple_of(CHUNK_INPUTS as u64) {
        let chunk = read_chunk(connection, foundation.id, foundation.last_sequence).await?;
        last_chunk = chunk.ok_or_else(|| missing(foundation.last_sequence))?;
        let first = last_chunk.first().map_or(0, |input| input.sequence);
        sqlx::query(REMOVE).bind(foundation.id).bind(first.cast_signed()).execute(&mut *connection).await?;
    }
    let room = CHUNK_INPUTS - last_chunk.len();
    let (filling, rest) = inputs.split_at(room.min(inputs.len()));
    last_chunk.extend_from_slice(filling);
    for chunk in std::iter::once(&last_chunk[..]).chain(rest.chunks(CHUNK_INPUTS)) {
        let packed = pack(chunk);
        let searched = || {
            let is_searched =
                |input: &&ArchivedInput| matches!(input.kind, InputKind::Event(_) | InputKind::Baseline(_));
            let searched = chunk.iter().filter(is_searched);
            searched.map(|input| input.created_at.unix())
        };
        sqlx::query(ADD)
            .bind(foundation.id)
            .bind(chunk.first().map(|input| input.sequence.cast_signed()))
            .bind(chunk.last().map(|input| input.sequence.cast_signed()))
            .bind(searched().min())
            .bind(searched().max())
            .bind(packed.directory)
            .bind(packed.bodies)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
