//! Files that this program makes: what is in them isn't for everybody. An existing file keeps its mode.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Of what belongs to the program alone: its database and the locks beside it.
pub(in crate::store) const OWN: u32 = 0o600;
/// Of what is made for others: a group may be let read it.
const FOR_OTHERS: u32 = 0o640;

/// Makes a file for others to read, or empties the one there is.
///
/// # Errors
/// If it can't be.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(FOR_OTHERS).open(path)
}

/// Makes a file for others to read; there must be none.
///
/// # Errors
/// If it can't be.
pub fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FOR_OTHERS).open(path)
}

/// Makes a file for nobody else to read; there must be none.
///
/// # Errors
/// If it can't be.
pub fn create_own(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(OWN).open(path)
}

/// Writes a whole file for others to read.
///
/// # Errors
/// If it can't be.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    create(path)?.write_all(bytes)
}

/// The path with more at its end: a file beside another.
#[must_use]
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Makes an empty database if there is none: SQLite gives the files beside it the same mode.
pub(in crate::store) fn prepare_database(path: &Path) {
    // If it can't be made, opening it says why; in memory there is none.
    let in_memory = path.as_os_str().is_empty() || path.to_string_lossy().contains(":memory:");
    if !in_memory {
        let _ = OpenOptions::new().write(true).create_new(true).mode(OWN).open(path);
    }
}
