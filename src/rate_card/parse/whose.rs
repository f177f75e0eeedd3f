//! What narrows a block: for whom, for what.

use super::BlockReader;
use crate::domain::{Guid, Kind};
use crate::rate_card::keys::Block;
use crate::rate_card::{Label, Matcher, Pattern, What, Whom};

impl BlockReader<'_> {
    /// What the narrowing keys of a block say.
    pub(super) fn matcher(&self, block: Block) -> Option<Matcher> {
        let keyed = &self.keyed;
        let whom = self.whom();
        let text = |key: &str| keyed.has(key).then(|| keyed.text(key));
        let (buildpack, buildpack_guid, pattern) =
            (text("buildpack"), text("buildpack_guid"), text("buildpack_pattern"));
        let (plan_guid, offering, plan) = (text("plan_guid"), text("offering"), text("plan"));
        let broker = text("broker");
        let process_type = text("process_type");
        let without = keyed.has("without_buildpack").then(|| keyed.is_true("without_buildpack"));
        let user_provided = keyed.has("user_provided").then(|| keyed.is_true("user_provided"));
        let name = block.name();
        let given = [
            buildpack.is_some(),
            buildpack_guid.is_some(),
            pattern.is_some(),
            without.is_some(),
            plan_guid.is_some(),
            offering.is_some() || plan.is_some() || broker.is_some(),
            user_provided.is_some(),
        ];
        if given.into_iter().filter(|given| *given).count() > 1 {
            let hint = if block == Block::Rate(Kind::Service) {
                "name the plan with plan_guid, or with offering, plan and broker"
            } else {
                "keep one of buildpack, buildpack_guid, buildpack_pattern and without_buildpack"
            };
            keyed.error_here(format!("the `{name}` says in two ways what it is for"), hint);
            return None;
        }
        if plan.is_some() && offering.is_none() {
            let hint = "name the plan's offering, too, or give the plan's guid";
            keyed.error_here(format!("the `{name}` needs `plan_guid`, or both `offering` and `plan`"), hint);
            return None;
        }
        let what = if let Some(name) = buildpack {
            What::Buildpack(name?)
        } else if let Some(guid) = buildpack_guid {
            What::BuildpackGuid(guid?)
        } else if let Some(pattern) = pattern {
            What::BuildpackPattern(Pattern::new(&pattern?))
        } else if let Some(without) = without {
            without.map(|()| What::WithoutBuildpack)?
        } else if let Some(guid) = plan_guid {
            What::PlanGuid(Guid::new(&guid?))
        } else if let Some(offering) = offering {
            let offering = offering?;
            match (plan, broker) {
                (Some(plan), Some(broker)) => What::PlanOf { offering, plan: plan?, broker: broker? },
                (Some(plan), None) => What::PlanName { offering, plan: plan? },
                (None, Some(broker)) => What::OfferingOf { offering, broker: broker? },
                (None, None) => What::Offering(offering),
            }
        } else if let Some(broker) = broker {
            What::Broker(broker?)
        } else if let Some(user_provided) = user_provided {
            user_provided.map(|()| What::UserProvided)?
        } else {
            What::Any
        };
        let process_type = match process_type {
            None => None,
            Some(process_type) => Some(process_type?),
        };
        Some(Matcher { whom: whom?, what, process_type })
    }

    pub(super) fn whom(&self) -> Option<Whom> {
        let keyed = &self.keyed;
        let keys = ["account", "org", "org_label", "space_label"];
        let mut given = keys.into_iter().filter(|key| keyed.has(key));
        let Some(key) = given.next() else { return Some(Whom::Everyone) };
        if given.next().is_some() {
            let hint = "keep one of account, org, org_label and space_label";
            keyed.error_here("it says in two ways whom it is for", hint);
            return None;
        }
        let text = keyed.text(key)?;
        let parts = |separator| text.split_once(separator).filter(|(one, two)| !one.is_empty() && !two.is_empty());
        // A label may have no value.
        let label = || {
            text.split_once('=')
                .filter(|(key, _)| !key.is_empty())
                .map(|(key, value)| Label { key: key.to_owned(), value: value.to_owned() })
        };
        let (whom, form) = match key {
            "account" => (Some(Whom::Account(text.clone())), ""),
            "org" => {
                let org = parts('/').map(|(foundation, organization)| Whom::Organization {
                    foundation: foundation.to_owned(),
                    organization: organization.to_owned(),
                });
                (org, "FOUNDATION/ORG, with the org's name or guid")
            }
            "org_label" => (label().map(Whom::OrganizationLabel), "KEY=VALUE"),
            _ => (label().map(Whom::SpaceLabel), "KEY=VALUE"),
        };
        if whom.is_none() {
            keyed.error(key, format!("`{key}`: `{text}` is not valid"), format!("write {form}"));
        }
        whom
    }
}
