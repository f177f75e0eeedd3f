//! `[[foundation]]`: each Cloud Foundry installation.

use std::path::PathBuf;

use url::Url;

use super::Secret;
use super::secret::secret_if_readable;
use crate::domain::codes::Wrong;
use crate::domain::{Strategy, Timestamp};
use crate::keyed::{Key, Keyed, Problem, Takes, key};

/// `[[foundation]]`
#[derive(Clone, Debug)]
pub struct Foundation {
    pub name: String,
    pub api: Url,
    /// Where tokens come from; `None`: what the API names, if it belongs to it.
    pub uaa: Option<Url>,
    pub client_id: String,
    /// Its secret, or why the file of it can't be read.
    pub client_secret: Result<Secret, Problem>,
    pub ca_file: Option<PathBuf>,
    pub billing_from: Option<Timestamp>,
    /// `None`: from the best there is.
    pub onboarding: Option<Strategy>,
}

const AUTO: &str = "auto";
const ONBOARDING: [&str; 4] =
    [AUTO, Strategy::Snapshot.name(), Strategy::KeptRecords.name(), Strategy::LiveLists.name()];

pub(super) fn keys() -> Vec<Key> {
    vec![
        key(
            "name",
            Takes::Form("text"),
            "Names it in the book, in metrics and in commands: letters, digits, `-`, `_`, `.`",
        )
        .required(),
        key("api", Takes::Form("URL"), "Cloud Controller's address, such as `https://api.cf.example.org`").required(),
        key(
            "uaa",
            Takes::Form("URL"),
            "Where tokens come from, such as `https://uaa.example.org`. Left out: the one that Cloud Controller names, if it is on its own host or under its parent domain (`api.SYSTEM`: `uaa.SYSTEM`, `login.SYSTEM`) and is the one used before",
        ),
        key("client_id", Takes::Text, "The UAA client to use").required(),
        key("client_secret", Takes::Secret, "Its secret").required(),
        key(
            "ca_file",
            Takes::Form("path"),
            "PEM file of the certificate authority to trust instead of the system's",
        ),
        key(
            "billing_from",
            Takes::Time,
            "Bill from this time on, if it is later than the baseline; with kept records it may be earlier",
        ),
        key(
            "onboarding",
            Takes::Choice(&ONBOARDING),
            "Where the baseline comes from: usage snapshots, the events that Cloud Controller keeps of what runs, or the lists of what runs; `auto` uses the first that is available",
        )
        .or(AUTO),
    ]
}

/// What names a section of a list: it becomes part of variables, metrics and log lines.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    if text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{text}` is not a name"), "use letters, digits, `-`, `_` and `.`"))
}

fn url(text: &str) -> Result<Url, Wrong> {
    // Whatever stands before an @ may be a password.
    let shown = text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, host)| format!("***@{host}"));
    let form = "write an address such as https://api.cf.example.org";
    let url: Url = text.parse().map_err(|error| Wrong::new(format!("`{shown}` is not a URL: {error}"), form))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Wrong::new(format!("`{shown}` is not an http or https URL"), form));
    }
    if !url.username().is_empty() || url.password().is_some() {
        let form = "use client_id and client_secret";
        return Err(Wrong::new("the URL must not hold a user or password", form));
    }
    Ok(url)
}

/// Where tokens come from, if it is configured: as openly as `api` at most.
fn uaa(text: &str, api: Option<&Url>) -> Result<Url, Wrong> {
    let uaa = url(text)?;
    if api.is_some_and(|api| api.scheme() == "https") && uaa.scheme() != "https" {
        let form = "use https: otherwise the client's secret is sent unencrypted";
        return Err(Wrong::new(format!("`{text}` isn't https, though `api` is"), form));
    }
    Ok(uaa)
}

impl Foundation {
    pub(super) fn read(section: &Keyed<'_>, warnings: &mut Vec<Problem>) -> Option<Self> {
        let name = section.form("name", name);
        let api = section.form("api", url);
        let uaa = section.form("uaa", |text| uaa(text, api.as_ref()));
        let client_id = section.text("client_id");
        let client_secret = secret_if_readable(section, "client_secret", warnings);
        let ca_file = section.path("ca_file");
        let billing_from = section.time("billing_from");
        let onboarding = section.word("onboarding");
        Some(Self {
            name: name?,
            api: api?,
            uaa,
            client_id: client_id?,
            client_secret: client_secret?,
            ca_file,
            billing_from,
            onboarding: Some(onboarding?)
                .filter(|word| *word != AUTO)
                .map(|word| Strategy::from_name(word).expect("the words are the strategies' names")),
        })
    }
}
