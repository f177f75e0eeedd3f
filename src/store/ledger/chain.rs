//! The hash chain of a foundation: a link a page, over what entered the fold and what it gave.
//! Owns what is hashed, in which form; whoever changes a row afterwards breaks the chain there.

use sha2::{Digest, Sha256};

use super::rows::{FoundEntry, read_entry, select_entry};
use super::tables::LinkRow;
use crate::domain::text::hexadecimal;
use crate::domain::{FoundationHead, LedgerEntry};
use crate::store::archive::chunks::read_chunk;
use crate::store::database::{Record, Session, Sql, text, values};
use crate::store::{ArchivedInput, Store, StoreError, WriteSet};

/// What the chain of a foundation's archive and ledger is called.
#[must_use]
pub fn chain_of_foundation(name: &str) -> String {
    format!("foundation/{name}")
}

/// What verifying a foundation's chain came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub links: u64,
    pub inputs: u64,
    pub entries: u64,
    /// Inputs before the chain begins: they were written by an earlier version.
    pub before: u64,
    /// Inputs whose bodies are pruned: their hash is taken as it is kept.
    pub pruned: u64,
    /// Number of the last input that is covered.
    pub through: u64,
    /// The last link, hexadecimal.
    pub digest: String,
    /// The first place that isn't as it was written.
    pub broken: Option<String>,
}

/// Links read at a time.
const LINKS: u32 = 100;

/// How far a foundation's chain is verified.
#[derive(Clone, Debug, Default)]
pub struct Verifying {
    /// What it came to so far.
    pub verified: Verified,
    /// Nothing is left, or it is broken.
    pub is_over: bool,
    before: Option<LinkRow>,
}

impl Store {
    /// Computes a foundation's hash chain again from what is kept, and names the first break.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify(
        &self,
        foundation: &FoundationHead,
        mut progress: impl FnMut(u64),
    ) -> Result<Verified, StoreError> {
        let mut verifying = Verifying::default();
        while !verifying.is_over {
            self.verify_on(foundation, &mut verifying, LINKS).await?;
            progress(verifying.verified.through);
        }
        Ok(verifying.verified)
    }

    /// Verifies up to so many further links of a foundation's chain, in a transaction of its own: who commits meanwhile is
    /// kept waiting by none, and what is pruned meanwhile counts as pruned.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_on(
        &self,
        foundation: &FoundationHead,
        verifying: &mut Verifying,
        count: u32,
    ) -> Result<(), StoreError> {
        let mut session = self.database.read().await?;
        let Verifying { verified, is_over, before } = verifying;
        let links = links(&mut session, foundation.id, before.as_ref(), count).await?;
        let is_last = links.len() < count as usize;
        for link in links {
            let found = check(&mut session, foundation.id, before.as_ref(), &link, verified).await?;
            if found.is_some() {
                (verified.broken, *is_over) = (found, true);
                return Ok(());
            }
            verified.links += 1;
            verified.through = link.last_sequence;
            *before = Some(link);
        }
        if !is_last {
            return Ok(());
        }
        // As of the same transaction: the foundation goes on.
        let ledger = end_of_ledger(&mut session, foundation.id).await?;
        let chain = before.as_ref().map_or((0, 0), |link| (link.last_sequence, link.last_entry));
        if before.is_none() {
            verified.before = ledger.0;
        } else if chain != ledger {
            verified.broken = Some(format!(
                "the chain ends at input {} and entry {}, the ledger at input {} and entry {}",
                chain.0, chain.1, ledger.0, ledger.1
            ));
        }
        verified.digest = before.as_ref().map_or_else(String::new, |link| hexadecimal(&link.digest));
        *is_over = true;
        Ok(())
    }

    /// The link of a foundation's chain that ends at an input, hexadecimal; `None` if none does.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_through(&self, foundation: &FoundationHead, input: u64) -> Result<Option<String>, StoreError> {
        const LINK: Sql = Sql::new("SELECT digest FROM ledger_link WHERE foundation_id = $1 AND last_sequence = $2");
        let row = self.database.read().await?.maybe(LINK, values![foundation.id, input]).await?;
        row.map(|row| Ok(hexadecimal(&row.bytes("ledger_link.digest")?))).transpose()
    }
}

/// The ledger's last input and entry.
async fn end_of_ledger(session: &mut Session, foundation_id: i64) -> Result<(u64, u64), StoreError> {
    const END: Sql = Sql::new("SELECT last_sequence, last_entry FROM foundation WHERE id = $1");
    let row = session.one(END, values![foundation_id]).await?;
    Ok((row.number("foundation.last_sequence")?, row.number("foundation.last_entry")?))
}

/// Compares a link with what it covers.
async fn check(
    session: &mut Session,
    foundation_id: i64,
    before: Option<&LinkRow>,
    link: &LinkRow,
    verified: &mut Verified,
) -> Result<Option<String>, StoreError> {
    let (first_input, first_entry) = match before {
        Some(before) => (before.last_sequence + 1, before.last_entry + 1),
        None => beginning(session, foundation_id).await?,
    };
    if before.is_none() {
        verified.before = first_input - 1;
    }
    let broken = |what: &str| {
        let span =
            format!("inputs {first_input} to {}, entries {first_entry} to {}", link.last_sequence, link.last_entry);
        Ok(Some(format!("{what} ({span})")))
    };
    let inputs = inputs_digest(session, foundation_id, first_input, link.last_sequence).await?;
    match inputs {
        Inputs::Missing(sequence) => return broken(&format!("input {sequence} is missing")),
        Inputs::Pruned(count) => verified.pruned += count,
        Inputs::Whole(digest) if digest != link.inputs_digest => return broken("an archived input was changed"),
        Inputs::Whole(_) => {}
    }
    let entries = entries_digest_of(session, foundation_id, first_entry, link.last_entry).await?;
    if entries.as_deref() != Some(&link.entries_digest[..]) {
        return broken("a ledger entry was changed, added or removed");
    }
    let digest = link_digest(before.map(|before| &before.digest[..]), &link.inputs_digest, &link.entries_digest);
    if digest != link.digest {
        return broken("the link doesn't follow from the one before");
    }
    verified.inputs += link.last_sequence + 1 - first_input;
    verified.entries += link.last_entry + 1 - first_entry;
    Ok(None)
}

/// The first input and entry that the chain covers. What an earlier version wrote before has no link.
async fn beginning(session: &mut Session, foundation_id: i64) -> Result<(u64, u64), StoreError> {
    const BEGINNING: Sql = Sql::new("SELECT chained_from, chained_entry FROM foundation WHERE id = $1");
    let row = session.one(BEGINNING, values![foundation_id]).await?;
    Ok((row.number("foundation.chained_from")? + 1, row.number("foundation.chained_entry")? + 1))
}

async fn links(
    session: &mut Session,
    foundation_id: i64,
    before: Option<&LinkRow>,
    count: u32,
) -> Result<Vec<LinkRow>, StoreError> {
    const PAGE: Sql = Sql::new(text![
        "SELECT ",
        LinkRow::LIST,
        " FROM ledger_link
         WHERE foundation_id = $1 AND last_sequence > $2
         ORDER BY last_sequence
         LIMIT $3"
    ]);
    let after = before.map_or(-1, |link| link.last_sequence.cast_signed());
    let rows = session.all(PAGE, values![foundation_id, after, i64::from(count)]).await?;
    rows.iter().map(LinkRow::read).collect()
}

/// Adds the link of a page.
pub(in crate::store) async fn append(
    session: &mut Session,
    foundation: &FoundationHead,
    write: &WriteSet,
) -> Result<(), StoreError> {
    const LAST: Sql =
        Sql::new("SELECT digest FROM ledger_link WHERE foundation_id = $1 ORDER BY last_sequence DESC LIMIT 1");
    const BEGIN: Sql = Sql::new("UPDATE foundation SET chained_from = $2, chained_entry = $3 WHERE id = $1");
    const PUT: Sql = Sql::new(LinkRow::ADD_ONE);
    let Some(last) = write.inputs.last() else { return Ok(()) };
    let before = session.maybe(LAST, values![foundation.id]).await?;
    let before = before.map(|row| row.bytes("ledger_link.digest")).transpose()?;
    if before.is_none() && foundation.last_sequence > 0 {
        session.run(BEGIN, values![foundation.id, foundation.last_sequence, foundation.last_entry]).await?;
    }
    let mut inputs = Sha256::new();
    for input in &write.inputs {
        hash_input(&mut inputs, input);
    }
    let inputs = inputs.finalize().to_vec();
    let mut entries = Sha256::new();
    for entry in &write.entries {
        hash_entry(&mut entries, entry);
    }
    let entries = entries.finalize().to_vec();
    let digest = link_digest(before.as_deref(), &inputs, &entries);
    let link = LinkRow {
        foundation_id: foundation.id,
        last_sequence: last.sequence,
        last_entry: write.last_entry,
        inputs_digest: inputs,
        entries_digest: entries,
        digest,
    };
    session.add(PUT, &link).await?;
    Ok(())
}

fn link_digest(before: Option<&[u8]>, inputs: &[u8], entries: &[u8]) -> Vec<u8> {
    Sha256::new()
        .chain_update(before.unwrap_or_default())
        .chain_update(inputs)
        .chain_update(entries)
        .finalize()
        .to_vec()
}

fn hash_input(hash: &mut Sha256, input: &ArchivedInput) {
    let ArchivedInput { sequence, kind, received_at, created_at, identity, place, previous, body } = input;
    let line = format!(
        "{sequence} {} {received_at} {created_at} {identity} {} {} {previous} {}\n",
        kind.number(),
        place.ordinal,
        hexadecimal(place.fraction()),
        body.len()
    );
    hash.update(line);
    hash.update(body);
    hash.update(b"\n");
}

fn hash_entry(hash: &mut Sha256, entry: &LedgerEntry) {
    hash.update(entry.canonical());
    hash.update(b"\n");
}

/// What hashing archived inputs again came to.
enum Inputs {
    Whole(Vec<u8>),
    /// So many are pruned, or share a link with such.
    Pruned(u64),
    Missing(u64),
}

async fn inputs_digest(session: &mut Session, foundation_id: i64, first: u64, last: u64) -> Result<Inputs, StoreError> {
    const SEAL: Sql =
        Sql::new("SELECT max(sequence) AS sequence FROM seal WHERE foundation_id = $1 AND pruned_at IS NOT NULL");
    let pruned =
        session.one(SEAL, values![foundation_id]).await?.get::<Option<u64>>("seal.sequence")?.unwrap_or_default();
    let mut hash = Sha256::new();
    let mut next = first;
    while next <= last {
        let Some(chunk) = read_chunk(session, foundation_id, next).await? else { return Ok(Inputs::Missing(next)) };
        for input in chunk.iter().filter(|input| (next..=last).contains(&input.sequence)) {
            hash_input(&mut hash, input);
        }
        next = chunk.last().map_or(next, |input| input.sequence) + 1;
    }
    Ok(if first <= pruned { Inputs::Pruned(last + 1 - first) } else { Inputs::Whole(hash.finalize().to_vec()) })
}

/// `None` if entries are missing or doubled.
async fn entries_digest_of(
    session: &mut Session,
    foundation_id: i64,
    first: u64,
    last: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    const ENTRIES: Sql = select_entry!(
        "WHERE ledger_entry.foundation_id = $1 AND ledger_entry.number BETWEEN $2 AND $3 ORDER BY ledger_entry.number"
    );
    let rows = session.all(ENTRIES, values![foundation_id, first, last]).await?;
    let mut hash = Sha256::new();
    for (number, row) in (first..).zip(&rows) {
        let entry = read_entry(row)?;
        if entry.number != number {
            return Ok(None);
        }
        hash_entry(&mut hash, &entry);
    }
    let whole = first + rows.len() as u64 == last + 1;
    Ok(whole.then(|| hash.finalize().to_vec()))
}
