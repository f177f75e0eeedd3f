//! From file and environment to settings, or to a list of everything that is wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use chrono_tz::Tz;
use config::{Config, File, FileFormat};
use toml::de::{DeTable, DeValue};
use url::Url;

use super::keys::{KEYS, Key, Kind, SECTIONS};
use super::{Billing, Collection, Configuration, Database, Foundation, Log, LogFormat, Secret, Seller, Staging};
use crate::domain::codes::{self, Wrong};
use crate::domain::period::start_of_day;
use crate::domain::text::{NotText, did_you_mean, position, text_of};
use crate::domain::{Strategy, Timestamp};

/// Begins the name of every environment variable that overrides a key.
const PREFIX: &str = "CF_BILLING__";

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, or the environment variable.
    pub place: String,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(formatter, "{}: ", self.place)?;
        }
        formatter.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

/// Reads the configuration from a file, if one is given, and the environment's overrides.
///
/// # Errors
/// Every [`Problem`] there is.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Configuration, Vec<Problem>> {
    let mut loader =
        Loader { file: file.map(|file| file.display().to_string()).unwrap_or_default(), ..Loader::default() };
    let text = loader.read(file);
    let unread = !loader.problems.is_empty();
    let foundations = loader.read_table(&text);
    if unread || loader.unreadable {
        // What follows would only repeat that.
        return Err(loader.problems);
    }
    let merged = loader.merge(&text, environment, &foundations);
    let loaded = loader.configuration(&merged, foundations.len());
    let loaded = loaded.map(|loaded| Configuration { warnings: std::mem::take(&mut loader.warnings), ..loaded });
    if loader.problems.is_empty() { loaded.ok_or_else(Vec::new) } else { Err(loader.problems) }
}

/// RFC 3339, or a date at midnight in `time_zone`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_time(text: &str, time_zone: Tz) -> Result<Timestamp, String> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return start_of_day(date, time_zone).ok_or_else(|| format!("`{text}` doesn't exist in {time_zone}"));
    }
    Timestamp::parse(text).map_err(|error| format!("{error} or a date such as 2026-10-01"))
}

#[derive(Default)]
struct Loader {
    file: String,
    /// It isn't TOML.
    unreadable: bool,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Line of each key in the file, by its path in the merged configuration.
    lines: BTreeMap<String, usize>,
    /// Environment variable of each overridden key.
    overridden: BTreeMap<String, String>,
}

impl Loader {
    fn problem(&mut self, place: String, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { place, message: message.into(), hint });
    }

    fn at_line(&self, line: usize) -> String {
        format!("{}:{line}", self.file)
    }

    /// Where the value at `path` comes from.
    fn place(&self, path: &str) -> String {
        if let Some(variable) = self.overridden.get(path) {
            return format!("environment variable {variable}");
        }
        match self.lines.get(path).or_else(|| self.lines.get(path.split(['.']).next().unwrap_or_default())) {
            Some(line) => self.at_line(*line),
            None => self.file.clone(),
        }
    }

    fn read(&mut self, file: Option<&Path>) -> String {
        let Some(file) = file else { return String::new() };
        match std::fs::read(file) {
            Ok(bytes) => text_of(bytes).unwrap_or_else(|error| {
                let line = if let NotText::NotUtf8 { line } = error { line } else { 1 };
                self.problem(self.at_line(line), error.to_string(), Some(NotText::HINT.to_owned()));
                String::new()
            }),
            Err(error) => {
                let place = self.file.clone();
                self.problem(
                    place,
                    format!("can't read the configuration: {error}"),
                    Some("give its path with --config or CF_BILLING_CONFIG".to_owned()),
                );
                String::new()
            }
        }
    }

    /// Checks sections and keys, notes their lines, and gives the foundations' names in order.
    fn read_table(&mut self, text: &str) -> Vec<String> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            let hint = "TOML: a [section], then key = \"value\", a line each".to_owned();
            self.problem(self.at_line(line), error.message().to_owned(), Some(hint));
        }
        let mut foundations = Vec::new();
        if !self.problems.is_empty() {
            // What remains of a table that can't be read tells nothing.
            self.unreadable = true;
            return foundations;
        }
        for (section, value) in table.get_ref() {
            let line = line_of(text, section.span().start);
            let name = section.get_ref().as_ref();
            if !SECTIONS.iter().any(|known| known.name == name) {
                let hint = did_you_mean(name, SECTIONS.iter().map(|section| section.name));
                self.problem(self.at_line(line), format!("unknown section `{name}`"), hint);
                continue;
            }
            match value.get_ref() {
                DeValue::Table(keys) if name != "foundation" => self.read_keys(text, name, name, keys),
                DeValue::Array(items) if name == "foundation" => {
                    for (index, item) in items.iter().enumerate() {
                        let path = format!("foundation[{index}]");
                        self.lines.insert(path.clone(), line_of(text, item.span().start));
                        let DeValue::Table(keys) = item.get_ref() else {
                            self.problem(
                                self.at_line(line),
                                "`foundation` is not a list of tables",
                                Some("write [[foundation]]".to_owned()),
                            );
                            continue;
                        };
                        let named = keys.iter().find(|(key, _)| key.get_ref() == "name");
                        foundations
                            .push(named.and_then(|(_, name)| name.get_ref().as_str()).unwrap_or_default().to_owned());
                        self.read_keys(text, name, &path, keys);
                    }
                }
                _ => {
                    let form = if name == "foundation" { "[[foundation]]".to_owned() } else { format!("[{name}]") };
                    self.problem(
                        self.at_line(line),
                        format!("`{name}` is not a section"),
                        Some(format!("write {form}")),
                    );
                }
            }
        }
        foundations
    }

    fn read_keys(&mut self, text: &str, section: &str, path: &str, keys: &DeTable<'_>) {
        for (key, value) in keys {
            let line = line_of(text, key.span().start);
            let name = key.get_ref().as_ref();
            if find(section, name).is_none() {
                let known = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
                self.problem(
                    self.at_line(line),
                    format!("unknown key `{name}` in `{section}`"),
                    did_you_mean(name, known),
                );
                continue;
            }
            if matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)) {
                self.problem(self.at_line(line), format!("`{name}` is not a single value"), None);
                continue;
            }
            self.lines.insert(format!("{path}.{name}"), line);
        }
    }

    /// Layers the environment over the file.
    fn merge(
        &mut self,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        foundations: &[String],
    ) -> Config {
        let mut builder = Config::builder().add_source(File::from_str(text, FileFormat::Toml));
        for (variable, value) in environment {
            let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
            let parts: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            let path = match &parts[..] {
                [section, name] if section != "foundation" && find(section, name).is_some() => {
                    format!("{section}.{name}")
                }
                [section, foundation, name] if section == "foundation" && find(section, name).is_some() => {
                    let Some(index) = foundations.iter().position(|known| variable_part(known) == *foundation) else {
                        let hint = format!("foundations are: {}", foundations.join(", "));
                        let message = format!("no foundation `{foundation}` is configured");
                        self.problem(format!("environment variable {variable}"), message, Some(hint));
                        continue;
                    };
                    format!("foundation[{index}].{name}")
                }
                _ => {
                    let known = KEYS.iter().map(variable_of).collect::<Vec<_>>();
                    let hint = did_you_mean(&variable, known.iter().map(String::as_str));
                    self.problem(format!("environment variable {variable}"), "sets no key that exists", hint);
                    continue;
                }
            };
            self.overridden.insert(path.clone(), variable);
            builder = match builder.set_override(&path, value) {
                Ok(builder) => builder,
                Err(error) => {
                    let place = self.place(&path);
                    self.problem(place, error.to_string(), None);
                    return Config::default();
                }
            };
        }
        builder.build().unwrap_or_default()
    }

    fn configuration(&mut self, merged: &Config, foundations: usize) -> Option<Configuration> {
        let time_zone = self.text(merged, "billing", "billing", "time_zone");
        let time_zone = time_zone.and_then(|name| {
            self.parse("billing.time_zone", &name, |name| {
                name.parse::<Tz>().map_err(|_| format!("`{name}` is not an IANA time zone such as Europe/Berlin"))
            })
        });
        let zone = time_zone.unwrap_or(Tz::UTC);
        let mut all = Vec::with_capacity(foundations);
        for index in 0..foundations {
            all.push(self.foundation(merged, index, zone));
        }
        self.check_names(&all);
        let database_url = self.secret(merged, "database", "database", "url").or_else(|| self.default_database());
        let connections = self.count(merged, "database", "connections");
        let acquire_timeout = self.interval(merged, "database", "acquire_timeout");
        let statement_timeout = self.interval(merged, "database", "statement_timeout");
        let lease = self.interval(merged, "database", "lease");
        let http_listen = self.listen(merged);
        let not_ready_after = self.interval(merged, "http", "not_ready_after");
        let rates = self.text(merged, "billing", "billing", "rates").map(PathBuf::from);
        let accounts = self.text(merged, "billing", "billing", "accounts").map(PathBuf::from);
        let seller = self.seller(merged);
        let invoice_series = self.series(merged, "invoice_series");
        let credit_note_series = self.series(merged, "credit_note_series");
        let grace_seconds = self.duration(merged, "billing", "grace");
        let marks = self.text(merged, "billing", "billing", "marks").map(PathBuf::from);
        let jump_factor = Some(self.count(merged, "billing", "jump_factor")).filter(|factor| *factor > 0);
        let documents = self.words(merged, "billing", "documents");
        let default_disk_mib = self.count(merged, "billing", "default_disk_mib");
        let draft_interval = self.interval(merged, "billing", "draft_interval");
        let staging = Staging {
            cap_seconds: self.duration(merged, "staging", "cap"),
            lost_after_seconds: self.duration(merged, "staging", "lost_after"),
            disk_mib: self.count(merged, "staging", "disk_mib"),
        };
        let collection = Collection {
            poll_interval: self.interval(merged, "collection", "poll_interval"),
            sweep_window_seconds: self.duration(merged, "collection", "sweep_window"),
            sweep_interval_seconds: self.duration(merged, "collection", "sweep_interval"),
            reconcile_interval_seconds: self.duration(merged, "collection", "reconcile_interval"),
            observe_interval_seconds: self.duration(merged, "collection", "observe_interval"),
            snapshot_patience_seconds: self.duration(merged, "collection", "snapshot_patience"),
            answer_timeout: self.interval(merged, "collection", "answer_timeout"),
            keep_events_seconds: Some(self.duration(merged, "collection", "keep_events")).filter(|keep| *keep > 0),
        };
        let format = match self.text(merged, "log", "log", "format").as_deref() {
            Some("json") => LogFormat::Json,
            _ => LogFormat::Text,
        };
        let level = self.text(merged, "log", "log", "level")?;
        self.parse("log.level", &level, |level| {
            tracing_subscriber::EnvFilter::try_new(level)
                .map(|_| ())
                .map_err(|error| format!("`{level}` is no log filter: {error}"))
        });
        Some(Configuration {
            database: Database { url: database_url?, connections, acquire_timeout, statement_timeout, lease },
            http_listen: http_listen?,
            not_ready_after,
            billing: Billing {
                time_zone: zone,
                rates,
                accounts,
                seller,
                invoice_series: invoice_series?,
                credit_note_series: credit_note_series?,
                grace_seconds,
                marks,
                jump_factor,
                documents,
                default_disk_mib,
                draft_interval,
            },
            staging,
            collection,
            foundations: all.into_iter().collect::<Option<Vec<_>>>()?,
            log: Log { format, level },
            warnings: Vec::new(),
        })
    }

    fn foundation(&mut self, merged: &Config, index: usize, time_zone: Tz) -> Option<Foundation> {
        let path = format!("foundation[{index}]");
        let name = self.text(merged, "foundation", &path, "name");
        if let Some(name) = &name {
            self.parse(&format!("{path}.name"), name, |name| {
                let good = !name.is_empty()
                    && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
                if good { Ok(()) } else { Err(format!("`{name}` is not a name of letters, digits, `-`, `_` and `.`")) }
            });
        }
        let api = self
            .text(merged, "foundation", &path, "api")
            .and_then(|api| self.parse(&format!("{path}.api"), &api, parse_url));
        let uaa = self.uaa(merged, &path, api.as_ref());
        let client_id = self.text(merged, "foundation", &path, "client_id");
        let client_secret = self.secret(merged, "foundation", &path, "client_secret");
        if client_secret.is_none() {
            self.missing(&path, "client_secret");
        }
        let ca_file = self.text(merged, "foundation", &path, "ca_file").map(PathBuf::from);
        let billing_from = self.text(merged, "foundation", &path, "billing_from");
        let billing_from = billing_from
            .and_then(|text| self.parse(&format!("{path}.billing_from"), &text, |text| parse_time(text, time_zone)));
        let onboarding = self.text(merged, "foundation", &path, "onboarding");
        let onboarding = onboarding.and_then(|name| Strategy::from_name(&name));
        Some(Foundation {
            name: name?,
            api: api?,
            uaa,
            client_id: client_id?,
            client_secret: client_secret?,
            ca_file,
            billing_from,
            onboarding,
        })
    }

    /// Where tokens come from, if it is configured: as openly as `api` at most.
    fn uaa(&mut self, merged: &Config, path: &str, api: Option<&Url>) -> Option<Url> {
        let text = self.text(merged, "foundation", path, "uaa")?;
        self.parse(&format!("{path}.uaa"), &text, |text| {
            let uaa = parse_url(text)?;
            if api.is_some_and(|api| api.scheme() == "https") && uaa.scheme() != "https" {
                return Err(format!("`{text}` isn't https, as `api` is: the client's secret would travel readable"));
            }
            Ok(uaa)
        })
    }

    fn check_names(&mut self, foundations: &[Option<Foundation>]) {
        for (index, foundation) in foundations.iter().enumerate() {
            let Some(foundation) = foundation else { continue };
            if foundations[..index].iter().flatten().any(|other| other.name == foundation.name) {
                let place = self.place(&format!("foundation[{index}].name"));
                self.problem(place, format!("two foundations are named `{}`", foundation.name), None);
            }
        }
    }

    /// The value at `path.name`, or its default; a choice is checked.
    fn text(&mut self, merged: &Config, section: &str, path: &str, name: &str) -> Option<String> {
        let key = find(section, name).expect("only known keys are asked for");
        let full = format!("{path}.{name}");
        let value = merged.get_string(&full).ok().or_else(|| key.default.map(str::to_owned));
        if value.is_none() && key.required {
            self.missing(path, name);
        }
        if let (Some(value), Kind::Choice(choices)) = (&value, key.kind)
            && !choices.contains(&value.as_str())
        {
            let place = self.place(&full);
            self.problem(place, format!("`{name}` is `{value}`"), Some(format!("one of: {}", choices.join(", "))));
        }
        value
    }

    fn missing(&mut self, path: &str, name: &str) {
        let place = self.place(path);
        let section = path.split('[').next().unwrap_or(path);
        let hint = find(section, name).map(|key| format!("{name}: {}", key.doc));
        self.problem(place, format!("`{name}` is missing in `{section}`"), hint);
    }

    fn parse<T>(&mut self, path: &str, text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match parse(text) {
            Ok(value) => Some(value),
            Err(message) => {
                let (place, name) = (self.place(path), path.rsplit('.').next().unwrap_or(path));
                let section = path.split(['[', '.']).next().unwrap_or(path);
                let hint = find(section, name).map(|key| format!("{name}: {}", key.doc));
                self.problem(place, format!("`{name}`: {message}"), hint);
                None
            }
        }
    }

    fn duration(&mut self, merged: &Config, section: &str, name: &str) -> i64 {
        let Some(Key { kind: Kind::Duration { min, max }, .. }) = find(section, name) else { return 0 };
        let Some(text) = self.text(merged, section, section, name) else { return 0 };
        let parsed = self.parse(&format!("{section}.{name}"), &text, |text| {
            let duration = humantime::parse_duration(text)
                .map_err(|error| format!("`{text}` is not a duration such as 15m: {error}"))?;
            let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
            if duration.subsec_nanos() != 0 {
                return Err(format!("`{text}` is not in whole seconds"));
            }
            if (*min..=*max).contains(&seconds) {
                Ok(seconds)
            } else {
                Err(format!("`{text}` is not from {min}s to {max}s"))
            }
        });
        parsed.unwrap_or_default()
    }

    fn interval(&mut self, merged: &Config, section: &str, name: &str) -> Duration {
        let Some(Key { kind: Kind::Interval { min_ms, max_ms }, .. }) = find(section, name) else {
            return Duration::ZERO;
        };
        let Some(text) = self.text(merged, section, section, name) else { return Duration::ZERO };
        let (min, max) = (Duration::from_millis(*min_ms), Duration::from_millis(*max_ms));
        let parsed = self.parse(&format!("{section}.{name}"), &text, |text| {
            let duration = humantime::parse_duration(text)
                .map_err(|error| format!("`{text}` is not a duration such as 15s: {error}"))?;
            if (min..=max).contains(&duration) {
                Ok(duration)
            } else {
                let (min, max) = (humantime::format_duration(min), humantime::format_duration(max));
                Err(format!("`{text}` is not from {min} to {max}"))
            }
        });
        parsed.unwrap_or_default()
    }

    fn count(&mut self, merged: &Config, section: &str, name: &str) -> u32 {
        let Some(Key { kind: Kind::Count { min, max }, .. }) = find(section, name) else { return 0 };
        let Some(text) = self.text(merged, section, section, name) else { return 0 };
        let parsed = self.parse(&format!("{section}.{name}"), &text, |text| {
            let number: i64 = text.parse().map_err(|_| format!("`{text}` is not a whole number"))?;
            let in_range = (*min..=*max).contains(&number).then_some(number);
            in_range
                .and_then(|number| u32::try_from(number).ok())
                .ok_or_else(|| format!("`{text}` is not from {min} to {max}"))
        });
        parsed.unwrap_or_default()
    }

    /// Words with commas between them, each once, in the order of the choices.
    fn words(&mut self, merged: &Config, section: &str, name: &str) -> Vec<String> {
        let Some(Key { kind: Kind::Words(choices), .. }) = find(section, name) else { return Vec::new() };
        let Some(text) = self.text(merged, section, section, name) else { return Vec::new() };
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        self.parse(&format!("{section}.{name}"), &text, |_| {
            let unknown = words.iter().find(|word| !choices.contains(word));
            unknown.map_or(Ok(()), |word| Err(format!("`{word}` is none of {}", choices.join(", "))))
        });
        choices.iter().filter(|choice| words.contains(choice)).map(|choice| (*choice).to_owned()).collect()
    }

    fn listen(&mut self, merged: &Config) -> Option<SocketAddr> {
        let text = self.text(merged, "http", "http", "listen")?;
        self.parse("http.listen", &text, |text| {
            let address: SocketAddr =
                text.parse().map_err(|_| format!("`{text}` is not an address and port such as 127.0.0.1:9495"))?;
            if address.ip().is_loopback() {
                Ok(address)
            } else {
                Err(format!("`{text}` is not a loopback address; put a proxy that authenticates in front"))
            }
        })
    }

    fn seller(&mut self, merged: &Config) -> Seller {
        let mut text = |name: &str| {
            let text = self.text(merged, "billing", "billing", name)?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let address = text("seller_address").unwrap_or_default();
        let mut seller = Seller {
            name: text("seller"),
            address_lines: address.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect(),
            postal_code: text("seller_postal_code"),
            city: text("seller_city"),
            region: text("seller_region"),
            country: text("seller_country"),
            vat_id: text("seller_vat_id"),
            tax_number: text("seller_tax_number"),
            registration: text("seller_registration"),
            contact: text("seller_contact"),
            email: text("seller_email"),
            phone: text("seller_phone"),
            electronic_address: None,
            iban: text("seller_iban").map(|iban| iban.replace(' ', "")),
            bic: text("seller_bic"),
            bank: text("seller_bank"),
            logo: text("seller_logo").map(PathBuf::from),
            colour: text("seller_colour"),
            unfit: Vec::new(),
            odd: Vec::new(),
        };
        let electronic_address = text("seller_electronic_address");
        self.codes_of(&mut seller, electronic_address.as_deref());
        if seller.address_lines.len() > 3 {
            let place = self.place("billing.seller_address");
            let told = format!("`seller_address` has {} lines", seller.address_lines.len());
            self.problem(place, told, Some("e-invoices have room for three".to_owned()));
        }
        if let Some(colour) = &seller.colour {
            self.parse("billing.seller_colour", colour, |colour| {
                let digits = colour.strip_prefix('#').unwrap_or_default();
                let good = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                if good { Ok(()) } else { Err(format!("`{colour}` is not a colour such as #1f4e79")) }
            });
        }
        seller
    }

    /// Codes of the seller's. One that is none keeps invoices from being final, and nothing else: usage is collected, and
    /// drafts are made.
    fn codes_of(&self, seller: &mut Seller, electronic_address: Option<&str>) {
        type Check = fn(&str) -> Result<(), Wrong>;
        let checks: [(&str, Option<&String>, Check); 5] = [
            ("seller_country", seller.country.as_ref(), codes::country),
            ("seller_vat_id", seller.vat_id.as_ref(), codes::vat_id),
            ("seller_email", seller.email.as_ref(), codes::email),
            ("seller_iban", seller.iban.as_ref(), codes::iban),
            ("seller_bic", seller.bic.as_ref(), codes::bic),
        ];
        let told = |key: &str, wrong: &Wrong| Problem {
            place: self.place(&format!("billing.{key}")),
            message: format!("`{key}`: {}", wrong.what),
            hint: Some(wrong.hint(key)),
        };
        let mut unfit: Vec<Problem> =
            checks.iter().filter_map(|(key, value, check)| Some(told(key, &check(value.as_ref()?).err()?))).collect();
        seller.electronic_address = electronic_address.and_then(|address| match codes::scheme_and_id(address) {
            Ok((scheme, id)) => Some((scheme.to_owned(), id.to_owned())),
            Err(wrong) => {
                unfit.push(told("seller_electronic_address", &wrong));
                None
            }
        });
        if let (Some(vat_id), Some(country)) = (&seller.vat_id, &seller.country)
            && codes::vat_id(vat_id).is_ok()
            && codes::is_country(country)
            && !codes::vat_id_is_of(vat_id, country)
        {
            seller.odd.push(Problem {
                place: self.place("billing.seller_vat_id"),
                message: format!("the seller is in {country}, and its VAT id `{vat_id}` is of another country"),
                hint: Some("fine if it is registered for VAT there, too".to_owned()),
            });
        }
        seller.unfit = unfit;
    }

    fn series(&mut self, merged: &Config, name: &str) -> Option<String> {
        let text = self.text(merged, "billing", "billing", name)?;
        self.parse(&format!("billing.{name}"), &text, |text| {
            let good = (1..=20).contains(&text.len())
                && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_/.".contains(letter));
            if good {
                Ok(text.to_owned())
            } else {
                Err(format!("`{text}` is not 1 to 20 letters, digits, `-`, `_`, `/` and `.`"))
            }
        })
    }

    /// A secret, from the key itself or from the file that `<key>_file` names; never both.
    fn secret(&mut self, merged: &Config, section: &str, path: &str, name: &str) -> Option<Secret> {
        debug_assert!(find(section, name).is_some_and(|key| key.kind == Kind::Secret), "{section}.{name}");
        let file_path = format!("{path}.{name}_file");
        let direct = merged.get_string(&format!("{path}.{name}")).ok();
        let Ok(file) = merged.get_string(&file_path) else { return direct.map(Secret::new) };
        let place = self.place(&file_path);
        if direct.is_some() {
            self.problem(
                place,
                format!("`{name}` and `{name}_file` are both given"),
                Some("keep one of them".to_owned()),
            );
            return None;
        }
        let read = std::fs::read(&file).map_err(|error| (error.to_string(), None));
        let text =
            read.and_then(|bytes| text_of(bytes).map_err(|error| (error.to_string(), Some(NotText::HINT.to_owned()))));
        match text {
            Ok(text) => {
                if let Some(mode) = open_to_all(Path::new(&file)) {
                    let message = format!("`{file}` holds a secret, and everybody may use it (mode {mode:04o})");
                    let hint = Some(format!("chmod 0600 {file}; Kubernetes: defaultMode of the volume"));
                    self.warnings.push(Problem { place, message, hint });
                }
                Some(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned()))
            }
            Err((reason, hint)) => {
                self.problem(place, format!("can't read `{file}`: {reason}"), hint);
                None
            }
        }
    }

    /// `cf-billing.db` in the service's state folder, or in the user's.
    fn default_database(&mut self) -> Option<Secret> {
        let Some(folder) = state_folder() else {
            let hint = "set [database] url or CF_BILLING__DATABASE__URL".to_owned();
            self.problem(self.file.clone(), "there is no folder for the database: HOME isn't set", Some(hint));
            return None;
        };
        if let Err(error) = std::fs::create_dir_all(&folder) {
            let hint = "set [database] url or CF_BILLING__DATABASE__URL".to_owned();
            self.problem(self.file.clone(), format!("can't make `{}`: {error}", folder.display()), Some(hint));
            return None;
        }
        Some(Secret::new(format!("sqlite://{}", folder.join("cf-billing.db").display())))
    }
}

/// Where this host keeps what isn't configured elsewhere; `None`: it says of no place.
#[must_use]
pub fn state_folder() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("STATE_DIRECTORY")
        .or_else(|| variable("XDG_STATE_HOME").map(|folder| folder.join("cf-billing")))
        .or_else(|| variable("HOME").map(|home| home.join(".local/state/cf-billing")))
}

/// A file's mode, if others than its owner and group may read it, or others than its owner write it.
fn open_to_all(file: &Path) -> Option<u32> {
    let mode = std::fs::metadata(file).ok()?.permissions().mode() & 0o777;
    (mode & 0o026 != 0).then_some(mode)
}

fn parse_url(text: &str) -> Result<Url, String> {
    // Whatever stands before an @ may be a password.
    let shown = text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, host)| format!("***@{host}"));
    let url: Url = text.parse().map_err(|error| format!("`{shown}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("`{shown}` is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a URL with user or password isn't accepted; use client_id and client_secret".to_owned());
    }
    Ok(url)
}

/// The key of that name, or the secret whose `_file` it is.
fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        key.section == section
            && (key.name == name || key.kind == Kind::Secret && name.strip_suffix("_file") == Some(key.name))
    })
}

/// A foundation's name as part of an environment variable's, in lower case.
fn variable_part(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }).collect()
}

fn variable_of(key: &Key) -> String {
    let foundation = if key.section == "foundation" { "NAME__" } else { "" };
    format!("{PREFIX}{}__{foundation}{}", key.section.to_uppercase(), key.name.to_uppercase())
}

fn line_of(text: &str, offset: usize) -> usize {
    position(text, offset).line
}
