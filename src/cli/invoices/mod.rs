//! `cf-billing invoices`: from drafts to documents that are filed, and what to do when one is wrong.

mod adopt;
mod credit;
mod explain;
mod export;
mod finalize;
mod hold;
mod list;
mod show;

use std::path::PathBuf;

use clap::Subcommand;

use super::audit::actor;
use super::card::{read_card, uncounted};
use super::output::{Format, note};
use super::{Failure, Global};
use crate::billing_run::{BillingError, BillingRun, Card, Drafted, Meant, accounts};
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::{Amount, Currency, Month};
use crate::invoicing::{DocumentKind, Status};
use crate::rate_card::names_of_several;
use crate::store::{InvoiceFilter, Series, Store, StoredInvoice};

use list::list;

/// Make, read, finalize, correct and export invoices
#[derive(Debug, clap::Args)]
pub struct Invoices {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Draft(Draft),
    List(list::List),
    Show(show::Show),
    Explain(explain::Explain),
    Hold(hold::Hold),
    Release(hold::Release),
    Finalize(finalize::Finalize),
    Credit(credit::Credit),
    Export(export::Export),
    Adopt(adopt::Adopt),
    Lost(adopt::Lost),
}

/// Compute the invoices of a month from what is known now, and keep them as drafts
///
/// What final invoices of the month would cost now is compared with what was invoiced; `list` shows the difference.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing invoices draft --period 2026-10 --rates rates/standard.toml")]
struct Draft {
    #[command(flatten)]
    run: RunOptions,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct RunOptions {
    /// The month, in the billing time zone
    #[arg(long, value_name = "YYYY-MM")]
    period: Month,
    /// Only this account: its id or name, or foundation/organization-guid
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// The rate card, instead of the configured one
    #[arg(long, value_name = "FILE")]
    rates: Option<PathBuf>,
}

impl From<BillingError> for Failure {
    fn from(error: BillingError) -> Self {
        match error {
            BillingError::Store(error) => error.into(),
            BillingError::Card(error) => error.into(),
            BillingError::Unfit(problems) => Self { code: 1, problems },
            error => Self::failed(error),
        }
    }
}

impl Invoices {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?.acting(actor());
        let result = match self.command {
            Command::Draft(draft) => draft.run(&configuration, &store).await,
            Command::List(list) => list.run(&configuration, &store).await,
            Command::Show(show) => show.run(&configuration, &store).await,
            Command::Explain(explain) => Box::pin(explain.run(&configuration, &store)).await,
            Command::Hold(hold) => hold.run(&configuration, &store).await,
            Command::Release(release) => release.run(&configuration, &store).await,
            Command::Finalize(finalize) => finalize.run(&configuration, &store).await,
            Command::Credit(credit) => credit.run(&configuration, &store).await,
            Command::Export(export) => export.run(&configuration, &store).await,
            Command::Adopt(adopt) => adopt.run(&configuration, &store).await,
            Command::Lost(lost) => lost.run(&configuration, &store).await,
        };
        store.close().await;
        result
    }
}

impl RunOptions {
    /// Why there is nothing to invoice.
    fn nothing_used(&self) -> Failure {
        let by = self.account.as_ref().map_or_else(String::new, |account| format!(" by `{account}`"));
        Failure::failed(format!(
            "nothing was used in {}{by}\nhint: `cf-billing usage` shows what was used when; `accounts list` shows accounts; an organization in no account is `foundation/organization-guid` or its name",
            self.period
        ))
    }

    /// Says that all is final already, or that nothing was used.
    async fn nothing_to_draft(&self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let account = account_meant(configuration, store, self.account.as_deref(), Some(self.period)).await?;
        let filter = InvoiceFilter { month: Some(self.period), status: Some(Status::Final), account };
        let mut invoices = store.invoices(&filter).await?;
        invoices.retain(|stored| stored.document.kind() == DocumentKind::Invoice);
        match invoices.len() {
            0 => Err(self.nothing_used()),
            count => {
                note(&format!("{count} invoice(s) of {} are already final and stay as they are", self.period));
                Ok(())
            }
        }
    }

    fn card(&self, configuration: &Configuration) -> Result<Card, Failure> {
        read_card(self.rates.clone(), configuration)
    }
}

impl Draft {
    async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let card = self.run.card(configuration)?;
        let run = BillingRun::new(configuration, store, &Clock::System, &card)?;
        let Drafted { invoices: drafts, uncountable } = run.draft(self.run.period, self.run.account.as_deref()).await?;
        if drafts.is_empty() && uncountable.is_empty() {
            self.run.nothing_to_draft(configuration, store).await?;
        }
        for problem in names_of_several(&card.rates, &store.seen().await?) {
            note(&format!("warning: {problem}"));
        }
        list(&drafts, self.format)?;
        uncounted(uncountable)
    }
}

/// The id of the account that somebody names by its id or name; as it was written where nobody is known by it.
pub(super) async fn account_meant(
    configuration: &Configuration,
    store: &Store,
    account: Option<&str>,
    month: Option<Month>,
) -> Result<Option<String>, Failure> {
    let Some(account) = account else { return Ok(None) };
    // Whatever is wrong with the accounts file, an id that the book has is an id.
    if store.has_account(account).await? {
        return Ok(Some(account.to_owned()));
    }
    let meant = Meant::find(store, &accounts(configuration)?, account, month).await?;
    Ok(Some(meant.one()?.unwrap_or(account).to_owned()))
}

/// Tells of a number that is used again, as it was begun and nothing of it has left.
async fn tell_begun(store: &Store, series: &Series) -> Result<(), Failure> {
    if let Some(number) = store.begun(series).await? {
        note(&format!(
            "{number} was begun but never committed: none of its documents left, so the number is used again"
        ));
    }
    Ok(())
}

/// Settles which number of the series was the last one used anywhere, as somebody found out.
async fn go_on_above(store: &Store, series: &Series, above: Option<i64>) -> Result<(), Failure> {
    let Some(number) = above else { return Ok(()) };
    let left_out = store.go_on_above(series, number, Clock::System.now()).await?;
    note(&match left_out {
        0 => format!("series {} goes on above {number}; nothing is missing", series.name),
        count => format!(
            "series {} goes on above {number}; {} to {} are recorded as issued elsewhere",
            series.name,
            series.number(number - count + 1),
            series.number(number)
        ),
    });
    Ok(())
}

/// The invoice of that number or id.
async fn find(store: &Store, reference: &str) -> Result<StoredInvoice, Failure> {
    Ok(store.invoice(reference).await?.ok_or_else(|| BillingError::NoInvoice(reference.to_owned()))?)
}

/// An amount with the currency's decimals.
pub(super) fn money(amount: Amount, currency: Currency) -> String {
    amount.in_major_units(currency).to_string()
}
