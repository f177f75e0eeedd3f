//! Locks between processes, as files beside the database: the system drops them when their process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::mem::ManuallyDrop;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::store::{StoreError, files};

/// Held while a database is made or brought up to date: two processes that do both at once disturb each other.
/// `None` where no file can be made beside the database; opening then says why.
pub(in crate::store) async fn opening(database: &Path) -> Option<File> {
    let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let file = lock_file(&database, "opening").ok()?;
    tokio::task::spawn_blocking(move || file.lock().ok().map(|()| file)).await.ok()?
}

/// Held by the one process that collects into a database. Others may work beside it.
///
/// Two locks: a file beside the database, by its name, and one on the database itself, which another name of it (a hard
/// link, a mount) doesn't get around.
#[derive(Debug)]
pub struct CollectorLock {
    _file: File,
    /// Never closed: that would drop the locks that SQLite has on the same file.
    identity: ManuallyDrop<Option<File>>,
}

impl Drop for CollectorLock {
    fn drop(&mut self) {
        if let Some(file) = &*self.identity {
            // Ends with the process in any case.
            let _ = file.unlock();
        }
    }
}

impl CollectorLock {
    pub(in crate::store) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = database.display().to_string();
        let failed = |reason: std::io::Error| StoreError::Open {
            path: path.clone(),
            reason: reason.to_string(),
            hint: "the folder must exist and be writable",
        };
        let database = database.canonicalize().unwrap_or_else(|_| database.to_owned());
        let file = lock_file(&database, "collector").map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Collected(path)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let identity = ManuallyDrop::new(File::open(&database).ok());
        if let Some(Err(TryLockError::WouldBlock)) = identity.as_ref().map(File::try_lock) {
            return Err(StoreError::Collected(path));
        }
        Ok(Self { _file: file, identity })
    }
}

/// Refuses a second name of a file that is being collected into: SQLite keeps its log beside the name, so that two names
/// make two books of one file, and destroy both.
pub(in crate::store) fn refuse_another_name(database: &Path) -> Result<(), StoreError> {
    let Ok(found) = std::fs::metadata(database) else { return Ok(()) };
    if found.nlink() < 2 {
        return Ok(());
    }
    let canonical = database.canonicalize().unwrap_or_else(|_| database.to_owned());
    let by_name = lock_file(&canonical, "collector").ok();
    let held_by_name = by_name.is_some_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)));
    let by_identity = ManuallyDrop::new(File::open(&canonical).ok());
    match by_identity.as_ref().map(File::try_lock) {
        Some(Err(TryLockError::WouldBlock)) if !held_by_name => {
            Err(StoreError::AnotherName(database.display().to_string()))
        }
        Some(Ok(())) => {
            let _ = by_identity.as_ref().map(File::unlock);
            Ok(())
        }
        _ => Ok(()),
    }
}

fn lock_file(database: &Path, purpose: &str) -> std::io::Result<File> {
    let name = files::beside(database, &format!("-{purpose}.lock"));
    OpenOptions::new().create(true).truncate(false).write(true).mode(files::OWN).open(name)
}
