//! The session of a browser: the cookie that it has, what the book knows of it, and the token of its forms.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use sha2::{Digest, Sha256};

use super::Served;
use super::base::Base;
use crate::access::{Caller, Identity, WebSession};
use crate::domain::text::hexadecimal;
use crate::store::{Store, StoreError};

/// Of the session itself.
const OF_SESSION: &str = "";
/// Of a sign-in that is under way.
const OF_SIGN_IN: &str = "-sign-in";
/// Characters of a secret: 256 bits in base64.
const SECRET: usize = 43;
/// It is noted that a session is used not more often than this, in seconds.
const NOTED_EVERY: i64 = 60;
/// A sign-in that takes longer begins anew.
const SIGN_IN_SECONDS: i64 = 600;

/// What a browser has of its session, whether there is one or not.
#[derive(Clone, Debug)]
pub(super) struct Held {
    secret: String,
}

/// A session that goes on, for one who asks.
#[derive(Debug)]
pub(super) struct Open {
    pub held: Held,
    pub session: WebSession,
}

fn cookie_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = texts.flat_map(Cookie::split_parse).filter_map(Result::ok).filter(|cookie| cookie.name() == name);
    // Which of two is ours can't be told.
    let one = found.next()?.value().to_owned();
    found.next().is_none().then_some(one)
}

fn cookie(base: &Base, of: &str, value: String, seconds: i64) -> String {
    let name = base.cookie(of);
    let built = Cookie::build((name, value)).path("/").http_only(true).secure(base.is_secure());
    let built = built.same_site(SameSite::Lax).max_age(cookie::time::Duration::seconds(seconds));
    built.build().to_string()
}

impl Held {
    /// What a request brings.
    pub fn of(headers: &HeaderMap, base: &Base) -> Option<Self> {
        let secret = cookie_of(headers, &base.cookie(OF_SESSION))?;
        let is_whole = secret.len() == SECRET && URL_SAFE_NO_PAD.decode(&secret).is_ok();
        is_whole.then_some(Self { secret })
    }

    fn new() -> Self {
        Self { secret: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()) }
    }

    /// What a form of this session has, and no other.
    pub fn form_token(&self) -> String {
        let digest = Sha256::digest(format!("form of {}", self.secret));
        hexadecimal(&digest)[..32].to_owned()
    }

    /// The session, if it goes on; it is noted that it is used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(self, served: &Served, store: &Store) -> Result<Option<Open>, StoreError> {
        // Whoever has no session asks about many: one at a time.
        let _turn = served.of_book.turns.of_sessions().await;
        let now = served.clock.now();
        let Some(session) = store.session(&self.secret).await? else { return Ok(None) };
        if !session.goes_on(now, idle_seconds(served)) {
            return Ok(None);
        }
        if now.seconds_since(session.seen_at) >= NOTED_EVERY
            && let Err(error) = store.session_seen(&self.secret, now).await
        {
            // While the book can't be written, it can be read.
            tracing::warn!("it can't be noted that a session is used: {error}");
        }
        Ok(Some(Open { held: self, session }))
    }

    /// Ends the session; gives the cookie that says so to the browser.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end(&self, store: &Store, base: &Base) -> Result<String, StoreError> {
        store.end_session(&self.secret).await?;
        Ok(cookie(base, OF_SESSION, String::new(), 0))
    }
}

impl Open {
    /// As whom it asks, and how pages show them: those who count still, by the configuration, too.
    pub fn callers(&self, served: &Served) -> Vec<(Caller, String)> {
        let of = &served.of_book;
        let now = served.clock.now();
        let again = |identity: &Identity| match identity {
            Identity::Token { digest, .. } => of.access.again(digest),
            Identity::Person { person, role, .. } => of.identities.again(person, *role),
        };
        let counting = self.session.identities.iter().filter(|one| one.counts(now));
        counting.filter_map(|one| Some((again(one)?, one.shown()))).collect()
    }

    /// The issuer whose person counts no longer, if nobody else does: there is nothing to choose from.
    pub fn to_sign_in_again(&self) -> Option<&str> {
        match &self.session.identities[..] {
            [Identity::Person { person, .. }] => Some(&person.issuer),
            _ => None,
        }
    }
}

fn idle_seconds(served: &Served) -> i64 {
    seconds(served.of_book.configuration.http.session_idle)
}

fn seconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// Begins a session in which somebody has signed in, too, or instead of the one before; gives its cookie.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn begin(
    served: &Served,
    store: &Store,
    base: &Base,
    before: Option<Open>,
    signed_in: Identity,
) -> Result<String, StoreError> {
    let now = served.clock.now();
    let longest = seconds(served.of_book.configuration.http.session_longest);
    let (old, before) = before.map_or((None, None), |open| (Some(open.held.secret), Some(open.session)));
    let session = WebSession::with(before, signed_in, now, longest);
    // Another secret: who had the one before knows nothing of what was signed in to.
    let held = Held::new();
    store.begin_session(&held.secret, &session, old.as_deref(), idle_seconds(served)).await?;
    Ok(cookie(base, OF_SESSION, held.secret, session.ends_at.seconds_since(now)))
}

/// The cookie of a sign-in that begins.
pub(super) fn sign_in_cookie(base: &Base, begun: &impl serde::Serialize) -> String {
    let text = serde_json::to_vec(begun).unwrap_or_default();
    cookie(base, OF_SIGN_IN, URL_SAFE_NO_PAD.encode(text), SIGN_IN_SECONDS)
}

/// The sign-in that a browser began, if any.
pub(super) fn begun_sign_in<B: serde::de::DeserializeOwned>(headers: &HeaderMap, base: &Base) -> Option<B> {
    let text = cookie_of(headers, &base.cookie(OF_SIGN_IN))?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

/// The cookie that ends a sign-in.
pub(super) fn no_sign_in_cookie(base: &Base) -> String {
    cookie(base, OF_SIGN_IN, String::new(), 0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{Held, cookie};
    use crate::http::base::Base;

    #[test]
    fn a_cookie_is_of_the_host_alone_and_of_no_script() {
        let served_at = "127.0.0.1:9495".parse().unwrap();
        let public = Base::new(Some(&"https://billing.example.org".parse().unwrap()), served_at);
        let text = cookie(&public, "", "x".to_owned(), 60);
        let mut parts: Vec<&str> = text.split("; ").collect();
        parts.sort_unstable();
        assert_eq!(parts, ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax", "Secure", "__Host-cf-billing=x"]);
        let own = cookie(&Base::new(None, served_at), "-sign-in", String::new(), 0);
        assert!(own.starts_with("cf-billing-sign-in-9495=; ") && own.contains("Max-Age=0") && !own.contains("Secure"));
    }

    #[test]
    fn one_whole_cookie_is_a_session_s() {
        let base = Base::new(None, "127.0.0.1:9495".parse().unwrap());
        let whole = "a".repeat(42) + "A";
        for (text, is_one) in [
            (format!("cf-billing-9495={whole}"), true),
            (format!("other=1; cf-billing-9495={whole}; more=2"), true),
            (format!("cf-billing-9496={whole}"), false),
            (format!("cf-billing-9495={whole}A"), false),
            (format!("cf-billing-9495={}", &whole[1..]), false),
            (format!("cf-billing-9495={}!", &whole[1..]), false),
            (format!("cf-billing-9495={whole}; cf-billing-9495={whole}"), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("cookie", HeaderValue::try_from(text.clone()).unwrap());
            assert_eq!(Held::of(&headers, &base).is_some(), is_one, "{text}");
        }
    }

    #[test]
    fn forms_of_two_sessions_differ() {
        let (one, other) = (Held::new(), Held::new());
        assert_eq!(one.form_token(), one.form_token());
        assert_ne!(one.form_token(), other.form_token());
        assert!(!one.form_token().contains(&one.secret[..8]));
    }
}
