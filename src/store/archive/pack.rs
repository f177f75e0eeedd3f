//! How archived inputs are packed: chunks of some hundred, bodies as received, compressed.
//! Owns the bytes of a chunk; never looks into a body.

use sha2::{Digest, Sha256};

use crate::domain::{Place, Stream, Timestamp};

/// Inputs a chunk holds at most. Small enough that reading one back is quick (refold, explain),
/// large enough that similar events compress to a tenth.
pub const CHUNK_INPUTS: usize = 512;
/// Fast, and within some percent of the slower levels on usage events.
const COMPRESSION_LEVEL: i32 = 3;

/// What an archived input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    Event(Stream),
    Settings,
    /// Taken with the snapshot or the lists of that stream's resources.
    Baseline(Stream),
    DiskObservation,
    BuildObservation,
    FailedCreate,
    Gap,
    Settlement,
    Bound,
    Row,
}

impl InputKind {
    /// Its number in the archive; never changes.
    pub(in crate::store) fn number(self) -> usize {
        Self::ALL.iter().position(|kind| *kind == self).expect("every kind has a number")
    }

    const ALL: [Self; 12] = [
        Self::Event(Stream::App),
        Self::Event(Stream::Service),
        Self::Settings,
        Self::Baseline(Stream::App),
        Self::Baseline(Stream::Service),
        Self::DiskObservation,
        Self::BuildObservation,
        Self::FailedCreate,
        Self::Gap,
        Self::Settlement,
        Self::Bound,
        Self::Row,
    ];
}

/// One input of the fold as it is kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedInput {
    /// 1, 2, 3 … within the foundation.
    pub sequence: u64,
    pub kind: InputKind,
    /// When it reached us.
    pub received_at: Timestamp,
    /// An event's `created_at`; the epoch of a baseline item.
    pub created_at: Timestamp,
    /// With `kind` and `created_at`, what names it: see [`identity`].
    pub identity: u64,
    pub place: Place,
    /// Sequence number of the same resource's input before it; 0 for none. Chains a resource's inputs.
    pub previous: u64,
    /// JSON: an event as received, anything else as the domain writes it.
    pub body: String,
}

/// The first eight bytes of a guid's SHA-256: one chance in 10^19 that two events of one
/// second and stream share it.
#[must_use]
pub fn identity(guid: &str) -> u64 {
    let hash = Sha256::digest(guid.as_bytes());
    u64::from_le_bytes(hash[..8].try_into().unwrap_or_default())
}

/// The directory entry of one input: all but its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    pub kind: InputKind,
    pub received_at: Timestamp,
    pub created_at: Timestamp,
    pub identity: u64,
    pub place: Place,
    pub previous: u64,
    body_length: usize,
}

/// A chunk's two blobs.
#[derive(Debug)]
pub struct Packed {
    pub directory: Vec<u8>,
    pub bodies: Vec<u8>,
}

/// A chunk that doesn't read as one: the database file is damaged.
#[derive(Debug, thiserror::Error)]
#[error(
    "the archive chunk from input {first_sequence} is damaged: {reason}\nhint: restore the database from a backup; nothing was changed"
)]
pub struct Damaged {
    pub first_sequence: u64,
    pub reason: String,
}

/// Packs consecutive inputs.
#[must_use]
pub fn pack(inputs: &[ArchivedInput]) -> Packed {
    let mut directory = Vec::with_capacity(inputs.len() * 32);
    let mut bodies = Vec::with_capacity(inputs.iter().map(|input| input.body.len() + 1).sum());
    let mut previous = Deltas::default();
    for input in inputs {
        put(&mut directory, input.kind.number() as u64);
        put_delta(&mut directory, &mut previous.received_at, input.received_at.unix());
        put_delta(&mut directory, &mut previous.created_at, input.created_at.unix());
        directory.extend_from_slice(&input.identity.to_le_bytes());
        put_delta(&mut directory, &mut previous.ordinal, input.place.ordinal.cast_signed());
        put(&mut directory, input.place.fraction().len() as u64);
        directory.extend_from_slice(input.place.fraction());
        put(&mut directory, if input.previous == 0 { 0 } else { input.sequence - input.previous });
        put(&mut directory, input.body.len() as u64);
        bodies.extend_from_slice(input.body.as_bytes());
        bodies.push(b'\n');
    }
    Packed { directory: compress(&directory), bodies: compress(&bodies) }
}

/// Reads a chunk's directory; `first_sequence` and `count` as stored beside it.
///
/// # Errors
/// [`Damaged`].
pub fn directory(first_sequence: u64, count: usize, packed: &[u8]) -> Result<Vec<DirectoryEntry>, Damaged> {
    let damaged = |reason: &str| Damaged { first_sequence, reason: reason.to_owned() };
    let bytes = zstd::decode_all(packed).map_err(|error| damaged(&error.to_string()))?;
    let mut reader = Reader { bytes: &bytes };
    let mut previous = Deltas::default();
    let mut entries = Vec::with_capacity(count);
    for sequence in first_sequence..first_sequence + count as u64 {
        let entry = (|| {
            let kind = *InputKind::ALL.get(usize::try_from(reader.number()?).ok()?)?;
            let received_at = reader.delta(&mut previous.received_at)?;
            let created_at = reader.delta(&mut previous.created_at)?;
            let identity = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            let ordinal = reader.delta(&mut previous.ordinal)?.cast_unsigned();
            let fraction = usize::try_from(reader.number()?).ok()?;
            let fraction = reader.take(fraction)?.to_vec();
            let before = reader.number()?;
            Some(DirectoryEntry {
                kind,
                received_at: Timestamp::from_unix(received_at),
                created_at: Timestamp::from_unix(created_at),
                identity,
                place: Place::from_parts(ordinal, fraction),
                previous: if before == 0 { 0 } else { sequence.checked_sub(before)? },
                body_length: usize::try_from(reader.number()?).ok()?,
            })
        })();
        entries.push(entry.ok_or_else(|| damaged("its directory is cut short"))?);
    }
    Ok(entries)
}

/// Reads a whole chunk.
///
/// # Errors
/// [`Damaged`].
pub fn unpack(first_sequence: u64, count: usize, packed: &Packed) -> Result<Vec<ArchivedInput>, Damaged> {
    let damaged = |reason: &str| Damaged { first_sequence, reason: reason.to_owned() };
    let entries = directory(first_sequence, count, &packed.directory)?;
    let bytes = zstd::decode_all(&packed.bodies[..]).map_err(|error| damaged(&error.to_string()))?;
    let bodies = String::from_utf8(bytes).map_err(|_| damaged("its bodies are not UTF-8"))?;
    let mut at = 0;
    let mut inputs = Vec::with_capacity(count);
    for (sequence, entry) in (first_sequence..).zip(entries) {
        let body = bodies.get(at..at + entry.body_length).ok_or_else(|| damaged("its bodies are cut short"))?;
        at += entry.body_length + 1;
        inputs.push(ArchivedInput {
            sequence,
            kind: entry.kind,
            received_at: entry.received_at,
            created_at: entry.created_at,
            identity: entry.identity,
            place: entry.place,
            previous: entry.previous,
            body: body.to_owned(),
        });
    }
    Ok(inputs)
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, COMPRESSION_LEVEL).expect("compressing memory to memory never fails")
}

/// Values of the entry before, so that only differences are written.
#[derive(Default)]
struct Deltas {
    received_at: i64,
    created_at: i64,
    ordinal: i64,
}

/// LEB128: seven bits a byte, low first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
}

fn put_delta(bytes: &mut Vec<u8>, previous: &mut i64, value: i64) {
    let delta = value.wrapping_sub(std::mem::replace(previous, value));
    put(bytes, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn delta(&mut self, previous: &mut i64) -> Option<i64> {
        let coded = self.number()?;
        let delta = (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed();
        *previous = previous.wrapping_add(delta);
        Some(*previous)
    }
}

#[cfg(test)]
mod tests {
    use super::{ArchivedInput, InputKind, identity, pack, unpack};
    use crate::domain::{Place, Stream, Timestamp};

    fn input(
        sequence: u64,
        kind: InputKind,
        created_at: i64,
        place: Place,
        previous: u64,
        body: &str,
    ) -> ArchivedInput {
        ArchivedInput {
            sequence,
            kind,
            received_at: Timestamp::from_unix(1_790_000_000),
            created_at: Timestamp::from_unix(created_at),
            identity: identity(body),
            place,
            previous,
            body: body.to_owned(),
        }
    }

    #[test]
    fn a_chunk_comes_back_as_it_was_packed() {
        let late = Place::at(3).before(&Place::at(4));
        let inputs = [
            input(7, InputKind::Settings, 0, Place::default(), 0, "{}"),
            input(8, InputKind::Event(Stream::App), 1_790_000_000, Place::at(4), 0, "{\"name\":\"ä\n\\u0000\"}"),
            input(9, InputKind::Event(Stream::Service), 1_700_000_000, Place::at(1), 3, ""),
            input(10, InputKind::Event(Stream::App), Timestamp::MIN.unix(), late, 8, "{}"),
            input(
                11,
                InputKind::Baseline(Stream::App),
                Timestamp::MAX.unix(),
                Place::at(u64::MAX >> 1),
                1,
                "{\"a\":1}",
            ),
            input(12, InputKind::Baseline(Stream::Service), 1, Place::at(5), 0, "{}"),
            input(13, InputKind::DiskObservation, -1, Place::at(5), 12, "{}"),
            input(14, InputKind::BuildObservation, 1_700_000_003, Place::at(5), 13, "{}"),
            input(15, InputKind::FailedCreate, 1_700_000_004, Place::at(5), 14, "{}"),
            input(16, InputKind::Gap, 1_700_000_004, Place::at(5), 0, "{}"),
            input(17, InputKind::Settlement, 1_700_000_004, Place::at(5), 15, "{}"),
            input(18, InputKind::Bound, 1_700_000_005, Place::at(5), 17, "{}"),
        ];
        let packed = pack(&inputs);
        assert_eq!(unpack(7, inputs.len(), &packed).unwrap(), inputs);
    }

    #[test]
    fn a_damaged_chunk_is_an_error_that_names_it() {
        let inputs = [input(7, InputKind::Settings, 0, Place::default(), 0, "{\"some\":\"body\"}")];
        let packed = pack(&inputs);
        for cut in 0..packed.bodies.len() {
            let bodies = packed.bodies[..cut].to_vec();
            let error = unpack(7, 1, &super::Packed { directory: packed.directory.clone(), bodies }).unwrap_err();
            assert!(error.to_string().contains("input 7"), "{error}");
        }
        for cut in 0..packed.directory.len() {
            assert!(super::directory(7, 1, &packed.directory[..cut]).is_err());
        }
        assert!(super::directory(7, 2, &packed.directory).is_err());
    }
}
