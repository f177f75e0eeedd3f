//! Recorded JSON as a stream of records: arrays, pages (`{"resources": […]}`) or one value a line, also gzipped.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A page or a single record may be this large.
const LARGEST_VALUE: u64 = 64 << 20;

/// What is wrong with a file, and where.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error("can't read `{file}`: {reason}\nhint: give the path of a JSON file, or - for standard input")]
    Read { file: String, reason: String },
    #[error("`{file}` is empty\nhint: it should hold V3 JSON: an array, pages, or one record a line")]
    Empty { file: String },
    #[error("`{file}` line {line} column {column}, after {records} records: {reason}\nhint: {hint}")]
    Json { file: String, line: usize, column: usize, records: u64, reason: String, hint: &'static str },
    /// The receiver wants no more.
    #[error("stopped")]
    Stopped,
}

/// Reads `file` (`-`: standard input) and hands each record's text to `take`, which gives false to stop.
///
/// # Errors
/// [`RecordsError`]; records handed over before it stay so.
pub fn read(file: &Path, take: impl FnMut(Box<RawValue>) -> bool) -> Result<u64, RecordsError> {
    read_counting(file, &AtomicU64::new(0), take)
}

/// As [`read`], counting the bytes read of the file in `position`.
///
/// # Errors
/// As [`read`].
pub fn read_counting(
    file: &Path,
    position: &AtomicU64,
    mut take: impl FnMut(Box<RawValue>) -> bool,
) -> Result<u64, RecordsError> {
    let name = file.display().to_string();
    let failed = |error: io::Error| RecordsError::Read { file: name.clone(), reason: error.to_string() };
    let plain: Box<dyn Read> =
        if name == "-" { Box::new(io::stdin()) } else { Box::new(File::open(file).map_err(failed)?) };
    let mut plain = BufReader::with_capacity(1 << 16, Counted { reader: plain, position });
    let gzipped = plain.fill_buf().map_err(failed)?.starts_with(&[0x1f, 0x8b]);
    let unpacked: Box<dyn Read + '_> = if gzipped { Box::new(MultiGzDecoder::new(plain)) } else { Box::new(plain) };
    let reader = Lines { reader: BufReader::with_capacity(1 << 16, unpacked), lines: 0 };
    let mut source = Source { reader, name, records: 0 };
    source.read_all(&mut take)?;
    Ok(source.records)
}

/// Counts the bytes read.
struct Counted<'p, R> {
    reader: R,
    position: &'p AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.position.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Counts the line ends read, so that an error can say where it is.
struct Lines<R> {
    reader: BufReader<R>,
    lines: usize,
}

impl<R: Read> Lines<R> {
    /// Skips white space; gives the byte that follows, which stays unread.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let Some(first) = buffer.first().copied() else { return Ok(None) };
            if !first.is_ascii_whitespace() {
                return Ok(Some(first));
            }
            self.lines += usize::from(first == b'\n');
            self.reader.consume(1);
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count();
        Ok(read)
    }
}

struct Source<R> {
    reader: Lines<R>,
    name: String,
    records: u64,
}

impl<R: Read> Source<R> {
    fn read_all(&mut self, take: &mut impl FnMut(Box<RawValue>) -> bool) -> Result<(), RecordsError> {
        let mut values = 0_u64;
        loop {
            let line = self.reader.lines;
            let first = match self.reader.next_byte() {
                Ok(Some(first)) => first,
                Ok(None) => break,
                Err(error) => return Err(self.at(line, &serde_json::Error::io(error))),
            };
            let line = self.reader.lines;
            values += 1;
            let result = match first {
                b'[' => {
                    let mut deserializer = serde_json::Deserializer::from_reader(&mut self.reader);
                    let mut records = 0;
                    let result = Elements { take, records: &mut records }.deserialize(&mut deserializer);
                    self.records += records;
                    result
                }
                b'{' => {
                    let mut limited = (&mut self.reader).take(LARGEST_VALUE);
                    let mut deserializer = serde_json::Deserializer::from_reader(&mut limited);
                    let value = <Box<RawValue> as serde::Deserialize>::deserialize(&mut deserializer);
                    value.map(|value| self.value(value, take))
                }
                _ => Err(serde::de::Error::custom("not an object or an array")),
            };
            match result {
                Ok(true) => {}
                Ok(false) => return Err(RecordsError::Stopped),
                Err(error) => return Err(self.at(line, &error)),
            }
        }
        if values == 0 { Err(RecordsError::Empty { file: self.name.clone() }) } else { Ok(()) }
    }

    /// A page's resources, or the value itself.
    fn value(&mut self, value: Box<RawValue>, take: &mut impl FnMut(Box<RawValue>) -> bool) -> bool {
        let mut records = 0;
        let more = hand_over(value, &mut records, take);
        self.records += records;
        more
    }

    /// The error with its place in the file; `line` is the number of lines before its value.
    fn at(&self, line: usize, error: &serde_json::Error) -> RecordsError {
        RecordsError::Json {
            file: self.name.clone(),
            line: line + error.line().max(1),
            column: error.column(),
            records: self.records,
            reason: reason(error),
            hint: hint(error),
        }
    }
}

/// The message without the position that `serde_json` adds, which is within the value.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(message, _)| message.to_owned())
}

fn hint(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Eof => {
            "the file is cut short: fetch it again; what came before is kept, and the import goes on from there"
        }
        serde_json::error::Category::Io => {
            "the file can't be read to its end (cut short, or not gzip): fetch it again; what came before is kept"
        }
        _ => "this isn't V3 JSON (an HTML page of a proxy, perhaps); what came before is kept",
    }
}

fn hand_over(value: Box<RawValue>, records: &mut u64, take: &mut impl FnMut(Box<RawValue>) -> bool) -> bool {
    #[derive(serde::Deserialize)]
    struct Page {
        resources: Vec<Box<RawValue>>,
    }
    if value.get().starts_with('{')
        && let Ok(page) = serde_json::from_str::<Page>(value.get())
    {
        *records += page.resources.len() as u64;
        return page.resources.into_iter().all(take);
    }
    *records += 1;
    take(value)
}

/// The elements of an array, one by one, without holding the array.
struct Elements<'a, T> {
    take: &'a mut T,
    records: &'a mut u64,
}

impl<'de, T: FnMut(Box<RawValue>) -> bool> DeserializeSeed<'de> for Elements<'_, T> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: FnMut(Box<RawValue>) -> bool> Visitor<'de> for Elements<'_, T> {
    type Value = bool;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an array of records or pages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let mut more = true;
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            more = more && hand_over(element, self.records, self.take);
        }
        Ok(more)
    }
}
