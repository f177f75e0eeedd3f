//! The file of an SQLite book: that it is the one that was opened, and that none is made where one is expected.
//! Owns the marker beside it and what tells two files apart; reads nothing of the book.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::files::{self, beside};

/// Whether a book is to be made where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Making {
    /// Unless the marker beside it says that one is expected there.
    #[default]
    Unexpected,
    /// Also then: the old one is lost, and somebody said so.
    Always,
    Never,
}

/// A file by what it is, not by what it is called.
#[derive(Clone, Debug)]
pub(super) struct BookFile {
    path: PathBuf,
    /// Device and inode; `None` for a book that is no file.
    identity: Option<(u64, u64)>,
    /// Of the log beside it, in which what isn't merged yet stands.
    log: Option<(u64, u64)>,
}

impl BookFile {
    /// The file as it is now.
    pub fn opened(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path), log: identity(&beside(path, "-wal")) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SQLite goes on with a file that was moved or deleted, and nobody would ever see what it writes.
    pub fn check(&self) -> Result<(), StoreError> {
        let Some(opened) = self.identity else { return Ok(()) };
        let path = || self.path.display().to_string();
        match identity(&self.path) {
            Some(found) if found == opened => Ok(()),
            Some(_) => Err(StoreError::Replaced(path())),
            None => Err(StoreError::Gone(path())),
        }
    }
}

impl BookFile {
    /// Puts the log aside that is left of the book where another file took its place: SQLite would apply it to that one.
    pub fn set_log_aside(&self) {
        let log = beside(&self.path, "-wal");
        if self.log.is_none() || identity(&log) != self.log {
            return;
        }
        for ending in ["-wal", "-shm"] {
            let from = beside(&self.path, ending);
            let to = beside(&self.path, &format!("{ending}.replaced"));
            match std::fs::rename(&from, &to) {
                Ok(()) => tracing::warn!(
                    "`{}` belongs to the book that was replaced: it is `{}` now",
                    from.display(),
                    to.display()
                ),
                Err(error) => tracing::error!("can't put `{}` aside: {error}", from.display()),
            }
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// The file beside a book that says that it is expected there.
pub(super) fn marker(book: &Path) -> PathBuf {
    beside(book, ".expected")
}

/// Says beside the book that it is expected. Where that can't be written, nothing is said.
pub(super) fn expect(book: &Path) {
    const TEXT: &str = "cf-billing keeps its book in the file beside this one, of the same name without `.expected`.\n\
         As long as this file is here, no new book is made where the old one is missing.\n";
    let marker = marker(book);
    if book.is_file() && !marker.exists() {
        // Opening succeeds without it: reading a book takes no right to write beside it.
        let _ = files::write(&marker, TEXT.as_bytes());
    }
}

/// Refuses to make a book where `making` doesn't allow one.
pub(super) fn may_make(book: &Path, making: Making) -> Result<(), StoreError> {
    let path = || book.display().to_string();
    // A log without its book is what is left of one.
    let log = beside(book, "-wal");
    let log_is_left = std::fs::metadata(&log).is_ok_and(|log| log.len() > 0);
    let expected = |witness: &Path| StoreError::Expected { path: path(), witness: witness.display().to_string() };
    match making {
        Making::Never => Err(StoreError::NoBook(path())),
        Making::Unexpected if marker(book).exists() => Err(expected(&marker(book))),
        Making::Unexpected if log_is_left => Err(expected(&log)),
        Making::Unexpected | Making::Always => may_own(book),
    }
}

/// What root makes in the folder of a service, the service can't write.
fn may_own(book: &Path) -> Result<(), StoreError> {
    let owner = |path: &Path| std::fs::metadata(path).map(|found| found.uid()).ok();
    let folder = book.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Of root's own process.
    let (me, theirs) = (owner(Path::new("/proc/self")), owner(folder));
    match theirs {
        Some(uid) if me == Some(0) && uid != 0 => {
            Err(StoreError::Foreign { path: book.display().to_string(), folder: folder.display().to_string(), uid })
        }
        _ => Ok(()),
    }
}
