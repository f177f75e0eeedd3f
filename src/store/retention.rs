//! What is kept of the archive: a foundation's ledger is sealed now and then, and what entered the fold before a seal that
//! is old enough is pruned to guids. The ledger itself, and which events led to what, stay for ever.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::archive::{ArchivedInput, DirectoryEntry, InputKind, directory, pack};
use super::chunks::{count, missing, unpack_row};
use super::database::{Session, Sql, values};
use super::load::{all_entries_of, entries_of, read_resource, select_resource};
use super::{FoundationHead, Store, StoreError};
use crate::domain::text::hexadecimal;
use crate::domain::{LedgerEntry, Timestamp};
use crate::fold::{Resource, Sealed};

/// A foundation's ledger as it was after an input: all its resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The last input before it.
    pub sequence: u64,
    pub sealed_at: Timestamp,
    pub resources: u64,
    /// SHA-256 of the states, in the order of their ids, hexadecimal.
    pub digest: String,
    /// What entered the fold before it was pruned when that was the number of the last input; `None`: it wasn't.
    pub pruned_at: Option<u64>,
}

/// A resource's state in a seal.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    id: i64,
    resource: Resource,
}

/// Resources a chunk of a seal holds at most.
const STATES: i64 = 1_000;
const LEVEL: i32 = 3;

impl Store {
    /// The seals of a foundation, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seals(&self, foundation: &FoundationHead) -> Result<Vec<Seal>, StoreError> {
        const SEALS: Sql = Sql::new(
            "SELECT sequence, sealed_at, resources, digest, pruned_at FROM seal WHERE foundation_id = $1 ORDER BY sequence",
        );
        let rows = self.database.read().await?.all(SEALS, values![foundation.id]).await?;
        let mut seals = Vec::with_capacity(rows.len());
        for row in rows {
            seals.push(Seal {
                sequence: row.number(0)?,
                sealed_at: row.time(1)?,
                resources: row.number(2)?,
                digest: row.text(3)?.to_owned(),
                pruned_at: row.maybe_integer(4)?.map(i64::cast_unsigned),
            });
        }
        Ok(seals)
    }

    /// Seals a foundation as it is: the state of every resource, with its hash.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn seal(&self, foundation: &FoundationHead, at: Timestamp) -> Result<(), StoreError> {
        again!(self.try_seal(foundation, at))
    }

    async fn try_seal(&self, foundation: &FoundationHead, at: Timestamp) -> Result<(), StoreError> {
        const SEAL: Sql = Sql::new(
            "INSERT INTO seal (foundation_id, sequence, sealed_at, resources, digest)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
        );
        const PAGE: Sql = select_resource!(
            "FROM resource LEFT JOIN open_interval AS run ON run.resource_id = resource.id",
            "WHERE resource.foundation_id = $1 AND resource.id > $2 ORDER BY resource.id LIMIT $3"
        );
        const CHUNK: Sql = Sql::new(
            "INSERT INTO seal_chunk (foundation_id, sequence, first_id, states) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING",
        );
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        let mut digest = Sha256::new();
        let (mut resources, mut last) = (0_u64, 0_i64);
        loop {
            let rows = session.all(PAGE, values![foundation.id, last, STATES]).await?;
            let (Some(first), Some(end)) = (rows.first(), rows.last()) else { break };
            let first = first.integer(0)?;
            last = end.integer(0)?;
            let mut text = String::new();
            for row in &rows {
                let state = State { id: row.integer(0)?, resource: read_resource(row)? };
                text.push_str(&serde_json::to_string(&state).expect("states are plain values"));
                text.push('\n');
                resources += 1;
            }
            digest.update(&text);
            let packed = zstd::encode_all(text.as_bytes(), LEVEL).expect("compressing memory to memory never fails");
            session.run(CHUNK, values![foundation.id, foundation.last_sequence, first, packed]).await?;
        }
        let digest = hexadecimal(&digest.finalize());
        session.run(SEAL, values![foundation.id, foundation.last_sequence, at, resources, digest]).await?;
        session.commit().await
    }

    /// Prunes what entered the fold before the newest seal made by `until` to guids; earlier seals that nothing rests on
    /// go. Gives how many inputs were pruned. What a draft's period needs is kept, however old; and so is the history of a
    /// resource of which something was found behind the seal before it was pruned: its state in the seal lacks that.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn prune(&self, foundation: &FoundationHead, until: Timestamp) -> Result<u64, StoreError> {
        const OPEN: Sql = Sql::new("SELECT min(period_start) FROM invoice WHERE status = 'draft'");
        const WHOLE: Sql = Sql::each(
            "SELECT first_sequence, last_sequence, directory, bodies FROM archive_chunk
             WHERE foundation_id = $1 AND first_sequence BETWEEN $2 AND $3 AND pruned = 0
             ORDER BY first_sequence LIMIT 1",
            "SELECT first_sequence, last_sequence, directory, bodies FROM archive_chunk
             WHERE foundation_id = $1 AND first_sequence BETWEEN $2 AND $3 AND NOT pruned
             ORDER BY first_sequence LIMIT 1",
        );
        const PRUNE: Sql = Sql::new(
            "UPDATE archive_chunk SET directory = $3, bodies = $4, pruned = $5
             WHERE foundation_id = $1 AND first_sequence = $2",
        );
        const PRUNED: Sql = Sql::new("UPDATE seal SET pruned_at = $3 WHERE foundation_id = $1 AND sequence = $2");
        const CHUNKS: Sql = Sql::new(
            "DELETE FROM seal_chunk WHERE foundation_id = $1 AND sequence IN (
                 SELECT sequence FROM seal WHERE foundation_id = $1 AND sequence < $2 AND pruned_at IS NULL)",
        );
        const SEALS: Sql =
            Sql::new("DELETE FROM seal WHERE foundation_id = $1 AND sequence < $2 AND pruned_at IS NULL");
        let open = self.database.read().await?.one(OPEN, Vec::new()).await?.maybe_time(0)?;
        let until = open.map_or(until, |open| open.min(until));
        let seal = self.seals(foundation).await?.into_iter().rfind(|seal| seal.sealed_at <= until);
        let Some(seal) = seal else { return Ok(0) };
        let pruned_at = seal.pruned_at.unwrap_or(foundation.last_sequence);
        if seal.pruned_at.is_none() {
            // From now on histories begin there: the rest can be done bit by bit, and be interrupted.
            let mut session = self.database.write().await?;
            self.fence(&mut session, foundation).await?;
            session.run(PRUNED, values![foundation.id, seal.sequence, pruned_at]).await?;
            session.run(CHUNKS, values![foundation.id, seal.sequence]).await?;
            session.run(SEALS, values![foundation.id, seal.sequence]).await?;
            session.commit().await?;
        }
        let kept = self.kept(foundation, seal.sequence, pruned_at).await?;
        let (mut pruned, mut from) = (0, 0_u64);
        loop {
            let mut session = self.database.write().await?;
            self.fence(&mut session, foundation).await?;
            let Some(row) = session.maybe(WHOLE, values![foundation.id, from, seal.sequence]).await? else { break };
            let (first, last) = (row.number(0)?, row.number(1)?);
            let mut inputs = unpack_row(&row)?;
            let is_old =
                |input: &&mut ArchivedInput| input.sequence <= seal.sequence && !kept.contains(&input.sequence);
            for input in inputs.iter_mut().filter(is_old) {
                let reduced = reduced(input);
                pruned += u64::from(reduced != input.body);
                input.body = reduced;
            }
            let packed = pack(&inputs);
            let whole = last <= seal.sequence;
            session.run(PRUNE, values![foundation.id, first, packed.directory, packed.bodies, whole]).await?;
            session.commit().await?;
            from = last + 1;
        }
        Ok(pruned)
    }

    /// What entered the fold up to a seal of resources of which something was found late between the seal and its pruning.
    async fn kept(&self, foundation: &FoundationHead, seal: u64, until: u64) -> Result<HashSet<u64>, StoreError> {
        let mut session = self.database.read().await?;
        let mut directories = Directories { foundation_id: foundation.id, chunks: BTreeMap::new() };
        let mut kept = HashSet::new();
        for sequence in seal + 1..=until {
            let entry = directories.entry(&mut session, sequence).await?;
            // A bound stands where its event does, which may have been folded long before.
            if entry.place.fraction().is_empty() && entry.kind != InputKind::Bound {
                continue;
            }
            let mut next = entry.previous;
            while next != 0 && (next > seal || kept.insert(next)) {
                next = directories.entry(&mut session, next).await?.previous;
            }
        }
        Ok(kept)
    }

    /// A part of a seal, from 0 on: resources as they were, with all their entries until then. Empty after the last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sealed(
        &self,
        foundation: &FoundationHead,
        seal: &Seal,
        part: usize,
    ) -> Result<Vec<(Resource, Vec<LedgerEntry>)>, StoreError> {
        const PART: Sql = Sql::new(
            "SELECT states FROM seal_chunk WHERE foundation_id = $1 AND sequence = $2 ORDER BY first_id LIMIT 1 OFFSET $3",
        );
        let mut session = self.database.read().await?;
        let part = i64::try_from(part).unwrap_or(i64::MAX);
        let Some(row) = session.maybe(PART, values![foundation.id, seal.sequence, part]).await? else {
            return Ok(Vec::new());
        };
        let mut sealed = Vec::new();
        for state in states(&row.bytes(0)?.unwrap_or_default())? {
            let entries = all_entries_of(&mut session, state.id, seal.sequence).await?;
            sealed.push((state.resource, entries));
        }
        Ok(sealed)
    }

    /// Says of a seal that what was before it is pruned, when that was the number of the last input.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn adopt_pruning(
        &self,
        foundation: &FoundationHead,
        sequence: u64,
        pruned_at: u64,
    ) -> Result<(), StoreError> {
        const PRUNED: Sql = Sql::new("UPDATE seal SET pruned_at = $3 WHERE foundation_id = $1 AND sequence = $2");
        let mut session = self.database.write().await?;
        session.run(PRUNED, values![foundation.id, sequence, pruned_at]).await?;
        session.commit().await
    }

    /// Refuses if another has taken the foundation over; holds its row until the session ends.
    pub(super) async fn fence(&self, session: &mut Session, foundation: &FoundationHead) -> Result<(), StoreError> {
        // Touching the row holds it: who takes the foundation over waits until this is done.
        const FENCE: Sql =
            Sql::new("UPDATE foundation SET lease_epoch = lease_epoch WHERE id = $1 AND lease_epoch = $2");
        match session.run(FENCE, values![foundation.id, self.epoch(foundation.lease_epoch)]).await? {
            1 => Ok(()),
            _ => Err(StoreError::Superseded(foundation.name.clone())),
        }
    }
}

/// What stays of an input: an event's guid and time.
fn reduced(input: &ArchivedInput) -> String {
    #[derive(Serialize, Deserialize)]
    struct Kept {
        guid: serde_json::Value,
        created_at: serde_json::Value,
    }
    match input.kind {
        InputKind::Event(_) => {
            let kept = serde_json::from_str::<Kept>(&input.body).ok();
            kept.and_then(|kept| serde_json::to_string(&kept).ok()).unwrap_or_else(|| input.body.clone())
        }
        // Which rows stay unreadable is looked up in them.
        InputKind::Settings | InputKind::Row => input.body.clone(),
        _ => "{}".to_owned(),
    }
}

/// Directories of chunks, the last few read.
struct Directories {
    foundation_id: i64,
    /// By the number of their last input, with that of their first.
    chunks: BTreeMap<u64, (u64, Vec<DirectoryEntry>)>,
}

/// Directories held at a time.
const DIRECTORIES: usize = 512;

impl Directories {
    async fn entry(&mut self, session: &mut Session, sequence: u64) -> Result<DirectoryEntry, StoreError> {
        const DIRECTORY: Sql = Sql::new(
            "SELECT first_sequence, last_sequence, directory FROM archive_chunk
             WHERE foundation_id = $1 AND first_sequence <= $2
             ORDER BY first_sequence DESC
             LIMIT 1",
        );
        let is_held = self.chunks.range(sequence..).next().is_some_and(|(_, (first, _))| *first <= sequence);
        if !is_held {
            let row = session.maybe(DIRECTORY, values![self.foundation_id, sequence]).await?;
            let row = row.ok_or_else(|| missing(sequence))?;
            let (first, last) = (row.number(0)?, row.number(1)?);
            if self.chunks.len() >= DIRECTORIES {
                self.chunks.clear();
            }
            let entries = directory(first, count(first, last), &row.bytes(2)?.unwrap_or_default())?;
            self.chunks.insert(last, (first, entries));
        }
        let held = self.chunks.range(sequence..).next();
        let entry = held.and_then(|(_, (first, entries))| entries.get(usize::try_from(sequence - first).ok()?));
        entry.cloned().ok_or_else(|| missing(sequence))
    }
}

/// The pruned seals, newest first: number of the last input before each, and of the last input when it was pruned.
pub(super) async fn pruned_seals(
    session: &mut Session,
    foundation: &FoundationHead,
) -> Result<Vec<(u64, u64)>, StoreError> {
    const PRUNED: Sql = Sql::new(
        "SELECT sequence, pruned_at FROM seal
         WHERE foundation_id = $1 AND pruned_at IS NOT NULL
         ORDER BY sequence DESC",
    );
    let rows = session.all(PRUNED, values![foundation.id]).await?;
    rows.iter().map(|row| Ok((row.number(0)?, row.number(1)?))).collect()
}

/// The state of a resource in a seal.
pub(super) async fn sealed_state(
    session: &mut Session,
    foundation: &FoundationHead,
    resource_id: i64,
    sequence: u64,
) -> Result<Sealed, StoreError> {
    const CHUNK: Sql = Sql::new(
        "SELECT states FROM seal_chunk
         WHERE foundation_id = $1 AND sequence = $2 AND first_id <= $3
         ORDER BY first_id DESC
         LIMIT 1",
    );
    let row = session.maybe(CHUNK, values![foundation.id, sequence, resource_id]).await?;
    let packed = row.ok_or_else(|| missing(sequence))?.bytes(0)?.unwrap_or_default();
    let state = states(&packed)?.into_iter().find(|state| state.id == resource_id);
    let state = state.ok_or_else(|| damaged(format!("no resource {resource_id}")))?;
    let entries = entries_of(session, resource_id, None, Some(sequence)).await?;
    Ok(Sealed { resource: state.resource, entries })
}

fn damaged(value: String) -> StoreError {
    StoreError::Unexpected { place: "seal_chunk.states", value }
}

/// The states in a chunk of a seal.
fn states(packed: &[u8]) -> Result<Vec<State>, StoreError> {
    let text = zstd::decode_all(packed).map_err(|error| damaged(error.to_string()))?;
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))).collect()
}
