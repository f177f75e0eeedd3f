//! A book in a real database, filled by the importer.

use std::collections::BTreeMap;
use std::ops::Range;

use cf_billing::clock::Clock;
use cf_billing::cloud_controller::decode;
use cf_billing::consumer::{ImportError, Importer, rebuild, same_ledger};
use cf_billing::domain::ledger_entry::net;
use cf_billing::domain::{Interval, LedgerEntry, Settings, Span, Stream, Timestamp};
use cf_billing::fold::Resource;
use cf_billing::store::{ClockSpan, GroupKey, Names, Store, UsageQuery};
use tokio::runtime::Runtime;

use super::program::Program;
use super::script::{DAY, Line, open_line};

/// When files are imported, in days after the script's day: nothing before is from the future.
const IMPORTED_AFTER_DAYS: i64 = 1000;

pub struct StoredBook {
    runtime: Runtime,
    store: Store,
    program: Program,
}

/// Quantities by what they are grouped by.
pub type Quantities = BTreeMap<Vec<Option<String>>, [i64; 4]>;

impl StoredBook {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let program = Program::new();
        let store = runtime.block_on(Store::open(&program.database())).unwrap();
        Self { runtime, store, program }
    }

    /// Imports a script's events, first one stream, then the other; the last settings apply to all.
    pub fn import(&self, script: &[Line], page_size: usize) {
        self.import_events(script, 0..script.len(), page_size);
    }

    /// Imports only those of each stream's events.
    pub fn import_events(&self, script: &[Line], range: Range<usize>, page_size: usize) {
        self.try_import_events(script, range, page_size).unwrap();
    }

    /// As [`StoredBook::import_events`]; a file that begins before what is archived is refused.
    pub fn try_import_events(&self, script: &[Line], range: Range<usize>, page_size: usize) -> Result<(), ImportError> {
        let settings = script.iter().rev().find_map(|line| match line {
            Line::Settings(settings) => Some(settings.clone()),
            _ => None,
        });
        self.runtime.block_on(async {
            let clock = Clock::manual(Timestamp::from_unix(DAY + IMPORTED_AFTER_DAYS * 86_400));
            let settings = settings.unwrap_or_else(Settings::default);
            let mut importer = Importer::begin(&self.store, &clock, "f", settings).await.unwrap();
            for stream in Stream::ALL {
                let of_stream = script.iter().filter_map(|line| match line {
                    Line::Event { stream: of, raw, .. } if *of == stream => Some(raw.clone()),
                    _ => None,
                });
                let chosen: Vec<String> = of_stream.skip(range.start).take(range.len()).collect();
                let mut events = importer.events(stream);
                for page in chosen.chunks(page_size) {
                    let page = page.iter().map(|raw| (raw.clone(), decode(stream, raw))).collect();
                    events.page(page).await?;
                }
                events.finish().await?;
            }
            Ok(())
        })
    }

    /// Seals the ledger as it is and prunes everything before.
    pub fn seal_and_prune(&self) {
        self.seal(1);
        self.prune(1);
    }

    /// Seals the ledger as it is, at a time.
    pub fn seal(&self, at: i64) {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            self.store.seal(&head, Timestamp::from_unix(at)).await.unwrap();
        });
    }

    /// Prunes everything before the newest seal of that time or earlier.
    pub fn prune(&self, until: i64) {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            self.store.prune(&head, Timestamp::from_unix(until)).await.unwrap();
        });
    }

    /// How many anomalies of a kind there are.
    pub fn anomalies(&self, kind: &str) -> u64 {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let counts = self.store.anomaly_counts(&head).await.unwrap();
            counts.into_iter().find(|(of, _)| of == kind).map_or(0, |(_, count)| count)
        })
    }

    /// Spans of events whose own time isn't trusted.
    pub fn clock_spans(&self) -> Vec<ClockSpan> {
        self.runtime.block_on(self.store.clock_spans(None)).unwrap()
    }

    /// Up to when open intervals count, and usage is complete.
    pub fn known(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let head = self.runtime.block_on(self.store.foundation("f")).unwrap();
        (head.known_until, head.rated_through(0))
    }

    /// Open intervals without what tells by which input they began: when, since the estimated or certain beginning.
    pub fn open_since(&self) -> Vec<(String, Timestamp, bool)> {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let open = self.store.open_resources(&head).await.unwrap();
            let run = |loaded: cf_billing::store::LoadedResource| {
                let piece = loaded.resource.run?.piece;
                Some((loaded.resource.key.guid.to_string(), piece.started_at, piece.estimated))
            };
            open.into_iter().filter_map(run).collect()
        })
    }

    /// Folds the archive once more into a fresh book; what differs, if anything does.
    pub fn rebuilt_differs(&self) -> Option<String> {
        self.runtime.block_on(async {
            let fresh = Program::new();
            let fresh_store = Store::open(&fresh.database()).await.unwrap();
            let head = self.store.foundation("f").await.unwrap();
            let rebuilt = rebuild(&self.store, &head, &fresh_store, None, |_| ()).await.unwrap();
            same_ledger(&self.store, &head, &fresh_store, &rebuilt.head).await.unwrap()
        })
    }

    /// All ledger entries, without the time they became known at.
    pub fn entries(&self) -> Vec<LedgerEntry> {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let entries = self.store.ledger_entries(&head, 0, usize::MAX).await.unwrap();
            entries.into_iter().map(|entry| LedgerEntry { known_at: Timestamp::MIN, ..entry }).collect()
        })
    }

    /// The open intervals.
    pub fn open(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let open = self.store.open_resources(&head).await.unwrap();
            let mut lines: Vec<String> = open.iter().filter_map(|loaded| open_line(&loaded.resource)).collect();
            lines.sort();
            lines
        })
    }

    /// The net intervals, without what tells in which order their events arrived.
    pub fn intervals(&self) -> Vec<Interval> {
        let mut intervals: Vec<Interval> = (net(self.entries()).into_iter())
            .map(|entry| Interval { run: 0, opened_by: 0, closed_by: 0, ..entry.interval })
            .collect();
        intervals.sort_by_key(|interval| (interval.resource.clone(), interval.started_at, interval.ended_at));
        intervals
    }

    /// The open intervals, without what tells in which order their events arrived.
    pub fn pieces(&self) -> Vec<String> {
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let mut lines = Vec::new();
            for loaded in self.store.open_resources(&head).await.unwrap() {
                let Resource { key, run, process_type, app, .. } = loaded.resource;
                let run = run.map(|run| (run.opening, run.piece.started_at, run.piece.footprint, run.piece.estimated));
                lines.push(format!("{key:?} {process_type:?} {app:?} {run:?}"));
            }
            lines.sort();
            lines
        })
    }

    /// What has which name, each with its time: a line each. Where a name stands in its stream is numbered by arrival.
    pub fn names(&self) -> Vec<String> {
        let names = self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            self.store.names(&head).await.unwrap()
        });
        name_lines(&names)
    }

    /// As [`StoredBook::names`], of the archive folded again into another book, and how many names come out otherwise.
    pub fn names_rebuilt(&self) -> (Vec<String>, usize) {
        let fresh = Program::new();
        self.runtime.block_on(async {
            let head = self.store.foundation("f").await.unwrap();
            let store = Store::open(&fresh.database()).await.unwrap();
            let rebuilt = rebuild(&self.store, &head, &store, None, |_| {}).await.unwrap();
            let difference = same_ledger(&self.store, &head, &store, &rebuilt.head).await.unwrap();
            assert_eq!(difference, None);
            (name_lines(&store.names(&rebuilt.head).await.unwrap()), rebuilt.renamed)
        })
    }

    /// Usage by kind, space, process and buildpack.
    pub fn usage(&self, from: Timestamp, to: Timestamp) -> Quantities {
        let by = vec![GroupKey::Kind, GroupKey::Space, GroupKey::Process, GroupKey::Buildpack, GroupKey::ServicePlan];
        let query = UsageQuery { by, foundation: None, user_provided: true };
        let mut spans = self.runtime.block_on(self.store.usage(&query, &[Span { from, to }])).unwrap().of_spans;
        let rows = spans.pop().unwrap();
        let keys = |keys: Vec<Option<cf_billing::store::UsageKeyed>>| {
            keys.into_iter().map(|key| key.map(|key| key.value)).collect()
        };
        (rows.into_iter())
            .map(|row| {
                let quantities = [
                    row.instance_seconds,
                    row.memory_mib_seconds,
                    row.disk_mib_seconds,
                    row.estimated_instance_seconds,
                ];
                (keys(row.keys), quantities)
            })
            .collect()
    }

    /// Of which database, for what no method here does.
    pub fn url(&self) -> String {
        self.program.database()
    }

    pub fn sum(pieces: &[Quantities]) -> Quantities {
        let mut sum = Quantities::new();
        for (key, quantities) in pieces.iter().flatten() {
            let entry = sum.entry(key.clone()).or_default();
            for (total, quantity) in entry.iter_mut().zip(quantities) {
                *total += quantity;
            }
        }
        sum
    }
}

fn name_lines(names: &Names) -> Vec<String> {
    let at = |at: Option<Timestamp>| at.map_or_else(|| "some time".to_owned(), |at| at.to_string());
    let mut lines: Vec<String> =
        names.names.iter().map(|(of, name)| format!("{of:?} is {} at {}", name.value, at(name.told.at))).collect();
    lines.extend(
        (names.offerings.iter()).map(|(plan, of)| format!("plan {plan} is of {} at {}", of.value, at(of.told.at))),
    );
    lines.extend(
        (names.buildpacks.iter()).map(|(name, is)| format!("buildpack {name} is {} at {}", is.value, at(is.told.at))),
    );
    lines.sort();
    lines
}
