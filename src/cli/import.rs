//! `cf-billing import`: recorded V3 JSON into the archive and the ledger.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::lists::{Expected, survey};
use super::output::{grouped, note};
use super::progress::Bars;
use super::records::{Recording, RecordsError};
use super::run::stop_on_signal;
use super::usage::time;
use super::{Failure, Global};
use crate::clock::Clock;
use crate::cloud_controller::{Chunk, Decoded, Snapshot, decode};
use crate::consumer::{ImportError, Importer};
use crate::domain::{AnomalyKind, Settings, Stream, Timestamp};
use crate::store::{AnomalyFilter, Store};

/// Import recorded usage events, and snapshots to begin with
///
/// Files hold V3 JSON as Cloud Controller sends it: arrays, list pages, or one record per line; gzipped or not. Lists must
/// be complete and in Cloud Controller's own order (no `order_by`); whole pages in another order are sorted, anything else
/// is refused before anything is written. Importing again skips what is archived, so an interrupted import is simply
/// repeated.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing import --foundation eu1 --app-events app.jsonl.gz --service-events service.jsonl.gz"
)]
pub struct Import {
    /// The foundation that the files come from; it doesn't have to be configured
    #[arg(long, value_name = "NAME")]
    foundation: String,
    /// A usage snapshot or its chunks; several may be given
    #[arg(long, value_name = "FILE")]
    snapshot: Vec<PathBuf>,
    /// App usage events in stream order; - for standard input
    #[arg(long, value_name = "FILE")]
    app_events: Option<PathBuf>,
    /// Service usage events in stream order; - for standard input
    #[arg(long, value_name = "FILE")]
    service_events: Option<PathBuf>,
    /// Bill from this instant on; earlier events only tell what runs
    #[arg(long, value_name = "TIME")]
    billing_from: Option<String>,
    /// When the files were fetched: they hold everything up to then. By default, usage counts as complete as far as both
    /// streams have events
    #[arg(long, value_name = "TIME")]
    complete_until: Option<String>,
    /// When the files were read from Cloud Controller: their last events can't be later. By default, they can't be later than
    /// this machine's clock
    #[arg(long, value_name = "TIME")]
    read_at: Option<String>,
    /// Events per transaction
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    page_size: u32,
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Store(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

impl Import {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        if self.app_events.is_none() && self.service_events.is_none() && self.snapshot.is_empty() {
            return Err(Failure::usage("nothing to import\nhint: give --app-events, --service-events or --snapshot"));
        }
        if [&self.app_events, &self.service_events].iter().all(|file| file.as_deref() == Some(Path::new("-"))) {
            return Err(Failure::usage(
                "standard input can be read only once\nhint: give a file for one of the streams",
            ));
        }
        let configuration = global.configuration()?;
        let given = |option: &str, text: &Option<String>| {
            text.as_ref().map(|text| time(option, text, configuration.billing.time_zone)).transpose()
        };
        let billing_from = given("--billing-from", &self.billing_from)?;
        let complete_until = given("--complete-until", &self.complete_until)?;
        let read_at = given("--read-at", &self.read_at)?;
        let stop = stop_on_signal()?;
        let Some(given) = self.surveyed(&stop).await? else {
            let hint = "run the same command again";
            return Err(Failure::interrupted(format!("interrupted; nothing was imported\nhint: {hint}")));
        };
        let Given { snapshots, chunks, app, service } = given;
        let completed_at = Importer::epoch(&snapshots)?;
        let epoch = completed_at.max(billing_from);
        // No snapshot holds tasks, and no list is read beside it.
        let unlisted_tasks_until = completed_at.map(|_| Timestamp::MAX);
        let settings = Settings { unlisted_tasks_until, ..configuration.fold_settings(epoch) };
        let bars = Bars::default();
        let store = Global::open(&configuration).await?;
        let _alone = store.collector_lock()?;
        let clock = Clock::System;
        let mut importer = Importer::begin(&store, &clock, &self.foundation, settings).await?.read_at(read_at);
        if !chunks.is_empty() {
            importer.baseline(chunks, completed_at).await?;
        }
        for (stream, recording) in [(Stream::App, app), (Stream::Service, service)] {
            if let Some(recording) = recording {
                import_events(&mut importer, stream, recording, &bars, &stop, self.page_size as usize).await?;
            }
        }
        let report = importer.report();
        if stop.is_cancelled() {
            let archived = grouped(report.archived.cast_signed());
            store.close().await;
            return Err(Failure::interrupted(format!(
                "interrupted after {archived} new records, which are kept\nhint: run the same command again; it goes on from there"
            )));
        }
        if let Some(until) = complete_until {
            importer.complete(until).await?;
        }
        note(&format!(
            "{}: {} read, {} archived, {} known already, {} late; {} ledger entries, {} anomalies",
            self.foundation,
            grouped(report.read.cast_signed()),
            grouped(report.archived.cast_signed()),
            grouped(report.known().cast_signed()),
            grouped(report.late.cast_signed()),
            grouped(report.entries.cast_signed()),
            grouped(report.anomalies.cast_signed()),
        ));
        for span in store.clock_spans(Some(&self.foundation)).await? {
            let reference = span.reference();
            note(&format!(
                "warning: {} event(s) have times that contradict the order of their stream; they count at other times, as \
                 estimated, and the invoices of their months wait for --accept clock:{reference}\n\
                 hint: `cf-billing clocks --foundation {}` shows them",
                grouped(i64::try_from(span.times.len()).unwrap_or(i64::MAX)),
                self.foundation
            ));
        }
        if report.undecodable > 0 {
            let foundation = &self.foundation;
            let (count, example) = (report.undecodable.cast_signed(), first_undecodable(&store, foundation).await?);
            note(&format!(
                "warning: {} record(s) can't be read{example}; they aren't billed, and the invoices of \
                 their months wait for --accept undecodable:{foundation}\n\
                 hint: `cf-billing anomalies --foundation {foundation} --kind undecodable --format json` shows them",
                grouped(count)
            ));
        }
        store.close().await;
        Ok(())
    }

    /// Opens all files and looks through them, before anything is written; `None` if it was told to stop.
    async fn surveyed(&self, stop: &CancellationToken) -> Result<Option<Given>, Failure> {
        let (snapshot, app, service) = (self.snapshot.clone(), self.app_events.clone(), self.service_events.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let (snapshots, chunks) = read_snapshots(&snapshot)?;
            let events = |stream, file: Option<PathBuf>| file.map(|file| surveyed(stream, &file)).transpose();
            let (app, service) = (events(Stream::App, app)?, events(Stream::Service, service)?);
            Ok(Given { snapshots, chunks, app, service })
        });
        tokio::select! {
            biased;
            // What waits for input ends with the process.
            () = stop.cancelled() => Ok(None),
            given = reading => match given {
                Ok(given) => given.map(Some),
                Err(error) => Err(Failure::failed(format!("reading stopped: {error}"))),
            },
        }
    }
}

/// What an import was given, looked through.
struct Given {
    snapshots: Vec<Snapshot>,
    chunks: Vec<Chunk>,
    app: Option<Recording>,
    service: Option<Recording>,
}

/// A stream's file, once it is known to be one.
fn surveyed(stream: Stream, file: &Path) -> Result<Recording, Failure> {
    let mut recording = Recording::open(file).map_err(Failure::failed)?;
    if let Some(pages) = survey(&mut recording, Expected::Events(stream)).map_err(Failure::failed)? {
        let name = recording.name();
        note(&format!("`{name}`: its {pages} pages aren't in order; they are read in the order of their `pagination`"));
    }
    Ok(recording)
}

/// Snapshots and chunks, in whatever files they are.
fn read_snapshots(files: &[PathBuf]) -> Result<(Vec<Snapshot>, Vec<Chunk>), Failure> {
    let (mut snapshots, mut chunks) = (Vec::new(), Vec::new());
    for file in files {
        let mut recording = Recording::open(file).map_err(Failure::failed)?;
        survey(&mut recording, Expected::Snapshot).map_err(Failure::failed)?;
        let mut wrong = None;
        let read = recording.records(&AtomicU64::new(0), |record| match read_snapshot(&record) {
            Ok(Part::Snapshot(snapshot)) => {
                snapshots.push(snapshot);
                true
            }
            Ok(Part::Chunk(chunk)) => {
                chunks.push(chunk);
                true
            }
            Err(error) => {
                wrong = Some(error);
                false
            }
        });
        read.map_err(|error| match wrong {
            Some(reason) => Failure::failed(format!(
                "`{}` holds neither a usage snapshot nor its chunks: {reason}\n\
                 hint: give the answers of GET /v3/app_usage/snapshots/GUID and GET /v3/app_usage/snapshots/GUID/chunks, unchanged",
                file.display()
            )),
            None => Failure::failed(error),
        })?;
    }
    let complete = snapshots.iter().filter(|snapshot: &&Snapshot| snapshot.completed_at.is_some());
    let wanted: u64 = complete.map(|snapshot| snapshot.summary.chunk_count).sum();
    if (chunks.len() as u64) < wanted {
        return Err(Failure::failed(format!(
            "the snapshots have {wanted} chunks, but {} were given\n\
             hint: give all pages of GET /v3/app_usage/snapshots/GUID/chunks for each; nothing was imported",
            chunks.len()
        )));
    }
    Ok((snapshots, chunks))
}

/// A thread reads and decodes the file, a page ahead of the transaction that stores it.
async fn import_events(
    importer: &mut Importer<'_>,
    stream: Stream,
    recording: Recording,
    bars: &Bars,
    stop: &CancellationToken,
    page_size: usize,
) -> Result<(), Failure> {
    if stop.is_cancelled() {
        return Ok(());
    }
    let bar =
        bars.add(recording.length(), "{prefix}  {wide_bar} {percent}%  {msg}").with_prefix(format!("{stream} events"));
    let position = Arc::new(AtomicU64::new(0));
    let (sender, mut pages) = mpsc::channel(1);
    let counted = position.clone();
    let reader = tokio::task::spawn_blocking(move || read_pages(&recording, &counted, stream, page_size, &sender));
    let mut events = importer.events(stream);
    let mut read = 0;
    loop {
        let page = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            page = pages.recv() => page,
        };
        let Some(page) = page else { break };
        read += page.len() as u64;
        events.page(page).await?;
        bar.set_position(position.load(Ordering::Relaxed));
        bar.set_message(format!("{} read", grouped(read.cast_signed())));
    }
    events.finish().await?;
    bar.finish_and_clear();
    // A reader that waits for its next page to be taken gives up.
    drop(pages);
    if stop.is_cancelled() {
        return Ok(());
    }
    match reader.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::failed(error)),
        Err(error) => Err(Failure::failed(format!("reading stopped: {error}"))),
    }
}

/// What is wrong with one of the records that can't be read.
async fn first_undecodable(store: &Store, foundation: &str) -> Result<String, Failure> {
    let kind = Some(AnomalyKind::Undecodable);
    let filter = AnomalyFilter { foundation: Some(foundation.to_owned()), kind, span: None };
    let (first, _) = store.anomalies(&filter, 1).await?;
    Ok(first.first().map(|one| format!(", such as input {}: {}", one.sequence, one.detail)).unwrap_or_default())
}

enum Part {
    Snapshot(Snapshot),
    Chunk(Chunk),
}

fn read_snapshot(record: &RawValue) -> Result<Part, serde_json::Error> {
    match serde_json::from_str::<Snapshot>(record.get()) {
        Ok(snapshot) => Ok(Part::Snapshot(snapshot)),
        Err(_) => serde_json::from_str::<Chunk>(record.get()).map(Part::Chunk),
    }
}

/// One transaction's events: text as received, and decoded.
type EventPage = Vec<(String, Decoded)>;

fn read_pages(
    recording: &Recording,
    position: &AtomicU64,
    stream: Stream,
    page_size: usize,
    sender: &mpsc::Sender<EventPage>,
) -> Result<(), RecordsError> {
    let mut page = Vec::with_capacity(page_size);
    let mut stopped = false;
    let result = recording.records(position, |record| {
        let text = String::from(Box::<str>::from(record));
        let decoded = decode(stream, &text);
        page.push((text, decoded));
        if page.len() == page_size {
            let full = std::mem::replace(&mut page, Vec::with_capacity(page_size));
            stopped = sender.blocking_send(full).is_err();
        }
        !stopped
    });
    // What came before an error is kept: the same import goes on from there.
    if !page.is_empty() && !stopped {
        stopped = sender.blocking_send(page).is_err();
    }
    match result {
        Err(RecordsError::Stopped) | Ok(()) if stopped => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Ok(()),
    }
}
