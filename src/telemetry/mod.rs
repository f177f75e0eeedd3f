//! What the program says of itself while it runs: log lines, metrics, and a board of what is being done.

mod board;
mod foreign;
mod health;
mod lines;
pub mod metrics;
mod repeats;
mod reporter;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Log;

pub use board::{Board, FoundationStatus};
pub use foreign::ForeignAnswer;
pub use health::Health;
pub use metrics::{FoundationMetrics, Metrics, PageCounts};
pub use reporter::Reporter;

/// Begins logging to `writer`, once per process. A second call changes nothing.
pub fn init(log: &Log, writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static) {
    let mut filter = EnvFilter::try_new(&log.level).unwrap_or_default();
    // What its pool warns of, we say in our own words; also that a new connection leads to a standby.
    if !log.level.contains("sqlx") {
        let quiet = ["sqlx=error", "sqlx_core::pool=off"].into_iter().filter_map(|directive| directive.parse().ok());
        filter = quiet.fold(filter, EnvFilter::add_directive);
    }
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(writer);
    // An error means that logging has begun already.
    let _ = builder.event_format(lines::Lines::new(log.format)).try_init();
}
