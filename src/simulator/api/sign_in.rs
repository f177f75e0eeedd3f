//! UAA's pages for people: a sign-in with a code, as clients of `authorization_code` ask for it, and a sign-out.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{DOCTYPE, html};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::{Answer, Request, finish};
use crate::simulator::Foundation;

/// A code that was given to a browser and can be exchanged once.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub client: String,
    pub user: String,
    pub redirect: String,
    pub challenge: String,
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
}

impl Code {
    /// Whether a verifier is the one that the code was asked for with: RFC 7636, section 4.6.
    pub fn fits(&self, verifier: &str) -> bool {
        URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)) == self.challenge
    }
}

type Fields = BTreeMap<String, String>;

fn fields(text: &[u8]) -> Fields {
    form_urlencoded::parse(text).into_owned().collect()
}

fn page(status: u16, headers: Vec<(&'static str, String)>, text: String) -> Answer {
    let mut answer = finish(status, headers, None);
    answer.headers.push(("content-type", "text/html;charset=UTF-8".to_owned()));
    answer.body = text.into_bytes();
    answer
}

fn to(headers: Vec<(&'static str, String)>, address: String) -> Answer {
    let mut answer = finish(302, headers, None);
    answer.headers.push(("location", address));
    answer
}

impl Foundation {
    /// What UAA answers to browsers; `None`: it has no such page.
    pub(super) fn uaa_for_browsers(
        &mut self,
        request: &Request<'_>,
        headers: &[(&'static str, String)],
    ) -> Option<Answer> {
        let headers = headers.to_vec();
        match (request.method, request.path) {
            ("GET", "/oauth/authorize") => Some(self.asks_who(&fields(request.query.as_bytes()), headers, None)),
            ("POST", "/login.do") => Some(self.logs_in(&fields(request.body), headers)),
            ("GET", "/logout.do") => {
                let back = fields(request.query.as_bytes()).remove("redirect");
                Some(to(headers, back.unwrap_or_else(|| self.base.clone())))
            }
            _ => None,
        }
    }

    fn asks_who(&self, asked: &Fields, headers: Vec<(&'static str, String)>, wrong: Option<&str>) -> Answer {
        let given = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let redirect = Url::parse(given("redirect_uri")).ok();
        // A simulation sends nobody to another machine.
        let is_here = redirect
            .is_some_and(|url| url.host_str().is_some_and(|host| ["127.0.0.1", "localhost", "[::1]"].contains(&host)));
        let is_known = self.uaa.clients.iter().any(|client| client.id == given("client_id"));
        if !is_here || !is_known || given("response_type") != "code" || given("code_challenge_method") != "S256" {
            let told = "Invalid request: an unknown client, a redirect_uri on another machine, or no code with PKCE.";
            return page(400, headers, told.to_owned());
        }
        let page_of_it = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { "Simulated UAA" } }
                body {
                    h1 { "Simulated UAA" }
                    @if let Some(wrong) = wrong { p { (wrong) } }
                    form action="/login.do" method="post" {
                        @for (name, value) in asked.iter().filter(|(name, _)| !matches!(name.as_str(), "username" | "password")) {
                            input type="hidden" name=(name) value=(value);
                        }
                        label { "User " input name="username"; } " "
                        label { "Password " input name="password" type="password"; } " "
                        button { "Sign in" }
                    }
                    p {
                        "Users: " (self.uaa.users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", "))
                    }
                }
            }
        };
        page(200, headers, page_of_it.into_string())
    }

    fn logs_in(&mut self, asked: &Fields, headers: Vec<(&'static str, String)>) -> Answer {
        let given = |name: &str| asked.get(name).cloned().unwrap_or_default();
        let users = &self.uaa.users;
        let user = users.iter().find(|user| user.name == given("username") && user.password == given("password"));
        let Some(user) = user else { return self.asks_who(asked, headers, Some("That user isn't known.")) };
        let wanted = given("scope");
        let wanted: Vec<&str> = wanted.split_whitespace().collect();
        // What a user hasn't is left out, without a word.
        let scopes = user.scopes.iter().filter(|own| wanted.is_empty() || wanted.contains(&own.as_str()));
        let made = Code {
            client: given("client_id"),
            user: user.name.clone(),
            redirect: given("redirect_uri"),
            challenge: given("code_challenge"),
            nonce: asked.get("nonce").cloned(),
            scopes: scopes.cloned().collect(),
        };
        let code = format!("simulated-code-{}", self.requests);
        let Ok(mut back) = Url::parse(&made.redirect) else { return self.asks_who(asked, headers, None) };
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &given("state"));
        self.uaa.codes.insert(code, made);
        to(headers, back.into())
    }

    /// What a code is exchanged for; `None`: it isn't good, or not this client's.
    pub(super) fn tokens_for_code(&mut self, client: &str, fields: impl Fn(&str) -> Option<String>) -> Option<Value> {
        let code = self.uaa.codes.remove(&fields("code")?)?;
        let fits =
            code.client == client && fields("redirect_uri")? == code.redirect && code.fits(&fields("code_verifier")?);
        if !fits {
            return None;
        }
        let now = self.now();
        let scopes: Vec<&str> = code.scopes.iter().map(String::as_str).collect();
        let access = self.uaa.issue_by_code(&code.user, client, &scopes, code.nonce.as_deref(), now)?;
        let guid = self.uaa.users.iter().find(|user| user.name == code.user)?.guid.clone();
        let mut claims = json!({
            "iss": self.uaa.issuer, "sub": guid, "user_id": guid, "user_name": code.user, "origin": "uaa", "zid": "uaa",
            "aud": [client], "azp": client, "cid": client, "client_id": client, "grant_type": "authorization_code",
            "scope": ["openid"], "amr": ["pwd"], "auth_time": now.unix(), "iat": now.unix(),
            "exp": now.unix() + self.uaa.validity_seconds, "jti": format!("id-{}", self.requests),
        });
        if let Some(nonce) = code.nonce {
            claims["nonce"] = nonce.into();
        }
        Some(json!({
            "access_token": access, "id_token": self.uaa.signed(&claims), "token_type": "bearer",
            "expires_in": self.uaa.validity_seconds, "scope": code.scopes.join(" "), "jti": format!("{}", self.requests),
        }))
    }
}
