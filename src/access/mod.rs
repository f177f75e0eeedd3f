//! Who asks, and what they may: the one place that decides.
//! What reads the book for somebody takes a permit, and only [`Caller::permit`] makes one. Knows no route and no query.

mod permit;
mod token;

use std::collections::BTreeSet;
use std::fmt;

pub use permit::{MayReadAccounts, MayReadCost, MayReadInvoices, MayReadStatus, MayReadUsage, Permit, Whose};
pub use token::{ApiToken, ApiTokens, Unknown};

/// What somebody is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything.
    Provider,
    /// Invoices, accounts, documents and what is decided about them.
    Finance,
    /// What is collected and what keeps it from being; no prices, accounts or invoices.
    Sre,
    /// Final invoices of accounts that are theirs.
    Tenant,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Provider, Self::Finance, Self::Sre, Self::Tenant];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Finance => "finance",
            Self::Sre => "sre",
            Self::Tenant => "tenant",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's name, or who is meant by an open door.
    pub name: String,
    role: Role,
    /// Ids of a tenant's accounts.
    accounts: BTreeSet<String>,
}

impl Caller {
    /// Whoever reaches a daemon that asks nobody who they are: it listens on loopback alone, and they are on its machine.
    #[must_use]
    pub fn on_this_machine() -> Self {
        Self { name: "this machine".to_owned(), role: Role::Provider, accounts: BTreeSet::new() }
    }

    /// What this caller may do of one kind.
    ///
    /// # Errors
    /// [`NotAllowed`], if nothing.
    pub fn permit<P: Permit>(&self) -> Result<P, NotAllowed> {
        P::of(self).ok_or(NotAllowed { role: self.role, what: P::WHAT })
    }
}

/// A role is not for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the role `{role}` may not read {what}")]
pub struct NotAllowed {
    pub role: Role,
    /// `invoices`
    pub what: &'static str,
}

/// Whom the daemon asks who they are.
#[derive(Clone, Debug)]
pub enum Access {
    /// Nobody: only where it listens on loopback.
    Open,
    /// Everybody.
    Tokens(ApiTokens),
}

impl Access {
    /// Open where no token is configured.
    #[must_use]
    pub fn new(tokens: &[ApiToken]) -> Self {
        if tokens.is_empty() { Self::Open } else { Self::Tokens(ApiTokens::new(tokens)) }
    }

    /// Who has that bearer token.
    ///
    /// # Errors
    /// [`Unknown`]: nobody.
    pub fn caller(&self, bearer: Option<&str>) -> Result<Caller, Unknown> {
        match self {
            Self::Open => Ok(Caller::on_this_machine()),
            Self::Tokens(tokens) => tokens.caller(bearer),
        }
    }
}
