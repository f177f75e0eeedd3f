//! Settings: whole or refused. Every problem is reported at once, with file and line.
//! Owns what may be configured; never opens anything but the configuration and its secret files.

mod keys;
mod load;
mod secret;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use url::Url;

use crate::domain::{RULES, Settings, Strategy, Timestamp};

pub use keys::{KEYS, Key, Kind, SECTIONS};
pub use load::{Problem, load, parse_time, state_folder};
pub use secret::Secret;

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub database: Database,
    pub http_listen: SocketAddr,
    /// Writing or collecting that has failed for this long makes `/readyz` say so.
    pub not_ready_after: Duration,
    pub billing: Billing,
    pub staging: Staging,
    pub collection: Collection,
    pub foundations: Vec<Foundation>,
    pub log: Log,
    /// What isn't wrong, but should be looked at.
    pub warnings: Vec<Problem>,
}

impl Configuration {
    /// The settings of the fold, with this billing epoch.
    #[must_use]
    pub const fn fold_settings(&self, billing_epoch: Option<Timestamp>) -> Settings {
        Settings {
            billing_epoch,
            staging_cap_seconds: self.staging.cap_seconds,
            staging_lost_after_seconds: self.staging.lost_after_seconds,
            staging_disk_mib: self.staging.disk_mib,
            default_disk_mib: self.billing.default_disk_mib,
            rules: RULES,
            unlisted_tasks_until: None,
        }
    }
}

/// `[database]`
#[derive(Clone, Debug)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`
    pub url: Secret,
    /// PostgreSQL: connections at most.
    pub connections: u32,
    /// PostgreSQL: to get a connection.
    pub acquire_timeout: Duration,
    /// PostgreSQL: for one statement.
    pub statement_timeout: Duration,
    /// A replica that wasn't heard of for this long loses its duties.
    pub lease: Duration,
}

/// `[billing]`
#[derive(Clone, Debug)]
pub struct Billing {
    /// Where billing periods begin and end.
    pub time_zone: Tz,
    /// A rate card, or a folder of them.
    pub rates: Option<PathBuf>,
    /// Which organizations are whose.
    pub accounts: Option<PathBuf>,
    /// Who issues the invoices.
    pub seller: Seller,
    /// Begins every invoice number.
    pub invoice_series: String,
    /// Begins every credit note's number.
    pub credit_note_series: String,
    /// After a month's end, before which nothing of it becomes final.
    pub grace_seconds: i64,
    /// Where it is marked what was issued; `None`: the usual place.
    pub marks: Option<PathBuf>,
    /// So many times the month before need looking at; `None`: none do.
    pub jump_factor: Option<u32>,
    /// Formats that are made when an invoice becomes final.
    pub documents: Vec<String>,
    pub default_disk_mib: u32,
    /// Between two computations of the drafts.
    pub draft_interval: Duration,
}

/// `[billing] seller…`, as it is written there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seller {
    pub name: Option<String>,
    pub address_lines: Vec<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
    pub region: Option<String>,
    pub country: Option<String>,
    pub vat_id: Option<String>,
    pub tax_number: Option<String>,
    pub registration: Option<String>,
    pub contact: Option<String>,
    pub email: Option<String>,
    pub phone: Option<String>,
    /// Scheme and id.
    pub electronic_address: Option<(String, String)>,
    pub iban: Option<String>,
    pub bic: Option<String>,
    pub bank: Option<String>,
    pub logo: Option<PathBuf>,
    /// `#rrggbb`
    pub colour: Option<String>,
    /// What keeps invoices from being final, such as an IBAN that is none.
    pub unfit: Vec<Problem>,
    /// What isn't wrong, but should be looked at.
    pub odd: Vec<Problem>,
}

/// `[staging]`
#[derive(Clone, Copy, Debug)]
pub struct Staging {
    pub cap_seconds: i64,
    pub lost_after_seconds: i64,
    pub disk_mib: u32,
}

/// `[collection]`
#[derive(Clone, Copy, Debug)]
pub struct Collection {
    pub poll_interval: Duration,
    /// How far behind the checkpoint events may still appear.
    pub sweep_window_seconds: i64,
    /// Between two sweeps.
    pub sweep_interval_seconds: i64,
    /// Between two looks at which processes were changed.
    pub observe_interval_seconds: i64,
    /// Between two comparisons of the ledger with what runs.
    pub reconcile_interval_seconds: i64,
    /// An unfinished snapshot is given up after this.
    pub snapshot_patience_seconds: i64,
    /// For a whole answer.
    pub answer_timeout: Duration,
    /// Raw events are pruned after this; `None`: never.
    pub keep_events_seconds: Option<i64>,
}

/// `[[foundation]]`
#[derive(Clone, Debug)]
pub struct Foundation {
    pub name: String,
    pub api: Url,
    /// Where tokens come from; `None`: what the API names, if it belongs to it.
    pub uaa: Option<Url>,
    pub client_id: String,
    pub client_secret: Secret,
    pub ca_file: Option<PathBuf>,
    pub billing_from: Option<Timestamp>,
    /// `None`: from the best there is.
    pub onboarding: Option<Strategy>,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// A filter as `tracing-subscriber` takes it.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}
