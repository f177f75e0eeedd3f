//! Progress on terminals. Elsewhere nothing is drawn, and log lines go straight to stderr.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::fmt::MakeWriter;

use crate::clock::Clock;
use crate::domain::Timestamp;
use crate::telemetry::{Board, FoundationStatus};

/// Bars below whatever else is written to stderr.
#[derive(Clone, Debug, Default)]
pub struct Bars {
    multi: MultiProgress,
}

const REDRAW: Duration = Duration::from_millis(200);

impl Bars {
    /// A bar over `length`; its message stands before it. `template` is one of indicatif's.
    pub fn add(&self, length: u64, template: &str) -> ProgressBar {
        let bar = self.multi.add(ProgressBar::new(length));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━━╌"));
        }
        bar
    }

    /// Shows how foundations catch up, until `stop`.
    pub async fn follow(&self, board: &Board, clock: &Clock, stop: &CancellationToken) {
        let mut bars: BTreeMap<String, (ProgressBar, Timestamp)> = BTreeMap::new();
        while Clock::System.sleep_unless_stopped(REDRAW, stop).await {
            for (name, status) in board.foundations() {
                self.show(&mut bars, name, &status, clock.now());
            }
        }
        for (bar, _) in bars.values() {
            bar.finish_and_clear();
        }
    }

    fn show(
        &self,
        bars: &mut BTreeMap<String, (ProgressBar, Timestamp)>,
        name: String,
        status: &FoundationStatus,
        now: Timestamp,
    ) {
        let checkpoint = status.app_checkpoint.min(status.service_checkpoint).or(status.app_checkpoint);
        let behind = status.known_until.is_none_or(|known| now.seconds_since(known) > 300);
        if !behind {
            if let Some((bar, _)) = bars.remove(&name) {
                bar.finish_and_clear();
            }
            return;
        }
        let (bar, start) = bars.entry(name).or_insert_with_key(|name| {
            let template = "{prefix}  {msg} {wide_bar} {percent}%";
            (self.add(0, template).with_prefix(name.clone()), checkpoint.unwrap_or(now))
        });
        let at = checkpoint.unwrap_or(*start);
        bar.set_length(now.seconds_since(*start).unsigned_abs().max(1));
        bar.set_position(at.seconds_since(*start).max(0).unsigned_abs());
        bar.set_message(
            checkpoint.map_or_else(|| status.state.to_owned(), |at| format!("{}, read up to {at}", status.state)),
        );
    }
}

impl<'w> MakeWriter<'w> for Bars {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

impl Write for Bars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.multi.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
