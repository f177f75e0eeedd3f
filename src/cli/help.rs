//! Where the documentation of each command is: named at the end of its help and of its man page.

use clap::Command;

/// Commands of the first level, with the pages to read on.
const PAGES: &[(&str, &[&str])] = &[
    ("accounts", &["docs/accounts.md"]),
    ("anomalies", &["docs/operations.md", "docs/glossary.md"]),
    ("audit", &["docs/operations.md"]),
    ("check", &["docs/operations.md"]),
    ("clocks", &["docs/operations.md", "docs/glossary.md"]),
    ("completions", &["docs/commands.md"]),
    ("config", &["docs/configuration.md"]),
    ("demo", &["README.md"]),
    ("foundations", &["docs/operations.md"]),
    ("gaps", &["docs/operations.md", "docs/glossary.md"]),
    ("import", &["docs/operations.md"]),
    ("invoices", &["docs/invoices.md", "docs/focus.md"]),
    ("ledger", &["docs/operations.md"]),
    ("man", &["docs/commands.md"]),
    ("probe", &["docs/install.md", "docs/operations.md"]),
    ("rates", &["docs/rate-cards.md"]),
    ("reconcile", &["docs/operations.md"]),
    ("run", &["docs/operations.md", "docs/configuration.md"]),
    ("simulate", &["docs/operations.md"]),
    ("snapshots", &["docs/operations.md"]),
    ("cost", &["docs/invoices.md", "docs/api.md"]),
    ("forecast", &["docs/invoices.md", "docs/api.md"]),
    ("usage", &["docs/what-is-billed.md"]),
];

/// The command line with a line for each command that says where to read on.
pub(super) fn with_documentation(command: Command) -> Command {
    let general = "Documentation: README.md and docs/, in the source and in each release";
    PAGES.iter().fold(command.after_help(general), |command, (name, pages)| {
        command.mut_subcommand(name, |command| with_pages(command, pages))
    })
}

/// Adds the pages to what a command's help ends with, and to that of the commands below it.
fn with_pages(command: Command, pages: &[&str]) -> Command {
    let pages_line = format!("Documentation: {}", pages.join(", "));
    let help = match command.get_after_help() {
        Some(examples) => format!("{examples}\n\n{pages_line}"),
        None => pages_line,
    };
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(command.after_help(help), |command, name| command.mut_subcommand(name, |below| with_pages(below, pages)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_command_names_pages_that_exist() {
        let command = super::super::command();
        for below in command.get_subcommands() {
            let pages = PAGES.iter().find(|(name, _)| *name == below.get_name());
            let (name, pages) = pages.unwrap_or_else(|| panic!("{} names no page", below.get_name()));
            for page in *pages {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(page).is_file(), "{name}: {page}");
            }
        }
    }
}
