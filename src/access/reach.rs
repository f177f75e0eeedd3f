//! What a person's Cloud Controller roles open of one foundation's cost.

use std::collections::{BTreeMap, BTreeSet};

/// A role that somebody has in Cloud Controller, by its `type`, and what it is over.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloudRole {
    OrganizationManager(String),
    OrganizationBillingManager(String),
    OrganizationAuditor(String),
    /// Manager, developer, auditor or supporter: each sees what the space costs.
    OfSpace(String),
}

impl CloudRole {
    /// Of a row of `/v3/roles`; `None`: a role that opens nothing, such as `organization_user`, or one that isn't known.
    #[must_use]
    pub fn new(kind: &str, organization: Option<&str>, space: Option<&str>) -> Option<Self> {
        let (organization, space) = (organization.map(str::to_owned), space.map(str::to_owned));
        match kind {
            "organization_manager" => organization.map(Self::OrganizationManager),
            "organization_billing_manager" => organization.map(Self::OrganizationBillingManager),
            "organization_auditor" => organization.map(Self::OrganizationAuditor),
            "space_manager" | "space_developer" | "space_auditor" | "space_supporter" => space.map(Self::OfSpace),
            _ => None,
        }
    }
}

/// How much of an organization's cost is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OfOrganization {
    /// One sum.
    Sum,
    /// By space, app and whatever else there is.
    Whole,
}

/// What roles open of a foundation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub foundation: String,
    /// By guid.
    pub organizations: BTreeMap<String, OfOrganization>,
    /// Guids of spaces that are seen whole, whatever is seen of their organizations.
    pub spaces: BTreeSet<String>,
}

impl Reach {
    /// Of roles in a foundation. Billing managers see whole organizations, which Cloud Controller doesn't show them; or one
    /// sum, where that isn't wanted.
    #[must_use]
    pub fn new(foundation: &str, roles: &[CloudRole], whole_to_billing_managers: bool) -> Self {
        let mut reach = Self { foundation: foundation.to_owned(), ..Self::default() };
        for role in roles {
            let (organization, seen) = match role {
                CloudRole::OrganizationManager(guid) => (guid, OfOrganization::Whole),
                CloudRole::OrganizationBillingManager(guid) if whole_to_billing_managers => {
                    (guid, OfOrganization::Whole)
                }
                CloudRole::OrganizationBillingManager(guid) | CloudRole::OrganizationAuditor(guid) => {
                    (guid, OfOrganization::Sum)
                }
                CloudRole::OfSpace(guid) => {
                    reach.spaces.insert(guid.clone());
                    continue;
                }
            };
            let known = reach.organizations.entry(organization.clone()).or_insert(seen);
            *known = (*known).max(seen);
        }
        reach
    }

    /// With what else is open of the same foundation.
    pub(super) fn extend(&mut self, other: Self) {
        for (organization, seen) in other.organizations {
            let known = self.organizations.entry(organization).or_insert(seen);
            *known = (*known).max(seen);
        }
        self.spaces.extend(other.spaces);
    }

    /// Guids of organizations of which so much is seen.
    pub fn organizations_seen(&self, how: OfOrganization) -> impl Iterator<Item = &str> {
        self.organizations.iter().filter(move |(_, seen)| **seen == how).map(|(guid, _)| guid.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{CloudRole, OfOrganization, Reach};

    /// What each role of the V3 API opens.
    #[test]
    fn each_role_opens_what_it_is_for() {
        for (kind, whole, sum, space) in [
            ("organization_manager", true, false, false),
            ("organization_billing_manager", true, false, false),
            ("organization_auditor", false, true, false),
            ("organization_user", false, false, false),
            ("space_manager", false, false, true),
            ("space_developer", false, false, true),
            ("space_auditor", false, false, true),
            ("space_supporter", false, false, true),
            ("space_something_new", false, false, false),
        ] {
            let is_of_space = kind.starts_with("space");
            let role = CloudRole::new(kind, (!is_of_space).then_some("o"), is_of_space.then_some("s"));
            let reach = Reach::new("f", &role.into_iter().collect::<Vec<_>>(), true);
            let seen = |how| reach.organizations_seen(how).any(|guid| guid == "o");
            let told = (seen(OfOrganization::Whole), seen(OfOrganization::Sum), reach.spaces.contains("s"));
            assert_eq!(told, (whole, sum, space), "{kind}");
        }
    }

    #[test]
    fn the_widest_role_counts() {
        let roles = |kinds: &[&str]| -> Vec<CloudRole> {
            kinds.iter().filter_map(|kind| CloudRole::new(kind, Some("o"), None)).collect()
        };
        let seen = |kinds: &[&str], whole| Reach::new("f", &roles(kinds), whole).organizations.get("o").copied();
        for kinds in
            [["organization_auditor", "organization_manager"], ["organization_manager", "organization_auditor"]]
        {
            assert_eq!(seen(&kinds, true), Some(OfOrganization::Whole));
        }
        assert_eq!(seen(&["organization_billing_manager"], false), Some(OfOrganization::Sum));
        assert_eq!(seen(&["organization_billing_manager", "organization_manager"], false), Some(OfOrganization::Whole));
        assert_eq!(seen(&["organization_user"], true), None);
    }
}
