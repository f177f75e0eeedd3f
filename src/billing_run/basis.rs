//! What an invoice rests on, packed: a line of JSON for each contribution to a row, in zstd frames, so that memory stays
//! small however much was used.

use std::io::{self, BufRead, BufReader};

use serde_json::json;

use crate::domain::{Guid, Span, Timestamp};
use crate::rating::{Contribution, Source};
use crate::store::StoreError;

/// Raw bytes of a frame.
const FRAME: usize = 64 * 1024;
const LEVEL: i32 = 3;

/// Contributions being packed.
#[derive(Debug, Default)]
pub struct Basis {
    raw: Vec<u8>,
    packed: Vec<u8>,
}

impl Basis {
    /// Adds some.
    ///
    /// # Errors
    /// If they can't be compressed.
    pub fn add(&mut self, contributions: &[Contribution]) -> Result<(), StoreError> {
        for one in contributions {
            let Source { entry, opened_by, closed_by } = one.source;
            let fields = json!([
                one.row,
                one.resource,
                entry,
                opened_by,
                closed_by,
                one.span.from.unix(),
                one.span.to.unix(),
                one.instances,
                one.size,
                one.used,
                one.charged
            ]);
            self.raw.extend_from_slice(fields.to_string().as_bytes());
            self.raw.push(b'\n');
            if self.raw.len() >= FRAME {
                self.pack()?;
            }
        }
        Ok(())
    }

    fn pack(&mut self) -> Result<(), StoreError> {
        let frame = zstd::encode_all(&self.raw[..], LEVEL).map_err(|error| damaged(&error.to_string()))?;
        self.packed.extend_from_slice(&frame);
        self.raw.clear();
        Ok(())
    }

    /// All of them.
    ///
    /// # Errors
    /// If they can't be compressed.
    pub fn finish(mut self) -> Result<Vec<u8>, StoreError> {
        if !self.raw.is_empty() || self.packed.is_empty() {
            self.pack()?;
        }
        Ok(self.packed)
    }
}

fn damaged(value: &str) -> StoreError {
    StoreError::Unexpected { place: "invoice_basis", value: value.to_owned() }
}

/// The contributions to the rows that `wanted` names, as they were packed.
///
/// # Errors
/// If the bytes don't read as what [`Basis`] packed.
pub fn unpack(packed: &[u8], wanted: impl Fn(usize) -> bool) -> Result<Vec<Contribution>, StoreError> {
    let unread = |error: io::Error| damaged(&error.to_string());
    let reader = BufReader::new(zstd::stream::read::Decoder::new(packed).map_err(unread)?);
    let mut found = Vec::new();
    for line in reader.lines() {
        let line = line.map_err(unread)?;
        let contribution = read(&line).ok_or_else(|| damaged(&line))?;
        if wanted(contribution.row) {
            found.push(contribution);
        }
    }
    Ok(found)
}

fn read(line: &str) -> Option<Contribution> {
    type Fields = (usize, Guid, Option<i64>, i64, Option<i64>, i64, i64, i64, i64, i64, i64);
    let fields: Fields = serde_json::from_str(line).ok()?;
    let (row, resource, entry, opened_by, closed_by, from, to, instances, size, used, charged) = fields;
    let span = Span { from: Timestamp::from_unix(from), to: Timestamp::from_unix(to) };
    let source = Source { entry, opened_by, closed_by };
    Some(Contribution { row, resource, source, span, instances, size, used, charged })
}

#[cfg(test)]
mod tests {
    use super::{Basis, unpack};
    use crate::domain::{Guid, Span, Timestamp};
    use crate::rating::{Contribution, Source};

    #[test]
    fn what_is_packed_is_unpacked_whatever_the_frames() {
        for count in [0_i64, 1, 700, 5_000] {
            let one = |number: i64| Contribution {
                row: usize::try_from(number % 3).unwrap(),
                resource: Guid::new(&format!("resource-{number}")),
                source: Source {
                    entry: (number % 5 > 0).then_some(number),
                    opened_by: number,
                    closed_by: (number % 2 > 0).then_some(number + 1),
                },
                span: Span { from: Timestamp::from_unix(number), to: Timestamp::from_unix(number + 60) },
                instances: 2,
                size: 1024,
                used: 60 * 2 * 1024,
                charged: 3600 * 2 * 1024,
            };
            let all: Vec<Contribution> = (0..count).map(one).collect();
            let mut basis = Basis::default();
            for some in all.chunks(7) {
                basis.add(some).unwrap();
            }
            let packed = basis.finish().unwrap();
            assert_eq!(unpack(&packed, |_| true).unwrap(), all);
            let of_row_1: Vec<Contribution> = all.into_iter().filter(|one| one.row == 1).collect();
            assert_eq!(unpack(&packed, |row| row == 1).unwrap(), of_row_1);
        }
        assert!(unpack(b"not zstd", |_| true).is_err());
    }
}
