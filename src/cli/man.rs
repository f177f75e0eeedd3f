//! `cf-billing man`: man pages, one of the program and one of each command.

use std::path::PathBuf;

use clap_mangen::{Man as Page, generate_to};

use super::output::{note, print_as_is};
use super::{Failure, command};

/// Print the man page, or write one for each command into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing man | man -l -
  cf-billing man --out /usr/local/share/man/man1")]
pub struct Man {
    /// Write the pages of all commands into this folder; it must exist
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Man {
    pub fn run(&self) -> Result<(), Failure> {
        let command = command();
        let Some(folder) = &self.out else {
            let mut page = Vec::new();
            Page::new(command).render(&mut page).map_err(Failure::failed)?;
            return print_as_is(String::from_utf8_lossy(&page).trim_end());
        };
        let failed = |error: std::io::Error| {
            Failure::failed(format!(
                "can't write man pages into {}: {error}\nhint: make the folder, or give another",
                folder.display()
            ))
        };
        generate_to(command, folder).map_err(failed)?;
        note(&format!("man pages are in {}", folder.display()));
        Ok(())
    }
}
