//! By which address browsers know the pages. Owns which origin forms come from, and the names of cookies.

use std::net::SocketAddr;

use axum::http::{HeaderMap, Method};
use url::Url;

/// The address under which all pages are, and which no page of anybody else has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base {
    /// `https://billing.example.org`
    origin: String,
    is_secure: bool,
    port: u16,
    /// It was configured: browsers on other machines come, too.
    pub is_public: bool,
}

/// What a request is told of where it comes from, where it changes something.
const ORIGIN: &str = "origin";
const FETCH_SITE: &str = "sec-fetch-site";

impl Base {
    /// The one that is configured, else the address itself on which pages are served.
    pub fn new(public_url: Option<&Url>, served_at: SocketAddr, is_encrypted: bool) -> Self {
        let served_at_port = served_at.port();
        if let Some(url) = public_url {
            return Self {
                origin: url.origin().ascii_serialization(),
                is_secure: url.scheme() == "https",
                port: url.port_or_known_default().unwrap_or(served_at_port),
                is_public: true,
            };
        }
        let scheme = if is_encrypted { "https" } else { "http" };
        let origin = format!("{scheme}://{served_at}");
        Self { origin, is_secure: is_encrypted, port: served_at_port, is_public: false }
    }

    /// `https://billing.example.org`
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Cookies are sent over https alone.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The name of a cookie that no other host can set; over http, where there is no such name, one that no other port uses.
    pub fn cookie(&self, of: &str) -> String {
        if self.is_secure { format!("__Host-cf-billing{of}") } else { format!("cf-billing{of}-{}", self.port) }
    }

    /// Whether a browser sends that from a page of ours: where the method is one that changes something, it says so.
    pub fn sent_it(&self, method: &Method, headers: &HeaderMap) -> bool {
        if matches!(*method, Method::GET | Method::HEAD) {
            return true;
        }
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(one), None) => one.to_str().is_ok_and(|origin| origin == self.origin),
            (None, _) => headers.get(FETCH_SITE).is_some_and(|site| site == "same-origin"),
            (Some(_), Some(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::Base;

    fn base(url: Option<&str>) -> Base {
        Base::new(url.map(|url| url.parse().unwrap()).as_ref(), "127.0.0.1:9495".parse().unwrap(), false)
    }

    #[test]
    fn cookies_are_of_one_host_or_of_one_port() {
        let public = base(Some("https://billing.example.org/"));
        assert_eq!((public.cookie(""), public.is_secure()), ("__Host-cf-billing".to_owned(), true));
        assert_eq!(public.url("/sign-in"), "https://billing.example.org/sign-in");
        let own = base(None);
        assert_eq!((own.cookie("-sign-in"), own.is_secure()), ("cf-billing-sign-in-9495".to_owned(), false));
        assert_eq!(own.url("/"), "http://127.0.0.1:9495/");
        assert_eq!(base(Some("https://billing.example.org:8443")).origin(), "https://billing.example.org:8443");
        assert_eq!(base(Some("https://billing.example.org:443")).origin(), "https://billing.example.org");
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_ours() {
        let base = base(Some("https://billing.example.org"));
        for (headers, comes) in [
            (&[("origin", "https://billing.example.org")][..], true),
            (&[("origin", "https://billing.example.org"), ("sec-fetch-site", "cross-site")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "http://billing.example.org")], false),
            (&[("origin", "https://billing.example.org.evil.example")], false),
            (&[("origin", "https://billing.example.org:8443")], false),
            (&[("origin", "https://billing.example.org"), ("origin", "https://evil.example")], false),
        ] {
            let mut given = HeaderMap::new();
            for (name, value) in headers {
                given.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
                assert_eq!(base.sent_it(&method, &given), comes, "{method} {headers:?}");
            }
            assert!(base.sent_it(&Method::GET, &given) && base.sent_it(&Method::HEAD, &given));
        }
    }
}
