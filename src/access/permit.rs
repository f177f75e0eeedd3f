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
    /// The ids of those of which alone something may be read; `None`: of all.
    #[must_use]
    pub const fn only(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Everybody => None,
            Self::Of(accounts) => Some(accounts),
        }
    }

    /// Whether an account is among them.
    #[must_use]
    pub fn has(&self, account: &str) -> bool {
        self.only().is_none_or(|accounts| accounts.contains(account))
    }

    /// Who sees everybody's is of those who decide: drafts, holds, reasons and ids are theirs alone.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self, Self::Everybody)
    }

    fn of(caller: &Caller) -> Option<Self> {
        match caller.role {
            Role::Provider | Role::Finance => Some(Self::Everybody),
            Role::Tenant => Some(Self::Of(caller.accounts.clone())),
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
