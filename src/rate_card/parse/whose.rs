//! What narrows a block: for whom, for what.

use toml::de::DeTable;

use super::{Parser, Value};
use crate::domain::{Guid, Kind};
use crate::rate_card::keys::Block;
use crate::rate_card::{Label, Matcher, Pattern, What, Whom};

impl<'a> Parser<'a> {
    /// What the narrowing keys of a block say.
    pub(super) fn matcher(&mut self, block: Block, table: &DeTable<'a>, item: &Value<'a>) -> Option<Matcher> {
        let whom = self.whom(table, item);
        let mut text = |key: &str| table.get(key).map(|value| self.text(key, value));
        let (buildpack, buildpack_guid, pattern) =
            (text("buildpack"), text("buildpack_guid"), text("buildpack_pattern"));
        let (plan_guid, offering, plan) = (text("plan_guid"), text("offering"), text("plan"));
        let broker = text("broker");
        let process_type = text("process_type");
        let without = table.get("without_buildpack").map(|value| self.is_true("without_buildpack", value));
        let user_provided = table.get("user_provided").map(|value| self.is_true("user_provided", value));
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
            self.error(&item.span(), format!("the `{name}` says twice what it is for"), hint);
            return None;
        }
        if plan.is_some() && offering.is_none() {
            let hint = "name the plan with plan_guid, or with offering and plan";
            self.error(&item.span(), format!("the `{name}` names half a plan"), hint);
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

    pub(super) fn whom(&mut self, table: &DeTable<'a>, item: &Value<'a>) -> Option<Whom> {
        let keys = ["account", "org", "org_label", "space_label"];
        let mut given = keys.into_iter().filter_map(|key| Some((key, table.get(key)?)));
        let Some((key, value)) = given.next() else { return Some(Whom::Everyone) };
        if given.next().is_some() {
            let hint = "keep one of account, org, org_label and space_label";
            self.error(&item.span(), "it says twice for whom it is", hint);
            return None;
        }
        let text = self.text(key, value)?;
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
            self.error(&value.span(), format!("`{key}`: `{text}` isn't of that form"), &format!("write {form}"));
        }
        whom
    }
}
