//! Who says so: the issuer that a token names, and where an API's root points to. For telling one foundation from another,
//! never for trusting anything.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// Of a token, or of a root document: nothing in larger ones is looked for. Read whole, they would take many times their
/// size of memory.
const LARGEST: usize = 1 << 20;

/// The `iss` of a JSON web token; `None` if it isn't one, or doesn't say.
pub(super) fn issuer_of(token: &str) -> Option<String> {
    let payload = token.split('.').nth(1).filter(|_| token.len() <= LARGEST)?;
    let claims = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims["iss"].as_str().map(str::to_owned)
}

/// The targets of the links in a root document, by name.
pub(super) fn links_of(root: &[u8]) -> BTreeMap<String, String> {
    let root = if root.len() <= LARGEST { root } else { &[] };
    let root: Value = serde_json::from_slice(root).unwrap_or_default();
    let links = root["links"].as_object().into_iter().flatten();
    links.filter_map(|(name, link)| Some((name.clone(), link["href"].as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::{issuer_of, links_of};

    #[test]
    fn a_token_names_its_issuer() {
        // {"alg":"none"} . {"iss":"https://uaa.example.com/oauth/token","jti":"ä?"}
        let token =
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL3VhYS5leGFtcGxlLmNvbS9vYXV0aC90b2tlbiIsImp0aSI6IsOkPyJ9.c2ln";
        assert_eq!(issuer_of(token).as_deref(), Some("https://uaa.example.com/oauth/token"));
        for opaque in ["", "opaque", "a.b", "a.!.c", "eyJhbGciOiJub25lIn0.e30.c2ln"] {
            assert_eq!(issuer_of(opaque), None, "{opaque}");
        }
    }

    #[test]
    fn links_are_what_a_root_points_to() {
        let root = br#"{"links":{"self":{"href":"https://api.example.com"},"routing":null,"login":{"href":"https://login.example.com"}}}"#;
        let links = links_of(root);
        assert_eq!(links.len(), 2);
        assert_eq!(links["login"], "https://login.example.com");
        assert!(links_of(b"<html>").is_empty());
        let long = [&root[..], &vec![b' '; super::LARGEST]].concat();
        assert_eq!((links_of(&long[..super::LARGEST]).len(), links_of(&long).len()), (2, 0));
    }
}
