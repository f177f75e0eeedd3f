//! Seals: a foundation's resources as they were after an input, in chunks with one hash, so that what entered the fold
//! before can be pruned.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::rows::{FoundResource, FoundRun, all_entries_of, entries_of, read_resource, select_resource};
use super::tables::{SealChunkRow, SealRow};
use crate::domain::text::hexadecimal;
use crate::domain::{FoundationHead, LedgerEntry, Timestamp};
use crate::fold::{Resource, Sealed};
use crate::store::archive::chunks::missing;
use crate::store::database::{Record, Session, Sql, again, text, values};
use crate::store::{Store, StoreError};

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
        const SEALS: Sql =
            Sql::new(text!["SELECT ", SealRow::LIST, " FROM seal WHERE foundation_id = $1 ORDER BY sequence"]);
        let rows = self.database.read().await?.all(SEALS, values![foundation.id]).await?;
        let mut seals = Vec::with_capacity(rows.len());
        for row in &rows {
            let SealRow { sequence, sealed_at, resources, digest, pruned_at, .. } = SealRow::read(row)?;
            seals.push(Seal { sequence, sealed_at, resources, digest, pruned_at });
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
        const SEAL: Sql = Sql::new(text![SealRow::ADD_ONE, " ON CONFLICT DO NOTHING"]);
        const PAGE: Sql = select_resource!(
            "FROM resource LEFT JOIN open_interval ON open_interval.resource_id = resource.id",
            "WHERE resource.foundation_id = $1 AND resource.id > $2 ORDER BY resource.id LIMIT $3"
        );
        const CHUNK: Sql = Sql::new(text![SealChunkRow::ADD_ONE, " ON CONFLICT DO NOTHING"]);
        let mut session = self.database.write().await?;
        self.fence(&mut session, foundation).await?;
        let mut digest = Sha256::new();
        let (mut resources, mut last) = (0_u64, 0_i64);
        loop {
            let rows = session.all(PAGE, values![foundation.id, last, STATES]).await?;
            let states = rows.iter().map(read_resource).collect::<Result<Vec<_>, _>>()?;
            let (Some((first_id, _)), Some((end, _))) = (states.first(), states.last()) else { break };
            let first_id = *first_id;
            last = *end;
            let mut text = String::new();
            for (id, resource) in states {
                let state = State { id, resource };
                text.push_str(&serde_json::to_string(&state).expect("states are plain values"));
                text.push('\n');
                resources += 1;
            }
            digest.update(&text);
            let packed = zstd::encode_all(text.as_bytes(), LEVEL).expect("compressing memory to memory never fails");
            let (foundation_id, sequence) = (foundation.id, foundation.last_sequence);
            session.add(CHUNK, &SealChunkRow { foundation_id, sequence, first_id, states: packed }).await?;
        }
        let seal = SealRow {
            foundation_id: foundation.id,
            sequence: foundation.last_sequence,
            sealed_at: at,
            resources,
            digest: hexadecimal(&digest.finalize()),
            pruned_at: None,
        };
        session.add(SEAL, &seal).await?;
        session.commit().await
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
        for state in states(&row.bytes("seal_chunk.states")?)? {
            let entries = all_entries_of(&mut session, state.id, seal.sequence).await?;
            sealed.push((state.resource, entries));
        }
        Ok(sealed)
    }
}

/// The pruned seals, newest first: number of the last input before each, and of the last input when it was pruned.
pub(in crate::store) async fn pruned_seals(
    session: &mut Session,
    foundation: &FoundationHead,
) -> Result<Vec<(u64, u64)>, StoreError> {
    const PRUNED: Sql = Sql::new(
        "SELECT sequence, pruned_at FROM seal
         WHERE foundation_id = $1 AND pruned_at IS NOT NULL
         ORDER BY sequence DESC",
    );
    let rows = session.all(PRUNED, values![foundation.id]).await?;
    rows.iter().map(|row| Ok((row.number("seal.sequence")?, row.number("seal.pruned_at")?))).collect()
}

/// The state of a resource in a seal.
pub(in crate::store) async fn sealed_state(
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
    let packed = row.ok_or_else(|| missing(sequence))?.bytes("seal_chunk.states")?;
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
