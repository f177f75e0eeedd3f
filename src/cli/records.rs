//! Recorded JSON as a stream of values: arrays, pages (`{"resources": […]}`) or one value a line, also gzipped.
//! Owns bytes, places and bounds; what the values say is looked at in `lists.rs`.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A page may be this large: no more of a file is in memory at once.
const LARGEST_PAGE: u64 = 64 << 20;
/// A record may be this large; a usage event has some hundred bytes.
pub(super) const LARGEST_RECORD: usize = 8 << 20;
/// Unpacked bytes for each packed one that no list of events comes to (fifty are many), and from when on that counts.
const MOST_EXPANSION: u64 = 300;
const EXPANSION_COUNTS_FROM: u64 = 256 << 20;

/// What is wrong with a file, and where.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error("can't read `{file}`: {reason}\nhint: give the path of a JSON file, or - for standard input")]
    Read { file: String, reason: String },
    #[error(
        "`{file}` is empty\nhint: it must hold V3 JSON: an array, pages, or one record per line (an empty list is [])"
    )]
    Empty { file: String },
    #[error("`{file}` line {line} column {column}, after {records} records: {reason}\nhint: {hint}")]
    Json { file: String, line: usize, column: usize, records: u64, reason: String, hint: &'static str },
    #[error(
        "the file `{file}` is UTF-16, as PowerShell's > writes it\nhint: save it as UTF-8: … | Out-File -Encoding utf8 {file}"
    )]
    Utf16 { file: String },
    #[error(
        "`{file}` line {line}, after {records} records: a value is larger than {most} MiB; no page or record of Cloud Controller is that large\n\
         hint: fetch the list again, with a smaller per_page; nothing was imported"
    )]
    TooLarge { file: String, line: usize, records: u64, most: u64 },
    #[error(
        "`{file}` line {line}: it unpacks to more than {times} times its size; no list of usage events does that\n\
         hint: check that it is a list of usage events; nothing was imported"
    )]
    Bomb { file: String, line: usize, times: u64 },
    /// It isn't what it was given as.
    #[error("`{file}` {place}: {what}\nhint: {hint}; nothing was imported")]
    Refused { file: String, place: String, what: String, hint: String },
    /// The receiver wants no more.
    #[error("stopped")]
    Stopped,
}

impl RecordsError {
    /// The file ends before what it holds does, or holds no JSON from there on: what comes before is good.
    pub const fn is_cut(&self) -> bool {
        matches!(self, Self::Json { .. })
    }
}

/// A file of recorded JSON that can be read more than once.
#[derive(Debug)]
pub struct Recording {
    name: String,
    bytes: Bytes,
    /// Spans of whole pages in the order in which they are to be read, if that isn't the file's; of what is unpacked.
    order: Option<Vec<(u64, u64)>>,
}

#[derive(Debug)]
enum Bytes {
    File(PathBuf),
    /// A copy of what can be read only once.
    Copy(File),
}

/// A page, an element of an array, or what stands on a line.
#[derive(Debug)]
pub struct Value {
    pub text: Box<RawValue>,
    /// On which it begins.
    pub line: usize,
    /// The byte with which it begins.
    pub begins: u64,
}

impl Recording {
    /// Opens a file; standard input (`-`) and pipes are copied into a temporary file first.
    ///
    /// # Errors
    /// [`RecordsError::Read`].
    pub fn open(file: &Path) -> Result<Self, RecordsError> {
        let name = file.display().to_string();
        let failed = |error: io::Error| RecordsError::Read { file: name.clone(), reason: error.to_string() };
        let copied = |mut from: Box<dyn Read>| {
            let mut copy = tempfile::tempfile()?;
            io::copy(&mut from, &mut copy)?;
            Ok(Bytes::Copy(copy))
        };
        let bytes = if name == "-" {
            copied(Box::new(io::stdin())).map_err(failed)?
        } else {
            let opened = File::open(file).map_err(failed)?;
            let found = opened.metadata().map_err(failed)?;
            if found.is_file() || found.is_dir() {
                Bytes::File(file.to_owned())
            } else {
                copied(Box::new(opened)).map_err(failed)?
            }
        };
        Ok(Self { name, bytes, order: None })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many bytes it has, packed or not; 0 if that isn't known.
    pub fn length(&self) -> u64 {
        let found = match &self.bytes {
            Bytes::File(path) => std::fs::metadata(path),
            Bytes::Copy(file) => file.metadata(),
        };
        found.map_or(0, |found| found.len())
    }

    /// Has its pages read in this order from now on.
    pub fn read_in(&mut self, order: Vec<(u64, u64)>) {
        self.order = Some(order);
    }

    fn failed(&self, error: &io::Error) -> RecordsError {
        RecordsError::Read { file: self.name.clone(), reason: error.to_string() }
    }

    /// Its bytes from the first on.
    fn plain(&self) -> io::Result<File> {
        match &self.bytes {
            Bytes::File(path) => File::open(path),
            Bytes::Copy(file) => {
                let mut file = file.try_clone()?;
                file.seek(SeekFrom::Start(0))?;
                Ok(file)
            }
        }
    }

    /// Its text from the first byte on, unpacked; counts the bytes read of the file in `position`.
    fn text<'p>(&self, position: &'p AtomicU64) -> Result<Box<dyn Read + 'p>, RecordsError> {
        let plain = self.plain().map_err(|error| self.failed(&error))?;
        let mut plain = BufReader::with_capacity(1 << 16, Counted { reader: plain, position });
        let gzipped = plain.fill_buf().map_err(|error| self.failed(&error))?.starts_with(&[0x1f, 0x8b]);
        Ok(if gzipped {
            Box::new(Unpacked { reader: MultiGzDecoder::new(plain), unpacked: 0, position })
        } else {
            Box::new(plain)
        })
    }

    /// Hands each value to `take`, which gives false to stop, in the file's order.
    ///
    /// # Errors
    /// [`RecordsError`]; values handed over before it stay so.
    pub fn values(
        &self,
        mut take: impl FnMut(Value) -> Result<bool, RecordsError>,
        position: &AtomicU64,
    ) -> Result<(), RecordsError> {
        let mut text = self.text(position)?;
        let mut head = Vec::new();
        text.by_ref().take(4).read_to_end(&mut head).map_err(|error| self.failed(&error))?;
        let file = || self.name.clone();
        let at = Rc::new(At::default());
        match head[..] {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..] => {
                return Err(RecordsError::Utf16 { file: file() });
            }
            [0xef, 0xbb, 0xbf, ..] => {
                head.drain(..3);
                at.bytes.set(3);
            }
            _ => {}
        }
        let reader = BufReader::with_capacity(1 << 16, Cursor::new(head).chain(text));
        let mut source = Source { reader: Lines { reader, at: at.clone() }, name: file(), records: 0 };
        let values = source.read_all(&mut take)?;
        // A stream in which nothing happened, a record a line.
        let is_lines = [".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"].iter().any(|end| self.name.ends_with(end));
        if values == 0 && !is_lines { Err(RecordsError::Empty { file: file() }) } else { Ok(()) }
    }

    /// Hands each record's text to `take`, which gives false to stop: pages are taken apart. Counts the bytes read of the
    /// file in `position`.
    ///
    /// # Errors
    /// [`RecordsError`]; records handed over before it stay so.
    pub fn records(
        &self,
        position: &AtomicU64,
        mut take: impl FnMut(Box<RawValue>) -> bool,
    ) -> Result<(), RecordsError> {
        let Some(order) = &self.order else {
            return self.values(
                |value| if hand_over(value.text, &mut take) { Ok(true) } else { Err(RecordsError::Stopped) },
                position,
            );
        };
        let mut text = self.seekable(position)?;
        for (begins, length) in order {
            let mut page = vec![0; usize::try_from(*length).unwrap_or_default()];
            let read = text.seek(SeekFrom::Start(*begins)).and_then(|_| text.read_exact(&mut page));
            read.map_err(|error| self.failed(&error))?;
            let page = serde_json::from_slice(&page).map_err(|_| RecordsError::Read {
                file: self.name.clone(),
                reason: "it changed while it was being read".to_owned(),
            })?;
            if !hand_over(page, &mut take) {
                return Err(RecordsError::Stopped);
            }
        }
        Ok(())
    }

    /// Its text in a file.
    fn seekable(&self, position: &AtomicU64) -> Result<File, RecordsError> {
        let mut magic = [0; 2];
        let failed = |error: io::Error| self.failed(&error);
        let mut plain = self.plain().map_err(failed)?;
        let read = plain.read(&mut magic).map_err(failed)?;
        if magic[..read] != [0x1f, 0x8b] {
            return Ok(plain);
        }
        let mut copy = tempfile::tempfile().map_err(failed)?;
        io::copy(&mut self.text(position)?, &mut copy).map_err(failed)?;
        Ok(copy)
    }
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

/// Unpacks, and gives up where no honest file would come to.
struct Unpacked<'p, R> {
    reader: R,
    unpacked: u64,
    position: &'p AtomicU64,
}

/// Tells that an input unpacks to more than any list does, which no read of a file does.
const EXPANDS: io::ErrorKind = io::ErrorKind::QuotaExceeded;

impl<R: Read> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.unpacked += read as u64;
        let most = self.position.load(Ordering::Relaxed).saturating_mul(MOST_EXPANSION);
        if self.unpacked > EXPANSION_COUNTS_FROM && self.unpacked > most {
            return Err(io::Error::from(EXPANDS));
        }
        Ok(read)
    }
}

/// Where reading is.
#[derive(Debug, Default)]
struct At {
    lines: Cell<usize>,
    bytes: Cell<u64>,
    /// Bytes that the value being read may still have.
    left: Cell<u64>,
}

/// Counts what is read, so that an error can say where it is, and bounds each value.
struct Lines<R> {
    reader: BufReader<R>,
    at: Rc<At>,
}

/// Tells that a value is larger than anything that is read, which no read of a file does.
const LARGER: io::ErrorKind = io::ErrorKind::FileTooLarge;

impl<R: Read> Lines<R> {
    /// Skips white space; gives the byte that follows, which stays unread.
    fn next_byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let Some(first) = buffer.first().copied() else { return Ok(None) };
            if !first.is_ascii_whitespace() {
                return Ok(Some(first));
            }
            self.at.lines.set(self.at.lines.get() + usize::from(first == b'\n'));
            self.at.bytes.set(self.at.bytes.get() + 1);
            self.reader.consume(1);
        }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.at.left.get();
        if left == 0 {
            return Err(io::Error::from(LARGER));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.reader.read(&mut buffer[..most])?;
        let lines = buffer[..read].iter().filter(|byte| **byte == b'\n').count();
        self.at.lines.set(self.at.lines.get() + lines);
        self.at.bytes.set(self.at.bytes.get() + read as u64);
        self.at.left.set(left - read as u64);
        Ok(read)
    }
}

struct Source<R> {
    reader: Lines<R>,
    name: String,
    records: u64,
}

impl<R: Read> Source<R> {
    /// Reads to the end; gives how many values there were on the outside.
    fn read_all(&mut self, take: &mut impl FnMut(Value) -> Result<bool, RecordsError>) -> Result<u64, RecordsError> {
        let mut values = 0_u64;
        let at = self.reader.at.clone();
        loop {
            let line = at.lines.get();
            let first = match self.reader.next_byte() {
                Ok(Some(first)) => first,
                Ok(None) => return Ok(values),
                Err(error) => return Err(self.at(line, &serde_json::Error::io(error))),
            };
            let line = at.lines.get();
            values += 1;
            at.left.set(LARGEST_PAGE);
            let mut refused = None;
            let mut records = 0;
            let mut taken = |text: Box<RawValue>| {
                records += 1;
                let begins = at.bytes.get() - text.get().len() as u64;
                let within = text.get().bytes().filter(|byte| *byte == b'\n').count();
                let value = Value { line: at.lines.get() - within + 1, begins, text };
                at.left.set(LARGEST_PAGE);
                take(value).unwrap_or_else(|error| {
                    refused = Some(error);
                    false
                })
            };
            let result = match first {
                b'[' => {
                    let mut deserializer = serde_json::Deserializer::from_reader(&mut self.reader);
                    Elements { take: &mut taken }.deserialize(&mut deserializer)
                }
                b'{' => {
                    let mut deserializer = serde_json::Deserializer::from_reader(&mut self.reader);
                    let value = <Box<RawValue> as serde::Deserialize>::deserialize(&mut deserializer);
                    value.map(taken)
                }
                _ => Err(serde::de::Error::custom("not an object or an array")),
            };
            self.records += records;
            if let Some(error) = refused {
                return Err(error);
            }
            match result {
                Ok(true) => {}
                Ok(false) => return Err(RecordsError::Stopped),
                Err(error) => return Err(self.at(line, &error)),
            }
        }
    }

    /// The error with its place in the file; `line` is the number of lines before its value.
    fn at(&self, line: usize, error: &serde_json::Error) -> RecordsError {
        let (file, records, now) = (self.name.clone(), self.records, self.reader.at.lines.get() + 1);
        if error.io_error_kind() == Some(LARGER) {
            return RecordsError::TooLarge { file, line: now, records, most: LARGEST_PAGE >> 20 };
        }
        if error.io_error_kind() == Some(EXPANDS) {
            return RecordsError::Bomb { file, line: now, times: MOST_EXPANSION };
        }
        RecordsError::Json {
            file,
            line: line + error.line().max(1),
            column: error.column(),
            records,
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
            "the file is cut short: fetch it again; what was read before is kept, and the import goes on from there"
        }
        serde_json::error::Category::Io => {
            "the file can't be read to its end (cut short, or not gzip): fetch it again; what was read before is kept"
        }
        _ => "this is not V3 JSON (perhaps a proxy's HTML page); what was read before is kept",
    }
}

/// The records of a page, or the record that a value is.
fn hand_over(value: Box<RawValue>, mut take: impl FnMut(Box<RawValue>) -> bool) -> bool {
    #[derive(serde::Deserialize)]
    struct Page {
        resources: Vec<Box<RawValue>>,
    }
    if value.get().starts_with('{')
        && let Ok(page) = serde_json::from_str::<Page>(value.get())
    {
        return page.resources.into_iter().all(take);
    }
    take(value)
}

/// The elements of an array, one by one, without holding the array.
struct Elements<'a, T> {
    take: &'a mut T,
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
        while let Some(element) = elements.next_element::<Box<RawValue>>()? {
            if !(self.take)(element) {
                // What follows would only be skipped over.
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Read};
    use std::sync::atomic::AtomicU64;

    use super::{EXPANDS, EXPANSION_COUNTS_FROM, MOST_EXPANSION, Unpacked};

    #[test]
    fn what_expands_beyond_any_list_is_given_up() {
        let read = |packed: u64, unpacked: u64| {
            let position = AtomicU64::new(packed);
            let reader = Unpacked { reader: io::repeat(b' ').take(unpacked), unpacked: 0, position: &position };
            io::copy(&mut io::BufReader::with_capacity(1 << 20, reader), &mut io::sink()).map_err(|error| error.kind())
        };
        // However small the file: so much may be.
        assert_eq!(read(1, EXPANSION_COUNTS_FROM), Ok(EXPANSION_COUNTS_FROM));
        assert_eq!(read(1, EXPANSION_COUNTS_FROM + 1), Err(EXPANDS));
        let packed = EXPANSION_COUNTS_FROM / MOST_EXPANSION + 10;
        assert_eq!(read(packed, packed * MOST_EXPANSION), Ok(packed * MOST_EXPANSION));
        assert_eq!(read(packed, packed * MOST_EXPANSION + 1), Err(EXPANDS));
    }
}
