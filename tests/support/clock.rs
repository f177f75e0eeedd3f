//! A clock of its own for a process, which a test sets: by libfaketime.

use super::program::path;

/// A file that the process reads its clock from.
pub struct FakeClock {
    folder: tempfile::TempDir,
}

impl FakeClock {
    /// Right, so far.
    pub fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().unwrap() };
        clock.set(0);
        clock
    }

    /// By so many seconds it is ahead; the process sees so at once.
    pub fn set(&self, ahead: i64) {
        // At once: a file that is half written is no clock.
        let (file, new) = (self.folder.path().join("clock"), self.folder.path().join("clock.new"));
        std::fs::write(&new, format!("{ahead:+}\n")).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    /// For the environment of the process.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", library()),
            ("FAKETIME_TIMESTAMP_FILE", path(&self.folder.path().join("clock")).to_owned()),
            // Files keep their times, and spans their lengths: only the time of day is another.
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
            ("FAKETIME_NO_CACHE", "1".to_owned()),
        ]
    }
}

fn library() -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|file| file.exists());
    path(&found.expect("libfaketime is missing: install faketime")).to_owned()
}
