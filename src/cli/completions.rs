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
        generate(self.shell, &mut command, &name, &mut script);
        let mut script = String::from_utf8_lossy(&script).into_owned();
        if self.shell == Shell::Bash {
            // clap_complete 4.6 spells a program's name with a dash in two ways, and so finds none of its commands.
            script = script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"));
        }
        print_as_is(script.trim_end())
    }
}
