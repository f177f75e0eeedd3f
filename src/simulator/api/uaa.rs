//! UAA: tokens of clients and users, the keys that they are signed by, and what a token lets its bearer do.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::sign_in::Code;
use super::{Caller, Refusal, Request};
use crate::domain::Timestamp;
use crate::simulator::Foundation;

/// A client that may ask for tokens.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub secret: String,
    /// Granted as scopes: `cloud_controller.admin` and the like.
    pub authorities: Vec<String>,
}

/// A user who may ask for tokens.
#[derive(Clone, Debug)]
pub struct User {
    pub guid: String,
    pub name: String,
    pub password: String,
    /// Groups that they are in.
    pub scopes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Issued {
    client: String,
    scopes: Vec<String>,
    expires_at: Timestamp,
}

/// Keys of a simulation, which everybody may have: they sign nothing that anybody should trust.
const KEYS: [(&str, &[u8]); 2] =
    [("key-1", include_bytes!("../keys/first.der")), ("key-2", include_bytes!("../keys/second.der"))];

/// Clients, users, and the tokens they were given.
#[derive(Clone, Debug, Default)]
pub struct Uaa {
    pub clients: Vec<Client>,
    pub users: Vec<User>,
    issued: BTreeMap<String, Issued>,
    /// Codes that browsers were given.
    pub(super) codes: BTreeMap<String, Code>,
    /// How long a token is good, in seconds.
    pub validity_seconds: i64,
    /// Who its tokens say issued them: another after a change of domain or identity zone.
    pub issuer: String,
    /// How often its key was replaced by the other one.
    rotations: usize,
    /// The key that signs no longer isn't listed any more, either.
    pub forgets_old_key: bool,
}

/// The client of the cf CLI, which has no secret.
const CF: &str = "cf";

impl Uaa {
    /// Knows these clients; gives tokens that are good for so long.
    #[must_use]
    pub fn new(clients: Vec<Client>, validity_seconds: i64) -> Self {
        let issuer = "https://uaa.simulated.invalid/oauth/token".to_owned();
        Self { clients, validity_seconds, issuer, ..Self::default() }
    }

    /// Signs by the other key from now on.
    pub const fn rotate(&mut self) {
        self.rotations += 1;
    }

    const fn active(&self) -> (&'static str, &'static [u8]) {
        KEYS[self.rotations % KEYS.len()]
    }

    /// What Cloud Controller makes of an `Authorization` header.
    pub(super) fn caller(&self, authorization: Option<&str>, now: Timestamp) -> Result<Caller, Refusal> {
        let (kind, token) =
            authorization.and_then(|text| text.split_once(' ')).ok_or_else(Refusal::not_authenticated)?;
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::not_authenticated());
        }
        let issued =
            self.issued.get(token).filter(|issued| now < issued.expires_at).ok_or_else(Refusal::invalid_token)?;
        Ok(Caller { client: issued.client.clone(), scopes: issued.scopes.clone() })
    }

    /// Gives `client` a token.
    pub fn issue(&mut self, client: &str, now: Timestamp) -> Option<String> {
        let found = self.clients.iter().find(|known| known.id == client)?.clone();
        let claims = json!({
            "sub": found.id, "authorities": found.authorities, "scope": found.authorities, "client_id": found.id,
            "cid": found.id, "azp": found.id, "grant_type": "client_credentials",
        });
        Some(self.sign(claims, &found.id, found.authorities, now))
    }

    /// Gives a user a token by way of `client`, with these of the scopes that they have.
    pub fn issue_to_user(&mut self, user: &str, client: &str, scopes: &[&str], now: Timestamp) -> Option<String> {
        self.issue_by("password", user, client, scopes, None, now)
    }

    /// As [`Uaa::issue_to_user`], for a code; the access token has the nonce of the sign-in, too.
    pub(super) fn issue_by_code(
        &mut self,
        user: &str,
        client: &str,
        scopes: &[&str],
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        self.issue_by("authorization_code", user, client, scopes, nonce, now)
    }

    fn issue_by(
        &mut self,
        grant: &str,
        user: &str,
        client: &str,
        scopes: &[&str],
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Option<String> {
        let user = self.users.iter().find(|known| known.name == user)?.clone();
        let scopes: Vec<String> = user.scopes.iter().filter(|own| scopes.contains(&own.as_str())).cloned().collect();
        let mut claims = json!({
            "sub": user.guid, "user_id": user.guid, "user_name": user.name, "origin": "uaa",
            "email": format!("{}@simulated.invalid", user.name), "auth_time": now.unix(), "scope": scopes,
            "client_id": client, "cid": client, "azp": client, "grant_type": grant,
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        Some(self.sign(claims, client, scopes, now))
    }

    fn sign(&mut self, mut claims: Value, client: &str, scopes: Vec<String>, now: Timestamp) -> String {
        let number = self.issued.len() + 1;
        let expires_at = now.plus(self.validity_seconds);
        let prefix =
            |scope: &String| scope.split_once('.').map_or_else(|| scope.clone(), |(first, _)| first.to_owned());
        let mut audience = vec![client.to_owned()];
        for of_scope in scopes.iter().map(prefix) {
            if !audience.contains(&of_scope) {
                audience.push(of_scope);
            }
        }
        claims["iss"] = self.issuer.clone().into();
        claims["zid"] = "uaa".into();
        claims["aud"] = audience.into();
        claims["iat"] = now.unix().into();
        claims["exp"] = expires_at.unix().into();
        claims["jti"] = format!("simulated-{number:04}").into();
        let token = self.signed(&claims);
        self.issued.insert(token.clone(), Issued { client: client.to_owned(), scopes, expires_at });
        token
    }

    /// A token with these claims, signed by the key in use: also one that UAA would never give.
    #[must_use]
    pub fn signed(&self, claims: &Value) -> String {
        let (kid, der) = self.active();
        // UAA's is always https, whatever it is reached by.
        let jku = self.issuer.replacen("http:", "https:", 1).replace("/oauth/token", "/token_keys");
        let header = json!({"alg": "RS256", "jku": jku, "kid": kid, "typ": "JWT"});
        let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(claims));
        let pair = RsaKeyPair::from_der(der).expect("the keys are whole");
        let mut signature = vec![0; pair.public().modulus_len()];
        let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature);
        signed.expect("it is as long as the key");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// `/token_keys`: the key in use and the one before.
    fn keys(&self) -> Value {
        let listed = KEYS.iter().filter(|(kid, _)| !self.forgets_old_key || *kid == self.active().0);
        let key = |(kid, der): &(&str, &[u8])| {
            let pair = RsaKeyPair::from_der(der).expect("the keys are whole");
            let parts: PublicKeyComponents<Vec<u8>> = pair.public().into();
            let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            json!({"kty": "RSA", "e": encoded(&parts.e), "use": "sig", "kid": kid, "alg": "RS256", "n": encoded(&parts.n)})
        };
        json!({ "keys": listed.map(key).collect::<Vec<_>>() })
    }
}

/// Where `OpenID` Connect finds what it needs; UAA answers at both.
const DISCOVERY: [&str; 2] = ["/.well-known/openid-configuration", "/oauth/token/.well-known/openid-configuration"];

impl Foundation {
    /// What UAA answers to anybody; `None`: it has no such page.
    pub(super) fn uaa_page(&self, path: &str) -> Option<Value> {
        if path == "/token_keys" {
            return Some(self.uaa.keys());
        }
        let base = &self.base;
        DISCOVERY.contains(&path).then(|| {
            json!({
                "issuer": self.uaa.issuer, "authorization_endpoint": format!("{base}/oauth/authorize"),
                "token_endpoint": format!("{base}/oauth/token"), "jwks_uri": format!("{base}/token_keys"),
                "id_token_signing_alg_values_supported": ["RS256", "HS256"], "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
            })
        })
    }

    /// `POST /oauth/token`, for the grants of client credentials, passwords and codes: status and body.
    pub(super) fn uaa_token(&mut self, request: &Request<'_>) -> (u16, Value) {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let grant = field("grant_type");
        if request.method != "POST"
            || !matches!(grant.as_deref(), Some("client_credentials" | "password" | "authorization_code"))
        {
            return (
                400,
                json!({"error": "invalid_request", "error_description": "grant_type must be client_credentials, password or authorization_code"}),
            );
        }
        let basic = request.authorization.and_then(|text| text.strip_prefix("Basic "));
        let basic = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
        let credentials = basic
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .map(|(id, secret)| (id.to_owned(), secret.to_owned()));
        let credentials = credentials.or_else(|| field("client_id").zip(field("client_secret")));
        let now = self.now();
        if grant.as_deref() == Some("authorization_code") {
            let known = credentials.filter(|(id, secret)| {
                self.uaa.clients.iter().any(|client| client.id == *id && client.secret == *secret)
            });
            let Some((client, _)) = known else {
                return (401, json!({"error": "unauthorized", "error_description": "Bad credentials"}));
            };
            return match self.tokens_for_code(&client, field) {
                Some(tokens) => (200, tokens),
                None => (400, json!({"error": "invalid_grant", "error_description": "Invalid authorization code"})),
            };
        }
        let issued = if grant.as_deref() == Some("password") {
            let asked = field("username").zip(field("password"));
            let user =
                self.uaa.users.iter().find(|user| asked.as_ref() == Some(&(user.name.clone(), user.password.clone())));
            let scopes = user.map(|user| user.scopes.clone()).unwrap_or_default();
            let name =
                user.map(|user| user.name.clone()).filter(|_| credentials == Some((CF.to_owned(), String::new())));
            let scopes_given: Vec<&str> = scopes.iter().map(String::as_str).collect();
            name.and_then(|name| self.uaa.issue_to_user(&name, CF, &scopes_given, now)).map(|token| (token, scopes))
        } else {
            let known = credentials.and_then(|(id, secret)| {
                self.uaa.clients.iter().find(|client| client.id == id && client.secret == secret).cloned()
            });
            known.and_then(|client| Some((self.uaa.issue(&client.id, now)?, client.authorities)))
        };
        let Some((token, scopes)) = issued else {
            return (401, json!({"error": "unauthorized", "error_description": "Bad credentials"}));
        };
        (
            200,
            json!({
                "access_token": token, "token_type": "bearer", "expires_in": self.uaa.validity_seconds,
                "scope": scopes.join(" "), "jti": format!("simulated-{:04}", self.uaa.issued.len()),
            }),
        )
    }
}
