//! `cf-billing usage`: quantities from the ledger, no prices.

use chrono_tz::Tz;
use serde_json::{Map, Value};

use super::output::{self, Column, Format, grouped, numbers, words};
use super::scratch::Scratch;
use super::{Failure, Global};
use crate::consumer::rebuild;
use crate::domain::text::visible;
use crate::domain::{Span, Timestamp};
use crate::keyed;
use crate::store::{Absurd, GroupKey, UsageQuery, UsageRow};

/// Show how much was used, from the ledger, without prices
///
/// Quantities are integers: instance-seconds, and MiB-seconds of memory and disk. What still runs
/// counts up to the time until which events are known.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  cf-billing usage --from 2026-10-01 --to 2026-11-01 --by kind,org,buildpack --names"
)]
pub struct Usage {
    /// Start, inclusive: RFC 3339, or a date at midnight in the billing time zone
    #[arg(long, value_name = "TIME")]
    from: String,
    /// End, exclusive
    #[arg(long, value_name = "TIME")]
    to: String,
    /// Group by these, in this order
    #[arg(long, value_delimiter = ',', default_value = "kind")]
    by: Vec<By>,
    /// Show names beside guids
    #[arg(long)]
    names: bool,
    /// Count user-provided service instances too
    #[arg(long)]
    user_provided: bool,
    /// Only this foundation
    #[arg(long, value_name = "NAME")]
    foundation: Option<String>,
    /// As it was known at that time, without what arrived later. Everything archived until then is folded again
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Foundation,
    Kind,
    Org,
    Space,
    App,
    Process,
    Buildpack,
    Plan,
}

impl By {
    const fn group(self) -> GroupKey {
        match self {
            Self::Foundation => GroupKey::Foundation,
            Self::Kind => GroupKey::Kind,
            Self::Org => GroupKey::Organization,
            Self::Space => GroupKey::Space,
            Self::App => GroupKey::App,
            Self::Process => GroupKey::Process,
            Self::Buildpack => GroupKey::Buildpack,
            Self::Plan => GroupKey::ServicePlan,
        }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Foundation => "foundation",
            Self::Kind => "kind",
            Self::Org => "org_guid",
            Self::Space => "space_guid",
            Self::App => "app_guid",
            Self::Process => "process_guid",
            Self::Buildpack => "buildpack",
            Self::Plan => "service_plan_guid",
        }
    }

    /// The key of its name; none where the key is a name itself.
    const fn name_key(self) -> Option<&'static str> {
        match self {
            Self::Org => Some("org_name"),
            Self::Space => Some("space_name"),
            Self::App => Some("app_name"),
            Self::Plan => Some("service_plan_name"),
            Self::Foundation | Self::Kind | Self::Process | Self::Buildpack => None,
        }
    }
}

const QUANTITIES: [&str; 4] =
    ["instance_seconds", "memory_mib_seconds", "disk_mib_seconds", "estimated_instance_seconds"];

impl Usage {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        let configuration = global.configuration()?;
        let zone = configuration.billing.time_zone;
        let span = Span { from: time("--from", &self.from, zone)?, to: time("--to", &self.to, zone)? };
        if span.to < span.from {
            return Err(Failure::usage(format!("--to {} is before --from {}", self.to, self.from)));
        }
        let store = Global::open_existing(&configuration).await?;
        if let Some(name) = &self.foundation
            && !store.foundations().await?.iter().any(|foundation| foundation.name == *name)
        {
            return Err(Failure::failed(format!("there is no foundation `{name}` in the database")));
        }
        let query = UsageQuery {
            by: self.by.iter().map(|by| by.group()).collect(),
            foundation: self.foundation.clone(),
            user_provided: self.user_provided,
        };
        let as_of = self.as_of.as_ref().map(|text| time("--as-of", text, zone)).transpose()?;
        let mut used = match as_of {
            None => store.usage(&query, &[span]).await?,
            Some(at) => {
                let scratch = Scratch::new().await?;
                for head in store.foundations().await? {
                    let wanted = self.foundation.as_ref().is_none_or(|name| *name == head.name);
                    if wanted {
                        rebuild(&store, &head, &scratch.store, Some(at), |_| ()).await.map_err(Failure::failed)?;
                    }
                }
                scratch.store.usage(&query, &[span]).await?
            }
        };
        let rows = used.of_spans.pop().unwrap_or_default();
        store.close().await;
        match self.format {
            Format::Json => output::json(&rows.iter().map(|row| self.object(row)).collect::<Vec<_>>())?,
            Format::Csv => {
                let header: Vec<&str> = self.keys().into_iter().chain(QUANTITIES).collect();
                output::csv(&header, rows.iter().map(|row| self.cells(row, |number| number.to_string())))?;
            }
            Format::Table => {
                let columns: Vec<Column> = self.keys().into_iter().map(words).chain(QUANTITIES.map(numbers)).collect();
                output::table(&columns, rows.iter().map(|row| self.cells(row, grouped)))?;
            }
        }
        left_out(&used.absurd)
    }

    fn keys(&self) -> Vec<&'static str> {
        let name = |by: &By| by.name_key().filter(|_| self.names);
        self.by.iter().flat_map(|by| std::iter::once(by.key()).chain(name(by))).collect()
    }

    fn object(&self, row: &UsageRow) -> Value {
        let mut object = Map::new();
        for (by, keyed) in self.by.iter().zip(&row.keys) {
            object.insert(by.key().to_owned(), keyed.as_ref().map(|keyed| keyed.value.clone()).into());
            if let Some(name) = by.name_key().filter(|_| self.names) {
                object.insert(name.to_owned(), keyed.as_ref().and_then(|keyed| keyed.name.clone()).into());
            }
        }
        for (name, quantity) in QUANTITIES.into_iter().zip(quantities(row)) {
            object.insert(name.to_owned(), quantity.into());
        }
        Value::Object(object)
    }

    fn cells(&self, row: &UsageRow, number: impl Fn(i64) -> String) -> Vec<String> {
        let mut cells = Vec::new();
        for (by, keyed) in self.by.iter().zip(&row.keys) {
            cells.push(keyed.as_ref().map(|keyed| keyed.value.clone()).unwrap_or_default());
            if self.names && by.name_key().is_some() {
                cells.push(keyed.as_ref().and_then(|keyed| keyed.name.clone()).unwrap_or_default());
            }
        }
        cells.extend(quantities(row).map(number));
        cells
    }
}

const fn quantities(row: &UsageRow) -> [i64; 4] {
    [row.instance_seconds, row.memory_mib_seconds, row.disk_mib_seconds, row.estimated_instance_seconds]
}

/// Fails for what is in no sum, once the sums are printed.
fn left_out(absurd: &[Absurd]) -> Result<(), Failure> {
    let told = |one: &Absurd| {
        let named = one.name.as_ref().map(|name| format!(" `{}`", visible(name))).unwrap_or_default();
        format!(
            "{} {}{named} ({}) used more than can be counted and is left out of all sums",
            one.foundation,
            one.kind.name(),
            one.guid
        )
    };
    let mut problems: Vec<String> = absurd.iter().map(told).collect();
    let Some(last) = problems.last_mut() else { return Ok(()) };
    last.push_str("\nhint: the sums hold everything else; its account gets no invoice until this is fixed");
    Err(Failure { code: 1, problems })
}

/// The time that an option gives; a date is midnight in `zone`.
pub(super) fn time(option: &str, text: &str, zone: Tz) -> Result<Timestamp, Failure> {
    keyed::time(text, zone).map_err(|wrong| Failure::usage(format!("{option}: {}\nhint: {}", wrong.what, wrong.form)))
}
