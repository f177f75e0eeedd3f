//! `[billing]`: how usage becomes invoices.

use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;

use super::{MOST_MIB, Seller, seller};
use crate::documents::Format;
use crate::domain::codes::Wrong;
use crate::keyed::{Key, Keyed, Takes, key};

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
    pub documents: Vec<Format>,
    pub default_disk_mib: u32,
    /// Between two computations of the drafts.
    pub draft_interval: Duration,
}

/// What can be made when an invoice becomes final.
const DOCUMENTS: [&str; 5] =
    [Format::Html.name(), Format::Pdf.name(), Format::Csv.name(), Format::Json.name(), Format::Ubl.name()];

pub(super) fn keys() -> Vec<Key> {
    let mut keys = vec![
        key("time_zone", Takes::Form("IANA time zone"), "Where billing periods begin and end, such as `Europe/Berlin`")
            .or("UTC"),
        key("rates", Takes::Form("path"), "The rate card, a TOML file"),
        key(
            "accounts",
            Takes::Form("path"),
            "The accounts file (TOML), which says who pays: see docs/accounts.md. Without it, each organization has its own invoice",
        ),
    ];
    keys.extend(seller::KEYS);
    keys.extend([
        key("invoice_series", Takes::Form("text"), "Begins every invoice number: `CF-000001`").or("CF"),
        key("credit_note_series", Takes::Form("text"), "Begins every credit note's number: `CN-000001`").or("CN"),
        key(
            "grace",
            Takes::Seconds { min: 0, max: 92 * 86_400 },
            "How long after a month's end its invoices may still change; then they are in review",
        )
        .or("1d"),
        key(
            "documents",
            Takes::Words(&DOCUMENTS),
            "Which documents are made when an invoice becomes final, if their data is complete; others are made when they are first exported",
        )
        .or("html,pdf,csv,json,ubl"),
        key(
            "marks",
            Takes::Form("path"),
            "The folder in which each issued number of this book is marked, so that a restored database is noticed. Left out: beside an SQLite database; for PostgreSQL in the state folder",
        ),
        key(
            "jump_factor",
            Takes::Whole { min: 0, max: 1000 },
            "An invoice of more than this many times the month before must be accepted explicitly; 0: none must",
        )
        .or("3"),
        key(
            "default_disk_mib",
            Takes::Whole { min: 0, max: MOST_MIB },
            "Disk per instance if it was never observed, in MiB",
        )
        .or("1024"),
        key(
            "draft_interval",
            Takes::Duration { min_ms: 1000, max_ms: 86_400_000 },
            "How often `run` computes the drafts of this month and the last",
        )
        .or("1h"),
    ]);
    keys
}

fn time_zone(text: &str) -> Result<Tz, Wrong> {
    let form = "write the name of an IANA time zone, such as Europe/Berlin";
    text.parse().map_err(|_| Wrong::new(format!("`{text}` is not a time zone"), form))
}

fn series(text: &str) -> Result<String, Wrong> {
    let is_plain = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_/.".contains(letter));
    if is_plain && (1..=20).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let form = "use 1 to 20 letters, digits, `-`, `_`, `/` and `.`";
    Err(Wrong::new(format!("`{text}` is not a series of numbers"), form))
}

impl Billing {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let time_zone = section.form("time_zone", time_zone);
        let (rates, accounts, marks) = (section.path("rates"), section.path("accounts"), section.path("marks"));
        let seller = Seller::read(section);
        let invoice_series = section.form("invoice_series", series);
        let credit_note_series = section.form("credit_note_series", series);
        let grace_seconds = section.seconds("grace");
        let documents = section.words("documents");
        let jump_factor = section.whole("jump_factor");
        let default_disk_mib = section.whole("default_disk_mib");
        let draft_interval = section.duration("draft_interval");
        Some(Self {
            time_zone: time_zone?,
            rates,
            accounts,
            seller,
            invoice_series: invoice_series?,
            credit_note_series: credit_note_series?,
            grace_seconds: grace_seconds?,
            marks,
            jump_factor: Some(jump_factor?).filter(|factor| *factor > 0),
            documents: documents?
                .into_iter()
                .map(|name| Format::from_name(name).expect("the words are the formats' names"))
                .collect(),
            default_disk_mib: default_disk_mib?,
            draft_interval: draft_interval?,
        })
    }
}
