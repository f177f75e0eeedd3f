//! Locks between processes, as files beside the database: the system drops them when their process dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::StoreError;

/// Held while a database is made or brought up to date: two processes that do both at once disturb each other.
/// `None` where no file can be made beside the database; opening then says why.
pub(super) async fn opening(database: &Path) -> Option<File> {
    let file = lock_file(database, "opening").ok()?;
    tokio::task::spawn_blocking(move || file.lock().ok().map(|()| file)).await.ok()?
}

/// Held by the one process that collects into a database. Others may work beside it.
#[derive(Debug)]
pub struct CollectorLock {
    _file: File,
}

impl CollectorLock {
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = database.display().to_string();
        let failed = |reason: std::io::Error| StoreError::Open {
            path: path.clone(),
            reason: reason.to_string(),
            hint: "the folder must exist and be writable",
        };
        let file = lock_file(database, "collector").map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Collected(path)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

fn lock_file(database: &Path, purpose: &str) -> std::io::Result<File> {
    let mut name = database.as_os_str().to_owned();
    name.push(format!("-{purpose}.lock"));
    OpenOptions::new().create(true).truncate(false).write(true).open(PathBuf::from(name))
}
