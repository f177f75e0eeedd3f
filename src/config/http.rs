//! `[http]`: where metrics, health, API and pages are served.

use std::net::SocketAddr;
use std::time::Duration;

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
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key("listen", Takes::Form("address and port"), "Address and port; loopback addresses only")
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
    ]
}

fn address(text: &str, example: &str) -> Result<SocketAddr, Wrong> {
    let form = format!("write one such as {example}");
    text.parse().map_err(|_| Wrong::new(format!("`{text}` is not an address and port"), &form))
}

fn metrics_listen(text: &str) -> Result<SocketAddr, Wrong> {
    address(text, "0.0.0.0:9496")
}

fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    let address = address(text, "127.0.0.1:9495")?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let form = "listen on 127.0.0.1, and put a proxy that authenticates in front";
    Err(Wrong::new(format!("`{text}` is not a loopback address"), form))
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
        Some(Self {
            listen: listen?,
            // What is there and isn't valid was told.
            metrics_listen: metrics_listen.map_or(Some(None), |read| read.map(Some))?,
            hosts: if section.has("hosts") { section.form("hosts", hosts)? } else { Vec::new() },
            not_ready_after: not_ready_after?,
            roles_every: section.duration("roles_every")?,
        })
    }
}
