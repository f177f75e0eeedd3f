//! `cf-billing audit`: who did what, or opened which document; and as whom commands are noted there.

use clap::Subcommand;

use super::output::{self, Format, note, numbers, words};
use super::usage::time;
use super::{Failure, Global};
use crate::api::{AuditRecord, Tabular};
use crate::clock::Clock;
use crate::domain::{Act, Actor, Deed, Way};
use crate::store::{AuditFilter, Store, StoreError};

/// Show who did what, or opened which document
#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
}

/// List the audit log, the newest entries first
///
/// Every decision about invoices and every document that is opened, by the API, on pages or with a command. `ledger verify`
/// checks that nobody changed it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing audit list --from 2026-11-01 --deed invoice_finalized")]
struct List {
    /// Only by whom: a token's name, ISSUER/SUBJECT, or the user of a command
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Only what was done, such as `document_opened`
    #[arg(long, value_name = "DEED")]
    deed: Option<String>,
    /// Only to what: a number, or an account and a month
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    most: u32,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

impl Audit {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let Command::List(list) = self.command;
        list.run(global).await
    }
}

impl List {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let zone = configuration.billing.time_zone;
        let given =
            |option: &str, text: &Option<String>| text.as_ref().map(|text| time(option, text, zone)).transpose();
        let (from, to) = (given("--from", &self.from)?, given("--to", &self.to)?);
        let deed = self.deed.as_deref().map(deed_of).transpose()?;
        let store = Global::open_existing(&configuration).await?;
        let filter = AuditFilter { from, to, who: self.who, deed, subject: self.subject };
        let most = self.most as usize;
        let mut entries = store.audit(&filter, None, most + 1).await?;
        store.close().await;
        let is_more = entries.len() > most;
        entries.truncate(most);
        let records: Vec<AuditRecord> = entries.iter().map(AuditRecord::from).collect();
        match self.format {
            Format::Json => output::json(&records)?,
            Format::Csv => output::csv(AuditRecord::HEADER, records.iter().map(Tabular::cells))?,
            Format::Table if records.is_empty() => note("no entry found"),
            Format::Table => {
                let columns = [numbers("number"), words("at"), words("who"), words("from"), words("what")];
                output::table(&columns, records.iter().map(row))?;
            }
        }
        if is_more {
            note("and more\nhint: --most shows more of them, --to earlier ones");
        }
        Ok(())
    }
}

fn row(record: &AuditRecord) -> Vec<String> {
    let AuditRecord { number, at, who, way, origin, deed, subject, .. } = record;
    let from = origin.as_ref().map_or_else(|| (*way).to_owned(), |origin| format!("{way} {origin}"));
    vec![number.to_string(), at.to_string(), who.clone(), from, format!("{deed} {subject}")]
}

fn deed_of(name: &str) -> Result<Deed, Failure> {
    Deed::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Deed::ALL.iter().map(|deed| deed.name()).collect();
        Failure::usage(format!("`{name}` is nothing that is noted\nhint: use one of {}", known.join(", ")))
    })
}

/// Whoever runs this command: the user of the process, and for whom, if sudo says so.
pub(super) fn actor() -> Actor {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    // The effective one is the second of its line: proc_pid_status(5).
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().nth(1));
    let uid = uid.unwrap_or("unknown");
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    let user = name.unwrap_or_else(|| format!("uid {uid}"));
    let who = match std::env::var("SUDO_USER") {
        Ok(by) if by != user => format!("{user} (sudo by {by})"),
        _ => user,
    };
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    Actor { who, way: Way::Command, origin: Some(host), request: None }
}

/// Notes that documents are opened. A copy of the book that can't be written is read all the same, and that is said.
pub(super) async fn note_opened(store: &Store, acts: &[Act]) -> Result<(), Failure> {
    match store.note_opened(acts, Clock::System.now()).await {
        Err(StoreError::ReadOnly(_)) => {
            note("this book can only be read: that its documents are opened isn't noted in its audit log");
            Ok(())
        }
        noted => Ok(noted?),
    }
}
