//! A book of its own for one command, gone when the command is done.

use std::path::PathBuf;

use super::Failure;
use crate::store::Store;

/// A fresh database in a folder of its own, removed when dropped.
pub(super) struct Scratch {
    pub store: Store,
    folder: PathBuf,
}

impl Scratch {
    pub async fn new() -> Result<Self, Failure> {
        let folder = std::env::temp_dir().join(format!("cf-billing-scratch-{}", std::process::id()));
        let failed = |error: std::io::Error| {
            let hint = "set TMPDIR to a folder with room for as much as the database has";
            Failure::failed(format!("can't make `{}`: {error}\nhint: {hint}", folder.display()))
        };
        std::fs::create_dir(&folder).map_err(failed)?;
        let store = Store::open(&format!("sqlite://{}", folder.join("scratch.db").display())).await?;
        Ok(Self { store, folder })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing in it is needed; what can't be removed is left to whoever tidies that folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
