//! Log lines: one event is one line, as text or JSON, its hint a field of its own; what is said again and again is said
//! once in ten minutes, with how often.

use std::fmt::{self, Debug, Write};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Number, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::repeats::{Again, Repeats};
use crate::clock::Stopwatch;
use crate::config::LogFormat;
use crate::domain::text::visible;

/// See the module.
pub(super) struct Lines {
    format: LogFormat,
    begun: Stopwatch,
    repeats: Mutex<Repeats>,
}

impl Lines {
    pub fn new(format: LogFormat) -> Self {
        Self { format, begun: Stopwatch::start(), repeats: Mutex::default() }
    }

    fn write(&self, writer: &mut Writer<'_>, level: Level, target: &str, said: &Said) -> fmt::Result {
        match self.format {
            LogFormat::Text => {
                SystemTime.format_time(writer)?;
                write_level(writer, level)?;
                write!(writer, " {}", visible(&said.message))?;
                for (name, value) in &said.fields {
                    match value.as_str().filter(|text| !text.contains([' ', '"'])) {
                        Some(word) => write!(writer, " {name}={}", visible(word))?,
                        None => write!(writer, " {name}={}", visible(&value.to_string()))?,
                    }
                }
                if let Some(hint) = &said.hint {
                    write!(writer, " hint={:?}", visible(hint))?;
                }
            }
            LogFormat::Json => {
                let mut time = String::new();
                SystemTime.format_time(&mut Writer::new(&mut time))?;
                let mut line = Map::new();
                line.insert("timestamp".to_owned(), time.into());
                line.insert("level".to_owned(), level.as_str().into());
                line.insert("message".to_owned(), said.message.as_str().into());
                line.extend(said.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
                if let Some(hint) = &said.hint {
                    line.insert("hint".to_owned(), hint.as_str().into());
                }
                line.insert("target".to_owned(), target.into());
                write!(writer, "{}", Value::Object(line))?;
            }
        }
        writeln!(writer)
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (level, target) = (*event.metadata().level(), event.metadata().target());
        let mut said = Said::default();
        event.record(&mut said);
        said.part_hint();
        let is_trouble = level <= Level::WARN;
        let (others, shown) = {
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            let now = self.begun.elapsed();
            let key = || format!("{level} {} {}", said.fields_of_place(), said.message);
            let shown = if is_trouble { repeats.is_shown(&key(), now) } else { Some(0) };
            (repeats.over(now), shown)
        };
        for Again { count, minutes, text } in others {
            let message = format!("{count} more such messages in {minutes} min: {text}");
            self.write(&mut writer, Level::WARN, target, &Said { message, ..Said::default() })?;
        }
        let Some(unshown) = shown else { return Ok(()) };
        if unshown > 0 {
            said.fields.push(("more_since_last_shown", unshown.into()));
        }
        self.write(&mut writer, level, target, &said)
    }
}

fn write_level(writer: &mut Writer<'_>, level: Level) -> fmt::Result {
    let colour = match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    };
    if writer.has_ansi_escapes() {
        write!(writer, " \u{1b}[{colour}m{level:>5}\u{1b}[0m")
    } else {
        write!(writer, " {level:>5}")
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Said {
    message: String,
    hint: Option<String>,
    fields: Vec<(&'static str, Value)>,
}

impl Said {
    /// Errors carry their hint in a line of its own.
    fn part_hint(&mut self) {
        if let Some((message, hint)) = self.message.split_once("\nhint: ") {
            self.hint = Some(hint.to_owned());
            self.message = message.to_owned();
        }
    }

    /// Where it happened: the same message about two foundations is two messages.
    fn fields_of_place(&self) -> String {
        let mut place = String::new();
        for (name, value) in self.fields.iter().filter(|(_, value)| value.is_string()) {
            let _ = write!(place, "{name}={value} ");
        }
        place
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => self.fields.push((name, text.into())),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            name => self.fields.push((name, value.into())),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.push((field.name(), Number::from_f64(value).map_or(Value::Null, Value::Number)));
    }
}
