//! `cf-billing ledger backup` and `restore`: copies of an SQLite book, made while the daemon runs, checked, compressed.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::cli::output::{grouped, note};
use crate::cli::progress::Bars;
use crate::cli::{Failure, Global};
use crate::clock::Clock;
use crate::domain::text::hexadecimal;
use crate::store::files::{self, beside};
use crate::store::{Store, StoreError};

/// Copy an SQLite book into a folder, while the daemon runs
///
/// The copy is one moment of the book. SQLite checks it as a whole before it counts. It is compressed with zstd and called
/// NAME-TIME.db.zst. PostgreSQL has its own tools for that: see docs/operations.md.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing ledger backup --out /backup --keep 30 --config /etc/cf-billing/cf-billing.toml"
)]
pub(super) struct Backup {
    /// The folder to write into, on another disk than the book
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Afterwards, delete all but so many of the newest backups of this book in the folder
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    keep: Option<u32>,
}

/// Put a backup of an SQLite book where the configuration expects the book
///
/// There must be no book: move the old one away first, with the files beside it, but leave the file that ends in `-issued`
/// where it is. It marks the numbers that were issued, so that none is issued twice.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing ledger restore /backup/cf-billing-20261130T020000Z.db.zst --config /etc/cf-billing/cf-billing.toml"
)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
}

const LEVEL: i32 = 3;
const ENDING: &str = ".db.zst";

fn about(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{}: {error}\nhint: give a folder and a file that can be read and written", path.display()))
}

/// Takes away what is only half a file, whatever ends the work on it.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        for ending in ["", "-journal", "-wal", "-shm"] {
            let _ = std::fs::remove_file(beside(&self.0, ending));
        }
    }
}

impl Backup {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let Some(book) = Store::file_of(configuration.database.url.expose())? else {
            return Err(Failure::failed(StoreError::ServerBacksUp));
        };
        if !book.is_file() {
            return Err(Failure::failed(format!(
                "there is no database at {}\nhint: set [database] url to the daemon's database, or give --database",
                book.display()
            )));
        }
        if !self.out.is_dir() {
            return Err(Failure::failed(format!(
                "{} is not a folder\nhint: make it first, on another disk than the book",
                self.out.display()
            )));
        }
        let stem = stem_of(&book);
        let name = format!("{stem}-{}{ENDING}", stamp());
        let target = self.out.join(&name);
        let bars = Bars::default();
        let copy = Unfinished(beside(&target, ".copy"));
        let bar = bars.add(0, "copying the book");
        // As it is, also where it is of an earlier version: an upgrade is what one makes a backup before.
        let copied = Store::copy(&book, &copy.0).await;
        bar.finish_and_clear();
        copied?;
        let packed = Unfinished(beside(&target, ".part"));
        let (length, digest) = pack(&copy.0, &packed.0, &bars)?;
        drop(copy);
        // What was written is what can be read.
        if unpack(&packed.0, &mut io::sink(), &bars)? != digest {
            return Err(Failure::failed(format!(
                "{} can't be read back as it was written\nhint: the disk is failing; use another",
                target.display()
            )));
        }
        std::fs::hard_link(&packed.0, &target).map_err(|error| about(&target, &error))?;
        drop(packed);
        sync_folder(&self.out)?;
        let bytes = std::fs::metadata(&target).map_or(0, |file| file.len());
        note(&format!(
            "{}: {} bytes, of a book of {} bytes; SHA-256 of the book {digest}",
            target.display(),
            grouped(bytes.cast_signed()),
            grouped(length.cast_signed())
        ));
        for old in self.keep.map_or(Ok(Vec::new()), |keep| self.outdated(&stem, keep))? {
            std::fs::remove_file(&old).map_err(|error| about(&old, &error))?;
            note(&format!("{} is deleted", old.display()));
        }
        Ok(())
    }

    /// Backups of the book beyond the newest.
    fn outdated(&self, stem: &str, keep: u32) -> Result<Vec<PathBuf>, Failure> {
        let failed = |error: io::Error| about(&self.out, &error);
        let mut backups = Vec::new();
        for entry in std::fs::read_dir(&self.out).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.file_name().and_then(|name| name.to_str()).is_some_and(|name| is_backup(name, stem)) {
                backups.push(path);
            }
        }
        // By name, which is by time.
        backups.sort();
        let outdated = backups.len().saturating_sub(keep as usize);
        backups.truncate(outdated);
        Ok(backups)
    }
}

impl Restore {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let url = configuration.database.url.expose().to_owned();
        let Some(book) = Store::file_of(&url)? else { return Err(Failure::failed(StoreError::ServerBacksUp)) };
        for ending in ["", "-wal", "-shm", "-journal"] {
            let there = beside(&book, ending);
            if there.exists() {
                return Err(Failure::failed(format!(
                    "{} is there already\nhint: stop the daemon, and move the old book away with its -wal and -shm files; leave {}-issued where it is",
                    there.display(),
                    book.display()
                )));
            }
        }
        let unpacked = Unfinished(beside(&book, ".restoring"));
        let mut file = files::create_own(&unpacked.0).map_err(|error| about(&unpacked.0, &error))?;
        let digest = unpack(&self.file, &mut file, &Bars::default())?;
        file.sync_all().map_err(|error| about(&unpacked.0, &error))?;
        drop(file);
        Store::check_copy(&unpacked.0).await?;
        std::fs::rename(&unpacked.0, &book).map_err(|error| about(&book, &error))?;
        sync_folder(book.parent().unwrap_or(Path::new(".")))?;
        note(&format!("{}: restored; SHA-256 {digest}", book.display()));
        note("`cf-billing check` says whether invoices were issued after the backup, and what to do about them");
        Ok(())
    }
}

/// What a book's backups begin with.
fn stem_of(book: &Path) -> String {
    book.file_stem().map_or_else(|| "book".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The time now as names of files have it: `20261130T020000Z`.
fn stamp() -> String {
    Clock::System.now().to_string().replace([':', '-'], "")
}

/// Whether that is the name of a backup of that book: nothing else is ever deleted.
fn is_backup(name: &str, stem: &str) -> bool {
    let stamp = name.strip_suffix(ENDING).and_then(|name| name.strip_prefix(stem)?.strip_prefix('-'));
    stamp.is_some_and(|stamp| {
        stamp.len() == 16
            && stamp.char_indices().all(|(at, letter)| match at {
                8 => letter == 'T',
                15 => letter == 'Z',
                _ => letter.is_ascii_digit(),
            })
    })
}

fn sync_folder(folder: &Path) -> Result<(), Failure> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|open| open.sync_all()).map_err(|error| about(folder, &error))
}

/// Compresses a file; gives its length and SHA-256.
fn pack(from: &Path, to: &Path, bars: &Bars) -> Result<(u64, String), Failure> {
    let source = File::open(from).map_err(|error| about(from, &error))?;
    let length = source.metadata().map_err(|error| about(from, &error))?.len();
    let failed = |error: io::Error| about(to, &error);
    let target = files::create_own(to).map_err(failed)?;
    let mut encoder = zstd::Encoder::new(BufWriter::new(target), LEVEL).map_err(failed)?;
    // Without it a bit that flips in a text is neither zstd's nor SQLite's to notice.
    encoder.include_checksum(true).map_err(failed)?;
    let bar = bars.add(length, "compressing  {bytes} of {total_bytes}");
    let digest = copy(&mut BufReader::new(source), &mut encoder, |done| bar.set_position(done)).map_err(failed)?;
    bar.finish_and_clear();
    let mut writer = encoder.finish().map_err(failed)?;
    writer.flush().and_then(|()| writer.get_ref().sync_all()).map_err(failed)?;
    Ok((length, digest))
}

/// Decompresses a backup; gives the SHA-256 of what was in it.
fn unpack(from: &Path, to: &mut impl Write, bars: &Bars) -> Result<String, Failure> {
    let failed = |error: io::Error| {
        Failure::failed(format!(
            "{}: {error}\nhint: give a whole file that `cf-billing ledger backup` made",
            from.display()
        ))
    };
    let source = File::open(from).map_err(failed)?;
    let bar = bars.add(0, "reading the backup  {bytes}");
    let mut decoder = zstd::Decoder::new(source).map_err(failed)?;
    let digest = copy(&mut decoder, to, |done| bar.set_position(done)).map_err(failed)?;
    bar.finish_and_clear();
    Ok(digest)
}

/// Copies all bytes; gives their SHA-256.
fn copy(from: &mut impl Read, to: &mut impl Write, mut progress: impl FnMut(u64)) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(hexadecimal(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        done += read as u64;
        progress(done);
    }
}

#[cfg(test)]
mod tests {
    use super::is_backup;

    #[test]
    fn only_backups_of_this_book_are_taken_for_such() {
        for (name, is) in [
            ("cf-billing-20261130T020000Z.db.zst", true),
            ("cf-billing-20261130T020000Z.db.zst.part", false),
            ("cf-billing-2026113T0020000Z.db.zst", false),
            ("cf-billing-20261130T020000Z.db", false),
            ("cf-billing-test-20261130T020000Z.db.zst", false),
            ("other-20261130T020000Z.db.zst", false),
            ("cf-billing-.db.zst", false),
            ("cf-billing", false),
        ] {
            assert_eq!(is_backup(name, "cf-billing"), is, "{name}");
        }
    }
}
