//! What a role may read, a type a kind. Each is made here alone, so that no query is asked without one.

use std::collections::BTreeSet;

use super::{Caller, Role};

/// Leave to read one kind of things.
pub trait Permit: Sized + Send {
    /// The kind, for people: `invoices`.
    const WHAT: &'static str;

    /// What a caller may read of it; `None`: nothing.
    fn of(caller: &Caller) -> Option<Self>;
}

/// Foundations, gaps, anomalies: whether all is collected, and what was not.
#[derive(Debug)]
pub struct MayReadStatus(());

impl Permit for MayReadStatus {
    const WHAT: &'static str = "foundations, gaps and anomalies";

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            // Finance decides whether what is assumed for a gap is accepted.
            Role::Provider | Role::Finance | Role::Sre => Some(Self(())),
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
            Role::Provider | Role::Finance => Some(Self(())),
            Role::Sre | Role::Tenant => None,
        }
    }
}

/// Of which accounts something may be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    Everybody,
    /// Those with these ids.
    Of(BTreeSet<String>),
}

impl Whose {
    /// Whether an account is among them.
    #[must_use]
    pub fn has(&self, account: &str) -> bool {
        match self {
            Self::Everybody => true,
            Self::Of(accounts) => accounts.contains(account),
        }
    }

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            Role::Provider | Role::Finance => Some(Self::Everybody),
            Role::Tenant => Some(Self::Of(caller.accounts.clone())),
            Role::Sre => None,
        }
    }
}

/// What months cost.
#[derive(Debug)]
pub struct MayReadCost {
    whose: Whose,
}

impl Permit for MayReadCost {
    const WHAT: &'static str = "cost";

    fn of(caller: &Caller) -> Option<Self> {
        Whose::of(caller).map(|whose| Self { whose })
    }
}

impl MayReadCost {
    #[must_use]
    pub const fn whose(&self) -> &Whose {
        &self.whose
    }
}

/// Accounts, what each owns, and its terms.
#[derive(Debug)]
pub struct MayReadAccounts {
    whose: Whose,
}

impl Permit for MayReadAccounts {
    const WHAT: &'static str = "accounts";

    fn of(caller: &Caller) -> Option<Self> {
        Whose::of(caller).map(|whose| Self { whose })
    }
}

impl MayReadAccounts {
    #[must_use]
    pub const fn whose(&self) -> &Whose {
        &self.whose
    }
}

/// Invoices, credit notes and their documents.
#[derive(Debug)]
pub struct MayReadInvoices {
    whose: Whose,
}

impl Permit for MayReadInvoices {
    const WHAT: &'static str = "invoices";

    fn of(caller: &Caller) -> Option<Self> {
        Whose::of(caller).map(|whose| Self { whose })
    }
}

impl MayReadInvoices {
    #[must_use]
    pub const fn whose(&self) -> &Whose {
        &self.whose
    }

    /// Drafts, holds, reasons and what keeps a draft from being final are the provider's own.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self.whose, Whose::Everybody)
    }
}
