//! `cf-billing invoices finalize`: numbers, for good.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::super::Failure;
use super::super::output::{Format, note};
use super::super::progress::Bars;
use super::{RunOptions, go_on_above, list, tell_begun};
use crate::billing_run::{BillingRun, FinalizeResult, Outcome};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::text::{NotText, text_of};
use crate::invoicing::Blocker;
use crate::store::Store;

/// Make a month's invoices final: numbered, with their documents, and never changed again
///
/// An invoice stays a draft, and is reported with exit code 1, if its usage may still be incomplete or if it is held.
/// These must be accepted explicitly (`--accept`): unpriced or estimated usage, lost usage events, records that can't be
/// read, and an amount far above the month before.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing invoices finalize --period 2026-10\n  cf-billing invoices finalize --period 2026-10 --account acme --accept estimated:acme"
)]
pub(super) struct Finalize {
    #[command(flatten)]
    run: RunOptions,
    /// Make it final in spite of this, such as `gap:eu1/1`; kept with the invoice
    #[arg(long, value_name = "WHAT")]
    accept: Vec<String>,
    /// Accept what this file names, one per line; `#` begins a comment
    #[arg(long, value_name = "FILE")]
    accept_from: Option<PathBuf>,
    /// The date on the invoices, instead of today's: not before the newest of the series, and after today only to equal it
    #[arg(long, value_name = "YYYY-MM-DD")]
    issue_date: Option<NaiveDate>,
    /// The last number of the series that was used anywhere, where the database may lack some after a failover: goes on above it,
    /// and records what is missing up to it as issued elsewhere
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    above: Option<i64>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Names to accept that a message has room for.
const MOST_TOLD: usize = 20;

impl Finalize {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let card = self.run.card(configuration)?;
        let mut run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        run.issue_date = self.issue_date;
        let mut accept = self.accept;
        if let Some(file) = &self.accept_from {
            accept.extend(names_in(file)?);
        }
        go_on_above(store, &run.series, self.above).await?;
        tell_begun(store, &run.series).await?;
        let bars = Bars::default();
        let mut bar = None;
        let progress = |done: usize, of: usize| {
            let bar = bar.get_or_insert_with(|| bars.add(of as u64, "finalizing  {human_pos} of {human_len} invoices"));
            bar.set_position(done as u64);
        };
        let outcomes = run.finalize(self.run.period, self.run.account.as_deref(), &accept, progress).await;
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        let outcomes = outcomes?;
        if outcomes.is_empty() {
            return Err(self.run.nothing_used());
        }
        let mut numbered = Vec::new();
        for outcome in &outcomes {
            match &outcome.result {
                FinalizeResult::Numbered(number) => numbered.extend(store.invoice(number).await?),
                FinalizeResult::Before => note(&format!("{}: final already", name(outcome))),
                FinalizeResult::Blocked(_) | FinalizeResult::Refused(_) => {}
            }
        }
        list(&numbered, self.format)?;
        blocked(&outcomes, configuration.billing.time_zone)
    }
}

fn name(outcome: &Outcome) -> &str {
    outcome.account_name.as_deref().unwrap_or(&outcome.account)
}

/// What keeps invoices from being final, and what to do about it.
fn blocked(outcomes: &[Outcome], zone: Tz) -> Result<(), Failure> {
    let mut problems = Vec::new();
    let (mut unpriced, mut held) = (false, false);
    let mut acceptable: Vec<String> = Vec::new();
    for outcome in outcomes {
        if let FinalizeResult::Blocked(blockers) = &outcome.result {
            unpriced |= blockers.iter().any(|blocker| matches!(blocker, Blocker::Unpriced { .. }));
            held |= blockers.iter().any(|blocker| matches!(blocker, Blocker::Held { .. }));
            acceptable.extend(blockers.iter().filter_map(|blocker| blocker.acceptance(&outcome.account)));
            problems.extend(blockers.iter().map(|blocker| format!("{}: {}", name(outcome), blocker.words(zone))));
        }
    }
    let refused = outcomes.iter().filter_map(|outcome| match &outcome.result {
        FinalizeResult::Refused(why) => Some(why.clone()),
        _ => None,
    });
    let Some(last) = problems.last_mut() else {
        let problems: Vec<String> = refused.collect();
        return if problems.is_empty() { Ok(()) } else { Err(Failure { code: 1, problems }) };
    };
    if acceptable.is_empty() && last.contains("\nhint: ") {
        problems.extend(refused);
        return Err(Failure { code: 1, problems });
    }
    acceptable.sort();
    acceptable.dedup();
    let hint = if !acceptable.is_empty() {
        let mut told: Vec<String> = acceptable.iter().take(MOST_TOLD).map(|what| format!("--accept {what}")).collect();
        if acceptable.len() > MOST_TOLD {
            told.push(format!("and {} more; --accept-from FILE takes a list", acceptable.len() - MOST_TOLD));
        }
        let rates = if unpriced { "to give unpriced usage a price, add a rate or `free = true`; " } else { "" };
        format!(
            "{rates}`invoices show`, `invoices explain`, `gaps` and `anomalies` show more; to bill it as it is, add {}",
            told.join(" ")
        )
    } else if held {
        "`invoices release` ends the hold".to_owned()
    } else {
        "wait until usage is collected through the month's end plus the sweep window, and the grace time is over; until then there are drafts".to_owned()
    };
    last.push_str("\nhint: ");
    last.push_str(&hint);
    problems.extend(refused);
    Err(Failure { code: 1, problems })
}

fn names_in(file: &Path) -> Result<Vec<String>, Failure> {
    let unread =
        |reason: String, hint: &str| Failure::usage(format!("can't read `{}`: {reason}\nhint: {hint}", file.display()));
    let bytes = std::fs::read(file)
        .map_err(|error| unread(error.to_string(), "give a file with one name per line, such as estimated:acme"))?;
    let text = text_of(bytes).map_err(|error| unread(error.to_string(), NotText::HINT))?;
    let names = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    Ok(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
}
