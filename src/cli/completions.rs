//! `cf-billing completions`: a script that completes commands and options in a shell.

use clap_complete::{Shell, generate};

use super::output::print_as_is;
use super::{Failure, command};

/// Print a script that completes commands and options in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing completions bash > /etc/bash_completion.d/cf-billing
  cf-billing completions zsh > /usr/local/share/zsh/site-functions/_cf-billing
  cf-billing completions fish > ~/.config/fish/completions/cf-billing.fish")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(&self) -> Result<(), Failure> {
        let mut command = command();
        let name = command.get_name().to_owned();
        let mut script = Vec::new();
        generate(self.shell, &mut command, name, &mut script);
        print_as_is(String::from_utf8_lossy(&script).trim_end())
    }
}
