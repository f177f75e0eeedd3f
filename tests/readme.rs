//! The reference pages against the code: the keys of the configuration and of rate cards, and the table of commands, are
//! complete.
//!
//! `CF_BILLING_WRITE_DOCS=1 cargo test readme` writes the generated parts anew.

use cf_billing::config;
use cf_billing::keyed;
use cf_billing::rate_card::keys;

use crate::support::generated;
use crate::support::program::Program;

const CONFIGURATION: &str = "docs/configuration.md";
const COMMANDS: &str = "docs/commands.md";

#[test]
fn the_configuration_reference_is_complete() {
    generated::blocks(CONFIGURATION, &[("reference", &keyed::reference(&config::tables()))]);
}

#[test]
fn every_command_is_told_and_has_an_example() {
    let program = Program::new();
    let page = std::fs::read_to_string(COMMANDS).unwrap();
    let commands = |arguments: &[&str]| -> Vec<String> {
        let help = program.succeed(&[arguments, &["--help"]].concat()).stdout;
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        let lines = listed.lines().take_while(|line| line.starts_with("  "));
        lines
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(str::to_owned)
            .collect()
    };
    let top = commands(&[]);
    assert!(top.len() >= 9, "{top:?}");
    for command in &top {
        let rows = page.lines().filter(|line| line.starts_with(&format!("| `{command}")));
        let row = rows.collect::<String>();
        assert!(!row.is_empty(), "{command} is not in the table of commands");
        let below = commands(&[command]);
        for sub in &below {
            assert!(row.contains(&format!(" {sub}`")) || row.contains(&format!("`{sub}`")), "{command} {sub}: {row}");
        }
        let leaves: Vec<Vec<&str>> = if below.is_empty() {
            vec![vec![command]]
        } else {
            below.iter().map(|sub| vec![command.as_str(), sub.as_str()]).collect()
        };
        for leaf in leaves {
            let help = program.succeed(&[&leaf[..], &["--help"]].concat()).stdout;
            assert!(help.contains("Example:\n  cf-billing "), "{leaf:?} has no example\n{help}");
        }
    }
}

const CARDS: &str = "docs/rate-cards.md";

/// The keys of cards, as the parser knows them.
#[test]
fn every_key_of_rate_cards_is_told() {
    generated::blocks(CARDS, &[("keys", &keyed::reference(&keys::tables()))]);
}
