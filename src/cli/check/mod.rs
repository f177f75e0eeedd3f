//! `cf-billing check`: everything that `run` needs, tried before it runs. Changes nothing.

mod billing;
mod database;
mod foundation;
mod identity;
mod issuers;
mod lists;
mod onboarding;
mod release;

use std::net::TcpListener;

use serde::Serialize;

use super::output::{self, Format, words};
use super::{Failure, Global};
use crate::config::Configuration;
use crate::http::Tls;

/// Try everything that `run` needs: database, rate card, issuers, each foundation's address, client, scopes and snapshots
///
/// One line per check: ok, warn or fail. Changes nothing, here or in the foundation. Exits 1 if anything fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing check --config /etc/cf-billing/cf-billing.toml")]
pub struct Check {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Debug, Serialize)]
struct Line {
    verdict: Verdict,
    /// The foundation, or nothing.
    of: Option<String>,
    what: &'static str,
    detail: String,
    hint: Option<String>,
}

/// What was checked, line by line.
struct Checked {
    lines: Vec<Line>,
}

impl Checked {
    /// Adds a line; what follows `hint:` stands apart.
    fn say(&mut self, verdict: Verdict, of: Option<&str>, what: &'static str, told: impl std::fmt::Display) {
        let told = told.to_string();
        let (detail, hint) = match told.split_once("\nhint: ") {
            Some((detail, hint)) => (detail.to_owned(), Some(hint.to_owned())),
            None => (told, None),
        };
        self.lines.push(Line { verdict, of: of.map(str::to_owned), what, detail, hint });
    }
}

impl Check {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let mut checked = Checked { lines: Vec::new() };
        let file = global.file().map_or_else(|| "none given".to_owned(), |file| file.display().to_string());
        let count = configuration.foundations.len();
        let verdict = if count == 0 { Verdict::Warn } else { Verdict::Ok };
        checked.say(verdict, None, "configuration", format!("{file}: {count} foundation(s)"));
        for warning in &configuration.warnings {
            checked.say(Verdict::Warn, None, "secrets", warning);
        }
        let store = database::check(&mut checked, &configuration).await;
        billing::rate_card(&mut checked, configuration.billing.rates.as_deref(), &configuration, store.as_ref()).await;
        billing::seller(&mut checked, &configuration);
        if let Some(file) = &configuration.billing.accounts {
            billing::accounts(&mut checked, file, &configuration, store.as_ref()).await;
        }
        listen(&mut checked, &configuration);
        issuers::check(&mut checked, &configuration).await;
        for foundation in &configuration.foundations {
            foundation::check(&mut checked, &configuration, foundation, store.as_ref()).await;
        }
        if let Some(store) = store {
            store.close().await;
        }
        self.print(&checked)?;
        match checked.lines.iter().filter(|line| line.verdict == Verdict::Fail).count() {
            0 => Ok(()),
            failed => Err(Failure::failed(format!("{failed} of {} checks failed", checked.lines.len()))),
        }
    }

    fn print(&self, checked: &Checked) -> Result<(), Failure> {
        let word = |verdict| match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        match self.format {
            Format::Json => output::json(&checked.lines),
            Format::Csv => output::csv(
                &["verdict", "of", "what", "detail", "hint"],
                checked.lines.iter().map(|line| {
                    let (of, hint) = (line.of.clone().unwrap_or_default(), line.hint.clone().unwrap_or_default());
                    vec![word(line.verdict).to_owned(), of, line.what.to_owned(), line.detail.clone(), hint]
                }),
            ),
            Format::Table => {
                let columns = [words(""), words("of"), words("what"), words("")];
                let rows = checked.lines.iter().map(|line| {
                    let hint = line.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
                    vec![
                        word(line.verdict).to_owned(),
                        line.of.clone().unwrap_or_default(),
                        line.what.to_owned(),
                        format!("{}{hint}", line.detail),
                    ]
                });
                output::table_of_lines(&columns, rows)
            }
        }
    }
}

fn listen(checked: &mut Checked, configuration: &Configuration) {
    let http = &configuration.http;
    if let Some((certificate, key)) = http.tls.clone() {
        match Tls::read(certificate, key) {
            Ok(_) => checked.say(Verdict::Ok, None, "tls", "certificate and key fit".to_owned()),
            Err(told) => checked.say(Verdict::Fail, None, "tls", told),
        }
    }
    let metrics = http.metrics_listen.map(|address| ("metrics_listen", address));
    for (key, address) in [("listen", http.listen)].into_iter().chain(metrics) {
        match TcpListener::bind(address) {
            Ok(_) => checked.say(Verdict::Ok, None, key, format!("{address} is free")),
            Err(error) => {
                let told = format!(
                    "{address}: {error}\nhint: that is fine if the daemon is running; else set [http] {key} to a free port"
                );
                checked.say(Verdict::Warn, None, key, told);
            }
        }
    }
}
