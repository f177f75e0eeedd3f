//! `cf-billing invoices hold` and `release`: a month of an account, kept from becoming final.

use super::super::Failure;
use super::super::output::note;
use super::account_meant;
use crate::clock::Clock;
use crate::config::Configuration;
use crate::domain::Month;
use crate::invoicing::Status;
use crate::store::{InvoiceFilter, Store};

/// Keep an account's month from becoming final
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing invoices hold --period 2026-10 --account acme --reason \"usage of the migration is disputed\""
)]
pub(super) struct Hold {
    #[command(flatten)]
    what: What,
}

/// End a hold
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing invoices release --period 2026-10 --account acme --reason \"agreed with ACME on 5 November\""
)]
pub(super) struct Release {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, clap::Args)]
struct What {
    /// The month, in the billing time zone
    #[arg(long, value_name = "YYYY-MM")]
    period: Month,
    /// The account: its id or name, or foundation/organization-guid
    #[arg(long, value_name = "ACCOUNT")]
    account: String,
    /// Why; kept with the invoice
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl What {
    /// The account's id: drafts know it by its name, too.
    async fn account(&self, configuration: &Configuration, store: &Store) -> Result<String, Failure> {
        let account = account_meant(configuration, store, Some(&self.account), Some(self.period)).await?;
        let filter = InvoiceFilter { month: Some(self.period), status: None, account };
        let found = store.invoices(&filter).await?;
        match found.iter().find(|stored| stored.status != Status::Final) {
            Some(stored) => Ok(stored.document.account.clone()),
            None if found.is_empty() => Err(Failure::failed(format!(
                "there is no draft of `{}` for {}\nhint: `invoices draft --period {}` makes drafts; `invoices list` shows accounts",
                self.account, self.period, self.period
            ))),
            None => Err(Failure::failed(format!(
                "{} of `{}` is already final\nhint: `invoices credit` corrects it",
                self.period, self.account
            ))),
        }
    }

    fn reason(&self) -> Result<&str, Failure> {
        reason(&self.reason)
    }
}

/// A reason that says something.
pub(super) fn reason(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage("--reason is empty\nhint: write the reason in a sentence; people will read it"));
    }
    Ok(text)
}

impl Hold {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let reason = self.what.reason()?.to_owned();
        let account = self.what.account(configuration, store).await?;
        let held = store.hold(&account, self.what.period, &reason, Clock::System.now()).await?;
        if !held {
            return Err(Failure::failed(format!(
                "{} of `{account}` is already held\nhint: `invoices release` ends the hold",
                self.what.period
            )));
        }
        note(&format!("{} of {account} is held: {reason}", self.what.period));
        Ok(())
    }
}

impl Release {
    pub async fn run(self, configuration: &Configuration, store: &Store) -> Result<(), Failure> {
        let reason = self.what.reason()?.to_owned();
        let account = self.what.account(configuration, store).await?;
        let released = store.release(&account, self.what.period, &reason, Clock::System.now()).await?;
        if !released {
            return Err(Failure::failed(format!(
                "{} of `{account}` isn't held\nhint: `invoices list --period {}` shows what is held held",
                self.what.period, self.what.period
            )));
        }
        note(&format!("{} of {account} is released: {reason}", self.what.period));
        Ok(())
    }
}
