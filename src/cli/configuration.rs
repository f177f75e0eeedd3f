//! `cf-billing config`: what may be configured.

use clap::Subcommand;

use super::{Failure, output};
use crate::config;

/// Print what may be configured, for editors
#[derive(Debug, clap::Args)]
pub struct Config {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Schema(Schema),
}

/// Print the JSON Schema of configuration files, for TOML editors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cf-billing config schema > deploy/configuration.schema.json")]
struct Schema {}

impl Config {
    pub fn run(self) -> Result<(), Failure> {
        let Command::Schema(_) = self.command;
        output::json(&config::schema())
    }
}
