//! The keys of an issuer: found by discovery, kept, and asked for again when a token names one that isn't known. What a
//! token itself names (`jku`, `x5u`, `jwk`) is never looked at.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::clock::Clock;
use crate::cloud_controller::transport::Transport;
use crate::domain::Timestamp;

/// So long keys are used before they are looked for again: what the issuer has withdrawn since is good no longer.
const FRESH_SECONDS: i64 = 3600;
/// So long they are used where the issuer can't be asked.
const USABLE_SECONDS: i64 = 24 * 3600;
/// Between two requests at least, whatever keys tokens name.
const BETWEEN_SECONDS: i64 = 10;
/// No document is larger.
const LARGEST: usize = 1 << 20;

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of that name.
    Unknown,
    /// It can't be asked, and why.
    Away(String),
}

#[derive(Debug)]
pub(super) struct IssuerKeys {
    issuer: String,
    transport: Transport,
    clock: Clock,
    known: RwLock<Known>,
    /// Held by whoever asks.
    asking: Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    asked_at: Option<Timestamp>,
    /// Why the last request came to nothing.
    failed: Option<String>,
}

/// As far as it is needed. Source: `OpenID` Connect Discovery 1.0, section 3.
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

impl IssuerKeys {
    pub fn new(issuer: String, transport: Transport, clock: Clock) -> Self {
        Self { issuer, transport, clock, known: RwLock::default(), asking: Mutex::new(()) }
    }

    /// The key of that name, or the only one where a token names none.
    pub async fn find(&self, name: Option<&str>) -> Result<Jwk, NoKey> {
        if let Some(found) = self.fresh(name) {
            return Ok(found);
        }
        let _asking = self.asking.lock().await;
        // Whoever asked meanwhile may have found it.
        if let Some(found) = self.fresh(name) {
            return Ok(found);
        }
        let now = self.clock.now();
        let asked_at = self.known.read().unwrap_or_else(PoisonError::into_inner).asked_at;
        if asked_at.is_none_or(|at| !(0..BETWEEN_SECONDS).contains(&now.seconds_since(at))) {
            let asked = self.ask().await;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.asked_at = Some(now);
            match asked {
                Ok(keys) => {
                    known.keys = Some((Arc::new(keys), now));
                    known.failed = None;
                }
                Err(why) => {
                    tracing::warn!(issuer = self.issuer, "the issuer's keys can't be read: {why}");
                    known.failed = Some(why);
                }
            }
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let kept = known.keys.as_ref().filter(|(_, at)| (0..USABLE_SECONDS).contains(&now.seconds_since(*at)));
        match kept {
            Some((keys, _)) => named(keys, name).ok_or_else(|| match &known.failed {
                Some(why) => NoKey::Away(why.clone()),
                None => NoKey::Unknown,
            }),
            None => Err(NoKey::Away(known.failed.clone().unwrap_or_else(|| "it has given no keys yet".to_owned()))),
        }
    }

    /// The key, if it was read not long ago.
    fn fresh(&self, name: Option<&str>) -> Option<Jwk> {
        let now = self.clock.now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, at) = known.keys.as_ref()?;
        if !(0..FRESH_SECONDS).contains(&now.seconds_since(*at)) {
            return None;
        }
        named(keys, name)
    }

    /// Those that the issuer has now.
    pub async fn ask(&self) -> Result<JwkSet, String> {
        let discovery = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let discovered: Discovered = self.read(&discovery).await?;
        if discovered.issuer != self.issuer {
            return Err(format!(
                "`{discovery}` says that its issuer is `{}`: `issuer` must be that, letter for letter",
                discovered.issuer.escape_debug()
            ));
        }
        let own: Url = self.issuer.parse().map_err(|error| format!("`{}`: {error}", self.issuer))?;
        let keys: Url = discovered
            .jwks_uri
            .parse()
            .map_err(|error| format!("`{}`: {error}", discovered.jwks_uri.escape_debug()))?;
        if keys.scheme() != "https" && !(own.scheme() == "http" && keys.host() == own.host()) {
            return Err(format!("its keys are at `{keys}`, which isn't https"));
        }
        let keys: JwkSet = self.read(keys.as_str()).await?;
        if keys.keys.is_empty() { Err("it has no keys".to_owned()) } else { Ok(keys) }
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, String> {
        let request = Request::get(url).header("accept", "application/json").body(Bytes::new());
        let request = request.map_err(|error| format!("`{url}`: {error}"))?;
        let answer: Response<Bytes> =
            self.transport.exchange(request).await.map_err(|error| format!("`{url}`: {error}"))?;
        if answer.status() != StatusCode::OK {
            return Err(format!("`{url}` answers {}", answer.status()));
        }
        if answer.body().len() > LARGEST {
            return Err(format!("`{url}` answers more than {} KiB", LARGEST >> 10));
        }
        serde_json::from_slice(answer.body()).map_err(|error| format!("`{url}`: {error}"))
    }
}

fn named(keys: &JwkSet, name: Option<&str>) -> Option<Jwk> {
    let signs =
        |key: &&Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_)));
    let mut signing = keys.keys.iter().filter(signs);
    match name {
        Some(name) => signing.find(|key| key.common.key_id.as_deref() == Some(name)).cloned(),
        None => signing.next().filter(|_| signing.next().is_none()).cloned(),
    }
}
