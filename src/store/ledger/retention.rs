//! What is kept of the archive: a foundation's ledger is sealed now and then, and what entered the fold before a seal that
//! is old enough is pruned to guids. The ledger itself, and which events led to what, stay for ever.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::domain::{FoundationHead, Timestamp};
use crate::store::archive::chunks::{Chunk, missing, read_directory, unpack_row};
use crate::store::archive::pack::{ArchivedInput, DirectoryEntry, InputKind, pack};
use crate::store::database::{Session, Sql, text, values};
use crate::store::{Store, StoreError};

impl Store {
    /// Prunes what entered the fold before the newest seal made by `until` to guids; earlier seals that nothing rests on
    /// go. Gives how many inputs were pruned. What a draft's period needs is kept, however old; and so is the history of a
    /// resource of which something was found behind the seal before it was pruned: its state in the seal lacks that.
    ///
    /// # Errors
    /// [`StoreError::Superseded`] if another writer was there since `foundation` was read.
    pub async fn prune(&self, foundation: &FoundationHead, until: Timestamp) -> Result<u64, StoreError> {
        const OPEN: Sql = Sql::new("SELECT min(period_start) AS open FROM invoice WHERE status = 'draft'");
        const WHOLE: Sql = Sql::each(
            text![
                "SELECT ",
                Chunk::LIST,
                " FROM archive_chunk WHERE foundation_id = $1 AND first_sequence BETWEEN $2 AND $3 AND pruned = 0
                 ORDER BY first_sequence LIMIT 1"
            ],
            text![
                "SELECT ",
                Chunk::LIST,
                " FROM archive_chunk WHERE foundation_id = $1 AND first_sequence BETWEEN $2 AND $3 AND NOT pruned
                 ORDER BY first_sequence LIMIT 1"
            ],
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
        let open = self.database.read().await?.one(OPEN, Vec::new()).await?.maybe_time("open")?;
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
            let first = row.number("archive_chunk.first_sequence")?;
            let last = row.number("archive_chunk.last_sequence")?;
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
    pub(in crate::store) async fn fence(
        &self,
        session: &mut Session,
        foundation: &FoundationHead,
    ) -> Result<(), StoreError> {
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
        let is_held = self.chunks.range(sequence..).next().is_some_and(|(_, (first, _))| *first <= sequence);
        if !is_held {
            let directory = read_directory(session, self.foundation_id, sequence).await?;
            let (first, entries) = directory.ok_or_else(|| missing(sequence))?;
            let last = first + entries.len() as u64 - 1;
            if self.chunks.len() >= DIRECTORIES {
                self.chunks.clear();
            }
            self.chunks.insert(last, (first, entries));
        }
        let held = self.chunks.range(sequence..).next();
        let entry = held.and_then(|(_, (first, entries))| entries.get(usize::try_from(sequence - first).ok()?));
        entry.cloned().ok_or_else(|| missing(sequence))
    }
}
