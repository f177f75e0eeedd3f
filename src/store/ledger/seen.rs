//! What the ledger has seen: the names and guids that a rate card may point to.

use crate::rate_card::{SeenNames, SeenService};
use crate::store::database::{Spelled, Sql, values};
use crate::store::{Owner, Store, StoreError};

impl Store {
    /// Every name and guid that usage was seen under; accounts are not among them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen(&self) -> Result<SeenNames, StoreError> {
        const BUILDPACKS: Sql = Sql::new("SELECT name, guid FROM buildpack");
        const PLANS: Sql = Sql::new(
            "SELECT plan.guid AS plan, plan.name AS plan_name, offering.name AS offering_name, foundation.name AS foundation,
                    offering.guid AS offering, offering.broker_guid, offering.broker_name
             FROM service_plan AS plan
             JOIN foundation ON foundation.id = plan.foundation_id
             LEFT JOIN service_offering AS offering ON offering.id = plan.service_offering_id
             ORDER BY foundation.name, offering.guid, plan.guid",
        );
        const ORGANIZATIONS: Sql = Sql::new(
            "SELECT foundation.name AS foundation, organization.guid, organization.name
             FROM organization JOIN foundation ON foundation.id = organization.foundation_id",
        );
        const TYPES: Sql = Sql::new("SELECT DISTINCT process_type FROM resource WHERE process_type IS NOT NULL");
        const LABELS: Sql = Sql::new("SELECT DISTINCT owner, key, value FROM label");
        const CURRENCIES: Sql = Sql::new("SELECT DISTINCT currency FROM invoice WHERE status = 'final'");
        let mut seen = SeenNames::default();
        let mut session = self.database.read().await?;
        for row in session.all(BUILDPACKS, values![]).await? {
            seen.buildpacks.insert(row.string("buildpack.name")?);
            seen.buildpack_guids.extend(row.maybe_string("buildpack.guid")?);
        }
        for row in session.all(PLANS, values![]).await? {
            let (plan, plan_name) = (row.string("plan")?, row.maybe_string("plan_name")?);
            let names = row.maybe_string("offering_name")?.zip(plan_name);
            seen.plan_guids.insert(plan.clone());
            seen.plans.extend(names.clone());
            let broker_name = row.maybe_string("service_offering.broker_name")?;
            let broker = row.maybe_string("service_offering.broker_guid")?.map(|guid| (guid, broker_name));
            seen.brokers.extend(broker.iter().flat_map(|(guid, name)| [Some(guid), name.as_ref()]).flatten().cloned());
            if let Some(((offering_name, plan_name), offering)) = names.zip(row.maybe_string("offering")?) {
                let foundation = row.string("foundation")?;
                seen.services.push(SeenService { foundation, offering_name, plan_name, offering, plan, broker });
            }
        }
        for row in session.all(ORGANIZATIONS, values![]).await? {
            let foundation = row.text("foundation")?;
            let organization = format!("{foundation}/{}", row.text("organization.guid")?);
            seen.accounts.insert(organization.clone());
            seen.organizations.insert(organization);
            seen.organizations.extend(row.maybe_text("organization.name")?.map(|name| format!("{foundation}/{name}")));
        }
        for row in session.all(TYPES, values![]).await? {
            seen.process_types.insert(row.string("resource.process_type")?);
        }
        for row in session.all(LABELS, values![]).await? {
            let label = format!("{}={}", row.text("label.key")?, row.text("label.value")?);
            let Spelled(owner) = row.get("label.owner")?;
            match owner {
                Owner::Organization => seen.organization_labels.insert(label),
                Owner::Space => seen.space_labels.insert(label),
                // No price goes by them.
                Owner::OrganizationAnnotation | Owner::SpaceAnnotation => continue,
            };
        }
        for row in session.all(CURRENCIES, values![]).await? {
            seen.currencies.insert(row.string("invoice.currency")?);
        }
        Ok(seen)
    }
}
