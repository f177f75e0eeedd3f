//! The keys of an issuer: found by discovery, kept, and asked for again when a token names one that isn't known. What a
//! token itself names (`jku`, `x5u`, `jwk`) is never looked at.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

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
/// A request waits so long for keys that it knows to be hours old, before it goes by them.
const STALE_WAITS: Duration = Duration::from_secs(3);
/// And so long for a key that isn't known.
const UNKNOWN_WAITS: Duration = Duration::from_secs(12);
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

/// Kept, and asked for by one at a time: by a task of its own, which goes on when whoever began it goes away.
#[derive(Clone, Debug)]
pub(super) struct IssuerKeys {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    issuer: String,
    transport: Transport,
    clock: Clock,
    known: RwLock<Known>,
    /// Held by whoever asks.
    asking: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<(Arc<JwkSet>, Timestamp)>,
    /// What was found with them.
    discovered: Option<Arc<Discovered>>,
    /// When the last request ended.
    asked_at: Option<Timestamp>,
    /// Why it came to nothing.
    failed: Option<String>,
}

/// As far as it is needed. Source: `OpenID` Connect Discovery 1.0, section 3, and `OpenID` Connect RP-Initiated Logout 1.0,
/// section 2.1.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Discovered {
    issuer: String,
    jwks_uri: String,
    pub authorization_endpoint: Option<String>,
    pub token_endpoint: Option<String>,
    pub end_session_endpoint: Option<String>,
}

/// What is known of a key.
enum Found {
    Fresh(Jwk),
    /// Its issuer should be asked again whether it still has it.
    Stale(Jwk),
    No,
}

impl IssuerKeys {
    pub fn new(issuer: String, transport: Transport, clock: Clock) -> Self {
        let (known, asking) = (RwLock::default(), Arc::default());
        Self { inner: Arc::new(Inner { issuer, transport, clock, known, asking }) }
    }

    /// The key of that name, or the only one where a token names none.
    pub async fn find(&self, name: Option<&str>) -> Result<Jwk, NoKey> {
        let wait = match self.inner.found(name) {
            Found::Fresh(key) => return Ok(key),
            // Where the issuer didn't answer last, it isn't waited for.
            Found::Stale(_) if self.inner.known().failed.is_some() => Duration::ZERO,
            Found::Stale(_) => STALE_WAITS,
            Found::No => UNKNOWN_WAITS,
        };
        let _ = tokio::time::timeout(wait, self.refresh(name)).await;
        match self.inner.found(name) {
            Found::Fresh(key) | Found::Stale(key) => Ok(key),
            Found::No => {
                let known = self.inner.known();
                match (&known.failed, &known.keys) {
                    (Some(why), _) => Err(NoKey::Away(why.clone())),
                    (None, Some(_)) => Err(NoKey::Unknown),
                    (None, None) => Err(NoKey::Away("it has given no keys yet".to_owned())),
                }
            }
        }
    }

    /// Asks for the keys, unless somebody just did; or waits for whoever does.
    async fn refresh(&self, name: Option<&str>) {
        let Ok(asking) = self.inner.asking.clone().try_lock_owned() else {
            drop(self.inner.asking.lock().await);
            return;
        };
        if self.inner.was_just_asked() || matches!(self.inner.found(name), Found::Fresh(_)) {
            return;
        }
        // A task: whoever goes away before it ends must not keep others from the keys.
        let inner = self.inner.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "ends by itself, with what it asks; there is nothing to supervise"
        )]
        let refreshing = tokio::spawn(async move {
            inner.read_keys().await;
            drop(asking);
        });
        let _ = refreshing.await;
    }

    /// Those that the issuer has now.
    pub async fn ask(&self) -> Result<JwkSet, String> {
        self.inner.ask().await.map(|(_, keys)| keys)
    }

    /// Where the issuer is asked for what, as it said itself when its keys were read last.
    pub async fn discovered(&self) -> Result<Arc<Discovered>, NoKey> {
        if self.inner.known().discovered.is_none() {
            let _ = tokio::time::timeout(UNKNOWN_WAITS, self.refresh(None)).await;
        }
        let known = self.inner.known();
        known.discovered.clone().ok_or_else(|| {
            NoKey::Away(known.failed.clone().unwrap_or_else(|| "it has told nothing of itself yet".to_owned()))
        })
    }

    /// How the issuer is reached.
    pub fn transport(&self) -> &Transport {
        &self.inner.transport
    }
}

impl Inner {
    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn found(&self, name: Option<&str>) -> Found {
        let now = self.clock.now();
        let known = self.known();
        let Some((keys, at)) = &known.keys else { return Found::No };
        let age = now.seconds_since(*at);
        match named(keys, name) {
            Some(key) if (0..FRESH_SECONDS).contains(&age) => Found::Fresh(key),
            Some(key) if (0..USABLE_SECONDS).contains(&age) => Found::Stale(key),
            _ => Found::No,
        }
    }

    fn was_just_asked(&self) -> bool {
        let asked_at = self.known().asked_at;
        asked_at.is_some_and(|at| (0..BETWEEN_SECONDS).contains(&self.clock.now().seconds_since(at)))
    }

    async fn read_keys(&self) {
        let asked = self.ask().await;
        let now = self.clock.now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.asked_at = Some(now);
        match asked {
            Ok((discovered, keys)) => {
                known.keys = Some((Arc::new(keys), now));
                known.discovered = Some(Arc::new(discovered));
                known.failed = None;
            }
            Err(why) => {
                tracing::warn!(issuer = self.issuer, "the issuer's keys can't be read: {why}");
                known.failed = Some(why);
            }
        }
    }

    async fn ask(&self) -> Result<(Discovered, JwkSet), String> {
        let discovery = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let discovered: Discovered = self.read(&discovery).await?;
        if discovered.issuer != self.issuer {
            return Err(format!(
                "`{discovery}` says that its issuer is `{}`: `issuer` must be that, letter for letter",
                discovered.issuer.escape_debug()
            ));
        }
        let own: Url = self.issuer.parse().map_err(|error| format!("`{}`: {error}", self.issuer))?;
        let is_safe = |name: &str, address: &str| -> Result<(), String> {
            let url: Url = address.parse().map_err(|error| format!("`{}`: {error}", address.escape_debug()))?;
            if url.scheme() != "https"
                && !(url.scheme() == "http" && own.scheme() == "http" && url.host() == own.host())
            {
                return Err(format!("its {name} is `{url}`, which isn't https"));
            }
            Ok(())
        };
        is_safe("jwks_uri", &discovered.jwks_uri)?;
        for (name, address) in [
            ("authorization_endpoint", &discovered.authorization_endpoint),
            ("token_endpoint", &discovered.token_endpoint),
            ("end_session_endpoint", &discovered.end_session_endpoint),
        ] {
            address.as_deref().map_or(Ok(()), |address| is_safe(name, address))?;
        }
        let keys: JwkSet = self.read(&discovered.jwks_uri).await?;
        if keys.keys.is_empty() { Err("it has no keys".to_owned()) } else { Ok((discovered, keys)) }
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
