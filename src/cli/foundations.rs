//! `cf-billing foundations`: what people decide about a whole foundation.

use clap::Subcommand;

use super::output::note;
use super::{Failure, Global};
use crate::clock::Clock;

/// Decide what keeps a foundation from being collected
#[derive(Debug, clap::Args)]
pub struct Foundations {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    AcceptClock(AcceptClock),
}

/// Bill a foundation by Cloud Controller's clock, though it and ours are more than 5 minutes apart
///
/// While they are, and no `billing_from` is configured, a foundation that isn't billed yet doesn't begin to be: everything
/// would be billed from a time that is wrong. Nothing else changes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing foundations accept-clock eu1")]
struct AcceptClock {
    /// The foundation
    #[arg(value_name = "NAME")]
    foundation: String,
}

impl Foundations {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        match self.command {
            Command::AcceptClock(accept) => accept.run(global).await,
        }
    }
}

impl AcceptClock {
    async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let name = &self.foundation;
        if !configuration.foundations.iter().any(|foundation| foundation.name == *name) {
            return Err(Failure::usage(format!(
                "no foundation `{name}` is configured\nhint: only what is collected has a clock to compare with"
            )));
        }
        let store = Global::open(&configuration).await?;
        let head = store.foundation(name).await?;
        store.accept_clock(&head, Clock::System.now()).await?;
        store.close().await;
        note(&format!("{name}: Cloud Controller's clock decides from when it is billed"));
        Ok(())
    }
}
