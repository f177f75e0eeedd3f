//! By which name somebody asks. Owns which are known, and which are this machine itself.

use std::net::IpAddr;

use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, Request, Uri};
use ipnet::IpNet;

use super::server::{Peer, is_among};

/// By which names a request asks: each `Host`, and the address in its first line.
fn names<'r>(headers: &'r HeaderMap, uri: &'r Uri) -> impl Iterator<Item = Option<&'r str>> {
    let of_headers = headers.get_all(HOST).iter().map(|host| host.to_str().ok().and_then(without_port));
    // Without one it isn't a browser.
    of_headers.chain(uri.authority().map(|authority| without_port(authority.as_str())))
}

/// Whether a request is for this machine itself, or one of the configured names: a page of somebody else's name that leads
/// here (DNS rebinding) is for neither.
pub(super) fn is_known(headers: &HeaderMap, uri: &Uri, hosts: &[String]) -> bool {
    names(headers, uri)
        .all(|name| name.is_some_and(|name| is_own(name) || hosts.iter().any(|host| host.eq_ignore_ascii_case(name))))
}

/// What proxies add to what they pass on, or the beginning of it.
const OF_PROXIES: [&str; 8] = [
    "forwarded",
    "x-forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-original-",
    "cf-connecting-ip",
    "true-client-ip",
];

/// A request, as far as it says where it comes from.
pub(super) trait Asked {
    fn said(&self) -> (&HeaderMap, &Uri, &Extensions);
}

impl<B> Asked for Request<B> {
    fn said(&self) -> (&HeaderMap, &Uri, &Extensions) {
        (self.headers(), self.uri(), self.extensions())
    }
}

impl Asked for Parts {
    fn said(&self) -> (&HeaderMap, &Uri, &Extensions) {
        (&self.headers, &self.uri, &self.extensions)
    }
}

/// Whether a request is from this machine and for this machine itself, and no proxy shows that passed it on.
pub(super) fn is_from_here(asked: &impl Asked) -> bool {
    let (headers, uri, extensions) = asked.said();
    if !extensions.get::<Peer>().is_some_and(|peer| peer.is_here) {
        return false;
    }
    let is_proxied = |name: &HeaderName| OF_PROXIES.iter().any(|added| name.as_str().starts_with(added));
    names(headers, uri).all(|name| name.is_some_and(is_own)) && !headers.keys().any(is_proxied)
}

/// Where a request comes from: its connection's address; or, where that is a proxy's that is trusted, the last address that it
/// gives and that is no such proxy's.
pub(super) fn origin(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let given = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let given: Vec<&str> = given.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut from = peer;
    for text in given.iter().rev() {
        if !is_among(trusted, from) {
            break;
        }
        // What isn't an address was written by somebody else.
        let Ok(address) = text.parse() else { break };
        from = address;
    }
    from
}

fn is_own(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) || name.eq_ignore_ascii_case("localhost")
}

/// A name or address without its port; `None`: it is neither.
fn without_port(host: &str) -> Option<&str> {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (address, if rest.is_empty() { "" } else { rest.strip_prefix(':')? })
        }
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    is_port(port).then_some(name)
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    fn is_known(request: &Request<()>, hosts: &[String]) -> bool {
        super::is_known(request.headers(), request.uri(), hosts)
    }

    fn is_from_here(request: &Request<()>) -> bool {
        let of = |is_here| {
            let mut request = request.clone();
            let address = "192.0.2.7".parse().unwrap();
            request.extensions_mut().insert(super::Peer { address, is_here, is_encrypted: true });
            super::is_from_here(&request)
        };
        assert!(!super::is_from_here(request) && !of(false), "whatever it says");
        of(true)
    }

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn names_of_this_machine_and_configured_ones_are_known() {
        let hosts = ["billing.example.org".to_owned()];
        // Whether it is known, and whether it is this machine's own.
        for (host, known, own) in [
            ("127.0.0.1", true, true),
            ("127.0.0.1:9495", true, true),
            ("localhost:9495", true, true),
            ("LOCALHOST", true, true),
            ("[::1]:9495", true, true),
            ("[::1]", true, true),
            ("billing.example.org", true, false),
            ("Billing.Example.Org:443", true, false),
            ("evil.example.org", false, false),
            ("billing.example.org.evil.example", false, false),
            ("192.0.2.1:9495", false, false),
            ("[2001:db8::1]:9495", false, false),
            ("[::1].evil.example", false, false),
            ("[localhost].evil.example", false, false),
            ("[::1", false, false),
            ("localhost:x", false, false),
            ("", false, false),
        ] {
            let request = request("/", &[("host", host)]);
            assert_eq!((is_known(&request, &hosts), is_from_here(&request)), (known, own), "{host}");
        }
        let nobody = request("/", &[]);
        assert!(is_known(&nobody, &hosts) && is_from_here(&nobody));
        let two = request("/", &[("host", "127.0.0.1"), ("host", "billing.example.org")]);
        assert!(is_known(&two, &hosts) && !is_from_here(&two));
        let elsewhere = request("http://billing.example.org/", &[("host", "127.0.0.1")]);
        assert!(is_known(&elsewhere, &hosts) && !is_from_here(&elsewhere));
        assert!(!is_known(&request("http://evil.example.org/", &[("host", "127.0.0.1")]), &hosts));
    }

    #[test]
    fn the_origin_is_told_by_proxies_that_are_trusted() {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"].map(|network| network.parse().unwrap());
        for (peer, given, origin) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1", &["192.0.2.7, 10.1.2.3"], "192.0.2.7"),
            ("127.0.0.1", &["192.0.2.7", "10.1.2.3"], "192.0.2.7"),
            // What the client itself wrote comes first, and isn't believed.
            ("127.0.0.1", &["203.0.113.1, 192.0.2.7"], "192.0.2.7"),
            ("127.0.0.1", &["192.0.2.7, unknown"], "127.0.0.1"),
            ("192.0.2.9", &["192.0.2.7"], "192.0.2.9"),
            ("11.0.0.1", &["192.0.2.7"], "11.0.0.1"),
            ("10.255.255.255", &["2001:db8::1"], "2001:db8::1"),
        ] {
            let given: Vec<(&str, &str)> = given.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let mut headers = axum::http::HeaderMap::new();
            for (name, value) in given {
                headers.append(name, value.parse().unwrap());
            }
            let found = super::origin(&headers, peer.parse().unwrap(), &trusted);
            assert_eq!(found.to_string(), origin, "{peer} {headers:?}");
        }
    }

    #[test]
    fn what_a_proxy_passes_on_is_not_from_here() {
        for (header, from_here) in [
            ("forwarded", false),
            ("x-forwarded-for", false),
            ("x-forwarded-port", false),
            ("via", false),
            ("x-real-ip", false),
            ("cf-connecting-ip", false),
            ("accept", true),
            ("x-request-id", true),
        ] {
            assert_eq!(is_from_here(&request("/", &[("host", "127.0.0.1"), (header, "x")])), from_here, "{header}");
        }
    }
}
