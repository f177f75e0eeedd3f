//! The hash chains of a book, computed again.

use crate::cli::Failure;
use crate::cli::progress::Bars;
use crate::store::{CHAIN_OF_AUDIT, Store, Verified, chain_of_foundation, chain_of_series};

/// A hash chain as it was found.
pub(super) struct Chain {
    pub name: String,
    /// Links, inputs, entries, inputs that are pruned, and what is before the chain begins.
    pub numbers: [u64; 5],
    /// Number of the last input, invoice of the series, or entry of the audit log that it covers.
    pub through: u64,
    /// The last link, hexadecimal.
    pub digest: String,
    pub broken: Option<String>,
    /// Numbers recorded as lost.
    pub lost: u64,
}

/// Computes every chain again.
pub(super) async fn chains(store: &Store) -> Result<Vec<Chain>, Failure> {
    let mut chains = Vec::new();
    for head in store.foundations().await? {
        let bar = Bars::default().add(head.last_sequence, "verifying  {human_pos} of {human_len} inputs");
        let verified = store.verify(&head, |sequence| bar.set_position(sequence)).await;
        bar.finish_and_clear();
        let Verified { links, inputs, entries, before, pruned, through, digest, broken } = verified?;
        let numbers = [links, inputs, entries, pruned, before];
        chains.push(Chain { name: chain_of_foundation(&head.name), numbers, through, digest, broken, lost: 0 });
    }
    for series in store.verify_invoices().await? {
        let numbers = [series.invoices, 0, 0, 0, series.before];
        let (through, digest, broken, lost) = (series.through, series.digest, series.broken, series.lost);
        chains.push(Chain { name: chain_of_series(&series.name), numbers, through, digest, broken, lost });
    }
    let audit = store.verify_audit().await?;
    if audit.links > 0 || audit.broken.is_some() {
        let broken = audit.told();
        let numbers = [audit.links, 0, audit.entries, 0, 0];
        let (name, through, digest) = (CHAIN_OF_AUDIT.to_owned(), audit.entries, audit.last);
        chains.push(Chain { name, numbers, through, digest, broken, lost: 0 });
    }
    Ok(chains)
}

/// What is broken of them, for people.
pub(super) fn broken(chains: &[Chain]) -> Vec<String> {
    chains.iter().filter_map(|chain| Some(format!("{}: {}", chain.name, chain.broken.as_ref()?))).collect()
}
