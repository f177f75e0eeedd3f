//! `cf-billing anomalies`: odd input, with what was assumed.

use std::collections::{BTreeMap, BTreeSet};

use super::output::{self, Format, note, numbers, words};
use super::usage::time;
use super::{Failure, Global};
use crate::api::{Anomaly, Tabular};
use crate::domain::{AnomalyKind, Span, Timestamp};
use crate::store::{AnomalyFilter, Store, StoredAnomaly};

/// List odd input: what was found, and what was assumed
///
/// Records that can't be read (`--kind undecodable`) keep the invoices of their month from being final until somebody
/// accepts that with `--accept undecodable:FOUNDATION`. JSON shows each record as it was received.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing anomalies --foundation eu1 --kind undecodable\n  cf-billing anomalies --kind undecodable --format json"
)]
pub struct Anomalies {
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    /// Only this kind, such as `undecodable`
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only from this time on
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    most: u32,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Letters that a table has for what was found.
const DETAIL: usize = 100;

impl Anomalies {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let kind = self.kind.as_deref().map(kind_of).transpose()?;
        let zone = configuration.billing.time_zone;
        let given =
            |option: &str, text: &Option<String>| text.as_ref().map(|text| time(option, text, zone)).transpose();
        let (from, to) = (given("--from", &self.from)?, given("--to", &self.to)?);
        let span = (from.is_some() || to.is_some())
            .then(|| Span { from: from.unwrap_or(Timestamp::MIN), to: to.unwrap_or(Timestamp::MAX) });
        let store = Global::open_existing(&configuration).await?;
        let filter = AnomalyFilter { foundation: self.foundation.clone(), kind, span };
        let (anomalies, all) = store.anomalies(&filter, self.most as usize).await?;
        let records = if self.format == Format::Json { records(&store, &anomalies).await? } else { BTreeMap::new() };
        store.close().await;
        match self.format {
            Format::Json => output::json(&anomalies.iter().map(|one| told(one, &records)).collect::<Vec<_>>())?,
            Format::Csv => output::csv(Anomaly::HEADER, anomalies.iter().map(|one| Anomaly::from(one).cells()))?,
            Format::Table if anomalies.is_empty() => note("no anomalies found"),
            Format::Table => table(&anomalies)?,
        }
        if all > anomalies.len() as u64 {
            note(&format!("and {} more\nhint: --most {all} shows all of them of them", all - anomalies.len() as u64));
        }
        Ok(())
    }
}

fn kind_of(name: &str) -> Result<AnomalyKind, Failure> {
    AnomalyKind::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = AnomalyKind::ALL.iter().map(|kind| kind.name()).collect();
        Failure::usage(format!("`{name}` is not a kind of anomaly\nhint: use one of {}", known.join(", ")))
    })
}

/// What was received of records that can't be understood, by foundation and number.
async fn records(store: &Store, anomalies: &[StoredAnomaly]) -> Result<BTreeMap<(String, u64), String>, Failure> {
    let mut wanted: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let unread = [AnomalyKind::Undecodable.name(), AnomalyKind::UnknownState.name()];
    for anomaly in anomalies.iter().filter(|anomaly| unread.contains(&anomaly.kind.as_str())) {
        wanted.entry(&anomaly.foundation).or_default().insert(anomaly.sequence);
    }
    let mut records = BTreeMap::new();
    for head in store.foundations().await? {
        let Some(sequences) = wanted.get(head.name.as_str()) else { continue };
        for (sequence, input) in store.inputs_at(&head, sequences).await? {
            records.insert((head.name.clone(), sequence), input.body);
        }
    }
    Ok(records)
}

/// An anomaly, with what was received if it can't be understood.
fn told(anomaly: &StoredAnomaly, records: &BTreeMap<(String, u64), String>) -> Anomaly {
    let record = records.get(&(anomaly.foundation.clone(), anomaly.sequence)).cloned();
    Anomaly { record, ..Anomaly::from(anomaly) }
}

/// Two lines each: what it is about, and what was found.
fn table(anomalies: &[StoredAnomaly]) -> Result<(), Failure> {
    let columns = [words("foundation"), numbers("input"), words("at"), words("kind and resource")];
    let rows = anomalies.iter().map(|anomaly| {
        let resource = anomaly.resource.as_ref().map(|(kind, guid)| format!(" {} {guid}", kind.name()));
        vec![
            anomaly.foundation.clone(),
            anomaly.sequence.to_string(),
            anomaly.at.map_or_else(|| "unreadable".to_owned(), |at| at.to_string()),
            format!("{}{}", anomaly.kind, resource.unwrap_or_default()),
        ]
    });
    output::table(&columns, rows)?;
    // Said once each: as often as not all are of one cause.
    let mut details: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for anomaly in anomalies {
        let said = details.entry((&anomaly.kind, &anomaly.detail)).or_insert((0, anomaly.sequence));
        said.0 += 1;
    }
    for ((kind, detail), (times, first)) in details.iter().take(20) {
        let detail: String = detail.chars().take(DETAIL).collect();
        let more = if *times > 1 { format!(" and {} more", times - 1) } else { String::new() };
        output::print(&format!("{kind}, input {first}{more}:\n  {detail}"))?;
    }
    Ok(())
}
