//! How people sign in at an issuer: the authorization code flow with PKCE. Sources: RFC 6749, RFC 7636, RFC 9207 and `OpenID`
//! Connect Core 1.0, section 3.1. The tokens that come back are looked at once, and let go.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AsyncHttpClient, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet,
    EndpointSet, ExtraTokenFields, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenResponse, TokenResponse, TokenUrl,
};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use super::keys::NoKey;
use super::{Identities, Known, Unproven};
use crate::access::{Caller, Claims, Identity, Role, shown_name};
use crate::cloud_controller::transport::{Transport, TransportError};
use crate::config::SignInClient;
use crate::domain::Timestamp;

/// A sign-in that takes longer begins anew.
pub const SIGN_IN_SECONDS: i64 = 600;
/// Codes that an issuer is asked about at once, and within a minute: whoever has none is asked about, too.
const AT_ONCE: usize = 4;
const IN_A_MINUTE: usize = 120;

/// A sign-in that began: what the browser keeps until it comes back, sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BegunSignIn {
    issuer: String,
    /// The page that was asked for.
    pub then: String,
    began_at: Timestamp,
    state: String,
    nonce: String,
    verifier: String,
}

impl BegunSignIn {
    /// Whether an answer with that state is one to it.
    #[must_use]
    pub fn is_answered_by(&self, state: &str) -> bool {
        self.state == state
    }
}

/// What an issuer was asked lately.
#[derive(Debug)]
pub(super) struct Asked {
    at_once: Semaphore,
    lately: Mutex<VecDeque<Timestamp>>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { at_once: Semaphore::new(AT_ONCE), lately: Mutex::default() }
    }
}

impl Asked {
    /// Leave to ask once more; `None`: not now.
    fn once_more(&self, now: Timestamp) -> Option<SemaphorePermit<'_>> {
        let turn = self.at_once.try_acquire().ok()?;
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        while lately.front().is_some_and(|at| !(0..60).contains(&now.seconds_since(*at))) {
            lately.pop_front();
        }
        (lately.len() < IN_A_MINUTE).then(|| lately.push_back(now))?;
        Some(turn)
    }
}

/// What comes with an access token where `openid` was asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WithIdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for WithIdToken {}

type Tokens = StandardTokenResponse<WithIdToken, BasicTokenType>;
/// A client with the addresses that a sign-in takes.
type OpenIdClient = Client<
    BasicErrorResponse,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

const AWAY: &str = "the provider can't be asked now";

fn away(why: &impl ToString) -> Unproven {
    Unproven::Away { told: AWAY, why: why.to_string() }
}

impl From<NoKey> for Unproven {
    fn from(no: NoKey) -> Self {
        match no {
            NoKey::Away(why) => away(&why),
            NoKey::Unknown => away(&"it has no keys"),
        }
    }
}

impl Identities {
    /// Names of the issuers that people can sign in at, in the order of the configuration.
    pub fn sign_ins(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().filter(|known| known.client.is_some()).map(|known| known.issuer.name.as_str())
    }

    fn signs_in(&self, name: &str) -> Option<(&Known, &SignInClient)> {
        let known = self.issuers.iter().find(|known| known.issuer.name == name)?;
        Some((known, known.client.as_ref()?))
    }

    /// Where a browser goes to sign in at an issuer and come back to `callback`, and what it keeps meanwhile; `None`: nobody signs
    /// in there.
    ///
    /// # Errors
    /// [`Unproven::Away`].
    pub async fn begin_sign_in(
        &self,
        name: &str,
        callback: &str,
        then: &str,
    ) -> Result<Option<(Url, String)>, Unproven> {
        let Some((known, client)) = self.signs_in(name) else { return Ok(None) };
        let openid = known.openid(client, callback).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random().secret().clone();
        let scopes = client.scopes.iter().cloned().map(Scope::new);
        let asking = openid.authorize_url(CsrfToken::new_random).add_scopes(scopes).set_pkce_challenge(challenge);
        let (url, state) = asking.add_extra_param("nonce", nonce.clone()).url();
        let begun = BegunSignIn {
            issuer: name.to_owned(),
            then: then.to_owned(),
            began_at: known.clock.now(),
            state: state.secret().clone(),
            nonce,
            verifier: verifier.into_secret(),
        };
        Ok(Some((url, sealed(client, &begun))))
    }

    /// The sign-in that a browser began at an issuer, of what it kept; `None`: it began none, or too long ago.
    #[must_use]
    pub fn begun_sign_in(&self, name: &str, kept: &str) -> Option<BegunSignIn> {
        let (known, client) = self.signs_in(name)?;
        let begun = unsealed(client, kept)?;
        let age = known.clock.now().seconds_since(begun.began_at);
        (begun.issuer == name && (0..SIGN_IN_SECONDS).contains(&age)).then_some(begun)
    }

    /// Who came back with that code, and with the issuer that it says it is of.
    ///
    /// # Errors
    /// [`Unproven`].
    pub async fn finish_sign_in(
        &self,
        begun: &BegunSignIn,
        callback: &str,
        code: String,
        said_issuer: Option<&str>,
    ) -> Result<Identity, Unproven> {
        let refused = |told: &str| Unproven::Refused(format!("{told}\nhint: sign in again"));
        let Some((known, client)) = self.signs_in(&begun.issuer) else {
            return Err(refused("nobody signs in there any more"));
        };
        // RFC 9207: an answer that another provider gave.
        if said_issuer.is_some_and(|said| said != known.issuer.issuer) {
            return Err(refused("the answer is another provider's"));
        }
        let Some(_turn) = known.asked.once_more(known.clock.now()) else {
            let why = format!("`{}` was asked for tokens as often as may be", begun.issuer);
            return Err(Unproven::Away { told: "too many people sign in at once", why });
        };
        let openid = known.openid(client, callback).await?;
        let verifier = PkceCodeVerifier::new(begun.verifier.clone());
        let http = ByTransport(known.keys.transport().clone());
        let asking = openid.exchange_code(AuthorizationCode::new(code)).set_pkce_verifier(verifier);
        let tokens = asking.request_async(&http).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(told) => {
                tracing::warn!(issuer = begun.issuer, "the provider gives no token: {}", told.error());
                refused("the provider doesn't take the sign-in back: it took too long, or was used already")
            }
            error => away(&error),
        })?;
        known.signed_in(client, begun, &tokens).await
    }

    /// Where a browser goes to sign out at an issuer, too, and comes back to `back`.
    pub async fn sign_out(&self, name: &str, back: &str) -> Option<Url> {
        let (known, client) = self.signs_in(name)?;
        let discovered = known.keys.discovered().await.ok()?;
        let (address, back_as) = match &discovered.end_session_endpoint {
            Some(address) => (address.clone(), "post_logout_redirect_uri"),
            // UAA's has no such member: its documentation, "Logout".
            None => (format!("{}/logout.do", known.issuer.issuer.strip_suffix("/oauth/token")?), "redirect"),
        };
        let mut url: Url = address.parse().ok()?;
        url.query_pairs_mut().append_pair("client_id", &client.id).append_pair(back_as, back);
        Some(url)
    }
}

/// How a provider is asked for tokens.
struct ByTransport(Transport);

impl<'c> AsyncHttpClient<'c> for ByTransport {
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<oauth2::HttpResponse, TransportError>> + Send + 'c>>;

    fn call(&'c self, request: oauth2::HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let answer = self.0.exchange(Request::from_parts(parts, Bytes::from(body))).await?;
            let (parts, body) = answer.into_parts();
            Ok(Response::from_parts(parts, body.to_vec()))
        })
    }
}

/// What a sign-in is sealed with: every replica has the same, and nobody else.
fn seal_of(client: &SignInClient) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, format!("cf-billing sign-in {}", client.secret.expose()).as_bytes())
}

/// As a browser keeps it: it can't be made by anybody else.
fn sealed(client: &SignInClient, begun: &BegunSignIn) -> String {
    let text = serde_json::to_vec(begun).unwrap_or_default();
    let seal = hmac::sign(&seal_of(client), &text);
    format!("{}.{}", URL_SAFE_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(seal))
}

fn unsealed(client: &SignInClient, kept: &str) -> Option<BegunSignIn> {
    let (text, seal) = kept.split_once('.')?;
    let (text, seal) = (URL_SAFE_NO_PAD.decode(text).ok()?, URL_SAFE_NO_PAD.decode(seal).ok()?);
    hmac::verify(&seal_of(client), &text, &seal).ok()?;
    serde_json::from_slice(&text).ok()
}

impl Known {
    async fn openid(&self, client: &SignInClient, callback: &str) -> Result<OpenIdClient, Unproven> {
        let discovered = self.keys.discovered().await?;
        let (Some(authorization), Some(token)) = (&discovered.authorization_endpoint, &discovered.token_endpoint)
        else {
            return Err(away(&"it has no authorization_endpoint or no token_endpoint"));
        };
        let client = Client::new(ClientId::new(client.id.clone()))
            .set_client_secret(ClientSecret::new(client.secret.expose().to_owned()))
            .set_auth_uri(AuthUrl::new(authorization.clone()).map_err(|error| away(&error))?)
            .set_token_uri(TokenUrl::new(token.clone()).map_err(|error| away(&error))?)
            .set_redirect_uri(RedirectUrl::new(callback.to_owned()).map_err(|error| away(&error))?);
        Ok(client)
    }

    /// Who it is, by what came back.
    async fn signed_in(
        &self,
        client: &SignInClient,
        begun: &BegunSignIn,
        tokens: &Tokens,
    ) -> Result<Identity, Unproven> {
        let Some(id_token) = &tokens.extra_fields().id_token else {
            return Err(away(&"it gave no ID token"));
        };
        let (claims, _) = self.claims(id_token, &[&client.id]).await?;
        // Whether the access token is one for us is up to the provider: it may be opaque, or for somebody else.
        let access: Option<(Caller, Claims)> = match self.caller(tokens.access_token().secret()).await {
            Ok(caller) => Some(caller),
            Err(Unproven::Away { told, why }) => return Err(Unproven::Away { told, why }),
            Err(_) => None,
        };
        let ends_at = ends_at(access.as_ref().map_or(&claims, |(_, claims)| claims));
        let caller = self.issuer.signed_in(&claims, &client.id, &begun.nonce, access.map(|(caller, _)| caller))?;
        let Some(person) = caller.person else { return Err(Unproven::NotOfIssuer) };
        let ends_at = if caller.role == Role::Tenant { None } else { Some(ends_at) };
        if ends_at.is_some_and(|ends_at| ends_at <= self.clock.now()) {
            let told = "the role has ended already, with its token\nhint: compare the clocks of this machine and the provider's";
            return Err(Unproven::Refused(told.to_owned()));
        }
        let trust = self.issuer.trust();
        Ok(Identity::Person { person, role: caller.role, shown: shown_name(&claims), trust, ends_at })
    }
}

/// When a token ends; it was checked that it has an `exp`.
fn ends_at(claims: &Claims) -> Timestamp {
    let whole = |exp: &Value| exp.as_i64().or_else(|| exp.to_string().split('.').next()?.parse().ok());
    Timestamp::from_unix(claims.get("exp").and_then(whole).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{AT_ONCE, Asked, BegunSignIn, IN_A_MINUTE, ends_at, sealed, unsealed};
    use crate::config::{Secret, SignInClient};
    use crate::domain::Timestamp;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(1_800_000_000 + seconds)
    }

    #[test]
    fn an_issuer_is_asked_so_often_and_no_more() {
        let asked = Asked::default();
        let turns: Vec<_> = (0..AT_ONCE).map(|_| asked.once_more(at(0)).unwrap()).collect();
        assert!(asked.once_more(at(0)).is_none(), "one more at once");
        drop(turns);
        for _ in AT_ONCE..IN_A_MINUTE {
            assert!(asked.once_more(at(1)).is_some());
        }
        assert!(asked.once_more(at(59)).is_none(), "one more in a minute");
        assert!(asked.once_more(at(60)).is_some());
    }

    #[test]
    fn what_a_browser_keeps_is_sealed() {
        let client = |secret: &str| SignInClient {
            id: "pages".to_owned(),
            secret: Secret::new(secret.to_owned()),
            scopes: Vec::new(),
        };
        let word = |text: &str| text.to_owned();
        let (issuer, then, state, nonce, verifier) = (word("eu1"), word("/"), word("s"), word("n"), word("v"));
        let begun = BegunSignIn { issuer, then, began_at: at(0), state, nonce, verifier };
        let text = sealed(&client("one"), &begun);
        assert_eq!(unsealed(&client("one"), &text), Some(begun));
        assert_eq!(unsealed(&client("two"), &text), None);
        for other in [text.replacen('e', "f", 1), text[..text.len() - 1].to_owned(), format!("{text}A"), String::new()]
        {
            assert_eq!(unsealed(&client("one"), &other), None, "{other}");
        }
    }

    #[test]
    fn a_token_ends_at_whole_seconds() {
        for (exp, seconds) in [(json!(1_800_000_060), 60), (json!(1_800_000_060.9), 60)] {
            assert_eq!(ends_at(json!({ "exp": exp }).as_object().unwrap()), at(seconds), "{exp}");
        }
    }
}
