//! `[log]`: what is logged, and how.

use crate::domain::codes::Wrong;
use crate::keyed::{Key, Keyed, Takes, key};

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A filter as `tracing-subscriber` takes it.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key("format", Takes::Choice(&["text", "json"]), "How log lines look").or("text"),
        key(
            "level",
            Takes::Form("log filter"),
            "What is logged, such as `info` or `warn,cf_billing=debug`; `RUST_LOG` isn't read",
        )
        .or("info"),
    ]
}

fn level(text: &str) -> Result<String, Wrong> {
    let form = "write a level or a filter, such as info or warn,cf_billing=debug";
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|error| Wrong::new(format!("`{text}` is not a log filter: {error}"), form))
}

impl Log {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let (format, level) = (section.word("format"), section.form("level", level));
        let format = match format? {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => unreachable!("`{other}` is not a log format"),
        };
        Some(Self { format, level: level? })
    }
}
