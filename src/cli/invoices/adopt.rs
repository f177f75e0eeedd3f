//! `cf-billing invoices adopt` and `lost`: what a restored book lacks of what was issued.

use std::path::{Path, PathBuf};

use super::super::Failure;
use super::super::card::read_card;
use super::super::output::note;
use super::hold::reason;
use crate::clock::Clock;
use crate::config::{Billing, Configuration};
use crate::documents::Format;
use crate::documents::adopt::{ReadBack, read_back};
use crate::invoicing::Document;
use crate::store::{Adopted, RenderedDocument, Series, Store};

/// Bring invoices back from exported files, after the database was restored from a backup
///
/// Each number needs its JSON; its other documents in the folder come back with it, byte for byte. All must agree with
/// the mark that was made when the number was issued. Several folders may be given.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices adopt 2026-10")]
pub(super) struct Adopt {
    /// Where `invoices export` wrote the files
    #[arg(value_name = "DIR", required = true)]
    folders: Vec<PathBuf>,
    /// The rate card that they were made with, if neither the database has it nor it is the configured one
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
}

/// Record numbers as lost that were issued and can't be brought back into a restored database
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing invoices lost 18..20 --reason \"disk failed on 3 November, the files are gone\""
)]
pub(super) struct Lost {
    /// From the first missing number on: 18..20, or 18
    #[arg(value_name = "N..M", value_parser = range)]
    numbers: (i64, i64),
    /// The series, if it isn't that of invoices
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// Why; kept for good
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

fn range(text: &str) -> Result<(i64, i64), String> {
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number > 0);
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err("give numbers without the series, such as 18..20".to_owned()),
    }
}

impl Lost {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let reason = reason(&self.reason)?;
        let series = Series { name: self.series.unwrap_or_else(|| configuration.billing.invoice_series.clone()) };
        store.record_lost(&series, self.numbers, reason, Clock::System.now()).await?;
        let (first, last) = self.numbers;
        note(&format!("{} to {} are recorded as lost: {reason}", series.number(first), series.number(last)));
        Ok(())
    }
}

impl Adopt {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let billing = &configuration.billing;
        let mut names = store.series_names().await?;
        // Invoices first: credit notes are about them.
        for name in [&billing.credit_note_series, &billing.invoice_series] {
            names.retain(|known| known != name);
            names.insert(0, name.clone());
        }
        let marks = store.marks()?;
        let mut adopted = 0_usize;
        let mut problems = Vec::new();
        for series in names.into_iter().map(|name| Series { name }) {
            let state = store.series_state(&series).await?;
            let mut next = state.last_number + 1;
            while let Some(json) = self.find(&series.number(next), Format::Json)? {
                let mut read = read_back(&json).map_err(|why| wrong(&series.number(next), &why))?;
                if read.issue.number != series.number(next) {
                    return Err(wrong(&series.number(next), "it is of another number"));
                }
                let mark = marks.get(&(series.name.clone(), next)).cloned();
                if let Some(mark) = &mark {
                    read.document.rules = mark.rules;
                    match &mut read.document {
                        Document::Invoice(invoice) => invoice.accepted.clone_from(&mark.accepted),
                        Document::CreditNote(note) => note.reopens = mark.reopens,
                    }
                }
                let card = self.card(configuration, store, &read).await?;
                let mut documents = Vec::new();
                for format in Format::ALL.into_iter().filter(|format| format.kept_as() == *format) {
                    let renderer = "adopted";
                    let bytes = self.find(&series.number(next), format)?;
                    documents.extend(bytes.map(|bytes| RenderedDocument { format: format.name(), renderer, bytes }));
                }
                let (dates, finalized_at, series_number) = (read.dates(), read.finalized_at, next);
                let (series, document) = (series.clone(), read.document);
                let one = Adopted { series, series_number, document, dates, finalized_at, card, mark, documents };
                store.adopt_invoice(&one, Clock::System.now()).await?;
                note(&format!("{} is brought back, with {} document(s)", read.issue.number, one.documents.len()));
                adopted += 1;
                next += 1;
            }
            if next <= state.issued {
                problems.push(self.missing(billing, &series, next, state.issued));
            }
        }
        note(&format!("{adopted} brought back"));
        if problems.is_empty() { Ok(()) } else { Err(Failure { code: 1, problems }) }
    }

    /// What to do about a number whose JSON isn't there.
    fn missing(&self, billing: &Billing, series: &Series, next: i64, issued: i64) -> String {
        let folders: Vec<String> = self.folders.iter().map(|folder| folder.display().to_string()).collect();
        let file = Format::Json.file_name(&series.number(next));
        let of =
            if series.name == billing.invoice_series { String::new() } else { format!(" --series {}", series.name) };
        format!(
            "{file} is missing in {}, but {} was issued\nhint: find its JSON where documents were sent from, or record the number as lost with `invoices lost {next}..{issued}{of} --reason …`",
            folders.join(", "),
            series.number(next)
        )
    }

    /// A document's file, in the first folder that has it.
    fn find(&self, number: &str, format: Format) -> Result<Option<Vec<u8>>, Failure> {
        for folder in &self.folders {
            let file = folder.join(format.file_name(number));
            match std::fs::read(&file) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => require(folder)?,
                Err(error) => return Err(unread(&file, &error)),
            }
        }
        Ok(None)
    }

    /// The card of what is brought back, if the book doesn't have it.
    async fn card(
        &self,
        configuration: &Configuration,
        store: &Store,
        read: &ReadBack,
    ) -> Result<Option<crate::store::StoredCard>, Failure> {
        let hash = &read.document.rate_card;
        if store.card(hash).await?.is_some() {
            return Ok(None);
        }
        let card = read_card(self.rates.clone(), configuration)?;
        if card.stored.hash == *hash {
            return Ok(Some(card.stored));
        }
        Err(Failure::failed(format!(
            "{} was made with a rate card of SHA-256 {hash}, which is neither in the database nor the one given\nhint: give that card with --rates FILE",
            read.issue.number
        )))
    }
}

fn require(folder: &Path) -> Result<(), Failure> {
    std::fs::read_dir(folder).map(|_| ()).map_err(|error| unread(folder, &error))
}

fn unread(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "can't read `{}`: {error}\nhint: give the folder that `invoices export` wrote",
        path.display()
    ))
}

fn wrong(number: &str, why: &str) -> Failure {
    Failure::failed(format!(
        "can't read the JSON of {number}: {why}\nhint: nothing was changed; give the file as it was exported"
    ))
}
