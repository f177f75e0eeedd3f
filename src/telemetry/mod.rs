//! What the program says of itself while it runs: log lines, metrics, and a board of what is being done.

mod board;
mod foreign;
mod health;
pub mod metrics;
mod reporter;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::debug_fn;

use crate::config::{Log, LogFormat};
use crate::domain::text::visible;

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
    let _ = match log.format {
        LogFormat::Text => {
            // One event is one line, whatever stands in it; and nothing of it acts on the terminal it is read on.
            let fields = debug_fn(|writer, field, value| match field.name() {
                "message" => write!(writer, "{}", visible(&format!("{value:?}"))),
                name => write!(writer, "{name}={}", visible(&format!("{value:?}"))),
            });
            builder.with_target(false).fmt_fields(fields.delimited(" ")).try_init()
        }
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}
