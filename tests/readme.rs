//! README.md against the code: the configuration reference, the commands.
//!
//! `CF_BILLING_WRITE_DOCS=1 cargo test readme` writes the reference anew.

use cf_billing::config::{self, load};
use cf_billing::keyed;
use cf_billing::rate_card::keys;

use crate::support::program::Program;

const README: &str = "README.md";

#[test]
fn the_configuration_reference_is_complete() {
    let readme = std::fs::read_to_string(README).unwrap();
    let (begin, end) = ("<!-- reference -->\n", "<!-- end of reference -->\n");
    let start = readme.find(begin).unwrap() + begin.len();
    let stop = readme.find(end).unwrap();
    let wanted = format!("{}{}{}", &readme[..start], keyed::reference(&config::tables()), &readme[stop..]);
    if std::env::var_os("CF_BILLING_WRITE_DOCS").is_some() {
        std::fs::write(README, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(README).unwrap(), wanted);
}

/// The example loads as it stands in the page.
#[test]
fn the_minimal_configuration_is_good() {
    let readme = std::fs::read_to_string(README).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("eu1.secret");
    std::fs::write(&secret, "s\n").unwrap();
    let example = readme.split("`cf-billing.toml`:\n\n").nth(1).unwrap();
    let example: Vec<&str> =
        example.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).map(str::trim).collect();
    let text = example.join("\n").replace("/etc/cf-billing/eu1.secret", secret.to_str().unwrap());
    let file = folder.path().join("cf-billing.toml");
    std::fs::write(&file, text).unwrap();
    let configuration = load(Some(&file), []).unwrap();
    assert_eq!(configuration.foundations[0].name, "eu1");
    assert_eq!(configuration.foundations[0].client_secret.expose(), "s");
    assert!(configuration.billing.rates.unwrap().is_file());
}

#[test]
fn every_command_is_told_and_has_an_example() {
    let program = Program::new();
    let readme = std::fs::read_to_string(README).unwrap();
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
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{command}")));
        let row = row.unwrap_or_else(|| panic!("{command} is not in the table of commands"));
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
    let keys = keyed::reference(&keys::tables());
    let page = std::fs::read_to_string(CARDS).unwrap();
    let (begin, end) = ("<!-- keys -->\n", "<!-- end of keys -->\n");
    let start = page.find(begin).unwrap() + begin.len();
    let stop = page.find(end).unwrap();
    let wanted = format!("{}{keys}{}", &page[..start], &page[stop..]);
    if std::env::var_os("CF_BILLING_WRITE_DOCS").is_some() {
        std::fs::write(CARDS, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(CARDS).unwrap(), wanted);
}
