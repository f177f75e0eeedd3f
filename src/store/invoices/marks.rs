//! Marks of what was issued, outside the database: a line a number in a file that is only ever added to, written and
//! synced before the transaction commits, so that a database restored from a backup is noticed.
//! Owns the file and what it says of a book; never changes a book.
//!
//! A number has two lines: `begun` before its commit, and `issued` after it. Documents leave the process only behind the
//! second, so a number that was begun alone, and isn't in the book, has left nothing and may be used again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::store::{StoreError, files};

/// What was issued, or about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub series: String,
    /// In its series, from 1.
    pub number: i64,
    /// Documents of it may have left; `false`: its commit was begun.
    pub issued: bool,
    /// The digest of the one before it in its series.
    #[serde(default)]
    pub before: Option<String>,
    /// Its own, hexadecimal.
    pub digest: String,
    /// SHA-256 of each document that was made with it, by format.
    #[serde(default)]
    pub documents: BTreeMap<String, String>,
    /// Of a credit note: its invoice's month is invoiced anew.
    #[serde(default)]
    pub reopens: bool,
    /// What was accepted when it became final: no document says so.
    #[serde(default)]
    pub accepted: Vec<String>,
    /// Number of the rules that it was made by.
    #[serde(default = "first_rules")]
    pub rules: u32,
}

const fn first_rules() -> u32 {
    1
}

/// Where marks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// What this host adds to.
    own: PathBuf,
    /// Others' are there, too: the highest counts.
    folder: Option<PathBuf>,
}

/// Of what hosts add to in one folder.
const ENDING: &str = ".issued.jsonl";

/// So much of a file's end has the newest marks of its series, as a rule.
const END: u64 = 64 * 1024;

impl Marks {
    /// In a file beside a database file.
    #[must_use]
    pub fn beside(database: &Path) -> Self {
        let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
        let mut own = database.into_os_string();
        own.push("-issued");
        Self { own: own.into(), folder: None }
    }

    /// In a folder, which is one book's: a file for each host.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
        let host: String = host.trim().chars().map(plain).collect();
        let host = if host.is_empty() { "host".to_owned() } else { host };
        Self { own: folder.join(format!("{host}{ENDING}")), folder: Some(folder.to_owned()) }
    }

    /// Where they are, for people.
    #[must_use]
    pub fn location(&self) -> String {
        self.folder.as_ref().unwrap_or(&self.own).display().to_string()
    }

    fn failed(path: &Path, error: &io::Error) -> StoreError {
        StoreError::Marks { path: path.display().to_string(), reason: error.to_string() }
    }

    /// Adds a mark, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Marks`].
    pub(in crate::store) fn add(&self, mark: &Mark) -> Result<(), StoreError> {
        let add = || -> io::Result<()> {
            if let Some(folder) = &self.folder {
                std::fs::create_dir_all(folder)?;
            }
            let is_new = !self.own.exists();
            let mut file = OpenOptions::new().read(true).append(true).create(true).mode(files::OWN).open(&self.own)?;
            let mut line = serde_json::to_string(mark)? + "\n";
            // Half a line, of a process that died while it wrote, stays alone.
            if file.seek(SeekFrom::End(0))? > 0 {
                file.seek(SeekFrom::End(-1))?;
                let mut last = [0_u8];
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    line.insert(0, '\n');
                }
            }
            file.write_all(line.as_bytes())?;
            file.sync_data()?;
            // A new file's name is on the disk once its folder is.
            if let (true, Some(folder)) = (is_new, self.own.parent()) {
                File::open(folder)?.sync_all()?;
            }
            Ok(())
        };
        add().map_err(|error| Self::failed(&self.own, &error))
    }

    /// Its own file, and those of other hosts that can be reached.
    fn all_files(&self) -> Vec<PathBuf> {
        let mut all = vec![self.own.clone()];
        if let Some(entries) = self.folder.as_deref().and_then(|folder| std::fs::read_dir(folder).ok()) {
            let others = entries.filter_map(Result::ok).map(|entry| entry.path());
            all.extend(others.filter(|path| *path != self.own && path.to_string_lossy().ends_with(ENDING)));
        }
        all
    }

    /// The newest mark of a series: its highest number.
    ///
    /// # Errors
    /// [`StoreError::Marks`].
    pub(in crate::store) fn newest(&self, series: &str) -> Result<Option<Mark>, StoreError> {
        let mut newest: Option<Mark> = None;
        for path in self.all_files() {
            let mut of_file = last_of(&read(&path, Some(END))?, series);
            if of_file.is_none() {
                of_file = last_of(&read(&path, None)?, series);
            }
            if let Some(mark) = of_file {
                let is_newer = |newest: &Mark| (mark.number, mark.issued) > (newest.number, newest.issued);
                if newest.as_ref().is_none_or(is_newer) {
                    newest = Some(mark);
                }
            }
        }
        Ok(newest)
    }

    /// Every mark there is, by series and number; whatever was issued counts before what was only begun.
    ///
    /// # Errors
    /// [`StoreError::Marks`].
    pub fn all(&self) -> Result<HashMap<(String, i64), Mark>, StoreError> {
        let mut all: HashMap<(String, i64), Mark> = HashMap::new();
        for path in self.all_files() {
            for mark in read(&path, None)? {
                let known = all.get(&(mark.series.clone(), mark.number));
                if known.is_none_or(|known| mark.issued || !known.issued) {
                    all.insert((mark.series.clone(), mark.number), mark);
                }
            }
        }
        Ok(all)
    }
}

fn last_of(marks: &[Mark], series: &str) -> Option<Mark> {
    let of_series = marks.iter().filter(|mark| mark.series == series);
    of_series.max_by_key(|mark| (mark.number, mark.issued)).cloned()
}

/// The marks of a file, or of its end; none if it isn't there. Half a line is none.
fn read(path: &Path, end: Option<u64>) -> Result<Vec<Mark>, StoreError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        if let Some(end) = end {
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(end)))?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => {
            let lines = bytes.split(|byte| *byte == b'\n');
            Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Marks::failed(path, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: i64, issued: bool, digest: &str) -> Mark {
        let (before, documents, reopens) = (None, BTreeMap::new(), false);
        Mark {
            series: "CF".to_owned(),
            number,
            issued,
            before,
            digest: digest.to_owned(),
            documents,
            reopens,
            accepted: Vec::new(),
            rules: 1,
        }
    }

    #[test]
    fn the_highest_reachable_mark_counts_and_half_a_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let marks = Marks::within(&folder.path().join("marks"));
        assert_eq!(marks.newest("CF").unwrap(), None);
        for (number, issued) in [(1, false), (1, true), (2, false)] {
            marks.add(&mark(number, issued, "a")).unwrap();
        }
        assert_eq!(marks.newest("CF").unwrap(), Some(mark(2, false, "a")));
        assert_eq!(marks.newest("CN").unwrap(), None);
        // It died while it wrote; the next one's line is its own.
        let mut file = OpenOptions::new().append(true).open(&marks.own).unwrap();
        file.write_all(b"{\"series\":\"CF\",\"number\":3").unwrap();
        assert_eq!(marks.newest("CF").unwrap(), Some(mark(2, false, "a")));
        marks.add(&mark(2, false, "b")).unwrap();
        marks.add(&mark(2, true, "b")).unwrap();
        assert_eq!(marks.newest("CF").unwrap(), Some(mark(2, true, "b")));
        assert_eq!(marks.all().unwrap().len(), 2);
        // Another host's.
        let other = Marks { own: folder.path().join("marks/other.issued.jsonl"), ..marks.clone() };
        other.add(&mark(3, true, "c")).unwrap();
        assert_eq!(marks.newest("CF").unwrap(), Some(mark(3, true, "c")));
    }
}
