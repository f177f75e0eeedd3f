//! UAA tokens by client credentials: fetched when needed, renewed before they expire.

use serde::Deserialize;

use super::issuer::issuer_of;
use crate::config::Secret;
use crate::domain::Timestamp;

/// Renewed when less than this is left, or a tenth of its life if that is less.
const RENEW_BEFORE_SECONDS: i64 = 60;

/// Scopes that make every list complete. Without one of them Cloud Controller answers 200 with empty lists.
const GLOBAL_READ: [&str; 3] =
    ["cloud_controller.admin", "cloud_controller.admin_read_only", "cloud_controller.global_auditor"];

/// A bearer token and what it may do.
#[derive(Clone, Debug)]
pub struct Token {
    pub(super) access_token: Secret,
    renew_at: Timestamp,
    pub expires_at: Timestamp,
    scopes: Vec<String>,
}

/// The body of UAA's answer. `scope` lists what was granted: for a client, its authorities.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: i64,
    #[serde(default)]
    scope: String,
}

impl Token {
    /// From UAA's answer to a request made at `now`.
    pub(super) fn from_answer(body: &[u8], now: Timestamp) -> Result<Self, serde_json::Error> {
        let granted: Granted = serde_json::from_slice(body)?;
        let early = RENEW_BEFORE_SECONDS.min(granted.expires_in / 10);
        Ok(Self {
            access_token: Secret::new(granted.access_token),
            renew_at: now.plus(granted.expires_in - early),
            expires_at: now.plus(granted.expires_in),
            scopes: granted.scope.split_whitespace().map(str::to_owned).collect(),
        })
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.renew_at
    }

    /// Whether it reads everything.
    #[must_use]
    pub fn reads_everything(&self) -> bool {
        self.scopes.iter().any(|scope| GLOBAL_READ.contains(&scope.as_str()))
    }

    /// Whether it may request usage snapshots.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "cloud_controller.admin")
    }

    /// Who issued it, where it says.
    #[must_use]
    pub fn issuer(&self) -> Option<String> {
        issuer_of(self.access_token.expose())
    }

    /// What it may do, as granted.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
