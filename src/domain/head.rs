//! How far a foundation is collected, and each of its streams: what every page moves on.
//! Owns what these times mean and until when usage is complete; never how they are kept.

use std::ops::{Deref, DerefMut};

use super::{EventId, Gap, Settings, Stream, Timestamp};

/// How far a stream is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamHead {
    /// Ordinal of the event last in stream order; 0 before any.
    pub last_ordinal: u64,
    /// The earliest and latest `created_at` seen, wherever they stand in the stream.
    pub oldest_created_at: Option<Timestamp>,
    pub newest_created_at: Option<Timestamp>,
    /// The latest `created_at` that agrees with the stream's order: nothing is known further by an event.
    pub agreeing_at: Option<Timestamp>,
    /// The event after which we read on.
    pub checkpoint: Option<EventId>,
    /// The event before the checkpoint: polls ask after this one, so that a healthy answer holds the checkpoint.
    pub predecessor: Option<EventId>,
}

/// How far a foundation is collected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Open intervals count up to here; `None` before anything was read.
    pub known_until: Option<Timestamp>,
    /// The last time both streams were read again for events that came late; `None` for imports.
    pub swept_until: Option<Timestamp>,
    /// Processes saved before this were looked at.
    pub observed_until: Option<Timestamp>,
    /// When everything that runs was last compared with the ledger.
    pub reconciled_at: Option<Timestamp>,
    /// When the last long sweep was done.
    pub swept_long_at: Option<Timestamp>,
    pub app: StreamHead,
    pub service: StreamHead,
}

impl Progress {
    /// The head of one stream.
    #[must_use]
    pub const fn stream(&self, stream: Stream) -> &StreamHead {
        match stream {
            Stream::App => &self.app,
            Stream::Service => &self.service,
        }
    }

    /// The head of one stream.
    pub const fn stream_mut(&mut self, stream: Stream) -> &mut StreamHead {
        match stream {
            Stream::App => &mut self.app,
            Stream::Service => &mut self.service,
        }
    }
}

/// A foundation as it stands; every write names the one it builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundationHead {
    pub id: i64,
    pub name: String,
    /// Fencing: a writer that holds an older one is refused.
    pub lease_epoch: u64,
    /// Number of the last archived input.
    pub last_sequence: u64,
    /// Number of the last ledger entry.
    pub last_entry: u64,
    /// When somebody said that it is to be billed by Cloud Controller's clock, though ours differs.
    pub clock_accepted_at: Option<Timestamp>,
    /// Tailed from Cloud Controller, as opposed to imported only.
    pub collected: bool,
    /// Every settings input so far, with its sequence number.
    pub settings: Vec<(u64, Settings)>,
    /// Every gap so far, with the sequence number of the input that records it.
    pub gaps: Vec<(u64, Gap)>,
    pub progress: Progress,
}

impl FoundationHead {
    /// Usage is complete up to here: what was created earlier has had the window's time to appear, and was looked for.
    #[must_use]
    pub fn rated_through(&self, sweep_window_seconds: i64) -> Option<Timestamp> {
        let complete = if self.collected { self.swept_until.min(self.known_until) } else { self.imported_until() };
        complete.map(|complete| complete.plus(-sweep_window_seconds))
    }

    /// Imported usage is complete as far as both streams go, unless it was said to be complete to a later time.
    fn imported_until(&self) -> Option<Timestamp> {
        let newest = [self.app.agreeing_at, self.service.agreeing_at];
        let last = newest.into_iter().flatten().max();
        if self.known_until > last { self.known_until } else { newest.into_iter().flatten().min() }
    }

    /// The settings in force; the defaults before any were archived.
    #[must_use]
    pub fn current_settings(&self) -> Settings {
        self.settings.last().map(|(_, settings)| settings.clone()).unwrap_or_default()
    }
}

impl Deref for FoundationHead {
    type Target = Progress;

    fn deref(&self) -> &Progress {
        &self.progress
    }
}

impl DerefMut for FoundationHead {
    fn deref_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }
}
