//! `cf-billing ledger verify`: the hash chains computed again, and compared with what was attested of them.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::attest::{Attestation, check_signature, file_failed};
use super::chains::{Chain, broken, chains};
use crate::cli::output::{self, Format, note, numbers, words};
use crate::cli::{Failure, Global};
use crate::store::{CHAIN_OF_AUDIT, Store};

/// Check that nothing was changed since it was written
///
/// Computes the hash chains again, one of each foundation, one of each invoice series and that of the audit log, and names
/// the first break of each. A chain shows that somebody changed a row. That nobody rewrote all of it shows a link that was kept elsewhere:
/// --against compares with what `ledger attest` wrote then. Ends with 1 if a chain is broken, or isn't as attested.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  cf-billing ledger verify --format json
  cf-billing ledger verify --against attested-2026-10.json --public-key attest.pub")]
pub(super) struct Verify {
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// What `ledger attest` wrote earlier
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Whose signature must be in FILE.sig: an Ed25519 public key, PEM
    #[arg(long, value_name = "KEY", requires = "against")]
    public_key: Option<PathBuf>,
}

impl Verify {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let attestation = self.against.as_deref().map(|file| attested(file, self.public_key.as_deref())).transpose()?;
        let configuration = global.configuration()?;
        let store = Global::open_existing(&configuration).await?;
        let chains = chains(&store).await?;
        let mut problems = broken(&chains);
        for chain in chains.iter().filter(|chain| chain.lost > 0) {
            note(&format!("{}: {} number(s) were recorded as lost", chain.name, chain.lost));
        }
        let is_broken = !problems.is_empty();
        if let Some(attestation) = &attestation {
            problems.extend(compare(&store, attestation).await?);
        }
        store.close().await;
        self.show(&chains)?;
        let Some(last) = problems.last_mut() else { return Ok(()) };
        last.push_str(if is_broken {
            "\nhint: restore the database from a backup made before the change; `ledger rebuild` shows what the archive gives"
        } else {
            "\nhint: either the database was rewritten, or it was restored from a backup older than the attestation and went \
             on from there; ask who restored it, and when"
        });
        Err(Failure { code: 1, problems })
    }

    fn show(&self, chains: &[Chain]) -> Result<(), Failure> {
        const HEADER: [&str; 7] = ["chain", "links", "inputs", "entries", "pruned", "before", "last"];
        let cells = |chain: &Chain| {
            let mut cells = vec![chain.name.clone()];
            cells.extend(chain.numbers.iter().map(ToString::to_string));
            cells.push(chain.digest.clone());
            cells
        };
        match self.format {
            Format::Json => {
                let object = |chain: &Chain| {
                    let [links, inputs, entries, pruned, before] = chain.numbers;
                    json!({"chain": chain.name, "links": links, "inputs": inputs, "entries": entries, "pruned": pruned, "before": before, "last": chain.digest})
                };
                output::json(&chains.iter().map(object).collect::<Vec<_>>())
            }
            Format::Csv => output::csv(&HEADER, chains.iter().map(cells)),
            Format::Table => {
                let column = |name| if ["chain", "last"].contains(&name) { words(name) } else { numbers(name) };
                output::table(&HEADER.map(column), chains.iter().map(cells))
            }
        }
    }
}

/// What was attested, by whom it says if a key is given.
fn attested(file: &Path, public_key: Option<&Path>) -> Result<Attestation, Failure> {
    let text = std::fs::read(file).map_err(|error| file_failed(file, &error))?;
    match public_key {
        Some(key) => check_signature(file, &text, key)?,
        None => note(&format!("{}: its signature isn't checked: --public-key names whose it must be", file.display())),
    }
    serde_json::from_slice(&text).map_err(|error| {
        Failure::failed(format!("{}: {error}\nhint: give a file that `ledger attest` wrote", file.display()))
    })
}

/// What isn't as it was attested.
async fn compare(store: &Store, attestation: &Attestation) -> Result<Vec<String>, Failure> {
    let heads = store.foundations().await?;
    let mut problems = Vec::new();
    for attested in &attestation.chains {
        let name = &attested.chain;
        let (what, now) = match name.split_once('/') {
            Some(("foundation", foundation)) => {
                let link = match heads.iter().find(|head| head.name == foundation) {
                    Some(head) => store.link_through(head, attested.through).await?,
                    None => None,
                };
                ("input", link)
            }
            Some(("invoices", series)) => ("invoice", store.invoice_link(series, attested.through).await?),
            None if name == CHAIN_OF_AUDIT => ("entry", store.audit_link(attested.through).await?),
            _ => return Err(Failure::failed(format!("`{name}` is no chain of this program"))),
        };
        let place = format!("{name}: its link at {what} {}", attested.through);
        match now {
            Some(digest) if digest == attested.digest => {
                note(&format!("{place} is as it was attested at {}", attestation.made_at));
            }
            Some(digest) => problems.push(format!("{place} is {digest}; attested was {}", attested.digest)),
            None => problems.push(format!("{place} is gone; it was attested at {}", attestation.made_at)),
        }
    }
    Ok(problems)
}
