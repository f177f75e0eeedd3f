//! Settings: whole or refused. Every problem is reported at once, with file and line.
//! Owns what may be configured, a file a section; never opens anything but the configuration and its secret files.

mod billing;
mod collection;
mod database;
mod foundation;
mod http;
mod issuer;
mod layers;
mod log;
mod secret;
mod seller;
mod staging;
mod token;

use std::path::Path;

use chrono_tz::Tz;
use serde_json::Value;

use crate::access::ApiToken;
use crate::domain::text::{NotText, Position, text_of};
use crate::domain::{RULES, Settings, Timestamp};
use crate::keyed::{self, Described, FilePosition, Key, Keyed, Origin, Problem, Reader, Takes, key};
use layers::layered;

pub use self::http::Http;
pub use self::log::{Log, LogFormat};
pub use billing::Billing;
pub use collection::Collection;
pub use database::Database;
pub use foundation::Foundation;
pub use issuer::{SignInClient, TrustedIssuer};
pub use secret::Secret;
pub(crate) use secret::state_folder;
pub use seller::Seller;
pub use staging::Staging;

/// The longest duration that can be configured: 10 years.
const TEN_YEARS: i64 = 10 * 366 * 86_400;
/// More MiB than any disk has; still far from overflowing a month's sum.
const MOST_MIB: i64 = 1 << 30;

/// Everything that can be configured.
#[derive(Clone, Debug)]
pub struct Configuration {
    pub database: Database,
    pub http: Http,
    pub billing: Billing,
    pub staging: Staging,
    pub collection: Collection,
    pub foundations: Vec<Foundation>,
    /// Who may ask; where there are none, everybody on this machine.
    pub tokens: Vec<ApiToken>,
    /// Whose tokens are taken, too.
    pub issuers: Vec<TrustedIssuer>,
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

/// The sections, in the order of the reference.
fn sections() -> Vec<Key> {
    vec![
        key("database", Takes::Table(database::keys), "The database"),
        key("http", Takes::Table(http::keys), "Where metrics, health, API and pages are served"),
        key("billing", Takes::Table(billing::keys), "Prices, accounts, seller, invoices"),
        key("staging", Takes::Table(staging::keys), "What is assumed about stagings"),
        key("collection", Takes::Table(collection::keys), "How usage events are read"),
        key("foundation", Takes::Tables(foundation::keys), "One `[[foundation]]` per Cloud Foundry installation"),
        key(
            "token",
            Takes::Tables(token::keys),
            "One `[[token]]` per program that reads the API. Where there is neither a token nor an issuer, whoever reaches `[http] listen` may read everything: that is a loopback address",
        ),
        key(
            "issuer",
            Takes::Tables(issuer::keys),
            "One `[[issuer]]` per OpenID provider whose access tokens the API takes: a foundation's UAA, or the provider of your staff",
        ),
        key("log", Takes::Table(log::keys), "What is logged"),
    ]
}

/// Every section and its keys, for documentation.
#[must_use]
pub fn tables() -> Vec<Described> {
    let described = |section: Key| match section.takes {
        Takes::Table(keys) => (format!("`[{}]`", section.name), keys()),
        Takes::Tables(keys) => (format!("`[[{}]]`", section.name), keys()),
        _ => unreachable!("`{}` is neither a section nor a list of sections", section.name),
    };
    let of = |section: Key| {
        let (heading, keys) = described(section);
        Described { heading, about: section.about, keys }
    };
    sections().into_iter().map(of).collect()
}

/// The JSON Schema by which editors complete and check a configuration file.
#[must_use]
pub(crate) fn schema() -> Value {
    keyed::schema("cf-billing configuration", &sections(), &[])
}

/// Reads the configuration from a file, if one is given, and the environment's overrides.
///
/// # Errors
/// Every [`Problem`] there is.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Configuration, Vec<Problem>> {
    let name = file.map(|file| file.display().to_string()).unwrap_or_default();
    let text = file.map_or_else(|| Ok(String::new()), |file| text_in(file, &name)).map_err(|problem| vec![problem])?;
    let reader = Reader::new(&name, &text);
    let configuration = configuration(&reader, &text, environment);
    let problems = reader.take_problems();
    if problems.is_empty() { Ok(configuration.expect("whatever is missing is a problem")) } else { Err(problems) }
}

fn text_in(file: &Path, name: &str) -> Result<String, Problem> {
    let bytes = std::fs::read(file).map_err(|error| {
        let message = format!("can't read the configuration: {error}");
        let hint = if error.kind() == std::io::ErrorKind::PermissionDenied {
            "run the command as the user of the service, sudo -u cf-billing cf-billing …, or give another with --config"
        } else {
            "give its path with --config or CF_BILLING_CONFIG"
        };
        Problem::error(Origin::File(name.to_owned()), message, hint)
    })?;
    text_of(bytes).map_err(|error| {
        let line = if let NotText::NotUtf8 { line } = error { line } else { 1 };
        let origin = Origin::At(FilePosition::new(name, Position { line, column: 1 }));
        Problem::error(origin, error.to_string(), NotText::HINT)
    })
}

/// What both layers say; `None` if anything is missing or wrong, which is noted.
fn configuration(
    reader: &Reader<'_>,
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Option<Configuration> {
    let table = reader.document("a [section]")?;
    let file = Keyed::new(reader, &table, sections(), "", Tz::UTC);
    let layers = layered(&file, &sections(), text, environment);
    let section = |name: &str, keys: Vec<Key>| Keyed::new(reader, layers.section(name), keys, name, Tz::UTC);
    let mut warnings = Vec::new();
    let database = Database::read(&section("database", database::keys()), &mut warnings);
    let http = Http::read(&section("http", http::keys()));
    let billing = Billing::read(&section("billing", billing::keys()));
    let staging = Staging::read(&section("staging", staging::keys()));
    let collection = Collection::read(&section("collection", collection::keys()));
    let log = Log::read(&section("log", log::keys()));
    let zone = billing.as_ref().map_or(Tz::UTC, |billing| billing.time_zone);
    let mut foundations: Vec<Option<Foundation>> = Vec::new();
    for table in layers.list("foundation") {
        let section = Keyed::new(reader, table, foundation::keys(), "foundation", zone);
        let foundation = Foundation::read(&section, &mut warnings);
        if let Some(Foundation { name, .. }) = &foundation
            && foundations.iter().flatten().any(|other| other.name == *name)
        {
            section.error("name", format!("two foundations are named `{name}`"), "give each a name of its own");
        }
        foundations.push(foundation);
    }
    let mut tokens: Vec<Option<ApiToken>> = Vec::new();
    for table in layers.list("token") {
        let section = Keyed::new(reader, table, token::keys(), "token", zone);
        let token = token::read(&section, &mut warnings);
        for other in tokens.iter().flatten() {
            let Some(token) = &token else { break };
            if other.name == token.name {
                section.error("name", format!("two tokens are named `{}`", token.name), "give each a name of its own");
            }
            if other.digest == token.digest {
                let told = format!("`{}` and `{}` have the same secret", other.name, token.name);
                section.error("name", told, "make one for each: openssl rand -hex 32");
            }
        }
        tokens.push(token);
    }
    let named: Vec<String> = foundations.iter().flatten().map(|foundation| foundation.name.clone()).collect();
    let mut issuers: Vec<Option<TrustedIssuer>> = Vec::new();
    for table in layers.list("issuer") {
        let section = Keyed::new(reader, table, issuer::keys(), "issuer", zone);
        let issuer = issuer::read(&section, &named, &mut warnings);
        for other in issuers.iter().flatten() {
            let (Some(TrustedIssuer { issuer, .. }), other) = (&issuer, &other.issuer) else { break };
            if other.name == issuer.name {
                section.error(
                    "name",
                    format!("two issuers are named `{}`", issuer.name),
                    "give each a name of its own",
                );
            }
            if other.issuer == issuer.issuer {
                let told = format!("`{}` and `{}` are the same issuer", other.name, issuer.name);
                section.error("issuer", told, "write it once");
            }
            if let Some(both) = issuer.foundations.intersection(&other.foundations).next() {
                let told = format!("`{}` and `{}` both speak for `{both}`", other.name, issuer.name);
                section.error("foundations", told, "a foundation has one UAA: take it out of one of them");
            }
        }
        issuers.push(issuer);
    }
    let http = http?;
    if http.public_url.is_some() && tokens.is_empty() && issuers.is_empty() {
        let told = "nobody could sign in there: neither a token nor an issuer is configured";
        section("http", http::keys()).error("public_url", told, "add a [[token]] or an [[issuer]]");
    }
    Some(Configuration {
        database: database?,
        http,
        billing: billing?,
        staging: staging?,
        collection: collection?,
        foundations: foundations.into_iter().collect::<Option<Vec<_>>>()?,
        tokens: tokens.into_iter().collect::<Option<Vec<_>>>()?,
        issuers: issuers.into_iter().collect::<Option<Vec<_>>>()?,
        log: log?,
        warnings,
    })
}
