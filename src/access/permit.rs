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

    /// What somebody may read who is both.
    #[must_use]
    fn and(self, other: Self) -> Self;

    /// Nobody may read more.
    fn is_everything(&self) -> bool;
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

    fn and(self, other: Self) -> Self {
        let foundations = self.foundations.zip(other.foundations);
        Self {
            foundations: foundations.map(|(mut one, other)| {
                one.extend(other);
                one
            }),
        }
    }

    fn is_everything(&self) -> bool {
        self.foundations.is_none()
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

    fn and(self, _: Self) -> Self {
        self
    }

    fn is_everything(&self) -> bool {
        true
    }
}

/// Who did what.
#[derive(Debug)]
pub struct MayReadAudit(());

impl Permit for MayReadAudit {
    const WHAT: &'static str = "the audit log";

    fn of(caller: &Caller) -> Option<Self> {
        (caller.role == Role::Provider && caller.foundations.is_none()).then_some(Self(()))
    }

    fn and(self, _: Self) -> Self {
        self
    }

    fn is_everything(&self) -> bool {
        true
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

impl Theirs {
    /// What is of either.
    fn and(mut self, other: Self) -> Self {
        self.accounts.extend(other.accounts);
        for reach in other.reach {
            match self.reach.iter_mut().find(|known| known.foundation == reach.foundation) {
                Some(known) => known.extend(reach),
                None => self.reach.push(reach),
            }
        }
        // A document is seen by one who sees all of it, and not by two who see a part each.
        let persons = self.payers.iter().map(|payer| payer.person + 1).max().unwrap_or_default();
        let others = other.payers.into_iter();
        self.payers.extend(others.map(|payer| OrganizationPayer { person: persons + payer.person, ..payer }));
        self
    }
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
    /// By which of those who are one: numbers from 0.
    pub person: usize,
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

    /// Theirs who are both.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Of(one), Self::Of(other)) => {
                Self::Of(Arc::unwrap_or_clone(one).and(Arc::unwrap_or_clone(other)).into())
            }
            _ => Self::Everybody,
        }
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

            fn and(self, other: Self) -> Self {
                Self { whose: self.whose.and(other.whose) }
            }

            fn is_everything(&self) -> bool {
                self.whose.is_staff()
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

/// What the overview shows to whom: parts of it may be for nobody.
#[derive(Debug)]
pub struct MayReadOverview {
    pub status: Option<MayReadStatus>,
    pub invoices: Option<MayReadInvoices>,
}

impl Permit for MayReadOverview {
    const WHAT: &'static str = "the overview";

    fn of(caller: &Caller) -> Option<Self> {
        let (status, invoices) = (MayReadStatus::of(caller), MayReadInvoices::of(caller));
        (status.is_some() || invoices.is_some()).then_some(Self { status, invoices })
    }

    fn and(self, other: Self) -> Self {
        fn both<P: Permit>(one: Option<P>, other: Option<P>) -> Option<P> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.and(other)),
                (one, other) => one.or(other),
            }
        }
        Self { status: both(self.status, other.status), invoices: both(self.invoices, other.invoices) }
    }

    fn is_everything(&self) -> bool {
        self.status.as_ref().is_some_and(Permit::is_everything)
            && self.invoices.as_ref().is_some_and(Permit::is_everything)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{MayReadStatus, OrganizationPayer, Permit, Theirs, Whose};
    use crate::access::{CloudRole, OfOrganization, Reach};
    use crate::domain::{Span, Timestamp};

    fn theirs(account: &str, roles: &[CloudRole]) -> Theirs {
        let reach = Reach::new("eu1", roles, true);
        let span = Span { from: Timestamp::from_unix(0), to: Timestamp::from_unix(10) };
        let payer = |(organization, seen): (&String, &OfOrganization)| OrganizationPayer {
            account: "pays".to_owned(),
            foundation: "eu1".to_owned(),
            organization: organization.clone(),
            span,
            seen: *seen,
            person: 0,
        };
        let payers = reach.organizations.iter().map(payer).collect();
        Theirs { accounts: BTreeSet::from([account.to_owned()]), reach: vec![reach], payers }
    }

    #[test]
    fn who_is_two_people_sees_what_either_sees() {
        let organization = |guid: &str| CloudRole::OrganizationAuditor(guid.to_owned());
        let auditor = theirs("one", &[organization("o1"), organization("o2")]);
        let manager =
            theirs("two", &[CloudRole::OrganizationManager("o1".to_owned()), CloudRole::OfSpace("s9".to_owned())]);
        for (one, other) in [(&auditor, &manager), (&manager, &auditor)] {
            let both = one.clone().and(other.clone());
            assert_eq!(both.accounts, BTreeSet::from(["one", "two"].map(str::to_owned)));
            // An organization that is seen whole isn't seen as a sum, too.
            assert_eq!(both.reach.len(), 1);
            assert_eq!(both.reach[0].organizations_seen(OfOrganization::Whole).collect::<Vec<_>>(), ["o1"]);
            assert_eq!(both.reach[0].organizations_seen(OfOrganization::Sum).collect::<Vec<_>>(), ["o2"]);
            assert!(both.reach[0].spaces.contains("s9"));
            // Which of the two it is stays known.
            let by = |number| both.payers.iter().filter(|payer| payer.person == number).count();
            assert_eq!((by(0), by(1), by(2)), (one.payers.len(), other.payers.len(), 0));
        }
        let tenant = Whose::Of(auditor.into());
        assert_eq!(tenant.clone().and(Whose::Everybody), Whose::Everybody);
        assert_eq!(Whose::Everybody.and(tenant), Whose::Everybody);
    }

    #[test]
    fn who_is_sre_of_two_foundations_sees_both() {
        let of =
            |names: &[&str]| MayReadStatus { foundations: Some(names.iter().map(|name| (*name).to_owned()).collect()) };
        let both = of(&["eu1"]).and(of(&["us1"]));
        assert!(both.has("eu1") && both.has("us1") && !both.has("ap1") && !both.is_everything());
        let all = of(&["eu1"]).and(MayReadStatus { foundations: None });
        assert!(all.has("ap1") && all.is_everything());
    }
}
