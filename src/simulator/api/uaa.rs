//! UAA: tokens by client credentials, and what a token lets its bearer do.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use url::form_urlencoded;

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

#[derive(Clone, Debug)]
struct Issued {
    client: String,
    scopes: Vec<String>,
    expires_at: Timestamp,
}

/// Clients, and the tokens they were given.
#[derive(Clone, Debug, Default)]
pub struct Uaa {
    pub clients: Vec<Client>,
    issued: BTreeMap<String, Issued>,
    /// How long a token is good, in seconds.
    pub validity_seconds: i64,
    /// Who its tokens say issued them: another after a change of domain or identity zone.
    pub issuer: String,
}

impl Uaa {
    /// Knows these clients; gives tokens that are good for so long.
    #[must_use]
    pub fn new(clients: Vec<Client>, validity_seconds: i64) -> Self {
        let issuer = "https://uaa.simulated.invalid/oauth/token".to_owned();
        Self { clients, issued: BTreeMap::new(), validity_seconds, issuer }
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
        let found = self.clients.iter().find(|known| known.id == client)?;
        let number = self.issued.len() + 1;
        let claims = json!({"iss": self.issuer, "client_id": found.id, "jti": number}).to_string();
        let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.simulated-{number:04}", encoded(r#"{"alg":"none"}"#), encoded(&claims));
        let expires_at = now.plus(self.validity_seconds);
        self.issued
            .insert(token.clone(), Issued { client: found.id.clone(), scopes: found.authorities.clone(), expires_at });
        Some(token)
    }
}

impl Foundation {
    /// `POST /oauth/token`, for the grant of client credentials: status and body.
    pub(super) fn uaa_token(&mut self, request: &Request<'_>) -> (u16, Value) {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        if request.method != "POST" || field("grant_type").as_deref() != Some("client_credentials") {
            return (
                400,
                json!({"error": "invalid_request", "error_description": "grant_type must be client_credentials"}),
            );
        }
        let basic = request.authorization.and_then(|text| text.strip_prefix("Basic "));
        let basic = basic.and_then(|text| STANDARD.decode(text).ok()).and_then(|bytes| String::from_utf8(bytes).ok());
        let credentials = basic
            .as_deref()
            .and_then(|text| text.split_once(':'))
            .map(|(id, secret)| (id.to_owned(), secret.to_owned()));
        let credentials = credentials.or_else(|| field("client_id").zip(field("client_secret")));
        let known = credentials
            .filter(|(id, secret)| self.uaa.clients.iter().any(|client| client.id == *id && client.secret == *secret));
        let now = self.now();
        let Some((token, id)) = known.and_then(|(id, _)| Some((self.uaa.issue(&id, now)?, id))) else {
            return (401, json!({"error": "unauthorized", "error_description": "Bad credentials"}));
        };
        let scope = self.uaa.clients.iter().find(|client| client.id == id).map(|client| client.authorities.join(" "));
        (
            200,
            json!({
                "access_token": token, "token_type": "bearer", "expires_in": self.uaa.validity_seconds,
                "scope": scope.unwrap_or_default(), "jti": token,
            }),
        )
    }
}
