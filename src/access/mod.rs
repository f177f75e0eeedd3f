//! Who asks, and what they may: the one place that decides.
//! What reads the book for somebody takes a permit, and only [`Caller::permit`] makes one. Knows no route and no query.

mod issuer;
mod permit;
mod reach;
mod session;
mod token;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use issuer::{Claims, Issuer, NotTaken, OF_CLOUD_CONTROLLER, Person, shown_name};
pub use permit::{
    MayReadAccounts, MayReadAudit, MayReadCost, MayReadInvoices, MayReadOverview, MayReadStatus, MayReadUsage,
    OrganizationPayer, Permit, Theirs, Whose,
};
pub use reach::{CloudRole, OfOrganization, Reach};
pub use session::{Identity, WebSession};
pub use token::{ApiToken, ApiTokens, Unknown};

/// What somebody is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// The token's name, `ISSUER/SUBJECT`, or who is meant by an open door.
    pub name: String,
    /// Whom an issuer vouches for.
    pub person: Option<Person>,
    pub role: Role,
    /// Of these foundations alone; `None`: of all.
    foundations: Option<BTreeSet<String>>,
    /// A tenant's.
    theirs: Arc<Theirs>,
}

impl Caller {
    /// Whoever reaches a daemon that asks nobody who they are: it listens on loopback alone, and they are on its machine.
    #[must_use]
    pub fn on_this_machine() -> Self {
        Self::named("this machine".to_owned(), Role::Provider)
    }

    fn named(name: String, role: Role) -> Self {
        Self { name, person: None, role, foundations: None, theirs: Arc::default() }
    }

    /// Whom an issuer vouches for, with a role in the foundations that it speaks for; `None`: in all.
    fn vouched(person: Person, role: Role, foundations: Option<BTreeSet<String>>) -> Self {
        Self { name: person.to_string(), person: Some(person), role, foundations, theirs: Arc::default() }
    }

    /// Whether what is theirs must be looked up: a tenant's whom an issuer vouches for.
    #[must_use]
    pub fn to_look_up(&self) -> Option<&Person> {
        self.person.as_ref().filter(|_| self.role == Role::Tenant)
    }

    /// The foundations that a role over everything was granted for, by an issuer that speaks for those alone.
    #[must_use]
    pub fn everything_of(&self) -> Option<&BTreeSet<String>> {
        self.foundations.as_ref().filter(|_| matches!(self.role, Role::Provider | Role::Finance))
    }

    /// With a role over everything that there is.
    #[must_use]
    pub fn over_everything(self) -> Self {
        Self { foundations: None, ..self }
    }

    /// With what was found to be theirs.
    #[must_use]
    pub fn having(mut self, theirs: Theirs) -> Self {
        self.theirs = Arc::new(theirs);
        self
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
    /// Open where neither token nor issuer is configured.
    #[must_use]
    pub fn new(tokens: &[ApiToken], has_issuers: bool) -> Self {
        if tokens.is_empty() && !has_issuers { Self::Open } else { Self::Tokens(ApiTokens::new(tokens)) }
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

    /// Who signed in with the token that has this digest, if it is still configured.
    #[must_use]
    pub fn again(&self, digest: &[u8; 32]) -> Option<Caller> {
        match self {
            Self::Open => None,
            Self::Tokens(tokens) => tokens.of_digest(digest),
        }
    }
}
