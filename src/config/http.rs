//! `[http]`: where metrics, health, API and pages are served.

use std::net::SocketAddr;
use std::time::Duration;

use crate::domain::codes::Wrong;
use crate::keyed::{Key, Keyed, Takes, key};

/// `[http]`
#[derive(Clone, Copy, Debug)]
pub struct Http {
    pub listen: SocketAddr,
    /// Writing or collecting that has failed for this long makes `/readyz` say so.
    pub not_ready_after: Duration,
}

pub(super) fn keys() -> Vec<Key> {
    vec![
        key("listen", Takes::Form("address and port"), "Address and port; loopback addresses only")
            .or("127.0.0.1:9495"),
        key(
            "not_ready_after",
            Takes::Duration { min_ms: 100, max_ms: 3_600_000 },
            "`/readyz` answers 503 once writing or collecting has failed for this long",
        )
        .or("60s"),
    ]
}

fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    let form = "write one such as 127.0.0.1:9495";
    let address: SocketAddr =
        text.parse().map_err(|_| Wrong::new(format!("`{text}` is not an address and port"), form))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let form = "listen on 127.0.0.1, and put a proxy that authenticates in front";
    Err(Wrong::new(format!("`{text}` is not a loopback address"), form))
}

impl Http {
    pub(super) fn read(section: &Keyed<'_>) -> Option<Self> {
        let (listen, not_ready_after) = (section.form("listen", listen), section.duration("not_ready_after"));
        Some(Self { listen: listen?, not_ready_after: not_ready_after? })
    }
}
