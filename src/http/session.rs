//! The session of a browser: the cookie that it has, what the book knows of it, and the token of its forms.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, SameSite};
use sha2::{Digest, Sha256};

use super::Served;
use super::base::Base;
use crate::access::{Caller, Identity, WebSession};
use crate::domain::Timestamp;
use crate::domain::text::hexadecimal;
use crate::identity::SIGN_IN_SECONDS;
use crate::store::{SessionLimits, Store, StoreError};

/// Of the session itself.
const OF_SESSION: &str = "";
/// Of a sign-in that is under way.
const OF_SIGN_IN: &str = "-sign-in";
/// Characters of a secret: 256 bits in base64.
const SECRET: usize = 43;
/// It is noted that a session is used not more often than this, in seconds.
const NOTED_EVERY: i64 = 60;
/// Nobody waits for that longer.
const NOTED_WITHIN: Duration = Duration::from_secs(10);
/// Requests with the secret from before a sign-in, in seconds after it, were under way.
const UNDER_WAY: i64 = 60;

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

    /// The session, if it goes on; it is noted that it is used. A secret in whose place the browser was given another, and
    /// that comes again after a while, was copied: it ends the session for all who have it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open(self, served: &Served, store: &Store) -> Result<Option<Open>, StoreError> {
        let found = {
            // Whoever has no session asks about many: one at a time.
            let _turn = served.of_book.turns.of_sessions().await;
            store.session(&self.secret).await?
        };
        let now = served.clock.now();
        let Some((session, replaced_at)) = found else { return Ok(None) };
        if let Some(replaced_at) = replaced_at {
            if now.seconds_since(replaced_at) >= UNDER_WAY {
                self.note(served, store, None);
            }
            return Ok(None);
        }
        if !session.goes_on(now, limits(served).idle_seconds) {
            return Ok(None);
        }
        if now.seconds_since(session.seen_at) >= NOTED_EVERY {
            self.note(served, store, Some(now));
        }
        Ok(Some(Open { held: self, session }))
    }

    /// Notes that the session is used, or that it has ended (`None`), beside what is asked: while the book can't be written,
    /// it can be read. One at a time; what isn't noted now is at the next request.
    fn note(&self, served: &Served, store: &Store, seen_at: Option<Timestamp>) {
        let Some(turn) = served.of_book.turns.of_notes() else { return };
        let (secret, store) = (self.secret.clone(), store.clone());
        let noting = async move {
            match seen_at {
                Some(now) => store.session_seen(&secret, now).await,
                None => store.end_session(&secret).await,
            }
        };
        #[expect(clippy::disallowed_methods, reason = "ends by itself, soon; there is nothing to supervise")]
        tokio::spawn(async move {
            let _turn = turn;
            if let Ok(Err(error)) = tokio::time::timeout(NOTED_WITHIN, noting).await {
                tracing::warn!("a session can't be noted: {error}");
            }
        });
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

/// The only field of that name.
pub(super) fn field<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let mut found = form.iter().filter(|(key, _)| key == name);
    let one = found.next()?;
    found.next().is_none().then_some(one.1.as_str())
}

impl Open {
    /// Whether a form is one of this session's pages.
    pub fn sent(&self, form: &[(String, String)]) -> bool {
        field(form, "form") == Some(self.held.form_token().as_str())
    }

    /// As whom it asks, and how pages show them: those who count still, by the configuration, too.
    pub fn callers(&self, served: &Served) -> Vec<(Caller, String)> {
        let of = &served.of_book;
        let now = served.clock.now();
        let again = |identity: &Identity| match identity {
            Identity::Token { digest, .. } => of.access.again(digest),
            Identity::Person { person, role, trust, .. } => of.identities.again(person, *role, trust),
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

fn limits(served: &Served) -> SessionLimits {
    let http = &served.of_book.configuration.http;
    let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    SessionLimits { idle_seconds: seconds(http.session_idle), longest_seconds: seconds(http.session_longest) }
}

/// Begins a session in which somebody has signed in, too, or instead of the one before; gives its cookie.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn begin(
    served: &Served,
    store: &Store,
    base: &Base,
    before: Option<&Held>,
    signed_in: &Identity,
) -> Result<String, StoreError> {
    let now = served.clock.now();
    // Another secret: who had the one before knows nothing of what was signed in to.
    let held = Held::new();
    let before = before.map(|before| before.secret.as_str());
    let session = store.begin_session(&held.secret, signed_in, before, limits(served), now).await?;
    Ok(cookie(base, OF_SESSION, held.secret, session.ends_at.seconds_since(now)))
}

/// The cookie of a sign-in that begins, which is sealed.
pub(super) fn sign_in_cookie(base: &Base, sealed: String) -> String {
    cookie(base, OF_SIGN_IN, sealed, SIGN_IN_SECONDS)
}

/// What a browser has of the sign-in that it began, if any.
pub(super) fn sealed_sign_in(headers: &HeaderMap, base: &Base) -> Option<String> {
    cookie_of(headers, &base.cookie(OF_SIGN_IN))
}

/// The cookie that ends a sign-in.
pub(super) fn no_sign_in_cookie(base: &Base) -> String {
    cookie(base, OF_SIGN_IN, String::new(), 0)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::{Held, cookie, field};
    use crate::http::base::Base;

    #[test]
    fn a_cookie_is_of_the_host_alone_and_of_no_script() {
        let served_at = "127.0.0.1:9495".parse().unwrap();
        let public = Base::new(Some(&"https://billing.example.org".parse().unwrap()), served_at, false);
        let text = cookie(&public, "", "x".to_owned(), 60);
        let mut parts: Vec<&str> = text.split("; ").collect();
        parts.sort_unstable();
        assert_eq!(parts, ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=Lax", "Secure", "__Host-cf-billing=x"]);
        let own = cookie(&Base::new(None, served_at, false), "-sign-in", String::new(), 0);
        assert!(own.starts_with("cf-billing-sign-in-9495=; ") && own.contains("Max-Age=0") && !own.contains("Secure"));
    }

    #[test]
    fn one_whole_cookie_is_a_session_s() {
        let base = Base::new(None, "127.0.0.1:9495".parse().unwrap(), false);
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

    #[test]
    fn a_field_is_there_once() {
        let form = [("a", "1"), ("b", "2"), ("b", "3")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((field(&form, "a"), field(&form, "b"), field(&form, "c")), (Some("1"), None, None));
    }
}
