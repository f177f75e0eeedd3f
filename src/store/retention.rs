//! What is kept of the archive: a foundation's ledger is sealed now and then, and what entered the fold before a seal that
//! is old enough is pruned to guids. The ledger itself, and which events led to what, stay for ever.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::archive::{ArchivedInput, InputKind, Packed, pack, unpack};
use super::chunks::{count, missing};
use super::database::{Session, Sql, hexadecimal, values};
use super::load::{entries_of, read_resource, select_resource};
use super::{FoundationHead, Store, StoreError};
use crate::domain::Timestamp;
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
    /// What entered the fold before it was pruned.
    pub pruned: bool,
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
            "SELECT sequence, sealed_at, resources, digest, pruned FROM seal WHERE foundation_id = $1 ORDER BY sequence",
        );
        let rows = self.database.read().await?.all(SEALS, values![foundation.id]).await?;
        let mut seals = Vec::with_capacity(rows.len());
        for row in rows {
            seals.push(Seal {
                sequence: row.number(0)?,
                sealed_at: row.time(1)?,
                resources: row.number(2)?,
                digest: row.text(3)?.to_owned(),
                pruned: row.flag(4)?,
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
            "INSERT INTO seal (foundation_id, sequence, sealed_at, resources, digest, pruned)
             VALUES ($1, $2, $3, $4, $5, false)
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

    /// Prunes what entered the fold before the newest seal made by `until` to guids; earlier seals go. Gives how many
    /// inputs were pruned. What a draft's period needs is kept, however old.
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
        const PRUNED: Sql = Sql::new("UPDATE seal SET pruned = true WHERE foundation_id = $1 AND sequence = $2");
        const CHUNKS: Sql = Sql::new("DELETE FROM seal_chunk WHERE foundation_id = $1 AND sequence < $2");
        const SEALS: Sql = Sql::new("DELETE FROM seal WHERE foundation_id = $1 AND sequence < $2");
        let open = self.database.read().await?.one(OPEN, Vec::new()).await?.maybe_time(0)?;
        let until = open.map_or(until, |open| open.min(until));
        let seal = self.seals(foundation).await?.into_iter().rfind(|seal| seal.sealed_at <= until);
        let Some(seal) = seal else { return Ok(0) };
        if !seal.pruned {
            // From now on histories begin there: the rest can be done bit by bit, and be interrupted.
            let mut session = self.database.write().await?;
            self.fence(&mut session, foundation).await?;
            session.run(PRUNED, values![foundation.id, seal.sequence]).await?;
            session.run(CHUNKS, values![foundation.id, seal.sequence]).await?;
            session.run(SEALS, values![foundation.id, seal.sequence]).await?;
            session.commit().await?;
        }
        let (mut pruned, mut from) = (0, 0_u64);
        loop {
            let mut session = self.database.write().await?;
            self.fence(&mut session, foundation).await?;
            let Some(row) = session.maybe(WHOLE, values![foundation.id, from, seal.sequence]).await? else { break };
            let (first, last) = (row.number(0)?, row.number(1)?);
            let packed =
                Packed { directory: row.bytes(2)?.unwrap_or_default(), bodies: row.bytes(3)?.unwrap_or_default() };
            let mut inputs = unpack(first, count(first, last), &packed)?;
            for input in inputs.iter_mut().filter(|input| input.sequence <= seal.sequence) {
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
        InputKind::Settings => input.body.clone(),
        _ => "{}".to_owned(),
    }
}

/// Number of the last input that is pruned, or may be; 0 if none is.
pub(super) async fn pruned_until(session: &mut Session, foundation: &FoundationHead) -> Result<u64, StoreError> {
    const NEWEST: Sql = Sql::each(
        "SELECT coalesce(max(sequence), 0) FROM seal WHERE foundation_id = $1 AND pruned = 1",
        "SELECT coalesce(max(sequence), 0) FROM seal WHERE foundation_id = $1 AND pruned",
    );
    session.one(NEWEST, values![foundation.id]).await?.number(0)
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
    let damaged = |value: String| StoreError::Unexpected { place: "seal_chunk.states", value };
    let text = zstd::decode_all(&packed[..]).map_err(|error| damaged(error.to_string()))?;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let state: State = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        if state.id == resource_id {
            let entries = entries_of(session, resource_id, None, Some(sequence)).await?;
            return Ok(Sealed { resource: state.resource, entries });
        }
    }
    Err(damaged(format!("no resource {resource_id}")))
}
