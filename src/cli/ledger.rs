//! `cf-billing ledger`: the whole book as one file, out of one database and into another.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::output::{grouped, note};
use super::progress::Bars;
use super::{Failure, Global};
use crate::store::{TransferError, Transferred};

/// Move the book from one database to another
#[derive(Debug, clap::Args)]
pub struct Ledger {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    Export(Export),
    Import(Import),
}

/// Write everything in the database to one file
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
            LedgerCommand::Export(export) => export.run(global).await,
            LedgerCommand::Import(import) => import.run(global).await,
        }
    }
}

impl Export {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let failed = |error: std::io::Error| about(&self.out, &error);
        let file = File::create_new(&self.out).map_err(failed)?;
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
        let failed = |error: std::io::Error| about(&self.file, &error);
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

fn about(file: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{}: {error}\nhint: give the path of a file that can be read or made", file.display()))
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
