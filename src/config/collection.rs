//! `[collection]`: how usage events are read.

use std::time::Duration;

use super::TEN_YEARS;
use crate::keyed::{Key, Keyed, Takes, key};

/// `[collection]`
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    pub poll_interval: Duration,
    /// How far behind the checkpoint events may still appear.
    pub sweep_window_seconds: i64,
    /// Between two sweeps.
    pub sweep_interval_seconds: i64,
    /// Between two looks at which processes were changed.
    pub observe_interval_seconds: i64,
    /// Between two comparisons of the ledger with what runs.
    pub reconcile_interval_seconds: i64,
    /// An unfinished snapshot is given up after this.
    pub snapshot_patience_seconds: i64,
    /// For a whole answer.
    pub answer_timeout: Duration,
    /// Raw events are pruned after this; `None`: never.
    pub keep_events_seconds: Option<i64>,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key(
            "poll_interval",
            Takes::Duration { min_ms: 10, max_ms: 3_600_000 },
            "How often each usage event stream is read",
        )
        .or("15s"),
        key(
            "sweep_window",
            Takes::Seconds { min: 60, max: 7 * 86_400 },
            "How long after its time an event may still appear: reading begins this much before the baseline, and a period can be final only this much after its end",
        )
        .or("1h"),
        key(
            "sweep_interval",
            Takes::Seconds { min: 1, max: 86_400 },
            "How often the events of the sweep window are read again, to find those that appeared late",
        )
        .or("10m"),
        key(
            "observe_interval",
            Takes::Seconds { min: 1, max: 86_400 },
            "How often Cloud Controller is asked which processes changed: no usage event tells a new disk size",
        )
        .or("5m"),
        key(
            "reconcile_interval",
            Takes::Seconds { min: 60, max: 30 * 86_400 },
            "How often the ledger is compared with everything that runs; a difference that is found twice in a row is settled",
        )
        .or("6h"),
        key(
            "snapshot_patience",
            Takes::Seconds { min: 0, max: 30 * 86_400 },
            "If a usage snapshot isn't complete after this long, the newest complete one is used instead",
        )
        .or("10m"),
        key(
            "answer_timeout",
            Takes::Duration { min_ms: 1000, max_ms: 3_600_000 },
            "How long a whole answer of Cloud Controller or UAA may take; the next try asks for smaller pages",
        )
        .or("3m"),
        key(
            "keep_events",
            Takes::Seconds { min: 62 * 86_400, max: TEN_YEARS },
            "Older usage events are pruned to their guids, except those that the period of a draft needs. Left out: they are kept for ever",
        ),
    ]
}

impl Collection {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let (poll_interval, answer_timeout) = (section.duration("poll_interval"), section.duration("answer_timeout"));
        let (sweep_window, sweep_interval) = (section.seconds("sweep_window"), section.seconds("sweep_interval"));
        let observe_interval = section.seconds("observe_interval");
        let reconcile_interval = section.seconds("reconcile_interval");
        let snapshot_patience = section.seconds("snapshot_patience");
        let keep_events_seconds = section.seconds("keep_events");
        Some(Self {
            poll_interval: poll_interval?,
            sweep_window_seconds: sweep_window?,
            sweep_interval_seconds: sweep_interval?,
            observe_interval_seconds: observe_interval?,
            reconcile_interval_seconds: reconcile_interval?,
            snapshot_patience_seconds: snapshot_patience?,
            answer_timeout: answer_timeout?,
            keep_events_seconds,
        })
    }
}
