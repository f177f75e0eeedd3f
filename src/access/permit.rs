//! What a role may read, a type a kind. Each is made here alone, so that no query is asked without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Caller, OfOrganization, Reach, Role};
use crate::domain::Span;

/// Leave to read one kind of things.
pub trait Permit: Sized + Send {
    /// The kind, for people: `invoices`.
    const WHAT: &'static str;

    /// What a caller may read of it; `None`: nothing.
    fn of(caller: &Caller) -> Option<Self>;
}

/// Foundations, gaps, anomalies: whether all is collected, and what was not.
#[derive(Debug)]
pub struct MayReadStatus {
    foundations: Option<BTreeSet<String>>,
}

impl MayReadStatus {
    /// The foundations whose status may be read; `None`: of all.
    #[must_use]
    pub const fn only(&self) -> Option<&BTreeSet<String>> {
        self.foundations.as_ref()
    }

    /// Whether a foundation is among them.
    #[must_use]
    pub fn has(&self, foundation: &str) -> bool {
        self.foundations.as_ref().is_none_or(|only| only.contains(foundation))
    }
}

impl Permit for MayReadStatus {
    const WHAT: &'static str = "foundations, gaps and anomalies";

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            // Finance decides whether what is assumed for a gap is accepted.
            Role::Provider | Role::Finance | Role::Sre => Some(Self { foundations: caller.foundations.clone() }),
            Role::Tenant => None,
        }
    }
}

/// Quantities of everybody's usage.
#[derive(Debug)]
pub struct MayReadUsage(());

impl Permit for MayReadUsage {
    const WHAT: &'static str = "usage";

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            Role::Provider | Role::Finance if caller.foundations.is_none() => Some(Self(())),
            _ => None,
        }
    }
}

/// What is a tenant's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Theirs {
    /// Ids of accounts that are.
    pub accounts: BTreeSet<String>,
    /// What roles in Cloud Controller open.
    pub reach: Vec<Reach>,
    /// Of organizations that roles open, whose they are when.
    pub payers: Vec<OrganizationPayer>,
}

/// An account that an organization is of for a time; some of its spaces may be others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationPayer {
    pub account: String,
    pub foundation: String,
    /// Its guid.
    pub organization: String,
    pub span: Span,
    /// How much of the organization is seen.
    pub seen: OfOrganization,
}

/// Of whom something may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Everybody,
    Of(Arc<Theirs>),
}

impl Whose {
    /// What alone may be read; `None`: everything.
    #[must_use]
    pub fn only(&self) -> Option<&Theirs> {
        match self {
            Self::Everybody => None,
            Self::Of(theirs) => Some(theirs),
        }
    }

    /// Whether an account is theirs.
    #[must_use]
    pub fn has(&self, account: &str) -> bool {
        self.only().is_none_or(|theirs| theirs.accounts.contains(account))
    }

    /// Who sees everybody's is of those who decide: drafts, holds, reasons and ids are theirs alone.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            // An invoice may be of several foundations.
            Role::Provider | Role::Finance => caller.foundations.is_none().then_some(Self::Everybody),
            Role::Tenant => Some(Self::Of(caller.theirs.clone())),
            Role::Sre => None,
        }
    }
}

/// Permits of what belongs to accounts.
macro_rules! of_accounts {
    ($($(#[$about:meta])* $Permit:ident: $what:literal;)*) => {$(
        $(#[$about])*
        #[derive(Debug)]
        pub struct $Permit {
            whose: Whose,
        }

        impl Permit for $Permit {
            const WHAT: &'static str = $what;

            fn of(caller: &Caller) -> Option<Self> {
                Whose::of(caller).map(|whose| Self { whose })
            }
        }

        impl $Permit {
            #[must_use]
            pub const fn whose(&self) -> &Whose {
                &self.whose
            }
        }
    )*};
}

of_accounts! {
    /// What months cost.
    MayReadCost: "cost";
    /// Accounts, what each owns, and its terms.
    MayReadAccounts: "accounts";
    /// Invoices, credit notes and their documents.
    MayReadInvoices: "invoices";
}
