//! Tokens that are configured, each for one program: by their digests, so that a look-up tells nothing of them by its time.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Caller, Role, Theirs};

/// `[[token]]`, as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    pub name: String,
    pub role: Role,
    /// A tenant's; of nobody else.
    pub accounts: BTreeSet<String>,
    /// SHA-256 of its secret.
    pub digest: [u8; 32],
}

impl ApiToken {
    /// SHA-256 of a secret.
    #[must_use]
    pub fn digest(secret: &str) -> [u8; 32] {
        Sha256::digest(secret).into()
    }
}

/// All tokens.
#[derive(Clone, Debug)]
pub struct ApiTokens {
    by_digest: Arc<HashMap<[u8; 32], Caller>>,
}

/// Who asks isn't known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing was said of it.
    Nothing,
    /// The token is none of ours.
    Token,
}

impl ApiTokens {
    pub(super) fn new(tokens: &[ApiToken]) -> Self {
        let caller = |token: &ApiToken| {
            let theirs = Theirs { accounts: token.accounts.clone(), ..Theirs::default() };
            Caller::named(token.name.clone(), token.role).having(theirs)
        };
        Self { by_digest: Arc::new(tokens.iter().map(|token| (token.digest, caller(token))).collect()) }
    }

    pub(super) fn caller(&self, bearer: Option<&str>) -> Result<Caller, Unknown> {
        let bearer = bearer.ok_or(Unknown::Nothing)?;
        self.of_digest(&ApiToken::digest(bearer)).ok_or(Unknown::Token)
    }

    pub(super) fn of_digest(&self, digest: &[u8; 32]) -> Option<Caller> {
        self.by_digest.get(digest).cloned()
    }
}
