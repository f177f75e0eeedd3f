//! By which name somebody asks. Owns which are known, and which are this machine itself.

use std::net::IpAddr;

use axum::http::HeaderValue;

/// Whether a request's `Host` is this machine itself, or one of the configured names: a page of somebody else's name that
/// leads here (DNS rebinding) is none.
pub(super) fn is_known(host: Option<&HeaderValue>, hosts: &[String]) -> bool {
    is_loopback(host)
        || host.and_then(name_of).is_some_and(|name| hosts.iter().any(|own| own.eq_ignore_ascii_case(name)))
}

/// Whether a request's `Host` is this machine itself.
pub(super) fn is_loopback(host: Option<&HeaderValue>) -> bool {
    // Without one it isn't a browser.
    let Some(host) = host else { return true };
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    name_of(host).is_some_and(|name| is_address(name) || name.eq_ignore_ascii_case("localhost"))
}

/// Without the port.
fn name_of(host: &HeaderValue) -> Option<&str> {
    let host = host.to_str().ok()?;
    Some(match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::{is_known, is_loopback};

    #[test]
    fn names_of_this_machine_and_configured_ones_are_known() {
        let hosts = ["billing.example.org".to_owned()];
        for (host, known) in [
            ("127.0.0.1", true),
            ("127.0.0.1:9495", true),
            ("localhost:9495", true),
            ("LOCALHOST", true),
            ("[::1]:9495", true),
            ("[::1]", true),
            ("billing.example.org", true),
            ("Billing.Example.Org:443", true),
            ("evil.example.org", false),
            ("billing.example.org.evil.example", false),
            ("192.0.2.1:9495", false),
            ("[2001:db8::1]:9495", false),
            ("", false),
        ] {
            let value = HeaderValue::from_static(host);
            assert_eq!(is_known(Some(&value), &hosts), known, "{host}");
            assert_eq!(is_loopback(Some(&value)), known && !host.to_lowercase().contains("example"), "{host}");
        }
        assert!(is_known(None, &hosts) && is_loopback(None));
    }
}
