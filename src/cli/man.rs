//! `cf-billing man`: man pages, one of the program and one of each command.

use std::io;
use std::path::{Path, PathBuf};

use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};

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
        let mut command = command().disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.out else {
            let page = page(&command).map_err(Failure::failed)?;
            return print_as_is(String::from_utf8_lossy(&page).trim_end());
        };
        let pages = write(&command, folder).map_err(|error| {
            Failure::failed(format!(
                "can't write man pages into {}: {error}\nhint: make the folder, or give another",
                folder.display()
            ))
        })?;
        note(&format!("{pages} man pages are in {}", folder.display()));
        Ok(())
    }
}

/// `cf-billing-invoices-draft`
fn title(command: &clap::Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Writes the page of a command and of those below it; gives how many.
fn write(command: &clap::Command, folder: &Path) -> io::Result<usize> {
    std::fs::write(folder.join(format!("{}.1", title(command))), page(command)?)?;
    command.get_subcommands().try_fold(1, |pages, below| Ok(pages + write(below, folder)?))
}

/// A page: clap's sections, with usage, examples and documentation as help prints them.
fn page(command: &clap::Command) -> io::Result<Vec<u8>> {
    let source = format!("cf-billing {}", env!("CARGO_PKG_VERSION"));
    let of_clap = Page::new(command.clone()).title(title(command)).source(source).manual("cf-billing");
    let mut page = Vec::new();
    of_clap.render_title(&mut page)?;
    of_clap.render_name_section(&mut page)?;
    let usage = command.clone().render_usage().to_string();
    as_it_stands(&mut page, "SYNOPSIS", usage.trim_start_matches("Usage:").trim())?;
    of_clap.render_description_section(&mut page)?;
    of_clap.render_options_section(&mut page)?;
    if command.has_subcommands() {
        of_clap.render_subcommands_section(&mut page)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for part in help.split("\n\n").filter(|part| !part.is_empty()) {
        match part.strip_prefix("Example:\n") {
            Some(examples) => as_it_stands(&mut page, "EXAMPLES", examples)?,
            None => as_it_stands(&mut page, "SEE ALSO", part)?,
        }
    }
    Ok(page)
}

/// A section whose lines aren't filled.
fn as_it_stands(page: &mut Vec<u8>, heading: &str, text: &str) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [heading]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff.to_writer(page)
}
