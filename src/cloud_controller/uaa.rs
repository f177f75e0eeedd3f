//! Which UAA belongs to an API: the only other place that the client's secret goes to.
//! Owns that rule; sends nothing.

use url::{Host, Url};

/// Labels that a parent domain has at least, so that not everything under `com` belongs together.
const PARENT_LABELS: usize = 2;

/// Whether what a root document names may be given the client's secret: it is on the API's own host, or under the API's
/// parent domain (`api.SYSTEM` and `uaa.SYSTEM`, `login.SYSTEM`), and over https wherever the API is. An address or a
/// single name has no domain: the same host only.
#[must_use]
pub fn belongs(api: &Url, named: &Url) -> bool {
    keeps_secret(api, named) && (is_same_host(api, named) || is_under_parent(api, named))
}

/// Whether secrets go there no more openly than to the API: never from https down to http, nor to a user's name.
#[must_use]
pub fn keeps_secret(api: &Url, named: &Url) -> bool {
    let scheme = match (api.scheme(), named.scheme()) {
        (_, "https") => true,
        (api, named) => api == "http" && named == "http",
    };
    scheme && named.username().is_empty() && named.password().is_none()
}

fn is_same_host(api: &Url, named: &Url) -> bool {
    match (api.host(), named.host()) {
        (Some(Host::Domain(api)), Some(Host::Domain(named))) => bare(api) == bare(named),
        (api, named) => api.is_some() && api == named,
    }
}

fn is_under_parent(api: &Url, named: &Url) -> bool {
    let (Some(Host::Domain(api)), Some(Host::Domain(named))) = (api.host(), named.host()) else { return false };
    let Some((_, parent)) = bare(api).split_once('.') else { return false };
    let labels = parent.split('.').filter(|label| !label.is_empty()).count();
    let under = bare(named).strip_suffix(parent).and_then(|rest| rest.strip_suffix('.'));
    labels >= PARENT_LABELS && under.is_some_and(|rest| !rest.is_empty())
}

/// A host's name without the dot that may end it.
fn bare(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Why there is no UAA to send the secret to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The root document names none.
    NoneNamed,
    /// It names one that isn't this API's.
    Foreign { named: Url, why: String },
}

/// The UAA to use: the configured one; else of those that the root document names the first that belongs to the API and is
/// the one that was used before.
///
/// # Errors
/// [`Refused`].
pub fn choose(api: &Url, configured: Option<&Url>, pinned: Option<&str>, named: &[Url]) -> Result<Url, Refused> {
    if let Some(configured) = configured {
        return Ok(configured.clone());
    }
    let belonging: Vec<&Url> = named.iter().filter(|named| belongs(api, named)).collect();
    let Some(first) = belonging.first() else {
        let named = named.first().ok_or(Refused::NoneNamed)?.clone();
        let why = if keeps_secret(api, &named) {
            "is neither on the host of `api` nor under its parent domain".to_owned()
        } else {
            "isn't https, though `api` is".to_owned()
        };
        return Err(Refused::Foreign { named, why });
    };
    let Some(pinned) = pinned else { return Ok((*first).clone()) };
    let same = belonging.iter().find(|named| origin(named) == pinned);
    same.map(|named| (*named).clone()).ok_or_else(|| Refused::Foreign {
        named: (*first).clone(),
        why: format!("isn't the one that this foundation was onboarded with, `{pinned}`"),
    })
}

/// How two addresses of a UAA are compared: scheme, host and port.
#[must_use]
pub fn origin(uaa: &Url) -> String {
    uaa.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(api: &str, named: &str, expected: bool) {
        let (api, named): (Url, Url) = (api.parse().unwrap(), named.parse().unwrap());
        assert_eq!(belongs(&api, &named), expected, "{api} {named}");
    }

    #[test]
    fn a_uaa_belongs_to_its_api_by_host_or_parent_domain() {
        let api = "https://api.sys.example.org";
        for named in [
            "https://uaa.sys.example.org",
            "https://login.sys.example.org",
            "https://LOGIN.sys.example.org.",
            "https://a.b.sys.example.org/uaa",
            "https://api.sys.example.org:8443",
        ] {
            check(api, named, true);
        }
        for named in [
            "https://uaa.other.example.org",
            "https://uaa.example.org",
            "https://sys.example.org",
            "https://evilsys.example.org",
            "https://uaa.sys.example.org.evil.example",
            "https://sys.example.org@evil.example",
            "https://somebody@uaa.sys.example.org",
            "https://127.0.0.1",
            "http://uaa.sys.example.org",
            "http://api.sys.example.org",
            "ftp://uaa.sys.example.org",
        ] {
            check(api, named, false);
        }
    }

    #[test]
    fn a_parent_domain_has_two_labels_at_least() {
        check("https://api.example.org", "https://uaa.example.org", true);
        check("https://example.org", "https://uaa.org", false);
        check("https://example.org", "https://evil.org", false);
        check("https://example.org", "https://example.org", true);
    }

    #[test]
    fn an_address_or_a_single_name_has_no_domain() {
        check("https://10.0.0.1", "https://10.0.0.1:8443", true);
        check("https://10.0.0.1", "https://10.0.0.2", false);
        check("https://10.0.0.1", "https://uaa.0.0.1.example", false);
        check("https://[::1]", "https://[::1]:8443", true);
        check("https://[::1]", "https://[::2]", false);
        check("https://cloud", "https://cloud:8443", true);
        check("https://cloud", "https://uaa", false);
        check("https://cloud", "https://uaa.cloud", false);
    }

    #[test]
    fn the_uaa_of_the_onboarding_stays_until_another_is_configured() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let api = url("https://api.sys.example.org");
        let (login, uaa, evil) =
            (url("https://login.sys.example.org"), url("https://uaa.sys.example.org"), url("https://evil.example"));
        let named = [login.clone(), uaa.clone()];
        assert_eq!(choose(&api, None, None, &named), Ok(login.clone()));
        assert_eq!(choose(&api, None, None, &[evil.clone(), uaa.clone()]), Ok(uaa.clone()));
        assert_eq!(choose(&api, None, Some("https://uaa.sys.example.org"), &named), Ok(uaa.clone()));
        let changed = choose(&api, None, Some("https://old.sys.example.org"), &named);
        assert!(matches!(changed, Err(Refused::Foreign { named, .. }) if named == login));
        assert_eq!(choose(&api, Some(&evil), Some("https://uaa.sys.example.org"), &named), Ok(evil.clone()));
        // What isn't under the API's domain needs to be configured, also when it was used before.
        let named = std::slice::from_ref(&evil);
        assert!(matches!(choose(&api, None, Some("https://evil.example"), named), Err(Refused::Foreign { .. })));
        assert_eq!(choose(&api, None, None, &[]), Err(Refused::NoneNamed));
    }

    #[test]
    fn plain_http_stays_where_it_is() {
        check("http://127.0.0.1:8181", "http://127.0.0.1:8181", true);
        check("http://127.0.0.1:8181", "https://127.0.0.1:8443", true);
        check("https://127.0.0.1:8181", "http://127.0.0.1:8181", false);
    }
}
