//! `[http]`: where metrics, health, API and pages are served.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::{Host, Url};

use crate::domain::codes::Wrong;
use crate::keyed::{Key, Keyed, Takes, key};

/// `[http]`
#[derive(Clone, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// Metrics without money and health in a word, at any address; `None`: nowhere else.
    pub metrics_listen: Option<SocketAddr>,
    /// Names that pages answer to, beside `localhost` and loopback addresses.
    pub hosts: Vec<String>,
    /// Writing or collecting that has failed for this long makes `/readyz` say so.
    pub not_ready_after: Duration,
    /// How old somebody's Cloud Controller roles may be before they are read again.
    pub roles_every: Duration,
    /// By which browsers reach the pages; `None`: by the loopback address itself.
    pub public_url: Option<Url>,
    /// Certificate and key, PEM, of pages; `None`: they aren't encrypted.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Proxies that say truly for whom they ask.
    pub trusted_proxies: Vec<IpNet>,
    /// A session that nobody used for so long has ended.
    pub session_idle: Duration,
    /// A session has ended after so long, used or not.
    pub session_longest: Duration,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key(
            "listen",
            Takes::Form("address and port"),
            "Address and port of pages and API. One that other machines reach takes `public_url`, and `tls_certificate` or `trusted_proxies`",
        )
            .or("127.0.0.1:9495"),
        key(
            "metrics_listen",
            Takes::Form("address and port"),
            "Also serve `/metrics` without sums of money, and `/healthz`, `/servez` and `/readyz` in a word, at this address and port; any address. For Prometheus and probes of other machines",
        ),
        key(
            "hosts",
            Takes::Form("names"),
            "Names under which a proxy asks for pages, with commas between them: `billing.example.org`. Pages answer to these, `localhost` and loopback addresses alone; metrics and health to any name",
        ),
        key(
            "not_ready_after",
            Takes::Duration { min_ms: 100, max_ms: 3_600_000 },
            "`/readyz` answers 503 once nothing could be written or collected for this long",
        )
        .or("60s"),
        key(
            "roles_every",
            Takes::Duration { min_ms: 1_000, max_ms: 900_000 },
            "Read somebody's Cloud Controller roles again once they are so old, at their next request: a role that was taken away is seen for so long. Where Cloud Controller can't be asked they count for 15 minutes",
        )
        .or("5m"),
        key(
            "public_url",
            Takes::Form("URL"),
            "The address at which browsers reach the pages through a proxy: `https://billing.example.org`. Sign-ins come back to it, and forms are taken from nowhere else. Left out: pages are for browsers on this machine",
        ),
        key(
            "tls_certificate",
            Takes::Form("path"),
            "PEM file of the certificate that browsers are shown at `listen`, and of those that signed it. SIGHUP has it and `tls_key` read again",
        ),
        key("tls_key", Takes::Form("path"), "PEM file of its private key"),
        key(
            "trusted_proxies",
            Takes::Form("addresses"),
            "Addresses or networks of proxies, with commas between them, such as `127.0.0.1, 10.0.0.0/8`: they may ask without TLS, and the audit log has the address that they give in `X-Forwarded-For`, in the place of their own",
        ),
        key(
            "session_idle",
            Takes::Duration { min_ms: 60_000, max_ms: 86_400_000 },
            "Who has signed in has to do it again after so long without a request",
        )
        .or("30m"),
        key(
            "session_longest",
            Takes::Duration { min_ms: 300_000, max_ms: 2_592_000_000 },
            "Who has signed in has to do it again after so long. A role of staff ends with the access token that gave it, where that is earlier",
        )
        .or("12h"),
    ]
}

/// Addresses and networks of proxies.
fn proxies(text: &str) -> Result<Vec<IpNet>, Wrong> {
    let one = |text: &str| -> Result<IpNet, Wrong> {
        let text = text.trim();
        let alone = text.parse::<IpAddr>().ok().map(IpNet::from);
        alone.or_else(|| text.parse().ok()).ok_or_else(|| {
            Wrong::new(format!("`{text}` is not an address or a network"), "write such as 127.0.0.1, 10.0.0.0/8")
        })
    };
    text.split(',').map(one).collect()
}

/// An address without a path, which browsers trust: https, or this machine itself.
fn public_url(text: &str) -> Result<Url, Wrong> {
    let form = "write one such as https://billing.example.org";
    let url: Url = text.parse().map_err(|error| Wrong::new(format!("`{text}` is not a URL: {error}"), form))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        let form = "use https: whoever is in between could take sessions over";
        return Err(Wrong::new(format!("`{text}` isn't https"), form));
    }
    if url.path() != "/" || !url.username().is_empty() || url.password().is_some() {
        return Err(Wrong::new(format!("`{text}` has more than a host and a port"), form));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Wrong::new(format!("`{text}` has a query or a fragment"), form));
    }
    Ok(url)
}

/// Whether an address is of this machine itself, by its words.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn address(text: &str, example: &str) -> Result<SocketAddr, Wrong> {
    let form = format!("write one such as {example}");
    text.parse().map_err(|_| Wrong::new(format!("`{text}` is not an address and port"), &form))
}

fn metrics_listen(text: &str) -> Result<SocketAddr, Wrong> {
    address(text, "0.0.0.0:9496")
}

fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    address(text, "127.0.0.1:9495")
}

/// Names of hosts, without ports.
fn hosts(text: &str) -> Result<Vec<String>, Wrong> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    let is_name = |name: &String| {
        let is_letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
        !name.is_empty() && name.chars().all(is_letter)
    };
    match names.iter().find(|name| !is_name(name)) {
        None => Ok(names),
        Some(name) => Err(Wrong::new(
            format!("`{name}` is not a host name"),
            "write names such as billing.example.org, without ports",
        )),
    }
}

impl Http {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let (listen, not_ready_after) = (section.form("listen", listen), section.duration("not_ready_after"));
        let metrics_listen = section.has("metrics_listen").then(|| section.form("metrics_listen", metrics_listen));
        let public_url = if section.has("public_url") { Some(section.form("public_url", public_url)?) } else { None };
        let mut hosts = if section.has("hosts") { section.form("hosts", hosts)? } else { Vec::new() };
        // It is known by the name that it is to be reached by.
        let host = public_url.as_ref().and_then(Url::host_str);
        hosts.extend(host.map(|host| host.trim_matches(['[', ']']).to_owned()));
        let trusted_proxies =
            if section.has("trusted_proxies") { section.form("trusted_proxies", proxies)? } else { Vec::new() };
        let tls = match (section.path("tls_certificate"), section.path("tls_key")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                section.missing("tls_key");
                None
            }
            (None, Some(_)) => {
                section.missing("tls_certificate");
                None
            }
        };
        let listen = listen?;
        let is_safe = public_url.is_some() && (tls.is_some() || !trusted_proxies.is_empty());
        if !listen.ip().is_loopback() && !is_safe {
            let told = format!("`listen`: `{listen}` is not a loopback address");
            let form = "listen on 127.0.0.1, or set public_url, and tls_certificate or trusted_proxies";
            section.error("listen", told, form);
        }
        Some(Self {
            listen,
            // What is there and isn't valid was told.
            metrics_listen: metrics_listen.map_or(Some(None), |read| read.map(Some))?,
            hosts,
            not_ready_after: not_ready_after?,
            roles_every: section.duration("roles_every")?,
            public_url,
            tls,
            trusted_proxies,
            session_idle: section.duration("session_idle")?,
            session_longest: section.duration("session_longest")?,
        })
    }
}
