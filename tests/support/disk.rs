//! Small disks of a test's own, which can be filled.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A small disk of its own, which can be filled.
pub struct Disk {
    path: PathBuf,
    /// If it was made for it.
    folder: Option<tempfile::TempDir>,
}

impl Disk {
    pub fn new(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = Self::at(folder.path(), mebibytes, "mode=0755");
        disk.folder = Some(folder);
        disk
    }

    /// At a folder that is there, with more options of `mount`.
    pub fn at(path: &Path, mebibytes: u32, options: &str) -> Self {
        let options = format!("size={mebibytes}m,{options}");
        tool("mount", &["-t", "tmpfs", "-o", &options, "cf-billing-test", path.to_str().unwrap()]);
        Self { path: path.to_owned(), folder: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.path().join("filler")).unwrap();
        let block = [0; 4096];
        while file.write_all(&block).is_ok() {}
    }

    pub fn free(&self) {
        std::fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", self.path().to_str().unwrap()]).status();
    }
}

/// Runs a tool of the system as an administrator does.
#[track_caller]
pub fn tool(name: &str, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name} {}: {said}\nthese tests mount small disks: run them as root",
        arguments.join(" ")
    );
}
