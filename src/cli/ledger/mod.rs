//! `cf-billing ledger`: the book verified, attested, rebuilt, and as one file, out of one database and into another.

mod attest;
mod backup;
mod chains;
mod verify;

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;

use clap::Subcommand;

use super::output::{grouped, note};
use super::progress::Bars;
use super::run::not_in_a_container;
use super::scratch::Scratch;
use super::{Failure, Global};
use crate::consumer::{rebuild, same_ledger};
use crate::store::files;
use crate::store::{Making, TransferError, Transferred};
use attest::{Attest, file_failed};
use backup::{Backup, Restore};
use verify::Verify;

/// Verify, attest, rebuild, back up and restore the ledger, and move the book from one database to another
#[derive(Debug, clap::Args)]
pub struct Ledger {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Init(Init),
    Verify(Verify),
    Attest(Attest),
    Rebuild(Rebuild),
    Export(Export),
    Import(Import),
    Backup(Backup),
    Restore(Restore),
}

/// Make the book, and end
///
/// Do this once, to set up a service that runs with `run --no-create`, or when a book is lost for good. An existing book
/// is left as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing ledger init --config /etc/cf-billing/cf-billing.toml")]
struct Init {}

impl Init {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        not_in_a_container(&configuration)?;
        let store = Global::try_open_making(&configuration, Making::Always).await?;
        note(&format!("The book is in {}", store.location()));
        store.close().await;
        Ok(())
    }
}

/// Fold the whole archive again, and compare the result with the ledger
///
/// Works in a database of its own in $TMPDIR, which is removed afterwards. Every ledger entry and every open interval must
/// be the same. What is pruned is taken as it was sealed. Ends with 1 if something differs. Names that the archive tells
/// and the ledger lacks (earlier versions left out what was told late) are noted in the ledger.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing ledger rebuild --foundation eu1")]
struct Rebuild {
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
}

/// Write the whole database to one file
///
/// As it is at that moment; a daemon may go on meanwhile. The file is JSON, a row a line, compressed with zstd, with a
/// digest of all rows at its end.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing ledger export --out book.jsonl.zst --database sqlite:///var/lib/cf-billing/cf-billing.db"
)]
struct Export {
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Fill an empty database with an exported book
///
/// All of it or nothing: what was written is read back and compared with the file's digest first. A daemon on the new
/// database goes on where the book stops; let no daemon go on with the old one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing ledger import book.jsonl.zst --database postgres://cf-billing@db.example.org/cf-billing"
)]
struct Import {
    /// The file to read
    file: PathBuf,
}

const LEVEL: i32 = 3;
/// The bar moves once in so many rows.
const EVERY: u64 = 1000;

impl Ledger {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            LedgerCommand::Init(init) => init.run(global).await,
            LedgerCommand::Verify(verify) => verify.run(global).await,
            LedgerCommand::Attest(attest) => attest.run(global).await,
            LedgerCommand::Rebuild(rebuild) => rebuild.run(global).await,
            LedgerCommand::Export(export) => export.run(global).await,
            LedgerCommand::Import(import) => import.run(global).await,
            LedgerCommand::Backup(backup) => backup.run(global).await,
            LedgerCommand::Restore(restore) => restore.run(global).await,
        }
    }
}

impl Rebuild {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let scratch = Scratch::new().await?;
        let mut problems = Vec::new();
        let mut found = false;
        for head in store.foundations().await? {
            if self.foundation.as_ref().is_some_and(|name| *name != head.name) {
                continue;
            }
            found = true;
            let bar = Bars::default().add(head.last_sequence, "rebuilding  {human_pos} of {human_len} inputs");
            let rebuilt = rebuild(&store, &head, &scratch.store, None, |sequence| bar.set_position(sequence)).await;
            bar.finish_and_clear();
            let rebuilt = rebuilt.map_err(Failure::failed)?;
            let name = &head.name;
            if let Some(difference) = same_ledger(&store, &head, &scratch.store, &rebuilt.head).await? {
                problems.push(format!("{name}: {difference}"));
                continue;
            }
            if !rebuilt.newer_names.is_empty() {
                store.note_names(&head, &rebuilt.newer_names).await?;
            }
            if rebuilt.renamed > 0 {
                note(&format!("{name}: {} names that were missing or outdated are now recorded", rebuilt.renamed));
            }
            let sealed = match rebuilt.sealed {
                0 => String::new(),
                sealed => format!(", on top of the seal of {} before them", grouped(sealed.cast_signed())),
            };
            note(&format!(
                "{name}: {} inputs folded again{sealed}: the same {} ledger entries, the same open intervals",
                grouped(rebuilt.inputs.cast_signed()),
                grouped(rebuilt.head.last_entry.cast_signed())
            ));
        }
        scratch.store.close().await;
        store.close().await;
        if let Some(name) = self.foundation.filter(|_| !found) {
            return Err(Failure::failed(format!("there is no foundation `{name}` in the database")));
        }
        match problems.last_mut() {
            None => Ok(()),
            Some(last) => {
                last.push_str(
                    "\nhint: `ledger verify` tells whether a row was changed; if none was, please report this",
                );
                Err(Failure { code: 1, problems })
            }
        }
    }
}

impl Export {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let failed = |error: std::io::Error| file_failed(&self.out, &error);
        let file = files::create_new(&self.out).map_err(failed)?;
        let mut writer = zstd::Encoder::new(BufWriter::new(file), LEVEL).map_err(failed)?;
        let bar = Bars::default().add(0, "exporting  {human_pos} rows");
        let exported = store
            .export(
                |line| {
                    writer.write_all(line.as_bytes())?;
                    writer.write_all(b"\n")
                },
                |rows| {
                    if rows.is_multiple_of(EVERY) {
                        bar.set_position(rows);
                    }
                },
            )
            .await;
        bar.finish_and_clear();
        let exported = match exported {
            Ok(exported) => exported,
            Err(error) => {
                let _ = std::fs::remove_file(&self.out);
                return Err(Failure::failed(error));
            }
        };
        let mut file = writer.finish().map_err(failed)?;
        file.flush().and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
        tell("exported", &exported, &store.location());
        store.close().await;
        Ok(())
    }
}

impl Import {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let failed = |error: std::io::Error| file_failed(&self.file, &error);
        let file = File::open(&self.file).map_err(failed)?;
        let reader = BufReader::new(zstd::Decoder::new(file).map_err(failed)?);
        let store = Global::open(&configuration).await?;
        let _alone = store.collector_lock()?;
        let bar = Bars::default().add(0, "importing  {human_pos} rows");
        let progress = |rows: u64| {
            if rows.is_multiple_of(EVERY) {
                bar.set_position(rows);
            }
        };
        let filled = store.fill(reader.lines(), progress).await;
        bar.finish_and_clear();
        let filled = filled.map_err(|error| match error {
            TransferError::File { .. } => Failure::failed(format!("{}: {error}", self.file.display())),
            error => Failure::failed(error),
        })?;
        tell("imported and read back the same", &filled, &store.location());
        store.close().await;
        Ok(())
    }
}

fn tell(done: &str, moved: &Transferred, location: &str) {
    note(&format!(
        "{location}: {done}: {} rows, of them {} ledger entries and {} invoices; SHA-256 {}",
        grouped(moved.rows.cast_signed()),
        grouped(moved.ledger_entries.cast_signed()),
        grouped(moved.invoices.cast_signed()),
        moved.digest,
    ));
}
