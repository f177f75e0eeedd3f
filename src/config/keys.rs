//! Every key there is: what the loader accepts and what the reference in README.md lists.

/// A table of the configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    pub name: &'static str,
    pub doc: &'static str,
}

/// What a value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// May also be given as `<key>_file`, the path of a file that holds it.
    Secret,
    Path,
    /// `15m`, `900s`, `1h 30m`: whole seconds, from `min` to `max`.
    Duration {
        min: i64,
        max: i64,
    },
    /// As a duration, to the millisecond.
    Interval {
        min_ms: u64,
        max_ms: u64,
    },
    Count {
        min: i64,
        max: i64,
    },
    Choice(&'static [&'static str]),
    /// Some of these words, with commas between them.
    Words(&'static [&'static str]),
    /// An IANA name.
    TimeZone,
    /// RFC 3339, or a date at midnight in the billing time zone.
    Time,
    /// An `http` or `https` URL.
    Url,
    /// Address and port.
    Listen,
    /// A filter such as `info` or `info,cf_billing=debug`.
    LogFilter,
}

/// One key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub section: &'static str,
    pub name: &'static str,
    pub kind: Kind,
    /// `None`: it may be left out and has no value then, unless it is required.
    pub default: Option<&'static str>,
    pub required: bool,
    pub doc: &'static str,
}

const fn key(
    section: &'static str,
    name: &'static str,
    kind: Kind,
    default: Option<&'static str>,
    doc: &'static str,
) -> Key {
    Key { section, name, kind, default, required: false, doc }
}

const fn required(section: &'static str, name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { section, name, kind, default: None, required: true, doc }
}

/// The tables, in the order of the reference.
pub const SECTIONS: &[Section] = &[
    Section { name: "database", doc: "Where everything is kept." },
    Section { name: "http", doc: "Where metrics, health, API and pages are served." },
    Section { name: "billing", doc: "How usage becomes invoices." },
    Section { name: "staging", doc: "What is assumed of stagings." },
    Section { name: "collection", doc: "How usage events are read." },
    Section { name: "foundation", doc: "One `[[foundation]]` per Cloud Foundry installation." },
    Section { name: "log", doc: "What is logged." },
];

/// The longest duration that can be configured: 10 years.
const TEN_YEARS: i64 = 10 * 366 * 86_400;
/// More MiB than any disk has; still far from overflowing a month's sum.
const MOST_MIB: i64 = 1 << 30;

/// The keys, in the order of the reference.
pub const KEYS: &[Key] = &[
    key(
        "database",
        "url",
        Kind::Secret,
        None,
        "`sqlite:///path/to/file.db`, or `postgres://user:password@host:5432/database` (PostgreSQL 15 or later). Left out: `cf-billing.db` in `$STATE_DIRECTORY`, `$XDG_STATE_HOME/cf-billing` or `~/.local/state/cf-billing`",
    ),
    key(
        "database",
        "connections",
        Kind::Count { min: 2, max: 1000 },
        Some("10"),
        "PostgreSQL: connections of each replica at most",
    ),
    key(
        "database",
        "acquire_timeout",
        Kind::Interval { min_ms: 100, max_ms: 600_000 },
        Some("10s"),
        "PostgreSQL: how long it may take to get a connection, a new one if need be",
    ),
    key(
        "database",
        "statement_timeout",
        Kind::Interval { min_ms: 100, max_ms: 3_600_000 },
        Some("30s"),
        "PostgreSQL: how long a statement may run or wait for a lock; 5 s later its connection counts as lost",
    ),
    key(
        "database",
        "lease",
        Kind::Interval { min_ms: 500, max_ms: 600_000 },
        Some("10s"),
        "PostgreSQL: a replica that wasn't heard of for this long loses its foundations to the others",
    ),
    key("http", "listen", Kind::Listen, Some("127.0.0.1:9495"), "Address and port; loopback addresses only"),
    key(
        "http",
        "not_ready_after",
        Kind::Interval { min_ms: 100, max_ms: 3_600_000 },
        Some("60s"),
        "`/readyz` answers 503 once writing or collecting has failed for this long",
    ),
    key(
        "billing",
        "time_zone",
        Kind::TimeZone,
        Some("UTC"),
        "Where billing periods begin and end, such as `Europe/Berlin`",
    ),
    key("billing", "rates", Kind::Path, None, "The rate card, a TOML file"),
    key(
        "billing",
        "accounts",
        Kind::Path,
        None,
        "Who pays, a TOML file: see docs/accounts.md. Without, each organization has an invoice of its own",
    ),
    key("billing", "seller", Kind::Text, None, "Who issues the invoices: the legal name"),
    key(
        "billing",
        "seller_address",
        Kind::Text,
        None,
        "The seller's street and what comes with it, one to three lines: `\"Main Street 1\\nBuilding 2\"`",
    ),
    key("billing", "seller_postal_code", Kind::Text, None, "The seller's postal code"),
    key("billing", "seller_city", Kind::Text, None, "The seller's city"),
    key("billing", "seller_region", Kind::Text, None, "The seller's state or province"),
    key("billing", "seller_country", Kind::Text, None, "The seller's country, two letters: `DE`"),
    key("billing", "seller_vat_id", Kind::Text, None, "The seller's VAT id: `DE123456789`"),
    key("billing", "seller_tax_number", Kind::Text, None, "The tax office's own number of the seller"),
    key(
        "billing",
        "seller_registration",
        Kind::Text,
        None,
        "Where the seller is registered: `HRB 12345, Amtsgericht Berlin`",
    ),
    key("billing", "seller_contact", Kind::Text, None, "Whom to ask about an invoice"),
    key("billing", "seller_email", Kind::Text, None, "Their e-mail address"),
    key("billing", "seller_phone", Kind::Text, None, "Their telephone number"),
    key(
        "billing",
        "seller_electronic_address",
        Kind::Text,
        None,
        "The seller's address for e-invoices, `SCHEME:ID` of the EAS code list: `9930:DE123456789`, or `EM:billing@example.org`",
    ),
    key("billing", "seller_iban", Kind::Text, None, "Where to pay: IBAN"),
    key("billing", "seller_bic", Kind::Text, None, "Where to pay: BIC"),
    key("billing", "seller_bank", Kind::Text, None, "Where to pay: name of the bank"),
    key("billing", "seller_logo", Kind::Path, None, "A PNG, JPEG or SVG file, shown on documents"),
    key("billing", "seller_colour", Kind::Text, None, "The colour of headings and lines of documents: `#1f4e79`"),
    key("billing", "invoice_series", Kind::Text, Some("CF"), "Begins every invoice number: `CF-000001`"),
    key("billing", "credit_note_series", Kind::Text, Some("CN"), "Begins every credit note's number: `CN-000001`"),
    key(
        "billing",
        "grace",
        Kind::Duration { min: 0, max: 92 * 86_400 },
        Some("1d"),
        "How long after a month's end its invoices stay drafts that may still change; then they are in review",
    ),
    key(
        "billing",
        "documents",
        Kind::Words(&["html", "pdf", "csv", "json", "ubl"]),
        Some("html,pdf,csv,json,ubl"),
        "Which documents are made when an invoice becomes final, as far as they can be; others are made when they are first asked for",
    ),
    key(
        "billing",
        "marks",
        Kind::Path,
        None,
        "A folder, one book's, in which each number that is issued is marked, so that a restored database is noticed; left out: beside an SQLite database, for PostgreSQL in the folder for state",
    ),
    key(
        "billing",
        "jump_factor",
        Kind::Count { min: 0, max: 1000 },
        Some("3"),
        "An invoice of more than so many times the month before becomes final only if that is accepted; 0: any does",
    ),
    key(
        "billing",
        "default_disk_mib",
        Kind::Count { min: 0, max: MOST_MIB },
        Some("1024"),
        "Disk per instance where it was never observed, in MiB",
    ),
    key(
        "billing",
        "draft_interval",
        Kind::Interval { min_ms: 1000, max_ms: 86_400_000 },
        Some("1h"),
        "How often `run` computes the drafts of this month and the last",
    ),
    key(
        "staging",
        "cap",
        Kind::Duration { min: 0, max: TEN_YEARS },
        Some("15m"),
        "What a staging counts at most when its ending is lost",
    ),
    key(
        "staging",
        "lost_after",
        Kind::Duration { min: 0, max: TEN_YEARS },
        Some("30m"),
        "An ending later than this after its start doesn't count",
    ),
    key(
        "staging",
        "disk_mib",
        Kind::Count { min: 0, max: MOST_MIB },
        Some("6144"),
        "Disk of a staging whose build can't be read, in MiB",
    ),
    key(
        "collection",
        "poll_interval",
        Kind::Interval { min_ms: 10, max_ms: 3_600_000 },
        Some("15s"),
        "How often each usage event stream is asked for news",
    ),
    key(
        "collection",
        "sweep_window",
        Kind::Duration { min: 60, max: 7 * 86_400 },
        Some("1h"),
        "How long after its time an event may still appear: reading begins this much before the baseline, and a period can be final only this much after its end",
    ),
    key(
        "collection",
        "sweep_interval",
        Kind::Duration { min: 1, max: 86_400 },
        Some("10m"),
        "How often the events of the sweep window are read again, for those that appeared late",
    ),
    key(
        "collection",
        "observe_interval",
        Kind::Duration { min: 1, max: 86_400 },
        Some("5m"),
        "How often Cloud Controller is asked which processes were changed: a new disk size is in no usage event",
    ),
    key(
        "collection",
        "reconcile_interval",
        Kind::Duration { min: 60, max: 30 * 86_400 },
        Some("6h"),
        "How often the ledger is compared with everything that runs; what two looks found alike is settled",
    ),
    key(
        "collection",
        "snapshot_patience",
        Kind::Duration { min: 0, max: 30 * 86_400 },
        Some("10m"),
        "A usage snapshot that isn't complete after this long is given up for the newest one that is",
    ),
    key(
        "collection",
        "answer_timeout",
        Kind::Interval { min_ms: 1000, max_ms: 3_600_000 },
        Some("3m"),
        "How long an answer of Cloud Controller's or UAA's may take, all of it; the next try asks for smaller pages",
    ),
    key(
        "collection",
        "keep_events",
        Kind::Duration { min: 62 * 86_400, max: TEN_YEARS },
        None,
        "Older usage events are pruned to their guids, except what a draft's period needs; left out: they are kept for ever",
    ),
    required(
        "foundation",
        "name",
        Kind::Text,
        "Names it in the book, in metrics and in commands: letters, digits, `-`, `_`, `.`",
    ),
    required("foundation", "api", Kind::Url, "Cloud Controller's address, such as `https://api.cf.example.org`"),
    key(
        "foundation",
        "uaa",
        Kind::Url,
        None,
        "Where tokens come from, such as `https://uaa.example.org`. Left out: what Cloud Controller names, if that is on its own host or under its parent domain (`api.SYSTEM`: `uaa.SYSTEM`, `login.SYSTEM`), and the one that was used before",
    ),
    required("foundation", "client_id", Kind::Text, "The UAA client to use"),
    required("foundation", "client_secret", Kind::Secret, "Its secret"),
    key(
        "foundation",
        "ca_file",
        Kind::Path,
        None,
        "PEM file of the certificate authority to trust instead of the system's",
    ),
    key(
        "foundation",
        "billing_from",
        Kind::Time,
        None,
        "Bill from this instant on, if it is later than the baseline; from kept records: from this instant on",
    ),
    key(
        "foundation",
        "onboarding",
        Kind::Choice(&["auto", "snapshot", "kept_records", "live_lists"]),
        Some("auto"),
        "Where the baseline comes from: usage snapshots, the events that Cloud Controller keeps of what runs, or the lists of what there is; `auto` takes the first of them that there is",
    ),
    key("log", "format", Kind::Choice(&["text", "json"]), Some("text"), "How log lines look"),
    key(
        "log",
        "level",
        Kind::LogFilter,
        Some("info"),
        "What is logged, such as `info` or `warn,cf_billing=debug`; `RUST_LOG` isn't read",
    ),
];
