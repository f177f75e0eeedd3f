//! `cf-billing invoices export`: documents as files, one invoice's or thousands'.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::Failure;
use super::super::audit::note_opened;
use super::super::output::note;
use super::super::progress::Bars;
use super::{account_meant, find};
use crate::billing_run::{Sender, document, issue_of, subject_of};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::documents::Format;
use crate::documents::focus::Writer;
use crate::domain::text::hexadecimal;
use crate::domain::{Act, Deed, Month};
use crate::invoicing::Status;
use crate::store::files;
use crate::store::{InvoiceFilter, Store, StoredInvoice};

/// Write documents into a folder: of one invoice, of an account, or of a period
///
/// A final invoice's documents are made once and exported as they were made; drafts are rendered each time. Existing
/// files with the same bytes are left alone, so an interrupted export can be repeated. An existing file with other bytes
/// under the name of a final document is reported and left alone, too. FOCUS is one file for all invoices.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing invoices export CF-000001 --format pdf --out invoices
  cf-billing invoices export --period 2026-10 --format facturx --out invoices
  cf-billing invoices export --period 2026-10 --format focus --out focus")]
pub(super) struct Export {
    /// A number, or the id that `list` shows; all of --period and --account if left out
    invoice: Option<String>,
    /// Only this month
    #[arg(long, value_name = "YYYY-MM", conflicts_with = "invoice")]
    period: Option<Month>,
    /// Only this account: its id, or its name
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "invoice")]
    account: Option<String>,
    /// Also drafts, where several are exported
    #[arg(long, conflicts_with = "invoice")]
    drafts: bool,
    #[arg(long, value_enum)]
    format: ExportFormat,
    /// The folder; made if it isn't there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ExportFormat {
    Pdf,
    Html,
    Csv,
    Json,
    Ubl,
    Facturx,
    Focus,
    FocusParquet,
}

/// What the audit log has of a document.
fn opened(stored: &StoredInvoice, format: &str) -> Act {
    Act { deed: Deed::DocumentOpened, subject: stored.title(), before: None, after: Some(json!({ "format": format })) }
}

impl ExportFormat {
    const fn name(self) -> &'static str {
        match self.document() {
            Some(format) => format.name(),
            None => "focus",
        }
    }

    /// `None`: one file for all.
    const fn document(self) -> Option<Format> {
        Some(match self {
            Self::Pdf => Format::Pdf,
            Self::Html => Format::Html,
            Self::Csv => Format::Csv,
            Self::Json => Format::Json,
            Self::Ubl => Format::Ubl,
            Self::Facturx => Format::Facturx,
            Self::Focus | Self::FocusParquet => return None,
        })
    }
}

impl Export {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let sender = Sender::new(&configuration.billing);
        std::fs::create_dir_all(&self.out).map_err(|error| cannot(&self.out, &error))?;
        let account = account_meant(configuration, store, self.account.as_deref(), self.period).await?;
        let wanted = self.wanted(store, account.clone()).await?;
        // Before they are: what can't be noted isn't written.
        let format = self.format.name();
        let opened: Vec<Act> = wanted.iter().map(|stored| opened(stored, format)).collect();
        note_opened(store, &opened).await?;
        match self.format.document() {
            Some(format) => self.documents(store, &sender, &wanted, format).await,
            None => self.focus(store, &sender, &wanted, account.as_deref()).await,
        }
    }

    /// What is to be exported; lines are read when it is its turn.
    async fn wanted(&self, store: &Store, account: Option<String>) -> Result<Vec<StoredInvoice>, Failure> {
        if let Some(invoice) = &self.invoice {
            return Ok(vec![find(store, invoice).await?]);
        }
        if self.period.is_none() && self.account.is_none() {
            return Err(Failure::usage(
                "nothing to export was named\nhint: give a number, or --period 2026-10, or --account",
            ));
        }
        let filter = InvoiceFilter { month: self.period, status: None, account };
        let mut wanted = store.invoices(&filter).await?;
        wanted.retain(|stored| self.drafts || stored.status == Status::Final);
        if wanted.is_empty() {
            let hint = "--drafts exports drafts, too; `invoices list` shows all invoices";
            return Err(Failure::failed(format!("there is no final invoice to export\nhint: {hint}")));
        }
        Ok(wanted)
    }

    async fn documents(
        &self,
        store: &Store,
        sender: &Sender,
        wanted: &[StoredInvoice],
        format: Format,
    ) -> Result<(), Failure> {
        let bar = Bars::default().add(wanted.len() as u64, "exporting  {human_pos} of {human_len} documents");
        let (mut written, mut there) = (0_usize, 0_usize);
        let mut problems = Vec::new();
        for listed in wanted {
            let name = listed.number.clone().unwrap_or_else(|| format!("draft-{}", listed.id));
            let file = self.out.join(format.file_name(&name));
            let stored = again(store, listed).await?;
            match document(store, &Clock::System, sender, &stored, format).await {
                Ok(bytes) => match there_already(&file, listed)? {
                    Some(found) if found == bytes => there += 1,
                    Some(found) => problems.push(other_bytes(store, &file, listed, &found, &bytes).await?),
                    None => {
                        write_whole(&file, &bytes)?;
                        written += 1;
                    }
                },
                // What one lacks keeps no other from being written.
                Err(error) => problems.push(error.to_string()),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let left = if there > 0 { format!("; {there} already existed") } else { String::new() };
        note(&format!("{written} document(s) written to {}{left}", self.out.display()));
        if problems.is_empty() { Ok(()) } else { Err(Failure { code: 1, problems }) }
    }

    async fn focus(
        &self,
        store: &Store,
        sender: &Sender,
        wanted: &[StoredInvoice],
        account: Option<&str>,
    ) -> Result<(), Failure> {
        let what = match (&self.invoice, self.period) {
            (Some(invoice), _) => invoice.replace('/', "-"),
            (None, Some(month)) => month.to_string(),
            (None, None) => "all".to_owned(),
        };
        let what = what + &account.map(|account| format!("_{}", in_file_name(account))).unwrap_or_default();
        let (name, columnar) = match self.format {
            ExportFormat::FocusParquet => (format!("focus-{what}.parquet"), true),
            _ => (format!("focus-{what}.csv"), false),
        };
        let file = self.out.join(name);
        // Half a file is never under its name.
        let begun = self.out.join(format!(".{}.begun", std::process::id()));
        let output = BufWriter::new(files::create(&begun).map_err(|error| cannot(&begun, &error))?);
        let mut writer =
            if columnar { Writer::parquet(output) } else { Writer::csv(output) }.map_err(Failure::failed)?;
        let bar = Bars::default().add(wanted.len() as u64, "exporting  {human_pos} of {human_len} invoices");
        for listed in wanted {
            let stored = again(store, listed).await?;
            let issue = issue_of(&stored);
            writer.write(&subject_of(&stored, issue.as_ref(), sender.look_for_data())).map_err(Failure::failed)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        writer.finish().map_err(Failure::failed)?;
        store.settle_marks().await?;
        std::fs::rename(&begun, &file).map_err(|error| cannot(&file, &error))?;
        note(&format!("{} invoice(s) written to {}", wanted.len(), file.display()));
        Ok(())
    }
}

/// An account's id as part of a file's name, of no two ids the same.
fn in_file_name(account: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '.');
    if account.len() <= 100 && account.chars().all(is_plain) {
        return account.to_owned();
    }
    // Some file systems take upper case for lower case; none takes a slash.
    let plain: String = account.chars().take(60).map(|letter| if is_plain(letter) { letter } else { '-' }).collect();
    format!("{plain}_{}", &hexadecimal(&Sha256::digest(account))[..12])
}

/// What is under the name of a final invoice's document; drafts' files are written anew.
fn there_already(file: &Path, stored: &StoredInvoice) -> Result<Option<Vec<u8>>, Failure> {
    if stored.status != Status::Final {
        return Ok(None);
    }
    match std::fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!(
            "can't read the existing file `{}`: {error}\nhint: move it away, or give another folder with --out",
            file.display()
        ))),
    }
}

/// A file that isn't what is to be written under its name: whose it is, if the book knows it, and what to do.
async fn other_bytes(
    store: &Store,
    file: &Path,
    stored: &StoredInvoice,
    found: &[u8],
    kept: &[u8],
) -> Result<String, Failure> {
    let number = stored.number.as_deref().unwrap_or_default();
    let [theirs, ours] = [found, kept].map(|bytes| hexadecimal(&Sha256::digest(bytes)));
    let whose = match store.document_by_hash(&theirs).await? {
        Some((of, format)) => format!("it is the {format} document of {of}"),
        None => "no invoice of this book has it: it comes from another book, or was changed".to_owned(),
    };
    Ok(format!(
        "`{}` exists and differs from the document of {number}: {} bytes, SHA-256 {theirs}, instead of {}, {ours}; {whose}\n\
         hint: nothing was overwritten: move the file away and export again, or give another folder with --out",
        file.display(),
        found.len(),
        kept.len(),
    ))
}

/// What was listed, with its lines.
async fn again(store: &Store, listed: &StoredInvoice) -> Result<StoredInvoice, Failure> {
    find(store, &listed.id.to_string()).await
}

/// Writes a file that is there whole or not at all.
fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let begun = file.with_extension(format!("begun-{}", std::process::id()));
    files::write(&begun, bytes).map_err(|error| cannot(&begun, &error))?;
    std::fs::rename(&begun, file).map_err(|error| cannot(file, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("can't write `{}`: {error}\nhint: give a writable folder with --out", path.display()))
}
